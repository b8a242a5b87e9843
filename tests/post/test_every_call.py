# SPDX-License-Identifier: GPL-2.0-only
"""Ended, or refused by the disk, at every system call that changes something.

Against the real git and the real file system: a script does one step, strace lets it fail at its
Nth call, and what is there afterwards is all of the step or nothing of it. `make test` tries some
of the calls, `make test-all` every one.
"""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from dmabuf_patchgen.post import publication
from dmabuf_patchgen.render import directory
from dmabuf_patchgen.tree import git as plumbing
from tests import strace, tiny
from tests.repos import Kind, git
from tests.strace import Traced

REF = "refs/heads/b4/x"
OLD = {"0001-one.patch": b"one\n", "0002-two.patch": b"two\n"}

#: Moves a branch from v1 to v2 with two of its keys; a file of mails comes along.
PUBLISH = """
import sys
from pathlib import Path
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.post import publication
from dmabuf_patchgen.render import branch, directory
from dmabuf_patchgen.render.scratch import Identity
from dmabuf_patchgen.tree.source import GitTree
repo, out, old, new = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] or None, sys.argv[4]
keys = [f"branch.b4/x.{name}" for name in ("description", "b4-tracking")]
tree = GitTree(repo, "v6.12")
target = branch.Target(tree, "b4/x", Identity("A", "a@example.org"), old)
change = publication.Change(
    "b4/x", new, old, dict.fromkeys(keys, old and "letter of v1"), dict.fromkeys(keys, "v2")
)
def point():
    with directory.written(out, {"0001-new.patch": b"new"}, {}):
        branch.point(target, new, "prep v2")
try:
    publication.publish(repo, change, point, lambda said: None)
except (UserError, OSError):
    sys.exit(1)
"""

#: Makes a commit on a tree, with objects in the user's store, and a branch of it.
RENDER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render import branch
from dmabuf_patchgen.render.commit import Commit
from dmabuf_patchgen.render.scratch import Identity
from dmabuf_patchgen.tree.source import GitTree
tree = GitTree(Path(sys.argv[1]), "v6.12")
who = Identity("A", "a@example.org")
commit = Commit("x\\n", {f"drivers/dma-buf/new{n}.c": b"%d" % n for n in range(4)})
try:
    with branch.commits_on(tree, [commit], who, datetime(2026, 1, 2, tzinfo=UTC)) as tip:
        pass
    branch.point(branch.Target(tree, "b4/x", who, None), tip, "render x")
except (UserError, OSError):
    sys.exit(1)
"""

some_or_all = pytest.mark.parametrize(
    "step", [pytest.param(9, id="some"), pytest.param(1, id="all", marks=pytest.mark.all)]
)


@pytest.fixture(autouse=True)
def tracing() -> None:
    strace.require()


class Prepared:
    """A repository with v1 of a branch, or none, its keys and a directory of mails."""

    def __init__(self, root: Path, v1: bool) -> None:
        self._kept, self.root, self.v1 = root / "kept", root / "now", v1
        repo = tiny.repo(root, Kind.UNCHECKED, "kept/linux")
        base = git(repo, "rev-parse", "v6.12^{commit}").strip()
        self.tips = [
            git(repo, "-c", "user.name=A", "-c", "user.email=a@example.org", "commit-tree",
                "-p", base, "-m", name, f"{base}^{{tree}}").strip()
            for name in ("v1", "v2")
        ]  # fmt: skip
        if v1:
            git(repo, "update-ref", "--create-reflog", REF, self.tips[0])
            for key in ("description", "b4-tracking"):
                git(repo, "config", f"branch.b4/x.{key}", "letter of v1")
            directory.write(root / "kept" / "out", OLD, {})

    def again(self) -> None:
        """As it was."""
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self._kept, self.root, symlinks=True)

    @property
    def repo(self) -> Path:
        return self.root / "linux"

    @property
    def out(self) -> Path:
        return self.root / "out"

    @property
    def arguments(self) -> tuple[str | Path, ...]:
        return self.repo, self.out, self.tips[0] if self.v1 else "", self.tips[1]

    def tip(self) -> str:
        return plumbing.git(self.repo, "rev-parse", "--quiet", "--verify", REF, check=False).text

    def letters(self) -> set[str]:
        said = git(self.repo, "config", "--local", "--list")
        return {line.partition("=")[2] for line in said.splitlines() if "branch.b4/x." in line}

    def is_whole(self) -> bool:
        """Whether v2 is there, with all that belongs to it; if it is not, all is as it was."""
        there = self.tip().strip() == self.tips[1]
        before = {"letter of v1"} if self.v1 else set()
        assert self.letters() == ({"v2"} if there else before)
        if not there:
            assert self.tip().strip() == (self.tips[0] if self.v1 else "")
        own = self.repo / ".git"
        assert [path.name for path in own.glob("config*")] == ["config"]
        directory.check(self.out)
        if not there:
            files = {path.name: path.read_bytes() for path in self.out.glob("*.patch")}
            assert files == (OLD if self.v1 else {})
        return there


def faults(
    prepared: Prepared, traced: Traced, kinds: Sequence[str], fault: str, step: int
) -> Iterator["subprocess.CompletedProcess[str]"]:
    """What a script came to at each call that it makes, or at every `step`th of them."""
    prepared.again()
    calls = traced.calls(kinds)[::step]
    # The control: that were several, and without a fault all of it is done.
    assert len(calls) > 1 and prepared.tip()
    for kind, number in calls:
        prepared.again()
        yield traced.fails(kind, number, fault)


@some_or_all
@pytest.mark.parametrize("v1", [False, True], ids=["new", "next"])
def test_killed_while_a_branch_is_published(tmp_path: Path, v1: bool, step: int) -> None:
    prepared = Prepared(tmp_path, v1)
    traced = Traced(PUBLISH, prepared.arguments)
    for done in faults(prepared, traced, strace.CHANGES, "signal=KILL", step):
        assert done.returncode == -9, done
        publication.settle(prepared.repo, lambda said: None)
        prepared.is_whole()


def test_git_is_killed_while_it_moves_the_branch(tmp_path: Path) -> None:
    """Then prep goes on, and takes back the rest unless the branch is there."""
    prepared = Prepared(tmp_path, True)
    traced = Traced(PUBLISH, prepared.arguments, program="update-ref")
    ends = set()
    for done in faults(prepared, traced, strace.CHANGES, "signal=KILL", 1):
        # What git itself leaves is git's, and it says so the next time.
        for lock in (prepared.repo / ".git/refs").rglob("*.lock"):
            lock.unlink()
        ends.add((done.returncode, prepared.is_whole()))
    assert (1, False) in ends and (0, False) not in ends


@some_or_all
def test_a_disk_that_is_full_while_a_branch_is_published(tmp_path: Path, step: int) -> None:
    prepared = Prepared(tmp_path, True)
    traced = Traced(PUBLISH, prepared.arguments, follow=True)
    for done in faults(prepared, traced, strace.GROWS, "error=ENOSPC", step):
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode in (0, 1)
        publication.settle(prepared.repo, lambda said: None)
        # What is there is what was told.
        assert prepared.is_whole() == (done.returncode == 0), done.stdout


@some_or_all
@pytest.mark.parametrize("fault", ["signal=KILL", "error=ENOSPC"])
def test_while_commits_are_made(tmp_path: Path, fault: str, step: int) -> None:
    """The branch with all that belongs to it, or no branch; the rest stays to the byte."""
    prepared = Prepared(tmp_path, False)
    killed = "KILL" in fault
    traced = Traced(RENDER, [prepared.repo], follow=not killed)

    def rest() -> dict[str, tuple[int, bytes]]:
        kept = ("/objects/", "/refs/heads/b4", "/logs")
        found = tiny.snapshot(prepared.repo)
        return {name: held for name, held in found.items() if not any(k in name for k in kept)}

    prepared.again()
    before = rest()
    for done in faults(prepared, traced, strace.CHANGES if killed else strace.GROWS, fault, step):
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == -9 if killed else done.returncode in (0, 1)
        assert rest() == before
        if prepared.tip():
            git(prepared.repo, "fsck", "--strict", "--no-dangling")
            assert len(git(prepared.repo, "diff", "--name-only", "v6.12", REF).split()) == 4
        else:
            assert done.returncode != 0
