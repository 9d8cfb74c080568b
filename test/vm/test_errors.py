# SPDX-License-Identifier: BSD-3-Clause
"""Errors of a channel, and what the kernel's driver makes of them (reference, section 12.3)."""

import contextlib
import re

from faults import HANDLED, SPOILT, fails, fault_module
from rig import (KERNELS, Server, case, dmatest, expect, load_stop, needs_server, no_complaints,
                 passes_dmatest, run, scenario)
from vm import Vm

# An error of the program: the driver's timer finds the channel halted, with this in CHANERR, aborts
# what is behind the copy, of which it says nothing, and resets.
TIMED = {"opcode": "400", "size": "800", "next": "4"}
# A command to a busy channel, which halts wherever it is.
COMMANDS = {"abort": "0", "reset": "0", "command": "20"}
# Copies large enough for the command to come before their end.
LARGE = "bytes=1048576"


def errors(kernel):
    """A channel fails in every way, beside one that works."""
    with fault_module(kernel) as files, Server(2) as server, \
            Vm(kernel, sockets=server.sockets, files=files) as guest:
        guest.sh("reload completion_timeout=1000")
        guest.sh("load_start dma1chan0")
        with case(f"{kernel}: a burst without an error"):
            said, _ = fails(guest, "none")
            expect(said["results"] == "0" * 16 and said["written"] == "1" * 16, said)
        for fault, results in HANDLED.items():
            with case(f"{kernel}: {fault} address where nothing is: handled as a failed transfer"):
                said, log = fails(guest, fault)
                expect(re.fullmatch(results, said["results"]), [said, log])
                expect(said["written"] == SPOILT, [said, log])
                expect("halted" not in log and said["recovered"] == "1", [said, log])
        for fault, chanerr in TIMED.items():
            with case(f"{kernel}: bad {fault}: found by the timer, CHANERR {chanerr}"):
                said, log = fails(guest, fault)
                expect(re.fullmatch("0{8}-A{7}", said["results"]), [said, log])
                expect(said["written"] == SPOILT, [said, log])
                expect(f"Channel halted ({chanerr})" in log, [said, log])
                expect(said["recovered"] == "1", [said, log])
        for fault, chanerr in COMMANDS.items():
            with case(f"{kernel}: {fault} in the middle of a burst: found by the timer, "
                      f"CHANERR {chanerr}"):
                said, log = fails(guest, fault, LARGE)
                expect(re.fullmatch("0*-?A*", said["results"]), [said, log])
                expect(f"Channel halted ({chanerr})" in log, [said, log])
                expect(said["recovered"] in "12", [said, log])
        with case(f"{kernel}: the channel beside it has not noticed"):
            load_stop(guest)
        with case(f"{kernel}: both work, the kernel's log is clean, and the guest powers off"):
            passes_dmatest(guest, 500, threads_per_chan=2)
            no_complaints(guest)
            guest.power_off()


def forced(kernel):
    """Four channels, each of which the server makes fail in its own way, every 100th descriptor."""
    bits = {8: "data error", 9: "data error", 0: "test timed out", 10: "test timed out"}
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(Server(1, error=f"{bit}/100")) for bit in bits]
        sockets = [path for server in servers for path in server.sockets]
        guest = stack.enter_context(Vm(kernel, sockets=sockets))
        guest.sh("reload completion_timeout=1000")
        # A copy that the driver says nothing of is waited for in vain.
        threads, messages = dmatest(guest, 250, timeout=5000)
        for (thread, failures), (bit, message) in zip(sorted(threads.items()), bits.items()):
            with case(f"{kernel}: every 100th descriptor ends with bit {bit} of CHANERR, and "
                      "the others go on"):
                expect(2 <= failures <= 3, threads)
                said = [line for line in messages if thread in line]
                expect(said and all(message in line for line in said), messages)
        with case(f"{kernel}: the kernel's log is clean, and the guest powers off"):
            no_complaints(guest)
            guest.power_off()


def main():
    """ioatdma survives the errors of a channel"""
    for kernel in KERNELS:
        scenario(errors, kernel)
        scenario(forced, kernel)


if __name__ == "__main__":
    run(main, needs_server)
