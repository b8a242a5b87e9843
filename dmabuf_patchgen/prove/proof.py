# SPDX-License-Identifier: GPL-2.0-only
"""The proof of a series: kernels without and with it, built, booted and held against each other."""

import json
import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dmabuf_patchgen import __version__, process
from dmabuf_patchgen.check import commits
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel import architecture as architectures
from dmabuf_patchgen.kernel import boots, reports
from dmabuf_patchgen.kernel.architecture import Architecture
from dmabuf_patchgen.kernel.bootable import DoesNotBuild, State
from dmabuf_patchgen.kernel.boots import Boots
from dmabuf_patchgen.kernel.console import Boot
from dmabuf_patchgen.kernel.image import Kernel, Kernels, Tests
from dmabuf_patchgen.kernel.kbuild import SELFTESTS, Progress
from dmabuf_patchgen.kernel.reports import Report
from dmabuf_patchgen.prove import bisection, comparison, expectation
from dmabuf_patchgen.prove.comparison import TestName, TestRun
from dmabuf_patchgen.prove.evidence import Accelerator, Change, Evidence, Result, Runner, Verdict
from dmabuf_patchgen.prove.evidence import Kernel as Version
from dmabuf_patchgen.prove.expectation import Expectations
from dmabuf_patchgen.render.environment import Environment, Facts
from dmabuf_patchgen.render.mails import mails
from dmabuf_patchgen.render.outcome import Rendered
from dmabuf_patchgen.render.scratch import ANONYMOUS
from dmabuf_patchgen.render.series import render
from dmabuf_patchgen.tree.facts import TreeFacts
from dmabuf_patchgen.tree.source import KernelTree, Overlay

#: The series whose driver base and tip get alike, for tests that need an exporter of their own.
EXPORTER = "dma-buf-test-exporter"
FILE = "evidence.json"


@dataclass(frozen=True, slots=True)
class ProofOptions:
    """What is to be proved, and how.

    names: of series; typed: parameters as the user typed them; runner: qemu or vng; accelerator:
    kvm or tcg, None for what this host is good for; limit: seconds for a boot; each_commit:
    whether to boot every commit; kept: whether to take what an earlier run built and booted;
    jobs: of make at the same time, 0 for as many as there are processors; base: the revision that
    was asked for, None for HEAD; bisect: a shell pattern of tests as PROGRAM:TEST, of which is told
    with which commit they change.
    """

    names: tuple[str, ...]
    typed: Mapping[str, str]
    base: str | None = None
    runner: str = "qemu"
    accelerator: str | None = None
    limit: float = 300
    each_commit: bool = False
    bisect: str | None = None
    kept: bool = True
    jobs: int = 0


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof. files: what goes into its directory: evidence, whole .config, and each log."""

    rendered: Rendered
    evidence: Evidence
    files: Mapping[str, bytes]

    def table(self) -> str:
        """What the tests of each program came to, for people; the evidence has each test."""
        evidence = self.evidence
        ran = f"QEMU {evidence.runner.qemu} ({evidence.runner.accelerator.value})"
        about = (evidence.architecture, evidence.toolchain, ran)
        lines = [f"Linux {evidence.tree.version}, {', '.join(about)}"]
        programs = dict.fromkeys(test.name.partition(":")[0] for test in evidence.tests)
        width = max(map(len, programs), default=0)
        for program in programs:
            tests = [one for one in evidence.tests if one.name.partition(":")[0] == program]
            lines.append(f"  {program:{width}}  {_counts(tests)}")
            reasons = Counter(one.base_reason for one in tests if one.verdict is Verdict.PROVED)
            lines += [f"    without the series, {n}: {reason}" for reason, n in reasons.items()]
            lines += _against(tests)
        changes: dict[tuple[int, str], list[str]] = {}
        for change in evidence.changes:
            changes.setdefault((change.patch, change.subject), []).append(change.name)
        for (patch, subject), names in sorted(changes.items()):
            lines.append(f"  {_some(names)} changes with patch {patch}: {subject}")
        lines += [
            f"  reported without and with the series: {one.kind}: {one.line}"
            for one in evidence.reports
            if one.base and one.tip
        ]
        lines += [f"  problem: {problem}" for problem in evidence.problems]
        return "\n".join([*lines, f"{evidence.verdict}: {_counts(evidence.tests)}"])


def _against(tests: Sequence[Result]) -> list[str]:
    """What speaks against a proof; what is said of many is said once."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in tests:
        if one.why:
            found.setdefault((one.verdict.value, one.why), []).append(one.name)
    lines = []
    for (verdict, why), names in found.items():
        lines.append(f"    {verdict}: {_some(names)}: {why}")
    return lines


def _some(names: Sequence[str]) -> str:
    """Names of tests, in a line."""
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _counts(tests: Sequence[Result]) -> str:
    counts = Counter(test.verdict for test in tests)
    told = (f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict])
    return ", ".join(told) or "no test was run"


def prove(
    environment: Environment,
    tree: KernelTree,
    options: ProofOptions,
    busybox: Callable[[Architecture], Path],
    progress: Progress,
) -> Proof:
    """Build and boot a tree without and with some series, and compare what the tests say.

    busybox: gives a static one of an architecture, for the guests.
    Raises UserError or MissingTool if that cannot be done; what speaks against the series is
    in the proof, never an exception.
    """
    runner, architecture = boots.runner(options.runner, architectures.chosen())
    rendered = render(environment, tree, options.names, options.typed)
    if not rendered.commits:
        raise UserError(
            f"{tree.label}: has all of {', '.join(options.names)}, so there is nothing to prove",
            "give the revision without it: --base REV",
        )
    expected = expectation.load(environment, rendered.series, _contexts(environment, rendered))
    states = _states(environment, tree, rendered)
    touched = {path for state in states for path in state.files}
    series = dict.fromkeys([*rendered.series, EXPORTER])
    with (
        process.temporary("dmabuf-patchgen-") as scratch,
        Kernels(
            environment,
            tree,
            architecture,
            [*series],
            touched,
            progress,
            kept=options.kept,
            jobs=options.jobs,
        ) as kernels,
    ):
        guests = Boots(
            architecture,
            runner,
            options.limit,
            busybox(architecture),
            scratch,
            progress,
            accelerator=options.accelerator,
            kept=options.kept,
        )
        proof_run = _ProofRun(kernels, guests, expected, states)
        proof_run.run(each_commit=options.each_commit)
        if options.bisect and proof_run.said:
            proof_run.bisect(options.bisect)
    return _told(tree, options, rendered, kernels, architecture, expected, proof_run)


class _ProofRun:
    """The states of a tree under test, and what came of it."""

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
        """The programs of each boot: those that stand each other first, then each other one."""
        alone = [name for name in tests.names if name.rpartition(":")[2] in self._expected.alone]
        shared = [name for name in tests.names if name not in alone]
        return [names for names in (shared, *([name] for name in alone)) if names]

    def _boot_all(
        self, states: Sequence[State], kernels: Mapping[str, Kernel], tests: Tests
    ) -> None:
        """Boot states one after the other; what an earlier call found is found anew."""
        self.problems, self.logs, self.boots, self.said, self.reports = [], {}, [], {}, {}
        for state in states:
            self._boot(self._states.index(state), state, kernels[state.label], tests)

    def _boot(self, number: int, state: State, kernel: Kernel, tests: Tests) -> None:
        """Boot a state with all tests."""
        runs = []
        self.reports[state.label] = []
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
        self._hold_reports(state)
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
            told = f"the kernel reports{where}: {one.kind.value}: {one.line}"
            self.problems.append(f"{state.label}, {told}")

    def _hold_between(self, states: Sequence[State]) -> None:
        """Note what a test says half-way that it says neither before nor after the series."""
        base, tip = self.said[self._states[0].label], self.said[self._states[-1].label]
        for state in states:
            for name, said in self.said[state.label].items():
                known = {one[name].outcome for one in (base, tip) if name in one}
                if said.outcome not in known:
                    told = f"{bisection.full_name(name)} is {said.outcome.value}"
                    self.problems.append(f"{state.label}: {told}: {said.why}")


def _states(environment: Environment, tree: KernelTree, rendered: Rendered) -> tuple[State, ...]:
    """The tree before the series and after each commit, all with the test exporter."""
    files: dict[str, bytes | None] = {}
    states = [State("before the series", _with_exporter(environment, tree, files))]
    for number, commit in enumerate(rendered.commits, 1):
        files.update(commit.files)
        label = f"after patch {number}/{len(rendered.commits)}"
        states.append(State(label, _with_exporter(environment, tree, files)))
    return tuple(states)


def _with_exporter(
    environment: Environment,
    tree: KernelTree,
    files: Mapping[str, bytes | None],
) -> dict[str, bytes | None]:
    exporter = render(environment, Overlay(tree, files), [EXPORTER], {})
    added = {path: body for commit in exporter.commits for path, body in commit.files.items()}
    return {**files, **added}


def _contexts(environment: Environment, rendered: Rendered) -> dict[str, dict[str, Any]]:
    """What the `when` of an expectation may ask: of the tree without any of the series."""
    tree = TreeFacts(rendered.tree)
    facts = Facts(environment, tree)
    name = architectures.chosen().name
    return {
        series: {"tree": tree, "fact": facts, "param": values, "arch": name}
        for series, values in rendered.parameters.items()
    }


def _told(
    tree: KernelTree,
    options: ProofOptions,
    rendered: Rendered,
    kernels: Kernels,
    architecture: Architecture,
    expected: Expectations,
    proof_run: _ProofRun,
) -> Proof:
    base = proof_run.said.get("before the series", {})
    tip = next(reversed(proof_run.said.values()), {})
    results: tuple[Result, ...] = ()
    problems = list(proof_run.problems)
    if proof_run.said:
        results = comparison.compare(base, tip, expected, _own_programs(rendered))
        problems += comparison.stale(expected, [*base, *tip])
    about = next(iter(proof_run.boots), None)
    evidence = Evidence(
        tool=f"dmabuf-patchgen {__version__}",
        tree=Version(tree.version, kernels.fingerprint),
        architecture=architecture.machine,
        toolchain=kernels.tools.version,
        runner=Runner(
            about.runner.removeprefix("qemu ") if about else "none",
            Accelerator(about.accelerator) if about else Accelerator.TCG,
        ),
        configuration=proof_run.symbols,
        patch_ids=_patch_ids(tree, rendered),
        tests=results,
        reports=comparison.reported(
            proof_run.reports.get("before the series", []),
            next(reversed(proof_run.reports.values()), []),
            expected,
        ),
        changes=tuple(
            Change(bisection.full_name(name), number, rendered.commits[number - 1].subject)
            for name, number in proof_run.changes.items()
        ),
        problems=tuple(problems),
        logs=proof_run.logs,
        command=_command(tree, options, kernels),
    )
    held = json.dumps(evidence.as_dict(), indent=1, ensure_ascii=False) + "\n"
    contents = {FILE: held, "config": proof_run.config, **proof_run.logs}
    files = {name: content.encode(errors="replace") for name, content in contents.items()}
    return Proof(rendered, evidence, files)


def _own_programs(rendered: Rendered) -> frozenset[str]:
    """Names of the kselftests that the series add."""
    added = {path for commit in rendered.commits for path in commit.files}
    return frozenset(
        Path(path).stem
        for path in added
        if path.startswith(f"{SELFTESTS}/") and path.endswith(".c")
        if not rendered.tree.exists(path)
    )


def _patch_ids(tree: KernelTree, rendered: Rendered) -> tuple[str, ...]:
    made = mails(tree, rendered.commits, ANONYMOUS, rendered.revised)
    return tuple(next(iter(commits.patch_ids(tree.place, mail.content))) for mail in made)


def _command(tree: KernelTree, options: ProofOptions, kernels: Kernels) -> str:
    """What makes the same proof again, wherever the tree lies."""
    words = [*kernels.tools.choices, "dmabuf-patchgen", "-C", tree.place.name]
    if tree.known_as:
        words += ["--base", options.base or tree.known_as[:12]]
    words += ["prove", *options.names]
    for name, value in options.typed.items():
        words += ["-p", f"{name}={value}"]
    if options.runner != "qemu":
        words += ["--runner", options.runner]
    if options.accelerator:
        words += ["--accel", options.accelerator]
    if options.each_commit:
        words.append("--each-commit")
    if options.bisect:
        words += ["--bisect", options.bisect]
    return shlex.join([*words, "-o", "proof"])
