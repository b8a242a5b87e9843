// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a userspace mapping of a dma-buf promises to its exporter: the pages
 * behind it stay the exporter's. Nobody takes a reference to them through the
 * mapping, and no private mapping replaces them by copies.
 *
 * Each probe of a shared mapping is first tried on anonymous memory, where it
 * must work, so that its failure tells about the dma-buf.
 *
 * On a kernel without the change, exporters that insert struct pages let the
 * probes through, and the private_* tests fail for those that do not refuse such
 * a mapping themselves: one page of the system heap tells.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64	/* /proc/self/mem, for 32-bit programs */

#include "dma-buf-probes.h"

#include "dma-buf-buffers.h"
#include "../../kselftest_harness.h"

/* The error of mapping all of a dma-buf, 0 if it can be mapped. */
static int try_mmap(const struct buffer *buf, int prot, int flags)
{
	void *map = mmap(NULL, buf->size, prot, flags, buf->fd, 0);

	if (map == MAP_FAILED)
		return errno;
	munmap(map, buf->size);
	return 0;
}

/* How many references the file has, as its exporter counts them. */
static long buffer_references(const struct buffer *buf)
{
	long count = -1;
	char line[128];
	FILE *info;

	snprintf(line, sizeof(line), "/proc/self/fdinfo/%d", buf->fd);
	info = fopen(line, "r");
	if (!info)
		return -1;

	while (fgets(line, sizeof(line), info))
		if (!strncmp(line, "count:", 6))
			count = strtol(line + 6, NULL, 10);
	fclose(info);
	return count;
}

FIXTURE(pfnmap)
{
	struct buffer buf;
	char *map;
	char *plain;
};

FIXTURE_VARIANT(pfnmap)
{
	enum buffer_source source;
	unsigned int pages;
};

/* Remapped in one go, which mm allows even if the mapping is private. */
FIXTURE_VARIANT_ADD(pfnmap, system_heap_page)
{
	.source = SYSTEM_HEAP,
	.pages = 1,
};

FIXTURE_VARIANT_ADD(pfnmap, system_heap)
{
	.source = SYSTEM_HEAP,
	.pages = 16,
};

FIXTURE_VARIANT_ADD(pfnmap, cma_heap)
{
	.source = CMA_HEAP,
	.pages = 16,
};

FIXTURE_VARIANT_ADD(pfnmap, udmabuf)
{
	.source = UDMABUF,
	.pages = 16,
};

FIXTURE_SETUP(pfnmap)
{
	self->plain = mmap(NULL, 2 * page_size(), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->plain);
	memset(self->plain, 1, 2 * page_size());

	buffer_get(&self->buf, variant->source, variant->pages, O_RDWR);
	if (self->buf.absent)
		return;
	ASSERT_LE(0, self->buf.fd) {
		TH_LOG("%s", self->buf.reason);
	}

	self->map = mmap(NULL, self->buf.size, PROT_READ | PROT_WRITE,
			 MAP_SHARED, self->buf.fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
}

FIXTURE_TEARDOWN(pfnmap)
{
	if (self->map)
		munmap(self->map, self->buf.size);
	munmap(self->plain, 2 * page_size());
	buffer_put(&self->buf);
}

/* The negative control: what is allowed before and after the change. */
TEST_F(pfnmap, shared)
{
	size_t pos;
	char *other;

	if (self->buf.absent)
		SKIP(return, "%s", self->buf.reason);

	EXPECT_EQ(0, try_mmap(&self->buf, PROT_NONE, MAP_SHARED));
	EXPECT_EQ(0, try_mmap(&self->buf, PROT_WRITE, MAP_SHARED));

	other = mmap(NULL, self->buf.size, PROT_READ, MAP_SHARED,
		     self->buf.fd, 0);
	ASSERT_NE(MAP_FAILED, other);
	for (pos = 0; pos < self->buf.size; pos += page_size()) {
		self->map[pos] = 1 + pos / page_size();
		EXPECT_EQ(self->map[pos], other[pos]);
		EXPECT_NE(0, other[pos]);
	}
	munmap(other, self->buf.size);
}

TEST_F(pfnmap, private_write)
{
	if (self->buf.absent)
		SKIP(return, "%s", self->buf.reason);

	EXPECT_EQ(EINVAL, try_mmap(&self->buf, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE));
}

/* mprotect() could make it writable later: copy-on-write as well. */
TEST_F(pfnmap, private_read)
{
	if (self->buf.absent)
		SKIP(return, "%s", self->buf.reason);

	EXPECT_EQ(EINVAL, try_mmap(&self->buf, PROT_READ, MAP_PRIVATE));
}

TEST_F(pfnmap, private_none)
{
	if (self->buf.absent)
		SKIP(return, "%s", self->buf.reason);

	EXPECT_EQ(EINVAL, try_mmap(&self->buf, PROT_NONE, MAP_PRIVATE));
}

/* A refused mapping leaves nothing behind. */
TEST_F(pfnmap, private_leaves_nothing)
{
	int refused = 0;
	long before;
	int i;

	if (self->buf.absent)
		SKIP(return, "%s", self->buf.reason);

	before = buffer_references(&self->buf);
	ASSERT_LT(0, before) {
		TH_LOG("no count of references in fdinfo");
	}
	for (i = 0; i < 32; i++)
		if (try_mmap(&self->buf, PROT_READ, MAP_PRIVATE) == EINVAL)
			refused++;
	EXPECT_EQ(32, refused);
	EXPECT_EQ(before, buffer_references(&self->buf));
	EXPECT_EQ(0, try_mmap(&self->buf, PROT_READ | PROT_WRITE, MAP_SHARED));

	EXPECT_EQ(0, close(self->buf.fd));
	self->buf.fd = -1;
	self->map[0] = 1;
	EXPECT_EQ(1, self->map[0]);
}

TEST_F(pfnmap, vm_flags)
{
	int found;

	if (self->buf.absent)
		SKIP(return, "%s", self->buf.reason);

	found = has_vm_flag(self->plain, " pf");
	if (found < 0)
		SKIP(return, "VmFlags in /proc/self/smaps: %s",
		     strerror(-found));

	EXPECT_EQ(0, found);
	EXPECT_EQ(1, has_vm_flag(self->map, " pf"));
}

/*
 * The same probe works on anonymous memory and fails on a dma-buf. Where it
 * fails on both, the kernel has no such call, and nothing can be told.
 */
static void expect_refusal(struct __test_metadata *_metadata,
			   int (*probe)(char *addr), char *plain, char *map,
			   int refusal)
{
	int err = probe(plain);

	if (err)
		SKIP(return, "not even on other memory: %s", strerror(err));

	EXPECT_EQ(refusal, probe(map));
}

TEST_F(pfnmap, process_vm_readv)
{
	if (self->buf.absent)
		SKIP(return, "%s", self->buf.reason);

	expect_refusal(_metadata, probe_process_vm_readv,
		       self->plain, self->map, EFAULT);
}

TEST_F(pfnmap, vmsplice)
{
	if (self->buf.absent)
		SKIP(return, "%s", self->buf.reason);

	expect_refusal(_metadata, probe_vmsplice,
		       self->plain, self->map, EFAULT);
}

TEST_F(pfnmap, proc_mem)
{
	if (self->buf.absent)
		SKIP(return, "%s", self->buf.reason);

	expect_refusal(_metadata, probe_proc_mem,
		       self->plain, self->map, EIO);
}

/*
 * Fixed buffers are pinned for long. Some kernels never return from doing that
 * to pages which cannot leave CMA, so try a short hold first.
 */
TEST_F(pfnmap, io_uring)
{
	if (self->buf.absent)
		SKIP(return, "%s", self->buf.reason);

	ASSERT_EQ(EFAULT, probe_vmsplice(self->map));
	expect_refusal(_metadata, probe_io_uring,
		       self->plain, self->map, EFAULT);
}

/* The pages cannot be dropped and faulted in again ... */
TEST_F(pfnmap, madvise_dontneed)
{
	if (self->buf.absent)
		SKIP(return, "%s", self->buf.reason);

	expect_refusal(_metadata, probe_madvise,
		       self->plain, self->map, EINVAL);
}

/* ... and the mapping does not grow behind the exporter's back. */
TEST_F(pfnmap, mremap_grow)
{
	if (self->buf.absent)
		SKIP(return, "%s", self->buf.reason);

	expect_refusal(_metadata, probe_mremap,
		       self->plain, self->map, EFAULT);
}

TEST_F(pfnmap, direct_io)
{
	int fd;

	if (self->buf.absent)
		SKIP(return, "%s", self->buf.reason);

	fd = open_direct(self->plain);
	if (fd < 0)
		SKIP(return, "no file here that is read past the page cache");

	EXPECT_EQ(EFAULT, read_page(fd, self->map));
	close(fd);
}

/*
 * A dma-buf that is not open for writing. Its shared mapping has lost VM_SHARED
 * and must not be mistaken for a private one.
 */
FIXTURE(read_only_file)
{
	struct buffer buf;
};

FIXTURE_SETUP(read_only_file)
{
	buffer_get(&self->buf, SYSTEM_HEAP, 1, O_RDONLY);
	if (self->buf.absent)
		return;
	ASSERT_LE(0, self->buf.fd) {
		TH_LOG("%s", self->buf.reason);
	}
}

FIXTURE_TEARDOWN(read_only_file)
{
	buffer_put(&self->buf);
}

TEST_F(read_only_file, shared)
{
	if (self->buf.absent)
		SKIP(return, "%s", self->buf.reason);

	EXPECT_EQ(0, try_mmap(&self->buf, PROT_READ, MAP_SHARED));
	EXPECT_EQ(EACCES, try_mmap(&self->buf, PROT_WRITE, MAP_SHARED));
}

TEST_F(read_only_file, private)
{
	if (self->buf.absent)
		SKIP(return, "%s", self->buf.reason);

	EXPECT_EQ(EINVAL, try_mmap(&self->buf, PROT_READ, MAP_PRIVATE));
}

TEST_HARNESS_MAIN
