# SPDX-License-Identifier: GPL-2.0-only
"""What an audit says of an entry, with the lines of source that say so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from dmabuf_patchgen.audit.state import Step


class Kind(Enum):
    """What a mapping is, once userspace has it; in the order of a report."""

    VIOLATES = "violates"
    BOTH = "both flags"
    BRANCH = "by branch"
    DMA_API = "depends on the DMA API"
    UNKNOWN = "unknown"
    DELEGATES = "delegates"
    PFNMAP = "PFNMAP"
    REFUSES = "refuses"


#: What a mapping is handed to, as a reader calls it.
_TARGETS = {
    "dma_buf_mmap": "the exporter of an imported buffer",
    "drm_gem_object_funcs": "the GEM object's functions",
    "file_operations": "the driver's file",
}
#: Verdicts whose reason a reader asks for.
_TELLING = frozenset({Kind.VIOLATES, Kind.BOTH, Kind.DMA_API, Kind.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Branch:
    """One way through a callback that ends in a mapping.

    when: the conditions that tell it from the other ways; why: what decides, or what was not
    understood; to: what it delegates to, resolved: the instance that this is taken to be;
    guessed: whether it goes through one of several functions that a member may be.
    """

    kind: Kind
    when: tuple[str, ...]
    why: str
    steps: tuple[Step, ...]
    to: str = ""
    resolved: str = ""
    guessed: bool = False

    def said(self, kind: Kind) -> str:
        """The branch in a line, below an entry with that verdict."""
        to = self.resolved or _TARGETS.get(self.to, self.to)
        verdict = "" if self.kind is kind else self.kind.value
        if self.to and self.kind is Kind.DELEGATES:
            verdict = ""
        said = f"to {to}: {verdict}".rstrip(": ") if self.to else verdict
        why = self.why if self.kind in _TELLING else ""
        said = f"{said}, {why}".strip(", ") if why else said
        when = f" if {' and '.join(self.when)}" if self.when else ""
        return f"{said}{when}".strip()


@dataclass(frozen=True, slots=True)
class CopyOnWrite:
    """What becomes of a private mapping.

    refused: yes, no, on some paths, by what it delegates to, or unknown; at: the tests;
    bug: why the BUG_ON() of mm is reached by one, empty where it is not; bug_at: the call.
    """

    refused: str
    at: tuple[Step, ...]
    bug: str = ""
    bug_at: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """An error that a callback returns after it has changed the VMA."""

    errno: str
    changed: tuple[str, ...]
    at: Step


@dataclass(frozen=True, slots=True)
class Entry:
    """A way by which userspace maps a buffer, and what was found of it.

    name: of the operations; what: their type; callback: what they name as mmap.
    """

    name: str
    what: str
    path: str
    line: int
    callback: str
    kind: Kind
    branches: tuple[Branch, ...]
    copy_on_write: CopyOnWrite
    swaps_file: tuple[Step, ...]
    failures: tuple[Failure, ...]
    caching: tuple[str, ...]

    @property
    def violates(self) -> bool:
        """Whether some way ends in a mapping that is not VM_PFNMAP."""
        return self.kind is Kind.VIOLATES or (
            self.kind is Kind.BRANCH and any(one.kind is Kind.VIOLATES for one in self.branches)
        )

    @property
    def guessed(self) -> bool:
        """Whether it is unknown since a member may be one of several functions."""
        return self.kind is Kind.UNKNOWN and all(
            one.kind is not Kind.UNKNOWN for one in self.branches
        )


@dataclass(frozen=True, slots=True)
class Taken:
    """A call that takes pages or PFNs.

    what: mapping, where it looks into somebody's mapping; export, where the function exports
    the pages as well; perhaps, where another function of the file exports something.
    """

    what: str
    call: str
    function: str
    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Audit:
    """All that was found in a tree.

    files: how many were looked through; unread: those that were not, with the reason.
    """

    version: str
    entries: tuple[Entry, ...]
    taken: tuple[Taken, ...]
    files: int
    unread: tuple[tuple[str, str], ...]

    def counted(self) -> dict[Kind, int]:
        """How many entries have each verdict."""
        return {kind: sum(entry.kind is kind for entry in self.entries) for kind in Kind}
