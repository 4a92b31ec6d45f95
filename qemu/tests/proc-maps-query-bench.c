// SPDX-License-Identifier: GPL-2.0
/*
 * What PROCMAP_QUERY costs, beside the text of /proc/PID/maps. Not a test: it
 * prints a table of tab-separated values.
 *
 * Who is looked at is a child that sleeps in pause(), as a profiler looks at
 * another process. It has as many VMAs as asked for, laid out in the same way
 * each time: this program (linked statically, its addresses not randomised),
 * pairs of a guard page and a page of memory, as thread stacks are, five
 * libraries of 1 MiB, and the stack. Six VMAs are executable and have a file.
 *
 * A figure is the least of several runs, each of as many operations as take a
 * while, in nanoseconds of CLOCK_MONOTONIC per operation. In a machine emulated
 * with "qemu -accel tcg -icount shift=0" these are instructions.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <err.h>
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include "../kselftest.h"
#include "proc-maps-query.h"
#include "proc-maps-query-elf.h"

#define VMAS		666	/* of a usual process */
#define VMAS_MAX	65000	/* just below the usual vm.max_map_count */
#define VMAS_SKIPPED	20000

#define LIBS		5
#define LIB_SIZE	(1024 * 1024)
#define LIB_VMAS	4
#define EXECUTABLES	(LIBS + 1)

#define ADDRESSES	464
#define COMPONENTS_MAX	32
#define THREADS_MAX	16

/* A run takes at least the one; beyond the other there are no more of them. */
#define RUN_NS		250000
#define RUNS_NS		20000000
#define RUNS		7

#define ROUND_NS	300000000
#define ROUNDS		10
#define SAMPLES_MIN	10		/* of a round, which may take longer then */
#define SAMPLES_MAX	500000
#define KILLS		10	/* in each round */

#define EXECUTABLE_FILE	(PROCMAP_QUERY_VMA_EXECUTABLE |	\
			 PROCMAP_QUERY_FILE_BACKED_VMA)
#define NEXT		PROCMAP_QUERY_COVERING_OR_NEXT_VMA

static const char help[] =
	"Usage: proc-maps-query-bench [--short | --disturb | --once] [--dir=DIR]\n"
	"\n"
	"Measure what PROCMAP_QUERY and the text of /proc/PID/maps cost. Prints values\n"
	"separated by tabs; a time is in nanoseconds for one operation.\n"
	"\n"
	"      --short    a process of 666 VMAs, one thread\n"
	"      --disturb  how much a process is held up by those who look at it, and how\n"
	"                 fast a signal ends a query; needs two CPUs\n"
	"      --once     do each kind of query once, between two marks for an emulator\n"
	"                 (x86: xchg %bx, %bx), to see what is executed\n"
	"      --dir=DIR  where to put the libraries to map, which stay there; default\n"
	"                 /tmp/app/lib\n"
	"  -h, --help     this text\n"
	"\n"
	"Without --short, also processes of up to 65,000 VMAs, paths of up to 32\n"
	"components (root only) and, on more than one CPU, up to 16 threads.\n";

static const char *lib_dir = "/tmp/app/lib";
static uint64_t page;

/* Where things are in the process that is looked at. */
struct layout {
	uint64_t vmas;			/* of the process */
	uint64_t filler;		/* first of the VMAs that only fill */
	uint64_t fillers;
	uint64_t text[LIBS];		/* of the libraries */
	uint64_t hole[LIBS];		/* not mapped, below each of them */
	uint64_t path[COMPONENTS_MAX + 1];	/* files so many components deep */
};

struct target {
	pid_t pid;
	int fd;				/* its maps file */
	struct layout at;
};

/* What a symbolizer wants to know of an address. */
struct found {
	uint64_t inode, offset;		/* where in which file */
};

/* Who measures. */
struct bench {
	const struct target *target;
	int fd;
	unsigned int components;	/* of the paths that it meets */
	struct procmap_query q;
	uint32_t name_size, build_id_size;
	uint64_t only;			/* the one address of query_only() */
	struct found found[ADDRESSES];
	char name[PATH_MAX];
	unsigned char build_id[BUILD_ID_MAX];
	char text[65536];
};

/* Does an operation once. Returns how many VMAs or addresses it has found. */
typedef unsigned int (*operation_fn)(struct bench *b);

static uint64_t addresses[ADDRESSES];	/* sorted, in the libraries */

/*
 * The process to look at.
 */

static void make_dirs(const char *dir)
{
	char path[PATH_MAX];
	char *end = path;

	snprintf(path, sizeof(path), "%s", dir);
	while ((end = strchr(end + 1, '/'))) {
		*end = '\0';
		mkdir(path, 0755);
		*end = '/';
	}
	if (mkdir(path, 0755) && errno != EEXIST)
		err(1, "cannot make %s, name another with --dir", dir);
}

/*
 * Makes a library: 1 MiB, its notes where those of the C library are, behind 14
 * program headers, of which they are the eighth and the ninth. Nobody reads on
 * from there.
 */
static int make_lib(const char *path, unsigned int nr)
{
	const struct shape shape = {
		.front = 7,
		.segment = {
			{ .offset = 0x350, .align = 8, .note = {
				GNU_NOTE(NT_GNU_PROPERTY_TYPE_0, 16) } },
			{ .offset = 0x370, .note = {
				BUILD_ID(BUILD_ID_MAX, 32 * nr),
				GNU_NOTE(NT_GNU_ABI_TAG, 16) } },
		},
	};
	static const char contents[LIB_SIZE] = { 0 };
	const struct image image = {
		.fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0755),
		.class = ELFCLASS64,
		.order = NATIVE_ORDER,
	};

	if (image.fd < 0)
		err(1, "cannot write %s, name another folder with --dir", path);
	write_at(image.fd, 0, contents, sizeof(contents));
	put_shape(&image, &shape);
	return image.fd;
}

static void map_file(uint64_t addr, uint64_t size, int prot, int fd,
		     uint64_t offset)
{
	must(mmap((void *)addr, size, prot, MAP_PRIVATE | MAP_FIXED, fd,
		  offset) != MAP_FAILED);
}

/* Maps a library as the dynamic linker does. */
static void map_lib(struct layout *at, unsigned int nr, uint64_t addr)
{
	static const struct {
		unsigned int pages, prot;
	} segment[LIB_VMAS] = {
		{ 32, PROT_READ }, { 160, PROT_READ | PROT_EXEC },
		{ 48, PROT_READ }, { 16, PROT_READ | PROT_WRITE },
	};
	char path[PATH_MAX];
	uint64_t offset = 0;
	unsigned int i;
	int fd;

	snprintf(path, sizeof(path), "%s/libbench%u.so", lib_dir, nr);
	fd = make_lib(path, nr);
	for (i = 0; i < LIB_VMAS; i++) {
		uint64_t size = LIB_SIZE / 256 * segment[i].pages;

		map_file(addr + offset, size, segment[i].prot, fd, offset);
		if (segment[i].prot & PROT_EXEC)
			at->text[nr] = addr + offset;
		offset += size;
	}
	at->hole[nr] = addr - page;
	close(fd);
}

/* Does what glibc does for thread stacks: memory and guards, in one run. */
static void map_fillers(const struct layout *at)
{
	uint64_t i;

	for (i = 1; i < at->fillers; i += 2)
		if (mprotect((void *)(at->filler + i * page), page,
			     PROT_READ | PROT_WRITE))
			err(1, "cannot make %u VMAs, try 'sysctl vm.max_map_count=131072'",
			    (unsigned int)at->fillers);
}

static unsigned int count_vmas(void);

/*
 * Lays out this process: from the lowest address on the fillers and the
 * libraries, with holes between, in a place that nothing else is in.
 */
static void lay_out(struct layout *at, unsigned int vmas)
{
	unsigned int others = count_vmas() + LIBS * LIB_VMAS;
	uint64_t filled, size, addr;
	unsigned int i;
	void *place;

	if (others >= vmas)
		errx(1, "%u VMAs are too few", vmas);
	at->fillers = vmas - others;
	filled = at->fillers * page;
	size = page + filled + LIBS * (page + LIB_SIZE) + page;
	place = mmap(NULL, size, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	must(place != MAP_FAILED);

	addr = (uint64_t)place;
	must(!munmap((void *)addr, page));
	at->filler = addr + page;
	map_fillers(at);
	addr += page + filled;
	for (i = 0; i < LIBS; i++) {
		must(!munmap((void *)addr, page));
		map_lib(at, i, addr + page);
		addr += page + LIB_SIZE;
	}
	must(!munmap((void *)addr, page));
}

/*
 * Starts a child that lays itself out, by @make, and then does @then, which does
 * not return.
 */
static void start(struct target *t, void (*make)(struct layout *, unsigned int),
		  unsigned int vmas, void (*then)(void))
{
	int ready[2];

	fflush(stdout);
	must(!pipe2(ready, O_CLOEXEC));
	t->pid = fork();
	must(t->pid >= 0);
	if (!t->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		make(&t->at, vmas);
		t->at.vmas = count_vmas();
		must(write(ready[1], &t->at, sizeof(t->at)) == sizeof(t->at));
		close(ready[0]);
		close(ready[1]);
		then();
	}
	close(ready[1]);
	if (read(ready[0], &t->at, sizeof(t->at)) != sizeof(t->at))
		exit(1);
	close(ready[0]);
	t->fd = maps_open(t->pid);
	if (t->fd < 0)
		err(1, "cannot read the maps of a child, is /proc mounted?");
}

static void stop(const struct target *t)
{
	close(t->fd);
	kill(t->pid, SIGKILL);
	waitpid(t->pid, NULL, 0);
}

static void sleep_forever(void)
{
	for (;;)
		pause();
}

/*
 * By ioctl.
 */

/* From now on, query_addr() asks with @flags and for these. */
static void query_for(struct bench *b, uint64_t flags, bool name, bool build_id)
{
	b->name_size = name ? sizeof(b->name) : 0;
	b->build_id_size = build_id ? sizeof(b->build_id) : 0;
	b->q = (struct procmap_query) {
		.size = sizeof(b->q),
		.query_flags = flags,
		.vma_name_addr = name ? (uintptr_t)b->name : 0,
		.build_id_addr = build_id ? (uintptr_t)b->build_id : 0,
	};
}

/*
 * Sets again only what the call before may have changed. Returns whether there is
 * a VMA, with a build ID if one is asked for: all files here have one.
 */
static bool query_addr(struct bench *b, uint64_t addr)
{
	b->q.query_addr = addr;
	b->q.vma_name_size = b->name_size;
	b->q.build_id_size = b->build_id_size;
	return !ioctl(b->fd, PROCMAP_QUERY, &b->q) &&
	       !b->q.build_id_size == !b->build_id_size;
}

static unsigned int unknown_ioctl(struct bench *b)
{
	return !ioctl(b->fd, _IO(PROCFS_IOCTL_MAGIC, 255), &b->q);
}

static unsigned int query_libs(struct bench *b)
{
	unsigned int i, found = 0;

	for (i = 0; i < LIBS; i++)
		found += query_addr(b, b->target->at.text[i]);
	return found;
}

static unsigned int query_holes(struct bench *b)
{
	unsigned int i, found = 0;

	for (i = 0; i < LIBS; i++)
		found += query_addr(b, b->target->at.hole[i]);
	return found;
}

static unsigned int query_only(struct bench *b)
{
	return query_addr(b, b->only);
}

static unsigned int query_skip(struct bench *b)
{
	return query_addr(b, b->target->at.filler);
}

static unsigned int query_all(struct bench *b)
{
	unsigned int found = 0;
	uint64_t addr = 0;

	while (query_addr(b, addr)) {
		addr = b->q.vma_end;
		found++;
	}
	return found;
}

/* One call for each library: what it says holds for the addresses up to its end. */
static unsigned int query_addresses(struct bench *b)
{
	const uint64_t *addr = addresses, *const end = addresses + ADDRESSES;
	struct found *found = b->found;

	while (addr < end && query_addr(b, *addr)) {
		const struct procmap_query q = b->q;

		for (; addr < end && *addr < q.vma_end; addr++)
			*found++ = (struct found) {
				q.inode, *addr - q.vma_start + q.vma_offset
			};
	}
	return addr - addresses;
}

/*
 * By text: big reads, and nothing looked at twice.
 */

/* A line, as far as its fields were asked for. */
struct text_line {
	uint64_t start, end, flags, offset, inode;
	uint32_t dev_major, dev_minor;
	const char *name;
	size_t name_size;
};

/* One more than the value of each digit: 0 is no digit. */
static const unsigned char digits[256] = {
	['0'] = 1, ['1'] = 2, ['2'] = 3, ['3'] = 4, ['4'] = 5, ['5'] = 6,
	['6'] = 7, ['7'] = 8, ['8'] = 9, ['9'] = 10, ['a'] = 11, ['b'] = 12,
	['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

/* Parses a number, and the character behind it. Returns what comes next. */
static inline const char *parse_hex(const char *s, uint64_t *value)
{
	uint64_t v = 0;
	unsigned char digit;

	while ((digit = digits[(unsigned char)*s++]))
		v = v * 16 + digit - 1;
	*value = v;
	return s;
}

static inline const char *parse_decimal(const char *s, uint64_t *value)
{
	uint64_t v = 0;
	unsigned char digit;

	while ((digit = digits[(unsigned char)*s++]))
		v = v * 10 + digit - 1;
	*value = v;
	return s;
}

static inline const char *parse_range(const char *s, struct text_line *l)
{
	return parse_hex(parse_hex(s, &l->start), &l->end);
}

static inline const char *parse_permissions(const char *s, struct text_line *l)
{
	l->flags = (s[0] == 'r' ? PROCMAP_QUERY_VMA_READABLE : 0) |
		   (s[1] == 'w' ? PROCMAP_QUERY_VMA_WRITABLE : 0) |
		   (s[2] == 'x' ? PROCMAP_QUERY_VMA_EXECUTABLE : 0) |
		   (s[3] == 's' ? PROCMAP_QUERY_VMA_SHARED : 0);
	return s + 5;
}

static inline const char *parse_file(const char *s, struct text_line *l)
{
	uint64_t major, minor;

	s = parse_hex(s, &l->offset);
	s = parse_hex(s, &major);
	s = parse_hex(s, &minor);
	l->dev_major = major;
	l->dev_minor = minor;
	return parse_decimal(s, &l->inode);
}

/* Parses the name, from the spaces before it to the end of the line. */
static inline const char *parse_name(const char *s, const char *end,
				     struct text_line *l)
{
	const char *newline;

	while (*s == ' ')
		s++;
	newline = memchr(s, '\n', end - s);
	l->name = s;
	l->name_size = newline - s;
	return newline + 1;
}

/* Reads the next lines. Returns their end: the kernel gives whole ones. */
static const char *text_read(struct bench *b)
{
	ssize_t size = read(b->fd, b->text, sizeof(b->text));

	must(size >= 0 && (!size || b->text[size - 1] == '\n'));
	return b->text + size;
}

/* The gate, [vsyscall], is a line, but no VMA of the process. */
static inline bool is_gate(const struct text_line *l)
{
	return l->start >> 63;
}

static unsigned int text_all(struct bench *b)
{
	unsigned int found = 0;
	const char *s, *end;

	must(!lseek(b->fd, 0, SEEK_SET));
	while ((end = text_read(b)) > b->text) {
		for (s = b->text; s < end;) {
			struct text_line l;

			s = parse_range(s, &l);
			s = parse_permissions(s, &l);
			s = parse_file(s, &l);
			s = parse_name(s, end, &l);
			/* The parsing must not be optimised away. */
			asm volatile("" : : "m" (l));
			found += !is_gate(&l);
		}
	}
	return found;
}

/*
 * The rest of a line is parsed only if an address is in it, and nothing is read
 * behind the last.
 */
static unsigned int text_addresses(struct bench *b)
{
	unsigned int i = 0;
	const char *s, *end;

	must(!lseek(b->fd, 0, SEEK_SET));
	while (i < ADDRESSES && (end = text_read(b)) > b->text) {
		for (s = b->text; i < ADDRESSES && s < end; s++) {
			struct text_line l;

			s = parse_range(s, &l);
			if (addresses[i] < l.end) {
				if (addresses[i] < l.start)
					return i;
				s = parse_file(parse_permissions(s, &l), &l);
				for (; i < ADDRESSES && addresses[i] < l.end; i++)
					b->found[i] = (struct found) {
						l.inode,
						addresses[i] - l.start + l.offset
					};
			}
			s = memchr(s, '\n', end - s);
		}
	}
	return i;
}

static unsigned int count_vmas(void)
{
	static struct bench self;
	unsigned int vmas;

	self.fd = maps_open(0);
	must(self.fd >= 0);
	vmas = text_all(&self);
	close(self.fd);
	return vmas;
}

/*
 * Measuring.
 */

static uint64_t clock_ns;		/* what reading the clock costs */

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void measure_clock(void)
{
	unsigned int i;

	clock_ns = UINT64_MAX;
	for (i = 0; i < 1000; i++) {
		uint64_t start = now();

		clock_ns = min_u64(clock_ns, now() - start);
	}
}

static uint64_t run_ns(struct bench *b, operation_fn run, unsigned int times)
{
	uint64_t start = now();

	while (times--)
		run(b);
	return now() - start - clock_ns;
}

/*
 * Returns the nanoseconds of one operation: of the best run, since what else the
 * machine does, a timer's interrupt for one, only ever adds to it.
 */
static double measure(struct bench *b, operation_fn run)
{
	uint64_t ns, best, sum;
	unsigned int times = 1, runs;

	while ((best = run_ns(b, run, times)) < RUN_NS)
		times *= 2;
	sum = best;
	for (runs = 1; runs < RUNS && sum < RUNS_NS; runs++) {
		ns = run_ns(b, run, times);
		best = min_u64(best, ns);
		sum += ns;
	}
	return (double)best / times;
}

static void print_row(const struct bench *b, const char *operation,
		      unsigned int threads, unsigned int descriptors, double ns)
{
	printf("%s\t%llu\t%u\t%u\t%u\t%.1f\n", operation,
	       (unsigned long long)b->target->at.vmas, b->components, threads,
	       descriptors, ns);
	fflush(stdout);
}

/*
 * Measures @run, which does the operation @times at once. One that does not find
 * what it should is not worth measuring.
 */
static void measure_row(struct bench *b, const char *operation,
			operation_fn run, unsigned int times,
			unsigned int finds)
{
	unsigned int found = run(b);

	if (found != finds)
		errx(1, "'%s' finds %u instead of %u; is this linked statically?",
		     operation, found, finds);
	print_row(b, operation, 1, 1, measure(b, run) / times);
}

/* A loop of so many instructions: shows whether a nanosecond is one. */
static unsigned int run_million(struct bench *b)
{
	unsigned long turns = 1000000 / 2;

#if defined(__x86_64__)
	asm volatile("1: dec %0; jnz 1b" : "+r" (turns) : : "cc");
#elif defined(__aarch64__)
	asm volatile("1: subs %0, %0, #1; b.ne 1b" : "+r" (turns) : : "cc");
#else
	while (turns--)
		asm volatile("");
#endif
	return turns;
}

static struct bench *bench_new(const struct target *t, unsigned int components)
{
	struct bench *b = calloc(1, sizeof(*b));

	must(b);
	b->target = t;
	b->fd = t->fd;
	b->components = components;
	return b;
}

/* Of a path without the slash at its start. */
static unsigned int components_of(const char *path)
{
	unsigned int components = 0;

	for (; *path; path++)
		components += *path != '/' && (path[1] == '/' || !path[1]);
	return components;
}

/*
 * The rows.
 */

/* The addresses of a profile: as many in each library, sorted. */
static void spread_addresses(const struct layout *at)
{
	unsigned int i;

	for (i = 0; i < ADDRESSES; i++) {
		unsigned int lib = i * LIBS / ADDRESSES;

		addresses[i] = at->text[lib] + i % (ADDRESSES / LIBS + 1) * 4321;
	}
}

/* The ioctl and the text have to say the same of the addresses. */
static void check_addresses(struct bench *b)
{
	static struct found found[ADDRESSES];

	must(query_addresses(b) == ADDRESSES);
	memcpy(found, b->found, sizeof(found));
	memset(b->found, 0, sizeof(b->found));
	must(text_addresses(b) == ADDRESSES);
	if (memcmp(found, b->found, sizeof(found)))
		errx(1, "text and ioctl say different things of one address");
}

static void measure_text(struct bench *b)
{
	measure_row(b, "464 addresses by text", text_addresses, 1, ADDRESSES);
	measure_row(b, "all lines by text", text_all, 1, b->target->at.vmas);
}

/* What grows with the number of VMAs. */
static void measure_growing(struct bench *b)
{
	query_for(b, 0, false, false);
	measure_row(b, "point", query_libs, LIBS, LIBS);
	measure_row(b, "miss", query_holes, LIBS, 0);
	check_addresses(b);
	measure_row(b, "464 addresses by ioctl", query_addresses, 1, ADDRESSES);
	query_for(b, 0, true, false);
	measure_row(b, "point + name", query_libs, LIBS, LIBS);

	query_for(b, NEXT, false, false);
	measure_row(b, "iterate all", query_all, 1, b->target->at.vmas);
	query_for(b, NEXT | EXECUTABLE_FILE, false, false);
	measure_row(b, "iterate executable", query_all, 1, EXECUTABLES);
}

static void measure_other(struct bench *b)
{
	measure_row(b, "unknown command", unknown_ioctl, 1, 0);
	query_for(b, NEXT | EXECUTABLE_FILE, false, false);
	measure_row(b, "point, filtered", query_libs, LIBS, LIBS);
	query_for(b, 0, false, true);
	measure_row(b, "point + build ID", query_libs, LIBS, LIBS);
	query_for(b, NEXT, true, false);
	measure_row(b, "iterate all + names", query_all, 1, b->target->at.vmas);
	query_for(b, NEXT | EXECUTABLE_FILE, true, true);
	measure_row(b, "iterate executable + name + build ID", query_all, 1,
		    EXECUTABLES);
}

static void measure_process(unsigned int vmas, bool ioctl_too)
{
	struct target t;
	struct bench *b;

	start(&t, lay_out, vmas, sleep_forever);
	b = bench_new(&t, components_of(lib_dir) + 1);
	spread_addresses(&t.at);
	if (ioctl_too)
		measure_growing(b);
	if (ioctl_too && vmas == VMAS)
		measure_other(b);
	measure_text(b);
	stop(&t);
	free(b);
}

/* Passes all fillers, up to the text of the first library. */
static void measure_skip(void)
{
	struct target t;
	struct bench *b;

	start(&t, lay_out, VMAS_SKIPPED, sleep_forever);
	b = bench_new(&t, components_of(lib_dir) + 1);
	query_for(b, NEXT | EXECUTABLE_FILE, false, false);
	measure_row(b, "skip a VMA", query_skip, t.at.fillers, 1);
	stop(&t);
	free(b);
}

/* Where the roots of the paths of 1 to 32 components are. */
static void paths_root(char *path)
{
	snprintf(path, PATH_MAX, "%s/root", lib_dir);
	make_dirs(path);
}

/* Maps a file at each depth. The arguments are those of start(). */
static void map_paths(struct layout *at, unsigned int vmas)
{
	char path[PATH_MAX];
	unsigned int i;

	paths_root(path);
	must(!chdir(path));
	for (i = 1; i <= COMPONENTS_MAX; i++) {
		int fd = open("file.bin", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
		void *addr;

		must(fd >= 0 && !ftruncate(fd, page));
		addr = mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, 0);
		must(addr != MAP_FAILED);
		at->path[i] = (uint64_t)addr;
		close(fd);
		mkdir("folder_x", 0755);
		must(!chdir("folder_x"));
	}
}

/* The child's root is where the paths start. */
static void measure_paths_below(const struct target *t, const char *root)
{
	struct bench *b;
	unsigned int i;

	if (chroot(root) || chdir("/")) {
		printf("# no paths of 1 to 32 components: chroot: %s\n",
		       strerror(errno));
		return;
	}
	for (i = 1; i <= COMPONENTS_MAX; i *= 2) {
		b = bench_new(t, i);
		b->only = t->at.path[i];
		query_for(b, 0, true, false);
		measure_row(b, "point + name, deep path", query_only, 1, 1);
		if (components_of(b->name) != i)
			errx(1, "'%s' should be %u components deep", b->name, i);
		free(b);
	}
}

static void measure_paths(void)
{
	char root[PATH_MAX];
	struct target t;
	pid_t pid;
	int status;

	paths_root(root);
	start(&t, map_paths, 0, sleep_forever);
	fflush(stdout);
	pid = fork();
	must(pid >= 0);
	if (!pid) {
		measure_paths_below(&t, root);
		exit(0);
	}
	must(waitpid(pid, &status, 0) == pid);
	if (status)
		exit(1);
	stop(&t);
}

/*
 * Threads.
 */

struct thread {
	pthread_t id;
	struct bench *bench;
	pthread_barrier_t *barrier;
	uint64_t start, end;
};

#define THREAD_TURNS	2000

static void *query_in_thread(void *arg)
{
	struct thread *thread = arg;
	unsigned int i;

	pthread_barrier_wait(thread->barrier);
	thread->start = now();
	for (i = 0; i < THREAD_TURNS; i++)
		must(query_libs(thread->bench) == LIBS);
	thread->end = now();
	return NULL;
}

/* Returns the time from the first thread's start to the last one's end. */
static uint64_t run_threads(struct thread *threads, unsigned int nr)
{
	uint64_t start = UINT64_MAX, end = 0;
	pthread_barrier_t barrier;
	unsigned int i;

	must(!pthread_barrier_init(&barrier, NULL, nr));
	for (i = 0; i < nr; i++) {
		threads[i].barrier = &barrier;
		must(!pthread_create(&threads[i].id, NULL, query_in_thread,
				     &threads[i]));
	}
	for (i = 0; i < nr; i++) {
		must(!pthread_join(threads[i].id, NULL));
		start = min_u64(start, threads[i].start);
		end = max_u64(end, threads[i].end);
	}
	pthread_barrier_destroy(&barrier);
	return end - start;
}

/* What one query takes, of all that are answered at the same time. */
static void measure_threads(const struct target *t, unsigned int nr,
			    bool share)
{
	struct thread threads[THREADS_MAX];
	uint64_t ns = UINT64_MAX;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		threads[i].bench = bench_new(t, components_of(lib_dir) + 1);
		if (!share)
			threads[i].bench->fd = maps_open(t->pid);
		query_for(threads[i].bench, 0, false, false);
	}
	for (i = 0; i < RUNS; i++)
		ns = min_u64(ns, run_threads(threads, nr));
	print_row(threads[0].bench, share ? "point, one descriptor" :
		  "point, a descriptor each", nr, share ? 1 : nr,
		  (double)ns / (nr * THREAD_TURNS * LIBS));
	for (i = 0; i < nr; i++) {
		if (!share)
			close(threads[i].bench->fd);
		free(threads[i].bench);
	}
}

static void measure_all_threads(void)
{
	struct target t;
	unsigned int nr;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		puts("# no threads: they need more than one CPU");
		return;
	}
	start(&t, lay_out, VMAS, sleep_forever);
	for (nr = 1; nr <= THREADS_MAX; nr *= 2) {
		measure_threads(&t, nr, true);
		measure_threads(&t, nr, false);
	}
	stop(&t);
}

static void print_kernel(void)
{
	struct utsname name;

	must(!uname(&name));
	printf("# %s %s\n", name.sysname, name.release);
}

static void measure_calibration(void)
{
	struct target none = { .fd = -1 };
	struct bench *b = bench_new(&none, 0);

	measure_clock();
	print_row(b, "read the clock", 1, 0, clock_ns);
	print_row(b, "1,000,000 instructions", 1, 0, measure(b, run_million));
	free(b);
}

static void bench(bool is_short)
{
	static const unsigned int more[] = { 2000, 6500, 20000, VMAS_MAX };
	bool ioctl_too = query_supported();
	unsigned int i;

	print_kernel();
	puts("operation\tvmas\tcomponents\tthreads\tdescriptors\tns");
	measure_calibration();
	if (!ioctl_too)
		puts("# no ioctl PROCMAP_QUERY in this kernel: only text");
	measure_process(VMAS, ioctl_too);
	if (ioctl_too)
		measure_skip();
	if (is_short)
		return;

	for (i = 0; i < ARRAY_SIZE(more); i++)
		measure_process(more[i], ioctl_too);
	if (ioctl_too) {
		measure_paths();
		measure_all_threads();
	}
}

/*
 * How much those who look disturb the one that is looked at.
 */

/* Shared by the process that is disturbed and the one that measures. */
struct writer {
	atomic_uint asked, done;	/* rounds */
	unsigned int samples;
	uint32_t ns[SAMPLES_MAX];
};

static struct writer *writer;

static void pin(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	must(!sched_setaffinity(0, sizeof(set), &set));
}

static void map_and_unmap(void)
{
	void *addr = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	must(addr != MAP_FAILED);
	must(!munmap(addr, page));
}

/* Maps and unmaps for one round, and notes how long each time took. */
static void write_round(void)
{
	uint64_t first = now(), start = first, end;
	unsigned int i = 0;

	while ((start - first < ROUND_NS || i < SAMPLES_MIN) &&
	       i < SAMPLES_MAX) {
		map_and_unmap();
		end = now();
		writer->ns[i++] = min_u64(end - start, UINT32_MAX);
		start = end;
	}
	writer->samples = i;
}

static void write_forever(void)
{
	pin(1);
	for (;;) {
		while (writer->asked == writer->done)
			usleep(1000);
		write_round();
		writer->done++;
	}
}

static void read_nothing(struct bench *b)
{
	usleep(1000);
}

static void read_text(struct bench *b)
{
	must(!lseek(b->fd, 0, SEEK_SET));
	while (text_read(b) > b->text)
		;
}

/* No VMA is writable, executable and shared. */
static void scan(struct bench *b)
{
	must(!query_addr(b, 0) && errno == ENOENT);
}

static void query_for_scan(struct bench *b)
{
	query_for(b, NEXT | PROCMAP_QUERY_VMA_WRITABLE | EXECUTABLE_FILE |
		  PROCMAP_QUERY_VMA_SHARED, false, false);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

struct spread {
	uint64_t mean, most, worst;	/* "most" are 99 % */
};

static struct spread spread_of(uint32_t *ns, unsigned int nr)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < nr; i++)
		sum += ns[i];
	qsort(ns, nr, sizeof(*ns), compare);
	return (struct spread) { sum / nr, ns[nr * 99ull / 100], ns[nr - 1] };
}

/* Does one round of something. Returns how long each time took. */
typedef struct spread (*round_fn)(struct bench *b, void (*work)(struct bench *b));

/* The least of several rounds: what else the machine does only ever adds. */
static void measure_rounds(struct bench *b, const char *operation,
			   const char *beside, round_fn round,
			   void (*work)(struct bench *b))
{
	struct spread least = { UINT64_MAX, UINT64_MAX, UINT64_MAX };
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		struct spread s = round(b, work);

		least.mean = min_u64(least.mean, s.mean);
		least.most = min_u64(least.most, s.most);
		least.worst = min_u64(least.worst, s.worst);
	}
	printf("%s\t%s\t%llu\t%llu\t%llu\n", operation, beside,
	       (unsigned long long)least.mean, (unsigned long long)least.most,
	       (unsigned long long)least.worst);
	fflush(stdout);
}

/* The target maps and unmaps, while @look is done all the time. */
static struct spread write_while(struct bench *b,
				 void (*look)(struct bench *b))
{
	writer->asked++;
	while (writer->asked != writer->done)
		look(b);
	return spread_of(writer->ns, writer->samples);
}

static void compute(struct bench *b)
{
	run_million(b);
}

/* Kills a child of its own that does @work, and waits until it is gone. */
static uint32_t kill_one(struct bench *b, void (*work)(struct bench *b))
{
	pid_t pid = fork();
	uint64_t start;

	must(pid >= 0);
	if (!pid) {
		pin(1);
		for (;;)
			work(b);
	}
	usleep(20000);
	start = now();
	kill(pid, SIGKILL);
	must(waitpid(pid, NULL, 0) == pid);
	return min_u64(now() - start, UINT32_MAX);
}

static struct spread kill_while(struct bench *b, void (*work)(struct bench *b))
{
	uint32_t ns[KILLS];
	unsigned int i;

	for (i = 0; i < KILLS; i++)
		ns[i] = kill_one(b, work);
	return spread_of(ns, KILLS);
}

static void disturb(void)
{
	static const char written[] = "mmap + munmap";
	static const char killed[] = "SIGKILL to wait()";
	bool ioctl_too = query_supported();
	struct target t;
	struct bench *b;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		puts("# SKIP: needs two CPUs");
		exit(KSFT_SKIP);
	}
	writer = mmap(NULL, sizeof(*writer), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(writer != MAP_FAILED);
	memset(writer, 0, sizeof(*writer));
	start(&t, lay_out, VMAS_MAX, write_forever);
	b = bench_new(&t, components_of(lib_dir) + 1);
	pin(0);

	print_kernel();
	puts("operation\tbeside\tmean ns\t99 % ns\tworst ns");
	measure_rounds(b, written, "nobody", write_while, read_nothing);
	measure_rounds(b, written, "text", write_while, read_text);
	measure_rounds(b, killed, "computing", kill_while, compute);
	if (ioctl_too) {
		query_for_scan(b);
		measure_rounds(b, written, "scan", write_while, scan);
		measure_rounds(b, killed, "scan", kill_while, scan);
	} else {
		puts("# no ioctl PROCMAP_QUERY in this kernel: only text");
	}
	stop(&t);
	free(b);
}

/*
 * Each kind of query once.
 */

static void mark(void)
{
#if defined(__x86_64__)
	asm volatile("xchg %%bx, %%bx" : : : "memory");
#endif
}

static void once(struct bench *b, const char *name, uint64_t flags,
		 bool with_name, bool with_build_id, uint64_t addr)
{
	bool found;

	query_for(b, flags, with_name, with_build_id);
	query_addr(b, addr);
	mark();
	found = query_addr(b, addr);
	mark();
	printf("%s\t%s\n", name, found ? "found" : strerror(errno));
}

static void all_once(void)
{
	struct target t;
	struct bench *b;
	uint64_t lib;

	start(&t, lay_out, VMAS, sleep_forever);
	b = bench_new(&t, components_of(lib_dir) + 1);
	lib = t.at.text[LIBS / 2];
	once(b, "point", 0, false, false, lib);
	once(b, "point + name", 0, true, false, lib);
	once(b, "point + build ID", 0, false, true, lib);
	once(b, "miss", 0, false, false, t.at.hole[LIBS / 2]);
	once(b, "skip", NEXT | EXECUTABLE_FILE, false, false, t.at.filler);
	stop(&t);
	free(b);
}

/* Starts again without randomised addresses, unless that was done. */
static void fix_addresses(char **argv)
{
	int persona = personality(0xffffffff);

	if (persona < 0 || persona & ADDR_NO_RANDOMIZE)
		return;
	if (personality(persona | ADDR_NO_RANDOMIZE) >= 0 &&
	    personality(0xffffffff) & ADDR_NO_RANDOMIZE)
		execv("/proc/self/exe", argv);
	puts("# addresses are randomised: figures differ a little from run to run");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "short", no_argument, NULL, 's' },
		{ "disturb", no_argument, NULL, 'd' },
		{ "once", no_argument, NULL, 'o' },
		{ "dir", required_argument, NULL, 'D' },
		{ "help", no_argument, NULL, 'h' },
		{}
	};
	int option, mode = 0;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 's':
		case 'd':
		case 'o':
			if (mode && mode != option)
				errx(1, "only one of --short, --disturb and --once; see --help");
			mode = option;
			break;
		case 'D':
			lib_dir = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		default:
			fputs("Try 'proc-maps-query-bench --help'.\n", stderr);
			return 2;
		}
	}
	if (optind < argc)
		errx(1, "what is '%s'? See --help", argv[optind]);
	if (*lib_dir != '/' || strlen(lib_dir) > PATH_MAX / 2)
		errx(1, "--dir takes an absolute path, not '%s'", lib_dir);

	fix_addresses(argv);
	page = sysconf(_SC_PAGESIZE);
	make_dirs(lib_dir);
	if (mode == 'd')
		disturb();
	else if (mode == 'o')
		all_once();
	else
		bench(mode == 's');
	return 0;
}
