# SPDX-License-Identifier: GPL-2.0-only
"""What a file of the kernel defines that an audit asks for: functions, initialisers, macros.

Found by the kernel's coding style (Documentation/process/coding-style.rst, "Placing Braces"):
a function opens with a brace in the first column and closes with one, and so does an initialiser.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property

from dmabuf_patchgen.audit.lexer import Source, without_comments
from dmabuf_patchgen.audit.statement import Block, parse
from dmabuf_patchgen.errors import UserError

_HEADER = re.compile(r"([A-Za-z_]\w*)\s*\(([^{};]*)\)[^(){};]*$")
_TYPED = re.compile(r"\bstruct\s+(vm_area_struct|vm_fault|vm_area_desc)\s*\*\s*(?:const\s+)?(\w+)")
#: What may stand on the line before such a struct.
_BEFORE = re.compile(r"[ \t]*(?:(?:static|const|__maybe_unused|extern)\s+)*")
_NESTED = re.compile(r"\.(\w+)\s*=\s*(?:\(struct \w+\)\s*)?\{")
_PARAMETERS = re.compile(rb"[;{}=]|\n\n")
_NAME = re.compile(rb"(\w+)\s*$")
_SIGN = re.compile(r"[(){}\[\],]")
_MACRO = re.compile(r"([A-Z][A-Z0-9_]+)\s*(\(.*\))?\s*$", re.S)
_FIELD = re.compile(r"\.(\w+)\s*=(?!=)\s*")
_DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)(\([^)\n]*\))?((?:[^\n\\]|\\.|\\\n)*)", re.M)

#: No initialiser that someone wrote is nested deeper.
_DEEPEST = 30


class TooNested(UserError):
    """An initialiser that nobody wrote, and that would take minutes to read."""


@dataclass(frozen=True)
class Function:
    """A function with its body: where it starts, what it takes, and the text of it."""

    name: str
    path: str
    line: int
    head: str
    parameters: tuple[str, ...]
    text: str
    body_line: int

    @cached_property
    def source(self) -> Source:
        """The body, to be told lines of."""
        return Source(self.path, self.text, self.body_line)

    @cached_property
    def body(self) -> Block:
        """The statements. Raises Unreadable."""
        return parse(self.source.tokens)

    @cached_property
    def parameter_names(self) -> tuple[str, ...]:
        """The names of its parameters, in order."""
        return tuple(_last_word(one) for one in self.parameters)

    @cached_property
    def is_static(self) -> bool:
        """Whether other files cannot mean it."""
        return "static" in self.head.split()

    @cached_property
    def types(self) -> dict[str, str]:
        """Types of parameters and plain locals by name, as `struct x *`."""
        found = {_last_word(one): _plain_type(one) for one in self.parameters if _last_word(one)}
        for match in re.finditer(
            r"^[ \t]+(?:const\s+)?(struct\s+\w+\s*\*+|[a-z]\w*)\s*(\w+)\s*(?:=|;|,)",
            self.text,
            re.M,
        ):
            found.setdefault(match[2], " ".join(match[1].replace("*", " *").split()))
        return found

    @cached_property
    def mapping_names(self) -> frozenset[str]:
        """Names by which the function calls a VMA."""
        return self._typed("vm_area_struct")

    @cached_property
    def fault_names(self) -> frozenset[str]:
        """Names by which the function calls a struct vm_fault."""
        return self._typed("vm_fault")

    @cached_property
    def spoils_nothing(self) -> bool:
        """Whether it takes mappings as const only, so that it cannot change them."""
        taken = [one for one in self.parameters if _TYPED.search(one)]
        return bool(taken) and all(re.search(r"\bconst\s+struct\b", one) for one in taken)

    def _typed(self, kind: str) -> frozenset[str]:
        whole = ", ".join(self.parameters) + self.text
        return frozenset(name for type_, name in _TYPED.findall(whole) if type_ == kind)


@dataclass(frozen=True)
class Initialiser:
    """A struct that is given its values where it is defined.

    fields: value and line of each member; a member of a nested struct is there as `a.b`.
    macros: names of macros among the members, which may stand for more of them.
    """

    type: str
    name: str
    path: str
    line: int
    fields: dict[str, tuple[str, int]] = field(hash=False)
    macros: tuple[tuple[str, str, int], ...] = ()

    def value(self, member: str) -> str:
        """What a member is set to, without a leading &; empty where it is not set, or to NULL."""
        said = self.fields.get(member, ("", 0))[0].lstrip("&").strip()
        return "" if said in ("NULL", "0") else said

    def line_of(self, member: str) -> int:
        """The line that sets a member, or else that of the whole."""
        return self.fields.get(member, ("", self.line))[1]


@dataclass(frozen=True, slots=True)
class Macro:
    """A #define: its parameters, what it stands for, and where."""

    name: str
    parameters: tuple[str, ...]
    body: str
    path: str
    line: int

    def expanded(self, arguments: Sequence[str]) -> str:
        """What the macro stands for with these arguments."""
        text = self.body
        for parameter, argument in zip(self.parameters, arguments, strict=False):
            text = re.sub(rf"\b{parameter}\b", argument, text)
        return text


class Definitions:
    """The definitions of one file."""

    def __init__(self, path: str, body: bytes) -> None:
        self.path = path
        self.text = body.decode(errors="replace")

    @cached_property
    def plain(self) -> str:
        """The text without comments."""
        return without_comments(self.text)

    @cached_property
    def functions(self) -> dict[str, tuple[Function, ...]]:
        """Functions that take a mapping or a fault, by name; more than one under #if."""
        found: dict[str, list[Function]] = {}
        for one in self._functions():
            found.setdefault(one.name, []).append(one)
        return {name: tuple(some) for name, some in found.items()}

    def _functions(self) -> Iterator[Function]:
        text = self.text
        at = 0
        while (opened := text.find("\n{", at)) >= 0:
            closed = text.find("\n}", opened)
            if closed < 0:
                return
            at = closed
            start = max(
                text.rfind("\n\n", 0, opened),
                text.rfind("\n}", 0, opened),
                text.rfind(";\n", 0, opened),
                text.rfind("*/\n", 0, opened),
                text.rfind("\n#", 0, opened),
            )
            head = text[start + 1 : opened]
            if "vm_" not in head:
                continue
            yield from self._function(head, start + 1, opened + 1, closed + 2)

    def _function(self, head: str, start: int, opened: int, end: int) -> Iterator[Function]:
        lines = head.split("\n")
        while lines and not re.match(r"[A-Za-z_]", lines[0]):
            start += len(lines.pop(0)) + 1
        head = "\n".join(lines)
        match = _HEADER.search(without_comments(head))
        if match is None or not _TYPED.search(match[2]):
            return
        line = self.line(start + match.start(1))
        yield Function(
            name=match[1],
            path=self.path,
            line=line,
            head=" ".join(head[: match.start(1)].split()),
            parameters=tuple(" ".join(one.split()) for one in match[2].split(",")),
            text=self.text[opened:end],
            body_line=self.line(opened),
        )

    def initialisers(self, wanted: re.Pattern[str]) -> list[Initialiser]:
        """Structs of types that a pattern matches, with their values. Raises TooNested."""
        found = []
        for match in _initialiser(wanted).finditer(self.text):
            start = self.text.rfind("\n", 0, match.start()) + 1
            if not _BEFORE.fullmatch(self.text, start, match.start()):
                continue
            end = self.text.find("}", match.end())
            closed = self.text.find("\n}", match.end())
            # One line holds it all, or it ends with a brace in the first column.
            if closed < 0 or "\n" not in self.text[match.end() : end]:
                closed = end - 1
            piece = without_comments(self.text[match.end() : closed + 1])
            fields, macros = _fields(piece, 0, len(piece), "")
            first = self.line(match.end())
            lines = [0, *(found.end() for found in re.finditer("\n", piece))]

            def placed(offset: int, first: int = first, lines: list[int] = lines) -> int:
                return first + bisect_right(lines, offset) - 1

            found.append(
                Initialiser(
                    match["type"],
                    match["name"],
                    self.path,
                    self.line(match.start("name")),
                    {name: (value, placed(at)) for name, (value, at) in fields.items()},
                    tuple((name, given, placed(at)) for name, given, at in macros),
                )
            )
        return found

    @cached_property
    def macros(self) -> dict[str, Macro]:
        """The file's #defines that make members of structs, or structs, by name."""
        found = {}
        for match in _DEFINE.finditer(self.plain):
            parameters = tuple(
                one.strip() for one in (match[2] or "")[1:-1].split(",") if one.strip()
            )
            body = match[3].replace("\\\n", " ").strip()
            line = self.line(match.start(1))
            found[match[1]] = Macro(match[1], parameters, body, self.path, line)
        return found

    @cached_property
    def invocations(self) -> tuple[tuple[str, tuple[str, ...], int], ...]:
        """Macros that stand at file scope as if they were calls: name, arguments, line."""
        return tuple(
            (match[1], tuple(one.strip() for one in match[2].split(",")), self.line(match.start(1)))
            for match in re.finditer(
                r"^(?:static\s+)?([A-Z][A-Z0-9_]+)\(([^()]*)\);?[ \t]*$", self.plain, re.M
            )
        )

    def assigned(self, target: str) -> list[tuple[str, int]]:
        """What is assigned to a member or variable anywhere in the file, and where."""
        if target not in self.text:
            return []
        pattern = re.compile(rf"(?<![\w.>]){re.escape(target)}\s*=(?!=)\s*&?(\w+)\s*;")
        return [(m[1], self.line(m.start())) for m in pattern.finditer(self.plain)]

    def line(self, offset: int) -> int:
        """Number of the line that holds a character."""
        return self.text.count("\n", 0, offset) + 1


@cache
def _initialiser(types: re.Pattern[str]) -> re.Pattern[str]:
    """A struct of one of some types that is given its values.

    It begins with a word, which is found a hundred times quicker than the begin of a line.
    """
    return re.compile(
        rf"struct\s+(?P<type>{types.pattern})\s+(?:__\w+\s+)?(?P<name>\w+)(?:\[[^\]\n]*\])?"
        r"(?:\s+__\w+(?:\([^)\n]*\))?)*\s*=\s*\{"
    )


def _last_word(declaration: str) -> str:
    words = re.findall(r"\w+", declaration.split("[")[0])
    return words[-1] if len(words) > 1 else ""


def _plain_type(declaration: str) -> str:
    kept = re.sub(r"\b(?:const|volatile|__\w+)\b", " ", declaration)
    kept = kept[: kept.rindex(_last_word(declaration))]
    return " ".join(kept.replace("*", " *").split())


def _fields(
    text: str, start: int, end: int, prefix: str
) -> tuple[dict[str, tuple[str, int]], list[tuple[str, str, int]]]:
    """Members of an initialiser with their values and places, and the macros among them.

    Raises TooNested.
    """
    if prefix.count(".") == _DEEPEST:
        raise TooNested(f"a struct is nested more than {_DEEPEST} deep")
    fields: dict[str, tuple[str, int]] = {}
    macros: list[tuple[str, str, int]] = []
    at = start
    while at < end:
        upto = _member_end(text, at, end)
        piece = text[at:upto].lstrip()
        inset = upto - len(piece)
        nested = _NESTED.match(piece)
        said = _FIELD.match(piece)
        if nested:
            closed = text.rfind("}", inset, upto)
            more, _ = _fields(text, inset + nested.end(), closed, f"{prefix}{nested[1]}.")
            fields.update(more)
        elif said:
            value = " ".join(piece[said.end() :].split())
            fields.setdefault(prefix + said[1], (value, inset))
        else:
            word = _MACRO.match(piece)
            if word:
                macros.append((word[1], (word[2] or "")[1:-1], inset))
        at = upto + 1
    return fields, macros


def _member_end(text: str, start: int, end: int) -> int:
    """Where a member of an initialiser ends: its comma, or the end of the whole."""
    depth = 0
    for match in _SIGN.finditer(text, start, end):
        sign = match.group()
        if sign == ",":
            if depth == 0:
                return match.start()
        else:
            depth += 1 if sign in "({[" else -1
    return end


def heads(body: bytes) -> Iterator[str]:
    """Names of the functions of a file that take a mapping or a fault and have a body there."""
    at = body.find(b"struct vm_")
    while at >= 0:
        closed = body.find(b"\n{", at)
        if closed < 0:
            return
        if not _PARAMETERS.search(body, at, closed):
            opened = body.rfind(b"(", 0, at)
            match = _NAME.search(body, max(0, opened - 100), opened)
            if match and b"\n}" not in body[opened:at]:
                yield match[1].decode()
        at = body.find(b"struct vm_", at + 10)
