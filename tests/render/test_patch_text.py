# SPDX-License-Identifier: GPL-2.0-only
"""The text of a patch, taken apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render.patch_text import Hunk, PatchText, parse

TEXT = """\
dma-buf: do it

Because.

Link: https://example.org/

--- drivers/dma-buf/dma-buf.c
@@ function f, before g() @@
+	if (x)
+		return;
+

@@ function f @@
 	context();
-	old();
+	new();

--- Makefile
@@ list obj-y @@
+x.o
"""

LINE = st.text("ab(){};\t *\u00e9", max_size=12)
PLACE = st.from_regex(r"[a-z]+( [a-z(),@:]+){0,3}", fullmatch=True)
PATH = st.from_regex(r"[a-z]+(/[a-z.-]+){0,2}", fullmatch=True)


def test_message_and_hunks() -> None:
    patch = parse("t", TEXT)
    assert patch.message == "dma-buf: do it\n\nBecause.\n\nLink: https://example.org/\n"
    assert [(hunk.path, hunk.place) for hunk in patch.hunks] == [
        ("drivers/dma-buf/dma-buf.c", "function f, before g()"),
        ("drivers/dma-buf/dma-buf.c", "function f"),
        ("Makefile", "list obj-y"),
    ]
    first, second, third = patch.hunks
    assert first.added == [b"\tif (x)", b"\t\treturn;", b""] and first.only_adds
    assert second.lines == ((" ", b"\tcontext();"), ("-", b"\told();"), ("+", b"\tnew();"))
    assert not second.only_adds
    assert second.side(" -") == [b"context", b"(", b")", b";", b"old", b"(", b")", b";"]
    assert second.side(" +")[4:] == [b"new", b"(", b")", b";"]
    assert third.added == [b"x.o"]


def test_blank_lines_for_the_reader_mean_nothing() -> None:
    hunks = TEXT.partition("--- ")[1] + TEXT.partition("--- ")[2]
    airy = hunks.replace("--- ", "\n\n--- ").replace(".c\n@@", ".c\n\n@@")
    assert airy != hunks
    assert parse("t", "s\n\n" + airy).hunks == parse("t", "s\n\n" + hunks).hunks


def test_a_blank_line_within_a_hunk_is_context() -> None:
    (hunk,) = parse("t", "s\n\n--- f\n@@ file @@\n a\n\n-b\n").hunks
    assert hunk.lines == ((" ", b"a"), (" ", b""), ("-", b"b"))


def test_white_space_at_line_ends_of_the_message_goes() -> None:
    assert parse("t", "\ns  \n\nx \n\n\n--- f\n@@ file @@\n+a\n").message == "s\n\nx\n"


def test_bytes_of_other_scripts() -> None:
    (hunk,) = parse("t", "s\n\n--- f\n@@ file @@\n+Andr\u00e9\n").hunks
    assert hunk.added == ["Andr\u00e9".encode()]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it has no subject"),
        ("\n\n--- f\n@@ file @@\n+a\n", "it has no subject"),
        ("s\nbody\n\n--- f\n@@ file @@\n+a\n", "no blank line after the subject 's'"),
        ("s\n\nbody\n", "it changes no file"),
        ("s\n\n--- f\n", "f: no `@@ PLACE @@` after it"),
        ("s\n\n--- f\n+a\n", "'+a' is no line of a hunk"),
        ("s\n\n--- f\n@@ file @@\n+a\nno sign\n", "'no sign' is no line of a hunk"),
        ("s\n\n--- f\n@@ file @@\n+a\n\\ No newline\n", "is no line of a hunk"),
        ("s\n\n--- f\n@@ file @@\n context\n", "f, file: the hunk changes nothing"),
        ("s\n\n--- f\n@@ file @@\n@@ end of file @@\n+a\n", "f, file: the hunk changes nothing"),
        ("s\n\n--- f\n@@ file @@\n", "f, file: the hunk changes nothing"),
        ("s\n\n--- f\n--- g\n@@ file @@\n+a\n", "f: no `@@ PLACE @@` after it"),
        ("s\n\n--- f\n@@ file @@\n+a\n--- g\n", "g: no `@@ PLACE @@` after it"),
    ],
)
def test_no_patch(text: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        parse("t/x.j2", text)
    assert error.value.message.startswith("t/x.j2: ") and message in error.value.message


@st.composite
def patches(draw: st.DrawFn) -> PatchText:
    hunks = []
    for _ in range(draw(st.integers(1, 4))):
        lines = draw(st.lists(st.tuples(st.sampled_from(" +-"), LINE), max_size=4))
        # A hunk ends with a line that is no blank context, and no file name hides in it.
        lines.append((draw(st.sampled_from("+-")), draw(LINE)))
        hunks.append(Hunk(draw(PATH), draw(PLACE), tuple((s, t.encode()) for s, t in lines)))
    return PatchText("t", "s\n\nbody\n", tuple(hunks))


@given(patches())
def test_what_is_written_is_read(patch: PatchText) -> None:
    text = patch.message + "\n"
    for hunk in patch.hunks:
        text += f"--- {hunk.path}\n@@ {hunk.place} @@\n"
        text += "".join(f"{sign}{line.decode()}\n" for sign, line in hunk.lines)
    assert parse("t", text) == patch


@given(patches())
def test_a_second_file_line_is_not_needed(patch: PatchText) -> None:
    text = patch.message + "\n"
    path = ""
    for hunk in patch.hunks:
        if hunk.path != path:
            text += f"--- {hunk.path}\n"
            path = hunk.path
        text += f"@@ {hunk.place} @@\n"
        text += "".join(f"{sign}{line.decode()}\n" for sign, line in hunk.lines)
    assert parse("t", text) == patch
