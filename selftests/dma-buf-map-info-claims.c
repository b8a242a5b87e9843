// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an exporter claims of its CPU mappings: how DMA_BUF_IOCTL_INFO hands it
 * on, that a claim which there is not fails the export, and that the core warns
 * about a claim of coherence if mappings ask for another caching.
 *
 * On a kernel without the change there is nothing to claim, and the test
 * exporter says EOPNOTSUPP: only mapping.*.silent_if_unknown passes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/utsname.h>

#include <linux/dma-buf.h>

#include "dma-buf-kmsg.h"
#include "dma-buf-test-buffers.h"
#include "../../kselftest_harness.h"

/*
 * The check is in dma_buf_check_map_info(), which may have been inlined into
 * __dma_buf_mmap(), and that into its callers.
 */
#define WARNING "WARNING: .*dma_buf_(check_map_info|mmap)"

/* Where the protection tells a write-combined mapping from a cached one. */
static bool caching_shows(void)
{
	static const char * const machines[] = { "x86_64", "i686", "aarch64" };
	struct utsname name;
	unsigned int i;

	if (uname(&name))
		return false;
	for (i = 0; i < ARRAY_SIZE(machines); i++)
		if (!strcmp(name.machine, machines[i]))
			return true;
	return false;
}

/* The error of exporting a buffer with a claim, 0 if there is one then. */
static int export_claim(struct test_buffer *buf, unsigned int claim,
			enum dma_buf_test_caching caching, enum mmap_way way)
{
	struct dma_buf_test_export request = {
		.pages = 4,
		.mapping = DMA_BUF_TEST_REMAP,
		.caching = caching,
		.map_info = claim,
	};

	return test_buffer_export(buf, request, way);
}

/* What the claim is as userspace sees it, or a negative errno. */
static long long ask_claim(const struct test_buffer *buf)
{
	struct dma_buf_info info = {
		.param = DMA_BUF_INFO_MAP_INFO,
		.value = ~0ULL,
	};

	if (ioctl(buf->fd, DMA_BUF_IOCTL_INFO, &info))
		return -errno;
	return info.value;
}

FIXTURE(claim)
{
	struct test_buffer buf;
};

FIXTURE_VARIANT(claim)
{
	enum dma_buf_map_info claim;
};

FIXTURE_VARIANT_ADD(claim, unknown)
{
	.claim = DMA_BUF_MAP_UNKNOWN,
};

FIXTURE_VARIANT_ADD(claim, incoherent)
{
	.claim = DMA_BUF_MAP_INCOHERENT,
};

FIXTURE_VARIANT_ADD(claim, coherent_wc)
{
	.claim = DMA_BUF_MAP_COHERENT_WC,
};

FIXTURE_VARIANT_ADD(claim, coherent_cached)
{
	.claim = DMA_BUF_MAP_COHERENT_CACHED,
};

FIXTURE_SETUP(claim)
{
	test_buffer_open(&self->buf);
}

FIXTURE_TEARDOWN(claim)
{
	test_buffer_put(&self->buf);
}

/* An exporter that claims nothing, which is 0, answers that it is unknown. */
TEST_F(claim, is_handed_on)
{
	if (self->buf.missing)
		SKIP(return, "no %s", self->buf.missing);

	ASSERT_EQ(0, export_claim(&self->buf, variant->claim,
				  DMA_BUF_TEST_CACHED, MMAP_DIRECT));
	EXPECT_EQ(variant->claim, ask_claim(&self->buf));
}

FIXTURE(mapping)
{
	struct test_buffer buf;
	const char *missing;
	int log;
};

FIXTURE_VARIANT(mapping)
{
	enum dma_buf_test_caching caching;
	enum dma_buf_map_info right;
	enum dma_buf_map_info wrong;
	enum mmap_way way;
};

FIXTURE_VARIANT_ADD(mapping, cached)
{
	.caching = DMA_BUF_TEST_CACHED,
	.right = DMA_BUF_MAP_COHERENT_CACHED,
	.wrong = DMA_BUF_MAP_COHERENT_WC,
	.way = MMAP_DIRECT,
};

FIXTURE_VARIANT_ADD(mapping, cached_imported)
{
	.caching = DMA_BUF_TEST_CACHED,
	.right = DMA_BUF_MAP_COHERENT_CACHED,
	.wrong = DMA_BUF_MAP_COHERENT_WC,
	.way = MMAP_IMPORTED,
};

FIXTURE_VARIANT_ADD(mapping, write_combined)
{
	.caching = DMA_BUF_TEST_WRITE_COMBINED,
	.right = DMA_BUF_MAP_COHERENT_WC,
	.wrong = DMA_BUF_MAP_COHERENT_CACHED,
	.way = MMAP_DIRECT,
};

FIXTURE_VARIANT_ADD(mapping, write_combined_imported)
{
	.caching = DMA_BUF_TEST_WRITE_COMBINED,
	.right = DMA_BUF_MAP_COHERENT_WC,
	.wrong = DMA_BUF_MAP_COHERENT_CACHED,
	.way = MMAP_IMPORTED,
};

FIXTURE_SETUP(mapping)
{
	self->log = -1;
	test_buffer_open(&self->buf);
	self->missing = self->buf.missing;
	if (!self->missing)
		self->missing = kmsg_missing();
	if (!self->missing && !caching_shows())
		self->missing = "known trace of caching in the protection";
	if (self->missing)
		return;

	self->log = kmsg_listen();
	ASSERT_LE(0, self->log);
}

FIXTURE_TEARDOWN(mapping)
{
	if (self->log >= 0)
		close(self->log);
	test_buffer_put(&self->buf);
}

/* The exporter is told of it, once; its user is not. */
TEST_F(mapping, warns_if_wrong)
{
	struct test_buffer *buf = &self->buf;

	if (self->missing)
		SKIP(return, "no %s", self->missing);

	ASSERT_EQ(0, export_claim(buf, variant->wrong, variant->caching,
				  variant->way));
	EXPECT_EQ(0, test_buffer_try_mmap(buf, PROT_READ | PROT_WRITE,
					  MAP_SHARED));
	EXPECT_EQ(1, kmsg_count(self->log, WARNING));
	EXPECT_EQ(TAINT_WARN, kernel_taint() & TAINT_WARN);

	EXPECT_EQ(0, test_buffer_try_mmap(buf, PROT_READ, MAP_SHARED));
	EXPECT_EQ(0, kmsg_count(self->log, WARNING));

	close(self->log);
	self->log = kmsg_listen();
	ASSERT_LE(0, self->log);
	EXPECT_EQ(0, test_buffer_try_mmap(buf, PROT_READ, MAP_SHARED));
	EXPECT_EQ(1, kmsg_count(self->log, WARNING));
}

TEST_F(mapping, silent_if_right)
{
	struct test_buffer *buf = &self->buf;

	if (self->missing)
		SKIP(return, "no %s", self->missing);

	ASSERT_EQ(0, export_claim(buf, variant->right, variant->caching,
				  variant->way));
	EXPECT_EQ(0, test_buffer_try_mmap(buf, PROT_READ | PROT_WRITE,
					  MAP_SHARED));
	EXPECT_EQ(0, kmsg_count(self->log, WARNING));
}

/* Who does not claim to be coherent may cache as it likes. */
TEST_F(mapping, silent_if_incoherent)
{
	struct test_buffer *buf = &self->buf;

	if (self->missing)
		SKIP(return, "no %s", self->missing);

	ASSERT_EQ(0, export_claim(buf, DMA_BUF_MAP_INCOHERENT,
				  variant->caching, variant->way));
	EXPECT_EQ(0, test_buffer_try_mmap(buf, PROT_READ | PROT_WRITE,
					  MAP_SHARED));
	EXPECT_EQ(0, kmsg_count(self->log, WARNING));
}

/* The negative control: nothing is claimed, as before the change. */
TEST_F(mapping, silent_if_unknown)
{
	struct test_buffer *buf = &self->buf;

	if (self->missing)
		SKIP(return, "no %s", self->missing);

	ASSERT_EQ(0, export_claim(buf, DMA_BUF_MAP_UNKNOWN, variant->caching,
				  variant->way));
	EXPECT_EQ(0, test_buffer_try_mmap(buf, PROT_READ | PROT_WRITE,
					  MAP_SHARED));
	EXPECT_EQ(0, kmsg_count(self->log, WARNING));
}

FIXTURE(range)
{
	struct test_buffer buf;
	const char *missing;
	int log;
};

FIXTURE_SETUP(range)
{
	self->log = -1;
	test_buffer_open(&self->buf);
	self->missing = self->buf.missing;
	if (!self->missing)
		self->missing = kmsg_missing();
	if (self->missing)
		return;

	self->log = kmsg_listen();
	ASSERT_LE(0, self->log);
}

FIXTURE_TEARDOWN(range)
{
	if (self->log >= 0)
		close(self->log);
	test_buffer_put(&self->buf);
}

/* A claim that there is not is a bug in the exporter, which gets no buffer. */
TEST_F(range, export_fails)
{
	static const unsigned int claims[] = {
		DMA_BUF_MAP_COHERENT_CACHED + 1, 0x7fffffff, 0x80000000, ~0U,
	};
	unsigned int i;
	int err;

	if (self->missing)
		SKIP(return, "no %s", self->missing);

	for (i = 0; i < ARRAY_SIZE(claims); i++) {
		err = export_claim(&self->buf, claims[i], DMA_BUF_TEST_CACHED,
				   MMAP_DIRECT);
		EXPECT_EQ(EINVAL, err) {
			TH_LOG("claim %#x", claims[i]);
		}
	}
	EXPECT_EQ(4, kmsg_count(self->log, "WARNING: .*dma_buf_export"));
}

TEST_HARNESS_MAIN
