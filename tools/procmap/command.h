/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "procmap.h"

#ifndef __noreturn
#define __noreturn	__attribute((noreturn))
#endif

#ifndef __printf
#define __printf(a, b)	__attribute((format(printf, a, b)))
#endif

#define ADDRESS_DIGITS	16

enum exit_status {
	EXIT_FOUND	= 0,
	EXIT_NOT_FOUND	= 1,
	EXIT_ERROR	= 2,
};

struct options {
	unsigned int filter;		/* PROCMAP_READ and the like */
	bool next;
	bool return_addresses;
	bool elf_address;
	bool file_offset;
	bool symbolize;
	const char *tool;		/* NULL: libdw */
	char *debug_dirs;		/* "DIR:DIR...", or NULL */
	const char *debuginfod;		/* NULL: no network; "": the environment's */
	bool answers_only;
	bool build_id;
	bool page_size;
	bool json;
	int width;			/* of the terminal, 0 for no limit */
};

/* A mapping, with memory of its own in a batch. */
struct mapping {
	struct procmap_vma vma;
	struct mapping *next;		/* of the batch, in the order they came */
	struct object *object;		/* NULL: not looked for */
};

/* The file behind mappings. It stays as long as the process is looked at. */
struct object {
	struct object *next;
	uint64_t inode;
	uint32_t dev_major, dev_minor;
	char *name;
	int fd;				/* or why there is none: a negative errno */
	char *path;			/* that leads to it, or its name */
	struct procmap_elf *elf;	/* NULL: it is none */
	struct symbols *symbols;	/* of libdw, once they are needed */
	bool no_symbols;
};

struct frame {
	char *function;			/* NULL: unknown */
	bool has_offset;		/* of the address in the function */
	uint64_t offset;
	char *source;			/* NULL: unknown */
	int line, column;		/* 0: unknown */
};

/* What is said of one address, or of one mapping of a walk. */
struct answer {
	uint64_t addr;			/* as it came */
	uint64_t lookup;		/* as it is looked up: before a return address */
	struct mapping *map;		/* NULL: not found */
	bool has_elf_addr;
	uint64_t elf_addr;
	struct frame *frames;		/* innermost first */
	size_t nr_frames;
};

/* Answers that are looked up, and then printed, together. */
struct batch {
	struct answer *answers;
	size_t nr, room;
	struct mapping *first, *last;
	struct chunk *chunks;		/* memory of the mappings */
	bool failed;			/* a symbolizer did */
};

struct process {
	const char *pid;		/* as it was given */
	int number;
	struct procmap *pm;
	bool answered;			/* it has had an address space */
	int gone;			/* the error that says so, or 0 */
	struct object *objects;
	struct jit *jit;
	const struct options *opts;
};

/* util.c */
__printf(1, 2) void warn(const char *fmt, ...);
__printf(1, 2) __noreturn void die(const char *fmt, ...);
__noreturn void out_of_memory(void);
void *xrealloc(void *old, size_t size);
char *xstrdup(const char *s);
void *grow(void *array, size_t nr, size_t *room, size_t size);
__printf(1, 2) char *xasprintf(const char *fmt, ...);
__printf(1, 2) void progress(const char *fmt, ...);
void progress_start(void);
void progress_stop(void);

/* process.c */
int process_open(struct process *proc, const char *pid,
		 const struct options *opts);
void process_close(struct process *proc);
int process_complain(const struct process *proc, int err);
int process_walk(struct process *proc, struct batch *batch);
int process_lookup(struct process *proc, struct batch *batch,
		   unsigned int filter);
void process_symbolize(struct process *proc, struct batch *batch);
bool is_answered(const struct answer *a, const struct options *opts);
struct answer *add_answer(struct batch *batch, uint64_t addr);
void empty_batch(struct batch *batch);
void free_batch(struct batch *batch);
struct frame *add_frame(struct answer *a);

/* symbols.c */
extern const bool have_libdw;
const char *symbols_version(void);
void symbols_find(struct process *proc, struct object *obj,
		  struct answer **answers, size_t nr);
void symbols_close(struct symbols *symbols);

/* tool.c */
bool tool_find(const char *tool, struct object *obj, struct answer **answers,
	       size_t nr);

/* jit.c */
void jit_find(struct process *proc, struct answer *a);
void jit_close(struct jit *jit);

/* print.c */
char *printable(const char *s, size_t len);
void print_walk(const struct process *proc, const struct batch *batch,
		bool heading);
void print_answers(const struct batch *batch, const struct options *opts);
void print_line(const char *line, size_t len, const struct answer *answers,
		size_t nr, const struct options *opts);
void print_table_header(const struct batch *batch, const struct options *opts);
void finish_printing(void);

/* input.c */
int answer_input(struct process *proc);

/* procmap.c */
bool parse_address(const char *s, size_t len, uint64_t *addr);

#endif /* COMMAND_H */
