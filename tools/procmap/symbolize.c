// SPDX-License-Identifier: GPL-2.0
/* Functions and source lines, by way of the symbolizer that is installed. */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procmap.h"

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

/* Starts the tool asked for, or else the first that there is. */
static const char *start(pid_t *pid, const struct run *run, const char *tool,
			 const char *path)
{
	static const char *const usual[] = { "llvm-symbolizer", "addr2line" };
	size_t i;
	int err;

	if (tool) {
		err = spawn(pid, run, tool, path);
		if (err)
			die("cannot run '%s': %s",
			    printable(tool, strlen(tool)), strerror(err));
		return tool;
	}
	for (i = 0; i < sizeof(usual) / sizeof(*usual); i++)
		if (!spawn(pid, run, usual[i], path))
			return usual[i];
	die("no symbolizer\n"
	    "Install llvm (llvm-symbolizer) or binutils (addr2line), or name one with --symbolize=TOOL");
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
	if (!*line || !strcmp(line, "??"))
		return NULL;
	return xasprintf("%s", line);
}

/*
 * What is not known is "??:0", "??:?", "FILE:?", "FILE:0" or ":0". What follows
 * the number of the line, " (discriminator 2)", is for compilers.
 */
static char *known_place(char *line)
{
	char *colon = strrchr(line, ':');
	char *end;

	if (!colon || colon == line || !strtoul(colon + 1, &end, 10))
		return NULL;
	*end = 0;
	return xasprintf("%s", line);
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

static void add_frame(struct answer *a, const char *function, char *place)
{
	a->frames = xrealloc(a->frames,
			     (a->nr_frames + 1) * sizeof(*a->frames));
	a->frames[a->nr_frames].function = known_function(function);
	a->frames[a->nr_frames].place = known_place(place);
	a->nr_frames++;
}

/* Moves on to the next answer whose address is in the object, or to the end. */
static struct answer *next_of(struct batch *batch, size_t *i,
			      const struct object *obj)
{
	while (*i < batch->nr_answers) {
		struct answer *a = &batch->answers[(*i)++];

		if (a->has_file_addr && a->map->object == obj)
			return a;
	}
	return NULL;
}

/* A function may be called like an address, but hardly like the next one. */
static bool is_address(const char *line, const struct answer *a)
{
	return a && !strncmp(line, "0x", 2) &&
	       strtoull(line, NULL, 16) == a->file_addr;
}

/* For each address: the address, then pairs of function and place. */
static bool read_answers(struct batch *batch, FILE *out,
			 const struct object *obj)
{
	size_t i = 0, function_room = 0, place_room = 0;
	struct answer *next = next_of(batch, &i, obj);
	char *function = NULL, *place = NULL;
	struct answer *a = NULL;

	rewind(out);
	while (read_line(out, &function, &function_room)) {
		if (is_address(function, next)) {
			a = next;
			next = next_of(batch, &i, obj);
			continue;
		}
		if (!a || !read_line(out, &place, &place_room))
			break;
		add_frame(a, function, place);
	}
	free(function);
	free(place);
	return !next;
}

static void run_on(struct batch *batch, const struct object *obj,
		   const char *tool)
{
	struct run run = {
		.in = memory_file("addresses"),
		.out = memory_file("symbols"),
		.err = memory_file("errors"),
	};
	struct answer *a;
	size_t i = 0;
	pid_t pid;

	while ((a = next_of(batch, &i, obj)))
		fprintf(run.in, "0x%llx\n", a->file_addr);
	rewind_for_child(run.in);
	tool = start(&pid, &run, tool, obj->path);
	if (!wait_for(pid, tool))
		batch->failed = true;
	pass_on_errors(run.err);
	if (!read_answers(batch, run.out, obj)) {
		warn("the symbolizer left addresses unanswered");
		batch->failed = true;
	}
	fclose(run.in);
	fclose(run.out);
	fclose(run.err);
}

void symbolize(struct batch *batch, const char *tool)
{
	const struct object *obj;
	size_t i;

	for (obj = batch->objects; obj; obj = obj->next) {
		i = 0;
		if (next_of(batch, &i, obj))
			run_on(batch, obj, tool);
	}
}
