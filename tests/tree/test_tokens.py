# SPDX-License-Identifier: GPL-2.0-only
"""Text as tokens: white space never decides, and every place slices back to what was found."""

from hypothesis import given
from hypothesis import strategies as st

from dmabuf_patchgen.tree.tokens import (
    Span,
    Tokens,
    line_end,
    line_number,
    line_start,
    line_text,
    quoted,
    words,
    written,
)

TEXT = st.binary(max_size=80) | st.text("ab_1 \t\n(){};,*->=\\\"'/", max_size=80).map(str.encode)
BLANK = st.text(" \t\n", min_size=1, max_size=4).map(str.encode)
WORD = st.from_regex(rb"[A-Za-z_0-9]{1,5}|[^\w\s]", fullmatch=True)


def starts(tokens: Tokens, wanted: list[bytes]) -> list[int]:
    return [spans[0].start for spans in tokens.find(wanted)]


def whole(body: bytes) -> Tokens:
    return Tokens(body, Span(0, len(body)))


def test_words() -> None:
    assert words(b"\tret = foo->bar(1, 0x2f); /* x */") == [
        b"ret", b"=", b"foo", b"-", b">", b"bar", b"(", b"1", b",", b"0x2f", b")", b";",
        b"/", b"*", b"x", b"*", b"/",
    ]  # fmt: skip
    assert words(b" \t\n") == []


@given(st.lists(st.tuples(WORD, BLANK)))
def test_white_space_is_no_token(pairs: list[tuple[bytes, bytes]]) -> None:
    loose = b"".join(word + blank for word, blank in pairs)
    assert words(loose) == words(b" ".join(word for word, _ in pairs))


@given(TEXT)
def test_tokens_are_all_that_is_not_white_space(text: bytes) -> None:
    assert b"".join(words(text)) == b"".join(text.split())


@given(st.lists(WORD, min_size=1), st.lists(WORD, min_size=1), st.lists(BLANK, min_size=1), TEXT)
def test_white_space_never_changes_a_match(
    before: list[bytes], wanted: list[bytes], blanks: list[bytes], after: bytes
) -> None:
    tight = b" ".join([*before, *wanted]) + b" " + after
    loose = b"".join(
        word + blanks[index % len(blanks)] for index, word in enumerate([*before, *wanted])
    )
    found = whole(loose + after).find(wanted)
    assert len(whole(tight).find(wanted)) == len(found)
    start = sum(len(word + blanks[index % len(blanks)]) for index, word in enumerate(before))
    assert start in [spans[0].start for spans in found]


@given(TEXT, TEXT, st.data())
def test_spans_slice_back_to_the_tokens(head: bytes, body: bytes, data: st.DataObject) -> None:
    text = head + body
    tokens = Tokens(text, Span(len(head), len(text)))
    inside = words(text[len(head) :])
    at = data.draw(st.integers(0, max(len(inside) - 1, 0)))
    count = data.draw(st.integers(1, 4))
    wanted = inside[at : at + count]
    found = tokens.find(wanted)
    assert bool(found) is bool(wanted)
    for spans in found:
        assert [text[span.start : span.end] for span in spans] == wanted
        assert all(span.start >= len(head) for span in spans)


def test_a_match_lies_within_the_stretch() -> None:
    body = b"a b a b a b"
    assert starts(whole(body), [b"a", b"b"]) == [0, 4, 8]
    assert starts(Tokens(body, Span(4, 7)), [b"a", b"b"]) == [4]
    assert Tokens(body, Span(2, 5)).find([b"a", b"b"]) == []


def test_nothing_is_found_nowhere() -> None:
    assert whole(b"a b").find([]) == []
    assert whole(b"").find([b"a"]) == []


def test_overlapping_matches_are_all_found() -> None:
    assert starts(whole(b"x x x"), [b"x", b"x"]) == [0, 2]


def test_a_word_is_no_part_of_another() -> None:
    assert starts(whole(b"vma_is_cow_mapping is_cow_mapping"), [b"is_cow_mapping"]) == [19]
    assert starts(whole(b"is_cow_mapping_ is_cow"), [b"is_cow_mapping"]) == []


def test_nearest() -> None:
    body = b"if (a)\n\tfoo(1);\nfoo(2, 3);\n"
    offset, length = whole(body).nearest(words(b"foo(2, 4)"))
    assert (body[offset : offset + 1], length) == (b"3", 4)
    assert whole(body).nearest([b"bar"]) == (0, 0)
    assert whole(body).nearest([]) == (0, 0)


def test_nearest_at_the_end() -> None:
    body = b"a b"
    offset, length = whole(body).nearest([b"b", b"c"])
    assert (body[offset:], length) == (b"b", 1)


def test_lines() -> None:
    body = b"one\n\ttwo\xff \nthree"
    inside = body.index(b"two")
    assert line_number(body, 0) == 1 and line_number(body, inside) == 2
    assert body[line_start(body, inside) : line_end(body, inside)] == b"\ttwo\xff \n"
    assert line_text(body, inside) == b"\ttwo\xff "
    assert line_end(body, len(body)) == len(body)
    assert (line_start(b"", 0), line_end(b"", 0)) == (0, 0)


@given(TEXT.filter(bool), st.data())
def test_a_line_holds_its_bytes(body: bytes, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(body) - 1))
    start, end = line_start(body, offset), line_end(body, offset)
    assert start <= offset < end
    assert b"\n" not in body[start : end - 1]
    assert line_number(body, start) == line_number(body, offset) == body[:start].count(b"\n") + 1


def test_what_is_quoted_is_as_it_is_written() -> None:
    assert quoted(b"\tif (a\t>=  b->c) \r\n") == "'if (a >= b->c)'"
    # One line of several, and a long one, with dots that are none of the text.
    assert quoted("a = b;\nc = d;\n") == "'a = b;'..."
    assert quoted(b"x" * 101) == f"'{'x' * 100}'..."
    # No backslash is doubled, and no sign of a terminal gets there.
    assert quoted(rb'printf("\n", \'a\');') == "'" + r'printf("\n", \'a\');' + "'"
    assert quoted(b"a\x1b[31m\xe9") == r"'a\x1b[31m\xe9'"


def test_an_operator_is_told_whole() -> None:
    text = b"if (pgoff >= ubuf->pagecount);"
    told = [written(text, number) for number in range(len(words(text)))]
    assert told == [
        b"if", b"(", b"pgoff", b">=", b">=", b"ubuf", b"->", b"->", b"pagecount", b");", b");"
    ]  # fmt: skip
