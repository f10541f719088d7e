#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Everything `make test` runs, one step after the other, each with its own time limit.

A step that prints lines `N passed, N failed` counts with those numbers, any other as one. The last
line of the run is the sum; before it stands again how each failed step ended. Steps named on the
command line run alone; --long adds the long ones.
"""
import argparse
import collections
import os
import re
import signal
import subprocess
import sys
import time

COUNT = re.compile(r"(?:^|\s)(\d+) passed, (\d+) failed(?:, \d+ skipped)?\s*$")

TAIL = 60  # lines of a failed step to show again

# name, command, seconds, runs only with --long
STEPS = [
    ("layers", "tools/check_layers.py", 30, False),
    ("style", "tools/check_style.py", 60, False),
    ("headers", "tools/check_headers.sh", 60, False),
    ("docs", "tools/check_docs.py", 30, False),
    ("format", "clang-format --dry-run -Werror $(git ls-files '*.[ch]')", 120, False),
    ("abi-doc", "tools/check_abi.py", 30, False),
    ("build", "make -j2", 300, False),
    ("build-clang", "make -j2 CC=clang build/clang/wheeler.elf", 300, False),
    ("build-debug", "make -j2 DEBUG=1 build/debug-gcc/wheeler.elf", 300, False),
    ("image-size", "tools/check_size.sh", 30, False),
    ("unit", "make -j2 check", 600, False),
    ("unit-clang", "make -j2 check-clang", 600, True),
    ("native", "make native ARGS=count=300000", 300, False),
    ("native-long", "make native ARGS='seconds=3600 seed=2'", 4200, True),
    # The same inputs each time: what it says depends on the tree, not on luck.
    ("fuzz", "make fuzz FUZZ_SECONDS=3 FUZZ_ARGS=-seed=1", 600, False),
    ("fuzz-long", "make fuzz FUZZ_SECONDS=60", 3600, True),
    ("hvfuzz", "make fuzz-hv FUZZ_SECONDS=60 FUZZ_ARGS=-seed=1", 600, False),
    ("hvfuzz-hvm", "make fuzz-hvm FUZZ_SECONDS=45 FUZZ_ARGS=-seed=1", 600, False),
    ("hvfuzz-long", "make fuzz-hv FUZZ_SECONDS=3600", 5400, True),
    ("hvfuzz-hvm-long", "make fuzz-hvm FUZZ_SECONDS=3600", 5400, True),
    ("guests", "make guest-test", 900, False),
    ("guests-noxsave", "make guest-test CPU=max,-xsave TESTS=state", 120, False),
    ("guests-debug", "make guest-test HV=build/debug-gcc/wheeler.elf", 1500, False),
    ("image", "make image", 1200, False),
    ("tour", "make run </dev/null", 900, False),
    ("linux", "make linux JOBS='boot iso reboot disk net cpuhotplug' DISK_MIB=64", 1800, False),
    ("xl", "make linux JOBS='xlinfo xlcreate xldev'", 2400, False),
    ("pools", "make linux JOBS=cpupool", 900, False),
    ("devices", "make linux JOBS='ioshare xlqemu'", 1800, False),
    ("guest-io", "make linux JOBS='guestdisk guestnet' GUESTDISK_SECONDS=40 GUESTNET_MIB=16", 2400,
     False),
    ("pvh", "make linux JOBS=xlpvh", 2700, False),
    ("isolation", "make linux JOBS=neighbours:mixed FAIR_SECONDS=10", 1500, False),
    ("verbs", "make linux JOBS='xlverbs xlbadcfg'", 3600, False),
    ("control", "make linux JOBS='churn xlbad'", 600, False),
    ("xlchurn", "make linux JOBS=xlchurn", 1500, False),
    ("stress", "make linux JOBS=stress STRESS_SECONDS=30", 600, False),
    ("time", "make linux JOBS=time TIME_SECONDS=30", 600, False),
    ("badinput", "make badinput", 600, False),
    ("vtx", "make linux BOCHS=1 JOBS=xlpvh:up MEM=1024 D0MEM=512", 5400, True),
    ("linux-all", "make linux ALL=1 JOBS='boot disk net'", 3600, True),
    ("stress-long", "make linux JOBS=stress STRESS_SECONDS=180", 1200, True),
    ("driverdom", "make linux ALL=1 JOBS=driverdom", 5400, True),
    ("driverdisk", "make linux JOBS=driverdisk", 1200, True),
    ("churn-long", "make linux JOBS=churn CHURN_ROUNDS=20000", 1800, True),
    ("xlchurn-long", "make linux JOBS=xlchurn XLCHURN_ROUNDS=1000", 9000, True),
    ("density", "make linux ALL=1 JOBS=xldensity", 2400, True),
    ("pvh-long", "make linux JOBS='xlpvh:nosvm xlpvh:sizes xlpvh:stress tour:nosvm'", 5400, True),
    ("pvh-io", "make linux JOBS='guestdisk:pvh guestnet:pvh'", 4800, True),
    ("pvh-churn", "make linux JOBS=xlchurn:pvh XLCHURN_ROUNDS=100", 5400, True),
    ("guest-io-long", "make linux JOBS='guestdisk guestnet'", 4800, True),
    ("fairness", "make linux ALL=1 JOBS=fairness", 7200, True),
    ("neighbours", "make linux ALL=1 JOBS=neighbours", 4800, True),
    ("time-long", "make linux JOBS=time TIME_SECONDS=120", 600, True),
]


def run_step(name, command, limit):
    print(f"== {name}: {command}", flush=True)
    start = time.monotonic()
    proc = subprocess.Popen(command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            stdin=subprocess.DEVNULL, start_new_session=True, text=True,
                            errors="replace", bufsize=1)
    timed_out = []

    def give_up(_sig, _frame):
        timed_out.append(True)
        os.killpg(proc.pid, signal.SIGKILL)

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(limit)
    passed = failed = 0
    tail = collections.deque(maxlen=TAIL)
    for line in proc.stdout:
        tail.append(line)
        sys.stdout.write("   " + line)
        sys.stdout.flush()
        m = COUNT.search(line)
        if m:
            passed += int(m.group(1))
            failed += int(m.group(2))
    code = proc.wait()
    signal.alarm(0)
    took = time.monotonic() - start
    if timed_out:
        print(f"== {name}: killed after its limit of {limit} s", flush=True)
        failed += 1
    elif code != 0 and failed == 0:
        failed += 1
    elif passed + failed == 0:
        passed += 1
    print(f"== {name}: {'PASS' if failed == 0 else 'FAIL'} ({took:.0f} s)", flush=True)
    return passed, failed, tail


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="the long steps too")
    parser.add_argument("steps", nargs="*")
    args = parser.parse_args()
    known = [s[0] for s in STEPS]
    for name in args.steps:
        if name not in known:
            parser.error(f"no step {name}; there are: {' '.join(known)}")
    total = [0, 0]
    bad = {}
    for name, command, limit, is_long in STEPS:
        wanted = name in args.steps if args.steps else args.long or not is_long
        if not wanted:
            continue
        passed, failed, tail = run_step(name, command, limit)
        total[0] += passed
        total[1] += failed
        if failed:
            bad[name] = tail
    for name, tail in bad.items():
        print(f"== {name}: FAILED; the last it printed:")
        sys.stdout.writelines("   " + line for line in tail)
    if bad:
        print("failed steps: " + " ".join(bad))
    print(f"{total[0]} passed, {total[1]} failed", flush=True)
    return 1 if total[1] else 0


if __name__ == "__main__":
    sys.exit(main())
