// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Handles, look-ups and walks: by ioctl, or by way of the text. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

static struct procmap *new_handle(void)
{
	struct procmap *pm = calloc(1, sizeof(*pm));

	if (pm) {
		pm->dir = -1;
		pm->maps = -1;
		pm->smaps = -1;
	}
	return pm;
}

/*
 * Through the open directory, so that a PID that is used again for another process is
 * never mistaken for the first one.
 */
static int open_maps(const struct procmap *pm)
{
	int fd = openat(pm->dir, "maps", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int procmap_open(struct procmap **ret, pid_t pid)
{
	struct procmap *pm = new_handle();
	char path[32];
	int err = 0;

	if (!pm)
		return -ENOMEM;
	pm->pid = pid ? pid : getpid();
	snprintf(path, sizeof(path), "/proc/%d", (int)pm->pid);
	pm->dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (pm->dir < 0)
		err = -errno;
	else
		pm->maps = open_maps(pm);
	if (!err && pm->maps < 0)
		err = pm->maps;
	if (err) {
		procmap_close(pm);
		return err;
	}
	*ret = pm;
	return 0;
}

int procmap_open_fd(struct procmap **ret, int fd)
{
	struct procmap *pm = new_handle();
	int err;

	if (!pm)
		return -ENOMEM;
	pm->maps = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (pm->maps < 0) {
		err = -errno;
		procmap_close(pm);
		return err;
	}
	*ret = pm;
	return 0;
}

void procmap_close(struct procmap *pm)
{
	if (!pm)
		return;
	if (pm->dir >= 0)
		close(pm->dir);
	if (pm->maps >= 0)
		close(pm->maps);
	if (pm->smaps >= 0)
		close(pm->smaps);
	free(pm->text.buf);
	free(pm->kept);
	free(pm);
}

int procmap_set_way(struct procmap *pm, enum procmap_way way)
{
	if (way != PROCMAP_AUTO && way != PROCMAP_IOCTL && way != PROCMAP_TEXT)
		return -EINVAL;
	pm->way = way;
	return 0;
}

static bool by_text(const struct procmap *pm)
{
	return pm->way == PROCMAP_TEXT ||
	       (pm->way == PROCMAP_AUTO && pm->no_ioctl);
}

/*
 * A kernel without the ioctl says ENOTTY; the others are what security modules and
 * seccomp filters say of an ioctl that they do not know, and what PROCMAP_QUERY itself
 * never does.
 */
static int query(struct procmap *pm, struct query *q)
{
	q->size = sizeof(*q);
	if (!ioctl(pm->maps, QUERY, q))
		return 0;
	if (errno != ENOTTY && errno != EPERM && errno != EACCES)
		return -errno;
	pm->no_ioctl = true;
	return -ENOTTY;
}

enum procmap_way procmap_get_way(struct procmap *pm)
{
	struct query q = { .query_flags = PROCMAP_NEXT };

	if (pm->way == PROCMAP_AUTO && !pm->no_ioctl)
		query(pm, &q);
	return by_text(pm) ? PROCMAP_TEXT : PROCMAP_IOCTL;
}

/* Whether this handle's address space is gone by an exec, or by the process's end. */
static int gone(struct procmap *pm)
{
	ssize_t ret;
	char c;
	int fd;

	if (pm->dir < 0)
		return -ESRCH;
	fd = open_maps(pm);
	if (fd < 0)	/* a program of more privilege? */
		return fd == -EACCES || fd == -EPERM ? -ESTALE : -ESRCH;
	ret = read(fd, &c, 1);
	close(fd);
	return ret == 1 ? -ESTALE : -ESRCH;
}

static int name_from_text(const struct procmap_vma *vma, void *arg)
{
	const struct procmap_vma *wanted = arg;

	return vma->start == wanted->start && vma->end == wanted->end;
}

/* A path that is longer than any buffer that the kernel fills is in the text. */
static int long_name(struct procmap *pm, struct procmap_vma *vma)
{
	int ret = text_walk(pm, 0, name_from_text, vma);

	if (ret < 0)
		return ret;
	/* Else it has just been unmapped, and its name is gone with it. */
	vma->name = ret ? pm->vma.name : "";
	return 0;
}

/* A descriptor that was handed over may be of anything: do not trust its answers. */
static bool plausible(const struct query *q, uint64_t addr, unsigned int flags)
{
	bool covers = addr >= q->vma_start;

	return q->vma_start < q->vma_end && (covers || (flags & PROCMAP_NEXT)) &&
	       q->vma_name_size <= PATH_MAX;
}

static void take(struct procmap_vma *vma, const struct query *q)
{
	*vma = (struct procmap_vma){
		.start = q->vma_start,
		.end = q->vma_end,
		.offset = q->vma_offset,
		.inode = q->inode,
		.page_size = q->vma_page_size,
		.flags = q->vma_flags & PERMISSIONS,
		.dev_major = q->dev_major,
		.dev_minor = q->dev_minor,
	};
	if (q->inode || q->dev_major || q->dev_minor)
		vma->flags |= PROCMAP_FILE;
}

/* Returns 1 with a mapping in pm->vma, 0 if there is none, or an error. */
static int find(struct procmap *pm, uint64_t addr, unsigned int flags)
{
	bool named = flags & (PROCMAP_NAME | PROCMAP_BUILD_ID);
	struct query q = {
		.query_flags = flags & (FILTER | PROCMAP_NEXT),
		.query_addr = addr,
		.vma_name_size = named ? sizeof(pm->name) : 0,
		.vma_name_addr = named ? (uintptr_t)pm->name : 0,
	};
	struct procmap_vma vma;
	bool too_long;
	int err;

	err = query(pm, &q);
	too_long = err == -ENAMETOOLONG;
	if (too_long) {
		q.vma_name_size = 0;
		q.vma_name_addr = 0;
		err = query(pm, &q);
	}
	if (err)
		return err == -ENOENT ? 0 : err;
	if (!plausible(&q, addr, flags))
		return -EBADMSG;
	/* Some 32-bit kernels look for the lower half of a longer address. */
	if (addr >= q.vma_end)
		return 0;
	take(&vma, &q);
	vma.name = pm->name;
	pm->name[q.vma_name_size ? q.vma_name_size - 1 : 0] = 0;
	if (too_long)
		err = long_name(pm, &vma);
	pm->vma = vma;
	return err ? err : 1;
}

/*
 * Puts the build ID into a mapping that has a name and no build ID yet, if there is
 * one. Some kernels read it from files of any kind, and block where that is a socket:
 * they are asked for those of regular files alone.
 */
int procmap_read_build_id(struct procmap *pm, struct procmap_vma *vma)
{
	struct query q = {
		.query_addr = vma->start,
		.build_id_size = sizeof(vma->build_id),
		.build_id_addr = (uintptr_t)vma->build_id,
	};
	int err;

	if (by_text(pm) || !file_may_have_build_id(pm, vma))
		return 0;
	err = query(pm, &q);
	if (err)
		return err == -ENOTTY || err == -ENOENT ? 0 : err;
	if (q.inode == vma->inode && q.dev_major == vma->dev_major &&
	    q.dev_minor == vma->dev_minor &&
	    q.build_id_size <= sizeof(vma->build_id))
		vma->build_id_size = q.build_id_size;
	return 0;
}

/* The same by way of the file. What cannot be read has none. */
static void build_id_of_file(struct procmap *pm, struct procmap_vma *vma)
{
	struct procmap_elf *elf;
	int fd = procmap_open_file(pm, vma, NULL);

	if (fd < 0)
		return;
	if (!procmap_elf_open(&elf, fd)) {
		vma->build_id_size = procmap_elf_build_id(elf, vma->build_id);
		procmap_elf_close(elf);
	}
	close(fd);
}

/* Adds to an answer what only its receiver pays for, and hands it out. */
struct delivery {
	struct procmap *pm;
	unsigned int flags;
	procmap_walk_fn *fn;
	void *arg;
	/* The last file: a program's segments lie one after the other. */
	struct procmap_vma last;
};

static int add_build_id(struct delivery *d, struct procmap_vma *vma)
{
	int err = 0;

	if (!(vma->flags & PROCMAP_FILE) || *vma->name != '/')
		return 0;
	if (d->last.inode == vma->inode && d->last.dev_major == vma->dev_major &&
	    d->last.dev_minor == vma->dev_minor) {
		memcpy(vma->build_id, d->last.build_id, sizeof(vma->build_id));
		vma->build_id_size = d->last.build_id_size;
		return 0;
	}
	if (by_text(d->pm))
		build_id_of_file(d->pm, vma);
	else
		err = procmap_read_build_id(d->pm, vma);
	d->last = *vma;
	return err;
}

static int complete(struct delivery *d, struct procmap_vma *vma)
{
	int err = d->flags & PROCMAP_BUILD_ID ? add_build_id(d, vma) : 0;

	if (!(d->flags & PROCMAP_NAME))
		vma->name = "";
	if (!(d->flags & PROCMAP_PAGE_SIZE))
		vma->page_size = 0;
	return err;
}

static int deliver(const struct procmap_vma *vma, void *arg)
{
	struct delivery *d = arg;
	int err = complete(d, &d->pm->vma);

	(void)vma;	/* that of the handle */
	return err ? err : d->fn(&d->pm->vma, d->arg);
}

static int walk_ioctl(struct procmap *pm, struct delivery *d)
{
	uint64_t addr = 0;
	int ret;

	while ((ret = find(pm, addr, d->flags | PROCMAP_NEXT)) > 0) {
		addr = pm->vma.end;
		ret = deliver(NULL, d);
		if (ret)
			return ret;
	}
	return ret;
}

static int walk(struct procmap *pm, struct delivery *d)
{
	/*
	 * The text costs one call for a page of it, and formatting; the ioctl one call
	 * for each mapping, which is more, unless it skips many.
	 */
	bool text = pm->way == PROCMAP_AUTO &&
		    !(d->flags & (FILTER | PROCMAP_BUILD_ID | PROCMAP_PAGE_SIZE));
	int ret = -ENOTTY;

	if (!text && !by_text(pm))
		ret = walk_ioctl(pm, d);
	if (ret == -ENOTTY && pm->way != PROCMAP_IOCTL)
		ret = text_walk(pm, d->flags, deliver, d);
	return ret;
}

static int begin(struct procmap *pm, unsigned int flags, unsigned int known)
{
	if (flags & ~known)
		return -EINVAL;
	if (pm->busy)
		return -EBUSY;
	pm->busy = true;
	return 0;
}

static int end(struct procmap *pm, int ret)
{
	pm->busy = false;
	return ret == -ESRCH ? gone(pm) : ret;
}

int procmap_walk(struct procmap *pm, unsigned int flags, procmap_walk_fn *fn,
		 void *arg)
{
	struct delivery d = { .pm = pm, .flags = flags, .fn = fn, .arg = arg };
	int ret = begin(pm, flags, FILTER | TELL);

	return ret ? ret : end(pm, walk(pm, &d));
}

/* A sorted array of addresses, and how far it has been answered. */
struct lookup {
	struct delivery d;
	const uint64_t *addrs;
	size_t nr;
	unsigned int flags;
	procmap_lookup_fn *fn;
	void *arg;
	size_t run;			/* addresses that the next answer is for */
	int ret;
};

static int deliver_run(const struct procmap_vma *vma, void *arg)
{
	struct lookup *l = arg;
	const uint64_t *addrs = l->addrs;
	size_t run = l->run;

	l->addrs += run;
	l->nr -= run;
	return l->fn(vma, addrs, run, l->arg);
}

static size_t below(const struct lookup *l, uint64_t addr)
{
	size_t nr = 0;

	while (nr < l->nr && l->addrs[nr] < addr)
		nr++;
	return nr;
}

/* Answers all addresses below the end of the mapping, which passes the filter. */
static int answer(const struct procmap_vma *vma, void *arg)
{
	struct lookup *l = arg;
	int ret = 0;

	if (!(l->flags & PROCMAP_NEXT)) {
		l->run = below(l, vma->start);
		if (l->run)
			ret = deliver_run(NULL, l);
	}
	l->run = below(l, vma->end);
	if (!ret && l->run)
		ret = deliver(vma, &l->d);
	return ret;
}

/* Ends the pass over the text once nothing is left to ask. */
static int answer_from_text(const struct procmap_vma *vma, void *arg)
{
	struct lookup *l = arg;

	l->ret = answer(vma, l);
	return l->ret || !l->nr;
}

/*
 * While addresses follow, each query asks for the next mapping too: that answers for
 * all the addresses of a gap.
 */
static int lookup_ioctl(struct procmap *pm, struct lookup *l)
{
	int ret = 0;

	while (l->nr && !ret) {
		ret = find(pm, l->addrs[0],
			   l->flags | (l->nr > 1 ? PROCMAP_NEXT : 0));
		if (ret <= 0)
			return ret;
		ret = answer(&pm->vma, l);
	}
	return ret;
}

static int lookup(struct procmap *pm, struct lookup *l)
{
	int ret = -ENOTTY;

	if (!by_text(pm))
		ret = lookup_ioctl(pm, l);
	if (ret == -ENOTTY && pm->way != PROCMAP_IOCTL) {
		ret = text_walk(pm, l->flags, answer_from_text, l);
		if (ret > 0)
			ret = l->ret;
	}
	if (ret)
		return ret;
	l->run = l->nr;
	return l->nr ? deliver_run(NULL, l) : 0;
}

static bool is_sorted(const uint64_t *addrs, size_t nr)
{
	size_t i;

	for (i = 1; i < nr; i++)
		if (addrs[i - 1] > addrs[i])
			return false;
	return true;
}

int procmap_lookup_sorted(struct procmap *pm, const uint64_t *addrs, size_t nr,
			  unsigned int flags, procmap_lookup_fn *fn, void *arg)
{
	struct lookup l = {
		.d = { .pm = pm, .flags = flags, .fn = deliver_run, .arg = &l },
		.addrs = addrs, .nr = nr, .flags = flags, .fn = fn, .arg = arg,
	};
	int ret;

	if (!is_sorted(addrs, nr))
		return -EINVAL;
	ret = begin(pm, flags, FILTER | PROCMAP_NEXT | TELL);
	return ret ? ret : end(pm, lookup(pm, &l));
}

static int take_one(const struct procmap_vma *vma, const uint64_t *addrs,
		    size_t nr, void *arg)
{
	const struct procmap_vma **found = arg;

	(void)addrs;
	(void)nr;
	*found = vma;
	return 0;
}

int procmap_lookup(struct procmap *pm, uint64_t addr, unsigned int flags,
		   const struct procmap_vma **vma)
{
	int ret;

	*vma = NULL;
	ret = procmap_lookup_sorted(pm, &addr, 1, flags, take_one, vma);
	return ret ? ret : !!*vma;
}
