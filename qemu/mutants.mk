# SPDX-License-Identifier: GPL-2.0
#
# Whether the tests see bugs that are put into the kernel on purpose. Included by
# the Makefile at the top, after rules.mk.

mutants := $(build)/mutants

.PHONY: mutants
mutants: linux = $(mutants)/linux
mutants: $(bootable) ## put small bugs into the kernel one by one: does a test see each? (hours)
	$(Q)mkdir -p $(mutants)
	$(Q)rm -rf $(mutants)/linux
	$(Q)cp -al $(build)/linux $(mutants)/linux
	$(Q)[ -d $(mutants)/kernel ] || cp -a $(obj) $(mutants)/kernel
	+$(Q)$(step) -n 1400 KERNEL $(mutants)/kernel $(mutants)/kernel.log \
		$(kmake) $(jobs) O=$(abspath $(mutants)/kernel) bzImage
	+$(Q)qemu/mutate $(mutants) $(guest)/initramfs $(MUTANTS) -- \
		$(kmake) $(jobs) O=$(abspath $(mutants)/kernel) bzImage
