# SPDX-License-Identifier: GPL-2.0-only
"""git as a reader of kernel trees: plumbing only, no checkout, nothing fetched but what is read."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from dmabuf_patchgen import process
from dmabuf_patchgen.errors import UserError

#: git format-patch with all that a configuration could change, so that any user's git gives the
#: same bytes (git-format-patch(1), git-config(1): format.*, diff.*).
FORMAT_PATCH = (
    "-c", "diff.suppressBlankEmpty=false", "format-patch", "--zero-commit", "--full-index",
    "--no-signature", "--no-thread", "--no-attach", "--no-base", "--subject-prefix=PATCH",
    "--no-cover-letter", "-U3", "--diff-algorithm=myers", "--src-prefix=a/", "--dst-prefix=b/",
    "--no-to", "--no-cc", "--no-add-header", "--no-notes", "--no-renames", "--no-color",
    "--no-ext-diff", "--no-textconv",
)  # fmt: skip


def environment(**extra: str) -> dict[str, str]:
    """The environment for git: C locale, and no GIT_DIR of a hook that called us."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name
        not in {
            "GIT_DIR",
            "GIT_WORK_TREE",
            "GIT_INDEX_FILE",
            "GIT_PREFIX",
            "GIT_OBJECT_DIRECTORY",
            "GIT_COMMON_DIR",
            "GIT_NAMESPACE",
        }
    }
    return {**kept, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", **extra}


def git(
    repo: Path,
    *args: str,
    stdin: bytes = b"",
    check: bool = True,
    env: Mapping[str, str] | None = None,
) -> process.Finished:
    """Run git in a repository, whatever the caller's environment says about another one."""
    return process.run(
        ["git", "-C", str(repo), *args], env=env or environment(), stdin=stdin, check=check
    )


def toplevel(where: Path) -> Path | None:
    """The work tree's root or the bare repository that holds `where`, None outside of git.

    Raises UserError where git refuses to look, as for a repository of another owner.
    """
    said = git(where, "rev-parse", "--is-bare-repository", "--show-cdup", check=False)
    if said.returncode:
        if b"dubious ownership" in said.stderr:
            raise UserError(
                f"{where}: the repository belongs to another user, git refuses to read it",
                f"if you trust it: git config --global --add safe.directory {where}",
            )
        if b"must be run in a work tree" not in said.stderr:
            return None
        # Inside .git itself: as good as bare.
        said = git(where, "rev-parse", "--absolute-git-dir")
        return Path(said.text.strip())
    bare, _, cdup = said.text.partition("\n")
    if bare == "true":
        return Path(git(where, "rev-parse", "--absolute-git-dir").text.strip())
    return (where / cdup.strip()).resolve()


def commit_id(repo: Path, revision: str) -> str:
    """Full id of the commit a revision names. Raises UserError if it names none."""
    said = git(
        repo, "rev-parse", "--verify", "--quiet", "--end-of-options",
        f"{revision}^{{commit}}", check=False,
    )  # fmt: skip
    if said.returncode:
        raise UserError(
            f"{repo}: unknown revision {revision!r}", "name a commit, tag or branch of that repo"
        )
    return said.text.strip()


class TreeEntry(NamedTuple):
    """An entry of a git tree object: mode in octal digits, id in hex."""

    mode: str
    oid: str


class ObjectReader:
    """Objects of a repository by id, through one `git cat-file --batch` process."""

    def __init__(self, repo: Path) -> None:
        self._repo = repo
        self._child: subprocess.Popen[bytes] | None = None

    def read(self, name: str) -> tuple[str, bytes]:
        """Type and content of an object. Raises UserError if it cannot be had."""
        child = self._started()
        assert child.stdin and child.stdout
        try:
            child.stdin.write(name.encode() + b"\n")
            child.stdin.flush()
        except BrokenPipeError:
            raise UserError(f"{self._repo}: git cat-file ended early") from None
        head = child.stdout.readline().split()
        if len(head) != 3:
            # No lack of a file in the tree, as where a partial clone cannot fetch it.
            said = b" ".join(head).decode(errors="replace") or "git cat-file ended early"
            raise UserError(f"{self._repo}: {said}", "git fsck tells what is wrong with it")
        body = child.stdout.read(int(head[2]))
        child.stdout.read(1)
        return head[1].decode(), body

    def close(self) -> None:
        """End the process; the next read starts another."""
        if self._child is not None:
            process.kill_group(self._child)
            self._child = None

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._child is None:
            process.require("git")
            # In a session of its own, so that it ends with its reader and not with a Ctrl-C
            # that the reader still wants to answer.
            self._child = subprocess.Popen(
                ["git", "-C", str(self._repo), "cat-file", "--batch"],
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self._child


def parse_tree(body: bytes, id_bytes: int) -> dict[str, TreeEntry]:
    """The entries of a raw tree object; id_bytes is 20 for SHA-1 and 32 for SHA-256."""
    entries = {}
    at = 0
    while at < len(body):
        space = body.index(b" ", at)
        nul = body.index(b"\0", space)
        oid = body[nul + 1 : nul + 1 + id_bytes]
        name = body[space + 1 : nul].decode(errors="surrogateescape")
        entries[name] = TreeEntry(body[at:space].decode(), oid.hex())
        at = nul + 1 + id_bytes
    return entries
