// SPDX-License-Identifier: GPL-2.0-only
/*
 * A private mapping whose exporter inserts a PFN on each fault.
 *
 * A kernel without the change allows it, and the first access, be it only a
 * read, is a BUG() in vmf_insert_pfn_prot(). The process may never end then, so
 * do not run this on such a kernel unless it is there to be crashed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dma-buf-test-buffers.h"
#include "../../kselftest_harness.h"

FIXTURE(pfn_fault)
{
	struct test_buffer buf;
};

FIXTURE_SETUP(pfn_fault)
{
	struct dma_buf_test_export request = {
		.pages = 1,
		.mapping = DMA_BUF_TEST_PFN_FAULT,
	};

	test_buffer_open(&self->buf);
	if (self->buf.missing)
		return;
	ASSERT_EQ(0, test_buffer_export(&self->buf, request, MMAP_DIRECT));
}

FIXTURE_TEARDOWN(pfn_fault)
{
	test_buffer_put(&self->buf);
}

/* The negative control, and first, as nothing may come after the other. */
TEST_F(pfn_fault, shared_write)
{
	char *map;

	if (self->buf.missing)
		SKIP(return, "no %s", self->buf.missing);

	map = test_buffer_mmap(&self->buf, PROT_READ | PROT_WRITE,
			       MAP_SHARED);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_TRUE(test_buffer_shared(&self->buf, map));
	munmap(map, self->buf.size);
}

TEST_F(pfn_fault, private_write)
{
	char *map;

	if (self->buf.missing)
		SKIP(return, "no %s", self->buf.missing);

	map = test_buffer_mmap(&self->buf, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	if (map != MAP_FAILED) {
		/* The console first: this may be the last that is done here. */
		sleep(1);
		*map = 1;
	}

	ASSERT_EQ(MAP_FAILED, map);
	EXPECT_EQ(EINVAL, errno);
}

TEST_HARNESS_MAIN
