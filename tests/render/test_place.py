# SPDX-License-Identifier: GPL-2.0-only
"""Places of hunk headers: each form found once, missing, there twice, and where nothing parses."""

import re
from pathlib import Path

import pytest

from dmabuf_patchgen.render.place import PlaceError, Source, find

C = b"""\
#include <linux/dma-buf.h>
#include <linux/mm.h>

#define BASE 'b'
#define BASE_ONE 1
#define BASE_TWO 2

/**
 * DOC: cpu access
 *
 * Text.
 */

/**
 * struct info - what is asked
 * @flags: some
 *         flags
 * @priv: private
 *
 * More about it.
 */
struct info {
	int flags;
	/** @priv: here too */
	void *priv;
};

union both {
	int a;
	long b;
};

enum kind {
	/* no kind */
	NONE,
	SOME,
};

/* Does it. */
static int doit(struct info *info, int cmd)
{
	int ret;

	switch (cmd) {
	case 1:
		return 0;
	default:
		break;
	}
	ret = call(info);
	if (ret)
		return ret;

	return 0;
}
"""

KCONFIG = b"config ONE\n\tbool\n\nconfig TWO\n\tbool\n"
MAKEFILE = b"P := a \\\n\tb\nQ := c\n"
RST = b"Top\n===\n\nOne\n---\n\nText.\n\nTwo\n---\n\nText.\n"
#: What is said of a place that the parser or the braces make nothing certain of.
NOWHERE = (
    r"lies in a region that does not parse, line |is not there|shares its line with other code"
    r"|to the parser"
)
PATHS = {C: "x.c", KCONFIG: "Kconfig", MAKEFILE: "Makefile", RST: "x.rst"}


def around(path: str, body: bytes, place: str) -> tuple[str, str]:
    """The lines before and after the point at which new lines would go in."""
    found = find(Source(path, body), place)
    assert found.insertion is not None
    point = found.insertion()
    assert point == 0 or body[point - 1 : point] == b"\n"
    before = body[:point].decode().split("\n")[-2] if point else ""
    return before.strip(), body[point:].decode().partition("\n")[0].strip()


@pytest.mark.parametrize(
    ("body", "place", "before", "after"),
    [
        (C, "end of file", "}", ""),
        (C, "before line #define BASE_ONE 1", "#define BASE 'b'", "#define BASE_ONE 1"),
        (C, "after line #include  <linux/mm.h>", "#include <linux/mm.h>", ""),
        (C, "before function doit", "", "/* Does it. */"),
        (C, "after function doit", "}", ""),
        (C, "before struct info", "", "/**"),
        (C, "after struct info", "};", ""),
        (C, "before union both", "", "union both {"),
        (C, "after union both", "};", ""),
        (C, "before enum kind", "", "enum kind {"),
        (C, "after enum kind", "};", ""),
        (C, "before define BASE", "", "#define BASE 'b'"),
        (C, "after define BASE", "#define BASE 'b'", "#define BASE_ONE 1"),
        (C, "function doit, switch (cmd), before default", "return 0;", "default:"),
        (C, "function doit, switch (cmd), before case 1", "switch (cmd) {", "case 1:"),
        (C, "function doit, after declarations", "int ret;", ""),
        (C, "function doit, before ret = call(info)", "}", "ret = call(info);"),
        (C, "function doit, after call( info )", "ret = call(info);", "if (ret)"),
        (C, "function doit, after return ret;", "return ret;", ""),
        (C, "struct info, before field flags", "struct info {", "int flags;"),
        (C, "struct info, before field priv", "int flags;", "/** @priv: here too */"),
        (C, "struct info, after field priv", "void *priv;", "};"),
        (C, "union both, after field a", "int a;", "long b;"),
        (C, "enum kind, before enumerator NONE", "enum kind {", "/* no kind */"),
        (C, "enum kind, after enumerator SOME", "SOME,", "};"),
        (C, "kernel-doc info, after @flags", "*         flags", "* @priv: private"),
        (C, "kernel-doc info, after @priv", "* @priv: private", "*"),
        (C, "after last #define BASE_*", "#define BASE_TWO 2", ""),
        (C, "after last #define BASE_ONE|NO_*", "#define BASE_ONE 1", "#define BASE_TWO 2"),
        (KCONFIG, "before config TWO", "", "config TWO"),
        (KCONFIG, "after config ONE", "bool", ""),
        (RST, "before section Two", "", "Two"),
        (RST, "end of section One", "", "Two"),
        (RST, "end of section Top", "Text.", ""),
    ],
)  # fmt: skip
def test_point(body: bytes, place: str, before: str, after: str) -> None:
    assert around(PATHS[body], body, place) == (before, after)


@pytest.mark.parametrize(
    ("body", "place", "first", "last"),
    [
        (C, "file", "#include <linux/dma-buf.h>", "}\n"),
        (C, "sorted lines", "#include <linux/dma-buf.h>", "}\n"),
        (C, "includes", "#include <linux/dma-buf.h>", "}\n"),
        (C, "function doit", "static int doit", "return 0;\n}"),
        (C, "function doit, after declarations", "static int doit", "return 0;\n}"),
        (C, "struct info", "struct info {", "};"),
        (C, "union both", "union both {", "};"),
        (C, "enum kind", "enum kind {", "};"),
        (C, "kernel-doc info", "/**\n * struct info", "about it.\n */"),
        (C, "kernel-doc DOC: cpu access", "/**\n * DOC: cpu access", "Text.\n */"),
        (KCONFIG, "config ONE", "config ONE", "bool\n"),
        (MAKEFILE, "list P", "a \\", "b"),
        (RST, "section One", "One\n---", "Text.\n\n"),
    ],
)
def test_scope(body: bytes, place: str, first: str, last: str) -> None:
    scope = find(Source(PATHS[body], body), place).scope
    stretch = body[scope.start : scope.end].decode()
    assert stretch.startswith(first) and stretch.endswith(last)


def refused(path: str, body: bytes, place: str) -> str:
    with pytest.raises(PlaceError) as error:
        around(path, body, place)
    assert error.value.message.startswith(f"{path}: ")
    return error.value.message.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("body", "place", "message"),
    [
        (C, "before line #include <linux/fs.h>", "line '#include <linux/fs.h>' is not there"),
        (C, "before function do_it", "function do_it is not there"),
        (C, "after struct inf", "struct inf is not there"),
        (C, "after union info", "union info is not there"),
        (C, "before enum kinds", "enum kinds is not there"),
        (C, "before define NO", "define NO is not there"),
        (C, "function do_it, switch (cmd), before default", "function do_it is not there"),
        (C, "function doit, switch (arg), before default",
         "function doit, switch (arg), default is not there"),
        (C, "function doit, switch (cmd), before case 2",
         "function doit, switch (cmd), case 2 is not there"),
        (C, "function do_it, after declarations", "function do_it is not there"),
        (C, "function doit, before ret = call(NULL)",
         "function doit, 'ret = call(NULL)': expected 'NULL' "
         "where line 50 has 'ret = call(info);'"),
        (C, "function doit, before goto out",
         "function doit, 'goto out': found nothing like 'goto out'"),
        (C, "struct info, after field size", "struct info, size is not there"),
        (C, "struct infos, after field flags", "struct infos is not there"),
        (C, "enum kind, after enumerator MANY", "enum kind, MANY is not there"),
        (C, "function do_it", "function do_it is not there"),
        (C, "kernel-doc info, after @size", "kernel-doc info, @size is not there"),
        (C, "kernel-doc infos, after @flags", "kernel-doc infos is not there"),
        (C, "kernel-doc DOC: gpu access", "kernel-doc DOC: gpu access is not there"),
        (C, "after last #define OTHER_*", "no #define is named OTHER_*"),
        (KCONFIG, "config THREE", "config THREE is not there"),
        (KCONFIG, "after config THREE", "config THREE is not there"),
        (MAKEFILE, "list R", "nothing is assigned to R"),
        (RST, "section Three", "section 'Three' is not there"),
        (RST, "end of section Three", "section 'Three' is not there"),
    ],
)  # fmt: skip
def test_missing(body: bytes, place: str, message: str) -> None:
    assert refused(PATHS[body], body, place) == message


@pytest.mark.parametrize(
    ("body", "place", "again"),
    [
        (C, "before line #include <linux/mm.h>", b"#include <linux/mm.h>\n"),
        (C, "before function doit", b"#else\nint doit(void)\n{\n\treturn 0;\n}\n"),
        (C, "function doit", b"int doit(void)\n{\n\treturn 0;\n}\n"),
        (C, "function doit, after declarations", b"int doit(void)\n{\n\treturn 0;\n}\n"),
        (C, "after struct info", b"struct info {\n\tint x;\n};\n"),
        (C, "struct info, after field flags", b"struct info {\n\tint x;\n};\n"),
        (C, "before union both", b"union both {\n\tint x;\n};\n"),
        (C, "before enum kind", b"enum kind {\n\tX,\n};\n"),
        (C, "before define BASE", b"#define BASE 'c'\n"),
        (C, "kernel-doc info", b"/**\n * struct info - again\n */\n"),
        (C, "kernel-doc info, after @flags", b"/**\n * info - again\n */\n"),
        (C, "kernel-doc DOC: cpu access", b"/**\n * DOC: cpu access\n */\n"),
        (KCONFIG, "config ONE", b"config ONE\n\tbool\n"),
        (KCONFIG, "before config ONE", b"config ONE\n\tbool\n"),
        (RST, "section One", b"\nOne\n---\n"),
        (RST, "before section One", b"\nOne\n---\n"),
    ],
)
def test_ambiguous(body: bytes, place: str, again: bytes) -> None:
    message = refused(PATHS[body], body + again, place)
    assert "is there 2 times, in lines " in message
    twice = [int(number) for number in message.rpartition("lines ")[2].split(", ")]
    assert len({*twice}) == 2 and twice[1] > len(body.splitlines())


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("function doit, before call(info)", b"\tcall(info);\n"),
        ("function doit, switch (cmd), before default", b"\tswitch (cmd) {\n\tdefault:\n\t}\n"),
    ],
)
def test_ambiguous_within_a_function(place: str, code: bytes) -> None:
    body = C.replace(b"\tif (ret)\n", code + b"\tif (ret)\n")
    assert "is there 2 times, in lines " in refused("x.c", body, place)


def test_ambiguous_field() -> None:
    body = C.replace(b"\tint flags;\n", b"#ifdef A\n\tint flags;\n#else\n\tlong flags;\n#endif\n")
    message = refused("x.c", body, "struct info, after field flags")
    assert message == "struct info, flags is there 2 times, in lines 24, 26"


def test_ambiguous_member_of_a_comment() -> None:
    body = C.replace(b" * @priv: private\n", b" * @flags: again\n")
    assert "@flags is there 2 times" in refused("x.c", body, "kernel-doc info, after @flags")


@pytest.mark.parametrize(
    ("place", "good", "bad"),
    [
        ("after function doit", b"\treturn 0;\n}\n", b"\treturn 0;\n"),
        ("function doit, switch (cmd), before default", b"\tdefault:", b"\tdefault x y:"),
        ("function doit, switch (cmd), before case 1", b"\tcase 1:", b"\tcase 1) :"),
        ("function doit, after declarations", b"\tint ret;", b"\tint ret x;"),
        ("function doit, after declarations", b"\tint ret;", b"\tint ret = (;"),
        ("function doit, after ret = call(info)", b"call(info);", b"call(info) );"),
        ("function doit, before ret = call(info)", b"call(info);", b"call(info) x;"),
        ("struct info, after field flags", b"\tint flags;", b"\tint flags x;"),
        ("struct info, before field flags", b"\tint flags;", b"\tint flags"),
        ("enum kind, after enumerator NONE", b"\tNONE,", b"\tNONE +,"),
        ("after struct info", b"\tvoid *priv;\n};", b"\tvoid *priv;\n"),
        ("before union both", b"\tlong b;\n};", b"\tlong b;\n"),
        ("before enum kind", b"enum kind {", b"enum kind ( {"),
    ],
)
def test_where_nothing_parses(place: str, good: bytes, bad: bytes) -> None:
    assert around("x.c", C, place)
    message = refused("x.c", C.replace(good, bad, 1), place)
    assert re.search(NOWHERE, message)


def test_the_message_names_the_line_that_does_not_parse() -> None:
    body = C.replace(b"\tret = call(info);\n", b"\tret = call(info) );\n")
    message = refused("x.c", body, "function doit, before call(info)")
    assert message == (
        "function doit, 'call(info)' lies in a region that does not parse, line 50: "
        "'ret = call(info) );'"
    )


def test_a_macro_like_a_statement_does_not_matter() -> None:
    body = C.replace(
        b"\tswitch (cmd)", b"\tscoped_guard(mutex, &l) {\n\t\tx();\n\t}\n\tswitch (cmd)"
    )
    assert Source("x.c", body).c.errors
    assert around("x.c", body, "function doit, after declarations") == ("int ret;", "")


def test_an_error_elsewhere_does_not_matter() -> None:
    body = C + b"\nint bad(void)\n{\n\tif (x {\n\t}\n"
    assert around("x.c", body, "function doit, before call(info)")[1] == "ret = call(info);"


def test_what_is_not_c_need_not_parse() -> None:
    assert around("notes.txt", b"if (x {\nhere\n", "before line here") == ("if (x {", "here")


@pytest.mark.parametrize(
    "place",
    ["", "func doit", "function", "before doit", "function doit, switch (cmd)", "line 7",
     "kernel-doc", "section", "after last #define", "Function doit"],
)  # fmt: skip
def test_no_form_of_a_place(place: str) -> None:
    with pytest.raises(PlaceError, match="is no form of a place") as error:
        find(Source("x.c", C), place)
    assert "docs/templates.md" in error.value.hint


def test_a_comma_may_stand_in_code() -> None:
    body = b"int f(void)\n{\n\ta(1, 2);\n\tb(1, after);\n\treturn 0;\n}\n"
    assert around("x.c", body, "function f, before a(1, 2)") == ("{", "a(1, 2);")
    assert around("x.c", body, "function f, after b(1, after)") == ("b(1, after);", "return 0;")


def test_the_tree_of_reference(linux_612: Path) -> None:
    path = "drivers/dma-buf/dma-buf.c"
    body = (linux_612 / path).read_bytes()
    for name in ("dma_buf_mmap_internal", "dma_buf_mmap"):
        around(path, body, f"function {name}, before dmabuf->ops->mmap(dmabuf, vma)")
    assert (
        around(path, body, "function dma_buf_ioctl, switch (cmd), before default")[1] == "default:"
    )
