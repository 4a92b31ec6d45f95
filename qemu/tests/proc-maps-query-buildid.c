// SPDX-License-Identifier: GPL-2.0
/*
 * Build IDs of PROCMAP_QUERY: of ELF images made here, as linkers write them,
 * odd and hostile; of real ones; and in files of every kind. Whatever is mapped,
 * the query succeeds, and answers the file's build ID or none.
 *
 * Needs root for the file systems that it mounts, all of them in a mount
 * namespace of its own, so that nothing is left behind however a test ends.
 */
#define _FILE_OFFSET_BITS 64
#include <arpa/inet.h>
#include <glob.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/fanotify.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <time.h>
#include <linux/fuse.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/pci.h>
#include "proc-maps-query.h"
#include "proc-maps-query-elf.h"
#include "proc-maps-query-mount.h"

#define UNPRIVILEGED	65534

/* Where file systems are mounted, the one on the other. */
#define MOUNT_POINT	"/tmp"

/* In the environment of this program: it is to say what it sees, see below. */
#define TELL_ENV	"PROC_MAPS_QUERY_BUILDID_TELL"

#ifndef SYS_memfd_secret
#define SYS_memfd_secret	447
#endif

/*
 * Queries.
 */

static void *map(int fd)
{
	void *addr = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);

	must(addr != MAP_FAILED);
	return addr;
}

static void unmap(const void *addr)
{
	must(!munmap((void *)addr, 4096));
}

/* Asks with a buffer of @size bytes, of at most 64. Returns 0 or an errno. */
static int ask_sized(int maps, const void *addr, unsigned int size,
		     struct answer *a)
{
	unsigned char buf[64], untouched[64];
	struct procmap_query q = {
		.size = sizeof(q),
		.query_addr = (uintptr_t)addr,
		.build_id_size = size,
		.build_id_addr = (uintptr_t)buf,
	};
	int err;

	memset(untouched, 0x5a, sizeof(untouched));
	memcpy(buf, untouched, sizeof(buf));
	*a = (struct answer) {};
	err = query(maps, &q);
	if (err)
		return err;
	must(q.build_id_size <= size && q.build_id_size <= BUILD_ID_MAX);
	must(!memcmp(buf + q.build_id_size, untouched,
		     sizeof(buf) - q.build_id_size));
	a->size = q.build_id_size;
	memcpy(a->id, buf, a->size);
	return 0;
}

static int ask(int maps, const void *addr, struct answer *a)
{
	return ask_sized(maps, addr, BUILD_ID_MAX, a);
}

/* In a child, as a query that waits for us would wait for ever. */
static int ask_in_child(int maps, const void *addr, struct answer *a)
{
	struct {
		struct answer answer;
		int err;
	} result = { .err = ETIMEDOUT };
	struct pollfd in;
	int pipes[2];
	pid_t pid;

	must(!pipe(pipes));
	pid = fork();
	must(pid >= 0);
	if (!pid) {
		result.err = ask(maps, addr, &result.answer);
		must(write(pipes[1], &result, sizeof(result)) ==
		     sizeof(result));
		_exit(0);
	}
	in = (struct pollfd) { .fd = pipes[0], .events = POLLIN };
	if (poll(&in, 1, 20000) == 1)
		must(read(pipes[0], &result, sizeof(result)) ==
		     sizeof(result));
	else
		kill(pid, SIGKILL);
	if (result.err != ETIMEDOUT)
		must(waitpid(pid, NULL, 0) == pid);
	close(pipes[0]);
	close(pipes[1]);
	*a = result.answer;
	return result.err;
}

/*
 * File systems, mounted at one place and in use from there. Each function
 * returns NULL, or what is missing for it.
 */

static const char *mount_tmpfs(void)
{
	return mount_at(MOUNT_POINT, "tmpfs", "tmpfs");
}

static const char *mount_disk(void)
{
	return mount_ext4(MOUNT_POINT);
}

/* Its layers are on a tmpfs below it, which goes with it. */
static const char *mount_overlayfs(void)
{
	const char *lacks = mount_tmpfs();

	if (lacks)
		return lacks;
	must(!chdir(MOUNT_POINT));
	must(!mkdir("lower", 0755) && !mkdir("upper", 0755) &&
	     !mkdir("work", 0755));
	if (mount("overlay", MOUNT_POINT, "overlay", 0,
		  "lowerdir=lower,upperdir=upper,workdir=work"))
		return missing("overlayfs");
	return NULL;
}

FIXTURE(build_id) {
	int maps;
	const char *missing;	/* why the test cannot be run, or NULL */
};

FIXTURE_VARIANT(build_id) {
	const char *(*mount)(void);
	bool on_disk;		/* its files have pages that can be evicted */
};

FIXTURE_VARIANT_ADD(build_id, tmpfs) {
	.mount = mount_tmpfs,
};

FIXTURE_VARIANT_ADD(build_id, ext4) {
	.mount = mount_disk,
	.on_disk = true,
};

FIXTURE_VARIANT_ADD(build_id, overlayfs) {
	.mount = mount_overlayfs,
};

/* Tests that want one file system are in this, the same with a tmpfs. */
FIXTURE(on_tmpfs) {
	int maps;
	const char *missing;
};

FIXTURE(on_ext4) {
	int maps;
	const char *missing;
};

static const char *set_up(const char *(*mount_it)(void), int *maps)
{
	const char *lacks;

	*maps = maps_open(0);
	if (geteuid())
		return "must be root to mount file systems";
	lacks = mount_privately();
	if (!lacks)
		lacks = mount_it();
	if (!lacks)
		must(!chdir(MOUNT_POINT));
	return lacks;
}

/* Returns whether nothing holds the file system: a file not put, a mapping. */
static bool tear_down(const char *lacks, int maps)
{
	close(maps);
	if (lacks)
		return true;
	must(!chdir("/"));
	return !umount2(MOUNT_POINT, 0);
}

FIXTURE_SETUP(build_id)
{
	self->missing = set_up(variant->mount, &self->maps);
}

FIXTURE_TEARDOWN(build_id)
{
	EXPECT_TRUE(tear_down(self->missing, self->maps))
		TH_LOG("cannot unmount: a file is still in use");
}

FIXTURE_SETUP(on_tmpfs)
{
	self->missing = set_up(mount_tmpfs, &self->maps);
}

FIXTURE_TEARDOWN(on_tmpfs)
{
	EXPECT_TRUE(tear_down(self->missing, self->maps))
		TH_LOG("cannot unmount: a file is still in use");
}

FIXTURE_SETUP(on_ext4)
{
	self->missing = set_up(mount_disk, &self->maps);
}

FIXTURE_TEARDOWN(on_ext4)
{
	EXPECT_TRUE(tear_down(self->missing, self->maps))
		TH_LOG("cannot unmount: a file is still in use");
}

/* An image of either class on a tmpfs, mapped. It is empty at first. */
FIXTURE(image) {
	int maps;
	const char *missing;
	struct image img;
	void *addr;
};

FIXTURE_VARIANT(image) {
	unsigned int class;
};

FIXTURE_VARIANT_ADD(image, elf32) {
	.class = ELFCLASS32,
};

FIXTURE_VARIANT_ADD(image, elf64) {
	.class = ELFCLASS64,
};

static const unsigned int classes[] = { ELFCLASS32, ELFCLASS64 };

/* The class of this program. */
static const unsigned int native_class =
	sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;

static int create(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	must(fd >= 0);
	return fd;
}

FIXTURE_SETUP(image)
{
	self->missing = set_up(mount_tmpfs, &self->maps);
	if (self->missing)
		return;
	self->img = (struct image) {
		create("image"), variant->class, NATIVE_ORDER
	};
	self->addr = map(self->img.fd);
}

FIXTURE_TEARDOWN(image)
{
	if (!self->missing) {
		unmap(self->addr);
		close(self->img.fd);
	}
	EXPECT_TRUE(tear_down(self->missing, self->maps))
		TH_LOG("cannot unmount: a file is still in use");
}

static int create_shape(const char *name, const struct shape *s)
{
	struct image img = { create(name), native_class, NATIVE_ORDER };

	put_shape(&img, s);
	return img.fd;
}

static const struct shape plain = {
	"plain", { { { BUILD_ID(20, 0x11) } } }, 20, 0x11,
};

/*
 * Mainline's parser wants the padding behind the last note, which GNU ld leaves out. It
 * also looks at neither byte order nor e_phentsize, and pads to 4 bytes always. These are
 * differences that its series for 6.12 and 7.3 leaves alone.
 */
static bool has_mainline_parser(int maps)
{
	static const struct shape unpadded = {
		"unpadded", { { { BUILD_ID(17, 0x11) } } }, 17, 0x11,
	};
	struct answer seen;
	void *addr;
	int fd, err;

	fd = create_shape("image", &unpadded);
	addr = map(fd);
	err = ask(maps, addr, &seen);
	unmap(addr);
	close(fd);
	must(!unlink("image"));
	return !err && !seen.size;
}

/* The directory of images. */
static const struct shape shapes[] = {
	{ "plain", { { { BUILD_ID(20, 0x11) } } }, 20, 0x11 },
	{ "program", { { { BUILD_ID(20, 0x11) } } }, 20, 0x11,
	  .type = ET_EXEC },

	/* Not what a process maps to run. */
	{ "relocatable", { { { BUILD_ID(20, 0x11) } } }, .type = ET_REL },
	{ "no-type", { { { BUILD_ID(20, 0x11) } } }, .type = 0xfe00 },

	/* None. */
	{ "no-segments" },
	{ "only-loads", .front = 4 },
	{ "no-notes", { { .type = PT_NOTE } } },
	{ "other-notes", { { { GNU_NOTE(NT_GNU_ABI_TAG, 16),
			       { "Go\0", 4, 4, 83 } } } } },
	{ "not-in-a-note-segment", { { { BUILD_ID(20, 0x11) },
				       .type = PT_LOAD } } },
	{ "behind-its-segment", { { { GNU_NOTE(1, 21, 0x22) } },
				  { { BUILD_ID(20, 0x11) },
				    .type = PT_LOAD } } },
	{ "of-size-0", { { { BUILD_ID(0) } } } },
	{ "of-size-21", { { { BUILD_ID(21, 0x11) } } } },
	{ "of-size-4096", { { { BUILD_ID(4096, 0x11) } } } },
	{ "cut-by-its-segment", { { { BUILD_ID(20, 0x11) }, .cut = 1 } } },
	{ "owner-cut-by-its-segment", { { { BUILD_ID(20, 0x11) },
					  .cut = 21 } } },
	{ "header-cut-by-its-segment", { { { BUILD_ID(20, 0x11) },
					   .cut = 25 } } },

	/* Notes that look like it. */
	{ "another-type", { { { GNU_NOTE(2, 20, 0x22),
				GNU_NOTE(4, 20, 0x22),
				GNU_NOTE(0x103, 20, 0x22),
				GNU_NOTE(0x30000, 20, 0x22) } } } },
	{ "another-owner", { { { { "Go\0", 4, NT_GNU_BUILD_ID, 20, 0x22 },
				 { "GNU", 3, NT_GNU_BUILD_ID, 20, 0x22 },
				 { "GNUX", 4, NT_GNU_BUILD_ID, 20, 0x22 },
				 { "GNU\0", 5, NT_GNU_BUILD_ID, 20, 0x22 },
				 { "", 0, NT_GNU_BUILD_ID, 20, 0x22 } } } } },

	/* Others before it, with owners and contents that need padding. */
	{ "third-note", { { { GNU_NOTE(NT_GNU_ABI_TAG, 16, 0x22),
			      GNU_NOTE(NT_GNU_PROPERTY_TYPE_0, 32, 0x22),
			      BUILD_ID(20, 0x11) } } }, 20, 0x11 },
	{ "behind-padded-owners", { { { { "A", 2, 1, 4 }, { "stapsdt", 8, 3, 20 },
					{ "", 1, 3, 8 }, { "ABCDE", 5, 3, 20 },
					BUILD_ID(20, 0x11) } } }, 20, 0x11 },
	{ "behind-padded-contents", { { { { "LINUX", 6, 0x100, 1 },
					  { "Xen", 4, 6, 2 },
					  { "Go\0", 4, 4, 83, 0x22 },
					  { "", 0, 0, 0 },
					  BUILD_ID(16, 0x11) } } }, 16, 0x11 },
	{ "behind-build-id-of-Go", { { { { "Go\0", 4, 4, 83, 0x22 },
					 { "Go\0", 4, 3, 20, 0x22 },
					 BUILD_ID(20, 0x11) } } }, 20, 0x11 },
	{ "behind-one-of-size-0", { { { BUILD_ID(0), BUILD_ID(20, 0x11) } } },
	  20, 0x11 },
	{ "behind-one-of-size-21", { { { BUILD_ID(21, 0x22),
					 BUILD_ID(20, 0x11) } } }, 20, 0x11 },
	{ "behind-empty-notes", { { { BUILD_ID(20, 0x11) },
				    .empty = 1000 } }, 20, 0x11 },
	{ "last-of-64K", { { { { "", 0, 1, 12 }, { "pad", 4, 1, 24 },
			       BUILD_ID(20, 0x11) },
			     .empty = (NOTES_MAX - 24 - 40 - 36) / 12 } },
	  20, 0x11 },
	{ "nothing-behind-the-last-note", { { { GNU_NOTE(1, 16, 0x22),
						BUILD_ID(17, 0x11) } } },
	  17, 0x11, .not_mainline = true },
	{ "a-little-behind-it", { { { BUILD_ID(20, 0x11) }, .slack = 11 },
				  { { BUILD_ID(20, 0x22) } } }, 20, 0x11 },

	/* Several segments. */
	{ "second-segment", { { { GNU_NOTE(NT_GNU_ABI_TAG, 16, 0x22) } },
			      { { BUILD_ID(20, 0x11) } } }, 20, 0x11 },
	{ "behind-empty-segment", { { .type = PT_NOTE },
				    { { BUILD_ID(20, 0x11) } } }, 20, 0x11 },
	{ "behind-loads", { { { BUILD_ID(20, 0x11) } } }, 20, 0x11,
	  .front = 9 },
	{ "last-of-128-headers", { { { GNU_NOTE(NT_GNU_ABI_TAG, 16, 0x22) } },
				   { { BUILD_ID(20, 0x11) } } }, 20, 0x11,
	  .front = HEADERS_MAX - 2 },

	/* The first one counts: in a segment, and in order of the headers. */
	{ "two-in-a-segment", { { { BUILD_ID(20, 0x11),
				    BUILD_ID(20, 0x22) } } }, 20, 0x11 },
	{ "two-of-two-sizes", { { { BUILD_ID(8, 0x11),
				    BUILD_ID(20, 0x22) } } }, 8, 0x11 },
	{ "two-in-two-segments", { { { BUILD_ID(20, 0x11) } },
				   { { BUILD_ID(20, 0x22) } } }, 20, 0x11 },
	{ "first-lies-behind", { { { BUILD_ID(20, 0x11) }, .offset = 0x2000 },
				 { { BUILD_ID(20, 0x22) }, .offset = 0x1000 } },
	  20, 0x11 },

	/* Far in. */
	{ "across-a-page", { { { BUILD_ID(20, 0x11) },
			       .offset = 4096 - 20 } }, 20, 0x11 },
	{ "segment-of-pages", { { { { "pad", 4, 1, 4096 },
				    { "pad", 4, 1, 4096 },
				    BUILD_ID(20, 0x11) } } }, 20, 0x11 },
	{ "second-page", { { { BUILD_ID(20, 0x11) },
			     .offset = 4096 } }, 20, 0x11 },
	{ "at-1M", { { { BUILD_ID(20, 0x11) }, .offset = 1 << 20 } },
	  20, 0x11 },
	{ "at-3G", { { { BUILD_ID(20, 0x11) }, .offset = 3ULL << 30 } },
	  20, 0x11 },
	{ "at-5G", { { { BUILD_ID(20, 0x11) }, .offset = 5ULL << 30 } },
	  20, 0x11, .only_64bit = true,
	  .fault = "offsets of notes are cut to 32 bits" },
	{ "headers-elsewhere", { { { BUILD_ID(20, 0x11) } } }, 20, 0x11,
	  .phoff = 0x400 },
	{ "headers-on-second-page", { { { BUILD_ID(20, 0x11) } } }, 20, 0x11,
	  .phoff = 4096 + 8 },
	{ "headers-across-a-page", { { { BUILD_ID(20, 0x11) } } }, 20, 0x11,
	  .phoff = 4096 - 8 },
	{ "headers-at-1M", { { { BUILD_ID(20, 0x11) },
			       .offset = 0x1000 } }, 20, 0x11,
	  .phoff = 1 << 20 },
	{ "headers-at-5G", { { { BUILD_ID(20, 0x11) } } }, 20, 0x11,
	  .phoff = 5ULL << 30, .only_64bit = true },

	/* Program headers of another size are headers of another format. */
	{ "headers-too-large", { { { BUILD_ID(20, 0x11) } } }, .spread = 8,
	  .not_mainline = true },

	/*
	 * Notes are padded to 4 bytes, but in a segment that is aligned to 8 to
	 * 8, as gABI, binutils and glibc have it. Linkers write such segments
	 * for .note.gnu.property, whose notes are padded to 8 either way.
	 */
	{ "as-linked-today", { { { GNU_NOTE(NT_GNU_PROPERTY_TYPE_0, 16, 0x22) },
				 .align = 8 },
			       { { BUILD_ID(20, 0x11),
				   GNU_NOTE(NT_GNU_ABI_TAG, 16, 0x22) } } },
	  20, 0x11 },
	{ "aligned-to-8", { { { GNU_NOTE(NT_GNU_PROPERTY_TYPE_0, 32, 0x22),
				BUILD_ID(20, 0x11) }, .align = 8 } },
	  20, 0x11 },
	{ "padded-to-8", { { { { "stapsdt", 8, 3, 4, 0x22 },
			       { "pad", 4, 1, 20, 0x22 },
			       BUILD_ID(20, 0x11) }, .align = 8 } },
	  20, 0x11, .not_mainline = true },
	{ "padded-to-4", { { { { "stapsdt", 8, 3, 4, 0x22 },
			       { "pad", 4, 1, 20, 0x22 },
			       BUILD_ID(20, 0x11) } } }, 20, 0x11 },
	{ "not-aligned", { { { { "A", 2, 1, 1 }, BUILD_ID(20, 0x11) },
			     .align = 1 } }, 20, 0x11 },
};

static const char *shape_path(const struct shape *s, unsigned int class)
{
	static char path[NAME_MAX];

	snprintf(path, sizeof(path), "%s.%d", s->name,
		 class == ELFCLASS64 ? 64 : 32);
	return path;
}

static bool shape_exists(const struct shape *s, unsigned int class)
{
	return class == ELFCLASS64 || !s->only_64bit;
}

static void make_directory(bool on_disk)
{
	unsigned int i, c;

	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		for (c = 0; c < ARRAY_SIZE(classes); c++) {
			struct image img = { -1, classes[c], NATIVE_ORDER };

			if (!shape_exists(&shapes[i], classes[c]))
				continue;
			img.fd = create(shape_path(&shapes[i], classes[c]));
			put_shape(&img, &shapes[i]);
			close(img.fd);
		}
	}
	/* At once, so that it need not wait for each. */
	if (on_disk)
		sync();
}

/* Every image of the directory, on a disk with none of its pages in memory. */
TEST_F(build_id, directory)
{
	const char *fault = NULL;
	unsigned int i, c;
	bool mainline;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	mainline = has_mainline_parser(self->maps);
	make_directory(variant->on_disk);
	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		struct answer want = shape_answer(&shapes[i]);

		if (mainline && shapes[i].not_mainline)
			continue;

		for (c = 0; c < ARRAY_SIZE(classes); c++) {
			const char *path = shape_path(&shapes[i], classes[c]);
			struct answer seen;
			void *addr;
			int fd;

			if (!shape_exists(&shapes[i], classes[c]))
				continue;
			fd = open(path, O_RDONLY | O_CLOEXEC);
			ASSERT_LE(0, fd);
			if (variant->on_disk)
				evict(fd);
			addr = map(fd);
			close(fd);
			EXPECT_EQ(0, ask(self->maps, addr, &seen))
				TH_LOG("%s", path);
			if (shapes[i].fault && !same(&want, &seen)) {
				fault = shapes[i].fault;
			} else {
				EXPECT_TRUE(same(&want, &seen))
					TH_LOG("%s: %s instead of %s", path,
					       show(&seen), show(&want));
			}
			unmap(addr);
		}
	}
	if (fault)
		XFAIL(return, "%s", fault);
}

/* The same images in the other byte order have none that this kernel reads. */
TEST_F(on_tmpfs, other_byte_order)
{
	unsigned int i, c;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		for (c = 0; c < ARRAY_SIZE(classes); c++) {
			struct image img = {
				create("image"), classes[c],
				ELFDATA2LSB + ELFDATA2MSB - NATIVE_ORDER
			};
			struct answer seen;
			void *addr;

			put_shape(&img, &shapes[i]);
			addr = map(img.fd);
			close(img.fd);
			EXPECT_EQ(0, ask(self->maps, addr, &seen));
			EXPECT_EQ(0, seen.size)
				TH_LOG("%s: %s", shapes[i].name, show(&seen));
			unmap(addr);
		}
	}
}

/* Into buffers of the right size, of a larger one, of one that is too small. */
static bool fits_buffers(int maps, const void *addr, const struct answer *want)
{
	struct answer seen;

	if (ask_sized(maps, addr, want->size, &seen) || !same(want, &seen))
		return false;
	if (ask_sized(maps, addr, 64, &seen) || !same(want, &seen))
		return false;
	/* A buffer of 0 bytes asks for no build ID. */
	return want->size == 1 ||
	       ask_sized(maps, addr, want->size - 1, &seen) == ENAMETOOLONG;
}

/*
 * Every size that there is, with and without the padding behind the last note,
 * which GNU ld leaves out.
 */
TEST_F(on_tmpfs, sizes)
{
	unsigned int size, c, padded;
	bool mainline;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	mainline = has_mainline_parser(self->maps);
	for (size = 1; size <= BUILD_ID_MAX; size++) {
		struct shape s = {
			"sized", { { { BUILD_ID(size, 0x11) } } }, size, 0x11,
		};
		struct answer want = shape_answer(&s);

		for (c = 0; c < ARRAY_SIZE(classes); c++) {
			for (padded = mainline; padded < 2; padded++) {
				unsigned int padding = padded ? -size % 4 : 0;
				struct image img = {
					create("image"), classes[c],
					NATIVE_ORDER
				};
				void *addr = map(img.fd);

				s.segment[0].slack = padding;
				put_shape(&img, &s);
				write_at(img.fd, lseek(img.fd, 0, SEEK_END),
					 "\0\0\0", padding);
				EXPECT_TRUE(fits_buffers(self->maps, addr,
							 &want))
					TH_LOG("%u bytes%s", size,
					       padded ? ", padded" : "");
				unmap(addr);
				close(img.fd);
			}
		}
	}
}

/* Whatever size the kernel reads in, its pieces meet within some image here. */
TEST_F(image, every_offset)
{
	struct answer want = shape_answer(&plain), seen;
	uint64_t phdr = ehdr_size(&self->img), at;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	put_shape(&self->img, &plain);
	for (at = 0x100; at < 0x1400; at += 13) {
		write_note(&self->img, at, &plain.segment[0].note[0], 4);
		put(&self->img, phdr, P_OFFSET, at);
		ASSERT_EQ(0, ask(self->maps, self->addr, &seen));
		ASSERT_TRUE(same(&want, &seen))
			TH_LOG("notes at %ju: %s", (uintmax_t)at, show(&seen));
	}

	/* Program headers; the one before is wiped out. */
	for (at = 0x100; at < 0x1400; at += 9) {
		put_phdr(&self->img, phdr, PT_NULL, 0, 0, 0);
		phdr = at;
		write_note(&self->img, 0x2000, &plain.segment[0].note[0], 4);
		put_phdr(&self->img, phdr, PT_NOTE, 0x2000, 36, 4);
		put(&self->img, 0, E_PHOFF, phdr);
		ASSERT_EQ(0, ask(self->maps, self->addr, &seen));
		ASSERT_TRUE(same(&want, &seen))
			TH_LOG("headers at %ju: %s", (uintmax_t)at,
			       show(&seen));
	}
}

/* The same with as many empty notes before the build ID. */
TEST_F(image, every_place_in_segment)
{
	struct answer want = shape_answer(&plain), seen;
	uint64_t phdr = ehdr_size(&self->img), at;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	put_shape(&self->img, &plain);
	/* Downwards, so that what lies before it is a hole. */
	for (at = 0x1400 / 12 * 12; at; at -= 12) {
		write_note(&self->img, 0x1000 + at, &plain.segment[0].note[0], 4);
		put_phdr(&self->img, phdr, PT_NOTE, 0x1000, at + 36, 4);
		ASSERT_EQ(0, ask(self->maps, self->addr, &seen));
		ASSERT_TRUE(same(&want, &seen))
			TH_LOG("%ju bytes before it: %s", (uintmax_t)at,
			       show(&seen));
	}
}

/* A table of headers, any of which may be the one of the notes. */
TEST_F(image, every_place_in_headers)
{
	struct answer want = shape_answer(&plain), seen;
	uint64_t at, end;
	unsigned int i;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	put_shape(&self->img, &plain);
	put(&self->img, 0, E_PHNUM, HEADERS_MAX);
	at = ehdr_size(&self->img);
	end = write_note(&self->img, 0x4000, &plain.segment[0].note[0], 4);
	for (i = 0; i < HEADERS_MAX; i++)
		put_phdr(&self->img, at + i * phdr_size(&self->img), PT_LOAD,
			 0x4000, end - 0x4000, 4);
	for (i = 0; i < HEADERS_MAX; i++, at += phdr_size(&self->img)) {
		put(&self->img, at, P_TYPE, PT_NOTE);
		ASSERT_EQ(0, ask(self->maps, self->addr, &seen));
		ASSERT_TRUE(same(&want, &seen))
			TH_LOG("header %u: %s", i, show(&seen));
		put(&self->img, at, P_TYPE, PT_LOAD);
	}
}

/* Segments apart from each other, the last of which has it. */
TEST_F(image, many_segments)
{
	const unsigned int segments = 32;
	const struct note other = GNU_NOTE(NT_GNU_ABI_TAG, 16, 0x22);
	struct answer want = shape_answer(&plain), seen;
	unsigned int i;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	put_shape(&self->img, &plain);
	put(&self->img, 0, E_PHNUM, segments);
	put(&self->img, 0, E_PHOFF, 0x1000);
	for (i = 0; i < segments; i++) {
		uint64_t at = 0x10000 - 0x1000 * (i % 4) + 0x4000 * i;
		bool last = i == segments - 1;
		uint64_t end;

		end = write_note(&self->img, at, last ?
				 &plain.segment[0].note[0] : &other, 4);
		put_phdr(&self->img, 0x1000 + i * phdr_size(&self->img), PT_NOTE,
			 at, end - at, 4);
	}
	EXPECT_EQ(0, ask(self->maps, self->addr, &seen));
	EXPECT_TRUE(same(&want, &seen))
		TH_LOG("%s", show(&seen));
}

TEST_F(on_tmpfs, not_elf)
{
	static const struct {
		const char *bytes;
		size_t size;
	} files[] = {
		{ "", 0 },
		{ "\177", 1 },
		{ "\177ELF", 4 },
		{ "#!/bin/sh\n", 10 },
		{ "\0", 4096 },
		{ "\0", 65536 },
	};
	unsigned int i;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		struct answer seen;
		int fd = create("file");
		void *addr = map(fd);

		must(!ftruncate(fd, files[i].size));
		write_at(fd, 0, files[i].bytes, strlen(files[i].bytes));
		EXPECT_EQ(0, ask(self->maps, addr, &seen));
		EXPECT_EQ(0, seen.size)
			TH_LOG("file %u: %s", i, show(&seen));
		unmap(addr);
		close(fd);
	}
}

/*
 * Hostile images. All that can be read of this one is spoilt: it has notes and
 * segments before the build ID and behind it, and another build ID.
 */
static const struct shape hostile = {
	"hostile", { { { GNU_NOTE(NT_GNU_PROPERTY_TYPE_0, 16, 0x22) },
		       .align = 8 },
		     { { { "A", 2, 1, 1 }, BUILD_ID(20, 0x11),
			 GNU_NOTE(NT_GNU_ABI_TAG, 16, 0x22) } },
		     { { BUILD_ID(16, 0x33) } } }, 20, 0x11, .front = 1,
};

/* Mainline's parser takes some of them for sound: that it answers has to do there. */
static bool any_answer;

static bool is_right(int maps, const void *addr, int fd)
{
	struct truth want = truth_of(fd);
	struct answer seen;
	int err = ask(maps, addr, &seen);

	if (!err && (any_answer || allowed(&want, &seen)))
		return true;
	fprintf(stderr, "# %s: %s instead of %s%s\n", strerror(err),
		show(&seen), show(&want.answer),
		want.or_none ? " or none" : "");
	return false;
}

/* What the tests of hostile images go by must itself be right. */
TEST_F(on_tmpfs, truth)
{
	unsigned int i, c;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		for (c = 0; c < ARRAY_SIZE(classes); c++) {
			struct image img = {
				create("image"), classes[c], NATIVE_ORDER
			};
			struct answer want = shape_answer(&shapes[i]);
			struct truth seen;

			if (shape_exists(&shapes[i], classes[c])) {
				put_shape(&img, &shapes[i]);
				seen = truth_of(img.fd);
				EXPECT_TRUE(same(&want, &seen.answer))
					TH_LOG("%s", shapes[i].name);
			}
			close(img.fd);
		}
	}
}

TEST_F(image, truncated)
{
	struct answer want = shape_answer(&hostile), seen;
	struct stat st;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	put_shape(&self->img, &hostile);
	EXPECT_EQ(0, ask(self->maps, self->addr, &seen));
	EXPECT_TRUE(same(&want, &seen));
	must(!fstat(self->img.fd, &st));
	while (st.st_size) {
		st.st_size--;
		must(!ftruncate(self->img.fd, st.st_size));
		ASSERT_TRUE(is_right(self->maps, self->addr, self->img.fd))
			TH_LOG("truncated to %ju bytes",
			       (uintmax_t)st.st_size);
	}
}

/*
 * What stands behind the end of the file, in its last page, is not of the file:
 * whoever maps it shared can write there what they like.
 */
TEST_F(image, behind_the_end)
{
	unsigned char bytes[4096];
	unsigned char *shared;
	struct answer seen;
	ssize_t size, end;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	put_shape(&self->img, &plain);
	size = pread(self->img.fd, bytes, sizeof(bytes), 0);
	must(size > 0);
	shared = mmap(NULL, sizeof(bytes), PROT_READ | PROT_WRITE, MAP_SHARED,
		      self->img.fd, 0);
	must(shared != MAP_FAILED);
	for (end = size - 1; end; end--) {
		must(!ftruncate(self->img.fd, end));
		memcpy(shared + end, bytes + end, size - end);
		ASSERT_TRUE(is_right(self->maps, self->addr, self->img.fd))
			TH_LOG("the file ends at %zd, and goes on", end);
	}
	must(!ftruncate(self->img.fd, size));
	memcpy(shared, bytes, size);
	EXPECT_EQ(0, ask(self->maps, self->addr, &seen));
	EXPECT_EQ(20, seen.size);
	unmap(shared);
}

/* Pages that are read are given back: each time the file has another. */
TEST_F(image, pages_given_back)
{
	const unsigned int times = 8192;
	unsigned char bytes[4096];
	struct answer seen;
	uint64_t before;
	unsigned int i;
	ssize_t size;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	put_shape(&self->img, &plain);
	size = pread(self->img.fd, bytes, sizeof(bytes), 0);
	must(size > 0);
	before = free_memory();
	for (i = 0; i < times; i++) {
		must(!ftruncate(self->img.fd, 0));
		write_at(self->img.fd, 0, bytes, size);
		ASSERT_EQ(0, ask(self->maps, self->addr, &seen));
		ASSERT_EQ(20, seen.size);
	}
	/* Half of them is far more than what else the machine may take. */
	EXPECT_GT(times / 2 * 4096, (int64_t)(before - free_memory()));
}

/* Values for a field that is @was in a file of @size bytes. */
static uint64_t nasty_value(unsigned int i, uint64_t was, uint64_t size)
{
	static const uint64_t absolute[] = {
		0, 1, 2, 3, 4, 5, 7, 8, 11, 12, 16, 20, 21, 32, 36, 0x7f, 0x80,
		0xff, 0xfff, 0x1000, 0x7fff, 0x8000, 0xfff0, 0xffff, 0x10000,
		0x10001, 0x7fffffff, 0x80000000, 0xfffffff0, 0xfffffff4,
		0xfffffffc, 0xfffffffd, 0xffffffff, 0x100000000,
		INT64_MAX - 4096, INT64_MAX - 1, INT64_MAX, 1ULL << 63,
		-4096, -1024, -36, -20, -16, -12, -8, -4, -3, -2, -1,
	};
	const uint64_t relative[] = {
		was - 4, was - 1, was + 1, was + 4, was + 8, was << 1,
		was | 1 << 16, was | 1ULL << 32, was | 1ULL << 63,
		size - 1, size, size + 1, size - was, size - was + 1,
	};

	if (i < ARRAY_SIZE(absolute))
		return absolute[i];
	i -= ARRAY_SIZE(absolute);
	return relative[i % ARRAY_SIZE(relative)];
}

#define NASTY_VALUES	63

/* Overwrites each of the fields of the header at @at, one after the other. */
static bool survives(int maps, const void *addr, const struct image *img,
		     uint64_t at, enum field first, enum field last)
{
	unsigned int f, i;
	struct stat st;

	must(!fstat(img->fd, &st));
	for (f = first; f <= last; f++) {
		uint64_t was = get(img, at, f);

		for (i = 0; i < NASTY_VALUES; i++) {
			uint64_t value = nasty_value(i, was, st.st_size);

			put(img, at, f, value);
			if (!is_right(maps, addr, img->fd)) {
				fprintf(stderr, "# %s at %#jx: %#jx\n",
					fields[f].name, (uintmax_t)at,
					(uintmax_t)value);
				return false;
			}
		}
		put(img, at, f, was);
	}
	return true;
}

static bool survives_notes(int maps, const void *addr, const struct image *img,
			   uint64_t phdr)
{
	unsigned int align = get(img, phdr, P_ALIGN) == 8 ? 8 : 4;
	uint64_t start = get(img, phdr, P_OFFSET);
	uint64_t size = get(img, phdr, P_FILESZ), at = 0;

	while (at < size) {
		uint64_t note = start + at;

		if (!survives(maps, addr, img, note, N_NAMESZ, N_TYPE))
			return false;
		at += align_up(NOTE_SIZE + get(img, note, N_NAMESZ), align);
		at = align_up(at + get(img, note, N_DESCSZ), align);
	}
	return true;
}

TEST_F(image, spoilt_fields)
{
	uint64_t phdr = ehdr_size(&self->img);
	unsigned int i;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	any_answer = has_mainline_parser(self->maps);
	put_shape(&self->img, &hostile);
	ASSERT_TRUE(survives(self->maps, self->addr, &self->img, 0, E_TYPE,
			     E_SHSTRNDX));
	for (i = 0; i < 4; i++, phdr += phdr_size(&self->img)) {
		ASSERT_TRUE(survives(self->maps, self->addr, &self->img, phdr,
				     P_TYPE, P_ALIGN));
		if (get(&self->img, phdr, P_TYPE) == PT_NOTE)
			ASSERT_TRUE(survives_notes(self->maps, self->addr,
						   &self->img, phdr));
	}
	ASSERT_TRUE(is_right(self->maps, self->addr, self->img.fd));
}

TEST_F(image, spoilt_ident)
{
	unsigned char was[EI_NIDENT];
	unsigned int i, value;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	any_answer = has_mainline_parser(self->maps);
	put_shape(&self->img, &hostile);
	must(pread(self->img.fd, was, EI_NIDENT, 0) == EI_NIDENT);
	for (i = 0; i < EI_NIDENT; i++) {
		for (value = 0; value < 256; value += value < 4 ? 1 : 9) {
			unsigned char byte = value;

			write_at(self->img.fd, i, &byte, 1);
			ASSERT_TRUE(is_right(self->maps, self->addr,
					     self->img.fd))
				TH_LOG("byte %u is %u", i, value);
		}
		write_at(self->img.fd, i, &was[i], 1);
	}
}

/*
 * Notes with sizes that, if they wrap around in 32 bits, lead to a build ID
 * which is none. It lies at @next.
 */
TEST_F(image, wrapping_sizes)
{
	static const struct {
		uint32_t owner_size, size, next;
	} notes[] = {
		{ 0xffffffff, 8, 20 },
		{ 0xfffffff4, 36, 36 },
		{ 0xfffffff8, 32, 36 },
		{ 4, 0xfffffffc, 12 },
		{ 4, 0xfffffffd, 16 },
		{ 0xfffffff4, 0xfffffffc, 12 },
	};
	struct answer seen;
	unsigned int i;
	bool mainline;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	mainline = has_mainline_parser(self->maps);
	put_shape(&self->img, &plain);
	put_phdr(&self->img, ehdr_size(&self->img), PT_NOTE, 0x100, 0x200, 4);
	for (i = 0; i < ARRAY_SIZE(notes); i++) {
		must(!ftruncate(self->img.fd, 0x100) &&
		     !ftruncate(self->img.fd, 0x300));
		put(&self->img, 0x100, N_NAMESZ, notes[i].owner_size);
		put(&self->img, 0x100, N_DESCSZ, notes[i].size);
		put(&self->img, 0x100, N_TYPE, 1);
		write_note(&self->img, 0x100 + notes[i].next,
			   &plain.segment[0].note[0], 4);
		EXPECT_EQ(0, ask(self->maps, self->addr, &seen));
		if (seen.size && mainline)
			XFAIL(return, "sizes of notes wrap around");
		EXPECT_EQ(0, seen.size)
			TH_LOG("note %u: %s", i, show(&seen));
	}
}

/*
 * Images that change while they are queried.
 */

/* A thread that changes the image at @fd until it is told to stop. */
struct changer {
	int fd;
	unsigned char *image;
	size_t size;
	bool stop;
	unsigned long changes;
};

static bool changer_goes_on(struct changer *c)
{
	__atomic_add_fetch(&c->changes, 1, __ATOMIC_RELAXED);
	return !__atomic_load_n(&c->stop, __ATOMIC_RELAXED);
}

/*
 * Moves the segment from one build ID to the other by changing one byte, and
 * makes the image none and one again by another.
 */
static void *rewrite_image(void *arg)
{
	struct changer *c = arg;
	struct image img = { c->fd, native_class, NATIVE_ORDER };

	do {
		put(&img, ehdr_size(&img), P_OFFSET,
		    c->changes & 1 ? 0x200 : 0x300);
		write_at(c->fd, 0, c->changes & 2 ? "\177" : "X", 1);
	} while (changer_goes_on(c));
	return NULL;
}

static void *truncate_image(void *arg)
{
	struct changer *c = arg;

	do {
		must(!ftruncate(c->fd, c->changes % c->size));
		write_at(c->fd, 0, c->image, c->size);
	} while (changer_goes_on(c));
	return NULL;
}

static bool changed(struct changer *c)
{
	return __atomic_load_n(&c->changes, __ATOMIC_RELAXED) > 100;
}

/* Asks while the image changes. Returns whether all answers are @right. */
static bool change_and_ask(int maps, const void *addr, struct changer *c,
			   void *(*change)(void *),
			   bool (*right)(const struct answer *a))
{
	time_t end = time(NULL) + 20 * slowness();
	unsigned int queries, found = 0;
	struct answer seen = {};
	pthread_t thread;
	bool good = true;

	must(!pthread_create(&thread, NULL, change, c));
	for (queries = 0; good && (queries < 2000 || !found || !changed(c));
	     queries++) {
		must(time(NULL) < end);
		good = !ask(maps, addr, &seen) && right(&seen);
		found += !!seen.size;
	}
	__atomic_store_n(&c->stop, true, __ATOMIC_RELAXED);
	must(!pthread_join(thread, NULL));
	if (!good)
		fprintf(stderr, "# %s\n", show(&seen));
	return good;
}

static bool is_one_of_two(const struct answer *a)
{
	struct answer one = { 20 }, two = { 20 };

	fill_bytes(one.id, 0x11, 20);
	fill_bytes(two.id, 0x22, 20);
	return !a->size || same(a, &one) || same(a, &two);
}

/* Where the file had ended it may read as 0 until it is written again. */
static bool is_with_holes(const struct answer *a)
{
	struct answer whole = shape_answer(&plain);
	unsigned int i;

	for (i = 0; i < a->size; i++) {
		if (a->id[i] && a->id[i] != whole.id[i])
			return false;
	}
	return !a->size || a->size == whole.size;
}

TEST_F(build_id, rewritten_meanwhile)
{
	const struct shape two = {
		"two", { { { BUILD_ID(20, 0x11) }, .offset = 0x200 },
			 { { BUILD_ID(20, 0x22) }, .offset = 0x300 } },
	};
	struct changer c = {};
	void *addr;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	c.fd = create_shape("image", &two);
	addr = map(c.fd);
	EXPECT_TRUE(change_and_ask(self->maps, addr, &c, rewrite_image,
				   is_one_of_two));
	unmap(addr);
	close(c.fd);
}

TEST_F(build_id, truncated_meanwhile)
{
	unsigned char image[4096];
	struct changer c = { .image = image };
	ssize_t size;
	void *addr;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	c.fd = create_shape("image", &plain);
	size = pread(c.fd, image, sizeof(image), 0);
	must(size > 0);
	c.size = size;
	addr = map(c.fd);
	EXPECT_TRUE(change_and_ask(self->maps, addr, &c, truncate_image,
				   is_with_holes));
	unmap(addr);
	close(c.fd);
}

/*
 * Files of every kind.
 */

/* Asks about @addr, in a child, and compares. */
static bool has_build_id(int maps, const void *addr, const struct answer *want)
{
	struct answer seen = {};
	int err = ask_in_child(maps, addr, &seen);

	if (!err && same(want, &seen))
		return true;
	fprintf(stderr, "# %s: %s instead of %s\n", strerror(err), show(&seen),
		show(want));
	return false;
}

static const struct answer none;

static bool has_plain_or_none(int maps, const void *addr)
{
	struct answer plain_id = shape_answer(&plain), seen = {};
	int err = ask_in_child(maps, addr, &seen);

	return !err && (!seen.size || same(&plain_id, &seen));
}

TEST_F(on_tmpfs, unlinked)
{
	struct answer want = shape_answer(&plain);
	void *addr;
	int fd;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	fd = create_shape("image", &plain);
	addr = map(fd);
	close(fd);
	must(!unlink("image"));
	EXPECT_TRUE(has_build_id(self->maps, addr, &want));
	unmap(addr);
}

/* Who may see the mapping may see the build ID, as it was mapped by right. */
TEST_F(on_tmpfs, permissions_dropped)
{
	struct answer want = shape_answer(&plain);
	int fd, status;
	void *addr;
	pid_t pid;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	fd = create_shape("image", &plain);
	addr = map(fd);
	must(!fchmod(fd, 0));
	close(fd);
	pid = fork();
	must(pid >= 0);
	if (!pid) {
		must(!setgroups(0, NULL) && !setgid(UNPRIVILEGED) &&
		     !setuid(UNPRIVILEGED));
		must(open("image", O_RDONLY) < 0);
		_exit(!has_build_id(self->maps, addr, &want));
	}
	must(waitpid(pid, &status, 0) == pid);
	EXPECT_EQ(0, status);
	unmap(addr);
}

/*
 * This program as an unprivileged user may execute, but not read it: writes what
 * it is told about itself to standard output.
 */
static void __attribute__((constructor)) tell(void)
{
	struct answer seen;

	if (!getenv(TELL_ENV))
		return;
	if (ask(maps_open(0), tell, &seen))
		_exit(1);
	_exit(write(1, &seen, sizeof(seen)) != sizeof(seen));
}

static void copy_program(const char *path)
{
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int to = create(path);
	char buf[4096];
	ssize_t size;

	while ((size = read(from, buf, sizeof(buf))) > 0)
		must(write(to, buf, size) == size);
	must(!size && !fchmod(to, 0711));
	close(from);
	close(to);
}

TEST_F(on_tmpfs, only_executable)
{
	int program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct truth want = truth_of(program);
	struct answer seen;
	int status, pipes[2];
	pid_t pid;

	close(program);
	if (self->missing)
		SKIP(return, "%s", self->missing);
	if (!want.answer.size)
		SKIP(return, "this program was linked without a build ID");
	copy_program("program");
	must(!pipe(pipes));
	pid = fork();
	must(pid >= 0);
	if (!pid) {
		must(dup2(pipes[1], 1) == 1);
		must(!setgroups(0, NULL) && !setgid(UNPRIVILEGED) &&
		     !setuid(UNPRIVILEGED));
		must(open("program", O_RDONLY) < 0);
		setenv(TELL_ENV, "1", 1);
		execl("./program", "program", NULL);
		_exit(127);
	}
	must(waitpid(pid, &status, 0) == pid);
	ASSERT_EQ(0, status);
	must(read(pipes[0], &seen, sizeof(seen)) == sizeof(seen));
	EXPECT_TRUE(same(&want.answer, &seen))
		TH_LOG("%s, not %s", show(&seen), show(&want.answer));
	close(pipes[0]);
	close(pipes[1]);
}

TEST_F(on_tmpfs, memfd)
{
	struct image img = {
		memfd_create("image", MFD_CLOEXEC), native_class, NATIVE_ORDER
	};
	struct answer want = shape_answer(&plain);
	void *addr;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	must(img.fd >= 0);
	put_shape(&img, &plain);
	addr = map(img.fd);
	close(img.fd);
	EXPECT_TRUE(has_build_id(self->maps, addr, &want));
	unmap(addr);
}

/* Reads an image into memory that is not written by write(2). */
static void copy_image(void *to)
{
	int fd = create_shape("image", &plain);

	must(pread(fd, to, 4096, 0) > 0);
	close(fd);
}

static bool write_number(const char *path, long number)
{
	FILE *f = fopen(path, "we");
	bool good = f && fprintf(f, "%ld", number) > 0;

	return f && !fclose(f) && good;
}

#define NR_HUGEPAGES	"/proc/sys/vm/nr_hugepages"

/* Maps a huge page. The page goes with the file, the setting stays as it was. */
static void *map_hugetlb(int fd, size_t size)
{
	FILE *f = fopen(NR_HUGEPAGES, "re");
	void *addr = MAP_FAILED;
	long was;

	if (f && fscanf(f, "%ld", &was) == 1 &&
	    write_number(NR_HUGEPAGES, was + 1)) {
		addr = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_POPULATE, fd, 0);
		write_number(NR_HUGEPAGES, was);
	}
	if (f)
		fclose(f);
	return addr;
}

TEST_F(on_tmpfs, hugetlb)
{
	struct answer want = shape_answer(&plain);
	struct stat st;
	void *addr;
	int fd;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
	if (fd < 0)
		SKIP(return, "memfd of huge pages: %s", strerror(errno));
	must(!fstat(fd, &st) && !ftruncate(fd, st.st_blksize));
	addr = map_hugetlb(fd, st.st_blksize);
	close(fd);
	if (addr == MAP_FAILED)
		SKIP(return, "no free huge page: %s", strerror(errno));
	copy_image(addr);
	EXPECT_TRUE(has_build_id(self->maps, addr, &want));
	must(!munmap(addr, st.st_blksize));
}

/* Its pages are not the kernel's to read. */
TEST_F(on_tmpfs, memfd_secret)
{
	void *addr;
	int fd;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	fd = syscall(SYS_memfd_secret, O_CLOEXEC);
	if (fd < 0)
		SKIP(return, "memfd_secret: %s", strerror(errno));
	must(!ftruncate(fd, 4096));
	addr = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	must(addr != MAP_FAILED);
	copy_image(addr);
	EXPECT_TRUE(has_build_id(self->maps, addr, &none));
	unmap(addr);
}

/* A regular file without a read: a kernel that tries would log a warning. */
TEST_F(on_tmpfs, sysv_segment)
{
	void *addr;
	int id;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
	if (id < 0)
		SKIP(return, "shmget: %s", strerror(errno));
	addr = shmat(id, NULL, 0);
	must(!shmctl(id, IPC_RMID, NULL));
	must(addr != (void *)-1);
	copy_image(addr);
	EXPECT_TRUE(has_plain_or_none(self->maps, addr));
	must(!shmdt(addr));
}

TEST_F(on_tmpfs, no_file)
{
	void *addr;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	addr = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(addr != MAP_FAILED);
	copy_image(addr);
	EXPECT_TRUE(has_build_id(self->maps, addr, &none));
	EXPECT_TRUE(has_build_id(self->maps, &addr, &none));
	unmap(addr);
}

/* A mapped disk is no regular file. */
TEST_F(on_tmpfs, block_device)
{
	struct answer want = shape_answer(&plain);
	bool mainline, is_read;
	char path[64];
	int fd, loop;
	void *addr;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	mainline = has_mainline_parser(self->maps);
	fd = create_shape("image", &plain);
	must(!ftruncate(fd, 4096));
	loop = loop_attach(fd, path, sizeof(path));
	if (loop < 0)
		SKIP(return, "loop device: %s", strerror(errno));
	addr = mmap(NULL, 4096, PROT_READ, MAP_SHARED, loop, 0);
	must(addr != MAP_FAILED);
	/* It is there to be found. */
	EXPECT_TRUE(!memcmp(addr, ELFMAG, SELFMAG));
	is_read = mainline && has_build_id(self->maps, addr, &want);
	EXPECT_TRUE(is_read || has_build_id(self->maps, addr, &none));
	unmap(addr);
	close(loop);
	close(fd);
	if (is_read)
		XFAIL(return, "block devices are read");
}

/* Whether the kernel logged, after what was read of its log, that it cannot read a file. */
static bool says_not_supported(int kmsg)
{
	char record[8192];
	bool found = false;
	ssize_t len;

	while ((len = read(kmsg, record, sizeof(record) - 1)) > 0 || errno == EPIPE) {
		record[len > 0 ? len : 0] = 0;
		found |= !!strstr(record, "kernel read not supported");
	}
	return found;
}

/* Maps a regular file that has ->read(): of QEMU's pci-testdev, where that can be had. */
static void *map_pci_device(void)
{
	unsigned int config[5], i;
	void *addr = MAP_FAILED;
	glob_t found;
	int fd;

	if (glob("/proc/bus/pci/*/*", 0, NULL, &found))
		return addr;
	for (i = 0; i < found.gl_pathc && addr == MAP_FAILED; i++) {
		fd = open(found.gl_pathv[i], O_RDONLY | O_CLOEXEC);
		if (pread(fd, config, sizeof(config), 0) == sizeof(config) &&
		    config[0] == 0x00051b36 && !ioctl(fd, PCIIOC_MMAP_IS_MEM))
			addr = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, config[4] & ~0xfu);
		close(fd);
	}
	globfree(&found);
	return addr;
}

/* Asking for their build IDs reads neither, and leaves nothing in the log. */
TEST_F(on_tmpfs, not_to_be_read)
{
	int fd, kmsg;
	void *addr;
	bool logged;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	if (kmsg < 0 || fd < 0)
		SKIP(return, "/dev/kmsg, /dev/zero: %s", strerror(errno));
	says_not_supported(kmsg);
	addr = map(fd);
	close(fd);
	EXPECT_TRUE(has_build_id(self->maps, addr, &none));
	unmap(addr);
	addr = map_pci_device();
	if (addr != MAP_FAILED) {
		EXPECT_TRUE(has_build_id(self->maps, addr, &none));
		unmap(addr);
	} else {
		TH_LOG("without pci-testdev, which cannot be mapped here");
	}
	logged = says_not_supported(kmsg);
	close(kmsg);
	if (logged)
		XFAIL(return, "files are read that cannot be");
}

/*
 * A socket that has a ring only for what it sends keeps what it receives in a queue.
 * Reading the file that is mapped would take a packet from the process.
 */
TEST_F(on_tmpfs, packet_socket)
{
	const struct sockaddr_ll lo = {
		.sll_family = AF_PACKET, .sll_ifindex = 1, .sll_protocol = htons(ETH_P_802_EX1),
	};
	const struct tpacket_req ring = {
		.tp_block_size = page_size(), .tp_block_nr = 1,
		.tp_frame_size = page_size(), .tp_frame_nr = 1,
	};
	struct { struct ethhdr head; char data[ETH_ZLEN]; } packet = {
		.head.h_proto = lo.sll_protocol,
	};
	struct pollfd waits = { .events = POLLIN };
	int fd, sender;
	void *addr;
	bool taken;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	sender = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0 || sender < 0)
		SKIP(return, "packet sockets: %s", strerror(errno));
	must(!setsockopt(fd, SOL_PACKET, PACKET_TX_RING, &ring, sizeof(ring)));
	must(!bind(fd, (const void *)&lo, sizeof(lo)));
	addr = map_at(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(sendto(sender, &packet, sizeof(packet), 0, (const void *)&lo, sizeof(lo)) ==
	     sizeof(packet));
	waits.fd = fd;
	ASSERT_EQ(1, poll(&waits, 1, 10000));
	EXPECT_TRUE(has_build_id(self->maps, addr, &none));
	taken = recv(fd, &packet, sizeof(packet), MSG_DONTWAIT) < 0;
	munmap(addr, page_size());
	close(sender);
	close(fd);
	if (taken)
		XFAIL(return, "a packet is taken from a socket");
}

/*
 * A file system of ours with a single file, its root, which is mounted over a file.
 * A child serves it. It tells when the file is read, and waits for permission.
 */
struct served {
	const char *missing;
	int asked;		/* gives a byte for each read of the file */
	int permit;		/* takes one for it; if closed, reads fail */
	pid_t pid;
};

/* Seconds that a read waits before it fails. */
#define SERVER_PATIENCE	20

/* Of the file, where the kernel has 64 bits for it. */
#define SERVED_INODE	0x10000000005ULL

static void reply(int device, const struct fuse_in_header *to, int error,
		  const void *data, size_t size)
{
	struct fuse_out_header header = {
		.len = sizeof(header) + size, .error = error,
		.unique = to->unique,
	};
	const struct iovec parts[] = {
		{ &header, sizeof(header) }, { (void *)data, size },
	};

	/* ENOENT: who unmounts it meanwhile wants no answer any more. */
	must(writev(device, parts, 2) == header.len || errno == ENOENT);
}

static void reply_to_init(int device, const struct fuse_in_header *to)
{
	const struct fuse_init_in *in = (const void *)(to + 1);
	const struct fuse_init_out out = {
		.major = in->major, .minor = in->minor, .max_write = 4096,
	};

	reply(device, to, 0, &out, sizeof(out));
}

static void reply_to_getattr(int device, const struct fuse_in_header *to)
{
	const struct fuse_attr_out out = {
		.attr = {
			.ino = SERVED_INODE, .mode = S_IFREG | 0644,
			.size = 4096, .nlink = 1, .blksize = 4096,
		},
	};

	reply(device, to, 0, &out, sizeof(out));
}

static void reply_to_read(int device, const struct fuse_in_header *to,
			  const char *image, int asked, int permit)
{
	struct pollfd in = { .fd = permit, .events = POLLIN };
	char byte;

	must(write(asked, "", 1) == 1);
	if (poll(&in, 1, SERVER_PATIENCE * 1000) == 1 &&
	    read(permit, &byte, 1) == 1)
		reply(device, to, 0, image, 4096);
	else
		reply(device, to, -EIO, NULL, 0);
}

/* Until the file system is unmounted. */
static void serve(int device, const char *image, int asked, int permit)
{
	const struct fuse_open_out opened = {};
	union {
		struct fuse_in_header header;
		char bytes[2 * FUSE_MIN_READ_BUFFER];
	} in;

	for (;;) {
		if (read(device, &in, sizeof(in)) < 0) {
			if (errno == ENODEV || errno == ECONNABORTED)
				_exit(0);
			/* The request was given up while it was handed over. */
			must(errno == ENOENT || errno == EINTR);
			continue;
		}
		switch (in.header.opcode) {
		case FUSE_INIT:
			reply_to_init(device, &in.header);
			break;
		case FUSE_GETATTR:
			reply_to_getattr(device, &in.header);
			break;
		case FUSE_OPEN:
			reply(device, &in.header, 0, &opened, sizeof(opened));
			break;
		case FUSE_READ:
			reply_to_read(device, &in.header, image, asked, permit);
			break;
		case FUSE_FORGET:
		case FUSE_INTERRUPT:
			break;
		default:
			reply(device, &in.header, -EOPNOTSUPP, NULL, 0);
		}
	}
}

/* Serves what is in the file @name, in its place. */
static struct served serve_instead(const char *name)
{
	int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	int file = open(name, O_RDONLY | O_CLOEXEC);
	struct served s = { .pid = -1 };
	int asked[2], permit[2];
	char image[4096] = "";
	char options[96];

	must(file >= 0 && pread(file, image, sizeof(image), 0) > 0);
	close(file);
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=%o,user_id=0,group_id=0", device, S_IFREG);
	if (device < 0 || mount("fuse", name, "fuse", 0, options)) {
		s.missing = missing("FUSE");
		return s;
	}
	must(!pipe(asked) && !pipe(permit));
	s.asked = asked[0];
	s.permit = permit[1];
	s.pid = fork();
	must(s.pid >= 0);
	if (!s.pid) {
		must(!prctl(PR_SET_PDEATHSIG, SIGKILL));
		close(permit[1]);
		serve(device, image, asked[1], permit[0]);
	}
	close(device);
	close(asked[1]);
	close(permit[0]);
	return s;
}

/* Returns whether the file is read, now or soon. */
static bool await_read(const struct served *s)
{
	struct pollfd in = { .fd = s->asked, .events = POLLIN };

	return poll(&in, 1, SERVER_PATIENCE * 1000) == 1;
}

/* Returns whether all went well at the other end. */
static bool stop_serving(const struct served *s, const char *name)
{
	int status;

	must(!umount2(name, MNT_DETACH));
	close(s->asked);
	close(s->permit);
	must(waitpid(s->pid, &status, 0) == s->pid);
	return !status;
}

static void *map_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *addr;

	must(fd >= 0);
	addr = map(fd);
	close(fd);
	return addr;
}

/* Only kernels of 32 bits have any. */
static bool has_high_memory(void)
{
	struct sysinfo info;

	must(!sysinfo(&info));
	return info.totalhigh;
}

/* A file that can be mapped, but not be read. */
TEST_F(on_tmpfs, unreadable)
{
	struct procmap_query q;
	struct served s;
	struct stat st;
	void *addr;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	close(create_shape("image", &plain));
	s = serve_instead("image");
	if (s.missing)
		SKIP(return, "%s", s.missing);
	close(s.permit);
	s.permit = -1;
	addr = map_path("image");
	EXPECT_TRUE(has_build_id(self->maps, addr, &none));
	EXPECT_TRUE(await_read(&s));
	must(!stat("image", &st));
	EXPECT_EQ(0, query_at(self->maps, to_u64(addr), 0, &q));
	/* FUSE folds the number where the kernel keeps 32 bits of it. */
	if (!has_high_memory())
		EXPECT_EQ((uint64_t)st.st_ino, q.inode);
	unmap(addr);
	EXPECT_TRUE(stop_serving(&s, "image"));
}

/*
 * For as long as a file system takes for its answer, a query holds nothing that
 * its target needs: not the mmap lock, nor that of the VMA. Here the target is
 * ourselves: were we held up, the read would fail before we permit it.
 */
TEST_F(on_tmpfs, waiting_for_a_file)
{
	struct answer want = shape_answer(&plain), seen;
	struct served s;
	void *addr;
	int status;
	pid_t pid;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	close(create_shape("image", &plain));
	s = serve_instead("image");
	if (s.missing)
		SKIP(return, "%s", s.missing);
	addr = map_path("image");
	pid = fork();
	must(pid >= 0);
	if (!pid)
		_exit(!has_build_id(self->maps, addr, &want));
	EXPECT_TRUE(await_read(&s));
	unmap(addr);
	EXPECT_EQ(ENOENT, ask(self->maps, addr, &seen));
	must(write(s.permit, "", 1) == 1);
	must(waitpid(pid, &status, 0) == pid);
	EXPECT_EQ(0, status);
	EXPECT_TRUE(stop_serving(&s, "image"));
}

/* Waits until the process sleeps in a query, or has ended. */
static void await_query(pid_t pid)
{
	char path[64], text[64];
	siginfo_t info = {};
	int nr = -1, fd;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	while (nr != SYS_ioctl && !info.si_pid) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		must(fd >= 0 && read(fd, text, sizeof(text)) > 0);
		close(fd);
		/* Else it is "running". */
		if (text[0] >= '0' && text[0] <= '9')
			nr = atoi(text);
		usleep(1000);
		must(!waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT));
	}
}

/*
 * A page that the page cache has, but that is not read yet, says nothing: who asks
 * second finds it so, and has to wait too.
 */
TEST_F(on_tmpfs, being_read)
{
	struct answer want = shape_answer(&plain), seen;
	struct served s;
	pid_t pids[2];
	unsigned int i;
	void *addr;
	int status;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	close(create_shape("image", &plain));
	s = serve_instead("image");
	if (s.missing)
		SKIP(return, "%s", s.missing);
	addr = map_path("image");
	for (i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		must(pids[i] >= 0);
		if (!pids[i])
			_exit(ask(self->maps, addr, &seen) || !same(&want, &seen));
		if (!i)
			EXPECT_TRUE(await_read(&s));
		await_query(pids[i]);
	}
	must(write(s.permit, "", 1) == 1);
	for (i = 0; i < ARRAY_SIZE(pids); i++) {
		must(waitpid(pids[i], &status, 0) == pids[i]);
		EXPECT_EQ(0, status);
	}
	unmap(addr);
	EXPECT_TRUE(stop_serving(&s, "image"));
}

/*
 * Opened so, a file need not be read just anyhow. What of it is in memory has nothing
 * to do with that.
 */
TEST_F(on_ext4, direct)
{
	struct answer want = shape_answer(&plain);
	bool mainline, not_read;
	void *addr;
	int fd;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	mainline = has_mainline_parser(self->maps);
	fd = create_shape("image", &plain);
	close(fd);
	fd = open("image", O_RDONLY | O_DIRECT | O_CLOEXEC);
	must(fd >= 0);
	addr = map(fd);
	/* Where a page has several blocks, the write alone does not make it up to date. */
	must(*(char *)addr == ELFMAG0);
	/* A page in high memory is read through the file, too. */
	not_read = (mainline || has_high_memory()) &&
		   has_build_id(self->maps, addr, &none);
	EXPECT_TRUE(not_read || has_build_id(self->maps, addr, &want))
		TH_LOG("its pages are in memory");
	unmap(addr);
	evict(fd);
	addr = map(fd);
	EXPECT_TRUE(has_plain_or_none(self->maps, addr))
		TH_LOG("its pages are on the disk");
	unmap(addr);
	close(fd);
	if (mainline && not_read)
		XFAIL(return, "pieces of a file that is opened so are not read");
}

static void *open_image(void *arg)
{
	int *fd = arg;

	*fd = open("image", O_RDONLY | O_CLOEXEC);
	return NULL;
}

/* Opens the image, and gives the permission that this needs. */
static int open_permitted(int listener)
{
	struct fanotify_response answer = { .response = FAN_ALLOW };
	struct fanotify_event_metadata event;
	pthread_t thread;
	int fd;

	must(!pthread_create(&thread, NULL, open_image, &fd));
	must(read(listener, &event, sizeof(event)) == sizeof(event));
	answer.fd = event.fd;
	must(write(listener, &answer, sizeof(answer)) == sizeof(answer));
	close(event.fd);
	must(!pthread_join(thread, NULL) && fd >= 0);
	return fd;
}

/*
 * Who has to permit opens and reads is not asked for a query, and cannot hold it
 * up. Here it is ourselves, and we do not answer.
 */
TEST_F(on_ext4, permission_events)
{
	struct answer want = shape_answer(&plain);
	struct pollfd listener = { .events = POLLIN };
	void *addr;
	pid_t pid;
	int fd;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	listener.fd = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY);
	if (listener.fd < 0)
		SKIP(return, "fanotify: %s", strerror(errno));
	fd = create_shape("image", &plain);
	evict(fd);
	close(fd);
	if (fanotify_mark(listener.fd, FAN_MARK_ADD,
			  FAN_OPEN_PERM | FAN_ACCESS_PERM, AT_FDCWD, "image")) {
		close(listener.fd);
		SKIP(return, "fanotify permission events: %s", strerror(errno));
	}
	fd = open_permitted(listener.fd);
	addr = map(fd);
	EXPECT_TRUE(has_build_id(self->maps, addr, &want));
	EXPECT_EQ(0, poll(&listener, 1, 0));

	/* A read is held up. */
	pid = fork();
	must(pid >= 0);
	if (!pid) {
		char byte;

		_exit(pread(fd, &byte, 1, 0) != 1);
	}
	EXPECT_EQ(1, poll(&listener, 1, 20000));
	kill(pid, SIGKILL);
	close(listener.fd);
	must(waitpid(pid, NULL, 0) == pid);
	unmap(addr);
	close(fd);
}

/*
 * Lock order, CVE-2026-23199. A read of a file or a block device may hold the lock
 * of its inode while it faults on its destination, and then waits for the mmap
 * lock. A query that reads a build ID while it holds the mmap lock (or that of the
 * VMA) waits the other way round: with a writer of the mmap lock in between,
 * neither ever ends. Seldom seen, but one round is enough for a kernel with
 * PROVE_LOCKING to complain. ext4 takes the lock for a file that was opened
 * O_DIRECT, whoever reads it; others, like XFS, take it always.
 */
struct crossing {
	int file, direct, device;
	bool stop;
};

#define CROSSING_READ	65536

static void *read_into_faults(void *arg)
{
	struct crossing *c = arg;
	char *to = mmap(NULL, CROSSING_READ, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(to != MAP_FAILED);
	while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
		posix_fadvise(c->file, 0, 0, POSIX_FADV_DONTNEED);
		must(pread(c->file, to, CROSSING_READ, 0) == CROSSING_READ);
		must(!madvise(to, CROSSING_READ, MADV_DONTNEED));
		must(pread(c->direct, to, CROSSING_READ, 0) == CROSSING_READ);
		must(!madvise(to, CROSSING_READ, MADV_DONTNEED));
		must(pread(c->device, to, CROSSING_READ, 0) == CROSSING_READ);
		must(!madvise(to, CROSSING_READ, MADV_DONTNEED));
	}
	must(!munmap(to, CROSSING_READ));
	return NULL;
}

static void *write_mmap_lock(void *arg)
{
	struct crossing *c = arg;

	while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
		void *addr = mmap(NULL, 4096, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		must(addr != MAP_FAILED);
		unmap(addr);
	}
	return NULL;
}

static bool is_cached(void *addr)
{
	unsigned char cached;

	must(!mincore(addr, 4096, &cached));
	return cached & 1;
}

/* Returns a descriptor of the device that the current directory is on. */
static int open_device_below(void)
{
	struct stat st;
	int fd;

	must(!stat(".", &st));
	must(!mknod("device", S_IFBLK | 0600, st.st_dev));
	fd = open("device", O_RDONLY | O_CLOEXEC);
	must(fd >= 0);
	return fd;
}

TEST_F(on_ext4, lock_order)
{
	struct answer want = shape_answer(&plain), seen;
	pthread_t reader, writer;
	struct crossing c = {};
	void *file, *direct, *device;
	unsigned int uncached = 0;
	int i;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	c.file = create_shape("image", &plain);
	must(!ftruncate(c.file, CROSSING_READ));
	must(!fsync(c.file));
	c.direct = open("image", O_RDONLY | O_DIRECT | O_CLOEXEC);
	must(c.direct >= 0);
	c.device = open_device_below();
	file = map(c.file);
	direct = map(c.direct);
	device = map(c.device);
	must(!pthread_create(&reader, NULL, read_into_faults, &c));
	must(!pthread_create(&writer, NULL, write_mmap_lock, &c));
	for (i = 0; i < 300; i++) {
		ASSERT_EQ(0, ask(self->maps, file, &seen));
		ASSERT_TRUE(same(&want, &seen))
			TH_LOG("%s", show(&seen));
		/* What is cached need not be read. */
		posix_fadvise(c.file, 0, 0, POSIX_FADV_DONTNEED);
		uncached += !is_cached(direct);
		ASSERT_EQ(0, ask(self->maps, direct, &seen));
		ASSERT_EQ(0, ask(self->maps, device, &seen));
	}
	__atomic_store_n(&c.stop, true, __ATOMIC_RELAXED);
	must(!pthread_join(reader, NULL) && !pthread_join(writer, NULL));
	EXPECT_LT(0, uncached);
	unmap(file);
	unmap(direct);
	unmap(device);
	close(c.file);
	close(c.direct);
	close(c.device);
}

/*
 * Real images.
 */

#define STRING_OF(x)	#x
#define STRING(x)	STRING_OF(x)

/* What the Makefile had the linker write into this program, as 0x and digits. */
TEST_F(on_tmpfs, as_linked)
{
#ifdef LINKED_BUILD_ID
	const char *digits = STRING(LINKED_BUILD_ID) + strlen("0x");
	struct answer want = {}, seen;
	int fd;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	for (; sscanf(digits, "%2hhx", &want.id[want.size]) == 1; digits += 2)
		want.size++;
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	seen = truth_of(fd).answer;
	close(fd);
	EXPECT_TRUE(same(&want, &seen))
		TH_LOG("the file has %s, not %s", show(&seen), show(&want));
	EXPECT_EQ(0, ask(self->maps, tell, &seen));
	EXPECT_TRUE(same(&want, &seen))
		TH_LOG("the kernel says %s, not %s", show(&seen), show(&want));
#else
	SKIP(return, "built without LINKED_BUILD_ID, see the Makefile");
#endif
}

/* libc, the dynamic loader and more, where distributions have them. */
TEST_F(on_tmpfs, distribution)
{
	static const char * const patterns[] = {
		"/lib/ld-*.so*", "/lib*/ld-*.so*", "/lib/*-linux-*/ld-*.so*",
		"/lib*/libc.so*", "/lib/*-linux-*/libc.so*",
		"/lib*/libc-2*.so", "/lib/*-linux-*/libc-2*.so",
		"/lib*/libpthread*.so*", "/lib/*-linux-*/lib[mz].so*",
		"/bin/busybox", "/bin/sh",
	};
	unsigned int found = 0, i;
	glob_t files = {};

	if (self->missing)
		SKIP(return, "%s", self->missing);
	for (i = 0; i < ARRAY_SIZE(patterns); i++)
		glob(patterns[i], i ? GLOB_APPEND : 0, NULL, &files);
	for (i = 0; i < files.gl_pathc; i++) {
		int fd = open(files.gl_pathv[i], O_RDONLY | O_CLOEXEC);
		struct answer seen;
		struct truth want;
		void *addr;

		if (fd < 0)
			continue;
		want = truth_of(fd);
		addr = map(fd);
		close(fd);
		EXPECT_FALSE(want.or_none);
		EXPECT_EQ(0, ask(self->maps, addr, &seen));
		EXPECT_TRUE(same(&want.answer, &seen))
			TH_LOG("%s: %s, not %s", files.gl_pathv[i],
			       show(&seen), show(&want.answer));
		found += !!want.answer.size;
		unmap(addr);
	}
	globfree(&files);
	if (!found)
		SKIP(return, "no library of the distribution has a build ID");
}

QUERY_TEST_MAIN
