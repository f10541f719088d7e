# SPDX-License-Identifier: MIT
# For jobs in which guests (fairness.job/load.c) share a CPU: who got how much of it in a phase.
# tool/shares.py reads what is printed here.
fail() {
    echo "FAIR failed: $*"
    xl list
    xl dmesg | tail -n 40 | sed 's/^/DMESG /'
    exit 1
}
run() {
    timeout 120 "$@" >/run/out 2>&1 || { cat /run/out; fail "$*"; }
}
kind_of() { # NAME: pv, but for those that job.py lists
    case " $(cat pvh) " in
    *" $1 "*) echo pvh ;;
    *) echo pv ;;
    esac
}
guest() { # NAME ARGS...: created paused, its console kept. ELF: another than load
    name=$1 kind=$(kind_of $1)
    elf=${ELF:-load}
    [ $kind = pv ] || elf=${elf}_pvh
    printf 'name = "%s"\ntype = "%s"\nkernel = "%s/%s.elf"\nextra = "%s"\nmemory = 16\n' \
        "$name" $kind "$PWD" $elf "$*" >/run/$name.cfg
    create $name
}
create() { # NAME: from /run/NAME.cfg
    run xl create -q -p /run/$1.cfg
    xl console "$1" </dev/null >>/run/$1.log 2>/dev/null &
}
uptime() { cut -d' ' -f1 /proc/uptime; }
charged() { # PHASE WHEN
    xl list | awk -v p="$1 $2" 'NR > 1 {print "TIME", p, $1, $6}'
    echo "TIME $1 $2 uptime $(uptime)"
}
# Their first and last counts while dom0 slept. Guests count from the hypervisor's start, dom0 from
# its own, a second or two later.
counts() { # PHASE BEGIN END NAME...
    phase=$1 begin=$2 end=$3
    shift 3
    for name in "$@"; do
        tr '=' ' ' </run/$name.log | awk -v p="SAMPLE $phase" -v b="$begin" -v e="$end" '
            /^LOAD.*;/ && $4 > (b + 3) * 1e9 && $4 < e * 1e9 {
                if (!n++) print p, "begin", $0
                last = $0
            }
            END {if (n) print p, "end", last}'
    done
}
phase() { # PHASE SECONDS NAME...: only these run. dom0 sleeps meanwhile.
    phase=$1 span=$2
    shift 2
    for name in "$@"; do : >/run/$name.log; done
    for name in "$@"; do run xl unpause $name; done
    charged $phase begin
    begin=$(uptime)
    sleep $((span + 5))
    end=$(uptime)
    charged $phase end
    for name in "$@"; do run xl pause $name; done
    counts $phase $begin $end "$@"
}
