# SPDX-License-Identifier: BSD-3-Clause
"""Section 16, the commands and what is in them: what a server must survive. Each case bears the
name of its box; the errors that are given in detail are in the file of the topic."""

import os
import random
import struct

from ioat import CHANCMP, DMACOUNT, Memory, working
from server import run, served
from tap import expect
from vfio_user import (BAR0, BOOL, CONFIG, Closed, DMA_MAP, DMA_UNMAP, EVENTFD, GET_INFO, IO_FDS,
                       IRQS, IRQ_INFO, MASK, MSIX, NONE, NO_REPLY, REGIONS, REGION_INFO,
                       REGION_READ, REGION_WRITE, RESET, SET_IRQS, TRIGGER, UNKNOWN_RANGE,
                       UNMAP_ALL, VERSION, WRITE_MULTI, dma_map, dma_unmap, feature, get_info,
                       io_fds, irq_info, message, region_info, region_read, region_write, set_irqs,
                       version, write_multi)

PAGE = 4096
FAR = 0x4000000
TOP = 1 << 64
INTERESTING = (0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 0x7F, 0x80, 0xFF, 0x100, 0xFFF, 0x1000, 0x3FFF,
               0x4000, 0xFFFF, 0x10000, 0xFFFFF, 0x100000, 0x100001, 0x7FFFFFFF, 0x80000000,
               0xFFFFFFFF)


@served()
def test_map(server):
    """DMA_MAP with size 0, address + size overflow, unaligned offset, overlaps"""
    client = server.client()
    memory = Memory(FAR, 4 * PAGE)
    values = (0, 1, PAGE - 1, PAGE, PAGE + 1, 1 << 31, 1 << 32, 1 << 47, 1 << 63, TOP - PAGE,
              TOP - 1)
    for address in values:
        for size in values:
            for fds in ((), (memory.fd,)):
                for offset in (0, 1, PAGE, TOP - PAGE):
                    client.survives(DMA_MAP, dma_map(address, size, offset=offset), fds)
                client.call(DMA_UNMAP, dma_unmap(0, 0, UNMAP_ALL))
    working(client).works()


@served()
def test_thousands_of_maps(server):
    """Thousands of maps, mapped and unmapped in random order"""
    client = server.client()
    memory = Memory(FAR, 4 * PAGE)
    rng = random.Random(1)
    mapped = set()
    for _ in range(10000):
        page = rng.randrange(4000)
        if page in mapped:
            client.post(DMA_UNMAP, dma_unmap(FAR + page * PAGE, PAGE), flags=NO_REPLY)
            mapped.remove(page)
        else:
            client.post(DMA_MAP, dma_map(FAR + page * PAGE, PAGE, offset=page % 4 * PAGE),
                        (memory.fd,) if page % 2 else (), NO_REPLY)
            mapped.add(page)
    for page in range(4000):
        if page in mapped:
            client.unmap(FAR + page * PAGE, PAGE)
        else:
            client.refused(DMA_UNMAP, dma_unmap(FAR + page * PAGE, PAGE), UNKNOWN_RANGE)


@served()
def test_unmap(server):
    """DMA_UNMAP partial, unknown, all, and while a transfer is running"""
    client = server.client()
    channel = working(client)
    for turn in range(60):
        memory = Memory(FAR, 2 << 20).map(client)
        channel.start()
        for _ in range(8):
            channel.add(FAR, FAR + (1 << 20), 1 << 20, 0)
        channel.announce()
        client.refused(DMA_UNMAP, dma_unmap(FAR, PAGE), UNKNOWN_RANGE)
        client.refused(DMA_UNMAP, dma_unmap(2 * FAR, PAGE), UNKNOWN_RANGE)
        if turn % 2:
            client.unmap(FAR, memory.size)
        else:
            client.unmap(0, 0, UNMAP_ALL)
            channel.memory.map(client)
        # When it is answered the memory is the client's alone.
        os.truncate(memory.fd, 0)
        channel.wait_for(lambda: channel.state() != 0, "an end")
    channel.works()


@served()
def test_argsz(server):
    """argsz smaller than the structure and huge (FFFFFFFFh); memory is not allocated by it"""
    client = server.client()
    before = server.status("VmSize")
    for argsz in INTERESTING:
        for command, payload in ((DMA_MAP, dma_map(FAR, PAGE, argsz=argsz)),
                                 (DMA_UNMAP, dma_unmap(FAR, PAGE, argsz=argsz)),
                                 (GET_INFO, get_info(argsz)),
                                 (REGION_INFO, region_info(BAR0, argsz)),
                                 (IO_FDS, io_fds(BAR0, argsz)), (IRQ_INFO, irq_info(MSIX, argsz)),
                                 (SET_IRQS, set_irqs(MSIX, NONE | TRIGGER, argsz=argsz)),
                                 (16, feature(1 << 16 | 1, argsz=argsz)),
                                 (17, feature(argsz, argsz=argsz)),
                                 (18, feature(argsz, argsz=argsz))):
            expect(client.survives(command, payload), f"command {command}, argsz {argsz:#x}")
    grown = server.status("VmSize") - before
    expect(grown < 1 << 20, f"{grown} KiB more than before")


@served()
def test_region_access(server):
    """REGION access: offset near 2^64, count 0 or over the limit, odd widths, absent regions"""
    client = server.client()
    counts = (0, 1, 3, 5, 6, 7, 8, 16, 4096, 16384, 0x100000, 0x100001, 0xFFFFFFFF)
    for region in (*range(REGIONS + 2), 0xFFFFFFFF):
        for offset in (0, 1, 4095, 4096, 16383, 16384, 1 << 32, TOP - 16384, TOP - 8, TOP - 1):
            for count in counts:
                expect(client.survives(REGION_READ, region_read(region, offset, count)),
                       "REGION_READ")
                expect(client.survives(REGION_WRITE, region_write(region, offset, bytes(8), count)),
                       "REGION_WRITE")
                if count <= 4096:
                    expect(client.survives(REGION_WRITE,
                                           region_write(region, offset, bytes(count))),
                           "REGION_WRITE")
    client.reset()
    expect(len(client.read(CONFIG, 0, 4096)) == 4096,
           "configuration space reads of the whole region")
    for width in (3, 5, 6, 7, 16):
        client.write(BAR0, CHANCMP, bytes(range(width))[:8])
        expect(client.read(BAR0, CHANCMP, min(width, 8)) == bytes(range(width))[:8],
               f"width {width}")


@served()
def test_write_multi(server):
    """REGION_WRITE_MULTI: count not of the payload, entries over 8, a bad region in the middle"""
    client = server.client()
    good = (BAR0, CHANCMP, b"12345678")
    for count in (0, 1, 3, 200, 1 << 31, 1 << 32, 1 << 60, 1 << 61, (1 << 61) + 2, TOP // 24 + 1,
                  TOP - 1):
        expect(client.survives(WRITE_MULTI, write_multi(good, good, count=count)),
               f"count {count:#x}")
    for said in (0, 9, 16, 0x100, 0x80000000, 0xFFFFFFFF):
        expect(client.survives(WRITE_MULTI, write_multi(good, (BAR0, CHANCMP, b"x", said), good)),
               f"entry {said:#x}")
    for region in (1, 8, 9, 0xFFFFFFFF):
        client.write(BAR0, CHANCMP, bytes(8))
        reply = client.call(WRITE_MULTI,
                            write_multi(good, (region, 0, b"x"), (BAR0, CHANCMP, b"too late")))
        expect(reply == struct.pack("=Q", 1), f"{reply.hex()}")
        expect(client.read(BAR0, CHANCMP, 8) == b"12345678", "those before, and none behind")
    # As many as fit into the largest message.
    most = (1 << 20) // 24
    reply = client.call(WRITE_MULTI, struct.pack("=Q", most) + write_multi(good)[8:] * most)
    expect(reply == struct.pack("=Q", most), f"{reply.hex()}")


@served("--interrupts=msix,msi,intx")
def test_set_irqs(server):
    """SET_IRQS start + count overflow, count without fds, fds without count, all five indexes"""
    client = server.client()
    fd = os.eventfd(0)
    numbers = (0, 1, 2, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
    for index in (*range(IRQS + 1), 0xFFFFFFFF):
        for flags in (NONE | TRIGGER, BOOL | TRIGGER, EVENTFD | TRIGGER, NONE | MASK,
                      EVENTFD | MASK, 0, 0xFFFFFFFF):
            for start in numbers:
                for count in numbers:
                    for fds in ((), (fd,), (fd, fd)):
                        data = b"\1" if flags & BOOL else b""
                        expect(client.survives(SET_IRQS, set_irqs(index, flags, start, count, data),
                                               fds), "SET_IRQS")
    for index in range(IRQS):
        client.irqs(index, NONE | TRIGGER, 0, 0)
        # A trigger when nothing is assigned.
        client.survives(SET_IRQS, set_irqs(index, NONE | TRIGGER))
    os.close(fd)


@served()
def test_version_again(server):
    """VERSION twice, late"""
    client = server.client()
    for payload in (version(), version(None), b"", version(major=9), version(b"{"), version(b"{}")):
        client.refused(VERSION, payload)
        client.call(GET_INFO, get_info())


def tries(server, text):
    """A VERSION of which it only matters that it is answered or refused."""
    connection = server.connect()
    try:
        connection.send(message(VERSION, version(text + b"\0")))
        got = connection.receive()
        expect(got.command == VERSION, f"{got}")
        if got.error == 0:
            connection.send(message(GET_INFO, get_info(), 9))
            expect(connection.receive().number == 9, "GET_INFO")
        else:
            connection.expect_closed()
    except Closed:
        pass
    connection.close()


@served()
def test_version_deep(server):
    """VERSION: deep or huge JSON"""
    for deep in (10, 31, 32, 33, 100, 1000, 100000, 250000):
        for head, tail in ((b"[", b"]"), (b'{"a":', b"}")):
            nested = head * deep + (b"1" if head != b"[" else b"") + tail * deep
            if len(nested) < 1 << 20:
                tries(server, nested)
                tries(server, b'{"capabilities":' + nested + b"}")
                tries(server, b'{"capabilities":{"x":' + nested + b"}}")
                tries(server, nested[:len(nested) // 2])
    tries(server, b'{"' + b"x" * 1000000 + b'":1}')
    tries(server, b'{"capabilities":{"x":"' + b"y" * 1000000 + b'"}}')
    tries(server,
          b'{"capabilities":{' + b",".join(b'"%d":%d' % (i, i) for i in range(60000)) + b"}}")
    tries(server, b'{"capabilities":{"x":[' + b"1," * 400000 + b"1]}}")
    tries(server, b" " * 1000000 + b"{}")


@served()
def test_version_values(server):
    """VERSION: negative, float and huge numbers"""
    for name in (b"max_msg_fds", b"max_data_xfer_size", b"max_dma_maps", b"pgsizes"):
        for value in (b"-1", b"0", b"1", b"0.5", b"8.0", b"1e3", b"-0", b"1e999", b"-1e999",
                      b"2147483648", b"4294967296", b"9223372036854775807", b"9223372036854775808",
                      b"18446744073709551616", b"1" * 400, b"NaN", b"Infinity", b"-", b"0x10",
                      b"08", b"+8"):
            tries(server, b'{"capabilities":{"' + name + b'":' + value + b"}}")
    # A client that takes less at a time than a descriptor has can still be served.
    for limit in (1, 63):
        client = server.client(capabilities={"capabilities": {"max_data_xfer_size": limit}})
        working(client).works()
        client.close()


@served()
def test_version_odd(server):
    """VERSION: duplicate members, invalid UTF-8, NULs, comments"""
    for text in (b'{"capabilities":{},"capabilities":{}}', b'{"capabilities":{},"capabilities":1}',
                 b'{"capabilities":{"max_msg_fds":8,"max_msg_fds":"x"}}',
                 b'{"capabilities":{"max_msg_fds":8,"max_msg_fds":9}}',
                 b'{"capabilities":{"\xff\xfe":1}}', b'{"capabilities":{"x":"\xc0\x80"}}',
                 b'{"x":"\xed\xa0\x80"}', b'{"x":"\\ud800"}', b'{"x":"\\u12"}', b'{"x":"\\q"}',
                 b"\xef\xbb\xbf{}", b"{}\0{}", b"\0\0\0", b"", b" ", b'{/* */"capabilities":{}}',
                 b'{"capabilities":{},}', b'{"capabilities":{"twin_socket":5}}',
                 b'{"capabilities":{"migration":5}}',
                 b'{"capabilities":{"migration":{"pgsize":3}}}', b'{"capabilities":{"":{}}}',
                 b'{"":""}'):
        tries(server, text)
    rng = random.Random(1)
    good = version()[4:-1]
    for _ in range(500):
        text = bytearray(good)
        for _ in range(rng.randint(1, 3)):
            text[rng.randrange(len(text))] = rng.randrange(256)
        tries(server, bytes(text))
    for cut in range(len(good)):
        tries(server, good[:cut])


@served("--polled")
def test_no_reply(server):
    """No_reply on any command, also those with a reply payload or fds: executed, nothing is sent"""
    client = server.client()
    memory = Memory(FAR, PAGE)
    event = os.eventfd(0)
    for _ in range(20):
        client.post(DMA_MAP, dma_map(FAR, PAGE), (memory.fd,), NO_REPLY)
        client.post(SET_IRQS, set_irqs(MSIX, EVENTFD | TRIGGER), (event,), NO_REPLY)
        client.post(SET_IRQS, set_irqs(MSIX, NONE | TRIGGER), flags=NO_REPLY)
        client.post(REGION_INFO, region_info(BAR0, 4096), flags=NO_REPLY)
        client.post(REGION_READ, region_read(CONFIG, 0, 4096), flags=NO_REPLY)
        client.post(GET_INFO, get_info(), flags=NO_REPLY)
        client.post(DMA_UNMAP, dma_unmap(FAR, PAGE), flags=NO_REPLY)
        client.post(VERSION, version(), flags=NO_REPLY)
        client.post(0x55, bytes(8), flags=NO_REPLY)
        client.post(RESET, flags=NO_REPLY)
        client.is_silent()
    expect(os.eventfd_read(event) == 20, "executed")
    client.refused(DMA_UNMAP, dma_unmap(FAR, PAGE), UNKNOWN_RANGE)
    os.close(event)


@served()
def test_reset_in_dma(server):
    """DEVICE_RESET in the middle of DMA, posted and asked, over and over"""
    client = server.client()
    channel = working(client)
    Memory(FAR, 2 << 20).map(client)
    for turn in range(100):
        channel.start()
        for _ in range(4):
            channel.add(FAR, FAR + (1 << 20), 1 << 20)
        client.post(REGION_WRITE, region_write(BAR0, DMACOUNT, struct.pack("<H", channel.count)),
                    flags=NO_REPLY)
        if turn % 2:
            client.post(RESET, flags=NO_REPLY)
        else:
            client.reset()
    channel.works()


@served()
def test_registers(server):
    """Random registers and descriptors: whatever a driver does, the server goes on"""
    client = server.client()
    rng = random.Random(1)
    channel = working(client)
    for turn in range(30):
        channel.start()
        channel.memory.write(channel.ring, b"".join(
            struct.pack("<IIQQQ32s", rng.choice(INTERESTING), rng.randrange(1 << 32),
                        channel.ring + rng.randrange(0x20000),
                        channel.ring + 4096 + rng.randrange(0x1C000),
                        channel.ring + 64 * rng.randrange(16),
                        rng.randbytes(32)) for _ in range(16)))
        client.post(REGION_WRITE, region_write(BAR0, DMACOUNT, rng.randbytes(2)), flags=NO_REPLY)
        for _ in range(100):
            region, size = rng.choice(((BAR0, 0x100), (CONFIG, 4096)))
            offset = rng.randrange(size)
            data = rng.randbytes(min(rng.choice((1, 2, 4, 8, 3, 5)), size - offset))
            client.post(REGION_WRITE, region_write(region, offset, data), flags=NO_REPLY)
        client.reset()
        expect(client.read(BAR0, 8, 1) == b"\x33", f"turn {turn}")
    channel.works()


if __name__ == "__main__":
    run(__name__)
