/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
#ifndef PROCMAP_INTERNAL_H
#define PROCMAP_INTERNAL_H

#include <limits.h>
#include <stdbool.h>
#include <sys/ioctl.h>

#include "procmap.h"

#define __printf(a, b)	__attribute((format(printf, a, b)))

/*
 * The ABI of PROCMAP_QUERY, since many hosts have a <linux/fs.h> without it. The
 * filter and PROCMAP_NEXT have the kernel's numbers.
 */
struct query {
	uint64_t size;
	uint64_t query_flags;
	uint64_t query_addr;
	uint64_t vma_start;
	uint64_t vma_end;
	uint64_t vma_flags;
	uint64_t vma_page_size;
	uint64_t vma_offset;
	uint64_t inode;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint32_t vma_name_size;
	uint32_t build_id_size;
	uint64_t vma_name_addr;
	uint64_t build_id_addr;
};

_Static_assert(sizeof(struct query) == 104, "as the kernel has it");

#define QUERY		_IOWR('f', 17, struct query)

#define PERMISSIONS	(PROCMAP_READ | PROCMAP_WRITE | PROCMAP_EXEC | \
			 PROCMAP_SHARED)
#define FILTER		(PERMISSIONS | PROCMAP_FILE)
#define TELL		(PROCMAP_NAME | PROCMAP_BUILD_ID | PROCMAP_PAGE_SIZE)

/* A text that is read line by line. */
struct text {
	int fd;
	char *buf;
	size_t size;
	size_t pos, len;	/* what has been read, and not been returned */
	off_t offset;		/* in the file, behind what has been read */
	bool ended;
};

struct procmap {
	int dir;		/* /proc/PID, or -1 */
	int maps;
	int smaps;		/* -1 until it is needed */
	pid_t pid;
	enum procmap_way way;
	bool no_ioctl;		/* as it has turned out */
	bool busy;		/* in a walk or a look-up */
	struct text text;
	char *kept;		/* a name from smaps */
	size_t kept_size;
	struct procmap_vma vma;
	char name[PATH_MAX];
};

/* procmap.c */
int procmap_read_build_id(struct procmap *pm, struct procmap_vma *vma);

/* text.c */
int text_parse(char *line, size_t len, struct procmap_vma *vma);
int text_walk(struct procmap *pm, unsigned int flags, procmap_walk_fn *fn,
	      void *arg);

/* file.c */
bool file_may_have_build_id(struct procmap *pm, const struct procmap_vma *vma);

#endif /* PROCMAP_INTERNAL_H */
