# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel's functions do to a mapping: the table that a path is read by.

Source of each: mm/memory.c, mm/vmalloc.c, mm/huge_memory.c, include/linux/mm.h,
kernel/dma/mapping.c and drivers/iommu/dma-iommu.c, read on Linux 5.10 to 7.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Insert(Enum):
    """What is put into the page table."""

    PAGES = "pages"
    PFNS = "PFNs"
    MIXED = "PFNs of a mixed mapping"
    DMA = "what the DMA API chooses"


@dataclass(frozen=True, slots=True)
class Mapper:
    """A function that fills a mapping: what it inserts, and where its protection comes from.

    protection: index of the argument that is the page protection; None if vma->vm_page_prot.
    caching: what the function makes of the protection itself, empty if nothing.
    """

    inserts: Insert
    protection: int | None = None
    caching: str = ""


#: Functions that a callback calls to fill the mapping at once.
MAPPERS = {
    # vm_insert_page() and what ends in it set VM_MIXEDMAP where it is not set.
    "vm_insert_page": Mapper(Insert.PAGES),
    "vm_insert_pages": Mapper(Insert.PAGES),
    "vm_map_pages": Mapper(Insert.PAGES),
    "vm_map_pages_zero": Mapper(Insert.PAGES),
    "remap_vmalloc_range": Mapper(Insert.PAGES),
    "remap_vmalloc_range_partial": Mapper(Insert.PAGES),
    # remap_pfn_range() and what ends in it set VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP.
    "remap_pfn_range": Mapper(Insert.PFNS, 4),
    "remap_pfn_range_notrack": Mapper(Insert.PFNS, 4),
    "io_remap_pfn_range": Mapper(Insert.PFNS, 4),
    "vm_iomap_memory": Mapper(Insert.PFNS),
    "dma_mmap_pages": Mapper(Insert.PFNS),
    "dma_common_mmap": Mapper(Insert.PFNS, None, "by the DMA API"),
    # dma_direct_mmap() remaps PFNs, iommu_dma_mmap() inserts pages of what it got by vmalloc.
    "dma_mmap_attrs": Mapper(Insert.DMA, None, "by the DMA API"),
    "dma_mmap_coherent": Mapper(Insert.DMA, None, "by the DMA API"),
    "dma_mmap_wc": Mapper(Insert.DMA, None, "write-combined by the DMA API"),
    "dma_mmap_writecombine": Mapper(Insert.DMA, None, "write-combined by the DMA API"),
    "dma_mmap_noncontiguous": Mapper(Insert.DMA),
}

#: Functions that insert and set no flag: what they do rests on the flags that are there.
INSERTERS = {
    "vmf_insert_pfn": Mapper(Insert.PFNS),
    "vm_insert_pfn": Mapper(Insert.PFNS),
    "vmf_insert_pfn_prot": Mapper(Insert.PFNS, 3),
    "vmf_insert_pfn_pmd": Mapper(Insert.PFNS),
    "vmf_insert_pfn_pud": Mapper(Insert.PFNS),
    "vmf_insert_pfn_pmd_prot": Mapper(Insert.PFNS, 2),
    "vmf_insert_pfn_pud_prot": Mapper(Insert.PFNS, 2),
    "vmf_insert_mixed": Mapper(Insert.MIXED),
    "vmf_insert_mixed_prot": Mapper(Insert.MIXED, 3),
    "vmf_insert_mixed_mkwrite": Mapper(Insert.MIXED),
    "vmf_insert_page": Mapper(Insert.PAGES),
    "vmf_insert_page_mkwrite": Mapper(Insert.PAGES),
    "vmf_insert_folio_pmd": Mapper(Insert.PAGES),
    "vmf_insert_folio_pud": Mapper(Insert.PAGES),
    "filemap_fault": Mapper(Insert.PAGES),
    "shmem_fault": Mapper(Insert.PAGES),
    "dax_iomap_fault": Mapper(Insert.MIXED),
}

#: Inserters with the BUG_ON()s of mm/memory.c and mm/huge_memory.c, among them that of a
#: copy-on-write mapping with VM_PFNMAP.
CHECKED = frozenset(name for name in INSERTERS if "insert_pfn" in name)

#: Functions with VM_-flags as arguments: which arguments set and which clear, from the second on.
FLAG_SETTERS = {"vm_flags_set": (1, None), "vm_flags_clear": (None, 1), "vm_flags_mod": (1, 2)}
#: The same with any number of bits (VMA_PFNMAP_BIT), from Linux 7.0 on.
BIT_SETTERS = {"vma_set_flags": True, "vma_clear_flags": False}
#: Functions that set all the flags anew.
FLAG_RESETTERS = frozenset({"vm_flags_reset", "vm_flags_reset_once", "vm_flags_init"})

#: Functions that ask whether a mapping is copy-on-write.
COW_TESTS = frozenset({"is_cow_mapping", "vma_is_cow_mapping", "vma_desc_is_cow_mapping"})

#: Functions that hand the whole mapping to another file, and which argument that file is.
FILE_MAPPERS = {"call_mmap": 0, "vfs_mmap": 0}
#: Functions that exchange vma->vm_file.
FILE_SETTERS = frozenset({"vma_set_file"})

#: Functions that take a mapping and leave its flags, operations and page table as they are.
HARMLESS = frozenset(
    {
        "vma_pages", "vma_start_pgoff", "vma_end_pgoff", "vma_last_pgoff", "linear_page_index",
        "linear_page_delta", "vma_is_cow_mapping", "vma_get_page_prot", "vma_test", "vma_test_any",
        "vma_test_all", "vma_kernel_pagesize", "vma_is_shared_maywrite", "range_in_vma",
        "handle_mm_fault", "zap_vma_ptes", "zap_page_range_single", "zap_special_vma_range",
        "zap_vma_range", "flush_cache_range", "flush_tlb_range", "vma_is_dax", "vma_is_anonymous",
        "mmu_interval_notifier_insert", "file_accessed", "find_vma", "mmap_assert_write_locked",
        "vma_assert_write_locked", "vma_start_read", "vma_end_read", "vma_iter_init", "get_vma",
        "lock_vma_under_rcu", "fault_flag_allow_retry_first", "update_mmu_cache", "vma_address",
        "drm_gem_vm_open", "drm_gem_vm_close", "ttm_bo_vm_open", "ttm_bo_vm_close", "sizeof",
        "READ_ONCE", "WRITE_ONCE", "WARN_ON", "BUG_ON", "likely", "unlikely", "container_of",
        "IS_ERR", "PTR_ERR", "trace_vb2_mmap", "untrack_pfn", "is_vm_hugetlb_page", "fput",
        "vma_start_write", "atomic_inc", "mmget", "dev_dbg", "VM_BUG_ON_VMA",
    }
)  # fmt: skip

#: pgprot_*() and what each makes of a mapping's caching (include/linux/pgtable.h).
PROTECTIONS = {
    "pgprot_writecombine": "write-combined",
    "pgprot_noncached": "uncached",
    "pgprot_device": "uncached",
    "pgprot_noncached_wc": "write-combined",
    "pgprot_dmacoherent": "coherent for DMA",
    "pgprot_cached": "cached",
    "pgprot_decrypted": "decrypted",
    "pgprot_encrypted": "encrypted",
    "vm_get_page_prot": "cached",
    "vma_get_page_prot": "cached",
    "ttm_io_prot": "chosen by TTM",
}
