#!/bin/sh
# SPDX-License-Identifier: MIT
# Domains created and destroyed by raw control calls, as many rounds as the host says. The first
# rounds fill the hypervisor's caches of small objects.
. ./knobs
./churn rounds 16 256 >/dev/null
xl debug-keys m
./churn rounds "$rounds" 256
xl debug-keys m
xl list | sed 's/^/LIST /'
xl debug-keys p
xl dmesg | tail -n 9 | sed 's/^/DMESG /'
