# SPDX-License-Identifier: GPL-2.0-only
"""git as a reader of kernel trees: plumbing only, no checkout, nothing fetched but what is read.

A repository's configuration names programs: filters, hooks, signature checkers. Whoever asks for
patches of a tree has not asked for these, so git is run here with none of them
(docs/security.md). One is left: a partial clone fetches what is missing from where it is told.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from dmabuf_patchgen import process
from dmabuf_patchgen.errors import UserError

#: For every git that shows a diff: nothing that the configuration or an attribute names is run.
PLAIN_DIFF = ("--no-ext-diff", "--no-textconv")

#: git format-patch with all that a configuration could change, so that any user's git gives the
#: same bytes (git-format-patch(1), git-config(1): format.*, diff.*).
FORMAT_PATCH = (
    "-c", "diff.suppressBlankEmpty=false", "-c", "core.quotePath=false",
    "format-patch", "--zero-commit", "--full-index",
    "--no-signature", "--no-thread", "--no-attach", "--no-base", "--subject-prefix=PATCH",
    "--no-cover-letter", "-U3", "--diff-algorithm=myers", "--src-prefix=a/", "--dst-prefix=b/",
    "--no-to", "--no-cc", "--no-add-header", "--no-notes", "--no-renames", "--no-color",
    "--submodule=short", *PLAIN_DIFF,
)  # fmt: skip

#: The largest file that is read into memory. Mainline's largest, a generated header, has 24 MB;
#: what is parsed as C has a limit of its own.
LARGEST = 32 << 20

#: For every git: no hook, no monitor of the work tree, no check of signatures (whose words would
#: come among those of a commit), no pager; objects as they are and not as refs/replace has them.
_PLAIN = (
    "--no-pager", "--no-replace-objects",
    "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false",
    "-c", "log.showSignature=false", "-c", "i18n.logOutputEncoding=utf-8",
    # What is too large for us shall not fill git's memory either.
    "-c", f"core.bigFileThreshold={LARGEST}",
)  # fmt: skip

_REPAIR = "git fsck tells what is wrong with it"

#: Variables of an environment that say which repository is meant, or what to run or take for an
#: object: those of `git rev-parse --local-env-vars` but for GIT_CONFIG_*, and of git(1).
_DROPPED = {
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_DIFF_OPTS", "GIT_DIR",
    "GIT_EXTERNAL_DIFF", "GIT_GRAFT_FILE", "GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE",
    "GIT_NAMESPACE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE", "GIT_WORK_TREE",
}  # fmt: skip


def environment(**extra: str) -> dict[str, str]:
    """The environment for git: C locale, and no GIT_DIR of a hook that called us."""
    kept = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    # The programs that a git starts do not have its options, and b4 starts its own gits.
    plain = {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_REPLACE_OBJECTS": "1"}
    return {**kept, **plain, **extra}


def command(repo: Path, *args: str) -> list[str]:
    """The command line of a git in a repository, with nothing of its configuration run."""
    return ["git", "-C", str(repo), *_PLAIN, *args]


def git(
    repo: Path,
    *args: str,
    stdin: bytes = b"",
    check: bool = True,
    env: Mapping[str, str] | None = None,
) -> process.Finished:
    """Run git in a repository, whatever the caller's environment says about another one.

    Raises UserError with git's own words if it fails and check is set.
    """
    done = process.run(command(repo, *args), env=env or environment(), stdin=stdin, check=False)
    if check and done.returncode:
        raise UserError(f"{repo}: git {verb(args)} failed: {words(done)}")
    return done


def ask(repo: Path, *args: str) -> str | None:
    """What git says, byte for byte, or None where its exit code says that there is no such thing.

    Raises UserError if it could not look, which is another matter.
    """
    done = git(repo, *args, check=False)
    if done.returncode not in (0, 1):
        raise UserError(f"{repo}: git {verb(args)} failed: {words(done)}", _REPAIR)
    return done.exact if not done.returncode else None


def verb(args: Sequence[str]) -> str:
    """The name of a command, which stands behind git's own options."""
    return next(
        (
            word
            for before, word in pairwise(("", *args))
            if before != "-c" and not word.startswith("-")
        ),
        "",
    )


def words(done: process.Finished) -> str:
    """What a git that failed said of it, in one line: its first complaint, not where it ended."""
    lines = [line.strip() for line in done.stderr.decode(errors="replace").splitlines()]
    marks = [n for n, line in enumerate(lines) if line.startswith(("fatal: ", "error: "))]
    complaints = lines[marks[0] :] if marks else lines
    # What is behind a colon stands in lines of its own.
    kept = complaints if complaints and complaints[0].endswith(":") else complaints[:1]
    return " ".join(kept).removeprefix("fatal: ") or f"exit code {done.returncode}"


def toplevel(where: Path) -> Path | None:
    """The work tree's root or the bare repository that holds `where`, None outside of git.

    where: an absolute path without links. Raises UserError where git refuses to look, as for a
    repository of another owner, or cannot read what is there: that is no plain directory.
    """
    done = git(where, "rev-parse", "--is-inside-git-dir", "--show-cdup", check=False)
    if not done.returncode:
        inside, _, cdup = done.exact.partition("\n")
        # Inside .git itself is as good as bare.
        found = _git_directory(where) if inside == "true" else (where / cdup.strip()).resolve()
    elif done.stderr.startswith(b"fatal: not a git repository (or any"):
        found = None
    else:
        raise _unreadable(where, done)
    passed_over = _passed_over(where, found)
    if passed_over:
        done = git(where, f"--git-dir={passed_over}", "rev-parse", "--git-dir", check=False)
        if done.returncode:
            raise _unreadable(passed_over, done)
    return found


def _git_directory(where: Path) -> Path:
    return Path(git(where, "rev-parse", "--absolute-git-dir").exact.removesuffix("\n"))


def _passed_over(where: Path, found: Path | None) -> Path | None:
    """What looks like a repository, nearer than the one that git found: git goes on in silence."""
    if found != where and all((where / name).exists() for name in ("HEAD", "objects", "refs")):
        return where
    for directory in (where, *where.parents):
        if directory == found:
            break
        if os.path.lexists(directory / ".git"):
            return directory / ".git"
    return None


def _unreadable(place: Path, said: process.Finished) -> UserError:
    if b"dubious ownership" in said.stderr:
        return UserError(
            f"{place}: the repository belongs to another user, git refuses to read it",
            f"if you trust it: git config --global --add safe.directory {place}",
        )
    return UserError(
        f"{place}: git cannot read this repository: {words(said)}",
        "repair it; without .git, the files would be taken as they are",
    )


def commit_id(repo: Path, revision: str) -> str:
    """Full id of the commit a revision names. Raises UserError if it names none."""
    done = git(
        repo, "rev-parse", "--verify", "--quiet", "--end-of-options",
        f"{revision}^{{commit}}", check=False,
    )  # fmt: skip
    if done.returncode:
        # Of a revision that just is not there, --quiet has git say nothing.
        cause = f": {words(done)}" if done.stderr else ""
        raise UserError(
            f"{repo}: unknown revision {revision!r}{cause}",
            "name a commit, tag or branch of that repo",
        )
    return done.text.strip()


class TreeEntry(NamedTuple):
    """An entry of a git tree object: mode in octal digits, id in hex."""

    mode: str
    oid: str


def too_large(place: str, size: int) -> UserError:
    """The error for what is larger than a source file."""
    return UserError(
        f"{place} has {size >> 20} MB, which is no source file",
        f"the largest that is read has {LARGEST >> 20} MB",
    )


class ObjectReader:
    """Objects of a repository by id, through one `git cat-file --batch` process."""

    def __init__(self, repo: Path) -> None:
        self._repo = repo
        self._child: subprocess.Popen[bytes] | None = None

    def read(self, name: str, path: str = "") -> tuple[str, bytes]:
        """Type and content of an object. Raises UserError if it cannot be had.

        path: of the file that it is, for a message.
        """
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
            answer = b" ".join(head).decode(errors="replace") or "git cat-file ended early"
            raise UserError(f"{self._repo}: {answer}", _REPAIR)
        size = int(head[2])
        if size > LARGEST:
            # Nothing else can be read behind it, and nobody waits for the end of it.
            self.close()
            raise too_large(f"{self._repo}: {path or name}", size)
        body = child.stdout.read(size)
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
                command(self._repo, "cat-file", "--batch"),
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
