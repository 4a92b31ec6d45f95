// SPDX-License-Identifier: GPL-2.0
/* For the test of an example: a kernel without the ioctl (ld --wrap=ioctl). */
#include <errno.h>

int __wrap_ioctl(void);

int __wrap_ioctl(void)
{
	errno = ENOTTY;
	return -1;
}
