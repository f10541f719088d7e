# SPDX-License-Identifier: MIT
# The id of a domain that was, for each verb. Some end with 0 all the same: what they say counts.
stale() { # PATTERN VERB [ARGUMENT...]
    pattern=$1 verb=$2
    shift 2
    run xl "$verb" "$stale" "$@"
    settle "$verb: stale id" "$pattern" 1
}
stale 'domctl 3 for d[0-9]+: no such domain' pause
stale 'unable to get domain type' unpause
stale 'destroy failed' destroy
stale 'shutdown failed' shutdown
stale 'reboot failed' reboot
stale 'Unable to attach console' console
stale 'core dump failed' dump-core /run/out
stale 'unable to find domain info' save /run/out
stale "Can't get start time" uptime
stale 'domctl 14 for d[0-9]+: no such domain' vcpu-list
stale 'does not exist' list
stale 'maybe this domain does not exist' domname
stale "Can't rename domain" rename other
stale 'Could not get domain info' vcpu-pin 0 0
stale 'unable to find domain info' mem-set 16
stale 'unable to find domain info' mem-max 16
stale 'domctl 28 for d[0-9]+: no such domain' trigger nmi
stale 'unable to get domain type' block-attach phy:/dev/loop0,xvda,w
stale 'unable to get domain type' network-attach
stale 'unknown domain' cpupool-migrate Pool-0
bad "sched-credit2: stale id" 'params_set failed' xl sched-credit2 -d $stale -w 300
bad "sched-rtds: stale id" 'vcpu_sched_params_set_all failed' \
    xl sched-rtds -d $stale -v all -p 10000 -b 100 -e 1
bad "domid: no such name" 'maybe this domain does not exist' xl domid nobody

bad "destroy: dom0" 'Not destroying domain 0' xl destroy 0
says "pause: dom0" 'domctl 3 for d0: an argument .* does not fit' xl pause 0
bad "rename: name taken" 'already exists' xl rename there Domain-0
bad "mem-set: above the maximum" 'must be less than or equal to' xl mem-set there 64
bad "mem-set: words" 'invalid memory size: x' xl mem-set there x
bad "mem-max: below the current" 'must be greater than' xl mem-max there 8
bad "mem-max: words" 'invalid memory size: x' xl mem-max there x
bad "vcpu-set: more than there are" 'Requested 5 VCPUs, however maxcpus is 1' xl vcpu-set -i there 5
bad "vcpu-set: none" 'Requested 0 VCPUs' xl vcpu-set there 0
bad "vcpu-pin: no such CPU" 'hard affinity map is empty' xl vcpu-pin there 0 9
bad "vcpu-pin: a CPU that is not there" 'setvcpuaffinity: d[0-9]+v0 on CPUs 0x20: none of' \
    xl vcpu-pin there 0 5
bad "vcpu-pin: no such vCPU" 'domctl 9 for d[0-9]+: an argument' xl vcpu-pin there 7 0
bad "vcpu-pin: words" 'Invalid pcpu range: x' xl vcpu-pin there 0 x
bad "sched-credit2: weight" 'weight out of range' xl sched-credit2 -d there -w 70000
bad "sched-credit2: cap" 'cap out of range' xl sched-credit2 -d there -c 300
bad "sched-credit2: rate limit" 'Ratelimit out of range' \
    xl sched-credit2 -s -p Pool-0 -r 1000000000
bad "sched-credit: slice" 'scheduler_op: .* time slice' xl sched-credit -s -t 5
bad "sched-rtds: more than a CPU" 'reserves 99\.0 %' \
    xl sched-rtds -d there -v all -p 10000 -b 9900 -e 1
bad "sched-rtds: budget above period" 'must be smaller than or equal to period' \
    xl sched-rtds -d there -v all -p 10000 -b 20000 -e 1
bad "trigger: unknown" 'Invalid trigger' xl trigger there nonsense
says "trigger: no such button" 'sendtrigger: d[0-9]+ has no such button' xl trigger there power
bad "sysrq: a word" 'Invalid sysrq' xl sysrq there help
bad "dump-core: no folder" 'Could not open corefile /run/absent/core' \
    xl dump-core there /run/absent/core
bad "save: no folder" 'Failed to open temp file' xl save there /run/absent/save
bad "restore: absent" 'open restore file: No such file' xl restore /run/absent
bad "restore: garbage" 'wrong magic number' xl restore /job/garbage
bad "block-attach: absent" 'failed to stat: /dev/absent' \
    xl block-attach there phy:/dev/absent,xvdb,w
bad "block-detach: absent" 'xvdz not connected' xl block-detach there xvdz
bad "network-attach: bridge" 'bridge device absent' xl network-attach there bridge=absent
bad "network-detach: absent" 'Unknown device 5' xl network-detach there 5
bad "pci-attach" 'is not assignable' xl pci-attach there 00:1f.2
bad "cpupool-create: no CPU" 'cpu 9 illegal or not free' \
    xl cpupool-create 'name="p"' 'cpus=["9"]'
bad "cpupool-destroy: in use" "Can't destroy cpupool" xl cpupool-destroy Pool-0
bad "cpupool-migrate: no pool" 'unknown cpupool' xl cpupool-migrate there none
bad "console: no such type" 'console type supported are' xl console -t nothing there
bad "debug-keys: nothing" 'at least 1 argument' xl debug-keys
