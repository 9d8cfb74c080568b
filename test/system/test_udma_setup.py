# SPDX-License-Identifier: BSD-3-Clause
"""udma setup, in trees of files that stand in for machines."""

import fcntl
import json
import os
import pwd
import sys

from machine import BOOT, JOURNAL, lines, Machine, one_function, ONE, PCI, setup, TWO
from tap import expect, one_error_line, run, udma, without_privileges

EIGHT = [f"0000:00:04.{function}" for function in range(8)]
DISK = "0000:00:1f.2"


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
        "locked memory  8388608 bytes for this process",
        "journal        none"], answer.stdout)


def test_no_iommu():
    """setup: without an IOMMU uio_pci_generic, and back"""
    machine = one_function(group=None)
    expect("IOMMU          none\n" in setup(machine, "status").stdout, "status")
    there_and_back(machine, "uio_pci_generic")


def test_vfio_without_iommu():
    """setup: without an IOMMU vfio-pci, where VFIO has been told to do without"""
    machine = one_function(group=None)
    machine.write("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n")
    expect("VFIO does without" in setup(machine, "status").stdout, "status")
    there_and_back(machine, "vfio-pci")


def test_driver_override():
    """setup: --driver is bound, also another than before; behind an IOMMU UIO comes with a warning"""
    machine = one_function()
    there_and_back(machine, "uio_pci_generic", "--driver=uio_pci_generic")
    setup(machine, "config", "--no-huge")
    answer = setup(machine, "config", "--no-huge", "--driver=uio_pci_generic")
    one_error_line(answer.stderr, ONE, "IOMMU", "vfio-pci", "iommu=pt")
    expect(machine.driver(ONE) == "uio_pci_generic", machine.driver(ONE))
    setup(machine, "reset")
    expect(machine.driver(ONE) == "ioatdma", "the first driver, not the one between")


def test_no_driver_before():
    """setup: a channel without a driver has none again, one with an override has it again"""
    machine = Machine()
    machine.add_function(ONE, group=7, driver=None)
    machine.add_function(TWO, group=8)
    machine.write(f"{PCI}/devices/{TWO}/driver_override", "ioatdma\n")
    there_and_back(machine, "vfio-pci", functions=(ONE, TWO))
    expect(machine.driver(ONE) is None, machine.driver(ONE))
    expect(machine.override(TWO) == "ioatdma", machine.override(TWO))


def test_type1():
    """setup: what maps memory for vfio-pci is loaded too, if it is not there, and if there is one"""
    machine = one_function()
    setup(machine, "config", "--no-huge")
    expect(os.path.isdir(machine.path("sys/module/vfio_iommu_type1")), "loaded")
    machine = one_function(root="without", modules=("vfio-pci",))
    setup(machine, "config", "--no-huge")
    expect(machine.driver(ONE) == "vfio-pci", "the kernel may have something in its place")


def test_no_module():
    """setup: a module that there is not is named, with a kernel that has it; nothing has changed"""
    for group, driver in ((7, "vfio-pci"), (None, "uio_pci_generic")):
        machine = one_function(group=group, root=f"machine-{group}", modules=())
        before = machine.snapshot()
        answer = setup(machine, "config", "--no-huge", status=1)
        first, second = answer.stderr.splitlines()
        one_error_line(first, driver, "/sbin/modprobe", "linux-image-amd64")
        one_error_line(second, ONE, "as it was before")
        expect(machine.snapshot() == before, "as before")
    os.unlink(machine.path("sbin/modprobe"))
    answer = setup(machine, "config", "--no-huge", status=1)
    expect("package kmod" in answer.stderr, answer.stderr)


def test_used_by_kernel():
    """setup: a channel that the kernel uses is left, with the user's name, unless forced"""
    for number, (summary, modules, who) in enumerate((
            ("0000:00:05.0:tx", (), "the kernel (0000:00:05.0:tx)"),
            ("in-use", ("async_tx", "dmatest"), "the kernel (async_tx or dmatest)"),
            (None, (), "the kernel"))):
        machine = one_function(root=f"machine-{number}")
        machine.use(ONE, summary, modules)
        before = machine.snapshot()
        answer = setup(machine, "config", "--no-huge", status=1)
        one_error_line(answer.stderr, ONE, who + " uses it", "ioatdma", "--force")
        expect(machine.snapshot() == before, "nothing has changed")
        status = json.loads(setup(machine, "status", "--json").stdout)
        expect(status["channels"][0]["used_by"] == who, status)
        setup(machine, "config", "--no-huge", "--force")
        expect(machine.driver(ONE) == "vfio-pci", machine.driver(ONE))


def test_used_by_process():
    """setup: a channel that a process has open is left, also by reset and --force, and named"""
    for number, (group, driver, file) in enumerate((
            (7, "vfio-pci", "/dev/vfio/7"), (None, "uio_pci_generic", "/dev/uio0"))):
        machine = one_function(group=group, root=f"machine-{number}")
        setup(machine, "config", "--no-huge")
        machine.hold(file, name="evil\x1b[2J")
        other = "uio_pci_generic" if driver == "vfio-pci" else "vfio-pci"
        answer = setup(machine, "config", "--no-huge", "--force", "--driver=" + other, status=1)
        expect("process 4711 (evil?[2J) has it" in answer.stderr, answer.stderr)
        expect("\x1b" not in setup(machine, "status").stdout, "what a terminal obeys")
        answer = setup(machine, "reset", status=1)
        one_error_line(answer.stderr, ONE, "process 4711", "reset' again")
        expect(machine.driver(ONE) == driver, machine.driver(ONE))
        os.unlink(machine.path("proc/4711/fd/5"))
        setup(machine, "reset")
        expect(machine.driver(ONE) == "ioatdma", machine.driver(ONE))


def test_group_with_disk():
    """setup: a channel that shares its group with a disk is left, and the disk is named"""
    machine = one_function()
    machine.add_driver("ahci")
    machine.add_function(DISK, device=0x2922, driver="ahci", group=7)
    machine.add_function("0000:00:1c.0", device=0x244e, driver=None, group=7)
    before = machine.snapshot()
    answer = setup(machine, "config", "--no-huge", status=1)
    one_error_line(answer.stderr, ONE, "group 7", f"{DISK} (ahci)", "left alone")
    expect("1c.0" not in answer.stderr, "what has no driver is not in the way")
    expect(machine.snapshot() == before, "nothing has changed")
    status = json.loads(setup(machine, "status", "--json").stdout)
    expect(status["channels"][0]["also_in_group"] == f"0000:00:1c.0 (no driver), {DISK} (ahci)",
           status)


def test_eight_in_one_group():
    """setup: eight channels in one group, there and back"""
    machine = Machine()
    for function in EIGHT:
        machine.add_function(function, device=0x3c20, group=3)
    there_and_back(machine, "vfio-pci", functions=EIGHT)


def test_one_of_eight_in_use():
    """setup: one channel in use keeps VFIO from its group"""
    machine = Machine()
    for function in EIGHT:
        machine.add_function(function, group=3)
    machine.use(EIGHT[5])
    before = machine.snapshot()
    errors = setup(machine, "config", "--no-huge", status=1).stderr.splitlines()
    expect(len(errors) == 8, errors)
    expect(len([line for line in errors if f"and {EIGHT[5]} (ioatdma) has" in line]) == 7, errors)
    expect(machine.snapshot() == before, "nothing has changed")


def test_allowed_and_blocked():
    """setup: --allow and --block choose channels"""
    for number, (option, changed) in enumerate((
            (f"--allow={TWO}", (TWO,)), (f"--block={TWO}", (ONE,)),
            (f"--block={ONE} 0000:11:00.0", (TWO,)), (f"--allow={ONE},80:04.0", (ONE, TWO)),
            ("--allow=none", ()))):
        machine = one_function(root=f"machine-{number}")
        machine.add_function(TWO, group=8)
        setup(machine, "config", option)
        drivers = {name for name in (ONE, TWO) if machine.driver(name) == "vfio-pci"}
        expect(drivers == set(changed), (option, drivers))
        expect(machine.pages(0) == "1024", machine.pages(0))
    answer = setup(machine, "config", "--allow=0000:99:00.0", status=2)
    one_error_line(answer.stderr, "none of the machine's 2 channels")


def test_nothing_there():
    """setup: without a channel nothing is changed, and it says so"""
    machine = Machine()
    machine.add_driver("nvme")
    machine.add_function("0000:01:00.0", device=0x0953, driver="nvme", group=1)
    machine.add_function("0000:02:00.0", vendor=0x15b3, driver="nvme", group=2)
    before = machine.snapshot()
    one_error_line(setup(machine, "config", status=2).stderr, "no I/OAT channel", "--emulate")
    expect("no I/OAT channel\n" in setup(machine, "status").stdout, "status")
    expect("nothing to reset" in setup(machine, "reset").stdout, "reset")
    expect(machine.snapshot() == before, "nothing has changed")
    os.makedirs("empty/run")
    udma("setup", "config", "--root=empty", status=2)
    answer = udma("setup", "status", "--root=empty")
    expect("no hugepages" in answer.stdout and "not known" in answer.stdout, answer.stdout)


def test_user():
    """setup: --user gets the group's file, and loses it by reset; an unknown one changes nothing"""
    name = "nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    uid = pwd.getpwnam(name).pw_uid
    machine = one_function()
    before = machine.snapshot()
    answer = setup(machine, "config", "--user=no.such.user", status=2)
    one_error_line(answer.stderr, "'no.such.user'", "no such user")
    expect(machine.snapshot() == before, "nothing has changed")
    setup(machine, "config", "--user=" + name)
    expect(os.stat(machine.path("dev/vfio/7")).st_uid == uid, "given")
    answer = setup(machine, "config", "--user=" + name)
    expect("->" not in answer.stdout and f"{name}'s already" in answer.stdout, answer.stdout)
    setup(machine, "reset")
    expect(os.stat(machine.path("dev/vfio/7")).st_uid == os.getuid(), "taken back")


def test_user_without_iommu():
    """setup: without an IOMMU a channel cannot be a user's, and it says so"""
    machine = one_function(group=None)
    name = pwd.getpwuid(os.getuid()).pw_name
    answer = setup(machine, "config", "--no-huge", "--user=" + name, status=1)
    one_error_line(answer.stderr, ONE, "uio_pci_generic", "root only", name)


def test_persistent():
    """setup: --persistent prints what could be installed, and changes nothing"""
    machine = one_function()
    machine.add_function(TWO, group=8)
    before = machine.snapshot()
    name = pwd.getpwuid(os.getuid()).pw_name
    answer = setup(machine, "config", "--persistent", f"--block={TWO}", "--user=" + name)
    expect(answer.stdout.splitlines() == [
        "# /etc/udev/rules.d/60-udma.rules",
        # All that are wanted are marked when the first of the machine comes, wanted or not.
        f'ACTION=="add", SUBSYSTEM=="pci", KERNEL=="{ONE}|{TWO}", \\',
        f'  ATTR{{[pci/{ONE}]driver_override}}="vfio-pci"',
        f'ACTION=="add", SUBSYSTEM=="pci", KERNEL=="{ONE}", '
        """RUN+="/bin/sh -c 'echo %k >/sys/bus/pci/drivers_probe'\"""",
        f'SUBSYSTEM=="vfio", KERNEL=="7", OWNER="{name}"',
        "",
        "# /etc/modules-load.d/udma.conf",
        "vfio-pci",
        "",
        "# /etc/sysctl.d/60-udma.conf",
        "vm.nr_hugepages = 1024",
        "",
        "# /etc/security/limits.d/udma.conf",
        f"{name} - memlock unlimited"], answer.stdout)
    answer = setup(machine, "config", "--persistent", "--huge-pages=5", "--huge-nodes=0")
    expect("w /sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages - - - - 5\n"
           in answer.stdout, answer.stdout)
    expect(machine.snapshot() == before, "nothing has changed")


def test_json():
    """setup: status --json has everything that the tables have"""
    machine = one_function(group=None, pages=5)
    setup(machine, "config", "--no-huge")
    answer = setup(machine, "status", "--json")
    expect(json.loads(answer.stdout) == {
        "channels": [{"address": ONE, "id": "8086:2021", "generation": "Skylake-SP",
                      "driver": "uio_pci_generic", "driver_override": "uio_pci_generic",
                      "numa_node": 0, "iommu_group": None, "used_by": None,
                      "also_in_group": None}],
        "iommu_groups": 0, "vfio_without_iommu": False,
        "hugepages": [{"numa_node": 0, "bytes": 2097152, "count": 5, "free": 5}],
        "locked_memory": 8388608, "to_restore": 1}, answer.stdout)


def test_hostile_files():
    """setup: sysfs text that is no number, too long or not there is survived"""
    machine = one_function()
    for name, text in ((f"{PCI}/devices/{ONE}/driver_override", "x" * 5000),
                       (f"{PCI}/devices/{ONE}/numa_node", "north\n"),
                       (f"{PCI}/devices/{ONE}/dma/dma0chan0/in_use", "-3\n"),
                       ("proc/self/limits", "Max locked memory"), ("proc/meminfo", "\0"),
                       ("sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages",
                        "99999999999999999999999\n"),
                       ("sys/kernel/debug/dmaengine/summary", " dma0chan0 \n|\n")):
        machine.write(name, text)
    os.makedirs(machine.path("sys/devices/system/node/node0/hugepages/hugepages-kB"))
    os.makedirs(machine.path(f"{PCI}/devices/nonsense"))
    for index in range(300):
        machine.link(f"sys/kernel/iommu_groups/7/devices/0000:07:00.{index}", "/nowhere")
    expect(ONE in setup(machine, "status").stdout, "table")
    json.loads(setup(machine, "status", "--json").stdout)
    setup(machine, "config", "--dry-run")


def test_cleanup():
    """setup: cleanup removes claims that nobody holds, and a journal of another boot"""
    machine = one_function()
    held, left = "var/tmp/spdk_pci_lock_" + ONE, "var/tmp/spdk_pci_lock_" + TWO
    machine.write(held, "")
    machine.write(left, "")
    machine.write("var/tmp/other", "")
    machine.link("var/tmp/spdk_pci_lock_link", "other")
    machine.write(JOURNAL, "udma setup 1 boot other\n")
    with open(machine.path(held), "r+", encoding="ascii") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        setup(machine, "cleanup", "--dry-run")
        expect(os.path.exists(machine.path(left)), "a dry run removes nothing")
        setup(machine, "cleanup")
    expect(sorted(os.listdir(machine.path("var/tmp"))) ==
           ["other", "spdk_pci_lock_" + ONE, "spdk_pci_lock_link"], "what is left")
    expect(not os.path.exists(machine.path(JOURNAL)), "the journal")
    machine.write(JOURNAL, f"udma setup 1 boot {BOOT}\n")
    setup(machine, "cleanup")
    expect("nothing to clean up" in setup(machine, "cleanup").stdout, "the second time")


def test_not_root():
    """setup: an ordinary user is told to use sudo, and may look"""
    with without_privileges() as options:
        answer = udma("setup", "config", status=1, **options)
        one_error_line(answer.stderr, "takes root", "sudo udma setup config", "--dry-run")
        for args in (("reset",), ("cleanup",)):
            one_error_line(udma("setup", *args, status=1, **options).stderr, "takes root")
        udma("setup", "status", **options)


def test_bad_usage():
    """setup: wrong verbs, options and values are named, and nothing is changed"""
    machine = one_function()
    before = machine.snapshot()
    for args, parts in (
            ((), ("verb", "config", "status")), (("bind",), ("'bind'",)),
            (("config", "reset"), ("'reset'",)), (("config", "--jsom"), ("'--jsom'", "--help")),
            (("config", "--json"), ("--json", "status")),
            (("reset", "--persistent"), ("--persistent", "config")),
            (("config", "--allow=nonsense"), ("--allow", "'nonsense'", ONE)),
            (("config", f"--block={ONE},:"), ("--block", "':'")),
            (("config", "--driver=../evil"), ("'../evil'", "vfio-pci")),
            (("config", "--driver="), ("--driver",)),
            (("config", "--driver=nosuch"), ("--driver", "'nosuch'", "vfio-pci", "none")),
            (("config", "--huge-mem=much"), ("--huge-mem", "'much'")),
            (("config", "--huge-mem=4096T"), ("--huge-mem", "'4096T'")),
            (("config", "--no-huge", "--huge-mem=2G"), ("--no-huge", "--huge-mem")),
            (("config", "--huge-pages=0", "--no-huge"), ("--no-huge", "--huge-pages")),
            (("config", "--huge-pages=1", "--huge-mem=2M"), ("--huge-pages", "--huge-mem")),
            (("config", "--huge-pages=-1"), ("--huge-pages", "'-1'")),
            *((("config", "--huge-nodes=" + nodes), ("--huge-nodes", f"'{nodes}'"))
              for nodes in ("", "x", "-1", "0x1", "nodes_hp[0]", "nodes_hp[0]=", "nodes_hp[0]=-5",
                            "99999999999"))):
        one_error_line(setup(machine, *args, status=2).stderr, *parts)
    one_error_line(udma("setup", "status", "--root=nowhere", status=2).stderr, "'nowhere'")
    one_error_line(udma("setup", "status", "--root=" + "x/" * 3000, status=2).stderr, "--root")
    expect(machine.snapshot() == before, "nothing has changed")


def test_bad_usage_first():
    """setup: options that cannot be are refused before the machine is looked at, also without channels"""
    machine = Machine()
    before = machine.snapshot()
    for args, parts in ((("--allow=none,x",), ("--allow", "'none'")),
                        (("--allow=x",), ("--allow", "'x'")),
                        (("--allow=none", "--block=x"), ("--block", "'x'")),
                        (("--allow=none", "--driver=nosuch"), ("'nosuch'",)),
                        (("--allow=none", "--no-huge", "--huge-pages=1"), ("--no-huge",))):
        one_error_line(setup(machine, "config", *args, status=2).stderr, *parts)
        one_error_line(setup(machine, "config", "--dry-run", *args, status=2).stderr, *parts)
    with without_privileges() as options:
        answer = udma("setup", "config", "--driver=nosuch", status=2, **options)
        one_error_line(answer.stderr, "'nosuch'")
    expect(machine.snapshot() == before, "nothing has changed")


def test_driver_names():
    """setup: --driver may be any that is loaded, or that could be for UIO"""
    machine = one_function()
    machine.add_driver("other")
    for driver in ("vfio-pci", "uio_pci_generic", "igb_uio", "other", "none"):
        answer = setup(machine, "config", "--dry-run", "--no-huge", "--force", "--driver=" + driver)
        expect("dry run" in answer.stdout, answer)


def test_terabytes():
    """setup: --huge-mem in T"""
    answer = setup(one_function(), "config", "--dry-run", "--huge-mem=100T")
    expect(str(100 << 19) in answer.stdout, answer.stdout)


def test_tree_without_run():
    """setup: a tree need not have a folder for the journal"""
    machine = one_function()
    os.rmdir(machine.path("run"))
    setup(machine, "config", "--no-huge")
    expect(os.path.exists(machine.path(JOURNAL)), "journal")
    setup(machine, "reset")
    expect(machine.driver(ONE) == "ioatdma", machine.driver(ONE))


def test_help():
    """setup: --help has the verbs, the options and an example, in 90 columns"""
    text = udma("setup", "--help").stdout
    for part in ("config", "reset", "status", "cleanup", "--dry-run", "--root", "Example:\n",
                 "Exit status"):
        expect(part in text, part)
    expect(udma("help", "setup").stdout == text, "udma help setup")
    expect(all(len(line) <= 90 for line in text.splitlines()), text)


if __name__ == "__main__":
    run(sys.modules[__name__])
