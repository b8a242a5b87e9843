/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ways to take the pages of a mapping, or to change it behind the back of whom
 * it belongs to. To be included first, with _GNU_SOURCE and, for /proc/self/mem
 * and programs of 32 bits, _FILE_OFFSET_BITS defined.
 */
#ifndef DMA_BUF_PROBES_H
#define DMA_BUF_PROBES_H

/* Before <sys/uio.h>, which defines RWF_* as well but in silence. */
#include <linux/io_uring.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static inline size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

/*
 * The probes: each asks the kernel to do something to the page at @addr that it
 * does for ordinary memory only, and returns the error, 0 if it was done.
 */
static inline int probe_process_vm_readv(char *addr)
{
	char copy[8];
	struct iovec to = { .iov_base = copy, .iov_len = sizeof(copy) };
	struct iovec from = { .iov_base = addr, .iov_len = sizeof(copy) };

	if (process_vm_readv(getpid(), &to, 1, &from, 1, 0) < 0)
		return errno;
	return 0;
}

static inline int probe_vmsplice(char *addr)
{
	struct iovec from = { .iov_base = addr, .iov_len = page_size() };
	int err = 0;
	int fds[2];

	if (pipe(fds))
		return errno;
	if (vmsplice(fds[1], &from, 1, SPLICE_F_NONBLOCK) < 0)
		err = errno;
	close(fds[0]);
	close(fds[1]);
	return err;
}

static inline int probe_proc_mem(char *addr)
{
	int fd = open("/proc/self/mem", O_RDONLY);
	char copy[8];
	int err = 0;

	if (fd < 0)
		return errno;
	if (pread(fd, copy, sizeof(copy), (uintptr_t)addr) < 0)
		err = errno;
	close(fd);
	return err;
}

static inline int probe_io_uring(char *addr)
{
	struct iovec iov = { .iov_base = addr, .iov_len = page_size() };
	struct io_uring_params params = { 0 };
	int err = 0;
	int ring;

	ring = syscall(__NR_io_uring_setup, 1, &params);
	if (ring < 0)
		return errno;
	if (syscall(__NR_io_uring_register, ring, IORING_REGISTER_BUFFERS,
		    &iov, 1))
		err = errno;
	close(ring);
	return err;
}

static inline int probe_madvise(char *addr)
{
	return madvise(addr, page_size(), MADV_DONTNEED) ? errno : 0;
}

static inline int probe_mremap(char *addr)
{
	void *map = mremap(addr, page_size(), 2 * page_size(), MREMAP_MAYMOVE);

	if (map == MAP_FAILED)
		return errno;
	munmap(map, 2 * page_size());
	return 0;
}

static inline int probe_mlock(char *addr)
{
	if (mlock(addr, page_size()))
		return errno;
	munlock(addr, page_size());
	return 0;
}

static inline int read_page(int fd, char *addr)
{
	return pread(fd, addr, page_size(), 0) < 0 ? errno : 0;
}

/*
 * A file that is read without the page cache: the program itself, or a RAM
 * disk where the program lies on a file system that cannot do so. Some file
 * systems take O_DIRECT and copy all the same; they do not mind an odd address.
 */
static inline int open_direct(char *plain)
{
	static const char * const paths[] = {
		"/proc/self/exe", "/dev/ram0", NULL
	};
	unsigned int i;
	int fd;

	for (i = 0; paths[i]; i++) {
		fd = open(paths[i], O_RDONLY | O_DIRECT);
		if (fd < 0)
			continue;
		if (!read_page(fd, plain) && read_page(fd, plain + 1))
			return fd;
		close(fd);
	}
	return -1;
}

/* Whether smaps knows @flag for the mapping at @addr, or a negative errno. */
static inline int has_vm_flag(char *addr, const char *flag)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	bool here = false;
	int found = -ENOENT;
	char line[512];
	char *end;

	if (!smaps)
		return -errno;

	while (fgets(line, sizeof(line), smaps)) {
		unsigned long start = strtoul(line, &end, 16);

		if (*end == '-')
			here = start == (uintptr_t)addr;
		else if (here && !strncmp(line, "VmFlags:", 8))
			found = !!strstr(line, flag);
	}
	fclose(smaps);
	return found;
}

#endif /* DMA_BUF_PROBES_H */
