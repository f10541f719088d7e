#!/bin/bash
# SPDX-License-Identifier: MIT
# build.sh: make the Debian control domain out of Debian packages, under $BUILD/image:
#
#   vmlinuz     Debian's kernel                 initrd.gz   finds and mounts the root disk
#   dom0.img    the root disk (ext4)            xen.elf     Debian's Xen, for comparison (HV=xen)
#
# Three steps, each redone only when its inputs changed: Debian's files (one mmdebstrap run fetches
# base system, kernel and Xen), the initramfs, the disk. Works as root and, through user
# namespaces, as an ordinary user.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=${BUILD:-$here/../build}/image
mkdir -p "$out"
out=$(cd "$out" && pwd)
suite=bookworm
spare_mib=${IMAGE_SPARE:-512}

say() { echo "image: $*"; }

# stale NAME HASH: is NAME's stamp different from HASH?
stale() { [ "$(cat "$out/$1.stamp" 2>/dev/null || :)" != "$2" ]; }
stamp() { echo "$2" >"$out/$1.stamp"; }
hash_of() { cat "$@" | sha256sum | cut -d' ' -f1; }
words() { sed 's/#.*//' "$1" | tr '\n' ' '; }

# run_logged WHAT CMD...: run a long command with its output in a file and a sign of life on ours.
run_logged() {
    local what=$1 log="$out/build.log" start=$SECONDS pid
    shift
    say "$what"
    "$@" >"$log" 2>&1 &
    pid=$!
    while kill -0 $pid 2>/dev/null; do
        sleep 1
        [ $(((SECONDS - start) % 15)) -ne 14 ] || say "  $((SECONDS - start)) s, still working"
    done
    if ! wait $pid; then
        tail -n 20 "$log" >&2
        say "failed: $what (whole log: $log)" >&2
        return 1
    fi
    say "  done in $((SECONDS - start)) s"
}

# Everything that comes from Debian: base.tar (root file system) and debs/ (kernel, Xen), unpacked
# into kernel/. Kept until the list of packages changes or the folder is removed.
fetch_debian() {
    local include
    include=$(words "$here/packages" | tr -s ' ' ',')
    rm -rf "$out/debs" "$out/kernel" "$out/base.new.tar"
    mkdir -p "$out/debs" "$out/kernel"
    chmod 777 "$out/debs"
    local fetch=(
        mmdebstrap --format=tar --skip=output/dev --variant=minbase --include="${include%,}"
        --aptopt='Acquire::Retries "3"'
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*'
        --dpkgopt='path-exclude=/usr/share/locale/*'
        --customize-hook="chroot \"\$1\" sh -c 'mkdir /debs; cd /debs; chmod 777 .; \
            apt-get download xen-hypervisor-4.17-amd64 \
            \$(apt-cache depends linux-image-amd64 | sed -n \"s/.*Depends: //p\" | head -n 1)'"
        --customize-hook="copy-out /debs $out"
        --customize-hook='rm -rf "$1/debs"'
        $suite "$out/base.new.tar")
    # A long download from far away: one failure is no verdict.
    run_logged "fetching Debian $suite: base system, Xen tools, kernel (a few minutes)" \
        "${fetch[@]}" || run_logged "trying once more" "${fetch[@]}"
    for deb in "$out"/debs/*.deb; do
        dpkg -x "$deb" "$out/kernel"
    done
    ls "$out/kernel/lib/modules" >"$out/kver"
    depmod -b "$out/kernel" "$(cat "$out/kver")"
    cp "$out/kernel/boot/vmlinuz-$(cat "$out/kver")" "$out/vmlinuz"
    zcat "$out/kernel/boot/xen-4.17-amd64.gz" >"$out/xen.elf"
    mv "$out/base.new.tar" "$out/base.tar"
}

# modules_of FILTER: paths of the .ko files (relative to kernel/) named in image/modules whose line
# passes the awk FILTER, with all they depend on, in loading order.
modules_of() {
    local kver
    kver=$(cat "$out/kver")
    sed 's/#.*//' "$here/modules" | awk "$1" | while read -r name; do
        modprobe -d "$out/kernel" -S "$kver" --show-depends "$name" 2>/dev/null || :
    done | awk '/^insmod/ && !seen[$2]++ {print $2}' | sed "s,^$out/kernel/,,"
}

build_initrd() {
    local tree="$out/initrd.tree"
    rm -rf "$tree"
    mkdir -p "$tree/bin" "$tree/mods"
    tar -x -f "$out/base.tar" -C "$tree" --strip-components=1 --wildcards './bin/busybox' \
        2>/dev/null || tar -x -f "$out/base.tar" -C "$tree" --wildcards '*bin/busybox'
    [ -x "$tree/bin/busybox" ] || { mv "$tree"/usr/bin/busybox "$tree/bin/"; rm -rf "$tree/usr"; }
    install -m 755 "$here/initrd-init" "$tree/init"
    modules_of '$1=="boot"{print $2}' | while read -r ko; do
        cp "$out/kernel/$ko" "$tree/mods/"
        basename "$ko" >>"$tree/mods/order"
    done
    (cd "$tree" && find . | LC_ALL=C sort | cpio -o -H newc --quiet -R 0:0 | gzip -9n) \
        >"$out/initrd.gz"
    rm -rf "$tree"
}

# What the disk has beside Debian's base: our start-up files and the kernel's modules.
build_overlay() {
    local tree="$out/overlay.tree" kver
    kver=$(cat "$out/kver")
    rm -rf "$tree"
    mkdir -p "$tree/lib/modules/$kver" "$tree/boot" "$tree/job"
    cp -r "$here/root/." "$tree/"
    cp "$out/vmlinuz" "$tree/boot/vmlinuz"
    cp "$out/kernel/lib/modules/$kver"/modules.{order,builtin,builtin.modinfo} \
        "$tree/lib/modules/$kver/"
    modules_of 'NF{print $NF}' | while read -r ko; do
        install -D -m 644 "$out/kernel/$ko" "$tree/$ko"
    done
    depmod -b "$tree" "$kver"
    # Debian's root has /lib as a link into /usr: unpacking a folder over it breaks it.
    mkdir -p "$tree/usr"
    mv "$tree/lib" "$tree/usr/"
    tar -c -f "$out/overlay.tar" --owner=0 --group=0 --numeric-owner -C "$tree" .
    rm -rf "$tree"
}

# The disk is made inside mmdebstrap's hooks, where files have their right owners even when we are
# not root. Hooks of a user namespace may only read and write where everybody may, hence the
# open folder with copies. (mmdebstrap's own tar-in fails now and then: it writes on after tar has
# seen the archive's end.)
build_disk() {
    local work size
    work=$(mktemp -d)
    chmod 777 "$work"
    size=$(($(cat "$out/base.tar" "$out/overlay.tar" | wc -c) / 1048576 + spare_mib))
    truncate -s "${size}M" "$work/dom0.img"
    chmod 666 "$work/dom0.img"
    cp --reflink=auto "$out/base.tar" "$out/overlay.tar" "$work/"
    run_logged "making the dom0 disk ($size MiB)" \
        mmdebstrap --format=null --variant=custom \
        --skip=setup,update,cleanup,check/empty,chroot/mount \
        --setup-hook="tar -x --numeric-owner -f $work/base.tar -C \"\$1\"" \
        --customize-hook="tar -x --numeric-owner -f $work/overlay.tar -C \"\$1\"" \
        --customize-hook='sh "$1"/usr/lib/wheeler/finish "$1"' \
        --customize-hook="mkfs.ext4 -q -F -L wheeler-dom0 -O ^has_journal -m 0 -d \"\$1\" \
            $work/dom0.img" \
        '' /dev/null
    mv "$work/dom0.img" "$out/dom0.img"
    chmod 644 "$out/dom0.img"
    rm -rf "$work"
}

main() {
    local want
    want=$(hash_of "$here/packages" <(echo "$suite v1"))
    if stale debian "$want" || [ ! -e "$out/base.tar" ]; then
        fetch_debian
        stamp debian "$want"
    fi
    want=$(hash_of "$out/debian.stamp" "$out/kver" "$here/modules" "$here/initrd-init" "$0")
    if stale initrd "$want" || [ ! -e "$out/initrd.gz" ]; then
        build_initrd
        stamp initrd "$want"
    fi
    want=$(hash_of "$out/debian.stamp" "$out/kver" "$here/modules" "$0" \
        $(find "$here/root" -type f | LC_ALL=C sort) <(echo "$spare_mib"))
    if stale disk "$want" || [ ! -e "$out/dom0.img" ]; then
        build_overlay
        build_disk
        stamp disk "$want"
        say "ready: $out"
    fi
}

# Two builds of the same folder at once would spoil each other.
exec 9>"$out/lock"
flock 9
main
