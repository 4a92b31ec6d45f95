// SPDX-License-Identifier: GPL-2.0-only
/* Fuzzes the reader of ELF files: the input is the file. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "procmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct procmap_vma vma = {
		.start = 0x10000, .end = 0x20000, .flags = PROCMAP_EXEC
	};
	int fd = memfd_create("elf", MFD_CLOEXEC);
	uint8_t id[PROCMAP_BUILD_ID_MAX];
	struct procmap_elf *elf;
	uint64_t addr, elf_addr;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (!procmap_elf_open(&elf, fd)) {
		if (procmap_elf_build_id(elf, id) > PROCMAP_BUILD_ID_MAX)
			abort();
		for (addr = 0x10000; addr < 0x20000; addr += 0xffff)
			procmap_elf_address(elf, &vma, addr, &elf_addr);
		procmap_elf_close(elf);
	}
	close(fd);
	return 0;
}
