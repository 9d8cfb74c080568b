# SPDX-License-Identifier: BSD-3-Clause
"""udma setup makes hugepages, in trees of files that stand in for machines."""

import os
import sys

from machine import BOOT, JOURNAL, one_function, ONE, setup
from tap import expect, one_error_line, run


def test_hugepages():
    """setup: hugepages come in equal shares, or where they are asked for; never fewer than before"""
    for number, (args, before, after) in enumerate((
            ((), (0, 0), ("512", "512")),
            (("--huge-mem=256M",), (0, 0), ("64", "64")),
            (("--huge-pages=3",), (0, 0), ("2", "2")),
            (("--huge-pages=8",), (100, 0), ("100", "4")),
            (("--huge-pages=8", "--huge-nodes=1"), (0, 0), ("0", "8")),
            (("--huge-pages=8", "--huge-nodes=0,1"), (0, 0), ("8", "8")),
            (("--huge-pages=8", "--huge-nodes=nodes_hp[0]=5,1"), (0, 0), ("5", "8")),
            (("--huge-pages=0",), (3, 0), ("3", "0")),
            (("--huge-mem=0",), (3, 0), ("3", "0")),
            (("--huge-pages=0", "--huge-nodes=0,nodes_hp[1]=8"), (0, 0), ("0", "8")),
            (("--no-huge",), (3, 4), ("3", "4")))):
        machine = one_function(root=f"machine-{number}")
        machine.add_pages(0, before[0])
        machine.add_pages(1, before[1])
        setup(machine, "config", *args)
        expect(machine.driver(ONE) == "vfio-pci", args)
        expect((machine.pages(0), machine.pages(1)) == after, (args, machine.pages(0)))
        setup(machine, "reset")
        expect((machine.pages(0), machine.pages(1)) == tuple(map(str, before)), args)


def test_hugepages_on_one_node():
    """setup: a node without hugepages gets none; asked for by its number, it is named"""
    machine = one_function()
    os.makedirs(machine.path("sys/devices/system/node/node1"))
    setup(machine, "config")
    expect(machine.pages(0) == "1024", machine.pages(0))
    answer = setup(machine, "config", "--huge-nodes=0,1", status=1)
    one_error_line(answer.stderr, "node 1 has no hugepages of 2048 kB")


def test_hugepages_without_nodes():
    """setup: a kernel that does not know nodes has hugepages, too"""
    machine = one_function(nodes=())
    folder = "sys/kernel/mm/hugepages/hugepages-2048kB"
    machine.write(f"{folder}/nr_hugepages", "7\n")
    setup(machine, "config", "--huge-pages=9")
    expect(machine.read(f"{folder}/nr_hugepages") == "9", "9")
    setup(machine, "reset")
    expect(machine.read(f"{folder}/nr_hugepages") == "7", "7")


def test_hugepages_that_fail():
    """setup: hugepages that cannot be made are named; what else has been done stays, for reset"""
    machine = one_function(nodes=(0, 1))
    machine.spoil("sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages")
    answer = setup(machine, "config", status=1)
    expect("node1/hugepages/hugepages-2048kB/nr_hugepages: Is a directory" in answer.stderr,
           answer.stderr)
    expect(machine.pages(0) == "512" and machine.driver(ONE) == "vfio-pci", "the rest")


def test_no_hugepages():
    """setup: no hugepages are had also where the kernel has none, and in the persistent form"""
    machine = one_function(nodes=())
    for option in ("--huge-pages=0", "--huge-mem=0"):
        setup(machine, "config", option)
        answer = setup(machine, "config", option, "--persistent")
        expect("hugepages" not in answer.stdout, answer.stdout)
    answer = setup(machine, "config", "--persistent", "--huge-nodes=nodes_hp[0]=0,nodes_hp[1]=3")
    expect("node1" in answer.stdout and "node0" not in answer.stdout, answer.stdout)


def test_many_nodes():
    """setup: a request may name each node that a kernel can have, and say so of one more"""
    machine = one_function()
    machine.add_pages(1023, 0)
    setup(machine, "config", "--huge-pages=8", "--huge-nodes=" + "0," * 2000 + "1023")
    expect((machine.pages(0), machine.pages(1023)) == ("8", "8"), machine.pages(0))
    listed = ",".join(f"nodes_hp[{node}]=1" for node in range(1024))
    answer = setup(machine, "config", "--huge-nodes=" + listed, status=1)
    expect(answer.stderr.count(" has no hugepages of 2048 kB") == 1022, answer.stderr[-200:])
    answer = setup(machine, "config", "--huge-nodes=1024", status=2)
    one_error_line(answer.stderr, "--huge-nodes", "'1024'", "0 to 1023")


def test_reset_of_pages_in_use():
    """setup: hugepages that a process still has are named as that, and the next reset takes them"""
    file = "sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages"
    machine = one_function()
    os.unlink(machine.path(file))
    # A file of this kernel that stays at a larger number when 0 is written.
    machine.link(file, "/proc/self/timerslack_ns")
    machine.write(JOURNAL, f"udma setup 1 boot {BOOT}\npages\t/{file}\t0\t\n")
    answer = setup(machine, "reset", status=1)
    one_error_line(answer.stderr, file, "a process", "in use", "'udma setup reset' again")
    expect("memory is short" not in answer.stderr, answer.stderr)
    os.unlink(machine.path(file))
    machine.write(file, "7\n")
    setup(machine, "reset")
    expect(machine.pages(0) == "0" and not os.path.exists(machine.path(JOURNAL)), machine.pages(0))


def with_default_of_1g(**options):
    """A machine with both sizes, where MAP_HUGETLB and vm.nr_hugepages mean the large one."""
    machine = one_function(**options)
    machine.write("proc/meminfo", "MemTotal: 1 kB\nHugepagesize:    1048576 kB\n")
    for node in (0, 1):
        machine.add_pages(node, 0)
        machine.add_pages(node, 3, kilobytes=1048576)
    return machine


def test_hugepages_of_another_default():
    """setup: hugepages are of 2 MiB, as the library takes them, whatever the kernel's default is"""
    machine = with_default_of_1g()
    before = machine.snapshot()
    setup(machine, "config", "--huge-mem=64M", "--allow=none")
    expect((machine.pages(0), machine.pages(1)) == ("16", "16"), machine.pages(0))
    large = "sys/devices/system/node/node0/hugepages/hugepages-1048576kB/nr_hugepages"
    expect(machine.read(large) == "3", "the others are left")
    setup(machine, "reset")
    expect(machine.snapshot() == before, "reset")


def test_persistent_of_another_default():
    """setup: --persistent has a form that does not go by the kernel's default size"""
    machine = with_default_of_1g()
    answer = setup(machine, "config", "--persistent", "--huge-mem=64M")
    expect("vm.nr_hugepages" not in answer.stdout, answer.stdout)
    expect("# /etc/tmpfiles.d/udma.conf\n"
           "w /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages - - - - 32\n"
           in answer.stdout, answer.stdout)


def test_hugepages_of_no_such_size():
    """setup: a kernel that has no hugepages of 2 MiB is told of, and none of others are made"""
    machine = one_function(nodes=())
    machine.write("proc/meminfo", "MemTotal: 1 kB\nHugepagesize:     524288 kB\n")
    machine.add_pages(0, 0, kilobytes=524288)
    before = machine.snapshot()
    answer = setup(machine, "config", status=1)
    one_error_line(answer.stderr, "2048 kB cannot be made", "--no-huge")
    expect(machine.snapshot() == before, "nothing has changed")


if __name__ == "__main__":
    run(sys.modules[__name__])
