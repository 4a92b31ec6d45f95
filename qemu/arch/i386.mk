# SPDX-License-Identifier: GPL-2.0
#
# ARCH=i386: addresses and pointers of 32 bits. It needs no compiler of its own.

include qemu/arch/x86_64.mk

linux-arch	:= i386
configs		:= qemu/arch/x86_64.config qemu/arch/i386.config
# An AMD processor of 32 bits makes the kernel warn of SMP.
QEMU		:= qemu-system-i386 -machine pc -cpu max,vendor=GenuineIntel \
		   -device pci-testdev
QEMU_COUNT	:= -cpu qemu32

root-packages	= $(userland) libgcc-$(gcc-version)-dev
roots		= $(root)
cc-guest	= $(cc-m32)
cc-32		:=
cannot-build	:= proc-empty-vm
