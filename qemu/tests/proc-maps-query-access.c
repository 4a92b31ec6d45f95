// SPDX-License-Identifier: GPL-2.0
/*
 * Who may ask PROCMAP_QUERY about whom, and about which address space a
 * descriptor answers: permission is checked when it is opened, and it stays with
 * the address space that the process had then, in whosever hands it is.
 *
 * Needs root to be other users.
 */
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "proc-maps-query.h"
#include "proc-maps-query-state.h"

/* Two users that nobody is. */
#define USER		64001
#define OTHER_USER	64002

/* In the environment of this program: do nothing but wait, see below. */
#define WAIT_ENV	"PROC_MAPS_QUERY_ACCESS_WAIT"

#define YAMA_SCOPE	"/proc/sys/kernel/yama/ptrace_scope"

static void wait_for_ever(void)
{
	for (;;)
		pause();
}

static void become(uid_t uid, gid_t gid)
{
	if (!uid)
		return;
	must(!setgroups(0, NULL) && !setresgid(gid, gid, gid) &&
	     !setresuid(uid, uid, uid));
	/* Who changes the user is not dumpable, and of interest to root only. */
	must(!prctl(PR_SET_DUMPABLE, 1));
}

/*
 * Children take turns with their parent: step() lets the other side go on,
 * await() waits for it to do so. Where that is gone, there is no going on: the
 * test fails.
 */

struct child {
	pid_t pid;
	int sock;
};

static void step(int sock)
{
	must(write(sock, "", 1) == 1);
}

static void await(int sock)
{
	char byte;

	if (read(sock, &byte, 1) != 1)
		_exit(1);
}

/* Starts a child that is @uid and runs @run with its end of a socket. */
static struct child start(uid_t uid, void (*run)(int sock))
{
	struct child c;
	int socks[2];

	must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks));
	c.pid = fork();
	must(c.pid >= 0);
	if (!c.pid) {
		close(socks[0]);
		become(uid, uid);
		must(!prctl(PR_SET_PDEATHSIG, SIGKILL));
		run(socks[1]);
		_exit(0);
	}
	close(socks[1]);
	c.sock = socks[0];
	return c;
}

static void end(struct child *c)
{
	kill(c->pid, SIGKILL);
	must(waitpid(c->pid, NULL, 0) == c->pid);
	close(c->sock);
}

/* Returns 0, or the errno of opening the maps file and asking for anything. */
static int open_and_query(pid_t pid)
{
	int maps = maps_open(pid), err;
	struct procmap_query q;

	if (maps < 0)
		return errno;
	err = query_at(maps, 0, PROCMAP_QUERY_COVERING_OR_NEXT_VMA, &q);
	close(maps);
	return err;
}

/* The same as a child with that user and group. */
static int open_and_query_as(uid_t uid, gid_t gid, pid_t pid)
{
	pid_t child = fork();
	int status;

	must(child >= 0);
	if (!child) {
		become(uid, gid);
		_exit(open_and_query(pid));
	}
	must(waitpid(child, &status, 0) == child && WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* A file mapped by whoever answers, so that its answers are known. */
static void *map_memfd(const char *name, off_t offset)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	void *addr;

	must(fd >= 0);
	addr = mmap(NULL, getpagesize(), PROT_READ, MAP_SHARED, fd, offset);
	must(addr != MAP_FAILED);
	close(fd);
	return addr;
}

/* Returns whether @addr is within a mapping of the memfd @name. */
static bool has_memfd(int maps, const void *addr, const char *name)
{
	char seen[64], want[64];
	struct procmap_query q = {
		.size = sizeof(q),
		.query_addr = (uintptr_t)addr,
		.vma_name_size = sizeof(seen),
		.vma_name_addr = (uintptr_t)seen,
	};

	snprintf(want, sizeof(want), "/memfd:%s (deleted)", name);
	return !query(maps, &q) && !strcmp(seen, want);
}

static const char *missing(void)
{
	return geteuid() ? "must be root to be other users" : NULL;
}

FIXTURE(access) {
	int maps;		/* of ourselves */
	struct procmap_query q;
	const char *missing;	/* why the test cannot be run, or NULL */
};

FIXTURE_SETUP(access)
{
	self->missing = missing();
	self->maps = maps_open(0);
}

FIXTURE_TEARDOWN(access)
{
	close(self->maps);
}

static void just_wait(int sock)
{
	step(sock);
	wait_for_ever();
}

TEST_F(access, users)
{
	struct child target;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	target = start(USER, just_wait);
	await(target.sock);
	EXPECT_EQ(0, open_and_query(target.pid));
	EXPECT_EQ(0, open_and_query_as(USER, USER, target.pid));
	EXPECT_EQ(EACCES, open_and_query_as(OTHER_USER, OTHER_USER, target.pid));
	EXPECT_EQ(EACCES, open_and_query_as(OTHER_USER, USER, target.pid));
	/* Its group counts too. */
	EXPECT_EQ(EACCES, open_and_query_as(USER, OTHER_USER, target.pid));
	/* Root's processes. */
	EXPECT_EQ(EACCES, open_and_query_as(USER, USER, getpid()));
	end(&target);
}

static void be_not_dumpable(int sock)
{
	step(sock);
	await(sock);
	must(!prctl(PR_SET_DUMPABLE, 0));
	step(sock);
	await(sock);
	/* It may still look at itself, through a descriptor of its own. */
	must(!open_and_query(0));
	step(sock);
	wait_for_ever();
}

/* A process that keeps its memory to itself, from its own user too. */
TEST_F(access, not_dumpable)
{
	struct child target;
	int maps;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	target = start(USER, be_not_dumpable);
	await(target.sock);
	maps = maps_open(target.pid);
	EXPECT_EQ(0, open_and_query_as(USER, USER, target.pid));
	step(target.sock);
	await(target.sock);
	EXPECT_EQ(EACCES, open_and_query_as(USER, USER, target.pid));
	EXPECT_EQ(0, open_and_query(target.pid));
	/* It was opened when that was allowed. */
	EXPECT_EQ(0, query_at(maps, 0, PROCMAP_QUERY_COVERING_OR_NEXT_VMA,
			      &self->q));
	step(target.sock);
	await(target.sock);
	close(maps);
	end(&target);
}

static bool write_scope(char scope)
{
	int fd = open(YAMA_SCOPE, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, &scope, 1) == 1;

	if (fd >= 0)
		close(fd);
	return good;
}

/* Returns the setting, or 0 where it cannot be changed (3 is for ever). */
static char read_scope(void)
{
	int fd = open(YAMA_SCOPE, O_RDONLY | O_CLOEXEC);
	char scope = 0;

	if (fd < 0)
		return 0;
	must(read(fd, &scope, 1) == 1);
	close(fd);
	return scope != '3' && write_scope(scope) ? scope : 0;
}

/* Yama restricts who may attach to a process, not who may read its maps. */
TEST_F(access, ptrace_scope)
{
	char scope, was = read_scope();
	struct child target;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	if (!was)
		SKIP(return, YAMA_SCOPE " is not there or cannot be changed");

	target = start(USER, just_wait);
	await(target.sock);
	for (scope = '0'; scope <= '2'; scope++) {
		EXPECT_TRUE(write_scope(scope));
		EXPECT_EQ(0, open_and_query_as(USER, USER, target.pid))
			TH_LOG("ptrace_scope %c", scope);
		EXPECT_EQ(EACCES, open_and_query_as(OTHER_USER, OTHER_USER,
						    target.pid));
	}
	EXPECT_TRUE(write_scope(was));
	end(&target);
}

/* A message with one descriptor in it. */
struct passed {
	struct msghdr msg;
	struct iovec iov;
	char byte;
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
};

static void passed_init(struct passed *p)
{
	memset(p, 0, sizeof(*p));
	p->iov = (struct iovec) { &p->byte, 1 };
	p->msg.msg_iov = &p->iov;
	p->msg.msg_iovlen = 1;
	p->msg.msg_control = p->control.bytes;
	p->msg.msg_controllen = sizeof(p->control.bytes);
}

static void pass(int sock, int fd)
{
	struct cmsghdr *cmsg;
	struct passed p;

	passed_init(&p);
	cmsg = CMSG_FIRSTHDR(&p.msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	must(sendmsg(sock, &p.msg, 0) == 1);
}

static int take(int sock)
{
	struct passed p;
	int fd;

	passed_init(&p);
	must(recvmsg(sock, &p.msg, MSG_CMSG_CLOEXEC) == 1);
	must(CMSG_FIRSTHDR(&p.msg));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&p.msg)), sizeof(fd));
	return fd;
}

/* The agent that gets a descriptor, and where in its owner it is to look. */
static void *passed_addr;

static void be_agent(int sock)
{
	void *addr = passed_addr;
	int maps = take(sock);

	/* Not of ours: we have nothing there. */
	must(!munmap(addr, getpagesize()));
	must(open_and_query(getppid()) == EACCES);
	must(has_memfd(maps, addr, "passed"));
	step(sock);
	/* The owner has unmapped it. */
	await(sock);
	must(!has_memfd(maps, addr, "passed"));
	step(sock);
	wait_for_ever();
}

/* Whoever is handed the descriptor may ask, without any right to open it. */
TEST_F(access, passed_descriptor)
{
	struct child agent;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	passed_addr = map_memfd("passed", 0);
	agent = start(USER, be_agent);
	pass(agent.sock, self->maps);
	await(agent.sock);
	must(!munmap(passed_addr, getpagesize()));
	step(agent.sock);
	await(agent.sock);
	end(&agent);
}

static int inherited_maps;
static void *inherited_addr;

static void be_heir(int sock)
{
	void *own = map_memfd("child", 0);

	/* The descriptor answers for the parent, whatever we do. */
	must(!munmap(inherited_addr, getpagesize()));
	must(has_memfd(inherited_maps, inherited_addr, "parent"));
	must(!has_memfd(inherited_maps, own, "child"));
	step(sock);
	wait_for_ever();
}

TEST_F(access, inherited_descriptor)
{
	struct child heir;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	inherited_maps = self->maps;
	inherited_addr = map_memfd("parent", 0);
	heir = start(0, be_heir);
	await(heir.sock);
	end(&heir);
	must(!munmap(inherited_addr, getpagesize()));
}

static bool is_kernel_thread(pid_t pid)
{
	const unsigned int pf_kthread = 0x200000;
	unsigned int flags = 0;
	char path[64];
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	stat = fopen(path, "re");
	if (!stat)
		return false;
	must(fscanf(stat, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %u",
		    &flags) == 1);
	fclose(stat);
	return flags & pf_kthread;
}

/* Some kernels say it at the open already, of the text as well. */
TEST_F(access, kernel_thread)
{
	int maps;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	if (!is_kernel_thread(2))
		SKIP(return, "process 2 is no kernel thread here");
	EXPECT_EQ(ESRCH, open_and_query(2));
	EXPECT_NE(0, open_and_query_as(USER, USER, 2));

	/* What is wrong with the question is found before that. */
	maps = maps_open(2);
	ASSERT_LE(0, maps);
	EXPECT_EQ(EINVAL, query_at(maps, 0, ~0ULL, &self->q));
	close(maps);
}

TEST_F(access, exited)
{
	struct child target;
	siginfo_t info;
	int maps, i;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	target = start(0, just_wait);
	await(target.sock);
	maps = maps_open(target.pid);
	EXPECT_EQ(0, query_at(maps, 0, PROCMAP_QUERY_COVERING_OR_NEXT_VMA,
			      &self->q));

	/* A zombie, and then nothing at all. */
	must(!kill(target.pid, SIGKILL));
	must(!waitid(P_PID, target.pid, &info, WEXITED | WNOWAIT));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(ESRCH, query_at(maps, 0, 0, &self->q));
		EXPECT_EQ(ESRCH, query_at(maps, 0,
					  PROCMAP_QUERY_COVERING_OR_NEXT_VMA,
					  &self->q));
		EXPECT_EQ(i ? ENOENT : ESRCH, open_and_query(target.pid));
		if (!i)
			end(&target);
	}
	close(maps);
}

static void *step_for_ever(void *sock)
{
	step(*(int *)sock);
	wait_for_ever();
	return NULL;
}

static void lose_leader(int sock)
{
	pthread_t thread;

	must(!pthread_create(&thread, NULL, step_for_ever, &sock));
	await(sock);
	/* Ends this thread; the stack with @sock stays. */
	syscall(SYS_exit, 0);
}

/* The first thread has ended, but the process and its address space live on. */
TEST_F(access, exited_leader)
{
	struct child target;
	int maps;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	target = start(0, lose_leader);
	await(target.sock);
	maps = maps_open(target.pid);
	step(target.sock);
	while (process_state(target.pid) != 'Z')
		usleep(1000);
	EXPECT_EQ(0, query_at(maps, (uintptr_t)&wait_for_ever, 0, &self->q));
	EXPECT_EQ(ESRCH, open_and_query(target.pid));
	close(maps);
	end(&target);
}

/*
 * What targets execute is this program again, which says that it is there to the
 * socket named in its environment, and stays. Nothing that is seen from outside
 * says so: descriptors are closed before the address space changes, or after.
 */
static void execute_waiter(int sock)
{
	static char env[64];
	static char * const argv[] = { "waiter", NULL };
	static char * const envp[] = { env, NULL };

	must(!fcntl(sock, F_SETFD, 0));
	snprintf(env, sizeof(env), WAIT_ENV "=%d", sock);
	execve("/proc/self/exe", argv, envp);
	_exit(127);
}

static void __attribute__((constructor)) be_executed(void)
{
	const char *sock = getenv(WAIT_ENV);

	if (sock) {
		step(atoi(sock));
		wait_for_ever();
	}
}

/* What is mapped before an exec, and its address. */
static void *before_exec;

static void execute(int sock)
{
	step(sock);
	await(sock);
	execute_waiter(sock);
}

/* Is this program executable in the address space? */
static bool has_program(int maps)
{
	struct procmap_query q = {};
	struct stat program;

	must(!stat("/proc/self/exe", &program));
	do {
		if (query_at(maps, q.vma_end,
			     PROCMAP_QUERY_COVERING_OR_NEXT_VMA |
			     PROCMAP_QUERY_VMA_EXECUTABLE, &q))
			return false;
	} while (q.inode != program.st_ino);
	return true;
}

/* The descriptor stays with the address space that it was opened on. */
TEST_F(access, executed)
{
	struct child target;
	int maps, new;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	before_exec = map_memfd("before", 0);
	target = start(0, execute);
	await(target.sock);
	maps = maps_open(target.pid);
	EXPECT_TRUE(has_memfd(maps, before_exec, "before"));
	step(target.sock);
	await(target.sock);
	EXPECT_EQ(ESRCH, query_at(maps, (uintptr_t)before_exec, 0, &self->q));
	EXPECT_EQ(ESRCH, query_at(maps, 0, PROCMAP_QUERY_COVERING_OR_NEXT_VMA,
				  &self->q));
	new = maps_open(target.pid);
	EXPECT_FALSE(has_memfd(new, before_exec, "before"));
	EXPECT_TRUE(has_program(new));
	close(new);
	close(maps);
	end(&target);
	must(!munmap(before_exec, getpagesize()));
}

static void execute_after_vfork(int sock)
{
	pid_t pid = vfork();

	must(pid >= 0);
	if (!pid) {
		/* Tells who it is; its memory is the parent's. */
		pid = getpid();
		must(write(sock, &pid, sizeof(pid)) == sizeof(pid));
		await(sock);
		execute_waiter(sock);
	}
	wait_for_ever();
}

/*
 * A child of vfork() has its parent's address space until it executes, and the
 * descriptor stays with that: with the parent.
 */
TEST_F(access, vforked)
{
	struct child target;
	int maps, new;
	pid_t pid;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	before_exec = map_memfd("before", 0);
	target = start(0, execute_after_vfork);
	must(read(target.sock, &pid, sizeof(pid)) == sizeof(pid));
	maps = maps_open(pid);
	EXPECT_TRUE(has_memfd(maps, before_exec, "before"));
	step(target.sock);
	await(target.sock);
	EXPECT_TRUE(has_memfd(maps, before_exec, "before"));
	new = maps_open(pid);
	EXPECT_FALSE(has_memfd(new, before_exec, "before"));
	EXPECT_TRUE(has_program(new));
	kill(pid, SIGKILL);
	end(&target);
	EXPECT_EQ(ESRCH, query_at(maps, 0, 0, &self->q));
	close(new);
	close(maps);
	must(!munmap(before_exec, getpagesize()));
}

/* Only system calls: it has the C library's state of its parent too. */
static int share_memory(void *sock)
{
	char byte;

	if (syscall(SYS_read, *(int *)sock, &byte, 1) == 1)
		syscall(SYS_exit, 0);
	syscall(SYS_exit, 1);
	return 1;
}

/* A process that shares memory, and nothing else: its maps are ours. */
TEST_F(access, shared_memory)
{
	const size_t stack_size = 65536;
	int maps, socks[2], status;
	char *stack;
	void *addr;
	pid_t pid;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks));
	stack = malloc(stack_size);
	must(stack);
	pid = clone(share_memory, stack + stack_size, CLONE_VM | SIGCHLD,
		    &socks[1]);
	must(pid > 0);
	maps = maps_open(pid);
	addr = map_memfd("shared", 0);
	EXPECT_TRUE(has_memfd(maps, addr, "shared"));
	step(socks[0]);
	must(waitpid(pid, &status, 0) == pid);
	EXPECT_EQ(0, status);
	/* It has gone, the address space has not. */
	EXPECT_TRUE(has_memfd(maps, addr, "shared"));
	must(!munmap(addr, getpagesize()));
	free(stack);
	close(socks[0]);
	close(socks[1]);
	close(maps);
}

/* Returns whether both descriptors answer the same from the first VMA on. */
static bool same_walk(int one, int two)
{
	struct procmap_query q, r;
	uint64_t addr = 0;
	unsigned int vmas;
	int err;

	for (vmas = 0; ; vmas++) {
		err = query_at(one, addr, PROCMAP_QUERY_COVERING_OR_NEXT_VMA,
			       &q);
		if (query_at(two, addr, PROCMAP_QUERY_COVERING_OR_NEXT_VMA,
			     &r) != err)
			return false;
		if (err)
			return err == ENOENT && vmas > 3;
		if (memcmp(&q, &r, sizeof(q)))
			return false;
		addr = q.vma_end;
	}
}

struct threads_view {
	int task, thread_self;
};

static void *open_as_thread(void *arg)
{
	struct threads_view *view = arg;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%ld/maps",
		 syscall(SYS_gettid));
	view->task = open(path, O_RDONLY | O_CLOEXEC);
	view->thread_self = open("/proc/thread-self/maps", O_RDONLY | O_CLOEXEC);
	return NULL;
}

/* Every thread has the maps of its process, and they outlive it. */
TEST_F(access, threads)
{
	struct threads_view view;
	pthread_t thread;
	int pid_maps;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	must(!pthread_create(&thread, NULL, open_as_thread, &view));
	must(!pthread_join(thread, NULL));
	pid_maps = maps_open(getpid());
	EXPECT_TRUE(same_walk(self->maps, pid_maps));
	EXPECT_TRUE(same_walk(self->maps, view.task));
	EXPECT_TRUE(same_walk(self->maps, view.thread_self));
	close(pid_maps);
	close(view.task);
	close(view.thread_self);
}

/* Queries between the reads of a text, and at any position of the file. */
TEST_F(access, file_position)
{
	static char text[1 << 16], again[1 << 16];
	const off_t positions[] = { 0, 1, 100, 5000, 1 << 30 };
	ssize_t size = 0, got;
	struct procmap_query q;
	unsigned int i;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	while ((got = read(self->maps, text + size, sizeof(text) - size)) > 0)
		size += got;
	must(!got);
	ASSERT_EQ(0, query_at(self->maps, (uintptr_t)text, 0, &q));
	EXPECT_EQ(size, lseek(self->maps, 0, SEEK_CUR));
	EXPECT_EQ(0, read(self->maps, again, 1));

	/* In small pieces, with a query of another place after each. */
	must(!lseek(self->maps, 0, SEEK_SET));
	for (size = 0; ; size += got) {
		got = read(self->maps, again + size, 100);
		if (got <= 0)
			break;
		EXPECT_EQ(0, query_at(self->maps, (uintptr_t)text, 0, &self->q));
		EXPECT_EQ(size + got, lseek(self->maps, 0, SEEK_CUR));
	}
	EXPECT_STREQ(text, again);

	for (i = 0; i < ARRAY_SIZE(positions); i++) {
		/* Beyond the end of the text it may be refused. */
		if (lseek(self->maps, positions[i], SEEK_SET) < 0)
			continue;
		EXPECT_EQ(0, query_at(self->maps, (uintptr_t)text, 0, &self->q));
		EXPECT_EQ(0, memcmp(&q, &self->q, sizeof(q)));
		EXPECT_EQ(positions[i], lseek(self->maps, 0, SEEK_CUR));
	}
}

/* A thread that asks about a mapping of its own. */
struct asker {
	pthread_t thread;
	int maps;
	unsigned int nr;
	bool good;
};

#define ASKERS	8

static void *ask_about_own(void *arg)
{
	struct asker *a = arg;
	off_t offset = (off_t)a->nr * getpagesize();
	struct procmap_query q;
	char name[16];
	void *addr;
	int i;

	snprintf(name, sizeof(name), "asker-%u", a->nr);
	addr = map_memfd(name, offset);
	a->good = true;
	for (i = 0; i < 1000; i++) {
		a->good &= has_memfd(a->maps, addr, name);
		a->good &= !query_at(a->maps, (uintptr_t)addr, 0, &q) &&
			   q.vma_start == (uintptr_t)addr &&
			   q.vma_end == q.vma_start + getpagesize() &&
			   q.vma_offset == (uint64_t)offset;
	}
	must(!munmap(addr, getpagesize()));
	return NULL;
}

TEST_F(access, shared_descriptor)
{
	struct asker askers[ASKERS];
	unsigned int i;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	for (i = 0; i < ASKERS; i++) {
		askers[i] = (struct asker) { .maps = self->maps, .nr = i };
		must(!pthread_create(&askers[i].thread, NULL, ask_about_own,
				     &askers[i]));
	}
	for (i = 0; i < ASKERS; i++) {
		must(!pthread_join(askers[i].thread, NULL));
		EXPECT_TRUE(askers[i].good)
			TH_LOG("thread %u", i);
	}
}

TEST_F(access, open_modes)
{
	int fd;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	/* It names the file, it does not open it. */
	fd = open("/proc/self/maps", O_PATH | O_CLOEXEC);
	must(fd >= 0);
	EXPECT_EQ(EBADF, query_at(fd, 0, PROCMAP_QUERY_COVERING_OR_NEXT_VMA,
				  &self->q));
	close(fd);
	/* As root may open every file. */
	fd = open("/proc/self/maps", O_RDWR | O_CLOEXEC);
	must(fd >= 0);
	EXPECT_TRUE(same_walk(self->maps, fd));
	close(fd);
	/* Nor do other files of a process know the ioctl. */
	fd = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		EXPECT_EQ(ENOTTY, query_at(fd, 0, 0, &self->q));
		close(fd);
	}
}

/* Returns the name of the line for @addr in the text of @maps. */
static bool text_name(int maps, const void *addr, char *name, size_t size)
{
	static char text[1 << 16];
	static struct maps_line line;
	ssize_t got, len = 0;
	char *next;

	must(!lseek(maps, 0, SEEK_SET));
	while ((got = read(maps, text + len, sizeof(text) - 1 - len)) > 0)
		len += got;
	for (next = strtok(text, "\n"); next; next = strtok(NULL, "\n")) {
		must(maps_parse(next, &line));
		if (line.start <= (uintptr_t)addr && (uintptr_t)addr < line.end)
			return snprintf(name, size, "%s", line.name) > 0;
	}
	return false;
}

static void look_from_chroot(int sock)
{
	char seen[PATH_MAX], want[PATH_MAX];
	struct procmap_query q = {
		.size = sizeof(q),
		.query_addr = (uintptr_t)&look_from_chroot,
		.vma_name_size = sizeof(seen),
		.vma_name_addr = (uintptr_t)seen,
	};

	must(!chroot("/proc") && !chdir("/"));
	must(text_name(inherited_maps, &look_from_chroot, want, sizeof(want)));
	must(!query(inherited_maps, &q));
	must(!strcmp(want, seen));
	step(sock);
	wait_for_ever();
}

/* Text and query name a file as whoever asks sees it. */
TEST_F(access, other_root)
{
	struct child child;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	inherited_maps = self->maps;
	child = start(0, look_from_chroot);
	await(child.sock);
	end(&child);
}

QUERY_TEST_MAIN
