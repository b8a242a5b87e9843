# SPDX-License-Identifier: GPL-2.0-only
"""C as tree-sitter parses it, with what it could not read blanked for it, byte for byte.

Macros leave local ERROR nodes in most kernel files, so "the file parses" is no condition;
what is asked is that no error lies on a place, and that an edit adds none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from dmabuf_patchgen.tree.tokens import Span, line_start

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Tree

#: What the kernel writes and C's grammar has not: annotations, and loops made by macros. They
#: are blanked, so that offsets stay right.
ANNOTATION = re.compile(
    rb"(?:__(?:user|iomem|percpu|rcu|force|must_check|always_inline|maybe_unused"
    rb"|(?:mem|net_)?init|(?:mem|net_)?exit|sched|ref|cold|always_unused)"
    rb"|noinline_for_stack|noinline|asmlinkage|notrace)\b"
    rb"|__(?:printf|scanf)\([\d, ]*\)"
)
# A slot of a struct whose layout a vendor has frozen, which is a macro and no member to the parser.
_SLOT = re.compile(rb"^[ \t]+\w*KABI_(?:RESERVE|USE)\w*\([^()\n]*\)[ \t]*;?", re.M)
# A type as an argument of a macro, such as container_of() and min_t(), or a parameter without
# a name: as one word it is an expression as well.
_TYPE = re.compile(
    rb"([(,]\s*)((?:const[ \t]+)?(?:(?:struct|union|enum)[ \t]+\w+"
    rb"|(?:(?:unsigned|signed|long|short|int|char)\b[ \t]*)+)[ \t*]*)(?=\s*[,)])"
)
_LOOP = re.compile(rb"^\t+\w*for_each\w*(?=\()", re.M)

#: Files that parsed without an error, the last few, by how they begin: their text and its syntax.
_parsed: dict[bytes, tuple[bytes, Tree]] = {}
_MOST = 8
_HEAD = 256


@cache
def _parser() -> Parser:
    import tree_sitter_c
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_c.language()))


def syntax(body: bytes) -> Node:
    """The root of the syntax of a C file.

    Of one that was parsed as it was before an edit, only what changed is parsed again.
    """
    text = _plain(body)
    tree = _edited(text) or _parser().parse(text)
    if not tree.root_node.has_error:
        _parsed.pop(text[:_HEAD], None)
        _parsed[text[:_HEAD]] = (text, tree)
        while len(_parsed) > _MOST:
            del _parsed[next(iter(_parsed))]
    return tree.root_node


def _edited(text: bytes) -> Tree | None:
    """The syntax of a text from that of the one that it was; None if it is to be parsed anew."""
    before, tree = _parsed.get(text[:_HEAD], (b"", None))
    if tree is None:
        return None
    start = _common(before, text)
    most = min(len(before), len(text)) - start
    left = _common(before[::-1][:most], text[::-1][:most])
    old_end, new_end = len(before) - left, len(text) - left
    if max(old_end, new_end) - start > len(text) // 4:
        return None
    # The file as it was may be asked for places yet.
    tree = tree.copy()
    tree.edit(
        start, old_end, new_end, _point(text, start), _point(before, old_end), _point(text, new_end)
    )
    edited = _parser().parse(text, tree)
    # How the parser goes on behind an error depends on what it knew.
    return None if edited.root_node.has_error else edited


def _common(one: bytes, other: bytes) -> int:
    """So many bytes are the same at the beginning of both."""
    least, most = 0, min(len(one), len(other))
    while least < most:
        middle = (least + most + 1) // 2
        if one[least:middle] == other[least:middle]:
            least = middle
        else:
            most = middle - 1
    return least


def _point(text: bytes, at: int) -> tuple[int, int]:
    """Row and column of a byte."""
    return text.count(b"\n", 0, at), at - line_start(text, at)


def errors(root: Node) -> Iterator[Span]:
    """Stretches below a node that do not parse."""
    pending = [root]
    while pending:
        node = pending.pop()
        if node.type == "ERROR" or node.is_missing:
            yield Span(node.start_byte, node.end_byte)
        elif node.has_error:
            pending += reversed(node.children)


def _plain(body: bytes) -> bytes:
    body = ANNOTATION.sub(_blank_word, body)
    if b"KABI_" in body:
        body = _SLOT.sub(_blank_word, body)
    body = _TYPE.sub(_one_word, body)
    if b"for_each" not in body:
        return body
    return _LOOP.sub(lambda match: b"if".ljust(len(match.group())), body)


def _is_word(byte: bytes) -> bool:
    return byte.isalnum() or byte == b"_"


def _blank_word(match: re.Match[bytes]) -> bytes:
    # Asked here, as a pattern that begins with a sign is found quickly.
    part = _is_word(match.string[max(match.start() - 1, 0) : match.start()])
    return match[0] if part else b" " * len(match[0])


def _one_word(match: re.Match[bytes]) -> bytes:
    before = match.string[max(match.start() - 1, 0) : match.start()]
    if match[0].startswith(b"(") and not _is_word(before):
        # A cast, and no call.
        return match[0]
    word = re.sub(rb"[ \t*]", b"_", match[2].rstrip())
    return match[1] + (word[:1].upper() + word[1:]).ljust(len(match[2]))
