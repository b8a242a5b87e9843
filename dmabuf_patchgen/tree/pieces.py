# SPDX-License-Identifier: GPL-2.0-only
"""A C file as its characters are read: comments, strings, directives and braces of code."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from dmabuf_patchgen.tree.tokens import Span, line_start

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


class Kind(Enum):
    """What a byte belongs to."""

    CODE = "code"
    COMMENT = "comment"
    STRING = "string"


class Piece(NamedTuple):
    """A comment or a string."""

    start: int
    end: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class Directive:
    """A line of the preprocessor, continued lines included, without its last newline.

    span: from the start of its line, as what stands before the # can only be a comment;
    text: from its # on.
    """

    name: bytes
    span: Span
    text: bytes

    @property
    def expression(self) -> str:
        """What stands behind its name, comments and continued lines made blank."""
        text = _WITHIN.sub(_without_comment, self.text)
        found = _NAME.match(text)
        rest = text[found.end() :] if found else b""
        return re.sub(rb"\\\r?\n", b" ", rest).decode(errors="replace").strip()


@dataclass(frozen=True, slots=True)
class Pieces:
    """What a C file is made of but for plain code, each in order; braces: those of code."""

    quoted: list[Piece]
    directives: list[Directive]
    braces: list[int]


def read(body: bytes) -> Pieces:
    """The pieces of a C file; those within a directive as well."""
    found = Pieces([], [], [])
    for match in _PIECE.finditer(body):
        start, end = match.span()
        first = body[start]
        if first in b"{}":
            found.braces.append(start)
        elif first == ord("/"):
            found.quoted.append(Piece(start, end, Kind.COMMENT))
        elif first == ord("#"):
            _read_directive(body, start, end, found)
        else:
            found.quoted.append(Piece(start, end, Kind.STRING))
    return found


def is_blank(text: bytes) -> bool:
    """Whether a text has nothing but comments, strings and white space."""
    return not _WITHIN.sub(b"", text).strip()


def _read_directive(body: bytes, start: int, end: int, found: Pieces) -> None:
    if body[end - 1 : end] == b"\r":
        end -= 1
    text = body[start:end]
    for match in _WITHIN.finditer(text) if b"/" in text or b'"' in text or b"'" in text else ():
        kind = Kind.COMMENT if match.lastgroup == "comment" else Kind.STRING
        found.quoted.append(Piece(start + match.start(), start + match.end(), kind))
    name = _NAME.match(text)
    span = Span(line_start(body, start), end)
    found.directives.append(Directive(name[1] if name else b"", span, text))


def _without_comment(match: re.Match[bytes]) -> bytes:
    return match[0] if match["string"] else b" " * len(match[0])
