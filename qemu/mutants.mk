# SPDX-License-Identifier: GPL-2.0
#
# Whether the tests see bugs that are put into the kernel on purpose. Included by
# the Makefile at the top, after rules.mk.

# Objects of their own, so that no other build meets a bug.
mutants := $(out)/mutants

.PHONY: mutants
mutants: export SERIES := $(SERIES)
mutants: $(bootable) ## put small bugs into the kernel: does a test see each? SERIES=1: one of the series
	$(Q)rm -rf $(mutants) && cp -a $(obj) $(mutants)
	+$(Q)qemu/mutate $(abspath $(linux)) $(abspath $(mutants)) $(guest)/initramfs \
		$(MUTANTS) -- $(kmake) $(jobs) O=$(abspath $(mutants))
