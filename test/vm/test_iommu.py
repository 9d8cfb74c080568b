# SPDX-License-Identifier: BSD-3-Clause
"""A virtual IOMMU in front of the function: it sees nothing but what the guest maps for it."""

import re

from faults import HANDLED, SPOILT, fails, fault_module
from rig import (KERNELS, Server, case, expect, needs_server, no_complaints, passes_dmatest, run,
                 scenario)
from vm import Vm

# Each mapping is a message to the server: fewer copies than without.
ITERATIONS = 1000


def translated(kernel, bits):
    """ioatdma behind a virtual IOMMU."""
    title = f"{kernel}, {bits} bits"
    with fault_module(kernel) as files, Server(2) as server, \
            Vm(kernel, sockets=server.sockets, iommu=bits, files=files) as guest:
        guest.sh("reload")
        with case(f"{title}: ioatdma takes both functions, each in a group; the self-test passes"):
            found = guest.sh("for each in $(functions); do"
                             " ls -d /sys/bus/pci/drivers/ioatdma/$each/iommu_group; done")
            expect(len(found.splitlines()) == 2, found)
            no_complaints(guest)
        for polled in "NY":
            with case(f"{title}: {ITERATIONS} copies on each{', polled' * (polled == 'Y')}"):
                passes_dmatest(guest, ITERATIONS // 2, threads_per_chan=2, polled=polled)
        for fault, results in HANDLED.items():
            for where in ("physical", "stale", "nowhere"):
                with case(f"{title}: {fault} outside what is mapped ({where}): an error, and "
                          "nothing is touched"):
                    said, log = fails(guest, fault, f"where={where}")
                    expect(re.fullmatch(results, said["results"]), [said, log])
                    expect(said["written"] == SPOILT, [said, log])
                    expect(said["victim"] == "untouched", [said, log])
                    expect(said["recovered"] == "1", [said, log])
        with case(f"{title}: the channels work, the log is clean, and the guest powers off"):
            passes_dmatest(guest, 100, threads_per_chan=2)
            no_complaints(guest)
            guest.power_off()


def main():
    """ioatdma works behind a virtual IOMMU"""
    for kernel in KERNELS:
        scenario(translated, kernel, 48)
    scenario(translated, KERNELS[-1], 39)


if __name__ == "__main__":
    run(main, needs_server)
