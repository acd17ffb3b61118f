# dpp: every product goes to build/, nothing is built in place.
#
#   make            the programs, in build/bin/
#   make demo       the main job, with stages killed while it runs
#   make test       all tests        (ONLY=cli/listen, SAN=address,undefined,
#                                    KAFKA=3.9.2, KAFKA_BOOTSTRAP=host:port)
#   make check      style, layers, static analysis, manuals
#   make chaos N=…  the kill tests at length     make bench   the figures
#   make fuzz T=…   the fuzzers, T seconds each  make install prefix=… DESTDIR=…

CC ?= cc
prefix ?= /usr/local
VERSION := 0.1.0

B := build$(if $(SAN),/san)
ifdef SAN
DEBUG_FLAGS := -fsanitize=$(SAN) -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -O1
else
DEBUG_FLAGS := -O2 -D_FORTIFY_SOURCE=3
endif

CFLAGS ?= -g
ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE -DDPP_VERSION='"$(VERSION)"' \
	-DDPP_SHARE='"$(prefix)/share/dpp"' -Ilib \
	-Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wformat=2 -Wvla -Werror \
	-fstack-protector-strong -fPIE -fcf-protection \
	$(DEBUG_FLAGS) -MMD -MP $(CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed \
	$(if $(SAN),-fsanitize=$(SAN)) $(LDFLAGS)

PKGS := jansson yaml-0.1 libevent_core libcurl libcrypto rdkafka libsodium
LIBS = $(shell pkg-config --libs $(PKGS)) -ljq -lonig -lm -lpthread

# Short output: "CC file"; V=1 shows the commands.
Q := $(if $(V),,@)
SAY = $(if $(V),@:,@printf '%-4s %s\n')

LIB_OBJ := $(patsubst %.c,$B/obj/%.o,$(wildcard lib/*/*.c))
PROGRAMS := $(patsubst bin/%.c,$B/bin/%,$(wildcard bin/*.c))
UNITS := $(patsubst tests/unit/%.c,$B/unit/%,$(wildcard tests/unit/*.c))
TOOLS := $(patsubst tests/tools/%.c,$B/tools/%,$(wildcard tests/tools/*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$B/fuzz/%,$(wildcard tests/fuzz/*.c))
BENCHES := $(patsubst tests/bench/%.c,$B/bench/%,$(wildcard tests/bench/*.c))

.PHONY: all demo test check chaos bench fuzz install deps clean test-programs
.SECONDARY:
.DELETE_ON_ERROR:

all: $(PROGRAMS)
test-programs: all $(UNITS) $(TOOLS) $(FUZZERS) $(BENCHES)

$B/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(SAY) CC $<
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$B/libdpp.a: $(LIB_OBJ)
	$(SAY) AR $@
	@rm -f $@
	$(Q)$(AR) qcs $@ $^

$B/bin/%: $B/obj/bin/%.o $B/libdpp.a
	@mkdir -p $(@D)
	$(SAY) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$B/unit/%: $B/obj/tests/unit/%.o $B/libdpp.a
	@mkdir -p $(@D)
	$(SAY) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$B/tools/%: $B/obj/tests/tools/%.o $B/libdpp.a
	@mkdir -p $(@D)
	$(SAY) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# A fuzzer is LLVMFuzzerTestOneInput(); its main() is a loop over files, or with
# FUZZ=1 (tests/fuzz/run) libFuzzer's.
$B/fuzz/%: $B/obj/tests/fuzz/%.o $B/obj/tests/fuzz/driver/replay.o $B/libdpp.a
	@mkdir -p $(@D)
	$(SAY) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) $(if $(FUZZ),-fsanitize=fuzzer) -o $@ \
		$(if $(FUZZ),$(filter-out %/replay.o,$^),$^) $(LIBS)

$B/bench/%: $B/obj/tests/bench/%.o $B/libdpp.a
	@mkdir -p $(@D)
	$(SAY) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

deps:
	@tests/deps

demo: deps
	@$(MAKE) --no-print-directory all
	@DPP_BUILD=$B tests/demo

test: deps
	@$(MAKE) --no-print-directory test-programs
	@DPP_BUILD=$B tests/run $(ONLY)

check: deps
	@$(MAKE) --no-print-directory all
	@DPP_BUILD=$B tests/check

chaos: deps
	@$(MAKE) --no-print-directory test-programs
	@DPP_BUILD=$B tests/chaos $(N)

bench: deps
	@$(MAKE) --no-print-directory test-programs
	@DPP_BUILD=$B tests/bench/run

fuzz: deps
	@tests/fuzz/run $(T)

install: all
	install -d $(DESTDIR)$(prefix)/bin $(DESTDIR)$(prefix)/share/dpp
	install -m 755 $(PROGRAMS) $(DESTDIR)$(prefix)/bin
	cp -R share/. $(DESTDIR)$(prefix)/share/dpp
	for s in 1 5 7; do \
		install -d $(DESTDIR)$(prefix)/share/man/man$$s && \
		install -m 644 man/man$$s/*.$$s \
			$(DESTDIR)$(prefix)/share/man/man$$s || exit 1; \
	done

clean:
	rm -rf build

-include $(shell [ -d $B/obj ] && find $B/obj -name '*.d')
