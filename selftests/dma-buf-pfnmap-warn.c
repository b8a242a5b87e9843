// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the dma-buf core makes of a mapping that is not VM_PFNMAP, with a test
 * exporter that sets up such mappings, and for both ways to one.
 *
 * It warns, once, and names each time the exporter. The mapping works all the
 * same.
 *
 * On a kernel without the change nothing warns: pages.*.warns, pages.*.warns_once
 * and told.each_time fail.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "dma-buf-kmsg.h"
#include "dma-buf-test-buffers.h"
#include "../../kselftest_harness.h"

/*
 * The check is in __dma_buf_mmap(), which may have been inlined into
 * dma_buf_mmap_internal() and dma_buf_mmap().
 */
#define WARNING "WARNING: .*dma_buf_mmap"

#define TOLD "mapping is not VM_PFNMAP alone"

/* The line that is logged about the exporter of a dma-buf. */
static int line_about(const struct test_buffer *buf, char *pattern, size_t len)
{
	int err = -ENOENT;
	char line[128];
	FILE *info;

	snprintf(line, sizeof(line), "/proc/self/fdinfo/%d", buf->fd);
	info = fopen(line, "r");
	if (!info)
		return -errno;

	while (fgets(line, sizeof(line), info)) {
		if (strncmp(line, "exp_name:\t", 10))
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(pattern, len, ";dma_buf: %s: " TOLD "$", line + 10);
		err = 0;
	}
	fclose(info);
	return err;
}

struct listener {
	struct test_buffer buf;
	const char *missing;	/* what the test needs and cannot have */
	int warnings;		/* how many a mapping of pages gives rise to */
	int log;
};

/* Export a buffer, and listen to the log from then on. */
static void listener_open(struct __test_metadata *_metadata,
			  struct listener *self,
			  enum dma_buf_test_mapping mapping, enum mmap_way way)
{
	struct dma_buf_test_export request = {
		.pages = 4,
		.mapping = mapping,
		.error = mapping == DMA_BUF_TEST_ERROR ? ENOSPC : 0,
	};

	self->log = -1;
	test_buffer_open(&self->buf);
	self->missing = self->buf.missing;
	if (!self->missing)
		self->missing = kmsg_missing();
	self->warnings = 1;
	if (self->missing)
		return;

	ASSERT_EQ(0, test_buffer_export(&self->buf, request, way));
	self->log = kmsg_listen();
	ASSERT_LE(0, self->log);
}

static void listener_close(struct listener *self)
{
	if (self->log >= 0)
		close(self->log);
	test_buffer_put(&self->buf);
}

/* Exporters that break the rule. */
FIXTURE(pages)
{
	struct listener on;
};

FIXTURE_VARIANT(pages)
{
	enum dma_buf_test_mapping mapping;
	enum mmap_way way;
};

FIXTURE_VARIANT_ADD(pages, insert)
{
	.mapping = DMA_BUF_TEST_PAGE_INSERT,
	.way = MMAP_DIRECT,
};

FIXTURE_VARIANT_ADD(pages, insert_imported)
{
	.mapping = DMA_BUF_TEST_PAGE_INSERT,
	.way = MMAP_IMPORTED,
};

FIXTURE_VARIANT_ADD(pages, fault)
{
	.mapping = DMA_BUF_TEST_PAGE_FAULT,
	.way = MMAP_DIRECT,
};

FIXTURE_VARIANT_ADD(pages, fault_imported)
{
	.mapping = DMA_BUF_TEST_PAGE_FAULT,
	.way = MMAP_IMPORTED,
};

/* As virtio-gpu's and others: a remapped range may hold pages as well. */
FIXTURE_VARIANT_ADD(pages, mixed)
{
	.mapping = DMA_BUF_TEST_MIXED,
	.way = MMAP_DIRECT,
};

FIXTURE_VARIANT_ADD(pages, mixed_imported)
{
	.mapping = DMA_BUF_TEST_MIXED,
	.way = MMAP_IMPORTED,
};

FIXTURE_SETUP(pages)
{
	listener_open(_metadata, &self->on, variant->mapping, variant->way);
}

FIXTURE_TEARDOWN(pages)
{
	listener_close(&self->on);
}

TEST_F(pages, warns)
{
	struct listener *on = &self->on;

	if (on->missing)
		SKIP(return, "no %s", on->missing);

	EXPECT_EQ(0, test_buffer_try_mmap(&on->buf, PROT_READ | PROT_WRITE,
					  MAP_SHARED));
	EXPECT_EQ(on->warnings, kmsg_count(on->log, WARNING));
	EXPECT_EQ(TAINT_WARN, kernel_taint() & TAINT_WARN);
}

/* A second mapping adds nothing, unless the kernel is told to warn again. */
TEST_F(pages, warns_once)
{
	struct listener *on = &self->on;

	if (on->missing)
		SKIP(return, "no %s", on->missing);

	EXPECT_EQ(0, test_buffer_try_mmap(&on->buf, PROT_READ, MAP_SHARED));
	EXPECT_EQ(0, test_buffer_try_mmap(&on->buf, PROT_READ, MAP_SHARED));
	EXPECT_EQ(on->warnings, kmsg_count(on->log, WARNING));

	close(on->log);
	on->log = kmsg_listen();
	ASSERT_LE(0, on->log);
	EXPECT_EQ(0, test_buffer_try_mmap(&on->buf, PROT_READ, MAP_SHARED));
	EXPECT_EQ(on->warnings, kmsg_count(on->log, WARNING));
}

/* A control: the mapping is what it was before. */
TEST_F(pages, works)
{
	struct listener *on = &self->on;
	char *map;

	if (on->missing)
		SKIP(return, "no %s", on->missing);

	map = test_buffer_mmap(&on->buf, PROT_READ | PROT_WRITE,
			       MAP_SHARED);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(1, test_buffer_mappings(&on->buf));
	EXPECT_TRUE(test_buffer_shared(&on->buf, map));
	munmap(map, on->buf.size);
	EXPECT_EQ(0, test_buffer_mappings(&on->buf));
}

/* Whose mapping it is: for a tester, who wants to see the second exporter too. */
FIXTURE(told)
{
	struct listener on;
};

FIXTURE_SETUP(told)
{
	listener_open(_metadata, &self->on, DMA_BUF_TEST_PAGE_INSERT,
		      MMAP_DIRECT);
}

FIXTURE_TEARDOWN(told)
{
	listener_close(&self->on);
}

TEST_F(told, each_time)
{
	struct listener *on = &self->on;
	char line[200];
	int lines = 0;
	int i;

	if (on->missing)
		SKIP(return, "no %s", on->missing);

	ASSERT_EQ(0, line_about(&on->buf, line, sizeof(line)));
	ASSERT_EQ(0, test_buffer_try_mmap(&on->buf, PROT_READ, MAP_SHARED));
	/* From here on, there is nothing but the line. */
	ASSERT_EQ(on->warnings, kmsg_count(on->log, WARNING));

	/* Of tests before this one, the limit may be reached for 5 s. */
	for (i = 0; i < 100 && !lines; i++) {
		test_buffer_try_mmap(&on->buf, PROT_READ, MAP_SHARED);
		lines = kmsg_count(on->log, line);
		usleep(100000);
	}
	EXPECT_EQ(on->warnings, lines);
}

/* Controls: exporters that keep to the rule. */
FIXTURE(pfns)
{
	struct listener on;
};

FIXTURE_VARIANT(pfns)
{
	enum dma_buf_test_mapping mapping;
	enum mmap_way way;
};

FIXTURE_VARIANT_ADD(pfns, remap)
{
	.mapping = DMA_BUF_TEST_REMAP,
	.way = MMAP_DIRECT,
};

FIXTURE_VARIANT_ADD(pfns, remap_imported)
{
	.mapping = DMA_BUF_TEST_REMAP,
	.way = MMAP_IMPORTED,
};

FIXTURE_VARIANT_ADD(pfns, fault)
{
	.mapping = DMA_BUF_TEST_PFN_FAULT,
	.way = MMAP_DIRECT,
};

FIXTURE_VARIANT_ADD(pfns, fault_imported)
{
	.mapping = DMA_BUF_TEST_PFN_FAULT,
	.way = MMAP_IMPORTED,
};

FIXTURE_SETUP(pfns)
{
	listener_open(_metadata, &self->on, variant->mapping, variant->way);
}

FIXTURE_TEARDOWN(pfns)
{
	listener_close(&self->on);
}

TEST_F(pfns, silent)
{
	struct listener *on = &self->on;
	char *map;

	if (on->missing)
		SKIP(return, "no %s", on->missing);

	map = test_buffer_mmap(&on->buf, PROT_READ | PROT_WRITE,
			       MAP_SHARED);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(1, test_buffer_mappings(&on->buf));
	EXPECT_TRUE(test_buffer_shared(&on->buf, map));
	munmap(map, on->buf.size);
	EXPECT_EQ(0, test_buffer_mappings(&on->buf));
	EXPECT_EQ(0, kmsg_count(on->log, TOLD));
}

/* Controls: nothing is said of a mapping that there is not. */
FIXTURE(failing)
{
	struct listener on;
};

FIXTURE_VARIANT(failing)
{
	enum mmap_way way;
};

FIXTURE_VARIANT_ADD(failing, direct)
{
	.way = MMAP_DIRECT,
};

FIXTURE_VARIANT_ADD(failing, imported)
{
	.way = MMAP_IMPORTED,
};

FIXTURE_SETUP(failing)
{
	listener_open(_metadata, &self->on, DMA_BUF_TEST_ERROR, variant->way);
}

FIXTURE_TEARDOWN(failing)
{
	listener_close(&self->on);
}

TEST_F(failing, silent)
{
	struct listener *on = &self->on;

	if (on->missing)
		SKIP(return, "no %s", on->missing);

	EXPECT_EQ(ENOSPC, test_buffer_try_mmap(&on->buf, PROT_READ, MAP_SHARED));
	EXPECT_EQ(0, kmsg_count(on->log, TOLD));
}

TEST_HARNESS_MAIN
