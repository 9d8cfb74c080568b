# SPDX-License-Identifier: BSD-3-Clause
"""The kernel's ioatdma finds, tests and registers emulated functions."""

import contextlib

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


# What a guest has: how many functions of which part.
MACHINES = (
    {"2021": 1},
    {"0c50": 2},
    {"2f20": 2, "6f50": 2, "2021": 2, "0c50": 1, "0b00": 1},
)


def probe(kernel, machine):
    """One boot with functions."""
    functions = sum(machine.values())
    title = f"{kernel}, {functions} function{'s' * (functions > 1)}"
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(Server(number, generation=part))
                   for part, number in machine.items()]
        sockets = [path for server in servers for path in server.sockets]
        guest = stack.enter_context(Vm(kernel, sockets=sockets))
        guest.sh("mark; reload")
        with case(f"{title}: ioatdma takes every function, and its self-test passes"):
            expect(len(guest.sh("functions").split()) == functions, guest.sh("since"))
            no_complaints(guest)
        for part, number in machine.items():
            version, operations = PARTS[part]
            with case(f"{title}: each of {part} registers a channel, of version {version}, with "
                      "its operations"):
                found = guest.sh(f"channels_of {part}").splitlines()
                expect(len(found) == number, found)
                for line in found:
                    _, has, *can = line.split()
                    expect(has == version and set(can) - {"intr"} == operations, found)
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
        for machine in MACHINES:
            scenario(probe, kernel, machine)


if __name__ == "__main__":
    run(main, needs_server)
