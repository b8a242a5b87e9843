# SPDX-License-Identifier: GPL-2.0-only
"""The verdict of the checks on a series, kept: the same patches are checked once."""

import hashlib
import json
from collections.abc import Sequence
from typing import Protocol

from dmabuf_patchgen import __version__
from dmabuf_patchgen.check.report import Report, Run
from dmabuf_patchgen.check.step import Patch
from dmabuf_patchgen.kernel import cache, kbuild
from dmabuf_patchgen.kernel.kbuild import Progress
from dmabuf_patchgen.tree.source import GitTree, KernelTree

_KIND = "verdicts"
_FILE = "report.json"


class Checks(Protocol):
    """What checks a series on a tree, as checks.check() does."""

    def __call__(
        self, base: KernelTree, patches: Sequence[Patch], *, progress: Progress
    ) -> Report: ...


def check(tree: GitTree, patches: Sequence[Patch], progress: Progress, checks: Checks) -> Report:
    """What checks find in a series; from the last time if nothing changed since.

    Only a series without findings is kept, as its report says all there is in few words.
    """
    kept = known(tree, patches)
    if kept:
        return kept
    report = checks(tree, patches, progress=progress)
    if not report.failed:
        with cache.keeping(_KIND, _key(tree, patches)) as made:
            body = json.dumps([report.base, report.commits, report.checks])
            (made / _FILE).write_text(body, encoding="utf-8")
    return report


def known(tree: GitTree, patches: Sequence[Patch]) -> Report | None:
    """The report of a series that was checked before and found clean, None if it was not."""
    place = cache.kept(_KIND, _key(tree, patches))
    if place is None:
        return None
    base, commits, names = json.loads((place / _FILE).read_text(encoding="utf-8"))
    runs = tuple(Run(name, 1, 0.0, True) for name in names)
    return Report(base, tuple(commits), 0.0, runs, ())


def _key(tree: GitTree, patches: Sequence[Patch]) -> str:
    what = hashlib.sha256()
    tools = kbuild.toolchain()
    programs = (*tools.choices, tools.version, tools.programs, kbuild.checker())
    for part in (__version__, tree.id, *programs):
        what.update(part.encode() + b"\0")
    for patch in patches:
        what.update(patch.mail + b"\0")
    return what.hexdigest()[:32]
