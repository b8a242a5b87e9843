# SPDX-License-Identifier: GPL-2.0-only
"""Programs are told apart by what is in them."""

import os
from pathlib import Path

import pytest

from dmabuf_patchgen.kernel import programs


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program on PATH."""
    place = tmp_path / "bin/cc"
    place.parent.mkdir()
    place.write_text("#!/bin/sh\necho cc 12\n")
    place.chmod(0o755)
    monkeypatch.setenv("PATH", str(place.parent))
    return place


def test_another_program_of_the_same_size_and_time(program: Path) -> None:
    before, times = programs.digest("cc"), program.stat()
    assert programs.digest("cc") == before
    program.write_text("#!/bin/sh\nexit  9    \n"[: times.st_size].ljust(times.st_size))
    os.utime(program, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert program.stat().st_size == times.st_size
    assert programs.digest("cc") != before


def test_the_same_program_elsewhere(program: Path, tmp_path: Path) -> None:
    before = programs.digest("cc")
    moved = program.rename(tmp_path / "real-cc")
    program.symlink_to(moved)
    assert programs.digest("cc") == before


def test_what_is_not_there_counts_too(program: Path) -> None:
    before = programs.digest("cc", "as")
    (program.parent / "as").write_bytes(program.read_bytes())
    (program.parent / "as").chmod(0o755)
    assert programs.digest("cc", "as") != before != programs.digest("cc")


def test_a_path_is_one_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """make runs in another directory."""
    monkeypatch.chdir(tmp_path)
    for given, told in {
        "": "",
        "gcc-12": "gcc-12",
        "bin/gcc -m64": f"{tmp_path}/bin/gcc -m64",
        "../x/arm-": f"{tmp_path}/../x/arm-",
        "./llvm/": f"{tmp_path}/llvm/",
        "/opt/gcc": "/opt/gcc",
        "ccache ./gcc": "ccache ./gcc",
    }.items():
        monkeypatch.setenv("CC", given)
        assert programs.named("CC") == told
    monkeypatch.delenv("CC")
    assert programs.named("CC") == ""
