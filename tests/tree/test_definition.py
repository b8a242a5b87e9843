# SPDX-License-Identifier: GPL-2.0-only
"""What a file defines and declares is found, under its own name."""

import pytest

from dmabuf_patchgen.tree.c import parse
from tests.tree.parsed import only, text

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


def kinds(body: bytes) -> list[tuple[str, str]]:
    return [(d.kind, d.name) for d in parse(body).definitions]


def test_functions() -> None:
    c = parse(
        b"static int __init one(void)\n{\n\treturn 1;\n}\n\n"
        b"static const struct foo *\ntwo(struct bar __user *p)\n{\n\treturn NULL;\n}\n"
        b"int three(int);\n"
    )
    assert text(c, only(c, "function", "one").span).endswith("return 1;\n}")
    assert text(c, only(c, "function", "two").span).startswith("static const struct foo *\ntwo(")
    assert c.named("function", "three") == []
    assert text(c, only(c, "declaration", "three").span) == "int three(int);"


def test_a_function_is_not_found_by_part_of_its_name() -> None:
    c = parse(b"int dma_buf_mmap_internal(void) { return 0; }\n")
    assert c.named("function", "dma_buf_mmap") == []


def test_a_call_defines_nothing() -> None:
    c = parse(b"void f(void)\n{\n\tg();\n}\n")
    assert [d.name for d in c.definitions] == ["f"]


@pytest.mark.parametrize(
    ("body", "kind", "name"),
    [
        (b"struct a {\n\tint x;\n};\n", "struct", "a"),
        (b"union a {\n\tint x;\n};\n", "union", "a"),
        (b"enum a {\n\tX,\n};\n", "enum", "a"),
        (b"typedef struct a {\n\tint x;\n} a_t;\n", "struct", "a"),
        (b"typedef struct a {\n\tint x;\n} a_t;\n", "typedef", "a_t"),
        (b"static struct a {\n\tint x;\n} b = { 1 };\n", "struct", "a"),
        (b"static struct a b = { 1 };\n", "variable", "b"),
        (b"enum a {\n\tX,\n};\n", "enumerator", "X"),
        (b"#define A 1\n", "define", "A"),
        (b"#define A(x) (x)\n", "define", "A"),
        (b'extern "C" {\nstruct a {\n\tint x;\n};\n}\n', "struct", "a"),
        (b"#if defined(B) && C\nint a(void)\n{\n\treturn 0;\n}\n#endif\n", "function", "a"),
        (b"#if 0\n#elif 1\nint a(void)\n{\n\treturn 0;\n}\n#endif\n", "function", "a"),
    ],
)
def test_kinds_of_definitions(body: bytes, kind: str, name: str) -> None:
    assert (kind, name) in kinds(body)
    assert (kind, f"{name}x") not in kinds(body)


def test_a_struct_only_mentioned_is_not_defined() -> None:
    assert kinds(b"struct a;\nint f(struct b *p);\nstruct d *e;\n") == [
        ("declaration", "f"),
        ("variable", "e"),
    ]


def test_a_struct_reaches_to_its_semicolon() -> None:
    c = parse(b"struct a {\n\tint x;\n};\nint y;\n")
    assert text(c, only(c, "struct", "a").span) == "struct a {\n\tint x;\n};"


def test_bytes_that_are_not_utf8() -> None:
    c = parse(b"/* Andr\xe9 */\nint f(void)\n{\n\treturn 0;\n}\n")
    assert c.body[only(c, "function", "f").span.start :].startswith(b"int f")


def test_a_comment_in_the_body_does_not_rename_a_macro() -> None:
    found = [d.name for d in parse(TRACE).definitions if d.kind == "define"]
    assert found == ["DMA_BUF_TRACE", "NESTED"]
