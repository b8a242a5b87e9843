# SPDX-License-Identifier: GPL-2.0-only
"""Labels of a switch, and where a new one goes before them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dmabuf_patchgen.errors import Why
from dmabuf_patchgen.tree import flow
from dmabuf_patchgen.tree.c import CFile
from dmabuf_patchgen.tree.definition import Definition, text_of
from dmabuf_patchgen.tree.doubt import Doubt
from dmabuf_patchgen.tree.tokens import Span, words

if TYPE_CHECKING:
    from tree_sitter import Node


def of_switch(c: CFile, function: Definition, subject: str) -> list[tuple[str, Span]]:
    """Labels of every `switch (subject)` in a function: `case X` or `default`."""
    found = []
    for node in _descend(function.node, "switch_statement"):
        condition = node.child_by_field_name("condition")
        body = node.child_by_field_name("body")
        if condition is None or body is None:
            continue
        if words(condition.text or b"") != words(f"({subject})".encode()):
            continue
        for label in _cases(body):
            value = label.child_by_field_name("value")
            name = f"case {text_of(value)}" if value is not None else "default"
            found.append((name, Span(label.start_byte, label.end_byte)))
    return found


def before(c: CFile, function: Definition, label: Span) -> int:
    """The line before a label of a switch, and its comments.

    Raises Doubt, also where what stands above runs into it: a new case would catch that.
    """
    node = c.root.descendant_for_byte_range(label.start, label.start + 1)
    while node is not None and node.type != "case_statement":
        node = node.parent
    if node is None or flow.runs_into(node):
        raise Doubt(Why.FALLS_THROUGH, "is run into from above", label.start)
    start = c.lexical.with_comments(c.lexical.line_before(label.start))
    return c.lexical.outside(start, c.lexical.branches(function.span.start), after=False)


def _descend(root: Node, kind: str) -> Iterator[Node]:
    # What a kernel has may be nested deeper than Python's calls are.
    pending = root.named_children[::-1]
    while pending:
        node = pending.pop()
        if node.type == kind:
            yield node
        pending += reversed(node.named_children)


def _cases(body: Node) -> Iterator[Node]:
    pending = body.named_children[::-1]
    while pending:
        node = pending.pop()
        if node.type == "case_statement":
            yield node
        if node.type in ("case_statement", "ERROR") or node.type.startswith("preproc_"):
            # tree-sitter hangs a label that follows a label below it, and one between #if and
            # #endif below these.
            pending += reversed(node.named_children)
