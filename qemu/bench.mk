# SPDX-License-Identifier: GPL-2.0
#
# Measuring the series, beside kernels that have the ioctl and are built with the
# same configuration. Included by the Makefile at the top, after rules.mk.

# A kernel tree of your own to measure too; it has to be clean (make mrproper).
PEER	?=

bench	:= build/bench
# Debian's kernel as it is, with mainline's ioctl; and what PEER names
peers	:= 6.12 $(if $(PEER),peer)
peer_stamps := $(peers:%=build/%/kernel.stamp)

ifneq ($(filter bench%,$(MAKECMDGOALS)),)
ifneq ($(CONFIG),)
$(error the kernel that is measured is the plain one: leave out CONFIG=$(CONFIG))
endif
endif

bench_ready := $(obj).stamp $(guest)/bench-initramfs

.PHONY: bench bench-check bench-accept bench-profile
bench: $(bench_ready) $(peer_stamps) ## measure ours, Debian's 6.12 and PEER=DIR: build/bench/results.md
	$(Q)qemu/install-packages gnuplot-nox
	$(Q)qemu/bench run $(bench) $(guest)/bench-initramfs ours=$(obj) \
		$(foreach peer,$(peers),$(peer)=build/$(peer)/kernel)

bench-check: $(bench_ready) ## fail if a query takes 3% more instructions than in bench.expected
	$(Q)qemu/bench check $(bench) $(guest)/bench-initramfs $(obj)

bench-accept: $(bench_ready) ## write bench.expected anew, from what is measured
	$(Q)qemu/bench accept $(bench) $(guest)/bench-initramfs $(obj)

bench-profile: $(bench_ready) ## the instructions of a query, function by function (FUNCTION=NAME: one by one)
	$(Q)qemu/profile-query $(obj) $(guest)/bench-initramfs \
		$(guest)/proc-tests/proc-maps-query-bench $(FUNCTION)

$(guest)/bench-initramfs: qemu/mkinitramfs $(guest)/gen_init_cpio $(guest)/init \
		$(guest)/proc-tests.stamp
	$(Q)$(step) CPIO $@ $@.log qemu/mkinitramfs $(guest)/gen_init_cpio $@ \
		$(guest)/init=/init \
		$(guest)/proc-tests/proc-maps-query-bench=/usr/bin/bench

build/6.12/linux/Makefile: | packages
	$(Q)patches/tree 6.12

# There may be changes in PEER, of which we know nothing.
build/peer/kernel.stamp: force

build/6.12/kernel/.config build/6.12/kernel.stamp: linux = build/6.12/linux
build/peer/kernel/.config build/peer/kernel.stamp: linux = $(PEER)
build/6.12/kernel/.config: build/6.12/linux/Makefile

build/6.12/kernel/.config build/peer/kernel/.config: qemu/kernel.config \
		qemu/configure | packages
	$(Q)$(step) CONFIG $@ $(@D)-config.log qemu/configure $(@D) \
		qemu/kernel.config -- $(kmake) O=$(abspath $(@D))
	$(Q)touch $@

$(peer_stamps): build/%/kernel.stamp: build/%/kernel/.config
	+$(Q)$(step) $(if $(wildcard $(<D)/vmlinux),,-n 1400) KERNEL $(<D) \
		$(<D).log $(kmake) $(jobs) O=$(abspath $(<D)) bzImage
	$(Q)touch $@
