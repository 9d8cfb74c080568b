# SPDX-License-Identifier: BSD-3-Clause
"""A virtual machine with a packaged kernel, and a shell in it that a test can use.

    with Vm("linux-6.1", sockets=["/run/channel"]) as guest:
        print(guest.sh("lspci"))

QEMU emulates the processor as well: slow, but the same everywhere.
"""

import contextlib
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import fetch
import initramfs
from qmp import Monitor

sys.path.append(os.path.join(initramfs.HERE, "../system"))
from tap import expect  # pylint: disable=wrong-import-position

# How long anything may take before it is taken for hung. A busy machine is not a failure.
PATIENCE = 300
# What the kernel is told. Stalls are those of a machine whose processors are threads.
COMMAND_LINE = ("console=ttyS0 quiet panic=-1 mitigations=off nowatchdog log_buf_len=4M "
                "rcupdate.rcu_cpu_stall_suppress=1")

# QEMU says so of a virtual IOMMU's addresses where nothing is mapped: it asks for all of them to be
# unmapped, and the server answers ENOENT as the protocol wants it.
HARMLESS = re.compile("vfio_container_dma_unmap.* = -2|^$")
# Where the kernel begins to tell of a disaster; what follows can be long.
DISASTER = re.compile("BUG|Oops|panic|WARNING:")


NODES = 2


def memory_of(megabytes, numa):
    """Options: memory that servers share; half of it and a processor on each node."""
    nodes = NODES if numa else 1
    options = ["-smp", f"2,sockets={nodes}"]
    for node in range(nodes):
        options += ["-object", f"memory-backend-memfd,id=memory{node},"
                    f"size={megabytes // nodes}M,share=on"]
        if numa:
            options += ["-numa", f"node,nodeid={node},memdev=memory{node}",
                        "-numa", f"cpu,node-id={node},socket-id={node}"]
    return options if numa else options + ["-machine", "memory-backend=memory0"]


def devices(sockets, bridge, numa, hotplug):
    """A device for each server, all behind a bridge, or on nodes by turns, or in ports that they
    can be taken out of. Returns options for what they are on, and the devices."""
    options = ["-device", "pcie-pci-bridge,id=bridge"] if bridge else []
    if hotplug:
        # By the ports themselves, as on real machines, and not by ACPI.
        options += ["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"]
    made = []
    for number, path in enumerate(sockets):
        device = {"driver": "vfio-user-pci", "id": f"device{number}",
                  "socket": {"type": "unix", "path": path}}
        bus = "pcie.0"
        if bridge:
            device["bus"] = "bridge"
        if numa:
            bus = f"bus{number}"
            options += ["-device", f"pxb-pcie,bus=pcie.0,id={bus},bus_nr={64 * (number + 1)},"
                        f"numa_node={number % NODES}"]
        if numa or hotplug:
            device["bus"] = f"port{number}"
            options += ["-device", f"pcie-root-port,id=port{number},bus={bus},chassis={number}"]
        made.append(device)
    return options, made


class Vm:
    """A virtual machine. Leaving the `with` ends it, however that happens."""

    def __init__(self, kernel, sockets=(), memory=1024, iommu=None, reboots=False, append="",
                 files=None, bridge=False, pmem=None, numa=False, hotplug=False):
        """
        kernel   "linux-6.1" or "linux-6.12"
        sockets  paths of vfio-user servers, each a device
        memory   in MiB
        iommu    the width in bits of the addresses of a virtual IOMMU; None: there is none
        reboots  whether a reboot starts again, or ends it
        append   more for the kernel's command line
        files    more files for the guest: {name there: file}
        pmem     the size of a persistent memory module; None: there is none
        bridge   whether the devices are behind a bridge to conventional PCI: one IOMMU group, and
                 no configuration space beyond 256 bytes
        numa     whether there are two NUMA nodes, each with half of the memory and a processor, and
                 the devices are on them by turns
        hotplug  whether unplug() and plug() can take devices out, and put them back
        """
        self.parts = fetch.have()
        self.folder = tempfile.mkdtemp(prefix="udma-vm-")
        self.process = self.monitor = None
        try:
            kernel = self.parts[kernel]
            initramfs.write(os.path.join(self.folder, "initramfs"), self.parts, kernel, files or {})
            self.begun = time.monotonic()
            self._start(kernel, sockets, memory, iommu, reboots, append, bridge, pmem, numa,
                        hotplug)
            self.wait_ready()
        except BaseException:
            self.kill()
            raise

    def _start(self, kernel, sockets, memory, iommu, reboots, append, bridge, pmem, numa, hotplug):
        command = [
            # QEMU ends with this process even if that is killed.
            "setpriv", "--pdeathsig", "KILL", *fetch.qemu(self.parts["qemu"]),
            "-no-user-config", "-nodefaults", "-display", "none",
            "-machine", f"q35{',nvdimm=on' if pmem else ''}",
            "-accel", "tcg,thread=multi", "-cpu", "max",
            "-m", f"size={memory}M{',slots=1,maxmem=8G' if pmem else ''}",
            *memory_of(memory, numa),
            "-serial", "file:console", "-serial", "stdio",
            "-kernel", os.path.join(kernel, "vmlinuz"), "-initrd", "initramfs"]
        if iommu:
            command += ["-device", f"intel-iommu,caching-mode=on,aw-bits={iommu}"]
            append = "intel_iommu=on iommu.strict=1 " + append
        if pmem:
            command += ["-object", f"memory-backend-memfd,id=pmem,size={pmem},share=on",
                        "-device", "nvdimm,memdev=pmem"]
        options, self.devices = devices(sockets, bridge, numa, hotplug)
        command += options
        for device in self.devices:
            command += ["-device", json.dumps(device)]
        if hotplug:
            command += ["-qmp", "unix:monitor,server=on,wait=off"]
        if not reboots:
            command.append("-no-reboot")
        command += ["-append", f"{COMMAND_LINE} {append}"]
        with open(os.path.join(self.folder, "errors"), "wb") as errors:
            self.process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=errors)
        self.lines = queue.Queue()
        threading.Thread(target=self._listen, args=(self.process.stdout,), daemon=True).start()

    def _listen(self, output):
        for line in output:
            self.lines.put(line.decode(errors="replace").rstrip("\r\n"))
        self.lines.put(None)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.kill()

    def wait_ready(self):
        """Waits until the guest has started, or started again, and its shell listens."""
        self._until("UDMA-VM: ready", PATIENCE, "starting the kernel")
        self.seconds = time.monotonic() - self.begun

    def send(self, command):
        """Begins a command, one line of the guest's shell. Its answer is wait()'s."""
        expect("\n" not in command, "a command is one line")
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()

    def wait(self, command, status=0, patience=PATIENCE):
        """Waits for the end of a command. Returns what it printed."""
        printed, last = self._until("UDMA-VM: status ", patience, f"'{command}'")
        ended = int(last.split()[-1])
        text = "\n".join(printed).strip("\n")
        expect(status is None or ended == status,
               f"'{command}' ended with {ended} in the guest:\n{text}")
        return text

    def sh(self, command, status=0, patience=PATIENCE):
        """Runs a command in the guest, to its end. Returns what it printed."""
        try:
            self.send(command)
        except OSError:
            pass  # it has ended, and wait() says how
        return self.wait(command, status, patience)

    def unplug(self, number):
        """Asks the guest for a device, and waits until it has given it back."""
        self._ask("device_del", id=self.devices[number]["id"])
        with self._told():
            self.monitor.wait("DEVICE_DELETED", device=self.devices[number]["id"])

    def plug(self, number):
        """Puts back a device that was taken out."""
        self._ask("device_add", **self.devices[number])

    def _ask(self, command, **arguments):
        with self._told():
            if self.monitor is None:
                self.monitor = Monitor(os.path.join(self.folder, "monitor"), PATIENCE)
            self.monitor.ask(command, **arguments)

    @contextlib.contextmanager
    def _told(self):
        """What the monitor complains of is told with what else was said."""
        try:
            yield
        except AssertionError as error:
            raise AssertionError(f"{error}{self.story()}") from error

    def power_off(self):
        """Ends the guest as a user would, and waits until QEMU has ended too."""
        self.send("exec true")
        self.wait_end()

    def wait_end(self):
        """Waits until QEMU has ended by itself."""
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            status = "nothing: it still runs"
        expect(status == 0, f"QEMU ended with {status}{self.story()}")

    def kill(self):
        """Ends QEMU at once, as kill -9 does, and removes what it leaves."""
        if self.monitor:
            self.monitor.close()
        if self.process:
            self.process.kill()
            self.process.wait()
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def story(self):
        """What the kernel and QEMU have said, from a disaster on or else the end of it."""
        text = ""
        for name, title in (("console", "the kernel's console"), ("errors", "QEMU")):
            with contextlib.suppress(OSError):
                with open(os.path.join(self.folder, name), errors="replace",
                          encoding="utf-8") as file:
                    lines = [line.rstrip() for line in file if not HARMLESS.search(line)]
                begin = next((n for n, line in enumerate(lines) if DISASTER.search(line)),
                             len(lines))
                begin = min(begin, max(len(lines) - 40, 0))
                text += "".join(f"\n{title}: {line}" for line in lines[begin:][:100])
        return text

    def _until(self, beginning, patience, what):
        """Reads lines up to one that begins so. Returns those before it, and that one."""
        printed = []
        end = time.monotonic() + patience
        while True:
            try:
                line = self.lines.get(timeout=max(end - time.monotonic(), 0))
            except queue.Empty:
                line, reason = None, f"took more than {patience} s"
            else:
                reason = "QEMU has ended"
            if line is None:
                self.lines.put(None)  # nothing that is asked from now on will be answered
                raise AssertionError(f"{what}: {reason}, after having printed:\n"
                                     + "\n".join(printed) + self.story())
            if line.startswith(beginning):
                return printed, line
            printed.append(line)
