# SPDX-License-Identifier: MIT
# make            build/wheeler.elf (multiboot 1 and 2) and build/wheeler.gz
# make run        dom0 on QEMU          make test    everything CI runs
# make bench      beside bare Linux and Debian's Xen
# Options: DEBUG=1 (assertions, lock ranks), CC=clang.

.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

ifeq ($(origin CC),default)
CC := gcc
endif
DEBUG ?= 0
BUILD ?= build
OUT   := $(BUILD)/$(if $(filter 1,$(DEBUG)),debug-)$(notdir $(CC))
GEN   := $(OUT)/gen

VERSION := 0.1
GITREV  := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)

WARN := -Wall -Wextra -Werror -Wconversion -Wsign-conversion -Wshadow -Wvla -Wmissing-prototypes \
        -Wstrict-prototypes -Wundef -Wimplicit-fallthrough -Wframe-larger-than=512
CFLAGS := -std=gnu11 -O2 -g -ffreestanding -fPIE -mno-red-zone -mgeneral-regs-only \
          -fno-strict-aliasing -fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none \
          -fvisibility=hidden -fno-delete-null-pointer-checks $(WARN) -Isrc -I$(GEN) \
          $(if $(filter 1,$(DEBUG)),-DWHEELER_DEBUG)
ifneq ($(findstring clang,$(CC)),)
CFLAGS += -mstack-alignment=8 -Wno-unused-command-line-argument -Wno-address-of-packed-member
else
CFLAGS += -mpreferred-stack-boundary=3 -falign-functions=16
endif
# pure/unpack_*.c call the decoders, which want the ABI's stack alignment and may use SSE.
UNPACK := $(patsubst src/%.c,$(OUT)/obj/%.o,$(wildcard src/pure/unpack*.c) src/boot/unpack_glue.c src/boot/dom0_unpack.c)
ALIGN16 := $(if $(findstring clang,$(CC)),-mstack-alignment=16 -mstackrealign,-mincoming-stack-boundary=3 -mpreferred-stack-boundary=4)
STAMP   := -DBUILD_VERSION='"$(VERSION)"' -DBUILD_COMMIT='"$(GITREV)"' -DBUILD_DATE='"$(shell git log -1 --format=%cd --date=iso 2>/dev/null)"'

SRC_C := $(filter-out src/pv/offsets.c,$(wildcard src/*/*.c))
SRC_S := $(wildcard src/*/*.S)
OBJ   := $(SRC_C:src/%.c=$(OUT)/obj/%.o) $(SRC_S:src/%.S=$(OUT)/obj/%.S.o)
LDLIB := $(foreach l,lzma z zstd lz4,$(wildcard /usr/lib/x86_64-linux-gnu/lib$(l).a))

.PHONY: all clean
all: $(BUILD)/wheeler.elf $(BUILD)/wheeler.gz

include mk/run.mk $(filter-out mk/run.mk,$(wildcard mk/*.mk))

$(GEN)/offsets.h: src/pv/offsets.c $(wildcard src/*/*.h) Makefile
	@mkdir -p $(dir $@)
	@$(CC) $(CFLAGS) -g0 -S -o $(GEN)/offsets.s $<
	@sed -n 's/^.*"->\([A-Za-z0-9_]*\) \$$\{0,1\}\(-\{0,1\}[0-9]*\)".*$$/#define \1 \2/p' $(GEN)/offsets.s > $@

$(OUT)/obj/%.o: src/%.c Makefile
	@mkdir -p $(dir $@)
	@echo "  CC      $<"
	@$(CC) $(CFLAGS) $(if $(filter $@,$(UNPACK)),$(ALIGN16)) $(if $(filter %/boot/main.o %/abi_version.o,$@),$(STAMP)) -MMD -MP -c -o $@ $<

$(OUT)/obj/%.S.o: src/%.S $(GEN)/offsets.h Makefile
	@mkdir -p $(dir $@)
	@echo "  AS      $<"
	@$(CC) $(CFLAGS) -D__ASSEMBLY__ -MMD -MP -c -o $@ $<

# Two links: the second carries the symbol table of the first. --check proves nothing moved.
LD_HV := ld -nostdlib -static -no-pie -z noexecstack -z max-page-size=4096 --no-warn-rwx-segments \
         --build-id=none -T src/arch/wheeler.lds
$(OUT)/wheeler64.elf: $(OBJ) src/arch/wheeler.lds tools/gen_symbols.py
	@echo "  LD      $@"
	@python3 tools/gen_symbols.py --empty > $(GEN)/sym0.S
	@$(CC) -c -o $(GEN)/sym0.o $(GEN)/sym0.S
	@$(LD_HV) -o $(OUT)/first.elf $(OBJ) $(GEN)/sym0.o --start-group $(LDLIB) --end-group
	@nm -n $(OUT)/first.elf | python3 tools/gen_symbols.py > $(GEN)/sym1.S
	@$(CC) -c -o $(GEN)/sym1.o $(GEN)/sym1.S
	@$(LD_HV) -o $@ $(OBJ) $(GEN)/sym1.o --start-group $(LDLIB) --end-group
	@nm -n $@ | python3 tools/gen_symbols.py --check $(GEN)/sym1.S

# The boot loader's ELF: 32-bit, one segment, the flat image at its physical address.
$(OUT)/wheeler.elf: $(OUT)/wheeler64.elf
	@objcopy -O binary -R .bss $< $(OUT)/wheeler.bin
	@end=$$(nm $< | awk '$$3=="image_end"{print $$1}'); base=$$(nm $< | awk '$$3=="image_start"{print $$1}'); \
	 size=$$((0x$${end#ffff828} - 0x$${base#ffff828})); file=$$(stat -c %s $(OUT)/wheeler.bin); \
	 printf '.section .image,"awx"\n.incbin "$(OUT)/wheeler.bin"\n.section .rest,"aw",@nobits\n.skip %d\n.section .note.GNU-stack,"",@progbits\n' \
	   $$((size - file)) > $(GEN)/wrap.S
	@$(CC) -m32 -c -o $(GEN)/wrap.o $(GEN)/wrap.S
	@printf 'PHDRS { image PT_LOAD FLAGS(7); }\nSECTIONS { . = 0x200000; .image : SUBALIGN(1) { *(.image) } :image .rest : SUBALIGN(1) { *(.rest) } :image /DISCARD/ : { *(*) } }\n' > $(GEN)/wrap.lds
	@ld -m elf_i386 -z max-page-size=4096 -e 0x200000 --no-warn-rwx-segments -T $(GEN)/wrap.lds -o $@ $(GEN)/wrap.o

$(BUILD)/wheeler.elf: $(OUT)/wheeler.elf
	@cp $< $@
	@cp $(OUT)/wheeler64.elf $(BUILD)/wheeler.syms
	@echo "  IMAGE   $@ ($$(stat -c %s $@) bytes)"

$(BUILD)/wheeler.gz: $(BUILD)/wheeler.elf
	@gzip -9n < $< > $@

clean:
	rm -rf $(BUILD)/gcc $(BUILD)/clang $(BUILD)/debug-* $(BUILD)/wheeler.*

-include $(OBJ:.o=.d)
