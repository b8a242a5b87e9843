# SPDX-License-Identifier: GPL-2.0-only
"""All the C of a tree at once: which files there are, and what stands in those with some words.

Tree.read() is made for some files; fifty thousand take other means. Files are never written,
and links are not followed: what they lead to is in the tree under its own name, or not of it.
"""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from io import BufferedReader
from pathlib import Path

from dmabuf_patchgen import forked
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.tree import git
from dmabuf_patchgen.tree.room import Room
from dmabuf_patchgen.tree.source import GitTree, KernelTree

#: No file of C that someone wrote is larger; what is, was generated (register headers, tables).
LARGEST = 1 << 20
#: If none of so many files of the work tree is as the revision has it, none of the rest is tried.
_TRIED = 64
_LISTING = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ENDINGS = (".c", ".h")
_LINK = "a link"
_MISSING = "git has no such object"
#: So many objects that git cannot read are passed over; where there are more, it is no tree.
_BROKEN = 100

#: Paths with the reason why they were not read.
Missed = list[tuple[str, str]]


class Bulk(ABC):
    """The C files below some directories of a tree.

    id: changes whenever one of the files does.
    """

    id: str

    @property
    @abstractmethod
    def files(self) -> Sequence[str]:
        """The paths of the files."""

    @property
    @abstractmethod
    def left_out(self) -> Sequence[tuple[str, str]]:
        """Those that are not to be read, with the reason."""

    @abstractmethod
    def having(
        self, paths: Sequence[str], words: Sequence[bytes]
    ) -> Iterator[tuple[str, bytes | str]]:
        """Those of some files that have one of some words, with their contents.

        Those that cannot be read as well, with the reason for a content.
        """


def bulk(tree: KernelTree, tops: Sequence[str]) -> Bulk:
    """The C files below some directories. Raises UserError where the tree cannot be listed."""
    if tree.root is not None:
        return _Directory(tree, tree.root, tops)
    return _Revision(tree.as_revision("", ""), tops)


class _Directory(Bulk):
    """A directory's files, as the disk has them."""

    def __init__(self, tree: KernelTree, root: Path, tops: Sequence[str]) -> None:
        self._tree = tree
        self._root = root
        parts = _parts(root, tops)
        # Most of the time that an audit which is kept takes is a stat(2) of each file.
        told = dict(forked.shared(self._told, parts, forked.processors()))
        self._said = [told[number] for number in range(len(parts))]
        state = hashlib.sha256()
        for said, missed in self._said:
            state.update(said)
            state.update(repr(missed).encode())
        self.id = f"directory {root} {state.hexdigest()}"

    @property
    def files(self) -> Sequence[str]:
        return self._listed[0]

    @property
    def left_out(self) -> Sequence[tuple[str, str]]:
        return self._listed[1]

    def _told(self, part: tuple[str, bool]) -> tuple[bytes, Missed]:
        """What the file system says of the files of a directory, and what cannot be followed.

        part: the directory, and whether all that is below it belongs to it.
        """
        top, deep = part
        said: list[str] = []
        missed: Missed = []
        pending = [top]
        while pending:
            directory = pending.pop()
            try:
                # Names are looked up from here: that is quicker than from the root.
                file = os.open(f"{self._root}/{directory}", _LISTING)
                try:
                    below = self._entries(directory, file, said, missed)
                finally:
                    os.close(file)
            except OSError as error:
                why = error.strerror or "cannot be read"
                is_link = (self._root / directory).is_symlink()
                missed.append((directory, _LINK if is_link else why))
                continue
            if deep:
                pending += below
        return os.fsencode("\0".join(sorted(said))), sorted(missed)

    def _entries(self, directory: str, file: int, said: list[str], missed: Missed) -> list[str]:
        """Note what is in a directory; the directories that are in it."""
        below = []
        with os.scandir(file) as entries:
            for entry in entries:
                path = f"{directory}/{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    below.append(path)
                elif path.endswith(_ENDINGS):
                    said.append(f"{path} {_state(entry)}")
                elif entry.is_symlink() and not _is_file(self._tree, path):
                    missed.append((path, _LINK))
        return below

    @cached_property
    def _listed(self) -> tuple[list[str], Missed]:
        found: list[str] = []
        left_out: Missed = []
        for said, missed in self._said:
            left_out += missed
            for one in filter(None, os.fsdecode(said).split("\0")):
                path, mode, size, _ = one.rsplit(" ", 3)
                why = _unfit(int(mode), int(size))
                if why:
                    left_out.append((path, why))
                else:
                    found.append(path)
        return found, left_out

    def having(
        self, paths: Sequence[str], words: Sequence[bytes]
    ) -> Iterator[tuple[str, bytes | str]]:
        room = Room(LARGEST)
        for path in paths:
            why = room.read(f"{self._root}/{path}")
            if why:
                yield path, why
            elif room.has(words):
                yield path, bytes(room.content)


def _parts(root: Path, tops: Sequence[str]) -> list[tuple[str, bool]]:
    """Directories that can be listed apart, and whether with all that is below them."""
    found = []
    for top in tops:
        place = root / top
        if os.path.lexists(place):
            found.append((top, False))
        with suppress(OSError):
            # Whoever lists it tells of a link, and of what cannot be read.
            if not place.is_symlink():
                found += [
                    (f"{top}/{one.name}", True)
                    for one in sorted(place.iterdir())
                    if one.is_dir() and not one.is_symlink()
                ]
    return found


def _state(entry: os.DirEntry[str]) -> str:
    """Mode, size and ctime of a file, all of them 0 where it has gone meanwhile.

    The ctime changes with all that changes in a file, and no program can set it back.
    """
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return "0 0 0"
    return f"{status.st_mode} {status.st_size} {status.st_ctime_ns}"


def _unfit(mode: int, size: int) -> str:
    """Why a file is not to be read, empty where it is."""
    if stat.S_ISLNK(mode):
        return _LINK
    if not stat.S_ISREG(mode):
        return "no regular file"
    return _too_large(size) if size > LARGEST else ""


class _Revision(Bulk):
    """A revision's files: a repository's objects.

    Most of a tree's are in the work tree as well, mostly, and to inflate an object takes ten
    times as long as to read a file and to see by its hash that it is that object.
    """

    def __init__(self, tree: GitTree, tops: Sequence[str]) -> None:
        self.id = tree.id
        self._tree = tree
        self._tops = tops

    @property
    def files(self) -> Sequence[str]:
        return list(self._listed[0])

    @property
    def left_out(self) -> Sequence[tuple[str, str]]:
        return self._listed[1]

    @cached_property
    def _listed(self) -> tuple[dict[str, str], Missed]:
        """The id of each file, and what is none."""
        listing = git.git(
            self._tree.repo, "ls-tree", "-r", "-z", "--full-tree", self.id, "--", *self._tops
        )
        found: dict[str, str] = {}
        links: list[str] = []
        for entry in os.fsdecode(listing.stdout).split("\0"):
            head, _, path = entry.partition("\t")
            if head.startswith("120000"):
                links.append(path)
            elif path.endswith(_ENDINGS):
                found[path] = head.rpartition(" ")[2]
        hidden = [
            path for path in links if path.endswith(_ENDINGS) or not _is_file(self._tree, path)
        ]
        return found, [(path, _LINK) for path in hidden]

    def having(
        self, paths: Sequence[str], words: Sequence[bytes]
    ) -> Iterator[tuple[str, bytes | str]]:
        room = Room(LARGEST)
        left: list[str] = []
        for tried, path in enumerate(paths):
            if tried == _TRIED and len(left) == tried:
                left += paths[tried:]
                break
            if room.read(f"{self._tree.place}/{path}") or not self._is_it(path, room.content):
                left.append(path)
            elif room.has(words):
                yield path, bytes(room.content)
        if left:
            yield from self._stored(left, words, room)

    def _is_it(self, path: str, body: memoryview) -> bool:
        """Whether that is the content of a file of the revision."""
        oid = self._listed[0][path]
        state = hashlib.new("sha256" if len(oid) == 64 else "sha1", usedforsecurity=False)
        state.update(b"blob %d\0" % len(body))
        state.update(body)
        return state.hexdigest() == oid

    def _stored(
        self, paths: Sequence[str], words: Sequence[bytes], room: Room
    ) -> Iterator[tuple[str, bytes | str]]:
        """What having() gives, of the repository's objects."""
        asked = "".join(f"{self._listed[0][path]}\n" for path in paths).encode()
        sizes = git.git(
            self._tree.repo, "cat-file", "--batch-check", "--buffer", stdin=asked
        ).stdout.splitlines()
        left: list[str] = []
        for path, line in zip(paths, sizes, strict=True):
            head = line.split()
            if len(head) != 3:
                yield path, _MISSING
            elif int(head[2]) > LARGEST:
                yield path, _too_large(int(head[2]))
            else:
                left.append(path)
        # Where git cannot read an object it ends, and another goes on behind it.
        for _ in range(_BROKEN):
            read = 0
            oids = [self._listed[0][path] for path in left]
            for there in _inflated(self._tree.repo, oids, room):
                if not there:
                    yield left[read], _MISSING
                elif room.has(words):
                    yield left[read], bytes(room.content)
                read += 1
            if read == len(left):
                return
            yield left[read], "git cannot read this object"
            left = left[read + 1 :]
        raise UserError(f"{self._tree.repo}: git cannot read its objects", "git fsck")


def _inflated(repo: Path, oids: Sequence[str], room: Room) -> Iterator[bool]:
    """Take in the objects of a repository one by one; whether each is there.

    Ends before one that git cannot read. Raises UserError where git was ended.
    """
    with tempfile.TemporaryFile() as asked:
        asked.write("".join(f"{oid}\n" for oid in oids).encode())
        asked.seek(0)
        with subprocess.Popen(
            git.command(repo, "cat-file", "--batch", "--buffer"),
            env=git.environment(), stdin=asked, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, bufsize=LARGEST,
        ) as child:  # fmt: skip
            assert isinstance(child.stdout, BufferedReader)
            try:
                while len(head := child.stdout.readline().split()) > 1:
                    there = len(head) == 3
                    if there and not room.take(child.stdout, int(head[2])):
                        break
                    if there:
                        child.stdout.read(1)
                    yield there
                if child.wait() < 0:
                    raise UserError(f"{repo}: git cat-file was ended", "is there memory enough?")
            finally:
                child.kill()


def _is_file(tree: KernelTree, path: str) -> bool:
    """Whether a link leads to a file of the tree."""
    try:
        tree.read(path)
    except UserError:
        return False
    return True


def _too_large(size: int) -> str:
    return f"{size / LARGEST:.1f} MiB, generated"
