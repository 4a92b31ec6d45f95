// SPDX-License-Identifier: GPL-2.0
/*
 * The first program in the test VM. It sets up what programs take for granted
 * on a Linux system, runs the command that stands after "--" on the kernel's
 * command line, and reboots, which ends the VM.
 *
 * The kernel logs to a serial console; the command has hvc0 to itself. How it ended
 * goes to the kernel's log as one line, "vm: end, status N, tainted N". Whoever
 * started the VM looks for it there: no such line, no success.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define TERMINAL	"/dev/hvc0"
#define NR_HUGEPAGES	"/proc/sys/vm/nr_hugepages"
#define KMEMLEAK	"/sys/kernel/debug/kmemleak"
#define GCOV		"/sys/kernel/debug/gcov"

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

#define STATUS_BROKEN	125	/* the VM itself failed, not the command */

static void log_line(const char *fmt, ...)
{
	char line[256];
	va_list args;
	int fd, len;

	len = snprintf(line, sizeof(line), "vm: ");
	va_start(args, fmt);
	vsnprintf(line + len, sizeof(line) - len - 1, fmt, args);
	va_end(args);
	/* Else the kernel waits for the rest, and prints nothing before it logs more. */
	strcat(line, "\n");

	fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	/* A log that cannot be written shows: the end line is missing. */
	if (write(fd, line, strlen(line)) < 0)
		perror("/dev/kmsg");
	close(fd);
}

static noreturn void leave(void)
{
	sync();
	/* Some consoles gather what is logged for a while, and lose it then. */
	usleep(500000);
	/* There is no ACPI to power off with; QEMU ends at a reboot. */
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

static noreturn void die(const char *what)
{
	log_line("setting up failed: %s: %s", what, strerror(errno));
	leave();
}

static const struct {
	const char *type;
	const char *dir;
	const char *options;
	int optional;	/* not every kernel of ours has it, nor every CPU */
} file_systems[] = {
	{ .type = "proc",	.dir = "/proc" },
	{ .type = "sysfs",	.dir = "/sys" },
	{ .type = "devtmpfs",	.dir = "/dev" },
	{ .type = "devpts",	.dir = "/dev/pts", .options = "ptmxmode=666" },
	{ .type = "tmpfs",	.dir = "/dev/shm", .options = "mode=1777" },
	{ .type = "tmpfs",	.dir = "/tmp", .options = "mode=1777" },
	{ .type = "hugetlbfs",	.dir = "/dev/hugepages", .optional = 1 },
	{ .type = "debugfs",	.dir = "/sys/kernel/debug", .optional = 1 },
};

static void mount_all(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(file_systems); i++) {
		/* Only those below another mount are missing. */
		mkdir(file_systems[i].dir, 0755);
		if (mount(file_systems[i].type, file_systems[i].dir,
			  file_systems[i].type, 0, file_systems[i].options) &&
		    !file_systems[i].optional)
			die(file_systems[i].dir);
	}
}

static void link_descriptors(void)
{
	if (symlink("/proc/self/fd", "/dev/fd") ||
	    symlink("/proc/self/fd/0", "/dev/stdin") ||
	    symlink("/proc/self/fd/1", "/dev/stdout") ||
	    symlink("/proc/self/fd/2", "/dev/stderr"))
		die("/dev/fd");
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(path);
	close(fd);
}

static void loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr))
		die("lo");
	close(fd);
}

static void set_environment(void)
{
	if (setenv("PATH", "/usr/sbin:/usr/bin:/proc-tests", 1) ||
	    setenv("HOME", "/root", 1) || chdir("/root"))
		die("environment");
}

/* "ROWSxCOLUMNS", where the one who started the VM has a terminal. */
static void set_window_size(int fd)
{
	const char *text = getenv("window");
	struct winsize size = { };

	if (text && sscanf(text, "%hux%hu", &size.ws_row, &size.ws_col) == 2)
		ioctl(fd, TIOCSWINSZ, &size);
	unsetenv("window");
}

/*
 * What is written there is read by programs and by a terminal in raw mode. It is
 * this program's controlling terminal, for job control, and not the command's: at
 * the end of a session the kernel throws away what has not come out yet.
 */
static void open_terminal(void)
{
	struct termios mode;
	int fd, tries = 100;

	setsid();	/* may be so from the start */
	/* A virtual console comes up in the background. */
	do
		fd = open(TERMINAL, O_RDWR | O_NOCTTY);
	while (fd < 0 && tries-- && !usleep(100000));
	if (fd < 0 || ioctl(fd, TIOCSCTTY, 1) || tcgetattr(fd, &mode))
		die(TERMINAL);
	mode.c_oflag &= ~ONLCR;
	if (tcsetattr(fd, TCSANOW, &mode))
		die(TERMINAL);
	set_window_size(fd);
	if (dup2(fd, 0) < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		die(TERMINAL);
	if (fd > 2)
		close(fd);
}

/* In a process group of its own, in the foreground. */
static noreturn void exec_command(char * const *argv)
{
	signal(SIGTTOU, SIG_IGN);
	if (setpgid(0, 0) || tcsetpgrp(0, getpid()))
		die("foreground");
	signal(SIGTTOU, SIG_DFL);

	execvp(argv[0], argv);
	fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static int exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
				     WEXITSTATUS(status);
}

static int run(char * const *argv)
{
	int status;
	pid_t pid, child = fork();

	if (child < 0)
		die("fork");
	if (!child)
		exec_command(argv);

	/* All orphans end up here and are reaped too. */
	while ((pid = wait(&status)) != child) {
		if (pid < 0)
			die("wait");
	}
	tcdrain(1);
	return exit_status(status);
}

/* Where busybox has a command and nothing else has it. */
static void install_busybox(void)
{
	static char * const argv[] = {
		"/usr/bin/busybox", "--install", "-s", "/usr/bin", NULL
	};

	if (run(argv))
		die("busybox");
}

/*
 * Where the kernel has kmemleak, log what it has found. It takes an object for
 * leaked only when it is 5 seconds old and has not changed between two scans.
 */
static int report_leaks(void)
{
	char line[256];
	int leaks = 0;
	FILE *file;

	if (access(KMEMLEAK, W_OK))
		return 0;
	kill(-1, SIGKILL);
	sleep(6);
	write_file(KMEMLEAK, "scan");
	write_file(KMEMLEAK, "scan");

	file = fopen(KMEMLEAK, "re");
	if (!file)
		die(KMEMLEAK);
	while (fgets(line, sizeof(line), file)) {
		leaks += !strncmp(line, "unreferenced", 12);
		log_line("kmemleak: %s", line);
	}
	fclose(file);
	return leaks;
}

/* Where the kernel counts coverage. */
static int hand_out_coverage(void)
{
	static char * const argv[] = {
		"/usr/bin/hand-out-coverage.sh", NULL
	};

	return access(GCOV, F_OK) ? 0 : run(argv);
}

static unsigned long read_taint(void)
{
	unsigned long value;
	FILE *file = fopen("/proc/sys/kernel/tainted", "re");

	if (!file || fscanf(file, "%lu", &value) != 1)
		die("/proc/sys/kernel/tainted");
	fclose(file);
	return value;
}

int main(int argc, char **argv)
{
	int status;

	mount_all();
	link_descriptors();
	loopback_up();
	/* The sysctl is there even if the CPU has none. */
	if (!access("/sys/kernel/mm/hugepages", F_OK))
		write_file(NR_HUGEPAGES, "8");
	set_environment();
	open_terminal();
	install_busybox();

	status = argc > 1 ? run(argv + 1) : 0;
	if ((hand_out_coverage() || report_leaks()) && !status)
		status = STATUS_BROKEN;
	log_line("end, status %d, tainted %lu", status, read_taint());
	leave();
}
