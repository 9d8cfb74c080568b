#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Brings the arm64 libraries that the tool and the tests are linked with.

Usage: test/arm64/fetch.py FOLDER

They come from Debian's packages, unpacked in FOLDER and not installed: the machine's dpkg does not
hear of another architecture. FOLDER is there whole or not at all, and one that is there is left as
it is. Its file root.ini tells meson where it is, for test/arm64/cross.ini.
"""

import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../vm"))

import debian

SUITES = ("bookworm", "bookworm-security")
# The C library is that of the cross compiler's packages.
PACKAGES = ("libcmocka0", "libcmocka-dev", "libisal2", "libisal-dev", "libjson-c5",
            "libjson-c-dev")


def fetch(folder):
    with tempfile.TemporaryDirectory(prefix="udma-arm64-", dir=os.path.dirname(folder)) as place:
        packages, root = os.path.join(place, "packages"), os.path.join(place, "root")
        os.mkdir(packages)
        os.mkdir(root)
        apt = debian.Apt(os.path.join(place, "apt"), "arm64")
        apt.update(SUITES)
        versions = apt.resolve(SUITES, PACKAGES)
        wanted = {name: versions[name] for name in PACKAGES}
        for package in apt.download(SUITES, wanted, packages).values():
            debian.unpack(package, root)
        with open(os.path.join(root, "root.ini"), "w", encoding="utf-8") as file:
            file.write(f"[constants]\nroot = '{folder}'\n")
        os.rename(root, folder)


def main():
    if len(sys.argv) != 2:
        print(__doc__, end="", file=sys.stderr)
        return 2
    folder = os.path.abspath(sys.argv[1])
    try:
        if not os.path.isdir(folder):
            fetch(folder)
    except (debian.Missing, OSError) as reason:
        print(f"fetch: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
