# SPDX-License-Identifier: GPL-2.0-only
"""Statements, whole: what stands beside one stands beside all of it."""

from dmabuf_patchgen.tree import statements
from dmabuf_patchgen.tree.c import parse
from dmabuf_patchgen.tree.tokens import Span
from tests.tree.parsed import only, text


def test_statement() -> None:
    c = parse(
        b"int f(void)\n{\n\tif (a) {\n\t\tret = call(1,\n\t\t\t   2);\n\t}\n\treturn ret;\n}\n"
    )
    inner = c.body.index(b"call")
    f = only(c, "function", "f")
    span = statements.around(c, f, Span(inner, inner + 4))
    assert text(c, span) == "ret = call(1,\n\t\t\t   2);"
    whole = statements.around(c, f, Span(c.body.index(b"a)"), c.body.index(b"a)") + 1))
    assert text(c, whole).startswith("if (a) {")


def test_the_only_statement_of_an_if_has_nothing_beside_it() -> None:
    """Beside `foo();` of `if (a) foo();` means beside the whole if."""
    c = parse(b"int f(void)\n{\n\tif (a)\n\t\tfoo();\n\treturn 0;\n}\n")
    at = c.body.index(b"foo")
    span = statements.around(c, only(c, "function", "f"), Span(at, at + 3))
    assert text(c, span) == "if (a)\n\t\tfoo();"


def test_after_declarations() -> None:
    def first(body: bytes) -> str:
        c = parse(b"int f(void)\n{\n" + body + b"}\n")
        point = statements.after_declarations(c, only(c, "function", "f"))
        return c.body[point:].decode()

    assert first(b"\tint a;\n\tint b = 1;\n\n\ta = b;\n") == "\n\ta = b;\n}\n"
    assert first(b"\treturn 0;\n") == "\treturn 0;\n}\n"
    assert first(b"\tint a; /* why */\n\t/* then */\n\ta = 1;\n") == "\t/* then */\n\ta = 1;\n}\n"
