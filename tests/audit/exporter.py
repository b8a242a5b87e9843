# SPDX-License-Identifier: GPL-2.0-only
"""A kernel tree with one exporter, whose mmap a test writes."""

from __future__ import annotations

from pathlib import Path

from tests import tiny

#: The core's side, as short as the audit needs it.
CORE = """\
static int dma_buf_mmap_internal(struct file *file, struct vm_area_struct *vma)
{
	struct dma_buf *dmabuf = file->private_data;

	if (!dmabuf->ops->mmap)
		return -EINVAL;

	return dmabuf->ops->mmap(dmabuf, vma);
}
"""
#: Exporters that insert on a fault: pages, and PFNs.
FAULTS = """\
static vm_fault_t page_fault(struct vm_fault *vmf)
{
	vmf->page = buffer->pages[vmf->pgoff];
	return 0;
}

static const struct vm_operations_struct page_ops = {
	.fault = page_fault,
};

static vm_fault_t pfn_fault(struct vm_fault *vmf)
{
	return vmf_insert_pfn(vmf->vma, vmf->address, buffer->pfn);
}

static const struct vm_operations_struct pfn_ops = { .fault = pfn_fault, };
"""
PATH = "drivers/gpu/exporter.c"


def source(body: str, more: str = "") -> str:
    """An exporter whose mmap has this body; more: what stands above it."""
    return f"""\
// SPDX-License-Identifier: GPL-2.0-only
{FAULTS}
{more}
static int example_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{{
	int ret;

{body}
}}

static const struct dma_buf_ops example_ops = {{
	.mmap = example_mmap,
}};
"""


def tree(root: Path, exporter: str, **more: str) -> Path:
    """The tree in a directory, with an exporter; more: other files, named after their path."""
    tiny.tree(root)
    files = {"drivers/dma-buf/dma-buf.c": CORE, PATH: exporter}
    return tiny.write(root, files | more)
