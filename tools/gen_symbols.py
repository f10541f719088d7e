#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns `nm -n IMAGE` (on stdin) into an assembly file with the hypervisor's symbol table.

The image is linked twice: first with an empty table (--empty), then with the table of that first
link. The table lies behind the code, so the second link moves no function; --check FILE compares
a finished table with the nm output on stdin and fails when an address differs.

    gen_symbols.py --empty > sym.S
    nm -n first.elf | gen_symbols.py > sym.S
"""
import argparse
import re
import sys

IMAGE_BASE = 0xffff828000000000
IMAGE_SIZE = 0x40000000
SKIP = re.compile(r"^(\$|\.L|\.)")


def read_symbols(lines):
    """Code symbols as (offset, name), one per address, and the end of the code."""
    code, others = {}, []
    for line in lines:
        words = line.split()
        if len(words) != 3:
            continue
        off = int(words[0], 16) - IMAGE_BASE
        if not 0 <= off < IMAGE_SIZE:
            continue
        kind, name = words[1], words[2]
        if kind in "tTwW" and not SKIP.match(name):
            # Of several names for one address a global one says most.
            if off not in code or (kind in "TW" and code[off][0] not in "TW"):
                code[off] = (kind, name)
        elif kind not in "tTwWUaA":
            others.append(off)
    table = sorted((off, name) for off, (_, name) in code.items())
    if not table:
        return [], 0
    last = table[-1][0]
    end = min((o for o in others if o > last), default=last + 0x1000)
    return table, end


def write_table(table, end, out):
    names, offsets = bytearray(), []
    for _, name in table:
        offsets.append(len(names))
        names += name.encode() + b"\0"
    addrs = [off for off, _ in table] + ([end] if table else [])
    offsets += [0] if table else []
    out.write("/* Made by tools/gen_symbols.py. */\n")
    out.write('    .section .symbols, "a", @progbits\n')
    for label, words in (("symbols_count", [len(addrs)]), ("symbols_addr", addrs),
                         ("symbols_name_off", offsets)):
        out.write(f"    .balign 4\n    .globl {label}\n{label}:\n")
        for i in range(0, len(words), 8):
            out.write("    .long " + ", ".join(f"0x{w:x}" for w in words[i:i + 8]) + "\n")
    out.write("    .globl symbols_names\nsymbols_names:\n")
    for _, name in table:
        out.write(f'    .asciz "{name}"\n')
    out.write("    .byte 0\n")
    out.write('    .section .note.GNU-stack, "", @progbits\n')


def main():
    ap = argparse.ArgumentParser(description=__doc__,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--empty", action="store_true", help="a table without names; stdin is not read")
    ap.add_argument("--check", metavar="FILE", help="compare with this table instead of printing")
    args = ap.parse_args()
    table, end = ([], 0) if args.empty else read_symbols(sys.stdin)
    if not table and not args.empty:
        print("gen_symbols: no code symbols on stdin", file=sys.stderr)
        return 1
    if not args.check:
        write_table(table, end, sys.stdout)
        return 0
    with open(args.check, encoding="ascii") as f:
        text = f.read()
    block = re.search(r"^symbols_addr:\n((?:    \.long .*\n)*)", text, re.M)
    had = [int(w, 16) for w in re.findall(r"0x([0-9a-f]+)", block.group(1))] if block else []
    want = [off for off, _ in table]
    if had[:-1] != want:
        bad = next((i for i, (a, b) in enumerate(zip(had, want)) if a != b), -1)
        name = table[bad][1] if bad >= 0 else "count"
        print(f"gen_symbols: the table does not fit the image ({name}): {len(had) - 1} names"
              f" against {len(want)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
