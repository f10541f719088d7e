# SPDX-License-Identifier: MIT
# make bench: kernel microbenchmarks on bare Linux, Debian's Xen and Wheeler, then the tools'
# create and destroy, the guests' network and a PVH guest's exits on the latter two, in tables of
# instruction counts; the microbenchmarks again in a PVH guest.
# FRESH=1 measures everything again; ONLY="native xen" limits the systems.

include $(if $(RUN_KNOBS),,mk/run.mk)

.PHONY: bench
bench:
	@tools/deps.sh build image run
	@$(if $(ONLY),:,$(RUN_BUILD_HV))
	@image/build.sh
	@rc=0; for table in bench netbench exitbench pvhbench; do \
	    HV='$(HV)' FRESH='$(FRESH)' ONLY='$(ONLY)' bench/$$table.py || rc=1; done; exit $$rc
