# SPDX-License-Identifier: GPL-2.0-only
"""Integer constant expressions of C, as far as a value can be told from the text.

What stands in an #if, behind `case`, `=` of an enumerator, or as the number of an ioctl.
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping

#: A number with C's suffixes, a character, a name, or a sign.
_LEXEME = re.compile(
    r"\s*(?:(?P<number>0[xX][0-9a-fA-F]+|0[bB][01]+|\d+)(?P<suffix>[uUlL]*)(?![\w.])"
    r"|'(?P<char>\\?.)'|(?P<name>[A-Za-z_]\w*)|(?P<sign><<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^~!<>?:(),]))"
)
_ESCAPES = {"n": 10, "t": 9, "r": 13, "0": 0, "\\": 92, "'": 39, '"': 34}
# Rule: C11, 6.5.5 to 6.5.14; the tighter binds, the higher.
_BINARY: Mapping[str, tuple[int, Callable[[int, int], int]]] = {
    "*": (10, operator.mul),
    "/": (10, lambda a, b: int(a / b)),
    "%": (10, lambda a, b: a - b * int(a / b)),
    "+": (9, operator.add),
    "-": (9, operator.sub),
    "<<": (8, operator.lshift),
    ">>": (8, operator.rshift),
    "<": (7, operator.lt),
    ">": (7, operator.gt),
    "<=": (7, operator.le),
    ">=": (7, operator.ge),
    "==": (6, operator.eq),
    "!=": (6, operator.ne),
    "&": (5, operator.and_),
    "^": (4, operator.xor),
    "|": (3, operator.or_),
    "&&": (2, lambda a, b: bool(a) and bool(b)),
    "||": (1, lambda a, b: bool(a) or bool(b)),
}
#: Wider than any of the kernel's, so that a shift cannot take all memory.
_WIDEST = 64


class _Unreadable(Exception):
    """The text is no expression of this kind."""


def value(text: str, names: Callable[[str], int | None]) -> int | None:
    """The value of an expression, None if it cannot be told.

    names: gives the value of a name, or None. `0 && UNKNOWN` and `1 || UNKNOWN` can be told.
    """
    try:
        reader = _Reader(text, names)
        found = reader.expression(0)
        reader.end()
    except (_Unreadable, ZeroDivisionError, OverflowError, ValueError, RecursionError):
        return None
    return found


class _Reader:
    def __init__(self, text: str, names: Callable[[str], int | None]) -> None:
        self._lexemes = _lexemes(text)
        self._names = names
        self._next = next(self._lexemes, None)

    def expression(self, least: int) -> int | None:
        left = self._operand()
        while (sign := self._sign()) in _BINARY and _BINARY[sign][0] > least:
            rank, apply = _BINARY[sign]
            self._take()
            left = _joined(sign, left, self.expression(rank), apply)
        if self._sign() == "?" and not least:
            self._take()
            yes = self.expression(0)
            self._expect(":")
            no = self.expression(0)
            left = None if left is None else yes if left else no
        return left

    def end(self) -> None:
        if self._next is not None:
            raise _Unreadable

    def _operand(self) -> int | None:
        lexeme = self._take()
        if lexeme["number"]:
            digits = lexeme["number"]
            octal = re.fullmatch(r"0[0-7]+", digits)
            return int(digits, 8 if octal else 0)
        if lexeme["char"]:
            char = lexeme["char"]
            return _ESCAPES[char[1]] if len(char) == 2 else ord(char)
        if lexeme["name"]:
            return self._named(lexeme["name"])
        if lexeme["sign"] == "(":
            inner = self.expression(0)
            self._expect(")")
            return inner
        inner = self._operand()
        if inner is None:
            return None
        match lexeme["sign"]:
            case "-":
                return -inner
            case "+":
                return inner
            case "~":
                return ~inner
            case "!":
                return int(not inner)
        raise _Unreadable

    def _named(self, name: str) -> int | None:
        """The value of a name; what `defined` and macros with arguments say is not known."""
        if name == "defined" and self._next and self._next["name"]:
            self._take()
            return None
        if self._sign() != "(":
            return self._names(name)
        depth = 0
        while True:
            depth += {"(": 1, ")": -1}.get(self._take()["sign"] or "", 0)
            if not depth:
                return None

    def _sign(self) -> str:
        return (self._next["sign"] or "") if self._next else ""

    def _take(self) -> re.Match[str]:
        taken = self._next
        if taken is None:
            raise _Unreadable
        self._next = next(self._lexemes, None)
        return taken

    def _expect(self, sign: str) -> None:
        if self._take()["sign"] != sign:
            raise _Unreadable


def _joined(
    sign: str, left: int | None, right: int | None, apply: Callable[[int, int], int]
) -> int | None:
    if sign == "&&" and (left == 0 or right == 0):
        return 0
    if sign == "||" and (left or right):
        return 1
    if left is None or right is None:
        return None
    if sign in ("<<", ">>") and not 0 <= right < _WIDEST:
        return None
    return int(apply(left, right))


def _lexemes(text: str) -> Iterator[re.Match[str]]:
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = _LEXEME.match(text, at)
        if match is None:
            raise _Unreadable
        yield match
        at = match.end()
