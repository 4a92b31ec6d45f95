// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preloaded into procmap (LD_PRELOAD), stands between it and the kernel:
 *
 *	SHIM_COUNT=FILE	write the number of queries to FILE at exit
 *	SHIM_ERRNO=N	every query fails with errno N
 *	SHIM_SIGNAL=N	send signal N to process SHIM_PID before query or read
 *			number SHIM_AT, and wait until its address space is gone
 *	SHIM_NO_MEMORY=N	there is no memory for the Nth realloc()
 *	SHIM_COLUMNS=N	standard output is a terminal with N columns
 */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PROCMAP_QUERY	0xc0686611

static int queries;

static int setting(const char *name)
{
	const char *value = getenv(name);

	return value ? atoi(value) : 0;
}

static int real_ioctl(int fd, unsigned long cmd, void *arg)
{
	static int (*real)(int fd, unsigned long cmd, ...);

	if (!real)
		real = dlsym(RTLD_NEXT, "ioctl");
	return real(fd, cmd, arg);
}

static ssize_t real_pread(int fd, void *buf, size_t size, off_t offset)
{
	static ssize_t (*real)(int fd, void *buf, size_t size, off_t offset);

	if (!real)
		real = dlsym(RTLD_NEXT, "pread64");
	return real(fd, buf, size, offset);
}

static void send_and_wait(int fd)
{
	int tries;
	char c;

	kill(setting("SHIM_PID"), setting("SHIM_SIGNAL"));
	for (tries = 0; tries < 1000; tries++) {
		if (real_pread(fd, &c, 1, 0) != 1)
			return;
		usleep(10000);
	}
	fputs("shim: the process did not go away\n", stderr);
	abort();
}

/* Before the one that was asked for, by ioctl or of the text */
static void interfere(int fd)
{
	static int nr;

	if (setting("SHIM_SIGNAL") && ++nr == setting("SHIM_AT"))
		send_and_wait(fd);
}

static int query(int fd, void *arg)
{
	queries++;
	if (setting("SHIM_ERRNO")) {
		errno = setting("SHIM_ERRNO");
		return -1;
	}
	interfere(fd);
	return real_ioctl(fd, PROCMAP_QUERY, arg);
}

ssize_t pread64(int fd, void *buf, size_t size, off_t offset)
{
	interfere(fd);
	return real_pread(fd, buf, size, offset);
}

int ioctl(int fd, unsigned long cmd, ...)
{
	struct winsize *size;
	va_list args;
	void *arg;

	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	if (cmd == PROCMAP_QUERY)
		return query(fd, arg);
	if (cmd == TIOCGWINSZ && fd == STDOUT_FILENO && setting("SHIM_COLUMNS")) {
		size = arg;
		size->ws_col = setting("SHIM_COLUMNS");
		return 0;
	}
	return real_ioctl(fd, cmd, arg);
}

void *realloc(void *old, size_t size)
{
	static void *(*real)(void *old, size_t size);
	static int nr;

	if (++nr == setting("SHIM_NO_MEMORY"))
		return NULL;
	if (!real)
		real = dlsym(RTLD_NEXT, "realloc");
	return real(old, size);
}

static void __attribute((destructor)) write_count(void)
{
	const char *path = getenv("SHIM_COUNT");
	FILE *out = path ? fopen(path, "w") : NULL;

	if (!out)
		return;
	fprintf(out, "%d\n", queries);
	fclose(out);
}
