# SPDX-License-Identifier: GPL-2.0-only
"""The files of the architectures, and the choice among them."""

import re
from pathlib import Path

import pytest

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel import architecture
from dmabuf_patchgen.kernel.architecture import Architecture
from dmabuf_patchgen.tree.source import DirectoryTree
from tests.conftest import CHECKOUT

PLACE = CHECKOUT / "dmabuf_patchgen/kernel/architectures"
FILES = sorted(PLACE.iterdir())


def test_a_file_is_an_architecture() -> None:
    assert [one.name for one in architecture.here().known] == [file.stem for file in FILES]
    assert {"arm64", "x86_64"} <= {one.name for one in architecture.here().known}


@pytest.mark.parametrize("one", architecture.here().known, ids=lambda one: one.name)
def test_what_a_file_says(one: Architecture) -> None:
    assert one.name in one.names
    assert one.image.startswith(f"arch/{one.srcarch}/boot/")
    assert one.triple.startswith(f"{one.machine}-linux")
    assert all(re.fullmatch(r"CONFIG_\w+=\S+", line) for line in one.config)
    bytes.fromhex(one.qemu.probe)


@pytest.mark.parametrize(
    ("arch", "machine", "expected"),
    [
        ("", "x86_64", "x86_64"),
        ("", "aarch64", "arm64"),
        ("x86", "aarch64", "x86_64"),
        ("x86_64", "x86_64", "x86_64"),
        ("arm64", "x86_64", "arm64"),
    ],
)
def test_choice(monkeypatch: pytest.MonkeyPatch, arch: str, machine: str, expected: str) -> None:
    monkeypatch.setenv("ARCH", arch)
    chosen = architecture.read(PLACE, machine).chosen()
    assert chosen.name == expected
    assert chosen.native is (chosen.machine == machine)


@pytest.mark.parametrize(
    ("arch", "machine", "said"),
    [
        # What uname says is not what make takes.
        ("aarch64", "x86_64", "ARCH aarch64: nothing is known of it"),
        ("i386", "x86_64", "ARCH i386: nothing is known of it"),
        ("", "riscv64", "this machine, riscv64: nothing is known of it"),
    ],
)
def test_no_choice(monkeypatch: pytest.MonkeyPatch, arch: str, machine: str, said: str) -> None:
    monkeypatch.setenv("ARCH", arch)
    with pytest.raises(UserError) as error:
        architecture.read(PLACE, machine).chosen()
    assert error.value.message == said
    assert error.value.hint == "set ARCH to one of arm64, x86_64"


def test_another_architecture_is_a_file_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (PLACE / "arm64.toml").read_text()
    text = text.replace("aarch64", "riscv64").replace("arm64", "riscv")
    (tmp_path / "riscv.toml").write_text(text)
    monkeypatch.setenv("ARCH", "riscv")
    assert architecture.read(tmp_path, "x86_64").chosen().image == "arch/riscv/boot/Image"


def test_the_trees_have_it(linux_612: Path) -> None:
    tree = DirectoryTree(linux_612)
    for one in architecture.here().known:
        assert Path(one.image).name in tree.read(f"arch/{one.srcarch}/Makefile").decode()
        clang = tree.read("scripts/Makefile.clang").decode()
        assert re.search(rf"CLANG_TARGET_FLAGS_{one.srcarch}\s*:= {one.triple}\n", clang)
