// SPDX-License-Identifier: GPL-2.0-only
/*
 * Code that a process has made itself, by the list that it leaves for perf:
 * /tmp/perf-PID.map, in its own /tmp and with its PID there.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"

#define MAX_SIZE	(256 * 1024 * 1024)

struct entry {
	uint64_t start, size;
	size_t order;			/* in the file: later ones are newer */
	size_t name;			/* where it is in the text */
};

struct jit {
	char *path;
	off_t size;			/* of the file, when it was read */
	char *text;
	struct entry *entries;
	size_t nr, room;
};

/* The PID in the innermost PID namespace that the process is in. */
static int own_pid(const struct process *proc)
{
	char *path = xasprintf("/proc/%d/status", proc->number);
	FILE *status = fopen(path, "re");
	int pid = proc->number;
	char line[256];

	free(path);
	while (status && fgets(line, sizeof(line), status)) {
		if (!strncmp(line, "NSpid:", 6)) {
			pid = atoi(strrchr(line, '\t') + 1);
			break;
		}
	}
	if (status)
		fclose(status);
	return pid;
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static void parse_line(struct jit *jit, char *line)
{
	char *end, *name;
	struct entry e = { .order = jit->nr };

	e.start = strtoull(line, &end, 16);
	if (*end != ' ')
		return;
	e.size = strtoull(end, &name, 16);
	if (*name != ' ' || !name[1] || !e.size)
		return;
	e.name = name + 1 - jit->text;
	jit->entries = grow(jit->entries, jit->nr, &jit->room,
			    sizeof(*jit->entries));
	jit->entries[jit->nr++] = e;
}

static void parse_text(struct jit *jit)
{
	char *line = jit->text, *nl;

	jit->nr = 0;
	/* The last line may be one that is being written. */
	for (; (nl = strchr(line, '\n')); line = nl + 1) {
		*nl = 0;
		parse_line(jit, line);
	}
	if (jit->nr)
		qsort(jit->entries, jit->nr, sizeof(*jit->entries),
		      compare_entries);
}

static void read_text(struct jit *jit, int fd, off_t size)
{
	ssize_t got;
	off_t len = 0;

	jit->text = xrealloc(jit->text, size + 1);
	while (len < size) {
		got = pread(fd, jit->text + len, size - len, len);
		if (got <= 0)
			break;
		len += got;
	}
	jit->text[len] = 0;
	jit->size = size;
	parse_text(jit);
}

/*
 * Anybody may write to /tmp: only the process's own user is believed, and root. Nor is
 * either given all memory.
 */
static bool is_trusted(const struct process *proc, const struct stat *st)
{
	char *path = xasprintf("/proc/%d", proc->number);
	struct stat owner;
	bool ret;

	ret = S_ISREG(st->st_mode) && st->st_size <= MAX_SIZE &&
	      (!st->st_uid || (!stat(path, &owner) && owner.st_uid == st->st_uid));
	free(path);
	return ret;
}

/* Reads it again where it has grown: code is made all the time. */
static struct jit *update(struct process *proc)
{
	struct jit *jit = proc->jit;
	struct stat st;
	int fd;

	if (!jit) {
		jit = xrealloc(NULL, sizeof(*jit));
		*jit = (struct jit){ .size = -1 };
		jit->path = xasprintf("/proc/%d/root/tmp/perf-%d.map",
				      proc->number, own_pid(proc));
		proc->jit = jit;
	}
	fd = open(jit->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (fd < 0)
		return jit;
	if (!fstat(fd, &st) && is_trusted(proc, &st) && st.st_size != jit->size)
		read_text(jit, fd, st.st_size);
	close(fd);
	return jit;
}

static const struct entry *find_entry(const struct jit *jit, uint64_t addr)
{
	size_t low = 0, high = jit->nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (jit->entries[mid].start <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || addr - jit->entries[low - 1].start >=
	    jit->entries[low - 1].size)
		return NULL;
	return &jit->entries[low - 1];
}

void jit_find(struct process *proc, struct answer *a)
{
	const struct entry *e;
	struct frame *f;
	struct jit *jit;

	if (!(a->map->vma.flags & PROCMAP_EXEC) || a->has_elf_addr)
		return;
	jit = update(proc);
	e = find_entry(jit, a->lookup);
	if (!e)
		return;
	f = add_frame(a);
	f->function = xstrdup(jit->text + e->name);
	f->has_offset = true;
	f->offset = a->addr - e->start;
}

void jit_close(struct jit *jit)
{
	if (!jit)
		return;
	free(jit->path);
	free(jit->text);
	free(jit->entries);
	free(jit);
}
