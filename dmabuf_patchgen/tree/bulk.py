# SPDX-License-Identifier: GPL-2.0-only
"""All the C of a tree at once: which files there are, and their contents in a row.

Tree.read() is made for some files; fifty thousand take other means. Files are never written,
and links are not followed: what they lead to is in the tree under its own name, or not of it.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dmabuf_patchgen import process
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.tree import git
from dmabuf_patchgen.tree.source import GitTree, KernelTree

#: No file of C that someone wrote is larger; what is, was generated (register headers, tables).
LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Listing:
    """The C files below some directories of a tree.

    files: path, and what it is read by: itself, or the id of its blob; left_out: those that are
    not to be read, with the reason; id: changes whenever one of the files does.
    """

    files: tuple[tuple[str, str], ...]
    left_out: tuple[tuple[str, str], ...]
    id: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where files are read from: a repository or a directory."""

    root: Path
    is_git: bool

    @classmethod
    def of(cls, tree: KernelTree) -> Place:
        """The place of a tree."""
        return cls(tree.place, tree.root is None)


def files(tree: KernelTree, tops: Sequence[str]) -> Listing:
    """The C files below some directories. Raises UserError where the tree cannot be listed."""
    if tree.root is not None:
        return _in_directory(tree.root, tops)
    return _in_git(tree.as_objects(), tops)


def _in_git(tree: GitTree, tops: Sequence[str]) -> Listing:
    listing = git.git(tree.repo, "ls-tree", "-r", "-z", "--full-tree", tree.commit, *tops).stdout
    found, left_out = [], []
    for entry in listing.split(b"\0"):
        head, _, name = entry.partition(b"\t")
        if not name.endswith((b".c", b".h")):
            continue
        mode, _, oid = head.decode().split()
        path = os.fsdecode(name)
        if mode == "120000":
            left_out.append((path, "a link"))
        else:
            found.append((path, oid))
    return Listing(tuple(found), tuple(left_out), tree.id)


def _in_directory(root: Path, tops: Sequence[str]) -> Listing:
    # find(1), as fifty thousand calls of stat(2) from Python take longer than a kept audit may.
    there = [top for top in tops if (root / top).is_dir()]
    done = process.run(
        ["find", *there, "(", "-name", "*.c", "-o", "-name", "*.h", ")",
         "-printf", "%y %s %T@ %C@ %p\\0"],
        cwd=root, check=False,
    )  # fmt: skip
    found, left_out = [], []
    for line in done.stderr.decode(errors="replace").splitlines():
        _, _, complaint = line.partition("find: ")
        path_told = complaint.partition(":")[0].strip("'\u2018\u2019")
        left_out.append((path_told, complaint.rpartition(": ")[2]))
    for entry in done.stdout.split(b"\0")[:-1]:
        kind, size, _, _, name = entry.split(b" ", 4)
        path = os.fsdecode(name)
        if kind == b"l":
            left_out.append((path, "a link"))
        elif kind != b"f":
            left_out.append((path, "no regular file"))
        elif int(size) > LARGEST:
            left_out.append((path, _too_large(int(size))))
        else:
            found.append((path, path))
    state = hashlib.sha256(done.stdout + done.stderr).hexdigest()
    return Listing(tuple(found), tuple(left_out), f"directory {root} {state}")


def _too_large(size: int) -> str:
    return f"{size / LARGEST:.1f} MiB, generated"


def contents(place: Place, wanted: Sequence[tuple[str, str]]) -> Iterator[tuple[str, bytes | str]]:
    """Each of some files with its content, or with the reason why it has none.

    wanted: as in Listing.files.
    """
    return _blobs(place.root, wanted) if place.is_git else _from_directory(place.root, wanted)


def _from_directory(
    root: Path, wanted: Sequence[tuple[str, str]]
) -> Iterator[tuple[str, bytes | str]]:
    base = f"{root}/"
    for path, _ in wanted:
        try:
            with open(base + path, "rb", buffering=0, opener=_unlinked) as file:
                body = file.read()
        except OSError as error:
            yield path, error.strerror or "cannot be read"
        else:
            yield path, body


def _pass_over(stream: IO[bytes], count: int) -> None:
    """Read some bytes, with no more than a few of them in memory."""
    while count and (piece := stream.read(min(count, LARGEST))):
        count -= len(piece)


def _unlinked(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)


def _blobs(repo: Path, wanted: Sequence[tuple[str, str]]) -> Iterator[tuple[str, bytes | str]]:
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
