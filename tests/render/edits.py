# SPDX-License-Identifier: GPL-2.0-only
"""Edits that make another tree of a tree, for tests that render on what comes out."""

import re
from collections.abc import Callable, Iterable, Mapping

from dmabuf_patchgen.tree.source import Overlay, Tree

PFNMAP, MAP_INFO, EXPORTER = "dma-buf-pfnmap", "dma-buf-map-info", "dma-buf-test-exporter"
HEAPS = "drivers/dma-buf/heaps"
SYSTEM, CMA, UDMABUF = f"{HEAPS}/system_heap.c", f"{HEAPS}/cma_heap.c", "drivers/dma-buf/udmabuf.c"
CORE, HEADER = "drivers/dma-buf/dma-buf.c", "include/linux/dma-buf.h"
KSELFTEST = "tools/testing/selftests"
DIRECTORY = f"{KSELFTEST}/drivers/dma-buf"
TABLE = "Documentation/userspace-api/ioctl/ioctl-number.rst"

#: What udmabuf's fault handler was before it mapped by PFN, with room for a bound and an index.
FAULTS_PAGES = b"""\
static vm_fault_t udmabuf_vm_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct udmabuf *ubuf = vma->vm_private_data;
%s
	vmf->page = ubuf->pages[%s];
	get_page(vmf->page);
	return 0;
}
"""

Files = dict[str, bytes | None]
Edit = Callable[[Tree], Files]


def sub(path: str, pattern: bytes, new: bytes) -> Edit:
    """An edit of one file that has to change it."""

    def edit(tree: Tree) -> Files:
        body = re.sub(pattern, new.replace(b"\\", rb"\\"), tree.read(path), flags=re.S)
        assert body != tree.read(path), path
        return {path: body}

    return edit


def put(files: Mapping[str, bytes | None]) -> Edit:
    """Files as they are given, None for one that goes."""
    return lambda tree: dict(files)


def without(directory: str) -> Edit:
    """All files below a directory go."""

    def edit(tree: Tree) -> Files:
        found: Files = {}
        for name in tree.names(directory):
            path = f"{directory}/{name}"
            found |= edit_of(path)(tree) if tree.mode(path) == "40000" else {path: None}
        return found

    edit_of = without
    return edit


def udmabuf(bound: bytes, index: bytes) -> Edit:
    """The fault handler of udmabuf as it was before it mapped by PFN."""
    body = FAULTS_PAGES % (bound, index)

    def edit(tree: Tree) -> Files:
        files = sub(UDMABUF, rb"static vm_fault_t udmabuf_vm_fault.*?\n}\n", body)(tree)
        return sub(UDMABUF, rb"\tvm_flags_set\(vma, VM_PFNMAP[^;]*;\n", b"")(Overlay(tree, files))

    return edit


def function(path: str, name: str, body: bytes) -> Edit:
    """A function as it is given instead of the one of that name."""
    head = rb"\n(?=[^\n]*\b%s\()[a-z][^;{]*\{.*?\n\}\n" % re.escape(name.encode())
    return sub(path, head, b"\n" + body)


def add(path: str, text: bytes) -> Edit:
    """Lines at the end of a file."""
    return lambda tree: {path: tree.read(path) + text}


def edited(tree: Tree, edits: Iterable[Edit]) -> Tree:
    """The tree after these edits, each made on the outcome of the one before."""
    for edit in edits:
        tree = Overlay(tree, edit(tree))
    return tree
