# SPDX-License-Identifier: GPL-2.0-only
"""A clean series is checked once, and again when anything that checked it is another."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from dmabuf_patchgen.check import verdict
from dmabuf_patchgen.check.report import Report, Run
from dmabuf_patchgen.check.step import Patch
from dmabuf_patchgen.kernel import cache
from dmabuf_patchgen.kernel.kbuild import Progress
from dmabuf_patchgen.render.commit import Commit
from dmabuf_patchgen.tree.source import GitTree, KernelTree
from tests import damage, faults, repos
from tests.tools import Toolchain

Checked = Callable[..., int]

REPORT = Report("a base", ("a patch",), 1.5, (Run("checkpatch", 1, 0.5, True),), ())


@pytest.fixture
def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checked:
    """Checks a patch with some tools; how often that was done up to now."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place = tmp_path / "repo"
    place.mkdir()
    repos.git(place, "init", "-q", "--initial-branch=main")
    faults.commit(place, {"base": {"a.c": faults.new("1\n")}})
    tree = GitTree(place, "main")
    tools = Toolchain(tmp_path / "bin", monkeypatch)
    said: list[str] = []

    def checks(base: KernelTree, patches: Sequence[Patch], *, progress: Progress) -> Report:
        said.append("")
        return REPORT

    def run(mail: bytes = b"a mail", *, gcc: str = "gcc", sparse: str = "sparse") -> int:
        tools.choose(gcc, sparse)
        patch = Patch(Commit("a patch\n", {}), mail)
        report = verdict.check(tree, [patch], lambda _: None, checks)
        assert (report.base, report.commits, report.checks) == (
            "a base",
            ("a patch",),
            REPORT.checks,
        )
        return len(said)

    return run


def test_the_same_patches_are_checked_once(checked: Checked) -> None:
    assert [checked(), checked(), checked(b"another"), checked(b"another")] == [1, 1, 2, 2]


def test_other_tools_of_the_same_version_check_again(checked: Checked) -> None:
    assert [checked(), checked(gcc="another"), checked(sparse="another"), checked()] == [1, 2, 3, 3]


@pytest.mark.parametrize("what", damage.DAMAGES)
def test_what_was_damaged_is_checked_again(checked: Checked, what: str) -> None:
    number = checked()
    for path in [*damage.files(cache.directory("verdicts"))]:
        damage.DAMAGES[what](path)
        number += 1
        assert [checked(), checked()] == [number, number]
    assert number == 3
