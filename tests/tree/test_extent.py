# SPDX-License-Identifier: GPL-2.0-only
"""What belongs to a definition: new text goes outside of it."""

import pytest

from dmabuf_patchgen.tree import extent
from dmabuf_patchgen.tree.c import parse
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
