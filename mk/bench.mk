# SPDX-License-Identifier: MIT
# make bench: kernel microbenchmarks on bare Linux, Debian's Xen and Wheeler in one table of
# instruction counts. FRESH=1 measures everything again; ONLY="native xen" limits the systems.

include $(if $(RUN_KNOBS),,mk/run.mk)

.PHONY: bench
bench:
	@tools/deps.sh build image run
	@$(if $(ONLY),:,$(RUN_BUILD_HV))
	@image/build.sh
	@HV='$(HV)' FRESH='$(FRESH)' ONLY='$(ONLY)' bench/bench.py
