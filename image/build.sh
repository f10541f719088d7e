#!/bin/bash
# SPDX-License-Identifier: MIT
# build.sh: make the Debian control domain out of Debian packages, under $BUILD/image:
#
#   vmlinuz     Debian's kernel                 initrd.gz   finds and mounts the root disk
#   dom0.img    the root disk (ext4)            xen.elf     Debian's Xen, for comparison (HV=xen)
#   guest.img   a guest's root disk (ext4)      guest/      its kernel (Debian's cloud kernel,
#                                                           another than dom0's), initramfs, base
#
# Steps, each redone only when its inputs changed: Debian's files (one mmdebstrap run fetches base
# system, kernel and Xen), the initramfs, the disk; for the guest first, as its kernel and initramfs
# lie on dom0's disk. Works as root and, through user namespaces, as an ordinary user.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=${BUILD:-$here/../build}/image
mkdir -p "$out"
out=$(cd "$out" && pwd)
suite=bookworm
spare_mib=${IMAGE_SPARE:-512}
guest=$out/guest

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

# Everything that comes from Debian, in one go: the guest's root file system is what there is when
# the guest's packages are in, guest/base.tar; with dom0's packages on top it is base.tar. The Xen and
# the kernels in debs/ are unpacked into kernel/ and guest/kernel/. Kept until the list of packages
# changes or the folder is removed. (What mmdebstrap puts in the place of start-stop-daemon while it
# installs stays out of the guest.)
fetch_debian() {
    local work include
    work=$(mktemp -d)
    include=$(words "$here/guest-packages" | tr -s ' ' ',')
    # What was made of the old packages is void, whatever the new ones are.
    rm -rf "$out/debs" "$out/kernel" "$guest" "$out"/{guest,initrd,disk}.stamp
    mkdir -p "$out/debs" "$out/kernel" "$guest/kernel"
    # Hooks run in a user namespace when we are not root: they write where everybody may.
    chmod 777 "$out/debs" "$work"
    local fetch=(
        mmdebstrap --format=tar --skip=output/dev --variant=minbase --include="${include%,}"
        --aptopt='Acquire::Retries "3"' --dpkgopt=force-unsafe-io
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*'
        --dpkgopt='path-exclude=/usr/share/locale/*'
        --customize-hook="tar -c -f $work/base.tar --numeric-owner --exclude='./dev/*' \
            --exclude='./proc/*' --exclude='./sys/*' --exclude='./var/lib/apt/lists/*' \
            --exclude='./var/cache/apt/*' --exclude=./usr/sbin/policy-rc.d \
            --exclude=./usr/sbin/start-stop-daemon --transform='s,\.REAL\$,,' -C \"\$1\" ."
        --customize-hook="chroot \"\$1\" apt-get install -q -y --no-install-recommends \
            $(words "$here/packages")"
        --customize-hook="chroot \"\$1\" sh -c 'kernel() { apt-cache depends linux-image-\$1 | \
            sed -n \"s/.*Depends: //p\" | head -n 1; }; mkdir /debs; cd /debs; chmod 777 .; \
            apt-get download xen-hypervisor-4.17-amd64 \$(kernel amd64) \$(kernel cloud-amd64)'"
        --customize-hook="copy-out /debs $out"
        --customize-hook='rm -rf "$1/debs"'
        $suite "$out/base.new.tar")
    # A long download from far away: one failure is no verdict.
    run_logged "fetching Debian $suite: base system, Xen tools, kernels (a few minutes)" \
        "${fetch[@]}" || run_logged "trying once more" "${fetch[@]}"
    unpack_kernel "$out" "$out"/debs/xen-hypervisor-*.deb \
        $(printf '%s\n' "$out"/debs/linux-image-*.deb | grep -v cloud)
    zcat "$out/kernel/boot/xen-4.17-amd64.gz" >"$out/xen.elf"
    unpack_kernel "$guest" "$out"/debs/linux-image-*cloud*.deb
    mv "$work/base.tar" "$guest/base.tar"
    rmdir "$work"
    mv "$out/base.new.tar" "$out/base.tar"
}

# unpack_kernel DIR DEB...: the packages into DIR/kernel/, the kernel's file and version into DIR.
unpack_kernel() {
    local dir=$1 deb
    shift
    for deb in "$@"; do
        dpkg -x "$deb" "$dir/kernel"
    done
    ls "$dir/kernel/lib/modules" >"$dir/kver"
    depmod -b "$dir/kernel" "$(cat "$dir/kver")"
    cp "$dir/kernel/boot/vmlinuz-$(cat "$dir/kver")" "$dir/vmlinuz"
}

# modules_of DIR LIST FILTER: paths of the .ko files (relative to DIR/kernel/) named in the file
# LIST whose line passes the awk FILTER, with all they depend on, in loading order.
modules_of() {
    local kver
    kver=$(cat "$1/kver")
    sed 's/#.*//' "$2" | awk "$3" | while read -r name; do
        modprobe -d "$1/kernel" -S "$kver" --show-depends "$name" 2>/dev/null || :
    done | awk '/^insmod/ && !seen[$2]++ {print $2}' | sed "s,^$1/kernel/,,"
}

# build_initrd DIR LIST LABEL: DIR/initrd.gz, which loads DIR's kernel modules named "boot" in LIST
# and mounts the disk labelled LABEL.
build_initrd() {
    local dir=$1 tree="$1/initrd.tree"
    rm -rf "$tree"
    mkdir -p "$tree/bin" "$tree/mods"
    tar -x -f "$out/base.tar" -C "$tree" --strip-components=1 --wildcards './bin/busybox' \
        2>/dev/null || tar -x -f "$out/base.tar" -C "$tree" --wildcards '*bin/busybox'
    [ -x "$tree/bin/busybox" ] || { mv "$tree"/usr/bin/busybox "$tree/bin/"; rm -rf "$tree/usr"; }
    install -m 755 "$here/initrd-init" "$tree/init"
    echo "$3" >"$tree/label"
    modules_of "$dir" "$2" '$1=="boot"{print $2}' | while read -r ko; do
        cp "$dir/kernel/$ko" "$tree/mods/"
        basename "$ko" >>"$tree/mods/order"
    done
    (cd "$tree" && find . | LC_ALL=C sort | cpio -o -H newc --quiet -R 0:0 | gzip -9n) \
        >"$dir/initrd.gz"
    rm -rf "$tree"
}

# build_overlay DIR LIST ROOT: DIR/overlay.tar, what a disk has beside Debian's base: our start-up
# files from the folder ROOT, the modules in LIST, and what the caller put into DIR/overlay.tree.
build_overlay() {
    local dir=$1 tree="$1/overlay.tree" kver
    kver=$(cat "$dir/kver")
    mkdir -p "$tree/lib/modules/$kver"
    cp -r "$3/." "$tree/"
    cp "$dir/kernel/lib/modules/$kver"/modules.{order,builtin,builtin.modinfo} \
        "$tree/lib/modules/$kver/"
    modules_of "$dir" "$2" 'NF{print $NF}' | while read -r ko; do
        install -D -m 644 "$dir/kernel/$ko" "$tree/$ko"
    done
    depmod -b "$tree" "$kver"
    # Debian's root has /lib as a link into /usr: unpacking a folder over it breaks it.
    mkdir -p "$tree/usr"
    mv "$tree/lib" "$tree/usr/"
    tar -c -f "$dir/overlay.tar" --owner=0 --group=0 --numeric-owner -C "$tree" .
    rm -rf "$tree"
}

# build_disk DIR FILE LABEL SPARE: FILE, an ext4 disk of DIR/base.tar and DIR/overlay.tar with SPARE
# MiB to spare. The disk is made inside mmdebstrap's hooks, where files have their right owners even
# when we are not root. Hooks of a user namespace may only read and write where everybody may, hence
# the open folder with copies. (mmdebstrap's own tar-in fails now and then: it writes on after tar
# has seen the archive's end.)
build_disk() {
    local work size
    work=$(mktemp -d)
    chmod 777 "$work"
    size=$(($(cat "$1/base.tar" "$1/overlay.tar" | wc -c) / 1048576 + $4))
    truncate -s "${size}M" "$work/disk.img"
    chmod 666 "$work/disk.img"
    cp --reflink=auto "$1/base.tar" "$1/overlay.tar" "$work/"
    run_logged "making the disk $3 ($size MiB)" \
        mmdebstrap --format=null --variant=custom \
        --skip=setup,update,cleanup,check/empty,chroot/mount \
        --setup-hook="tar -x --numeric-owner -f $work/base.tar -C \"\$1\"" \
        --customize-hook="tar -x --numeric-owner -f $work/overlay.tar -C \"\$1\"" \
        --customize-hook='sh "$1"/usr/lib/wheeler/finish "$1"' \
        --customize-hook="mkfs.ext4 -q -F -L $3 -O ^has_journal -m 0 -d \"\$1\" \
            $work/disk.img" \
        '' /dev/null
    mv "$work/disk.img" "$2"
    chmod 644 "$2"
    rm -rf "$work"
}

# done_with STEP FILE HASH: is STEP's result there, made of the inputs that have this hash?
done_with() { ! stale "$1" "$3" && [ -e "$2" ]; }

make_guest() {
    local want
    want=$(hash_of "$out/debian.stamp" "$guest/kver" "$here/guest-modules" "$here/initrd-init" \
        "$0" $(find "$here/guest-root" -type f | LC_ALL=C sort))
    if ! done_with guest "$out/guest.img" "$want"; then
        rm -rf "$guest/overlay.tree"
        build_initrd "$guest" "$here/guest-modules" wheeler-guest
        build_overlay "$guest" "$here/guest-modules" "$here/guest-root"
        build_disk "$guest" "$out/guest.img" wheeler-guest 64
        rm -f "$out/guest2.img" # a copy that KEEP=1 made
        stamp guest "$want"
    fi
}

make_dom0() {
    local want tree="$out/overlay.tree"
    want=$(hash_of "$out/debian.stamp" "$out/kver" "$here/modules" "$here/initrd-init" "$0")
    if ! done_with initrd "$out/initrd.gz" "$want"; then
        build_initrd "$out" "$here/modules" wheeler-dom0
        stamp initrd "$want"
    fi
    want=$(hash_of "$out/debian.stamp" "$out/kver" "$here/modules" "$0" "$out/guest.stamp" \
        $(find "$here/root" -type f | LC_ALL=C sort) <(echo "$spare_mib"))
    if ! done_with disk "$out/dom0.img" "$want"; then
        rm -rf "$tree"
        mkdir -p "$tree/boot/guest" "$tree/job"
        cp "$out/vmlinuz" "$tree/boot/vmlinuz"
        cp "$guest/vmlinuz" "$guest/initrd.gz" "$tree/boot/guest/"
        build_overlay "$out" "$here/modules" "$here/root"
        build_disk "$out" "$out/dom0.img" wheeler-dom0 "$spare_mib"
        stamp disk "$want"
        say "ready: $out"
    fi
}

main() {
    local want
    want=$(hash_of "$here/packages" "$here/guest-packages" <(echo "$suite v2"))
    if ! done_with debian "$out/base.tar" "$want"; then
        fetch_debian
        stamp debian "$want"
    fi
    make_guest
    make_dom0
}

# Two builds of the same folder at once would spoil each other.
exec 9>"$out/lock"
flock 9
main
