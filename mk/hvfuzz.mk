# SPDX-License-Identifier: MIT
# The hypervisor as a program under libFuzzer: src/ without the machine, on test/hvfuzz's.
# docs/TESTING.md, "The hypervisor as a program". Included by the top Makefile.
#
#   fuzz-hv        FUZZ_SECONDS of it, from the corpus in the tree; part of `make fuzz`
#   fuzz-hvm       the same with hardware-assisted guests, half of the time by SVM, half by VMX
#   hvfuzz-replay  performs each input of the corpus once; INPUT=file: that one, in words
#   HVM=1, HVM=vmx, HVM=vmx0: with hardware-assisted guests, by SVM, VMX, VMX without VPID
#   hvfuzz-merge   what build/ has found and the tree has not, minimised, into the tree's corpus

HV_DIR := $(HOST_DIR)/hv
HV_BIN := $(HV_DIR)/hv_fuzz
HV_KIND := $(if $(filter vmx%,$(HVM)),_vmx,$(if $(HVM),_hvm))
HV_CORPUS := test/hvfuzz/corpus$(HV_KIND)
HV_FOUND := $(HV_DIR)/corpus$(HV_KIND)
HV_ENV := $(if $(HVM),HVFUZZ_HVM=$(HVM))

# Not the machine's part: its processors, consoles, decoders, and the end of the machine.
HV_WITHOUT := src/core/panic.c src/core/port.c src/core/symbols.c src/core/console.c \
              src/core/console_key.c src/core/domain_power.c src/pv/offsets.c \
              $(wildcard src/pure/unpack*.c)
HV_SRCS := $(filter-out $(HV_WITHOUT),$(wildcard src/base/*.c src/pure/*.c src/core/*.c src/pv/*.c \
           src/hvm/*.c src/abi/*.c)) src/arch/smp.c
# Between the markers: what a run may change (test/hvfuzz/machine.c).
HV_BETWEEN := test/hvfuzz/first.c $(HV_SRCS) test/hvfuzz/hwirq.c test/hvfuzz/last.c
HV_OBJS := $(HV_BETWEEN:%.c=$(HV_DIR)/%.o)
HV_OWN := $(patsubst %.c,$(HV_DIR)/%.o,$(filter-out $(HV_BETWEEN),$(wildcard test/hvfuzz/*.c)))

# A guest's address is kept in a pointer and never followed: the checks of pointers' values are off.
# Comparisons are not traced: records are not text.
HV_SAN := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
          -fno-sanitize=alignment,null,pointer-overflow -fno-sanitize-coverage=trace-cmp
HV_CFLAGS := -std=gnu11 -g -O1 -fno-omit-frame-pointer -fno-strict-aliasing -DWHEELER_DEBUG=1 \
             -Itest/hvfuzz/include -Isrc -Itest/hvfuzz -MMD -MP
# The sanitizers call the C library's.
HV_RENAME := -Dsched_yield=hv_sched_yield
HV_WRAP := page_zalloc page_zfree buddy_alloc buddy_free buddy_add_range buddy_take_dirty
HV_CFLAGS_lib := $(HOST_CFLAGS_lib)
HV_CFLAGS_abi_version = $(STAMP)

$(HV_DIR)/src/%.o: src/%.c mk/hvfuzz.mk
	@mkdir -p $(@D)
	@echo "  hv  $<"
	@$(HOST_CLANG) $(HV_CFLAGS) $(HV_RENAME) $(HOST_WARN) $(HV_SAN) $(HV_CFLAGS_$(*F)) \
	    -c -o $@ $<

# The machine and its audits are most of the work: not instrumented.
$(HV_DIR)/test/%.o: test/%.c mk/hvfuzz.mk
	@mkdir -p $(@D)
	@echo "  hv  $<"
	@$(HOST_CLANG) $(HV_CFLAGS) -O2 -D_GNU_SOURCE $(HOST_WARN) -c -o $@ $<

$(HV_BIN): $(HV_OBJS) $(HV_OWN)
	@$(HOST_CLANG) -fsanitize=fuzzer,address,undefined $(HV_WRAP:%=-Wl,--wrap=%) \
	    -Wl,--warn-unresolved-symbols -o $@ $^

-include $(HV_OBJS:.o=.d) $(HV_OWN:.o=.d)

HV_FLAGS := -max_len=1024 -timeout=20 -rss_limit_mb=2048 -verbosity=0

fuzz-hvm:
	@$(MAKE) --no-print-directory fuzz-hv HVM=1 FUZZ_SECONDS=$$(($(FUZZ_SECONDS) / 2))
	@$(MAKE) --no-print-directory fuzz-hv HVM=vmx FUZZ_SECONDS=$$(($(FUZZ_SECONDS) / 2))

.PHONY: fuzz-hv fuzz-hvm hvfuzz-replay hvfuzz-merge
fuzz-hv: $(HV_BIN)
	@mkdir -p $(HV_FOUND)
	@$(HV_ENV) $(HV_BIN) -max_total_time=$(FUZZ_SECONDS) $(HV_FLAGS) \
	    -artifact_prefix=$(HV_DIR)/ $(FUZZ_ARGS) $(HV_FOUND) $(HV_CORPUS) \
	    >$(HV_FOUND).log 2>&1 || \
	    { grep -v '^INFO' $(HV_FOUND).log | tail -n 150; echo "hv_fuzz: FAILED"; exit 1; }
	@echo "hv_fuzz$(HV_KIND:_%= (%)): $(FUZZ_SECONDS) s, nothing found"

fuzz: fuzz-hv

hvfuzz-replay: $(HV_BIN)
	@$(if $(INPUT),HVFUZZ_VERBOSE=1) $(HV_ENV) $(HV_BIN) -timeout=20 \
	    $(or $(INPUT),$(wildcard $(HV_CORPUS)/*))

hvfuzz-merge: $(HV_BIN)
	@$(HV_ENV) $(HV_BIN) -merge=1 -max_len=1024 $(HV_CORPUS) $(HV_FOUND)
