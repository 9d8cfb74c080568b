# SPDX-License-Identifier: BSD-3-Clause
"""A packaged Debian kernel, as the tests need it: the image, a few modules, and what builds more.

The folder of a kernel:

    vmlinuz    the image
    release    its name for itself, as uname -r prints it
    modules/   modules, not compressed, and modules.dep
    headers/   the kernel's headers and build scripts
    source/    those of its sources that modules of the tests are built from
"""

import glob
import lzma
import os
import re
import shutil
import subprocess
import tarfile

from debian import Missing, run, unpack

# What a guest may load. What these need comes with them.
MODULES = ("ioatdma", "vfio-pci", "vfio_iommu_type1", "uio_pci_generic",
           "nfit", "nd_pmem", "dax_pmem", "device_dax",
           "virtio_pci", "virtio_blk", "9p", "9pnet_virtio")

SOURCES = ("drivers/dma/dmatest.c", "drivers/dma/ioat/dma.h", "drivers/dma/ioat/hw.h",
           "drivers/dma/ioat/registers.h")


def packages(versions):
    """Of the packages of a kernel, those that are unpacked: {name: version}."""
    wanted = re.compile(r"linux-(image|headers|kbuild|source)-\d.*")
    return {name: version for name, version in versions.items() if wanted.fullmatch(name)}


def make(folder, debs):
    """Makes the folder of a kernel from its packages, {name: file}."""
    image, headers = os.path.join(folder, "image"), os.path.join(folder, "headers")
    for name, package in debs.items():
        if name.startswith("linux-image-"):
            unpack(package, image)
        elif name.startswith("linux-source-"):
            extract_sources(package, os.path.join(folder, "source"))
        else:
            unpack(package, headers)
    tree = one(image, "lib/modules/*", "usr/lib/modules/*")
    with open(os.path.join(folder, "release"), "w", encoding="ascii") as file:
        file.write(os.path.basename(tree))
    shutil.move(one(image, "boot/vmlinuz-*"), os.path.join(folder, "vmlinuz"))
    os.mkdir(os.path.join(folder, "modules"))
    for name in MODULES:
        take_module(tree, name, os.path.join(folder, "modules"))
    shutil.rmtree(image)
    prepare_headers(one(headers, "usr/src/linux-headers-*-amd64"))
    build(folder, os.path.join(folder, "source/drivers/dma/dmatest.c"),
          os.path.join(folder, "modules"))
    write_dependencies(os.path.join(folder, "modules"))


def one(folder, *patterns):
    """The one path below `folder` that matches."""
    found = [path for pattern in patterns
             for path in glob.glob(os.path.join(folder, pattern), recursive=True)]
    if len(found) != 1:
        raise Missing(f"{' or '.join(patterns)}: {len(found)} of them in the packages of this "
                      "kernel, which is made in a way that test/vm/kernel.py does not know")
    return found[0]


def extract_sources(package, folder):
    """Reads the archive inside the package as far as it takes."""
    wanted = set(SOURCES)
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package],
                          stdout=subprocess.PIPE) as process:
        with tarfile.open(fileobj=process.stdout, mode="r|") as files:
            archive = next((files.extractfile(file) for file in files
                            if file.name.endswith(".tar.xz")), None)
            if archive is None:
                raise Missing(f"{os.path.basename(package)}: no archive of sources in it")
            with tarfile.open(fileobj=archive, mode="r|xz") as sources:
                for file in sources:
                    name = file.name.partition("/")[2]
                    if name in wanted:
                        path = os.path.join(folder, name)
                        os.makedirs(os.path.dirname(path), exist_ok=True)
                        with open(path, "wb") as copy:
                            shutil.copyfileobj(sources.extractfile(file), copy)
                        wanted.remove(name)
                    if not wanted:
                        break
        process.kill()
    if wanted:
        raise Missing(f"{os.path.basename(package)}: {', '.join(wanted)} are not in it")


def take_module(tree, name, folder):
    """Copies a module, and those that it needs."""
    target = os.path.join(folder, name.replace("-", "_") + ".ko")
    if os.path.exists(target) or name.replace("-", "_") in built_in(tree):
        return
    path = one(tree, "kernel/**/" + re.sub("[-_]", "[-_]", name) + ".ko*")
    with (lzma.open(path) if path.endswith(".xz") else open(path, "rb")) as file:
        contents = file.read()
    with open(target, "wb") as file:
        file.write(contents)
    for needed in needs(target):
        take_module(tree, needed, folder)


def built_in(tree):
    """The names of the modules that are part of the image."""
    with open(os.path.join(tree, "modules.builtin"), encoding="ascii") as file:
        return {os.path.basename(line.strip())[:-3].replace("-", "_") for line in file}


def needs(module):
    """The names of the modules that a module needs itself."""
    with open(module, "rb") as file:
        names = re.search(rb"\0depends=([^\0]*)\0", file.read())
    return names.group(1).decode().replace("-", "_").split(",") if names and names.group(1) else []


def write_dependencies(folder):
    """Writes modules.dep: each module and all that it needs, what is loaded first coming last."""
    modules = {os.path.basename(path)[:-3]: needs(path)
               for path in glob.glob(os.path.join(folder, "*.ko"))}

    def load(name, loaded):
        for needed in modules[name]:
            if needed not in loaded:
                load(needed, loaded)
        loaded.append(name)
        return loaded

    with open(os.path.join(folder, "modules.dep"), "w", encoding="ascii") as file:
        for name in sorted(modules):
            *needed, _ = load(name, [])
            file.write(" ".join([f"{name}.ko:"] + [each + ".ko" for each in reversed(needed)])
                       + "\n")


def prepare_headers(folder):
    """Makes headers that are not installed usable where they are."""
    common = one(folder, "../linux-headers-*-common")
    with open(os.path.join(folder, "Makefile"), "w", encoding="ascii") as file:
        file.write(f"include ../{os.path.basename(common)}/Makefile\n")
    # Debugging information, for which the build would ask for pahole.
    vmlinux = os.path.join(folder, "vmlinux")
    if os.path.exists(vmlinux):
        os.remove(vmlinux)


def build(folder, source, target):
    """Builds a module out of one source file. The .ko is put into `target`."""
    name = os.path.basename(source)[:-2]
    headers = one(folder, "headers/usr/src/linux-headers-*-amd64")
    place = os.path.join(target, "build-" + name)
    os.mkdir(place)
    shutil.copy(source, place)
    with open(os.path.join(place, "Kbuild"), "w", encoding="ascii") as file:
        file.write(f"obj-m := {name}.o\n")
    run(["make", "-s", "-C", headers, "M=" + place, "CC=gcc",
         f"KCFLAGS=-g0 -I{folder}/source/drivers/dma/ioat", "modules"], f"building {name}.ko")
    shutil.move(os.path.join(place, name + ".ko"), target)
    shutil.rmtree(place)
