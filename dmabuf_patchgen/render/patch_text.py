# SPDX-License-Identifier: GPL-2.0-only
"""A rendered patch template, taken apart: message, then files, places and lines."""

import re
from dataclasses import dataclass

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.tree.tokens import quoted, words

_FILE = re.compile(r"--- (\S+)$")
_PLACE = re.compile(r"@@ (.+?) @@(?: (optional|left out|told): (\S.*))?$")


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines to be changed at one place of one file.

    lines: pairs of a sign (space for context, - or +) and the line's bytes, none for a hunk
    that the template leaves out on this tree.
    optional: why a tree that lacks the place does not need the hunk, empty where it does;
    left_out: why the template leaves it out; told: what its reader should know of it.
    """

    path: str
    place: str
    lines: tuple[tuple[str, bytes], ...]
    optional: str = ""
    left_out: str = ""
    told: str = ""

    @property
    def added(self) -> list[bytes]:
        """The lines with a plus."""
        return [text for sign, text in self.lines if sign == "+"]

    @property
    def only_adds(self) -> bool:
        """Whether there is nothing but plus lines."""
        return all(sign == "+" for sign, _ in self.lines)

    def side(self, signs: str) -> list[bytes]:
        """Tokens of the lines with one of the signs: " -" the old side, " +" the new one."""
        return words(self.text(signs))

    def text(self, signs: str) -> bytes:
        """Those lines as they are written."""
        return b"".join(text + b"\n" for sign, text in self.lines if sign in signs)


@dataclass(frozen=True, slots=True)
class PatchText:
    """A patch whose hunks name places instead of line numbers.

    source: the template, for messages; message: subject, blank line and body.
    """

    source: str
    message: str
    hunks: tuple[Hunk, ...]


def parse(source: str, text: str) -> PatchText:
    """Take a rendered patch template apart (docs/templates.md). Raises UserError."""
    lines = text.split("\n")
    start = next((i for i, line in enumerate(lines) if _FILE.match(line)), len(lines))
    message = "\n".join(line.rstrip() for line in lines[:start]).strip("\n") + "\n"
    subject, _, rest = message.partition("\n")
    if not subject.strip():
        raise UserError(f"{source}: it has no subject", "the first line is the patch's subject")
    if rest and not rest.startswith("\n"):
        raise UserError(f"{source}: no blank line after the subject {quoted(subject)}")
    hunks: list[Hunk] = []
    path = place = None
    body: list[tuple[str, bytes]] = []
    remark: dict[str, str] = {}
    for line in [*lines[start:], "--- end"]:
        file_line, place_line = _FILE.match(line), _PLACE.match(line)
        if (file_line or place_line) and path and place:
            hunks.append(_hunk(source, path, place, body, remark))
        elif file_line and path:
            raise UserError(f"{source}: {path}: no `@@ PLACE @@` after it")
        if file_line:
            path, place, body = file_line.group(1), None, []
        elif place_line:
            # Blank lines before it are there for the reader.
            place, body = place_line.group(1).strip(), []
            kind, words = place_line.group(2), place_line.group(3)
            remark = {kind.replace(" ", "_"): words.strip()} if kind else {}
        elif place and line[:1] in ("+", "-", " "):
            body.append((line[0], line[1:].encode()))
        elif not line.strip():
            body.append((" ", b""))
        else:
            raise UserError(
                f"{source}: {quoted(line)} is no line of a hunk",
                "after `--- FILE` and `@@ PLACE @@` each line begins with space, + or -",
            )
    if not hunks:
        raise UserError(f"{source}: it changes no file", "write `--- FILE` and `@@ PLACE @@`")
    return PatchText(source, message, tuple(hunks))


def _hunk(
    source: str, path: str, place: str, body: list[tuple[str, bytes]], remark: dict[str, str]
) -> Hunk:
    # Blank lines between hunks are there for the reader.
    while body and body[-1] == (" ", b""):
        body = body[:-1]
    changes = any(sign in "+-" for sign, _ in body)
    if "left_out" in remark:
        if body:
            raise UserError(f"{source}: {path}, {place}: a hunk that is left out has no lines")
    elif not changes:
        raise UserError(f"{source}: {path}, {place}: the hunk changes nothing")
    return Hunk(path, place, tuple(body), **remark)
