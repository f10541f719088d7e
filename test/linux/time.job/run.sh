#!/bin/sh
# SPDX-License-Identifier: MIT
# Marks of dom0's clock on the serial line for the host to time; meanwhile the step-back test.
. ./knobs
echo "TIME source $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
./clock $((seconds / 2)) >/tmp/clock &
end=$(($(cut -d. -f1 /proc/uptime) + seconds))
while :; do
    read -r now _ </proc/uptime
    echo "TIME mark $now"
    [ "${now%.*}" -lt $end ] || break
    sleep 0.25
done
wait $!
rc=$?
cat /tmp/clock
exit $rc
