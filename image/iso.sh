#!/bin/sh
# SPDX-License-Identifier: MIT
# iso.sh OUT.iso: a CD image that boots the hypervisor and dom0's kernel with GRUB (BIOS).
#
# The menu has the same machine twice: by multiboot2, as Debian's GRUB scripts write it, and by the
# older multiboot. Environment: HVGZ (the gzipped hypervisor), KERNEL, INITRD, HVOPT and D0OPT (more
# words for the hypervisor and for dom0's kernel), ENTRY (the entry that starts by itself),
# SECONDS_SHOWN (how long the menu waits).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-$here/../build}
out=$1
hv=${HVGZ:-$build/wheeler.gz}
kernel=${KERNEL:-$build/image/vmlinuz}
initrd=${INITRD:-$build/image/initrd.gz}
export PATH="$PATH:/usr/sbin:/sbin"

for f in "$hv" "$kernel" "$initrd"; do
    [ -e "$f" ] || { echo "iso.sh: $f is missing" >&2; exit 1; }
done

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/boot/grub"
cp "$hv" "$tree/boot/wheeler.gz"
cp "$kernel" "$tree/boot/vmlinuz"
cp "$initrd" "$tree/boot/initrd.gz"

hvline="placeholder com1=115200 console=com1 ${HVOPT:-}"
d0line="placeholder console=hvc0 panic=1 loglevel=5 ${D0OPT:-}"

# entry ID TITLE COMMAND MODULE: GRUB unpacks the hypervisor; kernel and initrd stay as they are.
entry() {
    cat <<EOF
menuentry '$2' --id $1 {
    echo 'Loading the hypervisor by $3 ...'
    $3 /boot/wheeler.gz $hvline
    echo 'Loading the control domain ...'
    $4 --nounzip /boot/vmlinuz $d0line
    $4 --nounzip /boot/initrd.gz
}
EOF
}

{
    cat <<EOF
serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial
set default=${ENTRY:-multiboot2}
set timeout=${SECONDS_SHOWN:-3}
insmod gzio
insmod part_msdos
insmod iso9660
EOF
    entry multiboot2 'Wheeler with Debian as control domain' multiboot2 module2
    entry multiboot 'Wheeler with Debian as control domain (multiboot 1)' multiboot module
} >"$tree/boot/grub/grub.cfg"

mkdir -p "$(dirname "$out")"
# Only the BIOS half, also where GRUB's EFI modules are installed.
if ! grub-mkrescue -d /usr/lib/grub/i386-pc -o "$out.new" "$tree" >"$out.log" 2>&1; then
    cat "$out.log" >&2
    exit 1
fi
rm -f "$out.log"
mv "$out.new" "$out"
echo "  ISO     $out ($(stat -c %s "$out") bytes)"
