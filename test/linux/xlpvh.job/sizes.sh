# SPDX-License-Identifier: MIT
# Sourced: guests of all sizes; each vCPU works, most of the memory is used.
for mib in 128 256 512 1024 2048; do
    for vcpus in 1 2 4; do
        pvh $mib $vcpus
        work $vcpus
        guest pvh "mount -o remount,size=80% /tmp; dd if=/dev/zero of=/tmp/f bs=1M" \
            "count=$((mib * 5 / 10)) 2>/dev/null; tr -d '\\0' </tmp/f | wc -c"
        same "zeros" "$answer" 0
        timeout 120 xl shutdown -w pvh >/run/said 2>&1 || fail "xl shutdown: $(cat /run/said)"
        until_true 60 domain_gone pvh || fail "the guest does not go"
        say "$mib MiB, $vcpus vCPUs ok"
    done
done
