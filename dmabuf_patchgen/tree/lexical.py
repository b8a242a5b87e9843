# SPDX-License-Identifier: GPL-2.0-only
"""A C file as its characters are read: comments, strings, directives, #ifdef and braces.

It knows no grammar, so it is a second reading beside the parser's: what is a comment to one
and code to the other, or where a definition ends, shows where neither is to be trusted.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from dmabuf_patchgen.errors import Why
from dmabuf_patchgen.tree import constant
from dmabuf_patchgen.tree.tokens import Span, line_end, line_start, token_spans

_COMMENT = rb"/\*.*?(?:\*/|\Z)|//(?:[^\\\n]|\\\r\n|\\.)*"
_STRING = rb"\"(?:[^\"\\\n]|\\\r\n|\\.)*\"|'(?:[^'\\\n]|\\\r\n|\\.)+'"
# Each begins with one of a few signs, which is what makes it quick. Where a quote does not
# close on its line, as in the prose of an #if 0, it is a sign.
_PIECE = re.compile(
    rb"[/\"'#{}](?:(?<=/)(?:\*.*?(?:\*/|\Z)|/(?:[^\\\n]|\\\r\n|\\.)*)"
    rb"|(?<=\")(?:[^\"\\\n]|\\\r\n|\\.)*\"|(?<=')(?:[^'\\\n]|\\\r\n|\\.)+'"
    rb"|(?<=\#)(?:" + _COMMENT + rb"|" + _STRING + rb"|\\\r?\n|[^\n\\/\"']+|[^\n])*"
    rb"|(?<=[{}]))",
    re.S,
)
_WITHIN = re.compile(rb"(?P<comment>" + _COMMENT + rb")|(?P<string>" + _STRING + rb")", re.S)
_NAME = re.compile(rb"#(?:\s|\\\n|/\*.*?\*/)*(\w+)", re.S)
_GUARD = re.compile(rb"(?:ifndef\s+|if\s+!\s*defined\s*\(?\s*)(\w+)\s*\)?\s*$")


#: Directives between which text is compiled or not.
CONDITIONALS = frozenset(
    {b"if", b"ifdef", b"ifndef", b"elif", b"elifdef", b"elifndef", b"else", b"endif"}
)

_ENDINGS = CONDITIONALS - {b"if", b"ifdef", b"ifndef"}


class Doubt(Exception):
    """Something cannot be edited, or nothing can stand beside it.

    why: the kind; words: the cause, to follow the name of a place; at: the byte that shows it.
    """

    def __init__(self, why: Why, words: str, at: int) -> None:
        super().__init__(words)
        self.why = why
        self.words = words
        self.at = at


class Kind(Enum):
    """What a byte belongs to."""

    CODE = "code"
    COMMENT = "comment"
    STRING = "string"


Word = tuple[bytes, Kind]


def kinds(text: bytes, in_comment: bool = False) -> list[Word]:
    """The tokens of some lines, each with what it belongs to.

    in_comment: whether the lines begin within a comment.
    """
    opened = b"/*\n" if in_comment else b""
    lexical = Lexical(opened + text)
    return [
        (lexical.body[start:end], lexical.kind(start))
        for start, end in token_spans(lexical.body)
        if start >= len(opened)
    ]


@dataclass(frozen=True, slots=True)
class Directive:
    """A line of the preprocessor, continued lines included, without its last newline.

    span: from the start of its line, as what stands before the # can only be a comment.
    """

    name: bytes
    span: Span


@dataclass(frozen=True, slots=True)
class Branch:
    """What stands between two of #if, #elif, #else and #endif.

    group: the whole from the line of #if to the end of that of #endif; span: the lines between.
    """

    group: Span
    span: Span


@dataclass(frozen=True, slots=True)
class _Brace:
    """A brace of code; before, after: how deep it is on either side."""

    at: int
    before: int
    after: int


@dataclass(slots=True)
class _Group:
    """An #if that is being read, with the branches that end behind it."""

    opened: Directive
    within: "_Group | None"
    #: Whether the branches before are known to be taken, or not to be.
    taken: bool | None
    dead: bool
    depth: int
    starts: list[int]
    dead_branches: list[bool]
    closed: int = 0


class Lexical:
    """The map of one C file; made once for a body, see `c.parse`."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self._pieces: list[tuple[int, int, Kind]] = []
        self.directives: list[Directive] = []
        self._raw_braces: list[int] = []
        for match in _PIECE.finditer(body):
            start, end = match.span()
            first = body[start]
            if first in b"{}":
                self._raw_braces.append(start)
            elif first == ord("/"):
                self._pieces.append((start, end, Kind.COMMENT))
            elif first == ord("#"):
                self._directive(start, end)
            else:
                self._pieces.append((start, end, Kind.STRING))
        self._starts = [start for start, _, _ in self._pieces]
        self._directive_starts = [directive.span.start for directive in self.directives]

    def _directive(self, start: int, end: int) -> None:
        if self.body[end - 1 : end] == b"\r":
            end -= 1
        text = self.body[start:end]
        for match in _WITHIN.finditer(text) if b"/" in text or b'"' in text or b"'" in text else ():
            kind = Kind.COMMENT if match.lastgroup == "comment" else Kind.STRING
            self._pieces.append((start + match.start(), start + match.end(), kind))
        name = _NAME.match(text)
        opened = line_start(self.body, start)
        self.directives.append(Directive(name[1] if name else b"", Span(opened, end)))

    # What a byte is.

    def kind(self, offset: int) -> Kind:
        """What a byte belongs to; a directive's is code, as a macro's body is."""
        piece = self._piece(offset)
        return piece[2] if piece else Kind.CODE

    def comment(self, offset: int) -> Span | None:
        """The comment that goes on over a byte: it began before it and ends behind it."""
        piece = self._piece(offset)
        if piece and piece[2] is Kind.COMMENT and piece[0] < offset:
            return Span(piece[0], piece[1])
        return None

    def directive(self, offset: int) -> Directive | None:
        """The directive that a byte belongs to."""
        at = bisect_right(self._directive_starts, offset) - 1
        if at >= 0 and offset < self.directives[at].span.end:
            return self.directives[at]
        return None

    def directives_in(self, start: int, end: int) -> list[Directive]:
        """The directives that begin in a stretch."""
        first = bisect_right(self._directive_starts, start - 1)
        last = bisect_right(self._directive_starts, end - 1)
        return self.directives[first:last]

    def plain(self, start: int, end: int) -> bytes:
        """A stretch in which each comment is one sign, so that its lines are not blank."""
        parts, at = [], start
        for opened, closed, kind in self._pieces[bisect_right(self._starts, start - 1) :]:
            if opened >= end:
                break
            if kind is Kind.COMMENT:
                parts += [self.body[at:opened], b"/"]
                at = closed
        return b"".join([*parts, self.body[at:end]])

    def code(self, directives: bool = True) -> bytes:
        """The file with all but code made blank, byte for byte: comments and text in quotes.

        So is what is never compiled, and directives where they are not wanted.
        """
        text = bytearray(self.body)
        gone = [(start, end) for start, end, kind in self._pieces if kind is Kind.COMMENT]
        gone += [(s, e) for s, e, _ in self._pieces if self.body[s : s + 1] == b'"']
        gone += self._conditionals.dead
        if not directives:
            gone += [(one.span.start, one.span.end) for one in self.directives]
        for start, end in gone:
            text[start:end] = re.sub(rb"[^\n]", b" ", self.body[start:end])
        return bytes(text)

    def without_dead(self) -> bytes:
        """The file with what is never compiled made blank, byte for byte."""
        if not self._conditionals.dead:
            return self.body
        text = bytearray(self.body)
        for start, end in self._conditionals.dead:
            text[start:end] = re.sub(rb"[^\n]", b" ", self.body[start:end])
        return bytes(text)

    def live(self, offset: int) -> bool:
        """Whether a byte can be compiled at all: not under `#if 0` and the like."""
        dead = self._conditionals.dead
        at = bisect_right(dead, (offset, len(self.body) + 1)) - 1
        return at < 0 or offset >= dead[at][1]

    def branches(self, offset: int) -> tuple[Branch, ...]:
        """The branches of #if that a byte stands in, outermost first, without a header's guard."""
        changes, stacks = self._conditionals.changes, self._conditionals.stacks
        return stacks[bisect_right(changes, offset) - 1]

    def branches_of_new(self, point: int) -> tuple[Branch, ...]:
        """The branches of #if that new lines stand in at the start of a line."""
        directive = self.directive(point)
        ends = directive and directive.span.start == point and directive.name in _ENDINGS
        return self.branches(point - 1 if ends and point else point)

    def code_before(self, offset: int) -> int:
        """The last byte of code before a byte, past comments and directives; -1 if none."""
        at = offset - 1
        while at >= 0:
            if self.body[at : at + 1].isspace():
                at -= 1
                continue
            piece = self._piece(at)
            directive = self.directive(at)
            if directive:
                at = directive.span.start - 1
            elif piece and piece[2] is Kind.COMMENT:
                at = piece[0] - 1
            elif not self.live(at):
                at -= 1
            else:
                return at
        return -1

    def code_after(self, offset: int) -> int:
        """The first byte of code from a byte on, past comments and directives; else the end."""
        at = offset
        while at < len(self.body):
            if self.body[at : at + 1].isspace():
                at += 1
                continue
            piece = self._piece(at)
            directive = self.directive(at)
            if directive:
                at = directive.span.end
            elif piece and piece[2] is Kind.COMMENT:
                at = piece[1]
            elif not self.live(at):
                at += 1
            else:
                return at
        return at

    def word_at(self, last: int) -> bytes:
        """The word or sign whose last byte is given."""
        if last < 0:
            return b""
        match = re.search(rb"\w+\Z|[^\w]\Z", self.body[max(0, last - 63) : last + 1])
        return match.group() if match else b""

    # Lines beside something.

    def line_before(self, offset: int) -> int:
        """The start of the line of something, where it is the first on it.

        A comment before it on the line belongs to it. Raises Doubt where code stands there.
        """
        while True:
            start = line_start(self.body, offset)
            at = offset
            while at > start:
                piece = self._piece(at - 1)
                if self.body[at - 1 : at].isspace():
                    at -= 1
                elif piece and piece[2] is Kind.COMMENT:
                    at = piece[0]
                else:
                    raise Doubt(Why.NOT_ALONE, "shares its line with other code", offset)
            if at == start:
                return start
            offset = at

    def line_after(self, offset: int) -> int:
        """The byte behind the line on which something ends, where it is the last on it.

        A comment behind it belongs to it, on however many lines. Raises Doubt where code
        stands there.
        """
        at = offset
        while at < len(self.body):
            piece = self._piece(at)
            if piece and piece[2] is Kind.COMMENT:
                at = piece[1]
            elif self.body[at : at + 1] == b"\n":
                return at + 1
            elif self.body[at : at + 1].isspace():
                at += 1
            else:
                raise Doubt(Why.NOT_ALONE, "shares its line with other code", offset)
        return at

    def with_comments(self, start: int) -> int:
        """Where the comments begin that stand right above a line, without a blank one between.

        What says only under which licence the file is belongs to the file.
        """
        while start:
            last = start - 1
            while last > 0 and self.body[last - 1 : last] in (b" ", b"\t", b"\r"):
                last -= 1
            piece = self._piece(last - 1) if last else None
            if piece is None or piece[2] is not Kind.COMMENT:
                break
            try:
                opened = self.line_before(piece[0])
            except Doubt:  # It belongs to the code before it on the line.
                break
            if b"SPDX-License-Identifier" in self.body[opened : piece[1]]:
                break
            start = opened
        return start

    # Conditionals.

    def outside(self, point: int, base: Sequence[Branch], after: bool) -> int:
        """A point taken out of the #ifdefs that are not in base, if nothing stands between.

        after: whether to go down, to behind #endif, or else up. Raises Doubt.
        """
        while True:
            # What ends a branch is in it still.
            seen = self.branches(max(point - 1, 0) if after else point)
            if len(seen) <= len(base):
                if tuple(seen) != tuple(base[: len(seen)]) or len(seen) < len(base):
                    raise Doubt(Why.CONDITIONAL, "stands under another #if", point)
                return point
            branch = seen[-1]
            start, end = (point, branch.span.end) if after else (branch.span.start, point)
            if self._holds_something(start, end):
                line = self.body.count(b"\n", 0, branch.group.start) + 1
                raise Doubt(
                    Why.CONDITIONAL, f"is compiled only as the #if of line {line} says", point
                )
            point = branch.group.end if after else branch.group.start

    def _holds_something(self, start: int, end: int) -> bool:
        at = start
        while at < end:
            piece = self._piece(at)
            if self.body[at : at + 1].isspace():
                at += 1
            elif piece and piece[2] is Kind.COMMENT:
                at = piece[1]
            else:
                return True
        return False

    # Braces.

    def opening(self, start: int) -> int | None:
        """The first brace of code from a byte on."""
        at = bisect_right(self._brace_starts, start - 1)
        return self._brace_starts[at] if at < len(self._brace_starts) else None

    def closing(self, opening: int) -> int | None:
        """The brace that closes one, by counting; None if none does."""
        at = bisect_right(self._brace_starts, opening) - 1
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
        first = bisect_right(self._brace_starts, start)
        for brace in self._braces[first:]:
            if brace.at >= end:
                break
            if self.body[brace.at - 1 : brace.at] == b"\n":
                return brace.at
        return None

    @cached_property
    def _brace_starts(self) -> list[int]:
        return [brace.at for brace in self._braces]

    @cached_property
    def _braces(self) -> list[_Brace]:
        depth = 0
        found = []
        restored = self._conditionals.restored
        stack: dict[int, int] = {}
        events = iter([*restored, (len(self.body) + 1, -1, False)])
        event = next(events)
        for at in self._raw_braces:
            while event[0] <= at:
                # A branch begins as deep as the one before it did.
                if event[2]:
                    stack[event[1]] = depth
                else:
                    depth = stack.get(event[1], depth)
                event = next(events)
            if self.live(at):
                after = depth + (1 if self.body[at] == ord("{") else -1)
                found.append(_Brace(at, depth, after))
                depth = after
        return found

    # The rest of the reading.

    def _piece(self, offset: int) -> tuple[int, int, Kind] | None:
        at = bisect_right(self._starts, offset) - 1
        if at >= 0 and offset < self._pieces[at][1]:
            return self._pieces[at]
        return None

    @cached_property
    def _conditionals(self) -> "_Conditionals":
        return _Conditionals(self)

    def expression(self, directive: Directive) -> str:
        """What stands behind the name of a directive, comments and continued lines made blank."""
        start, end = directive.span.start, directive.span.end
        text = bytearray(self.body[start:end])
        first = bisect_right(self._starts, start - 1)
        for opened, closed, kind in self._pieces[first:]:
            if opened >= end:
                break
            if kind is Kind.COMMENT:
                text[opened - start : closed - start] = b" " * (closed - opened)
        found = _NAME.match(bytes(text).lstrip())
        rest = bytes(text).lstrip()[found.end() :] if found else b""
        return re.sub(rb"\\\r?\n", b" ", rest).decode(errors="replace").strip()

    def guard(self) -> Directive | None:
        """The #ifndef that guards a header against being read twice, if it has one."""
        if len(self.directives) < 3:
            return None
        first, second = self.directives[0], self.directives[1]
        text = first.name + b" " + self.expression(first).encode()
        match = _GUARD.match(text)
        if not match or second.name != b"define":
            return None
        if self.expression(second).split("(")[0].split()[:1] != [match[1].decode()]:
            return None
        if self._holds_something(0, first.span.start):
            return None
        return first


class _Conditionals:
    """The #if of a file: which branches stand where, and which are never compiled.

    changes, stacks: from which byte on the branches are which; dead: stretches that are never
    compiled; restored: where a group opens (True) and where its next branch begins.
    """

    def __init__(self, lexical: Lexical) -> None:
        self._lexical = lexical
        self.dead: list[tuple[int, int]] = []
        self.restored: list[tuple[int, int, bool]] = []
        groups = self._groups()
        self._guard = self._guarding(groups)
        self._number = {id(group): number for number, group in enumerate(groups)}
        found: list[tuple[int, int, Branch | None, _Group]] = []
        for group in groups:
            self._collect(group, found)
        self._stack(found)
        self.dead.sort()
        self.restored.sort()

    def _groups(self) -> list[_Group]:
        """All groups in the order of their #if; one that is never closed goes to the end."""
        groups: list[_Group] = []
        current: _Group | None = None
        for directive in self._lexical.directives:
            inside = line_end(self._lexical.body, directive.span.end)
            if directive.name in (b"if", b"ifdef", b"ifndef"):
                dead = current is not None and (current.dead or current.dead_branches[-1])
                said = self._said(directive)
                current = _Group(directive, current, said, dead, 0, [inside], [said is False])
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
        size = len(self._lexical.body)
        while current:
            current.starts.append(size)
            current.closed = size
            current = current.within
        return groups

    def _said(self, directive: Directive) -> bool | None:
        """What a condition comes to on every configuration; None if it depends."""
        if directive.name not in (b"if", b"elif"):
            return None
        found = constant.value(self._lexical.expression(directive), lambda name: None)
        return None if found is None else bool(found)

    def _guarding(self, groups: Sequence[_Group]) -> _Group | None:
        guard = self._lexical.guard()
        if guard is None or not groups or groups[0].opened is not guard:
            return None
        group = groups[0]
        rest = self._lexical.body[group.closed :]
        # Only its own branch, and nothing behind it.
        alone = len(group.starts) == 2 and not _WITHIN.sub(b"", rest).strip()
        return group if alone else None

    def _collect(self, group: _Group, found: list[tuple[int, int, Branch | None, _Group]]) -> None:
        whole = Span(group.opened.span.start, group.closed)
        pairs = zip(group.starts[::2], group.starts[1::2], strict=True)
        number = self._number[id(group)]
        self.restored.append((group.opened.span.start, number, True))
        for index, (start, end) in enumerate(pairs):
            if index:
                self.restored.append((start, number, False))
            branch = None if group is self._guard else Branch(whole, Span(start, end))
            found.append((start, end, branch, group))
            if group.dead_branches[index] and not group.dead:
                self.dead.append((start, end))

    def _stack(self, found: list[tuple[int, int, Branch | None, _Group]]) -> None:
        """Turn branches, which lie within one another, into stacks from byte to byte."""
        self.changes: list[int] = [0]
        self.stacks: list[tuple[Branch, ...]] = [()]
        edges = sorted(
            [(start, 1, branch) for start, end, branch, _ in found if branch and start < end]
            + [(end, 0, branch) for start, end, branch, _ in found if branch and start < end],
            key=lambda edge: (edge[0], edge[1]),
        )
        current: tuple[Branch, ...] = ()
        for at, opens, branch in edges:
            current = (*current, branch) if opens else tuple(b for b in current if b is not branch)
            self.changes.append(at)
            self.stacks.append(current)
