# SPDX-License-Identifier: GPL-2.0-only
"""Hunks applied to a file: by tokens, exactly once, without fuzz."""

import re
from dataclasses import dataclass
from enum import Enum

from dmabuf_patchgen.errors import Why
from dmabuf_patchgen.render import beside
from dmabuf_patchgen.render.patch_text import Hunk
from dmabuf_patchgen.render.place import Place, PlaceError, Source, find
from dmabuf_patchgen.render.sides import Sides
from dmabuf_patchgen.tree import makefile
from dmabuf_patchgen.tree.c import parse
from dmabuf_patchgen.tree.tokens import (
    Span,
    line_end,
    line_number,
    line_start,
    line_text,
    quoted,
    words,
)

_INCLUDE = re.compile(rb"#include\s+([<\"][^>\"]+[>\"])")


class State(Enum):
    """What a hunk found."""

    APPLIED = "applied"
    PRESENT = "present"
    #: An entry of a set that was there already, which says nothing about the patch.
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True)
class Edited:
    """A file after a hunk."""

    state: State
    body: bytes


def apply(hunk: Hunk, body: bytes | None) -> Edited:
    """Apply a hunk to a file, None where the tree has no such file.

    A hunk whose new side is already there is PRESENT and changes nothing.
    Raises PlaceError if its place or its old lines are not there exactly once.
    """
    if hunk.place == "new file":
        return _new_file(hunk, body)
    if body is None:
        raise PlaceError(Why.NO_SUCH_FILE, f"{hunk.path}: the tree has no such file")
    source = Source(hunk.path, body)
    place = find(source, hunk.place)
    with source.doubts(hunk.place):
        if place.whole_words:
            return _add_to_set(hunk, source, place)
        if place.insertion is not None:
            return _insert(hunk, source, place)
        return _replace(hunk, source, place)


def _insert(hunk: Hunk, source: Source, place: Place) -> Edited:
    """New lines at a point."""
    assert place.insertion is not None
    if not hunk.only_adds:
        raise PlaceError(
            Why.WRONG_HUNK, f"{hunk.path}: {hunk.place}: before and after take only + lines"
        )
    sides = Sides(hunk, source, place)
    if sides.new or _defined_already(hunk, source):
        beside.must_be_unconditional(source, place, sides.new)
        return Edited(State.PRESENT, source.body)
    point = place.insertion()
    if source.is_c and not place.comment:
        beside.must_be_code(source, point)
    change = _Change(Span(point, point), _joined(hunk.added))
    return Edited(State.APPLIED, change.made(source.body))


def _replace(hunk: Hunk, source: Source, place: Place) -> Edited:
    """Lines that go, and new ones beside others."""
    body = source.body
    if not hunk.side(" -"):
        raise PlaceError(
            Why.WRONG_HUNK, f"{hunk.path}: {hunk.place}: the hunk has no context and no - line"
        )
    sides = Sides(hunk, source, place)
    found = sides.old
    if sides.new:
        # What is done in one place may yet have to be done in another; the new side often
        # begins as the old one does, which then is no such place.
        found = [
            spans
            for spans in found
            if not any(
                made[0].start <= spans[0].start and spans[-1].end <= made[-1].end
                for made in sides.new
            )
        ]
        if not found:
            beside.must_be_unconditional(source, place, sides.new)
            return Edited(State.PRESENT, body)
        if not any(sign == "-" and words(text) for sign, text in hunk.lines):
            found = sorted([*found, *sides.new], key=lambda spans: spans[0].start)
    if not found:
        raise source.missing(hunk.place, hunk.text(" -"), place.scope)
    first = source.one(
        f"{hunk.place}: context {quoted(hunk.text(' -'))}",
        [Span(m[0].start, m[-1].end) for m in found],
    )
    start = place.scope.start if place.definition else first.start
    source.must_parse(hunk.place, Span(start, first.end))
    return Edited(State.APPLIED, _replaced(hunk, source, place, sides, found[0]))


def _defined_already(hunk: Hunk, source: Source) -> bool:
    """Whether the file has every function that the hunk would define.

    By name only: a later patch of the same series, or of another, may have added to it.
    """
    if not source.is_c:
        return False
    new = parse(_joined(hunk.added)).definitions
    functions = [d.name for d in new if d.kind == "function"]
    return bool(functions) and all(source.c.named("function", name) for name in functions)


def _new_file(hunk: Hunk, body: bytes | None) -> Edited:
    if not hunk.only_adds:
        raise PlaceError(Why.WRONG_HUNK, f"{hunk.path}: a new file takes only + lines")
    content = _joined(hunk.added)
    if body is None:
        return Edited(State.APPLIED, content)
    if body == content:
        return Edited(State.PRESENT, body)
    raise PlaceError(
        Why.TAKEN, f"{hunk.path}: the tree already has such a file, with other content"
    )


def _joined(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


@dataclass(frozen=True, slots=True)
class _Change:
    """A replacement of bytes; several are made from the last to the first."""

    span: Span
    text: bytes

    def made(self, body: bytes) -> bytes:
        """The file with it, in which new lines end as those above them do.

        They never go on the last one that lacks its newline.
        """
        head, tail = body[: self.span.start], body[self.span.end :]
        above = head if b"\n" in head else body
        ends = above[: above.rfind(b"\n") + 1].endswith(b"\r\n")
        text = self.text.replace(b"\n", b"\r\n") if ends else self.text
        if text.endswith(b"\n") and head[-1:] not in (b"", b"\n") and self.span.start == len(body):
            head += b"\r\n" if ends else b"\n"
        return head + text + tail


def _replaced(hunk: Hunk, source: Source, place: Place, sides: Sides, match: list[Span]) -> bytes:
    """The file with the hunk's - lines gone and + lines in, its context untouched."""
    # Give each old line the stretch of its tokens; a blank line has none.
    at = 0
    places: list[Span | None] = []
    for sign, text in hunk.lines:
        count = len(words(text)) if sign in " -" else 0
        own = match[at : at + count]
        places.append(Span(own[0].start, own[-1].end) if own else None)
        at += count
    changes = []
    index = 0
    while index < len(hunk.lines):
        if hunk.lines[index][0] == " ":
            index += 1
            continue
        end = index
        while end < len(hunk.lines) and hunk.lines[end][0] != " ":
            end += 1
        change = _change(hunk, source, places, index, end)
        if source.is_c:
            run = beside.Run(hunk, places, index, end, sides.in_comment(index, end))
            beside.must_stand_well(source, place, run, change.span)
        changes.append(change)
        index = end
    body = source.body
    for change in reversed(changes):
        body = change.made(body)
    return body


def _change(hunk: Hunk, source: Source, places: list[Span | None], start: int, end: int) -> _Change:
    """What lines start..end of a hunk, a run of - and +, do to the file."""
    body = source.body
    added = [text for sign, text in hunk.lines[start:end] if sign == "+"]
    removed = [places[i] for i in range(start, end) if hunk.lines[i][0] == "-"]
    gone = [span for span in removed if span]
    if not gone:
        point = after = _between(hunk, source, places, start, end)
        # Blank lines that go are below the context above, or else above that below.
        for _ in removed:
            if any(places[:start]):
                after = _skip_blank(body, after)
            else:
                point = _skip_blank_back(body, point)
        return _Change(Span(point, after), _joined(added))
    first, last = gone[0].start, gone[-1].end
    opens, closes = line_start(body, first), line_end(body, last - 1)
    if body[opens:first].strip() or body[last:closes].strip():
        # Part of a line: the edit stays within it.
        return _Change(Span(first, last), b"\n".join(added).strip())
    # Blank lines that the hunk removes before and after those with tokens.
    for _ in range(next(i for i, span in enumerate(removed) if span)):
        opens = _skip_blank_back(body, opens)
    for _ in range(next(i for i, span in enumerate(reversed(removed)) if span)):
        closes = _skip_blank(body, closes)
    return _Change(Span(opens, closes), _joined(added))


def _between(hunk: Hunk, source: Source, places: list[Span | None], start: int, end: int) -> int:
    """Where + lines go in that stand beside context only."""
    body = source.body
    before = [span for span in places[:start] if span]
    if before:
        point = line_end(body, before[-1].end - 1)
        if body[before[-1].end : point].strip():
            behind = beside.behind_comments(source, before[-1].end)
            if behind is None:
                raise _in_mid_line(hunk, body, before[-1].end)
            point = behind
        for span in reversed(places[:start]):
            if span:
                break
            point = _skip_blank(body, point)
        return point
    following = next(span for span in places[end:] if span)
    point = line_start(body, following.start)
    if body[point : following.start].strip():
        above = beside.before_comments(source, following.start)
        if above is None:
            raise _in_mid_line(hunk, body, following.start)
        point = above
    for span in places[end:]:
        if span:
            break
        point = _skip_blank_back(body, point)
    return point


def _in_mid_line(hunk: Hunk, body: bytes, offset: int) -> PlaceError:
    return PlaceError(
        Why.NOT_ALONE,
        f"{hunk.path}: {hunk.place}: context ends within line {line_number(body, offset)}, "
        f"{quoted(line_text(body, offset))}",
        "let the hunk's context end where a line of the file ends",
    )


def _skip_blank(body: bytes, point: int) -> int:
    end = line_end(body, point)
    return point if body[point:end].strip() or point == end else end


def _skip_blank_back(body: bytes, point: int) -> int:
    start = line_start(body, point - 1) if point else 0
    return point if body[start:point].strip() else start


def _add_to_set(hunk: Hunk, source: Source, place: Place) -> Edited:
    """Entries added to what is a set by nature: includes, a list of words, sorted lines."""
    if not hunk.only_adds:
        raise PlaceError(Why.WRONG_HUNK, f"{hunk.path}: {hunk.place}: takes only + lines")
    body = source.body
    for line in hunk.added:
        if hunk.place == "includes":
            body = _with_include(source.path, body, line)
        elif hunk.place == "sorted lines":
            body = _with_line(body, line)
        else:
            body = _with_word(hunk, body, line.strip())
    return Edited(State.APPLIED if body != source.body else State.NEUTRAL, body)


def _with_include(path: str, body: bytes, line: bytes) -> bytes:
    wanted = _INCLUDE.match(line)
    source = Source(path, body)
    there = source.c.includes()
    if wanted is None:
        raise PlaceError(Why.WRONG_HUNK, f"{path}: {quoted(line)} is no #include")
    header = wanted.group(1).decode()
    if any(name == header for name, _ in there):
        return body
    family = [(n, s) for n, s in there if n.partition("/")[0] == header.partition("/")[0]]
    if not family:
        raise PlaceError(Why.MISSING, f"{path}: no include is of the kind of {header}")
    # Before the first that sorts after it, behind the last that does not.
    for name, span in family:
        if name.rstrip('>"') > header.rstrip('>"'):
            point = source.c.lexical.line_before(span.start)
            break
    else:
        point = source.c.lexical.line_after(family[-1][1].end)
    return _Change(Span(point, point), line + b"\n").made(body)


def _with_line(body: bytes, line: bytes) -> bytes:
    lines = body.splitlines(keepends=True)
    if any(have.split() == line.split() for have in lines):
        return body
    point = len(body)
    at = 0
    for have in lines:
        if have.strip() and not have.startswith(b"#") and have.rstrip(b"\r\n") > line:
            point = at
            break
        at += len(have)
    return _Change(Span(point, point), line + b"\n").made(body)


def _with_word(hunk: Hunk, body: bytes, word: bytes) -> bytes:
    variable = hunk.place.removeprefix("list ")
    if makefile.has(body, variable, word):
        return body
    span = find(Source(hunk.path, body), hunk.place).scope
    listed = body[span.start : span.end]
    if b"\n" not in listed:
        text = b" " + word if listed.strip() else word
    else:
        indent = re.match(rb"[ \t]*", listed[listed.rfind(b"\n") + 1 :])
        text = b" \\\n" + (indent.group() if indent else b"\t") + word
    return _Change(Span(span.end, span.end), text).made(body)
