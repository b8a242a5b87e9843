# SPDX-License-Identifier: GPL-2.0-only
"""Commits from ranges and from mails, and what is refused as neither."""

import os
import subprocess
from pathlib import Path

import pytest

from dmabuf_patchgen.check import checks, commits
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.tree.source import DirectoryTree
from tests import faults, repos, tiny

FIRST = "one\ntwo\nthree\n"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with a.c and b.c on `main`, and on `topic` two commits more."""
    place = tmp_path / "repo"
    place.mkdir()
    repos.git(place, "init", "-q", "--initial-branch=main")
    texts = {"a.c": faults.new(FIRST), "b.c": faults.new("b\n")}
    faults.commit(place, {"base": texts})
    repos.git(place, "checkout", "-q", "-b", "topic")
    faults.commit(place, {"a: change": {"a.c": faults.replaced("two", "2")}})
    (place / "b.c").unlink()
    faults.commit(place, {"c: add": {"sub/c.c": faults.new("c\n")}})
    repos.git(place, "rm", "-q", "b.c")
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    repos.git(place, *who, "commit", "-q", "--amend", "-m", "c: add, b: remove")
    return place


@pytest.fixture
def plain(tmp_path: Path) -> DirectoryTree:
    """The state of `main` in a directory without git."""
    place = tmp_path / "plain"
    place.mkdir()
    (place / "a.c").write_text(FIRST)
    (place / "b.c").write_text("b\n")
    return DirectoryTree(place)


def test_a_range_is_its_base_and_its_commits_in_order(repo: Path) -> None:
    tree, patches = commits.from_range(repo, "main..topic")
    assert tree.read("a.c").decode() == FIRST
    assert [patch.commit.subject for patch in patches] == ["a: change", "c: add, b: remove"]
    assert patches[0].commit.files == {"a.c": b"one\n2\nthree\n"}
    assert patches[1].commit.files == {"b.c": None, "sub/c.c": b"c\n"}
    assert patches[0].mail.startswith(b"From 0000000000000000000000000000000000000000 ")


def test_a_base_that_moved_on_counts_from_the_fork(repo: Path) -> None:
    repos.git(repo, "checkout", "-q", "main")
    faults.commit(repo, {"elsewhere": {"b.c": faults.new("other\n")}})
    tree, patches = commits.from_range(repo, "main..topic")
    assert tree.read("b.c") == b"b\n"
    assert len(patches) == 2


def test_a_commit_without_changes_is_left_out(repo: Path) -> None:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    repos.git(repo, *who, "commit", "-q", "--allow-empty", "-m", "a cover letter")
    assert len(commits.from_range(repo, "main..topic")[1]) == 2


@pytest.mark.parametrize(
    ("revisions", "said"),
    [
        ("main", "is no range"),
        ("main...topic", "is no range"),
        ("..topic", "is no range"),
        ("main..nowhere", "unknown revision 'nowhere'"),
        ("nowhere..topic", "unknown revision 'nowhere'"),
        ("topic..main", "no commit in this range"),
    ],
)
def test_what_is_no_series_is_refused(repo: Path, revisions: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        commits.from_range(repo, revisions)


def test_a_merge_is_refused(repo: Path) -> None:
    repos.git(repo, "checkout", "-q", "-b", "side", "main")
    faults.commit(repo, {"side": {"d.c": faults.new("d\n")}})
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    repos.git(repo, *who, "merge", "-q", "--no-ff", "-m", "merge", "topic")
    with pytest.raises(UserError, match="is a merge"):
        commits.from_range(repo, "main..side")


def test_mails_become_the_commits_they_were_made_from(repo: Path, plain: DirectoryTree) -> None:
    _, patches = commits.from_range(repo, "main..topic")
    again = commits.from_mails(plain, [patch.mail for patch in patches])
    assert [patch.commit.files for patch in again] == [patch.commit.files for patch in patches]
    assert [patch.commit.message for patch in again] == [patch.commit.message for patch in patches]
    assert {path.name for path in plain.root.iterdir()} == {"a.c", "b.c"}


def test_a_hostile_configuration_changes_nothing(
    repo: Path, plain: DirectoryTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, patches = commits.from_range(repo, "main..topic")
    config = tmp_path / "gitconfig"
    config.write_text(
        "[diff]\n\tnoprefix = true\n\tmnemonicPrefix = true\n\tcontext = 0\n"
        "[format]\n\tsignature = me\n\tsubjectPrefix = RFC\n\tattach = true\n"
        "[commit]\n\tgpgSign = true\n[am]\n\tthreeWay = true\n[core]\n\tautocrlf = true\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    _, same = commits.from_range(repo, "main..topic")
    assert same == patches
    mails = [patch.mail for patch in patches]
    assert [p.commit.files for p in commits.from_mails(plain, mails)] == [
        p.commit.files for p in patches
    ]


def test_a_patch_that_does_not_apply_is_named_with_its_file(
    repo: Path, plain: DirectoryTree
) -> None:
    _, patches = commits.from_range(repo, "main..topic")
    (plain.root / "a.c").write_text("another\n")
    with pytest.raises(UserError, match=r"patch 1 \(\[PATCH\] a: change\): .*a\.c"):
        commits.from_mails(plain, [patch.mail for patch in patches])


def test_what_is_no_patch_is_refused(plain: DirectoryTree) -> None:
    with pytest.raises(UserError, match="patch 1"):
        commits.from_mails(plain, [b"Subject: hello\n\nno diff here\n"])
    with pytest.raises(UserError, match="no patch"):
        commits.from_mails(plain, [])


def test_a_directory_of_patches_is_read_by_name_and_without_its_cover(
    repo: Path, tmp_path: Path
) -> None:
    place = tmp_path / "patches"
    subprocess.run(
        ["git", "-C", str(repo), "format-patch", "-q", "--cover-letter", "-o", str(place),
         "main..topic"],
        env={**os.environ, "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.org"},
        check=True,
    )  # fmt: skip
    assert len(list(place.glob("*.patch"))) == 3
    mails = commits.read_mails([place])
    assert [b"a.c" in mail for mail in mails] == [True, False]


def test_a_patch_without_a_line_of_text(repo: Path, plain: DirectoryTree, tmp_path: Path) -> None:
    """A mode, and an empty file: they are patches, and no cover."""
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    repos.git(repo, "checkout", "-q", "main")
    (repo / "a.c").chmod(0o755)
    repos.git(repo, *who, "commit", "-q", "-a", "-m", "a: a mode")
    (repo / "d.c").touch()
    repos.git(repo, "add", "d.c")
    repos.git(repo, *who, "commit", "-q", "-m", "d: nothing")
    made = commits.from_range(repo, "main~2..main")[1]
    place = tiny.write(tmp_path / "patches", {
        f"{number}.patch": patch.mail for number, patch in enumerate(made)
    })  # fmt: skip
    (place / "9.patch").write_bytes(b"Subject: [PATCH 0/1] cover\n\na/b b/a diff --git\n")
    mails = commits.read_mails([place])
    assert list(mails) == [patch.mail for patch in made]
    again = commits.from_mails(plain, mails)
    assert [patch.commit.files for patch in again] == [{"a.c": FIRST.encode()}, {"d.c": b""}]


def test_a_tree_without_the_scripts_is_told_so(tmp_path: Path) -> None:
    tree = DirectoryTree(tiny.tree(tmp_path / "linux"))
    with pytest.raises(UserError, match=r"linux: no scripts/checkpatch\.pl, which the checks run"):
        checks.check(tree, ())
    # A link that leads nowhere, as of 7.x without its tools/, is none either.
    links = tmp_path / "linux/scripts"
    links.mkdir()
    (links / "checkpatch.pl").write_text("#!/usr/bin/perl\n")
    (links / "kernel-doc").symlink_to("../tools/docs/kernel-doc")
    with pytest.raises(UserError, match=r"linux: no scripts/kernel-doc, which the checks run"):
        checks.check(tree, ())
