// SPDX-License-Identifier: GPL-2.0
/*
 * Failing memory: each allocation and each copy from and to user memory that a
 * PROCMAP_QUERY makes is made to fail once, one after the other, until a query
 * gets through without meeting a failure. Whatever failed, the query has to say
 * so, or that there is no build ID, and to let go of all that it had taken: the
 * file (its file system can be unmounted), the mm (its process can go away) and
 * memory (kmemleak finds nothing).
 *
 * Needs root and a kernel that can inject faults: FAILSLAB and
 * FAULT_INJECTION_USERCOPY with FAULT_INJECTION_DEBUG_FS; with FAIL_PAGE_ALLOC
 * pages fail too. See Documentation/fault-injection/fault-injection.rst.
 */
#define _FILE_OFFSET_BITS 64
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "proc-maps-query-elf.h"
#include "proc-maps-query-mount.h"

/* A tmpfs for what is mounted in it. */
#define TOP		"/tmp"
#define DEBUG		TOP "/debug"
#define FILES		TOP "/files"

#define ALL		(PROCMAP_QUERY_COVERING_OR_NEXT_VMA |	\
			 PROCMAP_QUERY_VMA_EXECUTABLE |		\
			 PROCMAP_QUERY_VMA_SHARED |		\
			 PROCMAP_QUERY_FILE_BACKED_VMA)

/* For a name and a build ID: whole pages of any size. */
#define BUFFERS_SIZE	65536

/* More chances to fail than any query has. */
#define CHANCES_MAX	5000

/*
 * How often all chances are gone through. What looks for bugs in the kernel
 * allocates too, now and then, so that one may be met twice and another not.
 */
#define SWEEPS_MAX	10

/* kmemleak does not suspect what is younger. */
#define LEAK_AGE	6	/* seconds */

/* What is asked, and the failures that it must have met at the least. */
struct kind {
	const char *name;
	size_t size;		/* of the struct; 0: as this kernel has it */
	bool scan;		/* search for the file from address 0 on */
	bool label;		/* ask about [stack], else about the file */
	bool short_path;	/* of the file */
	bool vma_name, build_id;
	bool on_disk;		/* pages of the file have to be read in */
	bool fresh;		/* user memory that is not there yet */
	bool pages;		/* allocations of pages count too */
	unsigned int enomem, efault;
};

enum {
	NUMBERS, SHORTEST, SHORT, LONG, LABEL, SHORT_PATH, PATH, BUILD_ID_ONLY,
	EVERYTHING, SCAN, SCAN_EVERYTHING, ON_DISK, FRESH, KINDS
};

/*
 * Where the first copy of a whole struct fails, it is tried again with the size that
 * the caller gave: a single failure there makes no difference.
 */
static const struct kind kinds[KINDS] = {
	[NUMBERS] = {
		.name = "numbers", .efault = 1
	},
	/* Nothing is written: a failure to write nothing is none. */
	[SHORTEST] = {
		.name = "shortest struct", .size = 24, .efault = 1
	},
	[SHORT] = {
		.name = "shorter struct", .size = 60, .efault = 2
	},
	[LONG] = {
		.name = "longer struct", .size = 200,
		.vma_name = true, .build_id = true, .enomem = 1, .efault = 4
	},
	[LABEL] = {
		.name = "label", .label = true, .vma_name = true, .efault = 2
	},
	[SHORT_PATH] = {
		.name = "short path", .short_path = true, .vma_name = true,
		.efault = 2
	},
	[PATH] = {
		.name = "path", .vma_name = true, .enomem = 1, .efault = 2
	},
	[BUILD_ID_ONLY] = {
		.name = "build ID", .build_id = true, .efault = 2
	},
	[EVERYTHING] = {
		.name = "everything",
		.vma_name = true, .build_id = true, .enomem = 1, .efault = 3
	},
	[SCAN] = {
		.name = "scan", .scan = true, .efault = 1
	},
	[SCAN_EVERYTHING] = {
		.name = "scan for everything", .scan = true,
		.vma_name = true, .build_id = true, .enomem = 1, .efault = 3
	},
	/* A page cannot be read: there is a second try, see no_pages below. */
	[ON_DISK] = {
		.name = "file on disk", .on_disk = true, .pages = true,
		.vma_name = true, .build_id = true, .enomem = 1, .efault = 3
	},
	/* If there is no page for the struct, it is read a second time. */
	[FRESH] = {
		.name = "fresh memory", .fresh = true, .pages = true,
		.vma_name = true, .build_id = true, .enomem = 1, .efault = 3
	},
};

/* Settings of the kernel, with what they were before. */
static struct {
	const char *path, *value;	/* NULL: only put it back */
	char before[32];
} settings[] = {
	{ DEBUG "/failslab/ignore-gfp-wait", "N" },
	{ DEBUG "/failslab/verbose", "0" },
	{ DEBUG "/failslab/times" },
	{ DEBUG "/fail_usercopy/verbose", "0" },
	{ DEBUG "/fail_usercopy/times" },
	{ DEBUG "/fail_page_alloc/ignore-gfp-wait", "N" },
	{ DEBUG "/fail_page_alloc/ignore-gfp-highmem", "N" },
	{ DEBUG "/fail_page_alloc/min-order" },
	{ DEBUG "/fail_page_alloc/probability" },
	{ DEBUG "/fail_page_alloc/task-filter" },
	{ DEBUG "/fail_page_alloc/verbose", "0" },
	{ DEBUG "/fail_page_alloc/times" },
};

/* Returns whether there is such a setting. */
static bool read_setting(const char *path, char *to, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return false;
	len = read(fd, to, size - 1);
	must(len > 0);
	to[len] = '\0';
	to[strcspn(to, "\n")] = '\0';
	close(fd);
	return true;
}

static void write_setting(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	must(fd >= 0);
	must(write(fd, value, strlen(value)) == (ssize_t)strlen(value));
	close(fd);
}

static void change_settings(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		if (read_setting(settings[i].path, settings[i].before,
				 sizeof(settings[i].before)) &&
		    settings[i].value)
			write_setting(settings[i].path, settings[i].value);
	}
}

static void restore_settings(void)
{
	char now[sizeof(settings[0].before)];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		if (*settings[i].before &&
		    read_setting(settings[i].path, now, sizeof(now)) &&
		    strcmp(now, settings[i].before))
			write_setting(settings[i].path, settings[i].before);
	}
}

/*
 * Whether allocations of pages fail too. How many there are differs from query to
 * query, as slabs and the debugging of memory need some every now and then.
 */
static void fail_pages(bool fail)
{
	if (!access(DEBUG "/fail_page_alloc", F_OK))
		write_setting(DEBUG "/fail_page_alloc/min-order",
			      fail ? "0" : "100");
}

/* Who is asked about: a process with a file mapped and nothing else to do. */
struct target {
	pid_t pid;
	int maps;
	uint64_t image;		/* address of the file */
	uint64_t stack;		/* some address in [stack] */
	struct answer build_id;
};

static char image_path[PATH_MAX];

/* A long path takes memory that a short one may not need. */
static void make_directories(bool short_path)
{
	char name[251] = "/";
	unsigned int i;

	memset(name + 1, 'n', short_path ? 8 : sizeof(name) - 2);
	strcpy(image_path, FILES);
	for (i = 0; i < 3; i++) {
		strcat(image_path, name);
		must(!mkdir(image_path, 0755));
	}
	strcat(image_path, name);
}

static void make_image(bool short_path, struct answer *build_id)
{
	static const struct shape shape = {
		.segment = { { .note = { BUILD_ID(20, 1) } } }, .size = 20, .fill = 1,
	};
	struct image image = { .class = ELFCLASS64, .order = NATIVE_ORDER };

	make_directories(short_path);
	image.fd = open(image_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	must(image.fd >= 0);
	put_shape(&image, &shape);
	*build_id = shape_answer(&shape);
	close(image.fd);
}

static void make_target(const struct kind *kind, struct target *t)
{
	size_t page = sysconf(_SC_PAGESIZE);
	void *image;
	int fd;

	make_image(kind->short_path, &t->build_id);
	fd = open(image_path, O_RDONLY | O_CLOEXEC);
	must(fd >= 0);
	image = mmap(NULL, page, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	must(image != MAP_FAILED);
	close(fd);
	t->image = (uintptr_t)image;
	t->stack = (uintptr_t)&fd;

	t->pid = fork();
	must(t->pid >= 0);
	if (!t->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	must(!munmap(image, page));
	t->maps = maps_open(t->pid);
	must(t->maps >= 0);
}

/*
 * Ends the process. Returns whether its mm went away with it, as it cannot if a
 * query has kept a reference.
 */
static bool end_target(struct target *t)
{
	struct procmap_query q;
	int err;

	must(!kill(t->pid, SIGKILL));
	must(waitpid(t->pid, NULL, 0) == t->pid);
	err = query_at(t->maps, t->stack, 0, &q);
	close(t->maps);
	return err == ESRCH;
}

/*
 * What a query may write. The struct is there before, so that no page fault but
 * the query's own can take a failure; and the buffers too, unless they are to be
 * made by the query.
 */
struct memory {
	union {
		struct procmap_query q;
		unsigned char bytes[256];
	};
	char *name;
	unsigned char *build_id;
};

/*
 * Between guards: with a neighbour to be merged with, there would be less to
 * allocate for the first access.
 */
static void map_buffers(bool fresh, struct memory *m)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *addr = mmap(NULL, 2 * page + BUFFERS_SIZE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(addr != MAP_FAILED);
	must(!mprotect(addr + page, BUFFERS_SIZE, PROT_READ | PROT_WRITE));
	m->name = addr + page;
	m->build_id = (unsigned char *)addr + page + PATH_MAX;
	if (!fresh)
		memset(m->name, 0, BUFFERS_SIZE);
}

static void unmap_buffers(struct memory *m)
{
	size_t page = sysconf(_SC_PAGESIZE);

	must(!munmap(m->name - page, 2 * page + BUFFERS_SIZE));
}

static void prepare(const struct kind *kind, const struct target *t,
		    struct memory *m)
{
	struct procmap_query *q = &m->q;

	map_buffers(kind->fresh, m);
	memset(m->bytes, 0, sizeof(m->bytes));
	/* That output is not mistaken for what was there before. */
	memset(&q->vma_start, 0xa5, sizeof(*q) - offsetof(struct procmap_query,
							  vma_start));
	q->size = kind->size ?: sizeof(*q);
	q->query_flags = kind->scan ? ALL : 0;
	q->query_addr = kind->label ? t->stack : kind->scan ? 0 : t->image;
	q->vma_name_size = kind->vma_name ? PATH_MAX : 0;
	q->vma_name_addr = kind->vma_name ? (uintptr_t)m->name : 0;
	q->build_id_size = kind->build_id ? BUILD_ID_MAX : 0;
	q->build_id_addr = kind->build_id ? (uintptr_t)m->build_id : 0;
	if (q->size < offsetof(struct procmap_query, vma_name_addr))
		memset(m->bytes + q->size, 0xa5, sizeof(*q) - q->size);
}

static void evict_image(void)
{
	int fd = open(image_path, O_RDONLY | O_CLOEXEC);

	must(fd >= 0);
	evict(fd);
	close(fd);
}

/* Makes the @nth chance to fail from now on, of this thread, a failure. */
static void arm(int fail_nth, unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	must(pwrite(fail_nth, text, len, 0) == len);
}

/* Returns whether it has been met. */
static bool disarm(int fail_nth)
{
	char text[16] = "";
	ssize_t len = pread(fail_nth, text, sizeof(text) - 1, 0);

	/* Then it was the next, and this read has met it. */
	if (len < 0 && errno == EFAULT)
		return false;
	must(len > 0);
	/* This write may be the one to meet it. */
	while (pwrite(fail_nth, "0", 1, 0) != 1)
		must(errno == EFAULT);
	return !atoi(text);
}

struct counts {
	unsigned int enomem, efault;
	unsigned int absorbed;	/* something failed, and was not needed */
};

/* What is wrong; there is more to say than that something is. */
static char complaint[256];

#define complain(...)	\
	(snprintf(complaint, sizeof(complaint), __VA_ARGS__), false)

/* After EFAULT, what is output is undefined, as far as it is within the struct. */
static bool inputs_intact(const struct memory *m, const struct memory *before)
{
	const size_t end = before->q.size < OUT_END ? before->q.size : OUT_END;

	return !memcmp(m->bytes, before->bytes, OUT_FIRST) &&
	       !memcmp(m->bytes + end, before->bytes + end, sizeof(m->bytes) - end);
}

static bool check_failure(int err, const struct memory *m,
			  const struct memory *before, struct counts *c)
{
	if (err == ENOMEM)
		c->enomem++;
	else if (err == EFAULT)
		c->efault++;
	else
		return complain("%s, must be ENOMEM or EFAULT", strerror(err));
	if (err == EFAULT ? !inputs_intact(m, before) :
			    memcmp(m->bytes, before->bytes, sizeof(m->bytes)))
		return complain("%s, and the struct has changed", strerror(err));
	return true;
}

/* A build ID that @met a failure is none: there was no memory to read it. */
static bool check_success(const struct kind *kind, const struct target *t,
			  const struct memory *m, bool met)
{
	uint64_t addr = kind->label ? t->stack : t->image;
	const struct procmap_query *q = &m->q;

	if (kind->size == 24)
		return true;
	if (q->vma_start > addr || q->vma_end <= addr)
		return complain("not the VMA that was asked for");
	if (kind->vma_name &&
	    (strcmp(m->name, kind->label ? "[stack]" : image_path) ||
	     q->vma_name_size != strlen(m->name) + 1))
		return complain("wrong name %s", m->name);
	if (kind->build_id && !(met && !q->build_id_size) &&
	    (q->build_id_size != t->build_id.size ||
	     memcmp(m->build_id, t->build_id.id, t->build_id.size)))
		return complain("wrong build ID of %u bytes", q->build_id_size);
	return true;
}

/* Queries with the @nth chance a failure. Sets whether there was such a one. */
static bool query_with_fault(const struct kind *kind, const struct target *t,
			     int fail_nth, unsigned int nth, bool *met,
			     struct counts *c)
{
	struct memory m, before;
	bool right;
	int err;

	prepare(kind, t, &m);
	before = m;
	if (kind->on_disk)
		evict_image();

	arm(fail_nth, nth);
	err = query(t->maps, &m.q);
	*met = disarm(fail_nth);

	if (err && !*met)
		right = complain("%s without a failure", strerror(err));
	else if (err)
		right = check_failure(err, &m, &before, c);
	else
		right = check_success(kind, t, &m, *met);
	if (!err && *met)
		c->absorbed++;

	unmap_buffers(&m);
	return right;
}

static bool query_with_each_fault(const struct kind *kind,
				  const struct target *t, int fail_nth,
				  struct counts *c)
{
	unsigned int nth = 0;
	bool met;

	*c = (struct counts) {};
	do {
		if (!query_with_fault(kind, t, fail_nth, ++nth, &met, c)) {
			fprintf(stderr, "# %s: failure %u\n", kind->name, nth);
			return false;
		}
	} while (met && nth < CHANCES_MAX);
	return !met || complain("failures without end");
}

/* Returns whether all went right, and enough went wrong. */
static bool query_with_all_faults(const struct kind *kind,
				  const struct target *t, struct counts *c)
{
	bool met, enough = false;
	char path[64];
	int fail_nth, i;

	snprintf(path, sizeof(path), "/proc/self/task/%ld/fail-nth",
		 syscall(SYS_gettid));
	fail_nth = open(path, O_RDWR | O_CLOEXEC);
	must(fail_nth >= 0);
	fail_pages(kind->pages);

	/* Once for nothing, so that code and stack of this test are there. */
	if (!query_with_fault(kind, t, fail_nth, 0, &met, c))
		return false;
	for (i = 0; i < SWEEPS_MAX && (kind->pages || !enough); i++) {
		if (!query_with_each_fault(kind, t, fail_nth, c))
			return false;
		enough |= c->enomem >= kind->enomem && c->efault >= kind->efault;
	}
	close(fail_nth);
	return enough ||
	       complain("%s: met ENOMEM %u times, must be %u; EFAULT %u times, must be %u",
			kind->name, c->enomem, kind->enomem, c->efault,
			kind->efault);
}

/* Returns NULL, or what is missing to inject failures. */
static const char *set_up(void)
{
	const char *lacks;

	if (geteuid())
		return "must be root to mount file systems and inject failures";
	if (access("/proc/self/fail-nth", F_OK))
		return "this kernel cannot inject failures (CONFIG_FAULT_INJECTION)";
	lacks = mount_privately() ?: mount_at(TOP, "tmpfs", "tmpfs") ?:
		mount_at(DEBUG, "debugfs", "debugfs");
	if (lacks)
		return lacks;
	if (access(DEBUG "/failslab", F_OK))
		return "this kernel cannot fail allocations (CONFIG_FAILSLAB)";
	if (access(DEBUG "/fail_usercopy", F_OK))
		return "this kernel cannot fail user copies (CONFIG_FAULT_INJECTION_USERCOPY)";
	change_settings();
	return NULL;
}

static const char *mount_for(const struct kind *kind)
{
	return kind->on_disk ? mount_ext4(FILES) :
			       mount_at(FILES, "tmpfs", "tmpfs");
}

FIXTURE(fault) {
	const char *missing;	/* why the test cannot be run, or NULL */
	struct target target;
};

FIXTURE_VARIANT(fault) {
	unsigned int kind;
};

FIXTURE_VARIANT_ADD(fault, numbers) { .kind = NUMBERS };
FIXTURE_VARIANT_ADD(fault, shortest) { .kind = SHORTEST };
FIXTURE_VARIANT_ADD(fault, shorter) { .kind = SHORT };
FIXTURE_VARIANT_ADD(fault, longer) { .kind = LONG };
FIXTURE_VARIANT_ADD(fault, label) { .kind = LABEL };
FIXTURE_VARIANT_ADD(fault, short_path) { .kind = SHORT_PATH };
FIXTURE_VARIANT_ADD(fault, path) { .kind = PATH };
FIXTURE_VARIANT_ADD(fault, build_id) { .kind = BUILD_ID_ONLY };
FIXTURE_VARIANT_ADD(fault, everything) { .kind = EVERYTHING };
FIXTURE_VARIANT_ADD(fault, scan) { .kind = SCAN };
FIXTURE_VARIANT_ADD(fault, scan_everything) { .kind = SCAN_EVERYTHING };
FIXTURE_VARIANT_ADD(fault, on_disk) { .kind = ON_DISK };
FIXTURE_VARIANT_ADD(fault, fresh) { .kind = FRESH };

FIXTURE_SETUP(fault)
{
	self->missing = set_up() ?: mount_for(&kinds[variant->kind]);
	if (!self->missing)
		make_target(&kinds[variant->kind], &self->target);
}

FIXTURE_TEARDOWN(fault)
{
	restore_settings();
	if (self->missing)
		return;
	EXPECT_TRUE(end_target(&self->target))
		TH_LOG("a failed query has kept the mm");
	EXPECT_EQ(0, umount2(FILES, 0))
		TH_LOG("a failed query has kept the file: %s", strerror(errno));
}

/* Errors are clean, and what was held is let go of, see FIXTURE_TEARDOWN(). */
TEST_F(fault, each)
{
	struct counts c;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	EXPECT_TRUE(query_with_all_faults(&kinds[variant->kind], &self->target, &c))
		TH_LOG("%s", complaint);
	TH_LOG("met ENOMEM %u times, EFAULT %u times, %u failures made no difference",
	       c.enomem, c.efault, c.absorbed);
}

/* The file has to be read, and there is no page to read it into. */
FIXTURE(no_pages) {
	const char *missing;
	struct target target;
};

FIXTURE_SETUP(no_pages)
{
	self->missing = set_up();
	if (!self->missing && access(DEBUG "/fail_page_alloc", F_OK))
		self->missing = "this kernel cannot fail pages (CONFIG_FAIL_PAGE_ALLOC)";
	if (!self->missing)
		self->missing = mount_ext4(FILES);
	if (!self->missing)
		make_target(&kinds[BUILD_ID_ONLY], &self->target);
}

FIXTURE_TEARDOWN(no_pages)
{
	restore_settings();
	if (self->missing)
		return;
	EXPECT_TRUE(end_target(&self->target));
	EXPECT_EQ(0, umount2(FILES, 0));
}

TEST_F(no_pages, build_id)
{
	const struct kind *kind = &kinds[BUILD_ID_ONLY];
	struct memory m;
	int i, err, switch_fd;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	/* Opened now: later there may be no memory for it. */
	switch_fd = open("/proc/self/make-it-fail", O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, switch_fd);
	fail_pages(true);
	write_setting(DEBUG "/fail_page_alloc/task-filter", "Y");
	write_setting(DEBUG "/fail_page_alloc/times", "1000000");
	write_setting(DEBUG "/fail_page_alloc/probability", "100");
	for (i = 0; i < 20; i++) {
		prepare(kind, &self->target, &m);
		evict_image();
		ASSERT_EQ(1, pwrite(switch_fd, "1", 1, 0));
		err = query(self->target.maps, &m.q);
		ASSERT_EQ(1, pwrite(switch_fd, "0", 1, 0));
		ASSERT_EQ(0, err);
		ASSERT_EQ(0U, m.q.build_id_size);
		unmap_buffers(&m);
	}
}

/* Twice: what is on the move between two places may look lost to one scan. */
static bool scan_for_leaks(void)
{
	int fd = open(DEBUG "/kmemleak", O_WRONLY | O_CLOEXEC);
	bool done;

	must(fd >= 0);
	done = write(fd, "scan", 4) == 4 && write(fd, "scan", 4) == 4;
	close(fd);
	return done;
}

/* Prints the suspects that this process has allocated. Returns how many. */
static unsigned int print_leaks(void)
{
	FILE *file = fopen(DEBUG "/kmemleak", "re");
	char line[256], first[256] = "", mine[32];
	unsigned int leaks = 0;
	bool on = false;

	must(file);
	snprintf(mine, sizeof(mine), "pid %d,", getpid());
	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, "unreferenced", 12)) {
			strcpy(first, line);
			on = false;
		} else if (strstr(line, mine)) {
			fprintf(stderr, "# %s", first);
			on = true;
			leaks++;
		}
		if (on)
			fprintf(stderr, "# %s", line);
	}
	fclose(file);
	return leaks;
}

FIXTURE(leak) {
	const char *missing;
};

FIXTURE_SETUP(leak)
{
	self->missing = set_up();
	if (!self->missing && access(DEBUG "/kmemleak", F_OK))
		self->missing = "this kernel cannot find leaks (CONFIG_DEBUG_KMEMLEAK)";
	if (!self->missing && !scan_for_leaks())
		self->missing = "kmemleak is off: see the kernel's log for why";
}

FIXTURE_TEARDOWN(leak)
{
	restore_settings();
}

TEST_F(leak, none)
{
	struct target target;
	struct counts c;
	unsigned int i;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	for (i = 0; i < KINDS; i++) {
		const char *lacks = mount_for(&kinds[i]);

		if (lacks) {
			TH_LOG("without %s: %s", kinds[i].name, lacks);
			continue;
		}
		make_target(&kinds[i], &target);
		EXPECT_TRUE(query_with_all_faults(&kinds[i], &target, &c))
			TH_LOG("%s", complaint);
		end_target(&target);
		must(!umount2(FILES, MNT_DETACH));
	}
	sleep(LEAK_AGE);
	ASSERT_TRUE(scan_for_leaks())
		TH_LOG("kmemleak has given up: see the kernel's log for why");
	EXPECT_EQ(0, print_leaks());
}

QUERY_TEST_MAIN
