# SPDX-License-Identifier: GPL-2.0
#
# Trying the series: builds the kernel and what runs in it, and boots the two.
# Included by the Makefile at the top.
#
#	$(build)/linux		the patched tree
#	$(out)/headers		its UAPI headers, usr/include
#	$(out)/kernel		the kernel; kernel-debug with CONFIG=debug
#	$(out)/guest		what runs in the VM, the same for both
#	build/root/ARCH		Debian packages of that architecture, unpacked

# The kernel's make must not take our variables for its own.
MAKEOVERRIDES :=
unexport ARCH BASE CONFIG KSRC
export V

# Another architecture has a folder of its own beside the tree that all build.
arch-dir := $(addprefix /,$(filter-out x86_64,$(ARCH)))
out	 := $(build)$(arch-dir)
linux	 := $(build)/linux
headers	 := $(out)/headers
flavour	 := kernel$(addprefix -,$(CONFIG))
obj	 := $(out)/$(flavour)
guest	 := $(out)/guest
proc	 := $(linux)/tools/testing/selftests/proc

ifneq ($(filter-out debug,$(CONFIG)),)
$(error no CONFIG "$(CONFIG)": leave it out, or CONFIG=debug)
endif

# What qemu/arch/ARCH.mk says, for some with what holds unless it says so:
#	linux-arch	ARCH of the kernel's make
#	kmake-arch	more for that make
#	cross		what the names of the compiler and its tools begin with
#	configs		what to add to kernel.config
#	IMAGE		the kernel, in the folder where it was built
#	QEMU		QEMU's command, with the machine and the CPU
#	CONSOLE		for the kernel's command line: where its log goes
#	TSC		likewise, for a clock that is fine enough where the CPU is emulated
#	QEMU_COUNT	more for QEMU's command line where instructions are counted
#	root-archs	Debian's names of the architectures that programs in the VM are for,
#	root-packages	and what of their packages is wanted in $(root)
#	root-of		the ARCH that has the same
#	roots		where the programs in the VM and their libraries come from
#	cc-guest	the compiler of programs for the VM, and of 32-bit programs
#	cc-32
#	cannot-build	kselftests of the kernel's own that are for other architectures
cross		:=
configs		:= qemu/arch/$(ARCH).config
root-of		:= $(ARCH)
root		= build/root/$(root-of)
roots		= $(root)
in-root		= --sysroot=$(abspath $(root))
cc-guest	= $(cross)gcc $(if $(cross),$(in-root))
# Not before gcc is installed
gcc-version	= $(shell gcc -dumpversion)
userland	:= bash binutils busybox-static e2fsprogs jq libc-bin libc6-dev libdw-dev \
	libelf-dev libstdc++6 strace

include qemu/arch/$(ARCH).mk

export IMAGE QEMU CONSOLE TSC QEMU_COUNT
# What build/accel remembers was found out with a kernel for x86-64.
ifneq ($(ARCH),x86_64)
export ACCEL	?= tcg
endif

# The same commands, from whatever folder: then ccache finds them again.
export CCACHE_BASEDIR := $(CURDIR)
ifeq ($(shell test -w "$$HOME" && echo y),)
export CCACHE_DIR ?= $(CURDIR)/build/ccache
endif
# Without it, a build that finds nothing in the cache takes half as long again.
export CCACHE_DEPEND := 1
# Not := as it is installed by the first run.
ccache	 = $(if $(shell command -v ccache),$(CURDIR)/qemu/cached )
jobs	 = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
# Not nm, which loads LLVM's plugin, where that is installed, for every object.
kmake	 = $(MAKE) -C $(linux) $(if $(filter 1,$(V)),V=1) \
	ARCH=$(linux-arch) $(addprefix CROSS_COMPILE=,$(cross)) $(kmake-arch) \
	CC='$(ccache)$(cross)gcc' NM=$(cross)gcc-nm HOSTCC='$(ccache)gcc' $(naming)
naming	 = LOCALVERSION= KBUILD_BUILD_USER=vm KBUILD_BUILD_HOST=vm \
	KBUILD_BUILD_VERSION=1 \
	KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 1970'
# exec: a signal that ends make reaches what make has started, and no more.
step	 := exec qemu/step

.PHONY: packages
packages: | patch-packages
	$(Q)qemu/install-packages
	$(Q)qemu/install-packages $(root-of):

# Changes when other packages are wanted.
$(root).list: force
	$(Q)mkdir -p $(@D)
	$(Q)echo '$(root-packages)' | cmp -s - $@ || echo '$(root-packages)' > $@

$(root).stamp: $(root).list qemu/unpack-root | packages
	@echo '  UNPACK  $(root): Debian packages of $(root-archs)'
	$(Q)qemu/unpack-root $(root) '$(root-archs)' $(root-packages)
	$(Q)touch $@

# Kernels

fragments := qemu/kernel.config $(configs)
ifeq ($(CONFIG),debug)
fragments += qemu/debug.config $(wildcard $(configs:.config=-debug.config))
# Coverage of the two files that the series adds code to, and of no other
profile	  := GCOV_PROFILE_task_mmu.o=y GCOV_PROFILE_buildid.o=y
endif

.PHONY: kernel
kernel: $(obj).stamp ## build it in build/BASE/kernel; CONFIG=debug in kernel-debug
	@echo '  READY   $(obj)/$(IMAGE)'

# Older than the tree, unless the base kernel itself has changed
$(linux)/Makefile: $(build)/tree.stamp
	@:

$(obj)/.config: $(fragments) qemu/configure $(linux)/Makefile | packages
	$(Q)$(step) CONFIG $@ $(obj)-config.log qemu/configure $(obj) \
		$(fragments) -- $(kmake) O=$(abspath $(obj))
	$(Q)touch $@

$(obj).stamp: $(obj)/.config $(build)/tree.stamp
	+$(Q)$(step) $(if $(wildcard $(obj)/vmlinux),,-n 1400) KERNEL $(obj) \
		$(obj).log $(kmake) $(jobs) O=$(abspath $(obj)) $(profile) $(notdir $(IMAGE))
	$(Q)touch $@

$(headers).stamp: $(build)/tree.stamp | packages
	+$(Q)$(step) HEADERS $(headers) $(headers).log \
		$(kmake) $(jobs) O=$(abspath $(headers)) headers
	$(Q)touch $@

# What runs in the VM

$(guest)/init $(guest)/run-tests: $(guest)/%: qemu/%.c | $(root).stamp
	$(Q)$(step) CC $@ $@.log $(cc-guest) -O2 -Wall -Wextra -static -o $@ $<

$(guest)/gen_init_cpio: $(linux)/usr/gen_init_cpio.c | packages
	$(Q)$(step) HOSTCC $@ $@.log gcc -O2 -o $@ $<

$(linux)/usr/gen_init_cpio.c: $(build)/tree.stamp
	@:

# For a Makefile that builds programs for the VM
for-guest = CC='$(cc-guest)' AR=$(cross)ar STRIP=$(cross)strip OBJCOPY=$(cross)objcopy

tool-tests := libprocmap-test procmap-test \
	$(if $(cc-32),libprocmap-test_32 procmap-test_32)

# The kselftests of the tree, and as 32-bit programs those that test the ABI: as
# USERCFLAGS=-m32 would make them, which old trees do not know. Beside them the tests
# that are ours alone. The tree's Makefile knows nothing of the headers it includes.
# Of the tree's UAPI, 32-bit programs get fs.h alone: the rest may be another architecture's.
programs_32 := $(if $(cc-32),proc-maps-query proc-maps-query-text)

$(guest)/proc-tests.stamp: qemu/rules.mk $(wildcard qemu/arch/*.mk) $(headers).stamp \
		$(wildcard qemu/tests/*) $(root).stamp
	$(Q)[ -z "$$(find qemu/rules.mk qemu/arch/*.mk $(root).stamp $(proc)/*.h \
		$(headers)/usr/include/linux/fs.h -newer $@ 2>&1)" ] || \
		rm -rf $(guest)/proc-tests $(guest)/proc-tests-32
	$(Q)mkdir -p $(guest)/proc-tests $(guest)/proc-tests-32/linux
	$(Q)cp $(headers)/usr/include/linux/fs.h $(guest)/proc-tests-32/linux
	$(Q)$(MAKE) -s -C $(proc) OUTPUT=$(abspath $(guest))/proc-tests \
		emit_tests | sed 's/.*://' $(cannot-build:%=| grep -vxF %) \
		> $(guest)/proc-tests/list.new
	+$(Q)$(step) TESTS $(guest)/proc-tests $(guest)/proc-tests.log \
		$(MAKE) $(jobs) -C $(proc) OUTPUT=$(abspath $(guest))/proc-tests \
		KHDR_INCLUDES='-isystem $(abspath $(headers))/usr/include' CC='$(cc-guest)' \
		$$(sed 's|^|$(abspath $(guest))/proc-tests/|' $(guest)/proc-tests/list.new)
	+$(Q)$(if $(programs_32),$(step) TESTS $(guest)/proc-tests-32 \
		$(guest)/proc-tests-32.log \
		$(MAKE) $(jobs) -C $(proc) OUTPUT=$(abspath $(guest))/proc-tests-32 \
		KHDR_INCLUDES='-isystem $(abspath $(guest))/proc-tests-32' \
		CC='$(cc-32) -static' $(programs_32:%=$(abspath $(guest))/proc-tests-32/%))
	+$(Q)$(step) TESTS $(guest)/qemu-tests $(guest)/qemu-tests.log \
		$(MAKE) $(jobs) -C qemu/tests OUTPUT=$(abspath $(guest))/proc-tests \
		CC='$(cc-guest)' SELFTESTS=$(abspath $(proc)/..) \
		HEADERS=$(abspath $(headers))/usr/include
	$(Q)$(foreach name,$(programs_32),cp $(guest)/proc-tests-32/$(name) \
		$(guest)/proc-tests/$(name)_32 && echo $(name)_32 \
		>> $(guest)/proc-tests/list.new &&) true
	$(Q)cat $(guest)/proc-tests/ours >> $(guest)/proc-tests/list.new
	$(Q)printf '%s\n' $(tool-tests) manual-test >> $(guest)/proc-tests/list.new
	$(Q)mv $(guest)/proc-tests/list.new $(guest)/proc-tests/list
	$(Q)touch $@

# The library and procmap, with what their own tests need; as 32-bit programs too
tools	:= $(addprefix $(guest)/,library tool $(if $(cc-32),library_32 tool_32))

$(guest)/library%stamp: source = tools/lib/procmap
$(guest)/tool%stamp:	source = tools/procmap
$(guest)/%_32.stamp:	for-guest += CC='$(cc-32)'

$(tools:%=%.stamp): $(guest)/%.stamp: $(shell find tools/lib/procmap tools/procmap \
		-type f) $(wildcard qemu/arch/*.mk) $(root).stamp
	+$(Q)$(step) TOOL $(guest)/$* $(guest)/$*.log \
		$(MAKE) -C $(source) OUTPUT=$(abspath $(guest))/$*/ $(for-guest) tests
	$(Q)touch $@

$(guest)/manual.stamp: $(shell find Documentation/man -type f) \
		tools/lib/procmap/tests/target.c include/uapi/linux/fs.h | $(root).stamp
	+$(Q)$(step) MANUAL $(guest)/manual/examples $(guest)/manual.log \
		$(MAKE) -C Documentation/man OUTPUT=$(abspath $(guest))/manual/ \
		$(for-guest) examples
	$(Q)touch $@

$(guest)/demo: qemu/demo.c | $(root).stamp
	$(Q)$(step) CC $@ $@.log $(cc-guest) -O2 -Wall -Wextra -o $@ $< -lm -lz -lelf

$(guest)/build-ids: $(guest)/demo qemu/readelf-build-ids
	$(Q)qemu/readelf-build-ids '$(roots)' $< /usr/bin/demo > $@

$(guest)/initramfs: qemu/rules.mk qemu/mkinitramfs qemu/libraries qemu/demo.sh \
		qemu/hand-out-coverage.sh qemu/run-mutants qemu/procmap-test \
		qemu/manual-test $(guest)/gen_init_cpio $(guest)/init $(guest)/run-tests \
		$(guest)/proc-tests.stamp $(tools:%=%.stamp) \
		$(guest)/manual.stamp $(guest)/demo $(guest)/build-ids
	$(Q)$(step) CPIO $@ $@.log qemu/mkinitramfs '$(roots)' \
		$(guest)/gen_init_cpio $@ \
		$(guest)/init=/init \
		$(guest)/run-tests=/usr/bin/run-tests \
		$(guest)/proc-tests=/proc-tests \
		qemu/hand-out-coverage.sh=/usr/bin/hand-out-coverage.sh \
		qemu/run-mutants=/usr/bin/run-mutants \
		$(tool-tests:%=qemu/procmap-test=/proc-tests/%) \
		qemu/manual-test=/proc-tests/manual-test \
		tools/procmap/completion=/procmap/completion \
		tools/procmap/tests/test.sh=/procmap/tests/test.sh \
		tools/procmap/tests/schema.jq=/procmap/tests/schema.jq \
		$(guest)/tool/tests=/procmap/native/tests \
		$(guest)/tool/procmap=/procmap/native/procmap \
		$(guest)/library/tests=/procmap/library \
		$(if $(cc-32),$(guest)/tool_32/tests=/procmap/32/tests \
			$(guest)/tool_32/procmap=/procmap/32/procmap \
			$(guest)/library_32/tests=/procmap/library_32) \
		$(guest)/tool/procmap=/usr/bin/procmap \
		$(shell $(cc-guest) -print-file-name=libstdc++.so.6)=/usr/lib/libstdc++.so.6 \
		$(guest)/manual/examples=/manual/examples \
		Documentation/man/test-examples=/manual/test-examples \
		$(guest)/demo=/usr/bin/demo \
		$(guest)/build-ids=/demo/build-ids \
		qemu/demo.sh=/demo/demo.sh \
		$(foreach program,bash readelf addr2line jq strace mke2fs, \
			$(program)=/usr/bin/$(program))

# What is done with it

seconds	:= $(if $(CONFIG),1200,600)
in_all	:= $(if $(CONFIG),3600,1800)
boot	 = $(if $(CONFIG),-m 2G) -k $(obj)/$(IMAGE) -r $(guest)/initramfs \
	-l $(obj)-console.log
bootable := $(obj).stamp $(guest)/initramfs

.PHONY: run
run: $(bootable) ## boot the VM and see the ioctl at work on a real process
	$(Q)qemu/boot $(boot) /demo/demo.sh

.PHONY: test
test: $(bootable) ## run the selftests in the VM; TESTS="NAME..." only those
	$(Q)qemu/test $(obj)-test.tap '$(BASE) $(or $(CONFIG),release) $(ARCH)' $(seconds) \
		-t $(in_all) \
		$(if $(CONFIG),$(if $(TESTS),,-d $(obj)-gcov.tar)) $(boot)

# The base kernel as it is, where it has the ioctl: bench.mk builds it.
.PHONY: test-base
ifneq ($(filter $(mainline),$(BASE)),)
test-base: $(out)/unpatched/kernel.stamp $(guest)/initramfs
	$(Q)qemu/test $(out)/unpatched/test.tap '$(BASE) release unpatched $(ARCH)' $(seconds) \
		-t $(in_all) -k $(out)/unpatched/kernel/$(IMAGE) \
		-r $(guest)/initramfs -l $(out)/unpatched/console.log
else
test-base: ## the same on the kernel before the series (BASE=6.12, 7.3): its faults are XFAIL
	$(error Linux $(BASE) has no PROCMAP_QUERY before the series: BASE=$(firstword $(mainline)))
endif

.PHONY: shell
shell: $(bootable) ## boot the VM to a prompt; exit ends it
	@echo '  SHELL   procmap is there, the tests in /proc-tests; exit ends the VM'
	$(Q)qemu/boot -i $(boot) /bin/sh -l

# Only in the debug kernel

TIME	?= 60

ifeq ($(CONFIG),debug)

.PHONY: fuzz
fuzz: $(bootable)
	$(Q)exec qemu/boot -t $$(($(TIME) + 300)) $(boot) \
		/proc-tests/proc-maps-query-fuzz --time $(TIME) $(addprefix --seed ,$(SEED))

# A run of the tests leaves the counts behind.
$(obj)-gcov.tar: $(bootable)
	+$(Q)$(MAKE) ARCH='$(ARCH)' BASE='$(BASE)' KSRC='$(KSRC)' CONFIG=debug test

.PHONY: coverage
coverage: $(obj)-gcov.tar
	$(Q)qemu/coverage $(linux) $(obj) $<
else
.PHONY: fuzz
fuzz: ## random queries for TIME=60 seconds, in the debug VM; SEED=N repeats a run
	+$(Q)$(MAKE) ARCH='$(ARCH)' BASE='$(BASE)' KSRC='$(KSRC)' CONFIG=debug TIME='$(TIME)' \
		SEED='$(SEED)' $@

.PHONY: coverage
coverage: ## lines and branches of the series that the tests reach in the debug VM
	+$(Q)$(MAKE) ARCH='$(ARCH)' BASE='$(BASE)' KSRC='$(KSRC)' CONFIG=debug $@
endif
