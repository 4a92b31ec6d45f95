// SPDX-License-Identifier: GPL-2.0
/*
 * The bounds of a PROCMAP_QUERY, one by one: a fatal signal ends it at once, and searches
 * slow down those who write only a little.
 *
 * Who asks is a real-time process, from which no tick of the clock takes the CPU: what
 * interrupts a search here, it has looked for itself. Needs root for that.
 */
#define _FILE_OFFSET_BITS 64
#include <sched.h>
#include "proc-maps-query.h"
#include "proc-maps-query-state.h"

/* As many as take longer to go through than a process takes to end. */
#define VMAS		60000

/* A filter that no VMA matches. */
#define NOTHING		(NEXT | PERMISSIONS)

#define RUNS		30

/* For so many nanoseconds somebody writes beside who asks, and so often. */
#define INTERVAL	200000000ULL
#define INTERVALS	10

/* A busy machine delays some of them. */
#define ENOUGH		(RUNS / 3)

/* What the processes of a test tell each other. */
static struct {
	bool begun;		/* who asks is about to */
	uint64_t addr;		/* of the first VMA that is changed under the lock */
	unsigned long holding;	/* odd while somebody holds the lock */
} *shared;

/*
 * Before 6.1, VMAs are in a list, and all of them are gone through while a process ends.
 * A kernel that checks all VMAs of a process whenever one changes would take hours.
 */
static void __attribute__((constructor)) skip_where_nothing_is_seen(void)
{
	const char *why = !access("/sys/kernel/debug/kmemleak", F_OK) ? "debug kernel" :
			  sysconf(_SC_NPROCESSORS_ONLN) < 2 ? "one CPU" : NULL;
	struct utsname name;

	must(!uname(&name));
	if (strverscmp(name.release, "6.1") < 0)
		why = "a search is over too soon";
	if (why) {
		ksft_print_header();
		ksft_exit_skip("%s\n", why);
	}
}

/* The kernel may change very many VMAs without giving the CPU away in between. */
static void run_on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	must(!sched_setaffinity(0, sizeof(set), &set));
}

FIXTURE(bounds) {
	char *addr;		/* of the VMAs; processes that ask have none of them */
	int maps;
	uint64_t whole;		/* nanoseconds that a search takes */
};

static void search_for_nothing(int maps)
{
	struct procmap_query q;

	must(query_at(maps, 0, NOTHING, &q) == ENOENT);
}

/* Returns the nanoseconds that a search takes if nothing else gets the CPU. */
static uint64_t time_search(int maps)
{
	uint64_t start, took, least = UINT64_MAX;
	unsigned int i;

	for (i = 0; i < RUNS; i++) {
		start = now_ns();
		search_for_nothing(maps);
		took = now_ns() - start;
		if (took < least)
			least = took;
	}
	return least;
}

FIXTURE_SETUP(bounds)
{
	const size_t page = page_size();
	size_t i;

	run_on_cpu(1);
	shared = (void *)map_at(NULL, page, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	self->addr = map_anonymous(VMAS * page, PROT_NONE);
	shared->addr = to_u64(self->addr);
	for (i = 0; i < VMAS; i += 2)
		must(!mprotect(self->addr + i * page, page, PROT_READ));
	must(!madvise(self->addr, VMAS * page, MADV_DONTFORK));
	self->maps = maps_open(0);
	must(self->maps >= 0);
	self->whole = time_search(self->maps);
}

FIXTURE_TEARDOWN(bounds)
{
	must(!munmap(self->addr, VMAS * page_size()));
	must(!munmap(shared, page_size()));
	close(self->maps);
}

/* Returns a process that is about to ask, on another CPU than this. */
static pid_t start_asker(void (*ask)(int maps), int maps)
{
	const struct sched_param param = { .sched_priority = 1 };
	pid_t pid;

	shared->begun = false;
	pid = fork();
	must(pid >= 0);
	if (!pid) {
		must(!prctl(PR_SET_PDEATHSIG, SIGKILL));
		run_on_cpu(0);
		must(!sched_setscheduler(0, SCHED_FIFO, &param));
		shared->begun = true;
		ask(maps);
		_exit(0);
	}
	while (!__atomic_load_n(&shared->begun, __ATOMIC_ACQUIRE))
		usleep(10);
	return pid;
}

/* Early in a search, a signal comes and most of the search would be left. */
TEST_F(bounds, killed_in_a_search)
{
	unsigned int i, at_once = 0;

	for (i = 0; i < RUNS; i++) {
		const pid_t pid = start_asker(search_for_nothing, self->maps);
		uint64_t start;
		int status;

		usleep(self->whole / 8000);
		start = now_ns();
		must(!kill(pid, SIGKILL) && waitpid(pid, &status, 0) == pid);
		/* Or it was done before. */
		at_once += WIFSIGNALED(status) && now_ns() - start < self->whole / 2;
	}
	TH_LOG("%u of %u ended at once, searches of %ju us", at_once, RUNS,
	       (uintmax_t)(self->whole / 1000));
	if (at_once < ENOUGH)
		XFAIL(return, "a search goes on after a fatal signal");
}

static unsigned long holding(void)
{
	return __atomic_load_n(&shared->holding, __ATOMIC_SEQ_CST);
}

/* Returns a process with the VMAs that takes its lock by what changes each of them. */
static pid_t start_holder(char *addr)
{
	const size_t size = VMAS * page_size();
	int advice = MADV_DONTFORK;
	pid_t pid;

	must(!madvise(addr, size, MADV_DOFORK));
	pid = fork();
	must(pid >= 0);
	if (!pid) {
		must(!prctl(PR_SET_PDEATHSIG, SIGKILL));
		for (;; advice ^= MADV_DONTFORK ^ MADV_DOFORK) {
			__atomic_add_fetch(&shared->holding, 1, __ATOMIC_SEQ_CST);
			must(!madvise(addr, size, advice));
			__atomic_add_fetch(&shared->holding, 1, __ATOMIC_SEQ_CST);
			usleep(10000);
		}
	}
	must(!madvise(addr, size, MADV_DONTFORK));
	return pid;
}

static void ask_for_ever(int maps)
{
	struct procmap_query q;

	for (;;) {
		must(!query_at(maps, shared->addr, 0, &q));
		usleep(100);
	}
}

/* A signal comes while it waits for the lock, which it would not get for long. */
TEST_F(bounds, killed_as_it_waits)
{
	const pid_t holder = start_holder(self->addr);
	const int maps = maps_open(holder);
	unsigned int i, at_once = 0;

	/* Beside the asker, which is not running while the lock is held. */
	run_on_cpu(0);
	for (i = 0; i < RUNS; i++) {
		const pid_t pid = start_asker(ask_for_ever, maps);
		unsigned long held;
		char state;

		do {
			held = holding();
			state = process_state(pid);
			must(state != 'Z');
		} while (!(held & 1) || state != 'D' || holding() != held);
		end_child(pid);
		at_once += holding() == held;
	}
	end_child(holder);
	close(maps);
	TH_LOG("%u of %u ended before they could have had the lock", at_once, RUNS);
	EXPECT_LE(ENOUGH, at_once);
}

static void search_for_ever(int maps)
{
	for (;;)
		search_for_nothing(maps);
}

/* As busy as who searches, but without any lock. */
static void ask_wrong_for_ever(int maps)
{
	struct procmap_query q;

	for (;;)
		must(query_at(maps, 0, ~0ULL, &q) == EINVAL);
}

/* Returns the mean nanoseconds that it takes to map and unmap a page, beside an asker. */
static uint64_t time_writes(void (*ask)(int maps), int maps)
{
	const pid_t pid = start_asker(ask, maps);
	const uint64_t start = now_ns();
	uint64_t took;
	unsigned int writes = 0;

	do {
		must(!munmap(map_anonymous(page_size(), PROT_NONE), page_size()));
		writes++;
		took = now_ns() - start;
	} while (took < INTERVAL);
	end_child(pid);
	return took / writes;
}

/*
 * A write that has to wait sleeps and is woken, which alone can take longer than the write
 * where the machine is emulated. A lock that is kept for whole searches makes it take
 * thousands of times as long.
 */
TEST_F(bounds, slow_writers_down_little)
{
	unsigned int attempt, i;

	for (attempt = 0; attempt < 3; attempt++) {
		uint64_t alone = 0, beside = 0;

		for (i = 0; i < INTERVALS; i++) {
			alone += time_writes(ask_wrong_for_ever, self->maps);
			beside += time_writes(search_for_ever, self->maps);
		}
		TH_LOG("writes take %.2f times as long beside searches",
		       (double)beside / alone);
		if (beside < 6 * alone)
			return;
	}
	XFAIL(return, "searches slow down writers");
}

QUERY_TEST_MAIN
