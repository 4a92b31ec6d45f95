// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * What is needed of an ELF file: its segments, and its build ID. Nothing in it is
 * trusted: any offset, size and count may be wrong, and the file may change meanwhile.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <unistd.h>

#include "internal.h"

#define WINDOW_SIZE	4096
/*
 * How many reads an image is worth: more than any linker's headers and notes take, and
 * the bound of all the work that a hostile one can cause.
 */
#define MAX_READS	256

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NATIVE_DATA	ELFDATA2LSB
#else
#define NATIVE_DATA	ELFDATA2MSB
#endif

struct segment {
	uint32_t flags;
	uint64_t offset;
	uint64_t vaddr;
	uint64_t filesz;
	uint64_t memsz;
};

struct procmap_elf {
	uint8_t build_id[PROCMAP_BUILD_ID_MAX];
	uint32_t build_id_size;
	size_t nr;
	size_t room;
	struct segment *segments;	/* those that are loaded */
};

/* The @len bytes of the file from @pos on. */
struct window {
	int fd;
	int err;
	unsigned int reads;
	uint64_t pos;
	size_t len;
	uint8_t buf[WINDOW_SIZE];
};

/* Copies @size bytes from offset @pos on, if they are there. */
static bool get(struct window *w, uint64_t pos, void *to, size_t size)
{
	/* Wraps around if it is before the window, and is too far then. */
	uint64_t at = pos - w->pos;
	ssize_t len;

	if (at >= w->len || size > w->len - at) {
		w->len = 0;
		if (pos > INT64_MAX - WINDOW_SIZE || w->reads++ >= MAX_READS)
			return false;
		len = pread(w->fd, w->buf, WINDOW_SIZE, pos);
		if (len < 0) {
			w->err = -errno;
			w->reads = MAX_READS;
			return false;
		}
		w->pos = pos;
		w->len = len;
		at = 0;
		if (size > w->len)
			return false;
	}
	memcpy(to, w->buf + at, size);
	return true;
}

/* Of either class, as the 64-bit class has it. */
static bool get_header(struct window *w, Elf64_Ehdr *e)
{
	Elf32_Ehdr narrow;

	if (!get(w, 0, e, sizeof(*e)) || memcmp(e->e_ident, ELFMAG, SELFMAG) ||
	    e->e_ident[EI_DATA] != NATIVE_DATA)
		return false;
	if (e->e_ident[EI_CLASS] == ELFCLASS32) {
		memcpy(&narrow, e, sizeof(narrow));
		if (narrow.e_phentsize != sizeof(Elf32_Phdr))
			return false;
		e->e_type = narrow.e_type;
		e->e_phoff = narrow.e_phoff;
		e->e_phnum = narrow.e_phnum;
	} else if (e->e_ident[EI_CLASS] != ELFCLASS64 ||
		   e->e_phentsize != sizeof(Elf64_Phdr)) {
		return false;
	}
	return e->e_type == ET_EXEC || e->e_type == ET_DYN;
}

static bool get_segment(struct window *w, const Elf64_Ehdr *e, unsigned int i,
			Elf64_Phdr *p)
{
	Elf32_Phdr narrow;

	if (e->e_phoff > INT64_MAX)
		return false;
	if (e->e_ident[EI_CLASS] == ELFCLASS64)
		return get(w, e->e_phoff + i * sizeof(*p), p, sizeof(*p));
	if (!get(w, e->e_phoff + i * sizeof(narrow), &narrow, sizeof(narrow)))
		return false;
	*p = (Elf64_Phdr){
		.p_type = narrow.p_type, .p_flags = narrow.p_flags,
		.p_offset = narrow.p_offset, .p_vaddr = narrow.p_vaddr,
		.p_filesz = narrow.p_filesz, .p_memsz = narrow.p_memsz,
		.p_align = narrow.p_align,
	};
	return true;
}

static bool get_build_id(struct window *w, uint64_t pos, const Elf64_Nhdr *note,
			 struct procmap_elf *elf)
{
	char owner[4];

	if (note->n_type != NT_GNU_BUILD_ID || note->n_namesz != sizeof(owner) ||
	    !note->n_descsz || note->n_descsz > PROCMAP_BUILD_ID_MAX ||
	    !get(w, pos + sizeof(*note), owner, sizeof(owner)) ||
	    memcmp(owner, "GNU", sizeof(owner)))
		return false;
	if (!get(w, pos + sizeof(*note) + sizeof(owner), elf->build_id,
		 note->n_descsz))
		return false;
	elf->build_id_size = note->n_descsz;
	return true;
}

/* Stops at the first build ID. Notes of both classes have the same header. */
static void read_notes(struct window *w, const Elf64_Phdr *p,
		       struct procmap_elf *elf)
{
	const uint64_t align = p->p_align == 8 ? 8 : 4;
	uint64_t pos = p->p_offset, left = p->p_filesz;

	while (left >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		uint64_t size;

		if (!get(w, pos, &note, sizeof(note)))
			return;
		size = sizeof(note) + (uint64_t)note.n_namesz;
		size = ((size + align - 1) & -align) + note.n_descsz;
		if (size > left || get_build_id(w, pos, &note, elf))
			return;
		/* The padding behind the last note may be missing. */
		size = (size + align - 1) & -align;
		if (size > left)
			return;
		pos += size;
		left -= size;
	}
}

static bool add_segment(struct procmap_elf *elf, const Elf64_Phdr *p)
{
	struct segment *more;

	if (elf->nr == elf->room) {
		elf->room = elf->room ? elf->room * 2 : 8;
		more = realloc(elf->segments, elf->room * sizeof(*more));
		if (!more)
			return false;
		elf->segments = more;
	}
	elf->segments[elf->nr++] = (struct segment){
		.flags = p->p_flags, .offset = p->p_offset, .vaddr = p->p_vaddr,
		.filesz = p->p_filesz, .memsz = p->p_memsz,
	};
	return true;
}

static int read_elf(struct procmap_elf *elf, int fd)
{
	struct window w = { .fd = fd };
	Elf64_Ehdr e;
	Elf64_Phdr p;
	unsigned int i;

	if (!get_header(&w, &e))
		return w.err ? w.err : -ENOEXEC;
	for (i = 0; i < e.e_phnum; i++) {
		if (!get_segment(&w, &e, i, &p))
			break;
		if (p.p_type == PT_LOAD && !add_segment(elf, &p))
			return -ENOMEM;
		if (p.p_type == PT_NOTE && !elf->build_id_size)
			read_notes(&w, &p, elf);
	}
	return w.err;
}

/* To read what is in sysfs may have side effects: some of its files are registers. */
static bool may_be_read(int fd)
{
	struct statfs fs;
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode) && !fstatfs(fd, &fs) &&
	       fs.f_type != SYSFS_MAGIC && fs.f_type != PROC_SUPER_MAGIC;
}

int procmap_elf_open(struct procmap_elf **ret, int fd)
{
	struct procmap_elf *elf;
	int err;

	if (!may_be_read(fd))
		return -ENOTSUP;
	elf = calloc(1, sizeof(*elf));
	if (!elf)
		return -ENOMEM;
	err = read_elf(elf, fd);
	if (err) {
		procmap_elf_close(elf);
		return err;
	}
	*ret = elf;
	return 0;
}

void procmap_elf_close(struct procmap_elf *elf)
{
	if (!elf)
		return;
	free(elf->segments);
	free(elf);
}

static bool within(uint64_t value, uint64_t start, uint64_t size)
{
	return value >= start && value - start < size;
}

/* Is the offset in a page that is mapped for this segment? */
static bool in_pages(const struct segment *seg, uint64_t offset)
{
	uint64_t page = sysconf(_SC_PAGESIZE);
	uint64_t before = seg->offset & (page - 1);

	return within(offset, seg->offset - before,
		      (before + seg->memsz + page - 1) & -page);
}

/*
 * The end of one segment and the start of the next may share a page of the file, which
 * is then mapped for both: whose bytes are meant comes first, what else is in the page
 * after that. Last, what is executable in the process need not be in the file: old
 * programs have all that they read made so.
 */
static const struct segment *find_segment(const struct procmap_elf *elf,
					  bool exec, uint64_t offset)
{
	const struct segment *near = NULL, *other = NULL;
	size_t i;

	for (i = 0; i < elf->nr; i++) {
		const struct segment *seg = &elf->segments[i];
		bool alike = exec == !!(seg->flags & PF_X);
		bool inside = within(offset, seg->offset, seg->filesz);

		if (alike && inside)
			return seg;
		if (alike && !near && in_pages(seg, offset))
			near = seg;
		if (inside && !other)
			other = seg;
	}
	return near ? near : other;
}

int procmap_elf_address(const struct procmap_elf *elf,
			const struct procmap_vma *vma, uint64_t addr,
			uint64_t *elf_addr)
{
	uint64_t offset = procmap_file_offset(vma, addr);
	const struct segment *seg;

	seg = find_segment(elf, vma->flags & PROCMAP_EXEC, offset);
	if (!seg)
		return -ENOENT;
	*elf_addr = offset - seg->offset + seg->vaddr;
	return 0;
}

int procmap_elf_build_id(const struct procmap_elf *elf, uint8_t *build_id)
{
	memcpy(build_id, elf->build_id, sizeof(elf->build_id));
	return elf->build_id_size;
}
