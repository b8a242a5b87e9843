# SPDX-License-Identifier: GPL-2.0-only
"""A C file as its characters are read: comments, strings, directives, #ifdef and braces.

It knows no grammar, so it is a second reading beside the parser's: what is a comment to one
and code to the other, or where a definition ends, shows where neither is to be trusted.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property

from dmabuf_patchgen.errors import Why
from dmabuf_patchgen.tree import pieces
from dmabuf_patchgen.tree.braces import Braces
from dmabuf_patchgen.tree.conditionals import CONDITIONALS, Branch, Conditionals
from dmabuf_patchgen.tree.doubt import Doubt
from dmabuf_patchgen.tree.pieces import Directive, Kind, Piece
from dmabuf_patchgen.tree.tokens import Span, line_start, token_spans

_ENDINGS = CONDITIONALS - {b"if", b"ifdef", b"ifndef"}

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


class Lexical:
    """The map of one C file; made once for a body, see `c.parse`."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        read = pieces.read(body)
        self.directives = read.directives
        self._quoted = read.quoted
        self._braces = read.braces
        self._starts = [piece.start for piece in self._quoted]
        self._directive_starts = [directive.span.start for directive in self.directives]

    @cached_property
    def conditionals(self) -> Conditionals:
        """The #if of the file."""
        return Conditionals(self.body, self.directives)

    @cached_property
    def braces(self) -> Braces:
        """The braces of the file."""
        return Braces(self.body, self._braces, self.conditionals)

    # What a byte is.

    def kind(self, offset: int) -> Kind:
        """What a byte belongs to; a directive's is code, as a macro's body is."""
        piece = self._piece(offset)
        return piece.kind if piece else Kind.CODE

    def comment(self, offset: int) -> Span | None:
        """The comment that goes on over a byte: it began before it and ends behind it."""
        piece = self._piece(offset)
        if piece and piece.kind is Kind.COMMENT and piece.start < offset:
            return Span(piece.start, piece.end)
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
        for opened, closed, kind in self._quoted[bisect_right(self._starts, start - 1) :]:
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
        gone = [(start, end) for start, end, kind in self._quoted if kind is Kind.COMMENT]
        gone += [(s, e) for s, e, _ in self._quoted if self.body[s : s + 1] == b'"']
        gone += self.conditionals.dead
        if not directives:
            gone += [(one.span.start, one.span.end) for one in self.directives]
        for start, end in gone:
            text[start:end] = re.sub(rb"[^\n]", b" ", self.body[start:end])
        return bytes(text)

    def without_dead(self) -> bytes:
        """The file with what is never compiled made blank, byte for byte."""
        if not self.conditionals.dead:
            return self.body
        text = bytearray(self.body)
        for start, end in self.conditionals.dead:
            text[start:end] = re.sub(rb"[^\n]", b" ", self.body[start:end])
        return bytes(text)

    def live(self, offset: int) -> bool:
        """Whether a byte can be compiled at all: not under `#if 0` and the like."""
        return self.conditionals.live(offset)

    def branches(self, offset: int) -> tuple[Branch, ...]:
        """The branches of #if that a byte stands in, outermost first, without a header's guard."""
        return self.conditionals.branches(offset)

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
            elif piece and piece.kind is Kind.COMMENT:
                at = piece.start - 1
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
            elif piece and piece.kind is Kind.COMMENT:
                at = piece.end
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
                elif piece and piece.kind is Kind.COMMENT:
                    at = piece.start
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
            if piece and piece.kind is Kind.COMMENT:
                at = piece.end
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
            if piece is None or piece.kind is not Kind.COMMENT:
                break
            try:
                opened = self.line_before(piece.start)
            except Doubt:  # It belongs to the code before it on the line.
                break
            if b"SPDX-License-Identifier" in self.body[opened : piece.end]:
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
            elif piece and piece.kind is Kind.COMMENT:
                at = piece.end
            else:
                return True
        return False

    # The rest of the reading.

    def _piece(self, offset: int) -> Piece | None:
        at = bisect_right(self._starts, offset) - 1
        if at >= 0 and offset < self._quoted[at].end:
            return self._quoted[at]
        return None
