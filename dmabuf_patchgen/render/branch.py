# SPDX-License-Identifier: GPL-2.0-only
"""A rendered series as a new branch, made without a checkout and in one step."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath

from dmabuf_patchgen import process
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render.commit import Commit
from dmabuf_patchgen.render.scratch import Identity, scratch_in
from dmabuf_patchgen.tree import git
from dmabuf_patchgen.tree.source import GitTree

#: How the reflog tells a branch that this tool made from one that its user did.
_REFLOG = "dmabuf-patchgen: "


def identity(where: Path) -> Identity | None:
    """Who the user is to git, as configured or in the environment; None if git is not told.

    Only what somebody wrote down counts: a name made up from the login and the host name
    would give other bytes on another machine.
    """
    said = git.git(where, "config", "--get-regexp", r"^(user|author)\.(name|email)$", check=False)
    values = dict(line.split(" ", 1) for line in said.text.splitlines() if " " in line)
    name, email = (
        os.environ.get(f"GIT_AUTHOR_{part.upper()}")
        or values.get(f"author.{part}")
        or values.get(f"user.{part}")
        for part in ("name", "email")
    )
    email = email or os.environ.get("EMAIL")
    return Identity(name, email) if name and email else None


def must_be_free(repo: Path, name: str) -> None:
    """Refuse what is no name of a branch, and a branch that is checked out somewhere."""
    if git.git(repo, "check-ref-format", "--branch", name, check=False).returncode:
        raise UserError(f"{name!r} is no name of a branch", "git check-ref-format(1) has the rules")
    listed = git.git(repo, "worktree", "list", "--porcelain").text.split("\n\n")
    for worktree in listed:
        if f"branch refs/heads/{name}" in worktree.splitlines():
            where = worktree.splitlines()[0].removeprefix("worktree ")
            raise UserError(
                f"branch {name} is checked out in {where}",
                "choose another name, or check something else out there",
            )
    below = git.git(
        repo, "for-each-ref", "--count=1", "--format=%(refname:short)", f"refs/heads/{name}/"
    ).text.strip()
    above = [str(part) for part in PurePosixPath(name).parents[:-1] if tip(repo, str(part))]
    for other in filter(None, [*above, below]):
        raise UserError(
            f"branch {other} is in the way: git has no room for {name} beside it",
            "choose another name",
        )


def tip(repo: Path, name: str) -> str | None:
    """The commit that a branch points to, None if there is no such branch."""
    said = git.git(repo, "rev-parse", "--verify", "--quiet", f"refs/heads/{name}", check=False)
    return None if said.returncode else said.text.strip()


def check(tree: GitTree, name: str, force: bool) -> str | None:
    """Whether a branch of that name may be made, before any work is done for it.

    Returns the tip of the branch that force replaces, None where there is none.
    Raises UserError if the name is no name, or the branch is there and not to be replaced.
    """
    repo = tree.repo
    must_be_free(repo, name)
    there = tip(repo, name)
    if there is None:
        return None
    if not force:
        raise UserError(
            f"branch {name} exists in {repo}",
            "choose another --branch, or --force to replace one that this tool made",
        )
    last = git.git(
        repo, "-c", "i18n.logOutputEncoding=utf-8", "log", "-g", "-1", "--no-show-signature",
        "--format=%H %gs", f"refs/heads/{name}", check=False,
    )  # fmt: skip
    # From its start: a user's own commit may well speak of this tool.
    if not last.text.startswith(f"{there} {_REFLOG}"):
        raise UserError(
            f"branch {name} is not as this tool made it, so --force does not replace it",
            f"choose another --branch, or delete it yourself: git branch -D {name}",
        )
    return there


@contextmanager
def commits_on(
    tree: GitTree, commits: Sequence[Commit], author: Identity, when: datetime
) -> Iterator[str]:
    """Make commits on the tree's; the id of the last, for which there is no ref yet.

    They are in the repository once the block ends without an error. when: their date.
    """
    with scratch_in(tree.repo) as made:
        yield made.import_commits(commits, tree.commit, tree, author.at(when))


def point(
    repo: Path, name: str, commit: str, author: Identity, what: str, replaces: str | None
) -> None:
    """Let a branch point to a commit, if it still is as it was found. Raises UserError.

    what: told in the reflog; replaces: tip of the branch that is replaced, None for a new one.
    """
    # The hook of a repository that only shall get a branch has no say in it.
    with process.signals_blocked():
        git.git(
            repo, "-c", "core.hooksPath=/dev/null",
            "update-ref", "--create-reflog", "-m", f"{_REFLOG}{what}", "--stdin",
            stdin=(
                f"update refs/heads/{name} {commit} {replaces}\n"
                if replaces
                else f"create refs/heads/{name} {commit}\n"
            ).encode(),
            env=git.environment(GIT_COMMITTER_NAME=author.name, GIT_COMMITTER_EMAIL=author.email),
        )  # fmt: skip


def date(tree: GitTree, revised: datetime) -> datetime:
    """Date of commits on a tree: that of the templates, but not before their parent's."""
    # As it is stored: what git shows of a commit is a matter of its configuration.
    stored = git.git(tree.repo, "cat-file", "commit", tree.commit).stdout
    stamp = int(stored[stored.index(b"\ncommitter ") + 1 :].split(b"\n", 1)[0].split()[-2])
    return max(revised, datetime.fromtimestamp(stamp, revised.tzinfo))
