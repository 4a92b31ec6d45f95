# SPDX-License-Identifier: GPL-2.0
#
# ARCH=s390x: big-endian, with separate address spaces for the kernel and for programs.
# Its 32-bit programs have addresses of 31 bits.

linux-arch	:= s390
cross		:= s390x-linux-gnu-
IMAGE		:= arch/s390/boot/bzImage
QEMU		:= qemu-system-s390x -machine s390-ccw-virtio -cpu max
CONSOLE		:= console=ttyS1

root-archs	:= s390x
root-packages	:= $(userland) libc6-dev-s390
# Linux 6.12 runs 31-bit programs, 7.3 does not.
cc-32		= $(if $(filter 7.%,$(BASE)),,s390x-linux-gnu-gcc -m31 $(in-root))
cannot-build	:= proc-empty-vm
