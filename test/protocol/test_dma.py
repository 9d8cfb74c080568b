# SPDX-License-Identifier: BSD-3-Clause
"""Section 5: DMA_MAP and DMA_UNMAP."""

import os
import resource
import socket
import tempfile

from ioat import Channel, Memory, READ_ERRORS, WRITE_ERRORS, working
from server import run, served
from socket_memory import SocketMemory
from tap import expect
from vfio_user import (DMA_MAP, DMA_UNMAP, GET_INFO, MALFORMED, NOT_MEMORY, NO_REPLY, NO_ROOM,
                       OVERLAP, READABLE, UNKNOWN_RANGE, UNMAP_ALL, WRITEABLE, dma_map, dma_unmap,
                       get_info)

PAGE = 4096
TOP = 1 << 64
# Where the memory of a second mapping is.
ELSEWHERE = 0x4000000


@served()
def test_shared(server):
    """Memory with a descriptor is read and written where the client has it"""
    working(server.client()).works()


@served()
def test_offset(server):
    """The mapping begins at the offset in the file"""
    client = server.client()
    channel = working(client)
    memory = Memory(ELSEWHERE, 16 * PAGE)
    client.map(ELSEWHERE, 4 * PAGE, offset=8 * PAGE, fd=memory.fd)
    memory.bytes[8 * PAGE + 100:8 * PAGE + 104] = b"here"
    channel.copy(ELSEWHERE + 100, ELSEWHERE + 3 * PAGE, 4)
    expect(memory.bytes[11 * PAGE:11 * PAGE + 4] == b"here", "not at the offset")


@served()
def test_kept_without_file(server):
    """The mapping stays when the client has closed its descriptor"""
    client = server.client()
    channel = working(client)
    os.close(channel.memory.fd)
    channel.works()
    channel.memory.fd = os.memfd_create("for close()")


@served()
def test_directions(server):
    """What may only be read is not written, and the reverse"""
    client = server.client()
    channel = working(client)
    for flags, errors in ((READABLE, WRITE_ERRORS), (WRITEABLE, READ_ERRORS)):
        memory = Memory(ELSEWHERE, PAGE).map(client, flags)
        memory.write(ELSEWHERE, b"before")
        source, destination = channel.ring + channel.DATA, ELSEWHERE
        if flags == WRITEABLE:
            source, destination = destination, source
        # The way that is allowed.
        channel.start().copy(destination, source, 6)
        channel.start().add(source, destination, 6)
        expect((error := channel.halts()) in errors, f"CHANERR {error:#x} with flags {flags}")
        expect(memory.read(ELSEWHERE, 6) in (b"before", bytes(6)), "it was written")
        client.unmap(ELSEWHERE, PAGE)


@served()
def test_read_only_file(server):
    """A file that can only be read serves for what may only be read"""
    client = server.client()
    channel = working(client)
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"read only".ljust(PAGE))
        file.flush()
        fd = os.open(file.name, os.O_RDONLY)
        try:
            client.refused(DMA_MAP, dma_map(ELSEWHERE, PAGE), NOT_MEMORY, (fd,))
            client.map(ELSEWHERE, PAGE, READABLE, fd=fd)
        finally:
            os.close(fd)
        data = channel.ring + channel.DATA
        channel.copy(ELSEWHERE, data, 9)
        expect(channel.memory.read(data, 9) == b"read only", "copied from the file")


@served()
def test_not_mapped(server):
    """Memory that is not mapped, or no longer, halts the engine"""
    client = server.client()
    channel = working(client)
    data = channel.ring + channel.DATA
    memory = Memory(ELSEWHERE, PAGE).map(client)
    channel.copy(ELSEWHERE, data, 8)
    client.unmap(ELSEWHERE, PAGE)
    channel.add(ELSEWHERE, data, 8)
    expect((error := channel.halts()) in READ_ERRORS, f"source: CHANERR {error:#x}")
    channel.start().add(data, ELSEWHERE, 8)
    expect((error := channel.halts()) in WRITE_ERRORS, f"destination: CHANERR {error:#x}")
    channel.works()
    memory.map(client)
    channel.copy(ELSEWHERE, data, 8)


@served()
def test_across(server):
    """A copy may cross from one mapping into the next, and not into a gap"""
    client = server.client()
    channel = working(client)
    data = channel.ring + channel.DATA
    Memory(ELSEWHERE, PAGE).map(client).write(ELSEWHERE, b"a" * PAGE)
    Memory(ELSEWHERE + PAGE, PAGE).map(client).write(ELSEWHERE + PAGE, b"b" * PAGE)
    channel.copy(ELSEWHERE + PAGE - 100, data, 200)
    expect(channel.memory.read(data, 200) == b"a" * 100 + b"b" * 100, "copied across")
    channel.add(ELSEWHERE + 2 * PAGE - 100, data, 200)
    expect(channel.halts() in READ_ERRORS, "copied from a gap")


@served()
def test_malformed(server):
    """DMA_MAP that cannot be: EINVAL, and nothing is mapped"""
    client = server.client()
    good = dma_map(ELSEWHERE, PAGE)
    bad = [good[:length] for length in (1, 8, 24, 31)]
    bad += [dma_map(ELSEWHERE, PAGE, argsz=argsz) for argsz in (0, 1, 31)]
    bad += [dma_map(ELSEWHERE, PAGE, flags)
            for flags in (0, 4, 8, 0x10, 0x13, 0x80000003, 0xFFFFFFFF)]
    bad += [dma_map(ELSEWHERE, size) for size in (0, 1, PAGE - 1, PAGE + 1, PAGE // 2, TOP - 1)]
    bad += [dma_map(address, PAGE) for address in (1, PAGE - 1, PAGE // 2, ELSEWHERE + 8, TOP - 1)]
    bad += [dma_map(TOP - PAGE, 2 * PAGE), dma_map(TOP // 2, TOP // 2 + PAGE),
            dma_map(PAGE, TOP - PAGE // 2)]
    memory = Memory(0, 4 * PAGE)
    for payload in bad:
        client.refused(DMA_MAP, payload)
        client.refused(DMA_MAP, payload, NOT_MEMORY, (memory.fd,))
    client.refused(DMA_UNMAP, dma_unmap(ELSEWHERE, PAGE), UNKNOWN_RANGE)
    client.map(ELSEWHERE, PAGE)


@served()
def test_long_structure(server):
    """A structure, and an argsz, that are longer than this version's"""
    client = server.client()
    for argsz in (32, 33, 64, 0xFFFFFFFF):
        client.call(DMA_MAP, dma_map(ELSEWHERE, PAGE, argsz=argsz) + bytes(32))
        reply = client.call(DMA_UNMAP, dma_unmap(ELSEWHERE, PAGE, argsz=argsz) + bytes(16))
        expect(len(reply) == 24, "length of the reply")


@served()
def test_edges(server):
    """Addresses from the lowest to the highest, and a terabyte of them"""
    client = server.client()
    for address, size in ((0, PAGE), (TOP - 2 * PAGE, PAGE), (TOP // 2, 1 << 40)):
        client.map(address, size)
        client.unmap(address, size)


@served()
def test_overlap(server):
    """A mapping over another one: EEXIST, and the first one stays"""
    client = server.client()
    memory = Memory(0, 16 * PAGE)
    client.map(ELSEWHERE, 4 * PAGE, fd=memory.fd)
    for first, pages in ((0, 1), (1, 1), (3, 1), (-1, 2), (3, 2), (-1, 6), (1, 2), (0, 3), (0, 5),
                         (-1, 5)):
        for fds in ((), (memory.fd,)):
            client.refused(DMA_MAP, dma_map(ELSEWHERE + first * PAGE, pages * PAGE), OVERLAP, fds)
    client.map(ELSEWHERE - PAGE, PAGE)
    client.map(ELSEWHERE + 4 * PAGE, PAGE)
    client.unmap(ELSEWHERE, 4 * PAGE)


@served()
def test_repeat(server):
    """The same mapping once more is a success; one that differs in anything is an overlap"""
    client = server.client()
    memory, other = Memory(0, 16 * PAGE), Memory(0, 16 * PAGE)
    client.map(ELSEWHERE, 4 * PAGE, fd=memory.fd)
    client.map(ELSEWHERE, 4 * PAGE, fd=memory.fd)
    client.map(ELSEWHERE, 4 * PAGE, fd=memory.fd)
    for payload, fds in ((dma_map(ELSEWHERE, 4 * PAGE, READABLE), (memory.fd,)),
                         (dma_map(ELSEWHERE, 4 * PAGE, offset=PAGE), (memory.fd,)),
                         (dma_map(ELSEWHERE, 4 * PAGE), (other.fd,)),
                         (dma_map(ELSEWHERE, 4 * PAGE), ())):
        client.refused(DMA_MAP, payload, OVERLAP, fds)
    # It is one mapping, however often it was asked for.
    client.unmap(ELSEWHERE, 4 * PAGE)
    client.refused(DMA_UNMAP, dma_unmap(ELSEWHERE, 4 * PAGE), UNKNOWN_RANGE)
    client.map(ELSEWHERE, PAGE)
    client.map(ELSEWHERE, PAGE)
    client.refused(DMA_MAP, dma_map(ELSEWHERE, PAGE), OVERLAP, (memory.fd,))


@served()
def test_short_file(server):
    """A file shorter than what is to be mapped of it"""
    client = server.client()
    memory = Memory(0, 4 * PAGE)
    for offset, size in ((0, 5 * PAGE), (PAGE, 4 * PAGE), (4 * PAGE, PAGE), (1 << 40, PAGE),
                         ((1 << 63) - PAGE, PAGE), (TOP - PAGE, PAGE), (TOP - PAGE, 2 * PAGE)):
        client.refused(DMA_MAP, dma_map(ELSEWHERE, size, offset=offset), NOT_MEMORY, (memory.fd,))
    client.map(ELSEWHERE, PAGE, offset=3 * PAGE, fd=memory.fd)


@served()
def test_no_memory(server):
    """Descriptors of what is no memory"""
    client = server.client()
    pipe, pair = os.pipe(), socket.socketpair()
    opened = [os.open("/dev/null", os.O_RDWR), os.open("/dev/zero", os.O_RDWR),
              os.open("/", os.O_RDONLY), os.open("/", os.O_PATH),
              os.open("/proc/self/maps", os.O_RDONLY), os.eventfd(0), *pipe]
    for fd in (*opened, pair[0].fileno(), client.sock.fileno()):
        for flags in (READABLE, READABLE | WRITEABLE):
            client.refused(DMA_MAP, dma_map(ELSEWHERE, PAGE, flags), NOT_MEMORY, (fd,))
    for fd in opened:
        os.close(fd)
    client.map(ELSEWHERE, PAGE)


@served()
def test_many_descriptors(server):
    """More descriptors than one: EINVAL, and all of them are closed"""
    client = server.client()
    memory = Memory(0, 4 * PAGE)
    before = server.fds_with(client)
    for count in (2, 3, 8):
        client.refused(DMA_MAP, dma_map(ELSEWHERE, PAGE), MALFORMED, (memory.fd,) * count)
    client.call(GET_INFO, get_info())
    expect((fds := server.fds_with(client)) == before, f"{fds} descriptors open, not {before}")
    client.map(ELSEWHERE, PAGE, fd=memory.fd)


@served()
def test_unmap(server):
    """DMA_UNMAP wants whole mappings: ENOENT for a part, also beside a whole one, and for nothing"""
    client = server.client()
    client.map(ELSEWHERE, 4 * PAGE)
    client.map(ELSEWHERE + 4 * PAGE, 4 * PAGE)
    for first, pages in ((0, 1), (0, 3), (1, 3), (3, 1), (0, 5), (-1, 6), (8, 1), (3, 2), (2, 6),
                         (-1, 1), (0, 0)):
        client.refused(DMA_UNMAP, dma_unmap(ELSEWHERE + first * PAGE, pages * PAGE), UNKNOWN_RANGE)
    client.unmap(ELSEWHERE, 4 * PAGE)
    client.refused(DMA_UNMAP, dma_unmap(ELSEWHERE, 4 * PAGE), UNKNOWN_RANGE)
    client.unmap(ELSEWHERE + 4 * PAGE, 4 * PAGE)


@served()
def test_unmap_range(server):
    """DMA_UNMAP takes all mappings in a range, as QEMU asks for it behind a virtual IOMMU"""
    client = server.client()
    for first in (0, 1, 4, 9):
        client.map(ELSEWHERE + first * PAGE, PAGE)
    client.unmap(ELSEWHERE - PAGE, 7 * PAGE)
    for first in (0, 1, 4):
        client.refused(DMA_UNMAP, dma_unmap(ELSEWHERE + first * PAGE, PAGE), UNKNOWN_RANGE)
    client.refused(DMA_UNMAP, dma_unmap(ELSEWHERE, 8 * PAGE), UNKNOWN_RANGE)
    client.unmap(ELSEWHERE + 9 * PAGE, PAGE)
    for first in range(4):
        client.map(ELSEWHERE + first * PAGE, PAGE)
    client.unmap(0, 1 << 47)
    client.refused(DMA_UNMAP, dma_unmap(0, 1 << 47), UNKNOWN_RANGE)


@served()
def test_unmap_all(server):
    """DMA_UNMAP of all, also when there is nothing; of all with a range: EINVAL"""
    client = server.client()
    client.unmap(0, 0, UNMAP_ALL)
    memory = Memory(0, PAGE)
    for i in range(10):
        client.map(ELSEWHERE + 2 * i * PAGE, PAGE, fd=memory.fd if i % 2 else None)
    for address, size in ((ELSEWHERE, PAGE), (0, PAGE), (ELSEWHERE, 0), (0, TOP - 1)):
        client.refused(DMA_UNMAP, dma_unmap(address, size, UNMAP_ALL))
    client.unmap(0, 0, UNMAP_ALL)
    for i in range(10):
        client.refused(DMA_UNMAP, dma_unmap(ELSEWHERE + 2 * i * PAGE, PAGE), UNKNOWN_RANGE)
    client.unmap(0, 0, UNMAP_ALL)


@served()
def test_unmap_malformed(server):
    """DMA_UNMAP that cannot be: EINVAL"""
    client = server.client()
    client.map(ELSEWHERE, PAGE)
    good = dma_unmap(ELSEWHERE, PAGE)
    bad = [good[:length] for length in (1, 8, 23)]
    bad += [dma_unmap(ELSEWHERE, PAGE, argsz=argsz) for argsz in (0, 1, 23)]
    bad += [dma_unmap(ELSEWHERE, PAGE, flags) for flags in (1, 3, 4, 0x80000000, 0xFFFFFFFF)]
    for payload in bad:
        client.refused(DMA_UNMAP, payload)
    client.unmap(ELSEWHERE, PAGE)


@served()
def test_unmap_with_descriptor(server):
    """A descriptor that comes with DMA_UNMAP, as some clients send it, is closed"""
    client = server.client()
    memory = Memory(ELSEWHERE, PAGE).map(client)
    client.unmap(ELSEWHERE, PAGE)
    before = server.fds_with(client)
    memory.map(client)
    reply = client.call(DMA_UNMAP, dma_unmap(ELSEWHERE, PAGE), (memory.fd,))
    expect(reply == dma_unmap(ELSEWHERE, PAGE), "the request, repeated")
    expect((fds := server.fds_with(client)) == before, f"{fds} descriptors open, not {before}")


@served()
def test_unmap_lets_go(server):
    """When DMA_UNMAP is answered the server has let go of the memory, whatever was running"""
    client = server.client()
    channel = working(client)
    source = Memory(ELSEWHERE, 1 << 20)
    target = Memory(ELSEWHERE * 2, 1 << 20)
    for _ in range(20):
        source.map(client)
        target.map(client)
        channel.start()
        for _ in range(12):
            channel.add(source.iova, target.iova, 1 << 20, 0)
        channel.announce()
        client.unmap(target.iova, target.size)
        after = os.urandom(1 << 20)
        target.write(target.iova, after)
        client.unmap(source.iova, source.size)
        channel.wait_for(lambda: channel.state() != 0, "the end of the copies")
        expect(target.read(target.iova, target.size) == after, "written behind the answer")
    with open(f"/proc/{server.pid}/maps") as maps:
        mapped = sum("memfd:udma-protocol" in line for line in maps)
    expect(mapped <= 1, f"{mapped} files are mapped, not just the ring")


@served()
def test_thousands(server):
    """Thousands of mappings of one file, more than a process may have descriptors"""
    client = server.client()
    memory = Memory(0, 4 * PAGE)
    limit, _ = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (min(limit, 256), limit))
    try:
        for i in range(3000):
            client.map(ELSEWHERE + i * PAGE, PAGE, offset=i % 4 * PAGE, fd=memory.fd)
        memory.bytes[2 * PAGE:2 * PAGE + 4] = b"2002"
        channel = working(client)
        data = channel.ring + channel.DATA
        channel.copy(ELSEWHERE + 2002 * PAGE, data, 4)
        expect(channel.memory.read(data, 4) == b"2002", "another page")
        client.unmap(0, 0, UNMAP_ALL)
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (limit, limit))


@served()
def test_too_many(server):
    """65535 mappings are accepted; one more is ENOSPC, until there is room again"""
    client = server.client()
    for i in range(65535):
        client.post(DMA_MAP, dma_map(2 * i * PAGE, PAGE), flags=NO_REPLY)
    client.refused(DMA_MAP, dma_map(2 * 65535 * PAGE, PAGE), NO_ROOM)
    # The same again takes no room.
    client.map(0, PAGE)
    client.map(2 * 65534 * PAGE, PAGE)
    client.unmap(2 * 777 * PAGE, PAGE)
    client.map(2 * 65535 * PAGE, PAGE)
    client.refused(DMA_MAP, dma_map(2 * 777 * PAGE, PAGE), NO_ROOM)
    client.unmap(0, 0, UNMAP_ALL)
    client.map(0, PAGE)


@served(sockets=64)
def test_mappings_are_shared(server):
    """Functions of one process share its mappings: a client that takes its share takes no more"""
    with open("/proc/sys/vm/max_map_count") as file:
        limit = int(file.read())
    memory = Memory(0, 4 * PAGE)
    first = server.client(0)
    count = error = 0
    while error == 0 and count <= limit // 64:
        first.post(DMA_MAP, dma_map(count * PAGE, PAGE, offset=count % 2 * 2 * PAGE), (memory.fd,))
        error = first.receive().error
        count += error == 0
    expect(error in NO_ROOM, f"error {error} for mapping {count}")
    expect(limit // 64 // 2 < count < limit // 64, f"{count} mappings of {limit}")
    # Room comes back, and what takes none is still there.
    first.map(count * PAGE, PAGE)
    first.unmap(0, PAGE)
    first.map(0, PAGE, fd=memory.fd)
    for which in (1, 63):
        working(server.client(which)).works()


@served()
def test_own_addresses(server):
    """Two clients, one after the other, have nothing of each other's memory"""
    first = server.client()
    channel = working(first)
    first.close()
    second = server.client()
    channel = Channel(second, Memory(channel.ring, 0x20000))
    channel.start()
    channel.add_null()
    expect(channel.halts() != 0, "the ring of the client that left was read")
    SocketMemory(ELSEWHERE, PAGE).map(second)


if __name__ == "__main__":
    run(__name__)
