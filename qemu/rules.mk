# SPDX-License-Identifier: GPL-2.0
#
# Trying the series: builds the kernel and what runs in it, and boots the two.
# Included by the Makefile at the top.
#
#	$(build)/headers	the UAPI headers of the patched tree, usr/include
#	$(build)/kernel		the kernel; kernel-debug with CONFIG=debug
#	$(build)/guest		what runs in the VM, the same for both

# The kernel's make must not take our variables for its own.
MAKEOVERRIDES :=
unexport BASE CONFIG KSRC
export V

linux	 := $(build)/linux
headers	 := $(build)/headers
flavour	 := kernel$(addprefix -,$(CONFIG))
obj	 := $(build)/$(flavour)
guest	 := $(build)/guest
bzImage	 := $(obj)/arch/x86/boot/bzImage
proc	 := $(linux)/tools/testing/selftests/proc

ifneq ($(filter-out debug,$(CONFIG)),)
$(error no CONFIG "$(CONFIG)": leave it out, or CONFIG=debug)
endif

# The same commands, from whatever folder: then ccache finds them again.
export CCACHE_BASEDIR := $(CURDIR)
ifeq ($(shell test -w "$$HOME" && echo y),)
export CCACHE_DIR ?= $(CURDIR)/build/ccache
endif
cc	 = $(if $(shell command -v ccache),ccache )gcc
jobs	 = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
kmake	 = $(MAKE) -C $(linux) $(if $(filter 1,$(V)),V=1) \
	CC='$(cc)' HOSTCC='$(cc)' $(naming)
naming	 = LOCALVERSION= KBUILD_BUILD_USER=vm KBUILD_BUILD_HOST=vm \
	KBUILD_BUILD_VERSION=1 \
	KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 1970'
step	 := qemu/step

.PHONY: packages
packages: | patch-packages
	$(Q)qemu/install-packages

# Kernels

fragments := qemu/kernel.config
ifeq ($(CONFIG),debug)
fragments += qemu/debug.config
# Coverage of the two files that the series adds code to, and of no other
profile	  := GCOV_PROFILE_task_mmu.o=y GCOV_PROFILE_buildid.o=y
endif

.PHONY: kernel
kernel: $(obj).stamp ## build it in build/BASE/kernel; CONFIG=debug in kernel-debug
	@echo '  READY   $(bzImage)'

# Older than the tree, unless the base kernel itself has changed
$(linux)/Makefile: $(build)/tree.stamp
	@:

$(obj)/.config: $(fragments) qemu/configure $(linux)/Makefile | packages
	$(Q)$(step) CONFIG $@ $(obj)-config.log qemu/configure $(obj) \
		$(fragments) -- $(kmake) O=$(abspath $(obj))
	$(Q)touch $@

$(obj).stamp: $(obj)/.config $(build)/tree.stamp
	+$(Q)$(step) $(if $(wildcard $(obj)/vmlinux),,-n 1400) KERNEL $(obj) \
		$(obj).log $(kmake) $(jobs) O=$(abspath $(obj)) $(profile) bzImage
	$(Q)touch $@

$(headers).stamp: $(build)/tree.stamp | packages
	+$(Q)$(step) HEADERS $(headers) $(headers).log \
		$(kmake) $(jobs) O=$(abspath $(headers)) headers
	$(Q)touch $@

# What runs in the VM

$(guest)/init $(guest)/run-tests: $(guest)/%: qemu/%.c | packages
	$(Q)$(step) CC $@ $@.log gcc -O2 -Wall -Wextra -static -o $@ $<

$(guest)/gen_init_cpio: $(linux)/usr/gen_init_cpio.c | packages
	$(Q)$(step) HOSTCC $@ $@.log gcc -O2 -o $@ $<

$(linux)/usr/gen_init_cpio.c: $(build)/tree.stamp
	@:

tool-tests := libprocmap-test libprocmap-test_32 procmap-test procmap-text-test \
	procmap-test_32

# The kselftests of the tree, and as 32-bit programs those that test the ABI: as
# USERCFLAGS=-m32 would make them, which old trees do not know. Beside them the tests
# that are ours alone. The tree's Makefile knows nothing of the headers it includes.
programs_32 := proc-maps-query proc-maps-query-text

$(guest)/proc-tests.stamp: qemu/rules.mk $(headers).stamp $(wildcard qemu/tests/*)
	$(Q)[ -z "$$(find qemu/rules.mk $(proc)/*.h \
		$(headers)/usr/include/linux/fs.h -newer $@ 2>&1)" ] || rm -rf $(guest)/proc-tests $(guest)/proc-tests-32
	$(Q)mkdir -p $(guest)/proc-tests $(guest)/proc-tests-32
	+$(Q)$(step) TESTS $(guest)/proc-tests $(guest)/proc-tests.log \
		$(MAKE) $(jobs) -C $(proc) OUTPUT=$(abspath $(guest))/proc-tests \
		KHDR_INCLUDES='-isystem $(abspath $(headers))/usr/include'
	+$(Q)$(step) TESTS $(guest)/proc-tests-32 $(guest)/proc-tests-32.log \
		$(MAKE) $(jobs) -C $(proc) OUTPUT=$(abspath $(guest))/proc-tests-32 \
		KHDR_INCLUDES='-isystem $(abspath $(headers))/usr/include' \
		CC='gcc -m32 -static' $(programs_32:%=$(abspath $(guest))/proc-tests-32/%)
	+$(Q)$(step) TESTS $(guest)/qemu-tests $(guest)/qemu-tests.log \
		$(MAKE) $(jobs) -C qemu/tests OUTPUT=$(abspath $(guest))/proc-tests \
		SELFTESTS=$(abspath $(proc)/..) HEADERS=$(abspath $(headers))/usr/include
	$(Q)$(foreach name,$(programs_32),cp $(guest)/proc-tests-32/$(name) \
		$(guest)/proc-tests/$(name)_32 &&) true
	$(Q)$(MAKE) -s -C $(proc) OUTPUT=$(abspath $(guest))/proc-tests \
		emit_tests | sed 's/.*://' > $(guest)/proc-tests/list.new
	$(Q)printf '%s\n' $(programs_32:%=%_32) >> $(guest)/proc-tests/list.new
	$(Q)cat $(guest)/proc-tests/ours >> $(guest)/proc-tests/list.new
	$(Q)printf '%s\n' $(tool-tests) manual-test >> $(guest)/proc-tests/list.new
	$(Q)mv $(guest)/proc-tests/list.new $(guest)/proc-tests/list
	$(Q)touch $@

# The library and procmap, with what their own tests need; as 32-bit programs too
tools	:= $(addprefix $(guest)/,library library_32 tool tool_32)

$(guest)/library%stamp: source = tools/lib/procmap
$(guest)/tool%stamp:	source = tools/procmap
$(guest)/%_32.stamp:	compiler = CC='$(cc) -m32'

$(tools:%=%.stamp): $(guest)/%.stamp: $(shell find tools/lib/procmap tools/procmap \
		-type f) | packages
	+$(Q)$(step) TOOL $(guest)/$* $(guest)/$*.log \
		$(MAKE) -C $(source) OUTPUT=$(abspath $(guest))/$*/ $(compiler) tests
	$(Q)touch $@

$(guest)/manual.stamp: $(shell find Documentation/man -type f) \
		tools/lib/procmap/tests/target.c include/uapi/linux/fs.h | packages
	+$(Q)$(step) MANUAL $(guest)/manual/examples $(guest)/manual.log \
		$(MAKE) -C Documentation/man OUTPUT=$(abspath $(guest))/manual/ \
		examples
	$(Q)touch $@

$(guest)/demo: qemu/demo.c | packages
	$(Q)$(step) CC $@ $@.log gcc -O2 -Wall -Wextra -o $@ $< -lm -lz -lelf

$(guest)/build-ids: $(guest)/demo qemu/readelf-build-ids
	$(Q)qemu/readelf-build-ids $< /usr/bin/demo > $@

$(guest)/initramfs: qemu/rules.mk qemu/mkinitramfs qemu/demo.sh \
		qemu/hand-out-coverage.sh qemu/run-mutants qemu/procmap-test \
		qemu/manual-test $(guest)/gen_init_cpio $(guest)/init $(guest)/run-tests \
		$(guest)/proc-tests.stamp $(tools:%=%.stamp) \
		$(guest)/manual.stamp $(guest)/demo $(guest)/build-ids
	$(Q)$(step) CPIO $@ $@.log qemu/mkinitramfs $(guest)/gen_init_cpio $@ \
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
		$(guest)/tool_32/tests=/procmap/32/tests \
		$(guest)/tool_32/procmap=/procmap/32/procmap \
		$(guest)/library/tests=/procmap/library \
		$(guest)/library_32/tests=/procmap/library_32 \
		$(guest)/tool/procmap=/usr/bin/procmap \
		$(shell gcc -print-file-name=libstdc++.so.6)=/usr/lib/libstdc++.so.6 \
		/lib/ld-linux.so.2=/usr/lib/ld-linux.so.2 \
		$(shell gcc -m32 -print-file-name=libc.so.6)=/usr/lib32/libc.so.6 \
		$(guest)/manual/examples=/manual/examples \
		Documentation/man/test-examples=/manual/test-examples \
		$(guest)/demo=/usr/bin/demo \
		$(guest)/build-ids=/demo/build-ids \
		qemu/demo.sh=/demo/demo.sh \
		$(foreach program,bash readelf addr2line jq strace,$(shell \
			command -v $(program))=/usr/bin/$(program)) \
		$(foreach dir,$(wildcard /usr/lib/locale/C.*),$(dir)=$(dir)) \
		$$(PATH=$$PATH:/sbin command -v mke2fs)=/usr/sbin/mke2fs

# What is done with it

seconds	:= $(if $(CONFIG),900,300)
in_all	:= $(if $(CONFIG),3600,900)
boot	 = $(if $(CONFIG),-m 2G) -k $(bzImage) -r $(guest)/initramfs \
	-l $(obj)-console.log
bootable := $(obj).stamp $(guest)/initramfs

.PHONY: run
run: $(bootable) ## boot the VM and see the ioctl at work on a real process
	$(Q)qemu/boot $(boot) /demo/demo.sh

.PHONY: test
test: $(bootable) ## run the selftests in the VM; TESTS="NAME..." only those
	$(Q)qemu/test $(obj)-test.tap '$(BASE) $(or $(CONFIG),release)' $(seconds) \
		-t $(in_all) \
		$(if $(CONFIG),$(if $(TESTS),,-d $(obj)-gcov.tar)) $(boot)

# The base kernel as it is, where it has the ioctl: bench.mk builds it.
.PHONY: test-base
ifneq ($(filter $(mainline),$(BASE)),)
test-base: $(build)/unpatched/kernel.stamp $(guest)/initramfs
	$(Q)qemu/test $(build)/unpatched/test.tap '$(BASE) release unpatched' $(seconds) \
		-t $(in_all) -k $(build)/unpatched/kernel/arch/x86/boot/bzImage \
		-r $(guest)/initramfs -l $(build)/unpatched/console.log
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
	$(Q)qemu/boot -t $$(($(TIME) + 300)) $(boot) \
		/proc-tests/proc-maps-query-fuzz --time $(TIME) $(addprefix --seed ,$(SEED))

# A run of the tests leaves the counts behind.
$(obj)-gcov.tar: $(bootable)
	+$(Q)$(MAKE) BASE='$(BASE)' KSRC='$(KSRC)' CONFIG=debug test

.PHONY: coverage
coverage: $(obj)-gcov.tar
	$(Q)qemu/coverage $(linux) $(obj) $<
else
.PHONY: fuzz
fuzz: ## random queries for TIME=60 seconds, in the debug VM; SEED=N repeats a run
	+$(Q)$(MAKE) BASE='$(BASE)' KSRC='$(KSRC)' CONFIG=debug TIME='$(TIME)' \
		SEED='$(SEED)' $@

.PHONY: coverage
coverage: ## lines and branches of the series that the tests reach in the debug VM
	+$(Q)$(MAKE) BASE='$(BASE)' KSRC='$(KSRC)' CONFIG=debug $@
endif
