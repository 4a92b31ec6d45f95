//@ SPDX-License-Identifier: GPL-2.0
//@
//@ What the series adds to fs/proc/task_mmu.c: the handler of PROCMAP_QUERY,
//@ before proc_pid_maps_operations. It calls what the base's own patches bring:
//@ struct vma_label and vma_get_label(), which the text uses too, and, where the
//@ kernel does not have them, vma_lookup() and struct vma_iterator.

#define PROCMAP_QUERY_PERMISSIONS	(PROCMAP_QUERY_VMA_READABLE |	\
					 PROCMAP_QUERY_VMA_WRITABLE |	\
					 PROCMAP_QUERY_VMA_EXECUTABLE |	\
					 PROCMAP_QUERY_VMA_SHARED)

#define PROCMAP_QUERY_FLAGS		(PROCMAP_QUERY_PERMISSIONS |		\
					 PROCMAP_QUERY_COVERING_OR_NEXT_VMA |	\
					 PROCMAP_QUERY_FILE_BACKED_VMA)

/* Bytes up to the last of the fields that are output. */
#define QUERY_OUT_END	offsetofend(struct procmap_query, build_id_size)

/*
 * Bytes for a name on the stack, with its NUL: any that is not a path (the longest
 * is what a user may call anonymous memory, 79 bytes and brackets around them),
 * and most paths.
 */
#define PROCMAP_SHORT_NAME		512

/* VMAs that a search skips before it looks whether someone waits. */
#define PROCMAP_SKIP_BATCH		32

/* What a query has found out so far. */
struct procmap_answer {
	struct procmap_query out;	/* of this, the fields that are output */
	/* Set only if query_wants_more(): */
	struct file *file;		/* reference, or NULL */
	const char *name;		/* in @short_name or @path, or NULL */
	char *path;			/* from __getname(), or NULL */
	unsigned char build_id[BUILD_ID_SIZE_MAX];
	char short_name[PROCMAP_SHORT_NAME];
};

static bool query_straddles_pages(const struct procmap_query __user *uquery)
{
	return offset_in_page(uquery) > PAGE_SIZE - sizeof(*uquery);
}

/*
 * Nearly every caller knows the same struct: reads its input fields, and no other.
 * Returns 0; -EFAULT if fault injection wants it; or -EAGAIN, and
 * query_copy_in_any() finds out why.
 */
static int query_copy_in_known(struct procmap_query *query,
			       const struct procmap_query __user *uquery)
{
	/*
	 * Some 32-bit architectures cannot read 64 bits so. And where a write may
	 * fail halfway, query_copy_out_fields() has to know all that was there.
	 */
	if (!IS_ENABLED(CONFIG_64BIT) || query_straddles_pages(uquery))
		return -EAGAIN;
	if (should_fail_usercopy())
		return -EFAULT;
	if (!user_read_access_begin(uquery, sizeof(*uquery)))
		return -EAGAIN;
	unsafe_get_user(query->size, &uquery->size, not_known);
	if (query->size != sizeof(*query))
		goto not_known;
	unsafe_get_user(query->query_flags, &uquery->query_flags, not_known);
	unsafe_get_user(query->query_addr, &uquery->query_addr, not_known);
	unsafe_get_user(query->vma_name_size, &uquery->vma_name_size,
			not_known);
	unsafe_get_user(query->vma_name_addr, &uquery->vma_name_addr,
			not_known);
	unsafe_get_user(query->build_id_size, &uquery->build_id_size,
			not_known);
	unsafe_get_user(query->build_id_addr, &uquery->build_id_addr,
			not_known);
	user_read_access_end();
	return 0;

not_known:
	user_read_access_end();
	return -EAGAIN;
}

/* Returns 0, or -EFAULT, -E2BIG, -EINVAL as the UAPI header describes them. */
static int query_copy_in_any(struct procmap_query *query,
			     const struct procmap_query __user *uquery)
{
	u64 size;
	int err;

	if (get_user(size, &uquery->size))
		return -EFAULT;
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < offsetofend(struct procmap_query, query_addr))
		return -EINVAL;
	err = copy_struct_from_user(query, sizeof(*query), uquery, size);
	/* It may have been changed meanwhile: stay with what was checked. */
	query->size = size;
	return err;
}

/* Returns 0, or -EFAULT, -E2BIG, -EINVAL as the UAPI header describes them. */
static int query_copy_in(struct procmap_query *query,
			 const struct procmap_query __user *uquery)
{
	int err;

	err = query_copy_in_known(query, uquery);
	if (err == -EAGAIN)
		err = query_copy_in_any(query, uquery);
	if (err)
		return err;
	if (query->query_flags & ~(u64)PROCMAP_QUERY_FLAGS)
		return -EINVAL;
	if (!query->vma_name_size != !query->vma_name_addr)
		return -EINVAL;
	if (!query->build_id_size != !query->build_id_addr)
		return -EINVAL;
	return 0;
}

/* The vm_flags that the text shows as r, w, x and s, for PROCMAP_QUERY_VMA_. */
static unsigned long query_to_vm_flags(u64 query_flags)
{
	unsigned long vm_flags = 0;

	if (query_flags & PROCMAP_QUERY_VMA_READABLE)
		vm_flags |= VM_READ;
	if (query_flags & PROCMAP_QUERY_VMA_WRITABLE)
		vm_flags |= VM_WRITE;
	if (query_flags & PROCMAP_QUERY_VMA_EXECUTABLE)
		vm_flags |= VM_EXEC;
	if (query_flags & PROCMAP_QUERY_VMA_SHARED)
		vm_flags |= VM_MAYSHARE;
	return vm_flags;
}

static u64 query_from_vm_flags(unsigned long vm_flags)
{
	u64 query_flags = 0;

	if (vm_flags & VM_READ)
		query_flags |= PROCMAP_QUERY_VMA_READABLE;
	if (vm_flags & VM_WRITE)
		query_flags |= PROCMAP_QUERY_VMA_WRITABLE;
	if (vm_flags & VM_EXEC)
		query_flags |= PROCMAP_QUERY_VMA_EXECUTABLE;
	if (vm_flags & VM_MAYSHARE)
		query_flags |= PROCMAP_QUERY_VMA_SHARED;
	return query_flags;
}

/*
 * Gives a waiting writer the chance to take the mmap lock, and another task the
 * CPU. Called with the lock held; returns 0 with it held again, or -EINTR without
 * if a fatal signal came.
 */
static int query_yield_mmap_lock(struct mm_struct *mm)
{
	bool contended = mmap_lock_is_contended(mm);

	mmap_read_unlock(mm);
	/* A reader that comes back at once takes it from the writer it woke. */
	if (contended)
		usleep_range(20, 100);
	cond_resched();
	if (fatal_signal_pending(current))
		return -EINTR;
	return mmap_read_lock_killable(mm);
}

static bool query_should_yield(struct mm_struct *mm)
{
	return mmap_lock_is_contended(mm) || need_resched() ||
	       fatal_signal_pending(current);
}

static bool query_matches(const struct vm_area_struct *vma,
			  unsigned long vm_flags, bool file_backed)
{
	return (vma->vm_flags & vm_flags) == vm_flags &&
	       (!file_backed || vma->vm_file);
}

/*
 * Finds the first VMA at or above @addr that matches. While it skips others it
 * yields the mmap lock to whoever waits for it, and goes on from the address that
 * it had reached.
 *
 * Called with the mmap lock held. Returns the VMA with the lock held; NULL with
 * the lock held; ERR_PTR(-EINTR) without.
 */
static struct vm_area_struct *query_next_vma(struct mm_struct *mm,
					     unsigned long addr,
					     unsigned long vm_flags,
					     bool file_backed)
{
	VMA_ITERATOR(vmi, mm, addr);
	struct vm_area_struct *vma;
	unsigned int left = PROCMAP_SKIP_BATCH;

	while ((vma = vma_next(&vmi))) {
		if (query_matches(vma, vm_flags, file_backed))
			return vma;
		if (--left)
			continue;
		left = PROCMAP_SKIP_BATCH;
		if (query_should_yield(mm)) {
			addr = vma->vm_end;
			if (query_yield_mmap_lock(mm))
				return ERR_PTR(-EINTR);
			vma_iter_init(&vmi, mm, addr);
		}
	}
	return NULL;
}

/*
 * Finds the VMA asked for, from @addr on. Called with the mmap lock held, and
 * returns as query_next_vma() does.
 */
static struct vm_area_struct *query_find_vma(struct mm_struct *mm,
					     unsigned long addr,
					     u64 query_flags)
{
	unsigned long vm_flags = query_to_vm_flags(query_flags);
	bool file_backed = query_flags & PROCMAP_QUERY_FILE_BACKED_VMA;
	struct vm_area_struct *vma;

	if (!(query_flags & PROCMAP_QUERY_COVERING_OR_NEXT_VMA)) {
		vma = vma_lookup(mm, addr);
		return vma && query_matches(vma, vm_flags, file_backed) ?
			vma : NULL;
	}
	/*
	 * A walk of all VMAs mostly goes on inside one: look there first, which
	 * in a maple tree costs less than an iterator. A walk with a filter
	 * mostly goes on inside one to be skipped, and needs the iterator.
	 */
	if (!vm_flags && !file_backed) {
		vma = vma_lookup(mm, addr);
		if (vma)
			return vma;
	}
	return query_next_vma(mm, addr, vm_flags, file_backed);
}

/*
 * Takes the mmap lock of @mm for reading, and finds the VMA asked for. Returns
 * it with the lock held, or ERR_PTR(-ENOENT) or ERR_PTR(-EINTR) without.
 */
static struct vm_area_struct *
query_matching_vma(struct mm_struct *mm, const struct procmap_query *query)
{
	unsigned long addr = query->query_addr;
	struct vm_area_struct *vma;

	/* A 32-bit kernel must not answer for the low half of an address. */
	if (addr != query->query_addr)
		return ERR_PTR(-ENOENT);
	if (!mmap_read_trylock(mm) && mmap_read_lock_killable(mm))
		return ERR_PTR(-EINTR);

	vma = query_find_vma(mm, addr, query->query_flags);
	if (!vma) {
		mmap_read_unlock(mm);
		return ERR_PTR(-ENOENT);
	}
	return vma;
}

/* More than the numbers: the name, the build ID, or both. */
static bool query_wants_more(const struct procmap_query *query)
{
	return query->vma_name_size || query->build_id_size;
}

/* Bytes of the caller's buffer for the name that are used. */
static size_t query_name_max(const struct procmap_query *query)
{
	return min_t(size_t, query->vma_name_size, PATH_MAX);
}

/*
 * Copies the name of @vma if it is a text; a path is left to query_get_path().
 * Returns 0 or -ENAMETOOLONG. The mmap lock is held.
 */
static int query_copy_label(struct vm_area_struct *vma,
			    const struct procmap_query *query,
			    struct procmap_answer *answer)
{
	size_t size = min_t(size_t, query_name_max(query), PROCMAP_SHORT_NAME);
	struct vma_label label;
	int len;

	vma_get_label(vma, &label);
	if (!label.text)
		return 0;
	len = snprintf(answer->short_name, size, "%s%s%s", label.prefix,
		       label.text, label.suffix);
	if (len >= size)
		return -ENAMETOOLONG;
	answer->name = answer->short_name;
	answer->out.vma_name_size = len + 1;
	return 0;
}

/* The mmap lock is held. */
static void query_copy_file_numbers(const struct vm_area_struct *vma,
				    struct procmap_query *out)
{
	const struct inode *inode;
	dev_t dev;

	if (!vma->vm_file) {
		out->vma_offset = 0;
		out->inode = 0;
		out->dev_major = 0;
		out->dev_minor = 0;
		return;
	}
	inode = file_inode(vma->vm_file);
	dev = inode->i_sb->s_dev;
	out->vma_offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	out->inode = inode->i_ino;
	out->dev_major = MAJOR(dev);
	out->dev_minor = MINOR(dev);
}

/*
 * Copies the name of @vma if it is a text, and takes a reference on its file, with
 * which query_more() finds the rest. Returns 0; or -ENAMETOOLONG, with no
 * reference taken.
 */
static int query_take_more(struct vm_area_struct *vma,
			   const struct procmap_query *query,
			   struct procmap_answer *answer)
{
	answer->file = NULL;
	answer->name = NULL;
	answer->path = NULL;
	if (query->vma_name_size && query_copy_label(vma, query, answer))
		return -ENAMETOOLONG;
	if (vma->vm_file)
		answer->file = get_file(vma->vm_file);
	return 0;
}

/*
 * Copies the numbers of @vma, and does query_take_more() if more is wanted. Returns
 * 0 or -ENAMETOOLONG. The mmap lock is held: nothing here sleeps, allocates or
 * touches user memory.
 */
static int query_copy_vma(struct vm_area_struct *vma,
			  const struct procmap_query *query,
			  struct procmap_answer *answer)
{
	struct procmap_query *out = &answer->out;

	out->vma_start = vma->vm_start;
	out->vma_end = vma->vm_end;
	out->vma_flags = query_from_vm_flags(vma->vm_flags);
	out->vma_page_size = vma_kernel_pagesize(vma);
	query_copy_file_numbers(vma, out);
	out->vma_name_size = 0;
	out->build_id_size = 0;
	return query_wants_more(query) ? query_take_more(vma, query, answer) : 0;
}

/* mmput(), but prepared to sleep only where it will: as the last user. */
static void query_put_mm(struct mm_struct *mm)
{
	if (!atomic_add_unless(&mm->mm_users, -1, 1))
		mmput(mm);
}

/* The part of a query that needs the mm. Returns 0 or an error. */
static int query_mm(struct mm_struct *mm, const struct procmap_query *query,
		    struct procmap_answer *answer)
{
	struct vm_area_struct *vma;
	int err;

	/* No mm: a kernel thread. No users: exited, or executed another. */
	if (!mm || !mmget_not_zero(mm))
		return -ESRCH;

	vma = query_matching_vma(mm, query);
	err = PTR_ERR_OR_ZERO(vma);
	if (!err) {
		err = query_copy_vma(vma, query, answer);
		mmap_read_unlock(mm);
	}
	query_put_mm(mm);
	return err;
}

/* Finds the path in @size bytes at @buf. Returns 0 or -ENAMETOOLONG. */
static int query_get_path_in(struct procmap_answer *answer, char *buf,
			     size_t size)
{
	char *name = d_path(&answer->file->f_path, buf, size);

	if (IS_ERR(name))
		return PTR_ERR(name);
	answer->name = name;
	answer->out.vma_name_size = buf + size - name;
	return 0;
}

/* Returns 0, -ENAMETOOLONG or -ENOMEM. */
static int query_get_path(const struct procmap_query *query,
			  struct procmap_answer *answer)
{
	size_t size = query_name_max(query);

	if (size <= PROCMAP_SHORT_NAME)
		return query_get_path_in(answer, answer->short_name, size);

	/* Most paths are short: allocate only for one that is not. */
	if (!query_get_path_in(answer, answer->short_name, PROCMAP_SHORT_NAME))
		return 0;
	answer->path = __getname();
	if (!answer->path)
		return -ENOMEM;
	return query_get_path_in(answer, answer->path, size);
}

/* Returns 0, -ENAMETOOLONG or -ENOMEM. */
static int query_get_build_id(const struct procmap_query *query,
			      struct procmap_answer *answer)
{
	u32 size;
	int err;

	err = build_id_parse_file(answer->file, answer->build_id, &size);
	if (err)
		return err == -ENOMEM ? err : 0;
	if (size > query->build_id_size)
		return -ENAMETOOLONG;
	answer->out.build_id_size = size;
	return 0;
}

/* The part of a query that needs only the file. Returns 0 or an error. */
static int query_file(const struct procmap_query *query,
		      struct procmap_answer *answer)
{
	int err = 0;

	if (query->vma_name_size && !answer->name)
		err = query_get_path(query, answer);
	if (!err && query->build_id_size)
		err = query_get_build_id(query, answer);
	return err;
}

/* A 32-bit kernel must not write to the low half of an address. */
static bool query_can_address(u64 addr)
{
	return addr == (unsigned long)addr;
}

/* Returns the bytes that were not copied. */
static unsigned long query_copy_out_build_id(const struct procmap_query *query,
					     const struct procmap_answer *answer)
{
	void __user *to = u64_to_user_ptr(query->build_id_addr);

	/* Most are SHA-1. A size that is constant need not be checked. */
	if (answer->out.build_id_size == BUILD_ID_SIZE_MAX)
		return copy_to_user(to, answer->build_id, BUILD_ID_SIZE_MAX);
	return copy_to_user(to, answer->build_id, answer->out.build_id_size);
}

/* Returns 0 or -EFAULT. */
static int query_copy_out_more(const struct procmap_query *query,
			       const struct procmap_answer *answer)
{
	const struct procmap_query *out = &answer->out;

	if (out->vma_name_size &&
	    (!query_can_address(query->vma_name_addr) ||
	     copy_to_user(u64_to_user_ptr(query->vma_name_addr), answer->name,
			  out->vma_name_size)))
		return -EFAULT;
	if (out->build_id_size &&
	    (!query_can_address(query->build_id_addr) ||
	     query_copy_out_build_id(query, answer)))
		return -EFAULT;
	return 0;
}

/*
 * Finds what is asked for besides the numbers, writes it to the caller's buffers,
 * and lets go of the file. Returns 0 or an error.
 */
static int query_more(const struct procmap_query *query,
		      struct procmap_answer *answer)
{
	int err = 0;

	if (answer->file) {
		err = query_file(query, answer);
		fput(answer->file);
	}
	if (!err)
		err = query_copy_out_more(query, answer);
	if (answer->path)
		__putname(answer->path);
	return err;
}

/*
 * Nearly every caller knows all of the output fields: a few plain stores then.
 * Returns 0; -EFAULT if fault injection wants it; or -EAGAIN, and
 * query_copy_out_any() finds out why.
 */
static int query_copy_out_known(const struct procmap_query *query,
				const struct procmap_query *out,
				struct procmap_query __user *uquery)
{
	/* As in query_copy_in_known(). */
	if (!IS_ENABLED(CONFIG_64BIT) || query_straddles_pages(uquery) ||
	    query->size < QUERY_OUT_END)
		return -EAGAIN;
	if (should_fail_usercopy())
		return -EFAULT;
	if (!user_write_access_begin(uquery, sizeof(*uquery)))
		return -EAGAIN;
	unsafe_put_user(out->vma_start, &uquery->vma_start, fault);
	unsafe_put_user(out->vma_end, &uquery->vma_end, fault);
	unsafe_put_user(out->vma_flags, &uquery->vma_flags, fault);
	unsafe_put_user(out->vma_page_size, &uquery->vma_page_size, fault);
	unsafe_put_user(out->vma_offset, &uquery->vma_offset, fault);
	unsafe_put_user(out->inode, &uquery->inode, fault);
	unsafe_put_user(out->dev_major, &uquery->dev_major, fault);
	unsafe_put_user(out->dev_minor, &uquery->dev_minor, fault);
	unsafe_put_user(out->vma_name_size, &uquery->vma_name_size, fault);
	unsafe_put_user(out->build_id_size, &uquery->build_id_size, fault);
	user_write_access_end();
	return 0;

fault:
	user_write_access_end();
	return -EAGAIN;
}

/*
 * Writes all of the output fields that the caller knows, or none of them.
 * Returns 0 or -EFAULT.
 */
static int query_copy_out_any(const struct procmap_query *query,
			      const struct procmap_query *out,
			      struct procmap_query __user *uquery)
{
	const size_t first = offsetof(struct procmap_query, vma_start);
	size_t size = min_t(size_t, query->size, QUERY_OUT_END) - first;
	void __user *to = &uquery->vma_start;
	unsigned long left;

	left = copy_to_user(to, &out->vma_start, size);
	if (!left)
		return 0;

	/*
	 * If only the page behind cannot be written, undo what was written of
	 * the one before: try all again, since more may have been written than
	 * is counted. Where that fails it is gone, and nobody sees it. In one
	 * page there is nothing to undo, nor may all of @query have been read.
	 */
	if (query_straddles_pages(uquery))
		left = copy_to_user(to, &query->vma_start, size);
	return -EFAULT;
}

/* Returns 0, or -EFAULT with the caller's struct as it was. */
static int query_copy_out_fields(const struct procmap_query *query,
				 const struct procmap_query *out,
				 struct procmap_query __user *uquery)
{
	int err;

	err = query_copy_out_known(query, out, uquery);
	if (err == -EAGAIN)
		err = query_copy_out_any(query, out, uquery);
	return err;
}

/*
 * Serves one PROCMAP_QUERY. What takes long comes when neither the mmap lock nor
 * a reference on the mm is held any more: path and build ID with a reference on
 * the file alone, and access to user memory, which may wait for as long as the
 * caller likes, with nothing of the target's.
 */
static long do_procmap_query(struct mm_struct *mm,
			     struct procmap_query __user *uquery)
{
	struct procmap_answer answer;
	struct procmap_query query;
	int err;

	err = query_copy_in(&query, uquery);
	if (err)
		return err;

	err = query_mm(mm, &query, &answer);
	if (!err && query_wants_more(&query))
		err = query_more(&query, &answer);
	if (!err)
		err = query_copy_out_fields(&query, &answer.out, uquery);
	return err;
}

static long procfs_procmap_ioctl(struct file *file, unsigned int cmd,
				 unsigned long arg)
{
	struct seq_file *seq = file->private_data;
	struct proc_maps_private *priv = seq->private;

	switch (cmd) {
	case PROCMAP_QUERY:
		return do_procmap_query(priv->mm, (void __user *)arg);
	default:
		return -ENOTTY;
	}
}
