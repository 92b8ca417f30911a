# SPDX-License-Identifier: GPL-3.0-or-later
#
# ecsdns - DNS answers by client network, from inside the network driver
#
#   make              build everything below build/
#   sudo make demo    install what is missing, build, show the main job in a lab
#   sudo make check   install what is missing, build, run every test of CI
#   sudo make check-long   the large counts
#   sudo make ratio   answers of the driver a second, beside what a bare reflector does (tests/bench/ratio.sh)
#   sudo make servers answers of the fallback a second, beside gdnsd and NSD (tests/bench/servers.sh)
#   sudo make mix   200,000 queries of a busy server's mix: what the driver answers, what it passes up and why (tests/e2e/mix.sh)
#   make packages     install the Debian packages of packaging/packages.txt; test-packages: those of the tests, too
#   make install, uninstall, deb   into the system or below DESTDIR; as a Debian package (packaging/install.mk)
#   make lint         warnings of gcc, clang 14 and clang 19, as errors
#   make clean        remove build/
#   make help         this text
#
# Variables: CC, CLANG (for BPF), SANITIZE=1 (ASan and UBSan, below build/sanitize/), V=1 (show commands), FERRET (folder
# of the tests of ferret; tests/e2e/ferret.sh skips itself where it is absent)

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
# make -s says nothing, as everywhere
SAY := $(if $(findstring s,$(firstword -$(MAKEFLAGS))),@:,@echo)

WARNINGS := -Wall -Wextra -Wshadow $(WERROR)
CFLAGS ?= -O2 -g
ALL_CFLAGS := -std=gnu11 $(CFLAGS) $(WARNINGS) $(SANITIZERS) -fstack-protector-strong $(CPPFLAGS) -I. -I$(BUILD) -MMD -MP
BPF_CFLAGS := -target bpf -O2 -g $(WARNINGS) -I. -I/usr/include/$(shell uname -m)-linux-gnu -MMD -MP

# Where a target builds by itself what it needs.
JOBS := -j$(shell nproc)

PROGRAMS := ecsdns-loader ecsdns-controller ecsdns-fallback ecsctl

.PHONY: all packages test-packages demo check check-long ratio servers mix lint clean help
all: $(PROGRAMS:%=$(OBJ)/%)

# -- the XDP program ---------------------------------------------------------------------------------------------------

$(BUILD)/%.bpf.o: bpf/%.bpf.c | $(BUILD)/bpftool.ok
	$(SAY) "  BPF     $@"
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@
	$(Q)llvm-strip -g $@

$(BUILD)/%.bpf.o: tests/lab/%.bpf.c
	$(SAY) "  BPF     $@"
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(BUILD)/%.bpf.o: tests/bench/%.bpf.c
	$(SAY) "  BPF     $@"
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(SAY) "  SKEL    $@"
	$(Q)bpftool gen skeleton $< name $*_bpf > $@.new && mv $@.new $@

$(BUILD)/bpftool.ok:
	@mkdir -p $(@D)
	@command -v bpftool >/dev/null || { echo "bpftool is missing: run 'make packages' as root" >&2; exit 1; }
	@touch $@

# -- the programs ------------------------------------------------------------------------------------------------------

# Everything in user/ but the mains is one thin archive, from which each program and test takes what it calls.
LIBRARY := $(filter-out %/main.c,$(sort $(wildcard user/*/*.c)))
LOADER := $(sort $(wildcard tools/loader/*.c)) user/common/tables.c
ECSCTL := $(sort $(wildcard tools/ecsctl/*.c))
LIBS := -Wl,--as-needed -lxdp -lbpf -lmicrohttpd -luv -lcurl -lyaml -larchive -ljansson -lknot -lzscanner -lsodium -lcap -lseccomp -lsystemd -lpthread -lm

objects = $(patsubst %.c,$(OBJ)/%.o,$(1))

$(OBJ)/libecsdns.a: $(call objects,$(LIBRARY))
	$(Q)rm -f $@ && ar rcsT $@ $^

$(OBJ)/ecsdns-loader: $(call objects,$(LOADER))
$(OBJ)/ecsdns-controller: $(call objects,user/controller/main.c)
$(OBJ)/ecsdns-fallback: $(call objects,user/fallback/main.c)
$(OBJ)/ecsctl: $(call objects,$(ECSCTL))
$(OBJ)/ecsdns-controller $(OBJ)/ecsdns-fallback $(OBJ)/ecsctl: $(OBJ)/libecsdns.a
$(PROGRAMS:%=$(OBJ)/%):
	$(SAY) "  LINK    $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(OBJ)/%.o: %.c
	$(SAY) "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c $< -o $@
$(call objects,$(LOADER)): $(BUILD)/ecsdns.skel.h

# -- tests -------------------------------------------------------------------------------------------------------------

FERRET ?= ../shared/corpora/ferret
export FERRET

UNIT := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))

$(OBJ)/test_%: $(OBJ)/tests/unit/test_%.o $(OBJ)/libecsdns.a
	$(SAY) "  LINK    $@"
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $< $(OBJ)/libecsdns.a -lcmocka $(LIBS)

$(OBJ)/vectors-run: $(call objects,$(wildcard tests/vectors/*.c))
$(OBJ)/replay: $(call objects,$(wildcard tests/replay/*.c) $(filter-out $(patsubst %,tests/vectors/%.c,clock run driver server),$(wildcard tests/vectors/*.c)))
$(OBJ)/flood: $(call objects,tests/load/flood.c tests/load/ask.c tests/load/expect.c tests/load/judge.c)
$(OBJ)/freeze: $(call objects,tests/load/freeze.c)
$(OBJ)/checks-run: $(call objects,tests/checks/run.c)
$(OBJ)/flap: $(call objects,tests/load/flap.c tests/vectors/frame.c tests/vectors/program.c)
$(OBJ)/load: $(call objects,tests/bench/load.c)
$(call objects,tests/bench/load.c): $(BUILD)/load.skel.h
TOOLS := $(addprefix $(OBJ)/,vectors-run replay flood freeze checks-run flap load)
$(TOOLS): $(OBJ)/libecsdns.a
$(TOOLS):
	$(SAY) "  LINK    $@"
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $^ $(LIBS)

# clang's own runtime drives them; everything is compiled anew with its coverage.
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
$(BUILD)/fuzz/%: tests/fuzz/%.c $(LIBRARY)
	$(SAY) "  FUZZ    $@"
	@mkdir -p $(@D)
	$(Q)clang -std=gnu11 -g -O1 $(WARNINGS) -I. -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		-o $@ $< $(LIBRARY) $(LIBS)
.PHONY: fuzzers
fuzzers: $(FUZZERS)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# -- everything else ---------------------------------------------------------------------------------------------------

packages:
	@packaging/install.sh packaging/packages.txt

test-packages:
	@packaging/install.sh packaging/packages.txt packaging/packages-tests.txt

demo: packages
	@echo "building"
	@$(MAKE) --no-print-directory -s $(JOBS) all $(BUILD)/pass.bpf.o
	@tests/demo.sh

# In the order of what they lean on, two at once. Every one prints TAP; tests/run.sh counts and shows what failed.
E2E := \
	tests/e2e/answers.sh \
	tests/vectors/run.sh \
	tests/e2e/tcp.sh \
	tests/e2e/ferret.sh \
	tests/e2e/semantics.sh \
	tests/e2e/zones.sh \
	tests/e2e/resolvers.sh \
	tests/e2e/oracle.sh \
	tests/e2e/subnet.sh \
	tests/e2e/soak.sh \
	tests/e2e/agreement.sh \
	tests/e2e/mix.sh \
	tests/e2e/cookies.sh \
	tests/e2e/anycast.sh \
	tests/e2e/compliance.sh \
	tests/e2e/mutants.sh \
	tests/e2e/loader.sh \
	tests/e2e/ecsctl.sh \
	tests/e2e/operate.sh \
	tests/e2e/capture.sh \
	tests/e2e/push.sh \
	tests/e2e/life.sh \
	tests/e2e/upgrade.sh \
	tests/e2e/package.sh \
	tests/e2e/checks.sh \
	tests/e2e/health.sh \
	tests/e2e/admin.sh \
	tests/fuzz/run.sh \
	tests/e2e/kernel61.sh \
	tests/kernel61/test_vm.sh
CHECKS := tests/lint.sh tests/man.sh tests/docs.sh $(UNIT:%=$(BUILD)/sanitize/%) $(E2E)
# These measure times or rates. The unit tests among them run plain, too: their figures mean nothing under sanitizers.
ALONE := $(BUILD)/test_topology $(BUILD)/test_follow tests/e2e/flood.sh tests/e2e/flap.sh tests/e2e/orders.sh tests/e2e/capacity.sh \
	tests/e2e/metrics.sh

check: test-packages
	@echo "building"
	@$(MAKE) --no-print-directory -s $(JOBS) all tests-programs
	@$(MAKE) --no-print-directory -s $(JOBS) SANITIZE=1 all unit
	@tests/run.sh -j 2 $(CHECKS) --alone $(ALONE)

check-long: test-packages
	@echo "building"
	@$(MAKE) --no-print-directory -s $(JOBS) all tests-programs
	@$(MAKE) --no-print-directory -s $(JOBS) SANITIZE=1 all unit
	@ECSDNS_LONG=1 ECSDNS_PROPERTY=50000 TEST_TIMEOUT=3600 tests/run.sh -j 2 $(CHECKS) --alone $(ALONE)

.PHONY: unit tests-programs
unit: $(UNIT:%=$(OBJ)/%) $(OBJ)/checks-run
tests-programs: $(BUILD)/pass.bpf.o $(BUILD)/vectors-run $(BUILD)/replay $(BUILD)/flood $(BUILD)/freeze $(BUILD)/checks-run $(BUILD)/flap \
	$(BUILD)/test_topology $(BUILD)/test_follow

# To be run before and after a change to the query path; no part of check.
ratio: test-packages
	@$(MAKE) --no-print-directory -s $(JOBS) all $(BUILD)/pass.bpf.o $(BUILD)/load
	@tests/bench/ratio.sh

servers: test-packages
	@$(MAKE) --no-print-directory -s $(JOBS) all $(BUILD)/pass.bpf.o $(BUILD)/load
	@tests/bench/servers.sh

mix: test-packages
	@$(MAKE) --no-print-directory -s $(JOBS) all $(BUILD)/pass.bpf.o $(BUILD)/replay $(BUILD)/vectors-run
	@ECSDNS_LONG=1 tests/e2e/mix.sh

# Everything, with every compiler that is supported, warnings as errors.
lint:
	@tests/lint.sh

include packaging/install.mk

clean:
	rm -rf $(BUILD)

help:
	@sed -n '3,/^$$/{s/^# \{0,1\}//;p}' Makefile
