# SPDX-License-Identifier: GPL-2.0-only
"""Places: what a hunk header names, found in the file exactly once or not at all.

Each form is one function, listed in docs/templates.md. A place has a scope, in which old
lines are looked for, and where the header says before or after something, a point at which
new lines go in.
"""

import fnmatch
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from dmabuf_patchgen.errors import UserError, Why
from dmabuf_patchgen.tree import extent, kernel_doc, labels, makefile, members, statements, text
from dmabuf_patchgen.tree.c import CFile, parse
from dmabuf_patchgen.tree.definition import Definition
from dmabuf_patchgen.tree.doubt import Doubt
from dmabuf_patchgen.tree.lexical import kinds
from dmabuf_patchgen.tree.tokens import (
    Span,
    Tokens,
    line_number,
    line_text,
    quoted,
    words,
    written,
)


class PlaceError(UserError):
    """A place that is not there, is there more than once, or where nothing can be edited.

    why: the kind of it, for those who do not read sentences.
    """

    def __init__(self, why: Why, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.why = why


@dataclass(frozen=True)
class Place:
    """Where a hunk goes.

    scope: the stretch that the place stands for; insertion: gives the byte at which new
    lines go in, or raises PlaceError; None where the hunk's own context says it.
    whole_words: new lines are entries of a set: those already there are left out.
    definition: whether the scope is a definition of C, which begins at its heading;
    comment: whether it is a comment of C.
    """

    scope: Span
    insertion: Callable[[], int] | None = None
    whole_words: bool = False
    definition: bool = False
    comment: bool = False


#: So many lines are named of all that a place could be.
_TOLD = 5


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
    def is_makefile(self) -> bool:
        """Whether places are found by make's syntax."""
        return self.path.rpartition("/")[2] in ("Makefile", "Kbuild")

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
            raise PlaceError(Why.MISSING, f"{self.path}: {what} is not there")
        numbers = [str(line_number(self.body, span.start)) for span in found[:_TOLD]]
        lines = ", ".join(numbers) + (" and more" if len(found) > _TOLD else "")
        raise PlaceError(
            Why.TWICE, f"{self.path}: {what} is there {len(found)} times, in lines {lines}"
        )

    def must_parse(self, what: str, span: Span) -> None:
        """Refuse a place that an error of the parser touches. Raises PlaceError."""
        error = self.c.in_error(span) if self.is_c else None
        if error:
            raise PlaceError(
                Why.DOES_NOT_PARSE,
                f"{self.path}: {what} lies in a region that does not parse, line "
                f"{self._told(error.start)}",
            )

    @contextmanager
    def doubts(self, what: str) -> Iterator[None]:
        """Turn what is in doubt about a place into a refusal of it."""
        try:
            yield
        except Doubt as doubt:
            raise PlaceError(
                doubt.why,
                f"{self.path}: {what}: {doubt.words}, line {self._told(doubt.at)}",
            ) from None
        except RecursionError:
            raise PlaceError(
                Why.DOES_NOT_PARSE, f"{self.path}: {what}: is nested too deeply to be read"
            ) from None

    def _told(self, offset: int) -> str:
        """A line of the file for a message, with its number."""
        return f"{line_number(self.body, offset)}: {quoted(line_text(self.body, offset))}"

    def missing(self, what: str, text: bytes, scope: Span) -> PlaceError:
        """The error for a text that is not in a scope, telling what is there instead."""
        tokens, wanted = Tokens(self.body, scope), words(text)
        decoys = tokens.find(wanted) if self.is_c else []
        if decoys:
            line = line_number(self.body, decoys[0][0].start)
            return PlaceError(
                Why.MISSING,
                f"{self.path}: {what}: what line {line} has is no such code, but a comment, "
                "a string or never compiled",
            )
        stop, length = tokens.nearest(wanted)
        if not length:
            return PlaceError(
                Why.MISSING, f"{self.path}: {what}: found nothing like {quoted(text)}"
            )
        return PlaceError(
            Why.MISSING,
            f"{self.path}: {what}: expected {quoted(written(text, length))} where line "
            f"{line_number(self.body, stop)} has {quoted(line_text(self.body, stop))}",
        )


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
            with source.doubts(place):
                found = function(source, *match.groups())
            return replace(found, insertion=_settled(source, place, found.insertion))
    raise PlaceError(
        Why.WRONG_HUNK,
        f"{source.path}: {quoted(place)} is no form of a place",
        "docs/templates.md lists the forms",
    )


def _settled(
    source: Source, place: str, insertion: Callable[[], int] | None
) -> Callable[[], int] | None:
    """The same, with refusals for doubts."""
    if insertion is None:
        return None

    def settled() -> int:
        with source.doubts(place):
            return insertion()

    return settled


@_form(r"file")
def _file(source: Source) -> Place:
    return Place(source.whole)


@_form(r"end of file")
def _end_of_file(source: Source) -> Place:
    return Place(
        source.whole, lambda: extent.end_of_file(source.c) if source.is_c else len(source.body)
    )


@_form(r"(before|after) line (.+)")
def _line(source: Source, side: str, wanted: str) -> Place:
    def insertion() -> int:
        found = text.lines_of(source.body, wanted)
        if source.is_c:
            found = _code_lines(source, wanted, found)
        line = source.one(f"line {quoted(wanted)}", found)
        point = line.start if side == "before" else line.end
        if source.is_c:
            source.must_parse(f"line {quoted(wanted)}", line)
            return extent.beside_line(source.c, line, side == "after")
        if source.is_makefile:
            makefile.must_be_plain(source.body, line)
        return point

    return Place(source.whole, insertion)


def _code_lines(source: Source, wanted: str, found: Sequence[Span]) -> list[Span]:
    """The lines among those found that are what they seem: code, or a comment if it is one."""
    sought = [kinds(wanted.encode())]
    if wanted.startswith("*"):
        sought.append(kinds(wanted.encode(), in_comment=True))
    return [
        line for line in found if any(len(source.c.matches(tokens, line)) == 1 for tokens in sought)
    ]


@_form(r"sorted lines")
def _sorted_lines(source: Source) -> Place:
    return Place(source.whole, whole_words=True)


@_form(r"(before|after) (function|struct|union|enum|define) (\w+)")
def _beside(source: Source, side: str, kind: str, name: str) -> Place:
    def insertion() -> int:
        definition = _definition(source, kind, name)
        span = definition.span
        edge = span.start if side == "before" else span.end - 1
        source.must_parse(f"{kind} {name}", Span(edge, edge + 1))
        point = (extent.before if side == "before" else extent.after)(source.c, definition)
        source.must_parse(f"{kind} {name}", _between(point, span))
        return point

    return Place(source.whole, insertion)


def _between(point: int, span: Span) -> Span:
    """What lies between a point beside a definition and the definition."""
    return Span(point, span.start + 1) if point <= span.start else Span(span.end - 1, point)


@_form(r"function (\w+), switch \((.+?)\), before (case .+|default)")
def _label(source: Source, name: str, subject: str, label: str) -> Place:
    function = _definition(source, "function", name)

    def insertion() -> int:
        what = f"function {name}, switch ({subject}), {label}"
        found = labels.of_switch(source.c, function, subject)
        span = source.one(
            what, [span for known, span in found if words(known.encode()) == words(label.encode())]
        )
        source.must_parse(what, Span(function.span.start, span.end))
        return labels.before(source.c, function, span)

    return Place(function.span, insertion, definition=True)


@_form(r"function (\w+), after declarations")
def _declarations(source: Source, name: str) -> Place:
    function = _definition(source, "function", name)

    def insertion() -> int:
        point = statements.after_declarations(source.c, function)
        # A declaration that does not parse is none, and must not be taken for a statement.
        rest = source.body[point : function.span.end]
        first = point + len(rest) - len(rest.lstrip()) + 1
        source.must_parse(f"function {name}", Span(function.span.start, first))
        return point

    return Place(function.span, insertion, definition=True)


@_form(r"function (\w+), (before|after) (.+)")
def _statement(source: Source, name: str, side: str, code: str) -> Place:
    function = _definition(source, "function", name)

    def insertion() -> int:
        what = f"function {name}, {quoted(code)}"
        found = _once(source, what, code, function.span)
        statement = statements.around(source.c, function, found)
        source.must_parse(what, Span(function.span.start, statement.end))
        if side == "before":
            return statements.before(source.c, function, found)
        return statements.after(source.c, function, found)

    return Place(function.span, insertion, definition=True)


@_form(r"(struct|union|enum) (\w+), (before|after) (?:field|enumerator) (\w+)")
def _member(source: Source, kind: str, name: str, side: str, member: str) -> Place:
    definition = _definition(source, kind, name)

    def insertion() -> int:
        what = f"{kind} {name}, {member}"
        found = [span for known, span in members.of(source.c, definition) if known == member]
        span = source.one(what, found)
        source.must_parse(what, Span(definition.span.start, span.end))
        if side == "before":
            return members.before(source.c, definition, span)
        return members.after(source.c, definition, span)

    return Place(definition.span, insertion, definition=True)


@_form(r"(function|struct|union|enum) (\w+)")
def _scope(source: Source, kind: str, name: str) -> Place:
    return Place(_definition(source, kind, name).span, definition=True)


@_form(r"kernel-doc (\w+), after @(\w+)")
def _doc_member(source: Source, name: str, member: str) -> Place:
    scope = source.one(f"kernel-doc {name}", kernel_doc.describing(source.c, name))

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

    return Place(scope, insertion, comment=True)


@_form(r"kernel-doc (.+)")
def _doc(source: Source, name: str) -> Place:
    return Place(
        source.one(f"kernel-doc {name}", kernel_doc.describing(source.c, name)), comment=True
    )


@_form(r"after last #define (\S+)")
def _last_define(source: Source, globs: str) -> Place:
    def insertion() -> int:
        family = [
            d
            for d in source.c.definitions
            if d.kind == "define" and any(fnmatch.fnmatchcase(d.name, g) for g in globs.split("|"))
        ]
        if not family:
            raise PlaceError(Why.MISSING, f"{source.path}: no #define is named {globs}")
        source.must_parse(f"#define {globs}", family[-1].span)
        return extent.after(source.c, family[-1])

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
    found = makefile.last(source.body, variable)
    if found is None:
        raise PlaceError(Why.MISSING, f"{source.path}: nothing is assigned to {variable}")
    # `:=` and the `+=` after it make one list; words are added to its end.
    return Place(found.value, whole_words=True)


@_form(r"section (.+)")
def _section(source: Source, title: str) -> Place:
    return Place(source.one(f"section {quoted(title)}", text.rst_sections(source.body, title)))


@_form(r"(before|end of) section (.+)")
def _beside_section(source: Source, side: str, title: str) -> Place:
    def insertion() -> int:
        span = source.one(f"section {quoted(title)}", text.rst_sections(source.body, title))
        return span.start if side == "before" else span.end

    return Place(source.whole, insertion)


def _definition(source: Source, kind: str, name: str) -> Definition:
    found = source.c.named(kind, name)
    span = source.one(f"{kind} {name}", [d.span for d in found])
    definition = next(d for d in found if d.span == span)
    extent.check(source.c, definition)
    return definition


def _once(source: Source, what: str, code: str, scope: Span) -> Span:
    wanted = kinds(code.encode())
    # A statement is not what a #define among the statements says.
    found = [m for m in source.c.matches(wanted, scope) if not source.c.in_directive(m[0])]
    if not found:
        raise source.missing(what, code.encode(), scope)
    return source.one(what, [Span(m[0].start, m[-1].end) for m in found])
