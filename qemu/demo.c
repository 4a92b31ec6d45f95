// SPDX-License-Identifier: GPL-2.0
/*
 * A program for demo.sh to look into: dynamically linked, with libraries that
 * are mapped from real files. Prints a line for each of its addresses: what is
 * there, the address, and the file that the dynamic loader says it is from.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <libelf.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

static void print_function(const char *name, uintptr_t address)
{
	Dl_info info;

	if (!dladdr((void *)address, &info))
		exit(1);
	printf("%s() %lx %s\n", name, (unsigned long)address, info.dli_fname);
}

int main(void)
{
	void *heap = malloc(1);

	print_function("main", (uintptr_t)main);
	print_function("malloc", (uintptr_t)malloc);
	print_function("cos", (uintptr_t)(double (*)(double))cos);
	print_function("crc32", (uintptr_t)crc32);
	print_function("elf_begin", (uintptr_t)elf_begin);
	printf("malloc(1) %lx [heap]\n", (unsigned long)heap);
	printf("&heap %lx [stack]\n", (unsigned long)&heap);
	printf("ready\n");
	fflush(stdout);

	pause();
	return 0;
}
