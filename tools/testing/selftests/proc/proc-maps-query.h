/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the PROCMAP_QUERY tests share: asking the ioctl, reading the text of the
 * same file to compare with, and processes and mappings to ask about.
 */
#ifndef PROC_MAPS_QUERY_H
#define PROC_MAPS_QUERY_H

#include <arpa/inet.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/fs.h>
#include "../kselftest_harness.h"

#define PERMISSIONS	(PROCMAP_QUERY_VMA_READABLE |	\
			 PROCMAP_QUERY_VMA_WRITABLE |	\
			 PROCMAP_QUERY_VMA_EXECUTABLE |	\
			 PROCMAP_QUERY_VMA_SHARED)

#define ALL_FLAGS	(PERMISSIONS |				\
			 PROCMAP_QUERY_COVERING_OR_NEXT_VMA |	\
			 PROCMAP_QUERY_FILE_BACKED_VMA)

#define NEXT		PROCMAP_QUERY_COVERING_OR_NEXT_VMA

#ifndef PR_SET_VMA
#define PR_SET_VMA		0x53564d41
#define PR_SET_VMA_ANON_NAME	0
#endif

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

#define BUILD_ID_MAX	20
#define DELETED		" (deleted)"

/* The longest line: numbers and a path of which every byte is escaped. */
#define MAPS_LINE_MAX	(256 + 4 * PATH_MAX)

/* For steps that are not what is tested, in threads and children too. */
#define must(ok)	((ok) ? (void)0 : must_fail(__FILE__, __LINE__, #ok))

static inline void must_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "# %s:%d: failed: %s: %s\n", file, line, what, strerror(errno));
	abort();
}

/*
 * Reports a fault of the handler of Linux 6.11 and later: an expected failure there, and
 * a failure elsewhere. Before 6.9, the harness takes an expected failure for a skip.
 */
#ifdef XFAIL_ADD
#define SKIP_XFAIL(statement, ...) \
	SKIP(_metadata->exit_code = KSFT_XFAIL; statement, __VA_ARGS__)
#else
#define SKIP_XFAIL(statement, ...)	SKIP(statement, "XFAIL: " __VA_ARGS__)
#endif

#define XFAIL(statement, ...) do {			\
	ASSERT_TRUE(handler_of_mainline()) TH_LOG(__VA_ARGS__); \
	SKIP_XFAIL(statement, __VA_ARGS__);		\
} while (0)

/*
 * In place of TEST_HARNESS_MAIN: skips everything on a kernel without the ioctl,
 * and gives each test as much more time as this machine is slower than others.
 */
#define QUERY_TEST_MAIN							\
static void __attribute__((constructor)) prepare_tests(void)		\
{									\
	struct __fixture_metadata *f;					\
	struct __test_metadata *t;					\
									\
	if (!query_supported()) {					\
		ksft_print_header();					\
		ksft_exit_skip("this kernel has no PROCMAP_QUERY\n");	\
	}								\
	for (f = __fixture_list; f; f = f->next)			\
		for (t = f->tests; t; t = t->next)			\
			t->timeout *= slowness();			\
}									\
TEST_HARNESS_MAIN

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
static inline int query_at(int fd, uint64_t addr, uint64_t flags, struct procmap_query *q)
{
	*q = (struct procmap_query) {
		.size = sizeof(*q), .query_addr = addr, .query_flags = flags,
	};
	return query(fd, q);
}

static inline bool query_supported(void)
{
	struct procmap_query q;
	int fd = maps_open(0);
	int err;

	if (fd < 0)
		return false;
	err = query_at(fd, 0, 0, &q);
	close(fd);
	return err != ENOTTY;
}

static inline bool handler_of_mainline(void)
{
	struct utsname name;

	must(!uname(&name));
	return strverscmp(name.release, "6.11") >= 0;
}

static inline uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/*
 * Returns how many times slower this machine is than one that makes a query in two
 * microseconds, at least 1. Emulation and a kernel full of checks easily cost a
 * factor of 100.
 */
static inline unsigned int slowness(void)
{
	static unsigned int times;
	struct procmap_query q;
	unsigned int i;
	uint64_t start;
	int fd;

	if (times)
		return times;
	fd = maps_open(0);
	start = now_ns();
	for (i = 0; i < 500; i++)
		query_at(fd, (uintptr_t)&query_supported, 0, &q);
	times = 1 + (now_ns() - start) / i / 2000;
	close(fd);
	return times;
}

/*
 * The text
 */

/* One line of /proc/PID/maps. */
struct maps_line {
	uint64_t start, end;	/* addresses, end is the first past it */
	uint64_t flags;		/* PROCMAP_QUERY_VMA_ flags */
	uint64_t offset;	/* bytes */
	uint64_t inode;
	uint32_t dev_major, dev_minor;
	char name[4 * PATH_MAX];	/* escapes undone, "" for no name */
};

/*
 * The maps files write a newline in a path as \012, and nothing else that way,
 * so that a path that has these four bytes itself cannot be told from it.
 */
static inline void maps_unescape(char *to, const char *from)
{
	while (*from && *from != '\n') {
		if (!strncmp(from, "\\012", 4)) {
			*to++ = '\n';
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}

/* Parses one line. Returns false if it is not a line of a maps file. */
static inline bool maps_parse(const char *text, struct maps_line *line)
{
	unsigned long long start, end, offset, inode;
	unsigned int dev_major, dev_minor;
	char perms[5];
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
	maps_unescape(line->name, text + strspn(text, " "));
	return true;
}

static inline size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

static inline uint64_t to_u64(const void *p)
{
	return (uintptr_t)p;
}

static inline int to_prot(uint64_t flags)
{
	return (flags & PROCMAP_QUERY_VMA_READABLE ? PROT_READ : 0) |
	       (flags & PROCMAP_QUERY_VMA_WRITABLE ? PROT_WRITE : 0) |
	       (flags & PROCMAP_QUERY_VMA_EXECUTABLE ? PROT_EXEC : 0);
}

/* Maps anywhere if @at is NULL, else there. */
static inline char *map_at(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
	char *p = mmap(at, size, prot, flags | (at ? MAP_FIXED : 0), fd, offset);

	must(p != MAP_FAILED);
	return p;
}

static inline char *map_anonymous(size_t size, int prot)
{
	return map_at(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

static inline int make_memfd(const char *name)
{
	int fd = syscall(__NR_memfd_create, name, 0);

	must(fd >= 0);
	return fd;
}

static inline bool set_vma_name(const void *at, size_t size, const char *name)
{
	return !prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, (unsigned long)at,
		      (unsigned long)size, name);
}

/*
 * Queries that must leave memory alone
 */

/* In memory that a query must not write, or must not take for input. */
#define GUARD		0xa5

/* The part of the struct that a query writes. */
#define OUT_FIRST	offsetof(struct procmap_query, vma_start)
#define OUT_END		offsetof(struct procmap_query, vma_name_addr)

/* A query between guards, and the buffers that it may ask for. */
struct call {
	unsigned char before[64];
	struct procmap_query q;
	unsigned char after[64];
	char name[PATH_MAX + 64];
	unsigned char build_id[64];
};

/* Asks for numbers; what is not input has the guard's value. */
static inline void call_init(struct call *c, uint64_t addr, uint64_t flags)
{
	memset(c, GUARD, sizeof(*c));
	c->q.size = sizeof(c->q);
	c->q.query_flags = flags;
	c->q.query_addr = addr;
	c->q.vma_name_size = 0;
	c->q.build_id_size = 0;
	c->q.vma_name_addr = 0;
	c->q.build_id_addr = 0;
}

static inline void call_want_name(struct call *c, uint32_t size)
{
	c->q.vma_name_size = size;
	c->q.vma_name_addr = to_u64(c->name);
}

static inline void call_want_build_id(struct call *c, uint32_t size)
{
	c->q.build_id_size = size;
	c->q.build_id_addr = to_u64(c->build_id);
}

static inline bool is_guard(const void *from, size_t size)
{
	const unsigned char *p = from;

	while (size && *p == GUARD) {
		p++;
		size--;
	}
	return !size;
}

/* Whether a call has changed nothing but what it may write. */
static inline bool call_intact(const struct call *was, const struct call *c)
{
	return !memcmp(was, c, offsetof(struct call, q) + OUT_FIRST) &&
	       !memcmp((char *)&was->q + OUT_END, (char *)&c->q + OUT_END,
		       sizeof(c->q) - OUT_END + sizeof(c->after));
}

/*
 * Asks what must fail. Every error but EFAULT is found before anything is written;
 * after EFAULT, the output fields and the buffers are undefined.
 */
static inline void expect_error(struct __test_metadata *_metadata, int fd,
				int err, struct call *c, const char *what)
{
	const struct call was = *c;

	EXPECT_EQ(err, query(fd, &c->q))
		TH_LOG("%s: wrong error", what);
	EXPECT_TRUE(err == EFAULT ? call_intact(&was, c) : !memcmp(&was, c, sizeof(*c)))
		TH_LOG("%s: failed, but wrote to the caller's memory", what);
}

/* Starts a process that calls @prepare, if not NULL, and then stops. */
static inline pid_t start_child(void (*prepare)(void))
{
	pid_t pid = fork();
	int status;

	must(pid >= 0);
	if (!pid) {
		/* Stopped processes do not notice that a test was killed. */
		must(!prctl(PR_SET_PDEATHSIG, SIGKILL));
		if (prepare)
			prepare();
		raise(SIGSTOP);
		_exit(0);
	}
	must(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	return pid;
}

static inline void end_child(pid_t pid)
{
	must(!kill(pid, SIGKILL));
	must(waitpid(pid, NULL, 0) == pid);
}

/*
 * ELF images
 */

/* The headers of this program's class. */
#if __SIZEOF_POINTER__ == 8
#define elf_ehdr	Elf64_Ehdr
#define elf_phdr	Elf64_Phdr
#else
#define elf_ehdr	Elf32_Ehdr
#define elf_phdr	Elf32_Phdr
#endif

static inline void put_headers(int fd, uint64_t phoff, const elf_phdr *segments, unsigned int nr)
{
	const elf_ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
			     sizeof(long) == 8 ? ELFCLASS64 : ELFCLASS32,
			     htonl(1) == 1 ? ELFDATA2MSB : ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_DYN, .e_version = EV_CURRENT, .e_ehsize = sizeof(header),
		.e_phoff = phoff, .e_phentsize = sizeof(*segments), .e_phnum = nr,
	};
	const ssize_t size = nr * sizeof(*segments);

	must(pwrite(fd, &header, sizeof(header), 0) == sizeof(header));
	must(pwrite(fd, segments, size, phoff) == size);
}

/* A note: an owner, which may have bytes behind its NUL, and repeated @fill. */
struct note {
	const char *owner;
	uint32_t owner_size, type, size;
	unsigned char fill;
};

#define GNU_NOTE(type, ...)	{ "GNU", 4, type, __VA_ARGS__ }
#define BUILD_ID(...)		GNU_NOTE(NT_GNU_BUILD_ID, __VA_ARGS__)

static inline uint64_t align_up(uint64_t x, uint64_t to)
{
	return (x + to - 1) / to * to;
}

/* Writes a note and its padding to the file. Returns where the next one begins. */
static inline uint64_t put_note(int fd, uint64_t at, const struct note *note)
{
	const size_t desc = align_up(12 + note->owner_size, 4);
	const size_t size = align_up(desc + note->size, 4);
	unsigned char bytes[256] = "";

	must(size <= sizeof(bytes));
	memcpy(bytes, (uint32_t[]){ note->owner_size, note->size, note->type }, 12);
	memcpy(bytes + 12, note->owner, note->owner_size);
	memset(bytes + desc, note->fill, note->size);
	must(pwrite(fd, bytes, size, at) == (ssize_t)size);
	return at + size;
}

/* Makes the file an ELF image with a build ID of @size times @fill. */
static inline void put_image(int fd, uint32_t size, unsigned char fill)
{
	elf_phdr segment = { .p_type = PT_NOTE, .p_offset = 0x200 };
	struct note note = BUILD_ID(size, fill);

	segment.p_filesz = put_note(fd, segment.p_offset, &note) - segment.p_offset;
	put_headers(fd, 0x100, &segment, 1);
}

#endif /* PROC_MAPS_QUERY_H */
