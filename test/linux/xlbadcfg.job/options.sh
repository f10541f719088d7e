# SPDX-License-Identifier: MIT
taken "no vCPUs" 'vcpus = 0'
config "too many vCPUs" 'contains too many VCPUS' 'vcpus = 100000'
config "vcpus above the limit" 'createdomain: vCPUs, 1 to 128 .*vCPUs 129' 'vcpus = 129'
config "more vCPUs than maxvcpus" 'maxvcpus < vcpus' 'vcpus = 4' 'maxvcpus = 2'
taken "CPU beyond the map" 'cpus = "9"'
config "CPUs in words" 'Invalid pcpu range: x-y' 'cpus = "x-y"'
taken "no CPU" 'cpus = "^0,^1"'
config "weight" 'weight out of range' 'cpu_weight = 70000'
config "cap" 'parsing error near .-5' 'cap = -5'
config "pool" 'Illegal pool specified: none' 'pool = "none"'
config "no name" 'name must be specified' '# name = '
config "name taken" 'already exists' 'name = "there"'
config "uuid" 'Failed to parse UUID' 'uuid = "not-a-uuid"'
config "type" 'Invalid domain type magic' 'type = "magic"'
config "on_crash" 'Unknown on_crash action' 'on_crash = "explode"'
config "syntax" 'parsing error' 'disk = [ "a'
config "tsc_mode" 'invalid value .sideways. for .tsc_mode' 'tsc_mode = "sideways"'
config "tsc_mode emulated" 'settscinfo: mode 1 of d[0-9]+ is not offered' \
    'tsc_mode = "always_emulate"'
taken "unknown CPUID flag" 'cpuid = "host,nonsense=1"'
config "vnuma" 'invalid pnode number: 7' \
    'vnuma = [ [ "pnode=7", "size=16", "vcpus=0", "vdistances=10" ] ]'
config "hvm" 'neither hap nor shadow' 'type = "hvm"'
config "hvm, builder" 'neither hap nor shadow' 'builder = "hvm"'
config "pvh" 'neither hap nor shadow' 'type = "pvh"'
config "nested" 'neither hap nor shadow' 'type = "hvm"' 'nestedhvm = 1'
config "hap" 'neither hap nor shadow|shadow' 'type = "hvm"' 'hap = 0'
config "passthrough" 'passthrough not supported' 'passthrough = "enabled"'
config "iomem" 'domctl: 20 for d[0-9]+ is not offered' 'iomem = [ "fee00,1" ]'
config "ioports" 'domctl: 21 for d[0-9]+ is not offered' 'ioports = [ "60" ]'
config "ioports in words" 'Invalid argument parsing ioport' 'ioports = [ "x" ]'
config "irqs" 'map_pirq for d[0-9]+ is not offered' 'irqs = [ 5 ]'
config "pci" 'passthrough not supported' 'pci = [ "00:1f.2" ]'
config "pci in words" 'unable to parse PCI_SPEC_STRING' 'pci = [ "x" ]'
config "grant frames" 'createdomain: grant frames, 1 to 64 .*grant frames 100000' \
    'max_grant_frames = 100000'
config "grant handles" 'createdomain: pages of grant handles.*handle pages 1000000' \
    'max_maptrack_frames = 1000000'
config "grant version" 'createdomain: grant table version' 'max_grant_version = 9'
config "event channels" 'parsing error near .-9' 'max_event_channels = -9'
config "disk absent" 'failed to stat: /run/absent.img: No such file' \
    'disk = [ "format=raw,vdev=xvda,access=rw,target=/run/absent.img" ]'
config "disk absent, block device" 'failed to stat: /dev/absent' \
    'disk = [ "phy:/dev/absent,xvda,w" ]'
config "disk without name" 'no vdev specified' 'disk = [ "format=raw,access=rw,target=/run/large" ]'
config "disk format" 'unknown value for format' \
    'disk = [ "format=clay,vdev=xvda,access=rw,target=/run/large" ]'
config "disk name" 'unsupported virtual disk identifier floppy9' \
    'disk = [ "format=raw,vdev=floppy9,access=rw,target=/run/large" ]'
config "vif mac" 'Invalid parameter .mac' 'vif = [ "mac=zz:00:00:00:00:00,bridge=absent" ]'
config "vif bridge" 'Could not find bridge device absent' 'vif = [ "bridge=absent" ]'
config "vif back end" 'nic defaults' 'vif = [ "backend=nobody" ]'
config "vif rate" 'invalid rate' 'vif = [ "rate=fast" ]'
: >/run/nothing.cfg
bad "empty configuration" 'name must be specified' xl create -q /run/nothing.cfg
bad "no configuration" 'No such file' xl create -q /run/absent.cfg
