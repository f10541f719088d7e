#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that the documents and the tree agree.

- docs/OPTIONS.md explains exactly the options of the table in src/boot/options.c: a name in
  backquotes in the first column of a table, or in the section of what is accepted without effect.
- docs/READING.md names every tracked source file below src/ once; a header is covered by its .c
  file.
- A path in backquotes in any document exists, and a link to a file leads to one.

Prints file:line: message for each offence and exits 1.
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OPTION_ROW = re.compile(r'\{"([^"]+)", CMDLINE_')
IN_CODE = re.compile(r'`([^`]+)`')
SOURCE = re.compile(r'^(?:src/)?((?:boot|abi|pv|hvm|core|arch|pure|base|wire)/'
                    r'[\w{},.]+\.(?:c|h|S|lds))$')
TREE_PATH = re.compile(r'^(src|docs|test|tools|image|mk|bench)/[\w./-]+$')
LINK = re.compile(r'\]\(([^)#:]+)(?:#[^)]*)?\)')
IGNORED = '## Accepted without effect'


class Report:
    def __init__(self):
        self.errors = 0

    def __call__(self, path, line, text):
        self.errors += 1
        print(f'{path}:{line}: {text}')


def lines_of(path):
    with open(os.path.join(ROOT, path), encoding='utf-8') as f:
        return f.read().splitlines()


def git_files(*args):
    names = subprocess.run(['git', 'ls-files', *args], cwd=ROOT, check=True,
                           capture_output=True, text=True).stdout.split('\n')
    return [n for n in names if n and os.path.exists(os.path.join(ROOT, n))]


def tree_files():
    """What belongs to the project: tracked, or new and not ignored."""
    return git_files('-co', '--exclude-standard')


def documented_options(path):
    found, ignored = {}, False
    for nr, line in enumerate(lines_of(path), 1):
        if line.startswith('#'):
            ignored = line == IGNORED
        if ignored:
            words = IN_CODE.findall(line)
        elif line.startswith('| `'):
            words = IN_CODE.findall(line.split('|')[1])[:1]
        else:
            continue
        for word in words:
            found.setdefault(word.rstrip('='), nr)
    return found


def check_options(report):
    path = 'docs/OPTIONS.md'
    documented = documented_options(path)
    source = '\n'.join(lines_of('src/boot/options.c'))
    known = set(OPTION_ROW.findall(source))
    for name in sorted(known - documented.keys()):
        report(path, 1, f'option {name} of src/boot/options.c is not explained')
    for name in sorted(documented.keys() - known):
        report(path, documented[name], f'src/boot/options.c has no option {name}')


def expand(word):
    """a.{c,h} names two files."""
    m = re.search(r'\{([\w,]+)\}', word)
    if not m:
        return [word]
    return [word[:m.start()] + part + word[m.end():] for part in m[1].split(',')]


def check_reading(report, files):
    path = 'docs/READING.md'
    seen = {}
    for nr, line in enumerate(lines_of(path), 1):
        m = re.match(r'\d+\. ', line)
        for word in IN_CODE.findall(line) if m else []:
            for name in expand(word):
                m = SOURCE.match(name)
                if not m:
                    continue
                if m[1] in seen:
                    report(path, nr, f'{m[1]} is named in line {seen[m[1]]} too')
                seen.setdefault(m[1], nr)
    sources = {n[len('src/'):] for n in files if n.startswith('src/')}
    tracked = {n[len('src/'):] for n in git_files('src')}
    for name in sorted((sources & tracked) - seen.keys()):
        own = re.sub(r'\.h$', '.c', name)
        if not (name.endswith('.h') and (own in seen or name[:-2] + '.S' in seen)):
            report(path, 1, f'{name} is not in the reading order')
    for name in sorted(seen.keys() - sources):
        report(path, seen[name], f'src/{name} does not exist')


def check_paths(report, files):
    """What documents refer to exists. Words with wildcards or placeholders are left alone."""
    known = set(files)
    for name in files:
        while '/' in name:
            name = name.rsplit('/', 1)[0]
            known.add(name)
    documents = [n for n in files if n.endswith('.md') and (n.startswith('docs/') or '/' not in n)]
    for path in documents:
        for nr, line in enumerate(lines_of(path), 1):
            for word in IN_CODE.findall(line):
                word = word.rstrip('/')
                if TREE_PATH.match(word) and not re.search(r'NAME|\bX\b', word) and \
                        word not in known:
                    report(path, nr, f'{word} does not exist')
            for link in LINK.findall(line):
                target = os.path.normpath(os.path.join(os.path.dirname(path), link))
                if not link.startswith('http') and target not in known:
                    report(path, nr, f'link to {link}: no such file')


def main():
    report = Report()
    files = tree_files()
    check_options(report)
    check_reading(report, files)
    check_paths(report, files)
    print(f'check_docs: {report.errors} errors')
    return 1 if report.errors else 0


if __name__ == '__main__':
    sys.exit(main())
