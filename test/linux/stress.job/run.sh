#!/bin/sh
# SPDX-License-Identifier: MIT
# stress-ng; then a pause in which the host types the hypervisor's audit key.
. ./knobs
echo "STRESS start"
sh ./lib/stress-all "$seconds"
rc=$?
echo "STRESS done rc=$rc"
echo "STRESS keys"
sleep 8
exit $rc
