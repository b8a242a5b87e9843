/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Buffers of the test exporter, and both ways to a mapping of one: mmap() of
 * the dma-buf itself, and mmap() of a file whose driver calls dma_buf_mmap().
 */
#ifndef DMA_BUF_TEST_BUFFERS_H
#define DMA_BUF_TEST_BUFFERS_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dma-buf-test-exporter.h"

enum mmap_way {
	MMAP_DIRECT,		/* mmap() of the dma-buf */
	MMAP_IMPORTED,		/* mmap() of the importer's file */
};

/**
 * struct test_buffer - a dma-buf of the test exporter
 * @exporter: the device
 * @fd: the dma-buf, -1 if there is none
 * @map_fd: the file to be mapped
 * @size: size of the buffer in bytes
 * @missing: the device that is not there or kept from us, NULL if both are
 */
struct test_buffer {
	int exporter;
	int fd;
	int map_fd;
	size_t size;
	const char *missing;
};

/* To be closed with test_buffer_put(); says what is missing. */
static inline void test_buffer_open(struct test_buffer *buf)
{
	buf->exporter = test_exporter_open();
	buf->fd = -1;
	buf->map_fd = -1;
	buf->size = 0;
	buf->missing = NULL;
	if (access(TEST_IMPORTER, R_OK | W_OK))
		buf->missing = TEST_IMPORTER;
	if (buf->exporter < 0)
		buf->missing = TEST_EXPORTER;
}

static inline void test_buffer_drop(struct test_buffer *buf)
{
	if (buf->map_fd >= 0 && buf->map_fd != buf->fd)
		close(buf->map_fd);
	if (buf->fd >= 0)
		close(buf->fd);
	buf->fd = -1;
	buf->map_fd = -1;
}

static inline void test_buffer_put(struct test_buffer *buf)
{
	test_buffer_drop(buf);
	if (buf->exporter >= 0)
		close(buf->exporter);
	buf->exporter = -1;
}

/**
 * test_buffer_export() - get a dma-buf, in place of the last one
 * @buf: from test_buffer_open()
 * @request: what it shall be like; it is open for reading and writing
 * @way: how it is going to be mapped
 *
 * Return: 0 or an errno
 */
static inline int test_buffer_export(struct test_buffer *buf,
				     struct dma_buf_test_export request,
				     enum mmap_way way)
{
	int fd;

	test_buffer_drop(buf);
	request.fd_flags = O_RDWR | O_CLOEXEC;
	fd = test_exporter_request(buf->exporter, &request);
	if (fd < 0)
		return -fd;
	buf->fd = fd;
	buf->size = request.pages * sysconf(_SC_PAGESIZE);

	if (way == MMAP_IMPORTED)
		fd = test_importer_get(buf->fd);
	if (fd < 0)
		return -fd;
	buf->map_fd = fd;
	return 0;
}

/* All of a buffer, to be unmapped, or MAP_FAILED. */
static inline char *test_buffer_mmap(const struct test_buffer *buf, int prot,
				     int flags)
{
	return mmap(NULL, buf->size, prot, flags, buf->map_fd, 0);
}

/* The error of mapping all of a buffer, 0 if it can be mapped. */
static inline int test_buffer_try_mmap(const struct test_buffer *buf, int prot,
				       int flags)
{
	char *map = test_buffer_mmap(buf, prot, flags);

	if (map == MAP_FAILED)
		return errno;
	munmap(map, buf->size);
	return 0;
}

/* How many mappings there are as the exporter counts them. */
static inline int test_buffer_mappings(const struct test_buffer *buf)
{
	return test_exporter_mappings(buf->exporter, buf->fd);
}

/*
 * Whether two mappings of a buffer show the same memory, in every page. What is
 * there is overwritten.
 */
static inline bool test_buffer_shared(const struct test_buffer *buf, char *map)
{
	char *other = test_buffer_mmap(buf, PROT_READ, MAP_SHARED);
	size_t page = sysconf(_SC_PAGESIZE), pos;
	bool same = true;

	if (other == MAP_FAILED)
		return false;
	for (pos = 0; pos < buf->size; pos += page) {
		map[pos] = 1 + pos / page;
		map[pos + page - 1] = 2 + pos / page;
	}
	for (pos = 0; pos < buf->size; pos += page)
		if (other[pos] != (char)(1 + pos / page) ||
		    other[pos + page - 1] != (char)(2 + pos / page))
			same = false;
	munmap(other, buf->size);
	return same;
}

#endif /* DMA_BUF_TEST_BUFFERS_H */
