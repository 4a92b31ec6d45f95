//@ SPDX-License-Identifier: GPL-2.0
//@
//@ What the series adds to fs/proc/task_mmu.c before the handler where a kernel keeps
//@ its VMAs in a list.

/*
 * Steps through the VMAs of a process from an address on, with the names that
 * Linux 6.1 has for it. The mmap lock is held; vma_iter_init() must come between a time
 * when it was not and the next step.
 */
struct vma_iterator {
	struct mm_struct *mm;
	unsigned long addr;
	struct vm_area_struct *vma;	/* of the last step, or NULL */
};

#define VMA_ITERATOR(name, of_mm, from)	\
	struct vma_iterator name = { .mm = of_mm, .addr = from }

static void vma_iter_init(struct vma_iterator *vmi, struct mm_struct *mm,
			  unsigned long addr)
{
	*vmi = (struct vma_iterator) { .mm = mm, .addr = addr };
}

static struct vm_area_struct *vma_next(struct vma_iterator *vmi)
{
	if (vmi->vma)
		vmi->vma = vmi->vma->vm_next;
	else
		vmi->vma = find_vma(vmi->mm, vmi->addr);
	return vmi->vma;
}
