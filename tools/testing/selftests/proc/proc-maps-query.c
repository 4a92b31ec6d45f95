// SPDX-License-Identifier: GPL-2.0
/*
 * The contract of PROCMAP_QUERY, sentence by sentence, asked about this process:
 * layout, addresses, flags, answers, names, build IDs, sizes, errors and their
 * order, pointers. What each mapping is answered as: see proc-maps-query-text.
 *
 * Built with USERCFLAGS=-m32, it also tests what 32-bit programs see on a 64-bit
 * kernel. Needs no privileges, but for a packet socket.
 */
#define _FILE_OFFSET_BITS 64
#include <poll.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <linux/if_packet.h>
#include "proc-maps-query.h"

/* Returns @size bytes of memory that end where an unmapped page begins. */
static char *map_before_gap(size_t size)
{
	const size_t page = page_size(), whole = align_up(size, page);
	char *p = map_anonymous(whole + page, PROT_READ | PROT_WRITE);

	memset(p, GUARD, whole);
	must(!munmap(p + whole, page));
	return p + whole - size;
}

static char *map_file(int fd)
{
	return map_at(NULL, page_size(), PROT_READ, MAP_PRIVATE, fd, 0);
}

/* A file with a name and a build ID, for what asks for both. */
#define IMAGE_NAME	"/memfd:image" DELETED
#define IMAGE_FILL	0x5c

static char *map_image(void)
{
	int fd = make_memfd("image");
	char *p = map_file(fd);

	put_image(fd, BUILD_ID_MAX, IMAGE_FILL);
	close(fd);
	return p;
}

FIXTURE(abi) {
	int fd;		/* this process's maps */
	size_t page;
	uint64_t image;	/* address of map_image() */
};

FIXTURE_SETUP(abi)
{
	self->fd = maps_open(0);
	ASSERT_LE(0, self->fd)
		TH_LOG("/proc/self/maps: %s", strerror(errno));
	self->page = page_size();
	self->image = to_u64(map_image());
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
	EXPECT_EQ(0U, offsetof(struct procmap_query, size));
	EXPECT_EQ(8U, offsetof(struct procmap_query, query_flags));
	EXPECT_EQ(16U, offsetof(struct procmap_query, query_addr));
	EXPECT_EQ(24U, offsetof(struct procmap_query, vma_start));
	EXPECT_EQ(32U, offsetof(struct procmap_query, vma_end));
	EXPECT_EQ(40U, offsetof(struct procmap_query, vma_flags));
	EXPECT_EQ(48U, offsetof(struct procmap_query, vma_page_size));
	EXPECT_EQ(56U, offsetof(struct procmap_query, vma_offset));
	EXPECT_EQ(64U, offsetof(struct procmap_query, inode));
	EXPECT_EQ(72U, offsetof(struct procmap_query, dev_major));
	EXPECT_EQ(76U, offsetof(struct procmap_query, dev_minor));
	EXPECT_EQ(80U, offsetof(struct procmap_query, vma_name_size));
	EXPECT_EQ(84U, offsetof(struct procmap_query, build_id_size));
	EXPECT_EQ(88U, offsetof(struct procmap_query, vma_name_addr));
	EXPECT_EQ(96U, offsetof(struct procmap_query, build_id_addr));
	EXPECT_EQ(104U, sizeof(struct procmap_query));
}

TEST(numbers_of_ioctl_and_flags)
{
	EXPECT_EQ('f', PROCFS_IOCTL_MAGIC);
	EXPECT_EQ(0xc0686611UL, (unsigned long)PROCMAP_QUERY);
	EXPECT_EQ(1, PROCMAP_QUERY_VMA_READABLE);
	EXPECT_EQ(2, PROCMAP_QUERY_VMA_WRITABLE);
	EXPECT_EQ(4, PROCMAP_QUERY_VMA_EXECUTABLE);
	EXPECT_EQ(8, PROCMAP_QUERY_VMA_SHARED);
	EXPECT_EQ(16, PROCMAP_QUERY_COVERING_OR_NEXT_VMA);
	EXPECT_EQ(32, PROCMAP_QUERY_FILE_BACKED_VMA);
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
		_IOW('f', 17, struct procmap_query),
		_IOR('f', 17, struct procmap_query),
		_IO('f', 17),
		_IOWR('f', 17, char[sizeof(struct procmap_query) - 8]),
		_IOWR('f', 17, char[sizeof(struct procmap_query) + 8]),
		0,
		~0U,
	};
	struct call c, was;
	size_t i;

	call_init(&c, self->image, 0);
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

TEST_F(abi, address_is_not_cut_to_32_bits)
{
	/* Below 4G, of a 64-bit program too. If this fails, something is there. */
	const uint64_t low = 0x20000000, flags[] = { 0, NEXT };
	struct procmap_query q;
	unsigned int bit, i;

	mmap((void *)(uintptr_t)low, self->page, PROT_READ,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	for (bit = 32; bit < 64; bit++) {
		for (i = 0; i < ARRAY_SIZE(flags); i++) {
			if (!query_at(self->fd, 1ULL << bit | low, flags[i], &q) &&
			    q.vma_end <= 1ULL << bit)
				XFAIL(return, "query_addr is cut to 32 bits");
		}
	}
}

TEST_F(abi, unknown_flags_are_einval)
{
	unsigned int bit;
	struct call c;
	char what[32];

	for (bit = 6; bit < 64; bit++) {
		snprintf(what, sizeof(what), "flag bit %u", bit);
		call_init(&c, self->image, 1ULL << bit);
		expect_error(_metadata, self->fd, EINVAL, &c, what);
		c.q.query_flags |= ALL_FLAGS;
		expect_error(_metadata, self->fd, EINVAL, &c, what);
	}
}

/*
 * Answers
 */

/*
 * Every byte of an answer says something about the VMA. A query before it leaves
 * other values where the kernel may have put them.
 */
TEST_F(abi, no_other_bytes_of_the_kernel_are_answered)
{
	char *p = map_anonymous(self->page, PROT_READ);
	struct call c, expected;
	uint32_t size;

	for (size = 0; size <= PATH_MAX; size = size ? size * 2 : 1) {
		call_init(&c, self->image, 0);
		call_want_name(&c, PATH_MAX);
		call_want_build_id(&c, BUILD_ID_MAX);
		ASSERT_EQ(0, query(self->fd, &c.q));

		call_init(&c, to_u64(p), 0);
		c.q.vma_name_size = size;
		c.q.vma_name_addr = size ? to_u64(c.name) : 0;
		call_want_build_id(&c, sizeof(c.build_id));
		expected = c;
		expected.q.vma_start = to_u64(p);
		expected.q.vma_end = to_u64(p) + self->page;
		expected.q.vma_flags = PROCMAP_QUERY_VMA_READABLE;
		expected.q.vma_page_size = self->page;
		memset(&expected.q.vma_offset, 0,
		       OUT_END - offsetof(struct procmap_query, vma_offset));
		ASSERT_EQ(0, query(self->fd, &c.q));
		ASSERT_EQ(0, memcmp(&expected, &c, sizeof(c)))
			TH_LOG("with a name of up to %u bytes", size);
	}
}

TEST_F(abi, name_and_build_id_together_and_alone)
{
	unsigned char id[BUILD_ID_MAX];
	unsigned int both;
	struct call c, was;

	memset(id, IMAGE_FILL, sizeof(id));
	for (both = 0; both < 2; both++) {
		/* Odd, so that query_addr cannot pass for vma_start. */
		call_init(&c, self->image + 1, NEXT);
		call_want_build_id(&c, BUILD_ID_MAX);
		if (both)
			call_want_name(&c, sizeof(IMAGE_NAME));
		was = c;
		ASSERT_EQ(0, query(self->fd, &c.q));
		EXPECT_TRUE(call_intact(&was, &c));
		EXPECT_EQ(self->image, c.q.vma_start);
		EXPECT_EQ(sizeof(id), c.q.build_id_size);
		EXPECT_EQ(0, memcmp(id, c.build_id, sizeof(id)));
		EXPECT_EQ(both ? sizeof(IMAGE_NAME) : 0, c.q.vma_name_size);
	}
	EXPECT_STREQ(IMAGE_NAME, c.name);
}

/*
 * Names
 */

/* Expects a name, "" for none, with buffers large enough and too small. */
static void expect_name(struct __test_metadata *_metadata, int fd, const void *at,
			const char *name)
{
	const uint32_t size = strlen(name) + 1, len = *name ? size : 0;
	const uint32_t enough[] = { size, size + 1, PATH_MAX, PATH_MAX + 1, UINT32_MAX };
	const uint32_t too_small[] = { size - 1, 1 };
	struct call c;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(enough); i++) {
		call_init(&c, to_u64(at), 0);
		call_want_name(&c, enough[i]);
		ASSERT_EQ(0, query(fd, &c.q))
			TH_LOG("buffer of %u bytes for '%s'", enough[i], name);
		ASSERT_EQ(len, c.q.vma_name_size);
		EXPECT_EQ(0U, c.q.build_id_size);
		/* As bytes: a missing NUL must not be made up for by what follows. */
		ASSERT_EQ(0, memcmp(name, c.name, len))
			TH_LOG("not '%s' but '%.*s'", name, (int)len, c.name);
		ASSERT_TRUE(is_guard(c.name + len, sizeof(c.name) - len))
			TH_LOG("buffer of %u bytes for '%s': written behind it", enough[i], name);
	}
	for (i = 0; i < ARRAY_SIZE(too_small) && *name; i++) {
		call_init(&c, to_u64(at), 0);
		call_want_name(&c, too_small[i]);
		expect_error(_metadata, fd, ENAMETOOLONG, &c, name);
	}
}

TEST_F(abi, name_fits_its_buffer)
{
	/* The longest that memory can be called, with 79 bytes and NUL. */
	static const char longest[] =
		"( ) { } + - * / = . , ; : ? ! # % & @ < > ~ of seventy-nine bytes without NUL..";
	const size_t page = self->page;
	char *heap = sbrk(3 * page), *p = map_anonymous(page, PROT_READ);
	char named[128];

	must(heap != (void *)-1 && sizeof(longest) == 80);
	expect_name(_metadata, self->fd, (void *)(uintptr_t)self->image, IMAGE_NAME);
	expect_name(_metadata, self->fd, heap, "[heap]");
	expect_name(_metadata, self->fd, p, "");
	if (set_vma_name(p, page, longest)) {
		snprintf(named, sizeof(named), "[anon:%s]", longest);
		expect_name(_metadata, self->fd, p, named);
	}
}

/*
 * Build IDs
 */

/* What an ELF image is made of, and the size of the build ID of 0x11 in it. */
struct elf {
	const char *what;
	struct note note[3];		/* of the segment */
	unsigned int size;		/* of the build ID; 0 for none */
	unsigned int offset;		/* of the segment; 0 is 0x200 */
	unsigned int phoff;		/* 0 is 0x100 */
	unsigned int before;		/* segments with other notes before it */
	unsigned int type;		/* of the segment; 0 is PT_NOTE */
	unsigned int cut;		/* bytes that its header leaves out */
};

static const struct elf elfs[] = {
	{ "plain", { BUILD_ID(20, 0x11) }, 20 },
	{ "of size 1", { BUILD_ID(1, 0x11) }, 1 },
	{ "of size 0", { BUILD_ID(0) } },
	{ "of size 21", { BUILD_ID(21, 0x11) } },
	{ "no notes" },
	{ "behind one of size 21", { BUILD_ID(21, 0x22), BUILD_ID(20, 0x11) }, 20 },
	{ "first of two", { BUILD_ID(16, 0x11), BUILD_ID(20, 0x22) }, 16 },
	{ "another type", { GNU_NOTE(NT_GNU_ABI_TAG, 20, 0x22),
			    GNU_NOTE(0x30000, 20, 0x22) } },
	{ "another owner", { { "Go\0", 4, NT_GNU_BUILD_ID, 20, 0x22 },
			     { "GNU", 3, NT_GNU_BUILD_ID, 20, 0x22 },
			     { "GNU\0", 5, NT_GNU_BUILD_ID, 20, 0x22 } } },
	{ "behind padding", { { "stapsdt", 8, 3, 1, 0x22 }, { "A", 2, 1, 2, 0x22 },
			      BUILD_ID(20, 0x11) }, 20 },
	{ "not in a note segment", { BUILD_ID(20, 0x11) }, .type = PT_LOAD },
	{ "its last byte outside", { BUILD_ID(20, 0x11) }, .cut = 1 },
	{ "all of it outside", { BUILD_ID(20, 0x11) }, .cut = 20 },
	{ "third segment", { BUILD_ID(20, 0x11) }, 20, .before = 2 },
	{ "50th segment", { BUILD_ID(20, 0x11) }, 20, .before = 49, .offset = 0x2000 },
	{ "second page", { BUILD_ID(20, 0x11) }, 20, .offset = 0x1200 },
	{ "across pages", { BUILD_ID(20, 0x11) }, 20, .offset = 0x10000 - 20 },
	{ "at 1 GiB", { BUILD_ID(20, 0x11) }, 20, .offset = 1 << 30 },
	{ "headers across pages", { BUILD_ID(20, 0x11) }, 20, .phoff = 0x10000 - 8 },
};

static void put_elf(int fd, const struct elf *elf)
{
	elf_phdr segments[50] = {};
	const struct note other = { "other", 6, 1, 6, 0x33 };
	const unsigned int start = elf->offset ?: 0x200;
	uint64_t at = start;
	unsigned int i;

	for (i = 0; i < elf->before; i++) {
		segments[i].p_type = PT_NOTE;
		segments[i].p_offset = 0x1000;
		segments[i].p_filesz = put_note(fd, 0x1000, &other) - 0x1000;
	}
	for (i = 0; i < ARRAY_SIZE(elf->note) && elf->note[i].owner; i++)
		at = put_note(fd, at, &elf->note[i]);
	segments[elf->before].p_type = elf->type ?: PT_NOTE;
	segments[elf->before].p_offset = start;
	segments[elf->before].p_filesz = at - start - elf->cut;
	put_headers(fd, elf->phoff ?: 0x100, segments, elf->before + 1);
}

/* Asks for the build ID with a buffer of @room bytes: it is @size times @fill. */
static void expect_build_id(struct __test_metadata *_metadata, int fd,
			    const char *at, uint32_t room, uint32_t size,
			    unsigned char fill, const char *what)
{
	unsigned char id[BUILD_ID_MAX];
	struct call c;

	memset(id, fill, sizeof(id));
	call_init(&c, to_u64(at), 0);
	call_want_build_id(&c, room);
	ASSERT_EQ(0, query(fd, &c.q))
		TH_LOG("%s", what);
	ASSERT_EQ(size, c.q.build_id_size)
		TH_LOG("%s", what);
	EXPECT_EQ(0, memcmp(id, c.build_id, size))
		TH_LOG("%s: another build ID", what);
	EXPECT_TRUE(is_guard(c.build_id + size, sizeof(c.build_id) - size))
		TH_LOG("%s: written behind it", what);
}

TEST_F(abi, build_id_wherever_its_note_is)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(elfs); i++) {
		const int fd = make_memfd("elf");

		put_elf(fd, &elfs[i]);
		expect_build_id(_metadata, self->fd, map_file(fd), BUILD_ID_MAX,
				elfs[i].size, 0x11, elfs[i].what);
		close(fd);
	}
}

TEST_F(abi, build_id_of_every_size)
{
	uint32_t size;
	struct call c;

	for (size = 1; size <= BUILD_ID_MAX; size++) {
		const uint32_t enough[] = { size, size + 1, 64, 4096, UINT32_MAX };
		int fd = make_memfd("elf");
		char *p = map_file(fd);
		off_t end;
		size_t i;

		put_image(fd, size, 0x70 + size);
		end = lseek(fd, 0, SEEK_END);
		for (i = 0; i < ARRAY_SIZE(enough); i++)
			expect_build_id(_metadata, self->fd, p, enough[i], size,
					0x70 + size, "large enough a buffer");
		call_init(&c, to_u64(p), 0);
		call_want_build_id(&c, size - 1 ?: 1);
		if (size > 1)
			expect_error(_metadata, self->fd, ENAMETOOLONG, &c, "too small a buffer");
		must(!ftruncate(fd, end - 4));
		expect_build_id(_metadata, self->fd, p, 64, 0, 0, "truncated");
		close(fd);
	}
}

TEST_F(abi, no_build_id_without_an_elf_file)
{
	int fd = make_memfd("text");
	char *vdso = (char *)(uintptr_t)getauxval(AT_SYSINFO_EHDR);

	expect_build_id(_metadata, self->fd, map_file(fd), 64, 0, 0, "empty");
	must(write(fd, "#!/bin/sh\n", 10) == 10);
	expect_build_id(_metadata, self->fd, map_file(fd), 64, 0, 0, "a script");
	close(fd);
	expect_build_id(_metadata, self->fd, (char *)&fd, 64, 0, 0, "the stack");
	/* It has a build ID, but no file that it could be read from. */
	if (vdso)
		expect_build_id(_metadata, self->fd, vdso, 64, 0, 0, "the vDSO");
}

/* Nanoseconds of a query that finds no build ID in 16 segments of @size. */
static uint64_t time_notes(int maps, int fd, const char *at, uint64_t size)
{
	elf_phdr segments[16];
	uint64_t start, took, least = UINT64_MAX;
	struct call c;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(segments); i++)
		segments[i] = (elf_phdr) {
			.p_type = PT_NOTE, .p_offset = 0x1000, .p_filesz = size,
		};
	put_headers(fd, 0x100, segments, ARRAY_SIZE(segments));
	for (i = 0; i < 3; i++) {
		call_init(&c, to_u64(at), 0);
		call_want_build_id(&c, BUILD_ID_MAX);
		start = now_ns();
		must(!query(maps, &c.q) && !c.q.build_id_size);
		took = now_ns() - start;
		if (took < least)
			least = took;
	}
	return least;
}

/* A file must not keep the kernel busy for as long as it likes. */
TEST_F(abi, notes_that_are_read_are_bounded)
{
	const uint64_t size = 64 << 10;
	int fd = make_memfd("notes");
	char *p = map_file(fd);
	uint64_t few, many;

	/* Empty notes: zeros, which are there to be read. */
	must(!ftruncate(fd, 0x1000 + 16 * size));
	few = time_notes(self->fd, fd, p, size);
	many = time_notes(self->fd, fd, p, 16 * size);
	TH_LOG("%ju ns for 1 MiB of notes, %ju ns for 16 MiB", (uintmax_t)few, (uintmax_t)many);
	if (many > 4 * few)
		XFAIL(return, "notes of any size are read");
}

/*
 * A read of a socket takes what there is, and waits where there is nothing. So
 * this is asked by a child, which may be killed.
 */
TEST_F(abi, no_build_id_from_a_packet_socket)
{
	const struct tpacket_req ring = {
		.tp_block_size = self->page, .tp_block_nr = 1,
		.tp_frame_size = self->page, .tp_frame_nr = 1,
	};
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = 1 };
	struct pollfd ended = { .events = POLLIN };
	int fd = socket(AF_PACKET, SOCK_RAW, 0), pipes[2], status;
	struct call c;
	char *p;
	pid_t pid;

	if (fd < 0)
		SKIP(return, "packet socket: %s", strerror(errno));
	must(!setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof(ring)));
	must(!bind(fd, (void *)&to, sizeof(to)) && !pipe(pipes));
	p = map_at(NULL, self->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	pid = fork();
	must(pid >= 0);
	if (!pid) {
		call_init(&c, to_u64(p), 0);
		call_want_build_id(&c, BUILD_ID_MAX);
		_exit(query(self->fd, &c.q) || c.q.build_id_size);
	}
	/* The pipe closes with the child, which has the other end alone. */
	close(pipes[1]);
	ended.fd = pipes[0];
	if (poll(&ended, 1, 2000 * slowness()) != 1) {
		end_child(pid);
		XFAIL(return, "the build ID is read from a socket, and waited for");
	}
	must(waitpid(pid, &status, 0) == pid);
	EXPECT_EQ(0, status);
}

/*
 * References
 */

/* With every part of an answer, and every error that comes late. */
static void ask_in_every_way(int fd, uint64_t addr)
{
	struct procmap_query *q = (void *)map_anonymous(page_size(), PROT_READ | PROT_WRITE);
	struct call c;
	unsigned int way;
	int err;

	for (way = 0; way < 64; way++) {
		call_init(&c, addr, 0);
		if (way & 1)
			call_want_name(&c, way & 2 ? 1 : PATH_MAX);
		if (way & 4)
			call_want_build_id(&c, way & 8 ? 1 : BUILD_ID_MAX);
		if (way & 1 && way & 16)
			c.q.vma_name_addr = 8;
		if (way & 4 && way & 32)
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
TEST_F(abi, exited_process_is_esrch)
{
	pid_t pid = start_child(NULL);
	int fd = maps_open(pid);
	struct call c;

	must(fd >= 0);
	ask_in_every_way(fd, self->image);
	end_child(pid);
	call_init(&c, self->image, 0);
	expect_error(_metadata, fd, ESRCH, &c, "covering");
	call_init(&c, 0, NEXT);
	expect_error(_metadata, fd, ESRCH, &c, "next");
	close(fd);
}

/* There can be no read lease on a file that is still open for writing. */
TEST_F(abi, no_reference_to_the_file_is_kept)
{
	int memfd = make_memfd("reference"), ro, rw;
	char path[64], *p;

	put_image(memfd, BUILD_ID_MAX, 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd);
	ro = open(path, O_RDONLY);
	rw = open(path, O_RDWR);
	must(ro >= 0 && rw >= 0);
	p = map_file(rw);
	close(memfd);
	close(rw);
	if (!fcntl(ro, F_SETLEASE, F_RDLCK) || errno != EAGAIN)
		SKIP(return, "leases: %s", strerror(errno));
	ask_in_every_way(self->fd, to_u64(p));
	must(!munmap(p, self->page));
	EXPECT_EQ(0, fcntl(ro, F_SETLEASE, F_RDLCK))
		TH_LOG("not mapped any more, but still open: %s", strerror(errno));
}

/*
 * Sizes of the struct
 */

/* Two pages that begin with a struct, and what they must be after a query. */
struct sized {
	unsigned char *bytes, *expected;
	struct procmap_query answer;	/* to the same query, full size */
};

static void sized_init(struct sized *s, int fd, uint64_t addr)
{
	s->bytes = (void *)map_anonymous(2 * page_size(), PROT_READ | PROT_WRITE);
	s->expected = (void *)map_anonymous(2 * page_size(), PROT_READ | PROT_WRITE);
	must(!query_at(fd, addr, 0, &s->answer));
}

/*
 * Asks with a struct of @size. What is missing must not be read; of what is unknown,
 * the byte at @at is 1, or none if that is 0. Expects the error @err, or that what
 * is output is written as far as it is in the struct, and nothing else.
 */
static void expect_size(struct __test_metadata *_metadata, int fd,
			struct sized *s, uint64_t size, size_t at, int err)
{
	const size_t page = page_size(), known = sizeof(struct procmap_query);
	const size_t room = (size < page ? size : page) + 4096;
	const struct procmap_query q = {
		.size = size, .query_addr = s->answer.query_addr,
	};

	memset(s->bytes, GUARD, room);
	/* A struct too small for its size is there in full all the same. */
	memset(s->bytes, 0, size < OUT_FIRST ? known : size < room ? size : room);
	memcpy(s->bytes, &q, size < OUT_FIRST || size > known ? known : size);
	if (at)
		s->bytes[at] = 1;
	memcpy(s->expected, s->bytes, room);
	if (!err)
		memcpy(s->expected + OUT_FIRST, (char *)&s->answer + OUT_FIRST,
		       (size < OUT_END ? size : OUT_END) - OUT_FIRST);
	ASSERT_EQ(err, query(fd, (void *)s->bytes))
		TH_LOG("size %#jx, byte %zu is 1", (uintmax_t)size, at);
	ASSERT_EQ(0, memcmp(s->bytes, s->expected, room))
		TH_LOG("size %#jx, byte %zu is 1: wrong bytes are written", (uintmax_t)size, at);
}

/* 24 bytes are a bare "is there one?". Above 4096, a sample is enough. */
TEST_F(abi, struct_of_every_size)
{
	const uint64_t known = sizeof(struct procmap_query), page = self->page;
	const uint64_t large[] = {
		page + 1, 2 * page, 65536 + known, UINT32_MAX, 1ULL << 32,
		1ULL << 32 | known, 1ULL << 63 | known, UINT64_MAX,
	};
	struct sized s;
	uint64_t size;

	sized_init(&s, self->fd, self->image);
	for (size = 0; size <= page; size += size < 4096 ? 1 : page / 256)
		expect_size(_metadata, self->fd, &s, size, 0, size < OUT_FIRST ? EINVAL : 0);
	for (size = 0; size < ARRAY_SIZE(large); size++)
		expect_size(_metadata, self->fd, &s, large[size], 0, E2BIG);
	must(!munmap((void *)(uintptr_t)s.answer.vma_start, page));
	expect_size(_metadata, self->fd, &s, OUT_FIRST, 0, ENOENT);
}

TEST_F(abi, unknown_bytes_must_be_0)
{
	size_t at = self->page - 1;
	struct sized s;

	sized_init(&s, self->fd, self->image);
	for (; at >= sizeof(struct procmap_query); at -= at < 4096 ? 1 : self->page / 256) {
		expect_size(_metadata, self->fd, &s, at + 1, at, E2BIG);
		expect_size(_metadata, self->fd, &s, self->page, at, E2BIG);
	}
}

/* The size has not reached the addresses: they are 0, whatever is there. */
TEST_F(abi, missing_input_reads_as_0)
{
	const size_t id_addr = offsetof(struct procmap_query, build_id_addr);
	struct call c;

	call_init(&c, self->image, 0);
	call_want_name(&c, PATH_MAX);
	c.q.size = OUT_END;
	expect_error(_metadata, self->fd, EINVAL, &c, "no name address");

	/* Without even the size of the buffer, no name is asked for. */
	c.q.size = offsetof(struct procmap_query, vma_name_size);
	EXPECT_EQ(0, query(self->fd, &c.q));
	EXPECT_TRUE(is_guard(c.name, sizeof(c.name)));

	call_init(&c, self->image, 0);
	call_want_build_id(&c, sizeof(c.build_id));
	c.q.size = id_addr;
	expect_error(_metadata, self->fd, EINVAL, &c, "no build ID address");

	/* A struct that ends before the build ID's address can have a name. */
	call_init(&c, self->image, 0);
	call_want_name(&c, PATH_MAX);
	c.q.build_id_addr = UINT64_MAX;
	c.q.size = id_addr;
	EXPECT_EQ(0, query(self->fd, &c.q));
	EXPECT_STREQ(IMAGE_NAME, c.name);
}

/*
 * Errors, and which of them is found first
 */

/* A call that can be made wrong in several ways at once. */
struct bad_call {
	int fd;
	unsigned int command;
	struct procmap_query *arg;
	struct procmap_query *q;	/* at the start of a page */
	bool read_only;
	int exited;			/* maps of a process that has exited */
	uint64_t hole;			/* address of a page where nothing is */
};

#define AT(name)	offsetof(struct procmap_query, name)
#define NO_FIELD	SIZE_MAX
#define HOLE		UINT64_MAX

/* In the order in which they are found. Most put a value into a field. */
static const struct mistake {
	const char *what;
	int err;
	size_t at;
	uint64_t value;
} mistakes[] = {
	{ "other command", ENOTTY, NO_FIELD },
	{ "unreadable struct", EFAULT, NO_FIELD },
	{ "size over a page", E2BIG, AT(size), 65537 },
	{ "byte 199 is 1", E2BIG, AT(size), 200 },
	{ "size under 24", EINVAL, AT(size), 23 },
	{ "unknown flag", EINVAL, AT(query_flags), 1ULL << 40 },
	{ "name without address", EINVAL, AT(vma_name_addr), 0 },
	{ "build ID without size", EINVAL, AT(build_id_size), 0 },
	{ "exited process", ESRCH, NO_FIELD },
	{ "nothing there", ENOENT, AT(query_addr), HOLE },
	{ "name too long", ENAMETOOLONG, AT(vma_name_size), 1 },
	{ "build ID too long", ENAMETOOLONG, AT(build_id_size), 1 },
	{ "bad name buffer", EFAULT, AT(vma_name_addr), HOLE },
	{ "bad build ID buffer", EFAULT, AT(build_id_addr), HOLE },
	{ "read-only struct", EFAULT, NO_FIELD },
};

static void make_mistake(struct bad_call *b, const struct mistake *m)
{
	const uint64_t value = m->value == HOLE ? b->hole : m->value;
	const uint32_t size = m->value;

	if (m->at == AT(vma_name_size) || m->at == AT(build_id_size))
		memcpy((char *)b->q + m->at, &size, sizeof(size));
	else if (m->at != NO_FIELD)
		memcpy((char *)b->q + m->at, &value, sizeof(value));
	else if (m->err == ENOTTY)
		b->command = _IOWR('f', 18, struct procmap_query);
	else if (m->err == ESRCH)
		b->fd = b->exited;
	else if (m == mistakes + 1)
		b->arg = (void *)(uintptr_t)b->hole;
	else
		b->read_only = true;
}

/* Makes the mistakes in @set, and expects the error of the first of them. */
static void expect_first_error(struct __test_metadata *_metadata,
			       struct bad_call b, unsigned int set)
{
	const struct procmap_query was = *b.q;
	const size_t page = page_size();
	struct procmap_query asked;
	char what[1024] = "";
	int first = 0, err;
	unsigned int i;

	/* Backwards: where two change the same field, the first one counts. */
	for (i = ARRAY_SIZE(mistakes); i--;) {
		if (!(set & 1U << i))
			continue;
		make_mistake(&b, &mistakes[i]);
		first = mistakes[i].err;
		strcat(strcat(what, ", "), mistakes[i].what);
	}
	asked = *b.q;
	must(!mprotect(b.q, page, b.read_only ? PROT_READ : PROT_READ | PROT_WRITE));
	err = ioctl(b.fd, b.command, b.arg) ? errno : 0;
	must(!mprotect(b.q, page, PROT_READ | PROT_WRITE));
	ASSERT_EQ(first, err)
		TH_LOG("wrong error for%s", what + 1);
	ASSERT_TRUE(err == EFAULT || !memcmp(&asked, b.q, sizeof(asked)))
		TH_LOG("failed, but wrote to the struct:%s", what + 1);
	*b.q = was;
}

/* One mistake, or two or three at once. */
TEST_F(abi, errors_are_found_in_order)
{
	static char name[PATH_MAX], id[BUILD_ID_MAX];
	char *arg = map_anonymous(self->page, PROT_READ | PROT_WRITE);
	pid_t pid = start_child(NULL);
	struct bad_call b = {
		.fd = self->fd, .command = PROCMAP_QUERY, .arg = (void *)arg,
		.q = (void *)arg, .exited = maps_open(pid),
		.hole = to_u64(map_anonymous(self->page, PROT_READ)),
	};
	unsigned int set;

	end_child(pid);
	must(!munmap((void *)(uintptr_t)b.hole, self->page));
	arg[199] = 1;
	*b.q = (struct procmap_query) {
		.size = sizeof(*b.q), .query_addr = self->image,
		.vma_name_size = sizeof(name), .vma_name_addr = to_u64(name),
		.build_id_size = sizeof(id), .build_id_addr = to_u64(id),
	};
	for (set = 1; set < 1U << ARRAY_SIZE(mistakes); set++)
		if (__builtin_popcount(set) <= 3)
			expect_first_error(_metadata, b, set);
}

/*
 * Pointers
 */

/*
 * Addresses that nothing can be read from or written to. The last one is that of
 * an unmapped page, which the next mapping may be given.
 */
#define BAD_MAX	10

static size_t bad_pointers(uintptr_t *bad)
{
	const size_t page = page_size();
	size_t n = 0;

	bad[n++] = 8;
	bad[n++] = (uintptr_t)map_anonymous(page, PROT_NONE);
	bad[n++] = UINTPTR_MAX - 7;
	bad[n++] = UINTPTR_MAX - sizeof(struct procmap_query) + 1;
	/* The upper half of the address space: the kernel's, of 64 bits. */
	if (sizeof(uintptr_t) == 8) {
		bad[n++] = (uintptr_t)(1ULL << 63);
		bad[n++] = (uintptr_t)0xffff888000000000ULL;
		bad[n++] = (uintptr_t)0xffffffff81000000ULL;
	}
	bad[n++] = (uintptr_t)map_anonymous(page, PROT_NONE);
	must(!munmap((void *)bad[n - 1], page));
	return n;
}

TEST_F(abi, struct_that_cannot_be_read)
{
	const struct procmap_query good = {
		.size = sizeof(good) + 8, .query_addr = self->image,
	};
	uintptr_t bad[BAD_MAX];
	const size_t n = bad_pointers(bad);
	size_t i;

	EXPECT_EQ(EFAULT, query(self->fd, NULL));
	for (i = 0; i < n; i++) {
		EXPECT_EQ(EFAULT, query(self->fd, (void *)bad[i]))
			TH_LOG("struct at %p", (void *)bad[i]);
	}
	/* Of it, with unknown bytes that are 0, @i bytes are before an unmapped page. */
	for (i = 8; i <= good.size; i++) {
		const size_t known = i < sizeof(good) ? i : sizeof(good);
		char *p = map_before_gap(i);
		struct procmap_query *q = (void *)p;

		memset(p, 0, i);
		memcpy(p, &good, known);
		if (i < good.size) {
			EXPECT_EQ(EFAULT, query(self->fd, q))
				TH_LOG("%zu bytes are readable", i);
			EXPECT_EQ(0, memcmp(p, &good, known))
				TH_LOG("%zu bytes: failed, but wrote", i);
		}
		/* The same, if that is all that the caller knows. */
		memcpy(p, &(uint64_t){ i }, sizeof(q->size));
		EXPECT_EQ(i < OUT_FIRST ? EINVAL : 0, query(self->fd, q))
			TH_LOG("struct of %zu bytes", i);
	}
}

/*
 * Of the struct, @inside bytes are on one page and the others on the next; one of
 * the two is read-only, and with it some of the output. What is not output stays
 * as it was, and what is beside the struct.
 */
static void expect_half_written(struct __test_metadata *_metadata, int fd,
				uint64_t addr, size_t inside, bool head)
{
	const size_t page = page_size(), size = 2 * page + sizeof(struct call);
	char *pages = map_anonymous(size, PROT_READ | PROT_WRITE);
	struct call *c = (void *)(pages + page - inside - offsetof(struct call, q));
	struct call was;

	call_init(&was, addr, 0);
	memcpy(c, &was, sizeof(was));
	must(!mprotect(head ? pages : pages + page, page, PROT_READ));
	ASSERT_EQ(EFAULT, query(fd, &c->q))
		TH_LOG("%zu bytes %s", inside, head ? "read-only" : "writable");
	ASSERT_TRUE(call_intact(&was, c))
		TH_LOG("%zu bytes %s", inside, head ? "read-only" : "writable");
	must(!munmap(pages, size));
}

TEST_F(abi, struct_that_cannot_be_written)
{
	size_t inside;

	for (inside = 1; inside < OUT_END; inside++)
		expect_half_written(_metadata, self->fd, self->image, inside, false);
	for (inside = OUT_FIRST + 1; inside <= sizeof(struct procmap_query); inside++)
		expect_half_written(_metadata, self->fd, self->image, inside, true);
}

/* An address that nothing can be written to, with something to write or nothing. */
TEST_F(abi, buffers_that_cannot_be_written)
{
	const uint64_t nameless = to_u64(map_anonymous(self->page, PROT_READ));
	uintptr_t bad[BAD_MAX + 1] = { nameless };
	const size_t n = 1 + bad_pointers(bad + 1);
	struct call c;
	size_t i;

	for (i = 0; i < n; i++) {
		char what[64];

		snprintf(what, sizeof(what), "buffer at %p", (void *)bad[i]);
		call_init(&c, self->image, 0);
		call_want_name(&c, PATH_MAX);
		c.q.vma_name_addr = bad[i];
		expect_error(_metadata, self->fd, EFAULT, &c, what);
		call_init(&c, self->image, 0);
		call_want_build_id(&c, BUILD_ID_MAX);
		c.q.build_id_addr = bad[i];
		expect_error(_metadata, self->fd, EFAULT, &c, what);
		call_want_name(&c, PATH_MAX);
		expect_error(_metadata, self->fd, EFAULT, &c, what);

		c.q.query_addr = nameless;
		c.q.vma_name_addr = bad[i];
		EXPECT_EQ(0, query(self->fd, &c.q))
			TH_LOG("%s is not needed", what);
	}
}

QUERY_TEST_MAIN
