# SPDX-License-Identifier: GPL-2.0
#
# Whether the tests see bugs that are put into the kernel on purpose. Included by
# the Makefile at the top, after rules.mk.

# A tree and objects of their own, so that no other build meets a bug.
mutants := $(build)/mutants

.PHONY: mutants
mutants: private linux = $(mutants)/linux
mutants: $(bootable) ## put small bugs into the kernel one by one: does a test see each? (hours)
	$(Q)mkdir -p $(mutants)/kernel
	$(Q)[ -d $(mutants)/linux ] || git -C $(build)/linux worktree add -q \
		--detach $(abspath $(mutants))/linux
	$(Q)git -C $(mutants)/linux checkout -q --detach series
	$(Q)cp -p $(obj)/.config $(mutants)/kernel/.config
	+$(Q)qemu/mutate $(mutants)/linux $(mutants)/kernel $(guest)/initramfs \
		$(MUTANTS) -- $(kmake) $(jobs) O=$(abspath $(mutants)/kernel) bzImage
