# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel writes parses, and what does not is told."""

import pytest

from dmabuf_patchgen.tree import statements
from dmabuf_patchgen.tree.c import parse
from dmabuf_patchgen.tree.tokens import Span
from tests.tree.parsed import only, text


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
    statement = statements.around(c, only(c, "function", "f"), token)
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
