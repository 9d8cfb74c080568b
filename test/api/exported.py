#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The shared library exports exactly the functions that the public headers declare.

Usage: exported.py CC INCLUDE_DIR MAP SHARED_LIBRARY STATIC_LIBRARY

Compares three lists: the headers' declarations, the version script, and what `nm` finds. The static
library has no version script, so there every global name must at least be one of ours by prefix:
it is linked together with foreign programs.
"""

import os
import re
import subprocess
import sys


def run(*command, **options):
    return subprocess.run(command, check=True, text=True, capture_output=True, **options).stdout


def declared(cc, include):
    """The functions that the headers declare and do not define."""
    names = [f'{room}/{name}' for room in ('spdk', 'udma')
             for name in os.listdir(os.path.join(include, room))]
    program = ''.join(f'#include "{name}"\n' for name in sorted(names))
    text = run(cc, '-E', '-P', f'-I{include}', '-x', 'c', '-', input=program)
    text = re.sub(r'^#.*$', '', text, flags=re.M)
    bodies = 1
    while bodies:
        text, bodies = re.subn(r'\{[^{}]*\}', ';', text)
    found = set()
    for statement in text.split(';'):
        statement = statement.strip()
        name = re.match(r'[^()]*?\b((?:spdk|udma)_\w+)\s*\(', statement)
        if name and not re.match(r'(?:__extension__\s+)?(?:static|typedef)\b', statement):
            found.add(name.group(1))
    return found


def mapped(path):
    text = re.sub(r'/\*.*?\*/', '', open(path).read(), flags=re.S)
    return set(re.findall(r'^\s*(\w+);', text[:text.index('local:')], flags=re.M))


def defined(*command):
    """What nm lists, without the versions that it names as absolute symbols."""
    rows = (line.split() for line in run(*command).splitlines())
    return {row[2].split('@')[0] for row in rows if len(row) == 3 and row[1] != 'A'}


def same(a, name_a, b, name_b):
    for name in sorted(a - b):
        print(f'{name}: in {name_a}, not in {name_b}')
    for name in sorted(b - a):
        print(f'{name}: in {name_b}, not in {name_a}')
    return a == b


def main():
    cc, include, map_path, shared, static = sys.argv[1:]
    headers = declared(cc, include)
    exported = defined('nm', '-D', '--defined-only', shared)
    good = same(headers, 'the headers', mapped(map_path), 'the version script')
    good &= same(headers, 'the headers', exported, 'the shared library')
    inside = defined('nm', '-g', '--defined-only', static)
    foreign = {n for n in inside if not re.match(r'(spdk|udma)_|SPDK_LOG_', n)}
    # What the sanitizers add to each object is not ours to name.
    foreign = {n for n in foreign if not re.match(r'__(odr_asan|asan|tsan|ubsan)', n)}
    for name in sorted(foreign):
        print(f'{name}: a global name of the static library without our prefix')
    print(f'{len(headers)} functions')
    return 0 if good and headers and not foreign else 1


if __name__ == '__main__':
    sys.exit(main())
