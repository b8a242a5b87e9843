# SPDX-License-Identifier: GPL-2.0-only
"""Trailers are told from what they stand below, and merged as b4 has left them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmabuf_patchgen.post import trailers

LINES = (
    "Link: https://x.example",
    "Suggested-by: S <s@x>",
    "Reviewed-by: R <r@x>",
    "Acked-by: A <a@x>",
)


def test_trailers_below_a_body() -> None:
    folded = "Reviewed-by: R\n <r@x>"
    text = f"toy: one\n\nSaid: so.\n\nLink: https://x.example\n[a: fixed a word]\n{folded}\n"
    body, found = trailers.split(text)
    assert body == "toy: one\n\nSaid: so."
    assert found == ("Link: https://x.example", "[a: fixed a word]", folded)
    assert trailers.joined(body, found) == text


@pytest.mark.parametrize(
    "text",
    [
        "toy: one\n",
        "toy: one\n\nNote: a body that goes on\nover two lines\n",
        "toy: one\n\n[not] among trailers\n",
        "toy: one\n\nhttp://x.example\n",
    ],
)
def test_no_trailers(text: str) -> None:
    """A subject looks like one, and so may a body."""
    assert trailers.split(text) == (text.rstrip("\n"), ())


@given(st.lists(st.sampled_from(LINES), unique=True))
def test_what_is_split_is_joined(found: list[str]) -> None:
    text = trailers.joined("toy: one\n\nA body.", tuple(found))
    assert trailers.split(text) == ("toy: one\n\nA body.", tuple(found))


@pytest.mark.parametrize(
    ("trailer", "vouches"),
    [
        ("Reviewed-by: R <r@x>", True),
        ("acked-by: R <r@x>", True),
        ("Tested-by: R <r@x>", True),
        ("Reviewed-and-tested-by: R <r@x>", True),
        ("Signed-off-by: R <r@x>", False),
        ("Suggested-by: R <r@x>", False),
        ("Reported-by: R <r@x>", False),
        ("Link: https://x/Reviewed-by:", False),
    ],
)
def test_what_vouches_for_a_patch(trailer: str, vouches: bool) -> None:
    assert trailers.vouches(trailer) is vouches


def test_merged() -> None:
    link, suggested, reviewed, acked = LINES
    # The user's order; what the templates add comes behind it, what they took away goes.
    assert trailers.merged((link, suggested), (reviewed, link, suggested), (link, acked)) == (
        reviewed, link, acked,
    )  # fmt: skip
    # What the user took away stays away.
    assert trailers.merged((link, suggested), (link,), (link, suggested)) == (link,)
