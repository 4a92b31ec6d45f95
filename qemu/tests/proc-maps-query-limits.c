// SPDX-License-Identifier: GPL-2.0
/*
 * The contract of PROCMAP_QUERY at its limits: addresses at the ends of the address
 * space, paths of PATH_MAX bytes, memory of every kind, structs at odd addresses, and
 * what many queries leave behind.
 */
#define _FILE_OFFSET_BITS 64
#include <dirent.h>
#include <sys/auxv.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "proc-maps-query.h"
#include "proc-maps-query-mount.h"

FIXTURE(limits) {
	int fd;		/* this process's maps */
	size_t page;
};

FIXTURE_SETUP(limits)
{
	self->fd = maps_open(0);
	ASSERT_LE(0, self->fd);
	self->page = page_size();
}

FIXTURE_TEARDOWN(limits)
{
	close(self->fd);
}

static void expect_none(struct __test_metadata *_metadata, int fd,
			uint64_t addr, uint64_t flags)
{
	char what[64];
	struct call c;

	snprintf(what, sizeof(what), "at %#jx with flags %#jx", (uintmax_t)addr,
		 (uintmax_t)flags);
	call_init(&c, addr, flags);
	expect_error(_metadata, fd, ENOENT, &c, what);
}

/*
 * Addresses
 */

static bool in_address_space(uintptr_t addr, size_t page)
{
	void *p = mmap((void *)addr, page, PROT_NONE, MAP_PRIVATE |
		       MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (p == MAP_FAILED)
		return errno == EEXIST;
	must(!munmap(p, page));
	return p == (void *)addr;
}

TEST_F(limits, highest_user_address)
{
	uintptr_t top = to_u64(self) & -self->page, above = -self->page;
	const uint64_t flags[] = { 0, NEXT };
	struct procmap_query q;
	uint64_t end;
	size_t i;

	while (above - top > self->page) {
		uintptr_t middle = (top + (above - top) / 2) & -self->page;

		if (in_address_space(middle, self->page))
			top = middle;
		else
			above = middle;
	}
	end = (uint64_t)top + self->page;
	/* If this fails, something is there already, which is as good. */
	mmap((void *)top, self->page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS |
	     MAP_FIXED_NOREPLACE, -1, 0);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		ASSERT_EQ(0, query_at(self->fd, end - 1, flags[i], &q));
		EXPECT_EQ(end, q.vma_end);
		expect_none(_metadata, self->fd, end, flags[i]);
	}
}

/* Among them the gate VMA of x86, which the text shows as [vsyscall]. */
TEST_F(limits, addresses_above_user_space)
{
	static const uint64_t addrs[] = {
		UINT64_MAX, UINT64_MAX - 4095, 0xffffffffff600000,
		0xffffffff80000000, 0xffff800000000000, 1ULL << 63,
		(1ULL << 63) - 1, 1ULL << 62,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(addrs); i++) {
		expect_none(_metadata, self->fd, addrs[i], 0);
		expect_none(_metadata, self->fd, addrs[i], NEXT);
	}
}

/*
 * Flags
 */

/* An address range with nothing in it, to map at fixed addresses. */
static char *find_room(size_t size)
{
	char *room = map_anonymous(size, PROT_NONE);

	must(!munmap(room, size));
	return room;
}

static int reopen(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd = open(path, flags);
	must(fd >= 0);
	return fd;
}

static char *map_file(int fd)
{
	return map_at(NULL, page_size(), PROT_READ, MAP_PRIVATE, fd, 0);
}

/* A VMA made by a test: what it must be found as. */
struct region {
	uint64_t start, end, flags;
	bool has_file;
};

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
		const bool shared = kinds[kind].flags & MAP_SHARED;

		for (perms = 0; perms < 8; perms++) {
			const size_t size = (1 + n % 2) * page;

			if (kinds[kind].read_only && perms & PROCMAP_QUERY_VMA_WRITABLE)
				continue;
			map_at(at, size, to_prot(perms), kinds[kind].flags, kinds[kind].fd, 0);
			regions[n++] = (struct region) {
				.start = to_u64(at),
				.end = to_u64(at) + size,
				.flags = perms | (shared ? PROCMAP_QUERY_VMA_SHARED : 0),
				.has_file = kinds[kind].has_file,
			};
			at += size + (n % 3 ? 0 : page);
		}
	}
	return n;
}

/* The contract, applied to regions in rising order. Returns NULL for ENOENT. */
static const struct region *
expected_region(const struct region *regions, size_t n, uint64_t addr, uint64_t flags)
{
	const struct region *r;

	for (r = regions; r < regions + n; r++) {
		const bool matches =
			!(flags & PERMISSIONS & ~r->flags) &&
			(r->has_file || !(flags & PROCMAP_QUERY_FILE_BACKED_VMA));

		if (addr >= r->end)
			continue;
		if (!(flags & NEXT))
			return addr >= r->start && matches ? r : NULL;
		if (matches)
			return r;
	}
	return NULL;
}

static void expect_region(struct __test_metadata *_metadata, int fd,
			  const struct region *regions, size_t n, uint64_t addr,
			  uint64_t flags)
{
	const struct region *r = expected_region(regions, n, addr, flags);
	struct procmap_query q;

	ASSERT_EQ(r ? 0 : ENOENT, query_at(fd, addr, flags, &q))
		TH_LOG("at %#jx with flags %#jx", (uintmax_t)addr, (uintmax_t)flags);
	if (!r)
		return;
	ASSERT_TRUE(r->start == q.vma_start && r->end == q.vma_end && r->flags == q.vma_flags)
		TH_LOG("at %#jx with flags %#jx, not %#jx-%#jx but %#jx-%#jx flags %#jx",
		       (uintmax_t)addr, (uintmax_t)flags, (uintmax_t)r->start,
		       (uintmax_t)r->end, (uintmax_t)q.vma_start,
		       (uintmax_t)q.vma_end, (uintmax_t)q.vma_flags);
}

/*
 * A filter is a minimum. A covering VMA that does not match is skipped with
 * COVERING_OR_NEXT only. Filters are never among the flags of the answer.
 */
TEST_F(limits, every_combination_of_flags)
{
	struct region regions[REGIONS_MAX];
	const size_t n = map_regions(regions);
	uint64_t flags;
	size_t i;

	for (flags = 0; flags <= ALL_FLAGS; flags++) {
		for (i = 0; i < n; i++) {
			const struct region *r = &regions[i];

			expect_region(_metadata, self->fd, regions, n, r->start - 1, flags);
			expect_region(_metadata, self->fd, regions, n, r->start, flags);
			expect_region(_metadata, self->fd, regions, n, r->end - 1, flags);
		}
	}
}

/*
 * Answers
 */

/* An offset of more than 32 bits, and permissions that split the mapping. */
TEST_F(limits, numbers_of_a_file)
{
	const uint64_t offset = 5ULL << 30;
	int fd = make_memfd("numbers");
	char *p = map_at(NULL, 3 * self->page, PROT_READ, MAP_SHARED, fd, offset);
	struct procmap_query q;
	struct stat st;

	must(!fstat(fd, &st));
	must(major(st.st_dev) != minor(st.st_dev));
	ASSERT_EQ(0, query_at(self->fd, to_u64(p) + self->page + 1, 0, &q));
	EXPECT_EQ(offset, q.vma_offset);
	EXPECT_EQ((uint64_t)st.st_ino, q.inode);
	EXPECT_EQ(major(st.st_dev), q.dev_major);
	EXPECT_EQ(minor(st.st_dev), q.dev_minor);
	EXPECT_EQ(self->page, q.vma_page_size);
	EXPECT_EQ(PROCMAP_QUERY_VMA_READABLE | PROCMAP_QUERY_VMA_SHARED, q.vma_flags);

	must(!mprotect(p + self->page, self->page, PROT_NONE));
	ASSERT_EQ(0, query_at(self->fd, to_u64(p) + self->page + 1, 0, &q));
	EXPECT_EQ(offset + self->page, q.vma_offset)
		TH_LOG("the offset is that of vma_start");
	EXPECT_EQ(PROCMAP_QUERY_VMA_SHARED, q.vma_flags);
}

/* Memory of every kind. Its map() returns NULL with errno if there is none. */
FIXTURE(memory) {
	int fd;
};

FIXTURE_VARIANT(memory) {
	void *(*map)(void);
	const char *name;
	bool has_file;
};

FIXTURE_SETUP(memory)
{
	self->fd = maps_open(0);
}

FIXTURE_TEARDOWN(memory)
{
	close(self->fd);
}

static void *get_anonymous(void)
{
	return map_anonymous(page_size(), PROT_READ);
}

FIXTURE_VARIANT_ADD(memory, anonymous) { get_anonymous, "", false };

/* The second half of a heap that is two VMAs: both are the heap. */
static void *get_heap(void)
{
	const size_t page = page_size();
	char *heap = sbrk(3 * page);

	must(heap != (void *)-1);
	heap += -to_u64(heap) & (page - 1);
	must(!mprotect(heap + page, page, PROT_READ));
	return heap + page;
}

FIXTURE_VARIANT_ADD(memory, heap) { get_heap, "[heap]", false };

static void *get_stack(void)
{
	return __builtin_frame_address(0);
}

FIXTURE_VARIANT_ADD(memory, stack) { get_stack, "[stack]", false };

/* It has a build ID, but no file that it could be read from. */
static void *get_vdso(void)
{
	errno = ENOENT;
	return (void *)(uintptr_t)getauxval(AT_SYSINFO_EHDR);
}

FIXTURE_VARIANT_ADD(memory, vdso) { get_vdso, "[vdso]", false };

/* The longest name there is. */
#define LONGEST "79 bytes and NUL: ( ) { } + - * / = . , ; : ? ! # % & @ < > ~ two words longest"

static void *get_named(void)
{
	void *p = get_anonymous();

	must(sizeof(LONGEST) == 80);
	return set_vma_name(p, page_size(), LONGEST) ? p : NULL;
}

FIXTURE_VARIANT_ADD(memory, named) { get_named, "[anon:" LONGEST "]", false };

/* What a user calls it does not hide what it is. */
static void *get_named_heap(void)
{
	void *heap = get_heap();

	return set_vma_name(heap, page_size(), "not the heap") ? heap : NULL;
}

FIXTURE_VARIANT_ADD(memory, named_heap) { get_named_heap, "[heap]", false };

static void *get_shared(void)
{
	return map_at(NULL, page_size(), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

FIXTURE_VARIANT_ADD(memory, shared) { get_shared, "/dev/zero" DELETED, true };

static void *get_memfd(void)
{
	return map_file(make_memfd("line\nfeed"));
}

FIXTURE_VARIANT_ADD(memory, memfd) {
	get_memfd, "/memfd:line\nfeed" DELETED, true
};

static void *get_sysv(void)
{
	int id = shmget(IPC_PRIVATE, page_size(), IPC_CREAT | 0600);
	void *p = id < 0 ? NULL : shmat(id, NULL, 0);

	must(id < 0 || (p != (void *)-1 && !shmctl(id, IPC_RMID, NULL)));
	return p;
}

FIXTURE_VARIANT_ADD(memory, sysv) { get_sysv, "/SYSV00000000" DELETED, true };

/* Not touched, so that there need not be any huge page. */
static void *get_hugetlb(void)
{
	int fd = syscall(__NR_memfd_create, "huge", MFD_HUGETLB);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return NULL;
	return map_at(NULL, st.st_blksize, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
}

FIXTURE_VARIANT_ADD(memory, hugetlb) {
	get_hugetlb, "/memfd:huge" DELETED, true
};

static void *get_device(void)
{
	int fd = open("/dev/zero", O_RDONLY);

	return fd < 0 ? NULL : map_file(fd);
}

FIXTURE_VARIANT_ADD(memory, device) { get_device, "/dev/zero", true };

/* A file of the kernel's own. */
static void *get_aio(void)
{
	unsigned long context = 0;

	return syscall(__NR_io_setup, 1, &context) ? NULL : (void *)context;
}

FIXTURE_VARIANT_ADD(memory, aio) { get_aio, "/[aio]" DELETED, true };

TEST_F(memory, is_what_it_is)
{
	char *at = variant->map();
	struct call c;

	if (!at)
		SKIP(return, "this kernel has no such memory: %s", strerror(errno));
	call_init(&c, to_u64(at), 0);
	call_want_name(&c, PATH_MAX);
	ASSERT_EQ(0, query(self->fd, &c.q));
	ASSERT_EQ(*variant->name ? strlen(variant->name) + 1 : 0, c.q.vma_name_size);
	EXPECT_EQ(0, memcmp(variant->name, c.name, c.q.vma_name_size))
		TH_LOG("%s", c.name);
	EXPECT_EQ(variant->has_file ? 0 : ENOENT,
		  query_at(self->fd, to_u64(at), PROCMAP_QUERY_FILE_BACKED_VMA, &c.q));
	call_init(&c, to_u64(at), 0);
	call_want_build_id(&c, UINT32_MAX);
	ASSERT_EQ(0, query(self->fd, &c.q));
	EXPECT_EQ(0U, c.q.build_id_size);
	EXPECT_TRUE(is_guard(c.build_id, sizeof(c.build_id)));
	EXPECT_EQ(variant->has_file, c.q.dev_major || c.q.dev_minor);
	EXPECT_TRUE(variant->has_file || (!c.q.inode && !c.q.vma_offset));
	if (variant->map == get_hugetlb) {
		EXPECT_LT(page_size(), c.q.vma_page_size);
		EXPECT_EQ(c.q.vma_end - c.q.vma_start, c.q.vma_page_size);
	} else {
		EXPECT_EQ(page_size(), c.q.vma_page_size);
	}
}

/*
 * Paths
 */

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

static void remove_directory(const char *path)
{
	must(!chdir("/"));
	remove_contents(open(path, O_RDONLY | O_DIRECTORY));
	must(!rmdir(path));
}

/* Goes down into new directories, and maps a file whose path has @len bytes. */
static char *map_long_path(char *path, size_t len)
{
	char name[NAME_MAX + 1];
	size_t at = strlen(path);
	char *p;
	int fd;

	for (;;) {
		size_t left = len - at - 1;
		size_t size = left <= 200 ? left : left <= 300 ? 150 : 200;

		memset(name, 'n', size);
		name[size] = '\0';
		at += sprintf(path + at, "/%s", name);
		if (at == len)
			break;
		must(!mkdir(name, 0700) && !chdir(name));
	}
	fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	must(fd >= 0);
	p = map_file(fd);
	close(fd);
	return p;
}

/* A name that does not fit into PATH_MAX bytes is in the text only. */
TEST_F(limits, path_of_path_max_and_longer)
{
	static const struct {
		size_t len;
		bool deleted, fits;
	} paths[] = {
		{ 300, false, true },
		{ PATH_MAX - 1, false, true },
		{ PATH_MAX, false, false },
		{ PATH_MAX - sizeof(DELETED), true, true },
		{ PATH_MAX - sizeof(DELETED) + 1, true, false },
	};
	char dir[] = "/tmp/proc-maps-query.XXXXXX";
	size_t i;

	must(mkdtemp(dir));
	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		char path[PATH_MAX + 64];
		struct call c;
		char *p;

		sprintf(path, "%s/%zu", dir, i);
		must(!mkdir(path, 0700) && !chdir(path));
		p = map_long_path(path, paths[i].len);
		if (paths[i].deleted) {
			must(!unlink(strrchr(path, '/') + 1));
			strcat(path, DELETED);
		}
		call_init(&c, to_u64(p), 0);
		call_want_name(&c, UINT32_MAX);
		if (!paths[i].fits) {
			expect_error(_metadata, self->fd, ENAMETOOLONG, &c, "too long");
			continue;
		}
		ASSERT_EQ(0, query(self->fd, &c.q));
		EXPECT_STREQ(path, c.name);
		EXPECT_EQ(strlen(path) + 1, c.q.vma_name_size);
		call_init(&c, to_u64(p), 0);
		call_want_name(&c, strlen(path));
		expect_error(_metadata, self->fd, ENAMETOOLONG, &c, "one byte less");
	}
	remove_directory(dir);
}

/* KASAN keeps up to a 32nd of the memory for a while after it was given back. */
#define KEPT		(80 << 20)

/* Queries again and again, and sees that they do not keep @bytes each. */
static void expect_memory_given_back(struct __test_metadata *_metadata, int fd,
				     const struct procmap_query *asked, size_t bytes)
{
	const unsigned int times = 8192, before_that = KEPT / bytes;
	uint64_t before = 0;
	unsigned int i;

	for (i = 0; i < before_that + times; i++) {
		struct procmap_query q = *asked;

		if (i == before_that)
			before = free_memory();
		ASSERT_EQ(0, query(fd, &q));
		ASSERT_TRUE(q.vma_name_size || q.build_id_size);
	}
	/* Half of it is far more than what else the machine may take. */
	EXPECT_GT((int64_t)(times / 2 * bytes), (int64_t)(before - free_memory()));
}

TEST_F(limits, memory_for_long_paths_is_given_back)
{
	char dir[] = "/tmp/proc-maps-query.XXXXXX", path[PATH_MAX], name[PATH_MAX];
	struct procmap_query q = {
		.size = sizeof(q),
		.vma_name_size = sizeof(name), .vma_name_addr = to_u64(name),
	};

	must(mkdtemp(dir) && !chdir(dir));
	q.query_addr = to_u64(map_long_path(strcpy(path, dir), PATH_MAX - 1));
	expect_memory_given_back(_metadata, self->fd, &q, PATH_MAX);
	remove_directory(dir);
}

/* What a file is read into has some 1,000 bytes. */
TEST_F(limits, memory_for_build_ids_is_given_back)
{
	const int file = make_memfd("image");
	unsigned char id[BUILD_ID_MAX];
	struct procmap_query q = {
		.size = sizeof(q), .build_id_size = sizeof(id), .build_id_addr = to_u64(id),
	};

	put_image(file, BUILD_ID_MAX, 0x22);
	q.query_addr = to_u64(map_at(NULL, self->page, PROT_READ, MAP_PRIVATE, file, 0));
	expect_memory_given_back(_metadata, self->fd, &q, 1024);
	close(file);
}

/*
 * The struct
 */

TEST_F(limits, struct_at_an_odd_address)
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

/* An address of which one half is 0 is an address. */
TEST_F(limits, half_an_address_without_size)
{
	struct call c;

	call_init(&c, to_u64(&c), 0);
	c.q.vma_name_addr = 1ULL << 32;
	expect_error(_metadata, self->fd, EINVAL, &c, "name without size");
	call_init(&c, to_u64(&c), 0);
	c.q.build_id_addr = 1ULL << 32;
	expect_error(_metadata, self->fd, EINVAL, &c, "build ID without size");
}

#if __SIZEOF_POINTER__ == 4
/* What GCC makes of a pointer that is cast to 64 bits. The stack is above 2 GiB. */
static uint64_t extend_by_sign(const void *p)
{
	return (int64_t)(intptr_t)p;
}

TEST_F(limits, buffer_extended_by_its_sign)
{
	static const char expected[] = "[stack]";
	struct call c;

	ASSERT_NE(to_u64(c.name), extend_by_sign(c.name));
	call_init(&c, to_u64(&c), 0);
	c.q.vma_name_size = sizeof(expected);
	c.q.vma_name_addr = extend_by_sign(c.name);
	ASSERT_EQ(0, query(self->fd, &c.q));
	EXPECT_STREQ(expected, c.name);

	/* Mainline's handler writes to the lower half of any address. */
	c.q.vma_name_addr = to_u64(c.name) | 1ULL << 32;
	if (!handler_of_mainline())
		EXPECT_EQ(EFAULT, query(self->fd, &c.q));
}
#endif

/* Returns @size bytes of memory that end where an unmapped page begins. */
static char *map_before_gap(size_t size)
{
	const size_t page = page_size(), whole = align_up(size, page);
	char *p = map_anonymous(whole + page, PROT_READ | PROT_WRITE);

	must(!munmap(p + whole, page));
	return p + whole - size;
}

/* Only the bytes of the result count, not those of the buffer. */
TEST_F(limits, results_fit_before_an_unmapped_page)
{
	static const char expected[] = "/memfd:image" DELETED;
	char *name = map_before_gap(sizeof(expected));
	char *id = map_before_gap(BUILD_ID_MAX);
	int fd = make_memfd("image");
	struct call c;

	put_image(fd, BUILD_ID_MAX, 0x11);
	call_init(&c, to_u64(map_file(fd)), 0);
	call_want_name(&c, UINT32_MAX);
	call_want_build_id(&c, UINT32_MAX);
	c.q.vma_name_addr = to_u64(name);
	c.q.build_id_addr = to_u64(id);
	EXPECT_EQ(0, query(self->fd, &c.q));
	EXPECT_STREQ(expected, name);
	EXPECT_EQ(0x11, id[BUILD_ID_MAX - 1]);

	call_want_name(&c, PATH_MAX);
	call_want_build_id(&c, BUILD_ID_MAX);
	c.q.vma_name_addr = to_u64(name) + 1;
	expect_error(_metadata, self->fd, EFAULT, &c, "a byte of the name");
	call_want_name(&c, PATH_MAX);
	call_want_build_id(&c, BUILD_ID_MAX);
	c.q.build_id_addr = to_u64(id) + 1;
	expect_error(_metadata, self->fd, EFAULT, &c, "a byte of the build ID");
}

QUERY_TEST_MAIN
