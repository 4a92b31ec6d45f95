// SPDX-License-Identifier: GPL-2.0
/*
 * The ELF file behind a mapping, and the virtual address in it that belongs to
 * an address of the process: the one that addr2line, llvm-symbolizer and
 * objdump mean. It differs from the offset in the file wherever the program
 * headers say so, as linkers like to have it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <linux/elf.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "procmap.h"

#ifndef NT_GNU_BUILD_ID
#define NT_GNU_BUILD_ID	3
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NATIVE_DATA	ELFDATA2LSB
#else
#define NATIVE_DATA	ELFDATA2MSB
#endif

#define MAX_NOTES	65536

static bool read_at(int fd, void *buf, size_t size, __u64 offset)
{
	return pread(fd, buf, size, offset) == (ssize_t)size;
}

static bool read_segments64(struct object *obj, int fd, __u64 offset, size_t nr)
{
	size_t size = nr * sizeof(*obj->segments);

	obj->segments = xrealloc(NULL, size + 1);
	if (!read_at(fd, obj->segments, size, offset))
		return false;
	obj->nr_segments = nr;
	return true;
}

static struct elf64_phdr widen(const struct elf32_phdr *p)
{
	return (struct elf64_phdr){
		.p_type = p->p_type, .p_flags = p->p_flags,
		.p_offset = p->p_offset, .p_vaddr = p->p_vaddr,
		.p_filesz = p->p_filesz, .p_memsz = p->p_memsz,
		.p_align = p->p_align,
	};
}

static bool read_segments32(struct object *obj, int fd, __u64 offset, size_t nr)
{
	size_t size = nr * sizeof(struct elf32_phdr);
	struct elf32_phdr *phdrs = xrealloc(NULL, size + 1);
	bool ret = read_at(fd, phdrs, size, offset);

	obj->segments = xrealloc(NULL, nr * sizeof(*obj->segments) + 1);
	while (ret && obj->nr_segments < nr) {
		obj->segments[obj->nr_segments] =
			widen(&phdrs[obj->nr_segments]);
		obj->nr_segments++;
	}
	free(phdrs);
	return ret;
}

static bool read_segments(struct object *obj, int fd)
{
	union {
		unsigned char ident[EI_NIDENT];
		struct elf32_hdr elf32;
		struct elf64_hdr elf64;
	} ehdr;

	/* No image is as short as one header of the 64-bit class. */
	if (!read_at(fd, &ehdr, sizeof(ehdr), 0) ||
	    memcmp(ehdr.ident, ELFMAG, SELFMAG) ||
	    ehdr.ident[EI_DATA] != NATIVE_DATA)
		return false;
	if (ehdr.ident[EI_CLASS] == ELFCLASS32)
		return ehdr.elf32.e_phentsize == sizeof(struct elf32_phdr) &&
		       read_segments32(obj, fd, ehdr.elf32.e_phoff,
				       ehdr.elf32.e_phnum);
	return ehdr.ident[EI_CLASS] == ELFCLASS64 &&
	       ehdr.elf64.e_phentsize == sizeof(struct elf64_phdr) &&
	       read_segments64(obj, fd, ehdr.elf64.e_phoff, ehdr.elf64.e_phnum);
}

static bool take_build_id(struct object *obj, const struct elf32_note *note,
			  const unsigned char *name, const unsigned char *desc)
{
	if (note->n_type != NT_GNU_BUILD_ID || note->n_namesz != 4 ||
	    memcmp(name, "GNU", 4) || !note->n_descsz ||
	    note->n_descsz > BUILD_ID_MAX)
		return false;
	memcpy(obj->build_id, desc, note->n_descsz);
	obj->build_id_size = note->n_descsz;
	return true;
}

static void parse_notes(struct object *obj, const unsigned char *notes,
			__u64 size, __u64 align)
{
	__u64 pos = 0, desc, end;
	struct elf32_note note;

	while (pos + sizeof(note) <= size) {
		memcpy(&note, notes + pos, sizeof(note));
		desc = pos + sizeof(note) + note.n_namesz;
		desc = (desc + align - 1) & -align;
		end = desc + note.n_descsz;
		if (end > size)
			return;
		if (take_build_id(obj, &note, notes + pos + sizeof(note),
				  notes + desc))
			return;
		pos = (end + align - 1) & -align;
	}
}

static void read_build_id(struct object *obj, int fd)
{
	unsigned char *notes = xrealloc(NULL, MAX_NOTES);
	size_t i;

	for (i = 0; i < obj->nr_segments && !obj->build_id_size; i++) {
		const struct elf64_phdr *seg = &obj->segments[i];

		if (seg->p_type == PT_NOTE && seg->p_filesz <= MAX_NOTES &&
		    read_at(fd, notes, seg->p_filesz, seg->p_offset))
			parse_notes(obj, notes, seg->p_filesz,
				    seg->p_align == 8 ? 8 : 4);
	}
	free(notes);
}

/*
 * By build ID where the mapped file has one: it does not depend on what a file
 * system says of its devices, and tells a file that was replaced or written to.
 */
static bool is_mapped_file(const struct object *obj, const struct stat *st,
			   const struct mapping *map)
{
	if (map->q.build_id_size)
		return map->q.build_id_size == obj->build_id_size &&
		       !memcmp(map->build_id, obj->build_id,
			       obj->build_id_size);
	return st->st_ino == map->q.inode &&
	       major(st->st_dev) == map->q.dev_major &&
	       minor(st->st_dev) == map->q.dev_minor;
}

static void forget_segments(struct object *obj)
{
	free(obj->segments);
	obj->segments = NULL;
	obj->nr_segments = 0;
	obj->build_id_size = 0;
}

static bool load(struct object *obj, int fd, const struct mapping *map)
{
	struct stat st;

	if (fstat(fd, &st))
		return false;
	if (read_segments(obj, fd))
		read_build_id(obj, fd);
	if (is_mapped_file(obj, &st, map))
		return true;
	forget_segments(obj);
	errno = ESTALE;
	return false;
}

/*
 * What stands there now may be a FIFO or a device, which would notice that it is
 * opened: looks before it opens for reading.
 */
static int open_regular(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat st;
	char *self;
	int ret;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		errno = ESTALE;
		return -1;
	}
	self = xasprintf("/proc/self/fd/%d", fd);
	ret = open(self, O_RDONLY | O_CLOEXEC);
	free(self);
	close(fd);
	return ret;
}

static bool try_path(struct object *obj, const char *path,
		     const struct mapping *map)
{
	int fd = open_regular(path);
	int err;
	bool ret;

	if (fd < 0)
		return false;
	ret = load(obj, fd, map);
	err = errno;
	close(fd);
	errno = err;
	if (ret)
		obj->path = xasprintf("%s", path);
	return ret;
}

/*
 * By its own name, where separate debug files are found from; else as the
 * process sees it, in a container; else through the mapping itself, which
 * reaches deleted files too but takes CAP_CHECKPOINT_RESTORE.
 */
static void find_file(struct object *obj, const struct process *proc,
		      const struct mapping *map)
{
	char *in_root = xasprintf("/proc/%s/root%s", proc->pid, map->name);
	char *mapped = xasprintf("/proc/%s/map_files/%llx-%llx", proc->pid,
				 map->q.vma_start, map->q.vma_end);
	char *name;
	int err;

	if (!try_path(obj, map->name, map)) {
		err = errno;
		if (!try_path(obj, in_root, map) &&
		    !try_path(obj, mapped, map)) {
			name = printable(map->name, strlen(map->name));
			warn("%s: %s", name, err == ESTALE ?
			     "the file there is not the one that is mapped" :
			     strerror(err));
			free(name);
		}
	}
	free(in_root);
	free(mapped);
}

static bool same_file(const struct mapping *a, const struct mapping *b)
{
	return a->q.inode == b->q.inode && a->q.dev_major == b->q.dev_major &&
	       a->q.dev_minor == b->q.dev_minor && !strcmp(a->name, b->name);
}

static struct object *find_object(struct batch *batch,
				  const struct process *proc,
				  const struct mapping *map)
{
	struct object *obj;

	for (obj = batch->objects; obj; obj = obj->next)
		if (same_file(obj->map, map))
			return obj;

	obj = xrealloc(NULL, sizeof(*obj));
	memset(obj, 0, sizeof(*obj));
	obj->map = map;
	obj->next = batch->objects;
	batch->objects = obj;
	find_file(obj, proc, map);
	return obj;
}

void free_objects(struct batch *batch)
{
	struct object *obj;

	while ((obj = batch->objects)) {
		batch->objects = obj->next;
		free(obj->path);
		free(obj->segments);
		free(obj);
	}
}

/* Has the file the byte at offset for this segment? */
static bool in_file_part(const struct elf64_phdr *seg, __u64 offset)
{
	return offset >= seg->p_offset && offset - seg->p_offset < seg->p_filesz;
}

/* Is the offset in a page that is mapped for this segment? */
static bool in_pages(const struct elf64_phdr *seg, __u64 offset, __u64 page_size)
{
	__u64 before = seg->p_offset & (page_size - 1);
	__u64 start = seg->p_offset - before;
	__u64 size = (before + seg->p_memsz + page_size - 1) & -page_size;

	return offset >= start && offset - start < size;
}

/*
 * The end of one segment and the start of the next may share a page of the
 * file, which is then mapped for both: whose bytes are meant comes first, what
 * else is in the page after that. Last, what is executable in the process need
 * not be in the file: old programs have all that they read made so.
 */
static const struct elf64_phdr *find_segment(const struct object *obj,
					     const struct mapping *map,
					     __u64 offset)
{
	bool exec = map->q.vma_flags & PROCMAP_QUERY_VMA_EXECUTABLE;
	const struct elf64_phdr *seg, *near = NULL, *other = NULL;
	size_t i;

	for (i = 0; i < obj->nr_segments; i++) {
		bool alike, inside;

		seg = &obj->segments[i];
		if (seg->p_type != PT_LOAD)
			continue;
		alike = exec == !!(seg->p_flags & PF_X);
		inside = in_file_part(seg, offset);
		if (alike && inside)
			return seg;
		if (alike && !near &&
		    in_pages(seg, offset, map->q.vma_page_size))
			near = seg;
		if (inside && !other)
			other = seg;
	}
	return near ? near : other;
}

static void find_file_address(struct answer *a)
{
	const struct elf64_phdr *seg;
	__u64 offset;

	if (!a->map->object || !a->map->object->path)
		return;
	offset = a->addr - a->map->q.vma_start + a->map->q.vma_offset;
	seg = find_segment(a->map->object, a->map, offset);
	if (!seg)
		return;
	a->file_addr = offset - seg->p_offset + seg->p_vaddr;
	a->has_file_addr = true;
}

void find_file_addresses(struct batch *batch, const struct process *proc)
{
	size_t i;

	for (i = 0; i < batch->nr_answers; i++) {
		struct answer *a = &batch->answers[i];

		if (!a->map || a->map->name[0] != '/')
			continue;
		if (!a->map->object)
			a->map->object = find_object(batch, proc, a->map);
		find_file_address(a);
	}
}
