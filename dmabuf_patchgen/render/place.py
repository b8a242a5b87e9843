# SPDX-License-Identifier: GPL-2.0-only
"""Places: what a hunk header names, found in the file exactly once or not at all.

Each form is one function, listed in docs/templates.md. A place has a scope, in which old
lines are looked for, and where the header says before or after something, a point at which
new lines go in.
"""

import fnmatch
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.tree import text
from dmabuf_patchgen.tree.c import CFile, Definition, parse
from dmabuf_patchgen.tree.tokens import (
    Span,
    Tokens,
    line_end,
    line_number,
    line_start,
    line_text,
    words,
)


class PlaceError(UserError):
    """A place that is not there, is there more than once, or lies where nothing parses."""


@dataclass(frozen=True)
class Place:
    """Where a hunk goes.

    scope: the stretch that the place stands for; insertion: gives the byte at which new
    lines go in, or raises PlaceError; None where the hunk's own context says it.
    whole_words: new lines are entries of a set: those already there are left out.
    """

    scope: Span
    insertion: Callable[[], int] | None = None
    whole_words: bool = False


class Source:
    """A file in which places are looked for."""

    def __init__(self, path: str, body: bytes) -> None:
        self.path = path
        self.body = body

    @property
    def is_c(self) -> bool:
        """Whether places are found by C's syntax."""
        return self.path.endswith((".c", ".h"))

    @property
    def c(self) -> CFile:
        """The file, parsed."""
        return parse(self.body)

    @property
    def whole(self) -> Span:
        """The whole file."""
        return Span(0, len(self.body))

    def one(self, what: str, found: Sequence[Span]) -> Span:
        """The only one of the places found. Raises PlaceError."""
        if len(found) == 1:
            return found[0]
        if not found:
            raise PlaceError(f"{self.path}: {what} is not there")
        lines = ", ".join(str(line_number(self.body, span.start)) for span in found)
        raise PlaceError(f"{self.path}: {what} is there {len(found)} times, in lines {lines}")

    def must_parse(self, what: str, span: Span) -> None:
        """Refuse a place that an error of the parser touches. Raises PlaceError."""
        error = self.c.in_error(span) if self.is_c else None
        if error:
            raise PlaceError(
                f"{self.path}: {what} lies in a region that does not parse, line "
                f"{line_number(self.body, error.start)}: {line_text(self.body, error.start)!r}"
            )

    def missing(self, what: str, wanted: Sequence[bytes], scope: Span) -> PlaceError:
        """The error for tokens that are not in a scope, telling what is there instead."""
        stop, length = Tokens(self.body, scope).nearest(wanted)
        there = f"line {line_number(self.body, stop)} has {line_text(self.body, stop)!r}"
        if not length:
            first = b" ".join(wanted[:6]).decode(errors="replace")
            return PlaceError(f"{self.path}: {what}: found nothing like {first!r}")
        expected = wanted[length].decode(errors="replace") if length < len(wanted) else ""
        return PlaceError(f"{self.path}: {what}: expected {expected!r} where {there}")


_FORMS: list[tuple[re.Pattern[str], Callable[..., Place]]] = []


def _form(pattern: str) -> Callable[[Callable[..., Place]], Callable[..., Place]]:
    def add(function: Callable[..., Place]) -> Callable[..., Place]:
        _FORMS.append((re.compile(pattern), function))
        return function

    return add


def find(source: Source, place: str) -> Place:
    """The place that a hunk header names. Raises PlaceError."""
    for pattern, function in _FORMS:
        match = pattern.fullmatch(place)
        if match:
            return function(source, *match.groups())
    raise PlaceError(
        f"{source.path}: {place!r} is no form of a place", "docs/templates.md lists the forms"
    )


@_form(r"file")
def _file(source: Source) -> Place:
    return Place(source.whole)


@_form(r"end of file")
def _end_of_file(source: Source) -> Place:
    return Place(source.whole, lambda: len(source.body))


@_form(r"(before|after) line (.+)")
def _line(source: Source, side: str, wanted: str) -> Place:
    def insertion() -> int:
        line = source.one(f"line {wanted!r}", text.lines_of(source.body, wanted))
        return line.start if side == "before" else line.end

    return Place(source.whole, insertion)


@_form(r"sorted lines")
def _sorted_lines(source: Source) -> Place:
    return Place(source.whole, whole_words=True)


@_form(r"(before|after) (function|struct|union|enum|define) (\w+)")
def _beside(source: Source, side: str, kind: str, name: str) -> Place:
    def insertion() -> int:
        span = _definition(source, kind, name).span
        edge = span.start if side == "before" else span.end - 1
        source.must_parse(f"{kind} {name}", Span(edge, edge + 1))
        if kind in ("struct", "union", "enum"):
            # Without its closing brace it takes in what follows, and its end is anywhere.
            source.must_parse(f"{kind} {name}", Span(span.start, line_end(source.body, span.start)))
        around = source.c.with_comment(span)
        return around.start if side == "before" else around.end

    return Place(source.whole, insertion)


@_form(r"function (\w+), switch \((.+?)\), before (case .+|default)")
def _label(source: Source, name: str, subject: str, label: str) -> Place:
    function = _definition(source, "function", name)

    def insertion() -> int:
        what = f"function {name}, switch ({subject}), {label}"
        labels = source.c.switch_labels(function, subject)
        span = source.one(
            what, [span for said, span in labels if words(said.encode()) == words(label.encode())]
        )
        source.must_parse(what, span)
        return line_start(source.body, span.start)

    return Place(function.span, insertion)


@_form(r"function (\w+), after declarations")
def _declarations(source: Source, name: str) -> Place:
    function = _definition(source, "function", name)

    def insertion() -> int:
        point = source.c.after_declarations(function)
        if point is None:
            raise PlaceError(f"{source.path}: function {name} has no body that parses")
        # A declaration that does not parse is none, and must not be taken for a statement.
        rest = source.body[point : function.span.end]
        first = point + len(rest) - len(rest.lstrip()) + 1
        source.must_parse(f"function {name}", Span(function.span.start, first))
        return point

    return Place(function.span, insertion)


@_form(r"function (\w+), (before|after) (.+)")
def _statement(source: Source, name: str, side: str, code: str) -> Place:
    function = _definition(source, "function", name)

    def insertion() -> int:
        what = f"function {name}, {code!r}"
        statement = source.c.statement(_once(source, what, words(code.encode()), function.span))
        if statement is None:
            raise PlaceError(f"{source.path}: {what} stands in no statement")
        source.must_parse(what, statement)
        if side == "before":
            return line_start(source.body, statement.start)
        return line_end(source.body, statement.end - 1)

    return Place(function.span, insertion)


@_form(r"(struct|union|enum) (\w+), (before|after) (?:field|enumerator) (\w+)")
def _member(source: Source, kind: str, name: str, side: str, member: str) -> Place:
    definition = _definition(source, kind, name)

    def insertion() -> int:
        what = f"{kind} {name}, {member}"
        found = [span for said, span in source.c.members(definition) if said == member]
        span = source.one(what, found)
        around = source.c.with_comment(span)
        source.must_parse(what, around)
        return around.start if side == "before" else around.end

    return Place(definition.span, insertion)


@_form(r"(function|struct|union|enum) (\w+)")
def _scope(source: Source, kind: str, name: str) -> Place:
    return Place(_definition(source, kind, name).span)


@_form(r"kernel-doc (\w+), after @(\w+)")
def _doc_member(source: Source, name: str, member: str) -> Place:
    scope = source.one(f"kernel-doc {name}", source.c.kernel_doc(name))

    def insertion() -> int:
        comment = source.body[scope.start : scope.end]
        # A member's description goes on until the next one, a bare star or the end.
        described = re.compile(
            rb"^[ \t]*\*[ \t]*@" + member.encode() + rb":[^\n]*\n"
            rb"(?:(?![ \t]*\*(?:/|[ \t]*$|[ \t]*@\w+:))[^\n]*\n)*",
            re.M,
        )
        spans = [
            Span(scope.start + m.start(), scope.start + m.end())
            for m in described.finditer(comment)
        ]
        return source.one(f"kernel-doc {name}, @{member}", spans).end

    return Place(scope, insertion)


@_form(r"kernel-doc (.+)")
def _doc(source: Source, name: str) -> Place:
    return Place(source.one(f"kernel-doc {name}", source.c.kernel_doc(name)))


@_form(r"after last #define (\S+)")
def _last_define(source: Source, globs: str) -> Place:
    def insertion() -> int:
        family = [
            d.span
            for d in source.c.definitions
            if d.kind == "define" and any(fnmatch.fnmatchcase(d.name, g) for g in globs.split("|"))
        ]
        if not family:
            raise PlaceError(f"{source.path}: no #define is named {globs}")
        source.must_parse(f"#define {globs}", family[-1])
        return line_end(source.body, family[-1].end - 1)

    return Place(source.whole, insertion)


@_form(r"includes")
def _includes(source: Source) -> Place:
    return Place(source.whole, whole_words=True)


@_form(r"config (\w+)")
def _config(source: Source, symbol: str) -> Place:
    return Place(source.one(f"config {symbol}", text.kconfig_entries(source.body, symbol)))


@_form(r"(before|after) config (\w+)")
def _beside_config(source: Source, side: str, symbol: str) -> Place:
    def insertion() -> int:
        span = source.one(f"config {symbol}", text.kconfig_entries(source.body, symbol))
        return span.start if side == "before" else span.end

    return Place(source.whole, insertion)


@_form(r"list (\S+)")
def _list(source: Source, variable: str) -> Place:
    found = text.makefile_lists(source.body, variable)
    if not found:
        raise PlaceError(f"{source.path}: nothing is assigned to {variable}")
    # `:=` and the `+=` after it make one list; words are added to its end.
    return Place(found[-1], whole_words=True)


@_form(r"section (.+)")
def _section(source: Source, title: str) -> Place:
    return Place(source.one(f"section {title!r}", text.rst_sections(source.body, title)))


@_form(r"(before|end of) section (.+)")
def _beside_section(source: Source, side: str, title: str) -> Place:
    def insertion() -> int:
        span = source.one(f"section {title!r}", text.rst_sections(source.body, title))
        return span.start if side == "before" else span.end

    return Place(source.whole, insertion)


def _definition(source: Source, kind: str, name: str) -> Definition:
    found = source.c.named(kind, name)
    span = source.one(f"{kind} {name}", [d.span for d in found])
    return next(d for d in found if d.span == span)


def _once(source: Source, what: str, wanted: list[bytes], scope: Span) -> Span:
    tokens = Tokens(source.body, scope)
    found = tokens.find(wanted)
    if not found:
        raise source.missing(what, wanted, scope)
    spans = [tokens.spans(at, len(wanted)) for at in found]
    return source.one(what, [Span(s[0].start, s[-1].end) for s in spans])
