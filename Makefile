# SPDX-License-Identifier: GPL-3.0-or-later
#
# ecsdns - DNS answers by client network, from inside the network driver
#
#   make              build everything below build/
#   sudo make demo    install what is missing, build, show the main job in a lab
#   sudo make check   install what is missing, build, run every test of CI
#   sudo make check-long   the large counts
#   make packages     install the Debian packages of packaging/packages.txt
#   make lint         warnings of gcc, clang 14 and clang 19, as errors
#   make clean        remove build/
#   make help         this text
#
# Variables: CC, CLANG (for BPF), SANITIZE=1 (ASan and UBSan, below build/sanitize/), V=1 (show commands)

CC ?= gcc
CLANG ?= clang
BUILD := build
ifdef SANITIZE
  OBJ := $(BUILD)/sanitize
  SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
else
  OBJ := $(BUILD)
endif
Q := $(if $(V),,@)

WARNINGS := -Wall -Wextra -Wshadow $(WERROR)
CFLAGS ?= -O2 -g
ALL_CFLAGS := -std=gnu11 $(CFLAGS) $(WARNINGS) $(SANITIZERS) -fstack-protector-strong -I. -MMD -MP
BPF_CFLAGS := -target bpf -O2 -g $(WARNINGS) -I. -I/usr/include/$(shell uname -m)-linux-gnu -MMD -MP

PROGRAMS := ecsdns-loader

.PHONY: all packages demo check check-long lint clean help
all: $(PROGRAMS:%=$(OBJ)/%)

# -- the XDP program ---------------------------------------------------------------------------------------------------

$(BUILD)/%.bpf.o: bpf/%.bpf.c | $(BUILD)/bpftool.ok
	@echo "  BPF     $@"
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@
	$(Q)llvm-strip -g $@

$(BUILD)/%.bpf.o: tests/lab/%.bpf.c
	@echo "  BPF     $@"
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(BUILD)/ecsdns.skel.h: $(BUILD)/ecsdns.bpf.o
	@echo "  SKEL    $@"
	$(Q)bpftool gen skeleton $< name ecsdns_bpf > $@.new && mv $@.new $@

$(BUILD)/bpftool.ok:
	@mkdir -p $(@D)
	@command -v bpftool >/dev/null || { echo "bpftool is missing: run 'make packages' as root" >&2; exit 1; }
	@touch $@

# -- the programs: sources in the order their work flows ---------------------------------------------------------------

COMMON := user/common/log.c user/common/tables.c

LOADER := tools/loader/main.c tools/loader/attach.c tools/loader/upgrade.c tools/loader/detach.c \
	tools/loader/status.c tools/loader/preflight.c tools/loader/interface.c tools/loader/hook.c tools/loader/pins.c \
	user/common/tables.c
LOADER_LIBS := -lxdp -lbpf -ljansson

CONFIGURATION := user/common/faults.c user/common/bundle.c $(wildcard user/common/zone*.c) \
	user/controller/config.c $(filter-out user/controller/config.c,$(wildcard user/controller/config_*.c)) \
	user/controller/rows.c user/controller/ids.c user/controller/topology.c user/controller/compile.c \
	$(wildcard user/controller/answers.c user/controller/existence.c user/controller/names.c)
CONTROLLER := $(sort $(wildcard user/controller/*.c) $(CONFIGURATION)) $(COMMON)
CONTROLLER_LIBS := -lbpf -lmicrohttpd -luv -lyaml -larchive -ljansson -lknot -lzscanner -lsodium

FALLBACK := $(wildcard user/fallback/*.c) user/common/faults.c user/common/bundle.c $(wildcard user/common/zone*.c) $(COMMON)
FALLBACK_LIBS := -lbpf -lyaml -larchive -ljansson -lknot -lzscanner -lcap -lpthread

ECSCTL := $(wildcard tools/ecsctl/*.c) $(CONFIGURATION)
ECSCTL_LIBS := -lcurl -lyaml -larchive -ljansson -lknot -lzscanner

objects = $(patsubst %.c,$(OBJ)/%.o,$(sort $(1)))

$(OBJ)/ecsdns-loader: $(call objects,$(LOADER))
$(OBJ)/ecsdns-controller: $(call objects,$(CONTROLLER))
$(OBJ)/ecsdns-fallback: $(call objects,$(FALLBACK))
$(OBJ)/ecsctl: $(call objects,$(ECSCTL))
$(OBJ)/ecsdns-loader: LIBS = $(LOADER_LIBS)
$(OBJ)/ecsdns-controller: LIBS = $(CONTROLLER_LIBS)
$(OBJ)/ecsdns-fallback: LIBS = $(FALLBACK_LIBS)
$(OBJ)/ecsctl: LIBS = $(ECSCTL_LIBS)
$(PROGRAMS:%=$(OBJ)/%):
	@echo "  LINK    $@"
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $^ $(LIBS)

$(OBJ)/%.o: %.c
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c $< -o $@
$(call objects,$(LOADER)): $(BUILD)/ecsdns.skel.h

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# -- everything else ---------------------------------------------------------------------------------------------------

packages:
	@packaging/install.sh

clean:
	rm -rf $(BUILD)

help:
	@sed -n '3,/^$$/{s/^# \{0,1\}//;p}' Makefile
