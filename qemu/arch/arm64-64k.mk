# SPDX-License-Identifier: GPL-2.0
#
# ARCH=arm64-64k: pages of 64 KiB, as RHEL has in kernel-64k. There are no 32-bit
# programs then.

include qemu/arch/arm64.mk

configs		:= qemu/arch/arm64.config qemu/arch/arm64-64k.config
root-of		:= arm64
cc-32		:=
