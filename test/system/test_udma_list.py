# SPDX-License-Identifier: BSD-3-Clause
"""udma list, and what udma says without a command."""

import json
import os
import re
import subprocess
import sys

from tap import environment, expect, on_terminal, one_error_line, run, udma, UDMA

COMMANDS = ("list", "copy", "verify")
HEADING = "ADDRESS ID GENERATION KIND DRIVER NUMA USABLE CAPABILITIES HELD BY"


def has_real_devices():
    answer = subprocess.run([UDMA, "list", "--json"], env=environment(), capture_output=True,
                            check=False)
    return len(json.loads(answer.stdout)) > 0


def test_table():
    """list: a line for each emulated channel, aligned, with every column"""
    lines = udma("list", "--emulate=3").stdout.splitlines()
    expect(" ".join(lines[0].split()) == HEADING, lines[0])
    rows = [line for line in lines[1:] if " emulated " in line]
    expect(len(rows) == 3, lines)
    for row in rows:
        expect(re.match(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7] ", row), row)
        for heading, value in (("ID", "8086:2021"), ("GENERATION", "Skylake-SP"),
                               ("KIND", "emulated"), ("DRIVER", "-"), ("USABLE", "yes"),
                               ("CAPABILITIES", "copy, fill"), ("HELD BY", "this process")):
            at = lines[0].index(heading)
            expect(row[at:].startswith(value), f"{heading} of: {row}")
    expect("\t" not in "".join(lines), "no tabs")
    expect(len({row.split()[0] for row in rows}) == 3, "addresses differ")


def test_default_count():
    """list: --emulate without a number is one channel"""
    expect(udma("list", "--emulate").stdout.count(" emulated ") == 1, "one")


def test_environment():
    """list: UDMA_EMULATE asks for emulated channels as --emulate does"""
    answer = udma("list", env=environment(UDMA_EMULATE="2"))
    expect(answer.stdout.count(" emulated ") == 2, answer.stdout)


def test_json():
    """list: --json is an array of objects"""
    found = json.loads(udma("list", "--emulate=2", "--json").stdout)
    emulated = [entry for entry in found if entry["kind"] == "emulated"]
    expect(len(emulated) == 2, found)
    for entry in emulated:
        expect(entry["id"] == "8086:2021", entry)
        expect(entry["generation"] == "Skylake-SP", entry)
        expect(entry["driver"] is None, entry)
        expect(entry["usable"] is True, entry)
        expect(entry["capabilities"] == ["copy", "fill"], entry)
        expect(entry["holder"]["name"] == "udma", entry)
        expect("numa_node" in entry and "iommu_group" in entry, entry)


def test_capabilities():
    """list: what the part can do beyond copies"""
    answer = udma("list", "--emulate=1,generation=bwd")
    expect(" copy, fill, XOR, P+Q " in answer.stdout, answer.stdout)
    found = json.loads(udma("list", "--emulate=1,generation=bwd", "--json").stdout)
    expect(found[-1]["capabilities"] == ["copy", "fill", "XOR", "P+Q"], found)


def test_hostile_name():
    """list: the name of a process is a name, and nothing that a terminal obeys"""
    os.symlink(UDMA, "u\x1b[2J")
    answer = udma("list", "--emulate", program=os.path.abspath("u\x1b[2J"))
    expect("\x1b" not in answer.stdout, answer.stdout)
    found = json.loads(udma("list", "--emulate", "--json", program=os.path.abspath("u\x1b[2J")).stdout)
    expect("u?[2J" in [entry["holder"]["name"] for entry in found if entry["holder"]], found)


def test_narrow_terminal():
    """list: on a narrow terminal a paragraph for each channel, no line wider than it"""
    lines = on_terminal("list", "--emulate=2", COLUMNS="40")
    expect(all(len(line) <= 40 for line in lines), lines)
    expect(len([line for line in lines if re.match(r"KIND +emulated$", line)]) == 2, lines)
    expect("" in lines, "paragraphs are apart")


def test_wide_terminal():
    """list: on a wide terminal a table"""
    lines = on_terminal("list", "--emulate=2", COLUMNS="120")
    expect(" ".join(lines[0].split()) == HEADING, lines)


def test_pipe_has_no_width():
    """list: COLUMNS does not matter in a pipe"""
    answer = udma("list", "--emulate", env=environment(COLUMNS="20"))
    expect(" ".join(answer.stdout.splitlines()[0].split()) == HEADING, answer.stdout)


def test_no_device():
    """list: without a device it says so, names the ways out, and ends with 2"""
    if has_real_devices():
        udma("list")
        return
    answer = udma("list", status=2)
    expect(answer.stdout == "", answer.stdout)
    one_error_line(answer.stderr, "udma list:", "no I/OAT channel", "vfio-pci",
                   "udma setup config", "scripts/setup.sh", "--emulate")


def test_no_device_json():
    """list: without a device --json prints an empty array, and explains on stderr"""
    if has_real_devices():
        udma("list", "--json")
        return
    answer = udma("list", "--json", status=2)
    expect(json.loads(answer.stdout) == [], answer.stdout)
    one_error_line(answer.stderr, "vfio-pci", "--emulate")


def test_emulate_nothing():
    """list: --emulate=0 asks for none"""
    answer = udma("list", "--emulate=0", "--json", status=0 if has_real_devices() else 2)
    expect("emulated" not in answer.stdout, answer.stdout)


def test_bad_emulate():
    """list: a wrong value of --emulate is one error line, and 2"""
    for value in ("x", "-1", "100000", "1,speed=9", "1,xfercap=99", "1,flip"):
        one_error_line(udma("list", "--emulate=" + value, status=2).stderr, "udma:")


def test_bad_usage():
    """list: unknown options and operands are named, and 2"""
    one_error_line(udma("list", "--jsom", status=2).stderr, "'--jsom'", "--help")
    one_error_line(udma("list", "--json=1", status=2).stderr, "'--json=1'")
    one_error_line(udma("list", "-x", status=2).stderr, "'-x'")
    one_error_line(udma("list", "--emulate", "2", status=2).stderr, "'2'", "'='")


def test_output_that_fails():
    """list: an answer that cannot be written is an error"""
    with open("/dev/full", "w", encoding="ascii") as full:
        answer = udma("list", "--emulate", stdout=full, status=1)
    one_error_line(answer.stderr, "standard output", "No space left")


def test_help():
    """udma: --help, help and the help of each command have an example and the exit statuses"""
    for args in (["--help"], ["-h"], ["help"]):
        text = udma(*args).stdout
        for part in (*(f"udma {command} " for command in COMMANDS), "--emulate", "Example:",
                     "Exit status"):
            expect(part in text, f"{part} in udma {args}")
    for command in COMMANDS:
        text = udma(command, "--help").stdout
        expect(f"Example:\n  udma {command} " in text, text)
        expect("Exit status" in text and "--json" in text, text)
        expect(udma("help", command).stdout == text, f"help {command}")
        expect(udma(command, "-h").stdout == text, f"{command} -h")


def test_help_fits():
    """udma: help fits in 90 columns"""
    for args in (["--help"], *([command, "--help"] for command in COMMANDS)):
        for line in udma(*args).stdout.splitlines():
            expect(len(line) <= 90, line)


def test_help_on_nothing():
    """udma: help on a command that there is not is no better than that command"""
    for name in ("nosuch", "--jsom", ""):
        answer = udma("help", name, status=2)
        one_error_line(answer.stderr, f"'{name}'", *COMMANDS, "--help")
        expect(answer.stdout == "", answer.stdout)
        expect(udma(name, status=2).stderr == answer.stderr, name)
    for name in ("--help", "-h", "help"):
        expect(udma("help", name).stdout == udma("--help").stdout, name)


def test_version():
    """udma: --version"""
    expect(re.fullmatch(r"udma \d+\.\d+\.\d+\n", udma("--version").stdout), "version")


def test_no_command():
    """udma: without a command, and with an unknown one: one line, and 2"""
    one_error_line(udma(status=2).stderr, *COMMANDS, "--help")
    one_error_line(udma("cpy", status=2).stderr, "'cpy'", *COMMANDS, "--help")
    one_error_line(udma("--emulate", status=2).stderr, "'--emulate'", "--help")


if __name__ == "__main__":
    run(sys.modules[__name__])
