# SPDX-License-Identifier: GPL-2.0-only
"""A repository of 6.12 that can be built from, and what its checks say of a bad series."""

import stat
import tempfile
from pathlib import Path

import pytest

from dmabuf_patchgen.check import checks, commits
from dmabuf_patchgen.check.report import Report
from tests import faults, repos
from tests.conftest import CACHE

#: What configuring, `make prepare`, drivers/dma-buf and its kselftests read, besides all
#: Kconfig and Makefile files: a sixth of the tree's files, so that import and export are short.
_PARTS = (
    "arch/x86/", "Documentation/driver-api/dma-buf", "drivers/dma-buf/", "include/",
    "kernel/bounds.c", "kernel/configs/", "kernel/sched/rq-offsets.c", "kernel/time/timeconst.bc",
    "lib/cmdline.c",
    "scripts/",
    "tools/arch/x86/", "tools/build/", "tools/include/", "tools/lib/", "tools/objtool/",
    "tools/scripts/", "tools/testing/selftests/dmabuf-heaps/",
    "tools/testing/selftests/drivers/.gitignore", "tools/testing/selftests/drivers/dma-buf/",
    "tools/testing/selftests/kselftest", "tools/testing/selftests/lib.mk", "usr/",
)  # fmt: skip
_WHO = b"Tester <tester@example.org> 1700000000 +0000"


@pytest.fixture(scope="session")
def kernel_repo(linux_612: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare repository with the part of 6.12 that a build reads, on `master`; not to be changed.

    The same files give the same tree, so the build that is prepared for it outlives the run.
    """
    repo = tmp_path_factory.mktemp("kernel") / "linux.git"
    repos.git(repo.parent, "init", "-q", "--bare", "--initial-branch=master", str(repo))
    stream = bytearray(b"commit refs/heads/master\ncommitter %s\ndata 6\nLinux\n\n" % _WHO)
    for path in sorted(linux_612.rglob("*")):
        name = path.relative_to(linux_612).as_posix()
        top = "/" not in name or path.name.startswith(("Kconfig", "Makefile", "Kbuild"))
        if not top and not name.startswith(_PARTS):
            continue
        if path.is_symlink():
            mode, body = b"120000", bytes(path.readlink())
        elif path.is_file():
            executable = path.stat().st_mode & stat.S_IXUSR
            mode, body = b"100755" if executable else b"100644", path.read_bytes()
        else:
            continue
        stream += b"M %s inline %s\ndata %d\n%s\n" % (mode, name.encode(), len(body), body)
    repos.git(repo, "fast-import", "--quiet", "--done", stdin=bytes(stream + b"done\n"))
    return repo


@pytest.fixture(scope="session")
def clone_kernel(kernel_repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of it, checked out, with the bad series on the branch `bad`."""
    repo = tmp_path_factory.mktemp("clone") / "linux"
    repos.git(repo.parent, "clone", "-q", "--shared", str(kernel_repo), str(repo))
    repos.git(repo, "checkout", "-q", "-b", "bad")
    faults.commit(repo, faults.SERIES)
    repos.git(repo, "checkout", "-q", "master")
    return repo


@pytest.fixture(scope="session")
def bad(clone_kernel: Path) -> Report:
    """What is found in the bad series."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as home:
        patch.setenv("XDG_CACHE_HOME", str(CACHE.parent))
        patch.setenv("HOME", home)
        base, patches = commits.from_range(clone_kernel, "master..bad")
        return checks.check(base, patches)
