# SPDX-License-Identifier: GPL-2.0-only
"""Constant expressions: the value that C gives them, or none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmabuf_patchgen.tree import constant

NAMES = {"ONE": 1, "TEN": 10}


def value(text: str) -> int | None:
    return constant.value(text, NAMES.get)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("4", 4), ("4U", 4), ("(4)", 4), ("0x1fUL", 31), ("010", 8), ("'b'", 98), (r"'\n'", 10),
        ("ONE + 1", 2), ("TEN-ONE*2", 8), ("7/2", 3), ("-7/2", -3), ("-7%2", -1),
        ("1 << 4 | 2", 18),
        ("1 + 2 << 1", 6), ("!0", 1), ("~0 & 7", 7), ("1 ? 2 : 3", 2), ("0 ? 2 : 1 ? 4 : 5", 4),
        ("2 > 1 && 1 != 1", 0), ("0 && OTHER", 0), ("OTHER && 0", 0), ("1 || OTHER", 1),
        ("0 && defined(X)", 0), ("defined X || 1", 1), ("1 || IS_ENABLED(CONFIG_X)", 1),
    ],
)  # fmt: skip
def test_value(text: str, result: int) -> None:
    assert value(text) == result


@pytest.mark.parametrize(
    "text",
    ["", "OTHER", "OTHER + 1", "0 || OTHER", "f(1)", "defined(X)", "1 +", "(1", "1)", "1 2", "1/0",
     "1 << 1000", "1 << -1", "08", "1.5", '"x"', "1 @ 2", "(" * 5000],
)  # fmt: skip
def test_no_value(text: str) -> None:
    assert value(text) is None


SIGNS = st.sampled_from(["+", "-", "*", "&", "|", "^", "<", ">", "<=", ">=", "==", "!="])


@given(st.lists(st.tuples(st.integers(0, 99), SIGNS), min_size=1), st.integers(0, 99))
def test_the_order_is_that_of_python_without_comparisons(
    head: list[tuple[int, str]], last: int
) -> None:
    """Python binds + - * & ^ | as C does; it is the judge for those."""
    plain = [(number, sign) for number, sign in head if sign[0] not in "<>=!"]
    text = "".join(f"{number}{sign}" for number, sign in plain) + str(last)
    assert value(text) == eval(text)
