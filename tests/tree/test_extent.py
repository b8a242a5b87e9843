# SPDX-License-Identifier: GPL-2.0-only
"""What belongs to a definition: new text goes outside of it."""

import re

import pytest

from dmabuf_patchgen.tree import extent
from dmabuf_patchgen.tree.c import parse
from dmabuf_patchgen.tree.doubt import Doubt
from dmabuf_patchgen.tree.tokens import Span
from tests.tree.parsed import only, text


def test_the_comment_above_belongs_to_a_definition() -> None:
    c = parse(b"int x;\n\n/*\n * About it.\n */\nint f(void)\n{\n\treturn 0;\n}\nint y;\n")
    f = only(c, "function", "f")
    around = text(c, Span(extent.before(c, f), extent.after(c, f)))
    assert around.startswith("/*\n * About it.")
    assert around.endswith("}\n")


@pytest.mark.parametrize("above", [b"/* about x */\n\n", b"int x; /* about x */\n", b"int x;\n"])
def test_a_comment_elsewhere_does_not(above: bytes) -> None:
    c = parse(above + b"int f(void)\n{\n\treturn 0;\n}\n")
    assert c.body[extent.before(c, only(c, "function", "f")) :].startswith(b"int f(void)")


ABOVE = b"extern %b void said(const char *fmt, ...);\nextern void g(void);\n\n"


def test_a_declaration_above_is_no_part_of_a_heading() -> None:
    """include/linux/workqueue.h of 5.10, whose annotation the parser took for the function."""
    function = b"static inline int f(void)\n{\n\treturn 0;\n}\n"
    c = parse(ABOVE % b"__printf(1, 2)" + function)
    f = only(c, "function", "f")
    extent.check(c, f)
    assert c.body[extent.before(c, f) :] == function
    # Of one that nobody knows it is told.
    c = parse(ABOVE % b"__like_printf(1, 2)" + function)
    (f,) = (one for one in c.definitions if one.kind == "function")
    with pytest.raises(Doubt, match="begins with another declaration"):
        extent.check(c, f)


GUARDED = b"/* SPDX */\n#ifndef A_H\n#define A_H\n\nint x;\n%b\n\n#endif /* A_H */\n\n"


@pytest.mark.parametrize(
    ("body", "last"),
    [
        (b"int x;\n\n", ""),
        (b"int x;\n#ifdef A\nint y;\n#endif\n", "#endif"),
        (b"#ifdef A\nint x;\n#endif\nint y;\n", "int y;"),
        (GUARDED % b"int y;", "int y;"),
        (GUARDED % b"/* about\n * it */", " * it */"),
        (GUARDED % b"#ifdef __cplusplus\n}\n#endif", "#endif"),
        (b"#if !defined(A_H)\n#define A_H\n#include <a.h>\n#endif\n", "#include <a.h>"),
        (b"#ifndef A_H\n#define A_H\n#endif", "#define A_H"),
    ],
)
def test_the_end_of_a_file_is_within_its_guard(body: bytes, last: str) -> None:
    c = parse(body)
    point = extent.end_of_file(c)
    assert body[:point].decode().split("\n")[-2] == last
    assert not re.search(rb"[^\s]", body[point:].partition(b"#endif")[0])


@pytest.mark.parametrize(
    "body",
    [
        b"#ifdef CONFIG_A\nint x;\n#endif\n",
        b"#ifndef A_H\n#define B_H\nint x;\n#endif\n",
        b"#ifndef A_H\n#define A_H\nint x;\n#else\nint y;\n#endif\n",
        b"/* a */\n#if 1\nint x;\n#endif /* b */\n// c\n",
    ],
)
def test_the_end_of_a_file_that_is_all_under_an_if(body: bytes) -> None:
    with pytest.raises(Doubt, match="is no guard of a header"):
        extent.end_of_file(parse(body))
