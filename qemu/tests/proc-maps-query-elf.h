/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ELF images with build IDs for the PROCMAP_QUERY tests: writes them, right or
 * wrong, and tells what build ID they hold without asking the kernel.
 */
#ifndef PROC_MAPS_QUERY_ELF_H
#define PROC_MAPS_QUERY_ELF_H

#include <elf.h>
#include <sys/stat.h>
#include "proc-maps-query.h"

/* What the kernel must find; it may find more. */
#define NOTES_MAX	65536	/* bytes of a segment up to the end of the ID */
#define HEADERS_MAX	128	/* program headers */

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NATIVE_ORDER	ELFDATA2LSB
#else
#define NATIVE_ORDER	ELFDATA2MSB
#endif

/*
 * An image is a file, written and read field by field, so that one code makes
 * both classes in both byte orders, spoils them and checks them.
 */
struct image {
	int fd;
	unsigned int class;	/* ELFCLASS32, ELFCLASS64 */
	unsigned int order;	/* ELFDATA2LSB, ELFDATA2MSB */
};

enum field {
	E_TYPE, E_MACHINE, E_VERSION, E_ENTRY, E_PHOFF, E_SHOFF, E_FLAGS,
	E_EHSIZE, E_PHENTSIZE, E_PHNUM, E_SHENTSIZE, E_SHNUM, E_SHSTRNDX,
	P_TYPE, P_FLAGS, P_OFFSET, P_VADDR, P_PADDR, P_FILESZ, P_MEMSZ, P_ALIGN,
	N_NAMESZ, N_DESCSZ, N_TYPE,
	FIELDS
};

struct place {
	unsigned int offset, size;
};

/* Of each field in its header, in ELF32 and in ELF64. */
static const struct {
	const char *name;
	struct place in_32, in_64;
} fields[FIELDS] = {
	[E_TYPE]	= { "e_type", { 16, 2 }, { 16, 2 } },
	[E_MACHINE]	= { "e_machine", { 18, 2 }, { 18, 2 } },
	[E_VERSION]	= { "e_version", { 20, 4 }, { 20, 4 } },
	[E_ENTRY]	= { "e_entry", { 24, 4 }, { 24, 8 } },
	[E_PHOFF]	= { "e_phoff", { 28, 4 }, { 32, 8 } },
	[E_SHOFF]	= { "e_shoff", { 32, 4 }, { 40, 8 } },
	[E_FLAGS]	= { "e_flags", { 36, 4 }, { 48, 4 } },
	[E_EHSIZE]	= { "e_ehsize", { 40, 2 }, { 52, 2 } },
	[E_PHENTSIZE]	= { "e_phentsize", { 42, 2 }, { 54, 2 } },
	[E_PHNUM]	= { "e_phnum", { 44, 2 }, { 56, 2 } },
	[E_SHENTSIZE]	= { "e_shentsize", { 46, 2 }, { 58, 2 } },
	[E_SHNUM]	= { "e_shnum", { 48, 2 }, { 60, 2 } },
	[E_SHSTRNDX]	= { "e_shstrndx", { 50, 2 }, { 62, 2 } },
	[P_TYPE]	= { "p_type", { 0, 4 }, { 0, 4 } },
	[P_FLAGS]	= { "p_flags", { 24, 4 }, { 4, 4 } },
	[P_OFFSET]	= { "p_offset", { 4, 4 }, { 8, 8 } },
	[P_VADDR]	= { "p_vaddr", { 8, 4 }, { 16, 8 } },
	[P_PADDR]	= { "p_paddr", { 12, 4 }, { 24, 8 } },
	[P_FILESZ]	= { "p_filesz", { 16, 4 }, { 32, 8 } },
	[P_MEMSZ]	= { "p_memsz", { 20, 4 }, { 40, 8 } },
	[P_ALIGN]	= { "p_align", { 28, 4 }, { 48, 8 } },
	[N_NAMESZ]	= { "n_namesz", { 0, 4 }, { 0, 4 } },
	[N_DESCSZ]	= { "n_descsz", { 4, 4 }, { 4, 4 } },
	[N_TYPE]	= { "n_type", { 8, 4 }, { 8, 4 } },
};

#define NOTE_SIZE	12		/* of a note's header, in both classes */

static inline bool is_64bit(const struct image *img)
{
	return img->class == ELFCLASS64;
}

static inline struct place place_of(const struct image *img, enum field f)
{
	return is_64bit(img) ? fields[f].in_64 : fields[f].in_32;
}

static inline size_t ehdr_size(const struct image *img)
{
	return is_64bit(img) ? 64 : 52;
}

static inline size_t phdr_size(const struct image *img)
{
	return is_64bit(img) ? 56 : 32;
}

static inline void write_at(int fd, uint64_t at, const void *data, size_t size)
{
	must(pwrite(fd, data, size, at) == (ssize_t)size);
}

/* Writes a field of the header at @at. */
static inline void put(const struct image *img, uint64_t at, enum field f,
		       uint64_t value)
{
	struct place in = place_of(img, f);
	unsigned char bytes[sizeof(value)];
	unsigned int i;

	for (i = 0; i < in.size; i++) {
		bool little = img->order == ELFDATA2LSB;

		bytes[little ? i : in.size - 1 - i] = value >> (8 * i);
	}
	write_at(img->fd, at + in.offset, bytes, in.size);
}

/* Returns a field of the header at @at, 0 if the file ends before it does. */
static inline uint64_t get(const struct image *img, uint64_t at, enum field f)
{
	struct place in = place_of(img, f);
	unsigned char bytes[sizeof(uint64_t)];
	uint64_t value = 0;
	unsigned int i;

	if (pread(img->fd, bytes, in.size, at + in.offset) != in.size)
		return 0;
	for (i = 0; i < in.size; i++) {
		bool little = img->order == ELFDATA2LSB;

		value = value << 8 | bytes[little ? in.size - 1 - i : i];
	}
	return value;
}

struct segment {
	struct note note[6];
	uint32_t empty;			/* notes without anything before them */
	uint32_t type;			/* 0 is PT_NOTE */
	uint64_t offset;		/* 0 is behind what came before */
	uint64_t align;			/* 0 is 4, 1 is 0 */
	unsigned int cut;		/* bytes that p_filesz is short */
	unsigned int slack;		/* bytes that p_filesz is long */
};

/* An image, and what must come out of it. */
struct shape {
	const char *name;
	struct segment segment[3];
	unsigned int size;		/* of the build ID, 0 for none */
	unsigned char fill;		/* its first byte */
	unsigned int type;		/* e_type, 0 is ET_DYN */
	unsigned int front;		/* PT_LOAD headers before the segments */
	unsigned int spread;		/* bytes more than usual in a header */
	uint64_t phoff;			/* 0 is behind the ELF header */
	bool only_64bit;
	bool not_mainline;		/* mainline's parser sees it otherwise, for good */
	const char *fault;		/* so does that of 6.12 and 7.3, before the series */
};

/* Every byte of a build ID differs from its neighbours, and none is 0. */
static inline void fill_bytes(unsigned char *bytes, unsigned char fill,
			      size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		bytes[i] = (fill + i) | 1 << 7;
}

/* Returns the end of the note without padding. */
static inline uint64_t write_note(const struct image *img, uint64_t at,
				  const struct note *n, unsigned int align)
{
	uint64_t desc = at + align_up(NOTE_SIZE + n->owner_size, align);
	unsigned char bytes[4096];

	must(n->size <= sizeof(bytes));
	fill_bytes(bytes, n->fill, n->size);
	put(img, at, N_NAMESZ, n->owner_size);
	put(img, at, N_DESCSZ, n->size);
	put(img, at, N_TYPE, n->type);
	write_at(img->fd, at + NOTE_SIZE, n->owner, n->owner_size);
	write_at(img->fd, desc, bytes, n->size);
	return desc + n->size;
}

/* Returns the end of the last note without padding. */
static inline uint64_t write_notes(const struct image *img,
				   const struct segment *seg, uint64_t at)
{
	unsigned int align = seg->align == 8 ? 8 : 4;
	uint64_t start = at, end = at;
	const struct note *n;

	/* A note without anything is 0, as a hole is. */
	end += seg->empty * NOTE_SIZE;
	for (n = seg->note; n->owner; n++) {
		at = start + align_up(end - start, align);
		end = write_note(img, at, n, align);
	}
	return end;
}

static inline void put_ehdr(const struct image *img, const struct shape *s,
			    unsigned int headers)
{
	const unsigned char ident[EI_NIDENT] = {
		ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, img->class, img->order,
		EV_CURRENT,
	};

	write_at(img->fd, 0, ident, sizeof(ident));
	put(img, 0, E_TYPE, s->type ?: ET_DYN);
	put(img, 0, E_VERSION, EV_CURRENT);
	put(img, 0, E_PHOFF, s->phoff ?: ehdr_size(img));
	put(img, 0, E_EHSIZE, ehdr_size(img));
	put(img, 0, E_PHENTSIZE, phdr_size(img) + s->spread);
	put(img, 0, E_PHNUM, headers);
}

static inline void put_phdr(const struct image *img, uint64_t at, uint32_t type,
			    uint64_t offset, uint64_t size, uint64_t align)
{
	put(img, at, P_TYPE, type);
	put(img, at, P_OFFSET, offset);
	put(img, at, P_FILESZ, size);
	put(img, at, P_MEMSZ, size);
	put(img, at, P_ALIGN, align);
}

static inline bool segment_used(const struct shape *s, unsigned int i)
{
	return i < ARRAY_SIZE(s->segment) &&
	       (s->segment[i].note[0].owner || s->segment[i].type);
}

/* Writes the image into the file, which is empty. */
static inline void put_shape(const struct image *img, const struct shape *s)
{
	uint64_t header = s->phoff ?: ehdr_size(img);
	uint64_t each = phdr_size(img) + s->spread;
	unsigned int headers = s->front, i;
	uint64_t at = ehdr_size(img), end;

	for (i = 0; segment_used(s, i); i++)
		headers++;
	if (!s->phoff)
		at += headers * each;

	put_ehdr(img, s, headers);
	for (i = 0; i < s->front; i++, header += each)
		put_phdr(img, header, PT_LOAD, 0, 4096, 4096);
	for (i = 0; segment_used(s, i); i++, header += each) {
		const struct segment *seg = &s->segment[i];
		uint64_t align = seg->align ?: 4;

		at = seg->offset ?: align_up(at, 8);
		end = write_notes(img, seg, at);
		put_phdr(img, header, seg->type ?: PT_NOTE, at,
			 end - at - seg->cut + seg->slack,
			 align == 1 ? 0 : align);
		at = end;
	}
}

/* What is answered, or has to be. */
struct answer {
	unsigned int size;		/* 0: no build ID */
	unsigned char id[BUILD_ID_MAX];
};

static inline bool same(const struct answer *a, const struct answer *b)
{
	return a->size == b->size && !memcmp(a->id, b->id, a->size);
}

static inline struct answer shape_answer(const struct shape *s)
{
	struct answer a = { .size = s->size };

	fill_bytes(a.id, s->fill, s->size);
	return a;
}

static inline const char *show(const struct answer *a)
{
	static char text[4][2 * BUILD_ID_MAX + 1];
	static unsigned int next;
	char *to = text[next++ % ARRAY_SIZE(text)];
	unsigned int i;

	strcpy(to, "none");
	for (i = 0; i < a->size; i++)
		sprintf(to + 2 * i, "%02x", a->id[i]);
	return to;
}

/*
 * What an image holds by its format, found out here without the kernel. Where
 * an image is broken, but not so much that its build ID cannot be found, the
 * kernel is free to answer none.
 */
struct truth {
	struct answer answer;
	bool or_none;
};

static inline bool allowed(const struct truth *t, const struct answer *a)
{
	return same(a, &t->answer) || (t->or_none && !a->size);
}

static inline bool truth_is_build_id(const struct image *img, uint64_t note,
				     uint64_t desc, struct truth *t)
{
	uint32_t size = get(img, note, N_DESCSZ);
	char owner[4];

	if (get(img, note, N_TYPE) != NT_GNU_BUILD_ID ||
	    get(img, note, N_NAMESZ) != sizeof(owner) ||
	    pread(img->fd, owner, sizeof(owner),
		  note + NOTE_SIZE) != sizeof(owner) ||
	    memcmp(owner, "GNU", sizeof(owner)) ||
	    !size || size > BUILD_ID_MAX)
		return false;
	if (pread(img->fd, t->answer.id, size, desc) != (ssize_t)size)
		return false;
	t->answer.size = size;
	return true;
}

/* Returns whether the segment with the program header at @phdr has it. */
static inline bool truth_in_segment(const struct image *img, uint64_t phdr,
				    uint64_t file_size, struct truth *t)
{
	uint64_t offset = get(img, phdr, P_OFFSET);
	uint64_t size = get(img, phdr, P_FILESZ);
	uint64_t p_align = get(img, phdr, P_ALIGN);
	unsigned int align = p_align == 8 ? 8 : 4;
	uint64_t at = 0;

	if (p_align > 1 && p_align != 4 && p_align != 8)
		t->or_none = true;
	if (offset > file_size || size > file_size - offset) {
		t->or_none = true;
		size = offset > file_size ? 0 : file_size - offset;
	}
	while (at < size && size - at >= NOTE_SIZE) {
		uint64_t note = offset + at;
		uint64_t desc = at + align_up(NOTE_SIZE +
					      get(img, note, N_NAMESZ), align);
		uint64_t end = desc + get(img, note, N_DESCSZ);

		if (end > size) {
			t->or_none = true;
			return false;
		}
		if (end > NOTES_MAX)
			t->or_none = true;
		if (truth_is_build_id(img, note, offset + desc, t))
			return true;
		at = align_up(end, align);
	}
	return false;
}

/* Sets the class and the byte order of the image. */
static inline bool truth_ident(struct image *img)
{
	unsigned char ident[EI_NIDENT];

	if (pread(img->fd, ident, sizeof(ident), 0) != sizeof(ident) ||
	    memcmp(ident, ELFMAG, SELFMAG))
		return false;
	img->class = ident[EI_CLASS];
	img->order = ident[EI_DATA];
	return (img->class == ELFCLASS32 || img->class == ELFCLASS64) &&
	       img->order == NATIVE_ORDER;
}

static inline struct truth truth_of(int fd)
{
	struct image image = { .fd = fd }, *img = &image;
	struct truth t = {};
	unsigned int i, headers;
	uint64_t phdr, type;
	struct stat st;

	must(!fstat(fd, &st));
	if (!truth_ident(img) || (uint64_t)st.st_size < ehdr_size(img))
		return t;

	type = get(img, 0, E_TYPE);
	if (type != ET_EXEC && type != ET_DYN && type != ET_CORE)
		return t;
	if (get(img, 0, E_PHENTSIZE) != phdr_size(img))
		return t;

	headers = get(img, 0, E_PHNUM);
	phdr = get(img, 0, E_PHOFF);
	t.or_none = type == ET_CORE || headers > HEADERS_MAX ||
		    get(img, 0, E_VERSION) != EV_CURRENT ||
		    phdr > (uint64_t)st.st_size ||
		    headers * phdr_size(img) > st.st_size - phdr;
	for (i = 0; i < headers; i++, phdr += phdr_size(img)) {
		if (phdr > (uint64_t)st.st_size ||
		    phdr_size(img) > st.st_size - phdr)
			break;
		if (get(img, phdr, P_TYPE) == PT_NOTE &&
		    truth_in_segment(img, phdr, st.st_size, &t))
			break;
	}
	return t;
}

#endif /* PROC_MAPS_QUERY_ELF_H */
