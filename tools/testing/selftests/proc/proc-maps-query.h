/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the PROCMAP_QUERY tests share: asking the ioctl, and reading the text
 * of the same file to compare with.
 */
#ifndef PROC_MAPS_QUERY_H
#define PROC_MAPS_QUERY_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/sysinfo.h>
#include <sys/types.h>
#include <unistd.h>
#include <linux/fs.h>

#define PERMISSIONS	(PROCMAP_QUERY_VMA_READABLE |	\
			 PROCMAP_QUERY_VMA_WRITABLE |	\
			 PROCMAP_QUERY_VMA_EXECUTABLE |	\
			 PROCMAP_QUERY_VMA_SHARED)

#define ALL_FLAGS	(PERMISSIONS |				\
			 PROCMAP_QUERY_COVERING_OR_NEXT_VMA |	\
			 PROCMAP_QUERY_FILE_BACKED_VMA)

#ifndef PR_SET_VMA
#define PR_SET_VMA		0x53564d41
#define PR_SET_VMA_ANON_NAME	0
#endif

/* The longest line: numbers and a path of which every byte is escaped. */
#define MAPS_LINE_MAX	(256 + 4 * PATH_MAX)

/* For steps that are not what is tested, in threads and children too. */
#define must(ok)	((ok) ? (void)0 : must_fail(__FILE__, __LINE__, #ok))

static inline void must_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "# %s:%d: failed: %s: %s\n", file, line, what,
		strerror(errno));
	abort();
}

/* One line of /proc/PID/maps. */
struct maps_line {
	uint64_t start, end;	/* addresses, end is the first past it */
	uint64_t flags;		/* PROCMAP_QUERY_VMA_ flags */
	uint64_t offset;	/* bytes */
	uint64_t inode;
	uint32_t dev_major, dev_minor;
	char name[4 * PATH_MAX];	/* escapes undone, "" for no name */
};

/* Returns a descriptor of /proc/@pid/maps, or -1 with errno; 0 is "self". */
static inline int maps_open(pid_t pid)
{
	char path[64] = "/proc/self/maps";

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* Returns 0, or the errno of the ioctl. */
static inline int query(int fd, struct procmap_query *q)
{
	return ioctl(fd, PROCMAP_QUERY, q) ? errno : 0;
}

/* Asks for numbers only. Returns 0, or the errno of the ioctl. */
static inline int query_at(int fd, uint64_t addr, uint64_t flags,
			   struct procmap_query *q)
{
	memset(q, 0, sizeof(*q));
	q->size = sizeof(*q);
	q->query_addr = addr;
	q->query_flags = flags;
	return query(fd, q);
}

/* Does this kernel have the ioctl? A test of one that has not is skipped. */
static inline bool query_supported(void)
{
	struct procmap_query q;
	int fd = maps_open(0);
	int err;

	if (fd < 0)
		return false;
	err = query_at(fd, (uintptr_t)&query_supported, 0, &q);
	close(fd);
	return err != ENOTTY;
}

/*
 * The maps files write a newline in a path as \012, and nothing else that way,
 * so that a path that has these four bytes itself cannot be told from it.
 */
static inline void maps_unescape(char *to, const char *from)
{
	while (*from) {
		if (!strncmp(from, "\\012", 4)) {
			*to++ = '\n';
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}

/*
 * Parses one line, without or with its newline. Returns false if it is not a
 * line of a maps file.
 */
static inline bool maps_parse(const char *text, struct maps_line *line)
{
	char perms[5], buf[MAPS_LINE_MAX];
	unsigned long long start, end, offset, inode;
	unsigned int dev_major, dev_minor;
	int name = 0;

	if (sscanf(text, "%llx-%llx %4s %llx %x:%x %llu%n", &start, &end, perms,
		   &offset, &dev_major, &dev_minor, &inode, &name) != 7)
		return false;
	*line = (struct maps_line) {
		.start = start, .end = end, .offset = offset, .inode = inode,
		.dev_major = dev_major, .dev_minor = dev_minor,
	};
	line->flags |= perms[0] == 'r' ? PROCMAP_QUERY_VMA_READABLE : 0;
	line->flags |= perms[1] == 'w' ? PROCMAP_QUERY_VMA_WRITABLE : 0;
	line->flags |= perms[2] == 'x' ? PROCMAP_QUERY_VMA_EXECUTABLE : 0;
	line->flags |= perms[3] == 's' ? PROCMAP_QUERY_VMA_SHARED : 0;

	text += name;
	text += strspn(text, " ");
	snprintf(buf, sizeof(buf), "%s", text);
	buf[strcspn(buf, "\n")] = '\0';
	maps_unescape(line->name, buf);
	return true;
}

/* Bytes that nobody uses: what a leak of many pages takes away. */
static inline uint64_t free_memory(void)
{
	struct sysinfo info;

	must(!sysinfo(&info));
	return (uint64_t)info.freeram * info.mem_unit;
}

/* VMAs that a process may have. */
static inline size_t vmas_allowed(void)
{
	FILE *file = fopen("/proc/sys/vm/max_map_count", "r");
	size_t max = 0;

	must(file && fscanf(file, "%zu", &max) == 1);
	fclose(file);
	return max;
}

#endif /* PROC_MAPS_QUERY_H */
