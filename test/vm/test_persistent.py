# SPDX-License-Identifier: BSD-3-Clause
"""The files that `udma setup config --persistent` prints, installed, and the machine started."""

import json

import fetch
import udev
from rig import (KERNELS, Server, case, expect, machine, needs_server, no_complaints, programs, run,
                 scenario)

RULES = "as udevadm trigger --action=add --subsystem-match=pci && as udevadm settle"
MODULES = "as modprobe -a $(grep -v '^#' /etc/modules-load.d/udma.conf) && as udevadm settle"
VERIFY = "udma verify --count=100 --depth=64 --max-size=256K --quiet"


def install(guest):
    """Installs what is printed for all functions but the last one. Returns that one."""
    last = guest.sh("functions_of_ours").split()[-1]
    guest.sh("make_user; as depmod -a 2>/dev/null; udma setup config --persistent --user=user "
             f"--huge-pages=16 --block={last} >/tmp/files && install_files </tmp/files")
    return last


def start(guest, *steps, children):
    """What happens at a start: udev runs, and is told of each PCI device; modules are loaded."""
    guest.sh(f"as systemd-udevd --daemon --children-max={children} 2>/dev/null")
    for step in steps:
        guest.sh(step)


def stop(guest):
    """As it was before the start."""
    guest.sh("as udevadm control --exit; "
             'for function in $(functions_of_ours); do bind "" $function; '
             "echo >/sys/bus/pci/devices/$function/driver_override; done; "
             "as modprobe -r ioatdma vfio-pci")


def is_set_up(guest, last):
    """All functions but the last one are vfio-pci's and the user's; the kernel has that one."""
    text = guest.sh("udma setup status --json")
    drivers = {each["address"]: each["driver"] for each in json.loads(text)["channels"]}
    expect(len(drivers) == 3 and drivers.pop(last) == "ioatdma"
           and set(drivers.values()) == {"vfio-pci"},
           text + "\n" + guest.sh("cat /tmp/files; dmesg | tail -n 20"))
    owners = guest.sh("stat -c %U /dev/vfio/[0-9]*").split()
    expect(owners == ["user", "user"], owners)


def persistent(kernel):
    """udev is Debian's, and finds the kernel's driver by itself, as on any machine."""
    title = f"{kernel}, udev"
    with Server(3) as server, \
            machine(kernel, server.sockets, {**programs(), **udev.files(fetch.have()["udev"])},
                    iommu=48) as guest:
        last = install(guest)
        others = "there_is | grep ^/sys | grep -v -e " + " -e ".join(
            guest.sh("functions_of_ours").split())
        before = guest.sh(others)
        with case(f"{title}: devices first, one by one; the kernel's driver comes with the first, "
                  "and takes none of ours"):
            start(guest, RULES, MODULES, children=1)
            is_set_up(guest, last)
        with case(f"{title}: the kernel's driver, loaded anew, takes none of them either"):
            guest.sh("reload")
            is_set_up(guest, last)
        with case(f"{title}: an ordinary user has hugepages and both functions"):
            guest.sh("sysctl -p /etc/sysctl.d/60-udma.conf")
            guest.sh(f'ulimit -l unlimited; su user -c "{VERIFY} --channels=2"')
        with case(f"{title}: modules first, then devices, at once"):
            stop(guest)
            start(guest, MODULES, RULES, children=8)
            is_set_up(guest, last)
        with case(f"{title}: other devices are as they were, and the kernel's log is clean"):
            stop(guest)
            expect(guest.sh(others) == before, before + "\nhas become\n" + guest.sh(others))
            no_complaints(guest)
            guest.power_off()


def main():
    """what is installed sets the channels up at each start"""
    scenario(persistent, KERNELS[-1])


if __name__ == "__main__":
    run(main, needs_server)
