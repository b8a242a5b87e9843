# SPDX-License-Identifier: GPL-2.0-only
"""Whether what a hunk does to a C file is what its author would have done there.

The author of a hunk sees its lines and no more. So the lines stand for themselves: they are
no part of a comment, of an #if or of an `if` without braces that the hunk does not show.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dmabuf_patchgen.errors import Why
from dmabuf_patchgen.render.patch_text import Hunk
from dmabuf_patchgen.render.place import Place, Source
from dmabuf_patchgen.tree import flow, statements
from dmabuf_patchgen.tree.c import CFile, parse
from dmabuf_patchgen.tree.conditionals import CONDITIONALS, Branch
from dmabuf_patchgen.tree.doubt import Doubt
from dmabuf_patchgen.tree.lexical import Lexical
from dmabuf_patchgen.tree.pieces import Kind
from dmabuf_patchgen.tree.tokens import Span, line_number, words


@dataclass(frozen=True, slots=True)
class Run:
    """Lines start..end of a hunk, all - and +, where the file has them.

    places: of each line of the hunk, None for those that are new or blank; in_comment:
    whether the new ones are of a comment that was opened above them.
    """

    hunk: Hunk
    places: Sequence[Span | None]
    start: int
    end: int
    in_comment: bool

    @property
    def before(self) -> list[Span]:
        """The old lines above it."""
        return [span for span in self.places[: self.start] if span]

    @property
    def removed(self) -> list[Span]:
        """The old lines that go."""
        return [span for span in self.places[self.start : self.end] if span]

    @property
    def behind(self) -> list[Span]:
        """The old lines below it."""
        return [span for span in self.places[self.end :] if span]

    @property
    def added(self) -> bytes:
        """The new lines."""
        lines = self.hunk.lines[self.start : self.end]
        return b"".join(text + b"\n" for sign, text in lines if sign == "+")

    @property
    def match(self) -> Span:
        """All that the hunk shows of the file."""
        spans = [span for span in self.places if span]
        return Span(spans[0].start, spans[-1].end)


def must_be_code(source: Source, point: int) -> None:
    """Raise Doubt where new lines would be part of a comment, or of a line that goes on."""
    lexical = source.c.lexical
    directive = lexical.directive(point)
    if lexical.comment(point) or (directive and directive.span.start < point):
        raise Doubt(Why.IN_COMMENT, "new lines would be part of a comment or a macro", point)


def must_be_unconditional(source: Source, place: Place, made: Sequence[list[Span]]) -> None:
    """Raise Doubt where all that makes a hunk present stands under somebody's #if."""
    if source.is_c and made:
        lexical = source.c.lexical
        hidden = [
            spans
            for spans in made
            if _deeper(source.c, place, spans[0].start, lexical.branches(spans[0].start))
        ]
        if len(hidden) == len(made):
            raise Doubt(Why.CONDITIONAL, "is there already, but under an #if", hidden[0][0].start)


def behind_comments(source: Source, end: int) -> int | None:
    """The line behind code that has only comments behind it on its own; None if it has more."""
    if not source.is_c or source.c.lexical.kind(end - 1) is Kind.COMMENT:
        return None
    try:
        return source.c.lexical.line_after(end)
    except Doubt:
        return None


def before_comments(source: Source, start: int) -> int | None:
    """The line of code that has only comments before it on its own; None if it has more."""
    if not source.is_c or source.c.lexical.kind(start) is Kind.COMMENT:
        return None
    try:
        return source.c.lexical.line_before(start)
    except Doubt:
        return None


def must_stand_well(source: Source, place: Place, run: Run, changed: Span) -> None:
    """Raise Doubt where the lines of a run would not be what they are in the hunk."""
    lexical = source.c.lexical
    new = run.added.strip()
    if new and (lexical.comment(changed.start) is not None) != run.in_comment:
        raise Doubt(Why.IN_COMMENT, "new lines would be part of a comment", changed.start)
    if run.in_comment or (new and not _has_code(new)):
        return
    if run.removed:
        _one_for_one(source.c, run)
        return
    branches = lexical.branches_of_new(changed.start)
    if not _shows_directive(run.hunk) and _deeper(source.c, place, changed.start, branches):
        raise Doubt(
            Why.CONDITIONAL, "new lines would be under an #if that the hunk does not show",
            changed.start,
        )  # fmt: skip
    if run.before and not run.behind:
        _not_only_body(source.c, run.before[-1].end, run.match)
    elif run.behind and not run.before:
        _not_body(source.c, run.behind[0].start, Lexical(run.added).code())


def _has_code(text: bytes) -> bool:
    return bool(words(Lexical(text).code()))


def _shows_directive(hunk: Hunk) -> bool:
    lexical = Lexical(b"".join(text + b"\n" for sign, text in hunk.lines if sign in " -"))
    return any(directive.name in CONDITIONALS for directive in lexical.directives)


def _deeper(c: CFile, place: Place, offset: int, branches: Sequence[Branch]) -> bool:
    """Whether a byte stands under an #if that what the place names does not stand under."""
    return len(branches) > len(c.base(place.scope.start if place.definition else offset))


def _not_body(c: CFile, start: int, added: bytes) -> None:
    """Raise Doubt where new statements would be the body of an `if` or a loop without braces."""
    last = c.lexical.code_before(start)
    if added.rstrip()[-1:] in (b";", b"}") and c.body[last : last + 1] != b",":
        statements.begins(c, start)


def _not_only_body(c: CFile, end: int, match: Span) -> None:
    """Raise Doubt where what ends there is the body of an `if` or a loop above the hunk."""
    if c.body[end - 1 : end] not in (b";", b"}"):
        return
    statement = statements.innermost(c, Span(end - 1, end))
    start = None
    while statement is not None and statement.end_byte <= end:
        if flow.is_statement(statement) and statement.end_byte == end:
            start = statement.start_byte
            if start < match.start and statement.type != "compound_statement":
                # The hunk shows the end of something larger.
                line = line_number(c.body, start)
                raise Doubt(Why.NOT_ALONE, f"is but a part of what begins in line {line}", end - 1)
        statement = statement.parent
    if start is None:
        return
    statements.ended(c, end)
    if match.start <= start:
        last = c.lexical.code_before(start)
        if last < match.start:
            statements.begins(c, start)


def _one_for_one(c: CFile, run: Run) -> None:
    """Raise Doubt where the whole body of an `if` without braces goes, and not one comes."""
    first, last = run.removed[0], run.removed[-1]
    above = c.lexical.code_before(first.start)
    if run.before and above >= run.before[0].start:
        # The hunk shows what it is the body of.
        return
    alone = c.lexical.word_at(above) in (b")", b"else", b"do")
    if alone and c.body[last.end - 1 : last.end] in (b";", b"}") and _statements(run.added) != 1:
        statements.begins(c, first.start)


def _statements(text: bytes) -> int:
    """How many statements some lines are; a lone `if` could take the `else` behind it."""
    c = parse(b"void f(void)\n{\n" + text + b"}\n")
    (function,) = c.named("function", "f") or (None,)
    body = function.node.child_by_field_name("body") if function else None
    if body is None or c.errors:
        return 0
    found = [node for node in body.named_children if node.type != "comment"]
    return 0 if any(node.type == "if_statement" for node in found) else len(found)
