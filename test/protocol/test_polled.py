# SPDX-License-Identifier: BSD-3-Clause
"""--polled: registers that the client maps (section 6.2), and the engine driven through them."""

import mmap
import os
import random
import struct
import time

from ioat import (ARMED, CHANCMP, CHANSTS, Channel, ENABLE_MSIX, HALTED, INTRDELAY, MSIX_CONTROL,
                  Mapped, Memory, assign, heard, interrupt, is_heard, working)
from server import run, served
from socket_memory import SocketMemory
from tap import expect
from vfio_user import (BAR0, CONFIG, GET_INFO, INTX, IRQ_INFO, MSI, MSIX, REGIONS, REGION_INFO,
                       get_info, goodbye, irq_info, message, region_info, wait_until)

PAGE = 4096
BAR_SIZE = 16384
READ, WRITE, MMAP, CAPS = 1, 2, 4, 8
SPARSE = 1
RING = 0x100000


def map_bar(client):
    """Asks for region 0, checks the answer, and maps its first page."""
    got = client.ask(REGION_INFO, region_info(BAR0, 4096))
    size, flags, index, at, region_size, offset = struct.unpack_from("=IIIIQQ", got.payload)
    expect(flags == READ | WRITE | MMAP | CAPS and index == BAR0, f"flags {flags:#x}")
    expect(region_size == BAR_SIZE and size == len(got.payload),
           f"{size} bytes, region {region_size}")
    areas = []
    while at:
        expect(32 <= at and at % 8 == 0 and at + 8 <= len(got.payload), f"capability at {at}")
        kind, revision, following = struct.unpack_from("=HHI", got.payload, at)
        if kind == SPARSE:
            count, _ = struct.unpack_from("=II", got.payload, at + 8)
            expect(revision == 1 and at + 16 + 16 * count <= len(got.payload), f"{count} areas")
            areas += [struct.unpack_from("=QQ", got.payload, at + 16 + 16 * i)
                      for i in range(count)]
        expect(following == 0 or following > at, "a circle of capabilities")
        at = following
    for start, length in areas:
        expect(start % PAGE == 0 and length % PAGE == 0 and 0 < length <= BAR_SIZE - start,
               f"area {start}, {length}")
    first = [length for start, length in areas if start == 0]
    expect(first, f"the register page is not in {areas}")
    expect(len(got.fds) in (1, len(areas)), f"{len(got.fds)} descriptors for {len(areas)} areas")
    try:
        return mmap.mmap(got.fds[0], PAGE, offset=offset)
    finally:
        for fd in got.fds:
            os.close(fd)


def polled(client, kind=Memory):
    """A channel that is driven by loads and stores."""
    memory = kind(RING, 0x20000).map(client)
    return Channel(client, memory, Mapped(map_bar(client))).start()


@served("--polled")
def test_region(server):
    """Region 0 says what of it can be mapped, and brings the descriptor"""
    client = server.client()
    map_bar(client).close()
    # Each asking brings a descriptor of its own.
    map_bar(client).close()
    for index in range(1, REGIONS):
        got = client.call(REGION_INFO, region_info(index, 4096))
        flags = struct.unpack_from("=I", got, 4)[0]
        expect(len(got) == 32 and not flags & (MMAP | CAPS), f"region {index}: flags {flags:#x}")


@served("--polled")
def test_small_argsz(server):
    """With no room for the areas: the structure alone, and how much room is needed"""
    client = server.client()
    need = struct.unpack_from("=I", client.ask(REGION_INFO, region_info(BAR0, 4096)).payload)[0]
    expect(need > 32, f"{need} bytes")
    for argsz in (32, 33, need - 1):
        got = client.ask(REGION_INFO, region_info(BAR0, argsz))
        for fd in got.fds:
            os.close(fd)
        size, flags, _, at, region_size, _ = struct.unpack("=IIIIQQ", got.payload)
        expect(size == need and region_size == BAR_SIZE, f"{size} bytes, region {region_size}")
        expect(not flags & CAPS and at == 0, f"flags {flags:#x}, capability at {at}")
    got = client.ask(REGION_INFO, region_info(BAR0, need))
    expect(len(got.payload) == need and got.fds, f"{len(got.payload)} bytes, {got.fds}")
    for argsz in (0, 31):
        client.refused(REGION_INFO, region_info(BAR0, argsz))
    for fd in got.fds:
        os.close(fd)


@served("--polled")
def test_no_descriptors(server):
    """A client that takes no descriptors gets none"""
    client = server.client(capabilities={"capabilities": {"max_msg_fds": 0}})
    got = client.ask(REGION_INFO, region_info(BAR0, 4096))
    expect(got.fds == () and got.payload[16:24] == struct.pack("=Q", BAR_SIZE), f"{got}")
    working(client).works()


@served("--polled")
def test_descriptors_unread(server):
    """A client that asks a thousand times for a descriptor, and leaves without reading"""
    goodbye(server.client(), message(REGION_INFO, region_info(BAR0, 4096)) * 1000)


@served("--polled")
def test_works(server):
    """A null descriptor and copies, announced by a store"""
    channel = polled(server.client())
    for _ in range(20):
        channel.works()


@served("--polled")
def test_both_ways(server):
    """What is written one way is read the other way"""
    client = server.client()
    bar = Mapped(map_bar(client))
    expect(bar.read(8, 1) == 0x33 and bar.read(1, 1) == 0x14, "CBVER, XFERCAP")
    expect(bar.read(CHANSTS, 8) == HALTED, "CHANSTS")
    client.write(BAR0, CHANCMP, struct.pack("<Q", 0x123456789ABCDE40))
    wait_until(lambda: bar.read(CHANCMP, 8) == 0x123456789ABCDE40, "written by message")
    bar.write(CHANCMP, 8, 0xFEDCBA9876543200)
    wait_until(lambda: client.read(BAR0, CHANCMP, 8) == struct.pack("<Q", 0xFEDCBA9876543200),
               "written by store")
    working(client).works()
    status = struct.unpack("<Q", client.read(BAR0, CHANSTS, 8))[0]
    expect(bar.read(CHANSTS, 8) & ~63 == status & ~63, "CHANSTS")


@served("--polled")
def test_messages(server):
    """The engine driven by messages alone, as a client does that does not map"""
    client = server.client()
    for _ in range(20):
        working(client).works()
        client.unmap(RING, 0x20000)


@served("--polled")
def test_halts(server):
    """An error is seen in memory, and the channel can be started again"""
    channel = polled(server.client())
    channel.add(0x7000000, RING + 4096, 8)
    channel.halts()
    channel.works()


@served("--polled")
def test_interrupts(server):
    """MSI-X is heard; the kinds whose status is cleared by reading are not offered"""
    client = server.client()
    for index, count in ((INTX, 0), (MSI, 0), (MSIX, 1)):
        expect(client.call(IRQ_INFO, irq_info(index))[12:] == struct.pack("=I", count),
               f"index {index}")
    fd = os.eventfd(0)
    assign(client, MSIX, fd)
    client.write(CONFIG, MSIX_CONTROL, ENABLE_MSIX)
    channel = polled(client)
    for _ in range(5):
        interrupt(channel)
        expect(heard(fd) == 1, "once")
    channel.add_null()
    channel.finish()
    expect(not is_heard(fd), "heard of a descriptor that does not interrupt")
    os.close(fd)


@served("--polled")
def test_reset(server):
    """DEVICE_RESET is seen in memory"""
    client = server.client()
    channel = polled(client)
    channel.works()
    channel.registers.write(INTRDELAY, 2, 0x123)
    client.reset()
    bar = channel.registers
    expect(bar.read(CHANSTS, 8) == HALTED, f"CHANSTS {bar.read(CHANSTS, 8):#x}")
    expect(bar.read(CHANCMP, 8) == 0 and bar.read(INTRDELAY, 2) & 0x3FFF == 0, "CHANCMP, INTRDELAY")
    channel.works()


@served("--polled")
def test_reset_in_dma(server):
    """DEVICE_RESET while the engine copies what a store announced"""
    client = server.client()
    channel = polled(client)
    data = Memory(0x4000000, 2 << 20).map(client)
    for turn in range(20):
        channel.start()
        for _ in range(12):
            channel.add(data.iova, data.iova + (1 << 20), 1 << 20)
        channel.announce()
        client.reset()
        after = bytes([turn]) * (1 << 20)
        data.write(data.iova + (1 << 20), after)
        for _ in range(20):
            client.call(GET_INFO, get_info())
        expect(data.read(data.iova + (1 << 20), 1 << 20) == after, "written behind the answer")
    channel.works()


@served("--polled")
def test_unmap(server):
    """When DMA_UNMAP is answered the engine has let go, also of what a store announced"""
    client = server.client()
    channel = polled(client)
    for _ in range(20):
        data = Memory(0x4000000, 2 << 20).map(client)
        channel.start()
        for _ in range(12):
            channel.add(data.iova, data.iova + (1 << 20), 1 << 20, 0)
        channel.announce()
        client.unmap(data.iova, data.size)
        os.truncate(data.fd, 0)
    channel.works()


@served("--polled")
def test_socket_memory(server):
    """Memory without a descriptor, announced by a store"""
    polled(server.client(), SocketMemory).works()


@served("--polled")
def test_descriptor_is_ours(server):
    """The client cannot take the register page from under the server by cutting its file off"""
    client = server.client()
    got = client.ask(REGION_INFO, region_info(BAR0, 4096))
    for fd in got.fds:
        try:
            os.truncate(fd, 0)
        except OSError:
            pass
        os.close(fd)
    working(client).works()


@served("--polled")
def test_scribble(server):
    """Whatever is stored to the registers, the server goes on"""
    client = server.client()
    channel = polled(client)
    bar = channel.registers.memory
    rng = random.Random(1)
    for turn in range(30):
        channel.start()
        for _ in range(10):
            channel.add(RING + 4096, RING + 8192, 1000)
        channel.announce()
        for _ in range(100):
            offset = rng.randrange(0x100)
            bar[offset] = rng.randrange(256)
        if turn % 3 == 0:
            bar[:] = rng.randbytes(PAGE)
        client.reset()
        expect(client.read(BAR0, 8, 1) == b"\x33", f"turn {turn}: CBVER")
    channel.works()


@served("--polled")
def test_left_behind(server):
    """Stores of a client that has left do not harm the next"""
    first = server.client()
    channel = polled(first)
    channel.works()
    first.close()
    second = server.client()
    other = polled(second)
    channel.registers.write(0x86, 2, 5)
    channel.registers.memory[:] = bytes(PAGE)
    second.reset()
    other.works()


@served("--polled")
def test_reconnect(server):
    """Client after client maps the registers, and leaves in the middle of its copies"""
    for _ in range(50):
        client = server.client()
        channel = polled(client)
        channel.works()
        for _ in range(10):
            channel.add(RING + 4096, RING + 8192, 1000)
        channel.announce()
        client.close()


@served("--polled", sockets=2)
def test_two_functions(server):
    """Two functions, each with registers of its own"""
    one, two = polled(server.client(0)), polled(server.client(1))
    for _ in range(20):
        one.works()
        two.works()
    one.client.reset()
    expect(two.state() not in (HALTED, ARMED), "the second one was reset as well")


def seconds_run(server):
    """Processor time that the server has used."""
    with open(f"/proc/{server.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for_sleep(server):
    """Waits until the server uses no time; printed is how much that is over a second."""
    def sleeps():
        before = seconds_run(server)
        time.sleep(0.1)
        return seconds_run(server) - before < 0.02

    wait_until(sleeps, "the server never sleeps")


@served("--polled")
def test_asleep(server):
    """A store wakes a server that sleeps"""
    channel = polled(server.client())
    for _ in range(5):
        wait_for_sleep(server)
        channel.works()
    wait_for_sleep(server)
    before = seconds_run(server)
    time.sleep(1)
    print(f"# asleep with a client: {(seconds_run(server) - before) * 100:.0f} % of a core")


if __name__ == "__main__":
    run(__name__)
