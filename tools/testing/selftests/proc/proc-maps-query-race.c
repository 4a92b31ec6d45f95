// SPDX-License-Identifier: GPL-2.0
/*
 * PROCMAP_QUERY about a process whose mappings change all the time: mapped,
 * replaced, split, merged and unmapped. Every answer must be one VMA as it once
 * was. So the mappings are made such that one of their numbers, the offset in
 * their file, tells all of the others, and a mixture of two shows.
 *
 * Runs for a second, and on until there are enough changes and answers.
 */
#define _FILE_OFFSET_BITS 64
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "proc-maps-query.h"

/* Below these, that nothing was wrong says nothing. */
#define CHANGES_MIN	200
#define ANSWERS_MIN	200

/* Seconds after which a machine is too slow for that. */
#define PATIENCE	20

/*
 * Slots lie side by side. The even ones are mapped and unmapped, the odd ones are
 * always mapped: one version replaces the other, and there is no moment with none.
 * Only the first ones change, so that most queries meet what is being changed.
 */
#define SLOTS		256
#define SLOT_PAGES	4
#define HOT_SLOTS	8
#define VERSIONS	16

static uint64_t page, slots;

/* Files to map, every number and name of which is another. */
#define FILES		4

static struct {
	int fd;
	struct stat st;
	char name[64];
} files[FILES];

static unsigned long *changes;	/* in shared memory */

/* What a query asked and what it answered. */
struct seen {
	struct procmap_query q;
	char name[64];
	unsigned char id[BUILD_ID_MAX];
	int err;
};

static uint32_t random_below(uint32_t *seed, uint32_t limit)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed % limit;
}

static uint64_t slot_start(unsigned int slot)
{
	return slots + slot * SLOT_PAGES * page;
}

static uint64_t version_flags(unsigned int version)
{
	return PROCMAP_QUERY_VMA_READABLE |
	       (version & 4 ? PROCMAP_QUERY_VMA_WRITABLE : 0) |
	       (version & 8 ? PROCMAP_QUERY_VMA_EXECUTABLE : 0) |
	       ((version ^ version >> 1) & 1 ? PROCMAP_QUERY_VMA_SHARED : 0);
}

/* Such that no slot continues another. */
static uint64_t version_offset(unsigned int slot, unsigned int version)
{
	return (slot * VERSIONS + version) * 2 * SLOT_PAGES * page;
}

static void map_slot(unsigned int slot, unsigned int version)
{
	const uint64_t flags = version_flags(version);

	map_at((void *)(uintptr_t)slot_start(slot), SLOT_PAGES * page, to_prot(flags),
	       flags & PROCMAP_QUERY_VMA_SHARED ? MAP_SHARED : MAP_PRIVATE,
	       files[version % FILES].fd, version_offset(slot, version));
}

/* A slot is one VMA, or three, of which the middle one has no permissions. */
static void change_slot(uint32_t *seed)
{
	const unsigned int slot = random_below(seed, HOT_SLOTS);
	const unsigned int version = random_below(seed, VERSIONS);
	char *start = (char *)(uintptr_t)slot_start(slot);

	if (!(slot & 1))
		must(!munmap(start, SLOT_PAGES * page));
	map_slot(slot, version);
	if (random_below(seed, 2)) {
		must(!mprotect(start + page, page, PROT_NONE));
		must(!mprotect(start + page, page, to_prot(version_flags(version))));
	}
}

static void be_target(void)
{
	uint32_t seed = 0x7654321;
	unsigned int slot;

	for (slot = 0; slot < SLOTS; slot++)
		map_slot(slot, slot % VERSIONS);
	for (;;) {
		__atomic_add_fetch(changes, 1, __ATOMIC_RELAXED);
		change_slot(&seed);
	}
}

static unsigned long count_changes(void)
{
	return __atomic_load_n(changes, __ATOMIC_RELAXED);
}

/* Asks, one time in four for name and build ID too. */
static void ask(int maps, uint32_t *seed, struct seen *s)
{
	/* Not from the last ones on, so that behind it every version is found. */
	const unsigned int below = random_below(seed, 8) ? HOT_SLOTS : SLOTS - VERSIONS;

	s->q = (struct procmap_query) {
		.size = sizeof(s->q),
		.query_addr = slots + random_below(seed, below * SLOT_PAGES) * page,
		.query_flags = random_below(seed, 2) ? NEXT : 0,
	};
	if (!random_below(seed, 3))
		s->q.query_flags |= random_below(seed, PERMISSIONS + 1);
	if (!random_below(seed, 4)) {
		s->q.vma_name_size = sizeof(s->name);
		s->q.vma_name_addr = to_u64(s->name);
		s->q.build_id_size = sizeof(s->id);
		s->q.build_id_addr = to_u64(s->id);
	}
	s->err = query(maps, &s->q);
}

/* Is it a slot, or a part of it, as it was with some version of it? */
static bool was_there(const struct seen *s)
{
	const struct procmap_query *q = &s->q;
	const uint64_t size = q->vma_end - q->vma_start;
	const unsigned int slot = (q->vma_start - slots) / (SLOT_PAGES * page);
	const uint64_t at = q->vma_start - slot_start(slot);
	const unsigned int version = (q->vma_offset - version_offset(slot, 0)) /
				     (2 * SLOT_PAGES * page);
	uint64_t flags = version_flags(version);
	unsigned char id[BUILD_ID_MAX];

	if (at == page && size == page)
		flags &= PROCMAP_QUERY_VMA_SHARED;
	else if ((at || (size != page && size != SLOT_PAGES * page)) &&
		 (at != 2 * page || size != (SLOT_PAGES - 2) * page))
		return false;
	if (version >= VERSIONS || q->vma_flags != flags || q->vma_page_size != page ||
	    q->vma_offset != version_offset(slot, version) + at ||
	    q->inode != files[version % FILES].st.st_ino ||
	    q->dev_major != major(files[version % FILES].st.st_dev) ||
	    q->dev_minor != minor(files[version % FILES].st.st_dev))
		return false;
	memset(id, 1 + version % FILES, sizeof(id));
	return !q->vma_name_addr ||
	       (q->vma_name_size == strlen(files[version % FILES].name) + 1 &&
		!strcmp(s->name, files[version % FILES].name) &&
		q->build_id_size == sizeof(id) && !memcmp(s->id, id, sizeof(id)));
}

/* Returns what is wrong, or NULL. Counts what was found in a slot. */
static const char *judge(const struct seen *s, unsigned long *answers)
{
	const struct procmap_query *q = &s->q;
	const uint64_t wanted = q->query_flags & PERMISSIONS;
	const bool next = q->query_flags & NEXT;
	const bool mapped = (q->query_addr - slots) / (SLOT_PAGES * page) & 1;

	if (s->err == ENOENT)
		return next ? "nothing behind it" :
		       mapped && !wanted ? "nothing where something always is" : NULL;
	if (s->err)
		return "wrong error";
	if (q->query_addr >= q->vma_end || (q->vma_start > q->query_addr && !next))
		return "wrong place";
	if (q->vma_start > q->query_addr && mapped && !wanted)
		return "passed over";
	if ((q->vma_flags & wanted) != wanted)
		return "does not match";
	if (q->vma_start >= slot_start(SLOTS))
		return "far behind";
	++*answers;
	return was_there(s) ? NULL : "no such VMA ever";
}

FIXTURE(race) {
	pid_t target;
	int maps;
};

FIXTURE_SETUP(race)
{
	unsigned int i;
	char name[32];

	page = page_size();
	for (i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "race-%.*s", (int)i + 1, "abcd");
		files[i].fd = make_memfd(name);
		put_image(files[i].fd, BUILD_ID_MAX, 1 + i);
		must(!fstat(files[i].fd, &files[i].st));
		snprintf(files[i].name, sizeof(files[i].name), "/memfd:%s" DELETED, name);
	}
	changes = (void *)map_at(NULL, page, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	slots = to_u64(map_anonymous(SLOTS * SLOT_PAGES * page, PROT_NONE));
	self->target = fork();
	must(self->target >= 0);
	if (!self->target) {
		must(!prctl(PR_SET_PDEATHSIG, SIGKILL));
		be_target();
	}
	while (!count_changes())
		must(!waitpid(self->target, NULL, WNOHANG));
	self->maps = maps_open(self->target);
	must(self->maps >= 0);
}

FIXTURE_TEARDOWN(race)
{
	end_child(self->target);
}

TEST_F(race, every_answer_was_true_once)
{
	const uint64_t start = now_ns(), second = 1000000000;
	const char *wrong = NULL;
	unsigned long answers = 0;
	uint32_t seed = 0x1234567;
	struct seen s;

	while (!wrong && (now_ns() - start < second ||
			  ((count_changes() < CHANGES_MIN || answers < ANSWERS_MIN) &&
			   now_ns() - start < PATIENCE * second))) {
		ask(self->maps, &seed, &s);
		wrong = judge(&s, &answers);
	}
	TH_LOG("%lu changes, %lu answers", count_changes(), answers);
	ASSERT_EQ(NULL, wrong)
		TH_LOG("%s: %#jx %#jx: %s, %#jx-%#jx flags %#jx offset %#jx (slots at %#jx)",
		       wrong, (uintmax_t)s.q.query_addr, (uintmax_t)s.q.query_flags,
		       strerror(s.err), (uintmax_t)s.q.vma_start, (uintmax_t)s.q.vma_end,
		       (uintmax_t)s.q.vma_flags, (uintmax_t)s.q.vma_offset, (uintmax_t)slots);
	EXPECT_LE(CHANGES_MIN, count_changes());
	EXPECT_LE(ANSWERS_MIN, answers);
}

QUERY_TEST_MAIN
