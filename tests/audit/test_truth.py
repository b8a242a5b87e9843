# SPDX-License-Identifier: GPL-2.0-only
"""No confident verdict is wrong: the audit against what a reader of the code found."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from dmabuf_patchgen.audit.audit import audit
from dmabuf_patchgen.audit.state import Step
from dmabuf_patchgen.audit.verdict import Audit, Entry, Kind
from dmabuf_patchgen.debian.sources import Row
from dmabuf_patchgen.tree.source import open_tree

_TRUTH = Path(__file__).parent / "truth.toml"
#: Trees of which every driver was read.
_WHOLE = ("6.12", "7.3")
#: What was read of every tree: exporters and helpers that drivers use.
_SHARED = re.compile(
    r"drivers/dma-buf/|drivers/gpu/drm/[^/]+$|drivers/gpu/drm/ttm/|drivers/media/common/videobuf2/"
)
#: How a reader's word for a refusal is told by the audit.
_REFUSED = {"imports": "yes, but for what it delegates to"}


@cache
def audited(root: Path) -> Audit:
    return audit(open_tree(root))


def truths(series: str) -> list[dict[str, Any]]:
    every = tomllib.loads(_TRUTH.read_text(encoding="utf-8"))["entry"]
    return [one for one in every if one["tree"] == series]


def mistakes(root: Path, made: Audit, series: str) -> Iterator[str]:
    """What the audit says that the reader did not find, entry by entry."""
    entries = {(entry.name, entry.path): entry for entry in made.entries}
    for truth in truths(series):
        entry = entries.get((truth["name"], truth["path"]))
        if entry is None:
            yield f"{truth['name']}: missing"
        elif entry.kind is not Kind.UNKNOWN:
            yield from _differences(root, entry, truth)


def _differences(root: Path, entry: Entry, truth: dict[str, Any]) -> Iterator[str]:
    lines = _reader(root)
    if entry.kind.value != truth["verdict"]:
        yield f"{entry.name}: {entry.kind.value}, and it is {truth['verdict']}"
    told = {lines(step) for branch in entry.branches for step in branch.steps}
    for said in truth["at"]:
        if _place(said) not in told:
            yield f"{entry.name}: no step at {said}"
    cow = entry.copy_on_write
    wanted = truth.get("cow")
    if wanted and cow.refused != _REFUSED.get(wanted, wanted):
        yield f"{entry.name}: refused {cow.refused!r}, and it is {wanted!r}"
    refusals = {lines(step) for step in cow.at}
    for said in truth.get("cow_at", []):
        if _place(said) not in refusals:
            yield f"{entry.name}: no refusal at {said}"
    bugs = {lines(step) for step in cow.bug_at}
    expected = {_place(truth["bug"])} if "bug" in truth else set()
    if wanted and bugs != expected:
        yield f"{entry.name}: a BUG_ON() by {bugs or 'nothing'}, and it is {expected or 'none'}"


def _reader(root: Path) -> Callable[[Step], tuple[str, str]]:
    """The file and the text of a step's line: a point release moves lines, not what they say."""
    return lambda step: (
        step.path,
        " ".join((root / step.path).read_text(errors="replace").split("\n")[step.line - 1].split()),
    )


def _place(said: str) -> tuple[str, str]:
    path, _, text = said.split(":", 2)
    return path, text.strip()


def test_the_audit_of_every_tree_says_what_a_reader_found(row: Row) -> None:
    assert not list(mistakes(row.path, audited(row.path), row.series))


def test_at_most_one_way_in_ten_is_not_understood(row: Row) -> None:
    made = audited(row.path)
    unknown = [entry for entry in made.entries if entry.kind is Kind.UNKNOWN]
    assert len(made.entries) >= 100 and len(unknown) * 10 <= len(made.entries)
    assert made.counted()[Kind.UNKNOWN] == len(unknown)
    for entry in unknown:
        assert entry.guessed or any(branch.why for branch in entry.branches), entry.name


def test_the_audit_of_the_reference_tree_says_what_a_reader_found(linux_612: Path) -> None:
    assert not list(mistakes(linux_612, audited(linux_612), "6.12"))


def test_the_comparison_sees_a_verdict_that_is_wrong(linux_612: Path) -> None:
    made = audited(linux_612)
    wrong = [
        replace(entry, kind=Kind.VIOLATES) if entry.name == "udmabuf_ops" else entry
        for entry in made.entries
    ]
    spoiled = Audit(made.version, tuple(wrong), made.taken, made.files, made.unread)
    (said,) = mistakes(linux_612, spoiled, "6.12")
    assert said == "udmabuf_ops: violates, and it is PFNMAP"


def unread(made: Audit, read: list[dict[str, Any]], whole: bool) -> tuple[list[str], int]:
    """The entries that no reader read of those that are to be, and how many are to be.

    whole: every driver is to be, else what all drivers rest on.
    """
    known = {(one["name"], one["path"]) for one in read}
    wanted = [one for one in made.entries if whole or _SHARED.match(one.path)]
    return [one.name for one in wanted if (one.name, one.path) not in known], len(wanted)


def test_what_every_driver_rests_on_was_read_and_all_of_two_trees(row: Row) -> None:
    whole = row.series in _WHOLE
    missing, wanted = unread(audited(row.path), truths(row.series), whole)
    assert wanted >= (100 if whole else 10)
    # A point release may have one more.
    assert len(missing) * 10 <= wanted, missing


def test_every_driver_of_the_reference_tree_was_read(linux_612: Path) -> None:
    missing, wanted = unread(audited(linux_612), truths("6.12"), True)
    assert wanted >= 100 and len(missing) * 10 <= wanted, missing


def test_it_is_seen_where_a_tree_was_not_read(linux_612: Path) -> None:
    """By what was read of another tree, of which only a part was."""
    missing, wanted = unread(audited(linux_612), truths("7.2"), True)
    assert len(missing) * 10 > wanted


@pytest.mark.parametrize("series", ["5.10", "6.1", "6.12", "7.2", "7.3"])
def test_the_truth_covers_the_helpers_of_every_tree(series: str) -> None:
    names = {one["name"] for one in truths(series)}
    assert {"udmabuf_ops", "drm_gem_shmem_funcs", "vb2_dma_sg_memops"} <= names
