#!/bin/sh
# SPDX-License-Identifier: MIT
# What `xl create` and `xl destroy` cost, and a Linux guest up to the first line of its user space.
# Rows for bench/bench.py: under -icount with shift 0 a nanosecond is an instruction.
now() { date +%s%N; }
row() { # NAME BEGIN END
    echo "ROW $1 $(($3 - $2))"
}

mkdir -p /run/guest/bin
cp /bin/busybox /run/guest/bin/
cat >/run/guest/init <<'I'
#!/bin/busybox sh
echo "GUEST up"
exec /bin/busybox sleep 1000000
I
chmod 755 /run/guest/init
(cd /run/guest && find . | busybox cpio -o -H newc | gzip -1) >/run/guest.gz 2>/dev/null
cp vmlinuz /run/
printf 'name = "s"\nkernel = "%s/tick.elf"\nextra = "s 100000"\nmemory = 32\n' "$PWD" >/run/s.cfg
printf 'name = "l"\nkernel = "/run/vmlinuz"\nramdisk = "/run/guest.gz"\nmemory = 128\n%s\n' \
    'extra = "console=hvc0 quiet"' >/run/l.cfg

for n in 0 1 2 3 4 5; do
    a=$(now)
    xl create -q -e /run/s.cfg || exit 1
    b=$(now)
    sleep 1
    c=$(now)
    xl destroy s || exit 1
    d=$(now)
    [ $n -eq 0 ] || row "xl create, small guest" $a $b
    [ $n -eq 0 ] || row "xl destroy, small guest" $c $d
done
for n in 0 1 2; do
    mkfifo /run/fifo
    a=$(now)
    xl create -q -e /run/l.cfg || exit 1
    b=$(now)
    xl console l </dev/null >/run/fifo 2>/dev/null &
    grep -q -m 1 'GUEST up' /run/fifo || exit 1
    c=$(now)
    xl destroy l
    rm /run/fifo
    [ $n -eq 0 ] || row "xl create, Linux guest of 128 MiB" $a $b
    [ $n -eq 0 ] || row "xl create to its user space" $a $c
done
