/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Buffers of the test exporter, CONFIG_DMABUF_TEST_EXPORTER, whose CPU mappings
 * are set up as a test asks for.
 */
#ifndef DMA_BUF_TEST_EXPORTER_H
#define DMA_BUF_TEST_EXPORTER_H

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/types.h>

#define TEST_EXPORTER "/dev/dma-buf-test-exporter"
#define TEST_IMPORTER "/dev/dma-buf-test-importer"

/* How a CPU mapping of a test buffer is set up. */
enum dma_buf_test_mapping {
	/* remap_pfn_range() of page after page, in mmap() */
	DMA_BUF_TEST_REMAP,
	/* vmf_insert_pfn() on each fault */
	DMA_BUF_TEST_PFN_FAULT,
	/* vm_insert_page() of page after page, in mmap() */
	DMA_BUF_TEST_PAGE_INSERT,
	/* a page with a reference on each fault, as for a file */
	DMA_BUF_TEST_PAGE_FAULT,
	/* as DMA_BUF_TEST_REMAP, on a VMA that may hold pages as well */
	DMA_BUF_TEST_MIXED,
	/* not at all: mmap() fails */
	DMA_BUF_TEST_ERROR,
};

/*
 * The caching that a mapping asks for. What a write-combined one shows is not
 * defined, as nothing keeps other caches out of its way.
 */
enum dma_buf_test_caching {
	DMA_BUF_TEST_CACHED,
	DMA_BUF_TEST_WRITE_COMBINED,
};

/**
 * struct dma_buf_test_export - ask for a test buffer
 * @pages: its size in pages, 1 to 1024
 * @mapping: enum dma_buf_test_mapping
 * @caching: enum dma_buf_test_caching
 * @map_info: what its exporter claims, an enum dma_buf_map_info; 0 claims
 *            nothing, and anything else is EOPNOTSUPP on a kernel without it
 * @error: what mmap() fails with, an errno, for DMA_BUF_TEST_ERROR, else 0
 * @fd_flags: O_RDWR or O_RDONLY, and O_CLOEXEC
 * @pad: 0
 * @fd: written by the kernel: the dma-buf
 */
struct dma_buf_test_export {
	__u32 pages;
	__u32 mapping;
	__u32 caching;
	__u32 map_info;
	__u32 error;
	__u32 fd_flags;
	__u32 pad;
	__s32 fd;
};

/**
 * struct dma_buf_test_mappings - ask how often a test buffer is mapped
 * @fd: the dma-buf; EINVAL for one that is no test buffer
 * @mappings: written by the kernel: VMAs that map it
 */
struct dma_buf_test_mappings {
	__s32 fd;
	__u32 mappings;
};

#define DMA_BUF_TEST_BASE	0xDE

/* On /dev/dma-buf-test-exporter. */
#define DMA_BUF_TEST_IOCTL_EXPORT	\
	_IOWR(DMA_BUF_TEST_BASE, 0, struct dma_buf_test_export)
#define DMA_BUF_TEST_IOCTL_MAPPINGS	\
	_IOWR(DMA_BUF_TEST_BASE, 1, struct dma_buf_test_mappings)

/*
 * On an open /dev/dma-buf-test-importer: keep a dma-buf, whosever it is, until
 * the file is closed; EBUSY if there is one. mmap() of the file then goes to
 * dma_buf_mmap(), and is ENODEV before.
 */
#define DMA_BUF_TEST_IOCTL_IMPORT	_IOW(DMA_BUF_TEST_BASE, 2, __s32)

/* Returns a descriptor of the test exporter, or a negative errno. */
static inline int test_exporter_open(void)
{
	int fd = open(TEST_EXPORTER, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Returns a dma-buf made to order by an open exporter, or a negative errno. */
static inline int test_exporter_request(int exporter,
					struct dma_buf_test_export *request)
{
	request->fd = -1;
	if (ioctl(exporter, DMA_BUF_TEST_IOCTL_EXPORT, request))
		return -errno;
	return request->fd;
}

/**
 * test_exporter_get() - get a dma-buf whose mappings are of one kind
 * @exporter: from test_exporter_open()
 * @pages: its size
 * @mapping: how it is mapped, not DMA_BUF_TEST_ERROR
 * @caching: what caching its mappings ask for
 * @map_info: what it claims of its mappings, 0 for nothing
 *
 * Return: the dma-buf, open for reading and writing, or a negative errno
 */
static inline int test_exporter_get(int exporter, unsigned int pages,
				    enum dma_buf_test_mapping mapping,
				    enum dma_buf_test_caching caching,
				    unsigned int map_info)
{
	struct dma_buf_test_export request = {
		.pages = pages,
		.mapping = mapping,
		.caching = caching,
		.map_info = map_info,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};

	return test_exporter_request(exporter, &request);
}

/* Returns the number of VMAs that map a dma-buf, or a negative errno. */
static inline int test_exporter_mappings(int exporter, int buf)
{
	struct dma_buf_test_mappings query = { .fd = buf };

	if (ioctl(exporter, DMA_BUF_TEST_IOCTL_MAPPINGS, &query))
		return -errno;
	return query.mappings;
}

/*
 * Returns a descriptor whose mmap() goes to dma_buf_mmap() of @buf, or a
 * negative errno.
 */
static inline int test_importer_get(int buf)
{
	int fd = open(TEST_IMPORTER, O_RDWR | O_CLOEXEC);
	__s32 imported = buf;
	int err;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, DMA_BUF_TEST_IOCTL_IMPORT, &imported)) {
		err = errno;
		close(fd);
		return -err;
	}
	return fd;
}

#endif /* DMA_BUF_TEST_EXPORTER_H */
