# SPDX-License-Identifier: GPL-2.0-only
"""The #if of a C file: which branches stand where, and which are never compiled."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from dmabuf_patchgen.tree import constant
from dmabuf_patchgen.tree.pieces import Directive, is_blank
from dmabuf_patchgen.tree.tokens import Span, line_end

_GUARD = re.compile(rb"(?:ifndef\s+|if\s+!\s*defined\s*\(?\s*)(\w+)\s*\)?\s*$")
#: Directives between which text is compiled or not.
CONDITIONALS = frozenset(
    {b"if", b"ifdef", b"ifndef", b"elif", b"elifdef", b"elifndef", b"else", b"endif"}
)


@dataclass(frozen=True, slots=True)
class Branch:
    """What stands between two of #if, #elif, #else and #endif.

    group: the whole from the line of #if to the end of that of #endif; span: the lines between.
    """

    group: Span
    span: Span


@dataclass(slots=True)
class _Group:
    """An #if that is being read, with the branches that end behind it."""

    opened: Directive
    within: "_Group | None"
    #: Whether the branches before are known to be taken, or not to be.
    taken: bool | None
    dead: bool
    starts: list[int]
    dead_branches: list[bool]
    closed: int = 0


class Conditionals:
    """The #if of a file: which branches stand where, and which are never compiled.

    dead: stretches that are never compiled; restored: where a group opens (True) and where
    its next branch begins; guarded: the lines that a header guards against being read twice;
    whole: the #if that all of the file is under, where it is no such guard.
    """

    def __init__(self, body: bytes, directives: Sequence[Directive]) -> None:
        self._body = body
        self._directives = directives
        self.dead: list[tuple[int, int]] = []
        self.restored: list[tuple[int, int, bool]] = []
        groups = self._groups()
        self._guard = self._guarding(groups)
        self.guarded = self.whole = None
        if self._guard:
            self.guarded = Span(*self._guard.starts)
        elif groups and self._is_all(groups[0]):
            self.whole = Span(groups[0].opened.span.start, groups[0].closed)
        self._number = {id(group): number for number, group in enumerate(groups)}
        found: list[Branch] = []
        for group in groups:
            self._collect(group, found)
        self._stack(found)
        self.dead.sort()
        self.restored.sort()

    def live(self, offset: int) -> bool:
        """Whether a byte can be compiled at all."""
        at = bisect_right(self.dead, (offset, len(self._body) + 1)) - 1
        return at < 0 or offset >= self.dead[at][1]

    def branches(self, offset: int) -> tuple[Branch, ...]:
        """The branches that a byte stands in, outermost first, without a header's guard."""
        return self._stacks[bisect_right(self._changes, offset) - 1]

    def _groups(self) -> list[_Group]:
        """All groups in the order of their #if; one that is never closed goes to the end."""
        groups: list[_Group] = []
        current: _Group | None = None
        for directive in self._directives:
            inside = line_end(self._body, directive.span.end)
            if directive.name in (b"if", b"ifdef", b"ifndef"):
                dead = current is not None and (current.dead or current.dead_branches[-1])
                said = self._said(directive)
                current = _Group(directive, current, said, dead, [inside], [said is False])
                groups.append(current)
            elif current and directive.name in (b"else", b"elif", b"elifdef", b"elifndef"):
                said = True if directive.name == b"else" else self._said(directive)
                current.starts += [directive.span.start, inside]
                current.dead_branches.append(current.taken is True or said is False)
                if current.taken is not True:
                    # Unknown before and true now is taken one way or the other.
                    unknown = current.taken is None or said is None
                    current.taken = True if said else None if unknown else False
            elif current and directive.name == b"endif":
                current.starts.append(directive.span.start)
                current.closed = inside
                current = current.within
        size = len(self._body)
        while current:
            current.starts.append(size)
            current.closed = size
            current = current.within
        return groups

    def _said(self, directive: Directive) -> bool | None:
        """What a condition comes to on every configuration; None if it depends."""
        if directive.name not in (b"if", b"elif"):
            return None
        found = constant.value(directive.expression, lambda name: None)
        return None if found is None else bool(found)

    def _guarding(self, groups: Sequence[_Group]) -> _Group | None:
        """The group that guards a header against being read twice, if it has one."""
        if len(self._directives) < 3 or not groups:
            return None
        first, second = self._directives[:2]
        named = _GUARD.match(first.name + b" " + first.expression.encode())
        if not named or second.name != b"define" or groups[0].opened is not first:
            return None
        if second.expression.split("(")[0].split()[:1] != [named[1].decode()]:
            return None
        # Only its own branch.
        return groups[0] if len(groups[0].starts) == 2 and self._is_all(groups[0]) else None

    def _is_all(self, group: _Group) -> bool:
        """Whether nothing stands before and behind a group."""
        return is_blank(self._body[: group.opened.span.start]) and is_blank(
            self._body[group.closed :]
        )

    def _collect(self, group: _Group, found: list[Branch]) -> None:
        whole = Span(group.opened.span.start, group.closed)
        pairs = zip(group.starts[::2], group.starts[1::2], strict=True)
        number = self._number[id(group)]
        self.restored.append((group.opened.span.start, number, True))
        for index, (start, end) in enumerate(pairs):
            if index:
                self.restored.append((start, number, False))
            if group is not self._guard and start < end:
                found.append(Branch(whole, Span(start, end)))
            if group.dead_branches[index] and not group.dead:
                self.dead.append((start, end))

    def _stack(self, found: list[Branch]) -> None:
        """Turn branches, which lie within one another, into stacks from byte to byte."""
        self._changes: list[int] = [0]
        self._stacks: list[tuple[Branch, ...]] = [()]
        edges = sorted(
            [(branch.span.start, 1, branch) for branch in found]
            + [(branch.span.end, 0, branch) for branch in found],
            key=lambda edge: (edge[0], edge[1]),
        )
        current: tuple[Branch, ...] = ()
        for at, opens, branch in edges:
            current = (*current, branch) if opens else tuple(b for b in current if b is not branch)
            self._changes.append(at)
            self._stacks.append(current)
