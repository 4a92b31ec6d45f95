# SPDX-License-Identifier: GPL-2.0
#
# Measuring the series, beside kernels that have the ioctl and are built with the
# same configuration. Included by the Makefile at the top, after rules.mk.

# A kernel tree of your own to measure too; it has to be clean (make mrproper).
PEER	?=

bench	:= $(out)/bench
# The kernel that has mainline's ioctl, as it is: the base itself before the series,
# or else Debian's 6.12. And what PEER names
peer	:= $(if $(filter $(mainline),$(BASE)),$(BASE),6.12)
unpatched := build/$(peer)$(arch-dir)/unpatched
unpatched_tree := build/$(peer)/unpatched/linux
peers	:= $(peer)=$(unpatched)/kernel $(if $(PEER),peer=build/peer$(arch-dir)/kernel)
peer_objs := $(foreach pair,$(peers),$(lastword $(subst =, ,$(pair))))

ifneq ($(filter bench%,$(MAKECMDGOALS)),)
ifneq ($(CONFIG),)
$(error the kernel that is measured is the plain one: leave out CONFIG=$(CONFIG))
endif
endif

bench_ready := $(obj).stamp $(guest)/bench-initramfs

.PHONY: bench bench-check bench-accept bench-profile
bench: $(bench_ready) $(peer_objs:=.stamp) ## measure ours, mainline's and PEER=DIR: build/BASE/bench/results.md
	$(Q)qemu/install-packages gnuplot-nox
	$(Q)qemu/bench run $(bench) $(guest)/bench-initramfs ours=$(obj) \
		$(peers)

bench-check: $(bench_ready) ## fail if a query takes 3% more instructions than in bench.expected
	$(Q)qemu/bench check $(bench) $(guest)/bench-initramfs $(obj)

bench-accept: $(bench_ready) ## write bench.expected anew, from what is measured
	$(Q)qemu/bench accept $(bench) $(guest)/bench-initramfs $(obj)

bench-profile: $(bench_ready) ## the instructions of a query, function by function (FUNCTION=NAME: one by one)
	$(Q)qemu/profile-query $(obj) $(guest)/bench-initramfs \
		$(guest)/proc-tests/proc-maps-query-bench $(FUNCTION)

$(guest)/bench-initramfs: qemu/mkinitramfs $(guest)/gen_init_cpio $(guest)/init \
		$(guest)/proc-tests.stamp
	$(Q)$(step) CPIO $@ $@.log qemu/mkinitramfs '$(roots)' $(guest)/gen_init_cpio $@ \
		$(guest)/init=/init \
		$(guest)/proc-tests/proc-maps-query-bench=/usr/bin/bench

$(unpatched_tree)/Makefile: | packages $(if $(filter $(BASE),$(peer)),$(build)/tree.stamp)
	$(Q)patches/tree -u $(peer)

# There may be changes in PEER, of which we know nothing.
build/peer$(arch-dir)/kernel.stamp: force

build/peer$(arch-dir)/kernel%: linux = $(PEER)
$(unpatched)/kernel%: linux = $(unpatched_tree)
$(unpatched)/kernel/.config: | $(unpatched_tree)/Makefile

$(peer_objs:=/.config): qemu/kernel.config $(configs) qemu/configure | packages
	$(Q)$(step) CONFIG $@ $(@D)-config.log qemu/configure $(@D) \
		qemu/kernel.config $(configs) -- $(kmake) O=$(abspath $(@D))
	$(Q)touch $@

$(peer_objs:=.stamp): %.stamp: %/.config
	+$(Q)$(step) $(if $(wildcard $(<D)/vmlinux),,-n 1400) KERNEL $(<D) \
		$(<D).log $(kmake) $(jobs) O=$(abspath $(<D)) $(notdir $(IMAGE))
	$(Q)touch $@
