# SPDX-License-Identifier: GPL-2.0-only
"""All the C of a tree at once: which files there are, which have some words, and their contents.

Tree.read() is made for some files; fifty thousand take other means. Files are never written,
and links are not followed: what they lead to is in the tree under its own name, or not of it.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

from dmabuf_patchgen import process
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.tree import git
from dmabuf_patchgen.tree.source import GitTree, KernelTree

#: No file of C that someone wrote is larger; what is, was generated (register headers, tables).
LARGEST = 1 << 20
#: So many objects are read one by one rather than searched by `git grep`, which takes a tree.
_FEW = 2000
#: If none of so many files of the work tree is as the revision has it, none of the rest is tried.
_TRIED = 64
#: Pathspecs are as they are written here, whatever the environment says of them (git(1)).
_PATHSPECS = {
    f"GIT_{how}_PATHSPECS": "0" for how in ("LITERAL", "GLOB", "NOGLOB", "ICASE")
}  # fmt: skip

#: No link is followed, and what is no file at all, a pipe say, keeps nobody waiting.
_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

#: Paths with the reason why they were not read.
Missed = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Words:
    """Words that files are searched for.

    parts: each of the words has one of these in it, which are fewer: what has none of them is
    told sooner.
    """

    whole: tuple[bytes, ...]
    parts: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """Files that have one of some words, and those that could not be told by a look at the disk."""

    having: list[str]
    left: list[str]


class Bulk(ABC):
    """The C files below some directories of a tree.

    id: changes whenever one of the files does; place: a directory where they may be.
    """

    id: str
    place: Path

    @property
    @abstractmethod
    def files(self) -> Sequence[str]:
        """The paths of the files."""

    @property
    @abstractmethod
    def left_out(self) -> Sequence[tuple[str, str]]:
        """Those that are not to be read, with the reason."""

    def search(self, paths: Sequence[str], words: Words) -> Found:
        """Which of some files have one of some words, as far as the disk can tell."""
        having: list[str] = []
        left: list[str] = []
        # One buffer for all: what is read once is not worth its own memory.
        buffer = bytearray(LARGEST + 1)
        view = memoryview(buffer)
        find = buffer.find
        for tried, path in enumerate(paths):
            if tried == _TRIED and len(left) == tried:
                left += paths[tried:]
                break
            size = _read_into(view, f"{self.place}/{path}")
            if size > LARGEST or size < 0 or not self._is_it(path, view[:size]):
                left.append(path)
                continue
            for part in words.parts:
                if find(part, 0, size) >= 0:
                    if any(find(word, 0, size) >= 0 for word in words.whole):
                        having.append(path)
                    break
        return Found(having, left)

    @abstractmethod
    def _is_it(self, path: str, body: bytes | memoryview) -> bool:
        """Whether that is the content of a file of the tree."""

    @abstractmethod
    def narrowed(self, left: Sequence[str], words: Words) -> tuple[list[str], Missed]:
        """Those of the files that search() left which may have one of some words."""

    @abstractmethod
    def contents(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes | str]]:
        """Each of some files with its content, or with the reason why it has none."""


def bulk(tree: KernelTree, tops: Sequence[str], few: int = _FEW) -> Bulk:
    """The C files below some directories. Raises UserError where the tree cannot be listed.

    few: so many objects of a revision are read one by one, and more are searched by git.
    """
    if tree.root is not None:
        return _Directory(tree.root, tops)
    return _Revision(tree.as_revision("", ""), tops, few)


class _Directory(Bulk):
    """A directory's files, as the disk has them."""

    def __init__(self, root: Path, tops: Sequence[str]) -> None:
        self.place = root
        # find(1), as fifty thousand calls of stat(2) from Python take longer than a kept audit
        # may. A file's ctime changes with all that changes in it, and cannot be set back.
        there = [top for top in tops if (root / top).is_dir()]
        self._found = process.run(
            ["find", *there, "(", "-name", "*.c", "-o", "-name", "*.h", ")",
             "-printf", "%y %s %C@ %p\\0"],
            cwd=root, check=False,
        )  # fmt: skip
        state = hashlib.sha256(self._found.stdout + self._found.stderr).hexdigest()
        self.id = f"directory {root} {state}"

    @property
    def files(self) -> Sequence[str]:
        return self._listed[0]

    @property
    def left_out(self) -> Sequence[tuple[str, str]]:
        return self._listed[1]

    @cached_property
    def _listed(self) -> tuple[list[str], Missed]:
        found: list[str] = []
        left_out: Missed = []
        for line in self._found.stderr.decode(errors="replace").splitlines():
            _, _, complaint = line.partition("find: ")
            path_told = complaint.partition(":")[0].strip("'\u2018\u2019")
            left_out.append((path_told, complaint.rpartition(": ")[2]))
        for entry in self._found.stdout.split(b"\0")[:-1]:
            kind, size, _, name = entry.split(b" ", 3)
            path = os.fsdecode(name)
            if kind == b"l":
                left_out.append((path, "a link"))
            elif kind != b"f":
                left_out.append((path, "no regular file"))
            elif int(size) > LARGEST:
                left_out.append((path, _too_large(int(size))))
            else:
                found.append(path)
        return found, left_out

    def _is_it(self, path: str, body: bytes | memoryview) -> bool:
        return True

    def narrowed(self, left: Sequence[str], words: Words) -> tuple[list[str], Missed]:
        # contents() tells why.
        return list(left), []

    def contents(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes | str]]:
        for path in paths:
            yield path, _on_disk(f"{self.place}/{path}")


class _Revision(Bulk):
    """A revision's files: a repository's objects.

    Most of a tree's are in the work tree as well, mostly, and to inflate an object takes ten
    times as long as to read a file and to see by its hash that it is that object.
    """

    def __init__(self, tree: GitTree, tops: Sequence[str], few: int) -> None:
        self.place = tree.place
        self.id = tree.id
        self._tree = tree
        self._tops = tops
        self._few = few

    @property
    def files(self) -> Sequence[str]:
        return list(self._listed[0])

    @property
    def left_out(self) -> Sequence[tuple[str, str]]:
        return self._listed[1]

    @cached_property
    def _listed(self) -> tuple[dict[str, str], Missed]:
        """The id of each file, and what is none."""
        listing = self._git("ls-tree", "-r", "-z", "--full-tree", self.id, *self._tops)
        found: dict[str, str] = {}
        left_out: Missed = []
        for entry in listing.stdout.split(b"\0"):
            head, _, name = entry.partition(b"\t")
            if not name.endswith((b".c", b".h")):
                continue
            mode, _, oid = head.decode().split()
            path = os.fsdecode(name)
            if mode == "120000":
                left_out.append((path, "a link"))
            else:
                found[path] = oid
        return found, left_out

    def _git(self, *args: str, stdin: bytes = b"") -> process.Finished:
        return git.git(self._tree.repo, *args, stdin=stdin)

    def _is_it(self, path: str, body: bytes | memoryview) -> bool:
        oid = self._listed[0][path]
        state = hashlib.new("sha256" if len(oid) == 64 else "sha1", usedforsecurity=False)
        state.update(b"blob %d\0" % len(body))
        state.update(body)
        return state.hexdigest() == oid

    def narrowed(self, left: Sequence[str], words: Words) -> tuple[list[str], Missed]:
        known = self._listed[0]
        if not left:
            return [], []
        asked = "".join(f"{known[path]}\n" for path in left).encode()
        sizes = self._git("cat-file", "--batch-check", "--buffer", stdin=asked).stdout.splitlines()
        kept: list[str] = []
        missed: Missed = []
        for path, line in zip(left, sizes, strict=True):
            head = line.split()
            if len(head) != 3:
                missed.append((path, "git has no such object"))
            elif int(head[2]) > LARGEST:
                missed.append((path, _too_large(int(head[2]))))
            else:
                kept.append(path)
        if len(kept) > self._few:
            having = self._grep(words.whole, [path for path, _ in missed])
            kept = [path for path in kept if path in having]
        return kept, missed

    def _grep(self, words: Sequence[bytes], without: Sequence[str]) -> set[str]:
        """The files of the revision that have one of some words, but for some."""
        done = git.git(
            self._tree.repo, "grep", "-a", "-l", "-z", "-F", "--full-name", "--no-color",
            "--no-recurse-submodules", "--no-textconv",
            f"--threads={len(os.sched_getaffinity(0))}",
            *(f"-e{os.fsdecode(word)}" for word in words), self.id, "--",
            *(f"{top}/*{ending}" for top in self._tops for ending in (".c", ".h")),
            *(f":(exclude,literal){path}" for path in without),
            env=git.environment(**_PATHSPECS), check=False,
        )  # fmt: skip
        # What it cannot read it tells and passes over: contents() tells why.
        unreadable = set(re.findall(r"unable to read ([0-9a-f]+)", done.stderr.decode("latin-1")))
        if done.returncode not in (0, 1) and not unreadable:
            raise UserError(f"{self._tree.repo}: git grep failed: {git.words(done)}", "git fsck")
        head = len(self.id) + 1
        having = {os.fsdecode(name)[head:] for name in done.stdout.split(b"\0") if name}
        return having | {path for path, oid in self._listed[0].items() if oid in unreadable}

    def contents(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes | str]]:
        known = self._listed[0]
        left: list[tuple[str, str]] = []
        for path in paths:
            body = _on_disk(f"{self.place}/{path}")
            if isinstance(body, bytes) and self._is_it(path, body):
                yield path, body
            else:
                left.append((path, known[path]))
        yield from _blobs(self._tree.repo, left)


def _read_into(view: memoryview, place: str) -> int:
    """The size of a file, read as far as there is room; -1 where it cannot be read."""
    try:
        file = os.open(place, _READING)
    except OSError:
        return -1
    try:
        size = os.readv(file, [view])
        while size <= LARGEST and (more := os.readv(file, [view[size:]])):
            size += more
    except OSError:
        return -1
    finally:
        os.close(file)
    return size


def _on_disk(place: str) -> bytes | str:
    """The content of a file, or the reason why it has none."""
    try:
        with open(place, "rb", buffering=0, opener=lambda path, _: os.open(path, _READING)) as file:
            body = file.read(LARGEST + 1)
    except OSError as error:
        return error.strerror or "cannot be read"
    return body if len(body) <= LARGEST else "it has grown meanwhile"


def _too_large(size: int) -> str:
    return f"{size / LARGEST:.1f} MiB, generated"


def _pass_over(stream: IO[bytes], count: int) -> None:
    """Read some bytes, with no more than a few of them in memory."""
    while count and (piece := stream.read(min(count, LARGEST))):
        count -= len(piece)


def _blobs(repo: Path, wanted: Sequence[tuple[str, str]]) -> Iterator[tuple[str, bytes | str]]:
    if not wanted:
        return
    process.require("git")
    with tempfile.TemporaryFile() as asked:
        asked.write("".join(f"{oid}\n" for _, oid in wanted).encode())
        asked.seek(0)
        with subprocess.Popen(
            git.command(repo, "cat-file", "--batch", "--buffer"),
            env=git.environment(),
            stdin=asked,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as child:
            assert child.stdout is not None
            try:
                for path, _ in wanted:
                    head = child.stdout.readline().split()
                    if not head:
                        raise UserError(f"{repo}: git cat-file ended early", "git fsck")
                    if len(head) != 3:
                        yield path, "git has no such object"
                        continue
                    size = int(head[2])
                    body = child.stdout.read(min(size, LARGEST))
                    _pass_over(child.stdout, size - len(body) + 1)
                    yield path, body if size <= LARGEST else _too_large(size)
            finally:
                child.kill()
