#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks every #include below src/ against tools/layers.txt.

Also: quoted paths are rooted at src/ and exist, a .c file includes its own header first, and no
header includes itself in a circle. Prints file:line: message for each offence and exits 1.
"""
import fnmatch
import os
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>|(\S.*))')
SUFFIXES = ('.c', '.h', '.S', '.lds')


def read_rules(path):
    """Returns ({layer: set of layers}, [(pattern, set of layers)])."""
    layers, system = {}, []
    with open(path, encoding='utf-8') as f:
        for nr, line in enumerate(f, 1):
            line = line.split('#')[0].strip()
            if not line:
                continue
            name, colon, rest = line.partition(':')
            if not colon:
                sys.exit(f'{path}:{nr}: a rule has a colon')
            if name[0] in '<"':
                system.append((name.strip('<>" '), set(rest.split())))
            else:
                layers[name.strip()] = set(rest.split()) | {name.strip()}
    for names in list(layers.values()) + [s for _, s in system]:
        for name in names - layers.keys():
            sys.exit(f'{path}: layer "{name}" is used and not defined')
    return layers, system


class Checker:
    def __init__(self, root, layers, system):
        self.src = os.path.join(root, 'src')
        self.layers = layers
        self.system = system
        self.errors = []
        self.graph = {}  # path below src: [(path included, line)]

    def error(self, path, line, text):
        self.errors.append((os.path.join('src', path), line, text))

    def check_quoted(self, path, layer, nr, target):
        below, slash, _ = target.partition('/')
        if not slash and self.is_allowed(layer, target):
            return
        if not slash:
            self.error(path, nr, f'"{target}": paths are rooted at src/')
        elif below not in self.layers:
            self.error(path, nr, f'"{target}": {below} is no layer')
        elif below not in self.layers[layer]:
            self.error(path, nr, f'{layer} may not include {below}: "{target}"')
        elif not os.path.exists(os.path.join(self.src, target)):
            self.error(path, nr, f'"{target}" does not exist')
        else:
            self.graph[path].append((target, nr))

    def is_allowed(self, layer, target):
        return any(fnmatch.fnmatchcase(target, pattern) and layer in who
                   for pattern, who in self.system)

    def check_system(self, path, layer, nr, target):
        if not self.is_allowed(layer, target):
            self.error(path, nr, f'{layer} may not include <{target}>')

    def check_file(self, path):
        layer = path.split('/')[0]
        own = path[:-2] + '.h'
        own_due = path.endswith('.c') and os.path.exists(os.path.join(self.src, own))
        self.graph[path] = []
        if layer not in self.layers:
            self.error(path, 1, f'{layer} is no layer of tools/layers.txt')
            return
        with open(os.path.join(self.src, path), encoding='utf-8') as f:
            lines = f.readlines()
        for nr, line in enumerate(lines, 1):
            m = INCLUDE.match(line)
            if not m:
                continue
            if m[1]:
                self.check_quoted(path, layer, nr, m[1])
            elif m[2]:
                self.check_system(path, layer, nr, m[2])
            else:
                self.error(path, nr, 'an include names its file literally')
            if own_due and m[1] != own:
                self.error(path, nr, f'the first include is "{own}"')
            own_due = False

    def check_circles(self):
        done = set()

        def visit(path, trail):
            if path in done:
                return
            for target, nr in self.graph.get(path, []):
                if target in trail or target == path:
                    self.error(path, nr, f'"{target}" includes itself in a circle')
                else:
                    visit(target, trail | {path})
            done.add(path)

        for path in sorted(self.graph):
            visit(path, frozenset())

    def run(self):
        for folder, subs, names in os.walk(self.src):
            subs.sort()
            for name in sorted(names):
                path = os.path.relpath(os.path.join(folder, name), self.src)
                if not name.endswith(SUFFIXES):
                    continue
                if '/' not in path:
                    self.error(path, 1, 'sources live in a layer folder')
                else:
                    self.check_file(path)
        self.check_circles()


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), '..')
    root = os.path.normpath(root)
    checker = Checker(root, *read_rules(os.path.join(root, 'tools', 'layers.txt')))
    checker.run()
    for path, line, text in sorted(checker.errors):
        print(f'{path}:{line}: {text}')
    count = sum(len(v) for v in checker.graph.values())
    print(f'check_layers: {len(checker.graph)} files, {count} includes, '
          f'{len(checker.errors)} errors')
    return 1 if checker.errors else 0


if __name__ == '__main__':
    sys.exit(main())
