// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of PROCMAP_QUERY: random and spoiled queries, with pointers good and
 * bad, about this process and another one whose mappings change at random.
 *
 * It goes in rounds. A round starts from nothing and takes all its decisions
 * from one stream of numbers, so that the same program repeats it from its seed;
 * the seed of a round is the one before plus 1. In its quiet phases nothing
 * changes while queries are made: the text of the maps file, read before and
 * found the same after, says what each query must return, and every byte of
 * memory that a query could reach is compared. In the noisy phase that ends a
 * round, mappings that are asked about, and those that pointers lead into, come
 * and go meanwhile: answers must be plausible, and the kernel has to survive.
 *
 * Not a test that is run by default: it takes the time that it is given.
 */
#define _FILE_OFFSET_BITS 64
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include "../kselftest.h"
#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif
#include "proc-maps-query-elf.h"

/* The smallest struct, the part of it that is output, and all of it. */
#define SIZE_MIN	offsetof(struct procmap_query, vma_start)
#define OUT_END		offsetof(struct procmap_query, vma_name_addr)
#define SIZE_KNOWN	sizeof(struct procmap_query)

/*
 * Far from where the kernel places anything by itself: what is mapped and
 * unmapped here at random is nobody else's.
 */
#if __SIZEOF_POINTER__ == 8
#define FIELD		0x1000000000UL
#else
#define FIELD		0x20000000UL
#endif
#define FIELD_PAGES	1024
#define HUGE_FIELD	(FIELD + (64UL << 20))
#define HUGE_PAGES	2
#define ARENA		(FIELD + (192UL << 20))
#define GROUND_END	(FIELD + (256UL << 20))

/* How far a mapping may grow down to where the kernel writes. */
#define STACK_MAX	(8UL << 20)

/* Path of a file system that nobody else sees. */
#define MOUNT_POINT	"/tmp"

#define FILES		12
#define QUIET_QUERIES	250
#define NOISY_QUERIES	400
#define PROGRESS	10	/* seconds */
#define SHOWN_MAX	20	/* findings printed */

static size_t page;
static size_t huge_page;	/* bytes, 0 if there are none */
static bool verbose;

/*
 * Decisions: splitmix64.
 */

struct stream {
	uint64_t state;
};

static uint64_t draw(struct stream *s)
{
	uint64_t x = s->state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static unsigned int below(struct stream *s, unsigned int n)
{
	return draw(s) % n;
}

static bool chance(struct stream *s, unsigned int percent)
{
	return below(s, 100) < percent;
}

static void fill(struct stream *s, void *to, size_t size)
{
	unsigned char *bytes = to;
	size_t i;

	for (i = 0; i < size; i++)
		bytes[i] = draw(s);
}

/*
 * What is counted and found.
 */

static struct {
	unsigned long queries, checked, rounds, phases, disturbed, found;
	unsigned long operations, refused;
	unsigned long by_errno[256];
} count;

/* Of the round, and of the query in it. */
static uint64_t round_seed;
static unsigned int query_nr;

static const char *errno_name(int err)
{
	static const struct {
		int err;
		const char *name;
	} names[] = {
		{ 0, "none" }, { ENOTTY, "ENOTTY" }, { EFAULT, "EFAULT" },
		{ E2BIG, "E2BIG" }, { EINVAL, "EINVAL" }, { ESRCH, "ESRCH" },
		{ EINTR, "EINTR" }, { ENOENT, "ENOENT" },
		{ ENAMETOOLONG, "ENAMETOOLONG" }, { ENOMEM, "ENOMEM" },
	};
	static char number[2][24];
	static unsigned int next;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i].err == -err)
			return names[i].name;
	}
	i = next++ % ARRAY_SIZE(number);
	snprintf(number[i], sizeof(number[i]), "errno %d", -err);
	return number[i];
}

/*
 * Files to map, made anew for each round. The number that a file's name begins
 * with stays whatever it is renamed to, so that a name tells the build ID.
 */

static struct {
	int fd;			/* only the first can be written through */
	int dir;		/* where its name is, -1 for a memfd */
	char name[NAME_MAX + 1];
	struct truth truth;
} files[FILES];

static unsigned int names_made;
static int top_dir, deep_dir, zero_fd;

/* What programs and libraries are mapped from the start. */
static struct {
	char name[PATH_MAX];
	struct truth truth;
} libraries[32];

static void remember_library(const char *name)
{
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(libraries) && *libraries[i].name; i++) {
		if (!strcmp(libraries[i].name, name))
			return;
	}
	must(i < ARRAY_SIZE(libraries) && strlen(name) < PATH_MAX);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	must(fd >= 0);
	strcpy(libraries[i].name, name);
	libraries[i].truth = truth_of(fd);
	close(fd);
}

/* What is in no file that is known has no build ID: /dev/zero, shared memory. */
static struct truth truth_by_name(const char *name)
{
	const char *last = strrchr(name, '/');
	unsigned int i;
	int end = 0;

	for (i = 0; i < ARRAY_SIZE(libraries); i++) {
		if (*name && !strcmp(libraries[i].name, name))
			return libraries[i].truth;
	}
	if (!last)
		return (struct truth) {};
	last++;
	if (!strncmp(last, "memfd:", 6))
		last += 6;
	if (sscanf(last, "%2u-%n", &i, &end) != 1 || end != 3 || i >= FILES)
		return (struct truth) {};
	return files[i].truth;
}

static void draw_note(struct stream *s, struct note *n)
{
	static const uint32_t sizes[] = { 0, 1, 3, 8, 16, 19, 20, 20, 21, 64 };

	*n = (struct note) {
		.owner = chance(s, 80) ? "GNU" : "GNU\0more",
		.type = chance(s, 60) ? NT_GNU_BUILD_ID : below(s, 6),
		.size = sizes[below(s, ARRAY_SIZE(sizes))],
		.fill = draw(s),
	};
	n->owner_size = chance(s, 90) ? 4 : 1 + below(s, 8);
}

static void draw_shape(struct stream *s, struct shape *shape)
{
	static const uint64_t aligns[] = { 0, 0, 4, 8, 1, 16 };
	unsigned int segments = below(s, 4), i, j;

	*shape = (struct shape) {
		.name = "random",
		.type = chance(s, 90) ? ET_DYN : below(s, 6),
		.front = below(s, chance(s, 10) ? 150 : 5),
		.spread = chance(s, 95) ? 0 : 8,
		.phoff = chance(s, 80) ? 0 : 4 * (20 + below(s, 2000)),
	};
	for (i = 0; i < segments; i++) {
		struct segment *seg = &shape->segment[i];
		unsigned int notes = 1 + below(s, 5);

		for (j = 0; j < notes; j++)
			draw_note(s, &seg->note[j]);
		seg->empty = chance(s, 90) ? 0 : below(s, 20);
		seg->type = chance(s, 85) ? PT_NOTE : PT_LOAD;
		seg->offset = chance(s, 60) ? 0 : 9000 + 4 * below(s, 1500);
		seg->align = aligns[below(s, ARRAY_SIZE(aligns))];
		seg->cut = chance(s, 90) ? 0 : below(s, 9);
		seg->slack = chance(s, 90) ? 0 : below(s, 9);
	}
}

static void put_random_image(struct stream *s, int fd)
{
	struct image img = {
		.fd = fd,
		.class = chance(s, 70) ? ELFCLASS64 : ELFCLASS32,
		.order = chance(s, 95) ? NATIVE_ORDER :
					 ELFDATA2LSB + ELFDATA2MSB - NATIVE_ORDER,
	};
	unsigned int spoiled = chance(s, 60) ? 0 : 1 + below(s, 3);
	struct shape shape;
	unsigned char byte;

	draw_shape(s, &shape);
	put_shape(&img, &shape);
	while (spoiled--) {
		byte = draw(s);
		write_at(fd, below(s, 400), &byte, 1);
	}
	if (chance(s, 10))
		must(!ftruncate(fd, below(s, 600)));
}

/* Sets a name that the file has not had. */
static void rename_file(struct stream *s, unsigned int i)
{
	static const char * const flavours[] = {
		"plain", "new\nline\n", "\303\244\377", " \t spaces ", "[heap]",
		"x (deleted)", "%s%n", "\\",
	};
	const char *flavour = flavours[below(s, ARRAY_SIZE(flavours))];
	char name[NAME_MAX + 1];

	if (files[i].dir == deep_dir)
		snprintf(name, sizeof(name), "%02u-%0*u", i, 8 + below(s, 240),
			 names_made++);
	else
		snprintf(name, sizeof(name), "%02u-%s%u", i, flavour,
			 names_made++);
	if (!*files[i].name ||
	    !renameat(files[i].dir, files[i].name, files[i].dir, name))
		strcpy(files[i].name, name);
}

static void make_file(struct stream *s, unsigned int i)
{
	static char path[64];
	int fd;

	files[i].name[0] = '\0';
	files[i].dir = i < 3 ? deep_dir : i < 6 ? -1 : top_dir;
	rename_file(s, i);
	if (files[i].dir < 0)
		fd = memfd_create(files[i].name, MFD_CLOEXEC);
	else
		fd = openat(files[i].dir, files[i].name,
			    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	must(fd >= 0);
	if (i == 0) {
		must(!ftruncate(fd, 16 * page));
		files[i].truth = (struct truth) {};
		files[i].fd = fd;
		return;
	}
	put_random_image(s, fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	files[i].fd = open(path, O_RDONLY | O_CLOEXEC);
	must(files[i].fd >= 0);
	files[i].truth = truth_of(fd);
	close(fd);
}

static void unlink_file(unsigned int i)
{
	if (files[i].dir >= 0)
		unlinkat(files[i].dir, files[i].name, 0);
}

static void make_files(struct stream *s)
{
	unsigned int i;

	names_made = 0;
	for (i = 0; i < FILES; i++)
		make_file(s, i);
}

static void remove_files(void)
{
	unsigned int i;

	for (i = 0; i < FILES; i++) {
		unlink_file(i);
		close(files[i].fd);
	}
}

/* Names of the files in it are somewhat shorter and longer than PATH_MAX. */
static int make_deep_dir(void)
{
	size_t left = PATH_MAX - 130 - strlen(MOUNT_POINT);
	char name[NAME_MAX + 1];
	int dir = dup(top_dir);

	while (left > 1) {
		size_t len = left - 1 < 200 ? left - 1 : 200;
		int next;

		memset(name, 'd', len);
		name[len] = '\0';
		must(!mkdirat(dir, name, 0755));
		next = openat(dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		must(next >= 0);
		close(dir);
		dir = next;
		left -= len + 1;
	}
	return dir;
}

/*
 * Operations on mappings. Those that the kernel refuses do no harm.
 */

static const int prots[] = {
	PROT_NONE, PROT_READ, PROT_WRITE, PROT_READ | PROT_WRITE,
	PROT_READ | PROT_EXEC, PROT_EXEC, PROT_READ | PROT_WRITE | PROT_EXEC,
};

struct range {
	void *addr;
	size_t size;
};

static struct range draw_range(struct stream *s, unsigned int pages)
{
	unsigned int nr = 1 + below(s, pages);

	return (struct range) {
		(void *)(FIELD + below(s, FIELD_PAGES - nr) * page), nr * page
	};
}

static bool map_range(struct range r, int prot, int flags, int fd, off_t offset)
{
	return mmap(r.addr, r.size, prot, flags | MAP_FIXED, fd,
		    offset) != MAP_FAILED;
}

static bool map_memory(struct stream *s)
{
	static const int kinds[] = {
		MAP_PRIVATE, MAP_PRIVATE, MAP_SHARED,
		MAP_PRIVATE | MAP_GROWSDOWN, MAP_PRIVATE | MAP_NORESERVE,
	};

	return map_range(draw_range(s, 16), prots[below(s, ARRAY_SIZE(prots))],
			 kinds[below(s, ARRAY_SIZE(kinds))] | MAP_ANONYMOUS, -1, 0);
}

static bool map_file(struct stream *s)
{
	unsigned int i = below(s, FILES + 1);

	return map_range(draw_range(s, 8), prots[below(s, ARRAY_SIZE(prots))],
			 chance(s, 50) ? MAP_PRIVATE : MAP_SHARED,
			 i < FILES ? files[i].fd : zero_fd, below(s, 20) * page);
}

static bool map_huge(struct stream *s)
{
	struct range r = {
		(void *)(HUGE_FIELD + below(s, HUGE_PAGES) * huge_page), huge_page
	};

	if (!huge_page)
		return false;
	if (chance(s, 30))
		return !munmap(r.addr, r.size);
	return map_range(r, prots[below(s, ARRAY_SIZE(prots))],
			 (chance(s, 50) ? MAP_PRIVATE : MAP_SHARED) |
			 MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, -1, 0);
}

static bool attach_segment(struct stream *s)
{
	struct range r = draw_range(s, 8);
	int flags = SHM_REMAP | (chance(s, 50) ? SHM_RDONLY : 0);
	int id = shmget(IPC_PRIVATE, r.size, IPC_CREAT | 0700);
	bool done;

	if (id < 0)
		return false;
	done = shmat(id, r.addr, flags) != (void *)-1;
	shmctl(id, IPC_RMID, NULL);
	return done;
}

static bool unmap_range(struct stream *s)
{
	struct range r = draw_range(s, chance(s, 5) ? FIELD_PAGES / 2 : 16);

	return !munmap(r.addr, r.size);
}

static bool protect_range(struct stream *s)
{
	struct range r = draw_range(s, 8);

	return !mprotect(r.addr, r.size, prots[below(s, ARRAY_SIZE(prots))]);
}

/* Many small mappings of alternating permissions. */
static bool protect_comb(struct stream *s)
{
	struct range r = draw_range(s, 64);
	bool done = map_range(r, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int prot = prots[below(s, ARRAY_SIZE(prots))];
	size_t i;

	for (i = 0; done && i < r.size; i += 2 * page)
		done = !mprotect((char *)r.addr + i, page, prot);
	return done;
}

static bool move_range(struct stream *s)
{
	struct range from = draw_range(s, 4), to = draw_range(s, 4);

	return mremap(from.addr, from.size, to.size,
		      MREMAP_MAYMOVE | MREMAP_FIXED, to.addr) != MAP_FAILED;
}

static bool advise_range(struct stream *s)
{
	static const int advices[] = {
		MADV_DONTDUMP, MADV_DODUMP, MADV_SEQUENTIAL, MADV_NORMAL,
		MADV_DONTNEED, MADV_DONTFORK, MADV_DOFORK,
	};
	struct range r = draw_range(s, 8);

	return !madvise(r.addr, r.size, advices[below(s, ARRAY_SIZE(advices))]);
}

static bool name_range(struct stream *s)
{
	struct range r = draw_range(s, 8);
	char name[82];
	unsigned int len = below(s, sizeof(name) - 1), i;

	for (i = 0; i < len; i++)
		name[i] = 'a' + below(s, 26);
	name[len] = '\0';
	return !prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, r.addr, r.size,
		      chance(s, 85) ? name : NULL);
}

static void operate(struct stream *s)
{
	static bool (* const operations[])(struct stream *) = {
		map_memory, map_memory, map_file, map_file, map_file,
		map_huge, attach_segment, unmap_range, unmap_range,
		protect_range, protect_range, protect_comb, move_range,
		advise_range, name_range, name_range,
	};

	count.operations++;
	if (!operations[below(s, ARRAY_SIZE(operations))](s))
		count.refused++;
}

/* Files are the same for both processes: only this one names them. */
static void operate_on_files(struct stream *s)
{
	unsigned int i = below(s, FILES);

	if (files[i].dir < 0)
		return;
	if (chance(s, 80))
		rename_file(s, i);
	else
		unlink_file(i);
}

static void clear_field(void)
{
	must(!munmap((void *)FIELD, FIELD_PAGES * page));
	if (huge_page)
		must(!munmap((void *)HUGE_FIELD, HUGE_PAGES * huge_page));
}

/*
 * Memory for queries. Pages that can be written, that can only be read, that
 * allow nothing, that lie beyond the end of their file, and holes; all that
 * exists is seen at another address too, where it can be prepared and compared.
 */

static const char arena_pages[] = ".wwrw-ww.wb.";
#define ARENA_PAGES	(sizeof(arena_pages) - 1)

/* In the noisy phase: for structs, names, build IDs, and a spoiled struct. */
#define ARENA_NAMES	1
#define ARENA_IDS	4
#define ARENA_STRUCTS	6
#define ARENA_HOT	9

static unsigned char *arena_now;	/* what is there */
static unsigned char *arena_was;	/* what was there before the query */

static uint64_t arena_page(unsigned int i)
{
	return ARENA + (uint64_t)i * page;
}

static bool in_arena(uint64_t addr)
{
	return addr >= ARENA && addr < arena_page(ARENA_PAGES);
}

/* Whether @size bytes are all in pages of those kinds. */
static bool reaches(uint64_t addr, size_t size, const char *kinds)
{
	size_t i;

	for (i = 0; i < size; i = i + page - (addr + i) % page) {
		if (!in_arena(addr + i) ||
		    !strchr(kinds, arena_pages[(addr + i - ARENA) / page]))
			return false;
	}
	return true;
}

static bool readable(uint64_t addr, size_t size)
{
	return reaches(addr, size, "wr");
}

static bool writable(uint64_t addr, size_t size)
{
	return reaches(addr, size, "w");
}

/* Puts into the arena what of the bytes lies in it. */
static void arena_put(uint64_t addr, const void *from, size_t size)
{
	const unsigned char *bytes = from;
	size_t i;

	for (i = 0; i < size; i++) {
		if (readable(addr + i, 1))
			arena_now[addr + i - ARENA] = bytes[i];
	}
}

static void make_arena(void)
{
	size_t size = ARENA_PAGES * page;
	int fd = memfd_create("arena", MFD_CLOEXEC);
	unsigned int i;

	must(fd >= 0 && !ftruncate(fd, size));
	for (i = 0; i < ARENA_PAGES; i++) {
		struct range r = { (void *)(uintptr_t)arena_page(i), page };
		char kind = arena_pages[i];
		int prot = PROT_NONE;

		if (kind == 'w' || kind == 'b')
			prot = PROT_READ | PROT_WRITE;
		else if (kind == 'r')
			prot = PROT_READ;
		if (kind != '.')
			must(map_range(r, prot, MAP_SHARED, fd,
				       kind == 'b' ? size : i * page));
	}
	arena_now = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(arena_now != MAP_FAILED);
	close(fd);
	arena_was = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(arena_was != MAP_FAILED);
}

/*
 * The text of a maps file.
 */

struct vma {
	uint64_t start, end, flags, offset, inode;
	uint32_t dev_major, dev_minor;
	const char *name;
};

#define TEXT_MAX	(8 << 20)
#define VMAS_MAX	4096

struct text {
	char raw[TEXT_MAX];
	size_t size;
	char names[TEXT_MAX];
	struct vma vma[VMAS_MAX];
	unsigned int nr;
};

static size_t read_text(int fd, char *to)
{
	size_t size = 0;
	ssize_t len;

	must(!lseek(fd, 0, SEEK_SET));
	while ((len = read(fd, to + size, TEXT_MAX - 1 - size)) > 0)
		size += len;
	must(!len && size < TEXT_MAX - 1);
	return size;
}

/* Not in the process's address space, though the text has it. */
static bool is_gate(const char *name)
{
	return !strcmp(name, "[vsyscall]") || !strcmp(name, "[vectors]");
}

static void parse_text(struct text *t)
{
	static char copy[MAPS_LINE_MAX];
	static struct maps_line line;
	char *at = t->raw, *name = t->names;

	t->nr = 0;
	while (at < t->raw + t->size) {
		char *end = memchr(at, '\n', t->raw + t->size - at);

		must(end && end - at < MAPS_LINE_MAX && t->nr < VMAS_MAX);
		memcpy(copy, at, end - at);
		copy[end - at] = '\0';
		must(maps_parse(copy, &line));
		at = end + 1;
		if (is_gate(line.name))
			continue;
		t->vma[t->nr++] = (struct vma) {
			line.start, line.end, line.flags, line.offset,
			line.inode, line.dev_major, line.dev_minor, name
		};
		name = stpcpy(name, line.name) + 1;
	}
}

static void take_text(int fd, struct text *t)
{
	t->size = read_text(fd, t->raw);
	parse_text(t);
}

static bool text_is_same(int fd, const struct text *t)
{
	static char raw[TEXT_MAX];

	return read_text(fd, raw) == t->size && !memcmp(raw, t->raw, t->size);
}

static bool is_file_backed(const struct vma *vma)
{
	return vma->inode || vma->dev_major || vma->dev_minor;
}

static bool matches(const struct vma *vma, uint64_t flags)
{
	if ((flags & PROCMAP_QUERY_FILE_BACKED_VMA) && !is_file_backed(vma))
		return false;
	return !(flags & PERMISSIONS & ~vma->flags);
}

static const struct vma *find(const struct text *t, uint64_t addr,
			      uint64_t flags)
{
	bool next = flags & PROCMAP_QUERY_COVERING_OR_NEXT_VMA;
	unsigned int i;

	for (i = 0; i < t->nr; i++) {
		const struct vma *vma = &t->vma[i];

		if (addr >= vma->end)
			continue;
		if (matches(vma, flags) && (next || addr >= vma->start))
			return vma;
		if (!next)
			break;
	}
	return NULL;
}

static uint64_t page_size_of(const struct vma *vma)
{
	return strstr(vma->name, "anon_hugepage") ? huge_page : page;
}

/*
 * Who is asked about.
 */

enum who { SELF, CHILD, KTHREAD, TARGETS };

static struct text texts[TARGETS];

static struct target {
	const char *name;
	struct text *text;
	int fd;			/* -1: there is none */
	bool has_mm;
} targets[TARGETS] = {
	[SELF]		= { "self", &texts[SELF], -1, false },
	[CHILD]		= { "child", &texts[CHILD], -1, false },
	[KTHREAD]	= { "kernel thread", &texts[KTHREAD], -1, false },
};

static struct target *draw_target(struct stream *s)
{
	struct target *t = &targets[SELF];
	unsigned int i = below(s, 100);

	if (i < 55)
		t = &targets[CHILD];
	else if (i < 58)
		t = &targets[KTHREAD];
	return t->fd < 0 ? &targets[SELF] : t;
}

/*
 * Queries.
 */

struct attempt {
	struct target *target;
	unsigned int cmd;
	uint64_t at;		/* of the struct */
	struct procmap_query q;	/* what it contains, wherever it can be read */
	int err;		/* what came: 0 or a negative errno */
};

/*
 * May a query be told to write there? In the arena; or where nothing is and no
 * mapping can grow to: what it must not reach is not put at risk.
 */
static bool is_harmless(uint64_t addr)
{
	const struct text *t = &texts[SELF];
	unsigned int i;

	if (in_arena(addr))
		return true;
	for (i = 0; i < t->nr; i++) {
		const struct vma *vma = &t->vma[i];

		if (vma->end > addr && (vma->start <= addr ||
					vma->start - addr < 2 * STACK_MAX))
			return false;
	}
	return true;
}

/* Addresses where user memory cannot be. */
static const uint64_t nowhere[] = {
	1, 8, 0xfff, 0x7ffffffffffff000, 1ULL << 63, 0xffff888000000000,
	0xffffffff81000000, ~0ULL, ~0ULL - 7, ~0ULL - 103, ~0ULL - 4095,
};

static uint64_t draw_bad_pointer(struct stream *s)
{
	uint64_t addr = chance(s, 60) ? nowhere[below(s, ARRAY_SIZE(nowhere))] :
					draw(s) >> below(s, 64);

	return is_harmless(addr) ? addr : 1;
}

/* Somewhere where @room bytes can be written, if the arena is large enough. */
static uint64_t draw_good_pointer(struct stream *s, size_t room)
{
	unsigned int first = chance(s, 50) ? 1 : 6;

	return arena_page(first) +
	       below(s, room < 2 * page ? 2 * page - room : 1);
}

static uint64_t draw_pointer(struct stream *s, size_t room,
			     unsigned int percent_good)
{
	if (chance(s, percent_good))
		return draw_good_pointer(s, room);
	if (chance(s, 50))
		return arena_page(1 + below(s, ARENA_PAGES - 1)) -
		       below(s, room + 8);
	if (chance(s, 50))
		return ARENA + below(s, ARENA_PAGES * page);
	return draw_bad_pointer(s);
}

static uint64_t draw_flags(struct stream *s)
{
	uint64_t flags = draw(s) & draw(s) & ALL_FLAGS;

	if (chance(s, 30))
		flags |= PROCMAP_QUERY_COVERING_OR_NEXT_VMA;
	if (chance(s, 2))
		flags |= 1ULL << below(s, 64);
	return flags;
}

static uint64_t draw_addr(struct stream *s, const struct text *t)
{
	static const uint64_t special[] = {
		0, 1, ~0ULL, 1ULL << 32, 1ULL << 47, (1ULL << 47) - 4096,
		FIELD, FIELD - 1, GROUND_END,
	};
	const struct vma *vma = &t->vma[below(s, t->nr ?: 1)];

	if (!t->nr || chance(s, 5))
		return special[below(s, ARRAY_SIZE(special))];
	switch (below(s, 10)) {
	case 0:
		return vma->start - 1;
	case 1:
		return vma->end;
	case 2:
		return vma->end - 1;
	case 3:
		return vma->start + draw(s) % (vma->end - vma->start);
	case 4:
		return vma->start | draw(s) << 32;
	case 5:
		return FIELD + draw(s) % (FIELD_PAGES * page);
	default:
		return vma->start;
	}
}

/* A size for what needs @need bytes. */
static uint32_t draw_room(struct stream *s, uint32_t need)
{
	const uint32_t rooms[] = {
		need, need, need, need, need + 1, need - 1, PATH_MAX, PATH_MAX,
		PATH_MAX - 1, PATH_MAX + 1, 1, below(s, 100), UINT32_MAX, 1u << 31,
	};

	return rooms[below(s, ARRAY_SIZE(rooms))];
}

static void draw_name(struct stream *s, const struct vma *vma, uint64_t at,
		      struct procmap_query *q)
{
	uint32_t need = vma && *vma->name ? strlen(vma->name) + 1 : 16;

	q->vma_name_size = draw_room(s, need);
	q->vma_name_addr = draw_pointer(s, need, 85);
	if (chance(s, 10))
		q->vma_name_addr = at + below(s, 160) - 40;
}

static void draw_build_id(struct stream *s, const struct vma *vma, uint64_t at,
			  struct procmap_query *q)
{
	uint32_t need = vma ? truth_by_name(vma->name).answer.size : 0;

	q->build_id_size = chance(s, 40) ? BUILD_ID_MAX :
					   draw_room(s, need ?: BUILD_ID_MAX);
	q->build_id_addr = draw_pointer(s, BUILD_ID_MAX, 85);
	if (chance(s, 10))
		q->build_id_addr = at + below(s, 160) - 40;
	else if (q->vma_name_addr && chance(s, 20))
		q->build_id_addr = q->vma_name_addr + below(s, 64) - 16;
}

static uint64_t draw_size(struct stream *s)
{
	static const uint64_t special[] = {
		0, 1, 8, 23, 24, 25, 80, 84, 88, 96, 103, 105, 4095, 4096, 4097,
		1ULL << 32 | 104, 1ULL << 63, ~0ULL,
	};
	unsigned int i = below(s, 100);

	if (i < 65)
		return SIZE_KNOWN;
	if (i < 80)
		return SIZE_MIN + below(s, SIZE_KNOWN - SIZE_MIN);
	if (i < 92)
		return SIZE_KNOWN + 1 + below(s, page - SIZE_KNOWN);
	if (i < 94)
		return below(s, SIZE_MIN);
	return special[below(s, ARRAY_SIZE(special))];
}

/* What a struct means for a kernel: what is missing is 0. */
static struct procmap_query as_read(const struct procmap_query *q)
{
	struct procmap_query view = {};

	memcpy(&view, q, q->size < sizeof(view) ? q->size : sizeof(view));
	return view;
}

static void spoil_query(struct stream *s, struct procmap_query *q)
{
	unsigned char *bytes = (unsigned char *)q;
	unsigned int times = 1 + below(s, 3);

	while (times--)
		bytes[below(s, sizeof(*q))] ^= 1 << below(s, 8);
}

static void draw_query(struct stream *s, struct attempt *a)
{
	const struct text *t = a->target->text;
	struct procmap_query *q = &a->q, view;
	const struct vma *vma;

	fill(s, q, sizeof(*q));
	q->size = draw_size(s);
	q->query_flags = draw_flags(s);
	q->query_addr = draw_addr(s, t);
	vma = find(t, q->query_addr, q->query_flags);

	q->vma_name_size = 0;
	q->vma_name_addr = 0;
	q->build_id_size = 0;
	q->build_id_addr = 0;
	if (chance(s, 55))
		draw_name(s, vma, a->at, q);
	if (chance(s, 45))
		draw_build_id(s, vma, a->at, q);
	if (chance(s, 10))
		spoil_query(s, q);

	view = as_read(q);
	if (!is_harmless(view.vma_name_addr) || !is_harmless(view.build_id_addr)) {
		q->size = SIZE_KNOWN;
		q->vma_name_addr = draw_bad_pointer(s);
		q->build_id_addr = draw_bad_pointer(s);
	}
}

/* Bytes that the caller has and the kernel does not know: 0, or most of them. */
static void put_tail(struct stream *s, const struct attempt *a)
{
	static const unsigned char zeros[65536];
	size_t size;

	if (a->q.size <= SIZE_KNOWN || a->q.size > sizeof(zeros))
		return;
	size = a->q.size - SIZE_KNOWN;
	arena_put(a->at + SIZE_KNOWN, zeros, size);
	if (chance(s, 20))
		arena_put(a->at + SIZE_KNOWN + below(s, size), "\1", 1);
}

static unsigned int draw_command(struct stream *s)
{
	static const unsigned int commands[] = {
		_IOWR(PROCFS_IOCTL_MAGIC, 17, char[103]),
		_IOWR(PROCFS_IOCTL_MAGIC, 17, char[105]),
		_IOWR(PROCFS_IOCTL_MAGIC, 17, char[96]),
		_IOR(PROCFS_IOCTL_MAGIC, 17, struct procmap_query),
		_IOW(PROCFS_IOCTL_MAGIC, 17, struct procmap_query),
		_IOWR('g', 17, struct procmap_query),
		_IO(PROCFS_IOCTL_MAGIC, 17),
	};

	return chance(s, 98) ? PROCMAP_QUERY : commands[below(s, ARRAY_SIZE(commands))];
}

static void draw_attempt(struct stream *s, struct attempt *a)
{
	a->target = draw_target(s);
	a->cmd = draw_command(s);
	a->at = (uintptr_t)draw_pointer(s, 128, 85);
	if (!is_harmless(a->at))
		a->at = 1;
	draw_query(s, a);

	memset(arena_now, draw(s), ARENA_PAGES * page);
	arena_put(a->at, &a->q, sizeof(a->q));
	put_tail(s, a);
	memcpy(arena_was, arena_now, ARENA_PAGES * page);
}

static void make_attempt(struct attempt *a)
{
	a->err = 0;
	if (ioctl(a->target->fd, a->cmd, (void *)(uintptr_t)a->at))
		a->err = -errno;
	count.queries++;
	count.by_errno[-a->err % ARRAY_SIZE(count.by_errno)]++;
	query_nr++;
}

static void print_attempt(const struct attempt *a, FILE *to)
{
	const struct procmap_query *q = &a->q;

	fprintf(to, "%s: %s, struct at %#jx, size %#jx, flags %#jx, address %#jx",
		a->target->name,
		a->cmd == PROCMAP_QUERY ? "PROCMAP_QUERY" : "other command",
		(uintmax_t)a->at, (uintmax_t)q->size,
		(uintmax_t)q->query_flags, (uintmax_t)q->query_addr);
	fprintf(to, ", name %#x at %#jx, build ID %#x at %#jx: %s\n",
		q->vma_name_size, (uintmax_t)q->vma_name_addr,
		q->build_id_size, (uintmax_t)q->build_id_addr,
		errno_name(a->err));
}

/*
 * What must come out of a query.
 */

struct piece {
	uint64_t at;
	const void *bytes;
	size_t size;
};

enum { NAME, BUILD_ID, FIELDS_OUT, INPUT, INPUT_BEHIND, PIECES };

struct verdict {
	int err, or_err;	/* what must come, and what may come instead */
	bool writes;		/* it comes to writing results */
	const struct vma *vma;
	struct truth truth;
	struct procmap_query out;
	struct piece piece[PIECES];
};

/* Errors about the struct itself, or 0. Sets what else is as good. */
static int expect_input(const struct attempt *a, int *or_err)
{
	uint64_t size = a->q.size, i;

	if (!readable(a->at, sizeof(a->q.size)))
		return -EFAULT;
	if (size > page)
		return -E2BIG;
	if (size < SIZE_MIN)
		return -EINVAL;
	for (i = SIZE_KNOWN; i < size; i++) {
		if (readable(a->at + i, 1) && arena_was[a->at + i - ARENA])
			break;
	}
	if (i < size)
		*or_err = -E2BIG;
	if (!readable(a->at, size))
		return -EFAULT;
	return *or_err;
}

static int expect_fields(const struct procmap_query *q)
{
	if (q->query_flags & ~(uint64_t)ALL_FLAGS)
		return -EINVAL;
	if (!q->vma_name_size != !q->vma_name_addr)
		return -EINVAL;
	if (!q->build_id_size != !q->build_id_addr)
		return -EINVAL;
	return 0;
}

static void expect_numbers(const struct vma *vma, struct procmap_query *out)
{
	out->vma_start = vma->start;
	out->vma_end = vma->end;
	out->vma_flags = vma->flags;
	out->vma_page_size = page_size_of(vma);
	out->vma_offset = vma->offset;
	out->inode = vma->inode;
	out->dev_major = vma->dev_major;
	out->dev_minor = vma->dev_minor;
	out->vma_name_size = 0;
	out->build_id_size = 0;
}

/* Returns -ENAMETOOLONG or 0 with the results that are not numbers. */
static int expect_results(const struct procmap_query *q, struct verdict *v)
{
	uint32_t room = q->vma_name_size < PATH_MAX ? q->vma_name_size : PATH_MAX;
	size_t size = *v->vma->name ? strlen(v->vma->name) + 1 : 0;

	if (q->vma_name_size) {
		if (size > room)
			return -ENAMETOOLONG;
		v->out.vma_name_size = size;
		v->piece[NAME] = (struct piece) {
			q->vma_name_addr, v->vma->name, size
		};
	}
	if (q->build_id_size) {
		if (v->truth.answer.size > q->build_id_size)
			return -ENAMETOOLONG;
		v->out.build_id_size = v->truth.answer.size;
		v->piece[BUILD_ID] = (struct piece) {
			q->build_id_addr, v->truth.answer.id,
			v->truth.answer.size
		};
	}
	return 0;
}

/*
 * The struct's inputs may be written back as they were, as a kernel does that
 * writes all of it: it matters where another result lies over them, or where
 * they cannot be written.
 */
static void expect_writes(const struct attempt *a, struct verdict *v)
{
	size_t size = a->q.size < SIZE_KNOWN ? a->q.size : SIZE_KNOWN;
	size_t out_end = size < OUT_END ? size : OUT_END;
	const unsigned char *was = (const unsigned char *)&a->q;
	unsigned int i;

	v->piece[FIELDS_OUT] = (struct piece) {
		a->at + SIZE_MIN, &v->out.vma_start, out_end - SIZE_MIN
	};
	v->piece[INPUT] = (struct piece) { a->at, was, SIZE_MIN };
	v->piece[INPUT_BEHIND] = (struct piece) {
		a->at + out_end, was + out_end, size - out_end
	};
	for (i = 0; i < PIECES; i++) {
		const struct piece *p = &v->piece[i];

		if (writable(p->at, p->size))
			continue;
		v->or_err = -EFAULT;
		if (i < INPUT)
			v->err = -EFAULT;
	}
}

/* @no_build_id: where the kernel is free to find none, it does. */
static void expect(const struct attempt *a, bool no_build_id, struct verdict *v)
{
	struct procmap_query q = as_read(&a->q);

	memset(v, 0, sizeof(*v));
	if (a->cmd != PROCMAP_QUERY)
		v->err = -ENOTTY;
	if (!v->err)
		v->err = expect_input(a, &v->or_err);
	if (!v->err)
		v->err = expect_fields(&q);
	if (!v->err && !a->target->has_mm)
		v->err = -ESRCH;
	if (!v->err) {
		v->vma = find(a->target->text, q.query_addr, q.query_flags);
		if (!v->vma)
			v->err = -ENOENT;
	}
	if (v->vma) {
		v->truth = truth_by_name(v->vma->name);
		if (no_build_id)
			v->truth.answer.size = 0;
		expect_numbers(v->vma, &v->out);
		v->err = expect_results(&q, v);
	}
	if (!v->err) {
		v->writes = true;
		expect_writes(a, v);
	}
	if (!v->or_err)
		v->or_err = v->err;
}

/*
 * Judging a query by that.
 */

static char complaint[512];

#define complain(...)	snprintf(complaint, sizeof(complaint), __VA_ARGS__)

/* Whether a result that may be at @addr has this byte there. */
static bool is_result(const struct verdict *v, uint64_t addr,
		      unsigned char byte)
{
	unsigned int i;

	for (i = 0; i < PIECES; i++) {
		const struct piece *p = &v->piece[i];

		if (addr >= p->at && addr - p->at < p->size &&
		    ((const unsigned char *)p->bytes)[addr - p->at] == byte)
			return true;
	}
	return false;
}

/* Whether nothing changed but to what was to be written there. */
static bool nothing_else_changed(const struct verdict *v)
{
	size_t i;

	for (i = 0; i < ARENA_PAGES * page; i++) {
		if (i % page == 0 && !memcmp(arena_now + i, arena_was + i, page)) {
			i += page - 1;
			continue;
		}
		if (arena_now[i] == arena_was[i] ||
		    is_result(v, ARENA + i, arena_now[i]))
			continue;
		complain("wrote 0x%02x at 0x%jx, which was 0x%02x", arena_now[i],
			 (uintmax_t)(ARENA + i), arena_was[i]);
		return false;
	}
	return true;
}

static bool is_written(const struct verdict *v, unsigned int which)
{
	static const char * const names[] = {
		[NAME] = "name", [BUILD_ID] = "build ID", [FIELDS_OUT] = "struct",
	};
	const struct piece *p = &v->piece[which];
	size_t i;

	for (i = 0; i < p->size; i++) {
		unsigned char now = arena_now[p->at + i - ARENA];

		if (is_result(v, p->at + i, now))
			continue;
		complain("byte %zu of the %s is 0x%02x, must be 0x%02x",
			 which == FIELDS_OUT ? i + SIZE_MIN : i, names[which], now,
			 ((const unsigned char *)p->bytes)[i]);
		return false;
	}
	return true;
}

static bool is_as_expected(const struct attempt *a, struct verdict *v)
{
	if (a->err != v->err && a->err != v->or_err) {
		complain("%s, must be %s", errno_name(a->err),
			 errno_name(v->err));
		return false;
	}
	/* Where writing has failed, any part of the results may be there. */
	if (a->err && !v->writes)
		memset(v->piece, 0, sizeof(v->piece));
	if (!a->err && (!is_written(v, NAME) || !is_written(v, BUILD_ID) ||
			!is_written(v, FIELDS_OUT)))
		return false;
	return nothing_else_changed(v);
}

static bool judge(const struct attempt *a)
{
	static struct verdict v;

	expect(a, false, &v);
	if (is_as_expected(a, &v))
		return true;
	if (!v.truth.or_none)
		return false;
	expect(a, true, &v);
	return is_as_expected(a, &v);
}

/* What was found in a phase that has yet to prove quiet. */
static char *findings;
static size_t findings_size;
static FILE *findings_file;
static unsigned int findings_nr;

static void print_finding(const struct attempt *a, bool quiet, FILE *to)
{
	fprintf(to, "FOUND: %s\n  ", complaint);
	print_attempt(a, to);
	fprintf(to, "  query %u of the round: repeat with --seed %#jx --time 0%s\n",
		query_nr, (uintmax_t)round_seed,
		quiet ? "" : ", several times: threads raced");
}

/*
 * Phases.
 */

static void take_texts(void)
{
	unsigned int i;

	for (i = 0; i < TARGETS; i++) {
		if (targets[i].fd >= 0 && targets[i].has_mm)
			take_text(targets[i].fd, targets[i].text);
	}
}

static bool texts_are_same(void)
{
	unsigned int i;

	for (i = 0; i < TARGETS; i++) {
		if (targets[i].fd >= 0 && targets[i].has_mm &&
		    !text_is_same(targets[i].fd, targets[i].text))
			return false;
	}
	return true;
}

/* Findings count if nothing changed meanwhile. */
static void end_quiet_phase(void)
{
	count.phases++;
	fflush(findings_file);
	if (!texts_are_same()) {
		count.disturbed++;
	} else {
		count.checked += QUIET_QUERIES;
		if (findings_nr && count.found < SHOWN_MAX) {
			fwrite(findings, 1, findings_size, stdout);
			fflush(stdout);
		}
		count.found += findings_nr;
	}
}

static void quiet_phase(struct stream *s)
{
	struct attempt a;
	unsigned int i;

	take_texts();
	rewind(findings_file);
	findings_nr = 0;
	for (i = 0; i < QUIET_QUERIES; i++) {
		draw_attempt(s, &a);
		make_attempt(&a);
		if (verbose) {
			printf("%u ", query_nr);
			print_attempt(&a, stdout);
		}
		if (judge(&a))
			continue;
		if (count.found + findings_nr++ < SHOWN_MAX)
			print_finding(&a, true, findings_file);
	}
	end_quiet_phase();
}

/* The other process: obeys orders to operate on its mappings. */

struct order {
	struct stream stream;
	unsigned int operations;	/* 0: until it is told to stop */
};

static struct {
	pid_t pid;
	int orders, replies;
} child;

static bool *stop;		/* shared with the child */

static bool is_stopped(void)
{
	return __atomic_load_n(stop, __ATOMIC_ACQUIRE);
}

static void set_stopped(bool stopped)
{
	__atomic_store_n(stop, stopped, __ATOMIC_RELEASE);
}

static void obey_orders(int orders, int replies)
{
	struct order order;
	unsigned int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(orders, &order, sizeof(order)) == sizeof(order)) {
		for (i = 0; order.operations ? i < order.operations :
			    !is_stopped(); i++)
			operate(&order.stream);
		if (write(replies, "", 1) != 1)
			break;
	}
	_exit(0);
}

static void fork_child(struct stream *s)
{
	int orders[2], replies[2];
	char path[64];

	must(!pipe(orders) && !pipe(replies));
	child.pid = fork();
	must(child.pid >= 0);
	if (!child.pid) {
		close(orders[1]);
		close(replies[0]);
		obey_orders(orders[0], replies[1]);
	}
	close(orders[0]);
	close(replies[1]);
	child.orders = orders[1];
	child.replies = replies[0];
	snprintf(path, sizeof(path),
		 chance(s, 50) ? "/proc/%1$d/maps" : "/proc/%1$d/task/%1$d/maps",
		 child.pid);
	targets[CHILD].fd = open(path, O_RDONLY | O_CLOEXEC);
	must(targets[CHILD].fd >= 0);
	targets[CHILD].has_mm = true;
}

static void send_order(struct stream *s, unsigned int operations)
{
	struct order order = { { draw(s) }, operations };

	must(write(child.orders, &order, sizeof(order)) == sizeof(order));
}

static void await_child(void)
{
	char reply;

	must(read(child.replies, &reply, 1) == 1);
}

/* Its maps file stays open: there is an mm no more. */
static void kill_child(void)
{
	must(!kill(child.pid, SIGKILL));
	must(waitpid(child.pid, NULL, 0) == child.pid);
	close(child.orders);
	close(child.replies);
	targets[CHILD].has_mm = false;
}

static void forget_child(void)
{
	close(targets[CHILD].fd);
	targets[CHILD].fd = -1;
}

static void storm(struct stream *s)
{
	unsigned int i, times = 1 + below(s, 150);

	for (i = 0; i < times; i++) {
		operate(s);
		if (chance(s, 10))
			operate_on_files(s);
	}
	if (targets[CHILD].has_mm) {
		send_order(s, 1 + below(s, 150));
		await_child();
	}
}

/* Changes the input of queries while they are read, except the pointers. */
static void scribble(struct stream *s)
{
	struct procmap_query *q = (void *)(uintptr_t)arena_page(ARENA_HOT);

	__atomic_store_n(&q->size, draw_size(s), __ATOMIC_RELAXED);
	__atomic_store_n(&q->query_flags, draw_flags(s), __ATOMIC_RELAXED);
	__atomic_store_n(&q->vma_name_size, below(s, 300), __ATOMIC_RELAXED);
	__atomic_store_n(&q->build_id_size, below(s, 30), __ATOMIC_RELAXED);
}

static void *make_noise(void *arg)
{
	struct stream *s = arg;

	while (!is_stopped()) {
		operate(s);
		scribble(s);
		if (chance(s, 5))
			operate_on_files(s);
	}
	return NULL;
}

static uint64_t draw_noisy_pointer(struct stream *s, unsigned int arena)
{
	if (chance(s, 45))
		return FIELD + draw(s) % (FIELD_PAGES * page);
	return chance(s, 5) ? nowhere[below(s, ARRAY_SIZE(nowhere))] : arena_page(arena);
}

static void draw_noisy_query(struct stream *s, struct procmap_query *q)
{
	static const uint32_t rooms[] = { 1, 8, 20, 64, 128, PATH_MAX };

	fill(s, q, sizeof(*q));
	q->size = chance(s, 80) ? SIZE_KNOWN :
			SIZE_MIN + below(s, OUT_END - SIZE_MIN - 8);
	q->query_flags = draw_flags(s) & ALL_FLAGS;
	q->query_addr = FIELD + draw(s) % (FIELD_PAGES * page);
	q->vma_name_size = 0;
	q->vma_name_addr = 0;
	q->build_id_size = 0;
	q->build_id_addr = 0;
	if (q->size != SIZE_KNOWN)
		return;
	if (chance(s, 60)) {
		q->vma_name_size = rooms[below(s, ARRAY_SIZE(rooms))];
		q->vma_name_addr = draw_noisy_pointer(s, ARENA_NAMES);
	}
	if (chance(s, 50)) {
		q->build_id_size = rooms[below(s, ARRAY_SIZE(rooms))];
		q->build_id_addr = draw_noisy_pointer(s, ARENA_IDS);
	}
}

static bool are_plausible_numbers(const struct procmap_query *q,
				  const struct procmap_query *is)
{
	uint64_t need = q->query_flags & PERMISSIONS;
	bool next = q->query_flags & PROCMAP_QUERY_COVERING_OR_NEXT_VMA;

	return is->vma_start < is->vma_end &&
	       !(is->vma_start % page) && !(is->vma_end % page) &&
	       q->query_addr < is->vma_end &&
	       (next || q->query_addr >= is->vma_start) &&
	       (is->vma_flags & PERMISSIONS) == is->vma_flags &&
	       (is->vma_flags & need) == need &&
	       (is->vma_page_size == page || is->vma_page_size == huge_page) &&
	       !(is->vma_offset % page) &&
	       is->vma_name_size <= q->vma_name_size &&
	       is->build_id_size <= q->build_id_size &&
	       is->build_id_size <= BUILD_ID_MAX;
}

/* Name and build ID are of one file. */
static bool is_plausible_file(const struct procmap_query *is)
{
	const char *name = (const char *)arena_now + ARENA_NAMES * page;
	struct answer id = { .size = is->build_id_size };
	struct truth truth;

	if (is->vma_name_addr != arena_page(ARENA_NAMES) || !is->vma_name_size)
		return true;
	if (strnlen(name, is->vma_name_size) != is->vma_name_size - 1)
		return false;
	if (is->build_id_addr != arena_page(ARENA_IDS))
		return true;
	memcpy(id.id, arena_now + ARENA_IDS * page, id.size);
	truth = truth_by_name(name);
	return allowed(&truth, &id);
}

static bool is_plausible_errno(const struct attempt *a)
{
	switch (a->err) {
	case -ENOENT:
	case 0:
		return true;
	case -ENAMETOOLONG:
		return a->q.vma_name_size || a->q.build_id_size;
	case -EFAULT:
		return a->at != arena_page(ARENA_STRUCTS) ||
		       (a->q.vma_name_size &&
			a->q.vma_name_addr != arena_page(ARENA_NAMES)) ||
		       (a->q.build_id_size &&
			a->q.build_id_addr != arena_page(ARENA_IDS));
	case -ESRCH:
		return a->target == &targets[CHILD];
	default:
		return false;
	}
}

static void judge_noisy(const struct attempt *a)
{
	struct procmap_query is;

	memcpy(&is, arena_now + ARENA_STRUCTS * page, sizeof(is));
	if (!is_plausible_errno(a))
		complain("%s cannot be", errno_name(a->err));
	else if (a->at != arena_page(ARENA_STRUCTS))
		return;
	else if (a->err && memcmp(&is, &a->q, sizeof(is)))
		complain("changed the struct of a query that failed");
	else if (!a->err && a->q.size == SIZE_KNOWN &&
		 !are_plausible_numbers(&a->q, &is))
		complain("no such VMA can be: %#jx-%#jx, flags %#jx, page %#jx",
			 (uintmax_t)is.vma_start, (uintmax_t)is.vma_end,
			 (uintmax_t)is.vma_flags, (uintmax_t)is.vma_page_size);
	else if (!a->err && a->q.size == SIZE_KNOWN && !is_plausible_file(&is))
		complain("name and build ID are not of one file");
	else
		return;
	if (count.found++ < SHOWN_MAX)
		print_finding(a, false, stdout);
}

/* The struct in the arena, where it is unmapped, or where it is written to. */
static void noisy_query(struct stream *s, int scratch)
{
	unsigned int where = below(s, 100);
	struct attempt a = { .cmd = PROCMAP_QUERY };
	struct procmap_query *hot;

	a.target = &targets[chance(s, 50) ? SELF : CHILD];
	draw_noisy_query(s, &a.q);
	if (where < 70) {
		a.at = arena_page(ARENA_STRUCTS);
		memcpy(arena_now + ARENA_STRUCTS * page, &a.q, sizeof(a.q));
	} else if (where < 85) {
		a.at = FIELD + below(s, FIELD_PAGES * page);
		must(pwrite(scratch, &a.q, sizeof(a.q), 0) == sizeof(a.q));
		/* Unlike memcpy(), this may fail. */
		if (pread(scratch, (void *)(uintptr_t)a.at, sizeof(a.q), 0) < 0)
			a.at = arena_page(1) - 1;
	} else {
		a.at = arena_page(ARENA_HOT);
		hot = (void *)(uintptr_t)a.at;
		hot->query_addr = a.q.query_addr;
		hot->vma_name_addr = arena_page(ARENA_NAMES);
		hot->build_id_addr = arena_page(ARENA_IDS);
	}
	make_attempt(&a);
	if (where < 70)
		judge_noisy(&a);
}

static void noisy_phase(struct stream *s)
{
	struct stream noise = { draw(s) };
	unsigned int i, end = below(s, 2 * NOISY_QUERIES);
	int scratch = memfd_create("scratch", MFD_CLOEXEC);
	pthread_t thread;

	must(scratch >= 0);
	memset(arena_now, 0, ARENA_PAGES * page);
	set_stopped(false);
	send_order(s, 0);
	must(!pthread_create(&thread, NULL, make_noise, &noise));
	for (i = 0; i < NOISY_QUERIES; i++) {
		if (i == end)
			kill_child();
		noisy_query(s, scratch);
	}
	set_stopped(true);
	must(!pthread_join(thread, NULL));
	if (targets[CHILD].has_mm)
		kill_child();
	close(scratch);
}

static void run_round(uint64_t seed)
{
	struct stream s = { seed };
	unsigned int i, phases = 2 + below(&s, 4);

	round_seed = seed;
	query_nr = 0;
	make_files(&s);
	fork_child(&s);
	for (i = 0; i < phases; i++) {
		storm(&s);
		quiet_phase(&s);
	}
	kill_child();
	quiet_phase(&s);
	forget_child();

	fork_child(&s);
	noisy_phase(&s);
	forget_child();
	clear_field();
	remove_files();
	count.rounds++;
}

/*
 * The program.
 */

/* The same addresses in each run: a replay has to meet the same mappings. */
static void fix_addresses(char **argv)
{
	const struct rlimit stack = { STACK_MAX, STACK_MAX };
	int persona = personality(0xffffffff);

	if (persona & ADDR_NO_RANDOMIZE)
		return;
	if (!setrlimit(RLIMIT_STACK, &stack) &&
	    personality(persona | ADDR_NO_RANDOMIZE) >= 0)
		execv("/proc/self/exe", argv);
	printf("Addresses are random: --seed will not repeat them (%s).\n",
	       strerror(errno));
}

static void mount_private(void)
{
	if (unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS))
		goto skip;
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", MOUNT_POINT, "tmpfs", 0, "mode=777"))
		goto skip;
	return;
skip:
	printf("SKIP: no private file system (%s): run this as root\n",
	       strerror(errno));
	exit(KSFT_SKIP);
}

static size_t read_huge_page_size(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];
	size_t kb = 0;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Hugepagesize: %zu kB", &kb) == 1)
			break;
	}
	if (file)
		fclose(file);
	/* Larger ones would not fit where they are tried. */
	return kb <= 32 << 10 ? kb << 10 : 0;
}

static int open_kthread(void)
{
	char name[32] = "";
	int fd = open("/proc/2/comm", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (read(fd, name, sizeof(name) - 1) < 0)
		name[0] = '\0';
	close(fd);
	return strcmp(name, "kthreadd\n") ? -1 : maps_open(2);
}

/* Maps the ground to see that nothing is there. */
static void check_ground(void)
{
	size_t size = GROUND_END - FIELD;
	void *ground = mmap((void *)FIELD, size, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	must(ground == (void *)FIELD);
	must(!munmap(ground, size));
}

/* So that all rounds have the same mappings, the first one too. */
static void keep_thread_stack(void)
{
	struct stream s = { 0 };
	pthread_t thread;

	set_stopped(true);
	must(!pthread_create(&thread, NULL, make_noise, &s));
	must(!pthread_join(thread, NULL));
}

static void set_up(void)
{
	struct text *t = &texts[SELF];
	unsigned int i;

	page = sysconf(_SC_PAGESIZE);
	huge_page = read_huge_page_size();
	signal(SIGPIPE, SIG_IGN);
	/* That [heap] exists. */
	must(sbrk(3 * page) != (void *)-1);

	targets[SELF].fd = maps_open(0);
	targets[SELF].has_mm = true;
	targets[KTHREAD].fd = open_kthread();
	must(targets[SELF].fd >= 0);
	take_text(targets[SELF].fd, t);
	for (i = 0; i < t->nr; i++) {
		if (t->vma[i].name[0] == '/')
			remember_library(t->vma[i].name);
	}
	zero_fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	must(zero_fd >= 0);

	mount_private();
	top_dir = open(MOUNT_POINT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	must(top_dir >= 0);
	deep_dir = make_deep_dir();

	check_ground();
	make_arena();
	stop = mmap(NULL, page, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(stop != MAP_FAILED);
	keep_thread_stack();
	findings_file = open_memstream(&findings, &findings_size);
	must(findings_file);
}

static time_t now(void)
{
	struct timespec t;

	must(!clock_gettime(CLOCK_MONOTONIC, &t));
	return t.tv_sec;
}

static void show_progress(time_t elapsed)
{
	printf("%4ld s: %lu rounds, %lu queries, %lu answers checked, %lu found, at seed %#jx\n",
	       (long)elapsed, count.rounds, count.queries, count.checked,
	       count.found, (uintmax_t)round_seed);
	fflush(stdout);
}

static void run(uint64_t seed, time_t seconds)
{
	time_t start = now(), shown = start;

	do {
		run_round(seed++);
		if (now() - shown >= PROGRESS) {
			shown = now();
			show_progress(shown - start);
		}
	} while (now() - start < seconds);
}

static void print_summary(void)
{
	unsigned int i;

	printf("%lu queries tried, %lu answers checked\n", count.queries,
	       count.checked);
	printf("%lu quiet phases, of which %lu were disturbed and do not count\n",
	       count.phases, count.disturbed);
	printf("%lu operations on own mappings, of which the kernel refused %lu\n",
	       count.operations, count.refused);
	printf("errors:");
	for (i = 0; i < ARRAY_SIZE(count.by_errno); i++) {
		if (count.by_errno[i])
			printf(" %s %lu", errno_name(-(int)i), count.by_errno[i]);
	}
	printf("\n");
	if (count.found > SHOWN_MAX)
		printf("of the findings, only the first are shown\n");
	printf("found: %lu\n", count.found);
}

static const char help[] =
"usage: proc-maps-query-fuzz [--time SECONDS] [--seed N] [--verbose]\n"
"Tries random PROCMAP_QUERY calls and checks the answers.\n"
"  --time SECONDS  how long (10); 0 for one round\n"
"  --seed N        start with this seed, as printed by an earlier run (random)\n"
"  --verbose       print every query of the quiet phases\n"
"Exit status: 0 nothing found, 1 something found, 2 wrong usage, 4 cannot run here\n";

static uint64_t parse_number(const char *text)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (errno || end == text || *end) {
		fprintf(stderr, "\"%s\" is not a number: see --help\n", text);
		exit(2);
	}
	return n;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "time", required_argument, NULL, 't' },
		{ "seed", required_argument, NULL, 's' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{},
	};
	uint64_t seed = 0, seconds = 10;
	bool seeded = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 't':
			seconds = parse_number(optarg);
			break;
		case 's':
			seed = parse_number(optarg);
			seeded = true;
			break;
		case 'v':
			verbose = true;
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		default:
			fputs(help, stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fputs(help, stderr);
		return 2;
	}
	if (!query_supported()) {
		printf("SKIP: this kernel has no PROCMAP_QUERY\n");
		return KSFT_SKIP;
	}
	fix_addresses(argv);
	if (!seeded)
		must(getrandom(&seed, 6, 0) == 6);
	printf("seed %#jx\n", (uintmax_t)seed);
	fflush(stdout);

	set_up();
	run(seed, seconds);
	print_summary();
	if (!count.checked) {
		printf("Nothing could be checked: leave this process alone while it runs.\n");
		return KSFT_FAIL;
	}
	return count.found ? KSFT_FAIL : KSFT_PASS;
}
