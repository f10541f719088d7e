#!/bin/sh
# SPDX-License-Identifier: MIT
# deps.sh GROUP...: install the Debian packages that a part of the project needs, if any is missing.
#
# Groups: build (compile the hypervisor), image (the dom0 disk), run (QEMU), test (host tests,
# fuzzing, ISO), bochs (a processor with VT-x), all. Prints nothing and returns at once when
# everything is there. Installs as root, or through sudo; with neither it names the command to type
# and fails.
set -eu

packages() {
    case $1 in
    build) echo gcc binutils make python3 libxen-dev liblzma-dev zlib1g-dev libzstd-dev \
                liblz4-dev ;;
    image) echo mmdebstrap cpio e2fsprogs kmod xz-utils apt dpkg python3
           # An ordinary user unpacks in a user namespace.
           [ "$(id -u)" = 0 ] || echo uidmap ;;
    run)   echo qemu-system-x86 seabios python3 ;;
    test)  echo clang libclang-rt-14-dev llvm clang-format grub-pc-bin grub-common xorriso mtools \
                libc6-dev ;;
    bochs) echo bochs bochs-term bochsbios vgabios bsdutils grub-pc-bin grub-common xorriso \
                mtools ;;
    all)   packages build; packages image; packages run; packages test ;;
    *)     echo "deps.sh: unknown group '$1' (build, image, run, test, bochs, all)" >&2; exit 2 ;;
    esac
}

missing() {
    for p in $(for g in "$@"; do packages "$g"; done); do
        case $(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null || :) in
        installed) ;;
        *) echo "$p" ;;
        esac
    done | sort -u
}

[ $# -gt 0 ] || set -- all
need=$(missing "$@")
[ -n "$need" ] || exit 0
need=$(echo $need)

as_root=
if [ "$(id -u)" != 0 ]; then
    # On a terminal sudo may ask for the password; without one it must not hang waiting for it.
    if [ -t 0 ]; then as_root=sudo; else as_root='sudo -n'; fi
    if ! command -v sudo >/dev/null || ! $as_root true; then
        echo "These Debian packages are missing; as root: apt-get install $need" >&2
        exit 1
    fi
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "Installing Debian packages: $need"
export DEBIAN_FRONTEND=noninteractive
# The package lists may be older than the archive, or (in a container) absent: refresh them first.
# One unreachable third-party archive must not stop us, so only the install's result counts.
$as_root apt-get -o DPkg::Lock::Timeout=300 update >"$log" 2>&1 || :
if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 \
        install -y --no-install-recommends $need >>"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "deps.sh: apt-get could not install: $need" >&2
    exit 1
fi
