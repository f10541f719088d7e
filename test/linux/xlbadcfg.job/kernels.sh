# SPDX-License-Identifier: MIT
kernel "absent" 'No such file' /run/absent
kernel "a folder" 'failed to seek on file' /run
kernel "empty" 'zero length file' /job/empty
kernel "garbage" 'no loader found: Invalid kernel' /job/garbage
kernel "truncated" 'payload length overflow' /job/truncated
kernel "corrupted" 'unable to XZ decompress' /job/corrupted
kernel "no notes" 'no loader found: Invalid kernel' /job/no-notes
kernel "32 bits" 'guest type xen-3.0-x86_32 not supported' /job/bits32
kernel "PVH only" 'no loader found: Invalid kernel' /job/pvh-only
kernel "unknown feature" 'no loader found: Invalid kernel' /job/feature
kernel "foreign loader" 'no loader found: Invalid kernel' /job/loader
kernel "beyond its memory" 'no loader found: Invalid kernel' /job/base
config "no kernel" 'Neither kernel nor bootloader' '# kernel = '
config "ramdisk absent" 'No such file' 'ramdisk = "/run/absent"'
config "ramdisk too large" 'segment module0 too large' 'ramdisk = "/run/large"' 'memory = 64'
config "bootloader absent" 'cannot run bootloader with no boot disk' 'bootloader = "/run/absent"'
claim='claim of [0-9]+ pages for d[0-9]+: it has 0 of .* [0-9]+ free, 0 claimed'
config "more memory than free" "$claim" 'memory = 65536'
config "more than is free" "$claim" "memory = $(($(free_mem) + 1))"
config "no memory" 'segment padding too large' 'memory = 0'
config "too little memory" 'segment kernel too large' 'memory = 1'
config "negative memory" 'parsing error near .-16' 'memory = -16'
taken "maxmem below memory" 'maxmem = 8'
taken "memory in words" 'memory = "lots"'
