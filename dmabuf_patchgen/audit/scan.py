# SPDX-License-Identifier: GPL-2.0-only
"""Looks through all the C of a tree for what an audit has to read closely.

A byte search, and for the few files that it finds the names of what they define; two processes
share it, since it is most of the work.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from dmabuf_patchgen.audit import forked
from dmabuf_patchgen.audit.definitions import Definitions, Initialiser, heads
from dmabuf_patchgen.audit.forked import Part, Result
from dmabuf_patchgen.audit.places import CLOSE
from dmabuf_patchgen.audit.takers import taken
from dmabuf_patchgen.audit.verdict import Taken
from dmabuf_patchgen.tree import bulk

#: Types whose instances are entries, or are needed to follow one; of the first, others may be.
_TYPES = (
    "dma_buf_ops", "drm_gem_object_funcs", "vb2_mem_ops", "file_operations",
    "vm_operations_struct", "drm_driver",
)  # fmt: skip
TYPES = re.compile(rf"(?:\w+_)?{'|'.join(_TYPES)}")
_TYPE_NAMES = tuple(one.encode() for one in _TYPES)
_TAKERS = (b"follow_p", b"vaddr_frames")
_WORDS = (b"struct vm_", b"dma_buf_", b"drm_gem_", b"struct drm_driver ")
_CLOSE = bulk.Words(_WORDS + _TAKERS, (b"struct vm_", b"dma_buf_", b"drm_", *_TAKERS))
_WIDE = bulk.Words(_TAKERS, _TAKERS)
#: So many files a process searches, and so many it reads closely, before it tells what it found.
_SEARCHED = 1500
_READ = 100


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a file has that an audit asks for; functions: those that take a mapping."""

    path: str
    functions: tuple[str, ...]
    initialisers: tuple[Initialiser, ...]
    taken: tuple[Taken, ...]


@dataclass(frozen=True, slots=True)
class Scan:
    """What a search through a tree found.

    bodies: the contents of the files that facts are of; unread: files that were left out, with
    the reason.
    """

    facts: tuple[FileFacts, ...]
    bodies: Mapping[str, bytes]
    files: int
    unread: tuple[tuple[str, str], ...]


def scan(files: bulk.Bulk, progress: Callable[[str], None]) -> Scan:
    """Look through the files of a tree."""
    progress("searching the tree")
    wanted, missed = _searched(files, progress)
    bodies: dict[str, bytes] = {}
    for path, body in files.contents(wanted):
        if isinstance(body, str):
            missed.append((path, body))
        else:
            bodies[path] = body
    facts = _looked(bodies)
    return Scan(
        facts=facts,
        bodies={one.path: bodies[one.path] for one in facts},
        files=len(files.files) - len(missed),
        unread=tuple(sorted([*files.left_out, *missed])),
    )


def _shared(work: Callable[[Part], Result], parts: Sequence[Part]) -> Iterator[Result]:
    return forked.shared(work, parts, len(os.sched_getaffinity(0)))


def _searched(
    files: bulk.Bulk, progress: Callable[[str], None]
) -> tuple[list[str], list[tuple[str, str]]]:
    """The files that are worth a closer look, and those that cannot be looked at."""
    close: list[str] = []
    wide: list[str] = []
    for path in files.files:
        (close if path.startswith(CLOSE) else wide).append(path)
    parts = [
        (words, paths[at : at + _SEARCHED])
        for words, paths in ((_CLOSE, close), (_WIDE, wide))
        for at in range(0, len(paths), _SEARCHED)
    ]
    wanted: list[str] = []
    left: list[str] = []
    for number, found in enumerate(_shared(partial(_search, files), parts), 1):
        wanted += found.having
        left += found.left
        progress(f"searching the tree: {number * 100 // len(parts)} %")
    narrowed, missed = files.narrowed(left, _CLOSE)
    return [*wanted, *narrowed], missed


def _search(files: bulk.Bulk, part: tuple[bulk.Words, Sequence[str]]) -> bulk.Found:
    words, paths = part
    return files.search(paths, words)


def _looked(bodies: Mapping[str, bytes]) -> tuple[FileFacts, ...]:
    """What the files have that an audit asks for, of those that have any of it."""

    def look(paths: Sequence[str]) -> list[FileFacts]:
        found = (_facts(path, bodies[path]) for path in paths)
        return [facts for facts in found if facts is not None]

    paths = sorted(bodies)
    parts = [paths[at : at + _READ] for at in range(0, len(paths), _READ)]
    found = [facts for some in _shared(look, parts) for facts in some]
    return tuple(sorted(found, key=lambda one: one.path))


def _facts(path: str, body: bytes) -> FileFacts | None:
    close = path.startswith(CLOSE) and any(word in body for word in _WORDS)
    if not close and not any(word in body for word in _TAKERS):
        return None
    definitions = Definitions(path, body)
    places = taken(definitions, body)
    if not close:
        return FileFacts(path, (), (), places) if places else None
    functions = tuple(dict.fromkeys(heads(body)))
    made = tuple(definitions.initialisers(TYPES)) if any(one in body for one in _TYPE_NAMES) else ()
    return FileFacts(path, functions, made, places)
