# SPDX-License-Identifier: GPL-2.0-only
"""Fields of a struct or union, enumerators of an enum, and where new ones go beside them."""

from dmabuf_patchgen.errors import Why
from dmabuf_patchgen.tree.c import CFile
from dmabuf_patchgen.tree.definition import Definition, body_nodes, declared_names, text_of
from dmabuf_patchgen.tree.doubt import Doubt
from dmabuf_patchgen.tree.tokens import Span

# What may stand right before a member.
_ENDED = (b";", b"{", b"}", b",")


def of(c: CFile, definition: Definition) -> list[tuple[str, Span]]:
    """Fields of a struct or union, enumerators of an enum: name and whole lines."""
    found: list[tuple[str, Span]] = []
    for node in body_nodes(definition.node):
        span = Span(node.start_byte, node.end_byte)
        if node.type == "field_declaration":
            found += [(name, span) for name in declared_names(node)]
        elif node.type == "enumerator":
            name_node = node.child_by_field_name("name")
            if name_node is not None:
                found.append((text_of(name_node), span))
    return found


def before(c: CFile, definition: Definition, member: Span) -> int:
    """The line before a member and the comments that belong to it. Raises Doubt."""
    last = c.lexical.code_before(member.start)
    if c.body[last : last + 1] not in _ENDED:
        raise Doubt(Why.NOT_ALONE, "begins behind something that has not ended", member.start)
    start = c.lexical.with_comments(c.lexical.line_before(member.start))
    return c.lexical.outside(start, c.lexical.branches(definition.span.start), after=False)


def after(c: CFile, definition: Definition, member: Span) -> int:
    """The line behind a member, its comma and the comment behind it. Raises Doubt."""
    end = member.end
    if definition.kind == "enum":
        comma = c.lexical.code_after(end)
        end = comma + 1 if c.body[comma : comma + 1] == b"," else end
    elif c.body[end - 1 : end] != b";":
        raise Doubt(Why.UNCLEAR_END, "has no semicolon behind it", member.start)
    return c.lexical.outside(
        c.lexical.line_after(end), c.lexical.branches(definition.span.start), after=True
    )
