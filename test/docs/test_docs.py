#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs the commands that the pages show, and compares what they print, figures masked.

Usage: test_docs.py SOURCE BUILD

In a ```console block, "$ " begins a command (the commands of a page share one shell), other lines are
its output, and a line of "…" stands for any lines. `build/` in a page is BUILD here.
"""
import os
import re
import subprocess
import sys

PAGES = ["README.md", "docs/requests.md"]
# Commands that are not run: the first runs before the tests do, the second runs the tests.
NOT_RUN = {"scripts/try", "scripts/check"}
END = "--- end of the output, status"


def blocks(page):
    """The commands of a page, each with the output lines that it shows."""
    for block in re.findall(r"^```console\n(.*?)^```", page, re.S | re.M):
        command, shown = None, []
        for line in block.splitlines():
            if line.startswith("$ "):
                if command is not None:
                    yield command, shown
                command, shown = line[2:], []
            else:
                shown.append(line)
        yield command, shown


def mask(line):
    """Numbers are not the same twice, except of requests and descriptors, which count."""
    line = re.sub(r"\b0x[0-9a-f]+\b|\b[0-9a-f]{8}\b", "#", line)
    line = re.sub(r"(?<!request )(?<!descriptor )(?<!\d)\d+(\.\d+)?", "#", line)
    line = re.sub(r"\b[KMGT]iB", "*iB", line)
    return re.sub(r"\s+", " ", line).strip()


def matches(shown, printed):
    """Whether the lines printed are those shown, where "…" is any number of them."""
    pattern = "".join(r"(?:.*\n)*" if line == "…" else re.escape(mask(line)) + r"\n"
                      for line in shown)
    return re.fullmatch(pattern, "".join(mask(line) + "\n" for line in printed)) is not None


def run(shell, command, build):
    command = re.sub(r"\bbuild/(?!try)", build + "/", command)
    command = re.sub(r"-C build\b", "-C " + build, command)
    shell.stdin.write(f"{{ {command}\n}} 2>&1; printf '\\n{END} %d\\n' $?\n")
    shell.stdin.flush()
    lines = []
    for line in shell.stdout:
        if line.startswith(END):
            break
        lines.append(line.rstrip("\n").replace(build + "/", "build/"))
    while lines and not lines[-1]:
        lines.pop()
    return lines


def main():
    source, build = sys.argv[1], os.path.relpath(sys.argv[2], sys.argv[1])
    os.makedirs(os.path.join(source, "build/try"), exist_ok=True)
    with open(os.path.join(source, "build/try/source"), "ab") as file:
        if file.tell() == 0:  # scripts/try has not run here
            file.write(os.urandom(1 << 20) * 32)
    count = 0
    for page in PAGES:
        with open(os.path.join(source, page), encoding="utf-8") as file:
            text = file.read()
        shell = subprocess.Popen(["bash"], cwd=source, text=True, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE)
        for command, shown in blocks(text):
            if command in NOT_RUN:
                continue
            count += 1
            printed = run(shell, command, build)
            if matches(shown, printed):
                print(f"ok {count} - {page}: {command}")
                continue
            print(f"not ok {count} - {page}: {command}")
            for title, lines in (("shown", shown), ("printed", printed)):
                print(f"# {title}:")
                for line in lines:
                    print(f"#   {line}")
        shell.stdin.close()
        shell.wait()
    print(f"1..{count}")


if __name__ == "__main__":
    main()
