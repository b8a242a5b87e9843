# SPDX-License-Identifier: GPL-2.0-only
"""What tests ask of a C file that was parsed."""

from dmabuf_patchgen.tree.c import CFile
from dmabuf_patchgen.tree.definition import Definition
from dmabuf_patchgen.tree.tokens import Span


def text(c: CFile, span: Span) -> str:
    return c.body[span.start : span.end].decode()


def only(c: CFile, kind: str, name: str) -> Definition:
    (definition,) = c.named(kind, name)
    return definition
