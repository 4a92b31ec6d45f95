//@ SPDX-License-Identifier: GPL-2.0
//@
//@ What the series adds to lib/buildid.c: the build ID of any file, read where
//@ its notes lie.

/*
 * Bytes that are read at once. With the rest of struct elf_window they fit into a
 * kilobyte, and they hold the headers and the notes of nearly every image.
 */
#define ELF_READ_SIZE		960

/*
 * How many reads an image is worth. That is enough for more headers and notes than
 * any linker writes, and bounds the work that a hostile image can cause.
 */
#define ELF_READS_MAX		256

/* A window on a file: the @len bytes from offset @pos on are in @buf. */
struct elf_window {
	struct file *file;
	u64 pos;
	size_t len;
	unsigned int reads_left;
	u8 buf[ELF_READ_SIZE] __aligned(8);
};

/* Where the program headers are. */
struct elf_headers {
	bool is_64bit;
	unsigned int nr;
	size_t entry_size;	/* bytes of one */
	u64 offset;		/* in the file */
};

/* What is needed of a program header of either class, in bytes. */
struct elf_segment {
	u64 offset;
	u64 size;		/* in the file */
	u64 align;
};

/* An ELF header of either class. */
union elf_header {
	u8 ident[EI_NIDENT];
	struct elf32_hdr elf32;
	struct elf64_hdr elf64;
};

/*
 * The head of a file that is mapped is nearly always in the page cache. Copying it
 * from there shows what the mapping shows, and takes a third of the time of a read.
 * Only the head, since some file systems do not count the pages behind it in units
 * of PAGE_SIZE. A page in high memory is left to the file system.
 *
 * Returns the number of bytes copied, 0 if the page is not there.
 */
static size_t elf_window_copy_head(struct elf_window *w)
{
	struct address_space *mapping = w->file->f_mapping;
	struct page *page = find_get_page(mapping, 0);
	size_t len = 0;

	if (!page)
		return 0;
	if (PageUptodate(page) && !PageHWPoison(page) && !PageHighMem(page)) {
		/* As for a read: user space may have written to it elsewhere. */
		if (mapping_writably_mapped(mapping))
			flush_dcache_page(page);
		len = min_t(loff_t, i_size_read(mapping->host), ELF_READ_SIZE);
		memcpy(w->buf, page_address(page), len);
	}
	put_page(page);
	return len;
}

/* The window is empty afterwards if nothing can be read at @pos. */
static noinline void elf_window_move(struct elf_window *w, u64 pos)
{
	loff_t from = pos;
	ssize_t len = 0;

	w->pos = pos;
	w->len = 0;
	if (!w->reads_left || pos > LLONG_MAX - ELF_READ_SIZE)
		return;
	w->reads_left--;
	if (!pos)
		len = elf_window_copy_head(w);
	if (!len) {
		cond_resched();
		len = __kernel_read(w->file, w->buf, ELF_READ_SIZE, &from);
	}
	if (len < 0)
		w->reads_left = 0;
	else
		w->len = len;
}

static bool elf_window_covers(const struct elf_window *w, u64 pos, size_t size)
{
	/* Wraps around if it is before the window, and is too far then. */
	u64 offset = pos - w->pos;

	return offset < w->len && size <= w->len - offset;
}

/*
 * Returns the @size bytes of the file from @pos on, which may be unaligned and stay
 * until the next call; or NULL if they cannot be read.
 */
static inline const void *elf_window_get(struct elf_window *w, u64 pos,
					 size_t size)
{
	if (!elf_window_covers(w, pos, size)) {
		elf_window_move(w, pos);
		if (!elf_window_covers(w, pos, size))
			return NULL;
	}
	return w->buf + (pos - w->pos);
}

/* Returns whether the file is an ELF image whose headers can be understood. */
static bool elf_get_headers(struct elf_window *w, struct elf_headers *h)
{
	/* No image is as short as one header of the 64-bit class. */
	const union elf_header *ehdr = elf_window_get(w, 0, sizeof(*ehdr));
	u16 type, entry_size;

	if (!ehdr || memcmp(ehdr->ident, ELFMAG, SELFMAG) ||
	    ehdr->ident[EI_DATA] != ELF_DATA)
		return false;

	if (ehdr->ident[EI_CLASS] == ELFCLASS64) {
		h->is_64bit = true;
		h->entry_size = sizeof(struct elf64_phdr);
		h->offset = ehdr->elf64.e_phoff;
		h->nr = ehdr->elf64.e_phnum;
		entry_size = ehdr->elf64.e_phentsize;
		type = ehdr->elf64.e_type;
	} else if (ehdr->ident[EI_CLASS] == ELFCLASS32) {
		h->is_64bit = false;
		h->entry_size = sizeof(struct elf32_phdr);
		h->offset = ehdr->elf32.e_phoff;
		h->nr = ehdr->elf32.e_phnum;
		entry_size = ehdr->elf32.e_phentsize;
		type = ehdr->elf32.e_type;
	} else {
		return false;
	}
	return entry_size == h->entry_size &&
	       (type == ET_EXEC || type == ET_DYN);
}

static void elf_get_segment(const struct elf_headers *h, const void *from,
			    struct elf_segment *seg)
{
	if (h->is_64bit) {
		const struct elf64_phdr *phdr = from;

		seg->offset = get_unaligned(&phdr->p_offset);
		seg->size = get_unaligned(&phdr->p_filesz);
		seg->align = get_unaligned(&phdr->p_align);
	} else {
		const struct elf32_phdr *phdr = from;

		seg->offset = get_unaligned(&phdr->p_offset);
		seg->size = get_unaligned(&phdr->p_filesz);
		seg->align = get_unaligned(&phdr->p_align);
	}
}

/*
 * Copies the build ID from the note at @pos, if it is one. @nhdr is the header of
 * that note.
 */
static bool elf_get_build_id(struct elf_window *w, u64 pos,
			     const struct elf32_note *nhdr,
			     unsigned char *build_id)
{
	static const char owner[] = "GNU";
	const size_t desc = sizeof(*nhdr) + sizeof(owner);
	const u8 *note;

	if (nhdr->n_type != BUILD_ID || nhdr->n_namesz != sizeof(owner) ||
	    !nhdr->n_descsz || nhdr->n_descsz > BUILD_ID_SIZE_MAX)
		return false;

	note = elf_window_get(w, pos, desc + nhdr->n_descsz);
	if (!note || memcmp(note + sizeof(*nhdr), owner, sizeof(owner)))
		return false;
	memset(build_id, 0, BUILD_ID_SIZE_MAX);
	memcpy(build_id, note + desc, nhdr->n_descsz);
	return true;
}

/* Returns the size of the build ID among the notes of a segment, or 0. */
static u32 elf_find_build_id(struct elf_window *w,
			     const struct elf_segment *seg,
			     unsigned char *build_id)
{
	/* As binutils and glibc do: 8 only where the segment says so. */
	const u64 align = seg->align == 8 ? 8 : 4;
	u64 pos = seg->offset;
	u64 left = seg->size;

	while (left >= sizeof(struct elf32_note)) {
		struct elf32_note nhdr;
		const void *from = elf_window_get(w, pos, sizeof(nhdr));
		u64 desc, next;

		if (!from)
			return 0;
		memcpy(&nhdr, from, sizeof(nhdr));
		desc = ALIGN(sizeof(nhdr) + (u64)nhdr.n_namesz, align);
		next = desc + nhdr.n_descsz;
		if (next > left)
			return 0;
		if (elf_get_build_id(w, pos, &nhdr, build_id))
			return nhdr.n_descsz;

		/* The padding behind the last note may be missing. */
		next = min(ALIGN(next, align), left);
		pos += next;
		left -= next;
	}
	return 0;
}

/* Returns the size of the build ID of the image, or 0. */
static u32 elf_parse(struct elf_window *w, unsigned char *build_id)
{
	struct elf_headers h;
	unsigned int i;

	if (!elf_get_headers(w, &h))
		return 0;
	for (i = 0; i < h.nr; i++) {
		struct elf_segment seg;
		const void *phdr;
		u32 size;

		phdr = elf_window_get(w, h.offset + i * h.entry_size,
				      h.entry_size);
		if (!phdr)
			return 0;
		/* The type comes first in both classes. */
		if (get_unaligned((const u32 *)phdr) != PT_NOTE)
			continue;
		elf_get_segment(&h, phdr, &seg);
		size = elf_find_build_id(w, &seg, build_id);
		if (size)
			return size;
	}
	return 0;
}

/*
 * A read may have side effects: that of a device, and in sysfs, where a regular
 * file may be the registers of one. Such file systems say that they hold no
 * programs. And __kernel_read() warns about files that it cannot read, with which
 * whoever maps one could fill the log. Nor may the pages of such files be copied:
 * they need not be in the kernel's address space.
 */
static bool elf_file_readable(const struct file *file)
{
	const struct inode *inode = file_inode(file);

	return S_ISREG(inode->i_mode) &&
	       !(inode->i_sb->s_iflags & SB_I_NOEXEC) &&
	       (file->f_mode & FMODE_READ) &&
	       file->f_op->read_iter && !file->f_op->read;
}

/**
 * build_id_parse_file() - Read the GNU build ID of an ELF file
 * @file:     file, opened for reading; the caller holds a reference
 * @build_id: returns the build ID, padded with 0; %BUILD_ID_SIZE_MAX bytes
 * @size:     returns the size of the build ID in bytes, 1 to %BUILD_ID_SIZE_MAX;
 *            may be NULL
 *
 * Reads no more of the file than it needs, and trusts nothing in it. It takes ELF
 * images of both classes, in the kernel's byte order. May sleep, for as long as the
 * file system likes: no lock may be held that a page fault or a file system takes.
 * A file opened with O_DIRECT may not take reads by the kernel. It has no build ID
 * then, unless its head is in the page cache.
 *
 * Return: 0 on success; -EINVAL if there is no build ID, or it cannot be read;
 * -ENOMEM.
 */
int build_id_parse_file(struct file *file, unsigned char *build_id,
			__u32 *size)
{
	struct elf_window *w;
	u32 found;

	if (!elf_file_readable(file))
		return -EINVAL;

	w = kmalloc(sizeof(*w), GFP_KERNEL);
	if (!w)
		return -ENOMEM;
	w->file = file;
	w->pos = 0;
	w->len = 0;
	w->reads_left = ELF_READS_MAX;

	found = elf_parse(w, build_id);
	kfree(w);
	if (!found)
		return -EINVAL;
	if (size)
		*size = found;
	return 0;
}
