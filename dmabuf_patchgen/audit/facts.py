# SPDX-License-Identifier: GPL-2.0-only
"""Questions that templates ask of an audit; a tree is audited only when one does."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.tree.source import KernelTree, Overlay, Tree

if TYPE_CHECKING:
    from dmabuf_patchgen.audit.verdict import Audit, Entry


class AuditFacts:
    """An audit as the variable `audit` of facts.toml.

    It speaks of the tree that a series is rendered for: a patch of the series does not change
    the answer for those after it.
    """

    def __init__(self, tree: Tree) -> None:
        while isinstance(tree, Overlay):
            tree = tree.base
        self._tree = tree

    @property
    def violates(self) -> tuple[str, ...]:
        """Names of entries that are not always VM_PFNMAP, sorted."""
        return tuple(sorted({one.name for one in self._audit.entries if one.violates}))

    @property
    def bugs(self) -> tuple[str, ...]:
        """Names of entries by which a private mapping reaches a BUG_ON(), sorted."""
        return tuple(sorted({one.name for one in self._audit.entries if one.copy_on_write.bug}))

    def verdict(self, name: str) -> str:
        """The verdict on an entry, empty if there is none of that name."""
        found = self._named(name)
        return found[0].kind.value if found else ""

    def refuses_cow(self, name: str) -> bool:
        """Whether there is an entry of that name, and it lets no private mapping in."""
        found = self._named(name)
        return bool(found) and all(one.copy_on_write.refused.startswith("yes") for one in found)

    def _named(self, name: str) -> list[Entry]:
        return [one for one in self._audit.entries if one.name == name]

    @property
    def _audit(self) -> Audit:
        if not isinstance(self._tree, KernelTree):
            raise UserError(f"{self._tree.label}: only a whole kernel tree can be audited")
        return _audited(self._tree)


@lru_cache(maxsize=4)
def _audited(tree: KernelTree) -> Audit:
    # Rendering has to be there at once where no template asks.
    from dmabuf_patchgen.audit.audit import audit

    return audit(tree)
