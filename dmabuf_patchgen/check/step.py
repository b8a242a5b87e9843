# SPDX-License-Identifier: GPL-2.0-only
"""One commit of a series under check, and what every check has in common."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from dmabuf_patchgen.kernel.diagnostics import Diagnostic, written_lines
from dmabuf_patchgen.kernel.forest import Forest
from dmabuf_patchgen.render.commit import Commit

#: Planted faults, by which a check sees that its tool works, and what is not to be found.
DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Patch:
    """A commit and the mail it is sent as, which is what checkpatch reads."""

    commit: Commit
    mail: bytes


@dataclass(frozen=True)
class Step:
    """A patch on its way into the forest. scratch: a directory for the checks' own files."""

    patch: Patch
    forest: Forest
    scratch: Path
    before: Mapping[str, bytes | None]

    @property
    def files(self) -> Mapping[str, bytes | None]:
        """path -> content after the commit, None where it deletes the file."""
        return self.patch.commit.files

    @cached_property
    def new_lines(self) -> dict[str, frozenset[int]]:
        """path -> numbers of the lines that the commit writes."""
        return {
            path: written_lines(self.before[path] or b"", body)
            for path, body in self.files.items()
            if body is not None
        }

    @property
    def adds_files(self) -> bool:
        """Whether the commit has files that were not there before."""
        return any(self.before[path] is None for path in self.files)


class Check(Protocol):
    """A check of one commit: asked in the state before it, then in the state after it."""

    #: As it appears in the report.
    name: str

    def before(self, step: Step) -> None:
        """Note what there is to find without the commit."""

    def after(self, step: Step) -> tuple[Diagnostic, ...] | None:
        """What the commit adds; None if the commit holds nothing for this check."""
