# SPDX-License-Identifier: GPL-2.0
#
# The front door. "make help" lists what there is.

# What to build for: a folder of patches/.
BASE	?= 6.1
# The machine that it runs on, which QEMU emulates: a file of qemu/arch/.
ARCH	?= x86_64
# A kernel tree of your own, instead of Debian's linux-source-$(BASE).
KSRC	?=
# The kernel that "make apply" is for. DRY=1 only tells what it would do; so does any
# value but 0, n and no.
TREE	?=
DRY	?=
# "debug" for the kernel that looks for bugs (qemu/debug.config).
CONFIG	?=
# "objects": "make lint" only compiles what the series changes.
LINT	?=
# 1: show the commands, the kernel's log, everything.
V	?= 0

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

bases	:= $(notdir $(shell ls -dv patches/[0-9]*))
ifeq ($(filter $(BASE),$(bases)),)
$(error no base "$(BASE)": there are $(bases))
endif

# Those whose kernel has the ioctl: their series is of patches to mainline's code.
mainline := $(patsubst patches/%/kernels,%,$(shell \
	grep -l '^has.PROCMAP_QUERY' patches/*/kernels))
archs	:= $(patsubst qemu/arch/%.mk,%,$(wildcard qemu/arch/*.mk))
ifeq ($(filter $(ARCH),$(archs)),)
$(error no ARCH "$(ARCH)": there are $(archs))
endif

build	:= build/$(BASE)
Q	:= $(if $(filter 1,$(V)),,@)

# Every file of the project that a template may bring in.
parts	:= $(shell find fs include lib Documentation/filesystems tools/testing \
	MAINTAINERS patches/[0-9]*/*.message patches/[0-9]*/*.c -type f)

series_of = $(patsubst patches/$(1)/%.patch.in,build/$(1)/series/%.patch,\
	$(wildcard patches/$(1)/*.patch.in))
cover_of = $(patsubst patches/$(1)/%.in,build/$(1)/series/%.txt,\
	$(wildcard patches/$(1)/0000-cover-letter.in))
series	:= $(foreach base,$(bases),$(call series_of,$(base)) $(call cover_of,$(base)))

include qemu/rules.mk
include qemu/bench.mk
include qemu/mutants.mk
include deb/rules.mk

.PHONY: help
ifeq ($(BASES),1)
help:
	@patches/bases
else
help:
	@echo 'make [BASE=$(BASE)] [ARCH=$(ARCH)] [KSRC=DIR] [CONFIG=debug] [V=1] TARGET'
	@echo
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14
	@echo
	@echo 'Bases: $(bases) (make help BASES=1 tells more)'
	@echo 'Architectures: $(archs)'
endif

.PHONY: series
series: $(series) ## expand the patches of all bases to build/BASE/series, for git am
	@printf '  EXPAND  build/%s/series\n' $(bases)

# A base's folder of patches has no more than what its templates stand for.
$(foreach base,$(bases),$(shell cd build/$(base)/series 2>/dev/null && \
	rm -f $(filter-out $(notdir $(call series_of,$(base)) $(call cover_of,$(base))),\
	$(notdir $(wildcard build/$(base)/series/*)))))

build/%.patch: $(parts) patches/expand | patch-packages
	$(Q)mkdir -p $(@D)
	$(Q)patches/expand patches/$(subst /series/,/,$*).patch.in > $@

$(foreach base,$(bases),$(foreach patch,$(call series_of,$(base)),$(eval \
$(patch): $(patsubst build/$(base)/series/%,patches/$(base)/%.in,$(patch)) \
	patches/$(base))))

build/%/series/0000-cover-letter.txt: patches/%/0000-cover-letter.in patches/expand
	$(Q)patches/expand $< > $@

$(foreach base,$(bases),$(eval $(call cover_of,$(base)): $(call series_of,$(base))))

# What needs no kernel needs only these.
.PHONY: patch-packages
patch-packages:
	$(Q)qemu/install-packages git patchutils

.PHONY: tree
tree: $(build)/tree.stamp ## the base kernel with the series applied, in build/BASE/linux

$(build)/tree.stamp: $(call series_of,$(BASE)) patches/tree $(build)/ksrc | packages
	$(Q)KSRC='$(KSRC)' patches/tree $(BASE)
	$(Q)touch $@

# Changes when another KSRC is asked for.
$(build)/ksrc: force
	$(Q)mkdir -p $(@D)
	$(Q)echo '$(KSRC)' | cmp -s - $@ || echo '$(KSRC)' > $@

.PHONY: apply
apply: export TREE := $(TREE)
apply: export DRY := $(DRY)
apply: $(series) ## put the series on a kernel of yours: TREE=DIR; DRY=1 only tells
	$(Q)case "$$DRY" in '' | 0 | n | no) dry= ;; *) dry=-n ;; esac; \
	patches/apply $$dry $(if $(filter file,$(origin BASE)),,-b '$(BASE)') -- "$$TREE"

.PHONY: test-apply
test-apply: $(series) ## what apply does with trees of every kind
	$(Q)patches/test-apply

.PHONY: test-all
test-all: ## run the tests on every base, architecture and kind of kernel (a day); KSRC_6_6=DIR
	+$(Q)qemu/test-all

.PHONY: lint
lint: $(if $(filter objects,$(LINT)),,$(headers).stamp)
lint: $(build)/tree.stamp $(obj)/.config ## checkpatch, sparse, W=1, shellcheck, the header in C and C++
	$(Q)patches/lint $(BASE) $(obj)/.config '$(LINT)' ARCH=$(linux-arch) \
		$(addprefix CROSS_COMPILE=,$(cross))

.PHONY: check
check: ## test the library, procmap and the manual pages here, with the ioctl and without
	$(Q)qemu/install-packages binutils btrfs-progs gcc jq libc6-dev libdw-dev \
		strace xz-utils
	+$(Q)$(MAKE) -C tools/lib/procmap OUTPUT='$(CURDIR)/build/check/library' check
	+$(Q)$(MAKE) -C tools/procmap OUTPUT='$(CURDIR)/build/check' check
	+$(Q)$(MAKE) -C Documentation/man OUTPUT='$(CURDIR)/build/check' check

.PHONY: fuzz-tools
fuzz-tools: ## fuzz the parsers of the library, TIME=60 seconds each
	$(Q)qemu/install-packages clang libclang-rt-dev libc6-dev
	+$(Q)$(MAKE) -C tools/lib/procmap OUTPUT='$(CURDIR)/build/check/library' fuzz

.PHONY: deb-tools
deb-tools: ## build procmap, libprocmap1 and libprocmap-dev as Debian packages
	$(Q)qemu/install-packages build-essential debhelper libdw-dev lintian
	+$(Q)deb/tools/build build/deb-tools
	@echo '  READY   build/deb-tools'

.PHONY: test-deb-tools
test-deb-tools: deb-tools ## install them in a clean Debian 12, and use them there, as root
	$(Q)qemu/install-packages debootstrap
	$(Q)deb/tools/test build/deb-tools

.PHONY: man
man: ## show the manual pages
	$(Q)qemu/install-packages man-db
	$(Q)$(MAKE) -C Documentation/man man

.PHONY: install-man
install-man: ## install them, below prefix=/usr/local
	$(Q)$(MAKE) -C Documentation/man install

.PHONY: clean
clean: ## remove build/
	$(Q)rm -rf build

.PHONY: force
force:
