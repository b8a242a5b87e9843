# SPDX-License-Identifier: GPL-2.0-only
"""On every tree of the matrix the checks find what was planted, and nothing in a clean commit."""

import shutil
from pathlib import Path

from dmabuf_patchgen.check import checks
from dmabuf_patchgen.check.commits import commit_patch
from dmabuf_patchgen.debian.sources import Row
from dmabuf_patchgen.tree.source import open_tree
from tests import faults, repos


def test_every_check_finds_its_fault_on_this_tree(row: Row, tmp_path: Path) -> None:
    series = {name: faults.SERIES[name] for name in (faults.CLEAN, faults.FAULTY)}
    repos.git(tmp_path, "init", "-q")
    for name in {path for edits in series.values() for path in edits}:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        if (row.path / name).exists():
            shutil.copyfile(row.path / name, tmp_path / name)
    repos.git(tmp_path, "add", "--force", ".")
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    repos.git(tmp_path, *who, "commit", "-q", "-m", "base")
    ids = faults.commit(tmp_path, series)
    patches = [commit_patch(tmp_path, commit, f"{commit}^") for commit in ids]

    report = checks.check(open_tree(row.path), patches)

    held = {(f.index, f.check, f.path) for f in report.findings if f.exempt is None}
    assert held == {
        (2, "checkpatch", "drivers/dma-buf/dma-buf.c"),
        (2, "checkpatch", "include/linux/dma-buf.h"),
        (2, "kernel-doc", "include/linux/dma-buf.h"),
        (2, "build", "drivers/dma-buf/udmabuf.c"),
        (2, "build", "lib/cmdline.c"),
        (2, "sparse", "drivers/dma-buf/dma-heap.c"),
        (2, "kselftest", f"{faults.TESTS}/number.c"),
    }, report.table()
