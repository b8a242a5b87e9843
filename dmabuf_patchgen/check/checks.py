# SPDX-License-Identifier: GPL-2.0-only
"""The checks of a series: each commit against the state before it."""

import time
from collections.abc import Mapping, Sequence

from dmabuf_patchgen.check import checkpatch
from dmabuf_patchgen.check.checkpatch import Checkpatch
from dmabuf_patchgen.check.compile import Compile, Sparse
from dmabuf_patchgen.check.kernel_doc import KernelDoc
from dmabuf_patchgen.check.kselftest import Kselftest
from dmabuf_patchgen.check.report import Finding, Report, Run
from dmabuf_patchgen.check.step import Check, Patch, Step
from dmabuf_patchgen.errors import NotInTree, UserError
from dmabuf_patchgen.kernel import kbuild
from dmabuf_patchgen.kernel.diagnostics import Diagnostic
from dmabuf_patchgen.kernel.forest import Forest
from dmabuf_patchgen.kernel.kbuild import Build, Progress
from dmabuf_patchgen.render.commit import Commit
from dmabuf_patchgen.tree.source import KernelTree


def silent(text: str) -> None:
    """Progress that nobody is told of."""


def check(
    base: KernelTree,
    patches: Sequence[Patch],
    *,
    settled: Mapping[str, bytes | None] | None = None,
    progress: Progress = silent,
) -> Report:
    """Check a series commit by commit; only what a commit adds is a finding.

    settled: changes to the base that come before the series and are not checked themselves.
    Raises MissingTool if a program is not there, UserError if a check cannot do its work;
    what a commit does wrong is in the report, never an exception.
    """
    _must_have_scripts(base)
    settled = settled or {}
    touched = {path for patch in patches for path in patch.commit.files} | set(settled)
    _refuse_escape(touched)
    started = time.monotonic()
    with kbuild.prepared(base, touched, progress) as (build, forest):
        series = _CheckRun(build, len(patches), progress)
        series.compile.start(forest, touched)
        if settled:
            progress("building the state before the series")
            state = Patch(Commit("before the series\n", settled), b"")
            series.settle(Step(state, forest, build.scratch, _state(forest, state)))
        prepared = time.monotonic() - started
        for index, patch in enumerate(patches, 1):
            series.check(index, Step(patch, forest, build.scratch, _state(forest, patch)))
    return Report(
        base=f"{base.label} ({base.version}, {build.tools.version})",
        commits=tuple(patch.commit.subject for patch in patches),
        prepare_seconds=prepared,
        runs=tuple(series.runs),
        findings=tuple(series.findings),
    )


class _CheckRun:
    """The checks in their order, and what they found so far."""

    def __init__(self, build: Build, total: int, progress: Progress) -> None:
        self.compile = Compile(build)
        self._builds: tuple[Check, ...] = (self.compile, Sparse(self.compile))
        self._checks = (Checkpatch(), KernelDoc(), *self._builds, Kselftest(build))
        self._total = total
        self._progress = progress
        self.runs: list[Run] = []
        self.findings: list[Finding] = []

    def settle(self, step: Step) -> None:
        """Take a change into the forest and the build that is not under check."""
        for one in self._builds:
            one.before(step)
        step.forest.apply(step.files)
        for one in self._builds:
            one.after(step)

    def check(self, index: int, step: Step) -> None:
        """Take one commit into the forest and ask every check about it."""
        took = {}
        for one in self._checks:
            self._progress(f"{index}/{self._total} {step.patch.commit.subject}: {one.name}, before")
            started = time.monotonic()
            one.before(step)
            took[one.name] = time.monotonic() - started
        step.forest.apply(step.files)
        documented: tuple[Diagnostic, ...] = ()
        for one in self._checks:
            self._progress(f"{index}/{self._total} {step.patch.commit.subject}: {one.name}")
            started = time.monotonic()
            messages = one.after(step)
            seconds = took[one.name] + time.monotonic() - started
            self.runs.append(Run(one.name, index, seconds, messages is not None))
            if one.name == KernelDoc.name:
                documented = messages or ()
            # W=1 runs kernel-doc on .c files as well; it is told once.
            known = {(m.path, m.text) for m in documented} if one.name == Compile.name else set()
            self.findings += (
                _finding(one.name, index, step, message)
                for message in messages or ()
                if (message.path, message.text) not in known
            )


def _finding(check: str, index: int, step: Step, message: Diagnostic) -> Finding:
    reason = checkpatch.exempt(message, step) if check == Checkpatch.name else None
    return Finding(
        check=check,
        index=index,
        subject=step.patch.commit.subject,
        path=message.path,
        line=message.line,
        mail_line=message.mail_line,
        level=message.level,
        type=message.type,
        text=message.text,
        exempt=reason,
    )


def _state(forest: Forest, patch: Patch) -> dict[str, bytes | None]:
    return {path: forest.read(path) for path in patch.commit.files}


def _must_have_scripts(base: KernelTree) -> None:
    """Refuse a tree without the scripts of its own that the checks are."""
    for path in ("scripts/checkpatch.pl", "scripts/kernel-doc", "scripts/kconfig/merge_config.sh"):
        try:
            base.read(path)
        except NotInTree:
            raise UserError(
                f"{base.label}: no {path}, which the checks run", "check on a whole kernel tree"
            ) from None


def _refuse_escape(paths: set[str]) -> None:
    """Refuse a path that would lead out of the forest, into what is not ours to write."""
    for path in paths:
        if path.startswith("/") or ".." in path.split("/"):
            raise UserError(f"{path}: a patch may only name files inside the tree")
