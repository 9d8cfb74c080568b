# SPDX-License-Identifier: BSD-3-Clause
"""Drivers, guests and QEMU come and go, in the middle of transfers, and the server stays."""

from rig import (KERNELS, Server, case, expect, load_stop, needs_server, no_complaints,
                 passes_dmatest, run, scenario)
from vm import Vm

ROUNDS = 20
# Transfers without end, that is until their channel goes away.
LOAD = 'dmatest_start "$(channels)" iterations=0 threads_per_chan=2 && sleep 0.3'


def unbound(kernel):
    """The driver of one function goes and comes again, and the other function is busy all the time.

    A function that is busy itself cannot be unbound: ioatdma's timer may run once more then, when
    the registers are not mapped any more, and the kernel panics, with any device.
    """
    with Server(2) as server, Vm(kernel, sockets=server.sockets) as guest:
        guest.sh("reload")
        functions = guest.sh("functions").split()
        for one, other in (functions, reversed(functions)):
            with case(f"{kernel}: {one} is unbound and bound again, {ROUNDS // 2} times, beside "
                      "transfers"):
                guest.sh(f"load_start $(channel {other})")
                for _ in range(ROUNDS // 2):
                    guest.sh(f"rebind {one}")
                    expect(guest.sh("functions").split() == functions, guest.sh("since"))
            with case(f"{kernel}: {other} was not disturbed, and both work"):
                load_stop(guest)
                passes_dmatest(guest, 200, threads_per_chan=2)
        with case(f"{kernel}: the kernel's log is clean, and the guest powers off"):
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
        with case(f"{kernel}: QEMU is killed under load, twice, and the next one finds channels "
                  "that work"):
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
