// SPDX-License-Identifier: GPL-2.0
/*
 * A process for the tests to look at, and small jobs that a shell cannot
 * do.
 *
 *	target maps DIR		make mappings, with files in DIR; print a line
 *				"NAME ADDRESS" for each, then "ready"; wait.
 *				SIGUSR1 executes "target wait"
 *	target wait		wait
 *	target zombie		print the PID of a child that has exited; wait
 *	target as-nobody CMD...	run a command as user and group 65534; whoever is not root
 *				has no need to change
 *	target no-ioctl CMD...	run a command for which every ioctl is ENOTTY
 *	target codeset		print the name of the locale's character set
 */
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/elf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA		0x53564d41
#define PR_SET_VMA_ANON_NAME	0
#endif

#define LIBRARY_SIZE	0x100000
#define HUGE_SIZE	0x200000

static long page;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void tell(const char *name, const void *addr)
{
	printf("%s %lx\n", name, (unsigned long)addr);
}

static int make_file(const char *path, off_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0755);

	if (fd < 0 || ftruncate(fd, size))
		fail(path);
	return fd;
}

static void *map(int fd, size_t size, int prot, int flags)
{
	void *addr = mmap(NULL, size, prot, flags, fd, 0);

	if (addr == MAP_FAILED)
		fail("mmap");
	return addr;
}

static void map_file(const char *name, const char *path, int prot, int flags)
{
	int fd = make_file(path, page);

	tell(name, map(fd, page, prot, flags));
	close(fd);
}

/* File names that try to do more than name a file. */
static void map_hostile(void)
{
	static const char *const names[][2] = {
		{ "control",	"red\033[31m bell\a tab\t line\nfeed del\177" },
		{ "backslash",	"back\\slash" },
		{ "quotes",	"it's \"so\"" },
		{ "latin1",	"caf\351" },
		{ "c1",		"csi\302\23331m" },
		{ "bidi",	"txt\342\200\256exe" },
		{ "separator",	"line\342\200\250end" },
		{ "utf8",	"caf\303\251 \346\226\207 \360\237\220\247" },
		{ "overlong",	"over\300\257long" },
		{ "surrogate",	"sur\355\240\200rogate" },
		{ "cut",	"cut\342\202" },
		{ "json",	"},{\"path\":null" },
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		map_file(names[i][0], names[i][1], PROT_READ, MAP_PRIVATE);
}

/* Directories so deep that a path is longer than PATH_MAX; none is left. */
static void map_long(void)
{
	char name[251];
	int i;

	memset(name, 'd', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	for (i = 0; i < 17; i++)
		if (mkdir(name, 0755) || chdir(name))
			fail("a deep directory");
	map_file("long", "long", PROT_READ, MAP_PRIVATE);
	if (unlink("long"))
		fail("unlink");
	while (i--)
		if (chdir("..") || rmdir(name))
			fail("a deep directory");
}

static void map_files(void)
{
	map_file("shared", "shared", PROT_READ | PROT_WRITE, MAP_SHARED);
	map_file("deleted", "deleted", PROT_READ, MAP_PRIVATE);
	if (unlink("deleted"))
		fail("unlink");
	map_file("none", "none", PROT_NONE, MAP_PRIVATE);
}

/*
 * ELF files whose first bytes are mapped for two segments, of which only one is
 * executable; whose third segment does not begin a page; and whose fourth is
 * far behind and not executable, but mapped as if it were.
 */
static const struct {
	unsigned int flags, offset, vaddr;
} segments[] = {
	{ PF_R,		0,	0x20000 },
	{ PF_R | PF_X,	0,	0x10000 },
	{ PF_R,		0x200,	0x30200 },
	{ PF_R,		0x40000, 0x50000 },
};

#define NR_SEGMENTS	4
#define ELF_SIZE	0x50000

static void fill_ident(unsigned char *ident, int class)
{
	const short one = 1;

	memcpy(ident, ELFMAG, SELFMAG);
	ident[EI_CLASS] = class;
	ident[EI_DATA] = *(const char *)&one ? ELFDATA2LSB : ELFDATA2MSB;
}

static void write_elf32(int fd)
{
	struct {
		struct elf32_hdr e;
		struct elf32_phdr p[NR_SEGMENTS];
	} elf = { .e = { .e_type = ET_DYN,
			 .e_phoff = sizeof(elf.e), .e_phnum = NR_SEGMENTS,
			 .e_phentsize = sizeof(elf.p[0]) } };
	int i;

	fill_ident(elf.e.e_ident, ELFCLASS32);
	for (i = 0; i < NR_SEGMENTS; i++)
		elf.p[i] = (struct elf32_phdr){
			.p_type = PT_LOAD, .p_flags = segments[i].flags,
			.p_offset = segments[i].offset, .p_filesz = 0x180,
			.p_vaddr = segments[i].vaddr, .p_memsz = 0x180,
		};
	if (write(fd, &elf, sizeof(elf)) != sizeof(elf))
		fail("write");
}

static void write_elf64(int fd)
{
	struct {
		struct elf64_hdr e;
		struct elf64_phdr p[NR_SEGMENTS];
	} elf = { .e = { .e_type = ET_DYN,
			 .e_phoff = sizeof(elf.e), .e_phnum = NR_SEGMENTS,
			 .e_phentsize = sizeof(elf.p[0]) } };
	int i;

	fill_ident(elf.e.e_ident, ELFCLASS64);
	for (i = 0; i < NR_SEGMENTS; i++)
		elf.p[i] = (struct elf64_phdr){
			.p_type = PT_LOAD, .p_flags = segments[i].flags,
			.p_offset = segments[i].offset, .p_filesz = 0x180,
			.p_vaddr = segments[i].vaddr, .p_memsz = 0x180,
		};
	if (write(fd, &elf, sizeof(elf)) != sizeof(elf))
		fail("write");
}

static void map_elf(void)
{
	int fd = make_file("elf32", ELF_SIZE);

	write_elf32(fd);
	tell("text32", map(fd, ELF_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE));
	tell("data32", map(fd, ELF_SIZE, PROT_READ, MAP_PRIVATE));
	close(fd);

	fd = make_file("elf64", ELF_SIZE);
	write_elf64(fd);
	tell("text64", map(fd, ELF_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE));
	tell("data64", map(fd, ELF_SIZE, PROT_READ, MAP_PRIVATE));
	close(fd);
}

/* Five files that are mapped like the text of libraries. */
static void map_libraries(void)
{
	char name[8];
	int i, fd;

	for (i = 1; i <= 5; i++) {
		snprintf(name, sizeof(name), "lib%d", i);
		fd = make_file(name, LIBRARY_SIZE);
		tell(name, map(fd, LIBRARY_SIZE, PROT_READ | PROT_EXEC,
			       MAP_PRIVATE));
		close(fd);
	}
}

/* None of them need be there. */
static void map_odd(void)
{
	int fd = open("/dev/zero", O_RDONLY);
	void *addr;
	int id;

	if (fd >= 0) {
		tell("zero", map(fd, page, PROT_READ, MAP_PRIVATE));
		close(fd);
	}

	tell("jit", map(-1, page, PROT_READ | PROT_EXEC,
			MAP_PRIVATE | MAP_ANONYMOUS));

	addr = mmap(NULL, HUGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS |
		    MAP_HUGETLB, -1, 0);
	if (addr != MAP_FAILED)
		tell("huge", addr);

	id = shmget(IPC_PRIVATE, page, IPC_CREAT | 0600);
	addr = id < 0 ? (void *)-1 : shmat(id, NULL, 0);
	if (addr != (void *)-1)
		tell("shm", addr);
	if (id >= 0)
		shmctl(id, IPC_RMID, NULL);
}

static void map_anonymous(void)
{
	int fd = syscall(SYS_memfd_create, "memory", 0);
	void *addr;

	if (fd < 0 || ftruncate(fd, page))
		fail("memfd_create");
	tell("memfd", map(fd, page, PROT_READ, MAP_SHARED));
	close(fd);

	addr = map(-1, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS);
	if (!prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, addr, page, "a name"))
		tell("named", addr);
}

/*
 * The last mapping, since another would go into the hole. The kernel would merge what is
 * beside it with a mapping that is like it and happens to be there.
 */
static void map_hole(void)
{
	char *addr = map(-1, 5 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS);

	addr += page;
	if (mprotect(addr, 3 * page, PROT_READ | PROT_WRITE) || munmap(addr + page, page))
		fail("hole");
	tell("below-hole", addr);
	tell("hole", addr + page);
	tell("above-hole", addr + 2 * page);
}

/* Not .dc.a, which has 64 bits in all programs of s390. */
#if __SIZEOF_POINTER__ == 8
#define ASM_POINTER	".quad"
#else
#define ASM_POINTER	".long"
#endif

static inline __attribute((always_inline)) void inlined_function(int i)
{
	asm volatile("1:	nop\n"
		     "	.pushsection .data\n"
		     "inlined_here:\n"
		     "	" ASM_POINTER "	1b\n"
		     "	.popsection" : : "r" (i));
}

/* the address of that nop */
extern void *inlined_here;

__attribute((noinline)) void outer_function(int i)
{
	asm volatile("" : : "r" (i));
	inlined_function(i + 1);
}

/* A function of C++, as the linker knows it. */
void cxx_function(int i) __asm__("_ZN5space8functionEi");

__attribute((noinline)) void cxx_function(int i)
{
	asm volatile("" : : "r" (i));
}

static void execute(int sig)
{
	(void)sig;
	execl("/proc/self/exe", "target", "wait", NULL);
	_exit(1);
}

static int wait_for_ever(void)
{
	while (pause())
		continue;
	return 0;
}

static int make_maps(const char *dir)
{
	void *heap = malloc(1);

	page = sysconf(_SC_PAGESIZE);
	if (chdir(dir))
		fail(dir);
	tell("heap", heap);
	tell("stack", &heap);
	tell("outer", (void *)outer_function);
	tell("inlined", inlined_here);
	tell("cxx", (void *)cxx_function);
	map_anonymous();
	map_odd();
	map_libraries();
	map_elf();
	map_files();
	if (mkdir("hostile", 0755) || chdir("hostile"))
		fail("hostile");
	map_hostile();
	map_long();
	map_hole();
	signal(SIGUSR1, execute);
	puts("ready");
	fflush(stdout);
	return wait_for_ever();
}

static int make_zombie(void)
{
	siginfo_t info;
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (!pid)
		_exit(0);
	if (waitid(P_PID, pid, &info, WEXITED | WNOWAIT))
		fail("waitid");
	printf("%d\n", pid);
	fflush(stdout);
	return wait_for_ever();
}

static int run_as_nobody(char **argv)
{
	if (!geteuid() && (setgid(65534) || setuid(65534)))
		fail("setuid");
	execvp(argv[0], argv);
	fail(argv[0]);
	return 1;
}

static int run_without_ioctl(char **argv)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTTY),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof(code) / sizeof(*code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter))
		fail("seccomp");
	execvp(argv[0], argv);
	fail(argv[0]);
	return 1;
}

int main(int argc, char **argv)
{
	const char *job = argc > 1 ? argv[1] : "";

	if (!strcmp(job, "maps") && argc == 3)
		return make_maps(argv[2]);
	if (!strcmp(job, "wait"))
		return wait_for_ever();
	if (!strcmp(job, "zombie"))
		return make_zombie();
	if (!strcmp(job, "as-nobody") && argc > 2)
		return run_as_nobody(argv + 2);
	if (!strcmp(job, "no-ioctl") && argc > 2)
		return run_without_ioctl(argv + 2);
	if (!strcmp(job, "codeset")) {
		setlocale(LC_CTYPE, "");
		return puts(nl_langinfo(CODESET)) < 0;
	}
	fputs("usage: target maps DIR|wait|zombie|as-nobody CMD|no-ioctl CMD|codeset\n",
	      stderr);
	return 2;
}
