// SPDX-License-Identifier: GPL-2.0-only
/*
 * Private mappings, which are copied on write: refused by the core for every
 * kind of mapping that an exporter may set up, and for both ways to one.
 *
 * On a kernel without the change it is up to exporters, and this one does not
 * mind: all tests of private mappings fail. None of them touches the memory,
 * see dma-buf-pfnmap-fault for what would happen.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>

#include "dma-buf-kmsg.h"
#include "dma-buf-test-buffers.h"
#include "../../kselftest_harness.h"

FIXTURE(cow)
{
	struct test_buffer buf;
};

FIXTURE_VARIANT(cow)
{
	enum dma_buf_test_mapping mapping;
	enum mmap_way way;
};

FIXTURE_VARIANT_ADD(cow, remap)
{
	.mapping = DMA_BUF_TEST_REMAP,
	.way = MMAP_DIRECT,
};

FIXTURE_VARIANT_ADD(cow, remap_imported)
{
	.mapping = DMA_BUF_TEST_REMAP,
	.way = MMAP_IMPORTED,
};

FIXTURE_VARIANT_ADD(cow, pfn_fault)
{
	.mapping = DMA_BUF_TEST_PFN_FAULT,
	.way = MMAP_DIRECT,
};

FIXTURE_VARIANT_ADD(cow, pfn_fault_imported)
{
	.mapping = DMA_BUF_TEST_PFN_FAULT,
	.way = MMAP_IMPORTED,
};

FIXTURE_VARIANT_ADD(cow, page_insert)
{
	.mapping = DMA_BUF_TEST_PAGE_INSERT,
	.way = MMAP_DIRECT,
};

FIXTURE_VARIANT_ADD(cow, page_insert_imported)
{
	.mapping = DMA_BUF_TEST_PAGE_INSERT,
	.way = MMAP_IMPORTED,
};

FIXTURE_VARIANT_ADD(cow, page_fault)
{
	.mapping = DMA_BUF_TEST_PAGE_FAULT,
	.way = MMAP_DIRECT,
};

FIXTURE_VARIANT_ADD(cow, page_fault_imported)
{
	.mapping = DMA_BUF_TEST_PAGE_FAULT,
	.way = MMAP_IMPORTED,
};

FIXTURE_SETUP(cow)
{
	struct dma_buf_test_export request = {
		/* mm itself refuses to remap more than one in a private mapping. */
		.pages = 1,
		.mapping = variant->mapping,
	};

	test_buffer_open(&self->buf);
	if (self->buf.missing)
		return;
	ASSERT_EQ(0, test_buffer_export(&self->buf, request, variant->way));
}

FIXTURE_TEARDOWN(cow)
{
	test_buffer_put(&self->buf);
}

/* The negative control: what is allowed before and after the change. */
TEST_F(cow, shared)
{
	const char *missing = self->buf.missing;
	char *map;

	/* A shared mapping of pages makes the kernel warn. */
	if (!missing && (variant->mapping == DMA_BUF_TEST_PAGE_INSERT ||
			 variant->mapping == DMA_BUF_TEST_PAGE_FAULT))
		missing = warning_missing();
	if (missing)
		SKIP(return, "no %s", missing);

	EXPECT_EQ(0, test_buffer_try_mmap(&self->buf, PROT_NONE, MAP_SHARED));
	EXPECT_EQ(0, test_buffer_try_mmap(&self->buf, PROT_READ, MAP_SHARED));
	map = test_buffer_mmap(&self->buf, PROT_READ | PROT_WRITE,
			       MAP_SHARED);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_TRUE(test_buffer_shared(&self->buf, map));
	munmap(map, self->buf.size);
}

TEST_F(cow, private_write)
{
	if (self->buf.missing)
		SKIP(return, "no %s", self->buf.missing);

	EXPECT_EQ(EINVAL, test_buffer_try_mmap(&self->buf,
					       PROT_READ | PROT_WRITE,
					       MAP_PRIVATE));
}

/* mprotect() could make it writable later: copy-on-write as well. */
TEST_F(cow, private_read)
{
	if (self->buf.missing)
		SKIP(return, "no %s", self->buf.missing);

	EXPECT_EQ(EINVAL, test_buffer_try_mmap(&self->buf, PROT_READ,
					       MAP_PRIVATE));
}

TEST_F(cow, private_none)
{
	if (self->buf.missing)
		SKIP(return, "no %s", self->buf.missing);

	EXPECT_EQ(EINVAL, test_buffer_try_mmap(&self->buf, PROT_NONE,
					       MAP_PRIVATE));
}

/* The exporter, which counts its mappings, has not even been asked. */
TEST_F(cow, private_leaves_nothing)
{
	int refused = 0;
	int i;

	if (self->buf.missing)
		SKIP(return, "no %s", self->buf.missing);

	for (i = 0; i < 32; i++)
		if (test_buffer_try_mmap(&self->buf, PROT_READ,
					 MAP_PRIVATE) == EINVAL)
			refused++;
	EXPECT_EQ(32, refused);
	EXPECT_EQ(0, test_buffer_mappings(&self->buf));
}

TEST_HARNESS_MAIN
