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
from dmabuf_patchgen.kernel import boots, checkers, configuration
from dmabuf_patchgen.kernel.architecture import Architecture
from dmabuf_patchgen.kernel.boots import Boots
from dmabuf_patchgen.kernel.image import Kernels
from dmabuf_patchgen.kernel.kbuild import SELFTESTS, Progress
from dmabuf_patchgen.prove import bisection, comparison, expectation, run
from dmabuf_patchgen.prove.evidence import (
    Accelerator,
    Change,
    Checker,
    Evidence,
    Result,
    Runner,
    Verdict,
)
from dmabuf_patchgen.prove.evidence import Kernel as Version
from dmabuf_patchgen.prove.expectation import Expectations
from dmabuf_patchgen.prove.run import EXPORTER, ProofRun
from dmabuf_patchgen.render.environment import Environment, Facts
from dmabuf_patchgen.render.mails import mails
from dmabuf_patchgen.render.outcome import Rendered
from dmabuf_patchgen.render.scratch import ANONYMOUS
from dmabuf_patchgen.render.series import render
from dmabuf_patchgen.tree.facts import TreeFacts
from dmabuf_patchgen.tree.source import KernelTree

FILE = "evidence.json"


@dataclass(frozen=True, slots=True)
class ProofOptions:
    """What is to be proved, and how.

    names: of series; typed: parameters as the user typed them; runner: qemu or vng; accelerator:
    kvm or tcg, None for what this host is good for; limit: seconds for a boot of a kernel without
    checkers; each_commit: whether to boot every commit; kept: whether to take what an earlier run
    built and booted; jobs: of make at the same time, 0 for as many as there are processors; base:
    the revision that was asked for, None for HEAD; bisect: a shell pattern of tests as
    PROGRAM:TEST, of which is told with which commit they change; debug: whether the kernels have
    checkers.
    """

    names: tuple[str, ...]
    typed: Mapping[str, str]
    base: str | None = None
    runner: str = "qemu"
    accelerator: str | None = None
    limit: float = 300
    each_commit: bool = False
    bisect: str | None = None
    debug: bool = False
    kept: bool = True
    jobs: int = 0


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is proved: series rendered on a tree, and what they say of their own tests.

    debugging: what is asked for that kernels check themselves, nothing if they need not.
    """

    tree: KernelTree
    options: ProofOptions
    architecture: Architecture
    rendered: Rendered
    expected: Expectations
    debugging: tuple[configuration.Request, ...]

    def checkers(self, done: ProofRun) -> tuple[Checker, ...]:
        """What the kernels check themselves by."""
        made = []
        for request in self.debugging:
            on = next((one for one in request.choices if one.line in done.symbols), None)
            first = on or request.choices[0]
            if first.value == "n":
                continue
            symbol = f"CONFIG_{first.name}"
            why = "" if on else f"not in Linux {self.tree.version}: {request.absent}"
            for label, lines in done.off.items():
                if symbol in lines and not why:
                    why = f"turned itself off, {label}: {lines[symbol]}"
            made.append(Checker(symbol, not why, why))
        return tuple(made)


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
        if evidence.debug:
            on = (one.symbol.removeprefix("CONFIG_") for one in evidence.debug if one.on)
            lines.append(f"  checked by {', '.join(on)}")
        lines += [
            f"  {one.symbol.removeprefix('CONFIG_')}: {one.why}"
            for one in evidence.debug
            if not one.on
        ]
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
    runner, architecture = boots.runner(options.runner, architectures.here().chosen())
    subject = _subject(environment, tree, options, architecture)
    states = run.states(environment, tree, subject.rendered)
    with (
        process.temporary("dmabuf-patchgen-") as scratch,
        Kernels(
            environment,
            tree,
            architecture,
            [*dict.fromkeys([*subject.rendered.series, EXPORTER])],
            {path for state in states for path in state.files},
            progress,
            kept=options.kept,
            jobs=options.jobs,
            debug=options.debug,
            kunit=bool(subject.expected.suites),
        ) as kernels,
    ):
        guests = Boots(
            architecture,
            runner,
            checkers.limit(options.limit) if options.debug else options.limit,
            busybox(architecture),
            scratch,
            progress,
            accelerator=options.accelerator,
            kept=options.kept,
            debug=options.debug,
            kunit=bool(subject.expected.suites),
        )
        done = ProofRun(kernels, guests, subject.expected, states)
        done.run(each_commit=options.each_commit)
        if options.bisect and done.said:
            done.bisect(options.bisect)
    return _concluded(subject, kernels, done)


def _subject(
    environment: Environment, tree: KernelTree, options: ProofOptions, architecture: Architecture
) -> _Subject:
    rendered = render(environment, tree, options.names, options.typed)
    if not rendered.commits:
        raise UserError(
            f"{tree.label}: nothing to prove of {', '.join(options.names)}: {rendered.nothing}",
            "give a revision that it is for and that has it not: --base REV",
        )
    expected = expectation.load(environment, rendered.series, _contexts(environment, rendered))
    debugging = configuration.debugging(environment) if options.debug else ()
    return _Subject(tree, options, architecture, rendered, expected, debugging)


def _contexts(environment: Environment, rendered: Rendered) -> dict[str, dict[str, Any]]:
    """What the `when` of an expectation may ask: of the tree without any of the series."""
    tree = TreeFacts(rendered.tree)
    facts = Facts(environment, tree)
    name = architectures.here().chosen().name
    return {
        series: {"tree": tree, "fact": facts, "param": values, "arch": name}
        for series, values in rendered.parameters.items()
    }


def _concluded(subject: _Subject, kernels: Kernels, done: ProofRun) -> Proof:
    """The proof, from what was built and booted."""
    tree, rendered, expected = subject.tree, subject.rendered, subject.expected
    results: tuple[Result, ...] = ()
    problems = list(done.problems)
    if done.said:
        own = _own_programs(rendered) | {*expected.suites}
        results = comparison.compare(done.base, done.tip, expected, own)
        problems += comparison.stale(expected, [*done.base, *done.tip])
    about = next(iter(done.boots), None)
    evidence = Evidence(
        tool=f"dmabuf-patchgen {__version__}",
        tree=Version(tree.version, kernels.fingerprint),
        architecture=subject.architecture.machine,
        toolchain=kernels.tools.version,
        runner=Runner(
            about.runner.removeprefix("qemu ") if about else "none",
            Accelerator(about.accelerator) if about else Accelerator.TCG,
        ),
        configuration=done.symbols,
        debug=subject.checkers(done),
        patch_ids=_patch_ids(tree, rendered),
        tests=results,
        reports=comparison.reported(done.base_reports, done.tip_reports, expected),
        changes=tuple(
            Change(bisection.full_name(name), number, rendered.commits[number - 1].subject)
            for name, number in done.changes.items()
        ),
        problems=tuple(problems),
        logs=done.logs,
        command=_command(tree, subject.options, kernels),
    )
    text = json.dumps(evidence.as_dict(), indent=1, ensure_ascii=False) + "\n"
    contents = {FILE: text, "config": done.config, **done.logs}
    files = {name: content.encode(errors="backslashreplace") for name, content in contents.items()}
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
    if tree.commit:
        words += ["--base", options.base or tree.commit[:12]]
    words += ["prove", *options.names]
    for name, value in options.typed.items():
        words += ["-p", f"{name}={value}"]
    if options.runner != "qemu":
        words += ["--runner", options.runner]
    if options.accelerator:
        words += ["--accel", options.accelerator]
    if options.debug:
        words.append("--debug")
    if options.each_commit:
        words.append("--each-commit")
    if options.bisect:
        words += ["--bisect", options.bisect]
    return shlex.join([*words, "-o", "proof"])
