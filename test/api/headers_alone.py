#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Each public header compiles alone, without a warning, as C11 and as C++17.

Usage: headers_alone.py INCLUDE_DIR COMPILER...

The C compilers compile C11, those whose name has "++" C++17. Exit status 77 (skipped) without any.
"""

import os
import subprocess
import sys

WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Werror']


def headers(directory):
    for room in ('spdk', 'udma'):
        for name in sorted(os.listdir(os.path.join(directory, room))):
            if name.endswith('.h'):
                yield f'{room}/{name}'


def compiles(compiler, directory, header):
    language = ['-x', 'c++', '-std=c++17'] if '++' in compiler else ['-x', 'c', '-std=c11']
    # Twice, because a header without a working guard fails then.
    program = f'#include "{header}"\n#include "{header}"\nextern int empty;\n'
    command = [compiler, *language, *WARNINGS, f'-I{directory}', '-fsyntax-only', '-']
    done = subprocess.run(command, input=program, text=True, capture_output=True)
    if done.returncode:
        print(f'{header} with {" ".join(command)}:\n{done.stderr}')
    return done.returncode == 0


def main():
    directory, compilers = sys.argv[1], sys.argv[2:]
    if not compilers:
        return 77
    found = list(headers(directory))
    results = [compiles(c, directory, h) for c in compilers for h in found]
    print(f'{len(found)} headers with {", ".join(compilers)}: {results.count(False)} failures')
    return 0 if found and all(results) else 1


if __name__ == '__main__':
    sys.exit(main())
