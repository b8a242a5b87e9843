// SPDX-License-Identifier: GPL-2.0-only
/*
 * What can be done to a mapping of a dma-buf, by the way in which its exporter
 * set it up. This is mm's doing and the same on every kernel, with and without
 * a rule for exporters: it shows what is at stake, and that the check of the
 * rule changes none of it.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64	/* /proc/self/mem, for 32-bit programs */

#include "dma-buf-probes.h"

#include "dma-buf-kmsg.h"
#include "dma-buf-test-buffers.h"
#include "../../kselftest_harness.h"

FIXTURE(kind)
{
	struct test_buffer buf;
	char *map;
	char *plain;
};

FIXTURE_VARIANT(kind)
{
	enum dma_buf_test_mapping mapping;
	bool pfnmap;		/* nothing can be taken from it */
	bool io;
	bool mixed;
};

FIXTURE_VARIANT_ADD(kind, remap)
{
	.mapping = DMA_BUF_TEST_REMAP,
	.pfnmap = true,
	.io = true,
};

FIXTURE_VARIANT_ADD(kind, pfn_fault)
{
	.mapping = DMA_BUF_TEST_PFN_FAULT,
	.pfnmap = true,
};

FIXTURE_VARIANT_ADD(kind, page_insert)
{
	.mapping = DMA_BUF_TEST_PAGE_INSERT,
	.mixed = true,
};

FIXTURE_VARIANT_ADD(kind, page_fault)
{
	.mapping = DMA_BUF_TEST_PAGE_FAULT,
};

FIXTURE_VARIANT_ADD(kind, both)
{
	.mapping = DMA_BUF_TEST_MIXED,
	.pfnmap = true,
	.io = true,
	.mixed = true,
};

FIXTURE_SETUP(kind)
{
	struct dma_buf_test_export request = {
		.pages = 4,
		.mapping = variant->mapping,
	};

	self->plain = mmap(NULL, 2 * page_size(), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->plain);
	memset(self->plain, 1, 2 * page_size());

	test_buffer_open(&self->buf);
	if (!self->buf.missing && (!variant->pfnmap || variant->mixed))
		self->buf.missing = warning_missing();
	if (self->buf.missing)
		return;
	ASSERT_EQ(0, test_buffer_export(&self->buf, request, MMAP_DIRECT));
	self->map = test_buffer_mmap(&self->buf, PROT_READ | PROT_WRITE,
				     MAP_SHARED);
	ASSERT_NE(MAP_FAILED, self->map);
}

FIXTURE_TEARDOWN(kind)
{
	if (self->map)
		munmap(self->map, self->buf.size);
	munmap(self->plain, 2 * page_size());
	test_buffer_put(&self->buf);
}

TEST_F(kind, shared)
{
	if (self->buf.missing)
		SKIP(return, "no %s", self->buf.missing);

	EXPECT_TRUE(test_buffer_shared(&self->buf, self->map));
}

TEST_F(kind, vm_flags)
{
	int found;

	if (self->buf.missing)
		SKIP(return, "no %s", self->buf.missing);

	found = has_vm_flag(self->plain, " pf");
	if (found < 0)
		SKIP(return, "VmFlags in /proc/self/smaps: %s",
		     strerror(-found));

	EXPECT_EQ(variant->pfnmap, has_vm_flag(self->map, " pf"));
	EXPECT_EQ(variant->pfnmap, has_vm_flag(self->map, " de"));
	EXPECT_EQ(variant->pfnmap, has_vm_flag(self->map, " dd"));
	EXPECT_EQ(variant->io, has_vm_flag(self->map, " io"));
	EXPECT_EQ(variant->mixed, has_vm_flag(self->map, " mm"));
}

/*
 * A probe works on anonymous memory, and on a mapping of pages. Where it fails
 * on the former, the kernel has no such call, and nothing can be told.
 */
static void expect_outcome(struct __test_metadata *_metadata,
			   int (*probe)(char *addr), char *plain, char *map,
			   int outcome)
{
	int err = probe(plain);

	if (err)
		SKIP(return, "not even on other memory: %s", strerror(err));

	EXPECT_EQ(outcome, probe(map));
}

TEST_F(kind, process_vm_readv)
{
	if (self->buf.missing)
		SKIP(return, "no %s", self->buf.missing);

	expect_outcome(_metadata, probe_process_vm_readv, self->plain,
		       self->map, variant->pfnmap ? EFAULT : 0);
}

TEST_F(kind, vmsplice)
{
	if (self->buf.missing)
		SKIP(return, "no %s", self->buf.missing);

	expect_outcome(_metadata, probe_vmsplice, self->plain,
		       self->map, variant->pfnmap ? EFAULT : 0);
}

TEST_F(kind, proc_mem)
{
	if (self->buf.missing)
		SKIP(return, "no %s", self->buf.missing);

	expect_outcome(_metadata, probe_proc_mem, self->plain,
		       self->map, variant->pfnmap ? EIO : 0);
}

/* Some kernels register no memory that has a file behind it. */
TEST_F(kind, io_uring)
{
	int err;

	if (self->buf.missing)
		SKIP(return, "no %s", self->buf.missing);

	err = probe_io_uring(self->plain);
	if (err)
		SKIP(return, "not even on other memory: %s", strerror(err));

	err = probe_io_uring(self->map);
	if (!variant->pfnmap && err == EOPNOTSUPP)
		err = 0;
	EXPECT_EQ(variant->pfnmap ? EFAULT : 0, err);
}

TEST_F(kind, madvise_dontneed)
{
	if (self->buf.missing)
		SKIP(return, "no %s", self->buf.missing);

	expect_outcome(_metadata, probe_madvise, self->plain,
		       self->map, variant->pfnmap ? EINVAL : 0);
}

TEST_F(kind, direct_io)
{
	int fd;

	if (self->buf.missing)
		SKIP(return, "no %s", self->buf.missing);

	fd = open_direct(self->plain);
	if (fd < 0)
		SKIP(return, "no file here that is read past the page cache");

	EXPECT_EQ(variant->pfnmap ? EFAULT : 0, read_page(fd, self->map));
	close(fd);
}

/* A page in the middle is moved, and grows where it goes. */
TEST_F(kind, mremap_grow)
{
	if (self->buf.missing)
		SKIP(return, "no %s", self->buf.missing);

	expect_outcome(_metadata, probe_mremap, self->plain,
		       self->map, variant->pfnmap ? EFAULT : 0);
}

/* It is of no use where there are no pages to lock, but not refused. */
TEST_F(kind, mlock)
{
	if (self->buf.missing)
		SKIP(return, "no %s", self->buf.missing);

	expect_outcome(_metadata, probe_mlock, self->plain, self->map, 0);
}

TEST_HARNESS_MAIN
