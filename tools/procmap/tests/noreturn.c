// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints a return address that is the first of the function behind the one that made
 * the call, and both functions' addresses; then waits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

__attribute((noreturn, noinline)) static void stop(void)
{
	printf("return %lx\n", (unsigned long)__builtin_return_address(0));
	fflush(stdout);
	for (;;)
		pause();
}

__attribute((noinline)) void caller(int i)
{
	__asm__ volatile("" : : "r" (i));
	stop();
}

__attribute((noinline)) int next(int i)
{
	__asm__ volatile("" : : "r" (i));
	return i;
}

int main(int argc, char **argv)
{
	(void)argv;
	printf("caller %lx\nnext %lx\n", (unsigned long)caller,
	       (unsigned long)next);
	if (argc > 1)
		return next(argc);
	caller(argc);
	return 0;
}
