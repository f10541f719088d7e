# SPDX-License-Identifier: MIT
# Sourced by jobs: guests of dom0's kernel and ramdisks by tools/linux_guest.py, told what to do
# over their consoles. TAG is the word before each line of the job's. Guest NAME's console is in
# /run/NAME.out.

fail() {
    echo "$TAG failed: $*"
    for log in /run/*.out /var/log/xen/xl-*.log /var/log/xen/xen-hotplug.log; do
        [ ! -s "$log" ] || tail -n 12 "$log" | sed "s,^,LOG ${log##*/}: ,"
    done
    xl debug-keys g
    xl list
    exit 1
}
say() { echo "$TAG $*"; }
same() { # WHAT GOT WANT
    [ -n "$2" ] && [ "$2" = "$3" ] || fail "$1: '$2' is not '$3'"
    say "$1 ok"
}
until_true() { # SECONDS COMMAND...: false if it is not true by then
    tries=$(($1 * 5))
    shift
    until "$@"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.2
    done
}
free_mem() { xl info | awk '/^free_memory/{print $3}'; }
sum() { sha256sum | cut -d' ' -f1; }
audit() { # WHEN: the frames' audit, and who uses grants
    xl dmesg -c >/dev/null
    xl debug-keys p
    xl debug-keys g
    xl dmesg | sed "s/^/$TAG $1 /"
}

spared=$(grep -o 'clearcpuid=[^ ]*' /proc/cmdline) # what dom0 does without, its guests do too
guest_config() { # NAME RAMDISK MIB [LINE...]: /run/NAME.cfg; its /start finds NAME in $guest_name
    {
        echo "name = \"$1\""
        echo "kernel = \"$PWD/vmlinux\""
        echo "ramdisk = \"$PWD/$2.ramdisk\""
        echo "extra = \"console=hvc0 panic=1 loglevel=4 $spared guest_name=$1\""
        echo "memory = $3"
        echo "on_crash = \"preserve\""
    } >"/run/$1.cfg"
    name=$1
    shift 3
    printf '%s\n' "$@" >>"/run/$name.cfg"
}
guest_attach() { # NAME: what it says is kept from now on
    tty=$(xenstore-read "/local/domain/$(xl domid "$1")/console/tty")
    ln -sf "$tty" "/run/$1.tty"
    cat <"$tty" >"/run/$1.out" 2>/dev/null &
}
guest_create() { # NAME: paused until its console is read
    timeout 300 xl create -q -p "/run/$1.cfg" || fail "xl create $1"
    guest_attach "$1"
    xl unpause "$1"
}
guest_says() { # NAME PATTERN SECONDS
    until_true "$3" grep -q "$2" "/run/$1.out" || fail "$1 does not say '$2' in $3 s"
}
number=0
guest_begin() { # NAME COMMAND...: the guest starts it; guest_end NAME waits for it
    number=$((number + 1))
    echo $number >"/run/$1.number"
    name=$1
    shift
    printf '%s\n' "$number $*" >"/run/$name.tty"
}
guest_end() { # NAME: sets answer
    read -r told <"/run/$1.number"
    guest_says "$1" "^GUEST $told rc=" "${GUEST_SECONDS:-120}"
    answer=$(sed -n "s/\r//; s/^GUEST $told rc=//p" "/run/$1.out")
    case $answer in
    0*) answer=${answer#0} answer=${answer# } ;;
    *) fail "in $1: $answer" ;;
    esac
}
guest() { # NAME COMMAND...: one after the other
    guest_begin "$@"
    guest_end "$1"
}
listening() { # PORT: somebody waits for a connection to it
    grep -qi ":$(printf %04x "$1") 0*:0000 0A " /proc/net/tcp /proc/net/tcp6
}
domain_gone() { ! xl domid "$1" >/dev/null 2>&1 && ! xl list | grep -q '(null)'; }
guest_destroy() { # NAME: and nothing of it is left
    timeout 120 xl destroy "$1" || fail "xl destroy $1"
    until_true 60 domain_gone "$1" || fail "$1 does not go"
}
