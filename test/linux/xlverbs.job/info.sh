# SPDX-License-Identifier: MIT
# Verbs that tell: about the guest, the machine, the log; and what reaches the guest from outside.
uuid=11111111-2222-3333-4444-555555555555
guest_config pv1 'vcpus = 2' "uuid = \"$uuid\""
want "create -n" '"memory_target"|"max_memkb": 131072' xl create -n /run/pv1.cfg
want "create -p" '' xl create -q -p /run/pv1.cfg
# Its second vCPU is there when the guest has started it.
want "list: paused" '^pv1 +[0-9]+ +128 +1 +--p--- ' xl list
guest_up pv1
id=$(xl domid pv1)
want "list" "^pv1 +$id +128 +2	?.*[-r][-b]---- +[0-9]+\.[0-9]$" xl list
want "list -v" "^pv1 +$id +128 +2 .*$uuid" xl list -v
want "list -c" "^pv1 .* Pool-0$" xl list -c
want "list -n" "^pv1 .* all$" xl list -n
xl list -l pv1 | sed 's/^/JSON /'
want "vcpu-list" "^pv1 +$id +1 +[0-9-]+ +[-r][-b]- +[0-9.]+ +all / all" xl vcpu-list pv1
want "vcpu-list: all" "^Domain-0 +0 +1 " xl vcpu-list
want "domid" "^$id$" xl domid pv1
want "domname" "^pv1$" xl domname $id
want "uptime" "^pv1 +$id +0:0[0-9]:" xl uptime pv1
want "uptime -s" "up .*pv1 \($id\)" xl uptime -s
want "vm-list" "$uuid +$id +pv1" xl vm-list
want "claims" "^pv1 .* 0$" xl claims
want "info" '^free_memory +: [0-9]+' xl info
want "info -n" '^ *1: +1 +0 +0' xl info -n
want "cpupool-list" '^Pool-0 +2 +credit2 +y +2' xl cpupool-list
want "cpupool-list -c" '^Pool-0 +0,1$' xl cpupool-list -c
for list in block network vtpm channel vkb vdispl vsnd usb; do
    run xl $list-list pv1 && [ "$(wc -l </run/said)" -le 1 ] && pass "$list-list" ||
        miss "$list-list"
done

# A vCPU that spins has a processor, by the second look of xentop. QEMU counts instructions here and
# runs the processors in turn: what waits for its turn on one takes time as well. So both vCPUs of
# the guest are on one processor, and the looks are well apart (xentop itself may wait between its
# clock and its question).
want "vcpu-pin" '' xl vcpu-pin pv1 all 1
guest 'while :; do :; done >/dev/null 2>&1 & echo $!'
spinner=$answer
want "top" '^ +pv1 --b--- +[0-9]+ +0.0 +131072 +6.3 +132096 +6.3 +2 |^ +pv1 -----r' \
    xentop -b -i 2 -d 8
percent=$(awk '$1 == "pv1" {p = $4} END {print int(p)}' /run/said)
same "top: CPU(%) of $percent" "$((percent >= 80 && percent <= 120))" 1
guest "kill $spinner"
want "vcpu-pin: back" '' xl vcpu-pin pv1 all all
want "top -v" '^VCPUs\(sec\): +0: +[0-9]+s +1: +[0-9]+s' xentop -b -v -n -x -r -i 1

# The hypervisor's log.
want "debug-keys" '' xl debug-keys q
want "dmesg" "domain $id \(PV\): alive" xl dmesg
want "dmesg -c" "domain $id \(PV\): alive" xl dmesg -c
want "dmesg: cleared" '' xl dmesg
same "dmesg: nothing left" "$(grep -c . /run/said)" 0
want "debug-keys: unknown" '' xl debug-keys Z
want "debug-keys: says so" "'Z' pressed: no such key" xl dmesg

# What the guest is told.
want "trigger nmi" '' xl trigger pv1 nmi 0
guest_says "NMI received" 10 && pass "trigger nmi: the guest has it"
for button in power sleep; do
    want "trigger $button" "'$button' failed: Invalid argument" xl trigger pv1 $button
done
for button in init reset; do
    want "trigger $button" "'$button' failed: Function not implemented" xl trigger pv1 $button
done
refused "trigger: unknown" 'Invalid trigger "nonsense"' xl trigger pv1 nonsense
want "sysrq" '' xl sysrq pv1 h
guest_says "sysrq: HELP" 10 && pass "sysrq: the guest has it"
want "rename" '' xl rename pv1 pv2
want "rename: list" "^pv2 +$id " xl list
want "rename: domid" "^$id$" xl domid pv2
same "rename: xenstore" "$(xenstore-read /local/domain/$id/name)" pv2
# (Its warning would end the run.)
xl config-update pv2 /run/pv1.cfg 'extra="updated"' 2>&1 | sed 's/^WARNING/note/' >/run/out
want "config-update" "setting dom$id configuration" cat /run/out

# What Debian's Xen lacks as well, with the same words; set-parameters needs hypfs.
refused "getenforce" 'Flask XSM Disabled' xl getenforce
refused "psr-hwinfo" 'Enabled +: 0' xl psr-hwinfo
[ -n "$xen" ] || refused "set-parameters" 'hypfs: Function not implemented' \
    xl set-parameters loglvl=all

guest 'echo typed and answered'
same "console: commands" "$answer" "typed and answered"
want "shutdown -w" 'reason code 0|been destroyed' xl shutdown -w pv2
wait_gone pv2
