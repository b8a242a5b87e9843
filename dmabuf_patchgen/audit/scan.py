# SPDX-License-Identifier: GPL-2.0-only
"""Looks through all the C of a tree for what an audit has to read closely.

A byte search, and for the few files that it finds the names of what they define; processes
share it, since it is most of the work.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from dmabuf_patchgen import forked
from dmabuf_patchgen.audit.definitions import Definitions, Initialiser, TooNested, heads
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
#: So many files a process looks through before it tells what it found.
_PART = 1000


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


@dataclass(frozen=True, slots=True)
class _Part:
    """Some files of a tree, and the words without which none of them is worth a closer look."""

    paths: Sequence[str]
    words: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Looked:
    """What some files have that an audit asks for, with the contents of those that have it."""

    facts: list[FileFacts]
    bodies: dict[str, bytes]
    missed: list[tuple[str, str]]


def scan(files: bulk.Bulk, progress: Callable[[str], None]) -> Scan:
    """Look through the files of a tree."""
    progress("searching the tree")
    parts = _parts(files.files)
    facts: list[FileFacts] = []
    bodies: dict[str, bytes] = {}
    missed: list[tuple[str, str]] = []
    looking = forked.shared(partial(_look, files), parts, forked.processors())
    for number, (_, looked) in enumerate(looking, 1):
        facts += looked.facts
        bodies |= looked.bodies
        missed += looked.missed
        progress(f"searching the tree: {number * 100 // len(parts)} %")
    return Scan(
        facts=tuple(sorted(facts, key=lambda one: one.path)),
        bodies=bodies,
        files=len(files.files) - len(missed),
        unread=tuple(sorted([*files.left_out, *missed])),
    )


def _parts(paths: Sequence[str]) -> list[_Part]:
    close: list[str] = []
    wide: list[str] = []
    for path in paths:
        (close if path.startswith(CLOSE) else wide).append(path)
    return [
        _Part(some[at : at + _PART], words)
        for words, some in ((_WORDS + _TAKERS, close), (_TAKERS, wide))
        for at in range(0, len(some), _PART)
    ]


def _look(files: bulk.Bulk, part: _Part) -> _Looked:
    found = _Looked([], {}, [])
    for path, body in files.having(part.paths, part.words):
        if isinstance(body, str):
            found.missed.append((path, body))
            continue
        try:
            facts = _facts(path, body)
        except TooNested as error:
            found.missed.append((path, error.message))
            continue
        if facts is not None:
            found.facts.append(facts)
            found.bodies[path] = body
    return found


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
