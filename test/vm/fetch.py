#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Brings what the tests with real kernels need: QEMU, two packaged kernels, busybox, udev.

Usage: test/vm/fetch.py [--newest]

All of it comes from Debian's packages, unpacked and never installed; it takes no root. It is kept
in ${UDMA_VM_CACHE:-${XDG_CACHE_HOME:-~/.cache}/udma-vm}, and once a day (at once with --newest)
Debian's mirror is asked for something newer. Each version has a folder of its own there; removing
any of them, or all, does no harm.
"""

import contextlib
import fcntl
import glob
import hashlib
import inspect
import json
import os
import re
import shutil
import sys
import tempfile
import time

import debian
import kernel
import udev
from debian import Missing

DAY = 24 * 3600

DEBIAN_12 = ("bookworm", "bookworm-security")
BACKPORTS_12 = (*DEBIAN_12, "bookworm-backports")
BACKPORTS_13 = ("trixie", "trixie-backports")
KERNEL = ("linux-image-amd64", "linux-headers-amd64", "linux-source")


def make_qemu(folder, debs):
    for package in debs.values():
        debian.unpack(package, folder)
    version = debian.run([*qemu(folder), "--version"], "QEMU")
    numbers = re.search(r"version (\d+)\.(\d+)", version)
    # vfio-user-pci came with 10.1.
    if not numbers or tuple(map(int, numbers.groups())) < (10, 1):
        raise Missing(f"QEMU 10.1 or later: there is only {version.splitlines()[0]}")


def qemu(folder):
    """The beginning of a command line that runs QEMU out of its folder."""
    libraries = os.path.join(folder, "usr/lib/x86_64-linux-gnu")
    return ["env", f"QEMU_MODULE_DIR={libraries}/qemu", f"{libraries}/ld-linux-x86-64.so.2",
            "--library-path", libraries, os.path.join(folder, "usr/bin/qemu-system-x86_64"),
            "-L", os.path.join(folder, "usr/share/qemu"),
            "-L", os.path.join(folder, "usr/share/seabios")]


def make_busybox(folder, debs):
    debian.unpack(debs["busybox-static"], folder)
    shutil.move(kernel.one(folder, "bin/busybox", "usr/bin/busybox"),
                os.path.join(folder, "busybox"))


class Part:
    """A thing to have: the packages that it comes from, and the function that makes its folder.

    Its version is that of the first package. With `choose`, only some of all the packages that
    those depend on are downloaded.
    """

    def __init__(self, name, suites, packages, make, release=None, choose=dict):
        self.name, self.suites, self.packages, self.release = name, suites, packages, release
        self.make, self.choose = make, choose

    def folder(self, versions):
        """What its folder is called: after the version, and the recipe that makes it."""
        version = versions[self.packages[0]].rpartition(":")[2]
        return f"{self.name}-{version}-{self.recipe()}"

    def recipe(self):
        """Changes with the file that says how the folder is made."""
        with open(inspect.getsourcefile(self.make), "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()[:8]


PARTS = (
    Part("qemu", BACKPORTS_13, ("qemu-system-x86",), make_qemu, release="trixie-backports"),
    Part("busybox", DEBIAN_12, ("busybox-static",), make_busybox,
         choose=lambda versions: {"busybox-static": versions["busybox-static"]}),
    Part("udev", DEBIAN_12, udev.PACKAGES, udev.make, choose=udev.packages),
    Part("linux-6.1", DEBIAN_12, KERNEL, kernel.make, choose=kernel.packages),
    Part("linux-6.12", BACKPORTS_12, KERNEL, kernel.make, release="bookworm-backports",
         choose=kernel.packages),
)


def cache():
    """Where everything is kept."""
    folder = os.path.abspath(os.environ.get("UDMA_VM_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "udma-vm"))
    if re.search(r"[\s:,;'\"\\$#]", folder):
        raise Missing(f"the cache: QEMU and make cannot work in '{folder}'; name another folder in "
                      "UDMA_VM_CACHE")
    return folder


def state():
    """What the last run has written down: when it asked the mirror, and each part's folder."""
    try:
        with open(os.path.join(cache(), "state.json"), encoding="ascii") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {"asked": 0, "parts": {}}


def have():
    """The parts that are there: {name: folder}. Raises Missing if any is not."""
    found = {name: os.path.join(cache(), folder) for name, folder in state()["parts"].items()}
    for part in PARTS:
        folder = found.get(part.name, "")
        if not folder.endswith(part.recipe()) or not os.path.isdir(folder):
            raise Missing(f"{part.name} is not in {cache()} as it is needed; run test/vm/fetch.py")
    return found


def complete():
    try:
        have()
        return True
    except Missing:
        return False


def say(text):
    print(f"fetch: {text}", file=sys.stderr, flush=True)


def bring(apt, part, versions):
    """Makes a part's folder, in one step: it is there whole or not at all."""
    name = part.folder(versions)
    if os.path.isdir(os.path.join(cache(), name)):
        return name
    begun = time.monotonic()
    chosen = part.choose(versions)
    say(f"{name}: downloading {len(chosen)} package{'s' * (len(chosen) > 1)}")
    with tempfile.TemporaryDirectory(prefix="new-", dir=cache()) as place:
        packages, folder = os.path.join(place, "packages"), os.path.join(place, name)
        os.mkdir(packages)
        os.mkdir(folder)
        debs = apt.download(part.suites, chosen, packages)
        megabytes = sum(map(os.path.getsize, debs.values())) / 1e6
        say(f"{name}: unpacking {megabytes:.0f} MB")
        part.make(folder, debs)
        os.rename(folder, os.path.join(cache(), name))
    say(f"{name}: done in {time.monotonic() - begun:.0f} s")
    return name


def update():
    """Brings every part in its newest version."""
    say("asking Debian's mirror for the newest versions")
    apt = debian.Apt(os.path.join(cache(), "apt"))
    apt.update(sorted({suite for part in PARTS for suite in part.suites}))
    parts = {part.name: bring(apt, part, apt.resolve(part.suites, part.packages, part.release))
             for part in PARTS}
    path = os.path.join(cache(), "state.json")
    with open(path + ".new", "w", encoding="ascii") as file:
        json.dump({"asked": time.time(), "parts": parts}, file, indent=4)
    os.rename(path + ".new", path)


@contextlib.contextmanager
def alone():
    """One run at a time; what a killed one has left half done is removed."""
    os.makedirs(cache(), exist_ok=True)
    with open(os.path.join(cache(), "lock"), "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for half in glob.glob(os.path.join(cache(), "new-*")):
            shutil.rmtree(half)
        yield


def main():
    newest = sys.argv[1:] == ["--newest"]
    if sys.argv[1:] and not newest:
        print(__doc__, end="", file=sys.stdout if sys.argv[1:] == ["--help"] else sys.stderr)
        return 0 if sys.argv[1:] == ["--help"] else 2
    try:
        with alone():
            try:
                if newest or not complete() or time.time() - state()["asked"] > DAY:
                    update()
            except Missing as reason:
                if newest or not complete():
                    raise
                say(f"staying with what is there: {reason}")
            for name, folder in have().items():
                print(f"{name:<12}{folder}")
    except (Missing, OSError) as reason:
        say(f"{reason}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
