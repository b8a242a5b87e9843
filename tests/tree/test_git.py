# SPDX-License-Identifier: GPL-2.0-only
"""A repository that git cannot read is told with git's words, and never a plain directory."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.tree import git
from dmabuf_patchgen.tree.source import DirectoryTree, GitTree, open_tree
from tests import repos, tiny
from tests.conftest import Cli
from tests.repos import Kind


def appended(name: str, text: str) -> Callable[[Path], None]:
    def damage(own: Path) -> None:
        with (own / name).open("a") as file:
            file.write(text)

    return damage


def written(name: str, text: str) -> Callable[[Path], None]:
    def damage(own: Path) -> None:
        (own / name).write_text(text)

    return damage


def stale(own: Path) -> None:
    """A linked worktree whose repository was moved."""
    shutil.rmtree(own)
    own.write_text("gitdir: /nonexistent/linux/.git/worktrees/side\n")


def no_gitfile(own: Path) -> None:
    shutil.rmtree(own)
    own.write_text("x\n")


def emptied(own: Path) -> None:
    shutil.rmtree(own)
    own.mkdir()


#: What was done to .git, and a part of what git says of it.
DAMAGES = {
    "config": (appended("config", "[core\n"), "bad config line"),
    "HEAD": (written("HEAD", "garbage\n"), "not a git repository: '"),
    "no HEAD": (lambda own: (own / "HEAD").unlink(), "not a git repository: '"),
    "no objects": (lambda own: shutil.rmtree(own / "objects"), "not a git repository: '"),
    "empty": (emptied, "not a git repository: '"),
    "format": (
        appended("config", "[core]\n\trepositoryformatversion = 99\n"),
        "Expected git repo version",
    ),
    "extension": (
        appended("config", "[core]\n\trepositoryformatversion = 1\n[extensions]\n\tnoop2 = 1\n"),
        "unknown repository extension found: noop2",
    ),
    "reftable": (
        appended(
            "config", "[core]\n\trepositoryformatversion = 1\n[extensions]\n\trefStorage = odd\n"
        ),
        "refstorage",
    ),
    "gitfile": (stale, "not a git repository: /nonexistent/linux/.git/worktrees/side"),
    "no gitfile": (no_gitfile, "invalid gitfile format"),
    "packed refs": (written("packed-refs", "garbage\n"), "packed-refs"),
}


@pytest.mark.parametrize("outside", [False, True], ids=["", "within another"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_repository_that_git_cannot_read(
    cli: Cli, tmp_path: Path, damage: str, outside: bool
) -> None:
    """Its files, with whatever its user is at, are not taken for the tree."""
    if outside:
        repos.git(tmp_path, "init", "-q")
    repo = tiny.repo(tmp_path)
    harm, said = DAMAGES[damage]
    harm(repo / ".git")
    done = cli("-C", repo, "inspect")
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    (line,) = done.stderr.splitlines()
    assert said in line and str(repo) in line
    # Said to be wanted as it is, it is.
    if (repo / ".git").is_dir():
        shutil.rmtree(repo / ".git")
    else:
        (repo / ".git").unlink()
    assert isinstance(open_tree(repo), DirectoryTree)


def test_a_bare_repository_that_git_cannot_read(tmp_path: Path) -> None:
    repo = tiny.repo(tmp_path, Kind.BARE)
    (repo / "HEAD").write_text("garbage\n")
    with pytest.raises(UserError, match="git cannot read this repository: not a git repository"):
        open_tree(repo)


def test_a_head_without_a_commit(tmp_path: Path) -> None:
    repo = tiny.repo(tmp_path)
    repos.git(repo, "symbolic-ref", "HEAD", "refs/heads/none")
    with pytest.raises(UserError, match=r"unknown revision 'HEAD'$"):
        open_tree(repo)


def test_an_object_that_is_damaged(tmp_path: Path) -> None:
    repo = tiny.repo(tmp_path, Kind.SHALLOW)
    for pack in (repo / ".git/objects/pack").glob("*.pack"):
        pack.chmod(0o644)
        pack.write_bytes(pack.read_bytes()[:100])
    with pytest.raises(UserError, match=r"unknown revision 'HEAD': .*pack"):
        open_tree(repo)


def test_an_unpacked_source_within_a_repository(tmp_path: Path) -> None:
    """It is none of that repository's revisions, even if git cannot read that."""
    plain = tiny.tree(tmp_path / "outer/linux")
    for damaged in (False, True):
        repos.git(tmp_path / "outer", "init", "-q")
        if damaged:
            (tmp_path / "outer/.git/config").write_text("[core\n")
        assert isinstance(open_tree(plain), DirectoryTree)


def test_where_discovery_stops_by_the_user_s_wish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repository that git was told not to look for is none that cannot be read."""
    repo = tiny.repo(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(repo))
    assert git.toplevel(repo / "drivers") is None
    monkeypatch.delenv("GIT_CEILING_DIRECTORIES")
    assert git.toplevel(repo / "drivers") == repo
    assert git.toplevel(repo / ".git/refs") == repo / ".git"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_repository_of_somebody_else(tmp_path: Path) -> None:
    repo = tiny.repo(tmp_path)
    for path in (repo, repo / ".git"):
        os.chown(path, 4711, 4711)
    with pytest.raises(UserError, match="belongs to another user") as error:
        open_tree(repo)
    assert error.value.hint.endswith(f"safe.directory {repo}")


def test_objects_as_they_are(tmp_path: Path) -> None:
    """refs/replace and grafts change what git shows, and would change what is built on."""
    repo = tiny.repo(tmp_path)
    commit = git.commit_id(repo, "HEAD")
    other = repos.git(repo, "hash-object", "-w", "--stdin", stdin=b"VERSION = 1\n").strip()
    makefile = repos.git(repo, "rev-parse", "HEAD:Makefile").strip()
    repos.git(repo, "replace", makefile, other)
    # The control: git itself shows the other.
    assert repos.git(repo, "cat-file", "blob", "HEAD:Makefile") == "VERSION = 1\n"
    tree = GitTree(repo, commit)
    assert tree.version == "6.12.9-rc1"
    assert git.git(repo, "cat-file", "blob", "HEAD:Makefile").text.startswith("VERSION = 6\n")
    tree.close()


def test_a_file_that_is_no_source(tmp_path: Path) -> None:
    """It is refused before it is in memory, and the next read works."""
    repo = tiny.repo(tmp_path, Kind.BARE)
    size = git.LARGEST + 1
    oid = repos.git(repo, "hash-object", "-w", "--stdin", stdin=b"\n" * size).strip()
    objects = git.ObjectReader(repo)
    with pytest.raises(UserError, match="has 32 MB, which is no source file"):
        objects.read(oid)
    assert objects.read("HEAD:Kbuild") == ("blob", tiny.FILES["Kbuild"])
    objects.close()
