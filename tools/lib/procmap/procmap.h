/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * libprocmap - the memory mappings of a process
 *
 * Answers come from the ioctl PROCMAP_QUERY where the kernel has it, and from the text
 * of /proc/PID/maps elsewhere. They are the same either way; see procmap(3).
 *
 * Nothing here prints, exits, or has state outside of its handle. Different threads
 * may use different handles at the same time, and one handle one after the other.
 * Functions that return an int return a negative errno where they fail.
 */
#ifndef PROCMAP_H
#define PROCMAP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PROCMAP_VERSION		"2.0"

#define PROCMAP_BUILD_ID_MAX	20

/**
 * struct procmap - a handle on the address space of one process
 *
 * It stays with the address space that the process had when the handle was opened.
 * Once the process has exited or executed another program, there are only errors.
 */
struct procmap;

enum {
	/*
	 * What a mapping is (struct procmap_vma), or has to be (a filter: all that are
	 * given must hold).
	 */
	PROCMAP_READ		= 0x0001,
	PROCMAP_WRITE		= 0x0002,
	PROCMAP_EXEC		= 0x0004,
	PROCMAP_SHARED		= 0x0008,
	PROCMAP_FILE		= 0x0020,	/* a file is mapped */
	/* A look-up takes the next mapping above where none covers the address. */
	PROCMAP_NEXT		= 0x0010,
	/* What an answer is to have besides the numbers. */
	PROCMAP_NAME		= 0x0100,
	PROCMAP_BUILD_ID	= 0x0200,
	PROCMAP_PAGE_SIZE	= 0x0400,
};

/**
 * struct procmap_vma - one mapping
 * @start:		the first address
 * @end:		the first address past it
 * @offset:		where @start is in the file, in bytes; 0 without a file
 * @inode:		of the file; 0 without one
 * @page_size:		in bytes; 0 unless asked for with PROCMAP_PAGE_SIZE
 * @flags:		PROCMAP_READ, _WRITE, _EXEC, _SHARED and _FILE
 * @dev_major:		of the file's device, as the kernel knows it; stat(2) may have
 * @dev_minor:		another number for the same file (btrfs, overlayfs)
 * @name:		a path, perhaps with " (deleted)" behind it, or a name such as
 *			"[heap]"; "" without a name, or unless asked for with
 *			PROCMAP_NAME
 * @build_id_size:	bytes of @build_id; 0 if there is none, or unless asked for with
 *			PROCMAP_BUILD_ID
 * @build_id:		the GNU build ID of the file
 *
 * Members may be added at the end: do not copy it between programs, and do not depend
 * on its size. The library's own, with its name, is valid until the next call with
 * the handle that it came from.
 */
struct procmap_vma {
	uint64_t start;
	uint64_t end;
	uint64_t offset;
	uint64_t inode;
	uint64_t page_size;
	uint32_t flags;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint32_t build_id_size;
	uint8_t build_id[PROCMAP_BUILD_ID_MAX];
	const char *name;
};

/**
 * procmap_open() - open a process
 * @pm:  returns the handle, for procmap_close()
 * @pid: the process, or a thread of it; 0 for the calling process
 *
 * It takes the permission to read /proc/PID/maps, which is checked only here.
 *
 * Return: 0, -ENOENT if there is no such process, -EACCES if its mappings may not be
 * read, -ENOMEM, or another error of open(2).
 */
int procmap_open(struct procmap **pm, pid_t pid);

/**
 * procmap_open_fd() - use a descriptor of a maps file that somebody handed over
 * @pm: returns the handle, for procmap_close()
 * @fd: of a /proc/PID/maps; it is duplicated, and its position stays as it is
 *
 * With such a handle, page sizes need the ioctl, procmap_open_file() has only the path
 * to go by, and an exec cannot be told from an exit.
 *
 * Return: 0, -ENOMEM, or an error of fcntl(2).
 */
int procmap_open_fd(struct procmap **pm, int fd);

/**
 * procmap_close() - close a handle
 * @pm: the handle, or NULL
 */
void procmap_close(struct procmap *pm);

/* Where answers come from. */
enum procmap_way {
	PROCMAP_AUTO,	/* the ioctl, and the text where that is missing or faster */
	PROCMAP_IOCTL,	/* the ioctl alone: -ENOTTY where it is missing */
	PROCMAP_TEXT,	/* the text alone */
};

/**
 * procmap_set_way() - choose where answers come from
 * @pm:  the handle
 * @way: PROCMAP_AUTO is what a new handle has
 *
 * Return: 0, or -EINVAL.
 */
int procmap_set_way(struct procmap *pm, enum procmap_way way);

/**
 * procmap_get_way() - tell where answers come from
 * @pm: the handle
 *
 * Return: PROCMAP_IOCTL or PROCMAP_TEXT, as a look-up would have it.
 */
enum procmap_way procmap_get_way(struct procmap *pm);

/**
 * procmap_lookup() - find the mapping that covers an address
 * @pm:    the handle
 * @addr:  the address
 * @flags: a filter, PROCMAP_NEXT, and what to tell
 * @vma:   returns the mapping, which is the library's
 *
 * A mapping that covers the address but does not pass the filter is not the answer.
 *
 * Return: 1 if there is one and 0 if there is none. -ESRCH if the process has exited, or
 * never had an address space (a kernel thread, a zombie). -ESTALE if it has executed
 * another program. -EINVAL for a flag that is not known. Or another error of the
 * kernel.
 */
int procmap_lookup(struct procmap *pm, uint64_t addr, unsigned int flags,
		   const struct procmap_vma **vma);

/**
 * typedef procmap_walk_fn - what procmap_walk() calls
 * @vma: a mapping, which is the library's
 * @arg: whatever procmap_walk() was given
 *
 * It may use the handle for procmap_open_file() and procmap_file_path().
 *
 * Return: 0 to go on; anything else ends the walk and is what it returns.
 */
typedef int procmap_walk_fn(const struct procmap_vma *vma, void *arg);

/**
 * procmap_walk() - visit all mappings, in the order of their addresses
 * @pm:    the handle
 * @flags: a filter, and what to tell
 * @fn:    called for each mapping that passes the filter
 * @arg:   passed to it
 *
 * Return: 0 once all have been visited, what @fn returned, or an error as from
 * procmap_lookup(). Where the process goes away meanwhile, that is an error: what @fn
 * has seen is not all.
 */
int procmap_walk(struct procmap *pm, unsigned int flags, procmap_walk_fn *fn,
		 void *arg);

/**
 * typedef procmap_lookup_fn - what procmap_lookup_sorted() calls
 * @vma:   a mapping, which is the library's; NULL: none is at these addresses
 * @addrs: the first of the addresses that this is the answer for
 * @nr:    how many they are
 * @arg:   whatever procmap_lookup_sorted() was given
 *
 * It may use the handle as procmap_walk_fn may.
 *
 * Return: 0 to go on; anything else ends the look-up and is what it returns.
 */
typedef int procmap_lookup_fn(const struct procmap_vma *vma,
			      const uint64_t *addrs, size_t nr, void *arg);

/**
 * procmap_lookup_sorted() - find the mappings of many addresses
 * @pm:    the handle
 * @addrs: the addresses, in ascending order; one may be there several times
 * @nr:    how many
 * @flags: a filter, PROCMAP_NEXT, and what to tell
 * @fn:    called once for each run of addresses that have one answer
 * @arg:   passed to it
 *
 * This takes one ioctl for each mapping that is hit, or one pass over the text for all.
 *
 * Return: as procmap_walk(); -EINVAL too if the addresses are not in order.
 */
int procmap_lookup_sorted(struct procmap *pm, const uint64_t *addrs, size_t nr,
			  unsigned int flags, procmap_lookup_fn *fn, void *arg);

/* How procmap_open_file() found a file, and so why it is the one that is mapped. */
enum procmap_source {
	PROCMAP_MAP_FILES,	/* /proc/PID/map_files: by definition */
	PROCMAP_EXE,		/* /proc/PID/exe */
	PROCMAP_ROOT,		/* the path in the root directory of the process */
	PROCMAP_PATH,		/* the path here */
	PROCMAP_MEMORY,		/* a copy of the vDSO */
};

/**
 * procmap_open_file() - open the very file that is mapped
 * @pm:     the handle
 * @vma:    a mapping of it, asked for with PROCMAP_NAME
 * @source: returns how the file was found; may be NULL
 *
 * A file that is found by a path, or as /proc/PID/exe, counts only if it has the build
 * ID of the mapped one or, where that has none that can be told, its inode number.
 * For "[vdso]" there is a file in memory with a copy of it.
 *
 * Return: a descriptor for reading, which is the caller's to close. Or an error:
 * -ENODATA if no file is mapped there, -ENOTSUP if the file is not a regular one,
 * -ESTALE if what is at its path now is another file, or the error of open(2), such as
 * -EACCES or -ENOENT, for the last path tried.
 */
int procmap_open_file(struct procmap *pm, const struct procmap_vma *vma,
		      enum procmap_source *source);

/**
 * procmap_file_path() - find a path for the file that is mapped
 * @pm:   the handle
 * @vma:  a mapping of the file
 * @fd:   from procmap_open_file()
 * @path: returns a path that leads to that very file now
 * @size: of @path, in bytes
 *
 * For programs that want a path, and for finding debug files beside it. That it has in
 * its own name is taken before one below /proc.
 *
 * Return: 0, -ENOENT if no path leads there, or -ENAMETOOLONG.
 */
int procmap_file_path(struct procmap *pm, const struct procmap_vma *vma, int fd,
		      char *path, size_t size);

/**
 * procmap_file_offset() - where an address is in the mapped file
 * @vma:  a mapping of the file
 * @addr: an address in it
 *
 * Return: the offset in bytes: what uprobes and file readers take.
 */
static inline uint64_t procmap_file_offset(const struct procmap_vma *vma,
					   uint64_t addr)
{
	return addr - vma->start + vma->offset;
}

/**
 * struct procmap_elf - what is needed of the headers of an ELF file
 */
struct procmap_elf;

/**
 * procmap_elf_open() - read the headers of an ELF file
 * @elf: returns them, for procmap_elf_close()
 * @fd:  of the file; it is not needed any more afterwards
 *
 * The file may be hostile: what is read of it is bounded and checked.
 *
 * Return: 0, -ENOEXEC if this is not a program or a library in ELF, of either class and
 * of this machine's byte order; -ENOTSUP if it is not a regular file; -ENOMEM, or an
 * error of pread(2).
 */
int procmap_elf_open(struct procmap_elf **elf, int fd);

/**
 * procmap_elf_close() - free what procmap_elf_open() returned
 * @elf: that, or NULL
 */
void procmap_elf_close(struct procmap_elf *elf);

/**
 * procmap_elf_address() - find the ELF address of an address in the process
 * @elf:      the headers of the file that is mapped
 * @vma:      the mapping
 * @addr:     an address in it
 * @elf_addr: returns what nm, objdump, addr2line and DWARF mean by an address
 *
 * Return: 0, or -ENOENT if it is in no segment that the file has loaded.
 */
int procmap_elf_address(const struct procmap_elf *elf,
			const struct procmap_vma *vma, uint64_t addr,
			uint64_t *elf_addr);

/**
 * procmap_elf_build_id() - tell the build ID of an ELF file
 * @elf:      its headers
 * @build_id: returns the build ID, PROCMAP_BUILD_ID_MAX bytes
 *
 * Return: its size in bytes, 0 if there is none.
 */
int procmap_elf_build_id(const struct procmap_elf *elf, uint8_t *build_id);

#ifdef __cplusplus
}
#endif

#endif /* PROCMAP_H */
