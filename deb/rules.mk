# SPDX-License-Identifier: GPL-2.0
#
# The patched kernel as Debian packages, by the kernel's own bindeb-pkg. Included by the
# Makefile at the top.
#
#	$(build)/deb/FLAVOUR	the packages
#	$(build)/deb-FLAVOUR	what they are built in
#
# FLAVOUR=vm is small: the kernel that the tests run on.

# The configuration: Debian's of that flavour, or a file.
CONFIG_FILE	?=
FLAVOUR		?= $(if $(CONFIG_FILE),custom,cloud-amd64)
unexport CONFIG_FILE FLAVOUR
debs		:= $(addprefix $(build)/deb-,$(sort $(FLAVOUR) vm))

# The release is 6.1.192-procmap-cloud-amd64, say, which no kernel of the distribution
# is called: the two have no file in common. The version is above all of Debian's
# 6.1.192, and below 6.1.193: the next update replaces linux-libc-dev.
# Who builds it, and when, is in what "uname -v" says.
$(debs:%=%/.config) $(debs:%=%.stamp): naming = LOCALVERSION=-procmap-$* \
	KDEB_PKGVERSION="$$($(MAKE) -s -C $(linux) kernelversion)+procmap-1" \
	KDEB_CHANGELOG_DIST=unstable

.PHONY: deb
deb: $(build)/deb-$(FLAVOUR).stamp ## build an installable kernel; FLAVOUR=cloud-amd64, or CONFIG_FILE=/boot/config-...
	@echo '  READY   in $(build)/deb/$(FLAVOUR). To have it beside the kernel that is there:'
	@echo '          apt install ./$(build)/deb/$(FLAVOUR)/*.deb'
	@echo '          libc-dev/ has the headers for programs, which replace those that are there.'

.PHONY: deb-packages
deb-packages: | packages
	$(Q)qemu/install-packages deb:

# Changes when another configuration is asked for.
$(filter-out %/deb-vm/base.config,$(debs:%=%/base.config)): \
		$(build)/deb-%/base.config: force
	$(Q)mkdir -p $(@D)
	$(Q)deb/base-config $(BASE) '$*' '$(CONFIG_FILE)' > $@.new
	$(Q)cmp -s $@.new $@ || mv $@.new $@

$(filter-out %/deb-vm/.config,$(debs:%=%/.config)): \
		$(build)/deb-%/.config: $(build)/deb-%/base.config \
		deb/package.config qemu/configure $(linux)/Makefile | deb-packages
	$(Q)$(step) CONFIG $@ $(build)/deb-$*-config.log qemu/configure -b $< \
		$(@D) deb/package.config -- \
		$(kmake) O=$(abspath $(@D))
	$(Q)touch $@

$(build)/deb-vm/.config: $(build)/deb-%/.config: qemu/kernel.config $(configs) \
		deb/package.config qemu/configure $(linux)/Makefile | deb-packages
	$(Q)$(step) CONFIG $@ $(build)/deb-$*-config.log qemu/configure \
		$(@D) qemu/kernel.config $(configs) deb/package.config -- \
		$(kmake) O=$(abspath $(@D))
	$(Q)touch $@

# About how many lines the kernel's make prints, going by those of cloud-amd64 and vm,
# but for the objects that are there from a build that was interrupted.
expected = $$(awk '/=y$$/ { n += 1.8 } /=m$$/ { n += 6.5 } END { print int(n + 1500) }' \
	$<) - $$(find $(build)/deb-$* -name '*.o' | wc -l)

$(debs:%=%.stamp): $(build)/deb-%.stamp: $(build)/deb-%/.config $(build)/tree.stamp
	+$(Q)$(step) -n $$(($(expected))) DEB $(build)/deb-$* $(build)/deb-$*.log \
		$(kmake) $(jobs) O=$(abspath $(build)/deb-$*) bindeb-pkg
	$(Q)rm -rf $(build)/deb/$*
	$(Q)mkdir -p $(build)/deb/$*/libc-dev
	$(Q)cd $(build) && sed -n 's/ .*//; /\.deb$$/p' deb-$*/debian/files | \
		xargs mv -t deb/$*
	$(Q)mv $(build)/deb/$*/linux-libc-dev_* $(build)/deb/$*/libc-dev
	$(Q)rm -f $(build)/*.buildinfo $(build)/*.changes
	$(Q)touch $@

.PHONY: test-deb
test-deb: $(build)/deb-vm.stamp $(guest)/initramfs $(headers).stamp ## build a small package, and run the selftests on the kernel that is in it
	$(Q)deb/test $(BASE) $(build)/deb/vm $(headers) -t 900 -r $(guest)/initramfs
