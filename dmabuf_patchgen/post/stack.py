# SPDX-License-Identifier: GPL-2.0-only
"""The commits between a base and a tip, one on the other: read, merged, and made anew."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render.scratch import Scratch
from dmabuf_patchgen.tree import git


@dataclass(frozen=True, slots=True)
class Pick:
    """A commit as `git rebase` picks it.

    before, after: ids of the trees of its parent and of itself; author, committer: their lines
    in the commit; patch_id: of git patch-id --stable, empty if it changes nothing.
    """

    id: str
    before: str
    after: str
    author: bytes
    committer: bytes
    message: str
    patch_id: str

    @property
    def subject(self) -> str:
        """First line of the message."""
        return self.message.split("\n", 1)[0]


class Conflict(UserError):
    """Two changes of a file that git cannot bring together.

    said: git's own lines; the message names the first.
    """

    def __init__(self, said: Sequence[str]) -> None:
        super().__init__(said[0] if said else "a conflict")
        self.said = tuple(said)


def read(repo: Path, tip: str, *bases: str) -> tuple[Pick, ...]:
    """The commits of a tip that no base has, oldest first.

    Raises UserError for a merge, as a series is one line of commits.
    """
    excluded = (f"^{base}" for base in dict.fromkeys(bases))
    listing = git.git(
        repo, "rev-list", "--reverse", "--topo-order", "--parents", tip, *excluded
    ).text
    lines = [line.split() for line in listing.splitlines()]
    for commit, *parents in lines:
        if len(parents) != 1:
            raise UserError(
                f"commit {commit[:12]} is a merge, and a series is one line of commits",
                "git rebase it, or name with --base what the branch stands on",
            )
    ids = _patch_ids(repo, [commit for commit, _ in lines])
    objects = git.ObjectReader(repo)
    try:
        return tuple(
            _pick(objects, commit, parent, ids.get(commit, "")) for commit, parent in lines
        )
    finally:
        objects.close()


def _patch_ids(repo: Path, commits: Iterable[str]) -> dict[str, str]:
    """Commit -> patch-id of each that changes something."""
    wanted = "".join(f"{commit}\n" for commit in commits).encode()
    diffs = git.git(repo, "diff-tree", "--stdin", "-p", "--no-renames", *git.PLAIN_DIFF,
                    stdin=wanted).stdout  # fmt: skip
    lines = git.git(repo, "patch-id", "--stable", stdin=diffs).text.splitlines()
    return {commit: patch_id for patch_id, commit in (line.split() for line in lines)}


def _pick(objects: git.ObjectReader, commit: str, parent: str, patch_id: str) -> Pick:
    head, _, message = objects.read(commit)[1].partition(b"\n\n")
    fields = dict(line.split(b" ", 1) for line in reversed(head.split(b"\n")) if b" " in line)
    charset = fields.get(b"encoding", b"UTF-8").decode("ascii", errors="replace")
    try:
        text = message.decode(charset)
    except (UnicodeDecodeError, LookupError):
        raise UserError(
            f"commit {commit[:12]}: its message is not {charset}", "git commit --amend it"
        ) from None
    before = objects.read(parent)[1].split(b"\n", 1)[0]
    return Pick(
        id=commit,
        before=before.removeprefix(b"tree ").decode(),
        after=fields[b"tree"].decode(),
        author=fields[b"author"],
        committer=fields[b"committer"],
        message=text.strip("\n") + "\n",
        patch_id=patch_id,
    )


def commit(
    scratch: Scratch, tree: str, parents: Sequence[str], author: bytes, committer: bytes,
    message: str,
) -> str:  # fmt: skip
    """Make a commit of a tree; its id."""
    lines = [b"tree " + tree.encode(), *(b"parent " + parent.encode() for parent in parents)]
    lines += [b"author " + author, b"committer " + committer, b"", message.encode()]
    content = b"\n".join(lines)
    return scratch.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=content).text.strip()


def moved(scratch: Scratch, picks: Sequence[Pick], parent: str) -> str:
    """The same commits on a parent with the same files; the id of the last."""
    for pick in picks:
        parent = commit(scratch, pick.after, [parent], pick.author, pick.committer, pick.message)
    return parent


def merge(scratch: Scratch, base: str, ours: str, theirs: str) -> str:
    """The tree that has what two trees changed of a third. Raises Conflict."""
    if ours in (base, theirs):
        return theirs
    if theirs == base:
        return ours
    who = b"dmabuf-patchgen <dmabuf-patchgen@localhost.invalid> 0 +0000"

    def made(tree: str, *parents: str) -> str:
        return commit(scratch, tree, parents, who, who, "merge\n")

    # --merge-base is newer than the git of Debian 12: three commits tell it as well.
    root = made(base)
    done = scratch.git(
        "merge-tree", "--write-tree", "--name-only", "--messages",
        made(ours, root), made(theirs, root), check=False,
    )  # fmt: skip
    if done.returncode == 1:
        said = done.text.partition("\n\n")[2].splitlines()
        raise Conflict([line for line in said if line.startswith("CONFLICT")] or said)
    if done.returncode:
        raise UserError(f"git merge-tree failed: {git.words(done)}", "git 2.38 has it")
    return done.text.split("\n", 1)[0].strip()


def merge_text(scratch: Scratch, names: Sequence[str], base: str, ours: str, theirs: str) -> str:
    """The text that has what two texts changed of a third, by git merge-file.

    names: how the conflict markers call ours, base and theirs. Raises Conflict, whose lines are
    the text with its markers.
    """
    if ours in (base, theirs):
        return theirs
    if theirs == base:
        return ours
    paths = []
    for number, text in enumerate((ours, base, theirs)):
        paths.append(scratch.path / f"merge-{number}")
        paths[-1].write_bytes(os.fsencode(text))
    labels = [word for name in names for word in ("-L", name)]
    done = scratch.git("merge-file", "-p", "--diff3", *labels, *map(str, paths), check=False)
    if 0 < done.returncode < 128:
        raise Conflict(done.exact.splitlines())
    if done.returncode:
        raise UserError(f"git merge-file failed: {git.words(done)}")
    return done.exact


def changed(scratch: Scratch, before: str, after: str) -> str:
    """The patch-id of what differs between two trees."""
    diff = scratch.git("diff-tree", "-p", "--no-renames", *git.PLAIN_DIFF, before, after).stdout
    return "".join(scratch.git("patch-id", "--stable", stdin=diff).text.split()[:1])
