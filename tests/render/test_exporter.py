# SPDX-License-Identifier: GPL-2.0-only
"""The test exporter: one interface for driver and kselftests, and right on every tree."""

import subprocess
from pathlib import Path

from dmabuf_patchgen.check import checks
from dmabuf_patchgen.debian.sources import Row
from dmabuf_patchgen.render.environment import Environment, Facts
from dmabuf_patchgen.render.outcome import Rendered
from dmabuf_patchgen.render.series import render
from dmabuf_patchgen.tree.facts import TreeFacts
from dmabuf_patchgen.tree.source import open_tree
from tests import golden
from tests.render.test_trees import as_patches

DRIVER = "drivers/dma-buf/dma-buf-test-exporter.c"
ABI = "common/dma-buf-test-abi.h.j2"
HEADER = "common/selftests/dma-buf-test-exporter.h.j2"
#: What both sides have to have of it, by compiler.
LAYOUT = """
#define _GNU_SOURCE
#include <stddef.h>
#include "dma-buf-test-exporter.h"

#define AT(field, offset) \\
	_Static_assert(offsetof(struct dma_buf_test_export, field) == (offset), #field)

AT(pages, 0);
AT(mapping, 4);
AT(caching, 8);
AT(map_info, 12);
AT(error, 16);
AT(fd_flags, 20);
AT(pad, 24);
AT(fd, 28);
_Static_assert(sizeof(struct dma_buf_test_export) == 32, "export");
_Static_assert(sizeof(struct dma_buf_test_mappings) == 8, "mappings");
_Static_assert(DMA_BUF_TEST_IOCTL_EXPORT == 0xc020de00, "export");
_Static_assert(DMA_BUF_TEST_IOCTL_MAPPINGS == 0xc008de01, "mappings");
_Static_assert(DMA_BUF_TEST_IOCTL_IMPORT == 0x4004de02, "import");
_Static_assert(DMA_BUF_TEST_REMAP == 0 && DMA_BUF_TEST_ERROR == 5, "mapping");
_Static_assert(DMA_BUF_TEST_WRITE_COMBINED == 1, "caching");

int main(void)
{
	int exporter = test_exporter_open();
	int buf = test_exporter_get(exporter, 1, DMA_BUF_TEST_REMAP,
				    DMA_BUF_TEST_CACHED, 0);

	return test_importer_get(buf) + test_exporter_mappings(exporter, buf);
}
"""


def rendered(root: Path, *names: str) -> Rendered:
    return render(Environment(), open_tree(root), names, {})


def source(root: Path) -> str:
    (commit,) = rendered(root, golden.EXPORTER).commits
    return (commit.files[DRIVER] or b"").decode()


def test_driver_and_kselftests_have_one_interface(linux_612: Path) -> None:
    abi = Environment().render(ABI, {})
    assert source(linux_612).count(abi) == 1
    assert Environment().render(HEADER, {}).count(abi) == 1


def test_the_header_is_whole_and_its_layout_fixed(tmp_path: Path) -> None:
    (tmp_path / "dma-buf-test-exporter.h").write_text(Environment().render(HEADER, {}))
    (tmp_path / "layout.c").write_text(LAYOUT)
    done = subprocess.run(
        ["gcc", "-Wall", "-Wextra", "-Werror", "-c", "layout.c"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_it_is_in_a_series_only_where_it_is_named(linux_612: Path) -> None:
    pfnmap, map_info = golden.SERIES
    assert all(DRIVER not in c.files for c in rendered(linux_612, pfnmap, map_info).commits)
    named = rendered(linux_612, golden.EXPORTER, pfnmap).commits
    assert DRIVER in named[0].files
    assert [c.subject for c in named[1:]] == [
        c.subject for c in rendered(linux_612, pfnmap).commits
    ]


def test_nobody_gets_it_without_asking(row: Row) -> None:
    (commit,) = rendered(row.path, golden.EXPORTER).commits
    before = (row.path / "drivers/dma-buf/Kconfig").read_text()
    after = (commit.files["drivers/dma-buf/Kconfig"] or b"").decode()
    start = after.index("config DMABUF_TEST_EXPORTER\n")
    end = start + len(after) - len(before)
    assert after[:start] + after[end:] == before
    entry = after[start:end]
    assert "default" not in entry and "select" not in entry
    assert "kselftests only" in entry and "must not be in a kernel that is used in" in entry
    assert entry.endswith("If unsure, say N.\n\n")


def test_each_tree_gets_its_own_words(row: Row) -> None:
    facts = Facts(Environment(), TreeFacts(open_tree(row.path)))
    text = source(row.path)
    flags = "VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP"
    assert (f"vm_flags_set(vma, {flags});" in text) == facts["vm_flags_set"]
    assert (f"vma->vm_flags |= {flags};" in text) != facts["vm_flags_set"]
    last = {
        "none": 'MODULE_LICENSE("GPL");\n',
        "unquoted": "MODULE_IMPORT_NS(DMA_BUF);\n",
        "quoted": 'MODULE_IMPORT_NS("DMA_BUF");\n',
    }
    assert text.endswith("\n" + last[facts["symbol_namespace"]])


def test_the_checks_find_nothing_without_and_with_claims(row: Row) -> None:
    # map-info brings what a claim is put into: the driver is compiled anew with it.
    series = rendered(row.path, golden.EXPORTER, golden.SERIES[1])
    report = checks.check(open_tree(row.path), as_patches(series))
    assert not report.failed, report.table()
    held = {run.check for run in report.runs if run.index == 1 and run.applied}
    assert held == {"checkpatch", "kernel-doc", "build", "sparse"}
