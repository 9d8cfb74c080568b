# SPDX-License-Identifier: BSD-3-Clause
"""Faults of the served function, under the library in a guest: over VFIO, behind the IOMMU."""

from rig import (KERNELS, Server, case, expect, machine, needs_server, no_complaints, run, says,
                 scenario)

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
    with Server(control=True) as server, machine(kernel, server.sockets, iommu=48) as guest:
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
        with case(f"{title}: no complaint in the kernel's log"):
            no_complaints(guest)


def main():
    """the library survives the faults of the function"""
    scenario(faults, KERNELS[-1])


if __name__ == "__main__":
    run(main, needs_server)
