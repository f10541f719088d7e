# SPDX-License-Identifier: MIT
# Sourced by jobs that check what commands say.
#
#   want WHAT PATTERN COMMAND...     the command ends with 0 and says PATTERN (extended, per line)
#   refused WHAT PATTERN COMMAND...  it fails and says PATTERN
#   until_says WHAT PATTERN SECONDS COMMAND...  it says PATTERN some time
#
# Each prints "OK WHAT" or "BAD WHAT: ..." with what the command said, in lines that begin with |.
# verdict prints how many of each there were.
ok=0
bad=0
pass() {
    ok=$((ok + 1))
    echo "OK $1"
}
miss() {
    bad=$((bad + 1))
    echo "BAD $1"
}
said() { # the first lines, without another process
    lines=0
    while read -r line && [ $lines -lt 12 ]; do
        lines=$((lines + 1))
        echo "| $line"
    done </run/said
}
run() { # COMMAND...: its output is in /run/said
    "$@" >/run/said 2>&1 </dev/null
}
want() {
    what=$1 pattern=$2
    shift 2
    run "$@"
    rc=$?
    if [ $rc = 0 ] && { [ -z "$pattern" ] || grep -Eq -- "$pattern" /run/said; }; then
        pass "$what"
    else
        miss "$what: $* gave $rc, wanted /$pattern/"
    fi
    said
}
refused() {
    what=$1 pattern=$2
    shift 2
    run "$@"
    rc=$?
    if [ $rc != 0 ] && [ $rc != 124 ] && grep -Eq -- "$pattern" /run/said; then
        pass "$what"
    else
        miss "$what: $* gave $rc, wanted a refusal with /$pattern/"
    fi
    said
}
until_says() {
    what=$1 pattern=$2 tries=$(($3 * 4))
    shift 3
    until run "$@" && grep -Eq -- "$pattern" /run/said; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || {
            miss "$what: $* never said /$pattern/"
            said
            return 1
        }
        sleep 0.25
    done
    pass "$what"
}
same() { # WHAT GOT WANT
    [ "$2" = "$3" ] && pass "$1" || miss "$1: '$2' is not '$3'"
}
near() { # WHAT GOT WANT: in MiB; a few pages that are kept for small objects may be one
    [ $(($2 - $3)) -ge -1 ] && [ $(($2 - $3)) -le 1 ] && pass "$1" ||
        miss "$1: '$2' is not about '$3'"
}
verdict() { echo "VERDICT ok=$ok bad=$bad"; }

free_mem() { xl info | awk '/^free_memory/{print $3}'; }
names() { xl list | awk '{print $1, $2, $3, $4}'; }
gone() { # NAME: nothing is left of it
    ! xl list | grep -q "^$1 \|(null)"
}
wait_gone() { # NAME [SECONDS]
    tries=$((${2:-30} * 4))
    until gone "$1"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || {
            miss "$1 goes"
            return 1
        }
        sleep 0.25
    done
}
log_clear() { xl dmesg -c >/dev/null; }
audit() { # the hypervisor's frames are in order
    log_clear
    xl debug-keys p
    want "audit $*" 'audit: [0-9]+ frames, .* 0 errors' xl dmesg
}
