# SPDX-License-Identifier: MIT
# Host tests: src/pure and src/base, unchanged, under sanitizers. Included by the top Makefile;
# also usable alone: make -f mk/host.mk check
#
#   check          all test/unit/*_test.c with gcc, AddressSanitizer and UBSan
#   check-clang    the same with clang
#   check-tsan     the same with clang and ThreadSanitizer (tests with threads)
#   check-NAME     one program, test/unit/NAME_test.c (gcc); ARGS= selects cases
#   fuzz           each test/fuzz/*_fuzz.c for FUZZ_SECONDS
#   fuzz-NAME      one of them
#   native         decoder and emulator against this machine's processor; ARGS="seconds=60 seed=7"
#   coverage       line coverage of src/pure and src/base by the unit tests, per file
#
# HOST_EXCLUDE   sources that do not belong in the host library
# HOST_LIBS_x    extra linker words for program x (x = NAME_test or NAME_fuzz)
# HOST_CFLAGS_x  extra compiler words for the source with stem x

BUILD ?= build
FUZZ_SECONDS ?= 5
HOST_GCC ?= gcc
HOST_CLANG ?= clang
HOST_EXCLUDE ?=

# The payload decoders are the distribution's libraries (pure/unpack.h).
HOST_LIBS_unpack_test := -llzma -lz -lzstd -llz4
HOST_LIBS_unpack_fuzz := $(HOST_LIBS_unpack_test)

HOST_DIR := $(BUILD)/host
HOST_SRCS := $(filter-out $(HOST_EXCLUDE),$(wildcard src/base/*.c src/pure/*.c)) test/host/port.c
HOST_UNITS := $(patsubst test/unit/%_test.c,%,$(wildcard test/unit/*_test.c))
HOST_FUZZERS := $(patsubst test/fuzz/%_fuzz.c,%,$(wildcard test/fuzz/*_fuzz.c))

HOST_WARN := -Wall -Wextra -Werror -Wshadow -Wvla -Wmissing-prototypes -Wstrict-prototypes -Wundef
HOST_WARN_SRC := -Wconversion -Wsign-conversion
HOST_CFLAGS := -std=gnu11 -g -O1 -fno-omit-frame-pointer -fno-strict-aliasing -DWHEELER_DEBUG=1 \
               -Isrc -Itest -MMD -MP
HOST_SAN := -fsanitize=address,undefined -fno-sanitize-recover=all
HOST_CFLAGS_lib := -ffreestanding -include test/host/rename.h

HOST_CC_gcc := $(HOST_GCC) -Wno-maybe-uninitialized
HOST_SAN_gcc := $(HOST_SAN)
HOST_CC_clang := $(HOST_CLANG)
HOST_SAN_clang := $(HOST_SAN)
HOST_CC_tsan := $(HOST_CLANG)
HOST_SAN_tsan := -fsanitize=thread
HOST_CC_cov := $(HOST_GCC)
HOST_SAN_cov := --coverage
HOST_CC_fuzz := $(HOST_CLANG)
HOST_SAN_fuzz := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all

# One build: objects, a library of everything, a program per unit test. $(1) is its name.
define HOST_BUILD
HOST_OBJS_$(1) := $$(HOST_SRCS:%.c=$(HOST_DIR)/$(1)/%.o)

$(HOST_DIR)/$(1)/src/%.o: src/%.c mk/host.mk
	@mkdir -p $$(@D)
	@echo "  $(1)  $$<"
	@$$(HOST_CC_$(1)) $(HOST_CFLAGS) $(HOST_WARN) $(HOST_WARN_SRC) $$(HOST_SAN_$(1)) \
	    $$(HOST_CFLAGS_$$(*F)) -c -o $$@ $$<

$(HOST_DIR)/$(1)/test/%.o: test/%.c mk/host.mk
	@mkdir -p $$(@D)
	@echo "  $(1)  $$<"
	@$$(HOST_CC_$(1)) $(HOST_CFLAGS) $(HOST_WARN) $$(HOST_SAN_$(1)) \
	    $$(HOST_CFLAGS_$$(*F)) -c -o $$@ $$<

$(HOST_DIR)/$(1)/host.a: $$(HOST_OBJS_$(1))
	@rm -f $$@
	@ar rcs $$@ $$^

$(HOST_DIR)/$(1)/bin/%_test: $(HOST_DIR)/$(1)/test/unit/%_test.o \
        $(HOST_DIR)/$(1)/test/host/runner.o $(HOST_DIR)/$(1)/host.a
	@mkdir -p $$(@D)
	@$$(HOST_CC_$(1)) $$(HOST_SAN_$(1)) -o $$@ $$^ $$(HOST_LIBS_$$(@F)) -lpthread

.SECONDARY: $$(HOST_UNITS:%=$(HOST_DIR)/$(1)/test/unit/%_test.o) $(HOST_DIR)/$(1)/test/host/runner.o
-include $$(HOST_OBJS_$(1):.o=.d) $(HOST_DIR)/$(1)/test/host/runner.d
-include $$(HOST_UNITS:%=$(HOST_DIR)/$(1)/test/unit/%_test.d)
endef

$(foreach b,gcc clang tsan cov fuzz,$(eval $(call HOST_BUILD,$(b))))

HOST_BIN = $(HOST_UNITS:%=$(HOST_DIR)/$(1)/bin/%_test)

# Runs every program given, so that one failure does not hide another.
HOST_RUN = @rc=0; for t in $(1); do $$t || { rc=1; echo "$$t: FAILED"; }; done; exit $$rc

.PHONY: check check-clang check-tsan fuzz coverage
check: $(call HOST_BIN,gcc)
	$(call HOST_RUN,$^)

check-clang: $(call HOST_BIN,clang)
	$(call HOST_RUN,$^)

check-tsan: $(call HOST_BIN,tsan)
	$(call HOST_RUN,$^)

HOST_CHECK_ONE := $(filter-out check-clang check-tsan,$(HOST_UNITS:%=check-%))
.PHONY: $(HOST_CHECK_ONE)
$(HOST_CHECK_ONE): check-%: $(HOST_DIR)/gcc/bin/%_test
	@$< $(ARGS)

coverage: $(call HOST_BIN,cov)
	@find $(HOST_DIR)/cov -name '*.gcda' -delete
	$(call HOST_RUN,$^)
	@for f in $(filter src/%,$(HOST_SRCS)); do \
	    gcov -n -o $(HOST_DIR)/cov/$${f%.c}.o $$f 2>/dev/null | \
	    awk -v f=$$f '$$0 == "File \x27" f "\x27" { hit = 1; next } \
	        hit { sub(/^Lines executed:/, ""); printf "%-28s %s\n", f, $$0; exit }'; \
	done

# Fuzzing: new inputs go to the build folder, the seeds in the tree are only read.
$(HOST_DIR)/fuzz/bin/%_fuzz: $(HOST_DIR)/fuzz/test/fuzz/%_fuzz.o \
        $(HOST_DIR)/fuzz/test/host/fuzz.o $(HOST_DIR)/fuzz/host.a
	@mkdir -p $(@D)
	@$(HOST_CC_fuzz) -fsanitize=fuzzer,address,undefined -o $@ $^ $(HOST_LIBS_$(@F))

.SECONDARY: $(HOST_FUZZERS:%=$(HOST_DIR)/fuzz/test/fuzz/%_fuzz.o) $(HOST_DIR)/fuzz/test/host/fuzz.o
.SECONDARY: $(HOST_FUZZERS:%=$(HOST_DIR)/fuzz/bin/%_fuzz)
-include $(HOST_FUZZERS:%=$(HOST_DIR)/fuzz/test/fuzz/%_fuzz.d)

HOST_FUZZ_ONE := $(HOST_FUZZERS:%=fuzz-%)
.PHONY: $(HOST_FUZZ_ONE)
$(HOST_FUZZ_ONE): fuzz-%: $(HOST_DIR)/fuzz/bin/%_fuzz
	@mkdir -p $(HOST_DIR)/fuzz/corpus/$*
	@$< -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -verbosity=0 \
	    -artifact_prefix=$(HOST_DIR)/fuzz/$*- $(FUZZ_ARGS) $(HOST_DIR)/fuzz/corpus/$* \
	    $(wildcard test/fuzz/corpus/$*) >$(HOST_DIR)/fuzz/$*.log 2>&1 || \
	    { tail -n 60 $(HOST_DIR)/fuzz/$*.log; echo "$*_fuzz: FAILED"; exit 1; }
	@echo "$*_fuzz: $(FUZZ_SECONDS) s, nothing found"

fuzz: $(HOST_FUZZ_ONE)

# The decoder and the emulator against the processor of this machine: random instructions, carried
# out. No AddressSanitizer: it has the addresses below 4 GiB.
NATIVE_BIN := $(HOST_DIR)/native/x86_native
NATIVE_SRCS := $(wildcard test/native/*.c) src/pure/x86_decode.c src/pure/x86_emul.c \
               src/pure/ptwrite.c
$(NATIVE_BIN): $(NATIVE_SRCS) $(wildcard test/native/*.h) src/pure/x86_decode.h \
        src/pure/x86_emul.h src/pure/ptwrite.h mk/host.mk
	@mkdir -p $(@D)
	@echo "  native  $@"
	@$(HOST_GCC) $(filter-out -MMD -MP,$(HOST_CFLAGS)) -O2 -D_GNU_SOURCE $(HOST_WARN) \
	    -fno-stack-protector -fsanitize=undefined -fno-sanitize=alignment \
	    -fno-sanitize-recover=all -o $@ $(NATIVE_SRCS)

.PHONY: native
native: $(NATIVE_BIN)
	@$< $(ARGS)
