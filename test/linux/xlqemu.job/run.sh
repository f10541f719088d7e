#!/bin/sh
# SPDX-License-Identifier: MIT
# What QEMU serves a PV guest from dom0: disks of qcow2 files (qdisk), a frame buffer and a keyboard
# reached by VNC.
TAG=QEMU
. ./lib/guest.sh
vnc=5907

qcow() { # NAME MIB: a qcow2 file of random content; its sum is in NAME.sum
    dd if=/dev/urandom of=/run/raw bs=1M count="$2" status=none
    qemu-img convert -f raw -O qcow2 /run/raw "/run/$1.qcow2" || fail "qemu-img"
    sum </run/raw >"/run/$1.sum"
}
content() { # NAME
    qemu-img check -q "/run/$1.qcow2" || fail "qemu-img check $1"
    qemu-img convert -f qcow2 -O raw "/run/$1.qcow2" /run/raw && sum </run/raw
}
look() { # [KEYS]
    python3 rfb.py $vnc "$@" 2>&1
}

qcow a 8
qcow b 2
guest_config q q 192 "disk = [ 'format=qcow2,vdev=xvda,access=rw,target=/run/a.qcow2' ]" \
    "vfb = [ 'vnc=1,vnclisten=127.0.0.1,vncdisplay=$((vnc - 5900))' ]"
sed -i 's/console=hvc0/console=tty0 console=hvc0/' /run/q.cfg
free_before=$(free_mem)
audit before
guest_create q
guest_says q 'GUEST up' 120
say "backends $(xenstore-list /local/domain/0/backend | tr '\n' ' ')"

# The disk.
guest q 'sha256sum </dev/xvda | cut -d" " -f1'
same "qcow2 read" "$answer" "$(cat /run/a.sum)"
guest q 'dd if=/dev/urandom of=/tmp/w bs=1M count=8 2>/dev/null;' \
    'dd if=/tmp/w of=/dev/xvda bs=1M conv=fsync 2>/dev/null; sha256sum </tmp/w | cut -d" " -f1'
written=$answer
# QEMU removes its part of xenstore as soon as the disk is closed; a libxl that looks later says
# it was unable to, and leaves the rest to --force. Any other failure is one.
detach() { # DISK
    back=$(xenstore-read "/local/domain/$(xl domid q)/device/vbd/51728/backend")
    timeout 60 xl block-detach q "$1" && return
    state=$(xenstore-read "$back/state" 2>/dev/null) && fail "block-detach: state $state"
    say "QEMU was first"
    xl block-detach --force q "$1" || fail "block-detach --force"
}
for round in 1 2; do
    timeout 60 xl block-attach q 'format=qcow2,vdev=xvdb,access=rw,target=/run/b.qcow2' ||
        fail "block-attach"
    guest q 'disk xvdb; sha256sum </dev/xvdb | cut -d" " -f1'
    same "qcow2 attached" "$answer" "$(cat /run/b.sum)"
    detach xvdb
    guest q 'gone /dev/xvdb'
done

# The screen: the kernel's console is on it, then what the guest draws. The kernel gives the screen
# to the console only when there is something to write, and QEMU shows it a moment later.
guest q 'echo Wheeler >/dev/tty0'
text_shown() {
    screen=$(look)
    [ "${screen%upper=mixed*}" != "$screen" ]
}
until_true 30 text_shown
say "console $screen"
guest q 'cat /sys/class/graphics/fb0/virtual_size'
say "fb0 $answer"
guest q 'echo 0 >/sys/class/vtconsole/vtcon1/bind; f() { tr "\0" "$1" </dev/zero |' \
    'head -c $((800 * 300 * 4)); }; { f "\252"; f "\125"; } >/dev/fb0'
# The guest's frame buffer and QEMU's screen each follow after a while.
drawn() {
    screen=$(look)
    [ "${screen%colours=2 upper*}" != "$screen" ]
}
until_true 30 drawn
say "drawn $screen"
guest_begin q 'read -r line </dev/tty1; echo "$line"'
look 'wheeler~' >/dev/null
guest_end q
same "keys" "$answer" wheeler

guest_destroy q
# libxl tells QEMU to end, and does not wait: until then the image is locked.
no_qemu() { ! pgrep -f '[x]en-qemu-system' >/dev/null; }
until_true 30 no_qemu
same "qcow2 written" "$written" "$(content a)"
say "processes left $(pgrep -fc '[x]en-qemu-system')"
say "free before $free_before"
say "free after $(free_mem)"
audit after
say end
