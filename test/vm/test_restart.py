# SPDX-License-Identifier: BSD-3-Clause
"""Drivers, guests and QEMU come and go, in the middle of transfers, and the server stays."""

from rig import KERNELS, Server, case, expect, needs_server, no_complaints, passes_dmatest, run, scenario
from vm import Vm

ROUNDS = 20
# Transfers without end. What becomes of them when their channel goes away is not looked at.
LOAD = 'dmatest_start "$(channels)" iterations=0 threads_per_chan=2 timeout=500 && sleep 0.3'


def unbound(kernel):
    """The driver goes and comes again."""
    with Server(2) as server, Vm(kernel, sockets=server.sockets) as guest:
        guest.sh("reload")
        with case(f"{kernel}: ioatdma is unbound and bound again under load, {ROUNDS} times"):
            for _ in range(ROUNDS):
                guest.sh(f"{LOAD} && rebind && dmatest_stop")
                expect(len(guest.sh("channels").split()) == 2, "both channels are back")
        with case(f"{kernel}: the channels work after that, and the kernel's log is clean"):
            passes_dmatest(guest, 500, threads_per_chan=2)
            no_complaints(guest)
            guest.power_off()


def rebooted(kernel):
    """The guest starts again; QEMU stays."""
    with Server(2) as server, Vm(kernel, sockets=server.sockets, reboots=True) as guest:
        with case(f"{kernel}: the guest reboots under load, twice, and the channels work again"):
            for _ in range(2):
                guest.sh(f"reload && {LOAD}")
                guest.send("reboot -f")
                guest.wait_ready()
            guest.sh("reload")
            passes_dmatest(guest, 500, threads_per_chan=2)
            no_complaints(guest)
            guest.power_off()


def killed(kernel):
    """QEMU goes and comes again."""
    with Server(2) as server:
        with case(f"{kernel}: QEMU is killed under load, twice, and the next one finds channels that work"):
            for _ in range(2):
                with Vm(kernel, sockets=server.sockets) as guest:
                    guest.sh(f"reload && {LOAD}")
                    guest.kill()
            with Vm(kernel, sockets=server.sockets) as guest:
                guest.sh("reload")
                passes_dmatest(guest, 500, threads_per_chan=2)
                no_complaints(guest)
                guest.power_off()


def main():
    """channels outlive their drivers"""
    for kernel in KERNELS:
        scenario(unbound, kernel)
    scenario(rebooted, KERNELS[-1])
    scenario(killed, KERNELS[-1])


if __name__ == "__main__":
    run(main, needs_server)
