# SPDX-License-Identifier: MIT
# make test [STEPS="unit guests"]: what CI runs. make test-long: with the long steps.

.PHONY: test test-long
test:
	@tools/deps.sh all
	@tools/run_tests.py $(STEPS)

test-long:
	@tools/deps.sh all
	@tools/run_tests.py --long $(STEPS)
