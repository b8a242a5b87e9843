# SPDX-License-Identifier: GPL-2.0-only
"""The evidence of a proof, as a file holds it: what booted, and what each test said.

docs/evidence.md tells what each key means, data/evidence.schema.json the same as JSON Schema.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from dmabuf_patchgen.errors import UserError

_HINT = "make it again with `dmabuf-patchgen prove`"
#: The form of the file. Another number comes with whatever a reader of this one would take for
#: something else, or miss; keys that may be passed over come without.
FORM = 1


class Outcome(Enum):
    """What a test came to on one kernel."""

    PASS = "pass"  # noqa: S105 - a result, no password
    FAIL = "fail"
    SKIP = "skip"
    #: The kernel panicked, hung or went away before the test had ended.
    CRASH = "crash"
    #: The kernel has no such test, and has come to the end of those that it has: KUnit's only.
    ABSENT = "absent"


class Verdict(Enum):
    """What a test shows, its outcome on the base and on the tip taken together."""

    #: Fails on the base for the reason that it names, or is not there where that is expected, and
    #: passes on the tip.
    PROVED = "proved"
    #: The negative control: passes on both.
    CONTROL = "control"
    #: A test of the tree's own, the same on both.
    UNCHANGED = "unchanged"
    NOT_PROVED = "not proved"
    REGRESSION = "regression"


class Accelerator(Enum):
    """What executed the guest's instructions."""

    TCG = "tcg"
    KVM = "kvm"


@dataclass(frozen=True, slots=True)
class Kernel:
    """The kernel that the series is on. version: as its Makefile says; id: of its git tree."""

    version: str
    id: str


@dataclass(frozen=True, slots=True)
class Runner:
    """What the kernels ran on. qemu: its version."""

    qemu: str
    accelerator: Accelerator


@dataclass(frozen=True, slots=True)
class Checker:
    """A symbol that makes a kernel check itself. why: why the kernels have it not, else empty."""

    symbol: str
    on: bool
    why: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a test said on both kernels.

    base_reason: why it fails on the base or is not there, else empty; why: of a verdict that speaks
    against the series or leaves it without proof, else empty.
    """

    name: str
    base: Outcome
    base_reason: str
    tip: Outcome
    verdict: Verdict
    why: str


@dataclass(frozen=True, slots=True)
class KernelReport:
    """What the kernel reported of itself, on base or tip or both.

    kind, line, function, test, fingerprint: see kernel/reports.py; wanted: why it should with the
    series, empty if nobody asked for it.
    """

    kind: str
    line: str
    function: str
    test: str
    fingerprint: str
    base: bool
    tip: bool
    wanted: str


@dataclass(frozen=True, slots=True)
class Change:
    """The commit with which a test comes to what it does with the series.

    patch: its number, from 1 on.
    """

    name: str
    patch: int
    subject: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """A proof. patch_ids: git patch-id --stable of each commit, in order.

    debug: of kernels that check themselves, what by; reports: what the kernel reported, each once
    for a test; changes: where that was asked, the commits with which tests change; problems: what
    speaks against the proof besides its tests, one line each; logs: consoles of the boots by name,
    and what make said where it failed.
    """

    tool: str
    tree: Kernel
    architecture: str
    toolchain: str
    runner: Runner
    configuration: tuple[str, ...]
    debug: tuple[Checker, ...]
    patch_ids: tuple[str, ...]
    tests: tuple[Result, ...]
    reports: tuple[KernelReport, ...]
    changes: tuple[Change, ...]
    problems: tuple[str, ...]
    logs: Mapping[str, str]
    command: str

    @property
    def proved(self) -> bool:
        """Whether something is proved, a control stands beside it, and nothing is against it."""
        verdicts = {test.verdict for test in self.tests}
        needed = {Verdict.PROVED, Verdict.CONTROL}
        against = {Verdict.NOT_PROVED, Verdict.REGRESSION}
        return verdicts >= needed and not verdicts & against and not self.problems

    @property
    def verdict(self) -> str:
        """The verdict on the whole, as docs/evidence.md spells it."""
        return "proved" if self.proved else "not proved"

    def as_dict(self) -> dict[str, Any]:
        """What the file holds."""
        return {
            "form": FORM,
            "tool": self.tool,
            "verdict": self.verdict,
            "tree": asdict(self.tree),
            "architecture": self.architecture,
            "toolchain": self.toolchain,
            "runner": {"qemu": self.runner.qemu, "accelerator": self.runner.accelerator.value},
            "configuration": list(self.configuration),
            "debug": [asdict(checker) for checker in self.debug],
            "patch_ids": list(self.patch_ids),
            "tests": [
                {
                    "name": test.name,
                    "base": test.base.value,
                    "base_reason": test.base_reason,
                    "tip": test.tip.value,
                    "verdict": test.verdict.value,
                    "why": test.why,
                }
                for test in self.tests
            ],
            "reports": [asdict(report) for report in self.reports],
            "changes": [asdict(change) for change in self.changes],
            "problems": list(self.problems),
            "logs": dict(self.logs),
            "command": self.command,
        }

    def matches(self, patch_ids: Sequence[str]) -> bool:
        """Whether it is about these commits, in this order, and no others."""
        return self.patch_ids == tuple(patch_ids)

    def named(self, verdict: str) -> tuple[str, ...]:
        """Names of the tests with a verdict, as docs/evidence.md spells it."""
        return tuple(test.name for test in self.tests if test.verdict is Verdict(verdict))

    @property
    def added(self) -> tuple[str, ...]:
        """Names of the tests that are proved and are not in the kernel without the series."""
        return tuple(
            test.name
            for test in self.tests
            if test.verdict is Verdict.PROVED and test.base is Outcome.ABSENT
        )


def load(path: Path) -> Evidence:
    """The evidence that a file holds.

    Raises UserError, with the file and the key, if it cannot be read, is of another form, does
    not follow the schema, or says of a test or of the whole what its own outcomes do not.
    """
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}", "--evidence names a file of prove") from None
    except (ValueError, RecursionError) as error:
        # No UTF-8, or no JSON.
        raise UserError(f"{path}: not JSON: {error}", _HINT) from None
    whole = _Field(path, "", held)
    _must_be_known(whole)
    return _evidence(whole)


_Member = TypeVar("_Member", bound=Enum)


@dataclass(frozen=True, slots=True)
class _Field:
    """A value of the file and the key that it stands under, for messages."""

    path: Path
    key: str
    value: Any

    def wrong(self, what: str) -> UserError:
        return UserError(f"{self.path}: {self.key or 'the whole'}: {what}", _HINT)

    def under(self, key: str) -> "_Field":
        if not isinstance(self.value, Mapping):
            raise self.wrong("not an object")
        name = f"{self.key}.{key}" if self.key else key
        if key not in self.value:
            raise UserError(f"{self.path}: {name} is missing", _HINT)
        return _Field(self.path, name, self.value[key])

    def entries(self) -> "Iterable[_Field]":
        if not isinstance(self.value, list):
            raise self.wrong("not a list")
        return (
            _Field(self.path, f"{self.key}[{number}]", value)
            for number, value in enumerate(self.value)
        )

    def texts(self) -> dict[str, str]:
        """Texts of any length, by name."""
        if not isinstance(self.value, Mapping):
            raise self.wrong("not an object")
        if not all(map(str.isprintable, self.value)):
            raise self.wrong("a name that is not a text of one line")
        return {name: self.under(name).lines() for name in self.value}

    def lines(self) -> str:
        """A text of any number of lines."""
        if not isinstance(self.value, str):
            raise self.wrong("not a text")
        return self.value

    def text(self) -> str:
        """A text of one line; it goes into a mail."""
        if not self.lines().isprintable():
            raise self.wrong("not a text of one line")
        return self.lines()

    def said(self) -> str:
        """A text of one line that is not empty."""
        if not self.text().strip():
            raise self.wrong("empty")
        return self.text()

    def number(self) -> int:
        if type(self.value) is not int or self.value < 1:
            raise self.wrong("not a number from 1 on")
        return self.value

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            raise self.wrong("neither true nor false")
        return self.value

    def one_of(self, kind: type[_Member]) -> _Member:
        known = {str(member.value): member for member in kind}
        if self.text() not in known:
            raise self.wrong(f"{self.value!r} is none of {', '.join(known)}")
        return known[self.value]


def _must_be_known(whole: _Field) -> None:
    """Refuse evidence of another form, before anything in it is taken for what it may not be."""
    form = whole.under("form")
    # A flag is a number to Python.
    if type(form.value) is not int or form.value != FORM:
        raise form.wrong(f"evidence of form {json.dumps(form.value)}, and only form {FORM} is read")


def _evidence(whole: _Field) -> Evidence:
    tree, runner, verdict = whole.under("tree"), whole.under("runner"), whole.under("verdict")
    if verdict.text() not in ("proved", "not proved"):
        raise verdict.wrong(f"{verdict.value!r} is neither proved nor not proved")
    tests = tuple(map(_result, whole.under("tests").entries()))
    twice = [name for name, number in Counter(test.name for test in tests).items() if number > 1]
    if twice:
        raise whole.under("tests").wrong(f"{', '.join(twice)} stands there more than once")
    evidence = Evidence(
        tool=whole.under("tool").said(),
        tree=Kernel(version=tree.under("version").said(), id=tree.under("id").said()),
        architecture=whole.under("architecture").said(),
        toolchain=whole.under("toolchain").said(),
        runner=Runner(
            qemu=runner.under("qemu").said(),
            accelerator=runner.under("accelerator").one_of(Accelerator),
        ),
        configuration=tuple(one.said() for one in whole.under("configuration").entries()),
        debug=tuple(map(_checker, whole.under("debug").entries())),
        patch_ids=tuple(one.said() for one in whole.under("patch_ids").entries()),
        tests=tests,
        reports=tuple(map(_report, whole.under("reports").entries())),
        changes=tuple(map(_change, whole.under("changes").entries())),
        problems=tuple(one.said() for one in whole.under("problems").entries()),
        logs=whole.under("logs").texts(),
        command=whole.under("command").said(),
    )
    asked = {line.partition("=")[0] for line in evidence.configuration if not line.startswith("#")}
    lost = [one.symbol for one in evidence.debug if one.on and one.symbol not in asked]
    if lost:
        raise whole.under("debug").wrong(f"{lost[0]} is on, and no line of the configuration")
    new = [one for one in evidence.reports if one.tip and not one.base and not one.wanted]
    if new and not evidence.problems:
        raise whole.under("problems").wrong(f"nothing of {new[0].line!r}, which is new on the tip")
    # A verdict that says more than the tests do would end up in a cover letter.
    if verdict.value != evidence.verdict:
        raise verdict.wrong(f"{verdict.value!r} is not what the tests say")
    return evidence


def _checker(entry: _Field) -> Checker:
    checker = Checker(
        symbol=entry.under("symbol").said(),
        on=entry.under("on").flag(),
        why=entry.under("why").text(),
    )
    if checker.on is bool(checker.why):
        raise entry.under("why").wrong("of a checker that is on, or none of one that is not")
    return checker


def _report(entry: _Field) -> KernelReport:
    return KernelReport(
        kind=entry.under("kind").said(),
        line=entry.under("line").said(),
        function=entry.under("function").text(),
        test=entry.under("test").text(),
        fingerprint=entry.under("fingerprint").said(),
        base=entry.under("base").flag(),
        tip=entry.under("tip").flag(),
        wanted=entry.under("wanted").text(),
    )


def _change(entry: _Field) -> Change:
    return Change(
        name=entry.under("name").said(),
        patch=entry.under("patch").number(),
        subject=entry.under("subject").said(),
    )


def _result(entry: _Field) -> Result:
    test = Result(
        name=entry.under("name").said(),
        base=entry.under("base").one_of(Outcome),
        base_reason=entry.under("base_reason").text(),
        tip=entry.under("tip").one_of(Outcome),
        verdict=entry.under("verdict").one_of(Verdict),
        why=entry.under("why").text(),
    )
    failed = test.base in (Outcome.FAIL, Outcome.CRASH, Outcome.ABSENT)
    agrees = {
        Verdict.PROVED: failed and bool(test.base_reason) and test.tip is Outcome.PASS,
        Verdict.CONTROL: test.base is test.tip is Outcome.PASS,
        Verdict.UNCHANGED: test.base is test.tip,
    }
    if not agrees.get(test.verdict, True):
        raise entry.under("verdict").wrong(
            f"{test.verdict.value!r} is not what {test.base.value} on the base and "
            f"{test.tip.value} on the tip say"
        )
    return test
