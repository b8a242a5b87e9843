# SPDX-License-Identifier: GPL-2.0-only
"""The commit with which a test changes is found, and by no more boots than it takes."""

import math
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from dmabuf_patchgen.prove import comparison
from dmabuf_patchgen.prove.bisection import changing, first_states, full_name
from dmabuf_patchgen.prove.comparison import TestName
from dmabuf_patchgen.prove.evidence import Outcome

FAIL, PASS = (comparison.TestRun(outcome, "", "") for outcome in (Outcome.FAIL, Outcome.PASS))


class Series:
    """States of a series, and when each test changes; tells which of them were looked at."""

    def __init__(self, changes: Mapping[TestName, int], last: int) -> None:
        self.changes = changes
        self.last = last
        self.asked: list[int] = []

    def say(self, number: int) -> dict[TestName, comparison.TestRun]:
        return {name: PASS if number >= at else FAIL for name, at in self.changes.items()}

    def outcomes(
        self, number: int, names: tuple[TestName, ...]
    ) -> dict[TestName, comparison.TestRun]:
        assert names and 0 < number < self.last
        self.asked.append(number)
        return {name: said for name, said in self.say(number).items() if name in names}

    def found(self) -> dict[TestName, int]:
        return first_states(self.changes, self.last, self.say(self.last), self.outcomes)


@given(st.integers(1, 200), st.data())
def test_one_test(last: int, data: st.DataObject) -> None:
    series = Series({("toy", "one"): data.draw(st.integers(1, last))}, last)
    assert series.found() == series.changes
    assert len(series.asked) <= math.ceil(math.log2(last))


@given(st.integers(1, 40), st.data())
def test_tests_that_change_at_different_commits(last: int, data: st.DataObject) -> None:
    at = data.draw(st.lists(st.integers(1, last), min_size=1, max_size=20))
    series = Series({("toy", str(number)): change for number, change in enumerate(at)}, last)
    assert series.found() == series.changes
    # No state is booted twice, and none where nothing changes on both its sides.
    assert len(series.asked) == len(set(series.asked))
    assert len(series.asked) <= len(set(at)) * math.ceil(math.log2(last) or 0)


def test_a_test_that_is_not_there_yet_has_not_changed() -> None:
    def outcomes(number: int, names: tuple[TestName, ...]) -> dict[TestName, comparison.TestRun]:
        return {("toy", "late"): PASS} if number >= 3 else {}

    assert first_states([("toy", "late")], 5, {("toy", "late"): PASS}, outcomes) == {
        ("toy", "late"): 3
    }


def test_what_a_pattern_means() -> None:
    base = {("toy", "a.x"): FAIL, ("toy", "a.y"): PASS, ("other", "a.x"): FAIL, ("toy", ""): FAIL}
    tip = dict.fromkeys(base, PASS) | {("toy", "new"): PASS}
    assert changing("toy:*", base, tip) == (("toy", "a.x"),)
    assert changing("*", base, tip) == (("toy", "a.x"), ("other", "a.x"), ("toy", ""))
    assert changing("toy", base, tip) == (("toy", ""),)
    assert changing("*:a.y", base, tip) == ()
    assert full_name(("toy", "a.x")) == "toy:a.x"
