// SPDX-License-Identifier: GPL-2.0
/*
 * PROCMAP_QUERY says in binary what the text of the same file says: walks a
 * process both ways and compares every field of every line. Processes: this one,
 * a stopped one with mappings of every kind, a stopped one with thousands of them,
 * and one with files of an overlay, which needs root.
 */
#define _FILE_OFFSET_BITS 64
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include "proc-maps-query.h"

/* Bytes and lines of the largest text, which is that of smaps. */
#define TEXT_MAX	(16 << 20)
#define LINES_MAX	8192

/* VMAs of the process that has many. Debug kernels check all at each change. */
#define MANY		2500

/* A line of the text, as a query should answer for it. */
struct line {
	struct procmap_query q;		/* of this, the fields that are output */
	const char *name;		/* "" for none */
	const char *text;
};

/* Who is looked at. */
struct target {
	pid_t pid;			/* 0 for this process */
	int fd;				/* its maps */
	char *bytes, *names;		/* of the text, cut into lines */
	struct line *lines;		/* all, but for the gate VMA's */
	size_t n;
	char *name;			/* PATH_MAX bytes for a name in an answer */
};

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
static void read_text(struct target *t, int fd)
{
	static struct maps_line line;
	char *name = t->names, *at, *next;
	struct utsname kernel;
	size_t size = 0;
	unsigned long kb;
	ssize_t len;

	must(!lseek(fd, 0, SEEK_SET));
	while ((len = read(fd, t->bytes + size, TEXT_MAX - 1 - size)) > 0)
		size += len;
	must(!len && size < TEXT_MAX - 1 && !uname(&kernel));
	t->bytes[size] = '\0';
	t->n = 0;
	for (at = t->bytes; *at; at = next) {
		next = strchr(at, '\n');
		must(next);
		*next++ = '\0';
		if (sscanf(at, "KernelPageSize: %lu kB", &kb) == 1 && t->n)
			t->lines[t->n - 1].q.vma_page_size = kb * 1024ULL;
		if (*at >= 'A' && *at <= 'Z')
			continue;
		must(maps_parse(at, &line));
		/* To 32-bit programs, arm64 maps the vectors as it maps the vDSO. */
		if (!strcmp(line.name, "[vsyscall]") ||
		    (!strcmp(line.name, "[vectors]") && strcmp(kernel.machine, "aarch64")))
			break;
		must(t->n < LINES_MAX);
		line_init(&t->lines[t->n], &line);
		t->lines[t->n].text = at;
		t->lines[t->n++].name = strcpy(name, line.name);
		name += strlen(name) + 1;
	}
}

static bool matches(const struct line *line, uint64_t flags)
{
	/* Every file system has a device number, and it is not 0. */
	if (flags & PROCMAP_QUERY_FILE_BACKED_VMA && !line->q.dev_major && !line->q.dev_minor)
		return false;
	return !(flags & PERMISSIONS & ~line->q.vma_flags);
}

/*
 * Processes to look at
 */

/* Says what the kernel has not, so that nobody thinks that it was tried. */
static void not_tried(const char *what)
{
	fprintf(stderr, "# not tried, %s: %s\n", what, strerror(errno));
}

/* Every combination of permissions, private and shared, with and without file. */
static void map_permissions(size_t page)
{
	int fd = make_memfd("permissions"), ro, prot;
	char path[64];

	/* Mapped shared, it can never become writable: "s" all the same. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ro = open(path, O_RDONLY);
	must(ro >= 0);
	for (prot = 0; prot <= (PROT_READ | PROT_WRITE | PROT_EXEC); prot++) {
		map_anonymous(page, prot);
		map_at(NULL, page, prot, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		map_at(NULL, page, prot, MAP_PRIVATE, fd, page);
		map_at(NULL, page, prot, MAP_SHARED, fd, page);
		if (!(prot & PROT_WRITE))
			map_at(NULL, page, prot, MAP_SHARED, ro, page);
	}
}

/*
 * Files in the working directory. The first ones are deleted while they are
 * mapped, the others when the fixture is torn down.
 */
#define FILES_DELETED	2

/* Longer than what a kernel may have on its stack for a name. */
static const char long_name[241] = { [0 ... 239] = 'n' };

static const char * const files[] = {
	"gone", "gone\nas well", "plain", "line\nfeed", " two\n\nlines\n",
	"back\\slash", "tab\t", "na\xc3\xafve \xff", "not so (deleted)",
	"[heap]", long_name,
};

static void map_files(size_t page)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		int fd = open(files[i], O_RDONLY | O_CREAT | O_EXCL, 0600);

		must(fd >= 0);
		map_at(NULL, page, PROT_READ, MAP_SHARED, fd, i * page);
		close(fd);
		if (i < FILES_DELETED)
			must(!unlink(files[i]));
	}
}

/* VMAs that were one: same file or memory, other permissions, a hole. */
static void map_split(size_t page)
{
	char *file = map_at(NULL, 5 * page, PROT_READ, MAP_PRIVATE,
			    make_memfd("split"), 5ULL << 30);
	char *anonymous = map_anonymous(5 * page, PROT_READ);
	char *heap = sbrk(3 * page);

	must(!mprotect(file + page, page, PROT_NONE));
	must(!munmap(file + 3 * page, page));
	must(!madvise(anonymous + page, page, MADV_DONTFORK));
	must(!munmap(anonymous + 3 * page, page));
	must(heap != (void *)-1);
	heap += -to_u64(heap) & (page - 1);
	must(!mprotect(heap + page, page, PROT_READ));
}

static void map_named(size_t page)
{
	char *p = map_anonymous(3 * page, PROT_READ);

	if (!set_vma_name(p, page, "one") || !set_vma_name(p + page, page, "another name"))
		not_tried("named anonymous memory");
}

static void map_sysv(size_t page)
{
	int id = shmget(IPC_PRIVATE, page, IPC_CREAT | 0600);

	if (id < 0)
		not_tried("SysV shared memory");
	else
		must(shmat(id, NULL, 0) != (void *)-1 && !shmctl(id, IPC_RMID, NULL));
}

/* Two huge pages, of which none need be there: they are not touched. */
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
	map_at(NULL, st.st_blksize, PROT_READ, flags, fd, 0);
	map_at(NULL, st.st_blksize, PROT_NONE, flags, fd, st.st_blksize);
}

static void map_every_kind(void)
{
	const size_t page = page_size();

	map_permissions(page);
	map_files(page);
	map_split(page);
	map_named(page);
	map_sysv(page);
	map_hugetlb();
}

/*
 * A VMA a page, with permissions that differ from page to page, now and then
 * with a file or with a hole behind it.
 */
static void map_many(void)
{
	const size_t page = page_size();
	char *at = map_anonymous(MANY * page, PROT_NONE);
	int fd = make_memfd("many");
	size_t i;

	for (i = 0; i < MANY; i++, at += page) {
		const int prot = i * 3 % 8;

		if (i % 10 == 9)
			map_at(at, page, prot, MAP_SHARED, fd, i * page);
		else if (i % 97 == 0)
			must(!munmap(at, page));
		else
			must(!mprotect(at, page, prot));
	}
}

/* Up front, so that reading a text does not change it. */
static void target_init(struct target *t)
{
	const int prot = PROT_READ | PROT_WRITE;

	t->fd = maps_open(t->pid);
	must(t->fd >= 0);
	t->bytes = map_anonymous(TEXT_MAX, prot);
	t->names = map_anonymous(TEXT_MAX, prot);
	t->lines = (void *)map_anonymous(LINES_MAX * sizeof(*t->lines), prot);
	t->name = map_anonymous(PATH_MAX, prot);
	/* Twice: the first may make the stack larger, and be wrong of "self". */
	read_text(t, t->fd);
	read_text(t, t->fd);
}

FIXTURE(walk) {
	char dir[64];
	struct target target;
};

FIXTURE_VARIANT(walk) {
	void (*map)(void);	/* in a child, NULL for this process */
	size_t lines_min;
};

FIXTURE_VARIANT_ADD(walk, self) { .lines_min = 5 };
FIXTURE_VARIANT_ADD(walk, every_kind) { .map = map_every_kind, .lines_min = 60 };
FIXTURE_VARIANT_ADD(walk, many) { .map = map_many, .lines_min = 1000 };

FIXTURE_SETUP(walk)
{
	strcpy(self->dir, "/tmp/proc-maps-query-text.XXXXXX");
	must(mkdtemp(self->dir) && !chdir(self->dir));
	if (variant->map)
		self->target.pid = start_child(variant->map);
	target_init(&self->target);
	ASSERT_LE(variant->lines_min, self->target.n)
		TH_LOG("too little to compare with");
}

FIXTURE_TEARDOWN(walk)
{
	size_t i;

	if (self->target.pid)
		end_child(self->target.pid);
	for (i = 0; i < ARRAY_SIZE(files); i++)
		must(!unlink(files[i]) || errno == ENOENT);
	must(!rmdir(self->dir));
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
		.vma_name_addr = to_u64(t->name),
	};
	struct procmap_query expected = line->q;

	/* Not a string, unless the answer makes it one. */
	memset(t->name, 'x', PATH_MAX);
	ASSERT_EQ(0, query(t->fd, &q))
		TH_LOG("no answer at %#jx with flags %#jx: %s", (uintmax_t)addr,
		       (uintmax_t)flags, line->text);
	/* For the page size there is a test of its own. */
	expected.vma_page_size = q.vma_page_size;
	ASSERT_EQ(0, memcmp(&expected.vma_start, &q.vma_start, OUT_END - OUT_FIRST))
		TH_LOG("not %#jx-%#jx flags %#jx offset %#jx device %u:%u inode %ju: %s",
		       (uintmax_t)q.vma_start, (uintmax_t)q.vma_end, (uintmax_t)q.vma_flags,
		       (uintmax_t)q.vma_offset, q.dev_major, q.dev_minor, (uintmax_t)q.inode,
		       line->text);
	ASSERT_EQ(0, memcmp(line->name, t->name, q.vma_name_size))
		TH_LOG("name, is '%.*s': %s", (int)q.vma_name_size, t->name, line->text);
}

static void expect_none(struct __test_metadata *_metadata,
			const struct target *t, uint64_t addr, uint64_t flags,
			const char *what)
{
	struct procmap_query q;

	ASSERT_EQ(ENOENT, query_at(t->fd, addr, flags, &q))
		TH_LOG("at %#jx with flags %#jx, %s", (uintmax_t)addr, (uintmax_t)flags, what);
}

/* Walks from 0 to the end, and expects the lines that pass the filter. */
static void expect_walk(struct __test_metadata *_metadata,
			const struct target *t, uint64_t filter)
{
	const struct line *line;
	uint64_t addr = 0;

	for (line = t->lines; line < t->lines + t->n; line++) {
		if (!matches(line, filter))
			continue;
		expect_line(_metadata, t, line, addr, filter | NEXT);
		addr = line->q.vma_end;
	}
	expect_none(_metadata, t, addr, filter | NEXT, "the walk should end");
}

TEST_F(walk, every_filter)
{
	uint64_t filter;

	for (filter = 0; filter <= ALL_FLAGS; filter++)
		if (!(filter & NEXT))
			expect_walk(_metadata, &self->target, filter);
}

/* From its first byte to its last each line covers, and the gap before it does not. */
TEST_F(walk, every_line_and_gap)
{
	const struct target *t = &self->target;
	const struct line *line;
	uint64_t gap = 0;

	for (line = t->lines; line < t->lines + t->n; line++) {
		const uint64_t start = line->q.vma_start, end = line->q.vma_end;

		if (gap < start) {
			expect_none(_metadata, t, gap, 0, line->text);
			expect_none(_metadata, t, start - 1, 0, line->text);
			expect_line(_metadata, t, line, gap, NEXT);
			expect_line(_metadata, t, line, start - 1, NEXT);
		}
		expect_line(_metadata, t, line, start, 0);
		expect_line(_metadata, t, line, start + (end - start) / 2, 0);
		expect_line(_metadata, t, line, end - 1, 0);
		expect_line(_metadata, t, line, end - 1, NEXT);
		gap = end;
	}
}

/*
 * Without COVERING_OR_NEXT, only the line there may be answered, if it passes the
 * filter. Of many lines each has some of the filters, and all together have all.
 */
TEST_F(walk, every_line_with_every_filter)
{
	const struct target *t = &self->target;
	const size_t step = t->n < 500 ? 1 : 13;
	const struct line *line;
	uint64_t filter;

	for (line = t->lines; line < t->lines + t->n; line++) {
		const uint64_t start = line->q.vma_start;

		for (filter = 1 + (line - t->lines) % step; filter <= ALL_FLAGS; filter += step) {
			if (filter & NEXT)
				continue;
			if (matches(line, filter))
				expect_line(_metadata, t, line, start, filter);
			else
				expect_none(_metadata, t, start, filter, line->text);
		}
	}
}

TEST_F(walk, every_page_size)
{
	struct target *t = &self->target;
	const struct line *line;
	struct procmap_query q;
	char path[64] = "/proc/self/smaps";
	int smaps;

	if (t->pid)
		snprintf(path, sizeof(path), "/proc/%d/smaps", t->pid);
	smaps = open(path, O_RDONLY);
	if (smaps < 0)
		SKIP(return, "smaps: %s", strerror(errno));
	read_text(t, smaps);
	for (line = t->lines; line < t->lines + t->n; line++) {
		ASSERT_NE(0U, line->q.vma_page_size)
			TH_LOG("no KernelPageSize in smaps: %s", line->text);
		ASSERT_EQ(0, query_at(t->fd, line->q.vma_start, 0, &q))
			TH_LOG("no answer: %s", line->text);
		EXPECT_EQ(line->q.vma_page_size, q.vma_page_size)
			TH_LOG("%s", line->text);
	}
	close(smaps);
}

static void put_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);

	must(fd >= 0);
	close(fd);
}

static void map_overlay(void)
{
	static const char * const names[] = { "lower", "copied", "new" };
	size_t i;

	put_file("new");
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		int fd = open(names[i], i ? O_RDWR : O_RDONLY);

		must(fd >= 0);
		map_at(NULL, page_size(), PROT_READ, MAP_SHARED, fd, 0);
	}
}

/* Their VMAs have files of the layer below; both must name the overlay's. */
TEST(files_on_an_overlay)
{
	struct target t;
	size_t i, found = 0;

	if (unshare(CLONE_NEWNS) || mount("n", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("t", "/tmp", "tmpfs", 0, NULL) ||
	    mkdir("/tmp/l", 0755) || mkdir("/tmp/u", 0755) ||
	    mkdir("/tmp/w", 0755) || chdir("/tmp"))
		SKIP(return, "mounting file systems: %s", strerror(errno));
	put_file("l/lower");
	put_file("l/copied");
	if (mount("o", "/tmp", "overlay", 0, "lowerdir=l,upperdir=u,workdir=w"))
		SKIP(return, "overlayfs: %s", strerror(errno));
	must(!chdir("/tmp"));
	t.pid = start_child(map_overlay);
	target_init(&t);
	for (i = 0; i < t.n; i++)
		found += !strcmp(t.lines[i].name, "/tmp/lower") ||
			 !strcmp(t.lines[i].name, "/tmp/copied") ||
			 !strcmp(t.lines[i].name, "/tmp/new");
	EXPECT_EQ(3U, found);
	expect_walk(_metadata, &t, 0);
	end_child(t.pid);
}

QUERY_TEST_MAIN
