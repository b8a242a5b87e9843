# SPDX-License-Identifier: GPL-2.0-only
"""Places in C by syntax: functions, structs, fields, cases, comments, found with tree-sitter.

Macros leave local ERROR nodes in most kernel files, so "the file parses" is no condition;
what is asked is that no error lies on a place, and that an edit adds none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING

from dmabuf_patchgen.tree.tokens import Span, Tokens, line_end, line_start, words

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

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
# Parents whose children are statements, one after the other.
_BLOCKS = frozenset(
    {"compound_statement", "case_statement", "preproc_if", "preproc_ifdef", "preproc_else"}
)
# What the kernel writes and C's grammar has not: annotations, and loops made by macros. They
# are blanked for the parser, byte for byte, so that offsets stay right.
_ANNOTATION = re.compile(
    rb"\b__(?:user|iomem|percpu|rcu|force|must_check|always_inline|init|exit|maybe_unused)\b"
)
_COMMENT = re.compile(rb"/\*.*?\*/", re.S)
_LOOP = re.compile(rb"^\t+\w*for_each\w*(?=\()", re.M)
_DEFINE = re.compile(rb"#\s*define\s+(\w+)")
_IOCTL = re.compile(rb"_IO(?:R|W|WR)?\s*\(\s*(\w+|'.')\s*,\s*(0[xX][0-9a-fA-F]+|\d+)\b")


@cache
def _parser() -> Parser:
    import tree_sitter_c
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_c.language()))


def _plain(body: bytes) -> bytes:
    body = _ANNOTATION.sub(lambda match: b" " * len(match.group()), body)
    return _LOOP.sub(lambda match: b"if".ljust(len(match.group())), body)


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


@lru_cache(maxsize=64)
def parse(body: bytes) -> CFile:
    """A C file, parsed once however often it is asked about: most patches leave most files be."""
    return CFile(body)


class CFile:
    """A C file and where things are in it; `parse` makes them."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self._root = _parser().parse(_plain(body)).root_node

    @cached_property
    def definitions(self) -> tuple[Definition, ...]:
        """What the file defines and declares at file scope, in order."""
        return tuple(self._walk(self._root))

    @cached_property
    def errors(self) -> tuple[Span, ...]:
        """Stretches that do not parse."""
        return tuple(_errors(self._root))

    def named(self, kind: str, name: str) -> list[Definition]:
        """Definitions of a kind and name; more than one under #ifdef, say."""
        return [d for d in self.definitions if d.kind == kind and d.name == name]

    def defined_more_than_once(self) -> Counter[tuple[str, str]]:
        """How often each thing is defined, for what may be defined only once."""
        once = ("function", "struct", "union", "enum", "define", "typedef")
        found = Counter((d.kind, d.name) for d in self.definitions if d.kind in once)
        return Counter({key: count for key, count in found.items() if count > 1})

    def in_error(self, span: Span) -> Span | None:
        """The error that touches a stretch, if any; one of no width touches its end as well."""
        for error in self.errors:
            # What is missing at the end of a definition is reported right behind it.
            end = span.end + (error.start == error.end)
            if error.start < end and span.start < max(error.end, error.start + 1):
                return error
        return None

    def error_words(self, error: Span) -> tuple[bytes, ...]:
        """The tokens of an error, comments aside: what tells it from another one."""
        return tuple(words(_COMMENT.sub(b" ", self.body[error.start : error.end])))

    def with_comment(self, span: Span) -> Span:
        """A definition together with the comment right above it, from its line's start."""
        start = line_start(self.body, span.start)
        above = self.body[:start].rstrip(b" \t")
        if above.endswith(b"*/\n"):
            opened = above.rfind(b"/*")
            if not self.body[line_start(self.body, opened) : opened].strip():
                start = line_start(self.body, opened)
        return Span(start, line_end(self.body, span.end - 1))

    def kernel_doc(self, name: str) -> list[Span]:
        """Kernel-doc comments that describe a name, or the DOC: section of that title.

        Rule: Documentation/doc-guide/kernel-doc.rst, a comment that opens with two stars
        and whose first line names what it describes.
        """
        if name.startswith("DOC:"):
            title = rb"DOC:\s*" + re.escape(name[4:].strip().encode()) + rb"\s*\n"
        else:
            title = rb"(?:(?:struct|union|enum|typedef)\s+)?" + re.escape(name.encode()) + rb"\b"
        opening = re.compile(rb"^[ \t]*/\*\*\s*\n?[ \t]*\*?[ \t]*" + title, re.M)
        found = []
        for match in opening.finditer(self.body):
            end = self.body.find(b"*/", match.end())
            if end >= 0:
                found.append(Span(match.start(), end + 2))
        return found

    def members(self, definition: Definition) -> list[tuple[str, Span]]:
        """Fields of a struct or union, enumerators of an enum: name and whole lines."""
        found: list[tuple[str, Span]] = []
        for node in _body_nodes(definition.node):
            span = Span(node.start_byte, node.end_byte)
            if node.type == "field_declaration":
                found += [(name, span) for name in _declared_names(node)]
            elif node.type == "enumerator":
                name_node = node.child_by_field_name("name")
                if name_node is not None:
                    found.append((_text(name_node), span))
        return found

    def tokens(self, span: Span) -> Tokens:
        """Tokens of a stretch of this file."""
        return Tokens(self.body, span)

    def statement(self, span: Span) -> Span | None:
        """The statement around a stretch of a function, one that others may stand beside."""
        node = self._root.descendant_for_byte_range(span.start, span.end - 1)
        while node is not None and node.parent is not None:
            if node.parent.type in _BLOCKS:
                return Span(node.start_byte, node.end_byte)
            node = node.parent
        return None

    def after_declarations(self, function: Definition) -> int | None:
        """Where the first statement of a function may stand, after its declarations."""
        block = function.node.child_by_field_name("body")
        if block is None:
            return None
        last = block.children[0].end_byte
        for node in block.named_children:
            if node.type not in ("declaration", "comment"):
                break
            if node.type == "declaration":
                last = node.end_byte
        return line_end(self.body, last - 1)

    def switch_labels(self, function: Definition, subject: str) -> list[tuple[str, Span]]:
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
                name = f"case {_text(value)}" if value is not None else "default"
                found.append((name, Span(label.start_byte, label.end_byte)))
        return found

    def includes(self) -> list[tuple[str, Span]]:
        """#include lines of file scope: the path with its signs, and the line."""
        found = []
        for node in self._root.children:
            if node.type == "preproc_include":
                path = node.child_by_field_name("path")
                if path is not None:
                    found.append((_text(path), Span(node.start_byte, node.end_byte)))
        return found

    def ioctls(self, magic: str) -> list[tuple[int, str]]:
        """Numbers that #defines of this file take on an ioctl magic, with their names."""
        found = []
        for definition in self.definitions:
            if definition.kind == "define":
                line = self.body[definition.span.start : definition.span.end]
                match = _IOCTL.search(line)
                if match and match.group(1).decode() == magic:
                    found.append((int(match.group(2), 0), definition.name))
        return found

    def _walk(self, holder: Node) -> Iterator[Definition]:
        for node in holder.named_children:
            span = Span(node.start_byte, node.end_byte)
            match node.type:
                case "function_definition":
                    for name in _declared_names(node)[:1]:
                        yield Definition("function", name, span, node)
                case "declaration":
                    yield from _tagged(node)
                    for name in _declared_names(node):
                        kind = "declaration" if _is_prototype(node) else "variable"
                        yield Definition(kind, name, span, node)
                case "type_definition":
                    yield from _tagged(node)
                    for name in _declared_names(node):
                        yield Definition("typedef", name, span, node)
                case "struct_specifier" | "union_specifier" | "enum_specifier":
                    yield from _tag(node)
                case "preproc_def" | "preproc_function_def":
                    # A comment in the macro's body can make the parser call it by another word.
                    said = _DEFINE.match(node.text or b"")
                    if said:
                        yield Definition("define", said[1].decode(), span, node)
                case _ if node.type in _HOLDERS:
                    yield from self._walk(node)


def _text(node: Node) -> str:
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
        yield Definition(_TAGGED[node.type], _text(name), span, node)
    if node.type == "enum_specifier":
        for entry in _body_nodes(node):
            value = entry.child_by_field_name("name")
            if entry.type == "enumerator" and value is not None:
                span = Span(entry.start_byte, entry.end_byte)
                yield Definition("enumerator", _text(value), span, entry)


def _body_nodes(node: Node) -> Iterator[Node]:
    body = node.child_by_field_name("body")
    pending = list(body.named_children) if body is not None else []
    while pending:
        child = pending.pop(0)
        if child.type.startswith("preproc_") or child.type == "ERROR":
            pending[:0] = child.named_children
        else:
            yield child


def _declared_names(node: Node) -> list[str]:
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
            names.append(_text(inner))
    return names


def _is_prototype(node: Node) -> bool:
    return any(
        declarator.type == "function_declarator"
        or any(child.type == "function_declarator" for child in declarator.named_children)
        for declarator in node.children_by_field_name("declarator")
    )


def _descend(node: Node, kind: str) -> Iterator[Node]:
    for child in node.named_children:
        if child.type == kind:
            yield child
        yield from _descend(child, kind)


def _cases(body: Node) -> Iterator[Node]:
    for child in body.named_children:
        if child.type == "case_statement":
            yield child
            # tree-sitter hangs a label that follows a label below it.
            yield from (c for c in _cases(child) if c.type == "case_statement")
        elif child.type.startswith("preproc_") or child.type == "ERROR":
            # A label between #if and #endif sits below them.
            yield from _cases(child)


def _errors(node: Node) -> Iterator[Span]:
    if node.type == "ERROR" or node.is_missing:
        yield Span(node.start_byte, node.end_byte)
    elif node.has_error:
        for child in node.children:
            yield from _errors(child)
