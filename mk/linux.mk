# SPDX-License-Identifier: MIT
# make linux: jobs in a Debian control domain on QEMU, and boots with bad input.
#
#   make linux [JOBS="boot disk:nvme ..."] [ALL=1] [HV=...]      ALL=1: every variant of each job
#              [BOCHS=1]                 on Bochs, a processor with VT-x, instead of QEMU
#              [DISK_MIB=512] [NET_MIB=64] [STRESS_SECONDS=180] [TIME_SECONDS=135]
#              [CHURN_ROUNDS=1000] [FAIR_SECONDS=30] [XLCHURN_ROUNDS=20] [DENSITY_GUESTS=40]
#              [GUESTDISK_SECONDS=600] [GUESTNET_MIB=256]
#   make badinput [CASES="..."] [HV=...]

JOBS ?= boot reboot disk net cpuhotplug
LINUX_ENV = $(foreach k,HV CPU MACH SMP MEM D0MEM HVOPT D0OPT STRESS_SECONDS TIME_SECONDS DISK_MIB \
    NET_MIB CHURN_ROUNDS FAIR_SECONDS XLCHURN_ROUNDS DENSITY_GUESTS GUESTDISK_SECONDS GUESTNET_MIB \
    AUDIT_KEY TIMEOUT_SCALE BOCHS,$(if $($(k)),$(k)='$($(k))'))

include $(if $(RUN_KNOBS),,mk/run.mk)
.PHONY: linux badinput

linux: linux-ready
	@$(LINUX_ENV) tools/linux_job.py $(if $(ALL),--all) $(JOBS)

badinput: linux-ready
	@$(LINUX_ENV) test/linux/badinput.py $(CASES)

.PHONY: linux-ready
linux-ready:
	@tools/deps.sh build image run $(if $(filter 1,$(BOCHS)),bochs)
	@$(if $(filter $(BUILD)/%,$(HV)),$(MAKE) --no-print-directory $(HV),:)
	@image/build.sh
