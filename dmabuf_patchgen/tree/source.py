# SPDX-License-Identifier: GPL-2.0-only
"""The source of a kernel: a git revision or a directory, read and never written."""

import os
import posixpath
import re
import stat
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from dmabuf_patchgen.errors import NotInTree, UserError
from dmabuf_patchgen.tree import content, git, subdirectory

#: How a file begins that stands for one which Git LFS keeps elsewhere.
LFS_POINTER = b"version https://git-lfs.github.com/spec/"
#: So many symbolic links may follow one another before it is a circle.
_LINKS = 40
#: Bytes of a version, which is part of a file's and a directory's name on every running kernel.
_VERSION = 64
#: Git's modes of what can be read.
_FILES = ("100644", "100755")


class Tree(ABC):
    """A kernel tree. Paths are relative to its root, with slashes, and stay inside of it.

    What is absolute, or climbs out with `..` or over a link, is not there.
    """

    #: What to call the tree in a message.
    label: str
    #: Where in its repository it is, if it is not at the root.
    prefix: str = ""

    @abstractmethod
    def read(self, path: str) -> bytes:
        """Content of a file, symbolic links followed. Raises NotInTree."""

    @abstractmethod
    def mode(self, path: str) -> str | None:
        """Git's mode of an entry: 100644, 100755, 40000 for a directory; None if absent."""

    @abstractmethod
    def names(self, path: str) -> tuple[str, ...]:
        """Names in a directory, sorted; none if it is not there."""

    def exists(self, path: str) -> bool:
        """Whether a file or directory is there."""
        return self.mode(path) is not None

    def is_link(self, path: str) -> bool:
        """Whether an entry is a symbolic link, which `read` follows."""
        return self.mode(path) == "120000"

    @cached_property
    def version(self) -> str:
        """Kernel version as the top Makefile spells it, such as 6.12.5 or 7.3.0-rc1."""
        makefile = self.read("Makefile").decode(errors="surrogateescape")
        part = dict(
            re.findall(
                r"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION)[ \t]*=[ \t]*(\S*)", makefile, re.M
            )
        )
        try:
            version = "{VERSION}.{PATCHLEVEL}.{SUBLEVEL}{EXTRAVERSION}".format(**part)
        except KeyError as error:
            raise UserError(
                f"{self.label}: Makefile sets no {error.args[0]}, as that of a kernel does",
                "-C names the root of a kernel tree",
            ) from None
        if not version.isprintable() or len(version) > _VERSION:
            raise UserError(f"{self.label}: {version[:_VERSION]!r} is no version of a kernel")
        return version


class KernelTree(Tree):
    """A tree as its user has it, and not as a series leaves it.

    place: where it lies, a repository, a subdirectory of one, or a directory; commit: its commit,
    None where there is none; root: the directory that holds its files, None for a revision.
    """

    place: Path
    commit: str | None = None
    root: Path | None = None

    @property
    @abstractmethod
    def id(self) -> str:
        """Id of its git tree, or of the one that a directory would be: the same for the same files.

        Raises UserError for a directory that cannot be read.
        """

    @property
    def committed(self) -> datetime | None:
        """When its commit was made, in UTC."""
        return None

    def close(self) -> None:
        """End what reads it; the next read begins again."""

    @abstractmethod
    def as_revision(self, why: str, hint: str) -> "GitTree":
        """Itself, where it is a git revision.

        why: what cannot be had without one, hint: what to do then. Raises UserError.
        """


class GitTree(KernelTree):
    """The tree of a commit, read from the repository's objects.

    prefix: the subdirectory that is the kernel's root, if it is not that of the repository. What
    reads the tree knows nothing of it: only commits and mails of the repository have its paths.
    """

    commit: str

    def __init__(self, repo: Path, revision: str, prefix: str = "") -> None:
        self.repo = repo
        self.prefix = prefix
        self.place = repo / prefix
        self.revision = revision
        self.commit = git.commit_id(repo, revision)
        self.label = f"{self.place} at {revision}"
        self._objects = git.ObjectReader(repo)
        self._directories: dict[str, dict[str, git.TreeEntry]] = {}
        self._files: dict[str, bytes] = {}

    def read(self, path: str) -> bytes:
        if path not in self._files:
            self._files[path] = self._read(path)
        return self._files[path]

    def _read(self, path: str) -> bytes:
        place = self._resolved(path)
        entry = None if place is None else self._entry(place)
        if entry is None or entry.mode not in _FILES:
            raise NotInTree(f"{self.label}: no file {path}")
        return self._objects.read(entry.oid, path)[1]

    def mode(self, path: str) -> str | None:
        parent = self._resolved(posixpath.dirname(path))
        if parent is None:
            return None
        entry = self._entry(posixpath.join(parent, posixpath.basename(path)))
        return entry.mode if entry else None

    def names(self, path: str) -> tuple[str, ...]:
        place = self._resolved(path)
        return () if place is None else tuple(sorted(self._directory(place)))

    def _resolved(self, path: str) -> str | None:
        """The place that a path leads to; None if there is none, or it is not in the tree."""
        if path.startswith("/"):
            return None
        found: list[str] = []
        left = path.split("/")
        links = 0
        while left:
            name = left.pop(0)
            if name == ".." and not found:
                return None
            if name == "..":
                found.pop()
            if name in ("", ".", ".."):
                continue
            entry = self._directory("/".join(found)).get(name)
            if entry is None:
                return None
            if entry.mode != "120000":
                found.append(name)
                continue
            links += 1
            target = os.fsdecode(self._objects.read(entry.oid, path)[1])
            if links > _LINKS or target.startswith("/"):
                return None
            left = [*target.split("/"), *left]
        return "/".join(found)

    @cached_property
    def id(self) -> str:
        if self.prefix:
            return git.git(self.repo, "rev-parse", f"{self.commit}:{self.prefix}").text.strip()
        return self._stored.split(b"\n", 1)[0].removeprefix(b"tree ").decode()

    @cached_property
    def _stored(self) -> bytes:
        """The commit as it is stored: what git shows of it is a matter of its configuration."""
        return self._objects.read(self.commit)[1]

    @cached_property
    def committed(self) -> datetime:
        line = self._stored[self._stored.index(b"\ncommitter ") + 1 :].split(b"\n", 1)[0]
        return datetime.fromtimestamp(int(line.split()[-2]), UTC)

    def as_revision(self, why: str, hint: str) -> "GitTree":
        return self

    def close(self) -> None:
        """End the git process that reads objects."""
        self._objects.close()

    def _entry(self, path: str) -> git.TreeEntry | None:
        parent, name = posixpath.split(path)
        return self._directory(parent).get(name)

    def _directory(self, path: str) -> dict[str, git.TreeEntry]:
        if path not in self._directories:
            if path:
                entry = self._entry(path)
                name = entry.oid if entry and entry.mode == "40000" else None
            else:
                name = self.id
            body = self._objects.read(name)[1] if name else b""
            self._directories[path] = git.parse_tree(body, len(self.commit) // 2)
        return self._directories[path]


class DirectoryTree(KernelTree):
    """An unpacked kernel source, such as that of a linux-source package.

    source: a directory besides that belongs to the tree, where its links lead.
    """

    root: Path

    def __init__(self, root: Path, source: Path | None = None) -> None:
        self.root = root
        self.place = root
        self.label = str(root)
        self._real = [Path(os.path.realpath(place)) for place in (root, source) if place]

    def read(self, path: str) -> bytes:
        found = self._found(path)
        if found is None or stat.S_ISDIR(found[1].st_mode):
            raise NotInTree(f"{self.label}: no file {path}")
        place, status = found
        try:
            # It may grow while it is read.
            with place.open("rb") as file:
                body = b"" if status.st_size > git.LARGEST else file.read(git.LARGEST + 1)
        except OSError as error:
            raise UserError(f"{place}: {error.strerror}") from None
        size = max(status.st_size, len(body))
        if size > git.LARGEST:
            raise git.too_large(str(place), size)
        return body

    def mode(self, path: str) -> str | None:
        found = self._found(path)
        if found is None:
            return None
        if stat.S_ISDIR(found[1].st_mode):
            return "40000"
        return "100755" if found[1].st_mode & stat.S_IXUSR else "100644"

    def _found(self, path: str) -> tuple[Path, os.stat_result] | None:
        """Where a path leads and what is there; None if that is nothing, or not in the tree.

        Raises UserError for what is neither file nor directory: it may have no end.
        """
        place = Path(os.path.realpath(self.root / path))
        if not any(place.is_relative_to(real) for real in self._real):
            return None
        try:
            status = place.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise UserError(f"{place}: {error.strerror}") from None
        if stat.S_ISLNK(status.st_mode):
            # What is a link still leads in a circle.
            return None
        if not (stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode)):
            raise UserError(f"{place}: is neither a file nor a directory", "a kernel has no such")
        return place, status

    def is_link(self, path: str) -> bool:
        return (self.root / path).is_symlink()

    @property
    def id(self) -> str:
        return content.tree_id(self.root)

    def as_revision(self, why: str, hint: str) -> GitTree:
        raise UserError(f"{self.label}: not a git repository{why}", hint)

    def names(self, path: str) -> tuple[str, ...]:
        found = self._found(path)
        if found is None or not stat.S_ISDIR(found[1].st_mode):
            return ()
        try:
            return tuple(sorted(entry.name for entry in found[0].iterdir()))
        except OSError as error:
            raise UserError(f"{found[0]}: {error.strerror}") from None


class Overlay(Tree):
    """A tree with some files changed in memory: what a commit of a series is applied to."""

    def __init__(self, base: Tree, files: Mapping[str, bytes | None]) -> None:
        self.base = base
        self.files = dict(files)
        self.label = base.label
        self.prefix = base.prefix

    def read(self, path: str) -> bytes:
        if path not in self.files:
            return self.base.read(path)
        body = self.files[path]
        if body is None:
            raise NotInTree(f"{self.label}: no file {path}")
        return body

    def mode(self, path: str) -> str | None:
        if path in self.files:
            return None if self.files[path] is None else self.base.mode(path) or "100644"
        there = (name for name, body in self.files.items() if body is not None)
        if any(name.startswith(f"{path}/") for name in there):
            return "40000"
        return self.base.mode(path)

    def is_link(self, path: str) -> bool:
        return path not in self.files and self.base.is_link(path)

    def names(self, path: str) -> tuple[str, ...]:
        prefix = f"{path}/" if path else ""
        found = set(self.base.names(path))
        for name, body in self.files.items():
            if name.startswith(prefix):
                first, *deeper = name[len(prefix) :].split("/", 1)
                if body is not None:
                    found.add(first)
                elif not deeper:
                    found.discard(first)
        return tuple(sorted(found))


def open_tree(where: Path, base: str | None = None) -> KernelTree:
    """The kernel tree at a path: of a git revision (base, or else HEAD), or of a directory.

    Raises UserError if it is no kernel tree, has no dma-buf, or base needs a repository.
    """
    if not where.is_dir():
        raise UserError(f"{where}: no such directory", "-C names a kernel tree")
    where = where.resolve()
    unpacked = _is_kernel(where) and not os.path.lexists(where / ".git")
    try:
        repo = git.toplevel(where)
    except UserError:
        # That git cannot read what is around an unpacked source is nothing to that.
        if not unpacked:
            raise
        repo = None
    tree: KernelTree | None = _within(repo, where, base) if repo else None
    if tree is None and repo and not unpacked:
        tree = GitTree(repo, "HEAD" if base is None else base)
    if tree is None:
        if base is not None:
            raise UserError(f"{where}: --base needs a git repository, and this is a directory")
        tree = DirectoryTree(where)
    wanted = {"Kbuild": "not a kernel tree", "drivers/dma-buf/dma-buf.c": "no dma-buf"}
    for path, what in wanted.items():
        if not tree.exists(path):
            raise UserError(f"{tree.label}: {what}: it has no {path}", _root_of(tree))
    return tree


def _within(repo: Path, where: Path, base: str | None) -> GitTree | None:
    """The kernel that the repository around a directory has committed there, checked out or not.

    None where it has none: an unpacked source inside some other project's is no revision of
    that. Raises UserError if it is committed, but not in the revision asked for.
    """
    if repo == where or not where.is_relative_to(repo):
        return None
    prefix = where.relative_to(repo).as_posix()
    revision = "HEAD" if base is None else base
    if subdirectory.holds(repo, revision, prefix):
        return GitTree(repo, revision, prefix)
    if base is not None and subdirectory.holds(repo, "HEAD", prefix):
        git.commit_id(repo, base)
        raise UserError(f"{repo} at {base}: no kernel in {prefix}", "--base names one that has it")
    return None


def _root_of(tree: KernelTree) -> str:
    """What to do where the root of a tree is no kernel: it may lie further down."""
    hint = "-C names the root of a kernel tree, --base a revision of it"
    if tree.commit is None:
        return hint
    repo = tree.as_revision("", "").repo
    found = [name for name in subdirectory.kernels(repo, tree.commit) if name]
    if not found:
        return hint
    at = repo / found[0]
    how = f"-C {at}" if at.is_dir() else "check it out, git worktree add, and -C names it there"
    return f"there is one in {found[0]}: {how}"


def _is_kernel(root: Path) -> bool:
    return (root / "Kbuild").is_file() and (root / "Kconfig").is_file()
