# SPDX-License-Identifier: GPL-2.0-only
"""What the tests of a series do on a kernel without it, as templates/SERIES/proof.toml says.

A test that no entry names is a control: it passes with the series and without. What the kernel
reports with the series only is a fault of the series, unless an entry says that a test is there to
have it reported.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel.reports import Kind, Report
from dmabuf_patchgen.prove.evidence import Outcome
from dmabuf_patchgen.render.environment import Environment

FILE = "proof.toml"
_KEYS = {"program", "names", "when", "base", "says", "reason"}
_SUITE_KEYS = {"suite", "when"}
_REPORT_KEYS = {"program", "when", "kind", "says", "reason"}
_BASES = {"fail": Outcome.FAIL, "crash": Outcome.CRASH, "absent": Outcome.ABSENT}


@dataclass(frozen=True, slots=True)
class Expectation:
    """How some tests of a program fail on the base.

    program: a kselftest or a suite of KUnit's; names: shell patterns; base: FAIL or CRASH, or
    ABSENT of a suite; says: what must stand in what the test says, or for a crash in what the
    kernel says; reason: the same in words; place: file and entry.
    """

    program: str
    names: tuple[str, ...]
    base: Outcome
    says: re.Pattern[str]
    reason: str
    place: str

    def about(self, program: str, test: str) -> bool:
        """Whether it is about a test of a program."""
        return program == self.program and any(fnmatchcase(test, name) for name in self.names)


@dataclass(frozen=True, slots=True)
class AskedFor:
    """A report of the kernel that a program of tests is there to provoke.

    says: what must stand in its first line; reason: why it is as it should be.
    """

    program: str
    kind: Kind
    says: re.Pattern[str]
    reason: str

    def is_met(self, report: Report) -> bool:
        """Whether a report is one of these."""
        here = (self.program, self.kind) == (report.test, report.kind)
        return here and bool(self.says.search(report.line))


@dataclass(frozen=True, slots=True)
class Expectations:
    """All that some series say.

    alone: programs that need a boot of their own; suites: of KUnit's, which the kernel runs.
    """

    tests: tuple[Expectation, ...]
    alone: tuple[str, ...]
    reports: tuple[AskedFor, ...] = ()
    suites: tuple[str, ...] = ()

    def of(self, program: str, test: str) -> Expectation | None:
        """What is said of a test; None for a control."""
        return next((one for one in self.tests if one.about(program, test)), None)

    def why(self, report: Report) -> str:
        """Why the kernel should report it with the series; empty if it should not."""
        return next((one.reason for one in self.reports if one.is_met(report)), "")


def load(
    environment: Environment, names: Sequence[str], contexts: Mapping[str, Mapping[str, Any]]
) -> Expectations:
    """What series say of their tests on a tree.

    contexts: by series, what a `when` may ask: fact, param, tree, arch. Raises UserError for a
    wrong file, naming it and the entry. A series without one has no tests that tell.
    """
    tests: list[Expectation] = []
    reports: list[AskedFor] = []
    alone: dict[str, None] = {}
    suites: dict[str, None] = {}
    for name in names:
        file = f"{name}/{FILE}"
        if not (environment.root / file).exists():
            continue
        declared = environment.toml(file)
        try:
            for number, entry in enumerate(declared.get("test", []), 1):
                tests += _expectation(environment, entry, contexts[name], f"{file}, test {number}")
            for number, entry in enumerate(declared.get("report", []), 1):
                place = f"{file}, report {number}"
                reports += _asked_for(environment, entry, contexts[name], place)
            for entry in declared.get("boot", []):
                alone[str(entry["program"])] = None
            for number, entry in enumerate(declared.get("kunit", []), 1):
                place = f"{file}, kunit {number}"
                _refuse_unknown(entry, _SUITE_KEYS, place)
                if _holds(environment, entry, contexts[name], place):
                    suites[str(entry["suite"])] = None
            for one in tests:
                # Kselftests are those of the tip on both kernels.
                if one.base is Outcome.ABSENT and one.program not in suites:
                    raise ValueError(f"{one.place}: {one.program!r} is no suite of KUnit's here")
        except (KeyError, TypeError, ValueError, AttributeError, re.error) as error:
            raise UserError(f"{environment.root / file}: wrong or missing entry: {error}") from None
    return Expectations(tuple(tests), tuple(alone), tuple(reports), tuple(suites))


def _expectation(
    environment: Environment, entry: Mapping[str, Any], context: Mapping[str, Any], place: str
) -> list[Expectation]:
    """The expectation of an entry, none if its condition does not hold."""
    _refuse_unknown(entry, _KEYS, place)
    made = Expectation(
        program=str(entry["program"]),
        names=tuple(map(str, entry["names"])),
        base=_BASES[entry["base"]],
        # What is not there says nothing.
        says=re.compile("" if entry["base"] == "absent" else entry["says"]),
        reason=str(entry["reason"]),
        place=place,
    )
    if made.base is Outcome.ABSENT and "says" in entry:
        raise ValueError(f"{place}: says of what is absent")
    if isinstance(entry["names"], str) or not made.names or not made.reason.strip():
        raise ValueError(f"{place}: names has to be a list, and reason a text")
    return [made] if _holds(environment, entry, context, place) else []


def _asked_for(
    environment: Environment, entry: Mapping[str, Any], context: Mapping[str, Any], place: str
) -> list[AskedFor]:
    """The report that an entry speaks of, none if its condition does not hold."""
    _refuse_unknown(entry, _REPORT_KEYS, place)
    made = AskedFor(
        program=str(entry["program"]),
        kind=Kind(entry["kind"]),
        says=re.compile(entry["says"]),
        reason=str(entry["reason"]),
    )
    if not made.reason.strip():
        raise ValueError(f"{place}: reason has to be a text")
    return [made] if _holds(environment, entry, context, place) else []


def _refuse_unknown(entry: Mapping[str, Any], known: set[str], place: str) -> None:
    unknown = entry.keys() - known
    if unknown:
        raise ValueError(f"{place}: nothing is called {', '.join(sorted(unknown))}")


def _holds(
    environment: Environment, entry: Mapping[str, Any], context: Mapping[str, Any], place: str
) -> bool:
    """Whether an entry's condition holds."""
    when = entry.get("when")
    return not when or bool(environment.evaluate(when, context, place.partition(",")[0]))
