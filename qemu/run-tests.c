// SPDX-License-Identifier: GPL-2.0
/*
 * Runs the selftests inside the VM, one after the other, and reports as TAP:
 * what a program prints comes indented, as TAP's subtests do, then one line
 * tells how the program as a whole did.
 *
 *	run-tests DIRECTORY SECONDS [NAME...]
 *
 * DIRECTORY has the programs, and a file "list" with their names, one a line. A
 * program has SECONDS to finish. With NAMEs, only those are run.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_TESTS	256
#define MAX_LINE	512

#define KSFT_PASS	0
#define KSFT_SKIP	4

#define TIMED_OUT	-1

struct line {
	char text[MAX_LINE];
	size_t length;
};

/* How one program went. */
struct result {
	int status;		/* of wait(), or TIMED_OUT */
	char reason[MAX_LINE];	/* for skipping, if it gave one */
};

static void die(const char *what)
{
	fflush(stdout);
	fprintf(stderr, "run-tests: %s: %s\n", what, strerror(errno));
	exit(2);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* To the kernel's log, so that what it says there is seen beside its cause. */
static void note(const char *name)
{
	FILE *log = fopen("/dev/kmsg", "we");

	if (!log)
		die("/dev/kmsg");
	fprintf(log, "vm: test %s\n", name);
	fclose(log);
}

static void end_line(struct line *line, struct result *result)
{
	const char *skip;

	line->text[line->length] = '\0';
	line->length = 0;
	printf("    %s\n", line->text);
	fflush(stdout);

	skip = strstr(line->text, "# SKIP ");
	if (skip)
		snprintf(result->reason, sizeof(result->reason), "%s",
			 skip + strlen("# SKIP "));
}

/* A line that is too long comes as several. */
static void take_output(struct line *line, struct result *result,
			const char *text, size_t length)
{
	for (; length; length--, text++) {
		if (*text != '\n' && *text != '\r')
			line->text[line->length++] = *text;
		if (*text == '\n' || line->length == sizeof(line->text) - 1)
			end_line(line, result);
	}
}

/* Nothing that a program leaves behind is there for the next one. */
static void kill_all(void)
{
	/* All but init and the caller. */
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/*
 * Shows what comes out of the pipe until the program has ended. Not until the
 * end of the pipe: a process that the program left behind may hold it open.
 */
static int watch(pid_t child, int pipe, double deadline, struct result *result)
{
	struct line line = { .length = 0 };
	struct pollfd poll_pipe = { .fd = pipe, .events = POLLIN };
	bool ended = false;
	char buffer[4096];
	int status = 0;
	ssize_t got;

	for (;;) {
		if (poll(&poll_pipe, 1, ended ? 0 : 50) > 0) {
			got = read(pipe, buffer, sizeof(buffer));
			if (got > 0)
				take_output(&line, result, buffer, got);
			else
				poll_pipe.fd = -1;	/* closed: only wait */
		} else if (ended) {
			break;
		}
		if (ended)
			continue;
		ended = waitpid(child, &status, WNOHANG) == child;
		if (!ended && now() > deadline) {
			status = TIMED_OUT;
			ended = true;
		}
		if (ended)
			kill_all();
	}
	if (line.length)
		end_line(&line, result);
	return status;
}

static noreturn void exec_test(const char *name, int output)
{
	int null = open("/dev/null", O_RDONLY);

	if (null < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 ||
	    dup2(output, 2) < 0 || setpgid(0, 0))
		_exit(126);
	close(null);
	execl(name, name, NULL);
	dprintf(2, "%s: %s\n", name, strerror(errno));
	_exit(127);
}

static struct result run_test(const char *name, double seconds)
{
	struct result result = { };
	char path[MAX_LINE];
	int ends[2];
	pid_t child;

	snprintf(path, sizeof(path), "./%s", name);
	note(name);
	if (pipe2(ends, O_CLOEXEC))
		die("pipe");
	child = fork();
	if (child < 0)
		die("fork");
	if (!child)
		exec_test(path, ends[1]);
	close(ends[1]);

	result.status = watch(child, ends[0], now() + seconds, &result);
	close(ends[0]);
	return result;
}

/* Why a program failed, or NULL if it did not. */
static const char *failure(int status, int seconds)
{
	static char text[MAX_LINE];

	if (status == TIMED_OUT)
		snprintf(text, sizeof(text), "not done after %d seconds",
			 seconds);
	else if (WIFSIGNALED(status))
		snprintf(text, sizeof(text), "killed by signal %d (%s)",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != KSFT_PASS &&
		 WEXITSTATUS(status) != KSFT_SKIP)
		snprintf(text, sizeof(text), "exit status %d",
			 WEXITSTATUS(status));
	else
		return NULL;
	return text;
}

/* Prints how test NUMBER went; whether that is good. */
static bool report(int number, const char *name, const struct result *result,
		   int seconds)
{
	const char *failed = failure(result->status, seconds);

	if (failed) {
		printf("not ok %d proc: %s # %s\n", number, name, failed);
		return false;
	}
	if (WEXITSTATUS(result->status) == KSFT_SKIP) {
		printf("ok %d proc: %s # SKIP %s\n", number, name,
		       *result->reason ? result->reason : "gave no reason");
		return true;
	}
	printf("ok %d proc: %s\n", number, name);
	return true;
}

static int read_list(char *names[])
{
	FILE *list = fopen("list", "re");
	char line[MAX_LINE];
	int count = 0;

	if (!list)
		die("list");
	while (count < MAX_TESTS && fgets(line, sizeof(line), list)) {
		line[strcspn(line, "\n")] = '\0';
		names[count] = strdup(line);
		if (!names[count++])
			die("list");
	}
	if (!feof(list)) {
		errno = E2BIG;
		die("list");
	}
	fclose(list);
	return count;
}

int main(int argc, char **argv)
{
	char *listed[MAX_TESTS], **names = listed;
	int i, count, seconds;
	bool good = true;

	if (argc < 3 || chdir(argv[1]))
		die("usage: run-tests DIRECTORY SECONDS [NAME...]");
	seconds = atoi(argv[2]);
	if (argc > 3) {
		names = argv + 3;
		count = argc - 3;
	} else {
		count = read_list(listed);
	}

	printf("TAP version 13\n1..%d\n", count);
	for (i = 0; i < count; i++) {
		struct result result;

		printf("# proc: %s\n", names[i]);
		fflush(stdout);
		result = run_test(names[i], seconds);
		good &= report(i + 1, names[i], &result, seconds);
		fflush(stdout);
	}
	return good ? 0 : 1;
}
