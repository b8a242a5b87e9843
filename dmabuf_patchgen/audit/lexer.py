# SPDX-License-Identifier: GPL-2.0-only
"""The tokens of a piece of C, with conditional compilation made into branches of the language.

tree-sitter is exact and takes a second for what all exporters of a tree come to; a function is
read here in a fraction of a millisecond, and an #ifdef in the middle of an if does not break it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

_TOKEN = re.compile(
    r"[A-Za-z_]\w*|\d[\w.]*|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\""
    r"|->|\+\+|--|<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||\.\.\.|[-+*/%&|^]=|[^\s\w]"
)
_HIDDEN = re.compile(r"/\*.*?\*/|//[^\n]*|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"", re.S)
_DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(\w+)((?:[^\n\\]|\\.|\\\n)*)", re.M)
#: Configurations that a kernel in which userspace maps a buffer has (init/Kconfig: MMU).
_ALWAYS = re.compile(r"^\s*(?:defined\s*\(?\s*)?(?:CONFIG_MMU|1)\s*\)?\s*$")
_NEVER = re.compile(r"^\s*0\s*$")


def without_comments(text: str) -> str:
    """A piece of C with its comments blanked, every other byte where it was."""

    def blanked(match: re.Match[str]) -> str:
        found = match.group()
        return found if found[0] in "'\"" else re.sub(r"[^\n]", " ", found)

    return _HIDDEN.sub(blanked, text)


@dataclass(frozen=True, slots=True)
class Token:
    """A word or sign: its text, and where it starts and ends in the piece of C."""

    text: str
    start: int
    end: int


Tokens = tuple[Token, ...]


class Source:
    """A piece of C of one file, and its tokens.

    first_line: number of the line that the piece starts on; partial: a condition of the
    preprocessor cuts through a statement, so that only its first alternative was kept.
    """

    def __init__(self, path: str, text: str, first_line: int) -> None:
        self.path = path
        self.text = text
        self.first_line = first_line
        self._plain, self.partial = _branches(without_comments(text))

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        """The tokens in order; `#ifdef X` has become `if (X) {` where that is the same."""
        return tuple(
            Token(match.group(), match.start(), match.end())
            for match in _TOKEN.finditer(self._plain)
        )

    @cached_property
    def _lines(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    def line(self, token: Token) -> int:
        """Number of the line in the file that a token stands on."""
        return self.first_line + bisect_right(self._lines, token.start) - 1

    def words(self, tokens: Sequence[Token]) -> str:
        """Some tokens as the source has them, on one line."""
        if not tokens:
            return ""
        return " ".join(self._plain[tokens[0].start : tokens[-1].end].split())


def _branches(text: str) -> tuple[str, bool]:
    """Directives of the preprocessor as statements, in as many bytes; whether some did not fit."""
    directives = list(_DIRECTIVE.finditer(text))
    if not directives:
        return text, False
    out = list(text)
    partial = False
    for group in _conditionals(directives):
        if group is not None:
            partial |= not _convert(text, out, group)
    for match in directives:
        if match[1] not in ("if", "ifdef", "ifndef", "elif", "else", "endif"):
            _blank(out, match.start(), match.end())
    return "".join(out), partial


def _conditionals(directives: Sequence[re.Match[str]]) -> list[list[re.Match[str]]]:
    """The directives of each #if, from it to its #endif; what is not closed is left out."""
    open_groups: list[list[re.Match[str]]] = []
    done: list[list[re.Match[str]]] = []
    for match in directives:
        if match[1] in ("if", "ifdef", "ifndef"):
            open_groups.append([match])
        elif open_groups and match[1] in ("elif", "else"):
            open_groups[-1].append(match)
        elif open_groups and match[1] == "endif":
            group = open_groups.pop()
            group.append(match)
            done.append(group)
    return done


def _convert(text: str, out: list[str], group: Sequence[re.Match[str]]) -> bool:
    """One #if ... #endif: its parts become branches, or one of them all there is."""
    parts = [(opens, opens.end(), closes.start()) for opens, closes in pairwise(group)]
    known = _known(group[0])
    if known is not None:
        for directive in group:
            _blank(out, directive.start(), directive.end())
        for number, (_, start, end) in enumerate(parts):
            if (number == 0) != known:
                _blank(out, start, end)
        return True
    balanced = all(_is_balanced(text[start:end]) for _, start, end in parts)
    if not balanced:
        for directive in group:
            _blank(out, directive.start(), directive.end())
        for _, start, end in parts[1:]:
            _blank(out, start, end)
        return len(parts) == 1
    for number, directive in enumerate(group):
        _blank(out, directive.start(), directive.end())
        if directive is group[-1]:
            said = "}"
        elif directive[1] == "else":
            said = "}else{"
        else:
            condition = "CONFIG" if number else (_symbol(directive) or "CONFIG")
            said = f"{'}else ' if number else ''}if({condition}){{"
        room = directive.end() - directive.start()
        # The condition is for a reader: it is cut where the line has no room for it.
        if len(said) > room:
            said = f"{'}else ' if number else ''}if(C){{" if directive is not group[-1] else "}"
        out[directive.start() : directive.start() + len(said)] = said
    return True


def _known(opens: re.Match[str]) -> bool | None:
    if opens[1] in ("if", "ifdef"):
        if _ALWAYS.match(opens[2]):
            return True
        if opens[1] == "if" and _NEVER.match(opens[2]):
            return False
    if opens[1] == "ifndef" and _ALWAYS.match(opens[2]):
        return False
    return None


def _symbol(directive: re.Match[str]) -> str:
    found = re.search(r"CONFIG_\w+|\b[A-Za-z_]\w{3,}\b(?!\s*\()", directive[2])
    return found.group() if found else ""


def _is_balanced(text: str) -> bool:
    depth = 0
    for sign in re.findall(r"[{}]", text):
        depth += 1 if sign == "{" else -1
        if depth < 0:
            return False
    return depth == 0 and not re.match(r"\s*(?:else\b|\|\||&&|[),])", text)


def _blank(out: list[str], start: int, end: int) -> None:
    for at in range(start, end):
        if out[at] != "\n":
            out[at] = " "
