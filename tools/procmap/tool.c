// SPDX-License-Identifier: GPL-2.0-only
/* Functions and source lines, by way of another program that symbolizes. */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"

extern char **environ;

/* One run of a symbolizer on one file. */
struct run {
	FILE *in, *out, *err;
};

static FILE *memory_file(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w+");

	if (!file)
		die("cannot make a file in memory: %s", strerror(errno));
	return file;
}

static bool is_llvm(const char *tool)
{
	const char *slash = strrchr(tool, '/');

	return strstr(slash ? slash : tool, "llvm-symbolizer");
}

static int spawn(pid_t *pid, const struct run *run, const char *tool,
		 const char *path)
{
	/* GNU style is what both print alike, and where -a marks each answer */
	const char *const argv[] = {
		tool, "-a", "-f", "-C", "-i", "-e", path,
		is_llvm(tool) ? "--output-style=GNU" : NULL,
		NULL
	};
	posix_spawn_file_actions_t actions;
	int err;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fileno(run->in), 0);
	posix_spawn_file_actions_adddup2(&actions, fileno(run->out), 1);
	posix_spawn_file_actions_adddup2(&actions, fileno(run->err), 2);
	err = posix_spawnp(pid, tool, &actions, NULL, (char **)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return err;
}

static void rewind_for_child(FILE *file)
{
	if (fflush(file) || lseek(fileno(file), 0, SEEK_SET))
		die("cannot write a file in memory: %s", strerror(errno));
}

/* What the symbolizer complains of may hold any file name. */
static void pass_on_errors(FILE *err)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t len;

	rewind(err);
	while ((len = getline(&line, &room, err)) > 0) {
		char *text = printable(line, len - (line[len - 1] == '\n'));

		warn("%s", text);
		free(text);
	}
	free(line);
}

static bool wait_for(pid_t pid, const char *tool)
{
	char *name;
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			die("cannot wait for a symbolizer: %s",
			    strerror(errno));
	if (!status)
		return true;
	name = printable(tool, strlen(tool));
	warn("'%s' failed", name);
	free(name);
	return false;
}

static char *known_function(const char *line)
{
	return *line && strcmp(line, "??") ? xstrdup(line) : NULL;
}

/*
 * What is not known is "??:0", "??:?", "FILE:?", "FILE:0" or ":0". What follows
 * the number of the line, " (discriminator 2)", is for compilers.
 */
static void set_place(struct frame *f, char *line)
{
	char *colon = strrchr(line, ':');

	if (!colon || colon == line)
		return;
	f->line = atoi(colon + 1);
	if (f->line <= 0) {
		f->line = 0;
		return;
	}
	*colon = 0;
	f->source = xstrdup(line);
}

static bool read_line(FILE *out, char **line, size_t *room)
{
	ssize_t len = getline(line, room, out);

	if (len <= 0)
		return false;
	if ((*line)[len - 1] == '\n')
		(*line)[len - 1] = 0;
	return true;
}

/* A function may be called like an address, but hardly like the next one. */
static bool is_address(const char *line, const struct answer *a)
{
	return a && !strncmp(line, "0x", 2) &&
	       strtoull(line, NULL, 16) == a->elf_addr;
}

/* For each address: the address, then pairs of function and place. */
static bool read_answers(struct answer **answers, size_t nr, FILE *out)
{
	char *function = NULL, *place = NULL;
	size_t function_room = 0, place_room = 0;
	struct answer *a = NULL;
	struct frame *f;
	size_t next = 0;

	rewind(out);
	while (read_line(out, &function, &function_room)) {
		if (is_address(function, next < nr ? answers[next] : NULL)) {
			a = answers[next++];
			continue;
		}
		if (!a || !read_line(out, &place, &place_room))
			break;
		f = add_frame(a);
		f->function = known_function(function);
		set_place(f, place);
	}
	free(function);
	free(place);
	return next == nr;
}

/* Runs it once, on all the addresses of one file. */
bool tool_find(const char *tool, struct object *obj, struct answer **answers,
	       size_t nr)
{
	struct run run = {
		.in = memory_file("addresses"),
		.out = memory_file("symbols"),
		.err = memory_file("errors"),
	};
	char *path;
	bool good;
	size_t i;
	pid_t pid;
	int err;

	for (i = 0; i < nr; i++)
		fprintf(run.in, "0x%llx\n", (unsigned long long)answers[i]->elf_addr);
	rewind_for_child(run.in);
	/* What has no path, as the vDSO, is open here. */
	path = access(obj->path, R_OK) ?
		xasprintf("/proc/%d/fd/%d", getpid(), obj->fd) : xstrdup(obj->path);
	err = spawn(&pid, &run, tool, path);
	free(path);
	if (err)
		die("cannot run '%s': %s", printable(tool, strlen(tool)),
		    strerror(err));
	good = wait_for(pid, tool);
	pass_on_errors(run.err);
	if (!read_answers(answers, nr, run.out)) {
		warn("the symbolizer left addresses unanswered");
		good = false;
	}
	fclose(run.in);
	fclose(run.out);
	fclose(run.err);
	return good;
}
