// SPDX-License-Identifier: GPL-2.0-only
/* Messages, progress, and memory that does not run out. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "command.h"

#define CLEAR_LINE	"\r\033[K"

/* What is being done, for the signal handler, which may only write it. */
static char doing[256];
static atomic_int doing_len, shown;
static int is_terminal = -1;	/* standard error, once it is known */

static void show_progress(int sig)
{
	int err = errno;

	(void)sig;
	if (doing_len && write(STDERR_FILENO, doing, doing_len) > 0)
		shown = 1;
	errno = err;
}

/*
 * Says on a terminal what takes so long, from two seconds on. A library call may be
 * what does, so that a timer has to tell.
 */
void progress_start(void)
{
	const struct itimerval often = {
		.it_value.tv_sec = 2, .it_interval.tv_usec = 250000,
	};
	const struct sigaction action = {
		.sa_handler = show_progress, .sa_flags = SA_RESTART,
	};

	if (is_terminal < 0)
		is_terminal = isatty(STDERR_FILENO);
	if (!is_terminal)
		return;
	doing_len = 0;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
}

void progress_stop(void)
{
	const struct itimerval never = { };

	if (is_terminal <= 0)
		return;
	setitimer(ITIMER_REAL, &never, NULL);
	doing_len = 0;
	if (shown && write(STDERR_FILENO, CLEAR_LINE, strlen(CLEAR_LINE)) > 0)
		shown = 0;
}

void progress(const char *fmt, ...)
{
	va_list args;
	int len;

	doing_len = 0;
	len = snprintf(doing, sizeof(doing), CLEAR_LINE "procmap: ");
	va_start(args, fmt);
	len += vsnprintf(doing + len, sizeof(doing) - len, fmt, args);
	va_end(args);
	doing_len = len < (int)sizeof(doing) ? len : (int)sizeof(doing) - 1;
}

static void message(const char *fmt, va_list args)
{
	fflush(stdout);
	progress_stop();
	fputs("procmap: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
}

void warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	message(fmt, args);
	va_end(args);
}

__noreturn void die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	message(fmt, args);
	va_end(args);
	exit(EXIT_ERROR);
}

__noreturn void out_of_memory(void)
{
	die("out of memory");
}

void *xrealloc(void *old, size_t size)
{
	void *new = realloc(old, size ? size : 1);

	if (!new)
		out_of_memory();
	return new;
}

char *xstrdup(const char *s)
{
	size_t size = strlen(s) + 1;

	return memcpy(xrealloc(NULL, size), s, size);
}

/* Makes room for one more element behind the nr that the array has. */
void *grow(void *array, size_t nr, size_t *room, size_t size)
{
	if (nr < *room)
		return array;
	*room = *room ? *room * 2 : 16;
	return xrealloc(array, *room * size);
}

char *xasprintf(const char *fmt, ...)
{
	va_list args;
	char *s;
	int len;

	va_start(args, fmt);
	len = vasprintf(&s, fmt, args);
	va_end(args);
	if (len < 0)
		out_of_memory();
	return s;
}
