# SPDX-License-Identifier: GPL-2.0-only
"""What a user changed of a cover letter is in the next one, or is refused with both texts."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.post import letter as letters
from dmabuf_patchgen.post.letter import Letter
from tests.repos import git

TEXT = """dma-buf: toy

The first paragraph.

The second paragraph.

The last paragraph.

To: One <one@example.org>
Cc: list@example.org"""
V2 = "Changes in v2:\n- changed: toy: one\n- changed: toy: two\n- Link to v1: https://x.example"
OLD = Letter(TEXT, (V2,))


@pytest.fixture
def repo(tmp_path: Path, home: Path) -> Path:
    git(tmp_path, "init", "-q")
    return tmp_path


def edited(letter: Letter, *pairs: tuple[str, str]) -> Letter:
    """As an editor leaves it."""
    text = letter.text
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return Letter.read(text)


def test_what_is_written_is_read() -> None:
    assert Letter.read(OLD.text) == OLD
    alone = replace(OLD, changes=())
    assert Letter.read(alone.text) == alone
    more = replace(OLD, changes=("A note.", "Changes in v3:\n- x", V2))
    assert Letter.read(more.text) == more


def test_a_section_that_b4_made_is_none() -> None:
    made = "Changes in v2:\n- EDITME: describe what is new in this series revision.\n\n"
    assert Letter.read(f"{TEXT}\n\n---\n{made}") == replace(OLD, changes=())


def test_nothing_edited(repo: Path) -> None:
    new = edited(OLD, ("second", "2nd"), ("one", "three"))
    assert letters.merged(repo, OLD, OLD, new) == new


def test_both_changed_the_text(repo: Path) -> None:
    theirs = edited(OLD, ("dma-buf: toy", "dma-buf: my toy"), ("The first", "My first"))
    new = edited(OLD, ("The last", "At last, the"))
    made = letters.merged(repo, OLD, theirs, new)
    assert made == edited(theirs, ("The last", "At last, the"))
    # From there on as well, where what the templates had is what they had.
    third = edited(new, ("The second", "A second"))
    again = letters.merged(repo, new, made, third)
    assert "My first" in again.body and "A second" in again.body and "At last" in again.body


def test_a_conflict(repo: Path) -> None:
    theirs = edited(OLD, ("The second", "My second"))
    new = edited(OLD, ("The second", "Another"))
    with pytest.raises(UserError) as refused:
        letters.merged(repo, OLD, theirs, new)
    assert "--reset-cover" in refused.value.hint
    assert refused.value.details == (
        "<<<<<<< the templates now", "Another paragraph.",
        "||||||| the templates before", "The second paragraph.",
        "=======", "My second paragraph.", ">>>>>>> yours",
    )  # fmt: skip


def test_recipients_of_both(repo: Path) -> None:
    """They are a list, whose neighbours are no conflict."""
    theirs = edited(OLD, ("Cc: list@example.org", "Cc: mine@example.org"))
    new = edited(OLD, ("Cc: list@example.org", "Cc: list@example.org\nCc: new@example.org"))
    made = letters.merged(repo, OLD, theirs, new)
    assert made.body.splitlines()[-3:] == [
        "To: One <one@example.org>", "Cc: new@example.org", "Cc: mine@example.org",
    ]  # fmt: skip


def test_a_changelog_that_was_edited(repo: Path) -> None:
    theirs = edited(OLD, ("- changed: toy: one", "- The first is\n  better (R)"),
                    ("---\n", "---\nA note.\n\n"))  # fmt: skip
    v2 = V2.replace("- changed: toy: two", "- changed: toy: two\n- dropped: toy: three")
    made = letters.merged(repo, OLD, theirs, replace(OLD, changes=("Changes in v3:\n- x", v2)))
    assert made.changes == (
        "A note.",
        "Changes in v3:\n- x",
        "Changes in v2:\n- The first is\n  better (R)\n- changed: toy: two\n"
        "- dropped: toy: three\n- Link to v1: https://x.example",
    )
    # What they took out stays out.
    assert letters.merged(repo, OLD, replace(OLD, changes=()), OLD).changes == ()
    # Of what both have, an item that is no longer true goes.
    less = replace(OLD, changes=(V2.replace("- changed: toy: two\n", ""),))
    made = letters.merged(repo, OLD, theirs, less)
    assert "two" not in made.text and "better (R)" in made.text


def test_a_letter_is_kept_to_the_byte(repo: Path) -> None:
    """Whatever its user's editor made of it."""
    theirs = edited(OLD, ("The second", os.fsdecode(b"Andr\xe9")))
    made = letters.merged(repo, OLD, theirs, edited(OLD, ("The last", "At last, the")))
    assert b"Andr\xe9 paragraph" in os.fsencode(made.text)


def test_a_letter_whose_beginnings_are_not_known(repo: Path) -> None:
    """Of a branch from before prep kept what it wrote: nothing is overwritten."""
    with pytest.raises(UserError, match="conflict"):
        letters.merged(repo, Letter("0" * 64, ()), OLD, edited(OLD, ("second", "2nd")))
