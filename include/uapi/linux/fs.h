//@ SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note
//@
//@ What the series adds to include/uapi/linux/fs.h (and to its copy in
//@ tools/include/uapi/linux/fs.h), before the closing #endif.

/* ioctls on files of procfs */
#define PROCFS_IOCTL_MAGIC 'f'

/*
 * PROCMAP_QUERY - look up one mapping (VMA) of a process
 *
 * Called on an open /proc/PID/maps or /proc/PID/task/TID/maps. Answers in binary
 * what one line of the text says: for the mapping at an address, or for the next
 * one that passes a filter. Access is checked when the file is opened, and whoever
 * holds the descriptor may query it. A query neither moves nor uses the file
 * position.
 *
 * Returns 0, or -1 and an errno. They are found in this order:
 *
 * ENOTTY	another ioctl, or a kernel that does not have this one
 * EFAULT	the struct cannot be read
 * E2BIG	@size is more than a page, or a byte that this kernel does not know
 *		is not 0
 * EINVAL	@size is less than 24; an unknown flag; for the name or for the
 *		build ID, a buffer size without an address or the reverse
 * ESRCH	there is no address space: the process is a kernel thread, has
 *		exited, or has executed another program since the file was opened
 * EINTR	killed while waiting for the process's mmap lock, or while searching
 * ENOENT	no such mapping
 * ENAMETOOLONG	the name or the build ID does not fit into its buffer
 * ENOMEM	no memory for the name
 * EFAULT	a result cannot be written
 *
 * Nothing is written before all other errors are ruled out. After the last EFAULT,
 * the output fields and both buffers are undefined.
 */
#define PROCMAP_QUERY	_IOWR(PROCFS_IOCTL_MAGIC, 17, struct procmap_query)

/**
 * enum procmap_query_flags - filters of a query, and permissions of a mapping
 * @PROCMAP_QUERY_VMA_READABLE: the mapping is, or must be, readable
 * @PROCMAP_QUERY_VMA_WRITABLE: the mapping is, or must be, writable
 * @PROCMAP_QUERY_VMA_EXECUTABLE: the mapping is, or must be, executable
 * @PROCMAP_QUERY_VMA_SHARED: the mapping is, or must be, shared ("s" in the text)
 * @PROCMAP_QUERY_COVERING_OR_NEXT_VMA: if no mapping that matches covers the
 *	address, take the next one above it that does
 * @PROCMAP_QUERY_FILE_BACKED_VMA: the mapping must have a file; shared anonymous
 *	memory, memfd and SysV segments have one
 *
 * The first four are filters in @query_flags, and part of the answer in
 * @vma_flags. A mapping matches if it has every permission that is asked for; it
 * may have more. Without COVERING_OR_NEXT_VMA, a mapping that covers the address
 * and does not match is never skipped: the answer is ENOENT.
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
 * @size: in: bytes of this struct that the caller knows, at least 24. Input that
 *	is missing reads as 0, output that is missing is not written. A struct that
 *	is larger than the kernel's is accepted if the bytes beyond are 0, and they
 *	are not written
 * @query_flags: in: PROCMAP_QUERY_ flags, or 0
 * @query_addr: in: address to look up
 * @vma_start: out: first address of the mapping
 * @vma_end: out: first address past the mapping; the next @query_addr of a walk
 *	with PROCMAP_QUERY_COVERING_OR_NEXT_VMA
 * @vma_flags: out: permissions, as PROCMAP_QUERY_VMA_ flags
 * @vma_page_size: out: bytes of a page of the mapping; for hugetlbfs, of a huge
 *	page
 * @vma_offset: out: offset in the file of @vma_start, in bytes; 0 without a file
 * @inode: out: inode number of the file; 0 without a file
 * @dev_major: out: major number of the device that the file's file system is on;
 *	0 without a file
 * @dev_minor: out: minor number of that device; 0 without a file
 * @vma_name_size: in: bytes of the buffer at @vma_name_addr, of which at most
 *	PATH_MAX are used, or 0 if the name is not wanted; out: bytes of the name
 *	with its NUL, 0 if the mapping has none
 * @build_id_size: in: bytes of the buffer at @build_id_addr, or 0 if the build ID
 *	is not wanted; out: bytes of the build ID, 1 to 20, 0 if there is none or it
 *	could not be read, even for lack of memory
 * @vma_name_addr: in: address of a buffer for the name, or 0. The name is that of
 *	the text, but not escaped: a newline in a path is a newline. " (deleted)"
 *	follows the path of an unlinked file. A name that is not a path is in
 *	brackets
 * @build_id_addr: in: address of a buffer for the build ID, or 0. It is the GNU
 *	build ID note of the ELF file that is mapped
 *
 * The struct has 104 bytes for 32-bit and 64-bit programs alike. The numbers of an
 * answer are those of one mapping at one moment. Name and build ID are those of the
 * file that it mapped at that moment, but are found afterwards: a file that is
 * unlinked meanwhile is " (deleted)", and if its content changes, the build ID is
 * that of the new content. Two queries promise nothing about each other.
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
