# SPDX-License-Identifier: GPL-2.0-only
"""The root directory of a guest, as cpio(1) and a shell see it."""

import gzip
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel import initramfs
from dmabuf_patchgen.kernel.initramfs import SCRIPTS


@pytest.fixture
def tests(tmp_path: Path) -> Path:
    """What make kselftest-install leaves, in small."""
    place = tmp_path / "tests"
    (place / "drivers/dma-buf").mkdir(parents=True)
    (place / "kselftest-list.txt").write_text("drivers/dma-buf:one\n")
    (place / "run_kselftest.sh").write_text("#!/bin/sh\n")
    (place / "run_kselftest.sh").chmod(0o744)
    (place / "drivers/dma-buf/one").write_bytes(b"\x7fELF\0")
    (place / "drivers/dma-buf/one").chmod(0o775)
    (place / "drivers/dma-buf/other").symlink_to("one")
    return place


def write(place: Path, tests: Path) -> bytes:
    busybox = place.parent / "busybox"
    busybox.write_bytes(b"\x7fELF busybox")
    initramfs.write(place, busybox=busybox, tests=tests)
    return place.read_bytes()


def test_an_unpacked_initramfs_is_what_went_in(tests: Path, tmp_path: Path) -> None:
    if shutil.which("cpio") is None or os.geteuid():
        pytest.skip("needs cpio and root, for a device")
    archive = gzip.decompress(write(tmp_path / "initramfs", tests))
    root = tmp_path / "root"
    root.mkdir()
    subprocess.run(["cpio", "-idm", "--quiet"], input=archive, cwd=root, check=True)
    assert (root / "kselftest/drivers/dma-buf/other").read_bytes() == b"\x7fELF\0"
    assert (root / "kselftest/drivers/dma-buf/other").is_symlink()
    assert (root / "bin/busybox").read_bytes() == b"\x7fELF busybox"
    console = (root / "dev/console").stat()
    assert stat.S_ISCHR(console.st_mode) and console.st_rdev == os.makedev(5, 1)
    for name, script in SCRIPTS.items():
        assert (root / name).read_bytes() == script.read_bytes()
        assert os.access(root / name, os.X_OK)
    installed = [path.relative_to(tests) for path in tests.rglob("*")]
    assert {path.relative_to(root / "kselftest") for path in (root / "kselftest").rglob("*")} == {
        *installed
    }


def test_unpacked_without_cpio(tests: Path, tmp_path: Path) -> None:
    write(tmp_path / "initramfs", tests)
    root = tmp_path / "root"
    root.mkdir()
    initramfs.unpack(tmp_path / "initramfs", root)
    modes = {str(path.relative_to(root)): path.lstat().st_mode for path in root.rglob("*")}
    assert modes["init"] == 0o100755
    assert modes["kselftest/run_kselftest.sh"] == 0o100755
    assert modes["kselftest/kselftest-list.txt"] == 0o100644
    assert modes["proc"] == 0o040755
    assert "dev/console" not in modes
    assert (root / "kselftest/drivers/dma-buf/other").readlink() == Path("one")
    assert (root / "kselftest/drivers/dma-buf/one").read_bytes() == b"\x7fELF\0"
    assert (root / "init").read_bytes() == SCRIPTS["init"].read_bytes()


def test_the_same_input_gives_the_same_bytes(tests: Path, tmp_path: Path) -> None:
    first = write(tmp_path / "first", tests)
    other = tmp_path / "elsewhere"
    shutil.copytree(tests, other, symlinks=True)
    for path in other.rglob("*"):
        if not path.is_symlink():
            os.utime(path, (1, 1))
            path.chmod(path.stat().st_mode | 0o070)
    assert write(tmp_path / "second", other) == first
    (other / "drivers/dma-buf/one").write_bytes(b"\x7fELF\1")
    assert write(tmp_path / "third", other) != first


def test_nothing_half_written(tests: Path, tmp_path: Path) -> None:
    os.mkfifo(tests / "pipe")
    with pytest.raises(UserError, match="pipe is no file that a test could need"):
        write(tmp_path / "initramfs", tests)
    assert not (tmp_path / "initramfs").exists()
    (tests / "pipe").unlink()
    write(tmp_path / "initramfs", tests)
    assert not [*tmp_path.glob("*.partial")]
    (tmp_path / "full.partial").symlink_to("/dev/full")
    with pytest.raises(UserError, match="full: No space left on device"):
        write(tmp_path / "full", tests)
    assert not [*tmp_path.glob("full*")]


class TestScripts:
    """The guest's stand-ins, run by the busybox that runs them in a guest."""

    @pytest.fixture(autouse=True)
    def busybox(self) -> None:
        if shutil.which("busybox") is None:
            pytest.skip("needs busybox")

    def run(self, *argv: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["busybox", "sh", *argv],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def timeout(self, *argv: str) -> "subprocess.CompletedProcess[str]":
        return self.run(str(SCRIPTS["usr/bin/timeout"]), *argv)

    @pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
    def test_syntax(self, script: Path) -> None:
        assert self.run("-n", str(script)).returncode == 0
        assert os.access(script, os.X_OK)

    @pytest.mark.parametrize("code", [0, 4, 77])
    def test_a_program_in_time(self, code: int) -> None:
        done = self.timeout("--foreground", "9", "busybox", "sh", "-c", f"echo said; exit {code}")
        assert (done.stdout, done.returncode) == ("said\n", code)

    def test_a_program_that_is_late_ends_with_its_children(self) -> None:
        # Its output is open until its last process has gone.
        done = self.timeout("1", "sh", "-c", "sleep 600 & wait")
        assert (done.stdout, done.returncode) == ("", 124)

    def test_a_program_that_does_not_listen_ends_too(self) -> None:
        done = self.timeout("1", "sh", "-c", "trap : TERM; while :; do sleep 1; done")
        assert done.returncode == 124

    def test_prefix(self) -> None:
        perl = str(SCRIPTS["usr/bin/perl"])
        done = self.run(perl, "/kselftest/kselftest/prefix.pl", stdin="a\\n b\n\nlast")
        assert done.stdout == "# a\\n b\n# \n# last\n"
        assert self.run(perl, "-e", "print 1").returncode == 127

    def test_prefix_holds_nothing_back(self) -> None:
        with subprocess.Popen(
            ["busybox", "sh", str(SCRIPTS["usr/bin/perl"]), "/prefix.pl"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as child:
            assert child.stdin and child.stdout
            child.stdin.write(b"now\n")
            child.stdin.flush()
            assert child.stdout.readline() == b"# now\n"
            child.stdin.close()
