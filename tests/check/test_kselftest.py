# SPDX-License-Identifier: GPL-2.0-only
"""A test counts as compiled where a compiler was called with it, whatever its name."""

import pytest

from dmabuf_patchgen.check.kselftest import _is_compiled

TEST = "tools/testing/selftests/dmabuf-heaps/heap.c"


@pytest.mark.parametrize(
    ("line", "choices"),
    [
        ("gcc -Wall heap.c -o heap", ()),
        ("x86_64-linux-gnu-gcc-12 -Wall /src/dmabuf-heaps/heap.c -o heap", ()),
        ("/opt/board/bin/kompilator -Wall heap.c -o heap", ("CC=/opt/board/bin/kompilator",)),
        ("ccache /opt/x+y/gcc -Wall heap.c", ("ARCH=arm64", "CC=ccache /opt/x+y/gcc")),
    ],
)
def test_it_is_compiled(line: str, choices: tuple[str, ...]) -> None:
    assert _is_compiled(TEST, f"make: Entering\n{line}\n", choices)


@pytest.mark.parametrize(
    ("line", "choices"),
    [
        ("cp heap.c heap", ()),
        ("gcc -Wall cheap.c -o cheap", ()),
        ("/opt/board/bin/kompilator -Wall heap.c -o heap", ()),
        ("/opt/x-y/kompilator heap.c", ("CC=/opt/x.y/kompilator",)),
    ],
)
def test_it_is_not(line: str, choices: tuple[str, ...]) -> None:
    assert not _is_compiled(TEST, f"{line}\n", choices)
