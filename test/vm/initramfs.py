# SPDX-License-Identifier: BSD-3-Clause
"""The root of a guest: an archive that the kernel unpacks into memory before it starts /init."""

import glob
import os
import stat

HERE = os.path.dirname(os.path.abspath(__file__))


class Archive:
    """A cpio archive in the format that the kernel reads ("newc")."""

    def __init__(self, file):
        self.file = file
        self.inode = 0
        self.folders = set()

    def add(self, name, contents, mode):
        """Adds a file; the folders above it too."""
        parent = os.path.dirname(name)
        if parent and parent not in self.folders:
            self.folders.add(parent)
            self.add(parent, b"", stat.S_IFDIR | 0o755)
        self.inode += 1
        path = name.encode() + b"\0"
        header = (self.inode, mode, 0, 0, 1, 0, len(contents), 0, 0, 0, 0, len(path), 0)
        self._pad(b"070701" + b"".join(b"%08X" % field for field in header) + path)
        self._pad(contents)

    def end(self):
        self.inode = -1
        self.add("TRAILER!!!", b"", 0)

    def _pad(self, part):
        self.file.write(part + b"\0" * (-len(part) % 4))


def write(path, parts, kernel, files):
    """Writes the archive: busybox, the kernel's modules, the guest's scripts, and more files, given
    as {name in the guest: file}."""
    with open(os.path.join(kernel, "release"), encoding="ascii") as file:
        modules = "lib/modules/" + file.read()
    files = {"bin/busybox": os.path.join(parts["busybox"], "busybox"),
             "init": os.path.join(HERE, "guest/init"),
             "lib.sh": os.path.join(HERE, "guest/lib.sh"),
             **{os.path.join(modules, os.path.basename(each)): each
                for each in glob.glob(os.path.join(kernel, "modules/*"))},
             **files}
    with open(path, "wb") as output:
        archive = Archive(output)
        archive.add("bin/sh", b"busybox", stat.S_IFLNK | 0o777)
        for name, source in files.items():
            with open(source, "rb") as file:
                archive.add(name, file.read(), stat.S_IFREG | 0o755)
        archive.end()
