// SPDX-License-Identifier: GPL-2.0
/*
 * A PROCMAP_QUERY with a filter may have to skip very many VMAs. Two parties must not
 * suffer from that: the caller, whom a process that changes its mappings all the time
 * must not hold up; and that process, which must not be held up by a search.
 */
#define _FILE_OFFSET_BITS 64
#include <poll.h>
#include <pthread.h>
#include "proc-maps-query.h"

/* VMAs to skip. The writers change those at the end. */
#define VMAS		15000

/* Filters: only the VMA behind these matches the first, and none the second. */
#define THE_LAST	(NEXT | PROCMAP_QUERY_VMA_WRITABLE | PROCMAP_QUERY_VMA_EXECUTABLE)
#define NOTHING		(THE_LAST | PROCMAP_QUERY_VMA_SHARED)

#define MS		1000000ULL
#define FOR_EVER	(3600000 * MS)

/* What the processes tell each other, in shared memory. */
static struct {
	unsigned int wanted, writers;	/* threads of the target that change VMAs */
	uint64_t last;			/* address of the VMA that matches */
	uint64_t whole;			/* nanoseconds of a search that nobody disturbs */
	unsigned int early, soon;	/* how often the target has written in searches */

	bool begun;			/* what a helper does now, and since when */
	uint64_t since;
	uint64_t text, search;		/* nanoseconds that it has spent so */
} *shared;

/*
 * The target: a process with many VMAs
 */

static void *change_for_ever(void *at)
{
	for (;;) {
		must(!mprotect(at, page_size(), PROT_WRITE));
		must(!mprotect(at, page_size(), PROT_NONE));
	}
	return NULL;
}

/* Maps a page if somebody is early in a search, and counts how often that was over soon. */
static void write_early(void)
{
	static uint64_t over;	/* the write before: a search may have waited for it */
	const uint64_t since = shared->since, start = now_ns();

	if (since < over || start < since + shared->whole / 8 ||
	    start > since + shared->whole / 4)
		return;
	map_anonymous(page_size(), PROT_NONE);
	over = now_ns();
	shared->soon += over < start + shared->whole / 2 && shared->since == since;
	shared->early++;
}

static void be_target(void)
{
	const size_t page = page_size();
	char *addr = map_anonymous((VMAS + 1) * page, PROT_NONE);
	pthread_t thread;
	size_t i;

	for (i = 0; i < VMAS; i += 2)
		must(!mprotect(addr + i * page, page, PROT_READ));
	must(!mprotect(addr + i * page, page, PROT_READ | PROT_WRITE | PROT_EXEC));
	shared->last = to_u64(addr + i * page);
	for (;;) {
		for (; shared->writers < shared->wanted; shared->writers++)
			must(!pthread_create(&thread, NULL, change_for_ever, addr +
					     (VMAS - 1 - 2 * shared->writers) * page));
		if (shared->whole)
			write_early();
		else
			usleep(1000);
	}
}

FIXTURE(search) {
	pid_t target;
	int maps;
};

FIXTURE_SETUP(search)
{
	shared = (void *)map_at(NULL, page_size(), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	self->target = fork();
	must(self->target >= 0);
	if (!self->target) {
		must(!prctl(PR_SET_PDEATHSIG, SIGKILL));
		be_target();
	}
	while (!shared->last)
		must(!waitpid(self->target, NULL, WNOHANG) && !usleep(1000));
	self->maps = maps_open(self->target);
	must(self->maps >= 0);
}

FIXTURE_TEARDOWN(search)
{
	end_child(self->target);
}

static void start_writers(unsigned int writers)
{
	shared->wanted = writers;
	while (shared->writers < writers)
		usleep(1000);
}

/*
 * A helper: a process that asks about the target, and may be killed
 */

struct helper {
	pid_t pid;
	int ended;		/* a pipe that closes as it ends */
};

static struct helper start_helper(void (*work)(int maps), int maps)
{
	struct helper h;
	int ends[2];

	shared->begun = false;
	must(!pipe(ends));
	h.pid = fork();
	must(h.pid >= 0);
	if (!h.pid) {
		must(!prctl(PR_SET_PDEATHSIG, SIGKILL));
		work(maps);
		_exit(0);
	}
	close(ends[1]);
	h.ended = ends[0];
	while (!shared->begun)
		sched_yield();
	return h;
}

/* Returns whether it has ended within so many nanoseconds. */
static bool helper_ends(const struct helper *h, uint64_t ns)
{
	struct pollfd end = { .fd = h->ended, .events = POLLIN };

	return poll(&end, 1, ns / MS) == 1;
}

static void end_helper(const struct helper *h)
{
	kill(h->pid, SIGKILL);
	must(waitpid(h->pid, NULL, 0) == h->pid);
	close(h->ended);
}

static void begin(void)
{
	shared->since = now_ns();
	shared->begun = true;
}

static void search(int maps)
{
	struct procmap_query q;
	uint64_t since;

	begin();
	must(query_at(maps, 0, NOTHING, &q) == ENOENT);
	since = shared->since;
	shared->since = 0;
	shared->search += now_ns() - since;
}

static void search_for_ever(int maps)
{
	for (;;)
		search(maps);
}

/* As busy as who searches, but without any lock. */
static void ask_wrong_for_ever(int maps)
{
	struct procmap_query q;

	begin();
	for (;;)
		must(query_at(maps, 0, ~0ULL, &q) == EINVAL);
}

static void read_text(int maps)
{
	static char text[65536];
	uint64_t start = now_ns();
	ssize_t len;

	must(!lseek(maps, 0, SEEK_SET));
	do
		len = read(maps, text, sizeof(text));
	while (len > 0);
	must(!len);
	shared->text += now_ns() - start;
}

/* Alternates, for long enough that it does not matter who gets the CPU first. */
static void read_and_search(int maps)
{
	unsigned int i;

	for (i = 0; i < 100; i++) {
		if (i && shared->text > (i < 6 ? 2000 : 500) * MS)
			break;
		read_text(maps);
		search(maps);
	}
}

/* Whether searches take longer than reading the text, while so many threads write. */
static bool is_slower(struct __test_metadata *_metadata, int maps, unsigned int writers)
{
	struct helper h;
	uint64_t since, searching;
	bool ended;

	shared->text = 0;
	shared->search = 0;
	h = start_helper(read_and_search, maps);
	do {
		ended = helper_ends(&h, 10 * MS);
		since = shared->since;
		searching = shared->search + (since ? now_ns() - since : 0);
	} while (!ended && searching < 4 * shared->text + 2000 * MS);
	end_helper(&h);
	TH_LOG("%u writers: searches / texts = %.2f, of %ju ms", writers,
	       (double)searching / shared->text, (uintmax_t)(shared->text / MS));
	return searching > shared->text;
}

/*
 * Reading the whole text is what a caller did before there was the ioctl. Beside many
 * writers the luck of getting a CPU counts, too: what is slower is so three times.
 */
TEST_F_TIMEOUT(search, is_no_slower_than_the_text, 200)
{
	static const unsigned int writers[] = { 0, 4, 8, 32, 128 };
	unsigned int i, slower;

	for (i = 0; i < ARRAY_SIZE(writers); i++) {
		start_writers(writers[i]);
		slower = 0;
		while (slower < 3 && is_slower(_metadata, self->maps, writers[i]))
			slower++;
		if (slower == 3)
			XFAIL(return, "who changes mappings can hold up a search");
	}
}

#define RUNS		50
#define PATIENCE	(60000 * MS)	/* how long a busy machine may take for them */

/*
 * Kills a helper that has worked for @ns. Returns the nanoseconds that it took to end; or
 * 0 if the signal came much later than that.
 */
static uint64_t time_kill(void (*work)(int maps), int maps, uint64_t ns)
{
	struct helper h = start_helper(work, maps);
	const uint64_t since = shared->since;
	uint64_t start, took;

	do
		start = now_ns();
	while (start < since + ns);
	kill(h.pid, SIGKILL);
	helper_ends(&h, FOR_EVER);
	took = now_ns() - start;
	end_helper(&h);
	return start < since + 2 * ns ? took : 0;
}

/* Returns the nanoseconds that a search takes which nobody disturbs. */
static uint64_t time_search(int maps)
{
	uint64_t least = FOR_EVER;
	unsigned int i;

	for (i = 0; i < RUNS; i++) {
		shared->search = 0;
		search(maps);
		least = shared->search < least ? shared->search : least;
	}
	return least;
}

/*
 * The signal comes early in the search, when most of it is left. On a busy machine, any
 * work may take longer to end than a search takes; one search of three has to end soon.
 * There are no writers, who would keep the CPU from it.
 */
TEST_F_TIMEOUT(search, ends_with_a_fatal_signal, 90)
{
	const uint64_t whole = time_search(self->maps);
	const uint64_t end = now_ns() + PATIENCE;
	unsigned int early = 0, soon = 0;

	while (early < RUNS && now_ns() < end) {
		const uint64_t other = time_kill(ask_wrong_for_ever, self->maps, whole / 8);
		const uint64_t took = time_kill(search_for_ever, self->maps, whole / 8);

		early += other && took;
		soon += other && took && took < other + whole / 2;
	}
	TH_LOG("%u signals came early in a search of %ju us, and %u ended it soon",
	       early, (uintmax_t)(whole / 1000), soon);
	if (early < RUNS / 5)
		SKIP(return, "too busy to send a signal early in a search");
	if (soon < early / 3)
		XFAIL(return, "a search goes on after a fatal signal");
}

/* Where a search has let the writers in, it must go on and neither skip nor repeat. */
TEST_F(search, finds_what_is_behind)
{
	struct procmap_query q;
	unsigned int i;

	start_writers(4);
	for (i = 0; i < 1000; i++) {
		const uint64_t from = shared->last - i * page_size();

		ASSERT_EQ(0, query_at(self->maps, from, THE_LAST, &q));
		ASSERT_EQ(shared->last, q.vma_start);
	}
}

/* A few of the writes have to be over soon: who has the lock may have to wait for a CPU. */
TEST_F_TIMEOUT(search, lets_writers_in, 90)
{
	const uint64_t whole = time_search(self->maps), end = now_ns() + PATIENCE;
	struct helper h;

	shared->whole = whole;
	h = start_helper(search_for_ever, self->maps);
	while (shared->early < RUNS && now_ns() < end)
		usleep(1000);
	end_helper(&h);
	TH_LOG("%u writes came early in a search of %ju us, and %u were over soon",
	       shared->early, (uintmax_t)(whole / 1000), shared->soon);
	if (shared->early < RUNS / 5)
		SKIP(return, "too busy to write early in a search");
	if (shared->soon <= shared->early / 30)
		XFAIL(return, "a search holds up those who change mappings");
}

QUERY_TEST_MAIN
