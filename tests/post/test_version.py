# SPDX-License-Identifier: GPL-2.0-only
"""A version counts when it was sent: by b4's history, by its tag, or by its user's own count."""

from dataclasses import replace
from pathlib import Path

import pytest

from dmabuf_patchgen.post import version as versions
from dmabuf_patchgen.post.tracking import Record, Tracking
from dmabuf_patchgen.post.version import Before, Version
from tests.post.test_rework import MINE, STEPS, THREE, TWO, Toy, lines
from tests.repos import git

BRANCH = "b4/toy"
LINK = "https://lore.kernel.org/r/1@x"


class Series:
    """A branch as prep finds it, again and again."""

    def __init__(self, toy: Toy) -> None:
        self.toy = toy
        self.tracking = Tracking.new("toy", "v6.12")
        self.made = self._version(None, self._record(toy.line(*STEPS)))

    def _record(self, tip: str, **level: str) -> Record:
        return Record(("toy",), {"toy": {"level": "far", **level}}, {"toy": "2026-01-02"},
                      self.toy.base, tip, "branch-description", rendering=tip)  # fmt: skip

    def _version(self, before: Before | None, record: Record) -> Version:
        found = versions.version(self.toy.path, BRANCH, before, record, "v6.12")
        git(self.toy.path, "update-ref", f"refs/heads/{BRANCH}", record.tip)
        self.tracking = found.tracking if before else self.tracking
        return found

    def prep(self, *steps: tuple[str, dict[str, str]], **level: str) -> Version:
        old = self.made.record
        before = Before(old.tip, self.tracking, old, (old.base, old.rendering), (), ())
        tip = self.toy.line(*(steps or STEPS))
        self.made = self._version(before, self._record(tip, **level))
        return self.made

    def sent(self, *, history: bool = True, tag: str | None = None) -> None:
        """As b4 leaves it: history and count, or the tag of a commit alone."""
        revision = self.tracking.revision
        if history:
            said = {**self.tracking.series.get("history", {}), f"v{revision}": [f"{revision}@x"]}
            self.tracking = Tracking({**self.tracking.series, "history": said}).at(revision + 1)
        if tag:
            change = self.tracking.series["change-id"]
            git(self.toy.path, "tag", f"sent/{change}-v{revision}", tag)

    @property
    def changes(self) -> list[list[str]]:
        return [section.splitlines() for section in self.made.record.changes]


@pytest.fixture
def series(tmp_path: Path, home: Path) -> Series:
    return Series(Toy(tmp_path))


LOUD = (TWO, {"b": lines("b", l1="TWO")})
FAR = "- toy: level=near instead of far"


def test_what_was_not_sent_is_the_same_version(series: Series) -> None:
    assert series.prep(STEPS[0], LOUD, STEPS[2], level="near").record.revision == 1
    assert series.prep().record.revision == 1
    assert series.changes == []
    assert series.tracking.revision == 1


def test_its_changelog_grows(series: Series) -> None:
    series.sent()
    assert series.prep(level="near").record.revision == 2
    assert series.changes == [["Changes in v2:", FAR, f"- Link to v1: {LINK}"]]
    assert series.prep(STEPS[0], LOUD, STEPS[2], level="near").record.revision == 2
    both = ["Changes in v2:", FAR, f"- changed: {TWO}", f"- Link to v1: {LINK}"]
    assert series.changes == [both]
    # What was taken back did not change.
    series.prep(STEPS[0], LOUD, STEPS[2])
    assert series.changes == [["Changes in v2:", f"- changed: {TWO}", f"- Link to v1: {LINK}"]]
    series.prep(STEPS[0], LOUD, STEPS[2], level="near")

    series.sent()
    assert series.prep(STEPS[0], LOUD, level="near").record.revision == 3
    link = LINK.replace("1@", "2@")
    assert series.changes == [
        ["Changes in v3:", f"- dropped: {THREE}", f"- Link to v2: {link}"], both,
    ]  # fmt: skip
    series.prep(STEPS[0], LOUD, STEPS[2], level="near")
    assert series.changes[0] == [
        "Changes in v3:", "- no change of any patch", f"- Link to v2: {link}",
    ]  # fmt: skip


def test_a_tag_alone_tells_that_it_was_sent(series: Series) -> None:
    series.sent(history=False, tag=series.made.record.tip)
    assert series.prep(level="near").record.revision == 2
    assert series.changes == [["Changes in v2:", FAR]]
    assert series.tracking.revision == 2
    # The control: a tag of another series is none.
    git(series.toy.path, "tag", "sent/20260101-toy-0123456789ab-v2", series.toy.base)
    assert series.prep(level="near").record.revision == 2


def test_what_was_sent_is_what_the_tag_has(series: Series) -> None:
    """Its user put something on the branch after prep, and sent that."""
    mine = (MINE, {"c": lines("c", l1="three", l8="mine")})
    series.sent(tag=series.toy.line(*STEPS, mine))
    series.prep(*STEPS, mine)
    assert series.changes == [
        ["Changes in v2:", "- no change of any patch", f"- Link to v1: {LINK}"]
    ]


def test_what_was_sent_from_another_base(series: Series) -> None:
    """A merge between the two is history, and no patch."""
    path, base = series.toy.path, series.toy.base
    git(path, "checkout", "-q", "--detach", series.toy.commit(base, "side", d="d\n"))
    git(path, "merge", "-q", "--no-edit", series.toy.commit(base, "other", e="e\n"))
    series.sent(tag=series.toy.line(*STEPS, base=series.toy.head))
    series.prep(level="near")
    assert series.changes == [["Changes in v2:", FAR, f"- Link to v1: {LINK}"]]


def test_a_version_that_its_user_forces(series: Series) -> None:
    """b4 prep --force-revision: what was sent elsewhere, nobody knows here."""
    series.tracking = series.tracking.at(2)
    assert series.prep(level="near").record.revision == 2
    assert series.changes == [["Changes in v2:", FAR]]
    assert series.prep().record.revision == 2
    assert series.changes == [["Changes in v2:", "- no change of any patch"]]
    # And back.
    series.tracking = series.tracking.at(1)
    assert series.prep(level="near").record.revision == 1
    series.sent()
    series.tracking = series.tracking.at(5)
    assert series.prep().record.revision == 5
    assert series.changes[0][0] == "Changes in v5:"
    assert series.changes[0][-1] == f"- Link to v1: {LINK}"


def test_a_version_that_was_sent_is_not_made_again(series: Series) -> None:
    series.sent()
    series.tracking = series.tracking.at(1)
    assert series.prep().record.revision == 2


def test_a_version_whose_commits_are_gone(series: Series) -> None:
    """git clears away what nothing points to; the letter then tells of no change."""
    gone = replace(series.made, record=replace(series.made.record, tip="1" * 40))
    series.sent()
    series.made = gone
    assert series.prep().record.revision == 2
    assert series.changes == []
