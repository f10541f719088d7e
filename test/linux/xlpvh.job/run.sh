#!/bin/sh
# SPDX-License-Identifier: MIT
# A PVH guest by the stock tools, in parts; afterwards nothing is left of it.
TAG=PVH
. ./knobs
. ./lib/guest.sh
if ! xl info | grep -q '^virt_caps.*hvm.*hap'; then
    say "skipped: the machine has neither SVM nor VT-x with nested paging"
    exit 0
fi
pvh() { # MIB VCPUS LINE...: created and up
    mib=$1 count=$2
    shift 2
    guest_config pvh pvh $mib 'type = "pvh"' "vcpus = $count" "$tsc" "$@"
    guest_create pvh
    guest_says pvh "GUEST up .* cpus=$count" 180
}
state() { # PATTERN: of its line in the list
    xl list pvh 2>/dev/null | grep -Eq "^pvh +[0-9]+ +$1"
}
again() { # there is another domain of that name, and it is up
    next=$(xl domid pvh 2>/dev/null) && [ "$next" != "$id" ] && guest_tty=$(
        xenstore-read "/local/domain/$next/console/tty" 2>/dev/null) && [ -n "$guest_tty" ]
}
taken_up() { # WHAT: after the domain has made place for another
    until_true 120 again || fail "$1: no new domain"
    guest_attach pvh
    id=$next
    guest_says pvh "GUEST up .* cpus=$count" 180
}
charged() { xl vcpu-list pvh | awk 'NR > 1 {print $3, $6}'; }
work() { # COUNT: all its vCPUs work, each on a sum that is right, and are charged for it
    charged >/run/before
    guest pvh "for c in $(seq -s ' ' 0 $(($1 - 1))); do taskset \$(printf %x \$((1 << c)))" \
        'sh -c "dd if=/dev/zero bs=1M count=8 2>/dev/null | sha256sum" & done | sort | uniq -c |' \
        'tr -s " "'
    same "sums of $1 vCPUs" "${answer# }" "$1 $(dd if=/dev/zero bs=1M count=8 2>/dev/null | sum) -"
    charged >/run/after
    join /run/before /run/after >/run/times
    same "$1 vCPUs worked" "$(awk '$3 - $2 >= 0.1 {n++} END {print n}' /run/times)" "$1"
}

say "free before $(free_mem)"
audit before
for part in $parts; do
    . "./$part.sh"
done
say "free after $(free_mem)"
audit after
say end
