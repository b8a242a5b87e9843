# SPDX-License-Identifier: GPL-2.0-only
"""Places in C: each is found where a reader of kernel code would look for it."""

from pathlib import Path

import pytest

from dmabuf_patchgen.tree.c import CFile, Definition, parse
from dmabuf_patchgen.tree.tokens import Span, line_number


def text(c: CFile, span: Span) -> str:
    return c.body[span.start : span.end].decode()


def only(c: CFile, kind: str, name: str) -> Definition:
    (definition,) = c.named(kind, name)
    return definition


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


def test_a_function_defined_twice_under_ifdef() -> None:
    c = parse(
        b"#ifdef CONFIG_DEBUG_FS\nstatic int setup(void)\n{\n\treturn 1;\n}\n"
        b"#else\nstatic inline int setup(void)\n{\n\treturn 0;\n}\n#endif\n"
    )
    assert [line_number(c.body, d.span.start) for d in c.named("function", "setup")] == [2, 7]
    assert c.defined_more_than_once() == {("function", "setup"): 2}


def test_what_may_be_declared_twice_is_not_defined_twice() -> None:
    c = parse(b"struct a;\nstruct a;\nint f(void);\nint f(void);\nextern int x;\nint x;\n")
    assert c.defined_more_than_once() == {}


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


def test_fields() -> None:
    c = parse(
        b"struct a {\n\tint x, *y;\n\tunsigned long bits : 3;\n\tint (*op)(int arg);\n"
        b"#ifdef CONFIG_B\n\tstruct b __rcu *deep;\n#endif\n\tchar name[8];\n"
        b"\tstruct c {\n\t\tint inner;\n\t} nested;\n};\n"
    )
    found = dict(c.members(only(c, "struct", "a")))
    assert [*found] == ["x", "y", "bits", "op", "deep", "name", "nested"]
    assert text(c, found["op"]) == "int (*op)(int arg);"
    assert text(c, found["deep"]) == "struct b __rcu *deep;"


def test_enumerators() -> None:
    c = parse(b"enum a {\n\tX = 1,\n\t/* the last */\n\tY,\n};\n")
    assert [(name, text(c, span)) for name, span in c.members(only(c, "enum", "a"))] == [
        ("X", "X = 1"),
        ("Y", "Y"),
    ]


def test_the_comment_above_belongs_to_a_definition() -> None:
    c = parse(b"int x;\n\n/*\n * About it.\n */\nint f(void)\n{\n\treturn 0;\n}\nint y;\n")
    f = only(c, "function", "f")
    around = text(c, Span(c.before(f), c.after(f)))
    assert around.startswith("/*\n * About it.")
    assert around.endswith("}\n")


@pytest.mark.parametrize("above", [b"/* about x */\n\n", b"int x; /* about x */\n", b"int x;\n"])
def test_a_comment_elsewhere_does_not(above: bytes) -> None:
    c = parse(above + b"int f(void)\n{\n\treturn 0;\n}\n")
    assert c.body[c.before(only(c, "function", "f")) :].startswith(b"int f(void)")


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
    (span,) = c.kernel_doc(name)
    assert text(c, span) == comment.decode().rstrip("\n")
    assert c.kernel_doc(name[:-1]) == []


def test_the_comment_of_a_member_is_not_that_of_a_name() -> None:
    c = parse(b"struct a {\n\t/**\n\t * @size:\n\t *\n\t * Inline.\n\t */\n\tint size;\n};\n")
    assert c.kernel_doc("size") == []


def test_a_plain_comment_is_no_kernel_doc() -> None:
    assert parse(b"/*\n * f - Do it\n */\nint f(void);\n").kernel_doc("f") == []


def test_kernel_doc_of_a_name_that_begins_alike() -> None:
    c = parse(b"/**\n * dma_buf_mmap_internal - x\n */\n/**\n * DOC: cpu access rules\n */\n")
    assert c.kernel_doc("dma_buf_mmap") == []
    assert c.kernel_doc("DOC: cpu access") == []


def labels(body: bytes, subject: str = "cmd") -> list[str]:
    c = parse(b"int f(int cmd)\n{\n" + body + b"}\n")
    return [name for name, _ in c.switch_labels(only(c, "function", "f"), subject)]


def test_switch_labels() -> None:
    body = (
        b"\tswitch (cmd) {\n\tcase A:\n\tcase B:\n\t\treturn 1;\n\tdefault:\n\t\treturn 0;\n\t}\n"
    )
    assert labels(body) == ["case A", "case B", "default"]
    assert labels(body, "other") == []


def test_default_behind_endif() -> None:
    body = (
        b"\tswitch (cmd) {\n\tcase A:\n\t\treturn 1;\n\n#if IS_ENABLED(CONFIG_SYNC_FILE)\n"
        b"\tcase B:\n\t\treturn 2;\n#endif\n\n\tdefault:\n\t\treturn 0;\n\t}\n"
    )
    assert labels(body) == ["case A", "case B", "default"]


def test_default_within_an_if() -> None:
    body = (
        b"\tswitch (cmd) {\n\tcase A:\n\t\treturn 1;\n#ifdef B\n"
        b"\tdefault:\n\t\treturn 2;\n#endif\n\t}\n"
    )
    assert labels(body) == ["case A", "default"]


def test_labels_of_a_nested_switch_are_its_own() -> None:
    body = (
        b"\tswitch (cmd) {\n\tcase A:\n\t\tswitch (sub.x) {\n\t\tcase A:\n\t\t\tbreak;\n"
        b"\t\tdefault:\n\t\t\tbreak;\n\t\t}\n\t\tbreak;\n\tdefault:\n\t\treturn 0;\n\t}\n"
    )
    assert labels(body) == ["case A", "default"]
    assert labels(body, "sub . x") == ["case A", "default"]
    c = parse(b"int f(int cmd)\n{\n" + body + b"}\n")
    outer, inner = (c.switch_labels(only(c, "function", "f"), on) for on in ("cmd", "sub.x"))
    assert not {*outer} & {*inner}


def test_two_switches_on_the_same() -> None:
    body = b"\tswitch (cmd) {\n\tcase A:\n\t\tbreak;\n\t}\n"
    assert labels(body + body) == ["case A", "case A"]


def test_includes() -> None:
    c = parse(
        b'/* x */\n#include <linux/mm.h>\n#include "own.h"\n#ifdef A\n#include <a.h>\n#endif\n'
    )
    assert [name for name, _ in c.includes()] == ["<linux/mm.h>", '"own.h"']


@pytest.mark.parametrize(
    "line",
    [
        b"int copy(void __user *p, void __iomem *q);\n",
        b"static __always_inline int __must_check f(int __maybe_unused x)\n{\n\treturn 0;\n}\n",
        b"void f(struct l *l)\n{\n\tlist_for_each_entry(x, l, y) {\n\t\tg(x);\n\t}\n}\n",
        b"void f(struct l *l)\n{\n\tfor_each_sg(a, b, c, d)\n\t\tg(x);\n}\n",
    ],
)
def test_what_the_kernel_writes_parses(line: bytes) -> None:
    assert parse(line).errors == ()


def test_blanking_moves_nothing() -> None:
    body = b"int f(void __user *p)\n{\n\tlist_for_each_entry(x, l, y)\n\t\tg(x);\n\treturn 7;\n}\n"
    c = parse(body)
    assert text(c, only(c, "function", "f").span) == body.decode().rstrip("\n")
    ((token, _),) = c.tokens(only(c, "function", "f").span).find([b"return", b"7"])
    statement = c.statement(only(c, "function", "f"), token)
    assert text(c, statement) == "return 7;"


def test_errors() -> None:
    c = parse(b"int good(void)\n{\n\treturn 0;\n}\n\nint bad(void)\n{\n\tif (x {\n\t}\n}\n")
    assert c.errors
    assert c.in_error(only(c, "function", "good").span) is None
    (offset,) = (c.body.index(b"if (x {"),)
    assert c.in_error(Span(offset, len(c.body)))


def test_a_missing_sign_is_an_error_of_no_width() -> None:
    c = parse(b"int x\nint y;\n")
    assert len(c.errors) == 1
    assert c.in_error(Span(0, len(c.body))) == c.errors[0]


def test_statement() -> None:
    c = parse(
        b"int f(void)\n{\n\tif (a) {\n\t\tret = call(1,\n\t\t\t   2);\n\t}\n\treturn ret;\n}\n"
    )
    inner = c.body.index(b"call")
    f = only(c, "function", "f")
    span = c.statement(f, Span(inner, inner + 4))
    assert text(c, span) == "ret = call(1,\n\t\t\t   2);"
    whole = c.statement(f, Span(c.body.index(b"a)"), c.body.index(b"a)") + 1))
    assert text(c, whole).startswith("if (a) {")


def test_the_only_statement_of_an_if_has_nothing_beside_it() -> None:
    """Beside `foo();` of `if (a) foo();` means beside the whole if."""
    c = parse(b"int f(void)\n{\n\tif (a)\n\t\tfoo();\n\treturn 0;\n}\n")
    at = c.body.index(b"foo")
    span = c.statement(only(c, "function", "f"), Span(at, at + 3))
    assert text(c, span) == "if (a)\n\t\tfoo();"


def test_after_declarations() -> None:
    def first(body: bytes) -> str:
        c = parse(b"int f(void)\n{\n" + body + b"}\n")
        point = c.after_declarations(only(c, "function", "f"))
        return c.body[point:].decode()

    assert first(b"\tint a;\n\tint b = 1;\n\n\ta = b;\n") == "\n\ta = b;\n}\n"
    assert first(b"\treturn 0;\n") == "\treturn 0;\n}\n"
    assert first(b"\tint a; /* why */\n\t/* then */\n\ta = 1;\n") == "\t/* then */\n\ta = 1;\n}\n"


def test_bytes_that_are_not_utf8() -> None:
    c = parse(b"/* Andr\xe9 */\nint f(void)\n{\n\treturn 0;\n}\n")
    assert c.body[only(c, "function", "f").span.start :].startswith(b"int f")


def test_the_real_thing(linux_612: Path) -> None:
    c = parse((linux_612 / "drivers/dma-buf/dma-buf.c").read_bytes())
    for name in ("dma_buf_mmap_internal", "dma_buf_mmap", "dma_buf_export", "dma_buf_ioctl"):
        assert text(c, only(c, "function", name).span).endswith("\n}")
    found = [name for name, _ in c.switch_labels(only(c, "function", "dma_buf_ioctl"), "cmd")]
    assert found[0] == "case DMA_BUF_IOCTL_SYNC" and found[-1] == "default"
    assert len(c.kernel_doc("DOC: cpu access")) == 1
