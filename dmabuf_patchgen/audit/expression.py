# SPDX-License-Identifier: GPL-2.0-only
"""Expressions as tokens: where they split, which calls stand in them, what they name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dmabuf_patchgen.audit.lexer import Token, Tokens

_OPEN = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}
ASSIGNMENTS = frozenset({"=", "|=", "&=", "+=", "-=", "^="})
_KEYWORDS = frozenset({"if", "while", "for", "switch", "return", "sizeof", "typeof", "defined"})


@dataclass(frozen=True, slots=True)
class Call:
    """A call: the words that name what is called, and the arguments."""

    callee: tuple[str, ...]
    arguments: tuple[Tokens, ...]
    at: Token

    @property
    def name(self) -> str:
        """The last word: the function's name, or the member that holds it."""
        return self.callee[-1]

    @property
    def is_indirect(self) -> bool:
        """Whether the function is held by a member."""
        return len(self.callee) > 1


def texts(tokens: Sequence[Token]) -> tuple[str, ...]:
    """The words of some tokens."""
    return tuple(token.text for token in tokens)


def split(tokens: Tokens, signs: frozenset[str] | set[str]) -> list[Tokens]:
    """The parts between some signs that stand in no parentheses."""
    parts: list[Tokens] = []
    depth = start = 0
    for at, token in enumerate(tokens):
        depth += _OPEN.get(token.text, 0)
        if depth == 0 and token.text in signs:
            parts.append(tokens[start:at])
            start = at + 1
    parts.append(tokens[start:])
    return parts


def find(tokens: Tokens, signs: frozenset[str] | set[str]) -> int:
    """Index of the first of some signs that stands in no parentheses, or -1."""
    depth = 0
    for at, token in enumerate(tokens):
        depth += _OPEN.get(token.text, 0)
        if depth == 0 and token.text in signs:
            return at
    return -1


def stripped(tokens: Tokens) -> Tokens:
    """An expression without parentheses around the whole of it."""
    while len(tokens) > 1 and tokens[0].text == "(" and closes(tokens, 0) == len(tokens) - 1:
        tokens = tokens[1:-1]
    return tokens


def closes(tokens: Sequence[Token], opened: int) -> int:
    """Index of the sign that closes what is opened at one, or -1."""
    depth = 0
    for at in range(opened, len(tokens)):
        depth += _OPEN.get(tokens[at].text, 0)
        if depth == 0:
            return at
    return -1


def whole_call(tokens: Tokens) -> Call | None:
    """The call that an expression is, if it is one and nothing else."""
    tokens = stripped(tokens)
    if not tokens or tokens[-1].text != ")":
        return None
    found = next(calls(tokens), None)
    if found is None or found[1] != len(tokens):
        return None
    call, _, start = found[0], found[1], found[2]
    return call if start == 0 else None


def calls(tokens: Tokens) -> Iterator[tuple[Call, int, int]]:
    """The outermost calls in order: each, the index behind it, and the index it starts at."""
    at = 0
    while at < len(tokens) - 1:
        word = tokens[at].text
        if tokens[at + 1].text != "(" or not word.isidentifier() or word in _KEYWORDS:
            at += 1
            continue
        end = closes(tokens, at + 1)
        if end < 0:
            return
        start = at
        while start >= 2 and tokens[start - 1].text in ("->", "."):
            start -= 2
        words = tuple(
            token.text for token in tokens[start : at + 1] if token.text not in ("->", ".")
        )
        inner = tokens[at + 2 : end]
        arguments = tuple(split(inner, {","})) if inner else ()
        yield Call(words, arguments, tokens[at]), end + 1, start
        at = end + 1


def member_path(tokens: Tokens) -> tuple[str, ...]:
    """The words of `a->b.c`, empty if an expression is anything else; & and * are left out."""
    found: list[str] = []
    want_word = True
    for token in stripped(tokens):
        if not found and token.text in ("&", "*"):
            continue
        if want_word and token.text.isidentifier():
            found.append(token.text)
        elif not want_word and token.text in ("->", "."):
            pass
        else:
            return ()
        want_word = not want_word
    return tuple(found) if found and not want_word else ()
