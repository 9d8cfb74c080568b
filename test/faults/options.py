#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The table of README.md has every kind of fault, and options that exist.

Usage: options.py DIRECTORY UDMA
"""
import os
import re
import subprocess
import sys


def accepts(udma, fault):
    """Whether an emulated channel can be told so. Returns what is said."""
    done = subprocess.run([udma, "list", "--emulate=1,fault=" + fault], text=True,
                          capture_output=True, check=False)
    # What it then does to the channel is another matter.
    return "emulated channels:" not in done.stderr, done.stderr


def main():
    directory, udma = sys.argv[1:]
    with open(os.path.join(directory, "README.md"), encoding="utf-8") as file:
        rows = re.findall(r"^\|(.*)\|(.*)\|(.*)\|(.*)\|$", file.read(), re.M)
    options = [option for row in rows for option in re.findall("`([^`]+)`", row[1])]
    refused, said = accepts(udma, "nonsense")
    kinds = re.search("there are (.*)", said).group(1).split(", ")
    problems = [f"no row has {kind}" for kind in kinds
                if kind not in {option.split(":")[0] for option in options}]
    for option in options:
        good, said = accepts(udma, option)
        if not good:
            problems.append(f"{option}: {said}")
    print("\n".join(problems))
    print(f"{len(kinds)} kinds, {len(options)} options, {len(problems)} problems")
    return 0 if len(options) > len(kinds) > 10 and not refused and not problems else 1


if __name__ == "__main__":
    sys.exit(main())
