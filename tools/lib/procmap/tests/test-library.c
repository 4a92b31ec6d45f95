// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of libprocmap: test-library TARGET, where TARGET is the program target. Prints
 * TAP. What compares the two ways to an answer is skipped where the kernel has no
 * PROCMAP_QUERY; all else is tested with the text alone there.
 *
 * The linker puts the functions __wrap_NAME between the library and the C library
 * (ld --wrap): they count calls, and make them fail.
 */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procmap.h"

#define QUERY		0xc0686611
#define FILTERS		(PROCMAP_READ | PROCMAP_WRITE | PROCMAP_EXEC | \
			 PROCMAP_SHARED | PROCMAP_FILE)
#define ALL		(PROCMAP_NAME | PROCMAP_BUILD_ID | PROCMAP_PAGE_SIZE)
#define MAX_VMAS	4096
#define NOBODY		65534

#define __printf(a, b)	__attribute((format(printf, a, b)))
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static const char *target_program;
static char dir[PATH_MAX / 2];	/* of the tests */
static const char *skip;	/* set by a test that cannot be run here */
static bool has_ioctl;

/* --- what stands between the library and the C library */

static int queries, reads, allocations, allocation_fails, ioctl_errno;

int __real_ioctl(int fd, unsigned long cmd, void *arg);
int __wrap_ioctl(int fd, unsigned long cmd, void *arg);
ssize_t __real_pread64(int fd, void *buf, size_t size, off_t offset);
ssize_t __wrap_pread64(int fd, void *buf, size_t size, off_t offset);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t nr, size_t size);
void *__wrap_calloc(size_t nr, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);

int __wrap_ioctl(int fd, unsigned long cmd, void *arg)
{
	queries += cmd == QUERY;
	if (cmd == QUERY && ioctl_errno) {
		errno = ioctl_errno;
		return -1;
	}
	return __real_ioctl(fd, cmd, arg);
}

ssize_t __wrap_pread64(int fd, void *buf, size_t size, off_t offset)
{
	reads++;
	return __real_pread64(fd, buf, size, offset);
}

static bool no_memory(void)
{
	return ++allocations == allocation_fails;
}

void *__wrap_malloc(size_t size)
{
	return no_memory() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t nr, size_t size)
{
	return no_memory() ? NULL : __real_calloc(nr, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return no_memory() ? NULL : __real_realloc(old, size);
}

/* --- what tests are made of */

__printf(1, 2)
static bool wrong(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("# ");
	vprintf(fmt, args);
	printf("\n");
	va_end(args);
	return false;
}

/* Returns from a test that has failed. */
#define CHECK(condition) \
	do { \
		if (!(condition)) \
			return wrong("line %d: %s", __LINE__, #condition); \
	} while (0)

#define EQUAL(got, wanted) \
	do { \
		long long g = (got), w = (wanted); \
		if (g != w) \
			return wrong("line %d: %s is %lld, not %lld (%s)", \
				     __LINE__, #got, g, w, #wanted); \
	} while (0)

/* Mappings that were handed out, with copies of their names. */
struct list {
	struct procmap_vma vmas[MAX_VMAS];
	size_t nr;
	size_t stop_at;		/* go on where it is 0 */
};

static void empty(struct list *list)
{
	while (list->nr)
		free((char *)list->vmas[--list->nr].name);
}

static int add(const struct procmap_vma *vma, void *arg)
{
	struct list *list = arg;

	if (list->nr == MAX_VMAS)
		return -E2BIG;
	list->vmas[list->nr] = *vma;
	list->vmas[list->nr++].name = strdup(vma->name);
	return list->nr == list->stop_at ? 77 : 0;
}

static void show(const char *what, const struct procmap_vma *v)
{
	printf("# %s %" PRIx64 "-%" PRIx64 " flags %x offset %" PRIx64
	       " dev %x:%x inode %" PRIu64 " page %" PRIu64 " id %u '%s'\n", what,
	       v->start, v->end, v->flags, v->offset, v->dev_major, v->dev_minor,
	       v->inode, v->page_size, v->build_id_size, v->name);
}

static bool same_vma(const struct procmap_vma *a, const struct procmap_vma *b)
{
	if (a->start == b->start && a->end == b->end && a->offset == b->offset &&
	    a->inode == b->inode && a->page_size == b->page_size &&
	    a->flags == b->flags && a->dev_major == b->dev_major &&
	    a->dev_minor == b->dev_minor && !strcmp(a->name, b->name) &&
	    a->build_id_size == b->build_id_size &&
	    !memcmp(a->build_id, b->build_id, a->build_id_size))
		return true;
	show("this:", a);
	show("that:", b);
	return false;
}

static bool same_lists(const struct list *a, const struct list *b)
{
	size_t i;

	EQUAL(a->nr, b->nr);
	for (i = 0; i < a->nr; i++)
		if (!same_vma(&a->vmas[i], &b->vmas[i]))
			return false;
	return true;
}

/* A process, started as "TARGET maps DIR", and where it says that things are. */
struct target {
	pid_t pid;
	char said[8192];
};

static void end_target(struct target *t)
{
	if (t->pid > 0) {
		kill(t->pid, SIGKILL);
		waitpid(t->pid, NULL, 0);
	}
	t->pid = 0;
}

static bool start(struct target *t, const char *program, const char *job,
		  uid_t uid)
{
	size_t len = sprintf(t->said, "\n");
	char own[PATH_MAX];
	ssize_t got;
	int ends[2];

	snprintf(own, sizeof(own), "%s/XXXXXX", dir);
	CHECK(mkdtemp(own) && !chmod(own, 0777) && !pipe2(ends, O_CLOEXEC));
	t->pid = fork();
	if (!t->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(ends[1], 1);
		if (uid && (setgid(uid) || setuid(uid)))
			_exit(126);
		execl(program, program, job, own, NULL);
		_exit(127);
	}
	close(ends[1]);
	do {
		got = read(ends[0], t->said + len, sizeof(t->said) - 1 - len);
		len += got > 0 ? got : 0;
		t->said[len] = 0;
	} while (got > 0 && !strstr(t->said, "ready\n"));
	close(ends[0]);
	return got > 0 || wrong("the target has not started");
}

static uint64_t where(const struct target *t, const char *name)
{
	char line[64];
	const char *at;

	snprintf(line, sizeof(line), "\n%s ", name);
	at = strstr(t->said, line);
	return at ? strtoull(at + strlen(line), NULL, 16) : 0;
}

static struct target target;

/* --- walks and look-ups: by ioctl, by text, and what must be */

static int walk_way(pid_t pid, enum procmap_way way, unsigned int flags,
		    struct list *list)
{
	struct procmap *pm;
	int ret;

	empty(list);
	ret = procmap_open(&pm, pid);
	if (ret)
		return ret;
	procmap_set_way(pm, way);
	ret = procmap_walk(pm, flags, add, list);
	procmap_close(pm);
	return ret;
}

static struct list by_ioctl, by_text;

static bool walks_agree(pid_t pid, unsigned int flags)
{
	EQUAL(walk_way(pid, PROCMAP_IOCTL, flags, &by_ioctl), 0);
	EQUAL(walk_way(pid, PROCMAP_TEXT, flags, &by_text), 0);
	return same_lists(&by_ioctl, &by_text);
}

static bool needs_ioctl(void)
{
	if (!has_ioctl)
		skip = "this kernel has no PROCMAP_QUERY";
	return has_ioctl;
}

/* Every filter, and every thing that can be told; and the automatic way. */
static bool t_walks(void)
{
	unsigned int flags;

	if (!needs_ioctl())
		return true;
	for (flags = 0; flags <= (FILTERS | ALL); flags++) {
		if (flags & ~(FILTERS | ALL))
			continue;
		/* Only root can read all files for their build IDs. */
		if (flags & PROCMAP_BUILD_ID && getuid())
			continue;
		if (!walks_agree(target.pid, flags))
			return wrong("with flags 0x%x", flags);
		EQUAL(walk_way(target.pid, PROCMAP_AUTO, flags, &by_text), 0);
		if (!same_lists(&by_ioctl, &by_text))
			return wrong("automatic, with flags 0x%x", flags);
	}
	return true;
}

/* Against the text as the simplest reader has it; names with escapes aside. */
static bool t_walk_text(void)
{
	uint64_t start, end, offset, inode;
	unsigned int major, minor;
	char path[PATH_MAX], line[8192], perms[5];
	size_t i = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", target.pid);
	maps = fopen(path, "re");
	CHECK(maps);
	EQUAL(walk_way(target.pid, PROCMAP_AUTO, PROCMAP_NAME, &by_text), 0);
	for (; fgets(line, sizeof(line), maps); i++) {
		const struct procmap_vma *v = &by_text.vmas[i];

		if (strstr(line, "[vsyscall]"))
			break;
		CHECK(sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64
			     " %x:%x %" SCNu64, &start, &end, perms, &offset,
			     &major, &minor, &inode) == 7);
		CHECK(i < by_text.nr && v->start == start && v->end == end);
		CHECK(v->offset == offset && v->inode == inode);
		CHECK(v->dev_major == major && v->dev_minor == minor);
		EQUAL(!!(v->flags & PROCMAP_READ), perms[0] == 'r');
		EQUAL(!!(v->flags & PROCMAP_WRITE), perms[1] == 'w');
		EQUAL(!!(v->flags & PROCMAP_EXEC), perms[2] == 'x');
		EQUAL(!!(v->flags & PROCMAP_SHARED), perms[3] == 's');
		line[strcspn(line, "\n")] = 0;
		if (strlen(v->name) < 4000 && !strchr(line, '\\'))
			CHECK(!strcmp(line + strlen(line) - strlen(v->name),
				      v->name));
	}
	fclose(maps);
	EQUAL(by_text.nr, i);
	return true;
}

/* Other processes may change between the two, but not forever. */
static bool t_all_processes(void)
{
	unsigned int flags = getuid() ? PROCMAP_NAME | PROCMAP_PAGE_SIZE : ALL;
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int pid, tries, seen = 0;

	if (!needs_ioctl())
		return true;
	CHECK(proc);
	while ((entry = readdir(proc))) {
		pid = atoi(entry->d_name);
		if (!pid || pid == getpid() ||
		    walk_way(pid, PROCMAP_IOCTL, 0, &by_ioctl))
			continue;
		for (tries = 0; tries < 5; tries++)
			if (walk_way(pid, PROCMAP_IOCTL, flags, &by_ioctl) ||
			    walk_way(pid, PROCMAP_TEXT, flags, &by_text) ||
			    (by_text.nr == by_ioctl.nr &&
			     same_lists(&by_ioctl, &by_text)))
				break;
		if (tries == 5)
			return wrong("process %d", pid);
		seen++;
	}
	closedir(proc);
	CHECK(seen);
	return true;
}

/* The addresses that matter: the edges of each mapping, and beside them. */
static size_t edges(const struct list *list, uint64_t *addrs)
{
	size_t i, nr = 0;

	addrs[nr++] = 0;
	for (i = 0; i < list->nr && nr < 4 * MAX_VMAS - 8; i++) {
		if (!i || list->vmas[i - 1].end < list->vmas[i].start - 1)
			addrs[nr++] = list->vmas[i].start - 1;
		addrs[nr++] = list->vmas[i].start;
		addrs[nr++] = list->vmas[i].end - 1;
		addrs[nr++] = list->vmas[i].end - 1;
		if (i + 1 == list->nr || list->vmas[i + 1].start > list->vmas[i].end)
			addrs[nr++] = list->vmas[i].end;
	}
	addrs[nr++] = UINT64_MAX;
	return nr;
}

/* The answer that a filter and PROCMAP_NEXT must have, from a walk of all. */
static const struct procmap_vma *expected(const struct list *list, uint64_t addr,
					  unsigned int flags)
{
	size_t i;

	for (i = 0; i < list->nr; i++) {
		const struct procmap_vma *v = &list->vmas[i];

		if (addr >= v->end || flags & FILTERS & ~v->flags)
			continue;
		return addr >= v->start || flags & PROCMAP_NEXT ? v : NULL;
	}
	return NULL;
}

struct answers {
	const struct list *list;
	const uint64_t *next;
	unsigned int flags;
	int runs;
};

static int check_answers(const struct procmap_vma *vma, const uint64_t *addrs,
			 size_t nr, void *arg)
{
	struct answers *a = arg;
	const struct procmap_vma *wanted;

	a->runs++;
	for (; nr; nr--, addrs++) {
		if (addrs != a->next++)
			return !wrong("not the next address");
		wanted = expected(a->list, *addrs, a->flags);
		if (!vma != !wanted || (vma && !same_vma(vma, wanted)))
			return !wrong("address %" PRIx64, *addrs);
	}
	return 0;
}

static bool lookups_are_right(enum procmap_way way)
{
	static uint64_t addrs[4 * MAX_VMAS];
	static struct list all;
	const struct procmap_vma *vma, *wanted;
	unsigned int flags;
	struct procmap *pm;
	size_t nr, i;

	EQUAL(procmap_open(&pm, target.pid), 0);
	EQUAL(procmap_set_way(pm, way), 0);
	empty(&all);
	EQUAL(procmap_walk(pm, PROCMAP_NAME, add, &all), 0);
	nr = edges(&all, addrs);
	CHECK(nr > 100);
	for (flags = 0; flags <= (FILTERS | PROCMAP_NEXT); flags++) {
		struct answers a = { .list = &all, .next = addrs, .flags = flags };

		EQUAL(procmap_lookup_sorted(pm, addrs, nr, flags | PROCMAP_NAME,
					    check_answers, &a), 0);
		EQUAL(a.next - addrs, nr);
		for (i = 0; i < nr; i += 7) {
			wanted = expected(&all, addrs[i], flags);
			EQUAL(procmap_lookup(pm, addrs[i], flags | PROCMAP_NAME,
					     &vma), !!wanted);
			CHECK(!wanted == !vma);
			CHECK(!wanted || same_vma(vma, wanted));
		}
	}
	procmap_close(pm);
	return true;
}

static bool t_lookups_ioctl(void)
{
	return !needs_ioctl() || lookups_are_right(PROCMAP_IOCTL);
}

static bool t_lookups_text(void)
{
	return lookups_are_right(PROCMAP_TEXT);
}

static int count_run(const struct procmap_vma *vma, const uint64_t *addrs,
		     size_t nr, void *arg)
{
	(void)addrs;
	(void)nr;
	*(int *)arg += !!vma;
	return 0;
}

/* One query for each mapping that is hit; of the text, one pass. */
static bool t_cost(void)
{
	uint64_t addrs[5 * 200], lib;
	struct procmap *pm;
	size_t nr = 0, i;
	int hit = 0, pass;
	char name[8];

	for (i = 5; i; i--) {
		snprintf(name, sizeof(name), "lib%zu", i);
		for (lib = where(&target, name); nr < (6 - i) * 200; lib += 4096)
			addrs[nr++] = lib;
	}
	EQUAL(procmap_open(&pm, target.pid), 0);
	queries = 0;
	EQUAL(procmap_lookup_sorted(pm, addrs, nr, PROCMAP_NAME, count_run, &hit),
	      0);
	EQUAL(hit, 5);
	if (has_ioctl)
		EQUAL(queries, 5);

	EQUAL(procmap_set_way(pm, PROCMAP_TEXT), 0);
	reads = 0;
	EQUAL(procmap_walk(pm, 0, add, &by_text), 0);
	empty(&by_text);
	pass = reads;
	reads = 0;
	queries = 0;
	hit = 0;
	EQUAL(procmap_lookup_sorted(pm, addrs, nr, PROCMAP_NAME, count_run, &hit),
	      0);
	EQUAL(hit, 5);
	EQUAL(queries, 0);
	CHECK(reads <= pass);
	procmap_close(pm);
	return true;
}

/* What is allocated when a handle is new serves all that follows. */
static bool t_no_allocation(void)
{
	const struct procmap_vma *vma;
	struct procmap *pm;
	int way, before;

	EQUAL(procmap_open(&pm, target.pid), 0);
	for (way = has_ioctl ? PROCMAP_IOCTL : PROCMAP_TEXT;
	     way <= PROCMAP_TEXT; way++) {
		EQUAL(procmap_set_way(pm, way), 0);
		EQUAL(procmap_lookup(pm, where(&target, "lib3"), PROCMAP_NAME,
				     &vma), 1);
		before = allocations;
		EQUAL(procmap_lookup(pm, where(&target, "lib3"), PROCMAP_NAME,
				     &vma), 1);
		EQUAL(allocations, before);
	}
	procmap_close(pm);
	return true;
}

/* The choice between the ways: measured, so that it does not change unnoticed. */
static bool t_choice(void)
{
	static const struct { unsigned int flags; bool text; } cases[] = {
		{ 0, true }, { PROCMAP_NAME, true }, { PROCMAP_EXEC, false },
		{ PROCMAP_FILE | PROCMAP_NAME, false },
		{ PROCMAP_BUILD_ID, false }, { PROCMAP_PAGE_SIZE, false },
	};
	struct procmap *pm;
	size_t i;

	if (!needs_ioctl())
		return true;
	EQUAL(procmap_open(&pm, target.pid), 0);
	EQUAL(procmap_get_way(pm), PROCMAP_IOCTL);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		queries = 0;
		EQUAL(procmap_walk(pm, cases[i].flags, add, &by_text), 0);
		empty(&by_text);
		EQUAL(!queries, cases[i].text);
	}
	procmap_close(pm);
	return true;
}

/* --- kernels without the ioctl */

static bool falls_back(int error)
{
	const struct procmap_vma *vma;
	struct procmap *pm;

	EQUAL(procmap_open(&pm, target.pid), 0);
	ioctl_errno = error;
	queries = 0;
	EQUAL(procmap_walk(pm, PROCMAP_EXEC | PROCMAP_NAME, add, &by_text), 0);
	CHECK(by_text.nr > 5);
	EQUAL(queries, 1);
	EQUAL(procmap_get_way(pm), PROCMAP_TEXT);
	EQUAL(procmap_lookup(pm, where(&target, "lib1"), PROCMAP_NAME, &vma), 1);
	EQUAL(queries, 1);
	EQUAL(procmap_set_way(pm, PROCMAP_IOCTL), 0);
	EQUAL(procmap_lookup(pm, where(&target, "lib1"), 0, &vma), -ENOTTY);
	EQUAL(procmap_walk(pm, 0, add, &by_text), -ENOTTY);
	ioctl_errno = 0;
	procmap_close(pm);
	empty(&by_text);
	return true;
}

static bool t_no_ioctl(void)
{
	return falls_back(ENOTTY) && falls_back(EPERM) && falls_back(EACCES);
}

static bool t_other_error(void)
{
	const struct procmap_vma *vma;
	struct procmap *pm;

	EQUAL(procmap_open(&pm, target.pid), 0);
	ioctl_errno = ENOMEM;
	EQUAL(procmap_lookup(pm, where(&target, "lib1"), 0, &vma), -ENOMEM);
	CHECK(!vma);
	EQUAL(procmap_walk(pm, PROCMAP_EXEC, add, &by_text), -ENOMEM);
	EQUAL(by_text.nr, 0);
	ioctl_errno = 0;
	procmap_close(pm);
	return true;
}

/* Every ioctl of this process, the library's or not, is answered with ENOTTY. */
static int forbid_ioctl(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTTY),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { ARRAY_SIZE(code), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

/* Runs a test in a child, which may change for ever. */
static bool in_child(bool (*test)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		status = !test();
		if (skip)
			status = 4;
		fflush(stdout);
		_exit(status);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 4) {
		skip = "not possible here";
		return true;
	}
	return !status || wrong("a child ended with status 0x%x", status);
}

/* Compares what the ioctl said before with what is said without it. */
static bool without_ioctl(void)
{
	static const unsigned int flags[] = {
		0, PROCMAP_NAME, PROCMAP_EXEC | PROCMAP_NAME,
		PROCMAP_FILE | PROCMAP_NAME | PROCMAP_PAGE_SIZE, ALL,
	};
	static struct list before[ARRAY_SIZE(flags)];
	size_t i, nr = ARRAY_SIZE(flags) - (getuid() ? 1 : 0);

	for (i = 0; i < nr; i++)
		EQUAL(walk_way(target.pid, PROCMAP_IOCTL, flags[i], &before[i]),
		      0);
	CHECK(!forbid_ioctl());
	for (i = 0; i < nr; i++) {
		EQUAL(walk_way(target.pid, PROCMAP_AUTO, flags[i], &by_text), 0);
		if (!same_lists(&before[i], &by_text))
			return false;
	}
	return true;
}

static bool t_seccomp(void)
{
	return !needs_ioctl() || in_child(without_ioctl);
}

/* --- processes that go away, and that are none */

static int wait_for_zombie(pid_t pid)
{
	siginfo_t info;

	return waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
}

static bool executed(pid_t pid)
{
	char path[32], text[256] = "";
	int fd, tries;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	for (tries = 0; tries < 500; tries++) {
		fd = open(path, O_RDONLY);
		if (read(fd, text, sizeof(text) - 1) > 0 &&
		    !strcmp(text + strlen(text) + 1, "wait")) {
			close(fd);
			return true;
		}
		close(fd);
		usleep(10000);
	}
	return false;
}

/* Both are asked after the end of the address space, and both say so. */
static bool says_gone(struct procmap *pm, int wanted)
{
	const struct procmap_vma *vma;
	int way;

	for (way = has_ioctl ? PROCMAP_IOCTL : PROCMAP_TEXT;
	     way <= PROCMAP_TEXT; way++) {
		EQUAL(procmap_set_way(pm, way), 0);
		EQUAL(procmap_lookup(pm, 0x1000, PROCMAP_NAME, &vma), wanted);
		EQUAL(procmap_walk(pm, PROCMAP_NAME, add, &by_text), wanted);
		EQUAL(procmap_walk(pm, ALL & ~PROCMAP_PAGE_SIZE, add, &by_text),
		      wanted);
		EQUAL(by_text.nr, 0);
	}
	return true;
}

static bool t_exit(void)
{
	struct target t;
	struct procmap *pm;

	CHECK(start(&t, target_program, "maps", 0));
	EQUAL(procmap_open(&pm, t.pid), 0);
	kill(t.pid, SIGKILL);
	CHECK(!wait_for_zombie(t.pid));
	CHECK(says_gone(pm, -ESRCH));
	end_target(&t);
	CHECK(says_gone(pm, -ESRCH));
	procmap_close(pm);
	EQUAL(procmap_open(&pm, t.pid ? t.pid : 4194305), -ENOENT);
	return true;
}

static bool t_exec(void)
{
	struct target t;
	struct procmap *pm;

	CHECK(start(&t, target_program, "maps", 0));
	EQUAL(procmap_open(&pm, t.pid), 0);
	kill(t.pid, SIGUSR1);
	CHECK(executed(t.pid));
	CHECK(says_gone(pm, -ESTALE));
	procmap_close(pm);
	end_target(&t);
	return true;
}

struct killer {
	pid_t pid;
	int after;
};

static int kill_meanwhile(const struct procmap_vma *vma, void *arg)
{
	struct killer *k = arg;

	(void)vma;
	if (!k->after--) {
		kill(k->pid, SIGKILL);
		wait_for_zombie(k->pid);
	}
	return 0;
}

/* In the middle of a walk, whether that is by ioctl or by the text's second page. */
static bool t_exit_meanwhile(void)
{
	struct procmap *pm;
	struct target t;
	int way;

	for (way = has_ioctl ? PROCMAP_IOCTL : PROCMAP_TEXT;
	     way <= PROCMAP_TEXT; way++) {
		struct killer k = { .after = 3 };

		CHECK(start(&t, target_program, "maps", 0));
		k.pid = t.pid;
		EQUAL(procmap_open(&pm, t.pid), 0);
		EQUAL(procmap_set_way(pm, way), 0);
		EQUAL(procmap_walk(pm, PROCMAP_NAME, kill_meanwhile, &k), -ESRCH);
		procmap_close(pm);
		end_target(&t);
	}
	return true;
}

static bool t_zombie(void)
{
	const struct procmap_vma *vma;
	struct procmap *pm;
	pid_t pid = fork();
	int ret;

	if (!pid)
		_exit(0);
	CHECK(pid > 0 && !wait_for_zombie(pid));
	/* Newer kernels say so when it is opened. */
	ret = procmap_open(&pm, pid);
	if (!ret) {
		EQUAL(procmap_lookup(pm, 0, 0, &vma), -ESRCH);
		EQUAL(procmap_walk(pm, 0, add, &by_text), -ESRCH);
		procmap_close(pm);
	} else {
		EQUAL(ret, -ESRCH);
	}
	waitpid(pid, NULL, 0);
	return true;
}

/* --- wrong uses, and descriptors that were handed over */

static int use_again(const struct procmap_vma *vma, void *arg)
{
	const struct procmap_vma *other;

	(void)vma;
	return procmap_lookup(arg, 0, 0, &other);
}

static bool t_wrong_use(void)
{
	static const uint64_t unsorted[] = { 2, 1 };
	const struct procmap_vma *vma;
	struct procmap *pm;
	int hit;

	EQUAL(procmap_open(&pm, target.pid), 0);
	EQUAL(procmap_walk(pm, 0, use_again, pm), -EBUSY);
	EQUAL(procmap_lookup(pm, 0, 0x800, &vma), -EINVAL);
	EQUAL(procmap_walk(pm, PROCMAP_NEXT, add, &by_text), -EINVAL);
	EQUAL(procmap_lookup_sorted(pm, unsorted, 2, 0, count_run, &hit), -EINVAL);
	EQUAL(procmap_lookup_sorted(pm, unsorted, 0, 0, count_run, &hit), 0);
	EQUAL(procmap_set_way(pm, 3), -EINVAL);
	by_text.stop_at = 2;
	EQUAL(procmap_walk(pm, 0, add, &by_text), 77);
	EQUAL(by_text.nr, 2);
	by_text.stop_at = 0;
	empty(&by_text);
	procmap_close(pm);
	procmap_close(NULL);
	EQUAL(procmap_open_fd(&pm, -1), -EBADF);
	return true;
}

static bool t_handed_over(void)
{
	const struct procmap_vma *vma;
	struct procmap *pm;
	char path[32];
	int fd, way;

	snprintf(path, sizeof(path), "/proc/%d/maps", target.pid);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0 && lseek(fd, 5, SEEK_SET) == 5);
	EQUAL(procmap_open_fd(&pm, fd), 0);
	for (way = has_ioctl ? PROCMAP_IOCTL : PROCMAP_TEXT;
	     way <= PROCMAP_TEXT; way++) {
		EQUAL(procmap_set_way(pm, way), 0);
		EQUAL(procmap_lookup(pm, where(&target, "lib2"), PROCMAP_NAME,
				     &vma), 1);
		CHECK(strstr(vma->name, "/lib2"));
		EQUAL(procmap_walk(pm, PROCMAP_NAME, add, &by_text), 0);
		CHECK(by_text.nr > 20);
		empty(&by_text);
	}
	EQUAL(lseek(fd, 0, SEEK_CUR), 5);
	EQUAL(procmap_lookup(pm, where(&target, "lib2"), PROCMAP_PAGE_SIZE, &vma),
	      -EOPNOTSUPP);
	close(fd);
	EQUAL(procmap_lookup(pm, where(&target, "heap"), PROCMAP_NAME, &vma), 1);
	CHECK(!strcmp(vma->name, "[heap]"));
	procmap_close(pm);
	return true;
}

/* What a descriptor of anything else has to say. */
static int walk_text(const char *text, size_t len, struct list *list)
{
	int fd = memfd_create("maps", 0), ret;
	struct procmap *pm;

	empty(list);
	if (fd < 0 || write(fd, text, len) != (ssize_t)len ||
	    procmap_open_fd(&pm, fd))
		return -1;
	ret = procmap_walk(pm, PROCMAP_NAME, add, list);
	procmap_close(pm);
	close(fd);
	return ret;
}

static bool t_good_text(void)
{
	static const char text[] =
		"1000-2000 r-xp 00000010 fd:01 123   /a b\\012c\\134d (deleted)\n"
		"2000-3000 rw-s 00000000 00:00 0 \n"
		"3000-4000 ---p 00000000 00:00 0      [anon:x y]\n"
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n";

	EQUAL(walk_text(text, sizeof(text) - 1, &by_text), 0);
	EQUAL(by_text.nr, 3);
	EQUAL(by_text.vmas[0].start, 0x1000);
	EQUAL(by_text.vmas[0].end, 0x2000);
	EQUAL(by_text.vmas[0].flags, PROCMAP_READ | PROCMAP_EXEC | PROCMAP_FILE);
	EQUAL(by_text.vmas[0].offset, 16);
	EQUAL(by_text.vmas[0].dev_major, 0xfd);
	EQUAL(by_text.vmas[0].dev_minor, 1);
	EQUAL(by_text.vmas[0].inode, 123);
	CHECK(!strcmp(by_text.vmas[0].name, "/a b\nc\\134d (deleted)"));
	EQUAL(by_text.vmas[1].flags, PROCMAP_READ | PROCMAP_WRITE |
	      PROCMAP_SHARED);
	CHECK(!strcmp(by_text.vmas[1].name, ""));
	CHECK(!strcmp(by_text.vmas[2].name, "[anon:x y]"));
	return true;
}

static bool t_bad_text(void)
{
	static const char *const lines[] = {
		"x\n", "\n", "1000-2000\n", "1000-2000 r-xp\n",
		"1000-2000 r-xp 0 0:0 0\n", "1000-2000 r-xq 0 0:0 0 \n",
		"1000-2000 rwx 0 0:0 0 \n", "1000 2000 r-xp 0 0:0 0 \n",
		"2000-1000 r-xp 0 0:0 0 \n", "1000-1000 r-xp 0 0:0 0 \n",
		"10000000000000000-2 r-xp 0 0:0 0 \n",
		"1-10000000000000000 r-xp 0 0:0 0 \n",
		"1-2 r-xp 0 100000000:0 0 \n", "1-2 r-xp 0 0:0 0a \n",
		"1-2 r-xp 0 0:0 99999999999999999999 \n",
		"1-2 r-xp 0 0:0 0 \n1", "-2 r-xp 0 0:0 0 \n", "1-2 r-xp",
	};
	static char big[3 << 20];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lines); i++)
		if (walk_text(lines[i], strlen(lines[i]), &by_text) != -EBADMSG)
			return wrong("taken for good: %s", lines[i]);
	EQUAL(walk_text("1-2 r-xp 0 0:0 0 \0\n", 19, &by_text), -EBADMSG);
	EQUAL(walk_text("", 0, &by_text), -ESRCH);
	/* A line may be long, but not without end. */
	memset(big, 'x', sizeof(big));
	memcpy(big, "1-2 r-xp 0 1:0 0 /", 18);
	EQUAL(walk_text(big, sizeof(big), &by_text), -EBADMSG);
	big[200000] = '\n';
	EQUAL(walk_text(big, 200001, &by_text), 0);
	EQUAL(strlen(by_text.vmas[0].name), 200000 - 17);
	empty(&by_text);
	return true;
}

/* Every allocation fails once; nothing is lost or half done. */
static bool t_no_memory(void)
{
	struct procmap *pm = NULL;
	struct procmap_elf *elf;
	int nth, ret = -ENOMEM, fd = open(target_program, O_RDONLY);

	for (nth = 1; ret == -ENOMEM; nth++) {
		allocations = 0;
		allocation_fails = nth;
		ret = procmap_open(&pm, target.pid);
		if (!ret) {
			ret = procmap_walk(pm, 0, use_again, pm);
			procmap_close(pm);
		}
		CHECK(nth < 10);
	}
	allocation_fails = 0;
	EQUAL(ret, -EBUSY);
	EQUAL(nth, 4);
	for (nth = 1, ret = -ENOMEM; ret == -ENOMEM; nth++) {
		allocations = 0;
		allocation_fails = nth;
		ret = procmap_elf_open(&elf, fd);
	}
	allocation_fails = 0;
	EQUAL(ret, 0);
	procmap_elf_close(elf);
	close(fd);
	return true;
}

static void *use_own_handle(void *arg)
{
	const struct procmap_vma *vma;
	uint64_t addr = where(&target, arg);
	struct procmap *pm;
	void *ret = arg;
	int i;

	if (procmap_open(&pm, target.pid))
		return NULL;
	for (i = 0; i < 2000 && ret; i++) {
		procmap_set_way(pm, i % 2 ? PROCMAP_TEXT : PROCMAP_AUTO);
		if (procmap_lookup(pm, addr, PROCMAP_NAME, &vma) != 1 ||
		    strcmp(strrchr(vma->name, '/') + 1, arg))
			ret = NULL;
	}
	procmap_close(pm);
	return ret;
}

static bool t_threads(void)
{
	static char names[4][8] = { "lib1", "lib2", "lib3", "lib4" };
	pthread_t threads[4];
	bool good = true;
	void *ret;
	int i;

	for (i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, use_own_handle, names[i]));
	for (i = 0; i < 4; i++) {
		pthread_join(threads[i], &ret);
		good &= !!ret;
	}
	CHECK(good);
	return true;
}

/* --- the file that is mapped */

/* Opens the file at an address; returns what procmap_open_file() does. */
static int open_at(pid_t pid, uint64_t addr, enum procmap_way way, int *source,
		   char *path)
{
	const struct procmap_vma *vma;
	enum procmap_source found = -1;
	struct procmap *pm;
	int fd, err;

	*path = 0;
	fd = procmap_open(&pm, pid);
	if (fd)
		return fd;
	procmap_set_way(pm, way);
	fd = procmap_lookup(pm, addr, PROCMAP_NAME, &vma);
	fd = fd == 1 ? procmap_open_file(pm, vma, &found) : -EADDRNOTAVAIL;
	*source = found;
	if (fd >= 0) {
		err = procmap_file_path(pm, vma, fd, path, PATH_MAX);
		if (err)
			snprintf(path, PATH_MAX, "error %d", err);
	}
	procmap_close(pm);
	return fd;
}

static bool same_inode(int fd, const char *path)
{
	struct stat a, b;

	return !fstat(fd, &a) && !stat(path, &b) && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

static bool copy_file(const char *from, const char *to)
{
	char command[2 * PATH_MAX + 16];

	snprintf(command, sizeof(command), "cp '%s' '%s'", from, to);
	return !system(command) || wrong("%s", command);
}

/* The target's own program, as "name" in the tests' directory. */
static const char *copied(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return copy_file(target_program, path) ? path : NULL;
}

/* Opening /proc/PID/map_files takes CAP_CHECKPOINT_RESTORE. */
static bool may_open_map_files(void)
{
	char path[PATH_MAX];
	int source, fd;

	fd = open_at(target.pid, where(&target, "lib1"), PROCMAP_AUTO, &source,
		     path);
	if (fd >= 0)
		close(fd);
	return source == PROCMAP_MAP_FILES;
}

static bool t_file(void)
{
	char path[PATH_MAX], wanted[PATH_MAX];
	int source, fd;

	fd = open_at(target.pid, where(&target, "outer"), PROCMAP_AUTO, &source,
		     path);
	CHECK(fd >= 0 && same_inode(fd, target_program));
	EQUAL(source, may_open_map_files() ? PROCMAP_MAP_FILES : PROCMAP_EXE);
	CHECK(realpath(target_program, wanted) && !strcmp(path, wanted));
	close(fd);
	return true;
}

static bool t_no_file(void)
{
	char path[PATH_MAX];
	int source;

	EQUAL(open_at(target.pid, where(&target, "heap"), PROCMAP_AUTO, &source,
		      path), -ENODATA);
	/* It is a character device. */
	EQUAL(open_at(target.pid, where(&target, "zero"), PROCMAP_AUTO, &source,
		      path), -ENOTSUP);
	EQUAL(open_at(target.pid, where(&target, "zero"), PROCMAP_TEXT, &source,
		      path), -ENOTSUP);
	return true;
}

static bool t_vdso(void)
{
	uint64_t addr = getauxval(AT_SYSINFO_EHDR), elf_addr;
	const struct procmap_vma *vma;
	enum procmap_source source;
	struct procmap_elf *elf;
	struct procmap *pm;
	int fd;

	if (!addr) {
		skip = "there is no vDSO";
		return true;
	}
	EQUAL(procmap_open(&pm, 0), 0);
	EQUAL(procmap_lookup(pm, addr, PROCMAP_NAME, &vma), 1);
	fd = procmap_open_file(pm, vma, &source);
	CHECK(fd >= 0);
	EQUAL(source, PROCMAP_MEMORY);
	EQUAL(procmap_elf_open(&elf, fd), 0);
	EQUAL(procmap_elf_address(elf, vma, addr + 0x40, &elf_addr), 0);
	EQUAL(elf_addr, 0x40);
	procmap_elf_close(elf);
	close(fd);
	procmap_close(pm);
	return true;
}

/* The mapped file is another one than what stands there now. */
static bool t_replaced(void)
{
	char path[PATH_MAX], program[PATH_MAX];
	struct target t = {};
	int source, fd;

	snprintf(program, sizeof(program), "%s", copied("replaced"));
	CHECK(start(&t, program, "maps", 0));
	CHECK(!unlink(program) && copy_file("/proc/self/exe", program));
	fd = open_at(t.pid, where(&t, "outer"), PROCMAP_AUTO, &source, path);
	CHECK(fd >= 0 && !same_inode(fd, program));
	/* Its own user's, or by the mapping */
	EQUAL(source, may_open_map_files() ? PROCMAP_MAP_FILES : PROCMAP_EXE);
	close(fd);
	end_target(&t);
	return true;
}

/*
 * Returns a descriptor or an error, or 0 where the test has failed: of the program of a
 * process, by its path alone.
 */
static int open_by_path(const struct target *t, enum procmap_way way)
{
	const struct procmap_vma *vma;
	enum procmap_source source;
	struct procmap *pm;
	char maps[32];
	int fd;

	snprintf(maps, sizeof(maps), "/proc/%d/maps", t->pid);
	fd = open(maps, O_RDONLY | O_CLOEXEC);
	EQUAL(procmap_open_fd(&pm, fd), 0);
	close(fd);
	EQUAL(procmap_set_way(pm, way), 0);
	EQUAL(procmap_lookup(pm, where(t, "outer"), PROCMAP_NAME, &vma), 1);
	fd = procmap_open_file(pm, vma, &source);
	if (fd >= 0)
		EQUAL(source, PROCMAP_PATH);
	procmap_close(pm);
	return fd;
}

/*
 * A copy of the mapped file has its build ID, which only the ioctl tells of a file that
 * is gone, but not its inode. Another file has neither.
 */
static bool t_proof(void)
{
	char program[PATH_MAX];
	struct target t = {};
	int fd;

	snprintf(program, sizeof(program), "%s", copied("proof"));
	CHECK(start(&t, program, "maps", 0));
	fd = open_by_path(&t, PROCMAP_TEXT);
	CHECK(fd > 0 && same_inode(fd, program));
	close(fd);
	CHECK(!unlink(program) && copied("proof"));
	EQUAL(open_by_path(&t, PROCMAP_TEXT), -ESTALE);
	if (has_ioctl) {
		fd = open_by_path(&t, PROCMAP_AUTO);
		CHECK(fd > 0 && same_inode(fd, program));
		close(fd);
	}
	CHECK(!unlink(program) && copy_file("/proc/self/exe", program));
	EQUAL(open_by_path(&t, PROCMAP_AUTO), -ESTALE);
	end_target(&t);
	return true;
}

static bool as_nobody(void)
{
	return !setgid(NOBODY) && !setuid(NOBODY) &&
	       !prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static struct target others;	/* a process of user nobody */
static char others_program[PATH_MAX];

/* Without map_files: the program by exe, whatever stands at its path. */
static bool nobody_finds_program(void)
{
	char path[PATH_MAX];
	int source, fd;

	CHECK(as_nobody());
	fd = open_at(others.pid, where(&others, "outer"), PROCMAP_AUTO, &source,
		     path);
	EQUAL(source, PROCMAP_EXE);
	CHECK(fd >= 0);
	fd = open_at(others.pid, where(&others, "outer"), PROCMAP_TEXT, &source,
		     path);
	EQUAL(source, PROCMAP_EXE);
	CHECK(fd >= 0);
	/* Not so a file that it only maps, and that was deleted. */
	EQUAL(open_at(others.pid, where(&others, "deleted"), PROCMAP_AUTO,
		      &source, path), -EPERM);
	/* That it has not: by path, and by its inode, as there is no build ID. */
	fd = open_at(others.pid, where(&others, "lib1"), PROCMAP_AUTO, &source,
		     path);
	CHECK(fd >= 0);
	EQUAL(source, PROCMAP_ROOT);
	return true;
}

static int text_by_nobody(const struct procmap_vma *vma, void *arg)
{
	int *found = arg;

	*found += vma->build_id_size > 0;
	return 0;
}

/* Build IDs come without privileges too, in the text's way from the files. */
static bool nobody_reads_build_ids(void)
{
	struct procmap *pm;
	int found = 0;

	CHECK(as_nobody());
	EQUAL(procmap_open(&pm, others.pid), 0);
	EQUAL(procmap_set_way(pm, PROCMAP_TEXT), 0);
	EQUAL(procmap_walk(pm, PROCMAP_BUILD_ID | PROCMAP_EXEC | PROCMAP_FILE,
			   text_by_nobody, &found), 0);
	CHECK(found >= 1);
	procmap_close(pm);
	return true;
}

/* Another file at a path that the mapped one had does not pass for it. */
static bool nobody_finds_no_library(void)
{
	char path[PATH_MAX];
	int source;

	CHECK(as_nobody());
	EQUAL(open_at(others.pid, where(&others, "lib1"), PROCMAP_AUTO, &source,
		      path), -ESTALE);
	EQUAL(open_at(others.pid, where(&others, "lib1"), PROCMAP_TEXT, &source,
		      path), -ESTALE);
	EQUAL(open_at(others.pid, where(&others, "lib2"), PROCMAP_AUTO, &source,
		      path), -ESTALE);
	return true;
}

/* Opens the file that the pipe "lib2 (deleted)" must not be taken for. */
static bool replace_libraries(void)
{
	const struct procmap_vma *vma;
	struct procmap *pm;
	char name[PATH_MAX], other[PATH_MAX + 16];

	EQUAL(procmap_open(&pm, others.pid), 0);
	EQUAL(procmap_lookup(pm, where(&others, "lib1"), PROCMAP_NAME, &vma), 1);
	snprintf(name, sizeof(name), "%s", vma->name);
	procmap_close(pm);
	/* The new one first, so that it cannot get the inode of the old one. */
	snprintf(other, sizeof(other), "%s (deleted)", name);
	CHECK(copy_file(target_program, other) && !chmod(other, 0755));
	CHECK(!unlink(name));
	name[strlen(name) - 1] = '2';
	CHECK(!unlink(name));
	snprintf(other, sizeof(other), "%s (deleted)", name);
	return !mkfifo(other, 0666) || wrong("mkfifo");
}

static bool t_unprivileged(void)
{
	bool good;

	if (getuid()) {
		skip = "not root";
		return true;
	}
	snprintf(others_program, sizeof(others_program), "%s", copied("nobodys"));
	CHECK(!chmod(dir, 0755) && !chmod(others_program, 0755));
	CHECK(start(&others, others_program, "maps", NOBODY));
	good = in_child(nobody_finds_program) && in_child(nobody_reads_build_ids);
	/* Rebuilt while it runs */
	CHECK(!unlink(others_program) &&
	      copy_file("/proc/self/exe", others_program));
	good &= in_child(nobody_finds_program) && replace_libraries() &&
		in_child(nobody_finds_no_library);
	end_target(&others);
	return good;
}

/* A program that only its own mount namespace has at that path. */
static bool in_other_namespace(void)
{
	char path[PATH_MAX], mounted[PATH_MAX], program[PATH_MAX + 16];
	struct target t = {};
	int source, fd, ns = open("/proc/self/ns/mnt", O_RDONLY);

	if (getuid() || unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		skip = "no mount namespaces";
		return true;
	}
	snprintf(mounted, sizeof(mounted), "%s/mnt", dir);
	CHECK(!mkdir(mounted, 0755) && !mount("t", mounted, "tmpfs", 0, NULL));
	snprintf(program, sizeof(program), "%s/program", mounted);
	CHECK(copy_file(target_program, program));
	CHECK(start(&t, program, "maps", 0));
	CHECK(!setns(ns, CLONE_NEWNS) && access(program, F_OK));
	fd = open_at(t.pid, where(&t, "outer"), PROCMAP_AUTO, &source, path);
	CHECK(fd >= 0);
	CHECK(same_inode(fd, path) && !strncmp(path, "/proc/", 6) &&
	      strstr(path, "/root/"));
	end_target(&t);
	return true;
}

static bool t_namespace(void)
{
	return in_child(in_other_namespace);
}

/* --- ELF files */

static bool elf_address_is(const char *name, uint64_t offset, bool exec,
			   uint64_t wanted)
{
	uint64_t addr = where(&target, name) + offset, got = 0;
	const struct procmap_vma *vma;
	struct procmap_elf *elf;
	struct procmap *pm;
	int fd, ret;

	EQUAL(procmap_open(&pm, target.pid), 0);
	EQUAL(procmap_lookup(pm, addr, PROCMAP_NAME, &vma), 1);
	EQUAL(!!(vma->flags & PROCMAP_EXEC), exec);
	EQUAL(procmap_file_offset(vma, addr), offset);
	fd = procmap_open_file(pm, vma, NULL);
	CHECK(fd >= 0);
	EQUAL(procmap_elf_open(&elf, fd), 0);
	ret = procmap_elf_address(elf, vma, addr, &got);
	procmap_elf_close(elf);
	close(fd);
	procmap_close(pm);
	EQUAL(ret, wanted ? 0 : -ENOENT);
	EQUAL(got, wanted);
	return true;
}

/* The layout is explained where target.c makes it. */
static bool t_elf_address(void)
{
	static const char *const text[] = { "text32", "text64" };
	static const char *const data[] = { "data32", "data64" };
	int i;

	for (i = 0; i < 2; i++)
		CHECK(elf_address_is(text[i], 0, true, 0x10000) &&
		      elf_address_is(text[i], 0x17f, true, 0x1017f) &&
		      elf_address_is(text[i], 0x180, true, 0x10180) &&
		      elf_address_is(text[i], 0x40010, true, 0x50010) &&
		      elf_address_is(text[i], 0x20000, true, 0) &&
		      elf_address_is(data[i], 0x10, false, 0x20010) &&
		      elf_address_is(data[i], 0x210, false, 0x30210));
	return true;
}

/* Of every length, and with each byte of its headers made the worst: no crash. */
static bool t_hostile_elf(void)
{
	static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff };
	int fd = memfd_create("elf", 0), in = open(target_program, O_RDONLY);
	struct procmap_elf *elf;
	uint8_t image[2048], id[PROCMAP_BUILD_ID_MAX];
	size_t i, j;

	CHECK(fd >= 0 && read(in, image, sizeof(image)) == sizeof(image));
	close(in);
	for (i = 0; i <= sizeof(image); i++) {
		CHECK(!ftruncate(fd, 0) && pwrite(fd, image, i, 0) == (ssize_t)i);
		if (!procmap_elf_open(&elf, fd)) {
			CHECK(i >= sizeof(Elf64_Ehdr));
			procmap_elf_close(elf);
		}
	}
	for (i = 0; i < 1024; i++) {
		for (j = 0; j < sizeof(values); j++) {
			pwrite(fd, &values[j], 1, i);
			if (!procmap_elf_open(&elf, fd)) {
				CHECK(procmap_elf_build_id(elf, id) <= 20);
				procmap_elf_close(elf);
			}
		}
		pwrite(fd, &image[i], 1, i);
	}
	EQUAL(ftruncate(fd, 1000), 0);
	EQUAL(pwrite(fd, "\177XLF", 4, 0), 4);
	EQUAL(procmap_elf_open(&elf, fd), -ENOEXEC);
	close(fd);
	fd = open("/dev/zero", O_RDONLY);
	EQUAL(procmap_elf_open(&elf, fd), -ENOTSUP);
	close(fd);
	fd = open("/proc/self/maps", O_RDONLY);
	EQUAL(procmap_elf_open(&elf, fd), -ENOTSUP);
	close(fd);
	EQUAL(procmap_elf_open(&elf, -1), -ENOTSUP);
	return true;
}

/* --- */

static const struct {
	const char *name;
	bool (*test)(void);
} tests[] = {
	{ "walk: both ways agree, whatever is asked for", t_walks },
	{ "walk: what the text says", t_walk_text },
	{ "walk: both ways agree on all processes", t_all_processes },
	{ "walk: without the ioctl, by seccomp", t_seccomp },
	{ "walk: which way is chosen", t_choice },
	{ "lookup: every edge, every filter, by ioctl", t_lookups_ioctl },
	{ "lookup: the same by text", t_lookups_text },
	{ "lookup: one query for each mapping that is hit", t_cost },
	{ "lookup: nothing is allocated", t_no_allocation },
	{ "lookup: by several threads", t_threads },
	{ "error: no ioctl", t_no_ioctl },
	{ "error: any other of the ioctl", t_other_error },
	{ "error: exit", t_exit },
	{ "error: exec", t_exec },
	{ "error: exit during a walk", t_exit_meanwhile },
	{ "error: zombie", t_zombie },
	{ "error: wrong use", t_wrong_use },
	{ "error: no memory", t_no_memory },
	{ "text: a descriptor that was handed over", t_handed_over },
	{ "text: good lines", t_good_text },
	{ "text: bad lines", t_bad_text },
	{ "file: opened, with its path", t_file },
	{ "file: none, or none that can be read", t_no_file },
	{ "file: the vDSO", t_vdso },
	{ "file: replaced", t_replaced },
	{ "file: its build ID and its inode prove it", t_proof },
	{ "file: without privileges", t_unprivileged },
	{ "file: in another mount namespace", t_namespace },
	{ "elf: addresses", t_elf_address },
	{ "elf: hostile files", t_hostile_elf },
};

static void remove_all(void)
{
	char command[PATH_MAX];

	end_target(&target);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	if (system(command))
		wrong("cannot remove %s", dir);
}

int main(int argc, char **argv)
{
	struct procmap *pm;
	int failed = 0;
	size_t i;

	setbuf(stdout, NULL);
	snprintf(dir, sizeof(dir), "%s/procmap-library.XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (argc != 2 || !mkdtemp(dir)) {
		perror(argc == 2 ? dir : "usage: test-library TARGET");
		return 2;
	}
	target_program = argv[1];
	printf("TAP version 13\n");
	if (!start(&target, target_program, "maps", 0) ||
	    procmap_open(&pm, target.pid)) {
		printf("Bail out! there is no target\n");
		return 1;
	}
	has_ioctl = procmap_get_way(pm) == PROCMAP_IOCTL;
	procmap_close(pm);
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		bool good;

		skip = NULL;
		good = tests[i].test();
		failed += !good;
		printf("%sok %zu - %s%s%s\n", good ? "" : "not ", i + 1,
		       tests[i].name, skip ? " # SKIP " : "", skip ? skip : "");
	}
	printf("1..%zu\n", ARRAY_SIZE(tests));
	remove_all();
	return !!failed;
}
