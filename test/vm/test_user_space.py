# SPDX-License-Identifier: BSD-3-Clause
"""The library drives the function from user space, over the guest's own VFIO, UIO and IOMMU."""

import os
import re

from rig import (FULL, KERNELS, Server, case, expect, machine, needs_server, no_complaints, run,
                 says, scenario, waits)

# A message to the server for each mapping, and a processor that is emulated: few and small.
VERIFY = f"udma verify --{'seconds=60' if FULL else 'count=300'} --depth=64 --max-size=256K --quiet"
# How often a process is killed. 100 where somebody waits for it.
KILLS = int(os.environ.get("UDMA_VM_KILLS", "3"))


def copies(guest):
    """A file is copied, and the same."""
    guest.sh("head -c 3000000 /dev/urandom >/tmp/from && udma copy --quiet /tmp/from /tmp/to")
    guest.sh("cmp /tmp/from /tmp/to && rm /tmp/from /tmp/to")


def interrupted(guest, server, way):
    """Copies are waited for, and interrupts come by the way expected; none was missed."""
    # A wait polls before it sleeps: each copy takes long enough for that to be over.
    text, counts = waits(guest, server, "delay:us=50000:every=1")
    expect("no interrupts" not in text and "are lost" not in text, text)
    # One for each copy, but for those that a busy machine lets it find by polling.
    expect(counts[way] >= 15, text)


def killed(guest, guarded):
    """A process is killed with copies behind it and before it; the channel serves the next one."""
    text = guest.sh(f"kills {guarded}")
    done = re.search(r"^killed after (\d+) copies$", text, re.M)
    expect(done is not None and int(done[1]) > 8, text)


def interrupts(kernel):
    """The ways to interrupt of which VFIO takes others only where there are no better ones."""
    for kind in ("msi", "intx"):
        title = f"{kernel}, vfio-pci, {kind}"
        with Server(interrupts=kind, control=True) as server, \
                machine(kernel, server.sockets, iommu=48) as guest:
            guest.sh("bind vfio-pci")
            with case(f"{title}: copies are waited for"):
                interrupted(guest, server, f"vfio-{kind}")
            with case(f"{title}: no complaint in the kernel's log, and it powers off"):
                no_complaints(guest)
                guest.power_off()


def vfio(kernel, bits):
    """VFIO by group and type-1 container."""
    title = f"{kernel}, vfio-pci, {bits} bits"
    with Server(2, control=True) as server, machine(kernel, server.sockets, iommu=bits) as guest:
        guest.sh("bind vfio-pci")
        with case(f"{title}: udma list shows both functions, and that they can be had"):
            lines = [line.split() for line in guest.sh("udma list | cat").splitlines()[1:]]
            expect([line[3:7] for line in lines] == [["real", "vfio-pci", "-", "yes"]] * 2, lines)
        with case(f"{title}: copies and fills without a hugepage"):
            guest.sh(VERIFY)
            copies(guest)
        with case(f"{title}: a user without privileges is told what may be locked, and with that it works"):
            says(guest, f'user "ulimit -l 64; {VERIFY}"',
                 "bytes of locked memory are needed", "the limit (RLIMIT_MEMLOCK) is 65536 bytes",
                 "/etc/security/limits.conf", "LimitMEMLOCK=")
            guest.sh("ulimit -l 1000000")
            guest.sh(f'user "{VERIFY}"')
        with case(f"{title}: a group that the user does not own"):
            guest.sh("user true; chown 0 /dev/vfio/[0-9]*")
            says(guest, f'su user -c "{VERIFY}"', "/dev/vfio/", "make it the owner")
        with case(f"{title}: copies and fills in hugepages"):
            guest.sh("echo 64 >/proc/sys/vm/nr_hugepages")
            guest.sh(VERIFY)
            guest.sh("echo 0 >/proc/sys/vm/nr_hugepages")
        with case(f"{title}: more mappings than VFIO allows: the limit is named, with the way out"):
            limit = "/sys/module/vfio_iommu_type1/parameters/dma_entry_limit"
            usual = guest.sh("cat " + limit)
            says(guest, f"echo 4 >{limit}; {VERIFY}", "all 4 mappings that VFIO allows are in use",
                 "dma_entry_limit=N")
            guest.sh(f"echo {usual} >{limit}; udma verify --count=20 --quiet")
        with case(f"{title}: the IOMMU stops a copy to what is not mapped, and the channel goes on"):
            text = guest.sh("unmapped")
            expect("the page is as it was" in text and "the channel copies" in text, text)
        with case(f"{title}: copies are waited for, and MSI-X interrupts"):
            interrupted(guest, server, "vfio-msix")
        with case(f"{title}: a function that the kernel wants back is given back by who waits for it"):
            function = guest.sh("functions_of_ours").split()[0]
            guest.sh("wait_in_guest gone >/tmp/gone 2>&1 & wait_claimed; sleep 1")
            guest.sh(f"echo {function} >/sys/bus/pci/drivers/vfio-pci/unbind && wait $!")
            text = guest.sh("cat /tmp/gone")
            expect("the function is wanted back" in text, text)
            guest.sh("rm -f /var/tmp/spdk_pci_lock_*; bind vfio-pci " + function)
        with case(f"{title}: two processes, a channel each; what another has is refused, with its name"):
            guest.sh("udma verify --channels=1 --seconds=1000 --quiet & wait_claimed")
            says(guest, "udma verify --channels=2 --count=20 --quiet", "has claimed it", "(udma)", status=2)
            guest.sh("udma verify --channels=1 --count=20 --quiet")
            guest.sh("kill $!; wait $!", status=143)
        with case(f"{title}: killed {KILLS} times in the middle of copies; attached again"):
            for _ in range(KILLS):
                killed(guest, "64")
        with case(f"{title}: no complaint in the kernel's log, and it powers off"):
            no_complaints(guest)
            guest.power_off()


def one_group(kernel):
    """Two functions that the IOMMU cannot tell apart."""
    title = f"{kernel}, vfio-pci, two functions of a group"
    with Server(2, generation="hsw") as server, \
            machine(kernel, server.sockets, iommu=48, bridge=True) as guest:
        first, second = guest.sh("functions_of_ours").split()
        guest.sh("modprobe ioatdma && bind vfio-pci " + first)
        with case(f"{title}: not viable while the kernel has one of them, and it is named"):
            says(guest, "udma verify --count=20 --quiet", "is not viable", f"{second} (ioatdma)")
        guest.sh("bind vfio-pci " + second)
        with case(f"{title}: one process has both, in one container"):
            guest.sh(VERIFY + " --channels=2")
        with case(f"{title}: a register that cannot be reached there is named, and survived"):
            says(guest, "udma verify --count=20 --channels=1 --quiet",
                 "configuration register 180h (CHANERR_INT) cannot be accessed", status=0)
        with case(f"{title}: to another process the whole group is refused"):
            guest.sh("udma verify --channels=1 --seconds=1000 --quiet & wait_claimed")
            says(guest, "udma verify --count=20 --quiet", "is held by process", "(udma)",
                 "the kernel gives a group to one process at a time")
            guest.sh("kill $!; wait $!", status=143)
            guest.sh("udma verify --count=20 --quiet")
        guest.power_off()


def uio(kernel):
    """UIO, and physical addresses."""
    title = f"{kernel}, uio_pci_generic"
    with Server(2, control=True) as server, machine(kernel, server.sockets) as guest:
        guest.sh("bind uio_pci_generic")
        with case(f"{title}: without hugepages there is no memory, and the way out is said"):
            says(guest, VERIFY, "devices see physical addresses, which takes hugepages",
                 "/hugepages-2048kB/nr_hugepages")
        guest.sh("echo 128 >/proc/sys/vm/nr_hugepages")
        with case(f"{title}: copies and fills in hugepages"):
            guest.sh(VERIFY)
            copies(guest)
        with case(f"{title}: copies are waited for, and INTx interrupts"):
            interrupted(guest, server, "uio_pci_generic")
        with case(f"{title}: not for a user without privileges"):
            says(guest, f'user "{VERIFY}"', "UIO is for root only")
        with case(f"{title}: what another process has is refused, with its name"):
            guest.sh("udma verify --channels=1 --seconds=1000 --quiet & wait_claimed")
            says(guest, "udma verify --channels=2 --count=20 --quiet", "has claimed it", "(udma)", status=2)
            guest.sh("udma verify --channels=1 --count=20 --quiet")
            guest.sh("kill $!; wait $!", status=143)
        with case(f"{title}: killed {KILLS} times in the middle of copies; attached again"):
            for _ in range(KILLS):
                killed(guest, "128 huge")
        with case(f"{title}: no complaint in the kernel's log, and it powers off"):
            no_complaints(guest)
            guest.power_off()


def uio_behind_iommu(kernel):
    """UIO where an IOMMU translates, which nobody would program."""
    title = f"{kernel}, uio_pci_generic behind an IOMMU"
    with Server() as server, machine(kernel, server.sockets, iommu=48) as guest:
        guest.sh("bind uio_pci_generic")
        with case(f"{title}: refused, with the ways out"):
            says(guest, VERIFY, "an IOMMU translates what it sends", "bind it to vfio-pci", "iommu=pt")
        guest.power_off()


def dax(kernel, driver, bits):
    """A DAX device on persistent memory, mapped and registered."""
    title = f"{kernel}, {driver}, DAX"
    with Server() as server, machine(kernel, server.sockets, iommu=bits, pmem="128M") as guest:
        guest.sh("make_dax && bind " + driver)
        guest.sh("echo 64 >/proc/sys/vm/nr_hugepages")
        with case(f"{title}: copies from a DAX device, and to it"):
            text = guest.sh(f"dax /dev/dax0.0 {60 if FULL else 1}")
            expect("copied from the DAX device, and to it" in text, text)
        with case(f"{title}: no complaint in the kernel's log, and it powers off"):
            no_complaints(guest)
            guest.power_off()


def main():
    """the library drives the function from user space"""
    for kernel in KERNELS:
        scenario(vfio, kernel, 48)
        scenario(uio, kernel)
    scenario(vfio, KERNELS[-1], 39)
    scenario(one_group, KERNELS[-1])
    scenario(interrupts, KERNELS[-1])
    scenario(dax, KERNELS[-1], "vfio-pci", 48)
    scenario(dax, KERNELS[-1], "uio_pci_generic", None)
    scenario(uio_behind_iommu, KERNELS[-1])


if __name__ == "__main__":
    run(main, needs_server)
