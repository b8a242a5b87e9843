# SPDX-License-Identifier: GPL-2.0-only
"""No confident verdict is wrong: the audit against what a reader of the code found."""

from __future__ import annotations

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
    assert made.counted()[Kind.UNKNOWN] * 10 <= len(made.entries)


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


def covered(made: Audit, series: str) -> bool:
    """Whether a reader read nearly all ways of a tree: a point release may have one more."""
    known = {(one["name"], one["path"]) for one in truths(series)}
    missing = [one for one in made.entries if (one.name, one.path) not in known]
    return len(missing) * 10 <= len(made.entries)


def test_every_driver_of_the_reference_tree_was_read(linux_612: Path) -> None:
    assert covered(audited(linux_612), "6.12")
    assert not covered(audited(linux_612), "7.2"), "as it is of a tree of which only a part was"


def test_every_driver_of_two_trees_was_read(row: Row) -> None:
    assert row.series not in ("6.12", "7.3") or covered(audited(row.path), row.series)


@pytest.mark.parametrize("series", ["5.10", "6.1", "6.12", "7.2", "7.3"])
def test_the_truth_covers_the_helpers_of_every_tree(series: str) -> None:
    names = {one["name"] for one in truths(series)}
    assert {"udmabuf_ops", "drm_gem_shmem_funcs", "vb2_dma_sg_memops"} <= names
