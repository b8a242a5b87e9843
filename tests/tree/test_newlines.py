# SPDX-License-Identifier: GPL-2.0-only
"""Line ends: what was not touched keeps its own."""

from hypothesis import given
from hypothesis import strategies as st

from dmabuf_patchgen.tree import newlines

LINE = st.sampled_from([b"a", b"b", b"", b"x\ry", b"\xe9"])
END = st.sampled_from([b"\n", b"\r\n"])
BODY = st.lists(st.tuples(LINE, END), max_size=8).map(
    lambda pairs: b"".join(a + b for a, b in pairs)
)


@given(BODY)
def test_no_edit_changes_nothing(body: bytes) -> None:
    assert newlines.as_before(body, newlines.with_lf(body)) == body


@given(BODY, BODY)
def test_an_edit_says_what_it_says(before: bytes, after: bytes) -> None:
    edited = newlines.with_lf(after)
    assert newlines.with_lf(newlines.as_before(before, edited)) == edited


def test_a_new_line_is_as_most_are() -> None:
    assert newlines.as_before(b"a\r\nb\r\n", b"a\nnew\nb\n") == b"a\r\nnew\r\nb\r\n"
    assert newlines.as_before(b"a\r\nb\r\nc\n", b"a\nnew\nb\nc\n") == b"a\r\nnew\r\nb\r\nc\n"
    assert newlines.as_before(b"a\nb\nc\r\n", b"a\nnew\nb\nc\n") == b"a\nnew\nb\nc\r\n"
    assert newlines.as_before(b"a\nb\n", b"a\nnew\nb\n") == b"a\nnew\nb\n"
