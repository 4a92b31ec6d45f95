// SPDX-License-Identifier: GPL-2.0
/*
 * PROCMAP_QUERY says in binary what the text of the same file says: walks a
 * process both ways and compares every field of every line. Processes: this one,
 * a stopped one with mappings of every kind, a stopped one with thousands of
 * them. Needs no privileges.
 */
#define _FILE_OFFSET_BITS 64
#include <linux/aio_abi.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "../kselftest_harness.h"
#include "proc-maps-query-mount.h"
#include "proc-maps-query.h"

/* Bytes and lines of the largest text, which is that of smaps. */
#define TEXT_MAX	(16 << 20)
#define LINES_MAX	8192

/* VMAs of the process that has many. Debug kernels check all at each change. */
#define MANY		2500

/* Seconds for emulated machines with kernels that check everything. */
#define TIMEOUT		600

static void __attribute__((constructor)) skip_without_query(void)
{
	if (query_supported())
		return;
	ksft_print_header();
	ksft_exit_skip("this kernel has no PROCMAP_QUERY\n");
}

/* A line of the text, as a query should answer for it. */
struct line {
	struct procmap_query q;		/* of this, the fields that are output */
	const char *name;		/* "" for none */
	const char *text;
};

/* All lines of a process, bar the gate VMA, which has no address there. */
struct text {
	char *bytes;			/* of the file, cut into lines */
	char *names;
	struct line *lines;
	size_t n;
};

static void *allocate(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		       MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	must(p != MAP_FAILED);
	return p;
}

/* Up front, so that reading a text does not change it. */
static void text_allocate(struct text *t)
{
	t->bytes = allocate(TEXT_MAX);
	t->names = allocate(TEXT_MAX);
	t->lines = allocate(LINES_MAX * sizeof(*t->lines));
}

/* Reads all of a file into @to, as a string. */
static void read_file(int fd, char *to)
{
	size_t size = 0;
	ssize_t len;

	must(!lseek(fd, 0, SEEK_SET));
	do {
		must(size < TEXT_MAX - 1);
		len = read(fd, to + size, TEXT_MAX - 1 - size);
		must(len >= 0);
		size += len;
	} while (len);
	to[size] = '\0';
}

static void line_init(struct line *line, const struct maps_line *from)
{
	line->q = (struct procmap_query) {
		.vma_start = from->start,
		.vma_end = from->end,
		.vma_flags = from->flags,
		.vma_offset = from->offset,
		.inode = from->inode,
		.dev_major = from->dev_major,
		.dev_minor = from->dev_minor,
		.vma_name_size = *from->name ? strlen(from->name) + 1 : 0,
	};
}

/*
 * Reads a maps or smaps file. In the latter, lines that are not those of maps
 * begin with a capital letter.
 */
static void text_read(struct text *t, int fd)
{
	static struct maps_line line;
	char *name = t->names;
	char *at, *next;

	read_file(fd, t->bytes);
	t->n = 0;
	for (at = t->bytes; *at; at = next) {
		unsigned long kb;

		next = strchr(at, '\n');
		must(next);
		*next++ = '\0';
		if (sscanf(at, "KernelPageSize: %lu kB", &kb) == 1 && t->n)
			t->lines[t->n - 1].q.vma_page_size = kb * 1024ULL;
		if (*at >= 'A' && *at <= 'Z')
			continue;
		must(maps_parse(at, &line));
		if (!strcmp(line.name, "[vsyscall]"))
			break;
		must(t->n < LINES_MAX);
		line_init(&t->lines[t->n], &line);
		t->lines[t->n].text = at;
		t->lines[t->n].name = strcpy(name, line.name);
		name += strlen(name) + 1;
		t->n++;
	}
}

static bool has_file(const struct line *line)
{
	/* Every file system has a device number, and it is not 0. */
	return line->q.dev_major || line->q.dev_minor;
}

static bool matches(const struct line *line, uint64_t flags)
{
	if (flags & PROCMAP_QUERY_FILE_BACKED_VMA && !has_file(line))
		return false;
	return !(flags & PERMISSIONS & ~line->q.vma_flags);
}

/*
 * Processes to look at
 */

static char *map(size_t size, int prot, int flags, int fd, off_t offset)
{
	char *p = mmap(NULL, size, prot, flags, fd, offset);

	must(p != MAP_FAILED);
	return p;
}

static int make_memfd(const char *name)
{
	int fd = syscall(__NR_memfd_create, name, 0);

	must(fd >= 0);
	return fd;
}

/* Says what the kernel has not, so that nobody thinks that it was tried. */
static void not_tried(const char *what)
{
	fprintf(stderr, "# not tried, %s: %s\n", what, strerror(errno));
}

/* Every combination of permissions, private and shared, with and without file. */
static void map_permissions(size_t page)
{
	int fd = make_memfd("permissions");
	int prot;

	for (prot = 0; prot <= (PROT_READ | PROT_WRITE | PROT_EXEC); prot++) {
		map(page, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		map(page, prot, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		map(page, prot, MAP_PRIVATE, fd, page);
		map(page, prot, MAP_SHARED, fd, page);
	}
}

/*
 * Files in the working directory. The first ones are deleted while they are
 * mapped, the others when the fixture is torn down.
 */
#define FILES_DELETED	2
static const char * const files[] = {
	"gone", "gone\nas well", "plain", "line\nfeed", " two\n\nlines\n",
	"back\\slash", "tab\t", "na\xc3\xafve \xff", "not so (deleted)",
	"[heap]",
};

static void map_files(size_t page)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		int fd = open(files[i], O_RDONLY | O_CREAT | O_EXCL, 0600);

		must(fd >= 0);
		map(page, PROT_READ, MAP_SHARED, fd, i * page);
		close(fd);
		if (i < FILES_DELETED)
			must(!unlink(files[i]));
	}
}

/* VMAs that were one: same file or memory, other permissions, a hole. */
static void map_split(size_t page)
{
	char *file = map(5 * page, PROT_READ, MAP_PRIVATE,
			 make_memfd("split"), 5ULL << 30);
	char *anonymous = map(5 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
			      -1, 0);
	char *heap = sbrk(3 * page);

	must(!mprotect(file + page, page, PROT_NONE));
	must(!munmap(file + 3 * page, page));
	must(!madvise(anonymous + page, page, MADV_DONTFORK));
	must(!munmap(anonymous + 3 * page, page));
	must(heap != (void *)-1);
	heap += -(uintptr_t)heap & (page - 1);
	must(!mprotect(heap + page, page, PROT_READ));
}

static void map_named(size_t page)
{
	static const char * const names[] = { "one", "another" };
	char *p = map(3 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME,
			  (uintptr_t)p + i * page, page, names[i])) {
			not_tried("named anonymous memory");
			return;
		}
	}
}

static void map_sysv(size_t page)
{
	int id = shmget(IPC_PRIVATE, page, IPC_CREAT | 0600);

	if (id < 0) {
		not_tried("SysV shared memory");
		return;
	}
	must(shmat(id, NULL, 0) != (void *)-1);
	must(!shmctl(id, IPC_RMID, NULL));
}

/*
 * Huge pages of a memfd, of which the second has other permissions. They are not
 * touched, so that there need not be any.
 */
static void map_hugetlb(void)
{
	int fd = syscall(__NR_memfd_create, "huge", MFD_HUGETLB);
	const int flags = MAP_SHARED | MAP_NORESERVE;
	struct stat st;

	if (fd < 0) {
		not_tried("huge pages");
		return;
	}
	must(!fstat(fd, &st));
	map(st.st_blksize, PROT_READ, flags, fd, 0);
	map(st.st_blksize, PROT_NONE, flags, fd, st.st_blksize);
	close(fd);
}

/* Mappings of the kernel's own files, which have no path. */
static void map_aio(void)
{
	aio_context_t context = 0;

	if (syscall(__NR_io_setup, 1, &context))
		not_tried("asynchronous I/O");
}

static void map_device(size_t page)
{
	int fd = open("/dev/zero", O_RDWR);

	if (fd < 0) {
		not_tried("/dev/zero");
		return;
	}
	map(page, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
}

static void map_every_kind(size_t page)
{
	map_permissions(page);
	map_files(page);
	map_split(page);
	map_named(page);
	map_sysv(page);
	map_hugetlb();
	map_aio();
	map_device(page);
	map(page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS |
	    MAP_GROWSDOWN, -1, 0);
}

/*
 * A VMA a page, with permissions that differ from page to page, now and then
 * with a file or with a hole behind it.
 */
static void map_many(size_t page)
{
	const size_t max = vmas_allowed();
	const size_t n = max > MANY + 200 ? MANY : max - 200;
	char *at = map(n * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = make_memfd("many");
	size_t i;

	for (i = 0; i < n; i++, at += page) {
		const int prot = i * 3 % 8;

		if (i % 10 == 9)
			must(mmap(at, page, prot, MAP_SHARED | MAP_FIXED, fd,
				  i * page) == at);
		else if (i % 97 == 0)
			must(!munmap(at, page));
		else
			must(!mprotect(at, page, prot));
	}
}

/* Who is looked at. */
struct target {
	pid_t pid;		/* 0 for this process */
	int fd;			/* its maps */
	struct text text;
	char *name;		/* PATH_MAX bytes for the name in an answer */
};

FIXTURE(walk) {
	char dir[64];
	struct target target;
};

FIXTURE_VARIANT(walk) {
	void (*map)(size_t page);	/* in a child, NULL for this process */
	size_t lines_min;
};

FIXTURE_VARIANT_ADD(walk, self) {
	.map = NULL,
	.lines_min = 5,
};

FIXTURE_VARIANT_ADD(walk, every_kind) {
	.map = map_every_kind,
	.lines_min = 50,
};

FIXTURE_VARIANT_ADD(walk, many) {
	.map = map_many,
	.lines_min = 1000,
};

/* Starts a process that maps things and stops. */
static pid_t start_child(void (*map_things)(size_t page))
{
	pid_t pid = fork();
	int status;

	must(pid >= 0);
	if (!pid) {
		/* Stopped processes do not notice that a test was killed. */
		must(!prctl(PR_SET_PDEATHSIG, SIGKILL));
		map_things(sysconf(_SC_PAGESIZE));
		raise(SIGSTOP);
		_exit(0);
	}
	must(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	return pid;
}

static int open_smaps(pid_t pid)
{
	char path[64] = "/proc/self/smaps";

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	return open(path, O_RDONLY);
}

static void end_child(pid_t pid)
{
	if (!pid)
		return;
	must(!kill(pid, SIGKILL));
	must(waitpid(pid, NULL, 0) == pid);
}

/* Opens the maps of the target's process, and reads them. */
static void target_init(struct target *t)
{
	t->fd = maps_open(t->pid);
	must(t->fd >= 0);
	t->name = allocate(PATH_MAX);
	text_allocate(&t->text);
	/* Twice: the first may make the stack larger, and be wrong of "self". */
	text_read(&t->text, t->fd);
	text_read(&t->text, t->fd);
}

FIXTURE_SETUP(walk)
{
	strcpy(self->dir, "/tmp/proc-maps-query-text.XXXXXX");
	must(mkdtemp(self->dir) && !chdir(self->dir));
	if (variant->map)
		self->target.pid = start_child(variant->map);
	target_init(&self->target);
	ASSERT_LE(variant->lines_min, self->target.text.n)
		TH_LOG("too little to compare with");
}

FIXTURE_TEARDOWN(walk)
{
	size_t i;

	end_child(self->target.pid);
	for (i = 0; i < ARRAY_SIZE(files); i++)
		must(!unlink(files[i]) || errno == ENOENT);
	must(!rmdir(self->dir));
}

static void expect_same(struct __test_metadata *_metadata,
			const struct line *line, const char *field,
			uint64_t in_text, uint64_t answered)
{
	ASSERT_EQ(in_text, answered)
		TH_LOG("%s, should be %#jx, is %#jx: %s", field,
		       (uintmax_t)in_text, (uintmax_t)answered, line->text);
}

static void expect_same_numbers(struct __test_metadata *_metadata,
				const struct line *line,
				const struct procmap_query *q)
{
	const struct procmap_query *l = &line->q;
	const struct {
		const char *name;
		uint64_t in_text, answered;
	} fields[] = {
		{ "vma_start", l->vma_start, q->vma_start },
		{ "vma_end", l->vma_end, q->vma_end },
		{ "vma_flags", l->vma_flags, q->vma_flags },
		{ "vma_offset", l->vma_offset, q->vma_offset },
		{ "inode", l->inode, q->inode },
		{ "dev_major", l->dev_major, q->dev_major },
		{ "dev_minor", l->dev_minor, q->dev_minor },
		{ "vma_name_size", l->vma_name_size, q->vma_name_size },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fields); i++)
		expect_same(_metadata, line, fields[i].name, fields[i].in_text,
			    fields[i].answered);
}

/* Asks for numbers and name, and compares the answer with the line. */
static void expect_line(struct __test_metadata *_metadata,
			const struct target *t, const struct line *line,
			uint64_t addr, uint64_t flags)
{
	struct procmap_query q = {
		.size = sizeof(q),
		.query_flags = flags,
		.query_addr = addr,
		.vma_name_size = PATH_MAX,
		.vma_name_addr = (uintptr_t)t->name,
	};
	int err;

	/* Not a string, unless the answer makes it one. */
	memset(t->name, 'x', PATH_MAX);
	err = query(t->fd, &q);
	ASSERT_EQ(0, err)
		TH_LOG("no answer at %#jx with flags %#jx: %s", (uintmax_t)addr,
		       (uintmax_t)flags, line->text);
	expect_same_numbers(_metadata, line, &q);
	ASSERT_EQ(0, memcmp(line->name, t->name, q.vma_name_size))
		TH_LOG("name, is '%.*s': %s", (int)q.vma_name_size, t->name,
		       line->text);
}

static void expect_none(struct __test_metadata *_metadata, int fd,
			uint64_t addr, uint64_t flags, const char *what)
{
	struct procmap_query q;

	ASSERT_EQ(ENOENT, query_at(fd, addr, flags, &q))
		TH_LOG("at %#jx with flags %#jx, %s", (uintmax_t)addr,
		       (uintmax_t)flags, what);
}

/* Walks from 0 to the end, and expects the lines that pass the filter. */
static void expect_walk(struct __test_metadata *_metadata,
			const struct target *t, uint64_t filter)
{
	const uint64_t flags = filter | PROCMAP_QUERY_COVERING_OR_NEXT_VMA;
	uint64_t addr = 0;
	size_t i;

	for (i = 0; i < t->text.n; i++) {
		const struct line *line = &t->text.lines[i];

		if (!matches(line, filter))
			continue;
		expect_line(_metadata, t, line, addr, flags);
		addr = line->q.vma_end;
	}
	expect_none(_metadata, t->fd, addr, flags, "the walk should end");
}

TEST_F_TIMEOUT(walk, every_line, TIMEOUT)
{
	expect_walk(_metadata, &self->target, 0);
}

TEST_F_TIMEOUT(walk, every_filter, TIMEOUT)
{
	const struct target *t = &self->target;
	uint64_t filter;

	for (filter = 1; filter <= ALL_FLAGS; filter++)
		if (!(filter & PROCMAP_QUERY_COVERING_OR_NEXT_VMA))
			expect_walk(_metadata, t, filter);
}

/* Asks without COVERING_OR_NEXT inside of each line. */
TEST_F_TIMEOUT(walk, every_point, TIMEOUT)
{
	const struct target *t = &self->target;
	size_t i;

	for (i = 0; i < t->text.n; i++) {
		const struct line *line = &t->text.lines[i];
		const uint64_t start = line->q.vma_start;
		const uint64_t end = line->q.vma_end;

		expect_line(_metadata, t, line, start, 0);
		expect_line(_metadata, t, line, start + (end - start) / 2, 0);
		expect_line(_metadata, t, line, end - 1, 0);
	}
}

/*
 * The same with filters: only the line there may be answered, or nothing. Of
 * many lines each has some of the filters, and all together have all.
 */
TEST_F_TIMEOUT(walk, every_point_with_every_filter, TIMEOUT)
{
	const struct target *t = &self->target;
	const size_t step = t->text.n < 500 ? 1 : 13;
	uint64_t filter;
	size_t i;

	for (i = 0; i < t->text.n; i++) {
		const struct line *line = &t->text.lines[i];
		const uint64_t addr = line->q.vma_start;

		for (filter = 1 + i % step; filter <= ALL_FLAGS;
		     filter += step) {
			if (filter & PROCMAP_QUERY_COVERING_OR_NEXT_VMA)
				continue;
			if (matches(line, filter))
				expect_line(_metadata, t, line, addr, filter);
			else
				expect_none(_metadata, t->fd, addr, filter,
					    line->text);
		}
	}
}

TEST_F_TIMEOUT(walk, every_gap, TIMEOUT)
{
	const struct target *t = &self->target;
	const uint64_t next = PROCMAP_QUERY_COVERING_OR_NEXT_VMA;
	uint64_t gap = 0;
	size_t i;

	for (i = 0; i < t->text.n; i++) {
		const struct line *line = &t->text.lines[i];
		const uint64_t start = line->q.vma_start;

		if (gap < start) {
			expect_none(_metadata, t->fd, gap, 0, line->text);
			expect_none(_metadata, t->fd, start - 1, 0, line->text);
			expect_line(_metadata, t, line, gap, next);
			expect_line(_metadata, t, line, start - 1, next);
		}
		gap = line->q.vma_end;
	}
}

TEST_F_TIMEOUT(walk, every_page_size, TIMEOUT)
{
	struct target *t = &self->target;
	int smaps = open_smaps(t->pid);
	size_t i;

	if (smaps < 0)
		SKIP(return, "every_page_size: smaps: %s", strerror(errno));
	text_read(&t->text, smaps);
	ASSERT_LE(variant->lines_min, t->text.n);
	for (i = 0; i < t->text.n; i++) {
		const struct line *line = &t->text.lines[i];
		struct procmap_query q;

		ASSERT_NE(0U, line->q.vma_page_size)
			TH_LOG("no KernelPageSize in smaps: %s", line->text);
		ASSERT_EQ(0, query_at(t->fd, line->q.vma_start, 0, &q))
			TH_LOG("no answer: %s", line->text);
		expect_same(_metadata, line, "vma_page_size",
			    line->q.vma_page_size, q.vma_page_size);
	}
	close(smaps);
}

/* Elsewhere the major number of a device is mostly 0. */
TEST(files_on_a_block_device)
{
	const char *lacks = geteuid() ? "root" : mount_privately();
	struct target t;
	bool seen = false;
	size_t i;

	if (!lacks)
		lacks = mount_ext4("/tmp");
	if (lacks)
		SKIP(return, "files_on_a_block_device: needs %s", lacks);
	must(!chdir("/tmp"));
	t.pid = start_child(map_files);
	target_init(&t);
	for (i = 0; i < t.text.n; i++)
		if (!strncmp(t.text.lines[i].name, "/tmp/", 5))
			seen |= t.text.lines[i].q.dev_major;
	EXPECT_TRUE(seen)
		TH_LOG("no file is on a block device");
	expect_walk(_metadata, &t, 0);
	end_child(t.pid);
}

/* What the filters tell apart is there to be told apart. */
TEST(every_combination_is_mapped)
{
	bool seen[PERMISSIONS + 1][2] = { { false, false } };
	struct target t = { .pid = start_child(map_permissions) };
	unsigned int flags;
	size_t i;

	target_init(&t);
	for (i = 0; i < t.text.n; i++) {
		const struct line *line = &t.text.lines[i];

		seen[line->q.vma_flags][has_file(line)] = true;
	}
	for (flags = 0; flags <= PERMISSIONS; flags++) {
		EXPECT_TRUE(seen[flags][1])
			TH_LOG("no file with flags %#x", flags);
		if (!(flags & PROCMAP_QUERY_VMA_SHARED))
			EXPECT_TRUE(seen[flags][0])
				TH_LOG("no anonymous memory with flags %#x",
				       flags);
	}
	end_child(t.pid);
}

TEST_HARNESS_MAIN
