# SPDX-License-Identifier: BSD-3-Clause
"""A tree of files that stands in for the sysfs, procfs and /dev of a machine with I/OAT functions.

Kernel is what answers in it: files that the kernel acts upon are pipes there, and a thread reads them.
"""

import os
import select
import stat
import threading

from tap import udma

PCI = "sys/bus/pci"
MODULES = ("vfio-pci", "vfio_iommu_type1", "uio_pci_generic")
ONE, TWO = "0000:00:04.0", "0000:80:04.0"
JOURNAL = "run/udma/setup.journal"
BOOT = "11111111-2222-3333-4444-555555555555"


class Machine:
    """Files below `root`. Paths are relative to it."""

    def __init__(self, root="machine", modules=MODULES, drivers=("ioatdma",), nodes=(0,),
                 pages=0):
        self.root = os.path.abspath(root)
        self.write("proc/sys/kernel/random/boot_id", BOOT + "\n")
        self.write("proc/meminfo", "MemTotal: 1 kB\nHugepagesize:       2048 kB\n")
        self.write("proc/self/limits",
                   "Limit                     Soft Limit           Hard Limit           Units\n"
                   "Max locked memory         8388608              9000000              bytes\n")
        for folder in ("run", "dev/vfio", "var/tmp", f"{PCI}/devices", f"{PCI}/drivers",
                       "sys/kernel/iommu_groups", "sys/devices/system/node"):
            os.makedirs(self.path(folder))
        self.pipe(f"{PCI}/drivers_probe")
        for driver in drivers:
            self.add_driver(driver)
        for node in nodes:
            self.add_pages(node, pages)
        self.write("sbin/modprobe", "#!/bin/sh\n"
                   f"case ' {' '.join(modules)} ' in *\" $2 \"*) ;; *) exit 1 ;; esac\n"
                   f"[ $2 != vfio_iommu_type1 ] || exec mkdir -p '{self.path('sys/module')}'/$2\n"
                   f"cd '{self.path(PCI)}/drivers' && mkdir \"$2\" && mkfifo \"$2/unbind\"\n")
        os.chmod(self.path("sbin/modprobe"), 0o755)

    def path(self, name):
        return os.path.join(self.root, name)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read().strip()

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def link(self, name, target):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        os.symlink(target, self.path(name))

    def pipe(self, name):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        os.mkfifo(self.path(name))

    def spoil(self, name):
        """Puts a directory where a file was: every write to it fails, also root's."""
        os.unlink(self.path(name))
        os.mkdir(self.path(name))

    def add_driver(self, driver):
        self.pipe(f"{PCI}/drivers/{driver}/unbind")

    def add_pages(self, node, count, kilobytes=2048):
        folder = f"sys/devices/system/node/node{node}/hugepages/hugepages-{kilobytes}kB"
        self.write(f"{folder}/nr_hugepages", f"{count}\n")
        self.write(f"{folder}/free_hugepages", f"{count}\n")

    def pages(self, node):
        return self.read(f"sys/devices/system/node/node{node}/hugepages/hugepages-2048kB/"
                         "nr_hugepages")

    def add_function(self, address, device=0x2021, driver="ioatdma", group=None, vendor=0x8086,
                     node=0):
        folder = f"{PCI}/devices/{address}"
        for name, text in (("vendor", f"{vendor:#06x}\n"), ("device", f"{device:#06x}\n"),
                           ("class", "0x088000\n"), ("numa_node", f"{node}\n"),
                           ("driver_override", "(null)\n")):
            self.write(f"{folder}/{name}", text)
        if group is not None:
            self.link(f"{folder}/iommu_group", f"../../../kernel/iommu_groups/{group}")
            self.link(f"sys/kernel/iommu_groups/{group}/devices/{address}",
                      f"../../../../bus/pci/devices/{address}")
            self.write(f"sys/kernel/iommu_groups/{group}/type", "DMA-FQ\n")
        if driver is not None:
            self.bind(address, driver)

    def driver(self, address):
        try:
            return os.path.basename(os.readlink(self.path(f"{PCI}/devices/{address}/driver")))
        except FileNotFoundError:
            return None

    def override(self, address):
        return self.read(f"{PCI}/devices/{address}/driver_override").replace("(null)", "")

    def group_file(self, address):
        try:
            group = os.readlink(self.path(f"{PCI}/devices/{address}/iommu_group"))
        except FileNotFoundError:
            return None
        return f"dev/vfio/{os.path.basename(group)}"

    def bind(self, address, driver):
        """What appears with a driver."""
        file = self.group_file(address)
        if driver == "vfio-pci" and file is not None:
            self.write(file, "")
        if driver == "uio_pci_generic":
            os.makedirs(self.path(f"{PCI}/devices/{address}/uio/uio0"))
        if driver == "ioatdma":
            self.write(f"{PCI}/devices/{address}/dma/dma0chan0/in_use", "0\n")
        self.link(f"{PCI}/devices/{address}/driver", f"../../drivers/{driver}")

    def unbind(self, address):
        """What disappears with it."""
        folder = f"{PCI}/devices/{address}"
        if self.driver(address) == "uio_pci_generic":
            os.removedirs(self.path(f"{folder}/uio/uio0"))
        if self.driver(address) == "ioatdma":
            os.unlink(self.path(f"{folder}/dma/dma0chan0/in_use"))
            os.removedirs(self.path(f"{folder}/dma/dma0chan0"))
        os.unlink(self.path(f"{folder}/driver"))

    def use(self, address, summary=None, modules=()):
        """A client in the kernel."""
        self.write(f"{PCI}/devices/{address}/dma/dma0chan0/in_use", "1\n")
        for module in modules:
            os.makedirs(self.path(f"sys/module/{module}"))
        if summary is not None:
            self.write("sys/kernel/debug/dmaengine/summary",
                       f"dma0 ({address}): number of channels: 1\n dma0chan0    | {summary}\n")

    def hold(self, file, pid=4711, name="reactor_0"):
        """A process that has a file of /dev open."""
        self.link(f"proc/{pid}/fd/5", file)
        self.write(f"proc/{pid}/comm", name + "\n")

    def snapshot(self):
        """Every path with what is there, as the kernel shows it; without modules that were loaded."""
        found = {}
        for folder, folders, files in os.walk(self.root):
            for name in (*folders, *files):
                path = os.path.join(folder, name)
                shown = os.path.relpath(path, self.root)
                mode = os.lstat(path)
                if stat.S_ISLNK(mode.st_mode):
                    found[shown] = os.readlink(path)
                elif stat.S_ISREG(mode.st_mode):
                    with open(path, "rb") as file:
                        found[shown] = (file.read().strip().replace(b"(null)", b""), mode.st_uid)
        return {path: what for path, what in found.items() if not path.endswith("setup.lock")}


class Kernel:
    """Binds and unbinds functions as they are written to the pipes, while in a `with`."""

    def __init__(self, machine, refuses=()):
        self.machine = machine
        self.refuses = refuses  # drivers whose probe fails
        self.open = {}
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.work)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        for pipe in self.open:
            os.close(pipe)

    def look_for_pipes(self):
        drivers = f"{PCI}/drivers"
        names = [f"{PCI}/drivers_probe"]
        names += [f"{drivers}/{name}/unbind" for name in os.listdir(self.machine.path(drivers))]
        for name in names:
            path = self.machine.path(name)
            if name not in self.open.values() and os.path.exists(path):
                if stat.S_ISFIFO(os.stat(path).st_mode):
                    self.open[os.open(path, os.O_RDWR | os.O_NONBLOCK)] = name

    def work(self):
        while True:
            ended = self.ended.is_set()
            self.look_for_pipes()
            ready = select.select(list(self.open), [], [], 0 if ended else 0.005)[0]
            for pipe in ready:
                self.obey(self.open[pipe], os.read(pipe, 4096).decode().strip())
            # What was written is carried out, whatever has become of who wrote it.
            if ended and not ready:
                return

    def obey(self, name, address):
        machine = self.machine
        if name.endswith("/unbind"):
            machine.unbind(address)
            return
        driver = machine.override(address) or "ioatdma"
        known = os.path.exists(machine.path(f"{PCI}/drivers/{driver}"))
        if known and machine.driver(address) is None and driver not in self.refuses:
            machine.bind(address, driver)


def setup(machine, *args, refuses=(), **options):
    """Runs udma setup in a tree where the kernel answers."""
    with Kernel(machine, refuses):
        return udma("setup", *args, f"--root={machine.root}", **options)


def lines(answer, machine):
    """What was printed, with paths as on a machine."""
    return answer.stdout.replace(machine.root, "").splitlines()


def one_function(group=7, **options):
    machine = Machine(**options)
    machine.add_function(ONE, group=group)
    return machine
