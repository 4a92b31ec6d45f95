/* SPDX-License-Identifier: GPL-2.0 */
/*
 * File systems for the PROCMAP_QUERY tests, to be mounted in a mount namespace
 * of their own. Functions return NULL, or what is missing for it.
 */
#ifndef PROC_MAPS_QUERY_MOUNT_H
#define PROC_MAPS_QUERY_MOUNT_H

#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <linux/loop.h>
#include <sys/sysinfo.h>
#include "proc-maps-query.h"

static inline const char *missing(const char *what)
{
	static char text[256];

	snprintf(text, sizeof(text), "%s: %s", what, strerror(errno));
	return text;
}

/* What is mounted from now on is seen by nobody else, and goes with us. */
static inline const char *mount_privately(void)
{
	if (unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return missing("mount namespace");
	return NULL;
}

static inline const char *mount_at(const char *where, const char *source,
				   const char *type)
{
	mkdir(where, 0755);
	return mount(source, where, type, 0, NULL) ? missing(type) : NULL;
}

/*
 * Attaches the file to a loop device, which detaches itself when its last user
 * is gone. Returns the device's descriptor, or -1.
 */
static inline int loop_attach(int file, char *path, size_t size)
{
	struct loop_config config = {
		.fd = file,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR,
	};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int tries, nr, fd = -1;

	/* Somebody else may take the free one first. */
	for (tries = 0; control >= 0 && tries < 10; tries++) {
		nr = ioctl(control, LOOP_CTL_GET_FREE);
		snprintf(path, size, "/dev/loop%d", nr);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0 || !ioctl(fd, LOOP_CONFIGURE, &config))
			break;
		close(fd);
		fd = -1;
	}
	if (control >= 0)
		close(control);
	return fd;
}

/* Of its own it waits for randomness, which a machine just started lacks. */
#define MKE2FS_UUID	"70726f63-6d61-4073-8000-207175657279"

/* Returns 0, or the exit status of mke2fs, or 127 if there is none. */
static inline int make_ext4(int file)
{
	char path[64];
	int status;
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), file);
	pid = fork();
	must(pid >= 0);
	if (!pid) {
		setenv("PATH", "/usr/sbin:/sbin:/usr/bin:/bin", 1);
		execlp("mke2fs", "mke2fs", "-q", "-F", "-t", "ext4",
		       "-O", "^has_journal", "-b", "4096", "-U", MKE2FS_UUID,
		       "-E", "hash_seed=" MKE2FS_UUID, path, NULL);
		_exit(127);
	}
	must(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}

/* On a loop device on a memfd. */
static inline const char *mount_ext4(const char *where)
{
	int file = memfd_create("ext4", MFD_CLOEXEC);
	const char *lacks;
	char path[64];
	int loop, err;

	must(file >= 0 && !ftruncate(file, 16 << 20));
	err = make_ext4(file);
	if (err) {
		errno = err == 127 ? ENOENT : EINVAL;
		return missing("mke2fs -t ext4 (of e2fsprogs)");
	}
	loop = loop_attach(file, path, sizeof(path));
	if (loop < 0)
		return missing("loop device");
	lacks = mount_at(where, path, "ext4");
	close(loop);
	close(file);
	return lacks;
}

/* Puts the first pages of the file out of memory. */
static inline void evict(int fd)
{
	size_t page = sysconf(_SC_PAGESIZE);
	unsigned char in_memory;
	int tries, caches;
	void *addr;

	addr = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0);
	must(addr != MAP_FAILED);
	must(!fsync(fd));
	for (tries = 0; tries < 10; tries++) {
		must(!posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
		must(!mincore(addr, page, &in_memory));
		if (!(in_memory & 1))
			break;
		caches = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
		must(caches >= 0 && write(caches, "1", 1) == 1);
		close(caches);
	}
	must(tries < 10);
	must(!munmap(addr, page));
}

/* Bytes that nobody uses: what a leak of many pages takes away. */
static inline uint64_t free_memory(void)
{
	struct sysinfo info;

	must(!sysinfo(&info));
	return (uint64_t)info.freeram * info.mem_unit;
}

#endif /* PROC_MAPS_QUERY_MOUNT_H */
