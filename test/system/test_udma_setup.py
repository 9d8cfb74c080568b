# SPDX-License-Identifier: BSD-3-Clause
"""udma setup, in trees of files that stand in for machines."""

import json
import os
import pwd
import sys

from machine import Kernel, Machine, PCI
from tap import expect, one_error_line, run, udma

ONE = "0000:00:04.0"
DISK = "0000:00:1f.2"
JOURNAL = "run/udma/setup.journal"


def setup(machine, *args, status=0, refuses=()):
    """Runs udma setup in a tree where the kernel answers."""
    with Kernel(machine, refuses):
        return udma("setup", *args, f"--root={machine.root}", status=status)


def lines(answer, machine):
    """What was printed, with paths as on a machine."""
    return answer.stdout.replace(machine.root, "").splitlines()


def one_function(group=7, **options):
    machine = Machine(**options)
    machine.add_function(ONE, group=group)
    return machine


def there_and_back(machine, driver, *args, functions=(ONE,)):
    """config, the same again, reset, and again."""
    before = machine.snapshot()
    setup(machine, "config", *args)
    for function in functions:
        expect(machine.driver(function) == driver, f"{function}: {machine.driver(function)}")
    after = machine.snapshot()
    answer = setup(machine, "config", *args)
    expect("->" not in answer.stdout and "already" in answer.stdout, answer.stdout)
    expect(machine.snapshot() == after, "the second config has changed nothing")
    setup(machine, "reset")
    now = machine.snapshot()
    left = {path: (before.get(path), now.get(path)) for path in before | now
            if before.get(path) != now.get(path) and not path.startswith("dev/vfio/")}
    expect(not left, left)
    answer = setup(machine, "reset")
    expect("nothing to reset" in answer.stdout, answer.stdout)


def test_there_and_back():
    """setup: from ioatdma to vfio-pci and back, everything as it was, each of them twice"""
    there_and_back(one_function(), "vfio-pci")


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
        f"{ONE}: ioatdma -> vfio-pci",
        "write '1024' to /sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages",
        "node 0: hugepages of 2048 kB: 0 -> 1024",
        "dry run: nothing was changed"], answer.stdout)


def test_status():
    """setup: status shows channels, drivers, groups, hugepages and limits"""
    machine = one_function(nodes=(0, 1), pages=5)
    machine.add_pages(0, 0, kilobytes=1048576)
    answer = setup(machine, "status")
    expect(lines(answer, machine) == [
        "ADDRESS       ID         GENERATION  DRIVER   OVERRIDE  NUMA  GROUP  USED BY  ALSO IN GROUP",
        f"{ONE}  8086:2021  Skylake-SP  ioatdma  -            0      7  -        -",
        "",
        "NODE  HUGEPAGES OF  THERE  FREE",
        "0     2M                5     5",
        "0     1G                0     0",
        "1     2M                5     5",
        "",
        "IOMMU          1 groups",
        "locked memory  8388608 bytes",
        "journal        none"], answer.stdout)


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


if __name__ == "__main__":
    run(sys.modules[__name__])
