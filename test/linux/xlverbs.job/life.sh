# SPDX-License-Identifier: MIT
# Beginnings and ends: each way a guest stops, and what happens then.
small() { # LINE...: a guest of 32 MiB that ticks, obeys and crashes when it is told to
    {
        printf 'name = "t1"\nkernel = "/job/tick.elf"\nmemory = 32\nextra = "t1 200"\n'
        for line in "$@"; do echo "$line"; done
    } >/run/t1.cfg
    want "create ($*)" '' xl create -q /run/t1.cfg
    id=$(xl domid t1)
    ticks t1
}
ticks() { # NAME: it is alive
    until_says "$1 ticks" '^[1-9]' 20 xenstore-read "/local/domain/$(xl domid "$1")/data/ticks"
}
tell() { xenstore-write "/local/domain/$id/control/shutdown" "$1"; }
again() { # another domain of that name, which is alive
    tries=80
    until next=$(xl domid t1 2>/dev/null) && [ "$next" != "$id" ]; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || {
            miss "$1: no new domain"
            return
        }
        sleep 0.25
    done
    id=$next
    pass "$1: domain $id"
    ticks t1
}
rip='rip: [0-9a-f]{16}'
count() { xenstore-read "/local/domain/$id/data/ticks"; }

# The tools may take a guest away before xl, which waits for it, sees how it ended.
small
want "pause" '' xl pause t1
want "list: paused" '^t1 +[0-9]+ +32 +1 +[-r][-b]p--- ' xl list
was=$(count)
sleep 2
same "paused: stands still" "$(count)" "$was"
want "unpause" '' xl unpause t1
further() { count && [ "$(count)" -gt "$was" ]; }
until_says "unpaused: goes on" '^[0-9]+$' 10 further
want "reboot -w" 'reason code 1|been destroyed' xl reboot -w t1
again "reboot"
want "shutdown -w" 'reason code 0|been destroyed' xl shutdown -w t1
wait_gone t1 && pass "shut down"

small 'on_poweroff = "preserve"' 'on_reboot = "destroy"'
want "on_poweroff = preserve" 'reason code 0' xl shutdown -w t1
want "list: shut down" '^t1 +[0-9]+ +32 +1 +---s-- ' xl list
want "destroy" '' xl destroy t1
wait_gone t1 && pass "destroyed"
small 'on_poweroff = "preserve"' 'on_reboot = "destroy"'
want "on_reboot = destroy" 'reason code 1|been destroyed' xl reboot -w t1
wait_gone t1 && pass "on_reboot = destroy: gone"

small 'on_crash = "restart"'
tell crash
again "on_crash = restart"
xl destroy t1
wait_gone t1
small 'on_crash = "rename-restart"'
tell crash
again "on_crash = rename-restart"
old=$(xl list | awk '/^t1-/{print $1}')
want "list: the crashed one" '^t1-[0-9]{8}T[0-9]{4}Z +[0-9]+ +32 +1 +---sc- ' xl list
xl destroy "$old"
xl destroy t1
wait_gone t1
small 'on_crash = "destroy"'
tell crash
wait_gone t1 && pass "on_crash = destroy: gone"
small 'on_crash = "preserve"'
tell crash
until_says "on_crash = preserve" '^t1 +[0-9]+ +32 +1 +---sc- ' 20 xl list
want "xenctx: of the crashed one" "$rip" /usr/lib/xen-4.17/bin/xenctx "$id"
want "destroy: a crashed one" '' xl destroy t1
wait_gone t1

# A Linux guest: dump-core while it runs, then it crashes.
guest_config pv1 'on_crash = "coredump-destroy"' 'memory = 112' 'vcpus = 2'
want "create -p" '' xl create -q -p /run/pv1.cfg
guest_up pv1
id=$(xl domid pv1)
guest 'a=MARK; while [ ${#a} -lt 4000 ]; do a=${a}MARK; done; echo "${a}ED" >/tmp/marker'
want "dump-core" '' xl dump-core pv1 /run/core
want "dump-core: readable" 'vcpus 2 pages 28672 marker found rip ffffffff8' ./core /run/core MARKED
rm /run/core
guest 'echo alive' && same "dump-core: it goes on" "$answer" alive
log_clear
echo "99 echo c >/proc/sysrq-trigger" >&9
wait_gone pv1 100 && pass "on_crash = coredump-destroy: gone"
want "coredump-destroy: readable" 'vcpus 2 pages 28672 marker found rip ffffffff8' \
    ./core /var/lib/xen/dump/* MARKED
if [ -z "$xen" ]; then
    xl dmesg >/run/crash
    for line in "Domain $id crashed: its kernel says so" "last exception: vector" \
        "^\(XEN\) RIP: .*ffffffff8" "rbp: [0-9a-f]{16}" \
        "stack [0-9a-f]{16}: [0-9a-f]{16} .*ffffffff8" "d$id said: .*sysrq_handle_crash" \
        "d$id said: .*Rebooting in 1 seconds"; do
        want "explained: $line" "$line" cat /run/crash
    done
fi
