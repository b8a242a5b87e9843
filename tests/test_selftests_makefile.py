# SPDX-License-Identifier: GPL-2.0-only
"""make -C selftests KDIR=...: kselftests and test exporter, outside of a tree that is only read."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from dmabuf_patchgen.debian.sources import Row
from tests.conftest import CHECKOUT

SELFTESTS = CHECKOUT / "selftests"
MODULE = "dma-buf-test-exporter.ko"
PROGRAMS = {path.stem for path in SELFTESTS.glob("*.c")} - {"dma-buf-test-exporter"}


def make(*words: str | Path, place: Path = SELFTESTS) -> "subprocess.CompletedProcess[str]":
    dropped = ("MAKE", "MFLAGS", "KDIR", "OUT")
    return subprocess.run(
        ["make", "-C", str(place), *map(str, words)],
        env={k: v for k, v in os.environ.items() if not k.startswith(dropped)} | {"LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def build(kdir: Path, out: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Build all; what is new in KDIR or outside of OUT is a failure."""
    before = state(kdir)
    done = make(f"KDIR={kdir}", f"OUT={out}", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stdout + done.stderr
    assert state(kdir) == before
    assert not (SELFTESTS / "build").exists()
    return done


def state(root: Path) -> dict[str, float]:
    """Every directory of a tree and when a name in it changed last."""
    return {str(path): path.stat().st_mtime for path in [root, *root.rglob("*/")]}


def check_built(out: Path) -> None:
    built = {path.name for path in out.iterdir() if path.is_file() and path.name[0] != "."}
    assert built == {*PROGRAMS, MODULE}
    module = (out / MODULE).read_bytes()
    assert module[:4] == b"\x7fELF" and b"import_ns=DMA_BUF\0" in module
    for name in PROGRAMS:
        # Without devices a test skips or fails; it runs, and says so in KTAP.
        said = subprocess.run([out / name, "-h"], capture_output=True, text=True, check=False)
        assert "Usage:" in said.stderr + said.stdout or said.stdout.startswith("TAP version 13")


@pytest.fixture(scope="session")
def built(linux_612: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all was built once, for the reference tree."""
    out = tmp_path_factory.mktemp("selftests")
    build(linux_612, out)
    return out


def test_the_reference_tree(built: Path) -> None:
    check_built(built)


def test_a_prepared_build_is_used_as_it_is(built: Path, tmp_path: Path) -> None:
    done = build(built / "kernel", tmp_path)
    assert "PREPARE" not in done.stdout
    check_built(tmp_path)


def test_without_kselftests_there_the_module_alone_is_built(built: Path, tmp_path: Path) -> None:
    headers, out = tmp_path / "linux-headers", tmp_path / "out"
    shutil.copytree(built / "kernel", headers, symlinks=True)
    (headers / "source").unlink()

    done = build(headers, out)

    harness = "tools/testing/selftests/kselftest_harness.h"
    assert f"no kselftests are built: {headers} has no {harness}\n" in done.stderr
    assert [path.name for path in out.glob("*.ko")] == [MODULE]
    asked = make(f"KDIR={headers}", f"OUT={out}", "programs")
    assert asked.returncode == 2 and "give the source of the kernel" in asked.stderr


def test_clean_leaves_what_is_not_its_own(built: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(built, out, symlinks=True)
    (out / "mine").touch()
    assert make(f"OUT={out}", "clean").returncode == 0
    assert [path.name for path in out.iterdir()] == ["mine"]
    (out / "mine").unlink()
    assert make(f"OUT={out}", "clean").returncode == 0
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "which kernel? Give its source or a prepared build: make -C selftests KDIR=/path"),
        (["KDIR=/nowhere"], "KDIR=/nowhere is no kernel: it has no Makefile"),
        (["KDIR={here}", "CC=no-such-cc"], "no C compiler: no-such-cc is not there. Install it"),
        (["KDIR={here}"], "is neither the source of a kernel, with its kselftests, nor prepared"),
    ],
)
def test_what_is_missing_is_told(words: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "Makefile").touch()
    done = make(*(word.format(here=tmp_path) for word in words), f"OUT={tmp_path}/out")
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "out").exists()


def test_every_tree(row: Row, tmp_path: Path) -> None:
    build(row.path, tmp_path)
    check_built(tmp_path)


@pytest.mark.trees
def test_a_source_in_which_something_was_built(linux_612: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "linux", tmp_path / "out"
    source.mkdir()
    names = [path for path in linux_612.iterdir() if not path.name.startswith(".")]
    subprocess.run(["cp", "-as", *names, source], check=True)
    for target in ("tinyconfig", "prepare0"):
        assert make(target, place=source).returncode == 0

    build(source, out)

    check_built(out)
    assert (out / "source").is_dir()
