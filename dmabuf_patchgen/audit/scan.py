# SPDX-License-Identifier: GPL-2.0-only
"""Looks through all the C of a tree for what an audit has to read closely.

A byte search, and for the few files that it finds the names of what they define; two processes
share it, since it is most of the work.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from dmabuf_patchgen.audit import forked
from dmabuf_patchgen.audit.definitions import Definitions, Initialiser, heads
from dmabuf_patchgen.audit.places import CLOSE
from dmabuf_patchgen.audit.takers import taken
from dmabuf_patchgen.audit.verdict import Taken
from dmabuf_patchgen.tree import bulk
from dmabuf_patchgen.tree.source import KernelTree

#: Types whose instances are entries, or are needed to follow one.
TYPES = re.compile(
    r"(?:\w+_)?dma_buf_ops|drm_gem_object_funcs|vb2_mem_ops|file_operations"
    r"|vm_operations_struct|drm_driver"
)
_INSTANCE = re.compile(
    rb"^[ \t]*(?:static |const )*struct (?:" + TYPES.pattern.encode() + rb") ", re.M
)
_WORDS = (b"struct vm_", b"dma_buf_", b"drm_gem_", b"struct drm_driver ")
_TAKERS = (b"follow_p", b"vaddr_frames")
_CHUNK = 1500


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a file has that an audit asks for; functions: those that take a mapping."""

    path: str
    functions: tuple[str, ...]
    initialisers: tuple[Initialiser, ...]
    taken: tuple[Taken, ...]


@dataclass(frozen=True, slots=True)
class Scan:
    """What a search through a tree found; unread: files that were left out, with the reason."""

    facts: tuple[FileFacts, ...]
    files: int
    unread: tuple[tuple[str, str], ...]


def scan(tree: KernelTree, listing: bulk.Listing, progress: Callable[[str], None]) -> Scan:
    """Look through the files of a listing."""
    chunks = [listing.files[at : at + _CHUNK] for at in range(0, len(listing.files), _CHUNK)]
    facts: list[FileFacts] = []
    unread = list(listing.left_out)
    for number, (found, missed) in enumerate(_run(bulk.Place.of(tree), chunks), 1):
        facts += found
        unread += missed
        progress(f"reading the tree: {number * 100 // len(chunks)} %")
    facts.sort(key=lambda one: one.path)
    return Scan(tuple(facts), len(listing.files), tuple(sorted(unread)))


_Chunk = tuple[list[FileFacts], list[tuple[str, str]]]


def _run(place: bulk.Place, chunks: Sequence[Sequence[tuple[str, str]]]) -> Iterator[_Chunk]:
    return forked.shared(partial(_look, place), chunks, len(os.sched_getaffinity(0)))


def _look(place: bulk.Place, chunk: Sequence[tuple[str, str]]) -> _Chunk:
    found: list[FileFacts] = []
    missed: list[tuple[str, str]] = []
    for path, body in bulk.contents(place, chunk):
        if isinstance(body, str):
            missed.append((path, body))
        elif len(body) > bulk.LARGEST:
            missed.append((path, "it has grown meanwhile"))
        else:
            facts = _facts(path, body)
            if facts is not None:
                found.append(facts)
    return found, missed


def _facts(path: str, body: bytes) -> FileFacts | None:
    close = path.startswith(CLOSE) and any(word in body for word in _WORDS)
    if not close and not (_TAKERS[0] in body or _TAKERS[1] in body):
        return None
    definitions = Definitions(path, body)
    places = taken(definitions, body)
    if not close:
        return FileFacts(path, (), (), places) if places else None
    functions = tuple(dict.fromkeys(heads(body)))
    made = tuple(definitions.initialisers(TYPES)) if _INSTANCE.search(body) else ()
    return FileFacts(path, functions, made, places)
