# SPDX-License-Identifier: GPL-2.0-only
"""What mainline looked like in its releases from 4.19 on, at the places that templates speak of.

A form holds from one release to another. Its edits make it of the reference tree, of which the
rest stays; texts are as short as the place allows. What has to come of it is written by hand. A
release is what all of its forms make together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.render.edits import (
    CMA,
    CORE,
    DIRECTORY,
    HEADER,
    HEAPS,
    KSELFTEST,
    SYSTEM,
    TABLE,
    UDMABUF,
    Edit,
    add,
    function,
    put,
    sub,
    udmabuf,
    without,
)  # fmt: skip

RELEASES = (
    "4.19", "4.20", *(f"5.{minor}" for minor in range(20)), *(f"6.{minor}" for minor in range(20)),
    *(f"7.{minor}" for minor in range(4)),
)  # fmt: skip
NEWEST = RELEASES[-1]

MM, UAPI = "include/linux/mm.h", "include/uapi/linux/dma-buf.h"
KCONFIG, MAKEFILE = "drivers/dma-buf/Kconfig", "drivers/dma-buf/Makefile"
DRIVER = "drivers/dma-buf/dma-buf-test-exporter.c"
HELPERS = f"{HEAPS}/heap-helpers.c"
HARNESS = f"{KSELFTEST}/kselftest_harness.h"
PROGRAM = f"{DIRECTORY}/dma-buf-pfnmap.c"
RST = "Documentation/driver-api/dma-buf.rst"
OLD_TABLE = "Documentation/ioctl/ioctl-number"


@dataclass(frozen=True, eq=False)
class Form:
    """What a place looked like in the releases from first to last, and what comes of it.

    left_out: templates, and a part of the reason; has: tokens of a file that the series change;
    lacks: what it lacks after them; says, silent: words that a message has, or that none has.
    """

    first: str
    last: str
    edits: tuple[Edit, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    has: Mapping[str, str] = field(default_factory=dict)
    lacks: Mapping[str, str] = field(default_factory=dict)
    says: str = ""
    silent: str = ""

    def is_in(self, release: str) -> bool:
        """Whether a release has it."""
        first, last = RELEASES.index(self.first), RELEASES.index(self.last)
        return first <= RELEASES.index(release) <= last


def forms_of(release: str) -> tuple[Form, ...]:
    """The forms of a release, in the order in which their edits are made."""
    return tuple(form for form in FORMS if form.is_in(release))


def drop(path: str, pattern: bytes) -> Edit:
    """What matches goes."""
    return sub(path, pattern, b"")


#: dma_buf_mmap() when it put back the file of a VMA whose mmap had failed.
RESTORES_FILE = b"""\
int dma_buf_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma,
		 unsigned long pgoff)
{
	struct file *oldfile;
	int ret;

	get_file(dmabuf->file);
	oldfile = vma->vm_file;
	vma->vm_file = dmabuf->file;
	vma->vm_pgoff = pgoff;

	ret = dmabuf->ops->mmap(dmabuf, vma);
	if (ret) {
		vma->vm_file = oldfile;
		fput(dmabuf->file);
	} else {
		if (oldfile)
			fput(oldfile);
	}
	return ret;

}
"""
#: Both ways to a mapping when exporters were called with the reservation locked.
LOCKED_MMAP = b"""\
int dma_buf_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma,
		 unsigned long pgoff)
{
	int ret;

	vma_set_file(vma, dmabuf->file);
	vma->vm_pgoff = pgoff;

	dma_resv_lock(dmabuf->resv, NULL);
	ret = dmabuf->ops->mmap(dmabuf, vma);
	dma_resv_unlock(dmabuf->resv);

	return ret;
}
"""
LOCKED_MMAP_INTERNAL = b"""\
static int dma_buf_mmap_internal(struct file *file, struct vm_area_struct *vma)
{
	struct dma_buf *dmabuf = file->private_data;
	int ret;

	dma_resv_lock(dmabuf->resv, NULL);
	ret = dmabuf->ops->mmap(dmabuf, vma);
	dma_resv_unlock(dmabuf->resv);

	return ret;
}
"""
#: Members of struct dma_buf that were described in the comment above it.
HEADER_DOCS = b"""\
/**
 * struct dma_buf - shared buffer object
 * @size: size of the buffer
 * @file: file pointer used for sharing buffers across, and for refcounting.
 * @ops: dma_buf_ops associated with this buffer object.
 *
 * This represents a shared buffer, created by calling dma_buf_export().
 */
struct dma_buf {
	size_t size;
	struct file *file;
	const struct dma_buf_ops *ops;
	void *priv;
};
"""
#: The helpers that exported and mapped the buffers of both heaps.
SHARED = b"""\
// SPDX-License-Identifier: GPL-2.0
#include <linux/dma-buf.h>

struct dma_buf *heap_helper_export_dmabuf(struct heap_helper_buffer *buffer,
					  int fd_flags)
{
	DEFINE_DMA_BUF_EXPORT_INFO(exp_info);

	exp_info.ops = &heap_helper_ops;
	exp_info.flags = fd_flags;
	exp_info.priv = buffer;

	return dma_buf_export(&exp_info);
}

static vm_fault_t dma_heap_vm_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct heap_helper_buffer *buffer = vma->vm_private_data;

	if (vmf->pgoff > buffer->pagecount)
		return VM_FAULT_SIGBUS;

	vmf->page = buffer->pages[vmf->pgoff];
	get_page(vmf->page);

	return 0;
}

static int dma_heap_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct heap_helper_buffer *buffer = dmabuf->priv;

	vma->vm_ops = &dma_heap_vm_ops;
	vma->vm_private_data = buffer;

	return 0;
}
"""
#: A heap on top of them.
THIN = b"""\
// SPDX-License-Identifier: GPL-2.0
static int heap_allocate(struct dma_heap *heap, unsigned long len)
{
	return dma_buf_fd(heap_helper_export_dmabuf(helper_buffer, 0), 0);
}
"""
CMA_FAULTS_PAGES = b"""\
static vm_fault_t cma_heap_vm_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct cma_heap_buffer *buffer = vma->vm_private_data;

	if (vmf->pgoff > buffer->pagecount)
		return VM_FAULT_SIGBUS;

	vmf->page = buffer->pages[vmf->pgoff];
	get_page(vmf->page);

	return 0;
}
"""
#: The system heap once it mapped contiguous memory at once.
SEGMENTS = b"""\
static int system_heap_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct system_heap_buffer *buffer = dmabuf->priv;
	unsigned long addr = vma->vm_start;
	struct scatterlist *sg;
	int i, ret;

	for_each_sgtable_sg(&buffer->sg_table, sg, i) {
		ret = remap_pfn_range(vma, addr, page_to_pfn(sg_page(sg)),
				      sg->length, vma->vm_page_prot);
		if (ret)
			return ret;
		addr += sg->length;
	}

	return 0;
}
"""
#: The row of another user of 'b', beside which that of dma-buf goes, and the latter.
ROW_TXT = b"""\
'b'	00-FF				conflict! bit3 vme host bridge
					<mailto:natalia@nikhefk.nikhef.nl>
"""
LISTED = rb"'b'[^\n]*linux/dma-buf\.h[^\n]*\n"

NO_HELPERS = {
    "dma-buf-pfnmap/01-heap-helpers": "no heap helpers that map pages",
    "dma-buf-map-info/03-heap-helpers": "the tree has no heap helpers",
}
BY_CMA, BY_UDMABUF = "dma-buf-pfnmap/02-cma-heap", "dma-buf-pfnmap/03-udmabuf"
KSELFTESTS = (
    "dma-buf-pfnmap/06-kselftest", "dma-buf-pfnmap/07-kselftest-exporter",
    "dma-buf-map-info/08-kselftest", "dma-buf-map-info/09-kselftest-exporter",
)  # fmt: skip
#: What becomes of a fault handler that hands out a page, whose bound had one too many.
MAPS = (
    "if (vmf->pgoff > buffer->pagecount) return VM_FAULT_SIGBUS; "
    "return vmf_insert_pfn(vma, vmf->address, page_to_pfn(buffer->pages[vmf->pgoff]));"
)
PFN_FLAGS = "VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP"
CLAIM = "exp_info.map_info = DMA_BUF_MAP_INCOHERENT;"

#: Flags of VMAs.
VMA = (
    Form(
        "4.19", "5.11", (sub(MM, rb"\bis_cow_mapping\b", b"is_private_mapping"),),
        has={CORE: "if ((vma->vm_flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE)"},
    ),
    Form("5.12", "7.2", has={CORE: "if (is_cow_mapping(vma->vm_flags))"}),
    Form(
        "7.3", NEWEST,
        (
            sub(MM, rb"\bis_cow_mapping\b", b"is_private_mapping"),
            add(MM, b"bool vma_is_cow_mapping(const struct vm_area_struct *vma);\n"),
        ),
        has={CORE: "if (vma_is_cow_mapping(vma))"},
    ),
    Form(
        "4.19", "7.0",
        has={CORE: "if ((vma->vm_flags & (VM_PFNMAP | VM_MIXEDMAP)) != VM_PFNMAP)"},
    ),
    Form(
        "7.1", NEWEST,
        (add(MM, b"bool vma_test(const struct vm_area_struct *vma, vma_flag_t bit);\n"),),
        has={CORE: "if (!vma_test(vma, VMA_PFNMAP_BIT) || vma_test(vma, VMA_MIXEDMAP_BIT))"},
    ),
    Form(
        "4.19", "6.2", (sub(MM, rb"\bvm_flags_set\b", b"vm_flags_or"),),
        has={DRIVER: "vma->vm_flags |= VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP;"},
    ),
    Form(
        "6.3", NEWEST,
        has={DRIVER: "vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);"},
    ),
)  # fmt: skip

PUTS_FILE_OF_VMA = rb"\tfput\(vma->vm_file\);\n\tvma->vm_file = NULL;\n"
#: What a failed mmap does with the file.
FAILED_MMAP = (
    Form(
        "4.19", "5.10",
        (sub("mm/mmap.c", PUTS_FILE_OF_VMA, b"\tvma->vm_file = NULL;\n\tfput(file);\n"),),
    ),
    Form(
        "6.13", NEWEST,
        (
            drop("mm/mmap.c", PUTS_FILE_OF_VMA),
            add("mm/vma.c", b"\tfput(vma->vm_file);\n\tvma->vm_file = NULL;\n"),
        ),
    ),
)  # fmt: skip

#: dma-buf.c.
THE_CORE = (
    Form(
        "4.19", NEWEST, left_out={"common/factor-out-mmap": "the series before it has it"}
    ),
    Form(
        "4.19", "5.10", (function(CORE, "dma_buf_mmap", RESTORES_FILE),),
        has={CORE: "ret = __dma_buf_mmap(dmabuf, vma); if (ret) { vma->vm_file = oldfile;"},
    ),
    Form("5.11", "6.1", has={CORE: "vma->vm_pgoff = pgoff; return __dma_buf_mmap(dmabuf, vma);"}),
    Form(
        "6.2", "6.5",
        (
            function(CORE, "dma_buf_mmap", LOCKED_MMAP),
            function(CORE, "dma_buf_mmap_internal", LOCKED_MMAP_INTERNAL),
        ),
        has={
            CORE: "vma->vm_pgoff = pgoff; dma_resv_lock(dmabuf->resv, NULL); "
            "ret = __dma_buf_mmap(dmabuf, vma); dma_resv_unlock(dmabuf->resv);"
        },
    ),
    Form("6.6", NEWEST, has={CORE: "vma->vm_pgoff = pgoff; return __dma_buf_mmap(dmabuf, vma);"}),
    Form(
        "4.19", "4.19",
        (
            sub(
                CORE,
                rb"\|\| !exp_info->ops->release",
                b"|| !exp_info->ops->map ||\n\t\t    !exp_info->ops->release",
            ),
        ),
        has={DRIVER: ".map = test_map,"},
    ),
    Form("4.20", NEWEST, lacks={DRIVER: "test_map,"}),
    Form(
        "4.19", "5.15",
        (sub(CORE, rb"_NS_GPL\(dma_buf_mmap, DMA_BUF\)", b"_GPL(dma_buf_mmap)"),),
        lacks={DRIVER: "MODULE_IMPORT_NS"},
    ),
    Form("5.16", "6.12", has={DRIVER: "MODULE_IMPORT_NS(DMA_BUF);"}),
    Form(
        "6.13", NEWEST, (sub(CORE, rb"\(dma_buf_mmap, DMA_BUF\)", b'(dma_buf_mmap, "DMA_BUF")'),),
        has={DRIVER: 'MODULE_IMPORT_NS("DMA_BUF");'},
    ),
    Form(
        "4.19", "5.11", (drop(KCONFIG, rb"config DMABUF_DEBUG\n.*?(?=\nconfig )"),),
        silent="CONFIG_DMABUF_DEBUG",
    ),
    Form("5.12", NEWEST, says="CONFIG_DMABUF_DEBUG is the counterpart inside the kernel"),
)  # fmt: skip

#: Numbers of ioctls, and the documents that speak of them.
IOCTLS = (
    Form(
        "4.19", "5.19",
        (
            drop(UAPI, rb"#define DMA_BUF_IOCTL_(EX|IM)PORT_SYNC_FILE[^\n]*\n"),
            drop(CORE, rb"#if IS_ENABLED\(CONFIG_SYNC_FILE\)\n\tcase.*?#endif\n\n"),
        ),
        says="Number 4 is free here and in mainline, where 2 and 3 have come to stand for",
    ),
    Form("6.0", NEWEST, says="Number 4 is free. "),
    Form(
        "4.19", "5.2",
        (
            drop(UAPI, rb"/\* 32/64bitness.*?\*/\n"),
            drop(UAPI, rb"#define DMA_BUF_SET_NAME.*?DMA_BUF_SET_NAME_B[^\n]*\n"),
            drop(CORE, rb"\tcase DMA_BUF_SET_NAME_A.*?arg\);\n\n"),
        ),
        has={
            UAPI: "#define DMA_BUF_IOCTL_SYNC _IOW(DMA_BUF_BASE, 0, struct dma_buf_sync) "
            "#define DMA_BUF_IOCTL_INFO _IOWR(DMA_BUF_BASE, 4, struct dma_buf_info)"
        },
    ),
    Form(
        "5.3", "5.6",
        (
            drop(UAPI, rb"/\* 32/64bitness.*?\*/\n"),
            drop(UAPI, rb"#define DMA_BUF_SET_NAME_A.*?DMA_BUF_SET_NAME_B[^\n]*\n"),
            sub(CORE, rb"case DMA_BUF_SET_NAME_A:.*?SET_NAME_B:", b"case DMA_BUF_SET_NAME:"),
        ),
        has={
            UAPI: "#define DMA_BUF_SET_NAME _IOW(DMA_BUF_BASE, 1, const char *) "
            "#define DMA_BUF_IOCTL_INFO _IOWR(DMA_BUF_BASE, 4, struct dma_buf_info)"
        },
    ),
    Form(
        "5.7", "5.19",
        has={
            UAPI: "#define DMA_BUF_SET_NAME_B _IOW(DMA_BUF_BASE, 1, __u64) "
            "#define DMA_BUF_IOCTL_INFO _IOWR(DMA_BUF_BASE, 4, struct dma_buf_info)"
        },
    ),
    Form(
        "4.19", "5.2", (put({TABLE: None, f"{OLD_TABLE}.txt": ROW_TXT}),),
        has={f"{OLD_TABLE}.txt": "'b' 00-0F linux/dma-buf.h conflict!"},
    ),
    Form(
        "5.3", "5.4",
        (
            drop(TABLE, LISTED),
            lambda tree: {TABLE: None, f"{OLD_TABLE}.rst": tree.read(TABLE)},
        ),
        has={f"{OLD_TABLE}.rst": "'b' 00-0F linux/dma-buf.h conflict!"},
    ),
    Form(
        "5.5", "6.2", (drop(TABLE, LISTED),),
        has={TABLE: "'b' 00-0F linux/dma-buf.h conflict!"},
    ),
    Form(
        "4.19", "5.14",
        (drop(RST, rb"DMA Buffer ioctls\n~+\n\n\.\. kernel-doc:: include/uapi[^\n]*\n\n"),),
        has={RST: ".. kernel-doc:: include/uapi/linux/dma-buf.h"},
    ),
)  # fmt: skip

#: include/linux/dma-buf.h.
HEADERS = (
    Form(
        "4.19", "5.14", (sub(HEADER, rb"/\*\*\n \* struct dma_buf - .*?\n\};\n", HEADER_DOCS),),
        has={HEADER: "size_t size; enum dma_buf_map_info map_info; struct file *file;"},
    ),
    Form("5.15", NEWEST, has={HEADER: "enum dma_buf_map_info map_info;"}),
    Form(
        "4.19", "5.5",
        (
            sub(
                HEADER,
                rb"(?=\tint \(\*vmap\))",
                b"\tvoid *(*map)(struct dma_buf *, unsigned long);\n"
                b"\tvoid (*unmap)(struct dma_buf *, unsigned long, void *);\n\n",
            ),
        ),
    ),
    Form("4.19", "5.2", (drop(HEADER, rb"\tbool cache_sgt_mapping;\n"),)),
    Form(
        "4.19", "5.10",
        (
            sub(HEADER, rb"int \(\*vmap\)[^;]*;", b"void *(*vmap)(struct dma_buf *);"),
            sub(HEADER, rb"void \(\*vunmap\)[^;]*;", b"void (*vunmap)(struct dma_buf *, void *);"),
        ),
    ),
    Form("5.11", "5.17", (sub(HEADER, rb"\biosys_map\b", b"dma_buf_map"),)),
)  # fmt: skip

#: What exports buffers.
EXPORTERS = (
    Form(
        "4.19", "5.5",
        (
            without(HEAPS),
            put({"include/uapi/linux/dma-heap.h": None}),
            drop(MAKEFILE, rb"obj-\$\(CONFIG_DMABUF_HEAPS\)\s*\+= [^\n]*\n"),
            drop(KCONFIG, rb"menuconfig DMABUF_HEAPS\n.*?heaps/Kconfig\"\n\n"),
        ),
        left_out={
            "dma-buf-map-info/04-system-heap": "the tree has no system heap",
            "dma-buf-map-info/05-cma-heap": "the tree has no CMA heap",
            BY_CMA: "the tree has no CMA heap",
        }
        | NO_HELPERS,
    ),
    Form(
        "5.6", "5.10",
        (
            put({HELPERS: SHARED, SYSTEM: THIN, CMA: THIN}),
            add(f"{HEAPS}/Makefile", b"obj-y\t\t\t\t\t+= heap-helpers.o\n"),
        ),
        left_out={
            "dma-buf-map-info/04-system-heap": "the heap helpers export its buffers here",
            "dma-buf-map-info/05-cma-heap": "the heap helpers export its buffers here",
            BY_CMA: "the CMA heap maps no pages here",
        },
        has={HELPERS: f"exp_info.flags = fd_flags; {CLAIM}"},
    ),
    Form("5.6", "5.10", has={HELPERS: MAPS}, lacks={HELPERS: "get_page("}),
    Form("5.6", "5.10", has={HELPERS: f"vma->vm_flags |= {PFN_FLAGS};"}),
    Form("5.11", NEWEST, left_out=NO_HELPERS, has={SYSTEM: CLAIM, CMA: CLAIM}),
    Form(
        "5.11", "6.7",
        (
            function(CMA, "cma_heap_vm_fault", CMA_FAULTS_PAGES),
            drop(CMA, rb"\tvm_flags_set\(vma, [^;]*;\n\n"),
        ),
        has={CMA: MAPS},
        lacks={CMA: "get_page("},
    ),
    Form("5.11", "6.2", has={CMA: f"vma->vm_flags |= {PFN_FLAGS};"}),
    Form("6.3", "6.7", has={CMA: f"vm_flags_set(vma, {PFN_FLAGS});"}),
    Form("6.8", NEWEST, left_out={BY_CMA: "the CMA heap maps no pages here"}),
    Form("4.19", "5.10", silent="the system heap accepts one of a buffer of a single page"),
    Form("5.11", NEWEST, says="the system heap accepts one of a buffer of a single page"),
    Form("6.19", NEWEST, (function(SYSTEM, "system_heap_mmap", SEGMENTS),)),
    Form(
        "4.19", "4.19",
        (
            put({UDMABUF: None, "include/uapi/linux/udmabuf.h": None}),
            drop(MAKEFILE, rb"obj-\$\(CONFIG_UDMABUF\)[^\n]*\n"),
        ),
        left_out={
            "dma-buf-map-info/06-udmabuf": "the tree has no udmabuf",
            BY_UDMABUF: "the tree has no udmabuf",
        },
    ),
    Form("4.20", NEWEST, has={UDMABUF: CLAIM}),
    Form(
        "4.20", "5.18", (udmabuf(b"", b"vmf->pgoff"),),
        has={UDMABUF: "page_to_pfn(ubuf->pages[vmf->pgoff])"},
        lacks={UDMABUF: "get_page("},
    ),
    Form(
        "5.19", "6.10",
        (
            udmabuf(
                b"\tpgoff_t pgoff = vmf->pgoff;\n\n\tif (pgoff >= ubuf->pagecount)\n"
                b"\t\treturn VM_FAULT_SIGBUS;\n",
                b"pgoff",
            ),
        ),
        has={UDMABUF: "page_to_pfn(ubuf->pages[pgoff])"},
        lacks={UDMABUF: "get_page("},
    ),
    Form("6.11", NEWEST, left_out={BY_UDMABUF: "udmabuf maps no pages here"}),
)  # fmt: skip

#: What the test exporter calls, and where it is built.
TEST_EXPORTER = (
    Form(
        "4.19", "5.1",
        (
            sub(
                MAKEFILE,
                rb"obj-y := .*?dma-resv\.o\n",
                b"obj-y := dma-buf.o dma-fence.o dma-fence-array.o reservation.o seqno-fence.o\n",
            ),
        ),
    ),
    Form("4.19", "5.3", (drop(MAKEFILE, rb"\ndmabuf_selftests-y.*"),)),
    Form("4.19", "5.14", (drop(MAKEFILE, rb"obj-\$\(CONFIG_DMABUF_SYSFS_STATS\)[^\n]*\n"),)),
    Form(
        "4.19", NEWEST,
        has={MAKEFILE: "obj-$(CONFIG_DMABUF_TEST_EXPORTER) += dma-buf-test-exporter.o"},
    ),
    Form("4.19", NEWEST, has={KCONFIG: "config DMABUF_TEST_EXPORTER tristate"}),
    Form(
        "4.19", "5.7",
        (sub("include/linux/dma-mapping.h", rb"\bdma_map_sgtable\b", b"dma_map_table"),),
        has={DRIVER: "sgt->nents = dma_map_sg("},
    ),
    Form("5.8", NEWEST, has={DRIVER: "ret = dma_map_sgtable(attach->dev, sgt, dir, 0);"}),
    Form(
        "4.19", "5.4", (sub("include/linux/fs.h", rb"\bcompat_ptr_ioctl\b", b"compat_any_ioctl"),),
        has={DRIVER: ".compat_ioctl = test_compat_ioctl,"},
    ),
    Form("5.5", NEWEST, has={DRIVER: ".compat_ioctl = compat_ptr_ioctl,"}),
    Form("4.19", "6.19", has={DRIVER: "sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);"}),
    Form(
        "7.0", NEWEST, (add("scripts/checkpatch.pl", b"kzalloc_obj\n"),),
        has={DRIVER: "sgt = kzalloc_obj(*sgt);"},
    ),
)  # fmt: skip

#: The kselftests and what they are written with.
SELFTESTS = (
    Form(
        "4.19", "5.7",
        (
            sub(HARNESS, rb"#define FIXTURE_VARIANT\(", b"#define FIXTURE_KIND("),
            sub(HARNESS, rb"#define SKIP\(", b"#define XFAIL_ALL("),
        ),
        left_out=dict.fromkeys(KSELFTESTS, "FIXTURE_VARIANT() in kselftest_harness.h"),
    ),
    Form(
        "5.8", "5.8", (sub(HARNESS, rb"#define SKIP\(", b"#define XFAIL_ALL("),),
        left_out=dict.fromkeys(KSELFTESTS, "SKIP() in kselftest_harness.h"),
    ),
    Form(
        "4.19", "4.19",
        (
            without(DIRECTORY),
            drop(f"{KSELFTEST}/Makefile", rb"TARGETS \+= drivers/dma-buf\n"),
        ),
    ),
    Form("4.19", "5.1", (put({f"{KSELFTEST}/drivers/.gitignore": None}),)),
    Form(
        "4.20", "6.0",
        (sub(f"{DIRECTORY}/Makefile", rb"\$\(KHDR_INCLUDES\)", b"-I../../../../../usr/include/"),),
    ),
    Form(
        "5.9", NEWEST,
        has={
            f"{DIRECTORY}/Makefile": "TEST_GEN_PROGS := udmabuf dma-buf-pfnmap dma-buf-pfnmap-warn"
        },
    ),
    Form("5.9", NEWEST, has={f"{DIRECTORY}/config": "CONFIG_DMABUF_TEST_EXPORTER=y"}),
    Form("5.9", "6.18", has={PROGRAM: '#include "../../kselftest_harness.h"'}),
    Form(
        "6.19", NEWEST,
        (add(f"{KSELFTEST}/lib.mk", b"CFLAGS += -I${top_srcdir}/tools/testing/selftests\n"),),
        has={PROGRAM: '#include "kselftest_harness.h"'},
    ),
)  # fmt: skip

FORMS = (*VMA, *FAILED_MMAP, *THE_CORE, *IOCTLS, *HEADERS, *EXPORTERS, *TEST_EXPORTER, *SELFTESTS)
