# SPDX-License-Identifier: GPL-2.0-only
"""Who takes pages or PFNs of mappings that are not its own, and who exports such pages.

The kernel's documentation is about to forbid the second: pages that get_user_pages() gave are
the process's, which may unmap, fork or truncate them while a device writes to the buffer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dmabuf_patchgen.audit.definitions import Definitions
from dmabuf_patchgen.audit.verdict import Taken

_LOOKUPS = ("follow_pfn", "follow_pte", "follow_pte_pmd", "follow_pfnmap_start", "get_vaddr_frames")
_CALL = re.compile(
    rb"\b(follow_pfn|follow_pte|follow_pte_pmd|follow_pfnmap_start|get_vaddr_frames"
    rb"|(?:get|pin)_user_pages(?:_fast|_remote|_unlocked|_longterm)?)\s*\("
)
_WORDS = (b"follow_p", b"vaddr_frames", b"_user_pages")
_EXPORT = re.compile(rb"\bdma_buf_export\s*\(")
#: Files that define these functions, and so name them.
_OWN = frozenset(
    {"mm/memory.c", "mm/frame_vector.c", "mm/gup.c", "mm/nommu.c", "mm/pgtable-generic.c"}
)


def taken(definitions: Definitions, body: bytes) -> tuple[Taken, ...]:
    """The calls of a file that take pages or PFNs which are not its own."""
    if not any(word in body for word in _WORDS):
        return ()
    return tuple(_found(definitions, body))


def _found(definitions: Definitions, body: bytes) -> Iterator[Taken]:
    path = definitions.path
    exports = bool(_EXPORT.search(body))
    plain = definitions.plain.encode()
    for match in _CALL.finditer(plain):
        name = match[1].decode()
        start = plain.rfind(b"\n{", 0, match.start())
        if start < 0 or b"\n}" in plain[start : match.start()]:
            # No function around it: a declaration, or a definition of its own.
            continue
        end = plain.find(b"\n}", match.start())
        function = _name(plain, start)
        line = plain.count(b"\n", 0, match.start()) + 1
        if name in _LOOKUPS:
            if path not in _OWN and not path.startswith("include/"):
                yield Taken("mapping", name, function, path, line)
        elif exports and _EXPORT.search(plain, start, end):
            yield Taken("export", name, function, path, line)
        elif exports:
            yield Taken("perhaps", name, function, path, line)


def _name(plain: bytes, opened: int) -> str:
    head = plain[max(0, opened - 400) : opened]
    found = re.findall(rb"(\w+)\s*\([^(){};]*(?:\([^()]*\)[^(){};]*)*\)[^(){};]*$", head)
    return found[-1].decode() if found else ""
