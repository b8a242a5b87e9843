# SPDX-License-Identifier: GPL-2.0-only
"""Kernel-doc is found by what it describes."""

import pytest

from dmabuf_patchgen.tree import kernel_doc
from dmabuf_patchgen.tree.c import parse
from tests.tree.parsed import text


@pytest.mark.parametrize(
    ("comment", "name"),
    [
        (b"/**\n * do_it - Do it\n * @x: what\n */\n", "do_it"),
        (b"/**\n * do_it() - Do it\n */\n", "do_it"),
        (b"/**\n * struct dma_buf - A thing\n */\n", "dma_buf"),
        (b"/**\n * enum flags - Things\n */\n", "flags"),
        (b"/** do_it: in one line */\n", "do_it"),
        (b"/**\n * DOC: cpu access\n *\n * Text.\n */\n", "DOC: cpu access"),
    ],
)
def test_kernel_doc(comment: bytes, name: str) -> None:
    c = parse(b"int before;\n\n" + comment + b"int f(int x);\n")
    (span,) = kernel_doc.describing(c, name)
    assert text(c, span) == comment.decode().rstrip("\n")
    assert kernel_doc.describing(c, name[:-1]) == []


def test_the_comment_of_a_member_is_not_that_of_a_name() -> None:
    c = parse(b"struct a {\n\t/**\n\t * @size:\n\t *\n\t * Inline.\n\t */\n\tint size;\n};\n")
    assert kernel_doc.describing(c, "size") == []


def test_a_plain_comment_is_no_kernel_doc() -> None:
    c = parse(b"/*\n * f - Do it\n */\nint f(void);\n")
    assert kernel_doc.describing(c, "f") == []


def test_kernel_doc_of_a_name_that_begins_alike() -> None:
    c = parse(b"/**\n * dma_buf_mmap_internal - x\n */\n/**\n * DOC: cpu access rules\n */\n")
    assert kernel_doc.describing(c, "dma_buf_mmap") == []
    assert kernel_doc.describing(c, "DOC: cpu access") == []
