# SPDX-License-Identifier: GPL-2.0
#
# Whether the tests see bugs that are put into the kernel on purpose. Included by
# the Makefile at the top, after rules.mk.

# A copy of the objects, so that the kernel itself stays as it is; beside it, so that
# the way to the sources is the same and nothing is built anew.
mutants := $(build)/kernel-mutants

.PHONY: mutants
mutants: $(bootable) ## put small bugs into the kernel one by one: does a test see each? (hours)
	$(Q)[ -d $(mutants) ] || cp -a $(obj) $(mutants)
	+$(Q)qemu/mutate $(linux) $(mutants) $(guest)/initramfs $(MUTANTS) -- \
		$(kmake) $(jobs) O=$(abspath $(mutants)) bzImage
