# SPDX-License-Identifier: GPL-2.0-only
"""An audit of a tree: looked for once, and kept for as long as the tree stays as it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from dmabuf_patchgen import forked, kept, xdg
from dmabuf_patchgen.audit import record
from dmabuf_patchgen.audit.places import CLOSE, WIDE
from dmabuf_patchgen.audit.verdict import Audit, Entry
from dmabuf_patchgen.tree import bulk, room
from dmabuf_patchgen.tree.source import KernelTree

if TYPE_CHECKING:
    from dmabuf_patchgen.audit.entry import Entries, Job

#: So many audits are remembered, half a megabyte each.
_KEEP = 20
#: Fewer entries than these are not worth another process.
_ALONE = 24


def audit(tree: KernelTree, progress: Callable[[str], None] = lambda said: None) -> Audit:
    """What the exporters of a tree do with a mapping. Raises UserError where it cannot be read."""
    progress("listing the tree")
    files = bulk.bulk(tree, CLOSE + WIDE)
    place = xdg.cache() / "audits" / _key(files.id, tree.version)
    known = kept.load(place)
    if known is not None:
        return record.loaded(json.loads(known))
    made = _audited(tree, files, progress)
    said = json.dumps(record.dumped(made))
    kept.save(place, said.encode(), siblings=_KEEP)
    return made


def _audited(tree: KernelTree, files: bulk.Bulk, progress: Callable[[str], None]) -> Audit:
    # A known audit is told without what it takes to make one.
    from dmabuf_patchgen.audit.entry import Entries
    from dmabuf_patchgen.audit.index import Index
    from dmabuf_patchgen.audit.scan import scan

    found = scan(files, progress)
    entries = Entries(Index(found))
    jobs = entries.jobs()
    progress(f"following {len(jobs)} ways into the page table")
    return Audit(
        version=tree.version,
        entries=tuple(_judged(entries, jobs)),
        taken=tuple(one for facts in found.facts for one in facts.taken),
        files=found.files,
        unread=found.unread,
    )


def _judged(entries: Entries, jobs: list[Job]) -> list[Entry]:
    """The entries, each judged; a fork for every processor shares what is known of the tree."""
    workers = forked.processors() if len(jobs) >= _ALONE else 1
    judged = [entry for _, entry in forked.shared(entries.judged, jobs, workers)]
    return sorted(judged, key=lambda entry: (entry.path, entry.line, entry.what, entry.name))


def _key(listing: str, version: str) -> str:
    """The name of a kept audit: of the files, and of the code that reads and judges them."""
    state = hashlib.sha256(f"{listing}\0{version}\0".encode())
    state.update(_code().encode())
    return state.hexdigest()


@cache
def _code() -> str:
    state = hashlib.sha256()
    reading = (Path(bulk.__file__), Path(room.__file__))
    for path in (*reading, *sorted(Path(__file__).parent.glob("*.py"))):
        state.update(path.read_bytes())
    return state.hexdigest()
