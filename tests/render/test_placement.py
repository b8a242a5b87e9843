# SPDX-License-Identifier: GPL-2.0-only
"""One example for each kind of place that once was silently wrong."""

import pytest

from dmabuf_patchgen.errors import Why
from dmabuf_patchgen.render.edit import State, apply
from dmabuf_patchgen.render.patch_text import parse
from dmabuf_patchgen.render.place import PlaceError

NEW = "+\tnew();\n"


def edited(body: str, text: str, path: str = "x.c") -> str:
    (hunk,) = parse("t", f"s\n\n--- {path}\n{text}").hunks
    done = apply(hunk, body.encode())
    assert done.state is State.APPLIED
    return done.body.decode()


def refused(body: str, text: str, path: str = "x.c") -> Why:
    with pytest.raises(PlaceError) as error:
        edited(body, text, path)
    assert error.value.message.startswith(f"{path}: ")
    return error.value.why


def refusal(body: str, text: str) -> Why | None:
    """Why something is refused, None if it is not."""
    try:
        edited(body, text)
    except PlaceError as error:
        return error.why
    return None


def function(body: str) -> str:
    return f"int f(int cmd)\n{{\n{body}}}\n"


def test_a_function_that_swallows_the_next() -> None:
    body = "int f(void)\n{\n\tif (a) {\n\tone();\n}\n\nint g(void)\n{\n\ttwo();\n\t}\n}\n"
    assert refused(body, f"@@ function f, before two() @@\n{NEW}") is Why.UNCLEAR_END


@pytest.mark.parametrize(
    "heading",
    [
        "static inline\nint f(void)\n",
        "__attribute__((cold))\nint f(void)\n",
        "__cold\nint f(void)\n",
        "/**\n * f - of /dev/*\n */\nint f(void)\n",
        "// one\n// two\nint f(void)\n",
        "/* one */\n/* two */\nstatic int\nf(void)\n",
    ],
)
def test_before_all_that_belongs_to_a_function(heading: str) -> None:
    body = f"int x;\n\n{heading}{{\n}}\n"
    done = edited(body, "@@ before function f @@\n+int y;\n")
    assert done == f"int x;\n\nint y;\n{heading}{{\n}}\n"


@pytest.mark.parametrize(
    ("above", "why"),
    [
        ("\tcase V:\n", Why.FALLS_THROUGH),
        ("\tcase V:\n\t\tfallthrough;\n", Why.FALLS_THROUGH),
        ("\tcase V:\n\t\tg();\n", Why.FALLS_THROUGH),
        ("\tcase V:\n\t\tif (a)\n\t\t\treturn 1;\n", Why.FALLS_THROUGH),
        ("#ifdef V\n\tcase V:\n\t\tg();\n#endif\n", Why.FALLS_THROUGH),
        ("\tcase V:\n\t\tg();\n\t\tbreak;\n", None),
        ("\tcase V: {\n\t\treturn 1;\n\t}\n", None),
        ("\tcase V:\n\t\tif (a)\n\t\t\treturn 1;\n\t\telse\n\t\t\treturn 2;\n", None),
        ("#ifdef V\n\tcase V:\n\t\tgoto out;\n#endif\n", None),
        ("\tcase V:\n\t\tunreachable();\n", None),
        ("", None),
    ],
)
def test_before_a_label(above: str, why: Why | None) -> None:
    body = function(f"\tswitch (cmd) {{\n{above}\tdefault:\n\t\treturn 0;\n\t}}\n")
    text = "@@ function f, switch (cmd), before default @@\n+\tcase NEW:\n+\t\treturn 1;\n"
    if why:
        assert refused(body, text) is why
    else:
        assert "\tcase NEW:\n\t\treturn 1;\n\tdefault:\n" in edited(body, text)


def test_behind_a_comment_that_goes_on() -> None:
    body = "struct s {\n\tint a;\t/* about a\n\t\t * and more */\n\tint b;\n};\n"
    done = edited(body, "@@ struct s, after field a @@\n+\tint c;\n")
    assert done == body.replace("\tint b;", "\tint c;\n\tint b;")


@pytest.mark.parametrize(
    "decoy",
    ["\t/* call(); */\n", "\t// call();\n", '\tg("call();");\n', "#if 0\n\tcall();\n#endif\n"],
)
def test_a_decoy(decoy: str) -> None:
    body = function(f"{decoy}\tcall();\n")
    text = "@@ function f @@\n-\tcall();\n+\tother();\n"
    assert edited(body, text) == function(f"{decoy}\tother();\n")
    assert refused(function(decoy), text) is Why.MISSING
    said = function(f"{decoy.replace('call', 'new')}\tcall();\n")
    assert edited(said, f"@@ function f, after call() @@\n{NEW}").endswith("\tnew();\n}\n")


def test_under_an_ifdef() -> None:
    inside = function("\ta();\n#ifdef V\n\tcall();\n#endif\n\tb();\n")
    assert "#endif\n\tnew();\n\tb();" in edited(inside, f"@@ function f, after call() @@\n{NEW}")
    assert "\tnew();\n#ifdef V" in edited(inside, f"@@ function f, before call() @@\n{NEW}")
    more = inside.replace("\tcall();\n", "\tc();\n\tcall();\n\td();\n")
    for side in ("before", "after"):
        text = f"@@ function f, {side} call() @@\n{NEW}"
        assert refused(more, text) is Why.CONDITIONAL
    assert refused(more, f"@@ function f @@\n \tcall();\n{NEW}") is Why.CONDITIONAL
    made = function("\tcall();\n#ifdef V\n\tnew();\n#endif\n")
    assert refused(made, f"@@ function f, after call() @@\n{NEW}") is Why.CONDITIONAL


@pytest.mark.parametrize(
    "line",
    ["\tother(); call();\n", "\tcall(); other();\n", "\tif (a) { call(); }\n", "\tout: call();\n"],
)
def test_not_alone_on_its_line(line: str) -> None:
    texts = [f"@@ function f, {side} call() @@\n{NEW}" for side in ("before", "after")]
    assert Why.NOT_ALONE in [refusal(function(line), text) for text in texts]
    for text in texts:
        if not refusal(function(line), text):
            done = edited(function(line), text)
            assert "\n\tnew();\n" in done and line in done


def test_a_body_without_braces() -> None:
    body = function("\tif (a)\n\t\tcall();\n")
    one = "@@ function f @@\n-call();\n+\t\tother();\n"
    assert edited(body, one) == function("\tif (a)\n\t\tother();\n")
    assert refused(body, one + "+more();\n") is Why.NOT_ALONE
    assert refused(body, f"@@ function f @@\n \t\tcall();\n{NEW}") is Why.NOT_ALONE
    shown = edited(body, f"@@ function f @@\n \tif (a)\n \t\tcall();\n{NEW}")
    assert shown == function("\tif (a)\n\t\tcall();\n\tnew();\n")


def test_lines_end_as_those_of_the_file() -> None:
    body = function("\tcall();\n").replace("\n", "\r\n")
    done = edited(body, f"@@ function f, after call() @@\n{NEW}")
    assert done == function("\tcall();\n\tnew();\n").replace("\n", "\r\n")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("P := a # x\n", "P := a x # x\n"),
        ("P := a \\\n\tb \\\n\nQ := c\n", "P := a \\\n\tb \\\n\tx \\\n\nQ := c\n"),
        ("P := a\nifeq (A,B)\nP += b\nendif\n", "P := a x\nifeq (A,B)\nP += b\nendif\n"),
    ],
)
def test_a_list_of_a_makefile(before: str, after: str) -> None:
    assert edited(before, "@@ list P @@\n+x\n", "Makefile") == after


def test_a_list_under_a_condition() -> None:
    text = "@@ list P @@\n+x\n"
    assert refused("ifdef A\nP := a\nendif\n", text, "Makefile") is Why.CONDITIONAL
    assert refused("P := a\nifdef A\nP += x\nendif\n", text, "Makefile") is Why.CONDITIONAL
