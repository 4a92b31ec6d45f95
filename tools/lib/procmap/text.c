// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* The text of /proc/PID/maps, and of smaps, where page sizes are. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#define TEXT_SIZE	16384		/* the kernel returns a page at a time */
#define LINE_MAX_SIZE	1048576		/* a longer one is no line of the kernel's */

static int text_grow(struct text *text)
{
	size_t size = text->size ? text->size * 2 : TEXT_SIZE;
	char *buf;

	if (size > LINE_MAX_SIZE)
		return -EBADMSG;
	buf = realloc(text->buf, size);
	if (!buf)
		return -ENOMEM;
	text->buf = buf;
	text->size = size;
	return 0;
}

static int text_start(struct text *text, int fd)
{
	text->fd = fd;
	text->pos = 0;
	text->len = 0;
	text->offset = 0;
	text->ended = false;
	return text->buf ? 0 : text_grow(text);
}

/* At an offset, so that whoever else has the descriptor keeps its position. */
static int text_read(struct text *text)
{
	ssize_t ret;
	int err;

	memmove(text->buf, text->buf + text->pos, text->len - text->pos);
	text->len -= text->pos;
	text->pos = 0;
	if (text->len == text->size) {
		err = text_grow(text);
		if (err)
			return err;
	}
	do {
		ret = pread(text->fd, text->buf + text->len,
			    text->size - text->len, text->offset);
	} while (ret < 0 && errno == EINTR);
	if (ret < 0)
		return -errno;
	text->ended = !ret;
	text->len += ret;
	text->offset += ret;
	return 0;
}

/* Returns 1 with the next line, which has no newline any more, 0 at the end. */
static int text_line(struct text *text, char **line, size_t *len)
{
	size_t seen = 0;
	char *nl;
	int err;

	for (;;) {
		*line = text->buf + text->pos;
		*len = text->len - text->pos;
		nl = memchr(*line + seen, '\n', *len - seen);
		if (nl)
			break;
		if (text->ended)
			return *len ? -EBADMSG : 0;
		seen = *len;
		err = text_read(text);
		if (err)
			return err;
	}
	*len = nl - *line;
	text->pos += *len + 1;
	return 1;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return 16;
}

/*
 * Reads a number and the character behind it. A line ends in a NUL, which is neither a
 * digit nor any such character.
 */
static bool number(char **s, unsigned int base, char behind, uint64_t max,
		   uint64_t *value)
{
	char *start = *s;

	*value = 0;
	for (; (unsigned int)digit(**s) < base; (*s)++) {
		if (__builtin_mul_overflow(*value, base, value) ||
		    __builtin_add_overflow(*value, digit(**s), value) ||
		    *value > max)
			return false;
	}
	return *s > start && *(*s)++ == behind;
}

static bool permission(char **s, char letter, char without, uint32_t flag,
		       struct procmap_vma *vma)
{
	char c = *(*s)++;

	if (c == letter)
		vma->flags |= flag;
	return c == letter || c == without;
}

static bool permissions(char **s, struct procmap_vma *vma)
{
	return permission(s, 'r', '-', PROCMAP_READ, vma) &&
	       permission(s, 'w', '-', PROCMAP_WRITE, vma) &&
	       permission(s, 'x', '-', PROCMAP_EXEC, vma) &&
	       permission(s, 's', 'p', PROCMAP_SHARED, vma) && *(*s)++ == ' ';
}

/* The kernel writes a newline in a path as \012, and a backslash as it is. */
static void undo_escapes(char *name)
{
	char *out;

	name = strstr(name, "\\012");
	for (out = name; name && *name; out++) {
		bool escaped = !strncmp(name, "\\012", 4);

		*out = escaped ? '\n' : *name;
		name += escaped ? 4 : 1;
	}
	if (out)
		*out = 0;
}

/*
 * Parses a line of @len bytes, and one more that is made its end; the name is left in
 * it. Returns 0 or -EBADMSG.
 */
int text_parse(char *line, size_t len, struct procmap_vma *vma)
{
	uint64_t major, minor;
	char *s = line;

	line[len] = 0;
	if (strlen(line) != len)
		return -EBADMSG;
	memset(vma, 0, sizeof(*vma));
	if (!number(&s, 16, '-', UINT64_MAX, &vma->start) ||
	    !number(&s, 16, ' ', UINT64_MAX, &vma->end) ||
	    !permissions(&s, vma) ||
	    !number(&s, 16, ' ', UINT64_MAX, &vma->offset) ||
	    !number(&s, 16, ':', UINT32_MAX, &major) ||
	    !number(&s, 16, ' ', UINT32_MAX, &minor) ||
	    !number(&s, 10, ' ', UINT64_MAX, &vma->inode) ||
	    vma->start >= vma->end)
		return -EBADMSG;
	vma->dev_major = major;
	vma->dev_minor = minor;
	if (major || minor || vma->inode)
		vma->flags |= PROCMAP_FILE;
	s += strspn(s, " ");
	undo_escapes(s);
	vma->name = s;
	return 0;
}

/* It is the kernel's own, and no mapping of the process. */
static bool is_gate(const struct procmap_vma *vma)
{
	return !(vma->flags & PROCMAP_FILE) && !strcmp(vma->name, "[vsyscall]");
}

static bool matches(const struct procmap_vma *vma, unsigned int flags)
{
	return !(flags & FILTER & ~vma->flags) && !is_gate(vma);
}

static int walk_maps(struct procmap *pm, unsigned int flags,
		     procmap_walk_fn *fn, void *arg, bool *any)
{
	size_t len;
	char *line;
	int ret;

	ret = text_start(&pm->text, pm->maps);
	if (ret)
		return ret;
	while ((ret = text_line(&pm->text, &line, &len)) > 0) {
		ret = text_parse(line, len, &pm->vma);
		if (ret)
			return ret;
		*any = true;
		ret = matches(&pm->vma, flags) ? fn(&pm->vma, arg) : 0;
		if (ret)
			return ret;
	}
	return ret;
}

static int open_smaps(struct procmap *pm)
{
	if (pm->smaps >= 0)
		return 0;
	if (pm->dir < 0)
		return -EOPNOTSUPP;
	pm->smaps = openat(pm->dir, "smaps", O_RDONLY | O_CLOEXEC);
	return pm->smaps < 0 ? -errno : 0;
}

/* The name has to outlive its line: the page size comes some lines later. */
static int keep_name(struct procmap *pm)
{
	size_t size = strlen(pm->vma.name) + 1;
	char *kept;

	if (size > pm->kept_size) {
		kept = realloc(pm->kept, size);
		if (!kept)
			return -ENOMEM;
		pm->kept = kept;
		pm->kept_size = size;
	}
	pm->vma.name = memcpy(pm->kept, pm->vma.name, size);
	return 0;
}

/* In smaps, a mapping's line is followed by others that begin with a capital. */
static int walk_smaps(struct procmap *pm, unsigned int flags,
		      procmap_walk_fn *fn, void *arg, bool *any)
{
	static const char key[] = "KernelPageSize:";
	size_t len;
	char *line;
	int ret;

	ret = open_smaps(pm);
	if (!ret)
		ret = text_start(&pm->text, pm->smaps);
	if (ret)
		return ret;
	while ((ret = text_line(&pm->text, &line, &len)) > 0) {
		*any = true;
		line[len] = 0;
		if (digit(*line) < 16) {
			ret = text_parse(line, len, &pm->vma);
			if (!ret)
				ret = keep_name(pm);
			if (ret)
				return ret;
		} else if (!strncmp(line, key, sizeof(key) - 1)) {
			pm->vma.page_size =
				strtoull(line + sizeof(key) - 1, NULL, 10) * 1024;
			if (!pm->vma.name)
				return -EBADMSG;
			ret = matches(&pm->vma, flags) ? fn(&pm->vma, arg) : 0;
			if (ret)
				return ret;
		}
	}
	return ret;
}

/*
 * The text of an address space that is gone ends early, as if that were all: only one
 * that can still be read from its beginning has been read to its end.
 */
static int still_there(struct procmap *pm)
{
	ssize_t ret;
	char c;

	do {
		ret = pread(pm->maps, &c, 1, 0);
	} while (ret < 0 && errno == EINTR);
	if (ret < 0)
		return -errno;
	return ret ? 0 : -ESRCH;
}

/*
 * Calls @fn for each mapping that passes the filter of @flags. The names are there,
 * page sizes if asked for, build IDs not.
 */
int text_walk(struct procmap *pm, unsigned int flags, procmap_walk_fn *fn,
	      void *arg)
{
	bool any = false;
	int ret;

	pm->vma.name = NULL;
	if (flags & PROCMAP_PAGE_SIZE)
		ret = walk_smaps(pm, flags, fn, arg, &any);
	else
		ret = walk_maps(pm, flags, fn, arg, &any);
	if (ret)
		return ret;
	return any ? still_there(pm) : -ESRCH;
}
