/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Warnings of the kernel, as its log has them. WARN_ON_ONCE() speaks once per
 * boot, so a test lets it speak again first, and listens from then on.
 */
#ifndef DMA_BUF_KMSG_H
#define DMA_BUF_KMSG_H

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEAR_WARN_ONCE "/sys/kernel/debug/clear_warn_once"
#define TAINTED "/proc/sys/kernel/tainted"
#define PANIC_ON_WARN "/proc/sys/kernel/panic_on_warn"
#define WARN_LIMIT "/proc/sys/kernel/warn_limit"

/* Documentation/admin-guide/tainted-kernels.rst: the kernel has warned. */
#define TAINT_WARN 512

/* Whether the kernel has a setting, and it is not 0. */
static inline bool is_set(const char *path)
{
	FILE *file = fopen(path, "r");
	unsigned int value = 0;

	if (!file)
		return false;
	if (fscanf(file, "%u", &value) != 1)
		value = 0;
	fclose(file);
	return value;
}

/**
 * warning_missing() - what a test that makes the kernel warn needs
 *
 * Return: what is not there or has another value, NULL if all is as it should
 */
static inline const char *warning_missing(void)
{
	if (is_set(PANIC_ON_WARN))
		return "0 in " PANIC_ON_WARN;
	if (is_set(WARN_LIMIT))
		return "0 in " WARN_LIMIT;
	return NULL;
}

/**
 * kmsg_missing() - what a test of warnings needs and cannot have
 *
 * Return: what is missing or kept from us, NULL if there is none
 */
static inline const char *kmsg_missing(void)
{
	if (access("/dev/kmsg", R_OK))
		return "/dev/kmsg";
	if (access(CLEAR_WARN_ONCE, W_OK))
		return CLEAR_WARN_ONCE;
	if (access(TAINTED, R_OK))
		return TAINTED;
	/* Without KALLSYMS, a warning does not name its function. */
	if (access("/proc/kallsyms", R_OK))
		return "/proc/kallsyms";
	return warning_missing();
}

/**
 * kmsg_listen() - let warnings that are given once be given again
 *
 * Return: the log at its end, to be closed, or -1
 */
static inline int kmsg_listen(void)
{
	int clear, log;

	clear = open(CLEAR_WARN_ONCE, O_WRONLY | O_CLOEXEC);
	if (clear < 0)
		return -1;
	if (write(clear, "1", 1) != 1) {
		close(clear);
		return -1;
	}
	close(clear);

	log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (log >= 0 && lseek(log, 0, SEEK_END) < 0) {
		close(log);
		return -1;
	}
	return log;
}

/**
 * kmsg_count() - how many records have come that match
 * @log: from kmsg_listen()
 * @pattern: an extended regular expression
 *
 * Each record is seen once: the next call counts what has come since.
 *
 * Return: the number, or a negative errno
 */
static inline int kmsg_count(int log, const char *pattern)
{
	char record[8193];	/* the kernel hands out no longer ones */
	int count = 0;
	regex_t regex;
	ssize_t len;

	if (regcomp(&regex, pattern, REG_EXTENDED | REG_NEWLINE | REG_NOSUB))
		return -EINVAL;

	for (;;) {
		len = read(log, record, sizeof(record) - 1);
		if (len > 0) {
			record[len] = '\0';
			if (!regexec(&regex, record, 0, NULL, 0))
				count++;
		} else if (!len || (errno != EPIPE && errno != EINTR)) {
			break;
		}
		/* EPIPE: overwritten before it was read, go on with the next. */
	}
	if (len < 0 && errno != EAGAIN)
		count = -errno;
	regfree(&regex);
	return count;
}

/* Bits of Documentation/admin-guide/tainted-kernels.rst, -1 if unknown. */
static inline long kernel_taint(void)
{
	FILE *file = fopen(TAINTED, "r");
	char line[32];
	long taint = -1;

	if (!file)
		return -1;
	if (fgets(line, sizeof(line), file))
		taint = strtol(line, NULL, 10);
	fclose(file);
	return taint;
}

#endif /* DMA_BUF_KMSG_H */
