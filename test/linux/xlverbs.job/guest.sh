# SPDX-License-Identifier: MIT
# A guest with dom0's kernel (tools/linux_guest.py) that carries out commands.
guest_config() { # NAME LINE...: /run/NAME.cfg, with the lines added
    name=$1
    {
        printf 'name = "%s"\nkernel = "%s/vmlinux"\nramdisk = "%s/ramdisk"\n' "$1" "$PWD" "$PWD"
        printf 'extra = "console=hvc0 panic=1 loglevel=4"\nmemory = 128\n'
        shift
        printf '%s\n' "$@"
    } >"/run/$name.cfg"
}
guest_attach() { # NAME: its console goes to /run/console, commands come by `guest`
    : >/run/console
    number=0
    exec 9<>"$(xenstore-read "/local/domain/$(xl domid "$1")/console/tty")" || return 1
    cat <&9 >/run/console &
}
guest_says() { # PATTERN SECONDS
    tries=$(($2 * 4))
    until grep -Eq -- "$1" /run/console; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || {
            miss "the guest says /$1/"
            tail -n 15 /run/console | sed 's/^/| CONSOLE /'
            return 1
        }
        sleep 0.25
    done
}
guest_up() { # NAME: attached, unpaused, up
    guest_attach "$1"
    xl unpause "$1"
    guest_says 'GUEST up' 90 && pass "$1 is up"
}
guest() { # COMMAND: $answer is what it says; fails as the command does
    number=$((number + 1))
    echo "$number $*" >&9
    answer=
    guest_says "^GUEST $number rc=" 60 || return 1
    answer=$(tr -d '\r' </run/console | sed -n "/^GUEST $number rc=/,\$p" |
        sed "1s/^GUEST $number rc=[0-9]* *//; /^GUEST [0-9]* rc=/d")
    grep -q "^GUEST $number rc=0" /run/console
}
