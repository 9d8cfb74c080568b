# SPDX-License-Identifier: BSD-3-Clause
"""Faults of the served function, under the library in a guest: over VFIO, behind the IOMMU."""

from rig import (KERNELS, Server, case, expect, machine, needs_server, no_complaints, run, says,
                 scenario, waits)

COPIES = 64
# The driver's own descriptor at attach, a fill that it tries, is the first one that moves data.
AT = 100


def ends(guest, rows, *expected, seconds=100, status=0):
    """Copies, and expects how many have ended in each way, and how it was left."""
    text = guest.sh(f"survive {rows} {seconds} 2>/dev/null", status=status)
    expect(text.splitlines() == ["copying", *expected], f"expected {expected}:\n{text}")


def faults(kernel):
    """One function that fails in every way, and at last is not there any more."""
    title = f"{kernel}, vfio-pci"
    total = 10 * COPIES
    # Announced one by one; what ends with a failed channel begins here, in the second row.
    lost = 2 * COPIES - (AT - 2)
    with Server(control=True, xfercap=14) as server, \
            machine(kernel, server.sockets, iommu=48) as guest:
        guest.sh("bind vfio-pci")
        with case(f"{title}: halt: the request at fault ends with its cause, the others are done"):
            server.tell(f"halt:bit=8:at={AT}")
            ends(guest, 10, f"{total - 1}: done", "1: the source cannot be read", "1: recoveries",
                 "the channel copies")
            server.tell(f"halt:step=write:bit=9:at={AT}")
            ends(guest, 10, f"{total - 1}: done", "1: the destination cannot be written",
                 "1: recoveries", "the channel copies")
        with case(f"{title}: halt: udma verify says which request it was, and why"):
            server.tell(f"error:bit=9:at={AT}")
            says(guest, "udma verify --count=300 --max-size=4K --depth=8 --quiet 2>&1",
                 "CHANERR 0x200: destination could not be written", "the engine failed at it", "to repeat it:")
        with case(f"{title}: hang: after ten seconds all that is outstanding has ended; a reset helps"):
            server.tell(f"hang:step=write:at={AT}")
            ends(guest, 10, f"{total - lost}: done", f"{lost}: the engine makes no progress",
                 "1: recoveries", "the channel copies")
        with case(f"{title}: all ones: gone, until it answers again"):
            server.tell(f"ones:at={AT}:us=3000000")
            ends(guest, 10, f"{total - lost}: done", f"{lost}: the device is gone",
                 "1: recoveries", "the channel copies")
        with case(f"{title}: lost completion words: nobody notices"):
            server.tell(f"lost-word:at={AT}:every=20")
            ends(guest, 10, f"{total}: done", "0: recoveries", "the channel copies")
            server.tell("withdraw")
        with case(f"{title}: removal: gone, and attached again when it is back"):
            # The kernel waits for it where the program lets go of it.
            server.tell(f"removal:at={AT}:us=10000000")
            ends(guest, 10, f"{2 * COPIES - lost}: done", f"{lost}: the device is gone",
                 "0: recoveries", "the channel does not come back", seconds=0, status=3)
            ends(guest, 10, f"{total}: done", "0: recoveries", "the channel copies")
        interrupts(guest, server, title)
        with case(f"{title}: no complaint in the kernel's log"):
            no_complaints(guest)


def interrupts(guest, server, title):
    """Interrupts that do not come, and those that come without a cause."""
    # A wait polls before it sleeps, and a copy takes longer.
    slow = "delay:us=50000:every=1"
    with case(f"{title}: no interrupt arrives: all copies are waited for, and it is said"):
        text, counts = waits(guest, server, slow, "lost-interrupt:every=1", copies=8)
        expect("interrupts are lost" in text and not any(counts.values()), text)
    with case(f"{title}: each third interrupt is lost: all copies are waited for"):
        waits(guest, server, slow, "lost-interrupt:every=3", copies=8)
    with case(f"{title}: interrupts without a cause, in the middle of copies: nobody complains"):
        # A copy is four descriptors, and the last one has a cause. QEMU holds the pin until a
        # register is read, and so the kernel gets some hundred interrupts of which the function
        # says that they are not its.
        text, counts = waits(guest, server, "delay:us=20000:every=1", "spurious-interrupt:every=2",
                             copies=4)
        expect("WARN" not in text and "are lost" not in text, text)
        expect(sum(counts.values()) > 4, text)
        log = guest.sh("dmesg")
        expect("nobody cared" not in log, log)


def intx(kernel):
    """The pin, which the kernel takes for another's if the function says that it was not it."""
    title = f"{kernel}, vfio-pci, intx"
    with Server(interrupts="intx", xfercap=14, control=True) as server, \
            machine(kernel, server.sockets, iommu=48) as guest:
        guest.sh("bind vfio-pci")
        interrupts(guest, server, title)
        with case(f"{title}: no complaint in the kernel's log"):
            no_complaints(guest)


def main():
    """the library survives the faults of the function"""
    scenario(faults, KERNELS[-1])
    scenario(intx, KERNELS[-1])


if __name__ == "__main__":
    run(main, needs_server)
