# SPDX-License-Identifier: GPL-2.0-only
"""A rendered series as a new branch, made without a checkout and in one step."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from dmabuf_patchgen import signals
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.process import is_utf8
from dmabuf_patchgen.render.commit import Commit
from dmabuf_patchgen.render.scratch import Identity, scratch_in
from dmabuf_patchgen.tree import git
from dmabuf_patchgen.tree.source import GitTree, KernelTree

#: How the reflog tells a branch that this tool made from one that its user did.
_REFLOG = "dmabuf-patchgen: "


@dataclass(frozen=True, slots=True)
class Target:
    """A branch to be made. replaces: the tip of the one that it replaces, None if it is new."""

    tree: GitTree
    name: str
    author: Identity
    replaces: str | None


def identity(where: Path) -> Identity | None:
    """Who the user is to git, as configured or in the environment; None if git is not told.

    Only what somebody wrote down counts: a name made up from the login and the host name
    would give other bytes on another machine. Raises UserError for one that is not UTF-8, which
    would be another in a mail.
    """
    keys = r"^(user|author)\.(name|email)$"
    done = git.git(where, "config", "-z", "--get-regexp", keys, check=False)
    entries = (entry.partition("\n") for entry in done.exact.split("\0"))
    values = {**os.environ, **{key: value for key, _, value in entries}}
    name = _first(values, "GIT_AUTHOR_NAME", "author.name", "user.name")
    email = _first(values, "GIT_AUTHOR_EMAIL", "author.email", "user.email", "EMAIL")
    return Identity(name, email) if name and email else None


def _first(values: Mapping[str, str], *keys: str) -> str:
    """The first of some values that is not empty."""
    key = next((key for key in keys if values.get(key)), "")
    value = values.get(key, "")
    if is_utf8(value):
        return value
    shown = os.fsencode(value).decode(errors="backslashreplace")
    raise UserError(f"{key} is not UTF-8: {shown}", "write it in UTF-8")


def must_be_free(repo: Path, name: str) -> str | None:
    """Refuse what is no name of a branch, and a branch that is checked out somewhere.

    The commit that it points to, None if there is no such branch.
    """
    if git.git(repo, "check-ref-format", "--branch", name, check=False).returncode:
        raise UserError(f"{name!r} is no name of a branch", "git check-ref-format(1) has the rules")
    for worktree in git.git(repo, "worktree", "list", "--porcelain").exact.split("\n\n"):
        # Names may have what str.splitlines() takes for the end of a line.
        first, *about = worktree.split("\n")
        if f"branch refs/heads/{name}" in about:
            where = first.removeprefix("worktree ")
            raise UserError(
                f"branch {name} is checked out in {where}",
                "choose another name, or check something else out there",
            )
    # Itself, and what stands below it.
    listed = git.git(
        repo, "for-each-ref", "--count=2", "--format=%(refname) %(objectname)", f"refs/heads/{name}"
    ).exact
    lines = listed.split("\n")[:-1]
    found = dict(line.removeprefix("refs/heads/").split(" ") for line in lines)
    there = found.pop(name, None)
    above = [str(part) for part in PurePosixPath(name).parents[:-1] if tip(repo, str(part))]
    for other in [*above, *found]:
        raise UserError(
            f"branch {other} is in the way: git has no room for {name} beside it",
            "choose another name",
        )
    return there


def tip(repo: Path, name: str) -> str | None:
    """The commit that a branch points to, None if there is no such branch."""
    output = git.ask(repo, "rev-parse", "--verify", "--quiet", f"refs/heads/{name}")
    return output and output.strip()


def must_be_known(tree: GitTree, author: Identity | None) -> Identity:
    """The author of commits in the user's repository, who is nobody made up. Raises UserError."""
    if author is None:
        raise UserError(
            f"{tree.label}: no git identity to make commits with",
            "git config --global user.name 'Your Name'; "
            "git config --global user.email you@example.com",
        )
    return author


def target(tree: GitTree, name: str, author: Identity | None, *, force: bool) -> Target:
    """A branch that may be made, looked at before any work is done for it.

    force: whether to replace one that this tool made. Raises UserError if nobody is named as
    its author, if the name is no name, or the branch is there and not to be replaced.
    """
    known = must_be_known(tree, author)
    return Target(tree, name, known, _replaced(tree.repo, name, force))


def _replaced(repo: Path, name: str, force: bool) -> str | None:
    """Tip of the branch that force replaces, None where there is none."""
    there = must_be_free(repo, name)
    if there is None:
        return None
    if not force:
        raise UserError(
            f"branch {name} exists in {repo}",
            "choose another --branch, or --force to replace one that this tool made",
        )
    last = git.git(repo, "log", "-g", "-1", "--format=%H %gs", f"refs/heads/{name}", check=False)
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
        who = author.at(when)
        yield made.import_commits(commits, tree.commit, tree, who, tree.prefix)


def point(target: Target, commit: str, what: str, also: str = "") -> None:
    """Let a branch point to a commit, if it still is as it was found. Raises UserError.

    what: told in the reflog; also: more commands of git update-ref, done with it or not at all.
    """
    author, ref = target.author, f"refs/heads/{target.name}"
    with signals.blocked():
        git.git(
            target.tree.repo,
            "update-ref", "--create-reflog", "-m", f"{_REFLOG}{what}", "--stdin",
            stdin=os.fsencode(also)
            + os.fsencode(
                f"update {ref} {commit} {target.replaces}\n"
                if target.replaces
                else f"create {ref} {commit}\n"
            ),
            env=git.environment(GIT_COMMITTER_NAME=author.name, GIT_COMMITTER_EMAIL=author.email),
        )  # fmt: skip


def date(tree: KernelTree, revised: datetime) -> datetime:
    """Date of commits on a tree: that of the templates, but not before their parent's."""
    return max(revised, tree.committed.astimezone(revised.tzinfo)) if tree.committed else revised
