# SPDX-License-Identifier: GPL-2.0-only
"""Verdicts: what a test says on two kernels, and what it was expected to say on the first."""

import re
from pathlib import Path

import pytest

from dmabuf_patchgen.kernel.console import Boot, BootStatus
from dmabuf_patchgen.kernel.reports import Kind, Report
from dmabuf_patchgen.prove import comparison
from dmabuf_patchgen.prove.evidence import Outcome, Result
from dmabuf_patchgen.prove.expectation import AskedFor, Expectation, Expectations
from tests.growth import is_linear

NAMES = ("drivers/dma-buf:toy", "drivers/dma-buf:other")
BUG = "kernel BUG at mm/memory.c:2414!"


def line(name: str, said: str) -> str:
    """What the harness prints of a test, below the runner."""
    if said == "pass":
        return f"# ok 1 {name}\n"
    if said.startswith("skip"):
        return f"# ok 1 {name} # SKIP {said[5:]}\n"
    return f"# # toy.c:1:{name}:{said[5:]}\n# not ok 1 {name}\n"


def boot(
    toy: str | None = None,
    other: str = "pass",
    ended: BootStatus = BootStatus.POWER_OFF,
    more: str = "",
) -> Boot:
    """A boot in which the test `a` of `toy` said something; None: it was never reached."""
    said = "dmabuf-patchgen: tests begin\nTAP version 13\n1..2\n"
    if toy is not None:
        result = "not ok" if toy.startswith("fail") else "ok"
        said += f"# selftests: drivers/dma-buf: toy\n# TAP version 13\n# 1..1\n{line('a', toy)}"
        said += f"{result} 1 selftests: drivers/dma-buf: toy{more}\n"
        result = "not ok" if other.startswith("fail") else "ok"
        said += f"{result} 2 selftests: drivers/dma-buf: other"
        said += f" # SKIP {other[5:]}\n" if other.startswith("skip") else "\n"
    if ended is BootStatus.POWER_OFF:
        said += "dmabuf-patchgen: tests end 0\ndmabuf-patchgen: power off\n"
    else:
        said += f"{BUG}\nKernel panic - not syncing: Fatal exception\n"
    return Boot(said, ended, 1.0, "qemu 7.2.22", "tcg")


def expectations(
    base: Outcome = Outcome.FAIL, says: str = r"Expected 22 == \w+ \(0\)"
) -> Expectations:
    one = Expectation("toy", ("a",), base, re.compile(says), "it works", "toy/proof.toml, test 1")
    return Expectations((one,), ())


def result(
    base: Boot, tip: Boot, expected: Expectations | None = None, name: str = "toy:a"
) -> Result:
    before, after = (comparison.read([(NAMES, one)]) for one in (base, tip))
    found = comparison.compare(before, after, expected or Expectations((), ()), ["toy"])
    return next(one for one in found if one.name == name)


WORKS = boot("fail Expected 22 == err (0)")


def test_a_test_that_tells() -> None:
    found = result(WORKS, boot("pass"), expectations())
    assert (found.verdict.value, found.base_reason, found.why) == ("proved", "it works", "")


def test_a_crash_that_tells() -> None:
    expected = expectations(Outcome.CRASH, "kernel BUG at mm/")
    found = result(boot(ended=BootStatus.PANIC), boot("pass"), expected, "toy:a")
    assert found.verdict.value == "proved" and found.base is Outcome.CRASH


@pytest.mark.parametrize(
    ("base", "tip", "verdict", "why"),
    [
        (boot("pass"), boot("pass"), "not proved", "passes without the series as well"),
        (boot("skip no device"), boot("pass"), "not proved", "without the series: skip: no device"),
        (WORKS, boot("skip no device"), "not proved", "with the series: skip: no device"),
        (
            boot("fail Expected 22 == err (19)"),
            boot("pass"),
            "not proved",
            "another reason without the series: toy.c:1:a:Expected 22 == err (19)",
        ),
        (
            WORKS,
            WORKS,
            "not proved",
            "with the series as well: toy.c:1:a:Expected 22 == err (0)",
        ),
        (boot("pass"), WORKS, "regression", "with the series: toy.c:1:a:Expected 22 == err (0)"),
        (WORKS, boot(ended=BootStatus.PANIC), "regression", f"with the series: panic: {BUG}"),
        (
            boot(ended=BootStatus.PANIC),
            boot("pass"),
            "not proved",
            f"another reason without the series: panic: {BUG}",
        ),
    ],
)
def test_a_test_that_should_tell_and_does_not(
    base: Boot, tip: Boot, verdict: str, why: str
) -> None:
    found = result(base, tip, expectations())
    assert (found.verdict.value, found.why) == (verdict, why)


@pytest.mark.parametrize(
    ("base", "tip", "verdict"),
    [
        (boot("pass"), boot("pass"), "control"),
        (WORKS, boot("pass"), "not proved"),
        (WORKS, WORKS, "not proved"),
        (boot("pass"), WORKS, "regression"),
        (boot("pass"), boot(ended=BootStatus.PANIC), "regression"),
        (boot("pass"), boot("skip no device"), "not proved"),
        (boot("skip no device"), boot("pass"), "not proved"),
    ],
)
def test_a_control(base: Boot, tip: Boot, verdict: str) -> None:
    assert result(base, tip).verdict.value == verdict


@pytest.mark.parametrize(
    ("base", "tip", "verdict"),
    [
        ("pass", "pass", "unchanged"),
        ("fail", "fail", "unchanged"),
        ("skip no device", "skip no device", "unchanged"),
        ("pass", "fail", "regression"),
        ("pass", "skip no device", "regression"),
        ("fail", "pass", "not proved"),
        ("skip no device", "fail", "not proved"),
    ],
)
def test_a_test_of_the_tree(base: str, tip: str, verdict: str) -> None:
    found = result(boot("pass", base), boot("pass", tip), name="other")
    assert found.verdict.value == verdict
    assert bool(found.why) == (verdict != "unchanged")


def test_a_program_that_fails_though_its_tests_pass() -> None:
    late = boot("pass", more=" # TIMEOUT 45 seconds")
    late = Boot(late.console.replace("ok 1 selftests", "not ok 1 selftests"), *_rest(late))
    found = result(boot("pass"), late, name="toy")
    assert found.verdict.value == "regression" and "TIMEOUT" in found.why
    names = {name for name, _ in comparison.read([(NAMES, boot("pass"))])}
    assert names == {"toy", "other"}


def test_a_program_that_loses_a_result() -> None:
    short = Boot(boot("pass").console.replace("# 1..1", "# 1..2"), *_rest(boot("pass")))
    assert result(boot("pass"), short, name="toy").verdict.value == "regression"


@pytest.mark.parametrize("ended", [BootStatus.POWER_OFF, BootStatus.PANIC, BootStatus.HANG])
def test_any_number_of_tests_without_result_is_told_in_time(ended: BootStatus) -> None:
    def booted(number: int) -> tuple[list[str], Boot]:
        names = [f"dma-buf:p{n}" for n in range(number)]
        began = "".join(f"# selftests: {n.replace(':', ': ')}\n#  RUN  x ...\n" for n in names)
        said = f"dmabuf-patchgen: tests begin\nTAP version 13\n1..{number}\n{began}{BUG}\n"
        return names, Boot(said, ended, 1.0, "qemu 7.2.22", "tcg")

    says = re.compile("no such words")
    crashes = [
        Expectation(f"p{n}", ("*",), Outcome.CRASH, says, "it works", "toy/proof.toml, test 1")
        for n in range(3)
    ]

    def compared(given: tuple[list[str], Boot]) -> tuple[Result, ...]:
        said = comparison.read([given])
        return comparison.compare(said, said, Expectations(tuple(crashes), ()), ["p0", "p1", "p2"])

    wanted = Outcome.FAIL if ended is BootStatus.POWER_OFF else Outcome.CRASH
    assert {one.base for one in compared(booted(5))} == {wanted}
    assert is_linear(booted, compared, 200)


def test_an_expectation_of_no_test_is_told() -> None:
    said = comparison.read([(NAMES, WORKS)])
    assert comparison.stale(expectations(), said) == ()
    one = expectations().tests[0]
    stale = Expectations((Expectation("toy", ("a", "b*"), one.base, one.says, "r", "p"),), ())
    assert comparison.stale(stale, said) == ("p: no test toy:b*",)


def test_what_a_guest_says_stays_one_printable_line() -> None:
    found = result(boot("pass"), boot("fail Expected \x1b[31m\t22 == \x07err (0)"))
    assert found.why.isprintable()


def _rest(one: Boot) -> tuple[BootStatus, float, str, str]:
    return one.status, one.seconds, one.runner, one.accelerator


def report(function: str, test: str = "toy", kind: Kind = Kind.WARNING) -> Report:
    return Report(kind, f"{kind.value} at drivers/{function}.c:7", function, (function,), test)


def test_reports_are_told_with_where_they_are_and_whether_they_should() -> None:
    asked = AskedFor("toy-warn", Kind.WARNING, re.compile(r"drivers/loud\.c:"), "it is to warn")
    expected = Expectations((), (), (asked,))
    base = [report("old"), report("fixed", kind=Kind.BUG)]
    tip = [report("old"), report("loud", "toy-warn"), report("loud"), report("new"), report("new")]
    found = comparison.reported(base, tip, expected)
    assert [(one.function, one.test, one.base, one.tip, one.wanted) for one in found] == [
        ("old", "toy", True, True, ""),
        ("loud", "toy-warn", False, True, "it is to warn"),
        # Asked for by another test only.
        ("loud", "toy", False, True, ""),
        ("new", "toy", False, True, ""),
        ("fixed", "toy", True, False, ""),
    ]
    assert found[0].fingerprint == "WARNING: old" and found[-1].kind == "BUG"


LOGS = Path(__file__).parent / "ktap"
SUITES = ("kunit:toy-core", "kunit:toy-list")
CORE = "    ok 1 works\n    ok 2 refuses\n"


def kernel_tests(
    *suites: tuple[str, str, str], ended: str = "dmabuf-patchgen: up\n", plan: int | None = None
) -> Boot:
    """A boot of a kernel that has suites: the name of each, its cases, and ok or not ok."""
    said = f"Linux version 7.3.4\nKTAP version 1\n1..{len(suites) if plan is None else plan}\n"
    for number, (name, cases, result) in enumerate(suites, 1):
        said += f"    KTAP version 1\n    # Subtest: {name}\n    # module: toy\n"
        said += f"    1..{cases.count('ok ')}\n{cases}{result} {number} {name}\n"
    stamped = "".join(f"[    0.{at:06}] {one}\n" for at, one in enumerate(said.splitlines()))
    status = BootStatus.POWER_OFF if ended.startswith("dmabuf") else BootStatus.PANIC
    # What comes behind is another's: programs of tests print the same form.
    if status is BootStatus.POWER_OFF:
        ended += "ok 1 selftests: drivers/dma-buf: other\n    # Subtest: toy-core\n    ok 1 late\n"
    return Boot(f"{stamped}{ended}", status, 1.0, "qemu 7.2.22", "tcg")


def verdicts(base: Boot, tip: Boot) -> dict[str, Result]:
    before, after = (comparison.read([(SUITES, one)]) for one in (base, tip))
    one = Expectation("toy-core", ("*",), Outcome.ABSENT, re.compile(""), "no test", "toy, test 1")
    expected = Expectations((one,), (), suites=("toy-core", "toy-list"))
    found = comparison.compare(before, after, expected, expected.suites)
    return {one.name: one for one in found}


LIST = ("toy-list", "    ok 1 adds\n", "ok")


def heard(log: str, status: BootStatus) -> dict[comparison.TestName, comparison.TestRun]:
    """What three suites said in a recorded log, of which no kernel has the last."""
    said = (LOGS / f"{log}.log").read_text(encoding="utf-8")
    names = ("kunit:dma-buf-resv", "kunit:kunit_platform_device", "kunit:dma-buf")
    return comparison.read([(names, Boot(said, status, 1.0, "qemu 7.2.22", "tcg"))])


def test_what_suites_of_a_real_kernel_said() -> None:
    found = heard("kunit-7.3", BootStatus.POWER_OFF)
    resv = {test: one for (suite, test), one in found.items() if suite == "dma-buf-resv" and test}
    assert len(resv) == 17 and {one.outcome for one in resv.values()} == {Outcome.PASS}
    assert resv["test_signaling kernel"].why == ""
    failed = found["kunit_platform_device", "kunit_platform_device_add_twice_fails_test"]
    assert failed.outcome is Outcome.FAIL
    assert failed.why.endswith("but kunit_platform_device_add(test, pdev) == 0 (0x0)")
    assert found["dma-buf", ""].outcome is Outcome.ABSENT
    # What else the kernel has was not asked for.
    assert {suite for suite, _ in found} == {"dma-buf-resv", "kunit_platform_device", "dma-buf"}


def test_a_real_kernel_that_panics_tells_of_no_suite_that_it_is_absent() -> None:
    found = heard("kunit-7.3-crash", BootStatus.PANIC)
    assert found["dma-buf", ""].outcome is Outcome.CRASH
    assert found["dma-buf-resv", ""].outcome is Outcome.CRASH


def test_a_suite_that_only_the_tip_has() -> None:
    found = verdicts(kernel_tests(LIST), kernel_tests(LIST, ("toy-core", CORE, "ok")))
    assert {name: one.verdict.value for name, one in found.items()} == {
        "toy-list:adds": "control", "toy-core:works": "proved", "toy-core:refuses": "proved",
    }  # fmt: skip
    assert found["toy-core:works"].base is Outcome.ABSENT
    assert found["toy-core:works"].base_reason == "no test"


def test_a_case_that_only_the_tip_has() -> None:
    base = kernel_tests(LIST, ("toy-core", "    ok 1 works\n", "ok"))
    found = verdicts(base, kernel_tests(LIST, ("toy-core", CORE, "ok")))
    assert found["toy-core:refuses"].verdict.value == "proved"
    works = found["toy-core:works"]
    assert (works.verdict.value, works.why) == (
        "not proved",
        "passes without the series as well",
    )


PANIC = "[    1.000000] Kernel panic - not syncing: Fatal exception\n"


@pytest.mark.parametrize(
    ("base", "tip", "verdict", "why"),
    [
        (
            kernel_tests(LIST),
            kernel_tests(LIST, ("toy-core", CORE.replace("ok 2", "not ok 2"), "not ok")),
            "not proved",
            "with the series: no reason given",
        ),
        # That it is not there is only known where KUnit came to the end.
        (
            kernel_tests(LIST, plan=2),
            kernel_tests(LIST, ("toy-core", CORE, "ok")),
            "not proved",
            "another reason without the series: it did not tell a result",
        ),
        (
            kernel_tests(LIST, ended=PANIC, plan=2),
            kernel_tests(LIST, ("toy-core", CORE, "ok")),
            "not proved",
            "another reason without the series: panic: Kernel panic - not syncing: Fatal exception",
        ),
        (
            Boot("dmabuf-patchgen: up\n", BootStatus.POWER_OFF, 1.0, "qemu 7.2.22", "tcg"),
            kernel_tests(LIST, ("toy-core", CORE, "ok")),
            "not proved",
            "another reason without the series: it did not tell a result",
        ),
    ],
    ids=["fails", "lost", "panics", "no KUnit"],
)
def test_what_proves_nothing_of_a_suite(base: Boot, tip: Boot, verdict: str, why: str) -> None:
    found = verdicts(base, tip)["toy-core:refuses"]
    assert (found.verdict.value, found.why) == (verdict, why)


@pytest.mark.parametrize("told", ["", "[    0.9]     ok 1 works\n"])
def test_a_kernel_that_goes_down_in_a_suite(told: str) -> None:
    begun = "[    0.9]     KTAP version 1\n[    0.9]     # Subtest: toy-core\n"
    crashed = kernel_tests(LIST, ended=f"{begun}{told}{PANIC}", plan=2)
    found = verdicts(kernel_tests(LIST), crashed)["toy-core"]
    assert (found.verdict.value, found.base.value, found.tip.value) == (
        "regression", "absent", "crash",
    )  # fmt: skip


def test_a_suite_that_neither_has() -> None:
    found = verdicts(kernel_tests(LIST), kernel_tests(LIST))["toy-core"]
    assert (found.verdict.value, found.why) == (
        "not proved", "with the series as well: the kernel has no such test",
    )  # fmt: skip
