//@ SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note
//@
//@ What the series adds to include/uapi/linux/fs.h (and to its copy in
//@ tools/include/uapi/linux/fs.h), before the closing #endif.

/* ioctls on files of procfs */
#define PROCFS_IOCTL_MAGIC 'f'

/*
 * PROCMAP_QUERY - look up one mapping (VMA) of a process
 *
 * Called on an open /proc/PID/maps, /proc/PID/task/TID/maps or the like of
 * "self". Answers in binary what one line of the text file says, for the
 * mapping at an address, or for the next one that passes a filter. Access is
 * checked when the file is opened; whoever holds the descriptor may query it.
 * A query neither moves nor depends on the file position.
 *
 * Returns 0, or -1 with errno, found in this order; the caller's struct is
 * untouched unless the query succeeds:
 *
 * ENOTTY	not this ioctl, or a kernel that does not have it
 * EFAULT	the struct cannot be read
 * E2BIG	@size is over a page, or bytes past the struct that this kernel
 *		knows are not 0
 * EINVAL	@size is under 24 bytes; an unknown flag; for the name or for the
 *		build ID, a buffer size without an address or the reverse
 * ESRCH	the process has no address space (any more): it has exited, or
 *		executed another program since the file was opened, or is a
 *		kernel thread
 * EINTR	killed while waiting for the process's mmap lock or searching
 * ENOENT	no such mapping
 * ENAMETOOLONG	the name or the build ID does not fit into its buffer
 * ENOMEM	out of memory
 * EFAULT	a result cannot be written
 */
#define PROCMAP_QUERY	_IOWR(PROCFS_IOCTL_MAGIC, 17, struct procmap_query)

/**
 * enum procmap_query_flags - filters of a query, and permissions of a mapping
 * @PROCMAP_QUERY_VMA_READABLE: mapping is, or must be, readable
 * @PROCMAP_QUERY_VMA_WRITABLE: mapping is, or must be, writable
 * @PROCMAP_QUERY_VMA_EXECUTABLE: mapping is, or must be, executable
 * @PROCMAP_QUERY_VMA_SHARED: mapping is, or must be, shared ("s" in the text)
 * @PROCMAP_QUERY_COVERING_OR_NEXT_VMA: if the mapping that covers the address
 *	does not match, or there is none, take the next above that matches
 * @PROCMAP_QUERY_FILE_BACKED_VMA: mapping must have a backing file; memfd,
 *	shared anonymous memory and SysV segments have one
 *
 * The first four serve in both @query_flags, as a filter, and @vma_flags, as
 * part of the answer. A mapping matches when it has every permission asked
 * for; it may have more. Without COVERING_OR_NEXT a covering mapping that does
 * not match is ENOENT, never skipped.
 */
enum procmap_query_flags {
	PROCMAP_QUERY_VMA_READABLE		= 0x01,
	PROCMAP_QUERY_VMA_WRITABLE		= 0x02,
	PROCMAP_QUERY_VMA_EXECUTABLE		= 0x04,
	PROCMAP_QUERY_VMA_SHARED		= 0x08,
	PROCMAP_QUERY_COVERING_OR_NEXT_VMA	= 0x10,
	PROCMAP_QUERY_FILE_BACKED_VMA		= 0x20,
};

/**
 * struct procmap_query - argument of PROCMAP_QUERY
 * @size: in: bytes of this struct that the caller knows, at least 24. Missing
 *	input reads as 0, missing output is not written. A struct larger than
 *	the kernel's is accepted if the bytes beyond are 0; they stay as they are
 * @query_flags: in: %PROCMAP_QUERY_ flags, or 0
 * @query_addr: in: address to look up
 * @vma_start: out: first address of the mapping
 * @vma_end: out: first address past the mapping; the next one to look up when
 *	walking with %PROCMAP_QUERY_COVERING_OR_NEXT_VMA
 * @vma_flags: out: permissions, as %PROCMAP_QUERY_VMA_ flags
 * @vma_page_size: out: bytes of a page of the mapping; for hugetlbfs, of a huge
 *	page
 * @vma_offset: out: offset in the file, in bytes, of @vma_start; 0 without a
 *	file
 * @inode: out: inode number of the file, 0 without a file
 * @dev_major: out: major number of the device of the file's file system, 0
 *	without a file
 * @dev_minor: out: minor number of the same, 0 without a file
 * @vma_name_size: in: bytes of the buffer at @vma_name_addr, 0 for no name;
 *	out: bytes written, the terminating NUL included, 0 if the mapping has
 *	no name. At most PATH_MAX bytes of the buffer are used
 * @build_id_size: in: bytes of the buffer at @build_id_addr, 0 for no build ID;
 *	out: bytes written, 1 to 20, 0 if the file has no build ID or it could
 *	not be read this time
 * @vma_name_addr: in: address of a buffer for the name, or 0. The name is the
 *	text file's without the escaping: a newline stands for itself. " (deleted)"
 *	follows the path of an unlinked file; a mapping without a file has its
 *	name in brackets
 * @build_id_addr: in: address of a buffer for the build ID, or 0: the GNU build
 *	ID note of the ELF file that is mapped
 *
 * 104 bytes, the same for 32- and 64-bit programs. All outputs describe one
 * mapping at one moment; two queries promise nothing about each other.
 */
struct procmap_query {
	__u64 size;
	__u64 query_flags;
	__u64 query_addr;
	__u64 vma_start;
	__u64 vma_end;
	__u64 vma_flags;
	__u64 vma_page_size;
	__u64 vma_offset;
	__u64 inode;
	__u32 dev_major;
	__u32 dev_minor;
	__u32 vma_name_size;
	__u32 build_id_size;
	__u64 vma_name_addr;
	__u64 build_id_addr;
};
