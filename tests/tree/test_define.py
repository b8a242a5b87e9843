# SPDX-License-Identifier: GPL-2.0-only
"""Macros under their own names, whatever stands in their bodies."""

from dmabuf_patchgen.tree.c import parse

#: As in dma-buf.c of 7.2: the comment makes tree-sitter take `if` for the macro's name.
TRACE = rb"""
#define DMA_BUF_TRACE(FUNC, ...)					\
	do {								\
		/* Always expose lock if lockdep is enabled */		\
		if (IS_ENABLED(CONFIG_LOCKDEP) || FUNC##_enabled()) {	\
			FUNC(__VA_ARGS__);				\
		}							\
	} while (0)
#  define NESTED 1
"""


def test_a_comment_in_the_body_does_not_rename_a_macro() -> None:
    found = [d.name for d in parse(TRACE).definitions if d.kind == "define"]
    assert found == ["DMA_BUF_TRACE", "NESTED"]
