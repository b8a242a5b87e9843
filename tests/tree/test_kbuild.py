# SPDX-License-Identifier: GPL-2.0-only
"""What Makefiles build, by which symbol, and what only lies there."""

from pathlib import Path

import pytest

from dmabuf_patchgen.tree.facts import TreeFacts
from dmabuf_patchgen.tree.kbuild import parse
from dmabuf_patchgen.tree.source import DirectoryTree
from tests import tiny

DRIVERS = "obj-$(CONFIG_DMA_SHARED_BUFFER) += dma-buf/\n"
CORE = """\
obj-y := dma-buf.o dma-fence.o \\
	 dma-resv.o
obj-$(CONFIG_DMABUF_HEAPS)	+= heaps/
# obj-$(CONFIG_UDMABUF) += udmabuf.o
dmabuf_selftests-y := selftest.o \\
	st-dma-fence.o
dmabuf_selftests-$(CONFIG_X) += st-x.o
obj-$(CONFIG_DMABUF_SELFTESTS)	+= dmabuf_selftests.o
"""
HEAPS = """\
vendor := vendor_heap.o
obj-$(CONFIG_DMABUF_HEAPS_SYSTEM) += $(vendor)
ifeq ($(CONFIG_OPTEE), y)
obj-y += tee_heap.o
else
obj-$(CONFIG_OTHER) += other_heap.o
endif
obj-y += deep/er/
"""
SOURCES = (
    "dma-buf.c", "udmabuf.c", "selftest.c", "st-x.c",
    "heaps/vendor_heap.c", "heaps/system_heap.c", "heaps/tee_heap.c", "heaps/other_heap.c",
    "heaps/deep/er/chunk.c", "heaps/left/lying.c",
)  # fmt: skip


def facts(root: Path, **changed: str) -> TreeFacts:
    files: dict[str, str | bytes | None] = {
        "drivers/Makefile": changed.get("drivers", DRIVERS),
        "drivers/dma-buf/Makefile": changed.get("core", CORE),
        "drivers/dma-buf/heaps/Makefile": changed.get("heaps", HEAPS),
        "drivers/dma-buf/heaps/deep/er/Kbuild": "obj-m := chunk.o\n",
        "drivers/dma-buf/heaps/deep/er/Makefile": "obj-m := nothing.o\n",
        "drivers/dma-buf/heaps/left/Makefile": "obj-y := lying.o\n",
    }
    files |= {f"drivers/dma-buf/{name}": f"/* {name} */\nint x;\n" for name in SOURCES}
    return TreeFacts(DirectoryTree(tiny.write(root, files)))


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("dma-buf.c", "y"),
        ("dma-fence.c", ""),  # built, but not there
        ("udmabuf.c", ""),  # there, but a comment
        ("selftest.c", "DMABUF_SELFTESTS"),  # part of a composite object
        ("st-x.c", "DMABUF_SELFTESTS"),
        ("heaps/vendor_heap.c", "DMABUF_HEAPS_SYSTEM"),
        ("heaps/system_heap.c", ""),  # mainline's, unused beside the vendor's
        ("heaps/tee_heap.c", "OPTEE"),
        ("heaps/other_heap.c", "OTHER"),
        ("heaps/deep/er/chunk.c", "y"),  # its Kbuild goes before its Makefile
        ("heaps/left/lying.c", ""),  # nothing goes into its directory
    ],
)
def test_by_which_symbol_a_source_is_built(tmp_path: Path, name: str, symbol: str) -> None:
    found = facts(tmp_path)
    assert found.built_by(f"drivers/dma-buf/{name}") == symbol
    assert found.builds(f"drivers/dma-buf/{name}") == bool(symbol)


def test_all_that_is_built_below_a_directory(tmp_path: Path) -> None:
    assert facts(tmp_path).built_with("int x;", "drivers/dma-buf") == [
        f"drivers/dma-buf/{name}"
        for name in (
            "dma-buf.c", "heaps/deep/er/chunk.c", "heaps/other_heap.c", "heaps/tee_heap.c",
            "heaps/vendor_heap.c", "selftest.c", "st-x.c",
        )
    ]  # fmt: skip
    assert facts(tmp_path).built_with("int y;", "drivers/dma-buf") == []
    assert facts(tmp_path).built_with("int x;", "drivers/none") == []


def test_a_directory_that_no_makefile_above_enters(tmp_path: Path) -> None:
    found = facts(tmp_path, drivers="obj-y += base/\n")
    assert not found.builds("drivers/dma-buf/dma-buf.c")
    assert not found.builds("drivers/dma-buf/heaps/vendor_heap.c")


def test_what_only_make_can_tell_is_not_taken_for_left_out(tmp_path: Path) -> None:
    found = facts(tmp_path, heaps="obj-y += $(patsubst %.c,%.o,$(wildcard *.c))\n")
    assert found.built_by("drivers/dma-buf/heaps/system_heap.c") == "unknown"


def test_a_part_that_is_compiled_with_its_directory_above(tmp_path: Path) -> None:
    """A Makefile builds objects of directories that have none, as DRM drivers do."""
    lists = "x-y := deep/a.o\nobj-$(CONFIG_X) += x.o\n"
    files = {"drivers/gpu/Makefile": lists, "drivers/gpu/deep/a.c": "int a;\n"}
    root = tiny.write(tmp_path, files)
    assert TreeFacts(DirectoryTree(root)).built_by("drivers/gpu/deep/a.c") == "X"


def test_lines_that_are_no_lists() -> None:
    found = parse(b"ccflags-y := -I$(src)\nx: y\n\techo obj-y += a.o\nifdef Z\nendif\nendif\n")
    assert list(found.sources()) == []
