/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PROCMAP_H
#define PROCMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/fs.h>

#ifndef __noreturn
#define __noreturn	__attribute((noreturn))
#endif

#ifndef __printf
#define __printf(a, b)	__attribute((format(printf, a, b)))
#endif

#define PROCMAP_VERSION	"1.0"

#define BUILD_ID_MAX	20

enum exit_status {
	EXIT_FOUND	= 0,
	EXIT_NOT_FOUND	= 1,
	EXIT_ERROR	= 2,
};

struct options {
	const char *pid;
	__u64 filter;		/* PROCMAP_QUERY_ flags */
	bool next;
	bool build_id;
	bool json;
	bool file_offset;
	bool symbolize;
	const char *symbolizer;	/* NULL: the first that is installed */
	int width;		/* of the terminal, 0 for no limit */
};

/* What the kernel said about one mapping. */
struct mapping {
	struct procmap_query q;
	unsigned char build_id[BUILD_ID_MAX];
	bool name_too_long;
	struct object *object;	/* NULL: not asked for, or none */
	char name[];		/* "" without one */
};

/* The ELF file behind mappings. */
struct object {
	struct object *next;
	const struct mapping *map;	/* the first that it was found for */
	char *path;			/* NULL: not to be had */
	struct elf64_phdr *segments;	/* widened, of a 32-bit file */
	size_t nr_segments;
	unsigned char build_id[BUILD_ID_MAX];
	size_t build_id_size;
};

struct frame {
	char *function;		/* NULL: unknown */
	char *place;		/* FILE:LINE, NULL: unknown */
};

/* One line of output: an address, a mapping of a walk, or a line of text. */
struct answer {
	__u64 addr;
	struct mapping *map;	/* NULL: not found */
	const char *text;	/* input line that has no address */
	size_t text_len;
	bool has_file_addr;
	__u64 file_addr;	/* ELF virtual address in map->object */
	struct frame *frames;	/* innermost first */
	size_t nr_frames;
};

/* Answers that are looked up, and then printed, together. */
struct batch {
	bool walk;
	struct answer *answers;
	size_t nr_answers, room_answers;
	struct mapping **maps;
	size_t nr_maps, room_maps;
	struct object *objects;
	bool failed;		/* a symbolizer did */
};

struct process {
	const char *pid;
	int dir;		/* /proc/PID */
	int maps;		/* /proc/PID/maps */
	bool answered;		/* it has had an address space */
};

/* util.c */
__printf(1, 2) void warn(const char *fmt, ...);
__printf(1, 2) __noreturn void die(const char *fmt, ...);
void *xrealloc(void *old, size_t size);
void *grow(void *array, size_t nr, size_t *room, size_t size);
__printf(1, 2) char *xasprintf(const char *fmt, ...);

/* process.c */
void process_open(struct process *proc, const char *pid);
struct mapping *process_query(struct process *proc, __u64 addr, __u64 flags,
			      bool build_id);

/* print.c */
char *printable(const char *s, size_t len);
void print_batch(const struct batch *batch, const struct options *opts);

/* object.c */
void find_file_addresses(struct batch *batch, const struct process *proc);
void free_objects(struct batch *batch);

/* symbolize.c */
void symbolize(struct batch *batch, const char *tool);

#endif /* PROCMAP_H */
