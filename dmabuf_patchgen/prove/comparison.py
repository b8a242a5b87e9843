# SPDX-License-Identifier: GPL-2.0-only
"""What the tests said on two kernels, held against each other and against what was expected."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from dmabuf_patchgen.kernel.boots import KUNIT
from dmabuf_patchgen.kernel.console import Boot, BootStatus
from dmabuf_patchgen.kernel.reports import Report
from dmabuf_patchgen.prove import ktap
from dmabuf_patchgen.prove.evidence import KernelReport, Outcome, Result, Verdict
from dmabuf_patchgen.prove.expectation import Expectation, Expectations

#: A test: its program, or suite of KUnit's, and its name in it, empty for a program that says
#: nothing of its tests.
TestName = tuple[str, str]

_OUTCOMES = {
    ktap.Status.PASS: Outcome.PASS,
    ktap.Status.FAIL: Outcome.FAIL,
    # None of them proves anything, like a SKIP.
    ktap.Status.SKIP: Outcome.SKIP,
    ktap.Status.XFAIL: Outcome.SKIP,
    ktap.Status.TODO: Outcome.SKIP,
}
_KUNIT = f"{KUNIT}:"


@dataclass(frozen=True, slots=True)
class TestRun:
    """What a test said on one kernel. why: in one line, empty for a pass.

    text: all that stands in its diagnostics or, if the kernel went down, in the kernel's log.
    """

    outcome: Outcome
    why: str
    text: str


def read(boots: Iterable[tuple[Sequence[str], Boot]]) -> dict[TestName, TestRun]:
    """What each test said. boots: with the tests that each was to run, as `collection:test`."""
    found: dict[TestName, TestRun] = {}
    for names, boot in boots:
        suites = [name.removeprefix(_KUNIT) for name in names if name.startswith(_KUNIT)]
        if suites:
            found |= _read_suites(suites, boot)
        found |= _read([name for name in names if not name.startswith(_KUNIT)], boot)
    return found


def _read_suites(suites: Sequence[str], boot: Boot) -> dict[TestName, TestRun]:
    """What the tests of some suites of KUnit's said."""
    found: dict[TestName, TestRun] = {}
    unfinished = _unfinished(boot)
    log = ktap.parse(boot.kunit)
    for leaf in log.leaves():
        if leaf.path[0] in suites:
            found[leaf.path[0], " ".join(leaf.path[1:])] = _test_run(leaf.test, unfinished)
    told = {test.name: test for test in log.tests}
    for suite in suites:
        test = told.get(suite)
        if test and ktap.ENDED in test.problems:
            found[suite, ""] = unfinished
        elif test and _is_odd(test):
            found[suite, ""] = _test_run(test, unfinished)
        elif test is None and log.problems:
            # Whatever KUnit did not come to may well be in the kernel.
            found[suite, ""] = unfinished
        elif test is None or test.subtests:
            # So of a suite that is there: what is not among its tests.
            found[suite, ""] = TestRun(Outcome.ABSENT, "the kernel has no such test", "")
    return found


def _read(names: Sequence[str], boot: Boot) -> dict[TestName, TestRun]:
    found: dict[TestName, TestRun] = {}
    unfinished = _unfinished(boot)
    log = ktap.parse(boot.tests)
    programs = {_program(test.name): test for test in log.tests}
    for leaf in log.leaves():
        program = _program(leaf.path[0])
        found[program, " ".join(leaf.path[1:])] = _test_run(leaf.test, unfinished)
    for name in names:
        program = name.rpartition(":")[2]
        test = programs.get(program)
        if test is None or ktap.ENDED in test.problems:
            # What of its tests is not there has not come to its turn.
            found[program, ""] = unfinished
        elif test.subtests and _is_odd(test):
            # It has more to tell than its tests have.
            found[program, ""] = _test_run(test, unfinished)
    return found


def _program(name: str) -> str:
    """The program in what the runner calls it: `selftests: drivers/dma-buf: udmabuf`."""
    return name.rpartition(": ")[2]


def _is_odd(test: ktap.Test) -> bool:
    """Whether a program fails and its tests do not, or passes and not all of them are there."""
    if test.status is ktap.Status.FAIL:
        return all(one.status is not ktap.Status.FAIL for one in test.subtests)
    return bool(test.problems)


def _test_run(test: ktap.Test, unfinished: TestRun) -> TestRun:
    """What a test came to. unfinished: what one came to that tells no result."""
    outcome = _OUTCOMES[test.status]
    if test.subtests and test.problems:
        outcome = Outcome.FAIL
    text = "\n".join(test.diagnostics)
    if ktap.NO_RESULT in test.problems:
        return unfinished if unfinished.outcome is Outcome.CRASH else replace(unfinished, text=text)
    if outcome is Outcome.PASS:
        return TestRun(outcome, "", text)
    if outcome is Outcome.SKIP:
        return TestRun(
            outcome, f"{test.status.value}: {one_line(test.reason) or 'no reason given'}", text
        )
    told = (line for line in test.diagnostics if "xpected" in line)
    why = next(told, "") or test.reason or "; ".join(test.problems) or "no reason given"
    return TestRun(outcome, one_line(why), text)


def _unfinished(boot: Boot) -> TestRun:
    """What tests without a result came to: worked out once, as it takes all of a console."""
    if boot.status is BootStatus.POWER_OFF:
        return TestRun(Outcome.FAIL, "it did not tell a result", "")
    return TestRun(Outcome.CRASH, one_line(f"{boot.status.value}: {boot.trouble}"), boot.kernel_log)


def one_line(text: str) -> str:
    """What a guest said, as one line that can be printed."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def compare(
    base: Mapping[TestName, TestRun],
    tip: Mapping[TestName, TestRun],
    expectations: Expectations,
    ours: Iterable[str],
) -> tuple[Result, ...]:
    """The verdict on every test.

    base, tip: what they said without and with the series; ours: the programs that the series
    brings or names, the others being the tree's own.
    """
    programs = frozenset(ours)
    names = dict.fromkeys([*tip, *base])
    telling = {program for program, test in names if test}
    return tuple(
        _result(
            name,
            at(base, name),
            at(tip, name),
            expectations.of(*name),
            own=name[0] in programs,
        )
        for name in names
        # Where a program's tests are told, it is only by itself if it failed besides, or if nobody
        # knows what else is in a suite.
        if name[1]
        or name[0] not in telling
        or Outcome.FAIL in (at(base, name).outcome, at(tip, name).outcome)
        or (at(base, name).outcome, at(tip, name).outcome) == (Outcome.ABSENT, Outcome.CRASH)
    )


def at(said: Mapping[TestName, TestRun], name: TestName) -> TestRun:
    """What a test said; of one that is not there, what its program came to."""
    if name in said:
        return said[name]
    program, test = name
    if not test:
        # Only told of a program that ends otherwise than its tests.
        return TestRun(Outcome.PASS, "", "")
    return said.get((program, ""), TestRun(Outcome.FAIL, "it did not tell a result", ""))


def _result(
    name: TestName, base: TestRun, tip: TestRun, expectation: Expectation | None, *, own: bool
) -> Result:
    if not own:
        verdict, why = _of_the_tree(base, tip)
    elif expectation:
        verdict, why = _that_tells(base, tip, expectation)
    else:
        verdict, why = _control(base, tip)
    proved = verdict is Verdict.PROVED
    return Result(
        name=":".join(filter(None, name)),
        base=base.outcome,
        base_reason=expectation.reason if proved and expectation else base.why,
        tip=tip.outcome,
        verdict=verdict,
        why=why,
    )


def _that_tells(base: TestRun, tip: TestRun, expectation: Expectation) -> tuple[Verdict, str]:
    skipped = _skipped(base, tip)
    if skipped:
        return Verdict.NOT_PROVED, skipped
    if base.outcome is Outcome.PASS:
        if tip.outcome is Outcome.PASS:
            return Verdict.NOT_PROVED, "passes without the series as well"
        return Verdict.REGRESSION, f"with the series: {tip.why}"
    if base.outcome is not expectation.base or not _says(expectation.says, base.text):
        return Verdict.NOT_PROVED, f"another reason without the series: {base.why}"
    if tip.outcome is Outcome.PASS:
        return Verdict.PROVED, ""
    if tip.outcome is Outcome.CRASH and base.outcome is not Outcome.CRASH:
        return Verdict.REGRESSION, f"with the series: {tip.why}"
    if base.outcome is not tip.outcome and base.outcome is Outcome.ABSENT:
        return Verdict.NOT_PROVED, f"with the series: {tip.why}"
    return Verdict.NOT_PROVED, f"with the series as well: {tip.why}"


@lru_cache(maxsize=16)
def _says(pattern: re.Pattern[str], text: str) -> bool:
    """Whether it stands there: looked for once in the log that all tests without a result share."""
    return pattern.search(text) is not None


def _control(base: TestRun, tip: TestRun) -> tuple[Verdict, str]:
    skipped = _skipped(base, tip)
    if skipped:
        return Verdict.NOT_PROVED, skipped
    if base.outcome is not Outcome.PASS:
        return Verdict.NOT_PROVED, f"a control, and without the series: {base.why}"
    if tip.outcome is not Outcome.PASS:
        return Verdict.REGRESSION, f"with the series: {tip.why}"
    return Verdict.CONTROL, ""


def _skipped(base: TestRun, tip: TestRun) -> str:
    for said, where in ((base, "without"), (tip, "with")):
        if said.outcome is Outcome.SKIP:
            return f"{where} the series: {said.why}"
    return ""


def _of_the_tree(base: TestRun, tip: TestRun) -> tuple[Verdict, str]:
    if base.outcome is tip.outcome:
        return Verdict.UNCHANGED, ""
    why = f"a test of the tree, with the series: {tip.why or 'passes'}"
    if base.outcome is Outcome.PASS or tip.outcome is Outcome.CRASH:
        return Verdict.REGRESSION, why
    return Verdict.NOT_PROVED, why


def reported(
    base: Sequence[Report], tip: Sequence[Report], expectations: Expectations
) -> tuple[KernelReport, ...]:
    """What the kernel reported, each once for a test, those of the tip first.

    base, tip: what was reported without and with the series.
    """
    here, there = {one.fingerprint for one in base}, {one.fingerprint for one in tip}
    once = {(one.fingerprint, one.test): one for one in (*base, *tip)}
    ordered = sorted(once.values(), key=lambda one: one.fingerprint not in there)
    return tuple(
        KernelReport(
            kind=one.kind.value,
            line=one_line(one.line),
            function=one.function,
            test=one_line(one.test),
            fingerprint=one_line(one.fingerprint),
            base=one.fingerprint in here,
            tip=one.fingerprint in there,
            wanted=expectations.why(one),
        )
        for one in ordered
    )


def stale(expectations: Expectations, names: Iterable[TestName]) -> tuple[str, ...]:
    """What expectations say of tests that are not there, one line each."""
    known = tuple(names)
    lines = []
    for one in expectations.tests:
        for pattern in one.names:
            single = Expectation(one.program, (pattern,), one.base, one.says, one.reason, one.place)
            if not any(single.about(*name) for name in known):
                lines.append(f"{one.place}: no test {one.program}:{pattern}")
    return tuple(lines)
