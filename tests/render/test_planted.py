# SPDX-License-Identifier: GPL-2.0-only
"""What a repository's configuration would have run is not run: docs/security.md promises it."""

from contextlib import suppress
from pathlib import Path

import pytest

from dmabuf_patchgen.check import commits
from tests import tiny
from tests.conftest import Cli
from tests.planted import Planted, sign
from tests.repos import Kind, git
from tests.tiny import Toy

BRANCH = "b4/toy"


@pytest.fixture
def toy(cli: Cli, tmp_path: Path) -> Toy:
    return tiny.toy(cli, tmp_path / "toy")


@pytest.fixture
def repo(tmp_path: Path, identity: str) -> Path:
    """At work, with a commit that claims to be signed."""
    repo = tiny.repo(tmp_path)
    git(repo, "reset", "-q", "--hard", sign(repo, "HEAD"))
    return repo


def test_git_itself_runs_them(repo: Path, tmp_path: Path) -> None:
    """The control: they are where git finds them."""
    planted = Planted(repo, tmp_path / "planted")
    assert planted.run() == set()
    (repo / "Kbuild").write_text("changed\n")
    # Each fails for what such a program answers.
    for command in (
        ("status",), ("log", "-1"), ("log", "-1", "-p"), ("diff",), ("diff", "--no-ext-diff"),
        ("update-ref", "refs/heads/other", "HEAD"), ("add", "Kbuild"),
    ):  # fmt: skip
        with suppress(AssertionError):
            git(repo, *command)
    found = planted.run()
    assert found >= {
        "core.fsmonitor", "diff.planted.command", "diff.planted.textconv", "gpg.openpgp.program",
        "filter.planted.clean", "reference-transaction", "post-index-change",
    }  # fmt: skip


def test_rendering_runs_none(repo: Path, tmp_path: Path, toy: Toy) -> None:
    planted = Planted(repo, tmp_path / "planted")
    for arguments in (
        ("inspect",),
        ("render", "toy", "--diff"),
        ("render", "toy", "-o", tmp_path / "out", "--branch", BRANCH),
        ("render", "toy", "-o", tmp_path / "out", "--branch", BRANCH, "--force", "-p", "loud=yes"),
    ):
        done = toy("-C", repo, *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert planted.run() == set()


@pytest.mark.parametrize("kind", [Kind.ORDINARY, Kind.BARE])
def test_taking_commits_to_check_runs_none(
    tmp_path: Path, toy: Toy, identity: str, kind: Kind
) -> None:
    repo = tiny.repo(tmp_path, kind)
    plain = toy("-C", repo, "render", "toy", "--branch", BRANCH)
    assert plain.returncode == 0, plain.stderr
    git(repo, "update-ref", f"refs/heads/{BRANCH}", sign(repo, BRANCH))
    before = commits.from_range(repo, f"v6.12..{BRANCH}")[1]
    planted = Planted(repo, tmp_path / "planted")
    tree, patches = commits.from_range(repo, f"v6.12..{BRANCH}")
    assert patches == before
    assert [patch.commit.subject for patch in patches] == [
        "dma-buf: check the flags", "dma-buf: add an ioctl",
    ]  # fmt: skip
    assert len(commits.from_mails(tree, [patch.mail for patch in patches])) == 2
    assert planted.run() == set()
    tree.close()
