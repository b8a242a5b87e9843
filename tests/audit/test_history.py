# SPDX-License-Identifier: GPL-2.0-only
"""The audit sees a fix: what it says of a tree from before it is not what it says of one after."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from dmabuf_patchgen.audit.audit import audit
from dmabuf_patchgen.audit.verdict import Entry
from dmabuf_patchgen.debian import sources
from dmabuf_patchgen.tree.source import open_tree

#: What is followed from the two entries, and what makes a directory a kernel's.
_PARTS = (
    "Kbuild", "Makefile", "drivers/dma-buf/dma-buf.c", "drivers/gpu/drm/drm_gem.c",
    "drivers/gpu/drm/drm_gem_shmem_helper.c", "include/drm/drm_gem_shmem_helper.h",
    "drivers/media/common/videobuf2",
)  # fmt: skip


@dataclass(frozen=True)
class Fix:
    """A fix of mainline: what it adds where, on the reference tree; entry: whose mapping it is.

    told: the words of the step that tells of it.
    """

    commit: str
    path: str
    added: str
    entry: str
    told: str


#: CVE-2024-39497.
REFUSAL = Fix(
    commit="39bc27bd6880",
    path="drivers/gpu/drm/drm_gem_shmem_helper.c",
    added="\tif (is_cow_mapping(vma->vm_flags))\n\t\treturn -EINVAL;\n\n",
    entry="drm_gem_shmem_funcs",
    told="is_cow_mapping",
)
#: CVE-2026-46312.
FLAGS = Fix(
    commit="7254b31a13aa",
    path="drivers/media/common/videobuf2/videobuf2-dma-sg.c",
    added="\tvm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);\n",
    entry="vb2_dma_sg_memops",
    told="VM_DONTEXPAND | VM_DONTDUMP",
)


def judged(root: Path, fix: Fix) -> Entry:
    (found,) = (one for one in audit(open_tree(root)).entries if one.name == fix.entry)
    return found


def told(entry: Entry, fix: Fix) -> bool:
    """Whether the audit names the line that the fix added."""
    steps = [*entry.copy_on_write.at, *(step for one in entry.branches for step in one.steps)]
    return any(fix.told in step.what and step.path == fix.path for step in steps)


def has(root: Path, fix: Fix) -> bool:
    """Whether the source has a fix, by a look at its one file."""
    return fix.told in (root / fix.path).read_text()


def part(root: Path, into: Path) -> Path:
    """A copy of what a tree has of the two entries."""
    for name in _PARTS:
        place = into / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if (root / name).is_dir():
            shutil.copytree(root / name, place)
        else:
            shutil.copy(root / name, place)
    return into


def take_back(root: Path, fix: Fix) -> None:
    """Leave a fix out of a tree."""
    file = root / fix.path
    text = file.read_text()
    assert text.count(fix.added) == 1, f"{fix.path}: the fix {fix.commit} is not there, or twice"
    file.write_text(text.replace(fix.added, ""))


@pytest.mark.parametrize("fix", [REFUSAL, FLAGS], ids=lambda fix: fix.commit)
def test_a_fix_that_is_taken_back_is_missed(linux_612: Path, tmp_path: Path, fix: Fix) -> None:
    tree = part(linux_612, tmp_path)
    assert told(judged(tree, fix), fix)
    take_back(tree, fix)
    assert not told(judged(tree, fix), fix)
    other = REFUSAL if fix is FLAGS else FLAGS
    assert told(judged(tree, other), other), "the other fix is still there"


def test_the_helper_refuses_copy_on_write_by_its_fix_alone(linux_612: Path, tmp_path: Path) -> None:
    tree = part(linux_612, tmp_path)
    after = judged(tree, REFUSAL)
    take_back(tree, REFUSAL)
    before = judged(tree, REFUSAL)
    assert before.copy_on_write.refused == "no" and before.copy_on_write.bug
    assert after.copy_on_write.refused == "yes, but for what it delegates to"
    assert not after.copy_on_write.bug
    assert before.kind is after.kind, "what else is said of it is the same"


def test_the_whole_of_a_tree_says_of_the_helper_what_its_part_does(
    linux_612: Path, tmp_path: Path
) -> None:
    tree = part(linux_612, tmp_path)
    assert judged(linux_612, REFUSAL).copy_on_write == judged(tree, REFUSAL).copy_on_write


@pytest.mark.all
def test_the_refusal_is_in_the_newer_of_two_trees_of_debian(oldest_510: Path) -> None:
    newest = sources.fetch("5.10")
    _one_state_is_not_enough(oldest_510, newest, REFUSAL)
    old, new = judged(oldest_510, REFUSAL), judged(newest, REFUSAL)
    assert not told(old, REFUSAL) and told(new, REFUSAL)
    assert old.copy_on_write.refused == "no"
    assert new.copy_on_write.refused == "yes, but for what it delegates to"


@pytest.mark.all
def test_the_flags_are_in_the_newer_of_two_trees_of_debian(oldest_61: Path) -> None:
    newest = sources.fetch("6.1")
    _one_state_is_not_enough(oldest_61, newest, FLAGS)
    assert not told(judged(oldest_61, FLAGS), FLAGS) and told(judged(newest, FLAGS), FLAGS)


def _one_state_is_not_enough(old: Path, new: Path, fix: Fix) -> None:
    """What Debian offers changes: once the oldest has the fix, there is nothing to compare."""
    assert has(new, fix), f"{fix.commit} is not in {new.name}, or is written in another way there"
    if has(old, fix):
        pytest.skip(f"{old.name}, the oldest that Debian offers, has {fix.commit} already")
