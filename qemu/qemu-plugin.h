/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What profile-query.c needs of the interface between QEMU and its plugins: Debian
 * has no package with the whole of it.
 */
#ifndef QEMU_PLUGIN_H
#define QEMU_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

struct qemu_plugin_tb;		/* a block of instructions */
struct qemu_plugin_insn;

typedef void (*translation_fn)(uint64_t id, struct qemu_plugin_tb *tb);
typedef void (*execution_fn)(unsigned int cpu, void *data);

enum { QEMU_PLUGIN_CB_NO_REGS };

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *
qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, translation_fn fn);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    execution_fn fn, int flags,
					    void *data);

#endif /* QEMU_PLUGIN_H */
