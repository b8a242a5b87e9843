# SPDX-License-Identifier: GPL-2.0-only
"""Hunks applied to a file: by tokens, exactly once, without fuzz."""

import re
from dataclasses import dataclass
from enum import Enum

from dmabuf_patchgen.render.patch_text import Hunk
from dmabuf_patchgen.render.place import Place, PlaceError, Source, find
from dmabuf_patchgen.tree.c import parse
from dmabuf_patchgen.tree.text import makefile_lists
from dmabuf_patchgen.tree.tokens import (
    Span,
    Tokens,
    line_end,
    line_number,
    line_start,
    line_text,
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
        raise PlaceError(f"{hunk.path}: the tree has no such file")
    source = Source(hunk.path, body)
    place = find(source, hunk.place)
    if place.whole_words:
        return _add_to_set(hunk, source, place)
    tokens = Tokens(body, place.scope)
    old, new = hunk.side(" -"), hunk.side(" +")
    if place.insertion is not None:
        if not hunk.only_adds:
            raise PlaceError(f"{hunk.path}: {hunk.place}: before and after take only + lines")
        if tokens.find(new) or _defined_already(hunk, source):
            return Edited(State.PRESENT, body)
        change = _Change(Span(*[place.insertion()] * 2), _joined(hunk.added))
        return Edited(State.APPLIED, change.made(body))
    if not old:
        raise PlaceError(f"{hunk.path}: {hunk.place}: the hunk has no context and no - line")
    found = tokens.find(old)
    done = tokens.find(new)
    if done:
        # What is done in one place may yet have to be done in another; the new side often
        # begins as the old one does, which then is no such place.
        found = [
            at
            for at in found
            if not any(made <= at and at + len(old) <= made + len(new) for made in done)
        ]
        if not found:
            return Edited(State.PRESENT, body)
        if not any(sign == "-" and words(text) for sign, text in hunk.lines):
            found += done
    if not found:
        raise source.missing(hunk.place, old, place.scope)
    matches = [tokens.spans(at, len(old)) for at in sorted(found)]
    first = source.one(
        f"{hunk.place}: context {_excerpt(old)!r}", [Span(m[0].start, m[-1].end) for m in matches]
    )
    source.must_parse(hunk.place, first)
    return Edited(State.APPLIED, _replaced(hunk, body, matches[0]))


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
        raise PlaceError(f"{hunk.path}: a new file takes only + lines")
    content = _joined(hunk.added)
    if body is None:
        return Edited(State.APPLIED, content)
    if body == content:
        return Edited(State.PRESENT, body)
    raise PlaceError(f"{hunk.path}: the tree already has such a file, with other content")


def _joined(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def _excerpt(wanted: list[bytes]) -> str:
    return b" ".join(wanted[:8]).decode(errors="replace")


@dataclass(frozen=True, slots=True)
class _Change:
    """A replacement of bytes; several are made from the last to the first."""

    span: Span
    text: bytes

    def made(self, body: bytes) -> bytes:
        """The file with it; new lines never go on the last one that lacks its newline."""
        head, tail = body[: self.span.start], body[self.span.end :]
        within = head[-1:] not in (b"", b"\n") and self.span.start == len(body)
        return head + (b"\n" if within else b"") + self.text + tail


def _replaced(hunk: Hunk, body: bytes, match: list[Span]) -> bytes:
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
        changes.append(_change(hunk, body, places, index, end))
        index = end
    for change in reversed(changes):
        body = change.made(body)
    return body


def _change(hunk: Hunk, body: bytes, places: list[Span | None], start: int, end: int) -> _Change:
    """What lines start..end of a hunk, a run of - and +, do to the file."""
    added = [text for sign, text in hunk.lines[start:end] if sign == "+"]
    removed = [places[i] for i in range(start, end) if hunk.lines[i][0] == "-"]
    gone = [span for span in removed if span]
    if not gone:
        point = after = _between(hunk, body, places, start, end)
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


def _between(hunk: Hunk, body: bytes, places: list[Span | None], start: int, end: int) -> int:
    """Where + lines go in that stand beside context only."""
    before = [span for span in places[:start] if span]
    if before:
        point = line_end(body, before[-1].end - 1)
        if body[before[-1].end : point].strip():
            raise _in_mid_line(hunk, body, before[-1].end)
        for span in reversed(places[:start]):
            if span:
                break
            point = _skip_blank(body, point)
        return point
    following = next(span for span in places[end:] if span)
    point = line_start(body, following.start)
    if body[point : following.start].strip():
        raise _in_mid_line(hunk, body, following.start)
    for span in places[end:]:
        if span:
            break
        point = _skip_blank_back(body, point)
    return point


def _in_mid_line(hunk: Hunk, body: bytes, offset: int) -> PlaceError:
    return PlaceError(
        f"{hunk.path}: {hunk.place}: context ends within line {line_number(body, offset)}, "
        f"{line_text(body, offset)!r}",
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
        raise PlaceError(f"{hunk.path}: {hunk.place}: takes only + lines")
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
        raise PlaceError(f"{path}: {line.decode(errors='replace')!r} is no #include")
    header = wanted.group(1).decode()
    if any(name == header for name, _ in there):
        return body
    family = [(n, s) for n, s in there if n.partition("/")[0] == header.partition("/")[0]]
    if not family:
        raise PlaceError(f"{path}: no include is of the kind of {header}")
    # Before the first that sorts after it, behind the last that does not.
    for name, span in family:
        if name.rstrip('>"') > header.rstrip('>"'):
            point = line_start(body, span.start)
            break
    else:
        point = line_end(body, family[-1][1].end - 1)
    return body[:point] + line + b"\n" + body[point:]


def _with_line(body: bytes, line: bytes) -> bytes:
    lines = body.split(b"\n")
    if any(have.split() == line.split() for have in lines):
        return body
    at = len(lines) - 1 if lines[-1] == b"" else len(lines)
    for index, have in enumerate(lines):
        if have.strip() and not have.startswith(b"#") and have > line:
            at = index
            break
    lines.insert(at, line)
    joined = b"\n".join(lines)
    return joined if joined.endswith(b"\n") else joined + b"\n"


def _with_word(hunk: Hunk, body: bytes, word: bytes) -> bytes:
    span = find(Source(hunk.path, body), hunk.place).scope
    listed = body[span.start : span.end]
    lists = makefile_lists(body, hunk.place.removeprefix("list "))
    if any(word in body[s.start : s.end].replace(b"\\\n", b" ").split() for s in lists):
        return body
    if b"\\\n" in listed:
        last = listed.rstrip()
        indent = re.match(rb"[ \t]*", last[last.rfind(b"\n") + 1 :])
        space = indent.group() if indent else b"\t"
        return body[: span.start] + last + b" \\\n" + space + word + body[span.end :]
    return body[: span.start] + (listed.rstrip() + b" " + word).lstrip() + body[span.end :]
