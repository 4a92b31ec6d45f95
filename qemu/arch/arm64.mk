# SPDX-License-Identifier: GPL-2.0
#
# ARCH=arm64: what most vendors' kernels are for. This CPU has no hardware PAN, so each
# access to user memory goes through CONFIG_ARM64_SW_TTBR0_PAN.

linux-arch	:= arm64
cross		:= aarch64-linux-gnu-
kmake-arch	:= CROSS_COMPILE_COMPAT=arm-linux-gnueabihf-
IMAGE		:= arch/arm64/boot/Image
QEMU		:= qemu-system-aarch64 -machine virt -cpu cortex-a72 -device pci-testdev
CONSOLE		:= console=ttyAMA0 earlycon

root-archs	:= arm64 armhf
root-packages	:= $(userland) libc6-dev:armhf
# Not Thumb: there, a pointer to a function is odd, and the function is not
cc-32		= arm-linux-gnueabihf-gcc -marm $(in-root)
cannot-build	:= proc-empty-vm
