# SPDX-License-Identifier: GPL-2.0-only
"""Lists of words in Makefiles: where they are assigned, and under which condition."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dmabuf_patchgen.errors import Why
from dmabuf_patchgen.tree.doubt import Doubt
from dmabuf_patchgen.tree.tokens import Span

# Rule: GNU make's manual, "Conditional Parts of Makefiles" and "Defining Multi-Line Variables".
_OPENS = re.compile(rb"[ \t]*(?:ifeq|ifneq|ifdef|ifndef)\b")
_ELSE = re.compile(rb"[ \t]*else\b")
_CLOSES = re.compile(rb"[ \t]*endif\b")
_DEFINE = re.compile(rb"[ \t]*(?:override[ \t]+|export[ \t]+)*define\b")
_ENDEF = re.compile(rb"[ \t]*endef\b")
_ASSIGNED = re.compile(
    rb"[ \t]*(?:override[ \t]+|export[ \t]+)*(?P<name>[^\s:#=+?!]+)[ \t]*"
    rb"(?P<how>::?:?=|\+=|\?=|!=|=)[ \t]*"
)
_RULE = re.compile(rb"[^\s#=][^=#]*:(?!=)")
_COMMENT = re.compile(rb"(?<!\\)#")
#: A logical line: continued as long as it ends in a backslash.
_LOGICAL = re.compile(rb"(?:[^\n]*\\\r?\n)*[^\n]*(?:\n|\Z)")


@dataclass(frozen=True, slots=True)
class _Line:
    """A logical line. inside: how many conditionals it stands in."""

    span: Span
    inside: int


@dataclass(frozen=True, slots=True)
class Assignment:
    """An assignment to a variable.

    value: from its first word to its last, without a comment and what continues the line;
    words: of its value; adds: whether by +=; conditional: whether it stands under an ifeq.
    """

    value: Span
    words: tuple[bytes, ...]
    adds: bool
    conditional: bool


def assignments(body: bytes, variable: str) -> list[Assignment]:
    """All assignments to a variable, in order; comments and recipes are none."""
    found = []
    for line in _lines(body):
        match = _ASSIGNED.match(body, line.span.start)
        if match and match["name"] == variable.encode() and match.end() <= line.span.end:
            text = body[match.end() : line.span.end]
            comment = _COMMENT.search(text)
            text = text[: comment.start()] if comment else text
            listed = tuple(re.sub(rb"\\\r?\n", b" ", text).split())
            # A backslash that continues the line to a blank one is not of the list.
            kept = re.sub(rb"(?:\s|\\\r?\n)+\Z", b"", text)
            value = Span(match.end(), match.end() + len(kept))
            adds = match["how"] == b"+="
            found.append(Assignment(value, listed, adds, line.inside > 0))
    return found


def last(body: bytes, variable: str) -> Assignment | None:
    """The assignment that new words of a list belong to: the last on all configurations.

    None where there is none at all. Raises Doubt where there is none that always holds.
    """
    found = assignments(body, variable)
    if not found:
        return None
    always = [one for one in found if not one.conditional]
    if not always:
        raise Doubt(
            Why.CONDITIONAL, f"{variable} is assigned only under a condition", found[0].value.start
        )
    for later in found[found.index(always[-1]) :]:
        if later.conditional and not later.adds:
            raise Doubt(
                Why.CONDITIONAL, f"{variable} is replaced under a condition", later.value.start
            )
    return always[-1]


def has(body: bytes, variable: str, word: bytes) -> bool:
    """Whether a list has a word. Raises Doubt where it has it on some configurations only."""
    found = assignments(body, variable)
    if any(word in one.words for one in found if not one.conditional):
        return True
    for one in found:
        if word in one.words:
            raise Doubt(
                Why.CONDITIONAL,
                f"{word.decode(errors='replace')} is in {variable} under a condition only",
                one.value.start,
            )
    return False


def must_be_plain(body: bytes, line: Span) -> None:
    """Raise Doubt where new lines beside a line would be under a condition, or part of it."""
    for logical in _lines(body):
        if logical.span.start <= line.start < logical.span.end:
            if logical.span != line:
                raise Doubt(Why.NOT_ALONE, "is part of a line that is continued", line.start)
            if logical.inside:
                raise Doubt(Why.CONDITIONAL, "stands under a condition", line.start)
            return
    raise Doubt(Why.CONDITIONAL, "stands in a recipe, a define or a comment", line.start)


def _lines(body: bytes) -> Iterator[_Line]:
    """Logical lines that make reads as such: no comments, recipes, or bodies of define."""
    inside, at, defining, after_rule = 0, 0, False, False
    while at < len(body):
        match = _LOGICAL.match(body, at)
        assert match
        text, span = match[0], Span(*match.span())
        at = span.end
        if defining:
            defining = not _ENDEF.match(text)
        elif text.lstrip()[:1] in (b"#", b"") or (after_rule and text[:1] == b"\t"):
            continue
        elif _DEFINE.match(text):
            defining = True
        elif _OPENS.match(text):
            inside += 1
        elif _CLOSES.match(text):
            inside = max(0, inside - 1)
        elif not _ELSE.match(text):
            assigned = _ASSIGNED.match(text)
            after_rule = not assigned and bool(_RULE.match(text))
            yield _Line(span, inside)
