# SPDX-License-Identifier: GPL-2.0
#
# ARCH=x86_64, the default: the programs in the VM are this machine's own, but for
# those that are built as 32-bit programs. qemu/rules.mk says what is what.

linux-arch	:= x86_64
IMAGE		:= arch/x86/boot/bzImage
# Without 5-level page tables: while Linux 7.3 starts, it forgets for a moment that it uses
# them, and an interrupt just then makes KASAN take good addresses for wild ones.
QEMU		:= qemu-system-x86_64 -machine pc -cpu max,la57=off -device pci-testdev
CONSOLE		:= console=ttyS0 earlyprintk=serial,ttyS0,115200
# Emulated CPUs show the host's cycle counter. The kernel would not trust it, and has no
# other clock than its timer's interrupts, which is too coarse for what the tests time.
TSC		:= $(shell awk -F: '/^cpu MHz/ { \
	print "tsc=reliable tsc_early_khz=" int($$2 * 1000); exit }' /proc/cpuinfo)
# It has no fast "rep movsb": QEMU would count an instruction for each byte
QEMU_COUNT	:= -cpu qemu64

root-archs	:= i386
root-packages	= libc6-dev libgcc-$(gcc-version)-dev
roots		:= $(root):/
cc-m32		= gcc -m32 $(in-root) -B$(abspath $(root))/usr/lib/gcc/i686-linux-gnu/$(gcc-version)/
cc-32		= $(cc-m32)
