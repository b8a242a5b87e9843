# SPDX-License-Identifier: GPL-2.0-only
"""Lists in Makefiles: what make would have in them, and on which configurations."""

import pytest

from dmabuf_patchgen.errors import Why
from dmabuf_patchgen.tree import makefile
from dmabuf_patchgen.tree.doubt import Doubt
from dmabuf_patchgen.tree.tokens import Span


def values(body: bytes, variable: str) -> list[str]:
    found = makefile.assignments(body, variable)
    return [body[one.value.start : one.value.end].decode() for one in found]


def last(body: bytes, variable: str = "P") -> str:
    found = makefile.last(body, variable)
    assert found
    return body[found.value.start : found.value.end].decode()


def test_a_list() -> None:
    assert values(b"obj-y := a.o b.o\nobj-y-z := no.o\n", "obj-y") == ["a.o b.o"]


def test_a_list_over_lines() -> None:
    body = b"obj-y := a.o \\\n\t b.o \\\n\t c.o\nobj-m := d.o\n"
    assert values(body, "obj-y") == ["a.o \\\n\t b.o \\\n\t c.o"]
    assert values(body.replace(b"\n", b"\r\n"), "obj-y") == ["a.o \\\r\n\t b.o \\\r\n\t c.o"]


@pytest.mark.parametrize("sign", ["=", ":=", "::=", "+=", "?=", " = "])
@pytest.mark.parametrize("name", ["TEST_GEN_PROGS", "obj-$(CONFIG_A)", "export P", "override P"])
def test_ways_to_assign(name: str, sign: str) -> None:
    assert values(f"{name}{sign}udmabuf\n".encode(), name.split()[-1]) == ["udmabuf"]


@pytest.mark.parametrize(
    "body", [b"# P := no\n", b"x: y\n\tP := no\n", b"define X\nP := no\nendef\n", b"all: P\n"]
)
def test_what_assigns_nothing(body: bytes) -> None:
    assert values(body, "P") == []
    assert values(body + b"P := a\n", "P") == ["a"]


def test_an_empty_list() -> None:
    assert values(b"P :=\nQ := a\n", "P") == [""]
    assert values(b"P := # none\nQ := a\n", "P") == [""]


def test_a_comment_and_a_last_backslash_are_not_of_the_list() -> None:
    assert values(b"P := a b # c\n", "P") == ["a b"]
    assert values(b"P := a \\\n\tb \\\n\nQ := c\n", "P") == ["a \\\n\tb"]
    assert not makefile.has(b"P := a # x\n", "P", b"x")


def test_what_is_always_in_a_list() -> None:
    body = b"P := a\nifeq (x,y)\nP += b\nelse\nP += c\nendif\n"
    assert last(body) == "a"
    assert makefile.has(body, "P", b"a") and not makefile.has(body, "P", b"d")
    with pytest.raises(Doubt, match="b is in P under a condition only"):
        makefile.has(body, "P", b"b")


def test_the_last_that_always_holds() -> None:
    assert last(b"ifdef X\nP := a\nendif\nP := b\nP += c\n") == "c"
    assert makefile.last(b"Q := a\n", "P") is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"ifdef X\nP := a\nendif\n", "P is assigned only under a condition"),
        (b"P := a\nifdef X\nP := b\nendif\n", "P is replaced under a condition"),
    ],
)
def test_a_list_that_depends(body: bytes, said: str) -> None:
    with pytest.raises(Doubt, match=said) as doubt:
        makefile.last(body, "P")
    assert doubt.value.why is Why.CONDITIONAL


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"a := b\n", None),
        (b"ifdef X\nb := c\nendif\na := b\n", None),
        (b"ifdef X\na := b\nendif\n", Why.CONDITIONAL),
        (b"x := c \\\na := b\n", Why.NOT_ALONE),
        (b"define X\na := b\nendef\n", Why.CONDITIONAL),
    ],
)
def test_beside_a_line(body: bytes, why: Why | None) -> None:
    start = body.index(b"a := b")
    line = Span(start, body.index(b"\n", start) + 1)
    if why is None:
        makefile.must_be_plain(body, line)
    else:
        with pytest.raises(Doubt) as doubt:
            makefile.must_be_plain(body, line)
        assert doubt.value.why is why
