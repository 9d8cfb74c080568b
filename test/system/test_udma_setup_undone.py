# SPDX-License-Identifier: BSD-3-Clause
"""udma setup where it fails, is killed, or only says what it would do: nothing is lost."""

import fcntl
import json
import os
import pwd
import sys

from machine import BOOT, JOURNAL, lines, Machine, one_function, ONE, PCI, setup, TWO, Kernel
from tap import environment, expect, one_error_line, run, Skip, udma, UDMA, without_privileges

KILLED_AT = os.path.abspath(sys.argv[2])
KILLED = 137


def test_dry_run():
    """setup: --dry-run prints each write, and makes none"""
    machine = one_function()
    before = machine.snapshot()
    answer = setup(machine, "config", "--dry-run")
    expect(machine.snapshot() == before, "nothing has changed")
    expect(lines(answer, machine) == [
        "run /sbin/modprobe vfio-pci",
        f"write 'vfio-pci' to /{PCI}/devices/{ONE}/driver_override",
        f"write '{ONE}' to /{PCI}/drivers/ioatdma/unbind",
        f"write '{ONE}' to /{PCI}/drivers_probe",
        "run /sbin/modprobe vfio_iommu_type1",
        f"{ONE}: ioatdma -> vfio-pci",
        "write '1024' to /sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages",
        "node 0: hugepages of 2048 kB: 0 -> 1024",
        "dry run: nothing was changed"], answer.stdout)


def test_dry_run_of_all():
    """setup: a dry run prints what each verb would write, give away and remove, and does nothing"""
    name = "nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    user = pwd.getpwnam(name)
    machine = one_function(pages=5)
    answer = setup(machine, "config", "--dry-run", "--no-huge", "--user=" + name)
    expect(lines(answer, machine)[-3:] == [
        f"give /dev/vfio/7 to user {user.pw_uid}, group {user.pw_gid}",
        f"/dev/vfio/7: user 0 -> {name}",
        "dry run: nothing was changed"], answer.stdout)
    setup(machine, "config", "--user=" + name)
    before = machine.snapshot()
    answer = setup(machine, "reset", "--dry-run")
    expect(machine.snapshot() == before, "nothing has changed")
    pages = "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages"
    given = [f"give /dev/vfio/7 to user {os.getuid()}, group {os.getgid()}",
             f"/dev/vfio/7: user {user.pw_uid} -> {os.getuid()}"] * (os.getuid() == 0)
    expect(lines(answer, machine) == [
        f"write '5' to {pages}",
        f"{pages}: 1024 -> 5",
        *given,
        f"write 'ioatdma' to /{PCI}/devices/{ONE}/driver_override",
        f"write '{ONE}' to /{PCI}/drivers/vfio-pci/unbind",
        f"write '{ONE}' to /{PCI}/drivers_probe",
        f"write '' to /{PCI}/devices/{ONE}/driver_override",
        f"{ONE}: vfio-pci -> ioatdma",
        "dry run: nothing was changed"], answer.stdout)


def test_write_that_fails():
    """setup: a write that fails half-way is named, and undone"""
    machine = one_function()
    machine.spoil(f"{PCI}/drivers/ioatdma/unbind")
    before = machine.snapshot()
    answer = setup(machine, "config", "--no-huge", status=1)
    first, second = answer.stderr.splitlines()
    one_error_line(first, f"'{ONE}'", "drivers/ioatdma/unbind", "Is a directory")
    one_error_line(second, ONE, "as it was before", "ioatdma")
    expect(machine.snapshot() == before, "as before")


def test_driver_that_refuses():
    """setup: a driver that does not take the channel is named, and the one before has it again"""
    machine = one_function()
    before = machine.snapshot()
    answer = setup(machine, "config", "--no-huge", status=1, refuses=["vfio-pci"])
    first, second = answer.stderr.splitlines()
    one_error_line(first, ONE, "vfio-pci does not take it", "dmesg")
    one_error_line(second, ONE, "as it was before", "ioatdma")
    expect(machine.snapshot() == before, "as before")


def test_one_of_two_fails():
    """setup: a channel that fails does not keep the others from it"""
    machine = one_function()
    machine.add_function(TWO, group=8)
    machine.spoil(f"{PCI}/devices/{ONE}/driver_override")
    answer = setup(machine, "config", "--no-huge", status=1)
    expect(f"{TWO}: ioatdma -> vfio-pci" in answer.stdout, answer.stdout)
    expect((machine.driver(ONE), machine.driver(TWO)) == ("ioatdma", "vfio-pci"), "drivers")
    setup(machine, "reset")
    expect(machine.driver(TWO) == "ioatdma", "reset")


def test_one_of_a_group_fails():
    """setup: VFIO needs a whole group: where one fails the others are put back, or left, and named"""
    name = "nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    three = [f"0000:00:04.{function}" for function in range(3)]
    for bad in range(3):
        machine = Machine(root=f"machine-{bad}")
        for function in three:
            machine.add_function(function, group=3)
        machine.add_function(TWO, group=8)
        file = f"{PCI}/devices/{three[bad]}/driver_override"
        machine.spoil(file)
        setup(machine, "config", "--no-huge", f"--allow={TWO}")
        answer = setup(machine, "config", "--no-huge", "--user=" + name, status=1)
        errors = answer.stderr.splitlines()
        for number, function in enumerate(three):
            what = "left alone" if number > bad else "as it was before: ioatdma"
            expect(any(f"{function}: " in line and what in line and
                       (number == bad or f"group 3, and {three[bad]}" in line)
                       for line in errors), [function, errors])
        expect("dev/vfio/3" not in answer.stdout, answer.stdout)
        expect(f"/dev/vfio/8: user {os.getuid()} -> {name}" in answer.stdout or os.getuid() != 0,
               answer.stdout)
        expect({machine.driver(function) for function in three} == {"ioatdma"}, "put back")
        expect(machine.read(JOURNAL).count("function") == 1, machine.read(JOURNAL))
        os.rmdir(machine.path(file))
        machine.write(file, "(null)\n")
        setup(machine, "config", "--no-huge", "--user=" + name)
        expect({machine.driver(function) for function in three} == {"vfio-pci"}, "the second time")
        expect(os.stat(machine.path("dev/vfio/3")).st_uid == pwd.getpwnam(name).pw_uid, "owner")


def test_journal_of_another_boot():
    """setup: a journal of another boot restores nothing, and a new one takes its place"""
    machine = one_function()
    old = f"udma setup 1 boot other\nfunction\t{ONE}\tnvme\tnvme\n"
    machine.write(JOURNAL, old)
    expect("of another boot" in setup(machine, "status").stdout, "status")
    expect("last boot" in setup(machine, "reset", "--dry-run").stdout, "dry run")
    expect(machine.read(JOURNAL) == old.strip(), "a dry run leaves it")
    expect("last boot" in setup(machine, "reset").stdout, "reset")
    expect(machine.driver(ONE) == "ioatdma" and not os.path.exists(machine.path(JOURNAL)), "gone")
    machine.write(JOURNAL, old)
    setup(machine, "config")
    setup(machine, "reset")
    expect(machine.driver(ONE) == "ioatdma", machine.driver(ONE))


def test_killed_half_way():
    """setup: a run that was killed half-way is taken further by config, and back by reset"""
    for verb, driver in (("config", "vfio-pci"), ("reset", "ioatdma")):
        machine = one_function(root=f"machine-{verb}")
        machine.write(JOURNAL, f"udma setup 1 boot {BOOT}\nfunction\t{ONE}\tioatdma\t\n")
        machine.write(JOURNAL + ".new", "half a li")
        machine.write(f"{PCI}/devices/{ONE}/driver_override", "vfio-pci\n")
        machine.unbind(ONE)
        setup(machine, verb)
        expect(machine.driver(ONE) == driver, (verb, machine.driver(ONE)))
        setup(machine, "reset")
        expect(machine.driver(ONE) == "ioatdma" and machine.override(ONE) == "", "as at first")


def killed_in(machine, n, verb, *args):
    """Runs a verb and kills it before its n-th change. Returns whether it came that far."""
    with Kernel(machine):
        answer = udma(str(n), UDMA, "setup", verb, *args, f"--root={machine.root}", status=None,
                      program=KILLED_AT, env=environment(ASAN_OPTIONS="detect_leaks=0"))
    expect(answer.returncode in (0, KILLED), [n, answer])
    return answer.returncode == KILLED


def expect_as_before(machine, before, what):
    """The file of a group is VFIO's, and goes when the driver does, or not at all."""
    now = machine.snapshot()
    left = {path: (before.get(path), now.get(path)) for path in before | now
            if before.get(path) != now.get(path) and not path.startswith("dev/vfio/")}
    expect(not left, [what, left])


def test_killed_at_each_change():
    """setup: killed before any change that it makes, config is taken further, and reset restores"""
    user = "--user=" + ("nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name)
    for verb in ("config", "reset"):
        for then in (("reset",), ("config", "reset")):
            n = 0
            was_killed = True
            while was_killed:
                n += 1
                machine = one_function(root=f"machine-{verb}-{len(then)}-{n}", pages=5)
                before = machine.snapshot()
                if verb == "reset":
                    setup(machine, "config", user)
                was_killed = killed_in(machine, n, verb, *[user] * (verb == "config"))
                for each in then:
                    setup(machine, each, *[user] * (each == "config"))
                    if each == "config":
                        expect(machine.driver(ONE) == "vfio-pci", [verb, n, machine.driver(ONE)])
                        expect(machine.pages(0) == "1024", [verb, n, machine.pages(0)])
                expect_as_before(machine, before, [verb, n, then])
            expect(n > 10, f"{verb} was killed {n - 1} times only")


def test_bad_journal():
    """setup: a journal that cannot be understood stops it before it changes anything"""
    for number, text in enumerate((
            "", "nonsense\n", f"udma setup 1 boot {BOOT}\nfunction\t{ONE}\n",
            f"udma setup 1 boot {BOOT}\ndisk\t{ONE}\ta\tb\n",
            f"udma setup 1 boot {BOOT}\nfunction\t{ONE}\t{'x' * 100}\t\n")):
        machine = one_function(root=f"machine-{number}")
        machine.write(JOURNAL, text)
        before = machine.snapshot()
        for verb in ("config", "reset"):
            one_error_line(setup(machine, verb, status=1).stderr, JOURNAL, "remove it")
        expect(machine.snapshot() == before, "nothing has changed")


def test_journal_that_cannot_be_written():
    """setup: without a journal nothing is changed"""
    machine = one_function()
    os.makedirs(machine.path(JOURNAL + ".new"))
    before = machine.snapshot()
    answer = setup(machine, "config", status=1)
    expect(JOURNAL in answer.stderr and "nothing is changed" in answer.stderr, answer.stderr)
    expect(machine.snapshot() == before, "nothing has changed")


def test_journal_of_a_careful_root():
    """setup: whatever root's umask is, everybody may read the journal, and nobody write it"""
    os.chmod(".", 0o755)
    machine = one_function()
    setup(machine, "config", umask=0o077)
    modes = [os.stat(machine.path(name)).st_mode & 0o777
             for name in ("run/udma", JOURNAL, "run/udma/setup.lock")]
    expect(modes == [0o755, 0o644, 0o600], [oct(mode) for mode in modes])
    with without_privileges() as options:
        expect("2 to restore" in setup(machine, "status", **options).stdout, "status")


def test_journal_that_is_hidden():
    """setup: status goes on without a journal that this user may not read, and says so"""
    os.chmod(".", 0o755)
    machine = one_function()
    setup(machine, "config")
    os.chmod(machine.path("run/udma"), 0)
    with without_privileges() as options:
        answer = setup(machine, "status", **options)
        expect(ONE in answer.stdout and "journal        Permission denied" in answer.stdout,
               answer.stdout)
        answer = setup(machine, "status", "--json", **options)
        expect(json.loads(answer.stdout)["to_restore"] is None, answer.stdout)
        setup(machine, "config", "--persistent", **options)
        answer = setup(machine, "reset", "--dry-run", status=1, **options)
        one_error_line(answer.stderr, JOURNAL, "Permission denied", "as root")
        expect("remove it" not in answer.stderr, answer.stderr)
    os.chmod(machine.path("run/udma"), 0o755)


def test_full_disk():
    """setup: where the disk is full, and the journal does not fit, nothing is changed"""
    machine = one_function()
    before = machine.snapshot()
    machine.link(JOURNAL + ".new", "/dev/full")
    answer = setup(machine, "config", "--no-huge", status=1)
    one_error_line(answer.stderr, JOURNAL, "No space left on device", "nothing is changed")
    expect(machine.snapshot() == before, "nothing has changed")


def test_no_permission():
    """setup: a user who may not write is told where, and nothing is changed"""
    if os.getuid() != 0:
        raise Skip("root alone can make files that the user who runs this cannot write")
    os.chmod(".", 0o755)
    machine = one_function()
    before = machine.snapshot()
    with without_privileges() as options:
        answer = setup(machine, "config", status=1, **options)
    one_error_line(answer.stderr, "cannot write to", "/run/udma", "Permission denied")
    expect(machine.snapshot() == before, "nothing has changed")


def test_one_at_a_time():
    """setup: while another run is at work, it waits for nobody and says so"""
    machine = one_function()
    machine.write("run/udma/setup.lock", "")
    with open(machine.path("run/udma/setup.lock"), "r+", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        one_error_line(setup(machine, "config", status=1).stderr, "another", "at work")


if __name__ == "__main__":
    run(sys.modules[__name__])
