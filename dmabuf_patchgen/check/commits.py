# SPDX-License-Identifier: GPL-2.0-only
"""The commits to check: from a range of a repository, or from patches as they are mailed."""

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from pathlib import Path

from dmabuf_patchgen.check.step import Patch
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render.commit import Commit
from dmabuf_patchgen.tree import git, subdirectory
from dmabuf_patchgen.tree.source import GitTree, Tree

_FILE_MODES = ("100644", "100755")


def environment() -> dict[str, str]:
    """The environment for git where the user's configuration must not change the result."""
    who = {"NAME": "dmabuf-patchgen", "EMAIL": "dmabuf-patchgen@localhost"}
    identity = {f"GIT_COMMITTER_{key}": value for key, value in who.items()}
    return git.environment(GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_NOSYSTEM="1", **identity)


def from_range(repo: Path, revisions: str, prefix: str = "") -> tuple[GitTree, tuple[Patch, ...]]:
    """The tree of BASE and the commits of BASE..TIP, oldest first.

    prefix: the subdirectory that is the kernel; of commits, what they change in it. Those that
    change nothing, such as b4's cover letter, are left out. Raises UserError
    if it is no range, names what the repository does not have, is empty, or holds a merge.
    """
    base, dots, tip = revisions.partition("..")
    if not dots or not base or tip.startswith("."):
        raise UserError(f"{revisions!r} is no range of commits", "write it as BASE..TIP")
    start, end = git.commit_id(repo, base), git.commit_id(repo, tip or "HEAD")
    listing = git.git(repo, "rev-list", "--reverse", "--topo-order", "--parents", f"{start}..{end}")
    commits = [line.split() for line in listing.text.splitlines()]
    for commit, *parents in commits:
        if len(parents) != 1:
            what = "is a merge" if parents else "has no parent"
            raise UserError(
                f"{revisions}: commit {commit[:12]} {what}, and a series is one line of commits",
                f"rebase it: git rebase {base} {tip}".rstrip(),
            )
    if not commits:
        raise UserError(f"{revisions}: no commit in this range", "write it as BASE..TIP")
    # Where BASE has moved on since, the series' own base is what it forked from.
    fork = commits[0][1]
    tree = GitTree(repo, fork, prefix)
    tree.label = f"{tree.place} at {base if fork == start else fork[:12]}"
    patches = (commit_patch(repo, commit, parents[0], prefix) for commit, *parents in commits)
    found = tuple(patch for patch in patches if patch.commit.files)
    if not found:
        where = f" below {prefix}" if prefix else ""
        raise UserError(f"{revisions}: no commit in this range changes a file{where}")
    return tree, found


def commit_patch(repo: Path, commit: str, parent: str, prefix: str = "") -> Patch:
    """A commit of a repository as a patch on its parent; prefix: as for from_range."""
    mail = git.git(
        repo, *git.FORMAT_PATCH, *_below(prefix), "--stdout", "--no-numbered", "-1", commit,
        env=environment(),
    ).stdout  # fmt: skip
    message = git.git(repo, "log", "-1", "--format=%B", "--encoding=UTF-8", commit).text
    return Patch(Commit(message.rstrip("\n") + "\n", changes(repo, parent, commit, prefix)), mail)


def _below(prefix: str) -> tuple[str, ...]:
    """The option by which git tells of nothing but a subdirectory, and paths from there."""
    # Without the slash it would be a mere beginning of names.
    return (f"--relative={prefix}/",) if prefix else ()


def changes(repo: Path, old: str, new: str, prefix: str = "") -> dict[str, bytes | None]:
    """path -> content in the new revision, None where it is gone, of all that differs.

    prefix: as for from_range.
    """
    how = ("diff-tree", "-r", "-z", "--no-renames", *_below(prefix))
    listing = git.git(repo, *how, old, new).stdout
    fields = listing.decode(errors="surrogateescape").split("\0")[:-1]
    objects = git.ObjectReader(repo)
    files: dict[str, bytes | None] = {}
    try:
        for what, path in zip(fields[::2], fields[1::2], strict=True):
            _, mode, _, oid, status = what.split()
            if status == "D":
                files[path] = None
            elif mode in _FILE_MODES:
                files[path] = objects.read(oid)[1]
            else:
                raise UserError(
                    f"{new[:12]}: {path} is a link or a submodule, which cannot be checked"
                )
    finally:
        objects.close()
    return files


def read_mails(paths: Sequence[Path]) -> tuple[bytes, ...]:
    """Patches in order: files as given, those of a directory by name, cover letters left out.

    Raises UserError if a path is not there or a directory holds no patch.
    """
    mails: list[bytes] = []
    for path in paths:
        found = sorted(path.glob("*.patch")) if path.is_dir() else [path]
        if not found:
            raise UserError(f"{path}: no *.patch in it", "render with -o, or name the patches")
        try:
            read = [file.read_bytes() for file in found]
        except OSError as error:
            raise UserError(
                f"{error.filename}: {error.strerror}", "name a range BASE..TIP, or patches"
            ) from None
        mails += [mail for mail in read if _touched(mail)]
    return tuple(mails)


def from_mails(tree: Tree, mails: Sequence[bytes]) -> tuple[Patch, ...]:
    """Patches as commits on a tree that need not be in git.

    They are applied by `git am` in a scratch repository of the files they touch. Of a kernel in
    a subdirectory their paths are from its root or from the repository's. Raises
    UserError, naming patch and file, if one does not apply.
    """
    if not mails:
        raise UserError("no patch to check", "give a range of commits, or patches with a diff")
    mails = [subdirectory.relative(mail, tree.prefix) for mail in mails]
    with tempfile.TemporaryDirectory() as scratch:
        repo = Path(scratch)
        _scratch_repository(repo, tree, {path for mail in mails for path in _touched(mail)})
        return tuple(_apply(repo, mail, number) for number, mail in enumerate(mails, 1))


def _scratch_repository(repo: Path, tree: Tree, paths: set[str]) -> None:
    """A repository whose only commit holds some files of a tree, checked out."""
    stream = bytearray(
        b"commit refs/heads/main\ncommitter base <base@localhost> 0 +0000\ndata 4\nbase\n"
    )
    for path in sorted(paths):
        mode = tree.mode(path)
        if mode in _FILE_MODES:
            body = tree.read(path)
            stream += f"M {mode} inline {path}\ndata {len(body)}\n".encode() + body + b"\n"
    stream += b"done\n"
    env = environment()
    git.git(repo, "init", "--quiet", "--template=", "--initial-branch=main", env=env)
    git.git(repo, "fast-import", "--quiet", "--done", stdin=bytes(stream), env=env)
    git.git(repo, "reset", "--quiet", "--hard", env=env)


def _apply(repo: Path, mail: bytes, number: int) -> Patch:
    """Apply one mail; the commit it becomes keeps the mail as it came."""
    done = git.git(
        repo, "am", "--quiet", "--keep-non-patch", stdin=mail, env=environment(), check=False
    )
    if done.returncode:
        lines = (done.stderr + done.stdout).decode(errors="replace").splitlines()
        errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        cause = next(iter(errors or lines), done.last_words)
        raise UserError(
            f"patch {number} ({_subject(mail)}): {cause}",
            "check it against the tree that it was made for",
        )
    commit = git.commit_id(repo, "HEAD")
    return Patch(commit_patch(repo, commit, f"{commit}^").commit, mail)


def _subject(mail: bytes) -> str:
    header = str(message_from_bytes(mail).get("Subject") or "no subject")
    try:
        text = str(make_header(decode_header(header)))
    except (LookupError, ValueError, HeaderParseError):
        # A charset that nobody knows, or not what it says: as it was sent.
        text = header
    return " ".join(text.split())


def _touched(mail: bytes) -> frozenset[str]:
    """Every path that a patch names; too many do no harm, as a path must exist to count.

    A patch that only changes a mode, and an empty file, have no line but the first for it.
    """
    found = re.findall(rb"(?m)^(?:--- a/|\+\+\+ b/|(?:rename|copy) from )([^\t\r\n]+)", mail)
    found += re.findall(rb"(?m)^diff --git a/(.+) b/\1\r?$", mail)
    return frozenset(path.decode(errors="surrogateescape") for path in found)


def recent(repo: Path, limit: int) -> Iterator[str]:
    """Ids of the first-parent ancestors of HEAD, HEAD first."""
    yield from git.git(
        repo, "rev-list", "--first-parent", f"--max-count={limit}", "HEAD"
    ).text.split()


def patch_ids(repo: Path, diffs: bytes) -> Mapping[str, str]:
    """Patch-id -> commit of each diff in the output of git log -p, or of one mail."""
    output = git.git(repo, "patch-id", "--stable", stdin=diffs).text
    return {line.split()[0]: line.split()[1] for line in output.splitlines()}
