// SPDX-License-Identifier: GPL-2.0
/*
 * A QEMU plugin: prints the address of each instruction that the guest executes
 * between two marks. The mark is an instruction that does nothing and that no
 * compiler emits, "xchg %bx, %bx".
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "qemu-plugin.h"

EXPORT int qemu_plugin_version = 1;

static FILE *out;
static bool marked;

static void on_mark(unsigned int cpu, void *data)
{
	marked = !marked;
	fputs(marked ? "begin\n" : "end\n", out);
	fflush(out);
}

static void on_instruction(unsigned int cpu, void *addr)
{
	if (marked)
		fprintf(out, "%016lx\n", (unsigned long)addr);
}

static bool is_mark(const struct qemu_plugin_insn *insn)
{
	static const unsigned char mark[] = { 0x66, 0x87, 0xdb };

	return qemu_plugin_insn_size(insn) == sizeof(mark) &&
	       !memcmp(qemu_plugin_insn_data(insn), mark, sizeof(mark));
}

static void on_translation(uint64_t id, struct qemu_plugin_tb *tb)
{
	size_t i, nr = qemu_plugin_tb_n_insns(tb);

	for (i = 0; i < nr; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		execution_fn fn = is_mark(insn) ? on_mark : on_instruction;
		void *addr = (void *)qemu_plugin_insn_vaddr(insn);

		qemu_plugin_register_vcpu_insn_exec_cb(insn, fn,
						       QEMU_PLUGIN_CB_NO_REGS,
						       addr);
	}
}

/* The one argument is "out=FILE". */
EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc,
			       char **argv)
{
	if (argc != 1 || strncmp(argv[0], "out=", 4)) {
		fputs("profile-query: give it out=FILE\n", stderr);
		return 1;
	}
	out = fopen(argv[0] + 4, "we");
	if (!out) {
		perror(argv[0] + 4);
		return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	return 0;
}
