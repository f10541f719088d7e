# SPDX-License-Identifier: MIT
# Sourced: from the guest's start to its end, in each of the ways it can end.
pvh 160 "$vcpus" 'on_crash = "restart"'
id=$(xl domid pvh)
guest pvh 'cd /sys/hypervisor; echo $(cat type guest_type uuid)'
say "the guest is $answer"
same "the kind of guest" "$(echo "$answer" | cut -d' ' -f1-2)" "xen PVH"
same "its uuid" "$(echo "$answer" | cut -d' ' -f3)" "$(xl list -v pvh | awk 'NR > 1 {print $7}')"
work "$vcpus"
xl pause pvh
state "160 +$vcpus +-[b-]p--- " || fail "not paused"
guest_begin pvh 'echo awake'
sleep 1
! grep -q awake /run/pvh.out || fail "a paused guest answers"
xl unpause pvh
guest_end pvh
same "after the pause" "$answer" awake
guest pvh 'echo kept >/tmp/kept'
timeout 120 xl save pvh /root/pvh.save >/run/said 2>&1 || fail "xl save: $(tail -n 3 /run/said)"
timeout 120 xl restore -p /root/pvh.save >/run/said 2>&1 ||
    fail "xl restore: $(tail -n 3 /run/said)"
rm /root/pvh.save
guest_attach pvh
xl unpause pvh
guest pvh 'cat /tmp/kept'
same "saved and restored" "$answer" kept
work "$vcpus"
id=$(xl domid pvh)
timeout 120 xl reboot -w pvh >/run/said 2>&1 || fail "xl reboot: $(cat /run/said)"
taken_up "reboot"
printf '99 echo c >/proc/sysrq-trigger\n' >/run/pvh.tty
taken_up "crash"
timeout 120 xl shutdown -w pvh >/run/said 2>&1 || fail "xl shutdown: $(cat /run/said)"
until_true 60 domain_gone pvh || fail "the guest does not go"
say "life ok"
