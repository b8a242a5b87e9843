# SPDX-License-Identifier: GPL-2.0-only
"""Numbers of ioctls: every spelling of a number counts, or the line is told."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmabuf_patchgen.tree import ioctl
from dmabuf_patchgen.tree.c import parse

UAPI = b"""\
#define DMA_BUF_BASE		'b'
#define DMA_BUF_IOCTL_SYNC	_IOW(DMA_BUF_BASE, 0, struct dma_buf_sync)
/* 32/64-bitness of this uapi was botched in android. */
#define DMA_BUF_SET_NAME	DMA_BUF_SET_NAME_A
#define DMA_BUF_SET_NAME_A	_IOW(DMA_BUF_BASE, 1, __u32)
#define DMA_BUF_IOCTL_LONG	\\
	_IOWR(DMA_BUF_BASE, 0x0A, struct dma_buf_long)
#define OTHER_IOCTL		_IOR('x', 3, int)
"""


def numbers(added: bytes, magic: str = "DMA_BUF_BASE") -> set[int]:
    found = ioctl.read(parse(b"#define DMA_BUF_BASE 'b'\n" + added), magic)
    assert not found.unread
    return {one.number for one in found.taken}


def test_a_header() -> None:
    found = ioctl.read(parse(UAPI), "DMA_BUF_BASE")
    assert [(one.number, one.name) for one in found.taken] == [
        (0, "DMA_BUF_IOCTL_SYNC"),
        (1, "DMA_BUF_SET_NAME_A"),
        (10, "DMA_BUF_IOCTL_LONG"),
    ]
    assert found.unread == ()
    assert [one.number for one in ioctl.read(parse(UAPI), "'x'").taken] == [3]


@pytest.mark.parametrize(
    "text",
    [
        b"#define X _IO(DMA_BUF_BASE, 4)\n",
        b"#define X _IOW(DMA_BUF_BASE, 4U, int)\n",
        b"#define X _IOW(DMA_BUF_BASE, (4), int)\n",
        b"#define X _IOW('b', 4, int)\n",
        b"#define X _IOW(0x62, 4, int)\n",
        b"#define X _IOC(_IOC_READ, DMA_BUF_BASE, 4, sizeof(int))\n",
        b"#define NR 4\n#define X _IOW(DMA_BUF_BASE, NR, int)\n",
        b"#define X _IOW(DMA_BUF_BASE, NR, int)\n#define NR (FIRST + 1)\n#define FIRST 3\n",
        b"#define X _IOW(DMA_BUF_BASE, 2 + 2, int)\n",
        b"#define X \\\n\t_IOW( \\\n\t\tDMA_BUF_BASE, \\\n\t\t4, int)\n",
        b"#define MAKE(nr, type) _IOW(DMA_BUF_BASE, nr, type)\n#define X MAKE(4, int)\n",
        b"#define MAKE(n) _IO(DMA_BUF_BASE, (n) + 1)\n#define AGAIN(n) MAKE(n)\n"
        b"#define X AGAIN(3)\n",
        b"#define MINE _IOW\n#define X MINE(DMA_BUF_BASE, 4, int)\n",
        b"#define X(type) _IOW(DMA_BUF_BASE, 4, type)\n",
        b"enum {\n\tNR = 3,\n\tNR_X,\n};\n#define X _IOW(DMA_BUF_BASE, NR_X, int)\n",
        b"enum {\n\tX = _IOW(DMA_BUF_BASE, 4, int),\n};\n",
        b"#define ALSO DMA_BUF_BASE\n#define X _IOW(ALSO, 4, int)\n",
        b"#define X _IOW(DMA_BUF_BASE, /* the 5th */ 4, int) /* 6 */\n",
        b"#ifdef VENDOR\n#define X _IOW(DMA_BUF_BASE, 4, int)\n#endif\n",
        b"#ifdef A\n#define NR 4\n#else\n#define NR 0x4\n#endif\n#define X _IO(DMA_BUF_BASE, NR)\n",
    ],
)
def test_a_spelling(text: bytes) -> None:
    assert numbers(text) == {4}
    assert numbers(text, "'b'") == {4}
    assert numbers(text, "'x'") == set()
    assert numbers(text.replace(b"\n", b"\r\n")) == {4}


@pytest.mark.parametrize(
    "text",
    [
        b"/* #define X _IO(DMA_BUF_BASE, 5) */\n",
        b"// #define X _IO(DMA_BUF_BASE, 5)\n",
        b"#if 0\n#define X _IO(DMA_BUF_BASE, 5)\n#endif\n",
        b"#define MAKE(nr) _IO(DMA_BUF_BASE, nr)\n",
        b'#define X "_IO(DMA_BUF_BASE, 5)"\n',
        b"#define X _IO('x', 5)\n",
    ],
)
def test_what_takes_no_number(text: bytes) -> None:
    assert numbers(text) == set()


@pytest.mark.parametrize(
    "text",
    [
        b"#define X _IO(DMA_BUF_BASE, ELSEWHERE)\n",
        b"#define X _IO(ELSEWHERE, 4)\n",
        b"#define X _IO(DMA_BUF_BASE, sizeof(int))\n",
        b"#define NR NR\n#define X _IO(DMA_BUF_BASE, NR)\n",
        b"#ifdef A\n#define NR 4\n#else\n#define NR 5\n#endif\n#define X _IO(DMA_BUF_BASE, NR)\n",
    ],
)
def test_a_number_that_cannot_be_told(text: bytes) -> None:
    found = ioctl.read(parse(b"#define DMA_BUF_BASE 'b'\n" + text), "DMA_BUF_BASE")
    assert found.taken == ()
    number = text[: text.index(b"#define X")].count(b"\n") + 2
    assert found.unread == (f"{number}: {text[text.index(b'#define X') :].decode().strip()}",)


def test_the_real_thing(linux_612: Path) -> None:
    header = parse((linux_612 / "include/uapi/linux/dma-buf.h").read_bytes())
    found = ioctl.read(header, "DMA_BUF_BASE")
    assert {one.number for one in found.taken} == {0, 1, 2, 3} and not found.unread


# The compiler as judge: whatever it makes of a header is what is taken.

SPELLINGS = st.sampled_from(
    ["{}", "{}U", "({})", "0x{:x}", "({} + 0)", "NR_{}", "(NR_{})", "({} << 0)", "E_{}"]
)
MAGICS = st.sampled_from(["DMA_BUF_BASE", "'b'", "0x62", "98", "(DMA_BUF_BASE)", "'c'", "OTHER"])
MAKERS = st.sampled_from(
    ["_IO({m}, {n})", "_IOW({m}, {n}, int)", "_IOC(1U, {m}, {n}, 4)", "TWO({n}, {m})",
     "_IOWR({m}, \\\n\t{n}, /* 7 */ int)"]
)  # fmt: skip
PRELUDE = (
    "#define DMA_BUF_BASE 'b'\n#define OTHER 'o'\n#define TWO(nr, magic) _IOR(magic, nr, long)\n"
    + "".join(f"#define NR_{n} {n}\n" for n in range(16))
    + "enum {" + ", ".join(f"E_{n}" for n in range(16)) + "};\n"
)  # fmt: skip


@pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed")
@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 15), SPELLINGS, MAGICS, MAKERS), max_size=8))
def test_the_compiler_agrees(
    tmp_path_factory: pytest.TempPathFactory, uses: list[tuple[int, str, str, str]]
) -> None:
    header = PRELUDE + "".join(
        f"#define X{i} {maker.format(m=magic, n=spelling.format(number))}\n"
        for i, (number, spelling, magic, maker) in enumerate(uses)
    )
    source = "#include <stdio.h>\n#include <linux/ioctl.h>\n" + header + "int main(void)\n{\n"
    source += "".join(
        f"if (_IOC_TYPE(X{i}) == 'b') printf(\"%d\\n\", (int)_IOC_NR(X{i}));\n"
        for i in range(len(uses))
    )
    built = tmp_path_factory.mktemp("ioctl") / "a"
    subprocess.run(
        ["gcc", "-x", "c", "-o", built, "-"], input=source + "return 0;\n}\n", text=True, check=True
    )
    said = subprocess.run([built], capture_output=True, text=True, check=True).stdout
    found = ioctl.read(parse(header.encode()), "DMA_BUF_BASE")
    assert [one.number for one in found.taken] == [int(line) for line in said.split()]
    assert not found.unread
