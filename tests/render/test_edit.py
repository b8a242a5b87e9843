# SPDX-License-Identifier: GPL-2.0-only
"""Hunks applied to files: what a reader of the hunk would do, or nothing at all."""

import re
from dataclasses import dataclass

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dmabuf_patchgen.render.edit import Edited, State, apply
from dmabuf_patchgen.render.patch_text import Hunk, parse
from dmabuf_patchgen.render.place import PlaceError
from dmabuf_patchgen.tree.tokens import Span, Tokens, words
from tests.growth import is_linear

C = b"""\
#include <linux/dma-buf.h>
#include <linux/fs.h>
#include <linux/mm.h>

/* Andr\xe9 */
static int one(struct file *file)
{
	int ret = 1;

	if (file)
		return dmabuf->ops->mmap(dmabuf, vma);

	return ret;
}

static int two(struct file *file)
{
	return dmabuf->ops->mmap(dmabuf, vma);
}
"""


def hunk(text: str, path: str = "x.c") -> Hunk:
    """The one hunk of a patch, from its place on."""
    (found,) = parse("t", f"s\n\n--- {path}\n{text}").hunks
    return found


def applied(text: str, body: bytes = C, path: str = "x.c") -> bytes:
    """The file after a hunk, which has to find it applied the second time."""
    done = apply(hunk(text, path), body)
    assert done.state is State.APPLIED and done.body != body
    again = apply(hunk(text, path), done.body)
    assert again.body == done.body and again.state is not State.APPLIED
    return done.body


def refused(text: str, body: bytes | None = C, path: str = "x.c") -> str:
    with pytest.raises(PlaceError) as error:
        apply(hunk(text, path), body)
    return error.value.message


# What a plain edit of lines gives is what the hunk of that edit gives.


@dataclass(frozen=True)
class Change:
    """An edit of a file, as bytes and as a hunk with some context."""

    before: bytes
    after: bytes
    hunk: Hunk
    #: First and last line of the old side in the file.
    old: bytes


TAIL = st.sampled_from([b"", b"(a, b);", b" = 1;", b" /* \xe9\xff */", b" {", b"->x"])
INDENT = st.sampled_from([b"", b"\t", b"\t\t", b"  "])


@st.composite
def lines(draw: st.DrawFn, mark: bytes, count: st.SearchStrategy[int]) -> list[bytes]:
    """Lines of code, no two alike, and blank ones."""
    return [
        b"" if draw(st.integers(0, 4)) == 0 else draw(INDENT) + b"%b%d" % (mark, index) + draw(TAIL)
        for index in range(draw(count))
    ]


@st.composite
def changes(draw: st.DrawFn) -> Change:
    body = draw(lines(b"old", st.integers(1, 12)))
    start = draw(st.integers(0, len(body)))
    end = draw(st.integers(start, min(start + 4, len(body))))
    new = draw(lines(b"new", st.integers(0, 4)))
    # Often a new line is an old one, longer or shorter.
    for line in body[start:end]:
        how = draw(st.sampled_from([None, None, b" more", -1]))
        if line and how:
            new.append(line[: line.rindex(words(line)[-1])] if how == -1 else line + b" more")
    above = draw(st.integers(0, min(3, start)))
    below = draw(st.integers(0, min(3, len(body) - end)))
    removed, added = body[start:end], new
    context = body[start - above : start], body[end : end + below]
    # Tokens decide: context or removed lines have some, and so has what changes.
    assume(any(b"".join(part) for part in (*context, removed)))
    assume(words(b"".join(removed)) != words(b"".join(added)))
    # Blank lines at a hunk's end are for the reader.
    assume(not context[1] or context[1][-1])
    signed = [
        *((" ", line) for line in context[0]),
        *(("-", line) for line in removed),
        *(("+", line) for line in added),
        *((" ", line) for line in context[1]),
    ]

    def joined(some: list[bytes]) -> bytes:
        return b"".join(line + b"\n" for line in some)

    return Change(
        joined(body),
        joined([*body[:start], *added, *body[end:]]),
        Hunk("notes.txt", "file", tuple(signed)),
        joined(body[start - above : end + below]),
    )


@given(changes())
def test_a_hunk_is_the_plain_edit(change: Change) -> None:
    done = apply(change.hunk, change.before)
    assert done == Edited(State.APPLIED, change.after)


@given(changes())
def test_a_second_time_it_is_present(change: Change) -> None:
    assume(change.hunk.side(" +"))
    again = apply(change.hunk, change.after)
    assert again == Edited(State.PRESENT, change.after)


@given(changes(), st.data())
def test_white_space_in_context_does_not_matter(change: Change, data: st.DataObject) -> None:
    space = data.draw(st.sampled_from([b" ", b"\t", b"   "]))
    loose = Hunk(
        change.hunk.path,
        change.hunk.place,
        tuple(
            (sign, text if sign == "+" or not text else space + text.replace(b" ", space) + space)
            for sign, text in change.hunk.lines
        ),
    )
    assert apply(loose, change.before).body == change.after


@given(changes())
def test_context_that_is_wrapped_differently_matches(change: Change) -> None:
    """A line of the hunk may stand on two lines in the file; both go if it goes."""

    def wrapped(body: bytes) -> bytes:
        return re.sub(rb"(old\d+)\(a, b\);\n", rb"\1(a,\n\t\tb);\n", body)

    assert apply(change.hunk, wrapped(change.before)).body == wrapped(change.after)


@given(changes())
def test_context_that_is_there_twice_is_refused(change: Change) -> None:
    with pytest.raises(PlaceError, match="is there 2 times, in lines"):
        apply(change.hunk, change.before + b"between\n" + change.old)


@given(changes(), st.data())
def test_an_old_line_that_is_missing_is_refused(change: Change, data: st.DataObject) -> None:
    old = [text for sign, text in change.hunk.lines if sign in " -" and text]
    gone = data.draw(st.sampled_from(old))
    body = change.before.replace(gone + b"\n", b"other\n")
    assert words(body) != words(change.before)
    # What is to be shortened may be as short already.
    assume(not Tokens(body, Span(0, len(body))).find(change.hunk.side(" +")))
    with pytest.raises(PlaceError, match=r"expected|found nothing like"):
        apply(change.hunk, body)


def test_what_is_to_be_removed_may_be_gone() -> None:
    text = "@@ function one @@\n-\tint ret = 1;\n\n \tif (file)\n"
    assert applied(text) == C.replace(b"\tint ret = 1;\n", b"")


def test_without_context_nobody_can_tell_that_it_is_gone() -> None:
    text = "@@ function one @@\n-\tint ret = 1;\n"
    done = apply(hunk(text), C)
    assert done.state is State.APPLIED
    assert "expected 'ret' where line 6 has 'static int one(" in refused(text, done.body)


# Hunks as templates have them.


def test_part_of_a_line() -> None:
    text = "@@ function two @@\n-dmabuf->ops->mmap(dmabuf, vma)\n+__dma_buf_mmap(dmabuf, vma)\n"
    assert applied(text) == C[: C.rindex(b"dmabuf->ops")] + b"__dma_buf_mmap(dmabuf, vma);\n}\n"


def test_insertion_before_a_statement() -> None:
    text = "@@ function two, before dmabuf->ops->mmap(dmabuf, vma) @@\n+\tcheck();\n+\n"
    at = C.rindex(b"\treturn dmabuf")
    assert applied(text) == C[:at] + b"\tcheck();\n\n" + C[at:]


def test_lines_are_looked_for_in_the_scope_alone() -> None:
    text = "@@ function one @@\n-\treturn ret;\n+\treturn 0;\n"
    assert applied(text) == C.replace(b"return ret;", b"return 0;")
    assert "expected 'ret'" in refused("@@ function two @@\n-\treturn ret;\n+\treturn 0;\n")


def test_present_in_another_function_is_not_present() -> None:
    body = C.replace(b"{\n\tint ret = 1;\n", b"{\n\tint ret = 1;\n\tcheck();\n")
    text = "@@ function two, before dmabuf->ops->mmap(dmabuf, vma) @@\n+\tcheck();\n"
    assert applied(text, body).count(b"check();") == 2


def test_ambiguous_context_tells_its_lines() -> None:
    text = "@@ file @@\n-\treturn dmabuf->ops->mmap(dmabuf, vma);\n+\treturn 0;\n"
    assert refused(text) == (
        "x.c: file: context 'return dmabuf->ops->mmap(dmabuf, vma);' is there 2 times, "
        "in lines 11, 18"
    )


def test_one_of_two_done_is_refused() -> None:
    """An exporter that has the line says nothing about the one beside it that has not."""
    body = b"a.flags = flags;\nx;\na.flags = flags;\na.info = 1;\n"
    text = "@@ file @@\n a.flags = flags;\n+a.info = 1;\n"
    assert "is there 2 times" in refused(text, body, "notes.txt")
    both = body.replace(b"x;\n", b"a.info = 1;\nx;\n")
    assert apply(hunk(text, "notes.txt"), both).state is State.PRESENT


def test_an_edit_in_a_region_that_does_not_parse() -> None:
    body = C.replace(b"\treturn ret;\n", b"\treturn ret) );\n")
    assert applied("@@ file @@\n-\treturn ret;\n+\treturn 0;\n", C)
    assert "does not parse, line 13: 'return ret) );'" in refused(
        "@@ file @@\n-\treturn ret) );\n+\treturn 0;\n", body
    )


def test_context_that_ends_within_a_line() -> None:
    assert refused("@@ function one @@\n int ret =\n+\tint x;\n") == (
        "x.c: function one: context ends within line 8, 'int ret = 1;'"
    )
    assert "context ends within line 8" in refused("@@ function one @@\n+\tint x;\n ret = 1;\n")


def test_before_and_after_take_only_new_lines() -> None:
    text = "@@ before function two @@\n context\n+new\n"
    assert refused(text) == "x.c: before function two: before and after take only + lines"


def test_a_scope_needs_context() -> None:
    assert "no context and no - line" in refused("@@ function two @@\n+\tint x;\n")


def test_a_function_that_is_there_by_name() -> None:
    """Later patches may have added to it: its name says that it is there."""
    text = "@@ before function one @@\n+static int own(void)\n+{\n+\treturn 0;\n+}\n+\n"
    done = applied(text)
    assert apply(hunk(text), done.replace(b"\treturn 0;\n", b"\treturn 1;\n")).state is (
        State.PRESENT
    )


def test_a_tree_without_the_file() -> None:
    assert refused("@@ file @@\n a\n+b\n", None) == "x.c: the tree has no such file"


def test_new_file() -> None:
    text = "@@ new file @@\n+int x;\n+\n+int y;\n"
    done = apply(hunk(text), None)
    assert done == Edited(State.APPLIED, b"int x;\n\nint y;\n")
    assert apply(hunk(text), done.body) == Edited(State.PRESENT, b"int x;\n\nint y;\n")
    assert "already has such a file, with other content" in refused(text, b"int x;\n")
    assert "takes only + lines" in refused("@@ new file @@\n+int x;\n-int y;\n", None)


@pytest.mark.parametrize(
    ("line", "behind"),
    [
        ("#include <linux/err.h>", b"#include <linux/dma-buf.h>\n"),
        ("#include <linux/zorro.h>", b"#include <linux/mm.h>\n"),
        ("#include <linux/mman.h>", b"#include <linux/mm.h>\n"),
    ],
)
def test_includes_are_sorted(line: str, behind: bytes) -> None:
    assert applied(f"@@ includes @@\n+{line}\n") == C.replace(
        behind, behind + line.encode() + b"\n"
    )


def test_the_first_include() -> None:
    assert applied("@@ includes @@\n+#include <linux/bug.h>\n").startswith(
        b"#include <linux/bug.h>\n#include <linux/dma-buf.h>\n"
    )


def test_an_include_that_is_there() -> None:
    done = apply(hunk("@@ includes @@\n+#include <linux/mm.h>\n"), C)
    assert done == Edited(State.NEUTRAL, C)


def test_an_include_without_kin() -> None:
    assert "no include is of the kind of <asm/io.h>" in refused(
        "@@ includes @@\n+#include <asm/io.h>\n"
    )
    assert "'int x;' is no #include" in refused("@@ includes @@\n+int x;\n")
    assert "takes only + lines" in refused("@@ includes @@\n-#include <linux/mm.h>\n")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"P := a b\nQ := c\n", b"P := a b x\nQ := c\n"),
        (b"P := a \\\n\t b\nQ := c\n", b"P := a \\\n\t b \\\n\t x\nQ := c\n"),
        (b"P :=\nQ := c\n", b"P :=x\nQ := c\n"),
        (b"P := a\nP += b\n", b"P := a\nP += b x\n"),
        (b"P = a", b"P = a x"),
    ],
)
@pytest.mark.parametrize("name", [b"P", b"obj-y", b"obj-$(CONFIG_A)"])
def test_list_of_a_makefile(before: bytes, after: bytes, name: bytes) -> None:
    text = f"@@ list {name.decode()} @@\n+x\n"
    before, after = before.replace(b"P", name), after.replace(b"P", name)
    assert applied(text, before, "Makefile") == after


def test_a_word_of_another_list_is_not_there() -> None:
    assert applied("@@ list P @@\n+c\n", b"P := a\nQ := c\n", "Makefile") == b"P := a c\nQ := c\n"


def test_a_word_in_an_earlier_part_of_the_list_is_there() -> None:
    body = b"P := a x\nP += b\n"
    assert apply(hunk("@@ list P @@\n+x\n", "Makefile"), body) == Edited(State.NEUTRAL, body)


def test_no_list() -> None:
    assert "nothing is assigned to R" in refused("@@ list R @@\n+x\n", b"P := a\n", "Makefile")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a\nc\n", b"a\nb\nc\n"),
        (b"c\n", b"b\nc\n"),
        (b"a\n", b"a\nb\n"),
        (b"", b"b\n"),
        (b"a", b"a\nb\n"),
        (b"# z\na\n", b"# z\na\nb\n"),
    ],
)
def test_sorted_lines(before: bytes, after: bytes) -> None:
    text = "@@ sorted lines @@\n+b\n"
    assert applied(text, before, ".gitignore") == after
    assert apply(hunk(text, ".gitignore"), after).state is State.NEUTRAL


def test_kconfig() -> None:
    body = b"config A\n\tbool\n\nconfig B\n\tbool\n"
    text = "@@ config B @@\n bool\n+\tdefault y\n"
    assert applied(text, body, "Kconfig") == body + b"\tdefault y\n"
    text = "@@ before config B @@\n+config C\n+\tbool\n+\n"
    assert applied(text, body, "Kconfig") == body.replace(
        b"config B", b"config C\n\tbool\n\nconfig B"
    )


def test_after_the_last_entry_of_a_file_without_newline() -> None:
    body = b"config A\n\tbool"
    text = "@@ after config A @@\n+config B\n+\tbool\n"
    assert applied(text, body, "Kconfig") == b"config A\n\tbool\nconfig B\n\tbool\n"


def test_a_last_line_without_newline() -> None:
    text = "@@ end of file @@\n+b\n"
    assert applied(text, b"a", "notes.txt") == b"a\nb\n"
    assert applied("@@ file @@\n a\n+b\n", b"a", "notes.txt") == b"a\nb\n"
    assert applied("@@ file @@\n-a\n+b\n", b"a", "notes.txt") == b"b\n"


def test_kernel_doc_is_edited_as_text() -> None:
    body = b"/**\n * f - Do it\n * @x: what\n *\n * Then return.\n */\nint f(int x);\n"
    text = "@@ kernel-doc f @@\n * Then return.\n+ * Or not.\n"
    assert applied(text, body) == body.replace(b"return.\n", b"return.\n * Or not.\n")


def test_several_changes_of_one_hunk() -> None:
    text = (
        "@@ function one @@\n-\tint ret = 1;\n+\tint ret = 2;\n \n \tif (file)\n"
        "+\t\tcheck();\n-\t\treturn dmabuf->ops->mmap(dmabuf, vma);\n \n-\treturn ret;\n"
        "+\treturn -ret;\n"
    )
    head, _, tail = C.partition(b"static int two")
    wanted = (
        head.replace(b"ret = 1", b"ret = 2")
        .replace(b"return dmabuf->ops->mmap(dmabuf, vma)", b"check()")
        .replace(b"return ret", b"return -ret")
    )
    assert applied(text) == wanted + b"static int two" + tail


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("@@ file @@\n-	call(x, 2);\n+	g();\n", "expected '2' where"),
        ("@@ file @@\n-	call(x, 1);\n+	g();\n", ", in lines 3, 4, 5, 6, 7 and more"),
        ("@@ function f, before call(x, 2) @@\n+	g();\n", "expected '2' where"),
        ("@@ function f, before call(x, 1) @@\n+	g();\n", ", in lines 3, 4, 5, 6, 7 and more"),
        ("@@ function g, before call(x, 1) @@\n+	g();\n", "function g is not there"),
        ("@@ before line call(x, 2); @@\n+	g();\n", "is not there"),
    ],
)
def test_a_refusal_in_a_large_file_takes_its_time_and_not_the_square_of_it(
    place: str, told: str
) -> None:
    def body(lines: int) -> bytes:
        return b"static int f(void)\n{\n" + b"\tcall(x, 1);\n" * lines + b"}\n"

    def refusal(body: bytes) -> str:
        return refused(place, body)

    said = refusal(body(20))
    assert told in said
    assert len(refusal(body(2000))) < len(said) + 20
    assert is_linear(body, refusal, 2000)
