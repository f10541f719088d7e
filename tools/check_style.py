#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the mechanical part of the house style in src/, test/, tools/ and mk/.

Errors: no SPDX line; tabs in C, blanks at line ends, lines over 100 columns; a source without an
opening comment; files over 1200 lines, functions over 120, nesting over 4; a header without its
guard; #if outside base/def.h, arch/insn.h and guards; an external symbol that does not start with
its file's or its contract header's module; a module of src/pure without a unit test; TODO and
the like. Warnings: files over 800 lines,
functions over 60.

Prints file:line: message, exits 1 on errors. Words on the command line limit the check to files
whose path contains one of them; -q leaves out the warnings.
"""
import os
import re
import sys

TREES = ('src', 'test', 'tools', 'mk')
SUFFIXES = ('.c', '.h', '.S', '.lds', '.py', '.sh', '.mk')
COLUMNS = 100
FILE_SOFT, FILE_HARD = 800, 1200
FUNCTION_SOFT, FUNCTION_HARD = 60, 120
NESTING = 4
IF_ALLOWED = {'src/base/def.h', 'src/arch/insn.h'}

# Contracts whose functions other modules define: their names are not their file's.
SEAMS = ('base/def.h', 'base/lib.h', 'pure/port.h', 'pure/ptype_port.h', 'arch/upcalls.h')

# What the static decompressor libraries and the compiler call by name.
FOREIGN = {'malloc', 'calloc', 'free', '__stack_chk_fail', 'ZSTD_trace_decompress_begin',
           'ZSTD_trace_decompress_end'}

LITTER = re.compile(r'\b(TODO|FIXME|XXX|HACK)\b')
GUARD_OPEN = re.compile(r'^\s*#\s*ifndef\s+(\w+)')
CONDITION = re.compile(r'^\s*#\s*(if|ifdef|ifndef|elif)\b')
TOKEN = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/', re.S)
IDENT = r'[A-Za-z_]\w*'


class Report:
    def __init__(self, quiet):
        self.quiet = quiet
        self.errors = 0
        self.warnings = 0

    def error(self, path, line, text):
        self.errors += 1
        print(f'{path}:{line}: {text}')

    def warn(self, path, line, text):
        self.warnings += 1
        if not self.quiet:
            print(f'{path}:{line}: warning: {text}')


def blank(match):
    """What replaces a comment or literal: same lines, no meaning."""
    text = match[0]
    if text[0] in '"\'':
        return text[0] + ' ' * (len(text) - 2) + text[-1]
    return re.sub(r'[^\n]', ' ', text)


def strip_directives(text):
    """Preprocessor lines, with their continuations, made empty."""
    out, inside = [], False
    for line in text.split('\n'):
        directive = inside or line.lstrip().startswith('#')
        inside = directive and line.endswith('\\')
        out.append('' if directive else line)
    return '\n'.join(out)


def check_lines(report, path, lines):
    first = lines[1] if lines and lines[0].startswith('#!') and len(lines) > 1 else lines[:1]
    first = first if isinstance(first, str) else ''.join(first)
    if 'SPDX-License-Identifier: MIT' not in first:
        report.error(path, 1, 'first line is not the SPDX licence line')
    is_c = path.endswith(('.c', '.h'))
    for nr, line in enumerate(lines, 1):
        if is_c and '\t' in line:
            report.error(path, nr, 'tab')
        if line != line.rstrip():
            report.error(path, nr, 'blanks at the end of the line')
        if len(line.expandtabs(8)) > COLUMNS:
            report.error(path, nr, f'{len(line.expandtabs(8))} columns, {COLUMNS} allowed')
        if path != 'tools/check_style.py' and LITTER.search(line):
            report.error(path, nr, f'{LITTER.search(line)[0]} does not belong in the tree')
    if len(lines) > FILE_HARD:
        report.error(path, len(lines), f'{len(lines)} lines, at most {FILE_HARD}: split the file')
    elif len(lines) > FILE_SOFT:
        report.warn(path, len(lines), f'{len(lines)} lines, better below {FILE_SOFT}')


def check_directives(report, path, lines):
    """Include guards, and nothing else conditional."""
    if not path.startswith('src/'):
        return
    is_header = path.endswith('.h')
    want = re.sub(r'\W', '_', path[len('src/'):]).upper()
    guard_seen = False
    for nr, line in enumerate(lines, 1):
        if not CONDITION.match(line):
            continue
        m = GUARD_OPEN.match(line)
        if is_header and not guard_seen and m:
            guard_seen = True
            if m[1] != want or not re.match(rf'\s*#\s*define\s+{want}\s*$', lines[nr]):
                report.error(path, nr, f'the include guard is {want}')
        elif path not in IF_ALLOWED:
            report.error(path, nr, 'conditional compilation: vary by file, table or plain if')
    if is_header and not guard_seen:
        report.error(path, 1, f'no include guard {want}')


def check_opening(report, path, lines):
    if not path.startswith('src/') or not path.endswith(('.c', '.h', '.S')):
        return
    if len(lines) < 2 or not re.match(r'\s*(/\*|//|# )', lines[1]):
        report.error(path, 2, 'no opening comment: which question does this file answer?')


def statements(text):
    """Top-level pieces of C text: (line of the first word, head, brace part or None)."""
    depth, start, brace_at = 0, 0, None
    i, n = 0, len(text)
    while i < n:
        c = text[i]
        if c == '{':
            if depth == 0:
                brace_at = i
            depth += 1
        elif c == '}':
            depth -= 1
            if depth == 0 and is_function_head(text[start:brace_at]):
                yield piece(text, start, brace_at, i + 1)
                start, brace_at = i + 1, None
        elif c == ';' and depth == 0:
            yield piece(text, start, brace_at, i + 1)
            start, brace_at = i + 1, None
        i += 1


def piece(text, start, brace_at, end):
    lead = len(text[start:end]) - len(text[start:end].lstrip())
    line = text.count('\n', 0, start + lead) + 1
    head = text[start:brace_at if brace_at is not None else end].strip()
    brace = (brace_at, end) if brace_at is not None else None
    return line, head, brace


def plain_head(head):
    """A declaration without attributes and attribute-like macros with arguments."""
    head = re.sub(r'__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)', ' ', head)
    return re.sub(r'\b(SECTION|ALIGNED|PRINTF_LIKE)\s*\([^()]*\)', ' ', head)


def is_function_head(head):
    head = plain_head(head).strip()
    return head.endswith(')') and '=' not in head.split('(')[0] or head.endswith(') ')


def check_function(report, path, text, name, line, brace):
    first = text.count('\n', 0, brace[0]) + 1
    last = text.count('\n', 0, brace[1]) + 1
    length = last - first - 1
    if length > FUNCTION_HARD:
        report.error(path, line, f'{name}: {length} lines, at most {FUNCTION_HARD}')
    elif length > FUNCTION_SOFT:
        report.warn(path, line, f'{name}: {length} lines, better below {FUNCTION_SOFT}')
    check_nesting(report, path, text, name, brace)


def check_nesting(report, path, text, name, brace):
    """Depth of blocks; initialisers, and the braces of a switch itself, do not count."""
    stack = []
    for m in re.finditer(r'[{}]', text[brace[0]:brace[1]]):
        at = brace[0] + m.start()
        if m[0] == '}':
            stack.pop()
            continue
        before = text[:at].rstrip()
        line_start = before.rfind('\n') + 1
        is_block = before[-1:] in ');:{}' or before.endswith(('else', 'do'))
        is_cast = re.search(r'\(\s*(struct |union )?\w+(\s*\[\w*\])?\s*\)$', before[line_start:])
        keyword = re.match(r'\s*(}\s*else\s+)?(if|for|while|switch)\b', before[line_start:])
        if is_cast and not keyword and before.endswith(')') and len(stack) > 0:
            is_block = False
        is_switch = bool(re.match(r'\s*switch\b', before[line_start:]))
        stack.append(1 if is_block and not is_switch else 0)
        if sum(stack) == NESTING + 2 and stack[-1]:
            report.error(path, text.count('\n', 0, at) + 1,
                         f'{name}: nested deeper than {NESTING}')


def symbol_of(head, brace):
    """The external symbol that a top-level piece of a .c file defines, or None."""
    head = plain_head(head)
    if re.match(r'(static|extern|typedef|STATIC_ASSERT|_Static_assert|__asm__|asm)\b', head):
        return None
    if re.search(r'\bstatic\b', head.split('(')[0].split('=')[0]):
        return None
    before_value = head.split('=')[0]
    m = re.search(rf'({IDENT})\s*\(', before_value)
    if m and brace and is_function_head(head):
        return m[1]
    if m and not re.search(r'\(\s*\*', before_value):
        return m[1] if brace else None
    m = re.search(rf'\(\s*\*\s*(?:const\s+)?({IDENT})', before_value)
    if m:
        return m[1]
    if re.match(rf'(struct|union|enum)(\s+{IDENT})?\s*;?$', before_value.strip()):
        return None  # a type
    m = re.search(rf'({IDENT})\s*(\[[^\]]*\]\s*)*;?\s*$', before_value)
    return m[1] if m else None


def declared_in(path):
    """The names a header declares as functions or external objects."""
    with open(path, encoding='utf-8') as f:
        text = TOKEN.sub(blank, f.read())
    names = set(re.findall(rf'\b({IDENT})\s*\(', text))
    return names | set(re.findall(rf'^extern\b[^;]*?({IDENT})(?:\[[^;]*\])?;', text, re.M))


def read_seams(root):
    """{layer: names its files may define whatever the file is called}.

    That is the seams' names everywhere, and within a layer what a header NAME.h declares as
    NAME_...: a module may have several files.
    """
    everywhere = set(FOREIGN)
    for header in SEAMS:
        if os.path.exists(os.path.join(root, 'src', header)):
            everywhere |= declared_in(os.path.join(root, 'src', header))
    layers = {}
    for layer in os.listdir(os.path.join(root, 'src')):
        folder = os.path.join(root, 'src', layer)
        names = layers[layer] = set(everywhere)
        for header in os.listdir(folder) if os.path.isdir(folder) else []:
            if header.endswith('.h'):
                names |= {n for n in declared_in(os.path.join(folder, header))
                          if n.startswith(header[:-2] + '_')}
    return layers


def prefixes(path):
    """The stem, and what is left of it without its last words: pv_mmu_l4 -> pv_mmu_, pv_."""
    words = os.path.basename(path)[:-2].split('_')
    return tuple('_'.join(words[:n]) for n in range(len(words), 0, -1))


def check_c(report, path, raw, seams):
    text = strip_directives(TOKEN.sub(blank, raw))
    for line, head, brace in statements(text):
        is_function = brace and is_function_head(head)
        name = symbol_of(head, brace)
        if is_function:
            m = re.search(rf'({IDENT})\s*\(', plain_head(head))
            check_function(report, path, text, m[1] if m else '?', line, brace)
        if not name or not path.startswith('src/') or not path.endswith('.c'):
            continue
        if name in seams[path.split('/')[1]]:
            continue
        if not any(name == p or name.startswith(p + '_') for p in prefixes(path)):
            report.error(path, line, f'{name}: external symbols here start with '
                                     f'{prefixes(path)[0]}_')


def check_file(report, root, path, seams):
    with open(os.path.join(root, path), encoding='utf-8') as f:
        raw = f.read()
    lines = raw.split('\n')
    if lines and lines[-1] == '':
        lines.pop()
    else:
        report.error(path, len(lines), 'no newline at the end of the file')
    check_lines(report, path, lines)
    check_directives(report, path, lines)
    check_opening(report, path, lines)
    if path.endswith(('.c', '.h')):
        check_c(report, path, raw, seams)


def check_tested(report, root):
    """Each src/pure/X.c has test/unit/X_test.c, or one whose name begins like its own, or one that
    includes its header (perhaps through test/host)."""
    tests = set(os.listdir(os.path.join(root, 'test/unit')))
    included = set()
    for folder in ('test/unit', 'test/host'):
        for name in os.listdir(os.path.join(root, folder)):
            with open(os.path.join(root, folder, name), encoding='utf-8') as f:
                included |= set(re.findall(r'#include "pure/(\w+)\.h"', f.read()))
    for name in sorted(os.listdir(os.path.join(root, 'src/pure'))):
        if name.endswith('.c') and name[:-2] not in included and \
                not any(p + '_test.c' in tests for p in prefixes(name)):
            report.error(f'src/pure/{name}', 1, f'no unit test test/unit/{name[:-2]}_test.c')


def main():
    words = [a for a in sys.argv[1:] if not a.startswith('-')]
    report = Report('-q' in sys.argv[1:])
    root = os.path.normpath(os.path.join(os.path.dirname(__file__), '..'))
    seams = read_seams(root)
    count = 0
    for tree in TREES:
        for folder, subs, names in os.walk(os.path.join(root, tree)):
            subs[:] = sorted(s for s in subs if not s.startswith(('.', '__pycache__')))
            for name in sorted(names):
                path = os.path.relpath(os.path.join(folder, name), root)
                if not name.endswith(SUFFIXES) or (words and not any(w in path for w in words)):
                    continue
                check_file(report, root, path, seams)
                count += 1
    check_tested(report, root)
    print(f'check_style: {count} files, {report.errors} errors, {report.warnings} warnings')
    return 1 if report.errors else 0


if __name__ == '__main__':
    sys.exit(main())
