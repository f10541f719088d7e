#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares docs/ABI.md with the public headers and with the dispatch in src/.

Each family is a section of the document whose heading ends with the family's constant prefix in
backquotes, followed by a table: number, name, status, what it does. The status is one of
    done               served as the kernel and the tools need it
    part               served within limits that the last column names
    refused ERRNO      answers this and will go on doing so
    later ERRNO        answers this until it has a user

Errors: a constant of the header without a row, a row without a constant or with another number, a
done or part row whose constant no source mentions, a later row of a hypercall that is in a table,
an errno that does not exist. Exit 1 on errors. -v prints how many rows have which status.
"""
import argparse
import collections
import glob
import os
import re
import sys

XEN = '/usr/include/xen'

# prefix: (header, names that are no sub-operations, names that no source needs to mention)
FAMILIES = {
    '__HYPERVISOR_': ('xen.h', r'arch_[1-7]'),
    # What is neither of the other two is a plain update.
    'MMU_': ('xen.h', None, ('NORMAL_PT_UPDATE', 'PT_UPDATE_NO_TRANSLATE')),
    'MMUEXT_': ('xen.h', None),
    'VMASST_TYPE_': ('xen.h', None),
    'CONSOLEIO_': ('xen.h', None),
    'XENVER_': ('version.h', None),
    'XENMEM_': ('memory.h', r'(paging|access|sharing)_op_.*|resource_.*|RDM_ALL'),
    'GNTTABOP_': ('grant_table.h', None),
    'HVMOP_': ('hvm/hvm_op.h', r'ALTP2M_.*|altp2m_.*'),
    'EVTCHNOP_': ('event_channel.h', None),
    'SCHEDOP_': ('sched.h', None),
    'VCPUOP_': ('vcpu.h', None),
    'PHYSDEVOP_': ('physdev.h', r'[A-Z].*'),
    'XENPF_': ('platform.h', r'INTERFACE_VERSION|ACPI_SLEEP_EXTENDED'),
    'CALLBACKTYPE_': ('callback.h', r'sysenter_deprecated'),
    'XEN_DOMCTL_': ('domctl.h', r'[A-Z].*|vmtrace_(?!op$).*'),
    'XEN_SYSCTL_': ('sysctl.h', r'[A-Z].*|cpu_featureset_.*|cpu_policy_.*'),
}

COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*', re.S)
STATUS = re.compile(r'(done|part)$|(refused|later) -(E[A-Z0-9]+)$')
ROW = re.compile(r'^\|\s*(\d+)\s*\|\s*`?(\w+)`?\s*\|\s*([^|]*?)\s*\|\s*([^|]*?)\s*\|$')
HEADING = re.compile(r'^#+ .*`(\w+_)`$')


def header_constants(prefix, header, skip):
    """{name without prefix: number}; aliases and other prefixes' names are left out."""
    found = {}
    pattern = re.compile(rf'^#\s*define\s+{prefix}(\w+)\s+\(?(0x[0-9a-fA-F]+|\d+)\)?\s*(?:/\*.*)?$')
    with open(os.path.join(XEN, header), encoding='utf-8') as f:
        for line in f:
            m = pattern.match(line.rstrip())
            if m and not (skip and re.fullmatch(skip, m[1])):
                found.setdefault(m[1], int(m[2], 0))
    return found


def read_document(path):
    """{prefix: {name: (number, status, what, line)}}"""
    sections, current = {}, None
    with open(path, encoding='utf-8') as f:
        for nr, line in enumerate(f, 1):
            line = line.rstrip()
            if line.startswith('#'):
                m = HEADING.match(line)
                current = sections.setdefault(m[1], {}) if m else None
            m = ROW.match(line)
            if m and current is not None:
                current[m[2]] = (int(m[1]), m[3], m[4], nr)
    return sections


def read_sources(root):
    texts = {}
    for path in glob.glob(os.path.join(root, 'src', '*', '*.c')):
        with open(path, encoding='utf-8') as f:
            texts[os.path.relpath(path, root)] = COMMENT.sub(' ', f.read())
    return texts


def read_errnos(root):
    with open(os.path.join(root, 'src/base/err.h'), encoding='utf-8') as f:
        return set(re.findall(r'#define (E[A-Z0-9]+)', f.read()))


def check_family(prefix, constants, rows, texts, errnos, implied, report):
    tables = ''.join(t for p, t in texts.items() if p.endswith('_table.c'))
    everything = ''.join(texts.values())
    for name, number in constants.items():
        if name not in rows:
            report(1, f'{prefix}{name} ({number}) has no row')
    for name, (number, status, what, line) in rows.items():
        if constants.get(name) != number:
            report(line, f'{prefix}{name}: the header has {constants.get(name)}, not {number}')
        m = STATUS.match(status)
        if not m:
            report(line, f'{prefix}{name}: status "{status}"')
            continue
        if not what and status != 'done':
            report(line, f'{prefix}{name}: nothing says what it does')
        if m[3] and m[3] not in errnos:
            report(line, f'{prefix}{name}: no errno {m[3]}')
        used = re.search(rf'\b{prefix}{name}\b',
                         tables if prefix == '__HYPERVISOR_' else everything)
        if m[1] and not used and name not in implied:
            report(line, f'{prefix}{name} is "{m[1]}" but no source mentions it')
        if m[2] == 'later' and used and prefix == '__HYPERVISOR_':
            report(line, f'{prefix}{name} is "later" but has a row in a table')


def main():
    ap = argparse.ArgumentParser(description=__doc__,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('-v', action='store_true', help='print the number of rows per status')
    args = ap.parse_args()
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    doc = read_document(os.path.join(root, 'docs/ABI.md'))
    texts, errnos, errors = read_sources(root), read_errnos(root), 0

    def report(line, text):
        nonlocal errors
        errors += 1
        print(f'docs/ABI.md:{line}: {text}')

    for prefix, (header, skip, *implied) in FAMILIES.items():
        if prefix not in doc:
            report(1, f'no section for {prefix}')
            continue
        check_family(prefix, header_constants(prefix, header, skip), doc[prefix], texts, errnos,
                     *(implied or [()]), report)
    for prefix in set(doc) - set(FAMILIES):
        report(1, f'section {prefix} is not a known family')
    if args.v:
        count = collections.Counter(r[1].split()[0] for s in doc.values() for r in s.values())
        print('check_abi: ' + ', '.join(f'{n} {s}' for s, n in sorted(count.items())))
    return 1 if errors else 0


if __name__ == '__main__':
    sys.exit(main())
