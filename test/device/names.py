#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""README.md's tables name the tests that there are, and all of them; and so for files.

Usage: names.py DIRECTORY

Files are in the first column of the first table, tests in the last column of the others. Names are
in backquotes; a "*" in one stands for any letters.
"""
import fnmatch
import os
import re
import sys

# Functions that cmocka calls; the test in C++ prints its name itself.
FUNCTION = re.compile(r"^static void\n(\w+)\(void \*\*\w+\)$|\d - (\w+)\\n", re.M)
TABLE = re.compile(r"^\|.*\n\|[-|]+\n((?:\|.*\n?)+)", re.M)


def read(directory, name):
    with open(os.path.join(directory, name), encoding="utf-8") as file:
        return file.read()


def names(table, column, pattern):
    """What is in backquotes in a column, and looks like that."""
    cells = "\n".join(row.strip("|").split("|")[column] for row in table.splitlines())
    return {name for name in re.findall(r"`([^`]+)`", cells) if re.fullmatch(pattern, name)}


def main():
    directory = sys.argv[1]
    files = {name for name in os.listdir(directory) if name.endswith((".c", ".cpp"))}
    tests = {a or b for name in files for a, b in FUNCTION.findall(read(directory, name))}
    tables = TABLE.findall(read(directory, "README.md"))
    named_files = names(tables[0], 0, r"\w+\.\w+")
    named = set().union(*(names(table, -1, r"[\w*]+") for table in tables[1:]))
    shown = {test for test in tests for name in named if fnmatch.fnmatchcase(test, name)}

    problems = [f"no such file: {name}" for name in named_files - files]
    problems += [f"a file in no table: {name}" for name in files - named_files]
    problems += [f"no such test: {name}" for name in named if not fnmatch.filter(tests, name)]
    problems += [f"a test in no table: {name}" for name in tests - shown]
    print("\n".join(sorted(problems)))
    print(f"{len(files)} files, {len(tests)} tests, {len(named)} names, {len(problems)} problems")
    return 0 if tests and not problems else 1


if __name__ == "__main__":
    sys.exit(main())
