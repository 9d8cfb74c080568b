# SPDX-License-Identifier: BSD-3-Clause
"""scripts/setup.sh: the variables of SPDK's script, in trees of files that stand in for machines."""

import os
import pwd
import sys

from machine import Kernel, Machine, one_function, ONE, TWO
from tap import environment, expect, one_error_line, run, udma, UDMA

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts/setup.sh")


def script(machine, *args, status=0, **variables):
    with Kernel(machine):
        return udma(*args, f"--root={machine.root}", program=SCRIPT, status=status,
                    env=environment(UDMA=UDMA, **variables))


def test_script():
    """setup.sh: SPDK's verbs and variables do the same"""
    machine = one_function(nodes=(0, 1))
    machine.add_function(TWO, group=8)

    before = machine.snapshot()
    script(machine, "config", "--dry-run", HUGEMEM="64")
    expect(machine.snapshot() == before, "a dry run")
    script(machine, PCI_ALLOWED=ONE, NRHUGE="5", HUGENODE="1", DRIVER_OVERRIDE="uio_pci_generic")
    expect((machine.driver(ONE), machine.driver(TWO)) == ("uio_pci_generic", "ioatdma"), "drivers")
    expect((machine.pages(0), machine.pages(1)) == ("0", "5"), "hugepages")
    script(machine, "reset")
    expect(machine.driver(ONE) == "ioatdma" and machine.pages(1) == "0", "reset")
    script(machine, "config", PCI_BLOCKED=ONE, SKIP_HUGE="yes",
           TARGET_USER=pwd.getpwuid(os.getuid()).pw_name)
    expect((machine.driver(ONE), machine.driver(TWO)) == ("ioatdma", "vfio-pci"), "drivers")
    expect(machine.pages(0) == "0", "hugepages")
    script(machine, "config", HUGEMEM="64", PCI_ALLOWED="none")
    expect((machine.pages(0), machine.pages(1)) == ("16", "16"), "hugepages")
    expect(TWO in script(machine, "status").stdout, "status")
    script(machine, "cleanup")
    expect("HUGEMEM" in udma("help", program=SCRIPT).stdout, "help")
    script(machine, "bind", status=2)


def test_lists():
    """setup.sh: lists are of words with any blanks between them; one of blanks alone is none"""
    for number, (variables, changed) in enumerate((
            ({"PCI_ALLOWED": f"{ONE}\n{TWO}\n"}, (ONE, TWO)),
            ({"PCI_ALLOWED": f"\t{TWO}\t"}, (TWO,)),
            ({"PCI_ALLOWED": " \n\t"}, (ONE, TWO)),
            ({"PCI_ALLOWED": "\tnone\n"}, ()),
            ({"PCI_BLOCKED": f"{ONE}\r\n0000:99:00.0"}, (TWO,)),
            ({"PCI_BLOCKED": "\n"}, (ONE, TWO)))):
        machine = one_function(root=f"machine-{number}", nodes=(0, 1))
        machine.add_function(TWO, group=8)
        script(machine, "config", NRHUGE="1", HUGENODE="\n0\t1\n", **variables)
        drivers = {name for name in (ONE, TWO) if machine.driver(name) == "vfio-pci"}
        expect(drivers == set(changed), (variables, drivers))
        expect((machine.pages(0), machine.pages(1)) == ("1", "1"), variables)
    answer = script(machine, "config", PCI_ALLOWED=f"{ONE}\nnone", status=2)
    one_error_line(answer.stderr, "--allow", "'none'", "address")


def test_variables_together():
    """setup.sh: variables may contradict each other: of hugepages SKIP_HUGE counts, then NRHUGE"""
    for number, (variables, options, pages) in enumerate((
            ({"HUGEMEM": "64", "NRHUGE": "5"}, (), "5"),
            ({"HUGEMEM": "64", "NRHUGE": "5", "SKIP_HUGE": "yes"}, (), "0"),
            ({"HUGEMEM": "64", "SKIP_HUGE": "no"}, (), "32"),
            ({"HUGEMEM": "64", "NRHUGE": "5"}, ("--no-huge",), "0"),
            ({"SKIP_HUGE": "yes", "NRHUGE": "5"}, ("--huge-pages=3",), "3"),
            ({"NRHUGE": "5"}, ("--huge-mem=16M",), "8"))):
        machine = one_function(root=f"machine-{number}")
        script(machine, "config", *options, **variables)
        expect(machine.pages(0) == pages, (variables, options, machine.pages(0)))
    machine = one_function()
    for verb in ("reset", "status", "cleanup"):
        script(machine, verb, PCI_ALLOWED="nonsense", DRIVER_OVERRIDE="nosuch", HUGEMEM="1",
               NRHUGE="1", SKIP_HUGE="yes")


def test_no_channel():
    """setup.sh: PCI_ALLOWED=none makes hugepages, also on a machine without a channel"""
    machine = Machine()
    script(machine, PCI_ALLOWED="none", NRHUGE="7")
    expect(machine.pages(0) == "7", machine.pages(0))
    script(machine, "reset")
    expect(machine.pages(0) == "0", machine.pages(0))


def test_no_driver():
    """setup.sh: DRIVER_OVERRIDE=none takes the driver away and gives no other, until reset"""
    me = {"TARGET_USER": pwd.getpwuid(os.getuid()).pw_name}
    for number, (group, user) in enumerate(((7, {}), (None, {}), (7, me))):
        machine = one_function(root=f"machine-{number}", group=group)
        before = machine.snapshot()
        answer = script(machine, DRIVER_OVERRIDE="none", SKIP_HUGE="yes", **user)
        expect(answer.stderr == "" and f"{ONE}: ioatdma -> no driver" in answer.stdout, answer)
        expect(machine.driver(ONE) is None and machine.override(ONE) == "", machine.driver(ONE))
        answer = script(machine, DRIVER_OVERRIDE="none", SKIP_HUGE="yes")
        expect(f"{ONE}: no driver already" in answer.stdout, answer.stdout)
        script(machine, "reset")
        expect(machine.snapshot() == before, "reset")


def test_driver_that_is_none():
    """setup.sh: the file of a module is refused with what is there instead; so is none for good"""
    machine = one_function()
    before = machine.snapshot()
    answer = script(machine, DRIVER_OVERRIDE="/lib/igb_uio.ko", status=2)
    one_error_line(answer.stderr, "'/lib/igb_uio.ko'", "file", "insmod", "vfio-pci",
                   "uio_pci_generic", "none")
    answer = script(machine, "config", "--persistent", DRIVER_OVERRIDE="none", status=2)
    one_error_line(answer.stderr, "--persistent", "--driver=none")
    expect(machine.snapshot() == before, "nothing has changed")


def test_caller_of_sudo():
    """setup.sh: who calls sudo gets the channels, unless another user is named"""
    caller = "nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    uid = pwd.getpwnam(caller).pw_uid
    file = "dev/vfio/7"
    machine = one_function()
    answer = script(machine, SKIP_HUGE="yes", SUDO_USER=caller)
    expect(os.stat(machine.path(file)).st_uid == uid, "given")
    if os.getuid() == 0:  # else it was the caller's before
        expect(f"/{file}: user 0 -> {caller}, who called sudo" in answer.stdout, answer.stdout)
    answer = script(machine, "config", "--persistent", SUDO_USER=caller)
    expect(f'OWNER="{caller}"' in answer.stdout and f"{caller} - memlock" in answer.stdout, answer)
    script(machine, "reset", SUDO_USER=caller)
    expect(os.stat(machine.path(file)).st_uid == os.getuid(), "taken back")
    for number, variables in enumerate((
            {"SUDO_USER": "root"}, {"SUDO_USER": "no.such.user"}, {"SUDO_USER": ""},
            {"SUDO_USER": caller, "TARGET_USER": pwd.getpwuid(os.getuid()).pw_name})):
        machine = one_function(root=f"machine-{number}")
        script(machine, SKIP_HUGE="yes", **variables)
        expect(os.stat(machine.path(file)).st_uid == os.getuid(), variables)


def test_caller_without_iommu():
    """setup.sh: without an IOMMU the caller of sudo gets nothing, which is said and no failure"""
    caller = "nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    machine = one_function(group=None)
    answer = script(machine, SKIP_HUGE="yes", SUDO_USER=caller)
    expect(answer.stderr == "", answer.stderr)
    expect(f"{ONE}: uio_pci_generic without an IOMMU is for root only, and not for {caller}"
           in answer.stdout, answer.stdout)
    answer = script(machine, "config", "--persistent", SUDO_USER=caller)
    expect(caller not in answer.stdout, answer.stdout)


if __name__ == "__main__":
    run(sys.modules[__name__])
