# SPDX-License-Identifier: MIT
# Sourced: stress-ng's classes in the guest, as the job `stress` runs them in dom0; neither its
# kernel nor the hypervisor complains.
GUEST_SECONDS=$((4 * seconds + 300))
pvh 512 2
xl dmesg -c >/dev/null
guest pvh "stress-all $seconds"
say "stress: $answer"
guest pvh 'dmesg | grep -E "WARNING:|BUG:|Oops|Call Trace|soft lockup|rcu.*stall" | head -n 3'
[ -z "$answer" ] || fail "the guest's kernel: $answer"
xl dmesg >/run/said
! grep -q '(XEN)' /run/said || fail "the hypervisor: $(head -n 3 /run/said)"
guest_destroy pvh
say "stress-ng ok"
