// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* The file that is mapped: where it can be opened, and the proof that it is that. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

#define PATH_SIZE	(PATH_MAX + 32)
#define VDSO_MAX	1048576

static const char deleted[] = " (deleted)";

/* The length of a name without " (deleted)", or 0 if it has none. */
static size_t undeleted(const char *name)
{
	size_t len = strlen(name), tail = sizeof(deleted) - 1;

	return len > tail && !strcmp(name + len - tail, deleted) ? len - tail : 0;
}

struct search {
	struct procmap *pm;
	struct procmap_vma vma;		/* a copy, with the build ID once needed */
	bool asked;
	int err;			/* the best reason so far */
	enum procmap_source source;
};

/* Which of two reasons says more: EPERM is that of map_files alone. */
static int weight(int err)
{
	switch (err) {
	case -ENOTSUP:	return 5;
	case -ESTALE:	return 4;
	case -ENOENT:	return 1;
	case -EPERM:	return 2;
	case 0:		return 0;
	default:	return 3;
	}
}

static int fail(struct search *s, int err)
{
	if (weight(err) > weight(s->err))
		s->err = err;
	return -1;
}

static bool same_build_id(const struct procmap_vma *vma, int fd)
{
	uint8_t id[PROCMAP_BUILD_ID_MAX];
	struct procmap_elf *elf;
	uint32_t size;

	if (procmap_elf_open(&elf, fd))
		return false;
	size = procmap_elf_build_id(elf, id);
	procmap_elf_close(elf);
	return size == vma->build_id_size && !memcmp(id, vma->build_id, size);
}

/*
 * A build ID does not depend on what a file system says of its files, and tells one
 * that was replaced or written to. No device number does: on btrfs and overlayfs,
 * stat() has another one than the mapping.
 */
static bool is_mapped(struct search *s, int fd, const struct stat *st)
{
	if (!s->asked && !s->vma.build_id_size)
		procmap_read_build_id(s->pm, &s->vma);
	s->asked = true;
	if (s->vma.build_id_size)
		return same_build_id(&s->vma, fd);
	return st->st_ino == s->vma.inode;
}

/* For reading, once it is known that this has no side effect. */
static int reopen(int fd)
{
	char path[32];
	int ret;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ret = open(path, O_RDONLY | O_CLOEXEC);
	return ret < 0 ? -errno : ret;
}

/*
 * What stands at a path now may be a FIFO or a device, which would notice that it is
 * opened: looks before it opens for reading.
 */
static int open_regular(struct search *s, int path_fd, enum procmap_source source)
{
	struct stat st;
	int fd;

	if (fstat(path_fd, &st))
		return fail(s, -errno);
	if (!S_ISREG(st.st_mode))
		return fail(s, source == PROCMAP_MAP_FILES ||
			       st.st_ino == s->vma.inode ? -ENOTSUP : -ESTALE);
	fd = reopen(path_fd);
	if (fd < 0)
		return fail(s, fd);
	if (source == PROCMAP_MAP_FILES || is_mapped(s, fd, &st))
		return fd;
	close(fd);
	return fail(s, -ESTALE);
}

static int try(struct search *s, enum procmap_source source, int dir,
	       const char *path)
{
	int fd, path_fd;

	path_fd = openat(dir, path, O_PATH | O_CLOEXEC);
	if (path_fd < 0)
		return fail(s, errno == EPERM && source != PROCMAP_MAP_FILES ?
			       -EACCES : -errno);
	fd = open_regular(s, path_fd, source);
	close(path_fd);
	s->source = source;
	return fd;
}

static int try_map_files(struct search *s)
{
	char path[64];

	snprintf(path, sizeof(path), "map_files/%llx-%llx",
		 (unsigned long long)s->vma.start, (unsigned long long)s->vma.end);
	return try(s, PROCMAP_MAP_FILES, s->pm->dir, path);
}

/* Only if it is called like the mapped file: the link says " (deleted)" too. */
static int try_exe(struct search *s)
{
	size_t len = strlen(s->vma.name);
	char link[PATH_SIZE];

	if (readlinkat(s->pm->dir, "exe", link, sizeof(link)) != (ssize_t)len ||
	    memcmp(link, s->vma.name, len))
		return -1;
	return try(s, PROCMAP_EXE, s->pm->dir, "exe");
}

/* By the first bytes of its name, as the process sees it and as we do. */
static int try_path(struct search *s, size_t len)
{
	char path[PATH_SIZE];
	int fd = -1;

	if (len >= PATH_MAX)
		return fail(s, -ENAMETOOLONG);
	snprintf(path, sizeof(path), "root%.*s", (int)len, s->vma.name);
	if (s->pm->dir >= 0)
		fd = try(s, PROCMAP_ROOT, s->pm->dir, path);
	return fd < 0 ? try(s, PROCMAP_PATH, AT_FDCWD, path + 4) : fd;
}

/* A package that was installed again has the deleted file's build ID. */
static int try_all(struct search *s)
{
	const char *name = s->vma.name;
	int fd = -1;

	if (s->pm->dir >= 0)
		fd = try_map_files(s);
	if (fd < 0 && *name != '/')
		return fail(s, -ENOTSUP);
	if (fd < 0 && s->pm->dir >= 0)
		fd = try_exe(s);
	if (fd < 0)
		fd = try_path(s, strlen(name));
	if (fd < 0 && undeleted(name))
		fd = try_path(s, undeleted(name));
	return fd;
}

/* Returns the bytes read: the whole of it, or less. */
static size_t read_memory(int dir, const char *path, void *buf, size_t size,
			  uint64_t addr)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t ret;

	if (fd < 0)
		return 0;
	ret = pread(fd, buf, size, addr);
	close(fd);
	return ret < 0 ? 0 : ret;
}

/*
 * To read memory takes more permission than to read mappings. But all 64-bit processes
 * have one vDSO, and nothing else is above 4 GiB.
 */
static size_t read_vdso(const struct procmap *pm, const struct procmap_vma *vma,
			void *buf, size_t size)
{
	size_t got = 0;

	if (pm->dir >= 0)
		got = read_memory(pm->dir, "mem", buf, size, vma->start);
	if (got < size && sizeof(long) == 8 && vma->start > UINT32_MAX)
		got = read_memory(AT_FDCWD, "/proc/self/mem", buf, size,
				  getauxval(AT_SYSINFO_EHDR));
	return got;
}

static int copy_vdso(const struct procmap *pm, const struct procmap_vma *vma)
{
	size_t size = vma->end - vma->start;
	int fd, err = -EACCES;
	void *buf;

	if (size > VDSO_MAX)
		return -ENOTSUP;
	fd = memfd_create("vdso", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, size)) {
		err = -errno;
		close(fd);
		return err;
	}
	buf = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (buf != MAP_FAILED) {
		if (read_vdso(pm, vma, buf, size) == size)
			err = 0;
		munmap(buf, size);
	} else {
		err = -errno;
	}
	if (!err)
		return fd;
	close(fd);
	return err;
}

int procmap_open_file(struct procmap *pm, const struct procmap_vma *vma,
		      enum procmap_source *source)
{
	struct search s = { .pm = pm, .vma = *vma, .source = PROCMAP_MEMORY };
	int fd;

	if (vma->flags & PROCMAP_FILE) {
		fd = try_all(&s);
		if (fd < 0)
			return s.err;
	} else {
		fd = strcmp(vma->name, "[vdso]") ? -ENODATA : copy_vdso(pm, vma);
	}
	if (fd >= 0 && source)
		*source = s.source;
	return fd;
}

/* The paths that may lead to a file, into the caller's buffer. */
struct path {
	char *path;
	size_t size;
	struct stat file;
	bool too_long;
};

__printf(2, 3)
static bool leads_there(struct path *p, const char *fmt, ...)
{
	struct stat st;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(p->path, p->size, fmt, args);
	va_end(args);
	if (len < 0 || (size_t)len >= p->size) {
		p->too_long = true;
		return false;
	}
	return !stat(p->path, &st) && st.st_ino == p->file.st_ino &&
	       st.st_dev == p->file.st_dev;
}

static bool name_leads_there(struct path *p, const struct procmap *pm,
			     const char *name, int len)
{
	return leads_there(p, "%.*s", len, name) ||
	       (pm->dir >= 0 && leads_there(p, "/proc/%d/root%.*s", (int)pm->pid,
					    len, name));
}

int procmap_file_path(struct procmap *pm, const struct procmap_vma *vma, int fd,
		      char *path, size_t size)
{
	struct path p = { .path = path, .size = size };
	const char *name = vma->name;
	size_t cut = undeleted(name);

	if (fstat(fd, &p.file))
		return -errno;
	if (*name == '/' && (name_leads_there(&p, pm, name, strlen(name)) ||
			     (cut && name_leads_there(&p, pm, name, cut))))
		return 0;
	if (pm->dir >= 0 &&
	    leads_there(&p, "/proc/%d/map_files/%llx-%llx", (int)pm->pid,
			(unsigned long long)vma->start,
			(unsigned long long)vma->end))
		return 0;
	return p.too_long ? -ENAMETOOLONG : -ENOENT;
}

/*
 * Whether it is safe to ask some kernels for the build ID: not if this may be a device.
 */
bool file_may_have_build_id(struct procmap *pm, const struct procmap_vma *vma)
{
	char path[PATH_SIZE];
	struct stat st;

	if (!(vma->flags & PROCMAP_FILE) || *vma->name != '/')
		return false;
	if (pm->dir >= 0) {
		snprintf(path, sizeof(path), "map_files/%llx-%llx",
			 (unsigned long long)vma->start,
			 (unsigned long long)vma->end);
		if (!fstatat(pm->dir, path, &st, 0))
			return S_ISREG(st.st_mode);
		snprintf(path, sizeof(path), "root%s", vma->name);
		if (!fstatat(pm->dir, path, &st, 0) && st.st_ino == vma->inode)
			return S_ISREG(st.st_mode);
	}
	if (!stat(vma->name, &st) && st.st_ino == vma->inode)
		return S_ISREG(st.st_mode);
	return strncmp(vma->name, "/dev/", 5) || !strncmp(vma->name, "/dev/shm/", 9);
}
