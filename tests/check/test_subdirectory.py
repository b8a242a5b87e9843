# SPDX-License-Identifier: GPL-2.0-only
"""Patches of a kernel in a subdirectory of a repository are checked as those of a kernel."""

from dataclasses import astuple
from pathlib import Path

import pytest

from dmabuf_patchgen.check import b4, checks, commits
from dmabuf_patchgen.check.report import Report
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.tree.source import GitTree
from tests import faults, repos

PREFIX = "vendor/linux"
#: The first two of the bad series.
SERIES = {subject: faults.SERIES[subject] for subject in (faults.CLEAN, faults.FAULTY)}
README = {"README": faults.new("A project with a kernel.\n")}


@pytest.fixture(scope="module")
def project(kernel_repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a kernel below it, and part of the bad series on the branch `bad`."""
    project = tmp_path_factory.mktemp("below") / "project"
    kernel = repos.below(kernel_repo, project, PREFIX)
    repos.git(project, "checkout", "-q", "-b", "bad")
    faults.commit(kernel, {faults.CLEAN: SERIES[faults.CLEAN]})
    faults.commit(project, {"README: say more": README})
    faults.commit(kernel, {faults.FAULTY: SERIES[faults.FAULTY]})
    return project


def test_a_range_is_what_it_changes_in_the_kernel(project: Path, clone_kernel: Path) -> None:
    tree, patches = commits.from_range(project, "master..bad", PREFIX)
    alone, same = commits.from_range(clone_kernel, "master..bad~3")
    assert (tree.label, tree.id) == (f"{project / PREFIX} at master", alone.id)
    assert [one.commit for one in patches] == [one.commit for one in same]
    assert [diff(one.mail) for one in patches] == [diff(one.mail) for one in same]
    with pytest.raises(UserError, match="no commit in this range changes a file below vendor"):
        commits.from_range(project, "bad~2..bad~1", PREFIX)


def diff(mail: bytes) -> bytes:
    return mail[mail.index(b"\ndiff --git ") :]


def test_patches_from_either_root_are_the_same(project: Path) -> None:
    tree, patches = commits.from_range(project, "master..bad", PREFIX)
    from_its_own = [patch.mail for patch in patches]
    whole = [commits.commit_patch(project, f"bad{at}", f"bad{at}^").mail for at in ("~2", "")]
    assert all(b"\n--- a/vendor/linux/drivers/" in mail for mail in whole)
    for mails in (from_its_own, whole):
        made = commits.from_mails(tree, mails)
        assert [one.commit for one in made] == [one.commit for one in patches]
        # What checkpatch reads.
        assert not any(b" a/vendor" in one.mail or b" b/vendor" in one.mail for one in made)
    other = commits.commit_patch(project, "bad~1", "bad~2").mail
    # One that names nothing below it is taken for one of the kernel, which has a README too.
    with pytest.raises(UserError, match=r"README: say more.*: patch failed: README:1"):
        commits.from_mails(tree, [other])


def test_a_patch_of_b4s_is_found(project: Path, tmp_path: Path) -> None:
    repo = tmp_path / "clone.git"
    repos.git(tmp_path, "clone", "-q", "--shared", "--bare", str(project), str(repo))
    repos.git(repo, "symbolic-ref", "HEAD", "refs/heads/bad")
    mail = commits.commit_patch(repo, "bad", "bad^").mail
    located = b4.locate(repo, mail, PREFIX)
    before = {**located.settled}
    assert located.patch.commit.subject == faults.FAULTY
    assert {*located.patch.commit.files} == {*SERIES[faults.FAULTY]}
    path = "drivers/dma-buf/dma-buf.c"
    then = GitTree(repo, "bad^", PREFIX).read(path)
    assert before.get(path, located.base.read(path)) == then


def test_the_same_is_found(project: Path, bad: Report) -> None:
    report = checks.check(*commits.from_range(project, "master..bad", PREFIX))
    assert [astuple(one) for one in report.findings] == [
        astuple(one) for one in bad.findings if one.index <= 2
    ]
    assert any(one.check == "sparse" for one in report.findings)
    # Nothing of it is in the work tree.
    assert repos.git(project, "status", "--porcelain", "--ignored") == ""
