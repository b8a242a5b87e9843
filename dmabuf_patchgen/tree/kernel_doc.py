# SPDX-License-Identifier: GPL-2.0-only
"""Kernel-doc comments, by what they describe."""

import re

from dmabuf_patchgen.tree.c import CFile
from dmabuf_patchgen.tree.tokens import Span


def describing(c: CFile, name: str) -> list[Span]:
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
    for match in opening.finditer(c.body):
        comment = c.lexical.comment(c.body.index(b"/", match.start()) + 1)
        if comment and comment.start >= match.start() and c.lexical.live(comment.start):
            found.append(Span(match.start(), comment.end))
    return found
