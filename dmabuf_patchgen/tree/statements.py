# SPDX-License-Identifier: GPL-2.0-only
"""Statements of a function, and where new ones go beside them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dmabuf_patchgen.errors import Why
from dmabuf_patchgen.tree import flow
from dmabuf_patchgen.tree.c import CFile
from dmabuf_patchgen.tree.definition import Definition
from dmabuf_patchgen.tree.doubt import Doubt
from dmabuf_patchgen.tree.tokens import Span, line_number

if TYPE_CHECKING:
    from tree_sitter import Node

# Parents whose children are statements, one after the other.
_BLOCKS = frozenset(
    {
        "compound_statement",
        "case_statement",
        "labeled_statement",
        "preproc_if",
        "preproc_ifdef",
        "preproc_else",
        "preproc_elif",
    }
)
# What may stand right before a statement.
_ENDED = (b";", b"{", b"}", b":")


def before(c: CFile, function: Definition, code: Span) -> int:
    """The line before the statement around some code. Raises Doubt."""
    statement = around(c, function, code)
    start = c.lexical.line_before(statement.start)
    return c.lexical.outside(start, c.lexical.branches(function.span.start), after=False)


def after(c: CFile, function: Definition, code: Span) -> int:
    """The line behind the statement around some code. Raises Doubt."""
    statement = around(c, function, code)
    ended(c, statement.end)
    return c.lexical.outside(
        c.lexical.line_after(statement.end), c.lexical.branches(function.span.start), after=True
    )


def around(c: CFile, function: Definition, code: Span) -> Span:
    """The statement around some code of a function, one that others may stand beside.

    Raises Doubt where there is none, or the code is of several.
    """
    body = function.node.child_by_field_name("body")
    node = c.root.descendant_for_byte_range(code.start, code.end - 1)
    if body is None or node is None or code.start <= body.start_byte:
        raise Doubt(Why.MISSING, "stands in no statement", code.start)
    if node.type in _BLOCKS and node.start_byte < code.start:
        raise Doubt(Why.NOT_ALONE, "is of more than one statement", code.start)
    while node.parent is not None and node.parent.type not in _BLOCKS:
        node = node.parent
    if node.start_byte <= body.start_byte or not flow.is_statement(node):
        raise Doubt(Why.MISSING, "stands in no statement", code.start)
    begins(c, node.start_byte)
    return Span(node.start_byte, node.end_byte)


def begins(c: CFile, start: int) -> None:
    """Raise Doubt where a statement is all that an `if`, a loop or an `else` has for a body.

    Macros that loop are no loops to the parser; so the sign before it has to be an end.
    """
    last = c.lexical.code_before(start)
    word = c.lexical.word_at(last)
    if word not in _ENDED:
        line = line_number(c.body, max(last, 0))
        raise Doubt(Why.NOT_ALONE, f"belongs to what stands in line {line}", start)


def ended(c: CFile, end: int) -> None:
    """Raise Doubt where what ends there goes on with an `else`, or does not end at all."""
    following = c.lexical.code_after(end)
    if c.body[end - 1 : end] not in (b";", b"}"):
        raise Doubt(Why.NOT_ALONE, "does not end there", end - 1)
    if re.match(rb"else\b", c.body[following : following + 5]):
        raise Doubt(Why.NOT_ALONE, "goes on with an else", following)


def innermost(c: CFile, code: Span) -> Node | None:
    """The smallest node of the syntax around a stretch."""
    return c.root.descendant_for_byte_range(code.start, code.end - 1)


def after_declarations(c: CFile, function: Definition) -> int:
    """Where the first statement of a function may stand, after its declarations.

    Raises Doubt.
    """
    block = function.node.child_by_field_name("body")
    if block is None:
        raise Doubt(Why.DOES_NOT_PARSE, "has no body that parses", function.span.start)
    last = block.children[0].end_byte
    for node in block.named_children:
        if node.type not in ("declaration", "comment"):
            break
        if node.type == "declaration":
            last = node.end_byte
    return c.lexical.outside(
        c.lexical.line_after(last), c.lexical.branches(function.span.start), after=True
    )
