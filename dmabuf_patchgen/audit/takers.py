# SPDX-License-Identifier: GPL-2.0-only
"""Who takes pages or PFNs of mappings that are not its own, and who exports such pages.

The kernel's documentation is about to forbid the second: pages that get_user_pages() gave are
the process's, which may unmap, fork or truncate them while a device writes to the buffer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from string import ascii_letters, digits

from dmabuf_patchgen.audit.definitions import Definitions
from dmabuf_patchgen.audit.verdict import Taken

_LOOKUPS = frozenset(
    {"follow_pfn", "follow_pte", "follow_pte_pmd", "follow_pfnmap_start", "get_vaddr_frames"}
)
_TAKES = re.compile(r"(?:get|pin)_user_pages(?:_fast|_remote|_unlocked|_longterm)?")
#: What the names of lookups have in them, and of those that take a process's pages.
_LOOKING = (b"follow_p", b"vaddr_frames")
_TAKING = b"_user_pages"
_CALLED = re.compile(r"\w*\s*\(")
_WORD = f"{ascii_letters}{digits}_"
_EXPORT = re.compile(r"\bdma_buf_export\s*\(")
#: Files that define these functions, and so name them.
_OWN = frozenset(
    {"mm/memory.c", "mm/frame_vector.c", "mm/gup.c", "mm/nommu.c", "mm/pgtable-generic.c"}
)


def taken(definitions: Definitions, body: bytes) -> tuple[Taken, ...]:
    """The calls of a file that take pages or PFNs which are not its own."""
    words = [word for word in _LOOKING if word in body]
    if _TAKING in body and b"dma_buf_export" in body:
        words.append(_TAKING)
    return tuple(_found(definitions, [word.decode() for word in words])) if words else ()


def _found(definitions: Definitions, words: Sequence[str]) -> Iterator[Taken]:
    path = definitions.path
    plain = definitions.plain
    exports = bool(_EXPORT.search(plain))
    for name, at in _calls(plain, words):
        start = plain.rfind("\n{", 0, at)
        if start < 0 or "\n}" in plain[start:at]:
            # No function around it: a declaration, or a definition of its own.
            continue
        end = plain.find("\n}", at)
        function = _name(plain, start)
        line = definitions.line(at)
        if name in _LOOKUPS:
            if path not in _OWN and not path.startswith("include/"):
                yield Taken("mapping", name, function, path, line)
        elif exports and _EXPORT.search(plain, start, end):
            yield Taken("export", name, function, path, line)
        elif exports:
            yield Taken("perhaps", name, function, path, line)


def _calls(plain: str, words: Sequence[str]) -> list[tuple[str, int]]:
    """Calls of functions that have one of some words in their names, in order: name, place."""
    found: dict[int, str] = {}
    for word in words:
        at = plain.find(word)
        while at >= 0:
            called = _CALLED.match(plain, at)
            if called:
                before = plain[max(0, at - 40) : at]
                start = at - (len(before) - len(before.rstrip(_WORD)))
                name = plain[start : called.end() - 1].rstrip()
                if name in _LOOKUPS or _TAKES.fullmatch(name):
                    found[start] = name
            at = plain.find(word, at + 1)
    return [(name, start) for start, name in sorted(found.items())]


def _name(plain: str, opened: int) -> str:
    """The function whose body opens there: of a system call, what SYSCALL_DEFINEn() makes."""
    head = plain[max(0, opened - 400) : opened]
    found = re.findall(r"(\w+)\s*\([^(){};]*(?:\([^()]*\)[^(){};]*)*\)[^(){};]*$", head)
    if not found:
        return ""
    name: str = found[-1]
    called = re.search(rf"\b{name}\s*\(\s*(\w+)", head)
    return called[1] if called and name.startswith("SYSCALL_DEFINE") else name
