// SPDX-License-Identifier: GPL-2.0
/* A process, and what the kernel says about its mappings. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "procmap.h"

static __noreturn void die_no_address_space(const struct process *proc)
{
	die("process %s has no mappings: it is a kernel thread, or it has exited",
	    proc->pid);
}

static __noreturn void die_open(const struct process *proc)
{
	switch (errno) {
	case EACCES:
	case EPERM:
		die("not permitted to read the mappings of process %s\n"
		    "Run procmap as its user, or as root: it takes PTRACE_MODE_READ access, see ptrace(2)",
		    proc->pid);
	case ESRCH:
		die_no_address_space(proc);
	case ENOENT:
		if (access("/proc/self", F_OK))
			die("there is no /proc\n"
			    "Mount it: mount -t proc none /proc");
		die("no process %s, or it is hidden by the way that /proc is mounted",
		    proc->pid);
	default:
		die("cannot open the mappings of process %s: %s", proc->pid,
		    strerror(errno));
	}
}

/*
 * Through the open directory, a PID that is used again for another process is
 * never mistaken for the first one.
 */
static int open_maps(const struct process *proc)
{
	return openat(proc->dir, "maps", O_RDONLY | O_CLOEXEC);
}

void process_open(struct process *proc, const char *pid)
{
	char *path = xasprintf("/proc/%s", pid);

	proc->pid = pid;
	proc->answered = false;
	proc->dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(path);
	if (proc->dir < 0)
		die_open(proc);
	proc->maps = open_maps(proc);
	if (proc->maps < 0)
		die_open(proc);
}

/* Has the process another address space than the one that was opened? */
static bool has_executed(const struct process *proc)
{
	struct procmap_query q = {
		.size = sizeof(q),
		.query_flags = PROCMAP_QUERY_COVERING_OR_NEXT_VMA,
	};
	int fd = open_maps(proc);
	bool ret;

	if (fd < 0)	/* a program of more privilege? */
		return errno == EACCES || errno == EPERM;
	ret = !ioctl(fd, PROCMAP_QUERY, &q);
	close(fd);
	return ret;
}

static __noreturn void die_gone(const struct process *proc)
{
	if (!proc->answered)
		die_no_address_space(proc);
	if (has_executed(proc))
		die("process %s executed another program while it was being read\n"
		    "What it had answered is incomplete and not shown; run procmap again",
		    proc->pid);
	die("process %s exited while it was being read\n"
	    "What it had answered is incomplete and not shown",
	    proc->pid);
}

static __noreturn void die_no_ioctl(void)
{
	struct utsname name;

	uname(&name);
	die("this kernel (%s) does not have PROCMAP_QUERY\n"
	    "Linux has it from 6.11 on, older kernels with the PROCMAP_QUERY series",
	    name.release);
}

static __noreturn void die_query(const struct process *proc)
{
	switch (errno) {
	case ENOTTY:
		die_no_ioctl();
	case ESRCH:
		die_gone(proc);
	default:
		die("cannot query the mappings of process %s: %s", proc->pid,
		    strerror(errno));
	}
}

static struct mapping *new_mapping(const struct procmap_query *q,
				   const char *name,
				   const unsigned char *build_id)
{
	size_t size = sizeof(struct mapping) + q->vma_name_size + 1;
	struct mapping *map = xrealloc(NULL, size);

	memset(map, 0, size);
	map->q = *q;
	memcpy(map->name, name, q->vma_name_size);
	memcpy(map->build_id, build_id, q->build_id_size);
	return map;
}

/*
 * The mapping at an address, or NULL. A path that is longer than any buffer
 * that the kernel fills is left out, the rest of the answer is worth having.
 */
struct mapping *process_query(struct process *proc, __u64 addr, __u64 flags,
			      bool build_id)
{
	unsigned char id[BUILD_ID_MAX];
	char name[PATH_MAX];
	struct procmap_query q = {
		.size = sizeof(q),
		.query_flags = flags,
		.query_addr = addr,
		.vma_name_size = sizeof(name),
		.vma_name_addr = (uintptr_t)name,
		.build_id_size = build_id ? sizeof(id) : 0,
		.build_id_addr = build_id ? (uintptr_t)id : 0,
	};
	struct mapping *map;
	bool too_long;
	int ret;

	ret = ioctl(proc->maps, PROCMAP_QUERY, &q);
	too_long = ret && errno == ENAMETOOLONG;
	if (too_long) {
		q.vma_name_size = 0;
		q.vma_name_addr = 0;
		ret = ioctl(proc->maps, PROCMAP_QUERY, &q);
	}
	if (ret && errno != ENOENT)
		die_query(proc);
	proc->answered = true;
	if (ret)
		return NULL;

	map = new_mapping(&q, name, id);
	map->name_too_long = too_long;
	return map;
}
