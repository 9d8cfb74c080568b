# SPDX-License-Identifier: BSD-3-Clause
"""The kernel's own test of DMA channels, dmatest: random sizes and places, every byte compared."""

from rig import (KERNELS, Server, case, dmatest, expect, needs_server, no_complaints,
                 passes_dmatest, run, scenario)
from vm import Vm

# For each channel, over all its threads.
ITERATIONS = 10000
# The kernel fills and compares the whole buffer each time, and that takes longer than the copy.
BUFFER = 8192
STYLES = ("msix", "msi", "intx")


def copies(kernel):
    """Two functions, by each way to interrupt, and polled."""
    with Server(2, interrupts=",".join(STYLES)) as server, \
            Vm(kernel, sockets=server.sockets) as guest:
        for style in STYLES:
            guest.sh(f"reload ioat_interrupt_style={style}")
            before = sum(map(int, guest.sh(f"interrupts {style}").split()))
            for polled, threads in (("N", 4), ("Y", 2)):
                with case(f"{kernel}, {style}{', polled' * (polled == 'Y')}: {ITERATIONS} copies "
                          f"on each of 2 channels, by {threads} threads"):
                    passes_dmatest(guest, ITERATIONS // threads, threads_per_chan=threads,
                                   test_buf_size=BUFFER, polled=polled)
            with case(f"{kernel}, {style}: the driver was told by interrupts of this kind"):
                after = sum(map(int, guest.sh(f"interrupts {style}").split()))
                expect(after > before, f"{before} before, {after} after")
        with case(f"{kernel}: copies larger than one descriptor can be"):
            passes_dmatest(guest, 10, test_buf_size=4 << 20)
        finish(guest, kernel)


def raid(kernel):
    """XOR and PQ, with as many sources as there can be, and few."""
    with Server(2, generation="0c50") as server, Vm(kernel, sockets=server.sockets) as guest:
        guest.sh("reload")
        for sources, polled, iterations in ((3, "N", ITERATIONS), (7, "N", 1000), (5, "Y", 1000)):
            with case(f"{kernel}, 0c50{', polled' * (polled == 'Y')}: {iterations} copies, XOR and "
                      f"PQ of {sources} sources on each of 2 channels"):
                threads = passes_dmatest(guest, -(-iterations // 6), threads_per_chan=2,
                                         test_buf_size=BUFFER, polled=polled,
                                         xor_sources=sources, pq_sources=sources)
                kinds = {name.partition("-")[2].rstrip("0123456789") for name in threads}
                expect(kinds == {"copy", "xor", "pq"} and len(threads) == 12, threads)
        finish(guest, f"{kernel}, 0c50")


def every_channel(kernel):
    """Eight functions at once."""
    with Server(8) as server, Vm(kernel, sockets=server.sockets) as guest:
        guest.sh("reload")
        with case(f"{kernel}: {ITERATIONS} copies on each of 8 channels at once"):
            threads = passes_dmatest(guest, ITERATIONS // 2, threads_per_chan=2,
                                     test_buf_size=BUFFER)
            expect(len(threads) == 16, threads)
        finish(guest, f"{kernel}, 8 channels")


def spoilt(kernel):
    """The control: an engine that makes mistakes is found out."""
    with Server(1, flip=50) as server, Vm(kernel, sockets=server.sockets) as guest:
        guest.sh("reload")
        with case(f"{kernel}: one byte wrong in every 50th copy, and dmatest says so"):
            threads, messages = dmatest(guest, 500, threads_per_chan=2)
            # Every 50th of 1000; a byte can be flipped where dmatest does not look.
            expect(10 <= sum(threads.values()) <= 20, threads)
            expect(all("data error" in message for message in messages), messages)
        finish(guest, f"{kernel}, control")


def finish(guest, title):
    with case(f"{title}: the kernel's log is clean, and the guest powers off"):
        no_complaints(guest)
        guest.power_off()


def main():
    """dmatest passes on emulated channels"""
    for kernel in KERNELS:
        scenario(copies, kernel)
        scenario(raid, kernel)
    scenario(every_channel, KERNELS[-1])
    scenario(spoilt, KERNELS[-1])


if __name__ == "__main__":
    run(main, needs_server)
