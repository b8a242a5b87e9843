# SPDX-License-Identifier: GPL-2.0-only
"""A kernel tree of a few lines, a series for it, and the command with no templates but those."""

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from dmabuf_patchgen.render.environment import Environment
from tests import repos
from tests.conftest import CHECKOUT, Cli
from tests.repos import Kind

DMA_BUF_C = b"""\
// SPDX-License-Identifier: GPL-2.0-only
/*
 * Framework for buffer sharing, by Andr\xe9
 */

#include <linux/dma-buf.h>
#include <linux/mm.h>
#include <uapi/linux/dma-buf.h>

static int dma_buf_mmap_internal(struct file *file, struct vm_area_struct *vma)
{
	struct dma_buf *dmabuf = file->private_data;

	/* check for overflow */
	if (vma_pages(vma) > dmabuf->size >> PAGE_SHIFT)
		return -EINVAL;

	return dmabuf->ops->mmap(dmabuf, vma);
}

static long dma_buf_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct dma_buf *dmabuf = file->private_data;

	switch (cmd) {
	case DMA_BUF_IOCTL_SYNC:
		return 0;

	default:
		return -ENOTTY;
	}
}

/**
 * dma_buf_mmap - Setup up a userspace mmap with the given vma
 * @dmabuf:	[in]	buffer that should back the vma
 * @vma:	[in]	vma for the mmap
 *
 * Returns 0 on success.
 */
int dma_buf_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	return dmabuf->ops->mmap(dmabuf, vma);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_mmap, DMA_BUF);
"""

#: A tree with what the places of the tests name, and a byte that is not UTF-8.
FILES: Mapping[str, bytes] = {
    "Kbuild": b"obj-y += drivers/\n",
    "Kconfig": b'mainmenu "Tiny"\n',
    "Makefile": b"VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 9\nEXTRAVERSION = -rc1\nNAME = Tiny\n",
    "drivers/dma-buf/dma-buf.c": DMA_BUF_C,
    "drivers/dma-buf/Kconfig": b"""\
config SYNC_FILE
	bool "Explicit Synchronization Framework"
	default n
	help
\t  Fences in files.

config DMABUF_DEBUG
	bool "DMA-BUF debug checks"
	help
\t  Scramble the pages.

source "drivers/dma-buf/heaps/Kconfig"
""",
    "drivers/dma-buf/Makefile": b"obj-y := dma-buf.o dma-fence.o \\\n\t dma-resv.o\n",
    "include/linux/mm.h": b"""\
static inline bool is_cow_mapping(vm_flags_t flags)
{
	return (flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE;
}
""",
    "include/linux/dma-buf.h": b"""\
struct dma_buf {
	/** @size: Size of the buffer. */
	size_t size;

	const struct dma_buf_ops *ops;
};
""",
    "include/uapi/linux/dma-buf.h": b"""\
#define DMA_BUF_BASE		'b'
#define DMA_BUF_IOCTL_SYNC	_IOW(DMA_BUF_BASE, 0, struct dma_buf_sync)
#define DMA_BUF_SET_NAME	_IOW(DMA_BUF_BASE, 1, const char *)
""",
    "Documentation/driver-api/dma-buf.rst": b"""\
Buffer Sharing
==============

Text.

Functions
~~~~~~~~~

More.
""",
    "tools/testing/selftests/lib.mk": b"# empty\n",
}

#: The series `toy` for that tree: an edit of C, one with a parameter, one with a condition.
TEMPLATES: Mapping[str, str] = {
    "facts.toml": """\
[heap]
meaning = "there is a heap"
find = 'tree.exists("drivers/dma-buf/heap.c")'

[debug]
meaning = "Kconfig has DMABUF_DEBUG"
find = 'tree.config("DMABUF_DEBUG", "drivers/dma-buf/Kconfig")'

[ioctls]
meaning = "numbers in use"
find = 'tree.ioctls("DMA_BUF_BASE", "include/uapi/linux/dma-buf.h")'
""",
    "threads.toml": '[talk]\nmessage-id = "1@example.org"\n',
    "toy/series.toml": """\
title = "dma-buf: toy"
summary = "A series to play with."
revised = 2026-01-02T03:04:05Z

[parameters.loud]
type = "bool"
help = "say it loudly"
default = false

[parameters.level]
type = "choice"
help = "how far to go"
default = "far"

[parameters.level.choices]
far = { help = "far" }
debug = { help = "in debug kernels", needs = "debug" }

[parameters.nr]
type = "ioctl"
help = "number of DMA_BUF_IOCTL_TOY"

[parameters.nr.ioctl]
name = "DMA_BUF_IOCTL_TOY"
header = "include/uapi/linux/dma-buf.h"
magic = "DMA_BUF_BASE"
most = 7

[parameters.nr.ioctl.upstream]
0 = "DMA_BUF_IOCTL_SYNC"
2 = "DMA_BUF_IOCTL_EXPORT_SYNC_FILE"

[[patch]]
template = "toy/01-check.patch.j2"

[[patch]]
template = "toy/02-heap.patch.j2"
when = "fact.heap"
unless = "the tree has no heap"

[[patch]]
template = "toy/03-ioctl.patch.j2"
""",
    "toy/01-check.patch.j2": """\
dma-buf: check the flags

Because it is {{ "LOUD" if param.loud else "quiet" }}, says Andr\u00e9.

Link: {{ link("talk") }}

--- drivers/dma-buf/dma-buf.c
@@ function dma_buf_mmap, before dmabuf->ops->mmap(dmabuf, vma) @@
+	if (!(vma->vm_flags & VM_SHARED))
+		return -EINVAL;
+
--- drivers/dma-buf/Makefile
@@ list obj-y @@
+dma-toy.o
--- drivers/dma-buf/dma-toy.c
@@ new file @@
+// SPDX-License-Identifier: GPL-2.0-only
+int dma_toy;
""",
    "toy/02-heap.patch.j2": """\
dma-buf: heap: toy

--- drivers/dma-buf/heap.c
@@ end of file @@
+int heap_toy;
""",
    "toy/03-ioctl.patch.j2": """\
dma-buf: add an ioctl

--- include/uapi/linux/dma-buf.h
@@ after last #define DMA_BUF_* @@
+#define DMA_BUF_IOCTL_TOY	_IO(DMA_BUF_BASE, {{ param.nr }})
--- drivers/dma-buf/dma-buf.c
@@ function dma_buf_ioctl, switch (cmd), before default @@
+	case DMA_BUF_IOCTL_TOY:
+		return 1;
+
""",
}


def write(root: Path, files: Mapping[str, str | bytes | None]) -> Path:
    """Write files below a directory, None for one to take away; the directory."""
    for name, body in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if body is None:
            path.unlink()
        else:
            path.write_bytes(body.encode() if isinstance(body, str) else body)
    return root


def tree(root: Path, **changed: bytes) -> Path:
    """The tree in a directory; changed: the path with _ for what is no letter, and its content."""
    names = {"".join(c if c.isalnum() else "_" for c in name): name for name in FILES}
    return write(root, {**FILES, **{names[key]: body for key, body in changed.items()}})


def repo(root: Path, kind: Kind = Kind.ORDINARY, name: str = "linux") -> Path:
    """The tree as a repository of some kind: one commit on `master`, tagged v6.12."""
    plain = root / "6.12.9-tiny"
    if not plain.exists():
        tree(plain)
    object_format = "sha256" if kind is Kind.SHA256 else "sha1"
    return repos.clone(repos.source(plain, root / "store", object_format), root / name, kind)


def environment(root: Path, changed: Mapping[str, str] | None = None) -> Environment:
    """The templates in a directory, some of them changed."""
    return Environment(write(root, {**TEMPLATES, **(changed or {})}))


Toy = Callable[..., "subprocess.CompletedProcess[str]"]


def toy(cli: Cli, root: Path, changed: Mapping[str, str] | None = None) -> Toy:
    """The command as `cli` runs it, but with the templates of this module."""
    write(root / "templates", {**TEMPLATES, **(changed or {})})
    # A package finds the templates beside it: the same code, through a link.
    (root / "dmabuf_patchgen").symlink_to(CHECKOUT / "dmabuf_patchgen")

    def run(
        *args: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        path = {"PYTHONPATH": str(root), "PYTHONSAFEPATH": "1"}
        return cli(*args, cwd=cwd, env={**path, **(env or {})})

    return run


def snapshot(*roots: Path) -> dict[str, tuple[int, bytes]]:
    """Every file, directory and link below some directories, with its mode and content."""
    found = {}
    for root in roots:
        for where, directories, files in os.walk(root):
            for name in [*directories, *files]:
                path = Path(where) / name
                mode = path.lstat().st_mode
                if path.is_symlink():
                    body = os.fsencode(path.readlink())
                else:
                    body = path.read_bytes() if path.is_file() else b""
                found[str(path)] = mode, body
    return found
