# SPDX-License-Identifier: GPL-2.0-only
"""The body of a function as statements: enough of C's grammar to follow its paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dmabuf_patchgen.audit.expression import closes
from dmabuf_patchgen.audit.lexer import Token, Tokens

_CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Expression:
    """A statement that is one expression, or a declaration with its initialisers."""

    tokens: Tokens


@dataclass(frozen=True, slots=True)
class Return:
    """return, with what is returned."""

    tokens: Tokens


@dataclass(frozen=True, slots=True)
class Jump:
    """break, continue, or goto with the label that it goes to."""

    word: str
    label: str


@dataclass(frozen=True, slots=True)
class Label:
    """A label that a goto may name."""

    name: str


@dataclass(frozen=True, slots=True)
class If:
    """if, with both of its branches, of the language or of the preprocessor."""

    condition: Tokens
    then: Block
    otherwise: Block


@dataclass(frozen=True, slots=True)
class Loop:
    """for, while, do, or a macro that is one, such as for_each_sg()."""

    head: Tokens
    body: Block


@dataclass(frozen=True, slots=True)
class Switch:
    """switch: cases in order, each with its labels' text and the statements behind them."""

    subject: Tokens
    cases: tuple[tuple[str, Block], ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Statements one after the other."""

    statements: tuple[Statement, ...]


Statement = Expression | Return | Jump | Label | If | Loop | Switch | Block
_EMPTY = Block(())


class Unreadable(ValueError):
    """A body that does not read as C."""


def parse(tokens: Sequence[Token]) -> Block:
    """The statements of a function's body, its braces included. Raises Unreadable."""
    reader = _Reader(tokens)
    block = reader.block()
    if reader.at != len(tokens):
        raise Unreadable("there is more behind its last brace")
    return block


class _Reader:
    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        self.at = 0

    def block(self) -> Block:
        self._expect("{")
        found: list[Statement] = []
        while self._word() != "}":
            found.append(self._statement())
        self.at += 1
        return Block(tuple(found))

    def _word(self, ahead: int = 0) -> str:
        at = self.at + ahead
        if at >= len(self.tokens):
            raise Unreadable("it ends early")
        return self.tokens[at].text

    def _expect(self, sign: str) -> None:
        if self._word() != sign:
            raise Unreadable(f"{self._word()!r} where {sign!r} is due")
        self.at += 1

    def _statement(self) -> Statement:
        word = self._word()
        match word:
            case "{":
                return self.block()
            case ";":
                self.at += 1
                return _EMPTY
            case "if":
                self.at += 1
                return self._if()
            case "for" | "while":
                self.at += 1
                head = self._parenthesised()
                return Loop(head, self._body())
            case "do":
                self.at += 1
                body = self._body()
                self._expect("while")
                head = self._parenthesised()
                self._expect(";")
                return Loop(head, body)
            case "switch":
                self.at += 1
                return self._switch()
            case "return":
                self.at += 1
                return Return(self._until_semicolon())
            case "break" | "continue":
                self.at += 1
                self._expect(";")
                return Jump(word, "")
            case "goto":
                self.at += 1
                label = self._word()
                self._until_semicolon()
                return Jump("goto", label)
            case "case":
                # Below a condition of its own: the switch has been entered by it or not.
                self._label()
                return _EMPTY
            case "default" if self._word(1) == ":":
                self._label()
                return _EMPTY
        if word.isidentifier() and self._word(1) == ":" and self._word(2) != ":":
            self.at += 2
            return Label(word)
        return self._expression()

    def _if(self) -> If:
        condition = self._parenthesised()
        then = self._body()
        otherwise = _EMPTY
        if self.at < len(self.tokens) and self._word() == "else":
            self.at += 1
            otherwise = self._body()
        return If(condition, then, otherwise)

    def _body(self) -> Block:
        statement = self._statement()
        return statement if isinstance(statement, Block) else Block((statement,))

    def _switch(self) -> Switch:
        subject = self._parenthesised()
        self._expect("{")
        cases: list[tuple[str, Block]] = []
        labels: list[str] = []
        found: list[Statement] = []
        while self._word() != "}":
            word = self._word()
            if word == "case" or (word == "default" and self._word(1) == ":"):
                if found:
                    cases.append((" or ".join(labels), Block(tuple(found))))
                    labels, found = [], []
                labels.append(self._label())
            else:
                found.append(self._statement())
        self.at += 1
        if labels or found:
            cases.append((" or ".join(labels), Block(tuple(found))))
        return Switch(subject, tuple(cases))

    def _label(self) -> str:
        """A case label up to its colon, which a conditional in it does not end."""
        start = self.at
        depth = questions = 0
        while True:
            word = self._word()
            if word in "([":
                depth += 1
            elif word in ")]":
                depth -= 1
            elif word == "?":
                questions += 1
            elif word == ":" and depth == 0:
                if not questions:
                    break
                questions -= 1
            self.at += 1
        words = [token.text for token in self.tokens[start : self.at]]
        self.at += 1
        return " ".join(words)

    def _parenthesised(self) -> Tokens:
        self._expect("(")
        start = self.at
        self._skip(")")
        return tuple(self.tokens[start : self.at - 1])

    def _skip(self, closing: str) -> None:
        """Go behind the sign that closes what was opened."""
        while (word := self._word()) != closing:
            self.at += 1
            if word in _CLOSING:
                self._skip(_CLOSING[word])
        self.at += 1

    def _until_semicolon(self) -> Tokens:
        start = self.at
        while (word := self._word()) != ";":
            if word == "}":
                raise Unreadable("a brace closes within a statement")
            self.at += 1
            if word in _CLOSING:
                self._skip(_CLOSING[word])
        self.at += 1
        return tuple(self.tokens[start : self.at - 1])

    def _expression(self) -> Statement:
        """An expression up to its semicolon; or a macro that takes a statement."""
        start = self.at
        while (word := self._word()) != ";":
            if word == "}":
                raise Unreadable("a brace closes within a statement")
            self.at += 1
            if word not in _CLOSING:
                continue
            self._skip(_CLOSING[word])
            is_macro = word == "(" and self.at - start >= 3 and self._is_call(start)
            if (
                is_macro
                and self._word() not in (";", ",", ".", "->", "=", "(", "[")
                and (self._word() == "{" or self._word().isidentifier())
            ):
                head = tuple(self.tokens[start : self.at])
                return Loop(head, self._body())
        tokens = tuple(self.tokens[start : self.at])
        self.at += 1
        return Expression(tokens)

    def _is_call(self, start: int) -> bool:
        """Whether the tokens from start to here are NAME(...) and nothing else."""
        name, opens = self.tokens[start : start + 2]
        return (
            name.text.isidentifier()
            and opens.text == "("
            and closes(self.tokens, start + 1) == self.at - 1
        )
