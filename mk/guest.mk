# SPDX-License-Identifier: MIT
# Micro guests: tiny PV kernels, booted in dom0's place.
#
#   make guests                                          build/guest/NAME.elf
#   make guest-test [HV=xen] [TESTS="boot trap"] [CPU=max]   boot them all, PASS/FAIL for each
#   make guest-record [TESTS=...]    what Debian's Xen says, into test/guest/expected
#
# GUEST_DEFS_name: extra defines for the start of guest `name` (its notes).

BUILD ?= build
GUEST_CC ?= gcc
GUEST_DIR := $(BUILD)/guest
GUESTS := $(patsubst test/guest/%/main.c,%,$(wildcard test/guest/*/main.c))

PVH_GUESTS := $(filter pvh_%,$(GUESTS))

GUEST_DEFS_boot_p2m := -DGUEST_INIT_P2M=0x8000000000 -DGUEST_MOD_START_PFN
GUEST_DEFS_hypercall_page := -DGUEST_HYPERCALL_PAGE

GUEST_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -fno-pie -fno-pic -static -mno-red-zone \
    -mcmodel=kernel -mgeneral-regs-only -fno-stack-protector -fno-strict-aliasing \
    -fno-asynchronous-unwind-tables \
    -fcf-protection=none -fno-delete-null-pointer-checks -fno-tree-loop-distribute-patterns \
    -Wall -Wextra -Werror -Wshadow -Wvla -Wmissing-prototypes -Wstrict-prototypes -Wundef \
    -D__XEN_INTERFACE_VERSION__=0x00041100 -D__XEN_TOOLS__ -Itest/guest/lib
GUEST_LIB := $(patsubst test/guest/lib/%.c,$(GUEST_DIR)/lib/%.o,$(wildcard test/guest/lib/*.c))

.PHONY: guests guest-test guest-record
guests: $(GUESTS:%=$(GUEST_DIR)/%.elf)

$(GUEST_DIR)/lib/%.o: test/guest/lib/%.c mk/guest.mk
	@mkdir -p $(@D)
	@$(GUEST_CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

$(GUEST_DIR)/%/main.o: test/guest/%/main.c mk/guest.mk
	@mkdir -p $(@D)
	@$(GUEST_CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

$(GUEST_DIR)/%/start.o: test/guest/lib/start.S mk/guest.mk
	@mkdir -p $(@D)
	@$(GUEST_CC) $(GUEST_CFLAGS) $(GUEST_DEFS_$*) -D__ASSEMBLY__ -c -o $@ $<

$(PVH_GUESTS:%=$(GUEST_DIR)/%.elf) $(GUEST_DIR)/pvh_exits.elf \
    $(GUEST_DIR)/pvhlinux.elf: $(GUEST_DIR)/pvh/dom.o
$(GUEST_DIR)/%.elf: $(GUEST_DIR)/%/start.o $(GUEST_DIR)/%/main.o $(GUEST_LIB) \
        test/guest/lib/guest.lds
	@echo "  GUEST   $@"
	@ld -nostdlib -static -no-pie -z noexecstack -z max-page-size=4096 --no-warn-rwx-segments \
	    --build-id=none -T test/guest/lib/guest.lds -o $@ $(filter %.o,$^)

# PVH kernels, test/guest/pvh_NAME: flat, inside the micro dom0 that builds their domain.
PVH_BASE := $(patsubst %,$(GUEST_DIR)/pvh/%.o,entry pvh fault print probe event)
PVH_LIB := $(PVH_BASE) $(GUEST_DIR)/pvh/box.o
PVH_DEFS := '-DHYPERCALL_INSN="call pvh_hypercall"' -Itest/guest/pvh

# bench/pvhlinux.c: a micro dom0 that boots Linux.
$(GUEST_DIR)/pvhlinux/main.o: bench/pvhlinux.c mk/guest.mk
	@mkdir -p $(@D)
	@$(GUEST_CC) $(GUEST_CFLAGS) -Itest/guest/pvh -MMD -MP -c -o $@ $<
$(GUEST_DIR)/pvh/dom.o: test/guest/pvh/dom.c mk/guest.mk
	@mkdir -p $(@D)
	@$(GUEST_CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<
$(GUEST_DIR)/pvh/%.o: test/guest/pvh/%.c mk/guest.mk
	@mkdir -p $(@D)
	@$(GUEST_CC) $(GUEST_CFLAGS) $(PVH_DEFS) -MMD -MP -c -o $@ $<
$(GUEST_DIR)/pvh/%.o: test/guest/pvh/%.S mk/guest.mk
	@mkdir -p $(@D)
	@$(GUEST_CC) $(GUEST_CFLAGS) -D__ASSEMBLY__ -c -o $@ $<
$(GUEST_DIR)/pvh/%.o: test/guest/lib/%.c mk/guest.mk
	@mkdir -p $(@D)
	@$(GUEST_CC) $(GUEST_CFLAGS) $(PVH_DEFS) -MMD -MP -c -o $@ $<
$(GUEST_DIR)/pvh_%/kernel.o: test/guest/pvh_%/main.c mk/guest.mk
	@mkdir -p $(@D)
	@$(GUEST_CC) $(GUEST_CFLAGS) $(PVH_DEFS) -MMD -MP -c -o $@ $<
$(GUEST_DIR)/pvh_%/kernel.o: bench/%.c mk/guest.mk
	@mkdir -p $(@D)
	@$(GUEST_CC) $(GUEST_CFLAGS) $(PVH_DEFS) -MMD -MP -c -o $@ $<
$(GUEST_DIR)/pvh_%/kernel.bin: $(GUEST_DIR)/pvh_%/kernel.o $(PVH_LIB) test/guest/pvh/pvh.lds
	@ld -nostdlib -static -no-pie -z noexecstack --no-warn-rwx-segments --build-id=none \
	    -T test/guest/pvh/pvh.lds -o $(@:.bin=.elf) $(filter %.o,$^)
	@objcopy -O binary $(@:.bin=.elf) $@
$(GUEST_DIR)/pvh_%/main.o: test/guest/pvh/host.c $(GUEST_DIR)/pvh_%/kernel.bin
	@$(GUEST_CC) $(GUEST_CFLAGS) '-DPAYLOAD="\"$(@D)/kernel.bin\""' -MMD -MP -c -o $@ $<

# Guests for Linux jobs, with the same library: test/linux/JOB.job/NAME.c, test/linux/guest/NAME.c.
GUEST_LOADS := $(wildcard test/linux/*.job/*.c test/linux/guest/*.c)
.PHONY: loads
loads: $(foreach f,$(GUEST_LOADS),$(GUEST_DIR)/$(basename $(notdir $(f))).elf)
$(GUEST_DIR)/%/main.o: test/linux/*.job/%.c mk/guest.mk
	@mkdir -p $(@D)
	@$(GUEST_CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $(filter %.c,$^)
$(GUEST_DIR)/%/main.o: test/linux/guest/%.c mk/guest.mk
	@mkdir -p $(@D)
	@$(GUEST_CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

# The same for PVH: NAME_pvh.elf is of NAME_pvh.c if there is one, else of NAME.c.
PVH_FRONT := $(PVH_BASE) $(GUEST_DIR)/pvh/tools.o $(GUEST_DIR)/pvh/front.o
$(GUEST_DIR)/%_pvh/main.o: test/linux/*.job/%_pvh.c mk/guest.mk
	@mkdir -p $(@D)
	@$(GUEST_CC) $(GUEST_CFLAGS) $(PVH_DEFS) -MMD -MP -c -o $@ $(filter %.c,$^)
$(GUEST_DIR)/%_pvh/main.o: test/linux/*.job/%.c mk/guest.mk
	@mkdir -p $(@D)
	@$(GUEST_CC) $(GUEST_CFLAGS) $(PVH_DEFS) -MMD -MP -c -o $@ $(filter %.c,$^)
$(GUEST_DIR)/%_pvh.elf: $(GUEST_DIR)/%_pvh/main.o $(PVH_FRONT) test/guest/pvh/pvh.lds
	@echo "  GUEST   $@"
	@ld -nostdlib -static -no-pie -z noexecstack --no-warn-rwx-segments --build-id=none \
	    -T test/guest/pvh/pvh.lds -o $@ $(filter %.o,$^)

GUEST_MADE := $(GUESTS:%=$(GUEST_DIR)/%) $(GUEST_DIR)/pvh_exits $(GUEST_DIR)/pvhlinux
.SECONDARY: $(GUEST_LIB) $(PVH_LIB) $(PVH_FRONT) $(GUEST_MADE:%=%/start.o) \
    $(GUEST_MADE:%=%/main.o) $(GUEST_MADE:%=%/kernel.o) $(GUEST_MADE:%=%/kernel.bin)
-include $(GUEST_LIB:.o=.d) $(PVH_LIB:.o=.d) $(PVH_FRONT:.o=.d) \
    $(PVH_GUESTS:%=$(GUEST_DIR)/%/kernel.d) $(GUESTS:%=$(GUEST_DIR)/%/main.d)

GUEST_ENV = $(foreach k,HV CPU MACH SMP MEM HVOPT ACCEL TIMEOUT_SCALE,$(if $($(k)),$(k)='$($(k))'))
guest-test: guests
	@$(if $(filter $(BUILD)/%,$(HV)),$(MAKE) --no-print-directory $(HV),:)
	@$(if $(filter xen,$(HV)),test -e $(BUILD)/image/xen.elf || image/build.sh,:)
	@$(GUEST_ENV) tools/guest_test.py $(TESTS)

guest-record: guests
	@test -e $(BUILD)/image/xen.elf || image/build.sh
	@$(GUEST_ENV) HV=xen tools/guest_test.py --record $(TESTS)
