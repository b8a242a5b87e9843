# SPDX-License-Identifier: GPL-2.0-only
"""Which commit of a series makes a test change, found by few boots of those between."""

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase

from dmabuf_patchgen.prove.comparison import TestName, TestRun, at
from dmabuf_patchgen.prove.evidence import Outcome

#: What the tests say in a state, by its number; of the tests whose names are given, at the least.
Outcomes = Callable[[int, tuple[TestName, ...]], Mapping[TestName, TestRun]]


def full_name(name: TestName) -> str:
    """A test as evidence and command line have it: PROGRAM:TEST."""
    return ":".join(filter(None, name))


def changing(
    pattern: str, base: Mapping[TestName, TestRun], tip: Mapping[TestName, TestRun]
) -> tuple[TestName, ...]:
    """The tests that a shell pattern matches and that come to another end with the series."""

    def changes(name: TestName) -> bool:
        before = at(base, name).outcome
        known = name in base or before is Outcome.ABSENT
        return known and before is not tip[name].outcome

    return tuple(name for name in tip if fnmatchcase(full_name(name), pattern) and changes(name))


def first_states(
    names: Iterable[TestName], last: int, tip: Mapping[TestName, TestRun], outcomes: Outcomes
) -> dict[TestName, int]:
    """For each test the state, from 1 on, that is the first to come to what the last one does.

    As with git bisect, a test is taken to change once. States are asked for at most once, and
    only for tests that change between the two ends of what is left.
    """
    found: dict[TestName, int] = {}
    pending = [(tuple(names), 0, last)]
    while pending:
        left, before, after = pending.pop()
        if not left:
            continue
        if after - before == 1:
            found |= dict.fromkeys(left, after)
            continue
        middle = (before + after) // 2
        said = outcomes(middle, left)
        changed = tuple(
            name for name in left if name in said and said[name].outcome is tip[name].outcome
        )
        rest = tuple(name for name in left if name not in changed)
        pending += [(changed, before, middle), (rest, middle, after)]
    return found
