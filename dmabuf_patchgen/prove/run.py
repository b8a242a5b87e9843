# SPDX-License-Identifier: GPL-2.0-only
"""The run of a proof: each state of a tree built, booted and heard."""

from collections.abc import Mapping, Sequence

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel import checkers, reports
from dmabuf_patchgen.kernel.bootable import DoesNotBuild, State
from dmabuf_patchgen.kernel.boots import KUNIT, Boots
from dmabuf_patchgen.kernel.console import Boot, BootStatus
from dmabuf_patchgen.kernel.image import Kernel, Kernels, Tests
from dmabuf_patchgen.kernel.reports import Report
from dmabuf_patchgen.prove import bisection, comparison
from dmabuf_patchgen.prove.comparison import TestName, TestRun
from dmabuf_patchgen.prove.evidence import Accelerator
from dmabuf_patchgen.prove.expectation import Expectations
from dmabuf_patchgen.render.environment import Environment
from dmabuf_patchgen.render.outcome import Rendered
from dmabuf_patchgen.render.series import render
from dmabuf_patchgen.tree.source import KernelTree, Overlay

#: The series whose driver base and tip get alike, for tests that need an exporter of their own.
EXPORTER = "dma-buf-test-exporter"


def states(environment: Environment, tree: KernelTree, rendered: Rendered) -> tuple[State, ...]:
    """The tree before the series and after each commit, all with the test exporter."""
    files: dict[str, bytes | None] = {}
    made = [State("before the series", _with_exporter(environment, tree, files))]
    for number, commit in enumerate(rendered.commits, 1):
        files.update(commit.files)
        label = f"after patch {number}/{len(rendered.commits)}"
        made.append(State(label, _with_exporter(environment, tree, files)))
    return tuple(made)


def _with_exporter(
    environment: Environment,
    tree: KernelTree,
    files: Mapping[str, bytes | None],
) -> dict[str, bytes | None]:
    exporter = render(environment, Overlay(tree, files), [EXPORTER], {})
    added = {path: body for commit in exporter.commits for path, body in commit.files.items()}
    return {**files, **added}


class ProofRun:
    """The states of a tree under test, and what came of it.

    states: the base first, the tip last.
    """

    def __init__(
        self,
        kernels: Kernels,
        guests: Boots,
        expected: Expectations,
        states: Sequence[State],
    ) -> None:
        self._kernels = kernels
        self._guests = guests
        self._expected = expected
        self._states = states
        self.problems: list[str] = []
        self.config = ""
        self.logs: dict[str, str] = {}
        self.boots: list[Boot] = []
        self.said: dict[str, dict[TestName, TestRun]] = {}
        self.reports: dict[str, list[Report]] = {}
        self.symbols: tuple[str, ...] = ()
        #: What checkers said that gave up, by symbol, of each state.
        self.off: dict[str, dict[str, str]] = {}
        #: The number of the commit with which a test changes, where that was asked.
        self.changes: dict[TestName, int] = {}

    def run(self, *, each_commit: bool) -> None:
        """Build every state, and boot the first and the last of them, or all."""
        base, *patched = self._states
        built = {base.label: self._kernels.kernel(base)}
        self.symbols = built[base.label].symbols
        self.config = built[base.label].config
        try:
            for state in patched[:-1]:
                if each_commit:
                    built[state.label] = self._kernels.kernel(state)
                else:
                    self._kernels.build(state)
            built[patched[-1].label] = self._kernels.kernel(patched[-1])
            tests = self._kernels.tests(patched[-1])
        except DoesNotBuild as error:
            # What does not build is no fault of the input: it is the answer.
            self.problems.append(error.message)
            self.logs["build.log"] = error.log
            return
        booted = self._states if each_commit else (base, patched[-1])
        self._boot_all(booted, built, tests)
        if len({boot.accelerator for boot in self.boots}) > 1:
            # KVM gave up on the way. What is held against each other has to run on the same.
            self._guests.accelerator = Accelerator.TCG.value
            self._boot_all(booted, built, tests)
        if each_commit:
            self._hold_between(patched[:-1])

    def bisect(self, pattern: str) -> None:
        """Find the commits with which tests change, after run(); boots a state for each step."""
        last = len(self._states) - 1
        base, tip = (self.said[self._states[number].label] for number in (0, last))
        names = bisection.changing(pattern, base, tip)
        if not names:
            self.problems.append(f"--bisect: no test {pattern} changes with the series")
        tests = self._kernels.tests(self._states[last])

        def outcomes(number: int, names: Sequence[TestName]) -> Mapping[TestName, TestRun]:
            state = self._states[number]
            if state.label in self.said:
                return self.said[state.label]
            kernel, programs = self._kernels.kernel(state), {program for program, _ in names}
            runs = []
            for together in self._together(tests):
                if programs & {name.rpartition(":")[2] for name in together}:
                    boot = self._guests.boot(state.label, kernel, tests, together)
                    runs.append((together, boot))
            return comparison.read(runs)

        self.changes = bisection.first_states(names, last, tip, outcomes)

    def _together(self, tests: Tests) -> list[list[str]]:
        """The programs of each boot: those that stand each other first, then each other one.

        What the kernel runs by itself is heard in the first. Raises UserError.
        """
        names = tests.names
        suites = [f"{KUNIT}:{suite}" for suite in self._expected.suites]
        if twice := {*self._expected.suites} & {name.rpartition(":")[2] for name in names}:
            raise UserError(f"{min(twice)} is a suite of KUnit's and a kselftest as well")
        alone = [name for name in names if name.rpartition(":")[2] in self._expected.alone]
        shared = [name for name in names if name not in alone]
        first, *others = [names for names in (shared, *([name] for name in alone)) if names]
        return [[*first, *suites], *others]

    def _boot_all(
        self, states: Sequence[State], kernels: Mapping[str, Kernel], tests: Tests
    ) -> None:
        """Boot states one after the other; what an earlier call found is found anew."""
        self.problems, self.logs, self.boots = [], {}, []
        self.said, self.reports, self.off = {}, {}, {}
        for state in states:
            self._boot(self._states.index(state), state, kernels[state.label], tests)

    def _boot(self, number: int, state: State, kernel: Kernel, tests: Tests) -> None:
        """Boot a state with all tests."""
        runs = []
        self.reports[state.label] = []
        self.off[state.label] = {}
        for names in self._together(tests):
            boot = self._guests.boot(state.label, kernel, tests, names)
            program = names[0].rpartition(":")[2]
            alone = program in self._expected.alone
            what = f"-{program}" if alone else ""
            where = {0: "base", len(self._states) - 1: "tip"}.get(number, f"patch-{number}")
            self.logs[f"{where}{what}.log"] = boot.console
            self.boots.append(boot)
            runs.append((names, boot))
            # Half-way, what takes the kernel down may still do so.
            if where in ("base", "tip") or not alone:
                self.reports[state.label] += reports.read(boot.kernel_log)
            # One that goes down with its kernel has had its say.
            if boot.status is BootStatus.POWER_OFF:
                self.off[state.label] |= self._turned_off(boot)
        self._hold_reports(state)
        self._hold_checkers(state)
        self.said[state.label] = comparison.read(runs)

    def _hold_reports(self, state: State) -> None:
        """Note what the kernel reports that it does not before the series, if nobody asked."""
        before = {one.fingerprint for one in self.reports[self._states[0].label]}
        new = {
            (one.fingerprint, one.test): one
            for one in reversed(self.reports[state.label])
            if one.fingerprint not in before and not self._expected.why(one)
        }
        for one in reversed(new.values()):
            where = f" in {one.test}" if one.test else ""
            told = f"the kernel reports{where}: {one.kind.value}: {comparison.one_line(one.line)}"
            self.problems.append(f"{state.label}, {told}")

    def _turned_off(self, boot: Boot) -> dict[str, str]:
        """What the kernel should be checked by and was not to the end, see checkers.turned_off."""
        found = checkers.turned_off(boot.kernel_log)
        return {
            symbol: comparison.one_line(line)
            for symbol, line in found.items()
            if f"{symbol}=y" in self.symbols
        }

    def _hold_checkers(self, state: State) -> None:
        """Note what no longer checks and does before the series, each line that says so once."""
        new: dict[str, list[str]] = {}
        for symbol, line in self.off[state.label].items():
            if symbol not in self.off[self._states[0].label]:
                new.setdefault(line, []).append(symbol)
        self.problems += [
            f"{state.label}, nothing is checked any more by {', '.join(symbols)}: {line}"
            for line, symbols in new.items()
        ]

    def _hold_between(self, states: Sequence[State]) -> None:
        """Note what a test says half-way that it says neither before nor after the series."""
        base, tip = self.said[self._states[0].label], self.said[self._states[-1].label]
        for state in states:
            for name, said in self.said[state.label].items():
                known = {one[name].outcome for one in (base, tip) if name in one}
                if said.outcome not in known:
                    told = f"{bisection.full_name(name)} is {said.outcome.value}"
                    self.problems.append(f"{state.label}: {told}: {said.why}")

    @property
    def base(self) -> Mapping[TestName, TestRun]:
        """What the tests said without the series; nothing where no state was booted."""
        return self.said.get(self._states[0].label, {})

    @property
    def tip(self) -> Mapping[TestName, TestRun]:
        """What they said with it."""
        return self.said.get(self._states[-1].label, {})

    @property
    def base_reports(self) -> Sequence[Report]:
        """What the kernel reported without the series."""
        return self.reports.get(self._states[0].label, [])

    @property
    def tip_reports(self) -> Sequence[Report]:
        """What it reported with it."""
        return self.reports.get(self._states[-1].label, [])
