# SPDX-License-Identifier: BSD-3-Clause
"""The rig itself: kernels that start, without a device, and end when they are told to."""

import os
import subprocess
import sys
import tempfile
import time

from initramfs import HERE
from rig import KERNELS, case, expect, run, scenario
from vm import Vm


def boot(kernel, iommu):
    """A machine without a device, with and without a virtual IOMMU."""
    title = f"{kernel}{f', virtual IOMMU of {iommu} bits' if iommu else ''}"
    with Vm(kernel, iommu=iommu) as guest:
        with case(f"{title}: starts ({guest.seconds:.1f} s)"):
            release = guest.sh("uname -r")
            expect(release.startswith(kernel.removeprefix("linux-")), release)
        with case(f"{title}: {'translates' if iommu else 'has no IOMMU'}"):
            groups = guest.sh("ls /sys/class/iommu")
            expect(groups == ("dmar0" if iommu else ""), groups)
        with case(f"{title}: ioatdma and dmatest load where there is nothing to drive"):
            guest.sh("modprobe ioatdma && modprobe dmatest")
            expect(guest.sh("channels") == "", "no channel")
            guest.sh("modprobe -r dmatest && modprobe -r ioatdma")
        with case(f"{title}: the drivers for user space load"):
            guest.sh("modprobe vfio-pci && modprobe vfio_iommu_type1 && modprobe uio_pci_generic")
        with case(f"{title}: no complaint in the kernel's log, and it powers off"):
            expect(guest.sh("complaints", status=1) == "", guest.sh("complaints", status=None))
            guest.power_off()


def command_that_fails():
    """What goes wrong in a guest is told as it is."""
    with Vm("linux-6.12") as guest:
        with case("the status of a command, and what it printed, come out of the guest"):
            expect(guest.sh("echo one; echo two >&2; (exit 7)", status=7) == "one\ntwo", "text")
        with case("a command that hangs is given up, and the reason named"):
            try:
                guest.sh("sleep 1000", patience=2)
            except AssertionError as error:
                expect("'sleep 1000': took more than 2 s" in str(error), error)
            else:
                raise AssertionError("it came back")


def crash():
    """A kernel that panics."""
    with Vm("linux-6.12") as guest:
        with case("a kernel that panics ends the machine, and the error shows its last words"):
            try:
                guest.sh("echo c >/proc/sysrq-trigger")
            except AssertionError as error:
                expect("QEMU has ended" in str(error) and "sysrq triggered crash" in str(error),
                       error)
                guest.wait_end()
            else:
                raise AssertionError("it came back")


def killed():
    """A test that is killed cannot clean up."""
    with case("QEMU ends with its test, even if that is killed"):
        program = ("import sys, time; sys.path[:0] = [sys.argv[1]]; from vm import Vm\n"
                   "print(Vm('linux-6.12').process.pid, flush=True); time.sleep(1000)")
        with tempfile.TemporaryDirectory() as folder:
            with subprocess.Popen([sys.executable, "-B", "-c", program, HERE],
                                  stdout=subprocess.PIPE, text=True,
                                  env={**os.environ, "TMPDIR": folder}) as test:
                qemu = f"/proc/{int(test.stdout.readline())}"
                test.kill()
            while os.path.exists(qemu):
                time.sleep(0.1)


def main():
    """kernels start in QEMU"""
    for kernel in KERNELS:
        for iommu in (None, 48):
            scenario(boot, kernel, iommu)
    scenario(command_that_fails)
    scenario(crash)
    scenario(killed)


if __name__ == "__main__":
    run(main)
