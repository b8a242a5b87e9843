// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA_BUF_IOCTL_INFO: what a CPU mapping of a dma-buf promises, and how the
 * kernel answers questions that it does not understand.
 *
 * On a kernel without this ioctl every call fails with ENOTTY. So the tests
 * named not_* pass there too, and all the others fail.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/dma-buf.h>

#include "dma-buf-buffers.h"
#include "../../kselftest_harness.h"

#define INFO_NR _IOC_NR(DMA_BUF_IOCTL_INFO)

/* The question that there is, and its answer for all exporters tested here. */
#define MAP_INFO ((__u32)DMA_BUF_INFO_MAP_INFO)
#define INCOHERENT ((__u64)DMA_BUF_MAP_INCOHERENT)

/* Where addresses below 4 GiB are all there is, or do not matter. */
#ifndef MAP_32BIT
#define MAP_32BIT 0
#endif

/* A value that no kernel would write. */
#define UNTOUCHED ((__u64)0xa5a5a5a5a5a5a5a5ULL)

/* The error of @cmd, 0 if it succeeded. */
static int try_ioctl(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? errno : 0;
}

/*
 * The error of DMA_BUF_IOCTL_INFO with @param and @pad. What it wrote is added
 * up in @changed, one bit for each field.
 */
static int try_info(int fd, __u32 param, __u32 pad, unsigned int *changed)
{
	struct dma_buf_info info = {
		.param = param,
		.pad = pad,
		.value = UNTOUCHED,
	};
	int err = try_ioctl(fd, DMA_BUF_IOCTL_INFO, &info);

	if (info.param != param)
		*changed |= 1;
	if (info.pad != pad)
		*changed |= 2;
	if (info.value != UNTOUCHED)
		*changed |= 4;
	return err;
}

/* The same at any address, aligned or not. */
static int try_info_at(int fd, char *addr, __u64 *value)
{
	struct dma_buf_info info = {
		.param = MAP_INFO,
		.value = UNTOUCHED,
	};
	int err;

	memcpy(addr, &info, sizeof(info));
	err = try_ioctl(fd, DMA_BUF_IOCTL_INFO, addr);
	memcpy(&info, addr, sizeof(info));
	*value = info.value;
	return err;
}

#if defined(__x86_64__)
#define HAS_COMPAT 1

/* The 32-bit entry to the kernel; registers beyond r7 do not survive it. */
static int compat_syscall(int nr, int arg1, unsigned int arg2, void *arg3)
{
	int ret;

	asm volatile("int $0x80"
		     : "=a" (ret)
		     : "a" (nr), "b" (arg1), "c" (arg2), "d" (arg3)
		     : "memory", "cc", "r8", "r9", "r10", "r11");
	return ret;
}

#define COMPAT_NR_GETPID 20
#define COMPAT_NR_IOCTL 54

/* Without IA32 emulation, int $0x80 kills: let a child try. */
static bool has_compat_syscall(void)
{
	int status = -1;
	pid_t child;

	child = fork();
	if (!child)
		_exit(compat_syscall(COMPAT_NR_GETPID, 0, 0, NULL) != getpid());
	if (child < 0 || waitpid(child, &status, 0) != child)
		return false;
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

static int try_compat_ioctl(int fd, unsigned long cmd, void *arg)
{
	return -compat_syscall(COMPAT_NR_IOCTL, fd, cmd, arg);
}
#elif __SIZEOF_LONG__ == 4
#define HAS_COMPAT 1

/* A 32-bit program needs no other entry: all its calls are what we want. */
static bool has_compat_syscall(void)
{
	return true;
}

static int try_compat_ioctl(int fd, unsigned long cmd, void *arg)
{
	return try_ioctl(fd, cmd, arg);
}
#endif

FIXTURE(info)
{
	struct buffer buf;
	char *pages;		/* two of them, below 4 GiB */
	size_t page_size;
};

FIXTURE_VARIANT(info)
{
	enum buffer_source source;
};

FIXTURE_VARIANT_ADD(info, system_heap)
{
	.source = SYSTEM_HEAP,
};

FIXTURE_VARIANT_ADD(info, cma_heap)
{
	.source = CMA_HEAP,
};

FIXTURE_VARIANT_ADD(info, udmabuf)
{
	.source = UDMABUF,
};

FIXTURE_SETUP(info)
{
	self->page_size = sysconf(_SC_PAGESIZE);
	self->pages = mmap(NULL, 2 * self->page_size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	ASSERT_NE(MAP_FAILED, self->pages);

	buffer_get(&self->buf, variant->source, 1, O_RDWR);
	if (self->buf.absent)
		return;
	ASSERT_LE(0, self->buf.fd) {
		TH_LOG("%s", self->buf.reason);
	}
}

FIXTURE_TEARDOWN(info)
{
	munmap(self->pages, 2 * self->page_size);
	buffer_put(&self->buf);
}

/* All three exporters hand out mappings that need DMA_BUF_IOCTL_SYNC. */
TEST_F(info, map_info)
{
	struct dma_buf_info info = {
		.param = MAP_INFO,
	};

	if (self->buf.absent)
		SKIP(return, "%s", self->buf.reason);

	EXPECT_EQ(0, try_ioctl(self->buf.fd, DMA_BUF_IOCTL_INFO, &info));
	EXPECT_EQ(MAP_INFO, info.param);
	EXPECT_EQ(0U, info.pad);
	EXPECT_EQ(INCOHERENT, info.value);
}

/* The value is an answer only: what it held before does not matter. */
TEST_F(info, value_on_input)
{
	struct dma_buf_info info = {
		.param = MAP_INFO,
		.value = UNTOUCHED,
	};

	if (self->buf.absent)
		SKIP(return, "%s", self->buf.reason);

	EXPECT_EQ(0, try_ioctl(self->buf.fd, DMA_BUF_IOCTL_INFO, &info));
	EXPECT_EQ(INCOHERENT, info.value);

	info.value = DMA_BUF_MAP_COHERENT_CACHED;
	EXPECT_EQ(0, try_ioctl(self->buf.fd, DMA_BUF_IOCTL_INFO, &info));
	EXPECT_EQ(INCOHERENT, info.value);
}

TEST_F(info, unknown_param)
{
	unsigned int changed = 0;
	int fd = self->buf.fd;

	if (self->buf.absent)
		SKIP(return, "%s", self->buf.reason);

	EXPECT_EQ(EINVAL, try_info(fd, 0, 0, &changed));
	/* Others are counted up from the one that there is. */
	EXPECT_EQ(EINVAL, try_info(fd, 1U << 31, 0, &changed));
	EXPECT_EQ(EINVAL, try_info(fd, ~0U, 0, &changed));
	EXPECT_EQ(0U, changed);
}

/* The padding is kept for later use: nothing may be in it today. */
TEST_F(info, nonzero_pad)
{
	unsigned int changed = 0;
	int fd = self->buf.fd;

	if (self->buf.absent)
		SKIP(return, "%s", self->buf.reason);

	EXPECT_EQ(EINVAL, try_info(fd, MAP_INFO, 1, &changed));
	EXPECT_EQ(EINVAL, try_info(fd, MAP_INFO, ~0U, &changed));
	EXPECT_EQ(EINVAL, try_info(fd, 0, 1, &changed));
	EXPECT_EQ(0U, changed);
}

TEST_F(info, bad_pointer)
{
	int fd = self->buf.fd;

	if (self->buf.absent)
		SKIP(return, "%s", self->buf.reason);

	EXPECT_EQ(EFAULT, try_ioctl(fd, DMA_BUF_IOCTL_INFO, NULL));
	EXPECT_EQ(EFAULT, try_ioctl(fd, DMA_BUF_IOCTL_INFO, (void *)-1L));

	ASSERT_EQ(0, mprotect(self->pages, self->page_size, PROT_NONE));
	EXPECT_EQ(EFAULT, try_ioctl(fd, DMA_BUF_IOCTL_INFO, self->pages));
}

/* A good question, and nowhere to put the answer. */
TEST_F(info, read_only_pointer)
{
	struct dma_buf_info *info = (struct dma_buf_info *)self->pages;

	if (self->buf.absent)
		SKIP(return, "%s", self->buf.reason);

	info->param = MAP_INFO;
	info->value = UNTOUCHED;
	ASSERT_EQ(0, mprotect(self->pages, self->page_size, PROT_READ));

	EXPECT_EQ(EFAULT, try_ioctl(self->buf.fd, DMA_BUF_IOCTL_INFO, info));
	EXPECT_EQ(MAP_INFO, info->param);
	EXPECT_EQ(0U, info->pad);
	EXPECT_EQ(UNTOUCHED, info->value);
}

/* Across two pages, at every possible split. */
TEST_F(info, straddling_pointer)
{
	char *second = self->pages + self->page_size;
	unsigned int good = 0;
	__u64 value;
	size_t i;

	if (self->buf.absent)
		SKIP(return, "%s", self->buf.reason);

	ASSERT_EQ(0, try_info_at(self->buf.fd, self->pages, &value));
	for (i = 1; i < sizeof(struct dma_buf_info); i++)
		if (!try_info_at(self->buf.fd, second - i, &value) &&
		    value == INCOHERENT)
			good++;
	EXPECT_EQ(sizeof(struct dma_buf_info) - 1, good);
}

TEST_F(info, half_mapped_pointer)
{
	char *second = self->pages + self->page_size;
	unsigned int refused = 0;
	__u64 value;
	size_t i;

	if (self->buf.absent)
		SKIP(return, "%s", self->buf.reason);

	ASSERT_EQ(0, try_info_at(self->buf.fd, self->pages, &value));
	ASSERT_EQ(0, munmap(second, self->page_size));
	for (i = 1; i < sizeof(struct dma_buf_info); i++)
		if (try_ioctl(self->buf.fd, DMA_BUF_IOCTL_INFO,
			      second - i) == EFAULT)
			refused++;
	EXPECT_EQ(sizeof(struct dma_buf_info) - 1, refused);
}

#ifdef HAS_COMPAT
/* From a 32-bit program: same structure, same answers. */
TEST_F(info, compat)
{
	struct dma_buf_info *info = (struct dma_buf_info *)self->pages;
	int fd = self->buf.fd;

	if (self->buf.absent)
		SKIP(return, "%s", self->buf.reason);
	if (!has_compat_syscall())
		SKIP(return, "no 32-bit system calls");

	info->param = MAP_INFO;
	info->value = UNTOUCHED;
	EXPECT_EQ(0, try_compat_ioctl(fd, DMA_BUF_IOCTL_INFO, info));
	EXPECT_EQ(MAP_INFO, info->param);
	EXPECT_EQ(0U, info->pad);
	EXPECT_EQ(INCOHERENT, info->value);

	info->param = 0;
	EXPECT_EQ(EINVAL, try_compat_ioctl(fd, DMA_BUF_IOCTL_INFO, info));
	EXPECT_EQ(EFAULT, try_compat_ioctl(fd, DMA_BUF_IOCTL_INFO, NULL));
}
#endif

/* The number of the ioctl says its size and direction: others are not it. */
TEST_F(info, not_another_command)
{
	struct dma_buf_info info[2] = {
		{ .param = MAP_INFO, .value = UNTOUCHED },
		{ .param = MAP_INFO, .value = UNTOUCHED },
	};
	const unsigned long commands[] = {
		_IO(DMA_BUF_BASE, INFO_NR),
		_IOR(DMA_BUF_BASE, INFO_NR, struct dma_buf_info),
		_IOW(DMA_BUF_BASE, INFO_NR, struct dma_buf_info),
		_IOWR(DMA_BUF_BASE, INFO_NR, __u64),
		_IOWR(DMA_BUF_BASE, INFO_NR, struct dma_buf_info[2]),
		/* The last number, as they are given out from 0 on. */
		_IOWR(DMA_BUF_BASE, 0xff, struct dma_buf_info),
		_IOWR(DMA_BUF_BASE + 1, INFO_NR, struct dma_buf_info),
	};
	unsigned int i;
	int err;

	if (self->buf.absent)
		SKIP(return, "%s", self->buf.reason);

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		err = try_ioctl(self->buf.fd, commands[i], info);
		EXPECT_EQ(ENOTTY, err) {
			TH_LOG("command %#lx", commands[i]);
		}
	}
	EXPECT_EQ(UNTOUCHED, info[0].value);
	EXPECT_EQ(UNTOUCHED, info[1].value);
}

/* Nor is the ioctl for files that are no dma-buf. */
TEST_F(info, not_another_file)
{
	struct dma_buf_info info = {
		.param = MAP_INFO,
		.value = UNTOUCHED,
	};
	int fds[2], mem, null;

	null = open("/dev/null", O_RDWR);
	ASSERT_LE(0, null);
	EXPECT_EQ(ENOTTY, try_ioctl(null, DMA_BUF_IOCTL_INFO, &info));
	close(null);

	ASSERT_EQ(0, pipe(fds));
	EXPECT_EQ(ENOTTY, try_ioctl(fds[0], DMA_BUF_IOCTL_INFO, &info));
	close(fds[0]);
	close(fds[1]);

	mem = memfd_create("not a dma-buf", MFD_CLOEXEC);
	ASSERT_LE(0, mem);
	EXPECT_EQ(ENOTTY, try_ioctl(mem, DMA_BUF_IOCTL_INFO, &info));
	close(mem);
	EXPECT_EQ(UNTOUCHED, info.value);
}

TEST_HARNESS_MAIN
