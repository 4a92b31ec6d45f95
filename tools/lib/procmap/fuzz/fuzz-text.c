// SPDX-License-Identifier: GPL-2.0-only
/* Fuzzes the parser of the text: the input is what /proc/PID/maps has. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "procmap.h"

static int check(const struct procmap_vma *vma, void *arg)
{
	uint64_t *bytes = arg;

	if (vma->start >= vma->end || strlen(vma->name) > *bytes)
		abort();
	return 0;
}

static int check_answer(const struct procmap_vma *vma, const uint64_t *addrs,
			size_t nr, void *arg)
{
	if (!nr || (vma && (addrs[0] < vma->start || addrs[nr - 1] >= vma->end)))
		abort();
	*(size_t *)arg += nr;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t addrs[] = {
		0, 0x1000, 0x2fff, 0x3000, 0x7ffff7fc1000, UINT64_MAX
	};
	int fd = memfd_create("maps", MFD_CLOEXEC);
	uint64_t bytes = size;
	struct procmap *pm;
	size_t answered = 0;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size ||
	    procmap_open_fd(&pm, fd))
		abort();
	procmap_walk(pm, PROCMAP_NAME, check, &bytes);
	procmap_walk(pm, PROCMAP_EXEC | PROCMAP_FILE, check, &bytes);
	if (!procmap_lookup_sorted(pm, addrs, 6, PROCMAP_NAME, check_answer,
				   &answered) && answered != 6)
		abort();
	procmap_close(pm);
	close(fd);
	return 0;
}
