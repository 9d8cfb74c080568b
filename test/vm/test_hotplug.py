# SPDX-License-Identifier: BSD-3-Clause
"""The function is taken out of a running machine under a program that uses it, and put back."""

import re

from rig import KERNELS, Server, case, expect, machine, needs_server, no_complaints, run, scenario

# Copies that survive has under way at a time.
ROW = 64


def unplug(guest):
    """The function is taken out, while the program in the background has it."""
    guest.unplug(0)
    there = guest.sh("functions_of_ours; ls /dev/vfio")
    expect(there == "vfio", f"the function, or its group, is still there:\n{there}")


def plug(guest):
    """The function is put back, found by the kernel, and copies."""
    guest.plug(0)
    # The kernel shows a function before drivers may have it.
    guest.sh("until functions_of_ours | grep -q .; do sleep 0.1; done; bind vfio-pci; "
             "until udma list | grep -q yes; do sleep 0.1; done")
    guest.sh("udma verify --count=20 --quiet")


def waiting(guest):
    """A program that sleeps is woken, and gives the function back."""
    guest.sh("rm -f /var/tmp/spdk_pci_lock_*; wait_in_guest gone >/tmp/gone 2>&1 & wait_claimed")
    unplug(guest)
    guest.sh("wait $!", status=None)
    text = guest.sh("cat /tmp/gone")
    expect("the function is wanted back" in text, text)


def copying(guest, command, end, status):
    """A program that polls for copies gives the function back; each copy has ended once."""
    guest.sh(f"{command} >/tmp/gone 2>/tmp/log & "
             "until grep -q copying /tmp/gone; do sleep 0.1; done")
    unplug(guest)
    guest.sh("wait $!", status=status)
    text = guest.sh("cat /tmp/gone")
    counts = [int(count) for count in re.findall(r"(\d+): (?:done|the device is gone)\n", text)]
    expect(re.fullmatch(r"copying\n(\d+: [a-z ]+\n){1,2}0: recoveries\n" + end, text)
           and sum(counts) % ROW == 0, f"{text}\n{guest.sh('cat /tmp/log')}")
    return text


def stalling(guest, server):
    """It looks at the device when a copy takes its time, and learns that it is gone. The copy may
    be done all the same, as the engine is stopped; and be the last of its row."""
    server.tell("delay:us=20000:every=1")
    text = copying(guest, "survive 1000000 0", "the channel does not come back", 3)
    server.tell("withdraw")
    log = guest.sh("cat /tmp/log")
    expect("the device is gone" in log, f"{text}\n{log}")


def hotplug(kernel):
    """By MSI: QEMU (11.1 at least) aborts when a vfio-user device with MSI-X is taken out, for it
    removes the table of pending interrupts from a region that has none any more."""
    title = f"{kernel}, vfio-pci"
    with Server(interrupts="msi", control=True) as server, \
            machine(kernel, server.sockets, iommu=48, hotplug=True) as guest:
        guest.sh("bind vfio-pci")
        with case(f"{title}: unplugged under a program that waits, which gives the function back"):
            waiting(guest)
        with case(f"{title}: plugged in again, by the same server, it is found and copies"):
            plug(guest)
        with case(f"{title}: unplugged under a program that polls for slow copies; each ends once"):
            stalling(guest, server)
        with case(f"{title}: plugged in again, by the same server, it is found and copies"):
            plug(guest)
        with case(f"{title}: unplugged under a program that copies without a pause, and asks"):
            # Where a copy takes long all the same, it learns it by that.
            copying(guest, "survive 1000000 0 ask", "the function is wanted back", None)
        with case(f"{title}: no complaint in the kernel's log, and it powers off"):
            no_complaints(guest)
            guest.power_off()


def main():
    """the function is unplugged and plugged in"""
    scenario(hotplug, KERNELS[-1])


if __name__ == "__main__":
    run(main, needs_server)
