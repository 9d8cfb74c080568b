# SPDX-License-Identifier: BSD-3-Clause
"""Section 6: what the device says of itself."""

import struct

from server import run, served
from tap import expect
from vfio_user import (BAR0, CONFIG, ERR, FEATURE, GET_INFO, INTX, IO_FDS, IRQS, IRQ_INFO,
                       MALFORMED, MIG_READ, MIG_WRITE, MSI, MSIX, REGIONS, REGION_INFO, REQ,
                       feature, get_info, io_fds, irq_info, message, region_info)

BAR_SIZE = 16384
CONFIG_SIZE = 4096
READ_WRITE = 3
EVENTFD_FLAG = 1


def region_of(client, index, argsz=32, padding=b""):
    reply = client.call(REGION_INFO, region_info(index, argsz) + padding)
    expect(len(reply) == 32, f"{len(reply)} bytes")
    argsz, flags, same, caps, size, offset = struct.unpack("=IIIIQQ", reply)
    expect(argsz == 32 and same == index and caps == 0, f"argsz {argsz}, region {same}, {caps}")
    return flags, size, offset


def irqs_of(client, index, argsz=16, padding=b""):
    reply = client.call(IRQ_INFO, irq_info(index, argsz) + padding)
    expect(len(reply) == 16, f"{len(reply)} bytes")
    argsz, flags, same, count = struct.unpack("=IIII", reply)
    expect(argsz == 16 and same == index, f"argsz {argsz}, index {same}")
    return flags, count


def capabilities(client):
    """The capability ids of configuration space; the chain must end."""
    config = client.read(CONFIG, 0, 256)
    found, at = {}, config[0x34]
    while at:
        expect(config[at] not in found, f"capability {config[at]} twice, or a circle")
        found[config[at]] = at
        at = config[at + 1]
    return config, found


@served()
def test_device(server):
    """A PCI device that can be reset, with 9 regions and 5 kinds of interrupt"""
    client = server.client()
    for argsz, padding in ((16, b""), (17, b""), (0xFFFFFFFF, b""), (64, bytes(48))):
        reply = client.call(GET_INFO, get_info(argsz) + padding)
        expect(struct.unpack("=IIII", reply) == (16, 3, REGIONS, IRQS), reply.hex())


@served()
def test_device_malformed(server):
    """GET_INFO too short, or with too small an argsz"""
    client = server.client()
    for payload in (get_info()[:1], get_info()[:15], get_info(0), get_info(15)):
        client.refused(GET_INFO, payload)


@served()
def test_regions(server):
    """BAR0 of 16 KiB, configuration space of 4 KiB, and no other region"""
    client = server.client()
    expect(region_of(client, BAR0) == (READ_WRITE, BAR_SIZE, 0), region_of(client, BAR0))
    expect(region_of(client, CONFIG) == (READ_WRITE, CONFIG_SIZE, 0), region_of(client, CONFIG))
    for index in range(REGIONS):
        if index not in (BAR0, CONFIG):
            expect(region_of(client, index) == (0, 0, 0),
                   f"region {index} {region_of(client, index)}")


@served()
def test_region_lengths(server):
    """GET_REGION_INFO longer than its structure, as a client sends it that takes 4064 bytes"""
    client = server.client()
    for argsz, padding in ((4064, bytes(4032)), (33, b""), (0xFFFFFFFF, b""), (32, bytes(1))):
        for index in range(REGIONS):
            region_of(client, index, argsz, padding)


@served()
def test_region_malformed(server):
    """GET_REGION_INFO too short, with too small an argsz, or of a region that cannot be"""
    client = server.client()
    for payload in (region_info(0)[:1], region_info(0)[:31], region_info(0, 0), region_info(0, 31)):
        client.refused(REGION_INFO, payload)
    for index in (REGIONS, 10, 0x80000000, 0xFFFFFFFF):
        client.refused(REGION_INFO, region_info(index))


def expect_irqs(server, counts):
    client = server.client()
    for index, count in counts.items():
        flags, got = irqs_of(client, index)
        expect(got == count, f"{got} interrupts of index {index}, not {count}")
        expect(flags & EVENTFD_FLAG or not count, f"flags {flags:#x} of index {index}")
    config, found = capabilities(client)
    expect((config[0x3D] != 0) == counts[INTX], f"pin {config[0x3D]}")
    expect((0x05 in found) == counts[MSI], f"capabilities {found}")
    expect((0x11 in found) == counts[MSIX], f"capabilities {found}")
    if counts[MSIX]:
        control = struct.unpack_from("<H", config, found[0x11] + 2)[0]
        expect((control & 0x7FF) + 1 == counts[MSIX], "as many vectors as the table has")


@served("--interrupts=msix,msi,intx")
def test_all_interrupts(server):
    """One interrupt of each kind that is offered; configuration space agrees"""
    expect_irqs(server, {INTX: 1, MSI: 1, MSIX: 1, ERR: 0, REQ: 1})


@served("--interrupts=msix")
def test_msix_only(server):
    """MSI-X alone"""
    expect_irqs(server, {INTX: 0, MSI: 0, MSIX: 1, ERR: 0, REQ: 1})


@served("--interrupts=intx")
def test_intx_only(server):
    """INTx alone"""
    expect_irqs(server, {INTX: 1, MSI: 0, MSIX: 0, ERR: 0, REQ: 1})


@served("--interrupts=msi")
def test_msi_only(server):
    """MSI alone"""
    expect_irqs(server, {INTX: 0, MSI: 1, MSIX: 0, ERR: 0, REQ: 1})


@served()
def test_irq_lengths(server):
    """GET_IRQ_INFO longer than its structure"""
    client = server.client()
    for argsz, padding in ((17, b""), (0xFFFFFFFF, b""), (64, bytes(48))):
        irqs_of(client, MSIX, argsz, padding)


@served()
def test_irq_malformed(server):
    """GET_IRQ_INFO too short, with too small an argsz, or of an index that cannot be"""
    client = server.client()
    for payload in (irq_info(0)[:1], irq_info(0)[:15], irq_info(0, 0), irq_info(0, 15)):
        client.refused(IRQ_INFO, payload)
    for index in (IRQS, 6, 0x80000000, 0xFFFFFFFF):
        client.refused(IRQ_INFO, irq_info(index))


@served()
def test_io_fds(server):
    """GET_REGION_IO_FDS: there are none, or the command is refused"""
    client = server.client()
    for index in range(REGIONS):
        number = client.post(IO_FDS, io_fds(index))
        got = client.receive()
        expect((got.number, got.command, got.fds) == (number, IO_FDS, ()), got)
        if got.error:
            expect(got.error in MALFORMED and got.payload == b"", got)
        else:
            expect(struct.unpack("=IIII", got.payload) == (16, 0, index, 0), got)


@served()
def test_io_fds_malformed(server):
    """GET_REGION_IO_FDS that cannot be"""
    client = server.client()
    for payload in (io_fds(0)[:15], io_fds(0, 0), io_fds(0, 15), io_fds(0, flags=1),
                    io_fds(0, count=1), io_fds(REGIONS), io_fds(0xFFFFFFFF)):
        client.refused(IO_FDS, payload)


@served()
def test_no_features(server):
    """No feature is offered, and no migration: EINVAL"""
    client = server.client()
    for index in (0, 1, 2, 6, 7, 8, 0xFFFF):
        for method in (0, 1 << 16, 1 << 17, 1 << 18, 3 << 16, 7 << 16):
            client.refused(FEATURE, feature(index | method, bytes(16)))
    for command in (MIG_READ, MIG_WRITE):
        for payload in (feature(0), feature(1 << 20), feature(16, bytes(16)),
                        feature(0, argsz=0xFFFFFFFF)):
            client.refused(command, payload)


@served()
def test_pipelined(server):
    """Everything that a client asks at its start, in one piece"""
    client = server.client()
    commands = [(GET_INFO, get_info())] + [(REGION_INFO, region_info(i)) for i in range(REGIONS)]
    commands += [(IRQ_INFO, irq_info(i)) for i in range(IRQS)]
    client.send(b"".join(message(*command, i) for i, command in enumerate(commands)))
    for i, (command, payload) in enumerate(commands):
        expect(len(client.reply(i, command).payload) == len(payload), f"reply to command {command}")


if __name__ == "__main__":
    run(__name__)
