# SPDX-License-Identifier: MIT
# The balloon, from outside and from inside; no page beyond the maximum.
node=/sys/devices/system/xen_memory/xen_memory0
inside() { # KIB: the guest has so much, some time
    guest "n=0; until [ \$(cat $node/info/current_kb) = $1 ] || [ \$n = 50 ]; do n=\$((n + 1));" \
        "sleep 0.2; done; cat $node/info/current_kb"
    same "the guest has $1 KiB" "$answer" "$1"
}
inside_set() { # KIB: its own target
    guest "echo $1 >$node/target_kb"
}
guest_config pv1 'maxmem = 160'
free_before=$(free_mem)
want "create -p" '' xl create -q -p /run/pv1.cfg
guest_up pv1
id=$(xl domid pv1)
inside 131072
free_128=$(free_mem)
want "mem-set: less" '' xl mem-set pv1 96
until_says "list: less" '^pv1 +[0-9]+ +96 ' 20 xl list
inside 98304
near "free memory: 32 MiB more" "$(($(free_mem) - free_128))" 32
want "mem-set: more" '' xl mem-set pv1 160m
until_says "list: more" '^pv1 +[0-9]+ +160 ' 20 xl list
inside 163840
near "free memory: 32 MiB less" "$((free_128 - $(free_mem)))" 32
refused "mem-set: above the maximum" 'must be less than or equal to memory_static_max' \
    xl mem-set pv1 161
refused "mem-set: words" 'invalid memory size' xl mem-set pv1 x
want "mem-set: less again" '' xl mem-set pv1 100m
until_says "list: less again" '^pv1 +[0-9]+ +100 ' 20 xl list
refused "mem-max: below the target" 'must be greater than' xl mem-max pv1 80
want "mem-max" '' xl mem-max pv1 112
same "mem-max: xenstore" "$(xenstore-read /local/domain/$id/memory/static-max)" $((112 << 10))

# From inside: less at once, more up to the maximum and the tools' megabyte beside it.
inside_set 96000
inside 96000
log_clear
inside_set 155000
inside 115712
want "list: the maximum" '^pv1 +[0-9]+ +113 ' xl list
if [ -z "$xen" ]; then
    want "dmesg: why no more" "d$id.* has 28928 of 28928" xl dmesg
fi
inside_set 102400
inside 102400
want "destroy" '' xl destroy pv1
wait_gone pv1
