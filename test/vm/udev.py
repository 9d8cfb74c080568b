# SPDX-License-Identifier: BSD-3-Clause
"""udev and kmod as Debian packages them, for guests: programs, their libraries, and rules.

The folder:

    bin/      udevadm, which is systemd-udevd too, kmod, and the loader and libraries that they
              need
    rules.d/  Debian's rules
"""

import glob
import os
import re
import shutil

from debian import Missing, run, unpack

PACKAGES = ("udev", "kmod")
LOADER = "ld-linux-x86-64.so.2"


def packages(versions):
    """Of all that the packages depend on, what the programs are made of: {name: version}."""
    wanted = re.compile("udev|kmod|lib(acl1|blkid1|c6|cap2|kmod2|lzma5|pcre2-8-0|selinux1|ssl3|"
                        "zstd1)")
    return {name: version for name, version in versions.items() if wanted.fullmatch(name)}


def make(folder, debs):
    """Makes the folder from the packages, {name: file}."""
    root, programs = os.path.join(folder, "root"), os.path.join(folder, "bin")
    for package in debs.values():
        unpack(package, root)
    os.mkdir(programs)
    loader = glob.glob(os.path.join(root, "**", LOADER), recursive=True)[0]
    libraries = glob.glob(os.path.join(root, "**/x86_64-linux-gnu"), recursive=True)
    shutil.copy(loader, programs)
    for program in (os.path.join(root, "bin", name) for name in ("udevadm", "kmod")):
        listing = run([loader, "--library-path", ":".join(libraries), "--list", program], "udev")
        needed = re.findall(r"(\S+) => (.*?)(?: \(|$)", listing, re.M)
        for name, path in needed:
            if not path.startswith(root):
                raise Missing(f"{name}, for {program}, is in none of {', '.join(sorted(debs))}")
        for path in (program, *dict(needed).values()):
            shutil.copy(path, programs)
    os.mkdir(os.path.join(folder, "rules.d"))
    for path in glob.glob(os.path.join(root, "**/udev/rules.d/*.rules"), recursive=True):
        shutil.copy(path, os.path.join(folder, "rules.d"))
    shutil.rmtree(root)


def files(folder):
    """What is in the folder, for a guest: {name there: file}."""
    there = {"bin": "udev", "rules.d": "lib/udev/rules.d"}
    return {f"{there[kind]}/{os.path.basename(path)}": path
            for kind in there for path in glob.glob(os.path.join(folder, kind, "*"))}
