#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Checks the model of the ring with spin: as it is, nothing may be found; with a mistake, it must be.

Usage: test/spin/check.py
"""

import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.join(HERE, "../..")
MODEL = os.path.join(HERE, "ring.pml")

# What is checked as it is: how far it goes, and what takes part.
HOLDS = {
    "six requests, a halt": [],
    "nine requests: the ring and the doorbell's count go round twice": ["TOTAL=9", "COUNT=8"],
    "six requests, two halts": ["FAILS=2"],
    "five requests, a halt, another thread removes memory": ["REMOVER", "TOTAL=5"],
}

# Mistakes, and what is found: an assertion, or "invalid end state", where all wait for ever.
FINDS = {
    "the doorbell without a barrier": ["NO_BARRIER_BEFORE_DOORBELL"],
    "the doorbell of a restart without a barrier": ["NO_BARRIER_AT_RESTART"],
    "the engine's word before its data": ["NO_RELEASE_OF_WORD"],
    "data loaded before the word": ["NO_ACQUIRE_OF_WORD"],
    "a descriptor loaded before the doorbell": ["NO_ACQUIRE_OF_DOORBELL"],
    "no fence": ["NO_FENCE"],
    "a ring that can be full": ["ONE_SLOT_TOO_MANY"],
    "the word of before a halt is kept": ["WORD_IS_KEPT"],
    "a restart at the descriptor at fault": ["RESTART_AT_THE_FAULT"],
    "announced after the doorbell": ["ANNOUNCED_AFTER_DOORBELL", "REMOVER", "TOTAL=5"],
    "removal: the word before what has completed": ["WORD_BEFORE_COMPLETED", "REMOVER", "TOTAL=5"],
    "removal: what is announced after the word": ["ANNOUNCED_AFTER_WORD", "REMOVER", "TOTAL=5"],
}


def verify(flags):
    """Searches all that the model can do. Returns what was found, or "" if that is nothing."""
    with tempfile.TemporaryDirectory(prefix="udma-spin-") as folder:
        def run(*command):
            return subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)

        for command in (["spin", "-a", *("-D" + flag for flag in flags), MODEL],
                        ["gcc", "-O2", "-w", "-DSAFETY", "-DCOLLAPSE", "-DMEMLIM=3000", "-o", "pan",
                         "pan.c"]):
            done = run(*command)
            if done.returncode != 0 or "syntax error" in done.stdout:
                raise RuntimeError(f"{command[0]} failed:\n{done.stdout}")
        search = run("./pan", "-m100000", "-b")
        errors = re.search(r"errors: (\d+)", search.stdout)
        found = re.search(r"^pan:1: (.*) \(at depth", search.stdout, re.M)
        if errors and errors[1] == "0" and "not completed" not in search.stdout:
            return ""
        if found:
            return found[1]
        raise RuntimeError(f"the search did not come to its end:\n{search.stdout[-2000:]}")


def names():
    """The functions that the README says the model stands for are there. Returns those that are
    not."""
    with open(os.path.join(HERE, "README.md"), encoding="utf-8") as file:
        rows = re.findall(r"^\| `([^|]+)` \| `(lib/[^`]+)`:([^|]+)\|", file.read(), re.M)
    missing = [] if len(rows) > 10 else ["the table"]
    for _, path, functions in rows:
        with open(os.path.join(SOURCES, path), encoding="utf-8") as file:
            text = file.read()
        missing += [f"{path}: {name}" for name in re.findall(r"`(\w+)", functions)
                    if not re.search(rf"\b{name}\b", text)]
    return missing


def main():
    if sys.argv[1:]:
        print(__doc__, end="", file=sys.stderr)
        return 2
    failed = 0

    def say(number, good, text, why=""):
        nonlocal failed
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - {text}", flush=True)
        for line in why.splitlines() if why else ():
            print("# " + line, flush=True)

    cases = [(text, flags, False) for text, flags in HOLDS.items()]
    cases += [(text, flags, True) for text, flags in FINDS.items()]
    print(f"1..{len(cases) + 1}")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = [pool.submit(verify, flags) for _, flags, _ in cases]
        for number, ((text, _, mistake), run) in enumerate(zip(cases, runs), 1):
            try:
                found = run.result()
            except (OSError, RuntimeError) as error:
                say(number, False, text, str(error))
                continue
            if mistake:
                say(number, bool(found), f"found: {text}", found and f"by: {found}")
            else:
                say(number, not found, f"holds: {text}", found)
    missing = names()
    say(len(cases) + 1, not missing, "what the model stands for is there", "\n".join(missing))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
