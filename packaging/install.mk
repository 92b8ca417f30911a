# SPDX-License-Identifier: GPL-3.0-or-later
#
# Included by the Makefile:
#
#   make install      programs, units, manuals, completion, examples and documents below DESTDIR; docs/install.md goes on
#   make uninstall    what install has put there; never state or options
#   make deb          the Debian package, as build/deb/ecsdns_VERSION_ARCH.deb
#
# Variables: DESTDIR, PREFIX (/usr/local), and each of the places below

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/ecsdns
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
SYSCONFDIR ?= /etc

MANUALS = $(wildcard docs/man/*.[1-8])
COMPLETIONS = $(wildcard packaging/completion/*)
UNITS := ecsdns.target ecsdns-loader@.service ecsdns-controller.service ecsdns-fallback.service
UNITS_MADE := $(addprefix $(BUILD)/systemd/,$(UNITS) ecsdns-fallback-bridge.service)
DOCUMENTS = README.md CHANGELOG.md $(wildcard docs/*.md)
EXAMPLES = $(shell find examples -type f)


.PHONY: units install uninstall deb

# Anew each time: PREFIX may be another one.
units:
	@mkdir -p $(BUILD)/systemd
	@for unit in $(UNITS); do \
		sed -e 's,@sbindir@,$(SBINDIR),; s,@docdir@,$(DOCDIR),' packaging/systemd/$$unit >$(BUILD)/systemd/$$unit || exit; \
	done
	@sed -e 's/^Description=.*/Description=ecsdns: in the place of the fallback while that is replaced/' -e 's/^Restart=.*/Restart=no/' \
		$(BUILD)/systemd/ecsdns-fallback.service >$(BUILD)/systemd/ecsdns-fallback-bridge.service

install: all units
	install -d $(addprefix $(DESTDIR),$(BINDIR) $(SBINDIR) $(DOCDIR)/examples $(UNITDIR) $(SYSUSERSDIR) $(TMPFILESDIR) \
		$(SYSCONFDIR)/default)
	install $(OBJ)/ecsctl $(DESTDIR)$(BINDIR)
	install $(addprefix $(OBJ)/,$(filter-out ecsctl,$(PROGRAMS))) $(DESTDIR)$(SBINDIR)
	install -m 0644 $(UNITS_MADE) $(DESTDIR)$(UNITDIR)
	install -m 0644 packaging/systemd/ecsdns.sysusers $(DESTDIR)$(SYSUSERSDIR)/ecsdns.conf
	install -m 0644 packaging/systemd/ecsdns.tmpfiles $(DESTDIR)$(TMPFILESDIR)/ecsdns.conf
	test -e $(DESTDIR)$(SYSCONFDIR)/default/ecsdns || \
		install -m 0644 packaging/systemd/ecsdns.default $(DESTDIR)$(SYSCONFDIR)/default/ecsdns
	install -m 0644 $(DOCUMENTS) $(DESTDIR)$(DOCDIR)
	for file in $(EXAMPLES); do install -D -m 0644 $$file $(DESTDIR)$(DOCDIR)/$$file || exit; done
	for page in $(MANUALS); do install -D -m 0644 -t $(DESTDIR)$(MANDIR)/man$${page##*.} $$page || exit; done
	for file in $(COMPLETIONS); do install -D -m 0644 -t $(DESTDIR)$(COMPLETIONDIR) $$file || exit; done

uninstall:
	rm -f $(DESTDIR)$(BINDIR)/ecsctl $(addprefix $(DESTDIR)$(SBINDIR)/,$(filter-out ecsctl,$(PROGRAMS))) \
		$(addprefix $(DESTDIR)$(UNITDIR)/,$(notdir $(UNITS_MADE))) \
		$(DESTDIR)$(SYSUSERSDIR)/ecsdns.conf $(DESTDIR)$(TMPFILESDIR)/ecsdns.conf \
		$(addprefix $(DESTDIR)$(COMPLETIONDIR)/,$(notdir $(COMPLETIONS))) \
		$(foreach page,$(MANUALS),$(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(page)))/$(notdir $(page)))
	rm -rf $(DESTDIR)$(DOCDIR)

deb:
	@packaging/deb.sh $(BUILD)/deb
