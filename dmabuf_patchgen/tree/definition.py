# SPDX-License-Identifier: GPL-2.0-only
"""What a C file defines and declares at file scope."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dmabuf_patchgen.tree.tokens import Span

if TYPE_CHECKING:
    from tree_sitter import Node

# Nodes that may hold definitions of file scope.
_HOLDERS = frozenset(
    {
        "translation_unit",
        "preproc_if",
        "preproc_ifdef",
        "preproc_else",
        "preproc_elif",
        "linkage_specification",
        "declaration_list",
        "ERROR",
    }
)
_TAGGED = {
    "struct_specifier": "struct",
    "union_specifier": "union",
    "enum_specifier": "enum",
}
_DEFINE = re.compile(rb"#\s*define\s+(\w+)")


@dataclass(frozen=True, slots=True)
class Definition:
    """Something that a file defines or declares at file scope.

    kind: function, declaration, struct, union, enum, typedef, define, enumerator or variable.
    span: the whole of it; a comment above it is not part of it.
    """

    kind: str
    name: str
    span: Span
    node: Node


def definitions(root: Node) -> Iterator[Definition]:
    """The definitions below a node, in order, under every #if."""
    # #if within #if may go deeper than Python's calls do.
    pending = root.named_children[::-1]
    while pending:
        node = pending.pop()
        span = Span(node.start_byte, node.end_byte)
        match node.type:
            case "function_definition":
                for name in declared_names(node)[:1]:
                    yield Definition("function", name, span, node)
            case "declaration":
                yield from _tagged(node)
                for name in declared_names(node):
                    kind = "declaration" if _is_prototype(node) else "variable"
                    yield Definition(kind, name, span, node)
            case "type_definition":
                yield from _tagged(node)
                for name in declared_names(node):
                    yield Definition("typedef", name, span, node)
            case "struct_specifier" | "union_specifier" | "enum_specifier":
                yield from _tag(node)
            case "preproc_def" | "preproc_function_def":
                # A comment in the macro's body can make the parser call it by another word.
                said = _DEFINE.match(node.text or b"")
                if said:
                    yield Definition("define", said[1].decode(), span, node)
            case _ if node.type in _HOLDERS:
                pending += reversed(node.named_children)


def text_of(node: Node) -> str:
    """The text of a node, for a name or a message."""
    return (node.text or b"").decode(errors="replace")


def _tagged(node: Node) -> Iterator[Definition]:
    kind = node.child_by_field_name("type")
    if kind is not None and kind.type in _TAGGED:
        yield from _tag(kind)


def _tag(node: Node) -> Iterator[Definition]:
    body = node.child_by_field_name("body")
    if body is None:
        return
    name = node.child_by_field_name("name")
    if name is not None:
        # Up to the semicolon, so that "after struct X" is after the whole of it.
        after = node.next_sibling
        end = after.end_byte if after is not None and after.type == ";" else node.end_byte
        span = Span(node.start_byte, end)
        yield Definition(_TAGGED[node.type], text_of(name), span, node)
    if node.type == "enum_specifier":
        for entry in body_nodes(node):
            value = entry.child_by_field_name("name")
            if entry.type == "enumerator" and value is not None:
                span = Span(entry.start_byte, entry.end_byte)
                yield Definition("enumerator", text_of(value), span, entry)


def body_nodes(node: Node) -> Iterator[Node]:
    """What the body of a struct, union or enum lists, under every #if."""
    body = node.child_by_field_name("body")
    pending = list(body.named_children) if body is not None else []
    while pending:
        child = pending.pop(0)
        if child.type.startswith("preproc_") or child.type == "ERROR":
            pending[:0] = child.named_children
        else:
            yield child


def declared_names(node: Node) -> list[str]:
    """The names that a declaration gives, in order."""
    names = []
    for declarator in node.children_by_field_name("declarator"):
        inner: Node | None = declarator
        while inner is not None and inner.type not in (
            "identifier",
            "field_identifier",
            "type_identifier",
        ):
            deeper = inner.child_by_field_name("declarator")
            if deeper is None:
                # parenthesized_declarator and attributed_declarator name no field.
                deeper = next(
                    (c for c in inner.named_children if "declarator" in c.type), None
                ) or next((c for c in inner.named_children if "identifier" in c.type), None)
            inner = deeper
        if inner is not None:
            names.append(text_of(inner))
    return names


def _is_prototype(node: Node) -> bool:
    return any(
        declarator.type == "function_declarator"
        or any(child.type == "function_declarator" for child in declarator.named_children)
        for declarator in node.children_by_field_name("declarator")
    )
