# SPDX-License-Identifier: GPL-2.0-only
"""The ioctl numbers that a header takes on a magic, however they are spelt.

Every call of _IO() and its kin counts, in a #define, an enumerator or anywhere else, by way
of the header's own macros as well. One whose number cannot be told is told instead, since
then no number can be called free.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dmabuf_patchgen.tree import constant
from dmabuf_patchgen.tree.c import CFile
from dmabuf_patchgen.tree.tokens import line_number, line_text

_DEFINED = re.compile(r"([A-Za-z_]\w*)(?:\(([^)]*)\))?")
_WORD = re.compile(r"[A-Za-z_]\w*")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


@dataclass(frozen=True, slots=True)
class Taken:
    """A number that is in use. name: of the #define or enumerator that has it."""

    number: int
    name: str


@dataclass(frozen=True, slots=True)
class Ioctls:
    """What a header takes on a magic.

    unread: lines with a number that cannot be told, as `LINE: TEXT`.
    """

    taken: tuple[Taken, ...]
    unread: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Maker:
    """A macro that makes a command: its parameters, and the magic and number in terms of them."""

    parameters: tuple[str, ...]
    magic: str
    number: str


@dataclass(frozen=True, slots=True)
class _Macro:
    """A #define. parameters: None where it takes no arguments; at: where it stands."""

    name: str
    parameters: tuple[str, ...] | None
    text: str
    at: int


# Rule: include/uapi/asm-generic/ioctl.h.
_MAKERS: Mapping[str, tuple[_Maker, ...]] = {
    "_IO": (_Maker(("type", "nr"), "type", "nr"),),
    "_IOC": (_Maker(("dir", "type", "nr", "size"), "type", "nr"),),
    **{
        name + bad: (_Maker(("type", "nr", "size"), "type", "nr"),)
        for name in ("_IOR", "_IOW", "_IOWR")
        for bad in ("", "_BAD")
    },
}


def read(c: CFile, magic: str) -> Ioctls:
    """The numbers that a header takes on a magic, named as the header names it."""
    return _Header(c, magic).read()


class _Header:
    def __init__(self, c: CFile, magic: str) -> None:
        self._c = c
        self._magic = magic
        self._macros = _macros(c)
        self._makers = dict(_MAKERS)
        self._enumerators: dict[str, int | None] = {}
        self._enumerators = _enumerators(c, self._value)
        self._find_makers()

    def read(self) -> Ioctls:
        taken: list[tuple[int, Taken]] = []
        unread: dict[int, None] = {}
        uses = [
            (macro.at, macro.name, magic, number)
            for macro in self._macros
            for magic, number in self._calls(macro.text)
            # A macro that is told the number is no use of it, but where it is called.
            if not macro.parameters or not set(_WORD.findall(number)) & set(macro.parameters)
        ]
        code = self._c.lexical.code(directives=False).decode("latin-1")
        for at, call, magic, number in self._found(code):
            named = re.search(r"([A-Za-z_]\w*)\s*=\s*$", code[:at])
            uses.append((at, named[1] if named else call, magic, number))
        for at, name, magic, number in uses:
            mine = self._is_magic(magic)
            value = self._value(number) if mine is not False else None
            if mine is False:
                continue
            if mine is None or value is None:
                unread.setdefault(at)
            else:
                taken.append((at, Taken(value, name)))
        body = self._c.body
        return Ioctls(
            tuple(one for _, one in sorted(taken, key=lambda pair: pair[0])),
            tuple(
                # Whole: a message cuts it, and says so.
                f"{line_number(body, at)}: {line_text(body, at).decode(errors='backslashreplace')}"
                for at in sorted(unread)
            ),
        )

    def _is_magic(self, text: str) -> bool | None:
        """Whether a magic is the one that is asked for; None if that cannot be told."""
        if text.strip("() \t\n") == self._magic:
            return True
        mine, other = self._value(self._magic), self._value(text)
        if mine is None or other is None:
            return None
        return mine == other

    def _value(self, text: str, within: tuple[str, ...] = ()) -> int | None:
        return constant.value(text, lambda name: self._named(name, within))

    def _named(self, name: str, within: tuple[str, ...]) -> int | None:
        if name in within:
            return None
        if name in self._enumerators:
            return self._enumerators[name]
        texts = {m.text for m in self._macros if m.name == name and m.parameters is None}
        values = {self._value(text, (*within, name)) for text in texts}
        return values.pop() if len(values) == 1 else None

    def _find_makers(self) -> None:
        """Find the header's own macros that make commands, and other names of those."""
        before = -1
        while before != len(self._makers):
            before = len(self._makers)
            for macro in self._macros:
                if macro.name in self._makers:
                    continue
                if macro.parameters is None:
                    if macro.text.strip() in self._makers:
                        self._makers[macro.name] = self._makers[macro.text.strip()]
                else:
                    calls = tuple(
                        _Maker(macro.parameters, magic, number)
                        for magic, number in self._calls(macro.text)
                    )
                    if calls:
                        self._makers[macro.name] = calls

    def _calls(self, text: str) -> list[tuple[str, str]]:
        return [(magic, number) for _, _, magic, number in self._found(text)]

    def _found(self, text: str) -> list[tuple[int, str, str, str]]:
        """Calls of macros that make commands: where, of what, and the magic and number in them."""
        found = []
        for word in _WORD.finditer(text):
            makers = self._makers.get(word[0])
            arguments = _arguments(text, word.end()) if makers else None
            for maker in makers or () if arguments is not None else ():
                given = dict(zip(maker.parameters, arguments or (), strict=False))
                magic, number = (_filled(part, given) for part in (maker.magic, maker.number))
                found.append((word.start(), word[0], magic, number))
        return found


def _enumerators(c: CFile, value: Callable[[str], int | None]) -> dict[str, int | None]:
    """The values of a header's enumerators, those without one of their own included."""
    values: dict[str, int | None] = {}
    parent, last = None, None
    for definition in c.definitions:
        if definition.kind != "enumerator":
            continue
        if definition.node.parent != parent:
            parent, last = definition.node.parent, -1
        own = definition.node.child_by_field_name("value")
        if own is not None:
            text = (own.text or b"").decode("latin-1")
            last = constant.value(
                text, lambda name: values[name] if name in values else value(name)
            )
        elif last is not None:
            last += 1
        values[definition.name] = last
    return values


def _macros(c: CFile) -> list[_Macro]:
    found = []
    for directive in c.lexical.directives:
        if directive.name == b"define" and c.lexical.live(directive.span.start):
            text = _QUOTED.sub('""', directive.expression)
            named = _DEFINED.match(text)
            if named:
                # Only a parenthesis right behind the name makes it one with arguments.
                given = named[2]
                parameters = None if given is None else tuple(p.strip() for p in given.split(","))
                found.append(
                    _Macro(named[1], parameters, text[named.end() :], directive.span.start)
                )
    return found


def _arguments(text: str, at: int) -> list[str] | None:
    """The arguments of a call whose parenthesis is the next sign; None if there is none."""
    opening = re.compile(r"\s*\(").match(text, at)
    if not opening:
        return None
    depth, start, found = 0, opening.end(), []
    for sign in re.compile(r"'\\?.'|[(),]").finditer(text, opening.end()):
        if sign[0] == "(":
            depth += 1
        elif sign[0] == ")" and depth:
            depth -= 1
        elif sign[0] in (",", ")") and not depth:
            found.append(text[start : sign.start()])
            start = sign.end()
            if sign[0] == ")":
                return found
    return None


def _filled(text: str, given: Mapping[str, str]) -> str:
    """The text of a macro with its parameters replaced."""
    return _WORD.sub(lambda word: f"({given[word[0]]})" if word[0] in given else word[0], text)
