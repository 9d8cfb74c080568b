#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Programs are built against the installed library, as a user would, and run.

Usage: test_install.py BUILD_DIR SOURCE_DIR SANITIZE COMPILER...

Installs into a temporary directory; finds the library there through pkg-config alone; builds
examples/copy.c as C11 (as C++17 by a compiler whose name has "++"), shared and static, without a
warning; runs each on an emulated channel; and compiles each installed header alone. Exit status 77
(skipped) without any compiler.
"""

import glob
import os
import subprocess
import sys
import tempfile

WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Werror']


def run(*command, **environment):
    done = subprocess.run(command, env={**os.environ, **environment}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise SystemExit(f'{environment} {" ".join(command)}:\n{done.stdout}')
    return done.stdout


class Installed:
    """The library as installed below `root`, seen only through pkg-config."""

    def __init__(self, build, root):
        run('meson', 'install', '-C', build, '--no-rebuild', '--quiet', '--destdir', root)
        found = glob.glob(f'{root}/**/udma.pc', recursive=True)
        if len(found) != 1:
            raise SystemExit(f'one udma.pc expected, and there are: {found}')
        # Nothing else of this machine is looked at, so the library found is the one installed.
        self.environment = {'PKG_CONFIG_LIBDIR': os.path.dirname(found[0]),
                            'PKG_CONFIG_SYSROOT_DIR': root,
                            'PKG_CONFIG_PATH': '',
                            # Below a prefix of /usr it would leave the directories out.
                            'PKG_CONFIG_ALLOW_SYSTEM_CFLAGS': '1',
                            'PKG_CONFIG_ALLOW_SYSTEM_LIBS': '1'}
        self.include = self.ask('--cflags-only-I')[0].removeprefix('-I')
        self.libdir = self.ask('--libs-only-L')[0].removeprefix('-L')

    def ask(self, *what):
        return run('pkg-config', *what, 'udma', **self.environment).split()

    def link(self, static):
        if not static:
            return self.ask('--libs')
        # Of two libraries of one name the linker takes the shared one, unless told.
        return [f'{self.libdir}/libudma.a' if flag == '-ludma' else flag
                for flag in self.ask('--static', '--libs')]


class Program:
    def __init__(self, installed, directory, compiler, sanitize):
        self.installed, self.directory = installed, directory
        language = ['-x', 'c++', '-std=c++17'] if '++' in compiler else ['-x', 'c', '-std=c11']
        self.compiler = [compiler, *language, *WARNINGS]
        if sanitize != 'none':
            self.compiler.append(f'-fsanitize={sanitize}')

    def check(self, source, static):
        name = f'{self.directory}/{os.path.basename(source)}.out'
        # -x holds for the source only.
        run(*self.compiler, source, '-x', 'none', *self.installed.ask('--cflags'), '-o', name,
            *self.installed.link(static))
        needed = run('readelf', '-d', name)
        if ('libudma.so' in needed) == static:
            raise SystemExit(f'{name}: linked with the wrong library:\n{needed}')
        environment = {'UDMA_EMULATE': '1'}
        if not static:
            environment['LD_LIBRARY_PATH'] = self.installed.libdir
        said = run(name, **environment)
        kind = 'static' if static else 'shared'
        print(f'{" ".join(self.compiler)} {os.path.basename(source)}, {kind}: {said.strip()}')


def main():
    build, source, sanitize, *compilers = sys.argv[1:]
    if not compilers:
        return 77
    with tempfile.TemporaryDirectory() as directory:
        installed = Installed(build, directory + '/root')
        run(sys.executable, f'{source}/test/api/headers_alone.py', installed.include, *compilers)
        for compiler in compilers:
            program = Program(installed, directory, compiler, sanitize)
            program.check(f'{source}/examples/copy.c', static=False)
            program.check(f'{source}/examples/copy.c', static=True)
            for example in ('wait', 'device'):
                program.check(f'{source}/examples/{example}.c', static=False)
            program.check(f'{source}/test/install/hijack.c', static=False)
    return 0


if __name__ == '__main__':
    sys.exit(main())
