# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel writes parses, and what does not is told."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tree_sitter import Node

from dmabuf_patchgen.tree import parser, statements
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


Shape = list[tuple[str, int, int, bool]]


def shape(root: Node) -> Shape:
    """All of a syntax: every node's kind and place."""
    found, pending = [], [root]
    while pending:
        node = pending.pop()
        found.append((node.type, node.start_byte, node.end_byte, node.is_missing))
        pending += node.children
    return found


def anew(body: bytes) -> Shape:
    parser._parsed.clear()
    return shape(parser.syntax(body))


@st.composite
def edits(draw: st.DrawFn, body: bytes) -> list[bytes]:
    """A file as it becomes, edit by edit: lines gone, and others of it in their place."""
    found = [body]
    for _ in range(draw(st.integers(1, 3))):
        lines = found[-1].splitlines(keepends=True)
        at = draw(st.integers(0, len(lines)))
        gone = draw(st.integers(0, 4))
        source = draw(st.integers(0, len(lines)))
        new = lines[source : source + draw(st.integers(0, 6))]
        found.append(b"".join([*lines[:at], *new, *lines[at + gone :]]))
    return found


@pytest.mark.parametrize("path", ["heaps/system_heap.c", "sync_file.c", "dma-buf-sysfs-stats.c"])
def test_a_file_edited_is_as_if_it_were_parsed_anew(linux_612: Path, path: str) -> None:
    body = (linux_612 / "drivers/dma-buf" / path).read_bytes()

    @settings(max_examples=30, deadline=None, database=None)
    @given(edits(body))
    def holds(states: list[bytes]) -> None:
        expected = [anew(state) for state in states]
        parser._parsed.clear()
        assert [shape(parser.syntax(state)) for state in states] == expected

    holds()


def test_only_what_changed_is_parsed_again(linux_612: Path) -> None:
    body = (linux_612 / "drivers/dma-buf/dma-buf.c").read_bytes()
    asked = b"\tif (!is_dma_buf_file(file))"
    new = body.replace(asked, b"\tnew();\n" + asked, 1)
    whole = anew(body)
    tree = parser._edited(parser._plain(new))
    assert tree and shape(tree.root_node) == anew(new) != whole
    # The file as it was is as it was.
    parser._parsed.clear()
    before = parser.syntax(body)
    parser.syntax(new)
    assert shape(before) == whole
    # Another file is not taken for it, nor one with an error edited.
    assert parser._edited(b"int x;\n") is None
    assert parser._edited(parser._plain(body.replace(b"if (", b"if (("))) is None
