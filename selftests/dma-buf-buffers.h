/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Buffers that userspace can have without a driver of its own: pages from a
 * dma-buf heap, or a memfd wrapped by udmabuf.
 */
#ifndef DMA_BUF_BUFFERS_H
#define DMA_BUF_BUFFERS_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/dma-heap.h>
#include <linux/udmabuf.h>

#define HEAP_DIR "/dev/dma_heap"

enum buffer_source {
	SYSTEM_HEAP,
	CMA_HEAP,
	UDMABUF,
};

/**
 * struct buffer - a dma-buf, or why there is none
 * @fd: the dma-buf, -1 if there is none
 * @size: its size in bytes
 * @absent: this machine has no such device, or keeps it from us
 * @reason: what was missing or what failed, if there is none
 */
struct buffer {
	int fd;
	size_t size;
	bool absent;
	char reason[320];
};

static inline void buffer_fail(struct buffer *buf, const char *what)
{
	snprintf(buf->reason, sizeof(buf->reason), "%s: %s", what,
		 strerror(errno));
}

static inline int buffer_open_device(struct buffer *buf, const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		buf->absent = true;
		buffer_fail(buf, path);
	}
	return fd;
}

static inline void buffer_from_heap(struct buffer *buf, const char *name,
				    int flags)
{
	struct dma_heap_allocation_data alloc = {
		.len = buf->size,
		.fd_flags = flags | O_CLOEXEC,
	};
	char path[280];
	int heap;

	snprintf(path, sizeof(path), HEAP_DIR "/%s", name);
	heap = buffer_open_device(buf, path);
	if (heap < 0)
		return;

	if (ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &alloc))
		buffer_fail(buf, path);
	else
		buf->fd = alloc.fd;
	close(heap);
}

/*
 * The name of the CMA heap has changed over time and may come from the device
 * tree. So it is any heap that is not one of the system heaps, nor has buffers
 * that the kernel itself must not touch.
 */
static inline bool is_cma_heap(const char *name)
{
	return name[0] != '.' && strncmp(name, "system", 6) &&
	       !strstr(name, "protected");
}

static inline void buffer_from_cma_heap(struct buffer *buf, int flags)
{
	DIR *dir = opendir(HEAP_DIR);
	struct dirent *entry;

	if (!dir) {
		buf->absent = true;
		buffer_fail(buf, HEAP_DIR);
		return;
	}

	do {
		entry = readdir(dir);
	} while (entry && !is_cma_heap(entry->d_name));

	if (entry) {
		buffer_from_heap(buf, entry->d_name, flags);
	} else {
		buf->absent = true;
		snprintf(buf->reason, sizeof(buf->reason),
			 "no CMA heap in " HEAP_DIR);
	}
	closedir(dir);
}

static inline void buffer_from_memfd(struct buffer *buf)
{
	struct udmabuf_create create = {
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.size = buf->size,
	};
	int dev, mem;

	dev = buffer_open_device(buf, "/dev/udmabuf");
	if (dev < 0)
		return;

	mem = memfd_create("dma-buf-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (mem < 0) {
		buffer_fail(buf, "memfd_create");
		close(dev);
		return;
	}

	create.memfd = mem;
	if (ftruncate(mem, buf->size) ||
	    fcntl(mem, F_ADD_SEALS, F_SEAL_SHRINK))
		buffer_fail(buf, "memfd");
	else
		buf->fd = ioctl(dev, UDMABUF_CREATE, &create);
	if (buf->fd < 0 && !buf->reason[0])
		buffer_fail(buf, "UDMABUF_CREATE");
	close(mem);
	close(dev);
}

/**
 * buffer_get() - allocate a dma-buf
 * @buf: filled in; to be closed with buffer_put()
 * @source: who exports it
 * @pages: its size in pages
 * @flags: how the file is opened, O_RDWR or O_RDONLY (heaps only)
 */
static inline void buffer_get(struct buffer *buf, enum buffer_source source,
			      unsigned int pages, int flags)
{
	memset(buf, 0, sizeof(*buf));
	buf->fd = -1;
	buf->size = pages * sysconf(_SC_PAGESIZE);

	switch (source) {
	case SYSTEM_HEAP:
		buffer_from_heap(buf, "system", flags);
		break;
	case CMA_HEAP:
		buffer_from_cma_heap(buf, flags);
		break;
	case UDMABUF:
		buffer_from_memfd(buf);
		break;
	}
}

static inline void buffer_put(struct buffer *buf)
{
	if (buf->fd >= 0)
		close(buf->fd);
	buf->fd = -1;
}

#endif /* DMA_BUF_BUFFERS_H */
