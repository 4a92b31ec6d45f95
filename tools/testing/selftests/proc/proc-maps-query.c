// SPDX-License-Identifier: GPL-2.0
/*
 * The contract of PROCMAP_QUERY, sentence by sentence, asked about this process:
 * layout, addresses, flags, answers, names, build IDs, sizes, errors and their
 * order, pointers. Built also as a 32-bit program, which on a 64-bit kernel goes
 * through the compat call.
 *
 * Needs no privileges. Each test runs in a process of its own.
 */
#define _FILE_OFFSET_BITS 64
#include <dirent.h>
#include <elf.h>
#include <link.h>
#include <signal.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include "../kselftest_harness.h"
#include "proc-maps-query.h"

#define BUILD_ID_MAX	20
#define DELETED		" (deleted)"

/* In memory that a query must not write, or must not take for input. */
#define GUARD		0xa5

/* The smallest struct, and the part of it that a query writes. */
#define SIZE_MIN	24
#define OUT_FIRST	offsetof(struct procmap_query, vma_start)
#define OUT_END		offsetof(struct procmap_query, vma_name_addr)

static void __attribute__((constructor)) skip_without_query(void)
{
	if (query_supported())
		return;
	ksft_print_header();
	ksft_exit_skip("this kernel has no PROCMAP_QUERY\n");
}

static size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

static uint64_t to_u64(const void *p)
{
	return (uintptr_t)p;
}

/* An address in the code of this program, which has a file and a name. */
static uint64_t own_code(void)
{
	return (uintptr_t)&own_code;
}

/* A query between guards, and the buffers that it may ask for. */
struct call {
	unsigned char before[64];
	struct procmap_query q;
	unsigned char after[64];
	char name[PATH_MAX + 64];
	unsigned char build_id[64];
};

/* Asks for numbers; what is not input has the guard's value. */
static void call_init(struct call *c, uint64_t addr, uint64_t flags)
{
	memset(c, GUARD, sizeof(*c));
	c->q.size = sizeof(c->q);
	c->q.query_flags = flags;
	c->q.query_addr = addr;
	c->q.vma_name_size = 0;
	c->q.vma_name_addr = 0;
	c->q.build_id_size = 0;
	c->q.build_id_addr = 0;
}

static void call_want_name(struct call *c, uint32_t size)
{
	c->q.vma_name_size = size;
	c->q.vma_name_addr = to_u64(c->name);
}

static void call_want_build_id(struct call *c, uint32_t size)
{
	c->q.build_id_size = size;
	c->q.build_id_addr = to_u64(c->build_id);
}

static bool is_guard(const void *from, size_t size)
{
	const unsigned char *p = from;

	while (size && *p == GUARD) {
		p++;
		size--;
	}
	return !size;
}

/*
 * Asks what must fail, and leave the caller's struct alone. So must the buffers
 * be, unless the error is that one of the results cannot be written.
 */
static void expect_error(struct __test_metadata *_metadata, int fd, int err,
			 struct call *c, const char *what)
{
	const size_t size = err == EFAULT ? offsetof(struct call, name) :
					    sizeof(*c);
	const struct call was = *c;

	EXPECT_EQ(err, query(fd, &c->q))
		TH_LOG("%s: wrong error", what);
	EXPECT_EQ(0, memcmp(&was, c, size))
		TH_LOG("%s: failed, but wrote to the caller's memory", what);
}

/* For messages: what was asked. */
static const char *asked(uint64_t addr, uint64_t flags)
{
	static char text[64];

	snprintf(text, sizeof(text), "at %#jx with flags %#jx",
		 (uintmax_t)addr, (uintmax_t)flags);
	return text;
}

/* Asks for numbers what must be answered with the VMA from @start to @end. */
static void expect_vma(struct __test_metadata *_metadata, int fd, uint64_t addr,
		       uint64_t flags, uint64_t start, uint64_t end)
{
	struct procmap_query q;

	ASSERT_EQ(0, query_at(fd, addr, flags, &q))
		TH_LOG("nothing found %s", asked(addr, flags));
	EXPECT_EQ(start, q.vma_start)
		TH_LOG("asked %s", asked(addr, flags));
	EXPECT_EQ(end, q.vma_end)
		TH_LOG("asked %s", asked(addr, flags));
}

static void expect_none(struct __test_metadata *_metadata, int fd,
			uint64_t addr, uint64_t flags, const char *what)
{
	struct call c;

	call_init(&c, addr, flags);
	expect_error(_metadata, fd, ENOENT, &c, what);
}

/*
 * Things to map
 */

static char *map_at(char *at, size_t size, int prot, int flags, int fd,
		    off_t offset)
{
	char *p = mmap(at, size, prot, flags | (at ? MAP_FIXED : 0), fd,
		       offset);

	must(p != MAP_FAILED);
	return p;
}

static char *map_anonymous(size_t size, int prot)
{
	return map_at(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* An address range with nothing in it, to map at fixed addresses. */
static char *find_room(size_t size)
{
	char *room = map_anonymous(size, PROT_NONE);

	must(!munmap(room, size));
	return room;
}

/* Returns @size bytes of memory that end where an unmapped page begins. */
static char *map_before_gap(size_t size)
{
	const size_t page = page_size();
	const size_t pages = (size + page - 1) / page * page;
	char *p = map_anonymous(pages + page, PROT_READ | PROT_WRITE);

	memset(p, GUARD, pages);
	must(!munmap(p + pages, page));
	return p + pages - size;
}

static int make_memfd(const char *name)
{
	int fd = syscall(__NR_memfd_create, name, 0);

	must(fd >= 0);
	return fd;
}

static char *map_file(int fd)
{
	return map_at(NULL, page_size(), PROT_READ, MAP_PRIVATE, fd, 0);
}

static char *map_memfd(const char *name)
{
	int fd = make_memfd(name);
	char *p = map_file(fd);

	close(fd);
	return p;
}

static char *map_shared_anonymous(void)
{
	return map_at(NULL, page_size(), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

/* Returns NULL with errno if there is no System V shared memory. */
static char *map_sysv(void)
{
	int id = shmget(IPC_PRIVATE, page_size(), IPC_CREAT | 0600);
	void *p;

	if (id < 0)
		return NULL;
	p = shmat(id, NULL, 0);
	must(!shmctl(id, IPC_RMID, NULL));
	must(p != (void *)-1);
	return p;
}

/*
 * Of the default huge page size, returned in @size. The memory is not touched, so
 * that there need not be any free. Returns NULL with errno if there is none.
 */
static char *map_hugetlb(size_t *size)
{
	FILE *meminfo = fopen("/proc/meminfo", "r");
	unsigned long kb = 0;
	char line[128];
	void *p;

	must(meminfo);
	while (fgets(line, sizeof(line), meminfo) &&
	       sscanf(line, "Hugepagesize: %lu kB", &kb) != 1)
		;
	fclose(meminfo);
	*size = kb * 1024UL;
	if (!kb) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	p = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		 MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

/* Returns the address of the vDSO, or NULL if there is none. */
static char *get_vdso(void)
{
	return (char *)(uintptr_t)getauxval(AT_SYSINFO_EHDR);
}

/* Returns @size bytes of heap, from the start of a page on. */
static char *get_heap(size_t size)
{
	char *heap = sbrk(size + page_size());

	must(heap != (void *)-1);
	return heap + (-to_u64(heap) & (page_size() - 1));
}

/* Starts a process and stops it. It ends with this one, if not before. */
static pid_t start_child(void)
{
	pid_t pid = fork();
	int status;

	must(pid >= 0);
	if (!pid) {
		must(!prctl(PR_SET_PDEATHSIG, SIGKILL));
		raise(SIGSTOP);
		_exit(0);
	}
	must(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	return pid;
}

static void end_child(pid_t pid)
{
	must(!kill(pid, SIGKILL));
	must(waitpid(pid, NULL, 0) == pid);
}

/* Finds the line of an address in this process's text. */
static bool find_line(uint64_t addr, struct maps_line *line)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	static char text[MAPS_LINE_MAX];
	bool found = false;

	must(maps);
	while (!found && fgets(text, sizeof(text), maps)) {
		must(maps_parse(text, line));
		found = line->start <= addr && addr < line->end;
	}
	fclose(maps);
	return found;
}

FIXTURE(abi) {
	int fd;		/* this process's maps */
	size_t page;
};

FIXTURE_SETUP(abi)
{
	self->fd = maps_open(0);
	ASSERT_LE(0, self->fd)
		TH_LOG("/proc/self/maps: %s", strerror(errno));
	self->page = page_size();
}

FIXTURE_TEARDOWN(abi)
{
	close(self->fd);
}

/*
 * Layout and number
 */

TEST(struct_is_104_bytes_without_padding)
{
	struct procmap_query q;
	const struct {
		const char *name;
		size_t offset;
		void *at;
		size_t size;
	} fields[] = {
		{ "size", 0, &q.size, sizeof(q.size) },
		{ "query_flags", 8, &q.query_flags, sizeof(q.query_flags) },
		{ "query_addr", 16, &q.query_addr, sizeof(q.query_addr) },
		{ "vma_start", 24, &q.vma_start, sizeof(q.vma_start) },
		{ "vma_end", 32, &q.vma_end, sizeof(q.vma_end) },
		{ "vma_flags", 40, &q.vma_flags, sizeof(q.vma_flags) },
		{ "vma_page_size", 48, &q.vma_page_size, sizeof(q.vma_page_size) },
		{ "vma_offset", 56, &q.vma_offset, sizeof(q.vma_offset) },
		{ "inode", 64, &q.inode, sizeof(q.inode) },
		{ "dev_major", 72, &q.dev_major, sizeof(q.dev_major) },
		{ "dev_minor", 76, &q.dev_minor, sizeof(q.dev_minor) },
		{ "vma_name_size", 80, &q.vma_name_size, sizeof(q.vma_name_size) },
		{ "build_id_size", 84, &q.build_id_size, sizeof(q.build_id_size) },
		{ "vma_name_addr", 88, &q.vma_name_addr, sizeof(q.vma_name_addr) },
		{ "build_id_addr", 96, &q.build_id_addr, sizeof(q.build_id_addr) },
	};
	size_t i, end = 0;

	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		EXPECT_EQ(fields[i].offset, (size_t)((char *)fields[i].at - (char *)&q))
			TH_LOG("%s is at the wrong offset", fields[i].name);
		EXPECT_EQ(end, fields[i].offset)
			TH_LOG("padding before %s", fields[i].name);
		end = fields[i].offset + fields[i].size;
	}
	EXPECT_EQ(end, sizeof(q));
	EXPECT_EQ(104U, sizeof(q));
}

TEST(numbers_of_ioctl_and_flags)
{
	EXPECT_EQ('f', PROCFS_IOCTL_MAGIC);
	EXPECT_EQ(0xc0686611UL, (unsigned long)PROCMAP_QUERY);
	EXPECT_EQ(0x01, PROCMAP_QUERY_VMA_READABLE);
	EXPECT_EQ(0x02, PROCMAP_QUERY_VMA_WRITABLE);
	EXPECT_EQ(0x04, PROCMAP_QUERY_VMA_EXECUTABLE);
	EXPECT_EQ(0x08, PROCMAP_QUERY_VMA_SHARED);
	EXPECT_EQ(0x10, PROCMAP_QUERY_COVERING_OR_NEXT_VMA);
	EXPECT_EQ(0x20, PROCMAP_QUERY_FILE_BACKED_VMA);
}

/*
 * The call
 */

TEST_F(abi, other_commands_are_enotty)
{
	static const unsigned int commands[] = {
		_IOWR('f', 16, struct procmap_query),
		_IOWR('f', 18, struct procmap_query),
		_IOWR('F', 17, struct procmap_query),
		_IOWR('e', 17, struct procmap_query),
		_IOW('f', 17, struct procmap_query),
		_IOR('f', 17, struct procmap_query),
		_IO('f', 17),
		_IOWR('f', 17, char[sizeof(struct procmap_query) - 8]),
		_IOWR('f', 17, char[sizeof(struct procmap_query) + 8]),
		_IOWR('f', 17, char[SIZE_MIN]),
		0,
		~0U,
	};
	struct call c, was;
	size_t i;

	call_init(&c, own_code(), 0);
	was = c;
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		EXPECT_EQ(-1, ioctl(self->fd, commands[i], &c.q))
			TH_LOG("command %#x is known", commands[i]);
		EXPECT_EQ(ENOTTY, errno)
			TH_LOG("command %#x", commands[i]);
		EXPECT_EQ(0, memcmp(&was, &c, sizeof(c)))
			TH_LOG("command %#x wrote to the struct", commands[i]);
	}
}

#ifdef __x86_64__
/* The system call of 32-bit programs, with pointers that they can have. */
static int ioctl_compat(int fd, unsigned int command, void *arg)
{
	int ret;

	asm volatile("int $0x80" : "=a" (ret) :
		     "a" (54), "b" (fd), "c" (command), "d" (arg) :
		     "r8", "r9", "r10", "r11", "memory", "cc");
	return ret;
}

static bool has_compat_calls(int fd)
{
	pid_t pid = fork();
	int status;

	must(pid >= 0);
	if (!pid)
		_exit(ioctl_compat(fd, 0, NULL) != -ENOTTY);
	must(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

/* The 32-bit build of this program would only find that there is no ioctl. */
TEST_F(abi, compat_call_answers_alike)
{
	struct procmap_query expected, *q = (void *)
		map_at((void *)0x20000000, self->page, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (!has_compat_calls(self->fd))
		SKIP(return, "compat_call_answers_alike: no 32-bit system calls");
	ASSERT_EQ(0, query_at(self->fd, own_code(), 0, &expected));
	memset(q, 0, sizeof(*q));
	q->size = sizeof(*q);
	q->query_addr = own_code();
	ASSERT_EQ(0, ioctl_compat(self->fd, PROCMAP_QUERY, q));
	EXPECT_EQ(0, memcmp(&expected, q, sizeof(*q)));
	EXPECT_EQ(-EFAULT, ioctl_compat(self->fd, PROCMAP_QUERY, NULL));
}
#endif

TEST_F(abi, other_proc_files_are_enotty)
{
	static const char * const files[] = {
		"/proc/self/smaps", "/proc/self/smaps_rollup", "/proc/self/mem",
		"/proc/self/status", "/proc/self/auxv",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		int fd = open(files[i], O_RDONLY);
		struct call c;

		if (fd < 0 && errno == ENOENT)
			continue;
		ASSERT_LE(0, fd)
			TH_LOG("%s: %s", files[i], strerror(errno));
		call_init(&c, own_code(), 0);
		expect_error(_metadata, fd, ENOTTY, &c, files[i]);
		close(fd);
	}
}

TEST_F(abi, every_maps_file_answers_alike)
{
	const int pid = getpid();
	struct procmap_query expected;
	char paths[3][64];
	size_t i;

	snprintf(paths[0], sizeof(paths[0]), "/proc/%d/maps", pid);
	snprintf(paths[1], sizeof(paths[1]), "/proc/%d/task/%d/maps", pid, pid);
	snprintf(paths[2], sizeof(paths[2]), "/proc/thread-self/maps");
	ASSERT_EQ(0, query_at(self->fd, own_code(), 0, &expected));
	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		struct procmap_query q;
		int fd = open(paths[i], O_RDONLY);

		ASSERT_LE(0, fd)
			TH_LOG("%s: %s", paths[i], strerror(errno));
		EXPECT_EQ(0, query_at(fd, own_code(), 0, &q))
			TH_LOG("%s cannot be queried", paths[i]);
		EXPECT_EQ(0, memcmp(&expected, &q, sizeof(q)))
			TH_LOG("%s answers otherwise", paths[i]);
		close(fd);
	}
}

/* Reads all of the text, @step bytes at a time, with a query before each. */
static size_t read_and_query(struct __test_metadata *_metadata, int fd,
			     char *text, size_t size, size_t step)
{
	struct procmap_query q;
	size_t total = 0;
	ssize_t len;

	do {
		ASSERT_EQ(0, query_at(fd, 0, PROCMAP_QUERY_COVERING_OR_NEXT_VMA,
				      &q))
			TH_LOG("no answer at position %zu", total);
		ASSERT_EQ((off_t)total, lseek(fd, 0, SEEK_CUR))
			TH_LOG("the query moved the position");
		must(total + step <= size);
		len = read(fd, text + total, step);
		must(len >= 0);
		total += len;
	} while (len);
	return total;
}

TEST_F(abi, position_is_neither_moved_nor_used)
{
	static char whole[1 << 17], text[1 << 17];
	struct procmap_query at_start, at_end;
	int fd = maps_open(0);
	size_t size = 0;
	ssize_t len;

	ASSERT_LE(0, fd);
	while ((len = read(fd, whole + size, sizeof(whole) - size)) > 0)
		size += len;
	ASSERT_EQ(0, len);

	ASSERT_EQ(0, query_at(self->fd, to_u64(text), 0, &at_start));
	ASSERT_EQ(size, read_and_query(_metadata, self->fd, text, sizeof(text),
				       100))
		TH_LOG("queries between reads change the length of the text");
	EXPECT_EQ(0, memcmp(whole, text, size))
		TH_LOG("queries between reads change the text");
	EXPECT_EQ(0, query_at(self->fd, to_u64(text), 0, &at_end))
		TH_LOG("no answer with the position at the end");
	EXPECT_EQ(0, memcmp(&at_start, &at_end, sizeof(at_end)))
		TH_LOG("the answer depends on the position");
	close(fd);
}

/*
 * Addresses
 */

TEST_F(abi, first_and_last_byte_of_a_vma)
{
	const size_t size = 3 * self->page;
	char *room = find_room(5 * self->page);
	const uint64_t start = to_u64(room) + self->page;
	const uint64_t end = start + size;
	const uint64_t flags[] = { 0, PROCMAP_QUERY_COVERING_OR_NEXT_VMA };
	size_t i;

	map_at(room + self->page, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
	       -1, 0);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		expect_vma(_metadata, self->fd, start, flags[i], start, end);
		expect_vma(_metadata, self->fd, start + 1, flags[i], start,
			   end);
		expect_vma(_metadata, self->fd, start + size / 2, flags[i],
			   start, end);
		expect_vma(_metadata, self->fd, end - 1, flags[i], start, end);
	}
}

TEST_F(abi, bytes_beside_a_vma)
{
	char *room = find_room(7 * self->page);
	const uint64_t start = to_u64(room) + self->page;
	const uint64_t end = start + self->page;
	const uint64_t next = end + self->page;
	const uint64_t flag = PROCMAP_QUERY_COVERING_OR_NEXT_VMA;
	const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;

	map_at(room + self->page, self->page, PROT_READ, anonymous, -1, 0);
	map_at(room + 3 * self->page, self->page, PROT_READ, anonymous, -1, 0);

	expect_none(_metadata, self->fd, start - 1, 0, "byte before a VMA");
	expect_none(_metadata, self->fd, end, 0, "byte behind a VMA");
	expect_vma(_metadata, self->fd, start - 1, flag, start, end);
	expect_vma(_metadata, self->fd, end, flag, next, next + self->page);
	expect_vma(_metadata, self->fd, next - 1, flag, next,
		   next + self->page);
}

TEST_F(abi, two_vmas_side_by_side)
{
	char *room = map_anonymous(4 * self->page, PROT_READ);
	const uint64_t start = to_u64(room) + self->page;
	const uint64_t middle = start + self->page;
	const uint64_t end = middle + self->page;
	const uint64_t flags[] = { 0, PROCMAP_QUERY_COVERING_OR_NEXT_VMA };
	size_t i;

	must(!mprotect(room + self->page, self->page, PROT_NONE));
	must(!mprotect(room + 2 * self->page, self->page, PROT_WRITE));
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		expect_vma(_metadata, self->fd, middle - 1, flags[i], start,
			   middle);
		expect_vma(_metadata, self->fd, middle, flags[i], middle, end);
	}
}

TEST_F(abi, address_0)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long long start, end;

	must(maps);
	must(fscanf(maps, "%llx-%llx", &start, &end) == 2);
	fclose(maps);

	expect_none(_metadata, self->fd, 0, 0, "address 0");
	expect_none(_metadata, self->fd, start - 1, 0, "below the first VMA");
	expect_vma(_metadata, self->fd, 0, PROCMAP_QUERY_COVERING_OR_NEXT_VMA,
		   start, end);
}

static bool in_address_space(uintptr_t addr, size_t page)
{
	void *p = mmap((void *)addr, page, PROT_NONE, MAP_PRIVATE |
		       MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (p == MAP_FAILED)
		return errno == EEXIST;
	must(!munmap(p, page));
	return p == (void *)addr;
}

/* Returns the address of the highest page that a process may have. */
static uintptr_t find_highest_page(size_t page)
{
	uintptr_t in = (uintptr_t)&page & ~(page - 1);
	uintptr_t out = -page;

	while (out - in > page) {
		uintptr_t middle = (in + (out - in) / 2) & ~(page - 1);

		if (in_address_space(middle, page))
			in = middle;
		else
			out = middle;
	}
	return in;
}

TEST_F(abi, highest_user_address)
{
	const uintptr_t top = find_highest_page(self->page);
	const uint64_t end = (uint64_t)top + self->page;
	const uint64_t flags[] = { 0, PROCMAP_QUERY_COVERING_OR_NEXT_VMA };
	size_t i;

	/* If it fails, something is there already, which is as good. */
	mmap((void *)top, self->page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS |
	     MAP_FIXED_NOREPLACE, -1, 0);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		struct procmap_query q;

		ASSERT_EQ(0, query_at(self->fd, end - 1, flags[i], &q))
			TH_LOG("nothing found %s, the highest user address",
			       asked(end - 1, flags[i]));
		EXPECT_EQ(end, q.vma_end);
		EXPECT_GE((uint64_t)top, q.vma_start);
		expect_none(_metadata, self->fd, end, flags[i],
			    "first address above user space");
	}
}

/* Among them the gate VMA of x86, which the text shows as [vsyscall]. */
TEST_F(abi, addresses_above_user_space)
{
	static const uint64_t addrs[] = {
		UINT64_MAX, UINT64_MAX - 1, UINT64_MAX - 4095,
		0xffffffffff600000, 0xffffffff80000000, 0xffff800000000000,
		1ULL << 63, (1ULL << 63) - 1, 1ULL << 62,
	};
	char what[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(addrs); i++) {
		snprintf(what, sizeof(what), "address %#jx",
			 (uintmax_t)addrs[i]);
		expect_none(_metadata, self->fd, addrs[i], 0, what);
		expect_none(_metadata, self->fd, addrs[i],
			    PROCMAP_QUERY_COVERING_OR_NEXT_VMA, what);
	}
}

TEST_F(abi, address_is_not_cut_to_32_bits)
{
	const uint64_t next = PROCMAP_QUERY_COVERING_OR_NEXT_VMA;
	/* Below 4G, of a 64-bit program too. */
	char *low = mmap((void *)0x20000000, self->page, PROT_READ,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			 -1, 0);
	unsigned int bit;

	must(low != MAP_FAILED || errno == EEXIST);
	expect_none(_metadata, self->fd, ~0ULL << 32 | 0x20000000, 0,
		    "upper half all ones");
	for (bit = 32; bit < 64; bit++) {
		const uint64_t addr = 1ULL << bit | 0x20000000;
		struct procmap_query q;

		if (!query_at(self->fd, addr, 0, &q))
			EXPECT_GE(addr, q.vma_start)
				TH_LOG("was cut, asked %s", asked(addr, 0));
		if (!query_at(self->fd, addr, next, &q))
			EXPECT_LT(addr, q.vma_end)
				TH_LOG("was cut, asked %s", asked(addr, next));
	}
}

/*
 * Flags
 */

/* A VMA made by a test: what it must be found as. */
struct region {
	uint64_t start, end, flags;
	bool has_file;
};

static int to_prot(unsigned int flags)
{
	return (flags & PROCMAP_QUERY_VMA_READABLE ? PROT_READ : 0) |
	       (flags & PROCMAP_QUERY_VMA_WRITABLE ? PROT_WRITE : 0) |
	       (flags & PROCMAP_QUERY_VMA_EXECUTABLE ? PROT_EXEC : 0);
}

static int reopen(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd = open(path, flags);
	must(fd >= 0);
	return fd;
}

#define REGIONS_MAX	64

/*
 * Maps every combination of permissions, private and shared, with and without a
 * file, at rising addresses, some side by side and some with a hole behind them.
 * The last one matches whatever is asked for.
 */
static size_t map_regions(struct region *regions)
{
	const int rw = make_memfd("regions");
	/* Mapped shared, it can never become writable: "s" all the same. */
	const int ro = reopen(rw, O_RDONLY);
	const struct {
		int flags, fd;
		bool has_file, read_only;
	} kinds[] = {
		{ MAP_PRIVATE | MAP_ANONYMOUS, -1, false, false },
		{ MAP_SHARED, ro, true, true },
		{ MAP_PRIVATE, rw, true, false },
		{ MAP_SHARED | MAP_ANONYMOUS, -1, true, false },
		{ MAP_SHARED, rw, true, false },
	};
	const size_t page = page_size();
	char *at = find_room(3 * REGIONS_MAX * page);
	unsigned int kind, perms;
	size_t n = 0;

	at += page;
	for (kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		for (perms = 0; perms < 8; perms++) {
			const size_t size = (1 + n % 2) * page;

			if (kinds[kind].read_only &&
			    perms & PROCMAP_QUERY_VMA_WRITABLE)
				continue;
			map_at(at, size, to_prot(perms), kinds[kind].flags,
			       kinds[kind].fd, 0);
			regions[n++] = (struct region) {
				.start = to_u64(at),
				.end = to_u64(at) + size,
				.flags = perms |
					 (kinds[kind].flags & MAP_SHARED ?
					  PROCMAP_QUERY_VMA_SHARED : 0),
				.has_file = kinds[kind].has_file,
			};
			at += size + (n % 3 ? 0 : page);
		}
	}
	return n;
}

/* The contract, applied to regions in rising order. Returns NULL for ENOENT. */
static const struct region *
expected_region(const struct region *regions, size_t n, uint64_t addr,
		uint64_t flags)
{
	const uint64_t perms = flags & PERMISSIONS;
	size_t i;

	for (i = 0; i < n; i++) {
		const struct region *r = &regions[i];
		bool matches = (r->flags & perms) == perms;

		if (flags & PROCMAP_QUERY_FILE_BACKED_VMA && !r->has_file)
			matches = false;
		if (addr >= r->end)
			continue;
		if (flags & PROCMAP_QUERY_COVERING_OR_NEXT_VMA) {
			if (matches)
				return r;
		} else {
			return addr >= r->start && matches ? r : NULL;
		}
	}
	return NULL;
}

static void expect_region(struct __test_metadata *_metadata, int fd,
			  const struct region *regions, size_t n, uint64_t addr,
			  uint64_t flags)
{
	const struct region *r = expected_region(regions, n, addr, flags);
	struct procmap_query q;
	int err = query_at(fd, addr, flags, &q);

	ASSERT_EQ(r ? 0 : ENOENT, err)
		TH_LOG("asked %s", asked(addr, flags));
	if (!r)
		return;
	ASSERT_EQ(r->start, q.vma_start)
		TH_LOG("asked %s", asked(addr, flags));
	ASSERT_EQ(r->end, q.vma_end)
		TH_LOG("asked %s", asked(addr, flags));
	ASSERT_EQ(r->flags, q.vma_flags)
		TH_LOG("asked %s", asked(addr, flags));
}

TEST_F(abi, every_combination_of_flags)
{
	struct region regions[REGIONS_MAX];
	const size_t n = map_regions(regions);
	uint64_t flags;
	size_t i;

	for (flags = 0; flags <= ALL_FLAGS; flags++) {
		expect_region(_metadata, self->fd, regions, n,
			      regions[0].start - 1, flags);
		for (i = 0; i < n; i++) {
			expect_region(_metadata, self->fd, regions, n,
				      regions[i].start, flags);
			expect_region(_metadata, self->fd, regions, n,
				      regions[i].end - 1, flags);
			/* Of the last, the end is not for us to foretell. */
			if (i < n - 1)
				expect_region(_metadata, self->fd, regions, n,
					      regions[i].end, flags);
		}
	}
}

TEST_F(abi, walk_visits_every_vma_in_order)
{
	struct region regions[REGIONS_MAX];
	const size_t n = map_regions(regions);
	uint64_t addr = regions[0].start - 1;
	struct procmap_query q;
	size_t i;

	for (i = 0; i < n; i++) {
		ASSERT_EQ(0, query_at(self->fd, addr,
				      PROCMAP_QUERY_COVERING_OR_NEXT_VMA, &q))
			TH_LOG("the walk ends at VMA %zu of %zu", i, n);
		ASSERT_EQ(regions[i].start, q.vma_start)
			TH_LOG("VMA %zu of %zu", i, n);
		ASSERT_EQ(regions[i].end, q.vma_end)
			TH_LOG("VMA %zu of %zu", i, n);
		addr = q.vma_end;
	}
}

TEST_F(abi, covering_vma_that_does_not_match_is_not_skipped)
{
	char *room = map_anonymous(2 * self->page, PROT_READ);
	const uint64_t at = to_u64(room);

	must(!mprotect(room + self->page, self->page, PROT_READ | PROT_WRITE));
	expect_none(_metadata, self->fd, at, PROCMAP_QUERY_VMA_WRITABLE,
		    "covered by a VMA that is not writable");
	expect_vma(_metadata, self->fd, at, PROCMAP_QUERY_VMA_WRITABLE |
		   PROCMAP_QUERY_COVERING_OR_NEXT_VMA, at + self->page,
		   at + 2 * self->page);
}

/* What a VMA has beyond what is asked for does not matter. */
TEST_F(abi, filter_is_a_minimum)
{
	const uint64_t perms = PROCMAP_QUERY_VMA_READABLE |
			       PROCMAP_QUERY_VMA_WRITABLE |
			       PROCMAP_QUERY_VMA_SHARED;
	const uint64_t at = to_u64(map_shared_anonymous());
	uint64_t flags;

	for (flags = 0; flags <= PERMISSIONS; flags++) {
		struct procmap_query q;

		EXPECT_EQ(flags & ~perms ? ENOENT : 0,
			  query_at(self->fd, at, flags, &q))
			TH_LOG("asked %s", asked(at, flags));
	}
}

TEST_F(abi, shared_is_what_the_text_shows)
{
	int rw = make_memfd("shared");
	char *p = map_at(NULL, self->page, PROT_READ, MAP_SHARED,
			 reopen(rw, O_RDONLY), 0);
	const uint64_t perms = PROCMAP_QUERY_VMA_READABLE |
			       PROCMAP_QUERY_VMA_SHARED;
	struct procmap_query q;

	EXPECT_EQ(0, query_at(self->fd, to_u64(p), perms, &q))
		TH_LOG("shared mapping of a file opened for reading");
	EXPECT_EQ(perms, q.vma_flags);
}

TEST_F(abi, unknown_flags_are_einval)
{
	const uint64_t at = own_code();
	unsigned int bit;

	for (bit = 6; bit < 64; bit++) {
		struct call c;
		char what[64];

		snprintf(what, sizeof(what), "flag bit %u", bit);
		call_init(&c, at, 1ULL << bit);
		expect_error(_metadata, self->fd, EINVAL, &c, what);
		call_init(&c, at, 1ULL << bit | ALL_FLAGS);
		expect_error(_metadata, self->fd, EINVAL, &c, what);
	}
}

TEST_F(abi, filters_are_never_in_vma_flags)
{
	const uint64_t readable = PROCMAP_QUERY_VMA_READABLE;
	char *p = map_memfd("filters");
	struct procmap_query q;

	ASSERT_EQ(0, query_at(self->fd, to_u64(p),
			      PROCMAP_QUERY_COVERING_OR_NEXT_VMA |
			      PROCMAP_QUERY_FILE_BACKED_VMA, &q));
	EXPECT_EQ(readable, q.vma_flags);
}

/* Expects VMAs with a file, or without one, from the filter and the numbers. */
static void expect_file(struct __test_metadata *_metadata, int fd,
			const char *what, const char *at, bool file)
{
	struct procmap_query q;

	EXPECT_EQ(file ? 0 : ENOENT,
		  query_at(fd, to_u64(at), PROCMAP_QUERY_FILE_BACKED_VMA, &q))
		TH_LOG("%s %s a file", what, file ? "has" : "has not");
	ASSERT_EQ(0, query_at(fd, to_u64(at), 0, &q))
		TH_LOG("%s is not found", what);
	EXPECT_EQ(file, q.dev_major || q.dev_minor)
		TH_LOG("%s: device %u:%u", what, q.dev_major, q.dev_minor);
	if (!file) {
		EXPECT_EQ(0U, q.inode)
			TH_LOG("%s has no inode", what);
		EXPECT_EQ(0U, q.vma_offset)
			TH_LOG("%s has no offset", what);
	}
}

TEST_F(abi, file_backed)
{
	int exe = open("/proc/self/exe", O_RDONLY);
	char *shm = map_shared_anonymous();
	char *sysv = map_sysv();

	ASSERT_LE(0, exe);
	expect_file(_metadata, self->fd, "file", map_file(exe), true);
	expect_file(_metadata, self->fd, "memfd", map_memfd("backed"), true);
	expect_file(_metadata, self->fd, "shared anonymous memory", shm, true);
	if (sysv)
		expect_file(_metadata, self->fd, "SysV segment", sysv, true);
	else
		TH_LOG("not tried, no SysV segments: %s", strerror(errno));
}

TEST_F(abi, not_file_backed_and_all_zero)
{
	char *anonymous = map_anonymous(self->page, PROT_READ);
	char local;

	expect_file(_metadata, self->fd, "anonymous memory", anonymous, false);
	expect_file(_metadata, self->fd, "heap", get_heap(1), false);
	expect_file(_metadata, self->fd, "stack", &local, false);
	if (get_vdso())
		expect_file(_metadata, self->fd, "vDSO", get_vdso(), false);
}

/*
 * Numbers of a VMA
 */

TEST_F(abi, vma_page_size)
{
	struct procmap_query q;

	ASSERT_EQ(0, query_at(self->fd,
			      to_u64(map_anonymous(self->page, PROT_READ)), 0,
			      &q));
	EXPECT_EQ(self->page, q.vma_page_size)
		TH_LOG("anonymous memory");
	ASSERT_EQ(0, query_at(self->fd, to_u64(map_memfd("page")), 0, &q));
	EXPECT_EQ(self->page, q.vma_page_size)
		TH_LOG("memfd");
}

TEST_F(abi, vma_page_size_of_hugetlb)
{
	struct procmap_query q;
	size_t size;
	char *huge = map_hugetlb(&size);

	if (!huge)
		SKIP(return, "vma_page_size_of_hugetlb: no huge pages: %s",
		     strerror(errno));
	ASSERT_EQ(0, query_at(self->fd, to_u64(huge) + size - 1, 0, &q));
	EXPECT_EQ(to_u64(huge), q.vma_start);
	EXPECT_EQ(to_u64(huge) + size, q.vma_end);
	EXPECT_EQ(size, q.vma_page_size);
}

TEST_F(abi, vma_offset_is_in_bytes_of_vma_start)
{
	/* More than 32 bits of bytes. */
	const uint64_t offset = 5ULL << 30;
	int fd = make_memfd("offset");
	char *p = map_at(NULL, 3 * self->page, PROT_READ, MAP_PRIVATE, fd,
			 offset);
	struct procmap_query q;

	ASSERT_EQ(0, query_at(self->fd, to_u64(p) + self->page + 1, 0, &q));
	EXPECT_EQ(offset, q.vma_offset);

	must(!mprotect(p + self->page, self->page, PROT_NONE));
	ASSERT_EQ(0, query_at(self->fd, to_u64(p) + self->page + 1, 0, &q));
	EXPECT_EQ(offset + self->page, q.vma_offset)
		TH_LOG("the offset is that of vma_start");
	ASSERT_EQ(0, query_at(self->fd, to_u64(p), 0, &q));
	EXPECT_EQ(offset, q.vma_offset);
}

TEST_F(abi, inode_and_device_are_the_files)
{
	int fd = make_memfd("inode"), other = make_memfd("other inode");
	char *p = map_file(fd);
	struct procmap_query q;
	struct stat st;

	map_file(other);
	must(!fstat(fd, &st));
	ASSERT_EQ(0, query_at(self->fd, to_u64(p), 0, &q));
	EXPECT_EQ((uint64_t)st.st_ino, q.inode);
	EXPECT_EQ(major(st.st_dev), q.dev_major);
	EXPECT_EQ(minor(st.st_dev), q.dev_minor);
	ASSERT_NE(q.dev_major, q.dev_minor)
		TH_LOG("cannot tell whether the two are exchanged");
}

/*
 * Names
 */

/* A buffer of @size is large enough: gets the name, and nothing else written. */
static void expect_name_in(struct __test_metadata *_metadata, int fd,
			   uint64_t addr, const char *name, uint32_t size)
{
	const size_t len = strlen(name) + 1;
	struct call c;

	call_init(&c, addr, 0);
	call_want_name(&c, size);
	ASSERT_EQ(0, query(fd, &c.q))
		TH_LOG("buffer of %u bytes for '%s'", size, name);
	ASSERT_EQ(len, c.q.vma_name_size)
		TH_LOG("buffer of %u bytes for '%s'", size, name);
	/* As bytes: a missing NUL must not be made up for by what follows. */
	ASSERT_EQ(0, memcmp(name, c.name, len))
		TH_LOG("buffer of %u bytes for '%s': '%.*s'", size, name,
		       (int)len, c.name);
	ASSERT_TRUE(is_guard(c.name + len, sizeof(c.name) - len))
		TH_LOG("buffer of %u bytes for '%s': written behind it", size,
		       name);
}

/* Expects a name with every kind of buffer size. */
static void expect_name(struct __test_metadata *_metadata, int fd,
			const void *at, const char *name)
{
	const uint32_t len = strlen(name) + 1;
	const uint32_t enough[] = { len, len + 1, PATH_MAX, PATH_MAX + 1,
				    65536, INT32_MAX, UINT32_MAX };
	const uint32_t too_small[] = { len - 1, 1 };
	struct call c;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(enough); i++)
		expect_name_in(_metadata, fd, to_u64(at), name, enough[i]);
	for (i = 0; i < ARRAY_SIZE(too_small); i++) {
		call_init(&c, to_u64(at), 0);
		call_want_name(&c, too_small[i]);
		expect_error(_metadata, fd, ENAMETOOLONG, &c, name);
	}
}

TEST_F(abi, vma_without_name)
{
	const uint64_t at = to_u64(map_anonymous(self->page, PROT_READ));
	const uint32_t sizes[] = { 1, PATH_MAX, UINT32_MAX };
	struct call c;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		call_init(&c, at, 0);
		call_want_name(&c, sizes[i]);
		ASSERT_EQ(0, query(self->fd, &c.q));
		EXPECT_EQ(0U, c.q.vma_name_size);
		EXPECT_TRUE(is_guard(c.name, sizeof(c.name)))
			TH_LOG("wrote a name where there is none");
	}
}

TEST_F(abi, name_not_asked_for)
{
	struct call c;

	call_init(&c, own_code(), 0);
	ASSERT_EQ(0, query(self->fd, &c.q));
	EXPECT_EQ(0U, c.q.vma_name_size);
	EXPECT_EQ(0U, c.q.build_id_size);
	EXPECT_TRUE(is_guard(c.name, sizeof(c.name)));
	EXPECT_TRUE(is_guard(c.build_id, sizeof(c.build_id)));
}

TEST_F(abi, name_of_memfd)
{
	expect_name(_metadata, self->fd, map_memfd("a name"),
		    "/memfd:a name" DELETED);
	expect_name(_metadata, self->fd, map_memfd("line\nfeed"),
		    "/memfd:line\nfeed" DELETED);
	expect_name(_metadata, self->fd, map_memfd(""), "/memfd:" DELETED);
}

TEST_F(abi, name_of_shared_anonymous_memory)
{
	expect_name(_metadata, self->fd, map_shared_anonymous(),
		    "/dev/zero" DELETED);
}

TEST_F(abi, name_of_sysv_segment)
{
	char *p = map_sysv();

	if (!p)
		SKIP(return, "name_of_sysv_segment: no SysV segments: %s",
		     strerror(errno));
	expect_name(_metadata, self->fd, p, "/SYSV00000000" DELETED);
}

TEST_F(abi, name_of_hugetlb)
{
	size_t size;
	char *p = map_hugetlb(&size);

	if (!p)
		SKIP(return, "name_of_hugetlb: no huge pages: %s",
		     strerror(errno));
	expect_name(_metadata, self->fd, p, "/anon_hugepage" DELETED);
}

/* Three VMAs, if there was one: all of it is the heap. */
TEST_F(abi, name_of_heap)
{
	char *heap = get_heap(3 * self->page);
	size_t i;

	expect_name(_metadata, self->fd, heap, "[heap]");
	must(!mprotect(heap + self->page, self->page, PROT_READ));
	for (i = 0; i < 3; i++)
		expect_name(_metadata, self->fd, heap + i * self->page,
			    "[heap]");
}

TEST_F(abi, name_of_stack)
{
	char local;

	expect_name(_metadata, self->fd, &local, "[stack]");
}

TEST_F(abi, name_of_vdso)
{
	if (!get_vdso())
		SKIP(return, "name_of_vdso: this process has none");
	expect_name(_metadata, self->fd, get_vdso(), "[vdso]");
}

/* Its address is nowhere but in the text. */
TEST_F(abi, name_of_vvar)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	static char text[MAPS_LINE_MAX];
	struct maps_line line = { .name = "" };

	must(maps);
	while (strcmp(line.name, "[vvar]") && fgets(text, sizeof(text), maps))
		must(maps_parse(text, &line));
	fclose(maps);
	if (strcmp(line.name, "[vvar]"))
		SKIP(return, "name_of_vvar: this process has none");
	expect_name(_metadata, self->fd, (void *)(uintptr_t)line.start,
		    "[vvar]");
}

TEST_F(abi, name_of_named_anonymous_memory)
{
	static const char longest[] =
		"the longest name, 79 bytes and NUL: ( ) { } + - * / = . , ; : ? ! # % & @ < > ~";
	static const char * const names[] = { "x", "two words", longest };
	char expected[sizeof("[anon:]") + sizeof(longest)];
	size_t i;

	ASSERT_EQ(80U, sizeof(longest));
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		char *p = map_anonymous(self->page, PROT_READ);

		if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, (uintptr_t)p,
			  self->page, names[i]))
			SKIP(return, "name_of_named_anonymous_memory: PR_SET_VMA_ANON_NAME: %s",
			     strerror(errno));
		snprintf(expected, sizeof(expected), "[anon:%s]", names[i]);
		expect_name(_metadata, self->fd, p, expected);
	}
}

/* What a user calls it does not hide what it is. */
TEST_F(abi, name_of_named_heap)
{
	char *heap = get_heap(self->page);

	if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, (uintptr_t)heap, self->page,
		  "not the heap"))
		SKIP(return, "name_of_named_heap: PR_SET_VMA_ANON_NAME: %s",
		     strerror(errno));
	expect_name(_metadata, self->fd, heap, "[heap]");
}

/* A directory to make files in, which is the working directory. */
FIXTURE(file) {
	int fd;			/* this process's maps */
	char dir[PATH_MAX];
};

FIXTURE_SETUP(file)
{
	strcpy(self->dir, "/tmp/proc-maps-query.XXXXXX");
	must(mkdtemp(self->dir));
	must(!chdir(self->dir));
	must(getcwd(self->dir, sizeof(self->dir)));
	self->fd = maps_open(0);
	ASSERT_LE(0, self->fd)
		TH_LOG("/proc/self/maps: %s", strerror(errno));
}

/* By descriptors: paths may be longer than PATH_MAX. Closes @fd. */
static void remove_contents(int fd)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;

	must(dir);
	while ((entry = readdir(dir))) {
		const char *name = entry->d_name;

		if (!strcmp(name, ".") || !strcmp(name, ".."))
			continue;
		if (!unlinkat(fd, name, 0))
			continue;
		remove_contents(openat(fd, name, O_RDONLY | O_DIRECTORY));
		must(!unlinkat(fd, name, AT_REMOVEDIR));
	}
	closedir(dir);
}

FIXTURE_TEARDOWN(file)
{
	close(self->fd);
	remove_contents(open(self->dir, O_RDONLY | O_DIRECTORY));
	must(!rmdir(self->dir));
}

/* Makes a file in the working directory, with a page in it, and maps it. */
static char *map_new_file(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	char *p;

	must(fd >= 0);
	must(!ftruncate(fd, page_size()));
	p = map_file(fd);
	close(fd);
	return p;
}

TEST_F(file, path_comes_as_it_is)
{
	static const char * const names[] = {
		"plain", "sp ace", " ", "line\nfeed", "\n", "tab\ttab",
		"\x01\x1b[31m\x7f", "back\\slash", "\\012", "quo\"te'",
		"na\xc3\xafve", "\xff\xfe\x80", "no such file (deleted)",
		"[heap]", "-",
	};
	char path[PATH_MAX + 64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", self->dir, names[i]);
		expect_name(_metadata, self->fd, map_new_file(names[i]), path);
	}
}

TEST_F(file, path_of_deleted_file)
{
	static const char * const names[] = {
		"plain", "line\nfeed", "twice (deleted)",
	};
	char path[PATH_MAX + 64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		char *p = map_new_file(names[i]);

		must(!unlink(names[i]));
		snprintf(path, sizeof(path), "%s/%s" DELETED, self->dir,
			 names[i]);
		expect_name(_metadata, self->fd, p, path);
	}
}

TEST_F(file, path_of_renamed_file)
{
	char *p = map_new_file("before");
	char path[PATH_MAX + 64];

	must(!mkdir("directory", 0700));
	must(!rename("before", "directory/after"));
	snprintf(path, sizeof(path), "%s/directory/after", self->dir);
	expect_name(_metadata, self->fd, p, path);
}

/* A path of which its bytes, without the NUL, are counted. */
struct long_path {
	char text[2 * PATH_MAX];
	size_t len;
};

static void path_append(struct long_path *path, const char *name)
{
	path->len += sprintf(path->text + path->len, "/%s", name);
}

/* Goes down so far that only the last component of a long path is missing. */
static void make_deep_directory(const char *dir, struct long_path *path)
{
	char name[201];

	path->len = sprintf(path->text, "%s", dir);
	memset(name, 'd', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	while (path->len + 1 + sizeof(name) < PATH_MAX - 32) {
		must(!mkdir(name, 0700) && !chdir(name));
		path_append(path, name);
	}
}

/* Maps a new file of which the path has @len bytes without the NUL. */
static char *map_long_path(const char *dir, struct long_path *path, size_t len)
{
	char name[NAME_MAX + 1];
	size_t left;

	make_deep_directory(dir, path);
	left = len - path->len - 1;
	must(left && left <= NAME_MAX);
	memset(name, 'f', left);
	name[left] = '\0';
	path_append(path, name);
	must(path->len == len);
	return map_new_file(name);
}

TEST_F(file, path_of_path_max)
{
	struct long_path path;
	char *p = map_long_path(self->dir, &path, PATH_MAX - 1);

	expect_name(_metadata, self->fd, p, path.text);
}

/* KASAN keeps up to a 32nd of the memory for a while after it was given back. */
TEST_F_TIMEOUT(file, memory_for_long_paths_is_given_back, 600)
{
	const unsigned int times = 8192, before_that = 20000;
	struct long_path path;
	char *p = map_long_path(self->dir, &path, PATH_MAX - 1);
	uint64_t before = 0;
	unsigned int i;

	for (i = 0; i < before_that + times; i++) {
		char name[PATH_MAX];
		struct procmap_query q = {
			.size = sizeof(q),
			.query_addr = to_u64(p),
			.vma_name_size = sizeof(name),
			.vma_name_addr = to_u64(name),
		};

		if (i == before_that)
			before = free_memory();
		ASSERT_EQ(0, query(self->fd, &q));
		ASSERT_EQ(PATH_MAX, q.vma_name_size);
	}
	/* Half of it is far more than what else the machine may take. */
	EXPECT_GT(times / 2 * 4096, (int64_t)(before - free_memory()));
}

/* Nothing is too long for the text. */
static void expect_text_only(struct __test_metadata *_metadata, int fd,
			     const char *p, const char *path)
{
	const uint32_t sizes[] = { PATH_MAX, PATH_MAX + 1, 4 * PATH_MAX,
				   UINT32_MAX };
	static struct maps_line line;
	struct procmap_query q;
	struct call c;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		call_init(&c, to_u64(p), 0);
		call_want_name(&c, sizes[i]);
		expect_error(_metadata, fd, ENAMETOOLONG, &c,
			     "path longer than PATH_MAX");
	}
	EXPECT_EQ(0, query_at(fd, to_u64(p), 0, &q))
		TH_LOG("without its name, the VMA can be asked for");
	ASSERT_TRUE(find_line(to_u64(p), &line));
	EXPECT_STREQ(path, line.name);
}

TEST_F(file, path_longer_than_path_max)
{
	struct long_path path;
	char *p = map_long_path(self->dir, &path, PATH_MAX);

	expect_text_only(_metadata, self->fd, p, path.text);
}

TEST_F(file, deleted_path_of_path_max)
{
	struct long_path path;
	char *p = map_long_path(self->dir, &path,
				PATH_MAX - 1 - strlen(DELETED));

	must(!unlink(strrchr(path.text, '/') + 1));
	strcat(path.text, DELETED);
	expect_name(_metadata, self->fd, p, path.text);
}

TEST_F(file, deleted_path_longer_than_path_max)
{
	struct long_path path;
	char *p = map_long_path(self->dir, &path, PATH_MAX - strlen(DELETED));

	must(!unlink(strrchr(path.text, '/') + 1));
	strcat(path.text, DELETED);
	expect_text_only(_metadata, self->fd, p, path.text);
}

/*
 * Build IDs, of what is loaded here anyway; images of every other kind are for
 * proc-maps-query-buildid.
 */

#define LOADS_MAX	8

static size_t align_up(size_t size, size_t align)
{
	return (size + align - 1) & ~(align - 1);
}

/* An ELF image in this process, as its own headers describe it. */
struct image {
	uint64_t loads[LOADS_MAX];	/* addresses of what its file backs */
	size_t nr_loads;
	const unsigned char *id;
	uint32_t size;
};

struct images {
	struct image image[16];
	size_t nr;
};

/* The same in both classes of ELF; name and build ID follow it. */
struct note {
	uint32_t name_size, size, type;
	char name[4];
};

/* Looks for the build ID among the notes of a segment. */
static void find_id(struct image *image, const unsigned char *at, size_t size,
		    size_t align)
{
	const unsigned char *end = at + size;

	while (at + sizeof(struct note) <= end) {
		const struct note *note = (const void *)at;

		if (note->type == NT_GNU_BUILD_ID && note->name_size == 4 &&
		    !memcmp(note->name, "GNU", 4)) {
			image->id = at + sizeof(*note);
			image->size = note->size;
			return;
		}
		at += align_up(offsetof(struct note, name) + note->name_size,
			       align);
		at += align_up(note->size, align);
	}
}

/* Keeps an image if it has a build ID. */
static int add_image(struct dl_phdr_info *info, size_t size, void *data)
{
	struct images *images = data;
	struct image image = { .id = NULL };
	unsigned int i;

	(void)size;
	for (i = 0; i < info->dlpi_phnum; i++) {
		const uintptr_t at = info->dlpi_addr +
				     info->dlpi_phdr[i].p_vaddr;

		if (info->dlpi_phdr[i].p_type == PT_LOAD &&
		    info->dlpi_phdr[i].p_filesz && image.nr_loads < LOADS_MAX)
			image.loads[image.nr_loads++] = at;
		if (info->dlpi_phdr[i].p_type == PT_NOTE && !image.id)
			find_id(&image, (const void *)at,
				info->dlpi_phdr[i].p_memsz,
				info->dlpi_phdr[i].p_align == 8 ? 8 : 4);
	}
	if (image.id && images->nr < ARRAY_SIZE(images->image))
		images->image[images->nr++] = image;
	return 0;
}

static bool is_vdso(const struct image *image)
{
	return get_vdso() && image->nr_loads &&
	       image->loads[0] == to_u64(get_vdso());
}

/* This program's, or NULL if it was linked without. */
static const struct image *find_own_image(struct images *images)
{
	images->nr = 0;
	dl_iterate_phdr(add_image, images);
	if (images->nr && !is_vdso(&images->image[0]))
		return &images->image[0];
	return NULL;
}

static void expect_id_in(struct __test_metadata *_metadata, int fd,
			 uint64_t addr, const struct image *image,
			 uint32_t size)
{
	struct call c;

	call_init(&c, addr, 0);
	call_want_build_id(&c, size);
	ASSERT_EQ(0, query(fd, &c.q))
		TH_LOG("buffer of %u bytes", size);
	ASSERT_EQ(image->size, c.q.build_id_size)
		TH_LOG("buffer of %u bytes", size);
	ASSERT_EQ(0, memcmp(image->id, c.build_id, image->size))
		TH_LOG("buffer of %u bytes: another build ID", size);
	ASSERT_TRUE(is_guard(c.build_id + image->size,
			     sizeof(c.build_id) - image->size))
		TH_LOG("buffer of %u bytes: written behind the ID", size);
	ASSERT_EQ(0U, c.q.vma_name_size);
	ASSERT_TRUE(is_guard(c.name, sizeof(c.name)))
		TH_LOG("wrote a name that was not asked for");
}

TEST_F(abi, build_id_of_this_program)
{
	struct images images;
	const struct image *own = find_own_image(&images);
	struct call c;
	size_t i;

	if (!own)
		SKIP(return, "build_id_of_this_program: linked without --build-id");
	for (i = 0; i < own->nr_loads; i++) {
		const uint64_t addr = own->loads[i];
		const uint32_t enough[] = { own->size, own->size + 1, 64, 4096,
					    INT32_MAX, UINT32_MAX };
		const uint32_t too_small[] = { own->size - 1, 1 };
		size_t j;

		for (j = 0; j < ARRAY_SIZE(enough); j++)
			expect_id_in(_metadata, self->fd, addr, own, enough[j]);
		for (j = 0; j < ARRAY_SIZE(too_small); j++) {
			call_init(&c, addr, 0);
			call_want_build_id(&c, too_small[j]);
			expect_error(_metadata, self->fd, ENAMETOOLONG, &c,
				     "build ID does not fit");
		}
	}
}

/* That is libc and the dynamic loader, of a program linked to them. */
TEST_F(abi, build_id_of_every_library)
{
	struct images images;
	size_t i, j, tried = 0;

	find_own_image(&images);
	for (i = 0; i < images.nr; i++) {
		const struct image *image = &images.image[i];

		if (is_vdso(image))
			continue;
		for (j = 0; j < image->nr_loads; j++)
			expect_id_in(_metadata, self->fd, image->loads[j],
				     image, BUILD_ID_MAX);
		tried++;
	}
	if (!tried)
		SKIP(return, "build_id_of_every_library: no image has a build ID");
}

static void expect_no_id(struct __test_metadata *_metadata, int fd,
			 const char *what, const char *at)
{
	const uint32_t sizes[] = { 1, BUILD_ID_MAX, UINT32_MAX };
	struct call c;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		call_init(&c, to_u64(at), 0);
		call_want_build_id(&c, sizes[i]);
		ASSERT_EQ(0, query(fd, &c.q))
			TH_LOG("%s, buffer of %u bytes", what, sizes[i]);
		EXPECT_EQ(0U, c.q.build_id_size)
			TH_LOG("%s has no build ID", what);
		EXPECT_TRUE(is_guard(c.build_id, sizeof(c.build_id)))
			TH_LOG("%s: wrote a build ID", what);
	}
}

/* The vDSO has a note, but no file that it could be read from. */
TEST_F(abi, no_build_id)
{
	int fd = make_memfd("text");
	char local;

	must(write(fd, "text\n", 5) == 5);
	expect_no_id(_metadata, self->fd, "text file", map_file(fd));
	expect_no_id(_metadata, self->fd, "empty file", map_memfd("empty"));
	expect_no_id(_metadata, self->fd, "anonymous memory",
		     map_anonymous(self->page, PROT_READ));
	expect_no_id(_metadata, self->fd, "stack", &local);
	if (get_vdso())
		expect_no_id(_metadata, self->fd, "vDSO", get_vdso());
}

TEST_F(abi, name_and_build_id_together)
{
	struct images images;
	const struct image *own = find_own_image(&images);
	char path[PATH_MAX];
	struct call c;
	ssize_t len;

	if (!own)
		SKIP(return, "name_and_build_id_together: linked without --build-id");
	len = readlink("/proc/self/exe", path, sizeof(path));
	ASSERT_LT(0, len);
	call_init(&c, own->loads[0], 0);
	call_want_name(&c, len + 1);
	call_want_build_id(&c, own->size);
	ASSERT_EQ(0, query(self->fd, &c.q));
	EXPECT_EQ((uint32_t)len + 1, c.q.vma_name_size);
	EXPECT_EQ(0, memcmp(path, c.name, len));
	EXPECT_EQ('\0', c.name[len]);
	EXPECT_EQ(own->size, c.q.build_id_size);
	EXPECT_EQ(0, memcmp(own->id, c.build_id, own->size));
}

TEST_F(abi, input_fields_are_left_alone)
{
	const size_t tail = sizeof(struct procmap_query) - OUT_END;
	struct call c, was;

	/* Odd, so that query_addr cannot pass for vma_start. */
	call_init(&c, own_code() | 1, PROCMAP_QUERY_COVERING_OR_NEXT_VMA);
	call_want_name(&c, PATH_MAX);
	call_want_build_id(&c, BUILD_ID_MAX);
	was = c;
	ASSERT_EQ(0, query(self->fd, &c.q));
	EXPECT_EQ(0, memcmp(&was.q, &c.q, OUT_FIRST))
		TH_LOG("size, query_flags or query_addr changed");
	EXPECT_EQ(0, memcmp(&was.q.vma_name_addr, &c.q.vma_name_addr, tail))
		TH_LOG("vma_name_addr or build_id_addr changed");
	EXPECT_TRUE(is_guard(c.before, sizeof(c.before)));
	EXPECT_TRUE(is_guard(c.after, sizeof(c.after)));
}

/*
 * References
 */

/* With every part of an answer, and every error that comes late. */
static void ask_in_every_way(int fd, uint64_t addr)
{
	static const struct {
		uint32_t name_size, id_size;
		bool bad_buffers;
	} ways[] = {
		{ 0, 0, false }, { PATH_MAX, 0, false },
		{ 0, BUILD_ID_MAX, false }, { PATH_MAX, BUILD_ID_MAX, false },
		{ 1, BUILD_ID_MAX, false }, { PATH_MAX, 1, false },
		{ PATH_MAX, 0, true }, { 0, BUILD_ID_MAX, true },
		{ PATH_MAX, BUILD_ID_MAX, true },
	};
	struct procmap_query *q = (void *)map_anonymous(page_size(),
							PROT_READ | PROT_WRITE);
	struct call c;
	size_t i;
	int err;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		call_init(&c, addr, 0);
		if (ways[i].name_size)
			call_want_name(&c, ways[i].name_size);
		if (ways[i].id_size)
			call_want_build_id(&c, ways[i].id_size);
		if (ways[i].name_size && ways[i].bad_buffers)
			c.q.vma_name_addr = 8;
		if (ways[i].id_size && ways[i].bad_buffers)
			c.q.build_id_addr = 8;
		err = query(fd, &c.q);
		must(!err || err == ENAMETOOLONG || err == EFAULT);
	}
	/* The struct cannot be written; there is no VMA. */
	call_init(&c, addr, 0);
	call_want_name(&c, PATH_MAX);
	call_want_build_id(&c, BUILD_ID_MAX);
	*q = c.q;
	must(!mprotect(q, page_size(), PROT_READ));
	must(query(fd, q) == EFAULT);
	must(query_at(fd, 0, 0, &c.q) == ENOENT);
}

/* A process that still has its address space can be asked. */
TEST_F(abi, no_reference_to_the_mm_is_kept)
{
	pid_t pid = start_child();
	int fd = maps_open(pid);
	struct call c;

	must(fd >= 0);
	ask_in_every_way(fd, own_code());
	end_child(pid);
	call_init(&c, own_code(), 0);
	expect_error(_metadata, fd, ESRCH, &c, "of an exited process");
	close(fd);
}

static void copy_own_program(int to)
{
	int from = open("/proc/self/exe", O_RDONLY);
	char buf[4096];
	ssize_t len;

	must(from >= 0);
	while ((len = read(from, buf, sizeof(buf))) > 0)
		must(write(to, buf, len) == len);
	must(!len);
	close(from);
}

/* There can be no read lease on a file that is still open for writing. */
TEST_F(abi, no_reference_to_the_file_is_kept)
{
	const int memfd = make_memfd("reference");
	const int ro = reopen(memfd, O_RDONLY), rw = reopen(memfd, O_RDWR);
	char *p;

	copy_own_program(memfd);
	p = map_file(rw);
	close(rw);
	if (!fcntl(ro, F_SETLEASE, F_RDLCK) || errno != EAGAIN)
		SKIP(return, "no_reference_to_the_file_is_kept: no leases: %s",
		     strerror(errno));
	ask_in_every_way(self->fd, to_u64(p));
	must(!munmap(p, self->page));
	EXPECT_EQ(0, fcntl(ro, F_SETLEASE, F_RDLCK))
		TH_LOG("not mapped any more, but still open: %s",
		       strerror(errno));
	close(ro);
}

/*
 * Sizes of the struct
 */

/* A struct of any size up to two pages, and what it looks like after a query. */
struct sized {
	unsigned char *bytes;
	unsigned char *expected;
	size_t room;
	struct procmap_query answer;	/* to the same query, full size */
};

static void sized_init(struct sized *s, int fd)
{
	s->room = 2 * page_size();
	s->bytes = (void *)map_anonymous(s->room, PROT_READ | PROT_WRITE);
	s->expected = (void *)map_anonymous(s->room, PROT_READ | PROT_WRITE);
	must(!query_at(fd, to_u64(map_memfd("size")), 0, &s->answer));
}

/* What is missing must not be read, what is unknown must be 0. */
static void sized_prepare(struct sized *s, uint64_t size)
{
	struct procmap_query q = {
		.size = size,
		.query_addr = s->answer.query_addr,
	};
	const size_t given = size < s->room ? size : s->room;

	memset(s->bytes, GUARD, s->room);
	memset(s->bytes, 0, given);
	memcpy(s->bytes, &q, given < sizeof(q) ? given : sizeof(q));
	memcpy(s->expected, s->bytes, s->room);
}

static void sized_expect_error(struct __test_metadata *_metadata, int fd,
			       struct sized *s, int err, const char *what)
{
	uint64_t size;

	memcpy(&size, s->bytes, sizeof(size));
	EXPECT_EQ(err, query(fd, (void *)s->bytes))
		TH_LOG("size %#jx, %s", (uintmax_t)size, what);
	EXPECT_EQ(0, memcmp(s->bytes, s->expected, s->room))
		TH_LOG("size %#jx, %s: failed, but wrote", (uintmax_t)size,
		       what);
}

TEST_F(abi, size_under_24_is_einval)
{
	struct sized s;
	uint64_t size;

	sized_init(&s, self->fd);
	for (size = 0; size < SIZE_MIN; size++) {
		/* The struct is there in full: only its size is wrong. */
		sized_prepare(&s, sizeof(struct procmap_query));
		memcpy(s.bytes, &size, sizeof(size));
		memcpy(s.expected, &size, sizeof(size));
		sized_expect_error(_metadata, self->fd, &s, EINVAL,
				   "too small");
	}
}

/* From a bare "is there one?" to a page, cut inside of fields or between. */
TEST_F(abi, size_bytes_are_written_and_no_more)
{
	struct sized s;
	size_t size;

	sized_init(&s, self->fd);
	for (size = SIZE_MIN; size <= self->page; size++) {
		const size_t end = size < OUT_END ? size : OUT_END;

		sized_prepare(&s, size);
		memcpy(s.expected + OUT_FIRST,
		       (char *)&s.answer + OUT_FIRST, end - OUT_FIRST);
		ASSERT_EQ(0, query(self->fd, (void *)s.bytes))
			TH_LOG("size %zu is refused", size);
		ASSERT_EQ(0, memcmp(s.bytes, s.expected, s.room))
			TH_LOG("size %zu: wrong bytes are written", size);
	}
}

TEST_F(abi, size_24_asks_whether_there_is_one)
{
	struct sized s;

	sized_init(&s, self->fd);
	sized_prepare(&s, SIZE_MIN);
	EXPECT_EQ(0, query(self->fd, (void *)s.bytes));

	must(!munmap((void *)(uintptr_t)s.answer.vma_start, self->page));
	sized_prepare(&s, SIZE_MIN);
	sized_expect_error(_metadata, self->fd, &s, ENOENT, "nothing there");
}

TEST_F(abi, unknown_bytes_that_are_not_0_are_e2big)
{
	const size_t known = sizeof(struct procmap_query);
	struct sized s;
	size_t size, at;

	sized_init(&s, self->fd);
	for (size = known + 1; size <= self->page; size++) {
		sized_prepare(&s, size);
		s.bytes[size - 1] = 1;
		s.expected[size - 1] = 1;
		sized_expect_error(_metadata, self->fd, &s, E2BIG,
				   "last byte is 1");
	}
	for (at = known; at < self->page; at++) {
		sized_prepare(&s, self->page);
		s.bytes[at] = 0x80;
		s.expected[at] = 0x80;
		sized_expect_error(_metadata, self->fd, &s, E2BIG,
				   "one byte is not 0");
	}
}

TEST_F(abi, size_over_a_page_is_e2big)
{
	const uint64_t known = sizeof(struct procmap_query);
	const uint64_t sizes[] = {
		self->page + 1, 2 * self->page, 65536 + known, UINT32_MAX,
		1ULL << 32, 1ULL << 32 | SIZE_MIN, 1ULL << 32 | known,
		1ULL << 63, 1ULL << 63 | known, UINT64_MAX,
	};
	struct sized s;
	size_t i;

	sized_init(&s, self->fd);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		sized_prepare(&s, sizes[i]);
		sized_expect_error(_metadata, self->fd, &s, E2BIG,
				   "all bytes are 0");
	}
}

/* The size has not reached the addresses: they are 0, whatever is there. */
TEST_F(abi, missing_input_reads_as_0)
{
	const size_t name_addr = offsetof(struct procmap_query, vma_name_addr);
	const size_t id_addr = offsetof(struct procmap_query, build_id_addr);
	struct call c;

	call_init(&c, to_u64(map_memfd("missing")), 0);
	call_want_name(&c, sizeof(c.name));
	c.q.size = name_addr;
	expect_error(_metadata, self->fd, EINVAL, &c, "no name address");
	c.q.size = name_addr - sizeof(c.q.build_id_size);
	expect_error(_metadata, self->fd, EINVAL, &c, "no name address either");

	/* Without even the size of the buffer, no name is asked for. */
	c.q.size = offsetof(struct procmap_query, vma_name_size);
	EXPECT_EQ(0, query(self->fd, &c.q));
	EXPECT_TRUE(is_guard(c.name, sizeof(c.name)));

	call_init(&c, to_u64(map_memfd("missing")), 0);
	call_want_build_id(&c, sizeof(c.build_id));
	c.q.size = id_addr;
	expect_error(_metadata, self->fd, EINVAL, &c, "no build ID address");

	/* A struct that ends before the build ID's address can have a name. */
	call_init(&c, to_u64(map_memfd("missing")), 0);
	call_want_name(&c, sizeof(c.name));
	c.q.build_id_addr = UINT64_MAX;
	c.q.size = id_addr;
	EXPECT_EQ(0, query(self->fd, &c.q));
	EXPECT_STREQ("/memfd:missing" DELETED, c.name);
}

/*
 * Errors, and which of them is found first
 */

TEST_F(abi, size_and_address_of_a_buffer_come_together)
{
	const uint64_t at = to_u64(map_anonymous(self->page, PROT_READ));
	struct call c;

	call_init(&c, at, 0);
	call_want_name(&c, PATH_MAX);
	c.q.vma_name_addr = 0;
	expect_error(_metadata, self->fd, EINVAL, &c, "name without address");

	call_init(&c, at, 0);
	call_want_name(&c, 0);
	expect_error(_metadata, self->fd, EINVAL, &c, "name without size");

	/* An address of which one half is 0 is an address. */
	call_init(&c, at, 0);
	c.q.vma_name_addr = 1ULL << 32;
	expect_error(_metadata, self->fd, EINVAL, &c, "name without size");

	call_init(&c, at, 0);
	call_want_build_id(&c, BUILD_ID_MAX);
	c.q.build_id_addr = 0;
	expect_error(_metadata, self->fd, EINVAL, &c, "ID without address");

	call_init(&c, at, 0);
	call_want_build_id(&c, 0);
	expect_error(_metadata, self->fd, EINVAL, &c, "ID without size");

	call_init(&c, at, 0);
	c.q.build_id_addr = 1ULL << 32;
	expect_error(_metadata, self->fd, EINVAL, &c, "ID without size");

	/* The one's address does not go with the other's size. */
	call_init(&c, at, 0);
	call_want_name(&c, PATH_MAX);
	call_want_build_id(&c, BUILD_ID_MAX);
	c.q.vma_name_size = 0;
	c.q.build_id_addr = 0;
	expect_error(_metadata, self->fd, EINVAL, &c, "ID size, name address");
}

/* Returns a descriptor of the maps of a process that has exited. */
static int open_maps_of_exited(void)
{
	pid_t pid = start_child();
	int fd = maps_open(pid);

	must(fd >= 0);
	end_child(pid);
	return fd;
}

TEST_F(abi, exited_process_is_esrch)
{
	int fd = open_maps_of_exited();
	struct call c;

	call_init(&c, own_code(), 0);
	expect_error(_metadata, fd, ESRCH, &c, "covering");
	call_init(&c, 0, PROCMAP_QUERY_COVERING_OR_NEXT_VMA);
	expect_error(_metadata, fd, ESRCH, &c, "next");
	close(fd);
}

/* A call that can be made wrong in several ways at once. */
struct bad_call {
	int fd;
	unsigned int command;
	void *arg;
	bool read_only;
	struct procmap_query *q;	/* at the start of a page */
	int dead_fd;
	uint64_t hole, nowhere;
};

static void make_other_command(struct bad_call *b)
{
	b->command = _IOWR('f', 18, struct procmap_query);
}

static void make_unreadable(struct bad_call *b)
{
	b->arg = (void *)(uintptr_t)b->nowhere;
}

static void make_size_over_page(struct bad_call *b)
{
	b->q->size = page_size() + 1;
}

static void make_unknown_byte(struct bad_call *b)
{
	b->q->size = 200;
	((char *)b->q)[199] = 1;
}

static void make_size_under_24(struct bad_call *b)
{
	b->q->size = SIZE_MIN - 1;
}

static void make_unknown_flag(struct bad_call *b)
{
	b->q->query_flags |= 1ULL << 40;
}

static void make_name_without_address(struct bad_call *b)
{
	b->q->vma_name_size = PATH_MAX;
	b->q->vma_name_addr = 0;
}

static void make_id_without_size(struct bad_call *b)
{
	b->q->build_id_size = 0;
	b->q->build_id_addr = b->nowhere;
}

static void make_exited(struct bad_call *b)
{
	b->fd = b->dead_fd;
}

static void make_nothing_there(struct bad_call *b)
{
	b->q->query_addr = b->hole;
}

static void make_name_too_long(struct bad_call *b)
{
	b->q->vma_name_size = 1;
}

static void make_id_too_long(struct bad_call *b)
{
	b->q->build_id_size = 1;
}

static void make_bad_name_buffer(struct bad_call *b)
{
	b->q->vma_name_addr = b->nowhere;
}

static void make_bad_id_buffer(struct bad_call *b)
{
	b->q->build_id_addr = b->nowhere;
}

static void make_read_only(struct bad_call *b)
{
	b->read_only = true;
}

/* In the order in which they are found. */
static const struct {
	const char *what;
	int err;
	void (*make)(struct bad_call *b);
} mistakes[] = {
	{ "other command", ENOTTY, make_other_command },
	{ "unreadable struct", EFAULT, make_unreadable },
	{ "size over a page", E2BIG, make_size_over_page },
	{ "unknown byte", E2BIG, make_unknown_byte },
	{ "size under 24", EINVAL, make_size_under_24 },
	{ "unknown flag", EINVAL, make_unknown_flag },
	{ "name without address", EINVAL, make_name_without_address },
	{ "build ID without size", EINVAL, make_id_without_size },
	{ "exited process", ESRCH, make_exited },
	{ "nothing there", ENOENT, make_nothing_there },
	{ "name too long", ENAMETOOLONG, make_name_too_long },
	{ "build ID too long", ENAMETOOLONG, make_id_too_long },
	{ "bad name buffer", EFAULT, make_bad_name_buffer },
	{ "bad build ID buffer", EFAULT, make_bad_id_buffer },
	{ "read-only struct", EFAULT, make_read_only },
};

/* Makes the mistakes in @set, and expects the error of the first of them. */
static void expect_first_error(struct __test_metadata *_metadata,
			       struct bad_call b, unsigned int set)
{
	const size_t page = page_size();
	static char was[65536];
	size_t i = ARRAY_SIZE(mistakes);
	char what[1024] = "";
	int first = 0, err;

	/* Backwards: where two change the same field, the first one counts. */
	while (i--) {
		if (!(set & 1U << i))
			continue;
		mistakes[i].make(&b);
		first = mistakes[i].err;
		strcat(strcat(what, ", "), mistakes[i].what);
	}
	must(page <= sizeof(was));
	memcpy(was, b.q, page);
	if (b.read_only)
		must(!mprotect(b.q, page, PROT_READ));
	err = ioctl(b.fd, b.command, b.arg) ? errno : 0;
	must(!mprotect(b.q, page, PROT_READ | PROT_WRITE));

	ASSERT_EQ(first, err)
		TH_LOG("wrong error for%s", what + 1);
	ASSERT_EQ(0, memcmp(was, b.q, page))
		TH_LOG("failed, but wrote to the struct:%s", what + 1);
}

/* One mistake, or two or three at once. */
TEST_F(abi, errors_are_found_in_order)
{
	static char name[PATH_MAX], id[BUILD_ID_MAX];
	char *arg = map_anonymous(self->page, PROT_READ | PROT_WRITE);
	char *hole = find_room(2 * self->page);
	struct images images;
	const struct image *own = find_own_image(&images);
	struct bad_call b = {
		.fd = self->fd,
		.command = PROCMAP_QUERY,
		.arg = arg,
		.q = (void *)arg,
		.dead_fd = open_maps_of_exited(),
		.hole = to_u64(hole),
		.nowhere = to_u64(hole + self->page),
	};
	unsigned int set;

	if (!own)
		SKIP(return, "errors_are_found_in_order: linked without --build-id");
	for (set = 1; set < 1U << ARRAY_SIZE(mistakes); set++) {
		if (__builtin_popcount(set) > 3)
			continue;
		memset(arg, 0, self->page);
		*b.q = (struct procmap_query) {
			.size = sizeof(*b.q),
			.query_addr = own->loads[0],
			.vma_name_size = sizeof(name),
			.vma_name_addr = to_u64(name),
			.build_id_size = sizeof(id),
			.build_id_addr = to_u64(id),
		};
		expect_first_error(_metadata, b, set);
	}
	close(b.dead_fd);
}

/*
 * Pointers
 */

/*
 * Addresses that nothing can be read from or written to. The last one is that of
 * an unmapped page, which the next mapping may be given.
 */
static size_t bad_pointers(uintptr_t *bad)
{
	const size_t page = page_size();
	size_t n = 0;

	bad[n++] = 8;
	bad[n++] = (uintptr_t)map_anonymous(page, PROT_NONE);
	bad[n++] = UINTPTR_MAX;
	bad[n++] = UINTPTR_MAX - 7;
	bad[n++] = UINTPTR_MAX - sizeof(struct procmap_query) + 1;
	bad[n++] = UINTPTR_MAX - page + 1;
	/* The upper half of the address space: the kernel's, of 64 bits. */
	if (sizeof(uintptr_t) == 8) {
		bad[n++] = (uintptr_t)(1ULL << 63);
		bad[n++] = (uintptr_t)0xffff888000000000ULL;
		bad[n++] = (uintptr_t)0xffffffff81000000ULL;
	}
	bad[n++] = (uintptr_t)find_room(page);
	return n;
}

#define BAD_MAX	16

TEST_F(abi, struct_at_a_bad_address)
{
	uintptr_t bad[BAD_MAX];
	const size_t n = bad_pointers(bad);
	size_t i;

	EXPECT_EQ(EFAULT, query(self->fd, NULL));
	for (i = 0; i < n; i++)
		EXPECT_EQ(EFAULT, query(self->fd, (void *)bad[i]))
			TH_LOG("struct at %p", (void *)bad[i]);
}

TEST_F(abi, struct_at_an_odd_address)
{
	const uint64_t at = to_u64(map_anonymous(self->page, PROT_READ));
	struct procmap_query q, seen;
	char buf[sizeof(q) + 8];
	size_t i;

	for (i = 0; i < 8; i++) {
		memset(&q, 0, sizeof(q));
		q.size = sizeof(q);
		q.query_addr = at;
		memcpy(buf + i, &q, sizeof(q));
		EXPECT_EQ(0, query(self->fd, (void *)(buf + i)))
			TH_LOG("struct at an address of 8 n + %zu", i);
		memcpy(&seen, buf + i, sizeof(seen));
		EXPECT_EQ(at, seen.vma_start);
	}
}

TEST_F(abi, struct_that_ends_at_an_unmapped_page)
{
	struct procmap_query *q = (void *)map_before_gap(sizeof(*q));
	const uint64_t at = own_code();

	EXPECT_EQ(0, query_at(self->fd, at, 0, q));
}

/* Of the struct, @inside bytes are before a page that nobody can read. */
TEST_F(abi, struct_that_crosses_into_an_unmapped_page)
{
	const struct procmap_query q = {
		.size = sizeof(q),
		.query_addr = own_code(),
	};
	size_t inside;

	for (inside = 1; inside < sizeof(q); inside++) {
		char *p = map_before_gap(inside);

		memcpy(p, &q, inside);
		EXPECT_EQ(EFAULT, query(self->fd, (void *)p))
			TH_LOG("%zu bytes are readable", inside);
		EXPECT_EQ(0, memcmp(p, &q, inside))
			TH_LOG("%zu bytes: failed, but wrote", inside);
	}
}

TEST_F(abi, unknown_bytes_cross_into_an_unmapped_page)
{
	struct procmap_query q = {
		.query_addr = own_code(),
	};
	size_t inside;

	for (inside = sizeof(q); inside < sizeof(q) + 16; inside++) {
		char *p = map_before_gap(inside);

		q.size = inside + 1;
		memset(p, 0, inside);
		memcpy(p, &q, sizeof(q));
		EXPECT_EQ(EFAULT, query(self->fd, (void *)p))
			TH_LOG("%zu of %zu bytes are readable", inside,
			       inside + 1);
		EXPECT_EQ(0, memcmp(p, &q, sizeof(q)))
			TH_LOG("failed, but wrote");
	}
}

TEST_F(abi, read_only_struct)
{
	struct procmap_query *q = (void *)map_anonymous(self->page,
							PROT_READ | PROT_WRITE);
	const struct procmap_query was = {
		.size = sizeof(was),
		.query_addr = own_code(),
	};

	*q = was;
	must(!mprotect(q, self->page, PROT_READ));
	EXPECT_EQ(EFAULT, query(self->fd, q));
	EXPECT_EQ(0, memcmp(q, &was, sizeof(was)))
		TH_LOG("a page without write permission was written to");
}

/*
 * Puts a struct so that @cut bytes of it are on the first of two pages, of which
 * one is read-only: the second if @tail. Some of the output is on it.
 */
static void expect_untouched(struct __test_metadata *_metadata, int fd,
			     char *pages, size_t cut, bool tail)
{
	const size_t page = page_size();
	const struct procmap_query was = {
		.size = sizeof(was),
		.query_addr = own_code(),
	};
	char *at = pages + page - cut;

	must(!mprotect(pages, 2 * page, PROT_READ | PROT_WRITE));
	memcpy(at, &was, sizeof(was));
	must(!mprotect(tail ? pages + page : pages, page, PROT_READ));
	ASSERT_EQ(EFAULT, query(fd, (void *)at))
		TH_LOG("%s byte %zu is read-only", tail ? "from" : "up to",
		       cut);
	ASSERT_EQ(0, memcmp(at, &was, sizeof(was)))
		TH_LOG("%s byte %zu is read-only: failed, but wrote the rest (mainline does)",
		       tail ? "from" : "up to", cut);
}

/*
 * Mainline fails this one: it copies the struct back in one go, and what fits on
 * the page before is left behind.
 */
TEST_F(abi, struct_that_crosses_into_a_read_only_page)
{
	char *pages = map_anonymous(2 * self->page, PROT_READ | PROT_WRITE);
	size_t cut;

	for (cut = 1; cut < OUT_END; cut++)
		expect_untouched(_metadata, self->fd, pages, cut, true);
}

TEST_F(abi, struct_that_begins_on_a_read_only_page)
{
	char *pages = map_anonymous(2 * self->page, PROT_READ | PROT_WRITE);
	size_t cut;

	for (cut = OUT_FIRST + 1; cut < sizeof(struct procmap_query); cut++)
		expect_untouched(_metadata, self->fd, pages, cut, false);
}

/* Name and build ID at an address that nothing can be written to. */
static void expect_bad_buffers(struct __test_metadata *_metadata, int fd,
			       uint64_t addr, uintptr_t bad)
{
	struct call c;
	char what[64];

	snprintf(what, sizeof(what), "buffer at %p", (void *)bad);
	call_init(&c, addr, 0);
	call_want_name(&c, PATH_MAX);
	c.q.vma_name_addr = bad;
	expect_error(_metadata, fd, EFAULT, &c, what);

	call_init(&c, addr, 0);
	call_want_build_id(&c, BUILD_ID_MAX);
	c.q.build_id_addr = bad;
	expect_error(_metadata, fd, EFAULT, &c, what);

	/* The name, which is good, may have been written before. */
	call_want_name(&c, PATH_MAX);
	expect_error(_metadata, fd, EFAULT, &c, what);
}

TEST_F(abi, buffers_at_a_bad_address)
{
	uintptr_t bad[BAD_MAX] = {
		(uintptr_t)map_memfd("read only"),
		(uintptr_t)map_anonymous(self->page, PROT_READ),
	};
	const size_t n = 2 + bad_pointers(bad + 2);
	struct images images;
	const struct image *own = find_own_image(&images);
	size_t i;

	if (!own)
		SKIP(return, "buffers_at_a_bad_address: linked without --build-id");
	for (i = 0; i < n; i++)
		expect_bad_buffers(_metadata, self->fd, own->loads[0], bad[i]);
}

/* Nothing to write: nothing to fail. */
TEST_F(abi, buffers_without_use_may_be_anywhere)
{
	const uint64_t at = to_u64(map_anonymous(self->page, PROT_READ));
	uintptr_t bad[BAD_MAX];
	const size_t n = bad_pointers(bad);
	struct call c;
	size_t i;

	for (i = 0; i < n; i++) {
		call_init(&c, at, 0);
		call_want_name(&c, PATH_MAX);
		call_want_build_id(&c, BUILD_ID_MAX);
		c.q.vma_name_addr = bad[i];
		c.q.build_id_addr = bad[i];
		EXPECT_EQ(0, query(self->fd, &c.q))
			TH_LOG("buffers at %p", (void *)bad[i]);
		EXPECT_EQ(0U, c.q.vma_name_size);
		EXPECT_EQ(0U, c.q.build_id_size);
	}
}

/* Only the bytes of the name count, not those of the buffer. */
TEST_F(abi, name_fits_before_an_unmapped_page)
{
	static const char name[] = "/memfd:fits" DELETED;
	const uint64_t at = to_u64(map_memfd("fits"));
	char *buf = map_before_gap(sizeof(name));
	const uint32_t sizes[] = { sizeof(name), PATH_MAX, UINT32_MAX };
	struct call c;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(buf, GUARD, sizeof(name));
		call_init(&c, at, 0);
		call_want_name(&c, sizes[i]);
		c.q.vma_name_addr = to_u64(buf);
		EXPECT_EQ(0, query(self->fd, &c.q))
			TH_LOG("buffer said to be of %u bytes", sizes[i]);
		EXPECT_EQ(0, memcmp(buf, name, sizeof(name)));

		call_init(&c, at, 0);
		call_want_name(&c, sizes[i]);
		c.q.vma_name_addr = to_u64(buf) + 1;
		expect_error(_metadata, self->fd, EFAULT, &c,
			     "one byte of the name does not fit");
	}
}

TEST_F(abi, build_id_fits_before_an_unmapped_page)
{
	struct images images;
	const struct image *own = find_own_image(&images);
	const uint32_t sizes[] = { own ? own->size : 0, 4096, UINT32_MAX };
	struct call c;
	char *buf;
	size_t i;

	if (!own)
		SKIP(return, "build_id_fits_before_an_unmapped_page: linked without --build-id");
	buf = map_before_gap(own->size);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		call_init(&c, own->loads[0], 0);
		call_want_build_id(&c, sizes[i]);
		c.q.build_id_addr = to_u64(buf);
		EXPECT_EQ(0, query(self->fd, &c.q))
			TH_LOG("buffer said to be of %u bytes", sizes[i]);
		EXPECT_EQ(0, memcmp(buf, own->id, own->size));

		call_init(&c, own->loads[0], 0);
		call_want_build_id(&c, sizes[i]);
		c.q.build_id_addr = to_u64(buf) + 1;
		expect_error(_metadata, self->fd, EFAULT, &c,
			     "one byte of the build ID does not fit");
	}
}

TEST_HARNESS_MAIN
