# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
#   make            build the programs into build/
#   make demo       show the product at work (root; installs what is missing)
#   make test       run every test (root; installs what is missing)
#   make test-vm    packet cases and traffic on Debian 12's own kernel, in an emulated machine (root)
#   make transfers  1 GB over one connection in each mode and pair of families (root)
#   make check      what needs no root: compilers, layout, format, include rules, unit tests
#   make bench      cost per packet above the floors, and peers: ROUNDS=N, ROWS=REGEX (root)
#   make bench-compare BASE=REV  the same rows of another revision's balancer, in turn (root)
#   make bench-profile  where the time of rows goes, by line of the program's source: ROW=NAME (root)
#   make bench-ipvs  IPVS beside Limpet on Debian's kernel, in an emulated machine: ratios (root)
#   make bench-control  the controller with 4,096 backends (root)
#   make fuzz       the program and a model of it, side by side: SEED=N, COUNT=N packets (root)
#   make fuzz-parse, fuzz-config, fuzz-api  libFuzzer: SECONDS=N
#   make churn      flows, clients and floods while everything changes (root)
#   make install    PREFIX, DESTDIR
#   make deb        Debian packages into build/deb (installs what building them needs)
#   make test-deb   installs, boots, upgrades and removes those in a clean Debian (root)

BUILD  ?= build
# One name for one directory: objects made under the other would not be known to depend on headers.
override BUILD := $(patsubst $(CURDIR)/%,%,$(BUILD))
CC     := gcc
CLANG  ?= clang
PREFIX ?= /usr/local
UNITDIR ?= $(PREFIX)/lib/systemd/system
ZSHDIR  ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d

CFLAGS   ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Werror
PACKAGES := libbpf libxdp libcap yaml-0.1 jansson libmicrohttpd libcurl libsystemd libmnl ncursesw
PKG_CFLAGS = $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
PKG_LIBS   = $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)
ALL_CFLAGS = -std=gnu11 -pthread $(WARNINGS) $(CPPFLAGS) $(CFLAGS) -I$(BUILD) -D_GNU_SOURCE $(PKG_CFLAGS)
# V=1 shows the commands.
Q         := $(if $(V),,@)
SAY        = @printf '  %-6s %s\n'
LINK       = $(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) -Wl,--as-needed $(PKG_LIBS)

MULTIARCH  = $(shell $(CC) -print-multiarch)
BPF_CFLAGS = -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Wshadow -Werror -I/usr/include/$(MULTIARCH) \
	-ffile-prefix-map=$(CURDIR)=.

# What is not in the library: main, and what each program says of its own build.
USER_SRC  = $(filter-out user/main.c user/build_info.c,$(wildcard user/*.c))
USER_OBJ  = $(patsubst %.c,$(BUILD)/obj/%.o,$(USER_SRC))
BUILD_INFO = $(BUILD)/obj/user/build_info.o
LBCTL_OBJ = $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tools/lbctl*.c tools/cmd_*.c) tools/pcapng.c)
LBLOAD_OBJ  = $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tools/lbload*.c tools/loader.c))
LBDECAP_OBJ = $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tools/lbdecap*.c tools/loader.c))
PROGRAMS  = $(addprefix $(BUILD)/,lbd lbctl lbload lbdecap)

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all demo deb test test-deb test-vm transfers check bench bench-compare bench-profile bench-ipvs bench-control fuzz churn churn-programs install clean deps
all: $(PROGRAMS)
	@:

# Asked for by the other name.
$(CURDIR)/$(BUILD)/%: $(BUILD)/% ;

# ---- packet programs ----

$(BUILD)/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h) | $(BUILD)/.exists
	$(SAY) BPF $@
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(SAY) SKEL $@
	$(Q)bpftool gen skeleton $< name $(subst .,_,$*)_bpf > $@

# For the laboratory of tests/netns and the demo.
LAB_OBJ = $(BUILD)/tests/pass.bpf.o
$(BUILD)/tests/%.bpf.o: tests/netns/%.bpf.c | $(BUILD)/.exists
	@mkdir -p $(dir $@)
	$(SAY) BPF $@
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

# ---- programs ----

$(BUILD)/obj/%.o: %.c | $(BUILD)/.exists
	@mkdir -p $(dir $@)
	$(SAY) CC $@
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

# The page that the program carries in itself.
$(BUILD)/obj/user/status_page.o $(BUILD)/asan/user/status_page.o: user/status_page.html

# The only sources that know the skeletons.
$(foreach o,dataplane dataplane_explain,$(BUILD)/obj/user/$(o).o $(BUILD)/asan/user/$(o).o): $(BUILD)/lb.skel.h
$(BUILD)/obj/user/dataplane_sweep.o $(BUILD)/asan/user/dataplane_sweep.o: $(BUILD)/sweep.skel.h
$(BUILD)/obj/user/dataplane_probe.o $(BUILD)/asan/user/dataplane_probe.o: $(BUILD)/probe.skel.h
$(BUILD)/obj/tools/lbdecap.o: $(BUILD)/decap.skel.h

$(BUILD)/liblimpet.a: $(USER_OBJ)
	$(SAY) AR $@
	$(Q)rm -f $@ && ar rcs $@ $^

# What only make knows of a build, for --version. The file is touched only when that has changed.
REVISION ?= $(if $(wildcard .git),$(shell git describe --always --dirty 2>/dev/null))
pkg_version = $(shell pkg-config --modversion $(1) 2>/dev/null)
define BUILD_FACTS
#define BUILD_REVISION "$(REVISION)"
#define BUILD_BPF_COMPILER "clang $(shell $(CLANG) -dumpversion)"
#define BUILD_LIBBPF "$(call pkg_version,libbpf)"
#define BUILD_LIBXDP "$(call pkg_version,libxdp)"
endef
$(BUILD)/build_facts.h: export BUILD_FACTS := $(BUILD_FACTS)
$(BUILD)/build_facts.h: always | $(BUILD)/.exists
	$(Q)echo "$$BUILD_FACTS" | cmp -s - $@ || echo "$$BUILD_FACTS" >$@
always: ;
.PHONY: always
$(BUILD_INFO) $(BUILD)/asan/user/build_info.o: $(BUILD)/build_facts.h

$(PROGRAMS): $(BUILD_INFO)
$(BUILD)/lbd: $(BUILD)/obj/user/main.o $(BUILD)/liblimpet.a
	$(SAY) LINK $@
	$(LINK)
$(BUILD)/lbctl: $(LBCTL_OBJ) $(BUILD)/liblimpet.a
	$(SAY) LINK $@
	$(LINK)
$(BUILD)/lbload: $(LBLOAD_OBJ) $(BUILD)/liblimpet.a
	$(SAY) LINK $@
	$(LINK)
$(BUILD)/lbdecap: $(LBDECAP_OBJ) $(BUILD)/liblimpet.a
	$(SAY) LINK $@
	$(LINK)

# ---- unit tests, under ASan and UBSan ----

SANITIZE  = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
ASAN_OBJ  = $(patsubst %.c,$(BUILD)/asan/%.o,$(USER_SRC))
UNIT      = $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))

$(BUILD)/asan/%.o: %.c | $(BUILD)/.exists
	@mkdir -p $(dir $@)
	$(SAY) CC $@
	$(Q)$(CC) $(ALL_CFLAGS) $(SANITIZE) -MMD -MP -c $< -o $@

# What bpf/env.h stands on there.
$(BUILD)/asan/tests/unit/%.o: ALL_CFLAGS += -Itests/host

$(BUILD)/asan/liblimpet.a: $(ASAN_OBJ)
	$(SAY) AR $@
	$(Q)rm -f $@ && ar rcs $@ $^

# Of a program, not of the library.
$(BUILD)/unit/test_lbctl_http: $(BUILD)/asan/tools/lbctl_http.o

$(BUILD)/unit/%: $(BUILD)/asan/tests/unit/%.o $(BUILD)/asan/liblimpet.a
	@mkdir -p $(dir $@)
	$(SAY) LINK $@
	$(LINK) $(SANITIZE) -lcmocka

unit: $(UNIT)
.PHONY: unit

# lbd itself and lbctl, for tests/netns/leaks.bats.
$(BUILD)/asan/lbd: $(BUILD)/asan/user/main.o $(BUILD)/asan/user/build_info.o $(BUILD)/asan/liblimpet.a
$(BUILD)/asan/lbctl: $(patsubst $(BUILD)/obj/%,$(BUILD)/asan/%,$(LBCTL_OBJ) $(BUILD_INFO)) $(BUILD)/asan/liblimpet.a
$(BUILD)/asan/lbd $(BUILD)/asan/lbctl:
	$(SAY) LINK $@
	$(LINK) $(SANITIZE)

# ---- the rules against a statement of stickiness: random histories, directed ones ----

SIM     = $(addprefix $(BUILD)/tests/sim/,histories clauses)
SIM_OBJ = $(addprefix $(BUILD)/asan/user/,slots.o maglev.o siphash.o pin_judge.o)

$(BUILD)/asan/tests/sim/%.o: ALL_CFLAGS += -Itests/host

$(BUILD)/tests/sim/%: $(BUILD)/asan/tests/sim/%.o $(SIM_OBJ)
	@mkdir -p $(dir $@)
	$(SAY) LINK $@
	$(Q)$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) -o $@ $^

sim: $(SIM)
.PHONY: sim

# Drives one module in a namespace (tests/netns/neighbour.bats).
$(BUILD)/tests/neighbour_watch: $(BUILD)/asan/tests/netns/neighbour_watch.o $(BUILD)/asan/liblimpet.a
	@mkdir -p $(dir $@)
	$(LINK) $(SANITIZE)

# Many connections at a time (tests/netns/nat.bats).
$(BUILD)/tests/many: $(BUILD)/obj/tests/netns/many.o
	@mkdir -p $(dir $@)
	$(SAY) LINK $@
	$(LINK)

# A pool's table, slot by slot (tests/netns/what_if.bats).
$(BUILD)/tests/table: $(BUILD)/obj/tests/netns/table.o $(BUILD)/liblimpet.a
	@mkdir -p $(dir $@)
	$(SAY) LINK $@
	$(LINK)

# ---- lbd killed between two writes (tests/netns/crash.bats) ----

CRASH = $(BUILD)/tests/kill_at.so $(BUILD)/tests/agree

$(BUILD)/tests/kill_at.so: tests/crash/kill_at.c | $(BUILD)/.exists
	@mkdir -p $(dir $@)
	$(SAY) LINK $@
	$(Q)$(CC) -std=gnu11 $(WARNINGS) $(CFLAGS) -D_GNU_SOURCE -fPIC -shared -o $@ $<

$(BUILD)/tests/agree: $(BUILD)/obj/tests/crash/agree.o $(BUILD)/liblimpet.a
	@mkdir -p $(dir $@)
	$(SAY) LINK $@
	$(LINK)

# ---- packet cases, on the real program ----

# tests/packet/program.c puts another program in.
$(BUILD)/tests/packet: LDFLAGS += -Wl,--wrap=bpf_object__open_skeleton
$(BUILD)/tests/packet: $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/packet/*.c)) $(BUILD)/liblimpet.a
	@mkdir -p $(dir $@)
	$(SAY) LINK $@
	$(LINK)

$(BUILD)/obj/tests/verifier.o: $(addprefix $(BUILD)/,lb.skel.h sweep.skel.h decap.skel.h probe.skel.h)

$(BUILD)/tests/verifier: $(BUILD)/obj/tests/verifier.o
	@mkdir -p $(dir $@)
	$(SAY) LINK $@
	$(LINK)

# ---- the program and a model of it, side by side on generated packets ----

$(BUILD)/tests/fuzz: LDFLAGS += -Wl,--wrap=bpf_object__open_skeleton
$(BUILD)/tests/fuzz: $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/fuzz/*.c) tests/packet/program.c) $(BUILD)/liblimpet.a
	@mkdir -p $(dir $@)
	$(SAY) LINK $@
	$(LINK)

# ---- inputs by coverage: any bytes to the parser, the configuration, bodies of the API ----
# `make fuzz-parse` and so on run libFuzzer (clang's) from the kept inputs; `make check` only replays
# those, without it.

FUZZ_TARGETS = parse config api
FUZZ_MODEL   = $(wildcard tests/fuzz/model*.c)
FUZZ_PURE    = $(wildcard user/config*.c user/model*.c) $(addprefix user/,addr.c agent_words.c check.c duration.c fault.c json_text.c log.c maglev.c siphash.c slow_start.c)
FUZZ_FLAGS   = -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -Itests/host

$(BUILD)/asan/tests/fuzz/%.o: ALL_CFLAGS += -Itests/host
$(BUILD)/tests/replay_parse: $(patsubst %.c,$(BUILD)/asan/%.o,$(FUZZ_MODEL))
$(BUILD)/tests/replay_config $(BUILD)/tests/replay_api: $(BUILD)/asan/liblimpet.a
$(BUILD)/tests/replay_%: $(BUILD)/asan/tests/fuzz/targets/%.o $(BUILD)/asan/tests/fuzz/targets/replay.o
	@mkdir -p $(dir $@)
	$(SAY) LINK $@
	$(LINK) $(SANITIZE)
replays: $(addprefix $(BUILD)/tests/replay_,$(FUZZ_TARGETS))
.PHONY: replays

$(BUILD)/libfuzzer/%.o: %.c | $(BUILD)/.exists
	@mkdir -p $(dir $@)
	$(SAY) CC $@
	$(Q)$(CLANG) $(ALL_CFLAGS) $(FUZZ_FLAGS) -MMD -MP -c $< -o $@

$(BUILD)/tests/libfuzzer_parse: $(patsubst %.c,$(BUILD)/libfuzzer/%.o,$(FUZZ_MODEL))
$(BUILD)/tests/libfuzzer_config $(BUILD)/tests/libfuzzer_api: $(patsubst %.c,$(BUILD)/libfuzzer/%.o,$(FUZZ_PURE))
$(BUILD)/tests/libfuzzer_%: $(BUILD)/libfuzzer/tests/fuzz/targets/%.o
	@mkdir -p $(dir $@)
	$(SAY) LINK $@
	$(Q)$(CLANG) $(CFLAGS) -fsanitize=fuzzer,address,undefined -o $@ $(filter %.o,$^) -Wl,--as-needed $(PKG_LIBS)

# What is new is kept in $(BUILD), and is to be made small before it is kept for good (-merge=1).
$(addprefix fuzz-,$(FUZZ_TARGETS)): fuzz-%: deps
	$(Q)$(MAKE) --no-print-directory $(BUILD)/tests/libfuzzer_$*
	$(Q)mkdir -p $(BUILD)/corpus-$*
	$(Q)$(BUILD)/tests/libfuzzer_$* -max_total_time=$(or $(SECONDS),60) -max_len=4096 \
		-artifact_prefix=$(BUILD)/ $(BUILD)/corpus-$* tests/fuzz/corpus-$*

# ---- benchmark ----

$(BUILD)/bench.bpf.o: tests/bench/bench.bpf.c tests/bench/traffic.h | $(BUILD)/.exists
	$(SAY) BPF $@
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(BUILD)/obj/tests/bench/lane.o: $(BUILD)/bench.skel.h

BENCH_SRC = $(filter-out %.bpf.c,$(wildcard tests/bench/*.c))

$(BUILD)/tests/bench: $(patsubst %.c,$(BUILD)/obj/%.o,$(BENCH_SRC)) $(BUILD)/liblimpet.a
	@mkdir -p $(dir $@)
	$(SAY) LINK $@
	$(LINK)

# TCP connections through Limpet and its peers.
$(BUILD)/tests/streams: $(BUILD)/obj/tests/bench/peers/streams.o
	@mkdir -p $(dir $@)
	$(SAY) LINK $@
	$(LINK)

# The program is replaced while packets pass.
$(BUILD)/tests/replace: $(patsubst %,$(BUILD)/obj/tests/%.o,replace/replace control/rows \
		bench/lane bench/frame bench/balancer) $(BUILD)/liblimpet.a
	@mkdir -p $(dir $@)
	$(SAY) LINK $@
	$(LINK)

# The controller at its full size.
$(BUILD)/tests/control: $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/control/*.c)) $(BUILD)/liblimpet.a
	@mkdir -p $(dir $@)
	$(SAY) LINK $@
	$(LINK)

# ---- stickiness through change ----
# Whatever proves something leaves its rows in a file of $(BUILD)/churn; together they are churn.json.

CHURN = $(addprefix $(BUILD)/tests/churn_,client server flood entries)

$(BUILD)/tests/churn_client: $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/churn/client*.c))
$(BUILD)/tests/churn_server: $(BUILD)/obj/tests/churn/server.o
$(BUILD)/tests/churn_flood: $(BUILD)/obj/tests/churn/flood.o
$(BUILD)/tests/churn_entries: $(BUILD)/obj/tests/churn/entries.o
$(CHURN):
	@mkdir -p $(dir $@)
	$(SAY) LINK $@
	$(LINK)
churn-programs: $(LAB_OBJ) $(CHURN) $(BUILD)/tests/sim_churn

# In simulated time, on the rules over tables in memory (tests/host).
$(BUILD)/obj/tests/sim/%.o: ALL_CFLAGS += -Itests/host
SIM_CHURN_OBJ = $(patsubst %,$(BUILD)/obj/user/%.o,maglev siphash slots pin_judge)

$(BUILD)/tests/sim_churn: $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/sim/churn*.c)) $(SIM_CHURN_OBJ)
	@mkdir -p $(dir $@)
	$(SAY) LINK $@
	$(LINK)

# ---- the rest ----

$(BUILD)/.exists:
	mkdir -p $(BUILD)
	touch $@

deps:
	$(Q)tools/install-deps

check: deps
	$(Q)tests/run check

test: deps
	$(Q)tests/run all

deb:
	$(Q)tools/install-deps deb
	$(Q)tools/deb

test-deb: deps
	$(Q)tools/install-deps deb
	$(Q)tests/run deb

test-vm: deps
	$(Q)tools/install-deps vm
	$(Q)tests/run vm

# `make test` does the same with less.
transfers: deps
	$(Q)TRANSFER_MB=1000 tests/run netns transfers

demo: deps
	$(Q)$(MAKE) --no-print-directory all $(LAB_OBJ)
	$(Q)tools/demo $(if $(KEEP),--keep)

# 15 rounds take some ten minutes. ROWS leaves the peers out, but where it names them.
BENCH_OPTIONS = $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(ROWS),--rows '$(ROWS)')

bench: deps
	-$(Q)tools/install-deps peers
	$(Q)$(MAKE) --no-print-directory all
	$(Q)tests/bench/run $(BENCH_OPTIONS)
	$(Q)$(if $(and $(ROWS),$(if $(findstring peer,$(ROWS)),,no)),:,tests/bench/peers/run \
		$(or $(ROUNDS),7) 1 $(BUILD)/bench.json)
	$(Q)tests/bench/chart.py $(BUILD)/bench.json $(BUILD)/bench.svg

bench-compare: deps
	$(Q)tests/bench/compare $(or $(BASE),$(error BASE=REVISION is missing)) $(BENCH_OPTIONS)

bench-profile: deps
	$(Q)tools/install-deps profile
	$(Q)$(MAKE) --no-print-directory $(BUILD)/tests/bench
	$(Q)tests/bench/profile.py $(ROW)

bench-ipvs: deps
	$(Q)tools/install-deps vm
	$(Q)tests/bench/ipvs $(or $(ROUNDS),3)

bench-control: deps
	$(Q)tests/control/run
	$(Q)tests/replace/run 1000
	$(Q)jq -s '.[0] + {rows: (.[0].rows + .[1].rows)}' $(BUILD)/bench-control.json $(BUILD)/replace.json \
		>$(BUILD)/bench-control.whole && mv $(BUILD)/bench-control.whole $(BUILD)/bench-control.json

fuzz: deps
	$(Q)$(MAKE) --no-print-directory $(BUILD)/tests/fuzz
	$(Q)$(BUILD)/tests/fuzz --count $(or $(COUNT),10000000) $(if $(SEED),--seed $(SEED)) tests/fuzz/cases/*

churn: deps
	$(MAKE) --no-print-directory all churn-programs
	rm -f $(BUILD)/churn/*.json
	mkdir -p $(BUILD)/churn
	status=0; $(BUILD)/tests/sim_churn --json $(BUILD)/churn/sim.json || status=1; \
	tests/churn/run || status=1; \
	jq -s add $(BUILD)/churn/*.json >$(BUILD)/churn.json && exit $$status

install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/share/man/man5 \
		$(DESTDIR)$(PREFIX)/share/man/man8 $(DESTDIR)$(PREFIX)/share/limpet
	install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/sbin
	install -m 644 $(wildcard tools/man/*.5) $(DESTDIR)$(PREFIX)/share/man/man5
	install -m 644 $(wildcard tools/man/*.8) $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 644 $(wildcard tools/monitoring/*) $(DESTDIR)$(PREFIX)/share/limpet
	install -m 755 tools/completions/complete $(DESTDIR)$(PREFIX)/share/limpet
	for program in $(notdir $(PROGRAMS)); do \
		install -D -m 644 tools/completions/limpet.bash \
			$(DESTDIR)$(PREFIX)/share/bash-completion/completions/$$program && \
		install -D -m 644 tools/completions/limpet.fish $(DESTDIR)$(FISHDIR)/$$program.fish || exit; done
	install -D -m 644 tools/completions/_limpet $(DESTDIR)$(ZSHDIR)/_limpet
	install -d $(DESTDIR)$(UNITDIR) $(addprefix $(DESTDIR)$(PREFIX)/lib/,sysusers.d tmpfiles.d)
	for unit in lbd.service lbload@.service; do sed 's|@SBIN@|$(PREFIX)/sbin|g' tools/systemd/$$unit \
		>$(DESTDIR)$(UNITDIR)/$$unit || exit; done
	install -m 644 tools/systemd/sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/lbd.conf
	install -m 644 tools/systemd/tmpfiles.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/lbd.conf

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -path $(BUILD)/deb -prune -o -name '*.d' -print 2>/dev/null)
