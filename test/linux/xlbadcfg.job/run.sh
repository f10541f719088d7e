#!/bin/sh
# SPDX-License-Identifier: MIT
# What cannot be, by the stock tools: each case says why and changes nothing.
. ./lib/check.sh

settle() { # WHAT PATTERN RC: judges what is in /run/said, after the state was looked at
    ./state after /run/state >>/run/said
    if [ "$3" = 0 ]; then
        miss "$1: accepted"
    elif ! grep -Eq -- "$2" /run/said; then
        miss "$1: no /$2/"
    elif ! grep -q '^STATE same' /run/said; then
        miss "$1: $(grep '^STATE' /run/said)"
    elif ! grep -q '^LOG .*audit: .* 0 errors' /run/said; then
        miss "$1: the audit is not clean"
    else
        pass "$1"
    fi
    said 20
}
bad() { # WHAT PATTERN COMMAND...: fails, and it or the hypervisor says PATTERN
    what=$1 pattern=$2
    shift 2
    run "$@"
    settle "$what" "$pattern" $?
}
says() { # the same for verbs that end with 0 all the same
    what=$1 pattern=$2
    shift 2
    run "$@"
    settle "$what" "$pattern" 1
}
write_config() { # LINE...: a guest with these lines, which replace the usual ones
    for line in "$@"; do echo "$line"; done >/run/bad.cfg
    for line in 'name = "bad"' 'kernel = "/job/tick.elf"' 'memory = 16'; do
        case "$*" in
        *"${line%% *} = "*) ;;
        *) echo "$line" >>/run/bad.cfg ;;
        esac
    done
}
config() { # WHAT PATTERN LINE...: is refused
    what=$1 pattern=$2
    shift 2
    write_config "$@"
    run xl create -q /run/bad.cfg
    rc=$?
    [ $rc != 0 ] || { xl destroy bad && wait_gone bad; }
    settle "$what" "$pattern" $rc
}
taken() { # WHAT LINE...: xl takes it, if need be for something else; nothing is left of it
    what=$1
    shift
    write_config "$@"
    run xl create -q /run/bad.cfg && xl destroy bad && wait_gone bad
    settle "$what" . $(($? == 0))
}
kernel() { # WHAT PATTERN FILE [LINE...]
    what=$1 pattern=$2 file=$3
    shift 3
    config "kernel: $what" "$pattern" "kernel = \"$file\"" "$@"
}

printf 'name = "there"\nkernel = "/job/tick.elf"\nmemory = 16\nextra = "there 1000 quiet"\n' \
    >/run/there.cfg
# A domain that was, and one that is.
xl create -q /run/there.cfg
stale=$(xl domid there)
xl destroy there
wait_gone there
xl create -q /run/there.cfg
there=$(xl domid there)
truncate -s 300M /run/large
log_clear
./state before /run/state
names_before=$(xl list | awk '{print $1, $2, $3, $4}')

. ./kernels.sh
. ./options.sh
. ./verbs.sh

same "xl list" "$(xl list | awk '{print $1, $2, $3, $4}')" "$names_before"
xl destroy there
verdict
