# SPDX-License-Identifier: MIT
# make run, make image: the hypervisor with its Debian control domain on QEMU.
#
#   make run [HV=...] [CPU=max] [MACH=q35] [SMP=2] [MEM=2048] [D0MEM=MiB] [DISK=virtio|ahci|nvme]
#            [NIC=virtio|e1000|none] [HVOPT="..."] [D0OPT="..."] [ACCEL=kvm|tcg] [KEEP=1]
#            [GUEST=0]
#
# dom0 starts a PV guest and, where the machine has SVM or VT-x, a PVH guest beside it.
#
# HV is the hypervisor's ELF; HV=xen is Debian's Xen, HV=native no hypervisor at all. With no
# terminal on standard input `make run` plays a tour and exits with its verdict.

BUILD ?= build
HV ?= $(BUILD)/wheeler.elf
export BUILD

RUN_KNOBS := HV CPU MACH SMP MEM D0MEM DISK NIC HVOPT D0OPT ACCEL KEEP GUEST
RUN_ENV = $(foreach k,$(RUN_KNOBS),$(if $($(k)),$(k)='$($(k))'))

# The hypervisor is built by the file that includes this one; a hypervisor from elsewhere is not.
RUN_BUILD_HV = $(if $(filter $(BUILD)/%,$(HV)),$(MAKE) --no-print-directory $(HV),:)

.PHONY: run image

image:
	@tools/deps.sh image
	@image/build.sh

run:
	@tools/deps.sh build image run
	@$(RUN_BUILD_HV)
	@image/build.sh
	@$(RUN_ENV) tools/run_qemu.py
