/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The exporter here is that of 6.12. What it says in other words in a tree of
 * another release, for which it would be rendered anew.
 */
#ifdef WITHOUT_VM_FLAGS_SET
#define vm_flags_set(vma, flags) ((vma)->vm_flags |= (flags))
#endif

#ifdef WITH_QUOTED_NAMESPACES
#define DMA_BUF "DMA_BUF"
#endif
