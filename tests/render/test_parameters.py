# SPDX-License-Identifier: GPL-2.0-only
"""Parameters: nothing that a user types reaches C but what series.toml allows."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render import catalogue
from dmabuf_patchgen.render.environment import Environment, Facts
from dmabuf_patchgen.render.parameters import Choice, Ioctl, Parameter, Value
from dmabuf_patchgen.render.series import render
from dmabuf_patchgen.tree.facts import TreeFacts
from dmabuf_patchgen.tree.source import DirectoryTree
from tests import tiny

HEADER = "include/uapi/linux/dma-buf.h"
IOCTL = Ioctl("DMA_BUF_IOCTL_TOY", HEADER, "DMA_BUF_BASE", 7, {0: "SYNC", 2: "EXPORT"})
NUMBER = Parameter("nr", "ioctl", "a number", ioctl=IOCTL)
LOUD = Parameter("loud", "bool", "say it loudly", default=False)
LEVEL = Parameter(
    "level", "choice", "how far", default="far",
    choices=(Choice("far", "far"), Choice("debug", "debug", needs="debug")),
)  # fmt: skip


def settled(root: Path, parameter: Parameter, typed: Value | None, **changed: bytes) -> Value:
    """The value on the small tree, in which some files are others."""
    tree = TreeFacts(DirectoryTree(tiny.tree(root / "tree", **changed)))
    facts = Facts(tiny.environment(root / "templates"), tree)
    return parameter.settle(typed, tree, facts)


@pytest.mark.parametrize(
    ("parameter", "text", "value"),
    [
        (LOUD, "yes", True),
        (LOUD, "no", False),
        (LEVEL, "debug", "debug"),
        (NUMBER, "0", 0),
        (NUMBER, "7", 7),
        (NUMBER, "007", 7),
    ],
)
def test_parse(parameter: Parameter, text: str, value: Value) -> None:
    found = parameter.parse(text)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("parameter", "text"),
    [
        (NUMBER, "4)"),
        (NUMBER, "4, struct x); int y = (0"),
        (NUMBER, "0x4"),
        (NUMBER, "4U"),
        (NUMBER, "-1"),
        (NUMBER, "+4"),
        (NUMBER, " 4"),
        (NUMBER, "4\n"),
        (NUMBER, "4.0"),
        (NUMBER, "1_0"),
        (NUMBER, ""),
        (NUMBER, "8"),
        (NUMBER, "256"),
        (NUMBER, "9" * 10_000),
        (NUMBER, "\u0664"),
        (NUMBER, "\uff14"),
        (NUMBER, "\u00b2"),
        (LEVEL, "debug;"),
        (LEVEL, "far */ int x;"),
        (LEVEL, "FAR"),
        (LEVEL, ""),
        (LEVEL, "{{ 1 }}"),
        (LEVEL, "f\u0430r"),
        (LOUD, "true"),
        (LOUD, "1"),
        (LOUD, "Yes"),
        (LOUD, "yes\n"),
        (LOUD, ""),
    ],
)
def test_what_is_not_of_the_type(parameter: Parameter, text: str) -> None:
    with pytest.raises(UserError) as error:
        parameter.parse(text)
    shown = text if len(text) <= 40 else f"{text[:40]}..."
    assert error.value.message == f"parameter {parameter.name} is {shown!r}"
    assert error.value.hint == f"it takes {parameter.takes}"


@given(st.text(max_size=12))
def test_only_what_is_listed_gets_through(text: str) -> None:
    for parameter, good in ((LOUD, {"yes", "no"}), (LEVEL, {"far", "debug"})):
        if text not in good:
            with pytest.raises(UserError):
                parameter.parse(text)
    try:
        number = NUMBER.parse(text)
    except UserError:
        return
    assert isinstance(number, int) and 0 <= number <= 7 and text.strip("0123456789") == ""


def test_takes() -> None:
    assert LOUD.takes == "yes or no"
    assert LEVEL.takes == "far, debug"
    assert NUMBER.takes == "a number from 0 to 7 that is free"


def test_a_default(tmp_path: Path) -> None:
    assert settled(tmp_path, LOUD, None) is False
    assert settled(tmp_path, LOUD, True) is True
    assert settled(tmp_path, LEVEL, None) == "far"


def test_a_choice_that_the_tree_cannot_have(tmp_path: Path) -> None:
    assert settled(tmp_path, LEVEL, "debug") == "debug"
    kconfig = b"config SYNC_FILE\n\tbool\n"
    with pytest.raises(
        UserError, match="level=debug needs debug, which this tree has not"
    ) as error:
        settled(tmp_path, LEVEL, "debug", drivers_dma_buf_Kconfig=kconfig)
    assert "`inspect` shows what it has" in error.value.hint


def test_the_first_number_that_is_free_here_and_upstream(tmp_path: Path) -> None:
    """0 and 1 are taken in the tree, 2 upstream."""
    assert settled(tmp_path, NUMBER, None) == 3


def test_a_number_that_only_this_tree_has_taken(tmp_path: Path) -> None:
    body = tiny.FILES[HEADER] + b"#define DMA_BUF_VENDOR _IO(DMA_BUF_BASE, 0x3)\n"
    assert settled(tmp_path, NUMBER, None, include_uapi_linux_dma_buf_h=body) == 4
    with pytest.raises(UserError) as error:
        settled(tmp_path, NUMBER, 3, include_uapi_linux_dma_buf_h=body)
    assert error.value.message == (f"parameter nr: number 3 is taken by DMA_BUF_VENDOR in {HEADER}")
    assert error.value.hint == "free: 4, 5, 6, 7"


def test_a_number_taken_upstream(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        settled(tmp_path, NUMBER, 2)
    assert error.value.message == "parameter nr: number 2 is taken by EXPORT upstream"


def test_the_owner_here_is_named_before_the_one_upstream(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"taken by DMA_BUF_IOCTL_SYNC in {HEADER}"):
        settled(tmp_path, NUMBER, 0)


def test_a_number_of_one_s_own(tmp_path: Path) -> None:
    assert settled(tmp_path, NUMBER, 7) == 7


def test_no_number_is_free(tmp_path: Path) -> None:
    body = b"".join(b"#define N%d _IO(DMA_BUF_BASE, %d)\n" % (n, n) for n in range(8))
    with pytest.raises(UserError, match="no number is free on DMA_BUF_BASE"):
        settled(tmp_path, NUMBER, None, include_uapi_linux_dma_buf_h=body)


def test_a_tree_that_has_the_ioctl_keeps_its_number(tmp_path: Path) -> None:
    body = tiny.FILES[HEADER] + b"#define DMA_BUF_IOCTL_TOY _IO(DMA_BUF_BASE, 6)\n"
    assert settled(tmp_path, NUMBER, None, include_uapi_linux_dma_buf_h=body) == 6
    assert settled(tmp_path, NUMBER, 6, include_uapi_linux_dma_buf_h=body) == 6
    with pytest.raises(UserError, match=r"nr is 5, but .* has DMA_BUF_IOCTL_TOY as number 6"):
        settled(tmp_path, NUMBER, 5, include_uapi_linux_dma_buf_h=body)


def test_numbers_on_another_magic_are_free(tmp_path: Path) -> None:
    body = tiny.FILES[HEADER] + b"#define OTHER _IO('x', 3)\n"
    assert settled(tmp_path, NUMBER, None, include_uapi_linux_dma_buf_h=body) == 3


def test_an_unknown_parameter_names_those_there_are(tmp_path: Path) -> None:
    tree = DirectoryTree(tiny.tree(tmp_path / "tree"))
    environment = tiny.environment(tmp_path / "templates")
    with pytest.raises(UserError, match="no parameter is named 'lvl' in toy") as error:
        render(environment, tree, ["toy"], {"lvl": "far"})
    assert error.value.hint == "there are: level, loud, nr"


@pytest.mark.parametrize("series", ["dma-buf-pfnmap", "dma-buf-map-info"])
def test_the_real_ones_refuse_code(series: str) -> None:
    for parameter in catalogue.load(Environment(), series).parameters.values():
        for text in ("4)", "warn-once;", "yes\n", "*/", "-1", "99", "\u0664"):
            with pytest.raises(UserError):
                parameter.parse(text)
