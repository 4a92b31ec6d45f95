// SPDX-License-Identifier: GPL-2.0
/*
 * More changes than proc-maps-query-race makes while PROCMAP_QUERY asks: mappings
 * are split, merged, moved, renamed, and gone with their process; who asks is a
 * thread of the process itself and another process; and who asks is killed.
 *
 * Each test runs for PROC_MAPS_QUERY_RACE_SECONDS seconds, by default 2; where
 * that is too short for enough changes and answers, until there are enough.
 *
 * Needs root for a mount namespace with files that it renames.
 */
#define _FILE_OFFSET_BITS 64
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include "proc-maps-query.h"
#include "proc-maps-query-elf.h"
#include "proc-maps-query-mount.h"

#define SECONDS_ENV	"PROC_MAPS_QUERY_RACE_SECONDS"
#define SECONDS_DEFAULT	2

/* What a run must have at the least, that nothing was wrong says something. */
#define CHANGES_MIN	300
#define ANSWERS_MIN	100	/* of each reader */
#define TARGETS_MIN	12
#define KILLED_MIN	30

/* Seconds in which any machine comes to that, times slowness() */
#define PATIENCE	20

/* In the environment of this program: it ends at once, see below. */
#define END_ENV		"PROC_MAPS_QUERY_RACE_END"

/*
 * All that changes lies in one region. Only a few pages of it change, so that
 * most queries meet what is just being changed: the first ones of each chunk.
 */
#define REGION_PAGES	4096
#define CHUNKS		4
#define CHUNK_PAGES	(REGION_PAGES / CHUNKS)
#define HOT_PAGES	16

static uint64_t region, page;

/* Files to map, every number and name of which is another. */
#define FILES		4

static struct file {
	int fd;
	uint64_t inode;
	uint32_t dev_major, dev_minor;
	char name[PATH_MAX];
	struct answer id;
} files[FILES];

/* What a query asked and what it answered. */
struct seen {
	struct procmap_query q;
	bool with_names;	/* and with the build ID */
	char name[PATH_MAX];
	unsigned char id[BUILD_ID_MAX];
	int err;
};

/* How mappings change, and how to tell that an answer is right. */
struct scene {
	void (*prepare)(void);
	void (*change)(uint32_t *seed);
	bool (*right)(const struct seen *s);	/* a VMA in the region */
	bool (*mapped)(uint64_t addr);		/* always; NULL: everywhere */
	uint64_t flags;			/* of all queries, or 0 for any */
	uint64_t (*from)(uint32_t *seed);	/* where they begin, then */
};

/* Shared by the processes of a test. */
struct race {
	const struct scene *scene;
	unsigned long changes;
	unsigned long answers[2];	/* found right, by each reader */
	bool stop;
	bool failed;
	bool not_found;			/* what must always be there */
	char what[1024];		/* if so */
};

static struct race *race;
static pthread_barrier_t prepared;	/* the mappings of the scene */

static void wait_a_tick(void)
{
	const struct timespec tick = { .tv_nsec = 10000000 };

	nanosleep(&tick, NULL);
}

static bool stopped(void)
{
	return __atomic_load_n(&race->stop, __ATOMIC_RELAXED);
}

static void stop(void)
{
	__atomic_store_n(&race->stop, true, __ATOMIC_RELAXED);
}

static void count(unsigned long *counter)
{
	__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

static uint32_t random_below(uint32_t *seed, uint32_t limit)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed % limit;
}

/* Returns the first of the @pages that change. */
static unsigned int random_hot(uint32_t *seed, unsigned int pages)
{
	return random_below(seed, CHUNKS) * CHUNK_PAGES +
	       random_below(seed, HOT_PAGES / pages) * pages;
}

/* Keeps the first wrong answer, and ends the test. */
static void fail(const struct seen *s, const char *why)
{
	const struct procmap_query *q = &s->q;
	struct answer id = { s->with_names ? q->build_id_size : 0 };

	memcpy(id.id, s->id, sizeof(id.id));
	if (!__atomic_exchange_n(&race->failed, true, __ATOMIC_RELAXED))
		snprintf(race->what, sizeof(race->what),
			 "%s: asked for %#jx with flags %#jx, got %s: %#jx-%#jx flags %#jx offset %#jx %x:%x inode %ju %.200s %s (region at %#jx)",
			 why, (uintmax_t)q->query_addr,
			 (uintmax_t)q->query_flags, strerror(s->err),
			 (uintmax_t)q->vma_start, (uintmax_t)q->vma_end,
			 (uintmax_t)q->vma_flags, (uintmax_t)q->vma_offset,
			 q->dev_major, q->dev_minor, (uintmax_t)q->inode,
			 s->with_names && q->vma_name_size ? s->name : "",
			 show(&id), (uintmax_t)region);
	stop();
}

static void ask(int maps, uint64_t addr, uint64_t flags, struct seen *s)
{
	memset(&s->q, 0, sizeof(s->q));
	s->q.size = sizeof(s->q);
	s->q.query_addr = addr;
	s->q.query_flags = flags;
	if (s->with_names) {
		s->q.vma_name_size = sizeof(s->name);
		s->q.vma_name_addr = (uintptr_t)s->name;
		s->q.build_id_size = sizeof(s->id);
		s->q.build_id_addr = (uintptr_t)s->id;
	}
	s->err = query(maps, &s->q);
}

/* Is it this VMA, in every field? */
static bool is_vma(const struct seen *s, uint64_t start, uint64_t end,
		   uint64_t flags, uint64_t offset, const struct file *file)
{
	const struct procmap_query *q = &s->q;

	if (q->vma_start != start || q->vma_end != end ||
	    q->vma_flags != flags || q->vma_page_size != page ||
	    q->vma_offset != offset || q->inode != file->inode ||
	    q->dev_major != file->dev_major || q->dev_minor != file->dev_minor)
		return false;
	return !s->with_names ||
	       (q->vma_name_size == strlen(file->name) + 1 &&
		!memcmp(s->name, file->name, q->vma_name_size) &&
		q->build_id_size == file->id.size &&
		!memcmp(s->id, file->id.id, file->id.size));
}

static bool always_mapped(uint64_t addr)
{
	return !race->scene->mapped || race->scene->mapped(addr);
}

/* Is it where it must be? */
static bool right_place(const struct procmap_query *q)
{
	if (q->query_addr >= q->vma_end)
		return false;
	if (q->query_flags == PROCMAP_QUERY_COVERING_OR_NEXT_VMA)
		return q->vma_start <= q->query_addr ||
		       !always_mapped(q->query_addr);
	return q->query_flags || q->vma_start <= q->query_addr;
}

/* Checks what does not depend on the scene, and then what does. */
static void check(const struct seen *s, unsigned long *answers)
{
	const struct procmap_query *q = &s->q;
	const uint64_t end = region + REGION_PAGES * page;
	uint64_t wanted = q->query_flags & PERMISSIONS;

	if (s->err == ENOENT && !q->query_flags && !always_mapped(q->query_addr))
		return;
	if (s->err == ENOENT) {
		race->not_found = true;
		fail(s, "not found");
	} else if (s->err) {
		fail(s, "wrong error");
	} else if (!right_place(q)) {
		race->not_found = q->vma_start > q->query_addr && q->query_flags;
		fail(s, "wrong place");
	} else if ((q->vma_flags & wanted) != wanted) {
		fail(s, "filter");
	} else if (q->vma_start < end || always_mapped(end - page)) {
		if (race->scene->right(s))
			count(answers);
		else
			fail(s, "no such VMA ever");
	}
}

static uint64_t random_addr(uint32_t *seed)
{
	unsigned int at = random_below(seed, 8) ? random_hot(seed, 1) :
						 random_below(seed, REGION_PAGES);

	return region + at * page;
}

/* Most queries are for numbers only, which is fast. */
static void read_answers(int maps, uint32_t seed, unsigned long *answers)
{
	struct seen s = {};

	while (!stopped()) {
		uint64_t addr, flags = race->scene->flags;

		if (flags) {
			addr = race->scene->from(&seed);
		} else {
			addr = random_addr(&seed);
			if (random_below(&seed, 2))
				flags = PROCMAP_QUERY_COVERING_OR_NEXT_VMA;
		}
		s.with_names = !random_below(&seed, 4);
		ask(maps, addr, flags, &s);
		check(&s, answers);
	}
}

static void *read_own(void *arg)
{
	int maps = maps_open(0);

	must(maps >= 0);
	pthread_barrier_wait(&prepared);
	read_answers(maps, 0x1234567, &race->answers[0]);
	close(maps);
	return NULL;
}

static void *change_mappings(void *arg)
{
	uint32_t seed = 0x7654321;

	pthread_barrier_wait(&prepared);
	while (!stopped()) {
		race->scene->change(&seed);
		count(&race->changes);
	}
	return NULL;
}

static pid_t start_other_reader(void)
{
	int maps = maps_open(0);
	pid_t pid = fork();

	must(maps >= 0 && pid >= 0);
	if (pid) {
		close(maps);
		return pid;
	}
	must(!prctl(PR_SET_PDEATHSIG, SIGKILL));
	read_answers(maps, 0x2345678, &race->answers[1]);
	_exit(0);
}

static time_t race_seconds(void)
{
	const char *seconds = getenv(SECONDS_ENV);
	long value = seconds ? atol(seconds) : 0;

	return value > 0 ? value : SECONDS_DEFAULT;
}

static bool reached(const unsigned long *counter, unsigned long least)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED) >= least;
}

static bool enough_seen(void)
{
	return reached(&race->changes, CHANGES_MIN) &&
	       reached(&race->answers[0], ANSWERS_MIN) &&
	       reached(&race->answers[1], ANSWERS_MIN);
}

/* Whether a run that began at @start is to go on. */
static bool goes_on(time_t start, bool enough)
{
	time_t seconds = time(NULL) - start;

	return !stopped() && (seconds < race_seconds() ||
			      (!enough && seconds < PATIENCE * slowness()));
}

static void wait_for_end(void)
{
	time_t start = time(NULL);

	while (goes_on(start, enough_seen()))
		wait_a_tick();
	stop();
}

/* Maps the pages of the file from page @offset on to page @at of the region. */
static void map_pages(uint64_t at, unsigned int pages, uint64_t flags,
		      uint64_t offset, const struct file *file)
{
	int prot = (flags & PROCMAP_QUERY_VMA_READABLE ? PROT_READ : 0) |
		   (flags & PROCMAP_QUERY_VMA_WRITABLE ? PROT_WRITE : 0) |
		   (flags & PROCMAP_QUERY_VMA_EXECUTABLE ? PROT_EXEC : 0);
	int share = flags & PROCMAP_QUERY_VMA_SHARED ? MAP_SHARED : MAP_PRIVATE;
	void *addr = (void *)(uintptr_t)(region + at * page);

	must(mmap(addr, pages * page, prot, share | MAP_FIXED, file->fd,
		  offset * page) == addr);
}

static void unmap_pages(uint64_t at, unsigned int pages)
{
	must(!munmap((void *)(uintptr_t)(region + at * page), pages * page));
}

static void protect_pages(uint64_t at, unsigned int pages, int prot)
{
	must(!mprotect((void *)(uintptr_t)(region + at * page), pages * page,
		       prot));
}

/* Reserves pages where nothing can be read, and nothing else will be mapped. */
static void reserve_pages(uint64_t at, unsigned int pages)
{
	void *addr = (void *)(uintptr_t)(region + at * page);

	must(mmap(addr, pages * page, PROT_NONE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		  0) == addr);
}

/*
 * Changes mappings in one thread, while another one and another process ask. No
 * other thread maps anything, and the region is reserved until the threads have their
 * stacks, so that nothing else gets into it.
 */
static void run(const struct scene *scene)
{
	pthread_t writer, reader;
	int status;
	pid_t pid;

	race->scene = scene;
	must(!pthread_barrier_init(&prepared, NULL, 3));
	reserve_pages(0, REGION_PAGES);
	must(!pthread_create(&reader, NULL, read_own, NULL));
	must(!pthread_create(&writer, NULL, change_mappings, NULL));
	unmap_pages(0, REGION_PAGES);
	scene->prepare();
	pid = start_other_reader();
	pthread_barrier_wait(&prepared);
	wait_for_end();
	must(!pthread_join(writer, NULL) && !pthread_join(reader, NULL));
	must(waitpid(pid, &status, 0) == pid && !status);
}

/* The first half of the files are memfds, the others are in our tmpfs. */
static void make_file(unsigned int i)
{
	const struct shape shape = {
		"file", { { { BUILD_ID(20, 0x10 * i) } } }, 20, 0x10 * i,
	};
	struct image img = {
		.class = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32,
		.order = NATIVE_ORDER,
	};
	struct file *file = &files[i];
	char name[64];
	struct stat st;

	snprintf(name, sizeof(name), "/tmp/race-%u", i);
	if (i < FILES / 2) {
		img.fd = memfd_create(name, MFD_CLOEXEC);
		snprintf(file->name, sizeof(file->name), "/memfd:%s (deleted)",
			 name);
	} else {
		img.fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0755);
		strcpy(file->name, name);
	}
	must(img.fd >= 0);
	put_shape(&img, &shape);
	must(!fstat(img.fd, &st));
	file->fd = img.fd;
	file->inode = st.st_ino;
	file->dev_major = major(st.st_dev);
	file->dev_minor = minor(st.st_dev);
	file->id = shape_answer(&shape);
}

static const char *set_up(void)
{
	const char *lacks;
	unsigned int i;
	void *addr;

	if (geteuid())
		return "must be root to mount a file system";
	lacks = mount_privately();
	if (!lacks)
		lacks = mount_at("/tmp", "tmpfs", "tmpfs");
	if (lacks)
		return lacks;
	for (i = 0; i < FILES; i++)
		make_file(i);

	page = getpagesize();
	race = mmap(NULL, sizeof(*race), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	/* A page on either side stays, so that nothing merges across them. */
	addr = mmap(NULL, (REGION_PAGES + 2) * page, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	must(race != MAP_FAILED && addr != MAP_FAILED);
	region = (uintptr_t)addr + page;
	unmap_pages(0, REGION_PAGES);
	return NULL;
}

FIXTURE(race) {
	const char *missing;	/* why the test cannot be run, or NULL */
};

FIXTURE_SETUP(race)
{
	self->missing = set_up();
}

/*
 * No query holds on to a file of ours; the kernel itself does, for a moment, where
 * it tears down in the background what a query had been the last user of.
 */
static int unmount_files(void)
{
	time_t end = time(NULL) + PATIENCE * slowness();

	while (umount2("/tmp", 0)) {
		if (errno != EBUSY || time(NULL) > end)
			return errno;
		wait_a_tick();
	}
	return 0;
}

FIXTURE_TEARDOWN(race)
{
	unsigned int i;

	if (self->missing)
		return;
	unmap_pages(0, REGION_PAGES);
	for (i = 0; i < FILES; i++)
		close(files[i].fd);
	EXPECT_EQ(0, unmount_files());
}

/*
 * Slots that are mapped and unmapped. The offset tells slot and version, and
 * they tell everything else. The odd slots are always mapped: one version
 * replaces the other, and there is no moment with none.
 */
#define SLOT_PAGES	4
#define SLOTS		(REGION_PAGES / SLOT_PAGES)
#define VERSIONS	16

static uint64_t version_flags(unsigned int version)
{
	return PROCMAP_QUERY_VMA_READABLE |
	       (version & 4 ? PROCMAP_QUERY_VMA_WRITABLE : 0) |
	       (version & 8 ? PROCMAP_QUERY_VMA_EXECUTABLE : 0) |
	       ((version ^ version >> 1) & 1 ? PROCMAP_QUERY_VMA_SHARED : 0);
}

/* In pages, such that no slot continues another. */
static uint64_t version_offset(unsigned int slot, unsigned int version)
{
	return (slot * VERSIONS + version) * 2 * SLOT_PAGES;
}

static unsigned int version_pages(unsigned int slot, unsigned int version)
{
	return slot & 1 ? SLOT_PAGES : 1 + version % SLOT_PAGES;
}

static void map_slot(unsigned int slot, unsigned int version)
{
	map_pages(slot * SLOT_PAGES, version_pages(slot, version),
		  version_flags(version), version_offset(slot, version),
		  &files[version % FILES]);
}

static void prepare_slots(void)
{
	unsigned int slot;

	for (slot = 0; slot < SLOTS; slot++)
		map_slot(slot, slot % VERSIONS);
}

static void change_slot(uint32_t *seed)
{
	unsigned int slot = random_hot(seed, SLOT_PAGES) / SLOT_PAGES;

	if (!(slot & 1))
		unmap_pages(slot * SLOT_PAGES, SLOT_PAGES);
	map_slot(slot, random_below(seed, VERSIONS));
}

static bool slot_mapped(uint64_t addr)
{
	return (addr - region) / page / SLOT_PAGES & 1;
}

static bool slot_right(const struct seen *s)
{
	uint64_t nr = s->q.vma_offset / page / (2 * SLOT_PAGES);
	unsigned int version = nr % VERSIONS, slot = nr / VERSIONS;
	uint64_t start = region + (uint64_t)slot * SLOT_PAGES * page;

	return slot < SLOTS &&
	       is_vma(s, start, start + version_pages(slot, version) * page,
		      version_flags(version),
		      version_offset(slot, version) * page,
		      &files[version % FILES]);
}

static const struct scene slots = {
	.prepare = prepare_slots,
	.change = change_slot,
	.right = slot_right,
	.mapped = slot_mapped,
};

/*
 * Blocks of one VMA or of three: all of it is executable, or nothing, or the
 * middle. VMAs are split and merged, made and freed, and their start, end and
 * offset change in place. To become executable as a whole, three VMAs change by
 * one system call, and no other query may see how far it has come.
 */
#define BLOCK_PAGES	16
#define BLOCKS		(REGION_PAGES / BLOCK_PAGES)

static struct {
	unsigned int from, to;	/* the middle; nothing if there is none */
	bool all;
} executable[BLOCKS];

static void prepare_blocks(void)
{
	unsigned int i;

	for (i = 0; i < BLOCKS; i++)
		/* The next one is another file, so that they do not merge. */
		map_pages(i * BLOCK_PAGES, BLOCK_PAGES,
			  PROCMAP_QUERY_VMA_READABLE | PROCMAP_QUERY_VMA_SHARED,
			  i * BLOCK_PAGES, &files[i % FILES]);
}

static void protect_block(unsigned int block, unsigned int from,
			  unsigned int to, int prot)
{
	if (from < to)
		protect_pages(block * BLOCK_PAGES + from, to - from, prot);
}

/* Makes a middle, or moves the borders of the one that there is. */
static void change_middle(unsigned int i, unsigned int from, unsigned int to)
{
	if (executable[i].to < from || executable[i].from > to) {
		protect_block(i, executable[i].from, executable[i].to,
			      PROT_READ);
	} else {
		protect_block(i, executable[i].from, from, PROT_READ);
		protect_block(i, to, executable[i].to, PROT_READ);
	}
	protect_block(i, from, to, PROT_READ | PROT_EXEC);
	executable[i].from = from;
	executable[i].to = to;
}

static void change_block(uint32_t *seed)
{
	unsigned int i = random_hot(seed, BLOCK_PAGES) / BLOCK_PAGES;
	unsigned int to = 2 + random_below(seed, BLOCK_PAGES - 2);
	unsigned int from = 1 + random_below(seed, to - 1);

	if (executable[i].all) {
		protect_block(i, 0, BLOCK_PAGES, PROT_READ);
		executable[i].all = false;
	} else if (executable[i].to && random_below(seed, 2)) {
		protect_block(i, 0, BLOCK_PAGES, PROT_READ | PROT_EXEC);
		executable[i].to = 0;
		executable[i].from = 0;
		executable[i].all = true;
	} else {
		change_middle(i, from, to);
	}
}

static bool block_right(const struct seen *s)
{
	const uint64_t size = BLOCK_PAGES * page;
	const struct procmap_query *q = &s->q;
	unsigned int i = (q->vma_start - region) / size;
	uint64_t start = region + i * size, end = start + size;
	uint64_t flags = PROCMAP_QUERY_VMA_READABLE | PROCMAP_QUERY_VMA_SHARED;

	if (i >= BLOCKS || q->vma_start % page || q->vma_end % page ||
	    q->vma_start >= q->vma_end || q->vma_end > end)
		return false;
	if (q->vma_start == start && q->vma_end == end)
		flags |= q->vma_flags & PROCMAP_QUERY_VMA_EXECUTABLE;
	else if (q->vma_start != start && q->vma_end != end)
		flags |= PROCMAP_QUERY_VMA_EXECUTABLE;
	return is_vma(s, q->vma_start, q->vma_end, flags,
		      q->vma_start - region, &files[i % FILES]);
}

static const struct scene blocks = {
	.prepare = prepare_blocks,
	.change = change_block,
	.right = block_right,
};

/*
 * Mappings that are made in one place, and grow and shrink in another one, where
 * each of them is moved over the one before: there, something is always mapped.
 * The offset tells which version it is; it may be in either place, at any size.
 * Linux 7.3, which locks single VMAs for a query instead of the mm, is known to find
 * nothing there while mremap() is between unmapping and moving.
 */
#define PLACE_PAGES	8

static unsigned int place_pages[CHUNKS];

static void prepare_places(void)
{
	unsigned int i;

	for (i = 0; i < CHUNKS; i++) {
		map_pages(i * CHUNK_PAGES, 1, version_flags(0), 0, &files[0]);
		place_pages[i] = 1;
	}
}

static void move(uint64_t from, unsigned int pages, uint64_t to,
		 unsigned int to_pages)
{
	void *from_addr = (void *)(uintptr_t)(region + from * page);
	void *to_addr = (void *)(uintptr_t)(region + to * page);
	int flags = from == to ? 0 : MREMAP_MAYMOVE | MREMAP_FIXED;

	must(mremap(from_addr, pages * page, to_pages * page, flags,
		    to_addr) == to_addr);
}

static void change_place(uint32_t *seed)
{
	unsigned int i = random_below(seed, CHUNKS);
	unsigned int version = random_below(seed, VERSIONS);
	unsigned int pages = 1 + random_below(seed, PLACE_PAGES - 1);
	uint64_t to = i * CHUNK_PAGES, from = to + PLACE_PAGES;

	if (random_below(seed, 2)) {
		/* No more than the first page, or some would be left over. */
		move(to, place_pages[i], to, 1);
		map_pages(from, 1, version_flags(version), version * PLACE_PAGES,
			  &files[version % FILES]);
		move(from, 1, to, pages);
	} else {
		move(to, place_pages[i], to, pages);
	}
	place_pages[i] = pages;
}

static bool place_mapped(uint64_t addr)
{
	return (addr - region) / page % CHUNK_PAGES == 0;
}

static bool place_right(const struct seen *s)
{
	unsigned int version = s->q.vma_offset / page / PLACE_PAGES;
	uint64_t at = (s->q.vma_start - region) % (CHUNK_PAGES * page);
	uint64_t size = s->q.vma_end - s->q.vma_start;

	return version < VERSIONS && size && size % page == 0 &&
	       (at == 0 ? size / page < PLACE_PAGES :
			  at == PLACE_PAGES * page && size == page) &&
	       is_vma(s, s->q.vma_start, s->q.vma_end, version_flags(version),
		      (uint64_t)version * PLACE_PAGES * page,
		      &files[version % FILES]);
}

static const struct scene moves = {
	.prepare = prepare_places,
	.change = change_place,
	.right = place_right,
	.mapped = place_mapped,
};

/*
 * A page that is moved over the last one that is mapped. There is nothing behind it
 * that could be found instead.
 */
static uint64_t last;		/* this page, counted from the region */

static void change_end(uint32_t *seed)
{
	map_pages(0, 1, PROCMAP_QUERY_VMA_READABLE, 0, &files[0]);
	move(0, 1, last, 1);
}

/* Returns whether there is room for it. */
static bool find_end(void)
{
	struct procmap_query q;
	int maps = maps_open(0);
	uint64_t end = region;
	void *addr;

	must(maps >= 0);
	while (!query_at(maps, end, NEXT, &q))
		end = q.vma_end;
	close(maps);
	last = (end - region) / page;
	addr = mmap((void *)(uintptr_t)end, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	return addr == (void *)(uintptr_t)end;
}

static void prepare_end(void)
{
	reserve_pages(1, REGION_PAGES - 1);
	change_end(NULL);
}

static uint64_t end_from(uint32_t *seed)
{
	return region + last * page;
}

static bool end_right(const struct seen *s)
{
	const uint64_t start = end_from(NULL);

	return is_vma(s, start, start + page, PROCMAP_QUERY_VMA_READABLE, 0, &files[0]);
}

static const struct scene moves_at_end = {
	.prepare = prepare_end,
	.change = change_end,
	.right = end_right,
	.from = end_from,
	.flags = PROCMAP_QUERY_VMA_READABLE,
};

/*
 * Pairs of anonymous pages. In turn, the first one gets a name, then the second
 * one another, then both together a third one, which makes them one VMA; or they
 * are mapped anew without. Names are one letter many times, so that the first
 * page alone never has the third letter, nor any name a mixture of letters.
 */
#define PAIR_PAGES	8		/* from one pair to the next */
#define NAME_MAX_LEN	79

static unsigned int pair_turn[REGION_PAGES / PAIR_PAGES];

static char pair_letter(unsigned int pair, unsigned int which)
{
	return 'a' + pair % 8 * 3 + which;
}

static bool set_name(uint64_t at, unsigned int pages, char letter,
		     unsigned int len)
{
	char name[NAME_MAX_LEN + 1] = "";

	memset(name, letter, len);
	return !prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME,
		      (unsigned long)(region + at * page),
		      (unsigned long)(pages * page), name);
}

/* The pages around a pair stay unmapped, so that it merges with nothing. */
static void prepare_pairs(void)
{
	uint64_t at;

	for (at = 1; at < REGION_PAGES; at += PAIR_PAGES)
		reserve_pages(at, 2);
}

static void change_pair(uint32_t *seed)
{
	unsigned int at = random_hot(seed, PAIR_PAGES) + 1;
	unsigned int pair = at / PAIR_PAGES, turn = pair_turn[pair]++ % 3;
	unsigned int len = 1 + random_below(seed, NAME_MAX_LEN);

	if (!turn && random_below(seed, 2))
		reserve_pages(at, 2);
	must(set_name(turn == 1 ? at + 1 : at, turn == 2 ? 2 : 1,
		      pair_letter(pair, turn), len));
}

/* Is it that letter many times, and nothing else? */
static bool is_name(const struct seen *s, char letter)
{
	const size_t before = strlen("[anon:"), after = strlen("]") + 1;
	size_t size = s->q.vma_name_size, i;

	if (size <= before + after || size > before + NAME_MAX_LEN + after ||
	    memcmp(s->name, "[anon:", before) ||
	    memcmp(s->name + size - after, "]", after))
		return false;
	for (i = before; i < size - after; i++) {
		if (s->name[i] != letter)
			return false;
	}
	return true;
}

static bool pair_right(const struct seen *s)
{
	const struct procmap_query *q = &s->q;
	unsigned int pair = (q->vma_start - region) / page / PAIR_PAGES;
	uint64_t first = region + ((uint64_t)pair * PAIR_PAGES + 1) * page;
	bool has_first = q->vma_start == first;
	bool has_second = q->vma_end == first + 2 * page;

	if ((!has_first && q->vma_start != first + page) ||
	    (!has_second && q->vma_end != first + page) ||
	    q->vma_flags || q->inode || q->vma_offset || q->dev_major ||
	    q->dev_minor || q->vma_page_size != page)
		return false;
	if (!s->with_names)
		return true;
	if (q->build_id_size)
		return false;
	if (!has_second)
		return is_name(s, pair_letter(pair, 0));
	return !q->vma_name_size || is_name(s, pair_letter(pair, 2)) ||
	       (!has_first && is_name(s, pair_letter(pair, 1)));
}

static bool nowhere_mapped(uint64_t addr)
{
	return false;
}

static const struct scene pairs = {
	.prepare = prepare_pairs,
	.change = change_pair,
	.right = pair_right,
	.mapped = nowhere_mapped,
};

/*
 * A mapped file that changes its name and its directory's, both of very
 * different lengths.
 */
static char paths[2][2][PATH_MAX];	/* by directory and file */
static char dirs[2][PATH_MAX];
static int dir_now, name_now;

static void prepare_renames(void)
{
	struct file *file = &files[FILES - 1];
	char letters[2][200] = { "", "" };
	int dir, name;

	memset(letters[0], 'x', 20);
	memset(letters[1], 'y', 199);
	for (dir = 0; dir < 2; dir++) {
		snprintf(dirs[dir], PATH_MAX, "/tmp/%s", letters[dir]);
		for (name = 0; name < 2; name++)
			snprintf(paths[dir][name], PATH_MAX, "/tmp/%s/%s",
				 letters[dir], letters[name]);
	}
	must(!mkdir(dirs[0], 0755) && !rename(file->name, paths[0][0]));
	strcpy(file->name, paths[0][0]);
	map_pages(0, REGION_PAGES, PROCMAP_QUERY_VMA_READABLE, 0, file);
}

static void change_path(uint32_t *seed)
{
	if (random_below(seed, 2)) {
		must(!rename(dirs[dir_now], dirs[!dir_now]));
		dir_now = !dir_now;
	} else {
		must(!rename(paths[dir_now][name_now],
			     paths[dir_now][!name_now]));
		name_now = !name_now;
	}
}

static bool path_right(const struct seen *s)
{
	int i;

	for (i = 0; i < 4; i++) {
		struct file file = files[FILES - 1];

		strcpy(file.name, paths[i & 1][i >> 1]);
		if (is_vma(s, region, region + REGION_PAGES * page,
			   PROCMAP_QUERY_VMA_READABLE, 0, &file))
			return true;
	}
	return false;
}

static const struct scene renames = {
	.prepare = prepare_renames,
	.change = change_path,
	.right = path_right,
};

/*
 * A search through very many VMAs, in which the kernel may let the writer in,
 * must find the only one that matches: the last one, which is now and then
 * replaced by another version of it.
 */
#define SEARCH_FLAGS	(PROCMAP_QUERY_VMA_READABLE |	\
			 PROCMAP_QUERY_VMA_WRITABLE |	\
			 PROCMAP_QUERY_VMA_SHARED)

static void map_last(unsigned int version)
{
	map_pages(REGION_PAGES - 1, 1, SEARCH_FLAGS, version,
		  &files[version % FILES]);
}

static void prepare_search(void)
{
	unsigned int at;

	reserve_pages(0, REGION_PAGES - 1);
	for (at = 0; at < REGION_PAGES - 1; at += 2)
		protect_pages(at, 1, PROT_READ);
	map_last(0);
}

/* Splits, merges, unmaps. */
static void change_before(uint32_t *seed)
{
	unsigned int at = random_below(seed, REGION_PAGES - 1);

	if (random_below(seed, 2)) {
		unmap_pages(at, 1);
		reserve_pages(at, 1);
	}
	protect_pages(at, 1, random_below(seed, 2) ? PROT_READ : PROT_NONE);
	if (!random_below(seed, 4))
		map_last(random_below(seed, VERSIONS));
}

static bool last_right(const struct seen *s)
{
	uint64_t end = region + REGION_PAGES * page;
	unsigned int version = s->q.vma_offset / page;

	return version < VERSIONS &&
	       is_vma(s, end - page, end, SEARCH_FLAGS, version * page,
		      &files[version % FILES]);
}

/*
 * Mostly from near by: then what matches often comes right behind the place where
 * the kernel lets the writer in, and must not be passed over.
 */
static uint64_t search_from(uint32_t *seed)
{
	if (random_below(seed, 16))
		return region + (REGION_PAGES - 2 - random_below(seed, 128)) *
				page;
	return region;
}

static const struct scene search = {
	.prepare = prepare_search,
	.change = change_before,
	.right = last_right,
	.from = search_from,
	.flags = PROCMAP_QUERY_COVERING_OR_NEXT_VMA |
		 PROCMAP_QUERY_FILE_BACKED_VMA | PROCMAP_QUERY_VMA_WRITABLE |
		 PROCMAP_QUERY_VMA_SHARED,
};

#define EXPECT_RACE_GOOD()						\
	do {								\
		EXPECT_FALSE(race->failed)				\
			TH_LOG("%s", race->what);			\
		EXPECT_LE(CHANGES_MIN, race->changes);			\
		EXPECT_LE(ANSWERS_MIN, race->answers[0]);		\
		EXPECT_LE(ANSWERS_MIN, race->answers[1]);		\
		TH_LOG("%lu changes, %lu and %lu answers",		\
		       race->changes, race->answers[0],			\
		       race->answers[1]);				\
	} while (0)

TEST_F(race, split_and_merge)
{
	if (self->missing)
		SKIP(return, "%s", self->missing);
	run(&blocks);
	EXPECT_RACE_GOOD();
}

TEST_F(race, move_and_resize)
{
	if (self->missing)
		SKIP(return, "%s", self->missing);
	run(&moves);
	if (race->not_found)
		XFAIL(return, "nothing is found while a mapping is moved over another");
	EXPECT_RACE_GOOD();
}

TEST_F(race, move_to_the_end)
{
	if (self->missing)
		SKIP(return, "%s", self->missing);
	if (!find_end())
		SKIP(return, "there is no room behind the last mapping");
	run(&moves_at_end);
	if (race->not_found)
		XFAIL(return, "nothing is found while a mapping is moved over the last");
	EXPECT_RACE_GOOD();
}

TEST_F(race, name_memory)
{
	if (self->missing)
		SKIP(return, "%s", self->missing);
	reserve_pages(0, 1);
	if (!set_name(0, 1, 'a', 1))
		SKIP(return, "names for anonymous memory: %s", strerror(errno));
	unmap_pages(0, 1);
	run(&pairs);
	EXPECT_RACE_GOOD();
}

TEST_F(race, rename_file)
{
	if (self->missing)
		SKIP(return, "%s", self->missing);
	run(&renames);
	EXPECT_RACE_GOOD();
}

TEST_F(race, search)
{
	if (self->missing)
		SKIP(return, "%s", self->missing);
	run(&search);
	EXPECT_RACE_GOOD();
}

/* A process that takes its mmap lock for writing; @hold says when it begins. */
static pid_t start_holder(void (*hold)(int sock))
{
	int socks[2];
	char byte;
	pid_t pid;

	must(!socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	pid = fork();
	must(pid >= 0);
	if (!pid) {
		close(socks[0]);
		must(!prctl(PR_SET_PDEATHSIG, SIGKILL));
		hold(socks[1]);
	}
	close(socks[1]);
	must(read(socks[0], &byte, 1) == 1);
	close(socks[0]);
	return pid;
}

static void end_process(pid_t pid)
{
	must(!kill(pid, SIGKILL));
	must(waitpid(pid, NULL, 0) == pid);
}

/*
 * Targets that go away while they are queried: killed, by an exit of their own,
 * or into another program.
 */

static void __attribute__((constructor)) be_executed(void)
{
	if (getenv(END_ENV))
		_exit(0);
}

enum ending { KILLED, EXITED, EXECUTED, ENDINGS };

static void be_target(enum ending ending, int sock, uint32_t seed)
{
	static char * const argv[] = { "end", NULL };
	static char * const envp[] = { END_ENV "=1", NULL };
	unsigned int changes = random_below(&seed, 200);
	char byte;

	must(!prctl(PR_SET_PDEATHSIG, SIGKILL));
	prepare_slots();
	must(write(sock, "", 1) == 1 && read(sock, &byte, 1) == 1);
	while (ending == KILLED || changes--)
		change_slot(&seed);
	if (ending == EXECUTED)
		execve("/proc/self/exe", argv, envp);
	_exit(ending == EXECUTED ? 127 : 0);
}

/* Once it has gone, it does not come back. */
static void check_gone(int maps)
{
	struct seen s = {};
	int i;

	for (i = 0; i < 10 && !stopped(); i++) {
		ask(maps, region, PROCMAP_QUERY_COVERING_OR_NEXT_VMA, &s);
		if (s.err != ESRCH)
			fail(&s, "gone");
	}
}

/* Returns its maps file. */
static int start_target(enum ending ending, uint32_t seed, pid_t *pid)
{
	int maps, socks[2];
	char byte;

	must(!socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	*pid = fork();
	must(*pid >= 0);
	if (!*pid)
		be_target(ending, socks[1], seed);
	close(socks[1]);
	must(read(socks[0], &byte, 1) == 1);
	maps = maps_open(*pid);
	must(maps >= 0);
	must(write(socks[0], "", 1) == 1);
	close(socks[0]);
	return maps;
}

static void watch_target(enum ending ending, uint32_t *seed)
{
	int queries = random_below(seed, 200);
	struct seen s = {};
	pid_t pid;
	int maps = start_target(ending, *seed, &pid);

	do {
		if (ending == KILLED && !queries--)
			must(!kill(pid, SIGKILL));
		s.with_names = !random_below(seed, 4);
		ask(maps, random_addr(seed), 0, &s);
		if (s.err != ESRCH)
			check(&s, &race->answers[0]);
	} while (s.err != ESRCH && !stopped());
	check_gone(maps);
	kill(pid, SIGKILL);
	must(waitpid(pid, NULL, 0) == pid);
	close(maps);
	count(&race->changes);
}

TEST_F(race, end_of_target)
{
	time_t start = time(NULL);
	uint32_t seed = 0x3456789;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	race->scene = &slots;
	while (goes_on(start, reached(&race->changes, TARGETS_MIN)))
		watch_target(race->changes % ENDINGS, &seed);
	EXPECT_FALSE(race->failed)
		TH_LOG("%s", race->what);
	EXPECT_LE(TARGETS_MIN, race->changes);
	EXPECT_LE(ANSWERS_MIN, race->answers[0]);
	TH_LOG("%lu targets, %lu answers", race->changes, race->answers[0]);
}

/*
 * Who asks is killed: as it waits for the lock that the target holds for long, and
 * in a search, whether anybody waits for the search to let it in or not. It must
 * leave no lock behind, or the target would not get any further, and no file.
 */

/* By what says nothing to a query, but changes each VMA of very many. */
static void hold_lock_for_long(void)
{
	void *addr = (void *)(uintptr_t)region;

	must(!madvise(addr, (REGION_PAGES - 1) * page, MADV_DONTFORK));
	must(!madvise(addr, (REGION_PAGES - 1) * page, MADV_DOFORK));
}

static void hold_lock_often(int sock)
{
	uint32_t seed = 0x456789a;
	unsigned int ticks;

	prepare_search();
	must(write(sock, "", 1) == 1);
	for (;;) {
		for (ticks = random_below(&seed, 5); ticks; ticks--)
			wait_a_tick();
		hold_lock_for_long();
		count(&race->changes);
	}
}

static void kill_reader(int maps, uint32_t *seed)
{
	unsigned int ticks = random_below(seed, 10);
	pid_t pid = fork();

	must(pid >= 0);
	if (!pid) {
		must(!prctl(PR_SET_PDEATHSIG, SIGKILL));
		read_answers(maps, *seed, &race->answers[1]);
		_exit(0);
	}
	for (; ticks; ticks--)
		wait_a_tick();
	end_process(pid);
}

TEST_F(race, killed)
{
	unsigned long *killed = &race->answers[0], changes;
	time_t start = time(NULL);
	uint32_t seed = 0x56789ab;
	pid_t target;
	int maps;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	race->scene = &search;
	target = start_holder(hold_lock_often);
	maps = maps_open(target);
	while (goes_on(start, reached(killed, KILLED_MIN))) {
		kill_reader(maps, &seed);
		count(killed);
	}
	EXPECT_FALSE(race->failed)
		TH_LOG("%s", race->what);
	EXPECT_LE(KILLED_MIN, *killed);

	start = time(NULL);
	changes = race->changes + 2;
	while (goes_on(start, reached(&race->changes, changes)))
		wait_a_tick();
	EXPECT_LE(changes, race->changes);
	end_process(target);
	close(maps);
	TH_LOG("%lu changes, %lu killed, %lu answers", race->changes, *killed,
	       race->answers[1]);
}

QUERY_TEST_MAIN
