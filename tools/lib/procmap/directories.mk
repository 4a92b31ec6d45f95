# SPDX-License-Identifier: GPL-2.0
#
# Where things are installed, as the GNU coding standards have it. All of it is below
# DESTDIR, which may be relative to the directory of the Makefile that includes this.

prefix		?= /usr/local
exec_prefix	?= $(prefix)
bindir		?= $(exec_prefix)/bin
libdir		?= $(exec_prefix)/lib
includedir	?= $(prefix)/include
datarootdir	?= $(prefix)/share
datadir		?= $(datarootdir)
mandir		?= $(datarootdir)/man

ifneq ($(DESTDIR),)
override DESTDIR := $(abspath $(DESTDIR))
export DESTDIR
endif
export prefix exec_prefix bindir libdir includedir datarootdir datadir mandir
