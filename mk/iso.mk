# SPDX-License-Identifier: MIT
# make iso: build/wheeler.iso boots with GRUB (BIOS) into the hypervisor and dom0's initrd, which
# looks for the disk labelled wheeler-dom0 and offers a shell where there is none.
#
#   make iso [HVOPT="..."] [D0OPT="..."]

BUILD ?= build

.PHONY: iso
iso:
	@tools/deps.sh build image test
	@$(MAKE) --no-print-directory $(BUILD)/wheeler.gz
	@image/build.sh
	@HVOPT='$(HVOPT)' D0OPT='$(D0OPT)' image/iso.sh $(BUILD)/wheeler.iso
