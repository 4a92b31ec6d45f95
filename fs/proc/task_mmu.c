//@ SPDX-License-Identifier: GPL-2.0
//@
//@ What the series adds to fs/proc/task_mmu.c: the handler of PROCMAP_QUERY,
//@ before proc_pid_maps_operations. It calls what the base's own patches bring:
//@ vma_file_inode() and vma_get_label(), which the text uses too, and, where the
//@ kernel does not have them, vma_lookup() and struct vma_iterator.

#define PROCMAP_QUERY_VMA_FLAGS		(PROCMAP_QUERY_VMA_READABLE |		\
					 PROCMAP_QUERY_VMA_WRITABLE |		\
					 PROCMAP_QUERY_VMA_EXECUTABLE |		\
					 PROCMAP_QUERY_VMA_SHARED)

#define PROCMAP_QUERY_VALID_FLAGS	(PROCMAP_QUERY_VMA_FLAGS |		\
					 PROCMAP_QUERY_COVERING_OR_NEXT_VMA |	\
					 PROCMAP_QUERY_FILE_BACKED_VMA)

/* After so many VMAs a search looks for waiters: less work than a read() of the text. */
#define PROCMAP_SKIP_BATCH		128

/* Bytes on the stack: most paths fit, and all other names, which need at most 93. */
#define PROCMAP_SHORT_NAME		96

/* The name and the build ID of a VMA, and where they come from. */
struct procmap_names {
	struct file *file;		/* a reference, or NULL */
	const struct path *path;	/* of @file, if that is the name */
	char label[PROCMAP_SHORT_NAME];	/* the name if it is not a path */
	u32 build_id_size;		/* bytes, 0 for none */
	unsigned char build_id[BUILD_ID_SIZE_MAX];
};

/*
 * Copies the caller's struct, whatever size of it the caller knows. Returns 0, or
 * -EFAULT, -E2BIG or -EINVAL as the UAPI header describes them.
 */
static int procmap_copy_in(struct procmap_query *query,
			   const struct procmap_query __user *uquery)
{
	u64 size;
	int err;

	/* Nearly all callers know it whole. Of what is behind a smaller one nothing is used. */
	if (copy_from_user(query, uquery, sizeof(*query)) ||
	    query->size != sizeof(*query)) {
		if (get_user(size, &uquery->size))
			return -EFAULT;
		if (size > PAGE_SIZE)
			return -E2BIG;
		if (size < offsetofend(struct procmap_query, query_addr))
			return -EINVAL;
		err = copy_struct_from_user(query, sizeof(*query), uquery, size);
		if (err)
			return err;
		/* It may have changed meanwhile: stay with what was checked. */
		query->size = size;
	}

	if (query->query_flags & ~(u64)PROCMAP_QUERY_VALID_FLAGS ||
	    !query->vma_name_size != !query->vma_name_addr ||
	    !query->build_id_size != !query->build_id_addr)
		return -EINVAL;
	return 0;
}

static u64 procmap_vma_flags(const struct vm_area_struct *vma)
{
	return (vma->vm_flags & VM_READ ? PROCMAP_QUERY_VMA_READABLE : 0) |
	       (vma->vm_flags & VM_WRITE ? PROCMAP_QUERY_VMA_WRITABLE : 0) |
	       (vma->vm_flags & VM_EXEC ? PROCMAP_QUERY_VMA_EXECUTABLE : 0) |
	       (vma->vm_flags & VM_MAYSHARE ? PROCMAP_QUERY_VMA_SHARED : 0);
}

static bool procmap_matches(const struct vm_area_struct *vma, u64 query_flags)
{
	u64 wanted = query_flags & PROCMAP_QUERY_VMA_FLAGS;

	if ((query_flags & PROCMAP_QUERY_FILE_BACKED_VMA) && !vma->vm_file)
		return false;
	return (procmap_vma_flags(vma) & wanted) == wanted;
}

/*
 * If someone waits for the mmap lock or for this CPU, drops the lock, sleeps, takes it
 * again, and lets @vmi go on at @addr. Others do not make it drop the lock again until
 * *@hold_until, for a tenth of the time that it took to get it: that bounds what they
 * can cost a search, however many they are. Returns 0 with the lock held, or -EINTR
 * without it.
 */
static int procmap_cond_yield(struct mm_struct *mm, struct vma_iterator *vmi,
			      unsigned long addr, u64 *hold_until)
{
	u64 start, now;

	if (!need_resched() && !fatal_signal_pending(current) &&
	    (!mmap_lock_is_contended(mm) || ktime_get_ns() < *hold_until))
		return 0;

	mmap_read_unlock(mm);
	if (fatal_signal_pending(current))
		return -EINTR;
	start = ktime_get_ns();
	/* A reader that comes back at once takes it from the writer it woke. */
	usleep_range(20, 100);
	if (mmap_read_lock_killable(mm))
		return -EINTR;
	now = ktime_get_ns();
	/* What was left of the time before is not lost. */
	*hold_until = now + div_u64(now - start, 10) + max(*hold_until, start) - start;
	vma_iter_init(vmi, mm, addr);
	return 0;
}

/*
 * Finds the first VMA at or above @addr that matches. The mmap lock is held. Returns
 * the VMA or NULL with the lock held, or ERR_PTR(-EINTR) without it.
 */
static struct vm_area_struct *
procmap_next_vma(struct mm_struct *mm, unsigned long addr, u64 query_flags)
{
	VMA_ITERATOR(vmi, mm, addr);
	struct vm_area_struct *vma;
	unsigned int skipped = 0;
	u64 hold_until = 0;

	while ((vma = vma_next(&vmi))) {
		if (procmap_matches(vma, query_flags))
			break;
		if (++skipped % PROCMAP_SKIP_BATCH)
			continue;
		if (procmap_cond_yield(mm, &vmi, vma->vm_end, &hold_until))
			return ERR_PTR(-EINTR);
	}
	return vma;
}

/*
 * Takes the mmap lock and finds the VMA that is asked for. Returns it with the lock
 * held, or ERR_PTR(-ENOENT) or ERR_PTR(-EINTR) without it.
 */
static struct vm_area_struct *
query_matching_vma(struct mm_struct *mm, const struct procmap_query *query)
{
	unsigned long addr = query->query_addr;
	struct vm_area_struct *vma;

	/* A 32-bit kernel must not answer for the low half of an address. */
	if (addr != query->query_addr)
		return ERR_PTR(-ENOENT);
	if (mmap_read_lock_killable(mm))
		return ERR_PTR(-EINTR);

	/* Most queries are about the VMA at the address: this is the cheapest way. */
	vma = vma_lookup(mm, addr);
	if (vma && procmap_matches(vma, query->query_flags))
		return vma;
	if (query->query_flags & PROCMAP_QUERY_COVERING_OR_NEXT_VMA) {
		vma = procmap_next_vma(mm, vma ? vma->vm_end : addr, query->query_flags);
		if (vma)
			return vma;
	}
	mmap_read_unlock(mm);
	return ERR_PTR(-ENOENT);
}

/* Copies what the text's line of @vma says in numbers. The mmap lock is held. */
static void procmap_copy_numbers(struct vm_area_struct *vma, struct procmap_query *query)
{
	const struct inode *inode = vma_file_inode(vma);
	dev_t dev = inode ? inode->i_sb->s_dev : 0;

	query->vma_start = vma->vm_start;
	query->vma_end = vma->vm_end;
	query->vma_flags = procmap_vma_flags(vma);
	query->vma_page_size = vma_kernel_pagesize(vma);
	query->vma_offset = inode ? (u64)vma->vm_pgoff << PAGE_SHIFT : 0;
	query->inode = inode ? inode->i_ino : 0;
	query->dev_major = MAJOR(dev);
	query->dev_minor = MINOR(dev);
}

/*
 * Copies the name of @vma and its size if it is not a path, and takes a reference on
 * the file. The mmap lock is held: this neither sleeps nor allocates. Returns 0; or
 * -ENAMETOOLONG, without a reference.
 */
static int procmap_get_names(struct vm_area_struct *vma, struct procmap_query *query,
			     struct procmap_names *names)
{
	u32 max = min_t(u32, query->vma_name_size, PROCMAP_SHORT_NAME);
	struct vma_label label = {};

	if (max)
		vma_get_label(vma, &label);
	names->path = label.path;
	if (label.text) {
		query->vma_name_size = snprintf(names->label, max, "%s%s%s", label.prefix,
						label.text, label.suffix) + 1;
		if (query->vma_name_size > max)
			return -ENAMETOOLONG;
	} else if (!label.path) {
		query->vma_name_size = 0;
	}
	if (vma->vm_file)
		names->file = get_file(vma->vm_file);
	return 0;
}

/*
 * Does what needs the mm. @names is NULL if no name and no build ID is asked for.
 * Returns 0, or an error without a reference on a file.
 */
static int procmap_find_vma(struct mm_struct *mm, struct procmap_query *query,
			    struct procmap_names *names)
{
	struct vm_area_struct *vma;
	int err;

	/* No mm: a kernel thread. No users: exited, or executed another program. */
	if (!mm || !mmget_not_zero(mm))
		return -ESRCH;

	vma = query_matching_vma(mm, query);
	err = PTR_ERR_OR_ZERO(vma);
	if (!err) {
		procmap_copy_numbers(vma, query);
		if (names)
			err = procmap_get_names(vma, query, names);
		mmap_read_unlock(mm);
	}
	mmput(mm);
	return err;
}

/* Returns 0 or -EFAULT. */
static int procmap_copy_buf(u64 to, const void *from, size_t size)
{
	/* To a 32-bit kernel, the upper half can only be 0 or the sign of a pointer. */
	if (to != (unsigned long)to && (s64)to != (long)to)
		return -EFAULT;
	return copy_to_user(u64_to_user_ptr(to), from, size) ? -EFAULT : 0;
}

/* Returns 0, -ENAMETOOLONG, -ENOMEM or -EFAULT. */
static noinline_for_stack int
procmap_copy_path(struct procmap_query *query, const struct path *path)
{
	size_t max = min_t(size_t, query->vma_name_size, PATH_MAX);
	char short_path[PROCMAP_SHORT_NAME], *long_path = NULL;
	size_t size = min(max, sizeof(short_path));
	char *buf = short_path, *name;
	int err;

	name = d_path(path, buf, size);
	/* Allocate memory only for a path that is not short. */
	if (IS_ERR(name) && size < max) {
		long_path = __getname();
		if (!long_path)
			return -ENOMEM;
		buf = long_path;
		size = max;
		name = d_path(path, buf, size);
	}
	err = PTR_ERR_OR_ZERO(name);
	if (!err) {
		query->vma_name_size = buf + size - name;
		err = procmap_copy_buf(query->vma_name_addr, name, query->vma_name_size);
	}
	if (long_path)
		__putname(long_path);
	return err;
}

/*
 * Finds a VMA, its name and its build ID, and writes these two to the caller's
 * buffers. Spelling out a path and reading a build ID may take long: they come when
 * the mmap lock and the reference on the mm are gone, and need the file alone.
 */
static noinline_for_stack int
procmap_query_named(struct mm_struct *mm, struct procmap_query *query)
{
	struct procmap_names names = {};
	int err;

	err = procmap_find_vma(mm, query, &names);
	if (err)
		return err;
	/* Where there is no build ID to be had, its size remains 0. */
	if (names.file && query->build_id_size)
		build_id_parse_file(names.file, names.build_id, &names.build_id_size);
	if (names.build_id_size > query->build_id_size)
		err = -ENAMETOOLONG;
	else if (names.path)
		err = procmap_copy_path(query, names.path);
	else if (query->vma_name_size)
		err = procmap_copy_buf(query->vma_name_addr, names.label,
				       query->vma_name_size);
	query->build_id_size = names.build_id_size;
	if (!err && names.build_id_size)
		err = procmap_copy_buf(query->build_id_addr, names.build_id,
				       names.build_id_size);
	if (names.file)
		fput(names.file);
	return err;
}

/* Copies as much of the answer as the caller knows. Returns 0 or -EFAULT. */
static int procmap_copy_out(struct procmap_query __user *uquery,
			    const struct procmap_query *query)
{
	const size_t start = offsetof(struct procmap_query, vma_start);
	const size_t end = offsetofend(struct procmap_query, build_id_size);
	size_t left;

	/* A size that the compiler knows spares the check at run time. */
	if (query->size >= end)
		left = copy_to_user(&uquery->vma_start, &query->vma_start, end - start);
	else
		left = copy_to_user(&uquery->vma_start, &query->vma_start,
				    query->size - start);
	return left ? -EFAULT : 0;
}

static long do_procmap_query(struct mm_struct *mm, struct procmap_query __user *uquery)
{
	struct procmap_query query;
	int err;

	err = procmap_copy_in(&query, uquery);
	if (err)
		return err;
	if (query.vma_name_size || query.build_id_size)
		err = procmap_query_named(mm, &query);
	else
		err = procmap_find_vma(mm, &query, NULL);
	return err ?: procmap_copy_out(uquery, &query);
}

static long procfs_procmap_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct seq_file *seq = file->private_data;
	struct proc_maps_private *priv = seq->private;

	if (cmd != PROCMAP_QUERY)
		return -ENOTTY;
	return do_procmap_query(priv->mm, (void __user *)arg);
}
