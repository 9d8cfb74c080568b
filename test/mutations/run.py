#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Builds the library with one deliberate bug at a time, and shows which test catches it.

The bugs are the edits of table.py. Each is made in a copy of the sources, in build-mutations/, where
what it concerns is built again; then the test that should catch it is run, and, should that pass,
every other one that is used here. A bug that passes them all has survived: a test is missing. An edit
whose text is not in its file any more is an error.
"""

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
import table  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build-mutations"
SOURCE = WORK / "source"
# What the driver's tests are built from.
PARTS = ["include", "lib", "tools", "test/driver", "test/fuzz/shadow", "test/random", "test/system",
         "test/unit"]
# A test that does not come to its end has caught something.
TIME_LIMIT_S = 60

MESON = """\
# SPDX-License-Identifier: BSD-3-Clause
project('mutations', 'c', default_options: ['c_std=gnu11', 'optimization=1'])
add_project_arguments('-D_GNU_SOURCE', '-w', language: 'c')
threads = dependency('threads')
cmocka = dependency('cmocka')
isal = dependency('libisal')
cmocka_env = {}
include = include_directories('include')
udma_sources = []
subdir('lib/env')
subdir('lib/pci')
subdir('lib/emu')
subdir('lib/ioat')
udma_static = static_library('udma', udma_sources,
    include_directories: [include, include_directories('lib')], dependencies: threads)
udma_internal_dep = declare_dependency(
    include_directories: [include, include_directories('lib')],
    link_with: udma_static, dependencies: threads)
subdir('test/driver')
subdir('test/random')
executable('sources', 'test/system/test_parity.c', dependencies: [udma_internal_dep, cmocka, isal])
executable('watch', 'test/unit/test_watch.c', include_directories: include_directories('test/unit'),
    dependencies: [udma_internal_dep, cmocka])
executable('perf', 'test/system/perf.c', 'test/system/program.c',
    include_directories: include_directories('tools'), dependencies: udma_internal_dep)
"""


class Program:
    """A test: what is built, and how it is run. `sanitizer` names its build directory too."""

    def __init__(self, target, command, sanitizer="none", environment=()):
        self.target, self.command = target, command
        self.sanitizer, self.environment = sanitizer, environment

    def directory(self):
        return WORK / f"build-{self.sanitizer}"

    def build(self):
        """Returns what went wrong, or ''."""
        done = subprocess.run(["ninja", "-C", self.directory(), self.target],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return "" if done.returncode == 0 else done.stdout

    def passes(self, *arguments):
        command = ["env", *self.environment, self.directory() / self.target,
                   *(arguments or self.command)]
        try:
            return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  timeout=TIME_LIMIT_S).returncode == 0
        except subprocess.TimeoutExpired:
            return False


PROGRAMS = {
    "random": Program("test/random/test_random", ["--quick", "1", "400"]),
    "registers": Program("test/driver/test_register_writes", []),
    "reentrant": Program("test/driver/test_reentrant", []),
    "lessons": Program("test/driver/test_lessons", []),
    "faults": Program("test/driver/test_faults", []),
    "causes": Program("test/driver/test_causes", []),
    "old_words": Program("test/driver/test_old_words", []),
    "batches": Program("test/driver/test_batches", []),
    "refusals": Program("test/driver/test_refusals", []),
    "pages": Program("test/driver/test_pages", []),
    "parity": Program("test/driver/test_parity", []),
    "else_cpu": Program("test/driver/test_else_cpu", []),
    "else_cpu_batches": Program("test/driver/test_else_cpu_batches", []),
    "sources": Program("sources", []),
    "wait": Program("test/driver/test_wait", []),
    "wait_clock": Program("test/driver/test_wait_clock", []),
    "wait_steps": Program("test/driver/test_wait_steps", []),
    "watch": Program("watch", []),
    # A barrier that is missing does not show on x86-64, which keeps stores in order.
    "threads": Program("perf", ["-t", "1", "-q", "8"], "thread",
                       ("UDMA_EMULATE=1", "TSAN_OPTIONS=halt_on_error=1")),
}


def copy_sources():
    """Copies what has changed, so that what was built is built again only where it has to be."""
    there = set()
    for part in PARTS:
        for path in (ROOT / part).rglob("*"):
            to = SOURCE / path.relative_to(ROOT)
            if path.is_file() and "__pycache__" not in path.parts:
                there.add(to)
                if not to.exists() or to.read_bytes() != path.read_bytes():
                    to.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, to)
    there.add(SOURCE / "meson.build")
    if not (SOURCE / "meson.build").exists() or (SOURCE / "meson.build").read_text() != MESON:
        SOURCE.mkdir(parents=True, exist_ok=True)
        (SOURCE / "meson.build").write_text(MESON)
    for path in SOURCE.rglob("*"):
        if path.is_file() and path not in there:
            path.unlink()


def configure():
    for sanitizer in sorted({program.sanitizer for program in PROGRAMS.values()}):
        build = WORK / f"build-{sanitizer}"
        if not (build / "build.ninja").exists():
            subprocess.run(["meson", "setup", build, SOURCE, f"-Db_sanitize={sanitizer}",
                            "-Db_lundef=false"], check=True, stdout=subprocess.DEVNULL)


def mutated(mutation, tree):
    """Returns the file's text with the bug. Each of its edits has one place, and no other."""
    text = (tree / mutation.file).read_text()
    for old, new in mutation.edits:
        if text.count(old) != 1:
            raise SystemExit(f"{mutation.name}: this is {text.count(old)} times in "
                             f"{mutation.file}, and should be there once; bring "
                             f"test/mutations/table.py up to date:\n{old}")
        text = text.replace(old, new)
    return text


def catch(mutation, only):
    """Returns which test catches a bug, and whether that is the one that should; (None, False)."""
    first, *arguments = mutation.test.split()
    tries = [(first, arguments)]
    if not only:
        tries += [(name, []) for name in PROGRAMS if name != first or arguments]
    for name, chosen in tries:
        wrong = PROGRAMS[name].build()
        if wrong:
            raise SystemExit(f"{mutation.name}: does not compile:\n{wrong}")
        if not PROGRAMS[name].passes(*chosen):
            return " ".join([name, *chosen]), (name, chosen) == tries[0]
    return None, False


def check_unchanged(mutations):
    """Every test passes on the sources as they are."""
    for test in sorted({mutation.test for mutation in mutations}):
        name, *arguments = test.split()
        wrong = PROGRAMS[name].build()
        if wrong or not PROGRAMS[name].passes(*arguments):
            raise SystemExit(f"{test}: fails on the sources as they are\n{wrong}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("name", nargs="*", help="only the bugs with this in their name")
    parser.add_argument("--only", action="store_true", help="try no other test than the table says")
    parser.add_argument("--check", action="store_true",
                        help="build nothing: only see whether each edit has its text in the source")
    options = parser.parse_args()
    mutations = [mutation for mutation in table.MUTATIONS
                 if not options.name or any(name in mutation.name for name in options.name)]
    started = time.monotonic()
    for mutation in mutations:
        mutated(mutation, ROOT)
    if options.check:
        return 0
    copy_sources()
    configure()
    check_unchanged(mutations)
    print(f"{len(mutations)} bugs; the tests pass without them", flush=True)
    survived = elsewhere = 0
    for mutation in mutations:
        path = SOURCE / mutation.file
        before = path.read_text()
        path.write_text(mutated(mutation, SOURCE))
        try:
            test, expected = catch(mutation, options.only)
        finally:
            path.write_text(before)
        survived += test is None
        elsewhere += test is not None and not expected
        note = "" if expected else f"   (not by {mutation.test})"
        print(f"{mutation.file:24} {mutation.name:52} {test or 'SURVIVED'}{note}", flush=True)
    print(f"{survived} survived, {elsewhere} caught by another test than the table says, "
          f"{time.monotonic() - started:.0f} s")
    print(f"sum: {len(mutations) - survived - elsewhere} caught, {survived + elsewhere} not")
    return 1 if survived or elsewhere else 0


if __name__ == "__main__":
    sys.exit(main())
