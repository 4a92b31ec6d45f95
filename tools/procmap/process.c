// SPDX-License-Identifier: GPL-2.0-only
/* A process, its mappings, and the files behind them. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

#define CHUNK_MIN	16384
#define CHUNK_MAX	4194304

/* Memory of a batch, which is given back as a whole, but for the first chunk. */
struct chunk {
	struct chunk *next;
	size_t used, size;		/* in bytes */
	struct mapping data[];
};

static void *take(struct batch *batch, size_t size)
{
	struct chunk *chunk = batch->chunks;
	void *ret;

	size = (size + sizeof(uint64_t) - 1) & -sizeof(uint64_t);
	if (!chunk || chunk->size - chunk->used < size) {
		size_t room = !chunk ? CHUNK_MIN : chunk->size < CHUNK_MAX ?
			2 * chunk->size : CHUNK_MAX;

		if (room < size)
			room = size;
		chunk = xrealloc(NULL, sizeof(*chunk) + room);
		chunk->next = batch->chunks;
		chunk->used = 0;
		chunk->size = room;
		batch->chunks = chunk;
	}
	ret = (char *)chunk->data + chunk->used;
	chunk->used += size;
	return ret;
}

struct answer *add_answer(struct batch *batch, uint64_t addr)
{
	struct answer *a;

	batch->answers = grow(batch->answers, batch->nr, &batch->room,
			      sizeof(*batch->answers));
	a = &batch->answers[batch->nr++];
	*a = (struct answer){ .addr = addr, .lookup = addr };
	return a;
}

struct frame *add_frame(struct answer *a)
{
	a->frames = xrealloc(a->frames, (a->nr_frames + 1) * sizeof(*a->frames));
	a->frames[a->nr_frames] = (struct frame){ };
	return &a->frames[a->nr_frames++];
}

void empty_batch(struct batch *batch)
{
	struct chunk *chunk;
	size_t i, j;

	for (i = 0; i < batch->nr; i++) {
		struct answer *a = &batch->answers[i];

		for (j = 0; j < a->nr_frames; j++) {
			free(a->frames[j].function);
			free(a->frames[j].source);
		}
		free(a->frames);
	}
	while ((chunk = batch->chunks) && chunk->next) {
		batch->chunks = chunk->next;
		free(chunk);
	}
	if (chunk)
		chunk->used = 0;
	batch->nr = 0;
	batch->first = NULL;
	batch->last = NULL;
	batch->failed = false;
}

void free_batch(struct batch *batch)
{
	empty_batch(batch);
	free(batch->chunks);
	batch->chunks = NULL;
	free(batch->answers);
	batch->answers = NULL;
	batch->room = 0;
}

/* Says what is wrong with a process, and what would help. */
int process_complain(const struct process *proc, int err)
{
	const char *pid = proc->pid;

	if (err == -ENOENT && access("/proc/self", F_OK))
		warn("there is no /proc\nMount it: mount -t proc none /proc");
	else if (err == -ENOENT)
		warn("no process %s, or it is hidden by the way that /proc is mounted",
		     pid);
	else if (err == -EACCES || err == -EPERM)
		warn("not permitted to read the mappings of process %s\n"
		     "Run procmap as its user, or as root: it takes PTRACE_MODE_READ access, see ptrace(2)",
		     pid);
	else if (err == -ESRCH && !proc->answered)
		warn("process %s has no mappings: it is a kernel thread, or it has exited",
		     pid);
	else if (err == -ESRCH)
		warn("process %s exited while it was being read\n"
		     "What it had answered is incomplete and not shown", pid);
	else if (err == -ESTALE)
		warn("process %s executed another program while it was being read\n"
		     "What it had answered is incomplete and not shown; run procmap again",
		     pid);
	else if (err == -EBADMSG)
		warn("the mappings of process %s are not as Linux writes them",
		     pid);
	else
		warn("cannot read the mappings of process %s: %s", pid,
		     strerror(-err));
	return EXIT_ERROR;
}

int process_open(struct process *proc, const char *pid,
		 const struct options *opts)
{
	long number = strcmp(pid, "self") ? strtol(pid, NULL, 10) : getpid();

	*proc = (struct process){ .pid = pid, .opts = opts };
	if (number <= 0 || number > INT_MAX)
		return -ENOENT;
	proc->number = number;
	return procmap_open(&proc->pm, number);
}

void process_close(struct process *proc)
{
	struct object *obj;

	while ((obj = proc->objects)) {
		proc->objects = obj->next;
		symbols_close(obj->symbols);
		procmap_elf_close(obj->elf);
		if (obj->fd >= 0)
			close(obj->fd);
		free(obj->name);
		free(obj->path);
		free(obj);
	}
	jit_close(proc->jit);
	procmap_close(proc->pm);
}

static unsigned int tell(const struct options *opts)
{
	return PROCMAP_NAME | (opts->build_id ? PROCMAP_BUILD_ID : 0) |
	       (opts->page_size ? PROCMAP_PAGE_SIZE : 0);
}

static struct mapping *keep(struct batch *batch, const struct procmap_vma *vma)
{
	size_t len = strlen(vma->name) + 1;
	struct mapping *map = take(batch, sizeof(*map) + len);

	map->vma = *vma;
	map->vma.name = memcpy(map + 1, vma->name, len);
	map->object = NULL;
	map->next = NULL;
	if (batch->last)
		batch->last->next = map;
	else
		batch->first = map;
	batch->last = map;
	return map;
}

struct gathering {
	struct process *proc;
	struct batch *batch;
	struct answer **sorted;
};

static int gather(const struct procmap_vma *vma, void *arg)
{
	struct gathering *g = arg;

	keep(g->batch, vma);
	g->proc->answered = true;
	return 0;
}

/*
 * Gathers all before any is printed: a process that goes away meanwhile leaves an
 * error, never what looks like a short answer.
 */
int process_walk(struct process *proc, struct batch *batch)
{
	struct gathering g = { .proc = proc, .batch = batch };

	return procmap_walk(proc->pm, proc->opts->filter | tell(proc->opts),
			    gather, &g);
}

static int gather_run(const struct procmap_vma *vma, const uint64_t *addrs,
		      size_t nr, void *arg)
{
	struct gathering *g = arg;
	struct mapping *map = vma ? keep(g->batch, vma) : NULL;

	(void)addrs;
	g->proc->answered = true;
	while (nr--)
		(*g->sorted++)->map = map;
	return 0;
}

static int compare_lookups(const void *a, const void *b)
{
	const struct answer *x = *(struct answer *const *)a;
	const struct answer *y = *(struct answer *const *)b;

	return x->lookup < y->lookup ? -1 : x->lookup > y->lookup;
}

/* Returns 0, or an error: then none of the answers has a mapping. */
int process_lookup(struct process *proc, struct batch *batch,
		   unsigned int filter)
{
	struct gathering g = { .proc = proc, .batch = batch };
	struct answer **sorted;
	uint64_t *addrs;
	size_t i;
	int err;

	sorted = xrealloc(NULL, batch->nr * sizeof(*sorted));
	addrs = xrealloc(NULL, batch->nr * sizeof(*addrs));
	for (i = 0; i < batch->nr; i++)
		sorted[i] = &batch->answers[i];
	qsort(sorted, batch->nr, sizeof(*sorted), compare_lookups);
	for (i = 0; i < batch->nr; i++)
		addrs[i] = sorted[i]->lookup;
	g.sorted = sorted;
	err = procmap_lookup_sorted(proc->pm, addrs, batch->nr,
				    filter | tell(proc->opts) |
				    (proc->opts->next ? PROCMAP_NEXT : 0),
				    gather_run, &g);
	for (i = 0; err && i < batch->nr; i++)
		batch->answers[i].map = NULL;
	if (err == -ESRCH || err == -ESTALE)
		proc->gone = err;
	free(sorted);
	free(addrs);
	return err;
}

/* Why there is no file, and what would help; once for each. */
static void complain_of_file(const struct object *obj)
{
	static const char map_files[] =
		"root can read the one that is mapped, through /proc/PID/map_files";
	char *name = printable(obj->name, strlen(obj->name));

	switch (obj->fd) {
	case -ENOTSUP:
		warn("%s: not a regular file, and so not a program or a library",
		     name);
		break;
	case -ESTALE:
		warn("%s: the file there is not the one that is mapped; %s", name,
		     map_files);
		break;
	case -ENOENT:
	case -EPERM:
		warn("%s: the file is not there any more, or not in sight; %s",
		     name, map_files);
		break;
	default:
		warn("%s: %s", name, strerror(-obj->fd));
	}
	free(name);
}

static char *path_of(struct process *proc, const struct object *obj,
		     const struct procmap_vma *vma)
{
	char path[PATH_MAX];

	if (procmap_file_path(proc->pm, vma, obj->fd, path, sizeof(path)))
		return xstrdup(obj->name);
	return xstrdup(path);
}

static struct object *new_object(struct process *proc,
				 const struct procmap_vma *vma)
{
	struct object *obj = xrealloc(NULL, sizeof(*obj));

	*obj = (struct object){
		.next = proc->objects, .inode = vma->inode,
		.dev_major = vma->dev_major, .dev_minor = vma->dev_minor,
		.name = xstrdup(vma->name),
	};
	proc->objects = obj;
	obj->fd = procmap_open_file(proc->pm, vma, NULL);
	if (obj->fd >= 0) {
		int err = procmap_elf_open(&obj->elf, obj->fd);

		if (err == -ENOMEM)
			out_of_memory();
		obj->path = path_of(proc, obj, vma);
	} else if (vma->flags & PROCMAP_FILE) {
		complain_of_file(obj);
	}
	return obj;
}

/*
 * The file stays open, so that its inode number is not used again: whatever is called
 * the same later is the same file.
 */
static struct object *find_object(struct process *proc,
				  const struct procmap_vma *vma)
{
	struct object *obj;

	if (!(vma->flags & PROCMAP_FILE) && strcmp(vma->name, "[vdso]"))
		return NULL;
	for (obj = proc->objects; obj; obj = obj->next)
		if (obj->inode == vma->inode && obj->dev_major == vma->dev_major &&
		    obj->dev_minor == vma->dev_minor &&
		    !strcmp(obj->name, vma->name))
			return obj;
	return new_object(proc, vma);
}

static void find_elf_address(struct process *proc, struct answer *a)
{
	struct mapping *map = a->map;

	if (!map->object)
		map->object = find_object(proc, &map->vma);
	if (map->object && map->object->elf)
		a->has_elf_addr = !procmap_elf_address(map->object->elf, &map->vma,
						       a->lookup, &a->elf_addr);
}

static int compare_objects(const void *a, const void *b)
{
	const struct answer *x = *(struct answer *const *)a;
	const struct answer *y = *(struct answer *const *)b;

	if (x->map->object != y->map->object)
		return x->map->object < y->map->object ? -1 : 1;
	return x->elf_addr < y->elf_addr ? -1 : x->elf_addr > y->elf_addr;
}

/* The answers of each object together, in the order of their addresses. */
static void find_symbols(struct process *proc, struct batch *batch,
			 struct answer **sorted, size_t nr)
{
	const char *tool = proc->opts->tool;
	size_t i, run;

	qsort(sorted, nr, sizeof(*sorted), compare_objects);
	for (i = 0; i < nr; i += run) {
		struct object *obj = sorted[i]->map->object;
		const char *slash = strrchr(obj->name, '/');
		const char *file = slash ? slash + 1 : obj->name;
		char *name = printable(file, strlen(file));

		for (run = 1; i + run < nr; run++)
			if (sorted[i + run]->map->object != obj)
				break;
		progress("%zu of %zu addresses, symbols of %s", i, nr, name);
		free(name);
		if (tool)
			batch->failed |= !tool_find(tool, obj, sorted + i, run);
		else
			symbols_find(proc, obj, sorted + i, run);
	}
}

/* Finds the file, the address in it, and the symbols, as the options ask for. */
void process_symbolize(struct process *proc, struct batch *batch)
{
	struct answer **sorted;
	size_t i, nr = 0;

	sorted = xrealloc(NULL, batch->nr * sizeof(*sorted));
	for (i = 0; i < batch->nr; i++) {
		struct answer *a = &batch->answers[i];

		if (!a->map)
			continue;
		find_elf_address(proc, a);
		if (a->has_elf_addr)
			sorted[nr++] = a;
	}
	if (proc->opts->symbolize) {
		find_symbols(proc, batch, sorted, nr);
		for (i = 0; i < batch->nr; i++)
			if (batch->answers[i].map && !batch->answers[i].nr_frames)
				jit_find(proc, &batch->answers[i]);
	}
	free(sorted);
}

/* Has the address all that was asked for? */
bool is_answered(const struct answer *a, const struct options *opts)
{
	if (!a->map)
		return false;
	if (opts->symbolize)
		return a->nr_frames && a->frames[0].function;
	if (opts->elf_address)
		return a->has_elf_addr;
	return !opts->file_offset || a->map->vma.flags & PROCMAP_FILE;
}
