# SPDX-License-Identifier: BSD-3-Clause
"""The kernel's ioatdma finds, tests and registers emulated functions."""

from rig import (KERNELS, Server, case, expect, needs_server, no_complaints, passes_dmatest, run,
                 scenario)
from vm import Vm

# What the driver makes of each part: its version of the engine, and what it uses it for. It treats
# 2021 as 3.2. XOR and PQ are offered by 0c50 only.
PARTS = {
    "2f20": ("3.2", {"copy"}),
    "6f50": ("3.3", {"copy"}),
    "2021": ("3.2", {"copy"}),
    "0c50": ("3.3", {"copy", "xor", "xor_val", "pq", "pq_val"}),
    "0b00": ("3.4", {"copy"}),
}


def probe(kernel, part, functions):
    """One boot with functions of one part."""
    version, operations = PARTS[part]
    title = f"{kernel}, {functions} of {part}"
    with Server(functions, generation=part) as server, \
            Vm(kernel, sockets=server.sockets) as guest:
        guest.sh("mark; reload")
        with case(f"{title}: ioatdma takes every function, and its self-test passes"):
            expect(len(guest.sh("functions").split()) == functions, guest.sh("since"))
            no_complaints(guest)
        with case(f"{title}: each registers a channel, of version {version}, with its operations"):
            channels = guest.sh("channels").split()
            expect(len(channels) == functions, channels)
            for channel in channels:
                found = guest.sh(f"cd /sys/class/dma/{channel}/quickdata; cat version cap; cd /")
                expect(found.splitlines()[0] == version, found)
                expect(set(found.split()[1:]) - {"intr"} == operations, found)
        with case(f"{title}: each interrupts, by MSI-X"):
            counts = guest.sh("interrupts msix").split()
            expect(len(counts) == functions and "0" not in counts, counts)
        with case(f"{title}: each copies, several at a time"):
            threads = passes_dmatest(guest, 100, threads_per_chan=2)
            expect(sum("-copy" in name for name in threads) == 2 * functions, threads)
        with case(f"{title}: ioatdma lets go, the kernel's log is clean, and the guest powers off"):
            guest.sh("modprobe -r ioatdma")
            expect(guest.sh("channels") == "", "no channel is left")
            no_complaints(guest)
            guest.power_off()


def main():
    """ioatdma drives emulated functions"""
    for kernel in KERNELS:
        for part in PARTS:
            scenario(probe, kernel, part, 1)
        scenario(probe, kernel, "2021", 2)
        scenario(probe, kernel, "2021", 8)


if __name__ == "__main__":
    run(main, needs_server)
