# SPDX-License-Identifier: GPL-2.0-only
"""The braces of a C file: which closes which, by counting."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from dmabuf_patchgen.tree.conditionals import Conditionals


@dataclass(frozen=True, slots=True)
class _Brace:
    """A brace of code; before, after: how deep it is on either side."""

    at: int
    before: int
    after: int


class Braces:
    """The braces of a file.

    at: where there are any in code; conditionals: of the file.
    """

    def __init__(self, body: bytes, at: Sequence[int], conditionals: Conditionals) -> None:
        self._body = body
        self._braces = _counted(body, at, conditionals)
        self._starts = [brace.at for brace in self._braces]

    def opening(self, start: int) -> int | None:
        """The first brace of code from a byte on."""
        at = bisect_right(self._starts, start - 1)
        return self._starts[at] if at < len(self._starts) else None

    def closing(self, opening: int) -> int | None:
        """The brace that closes one, by counting; None if none does."""
        at = bisect_right(self._starts, opening) - 1
        if at < 0 or self._braces[at].at != opening:
            return None
        depth = self._braces[at].before
        for brace in self._braces[at + 1 :]:
            if brace.after <= depth:
                return brace.at if brace.after == depth else None
        return None

    def in_column_0(self, start: int, end: int) -> int | None:
        """The first brace of code at the start of a line between two bytes.

        In the kernel's style only a definition's own braces stand there.
        """
        first = bisect_right(self._starts, start)
        for brace in self._braces[first:]:
            if brace.at >= end:
                break
            if self._body[brace.at - 1 : brace.at] == b"\n":
                return brace.at
        return None


def _counted(body: bytes, braces: Sequence[int], conditionals: Conditionals) -> list[_Brace]:
    """Those that are ever compiled, counted branch by branch."""
    depth = 0
    found = []
    stack: dict[int, int] = {}
    events = iter([*conditionals.restored, (len(body) + 1, -1, False)])
    event = next(events)
    for at in braces:
        while event[0] <= at:
            # A branch begins as deep as the one before it did.
            if event[2]:
                stack[event[1]] = depth
            else:
                depth = stack.get(event[1], depth)
            event = next(events)
        if conditionals.live(at):
            after = depth + (1 if body[at] == ord("{") else -1)
            found.append(_Brace(at, depth, after))
            depth = after
    return found
