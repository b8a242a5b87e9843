# SPDX-License-Identifier: GPL-2.0-only
"""The matrix: both series on every kernel tree, alone and one on top of the other."""

import subprocess
from pathlib import Path

import pytest

from dmabuf_patchgen.check import checks
from dmabuf_patchgen.check.step import Patch
from dmabuf_patchgen.debian.sources import Row
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render.environment import Environment, Facts
from dmabuf_patchgen.render.mails import mails
from dmabuf_patchgen.render.outcome import Rendered
from dmabuf_patchgen.render.series import render
from dmabuf_patchgen.tree.facts import TreeFacts
from dmabuf_patchgen.tree.source import open_tree
from tests import golden
from tests.conftest import SmallRepo
from tests.repos import Kind, git

PFNMAP, MAP_INFO = golden.SERIES
#: The series in every arrangement that users may ask for.
ARRANGEMENTS = [(PFNMAP,), (MAP_INFO,), (PFNMAP, MAP_INFO), (MAP_INFO, PFNMAP)]


def rendered(row: Row, *names: str, **typed: str) -> Rendered:
    return render(Environment(), open_tree(row.path), names, typed)


def as_patches(series: Rendered) -> list[Patch]:
    made = mails(series.tree, series.commits, golden.AUTHOR, series.revised)
    return [Patch(c, m.content) for c, m in zip(series.commits, made, strict=True)]


def check(row: Row, series: Rendered) -> None:
    """Every check of every commit; what is found is the failure's message."""
    tree = open_tree(row.path)
    report = checks.check(tree, as_patches(series))
    assert not report.failed, report.table()
    assert report.checks == ("checkpatch", "kernel-doc", "build", "sparse", "kselftest")
    assert {f.type for f in report.findings} <= {"MISSING_SIGN_OFF", "FILE_PATH_CHANGES"}
    # Nothing passes by not being looked at.
    for index, commit in enumerate(series.commits, 1):
        held = {run.check for run in report.runs if run.index == index and run.applied}
        assert "checkpatch" in held
        if any(path.startswith("drivers/") for path in commit.files):
            assert {"build", "sparse"} <= held
        if any(path.startswith("tools/testing/") for path in commit.files):
            assert "kselftest" in held


@pytest.mark.parametrize("names", ARRANGEMENTS, ids=" ".join)
def test_patches_apply_as_git_am_and_as_patch_take_them(
    row: Row, names: tuple[str, ...], small_repo: SmallRepo, tmp_path: Path
) -> None:
    series = rendered(row, *names)
    files = []
    for mail in mails(series.tree, series.commits, golden.AUTHOR, series.revised):
        files.append(tmp_path / mail.name)
        files[-1].write_bytes(mail.content)
    repo = small_repo(row.path, Kind.ORDINARY)
    plain = small_repo(row.path, Kind.ORDINARY)

    git(repo, "-c", "user.name=T", "-c", "user.email=t@example.org", "am", *map(str, files))
    for file in files:
        applied = subprocess.run(
            ["patch", "-p1", "-F0", "-s", "-i", str(file)],
            cwd=plain, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (applied.returncode, applied.stdout, applied.stderr) == (0, "", "")

    final = {path: body for commit in series.commits for path, body in commit.files.items()}
    for path, body in final.items():
        assert (repo / path).read_bytes() == body
        assert (plain / path).read_bytes() == body


def test_the_series_share_what_both_need(row: Row) -> None:
    for names in ARRANGEMENTS[2:]:
        subjects = [commit.subject for commit in rendered(row, *names).commits]
        assert len(subjects) == len(set(subjects))
    both, other = (rendered(row, *names) for names in ARRANGEMENTS[2:])
    assert {c.subject for c in both.commits} == {c.subject for c in other.commits}


def test_every_commit_of_both_series_stacked_is_clean(row: Row) -> None:
    # Its first commits are those of dma-buf-pfnmap alone.
    stacked, alone = rendered(row, PFNMAP, MAP_INFO), rendered(row, PFNMAP)
    assert stacked.commits[: len(alone.commits)] == alone.commits

    check(row, stacked)


def test_every_commit_of_map_info_alone_is_clean(edge_row: Row) -> None:
    check(edge_row, rendered(edge_row, MAP_INFO, ioctl_nr="9"))


def test_every_commit_of_map_info_below_pfnmap_is_clean(edge_row: Row) -> None:
    facts = Facts(Environment(), TreeFacts(open_tree(edge_row.path)))
    if not facts["mmap_error_puts_vm_file"]:
        with pytest.raises(UserError, match="needs mmap_error_puts_vm_file"):
            rendered(edge_row, MAP_INFO, PFNMAP, severity="refuse")
        return

    check(edge_row, rendered(edge_row, MAP_INFO, PFNMAP, severity="refuse"))


def test_every_commit_without_the_refusal_of_cow_is_clean(edge_row: Row) -> None:
    facts = Facts(Environment(), TreeFacts(open_tree(edge_row.path)))
    if not facts["dmabuf_debug"]:
        with pytest.raises(UserError, match="needs dmabuf_debug"):
            rendered(edge_row, PFNMAP, severity="debug")
        return

    check(edge_row, rendered(edge_row, PFNMAP, severity="debug", refuse_cow="no"))
