# SPDX-License-Identifier: GPL-2.0-only
"""How far a definition goes, and where new text goes beside all that belongs to it."""

import re

from dmabuf_patchgen.errors import Why
from dmabuf_patchgen.tree.c import CFile
from dmabuf_patchgen.tree.conditionals import CONDITIONALS
from dmabuf_patchgen.tree.definition import Definition
from dmabuf_patchgen.tree.doubt import Doubt
from dmabuf_patchgen.tree.parser import ANNOTATION
from dmabuf_patchgen.tree.pieces import Kind
from dmabuf_patchgen.tree.tokens import Span, line_end, line_number

_BLANK_LINE = re.compile(rb"\n[ \t\r]*\n")


def check(c: CFile, definition: Definition) -> None:
    """Raise Doubt where it is not certain how far a function, struct, union or enum goes.

    The parser passes over what it cannot read, and may so take in what follows, or declarations
    above as those of old-style parameters. So its reading has to be that of the braces, none of
    which may stand in column 0 in between, and no heading ends a statement.
    """
    body = definition.node.child_by_field_name("body")
    if body is None:
        return
    lexical, opening = c.lexical, body.start_byte
    if lexical.braces.opening(definition.span.start) != opening:
        raise Doubt(
            Why.UNCLEAR_END,
            "has another body to the parser than behind its name",
            definition.span.start,
        )
    if b";" in lexical.plain(definition.span.start, opening):
        raise Doubt(
            Why.UNCLEAR_END,
            "begins with another declaration to the parser",
            definition.span.start,
        )
    closing = lexical.braces.closing(opening)
    if closing is None or closing != body.end_byte - 1:
        read = f"line {line_number(c.body, closing)}" if closing else "no line"
        parsed = line_number(c.body, body.end_byte - 1)
        raise Doubt(
            Why.UNCLEAR_END,
            f"ends in line {parsed} to the parser, and in {read} by its braces",
            definition.span.start,
        )
    early = lexical.braces.in_column_0(opening, closing)
    if early is not None:
        line = line_number(c.body, early)
        raise Doubt(
            Why.UNCLEAR_END,
            f"has a brace in column 0 before its end, line {line}",
            definition.span.start,
        )
    if lexical.branches(opening) != lexical.branches(closing):
        raise Doubt(
            Why.CONDITIONAL, "does not begin and end under the same #if", definition.span.start
        )


def before(c: CFile, definition: Definition) -> int:
    """The line before a definition and all that belongs to it. Raises Doubt.

    That is a type, an attribute or a macro on a line of its own above the name, and the
    comments above.
    """
    if definition.kind == "define":
        directive = _directive(c, definition)
        start = directive.start
    else:
        _one_heading(c, definition)
        start = _heading(c, definition.span.start)
    return c.lexical.outside(c.lexical.with_comments(start), (), after=False)


def after(c: CFile, definition: Definition) -> int:
    """The line behind a definition, its semicolon and the comment behind it. Raises Doubt."""
    if definition.kind == "define":
        end = _directive(c, definition).end
    else:
        _one_heading(c, definition)
        body = definition.node.child_by_field_name("body")
        end = body.end_byte if body is not None else definition.span.end
        if definition.kind != "function":
            end = _semicolon(c, end)
    return c.lexical.outside(c.lexical.line_after(end), (), after=True)


def end_of_file(c: CFile) -> int:
    """Behind the last line of a file, which in a header is within its guard. Raises Doubt."""
    conditionals = c.lexical.conditionals
    if conditionals.guarded:
        inside = conditionals.guarded
        return max(inside.start, line_end(c.body, len(c.body[: inside.end].rstrip()) - 1))
    if conditionals.whole:
        raise Doubt(
            Why.CONDITIONAL,
            "all of the file is under an #if that is no guard of a header",
            conditionals.whole.start,
        )
    return len(c.body)


def beside_line(c: CFile, line: Span, after: bool) -> int:
    """The line before or behind a line, which has to be whole. Raises Doubt."""
    lexical, body = c.lexical, c.body
    first = (
        line.start + len(body[line.start : line.end]) - len(body[line.start : line.end].lstrip())
    )
    if lexical.kind(first) is Kind.COMMENT:
        return line.end if after else line.start
    directive = lexical.directive(first)
    span = (
        directive.span
        if directive
        else Span(first, line.start + len(body[line.start : line.end].rstrip()))
    )
    point = lexical.line_after(span.end) if after else lexical.line_before(span.start)
    return lexical.outside(point, c.base(first), after)


def _directive(c: CFile, definition: Definition) -> Span:
    directive = c.lexical.directive(definition.span.start)
    if directive is None:
        raise Doubt(Why.DOES_NOT_PARSE, "is no directive", definition.span.start)
    return directive.span


def _one_heading(c: CFile, definition: Definition) -> None:
    body = definition.node.child_by_field_name("body")
    opening = body.start_byte if body is not None else definition.span.end
    for directive in c.lexical.directives_in(definition.span.start, opening):
        if directive.name in CONDITIONALS:
            raise Doubt(Why.CONDITIONAL, "has an #if in its heading", directive.span.start)


def _heading(c: CFile, start: int) -> int:
    """The first line of the code that a definition begins with. Raises Doubt."""
    lexical = c.lexical
    first = c.body.rfind(b"\n", 0, start) + 1
    if not ANNOTATION.sub(b"", c.body[first:start]).strip():
        # The parser does not see an annotation that stands first.
        start = first
    while True:
        line = lexical.line_before(start)
        last = lexical.code_before(line)
        if last < 0 or c.body[last : last + 1] in (b";", b"{", b"}"):
            return line
        gap = lexical.plain(last + 1, line)
        if b"#" not in gap and not _BLANK_LINE.search(gap):
            start = lexical.code_after(max(0, c.body.rfind(b"\n", 0, last) + 1))
            continue
        if c.body[last : last + 1] == b")" and not _is_attribute(c, last):
            # A macro that stands for itself, such as module_init(), though without `;`.
            return line
        raise Doubt(Why.UNCLEAR_END, "may begin further up", start)


def _is_attribute(c: CFile, last: int) -> bool:
    """Whether the parenthesis that ends at a byte is that of an attribute."""
    depth = 0
    for at in range(last, -1, -1):
        depth += {b")": 1, b"(": -1}.get(c.body[at : at + 1], 0)
        if not depth:
            word = c.lexical.word_at(c.lexical.code_before(at))
            return word.startswith(b"__") or word == b"asm"
    return True


def _semicolon(c: CFile, end: int) -> int:
    """The byte behind the semicolon that ends what has a body, initial values included."""
    at = c.lexical.code_after(end)
    while c.body[at : at + 1] not in (b";", b"", b"}"):
        if c.body[at : at + 1] == b"{":
            closing = c.lexical.braces.closing(at)
            if closing is None:
                break
            at = closing
        at = c.lexical.code_after(at + 1)
    if c.body[at : at + 1] != b";":
        raise Doubt(Why.UNCLEAR_END, "has no semicolon behind it", end)
    return at + 1
