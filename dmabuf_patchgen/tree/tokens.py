# SPDX-License-Identifier: GPL-2.0-only
"""Text as tokens: how context is compared, so that white space never decides."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice

# Words and single signs, in comments and strings as well: context may reach into a comment,
# and one rule serves C, Kconfig, Makefiles and .rst alike.
_TOKEN = re.compile(rb"\w+|[^\w\s]")
_SIGN = re.compile(rb"[^\w\s]")
#: So many tokens are looked for before the rest is compared.
_FIRST = 6
#: So many characters of a line are shown in a message.
_SHOWN = 100


@lru_cache(maxsize=512)
def _sequence(tokens: tuple[bytes, ...]) -> re.Pattern[bytes]:
    """Tokens with any white space between them, none of which is part of a longer word."""
    parts = [
        rb"(?<!\w)%b(?!\w)" % word if word.isalnum() or b"_" in word else re.escape(word)
        for word in tokens
    ]
    return re.compile(rb"\s*".join(parts))


def words(text: bytes) -> list[bytes]:
    """The tokens of a text, without their places."""
    return _TOKEN.findall(text)


def token_spans(text: bytes) -> list[tuple[int, int]]:
    """The places of a text's tokens."""
    return [match.span() for match in _TOKEN.finditer(text)]


def written(text: bytes, number: int) -> bytes:
    """A token of a text, by its number, as it is written there: an operator with all its signs."""
    start, end = token_spans(text)[number]
    if not _SIGN.match(text, start):
        return text[start:end]
    while start and _SIGN.match(text, start - 1):
        start -= 1
    while _SIGN.match(text, end):
        end += 1
    return text[start:end]


def shown(text: bytes) -> tuple[str, str]:
    """The first line of a text that has anything, as it is written; dots if that is not all.

    It is for a message of one line: white space is one space, and what no terminal shows is
    told by its number.
    """
    first, _, rest = text.strip().partition(b"\n")
    line = " ".join(first.decode(errors="backslashreplace").split())
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    return line[:_SHOWN], "..." if rest or len(line) > _SHOWN else ""


def quoted(text: bytes | str) -> str:
    """The same in quotes, with nothing escaped that the text itself does not escape."""
    line, dots = shown(text.encode() if isinstance(text, str) else text)
    return f"'{line}'{dots}"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a file, in bytes: start is its first, end the one after its last."""

    start: int
    end: int


@dataclass(frozen=True)
class Tokens:
    """The tokens of a stretch of a file, with their places in that file."""

    body: bytes
    span: Span

    @cached_property
    def _spans(self) -> list[tuple[int, int]]:
        return [m.span() for m in _TOKEN.finditer(self.body, self.span.start, self.span.end)]

    @cached_property
    def _texts(self) -> list[bytes]:
        return [self.body[start:end] for start, end in self._spans]

    def find(self, wanted: Sequence[bytes]) -> list[list[Span]]:
        """Where the wanted sequence is: of each match the places of its tokens."""
        stretch = self.body[self.span.start : self.span.end]
        if not wanted or not all(word in stretch for word in set(wanted)):
            return []
        first, found, at = _sequence(tuple(wanted[:_FIRST])), [], 0
        while match := first.search(stretch, at):
            tokens = islice(_TOKEN.finditer(stretch, match.start()), len(wanted))
            spans = [token.span() for token in tokens]
            if [stretch[start:end] for start, end in spans] == list(wanted):
                offset = self.span.start
                found.append([Span(offset + start, offset + end) for start, end in spans])
            at = match.start() + 1
        return found

    def nearest(self, wanted: Sequence[bytes]) -> tuple[int, int]:
        """Byte at which the longest beginning of the wanted sequence stops, and its length.

        For telling what is there instead; (start of the stretch, 0) where nothing matches.
        """
        best, where = 0, self.span.start
        for at in self._occurrences(wanted[0]) if wanted else ():
            length = 0
            for have, want in zip(self._texts[at : at + len(wanted)], wanted, strict=False):
                if have != want:
                    break
                length += 1
            if length > best:
                stop = min(at + length, len(self._spans) - 1)
                best, where = length, self._spans[stop][0]
        return where, best

    def _occurrences(self, word: bytes) -> Iterator[int]:
        at = -1
        while True:
            try:
                at = self._texts.index(word, at + 1)
            except ValueError:
                return
            yield at


def line_number(body: bytes, offset: int) -> int:
    """Number of the line that holds a byte, from 1."""
    return body.count(b"\n", 0, offset) + 1


def line_start(body: bytes, offset: int) -> int:
    """First byte of the line that holds a byte."""
    return body.rfind(b"\n", 0, offset) + 1


def line_end(body: bytes, offset: int) -> int:
    """The byte after the newline of the line that holds a byte."""
    found = body.find(b"\n", offset)
    return len(body) if found < 0 else found + 1


def line_text(body: bytes, offset: int) -> bytes:
    """The line that holds a byte, without its end."""
    return body[line_start(body, offset) : line_end(body, offset)].rstrip(b"\r\n")
