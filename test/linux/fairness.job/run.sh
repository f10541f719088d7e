#!/bin/sh
# SPDX-License-Identifier: MIT
# Guests that want the processor share one CPU: by weight, under caps, beside a tick dodger, with a
# reservation, and one that wakes up beside four that compute. The host judges by the guests' own
# counts and by the times of xl list.
. ./shares.sh
seconds=$(cat seconds)
run xl sched-credit2 -d Domain-0 -w 16384 # for the commands between
for n in 1 2 3 4 5 6 7 8 9; do guest s$n spin; done
guest dodger dodge 10000
guest waker wake 100 20000
echo "FAIR guests are there"

for name in s1 s2; do phase alone 5 $name; done
run xl sched-credit2 -d s1 -w 128
run xl sched-credit2 -d s2 -w 256
run xl sched-credit -d s3 -w 512
phase weights $seconds s1 s2 s3
for n in 1 2 3; do run xl sched-credit2 -d s$n -w 256; done
run xl sched-credit2 -d s1 -c 10
run xl sched-credit2 -d s2 -c 25
run xl sched-credit2 -d s3 -c 50
phase caps $seconds s1 s2 s3
for n in 1 2 3; do run xl sched-credit2 -d s$n -c 0; done
phase dodger $seconds s1 dodger
run xl sched-rtds -d s1 -v all -p 10000 -b 4000 -e 1
if xl sched-rtds -d s2 -v all -p 10000 -b 6000 -e 1; then fail "60 % more were promised"; fi
xl dmesg | grep 'd[0-9]*v0 reserves 60.0 %' | tail -n 1 | sed 's/^/FAIR refused: /'
phase reserved $seconds s1 s2 s3 s4 s5 s6 s7 s8 s9
run xl sched-rtds -d s1 -v all -p 1000000 -b 1 -e 1
phase wakeup $seconds s1 s2 s3 s4 waker
xl debug-keys r
xl dmesg | tail -n 12 | sed 's/^/DMESG /'
for name in s1 s2 s3 s4 s5 s6 s7 s8 s9 dodger waker; do run xl destroy $name; done
