# SPDX-License-Identifier: BSD-3-Clause
"""Sections 1 and 2: the stream, the header, and what is answered to whom."""

import random
import struct

from ioat import Memory
from server import run, served
from tap import expect
from vfio_user import (BAR0, COMMAND, CONFIG, DIRTY_PAGES, DMA_MAP, DMA_READ, DMA_UNMAP, DMA_WRITE,
                       ERROR, FEATURE, GET_INFO, HEADER, IO_FDS, IRQ_INFO, LARGEST, MALFORMED,
                       MIG_READ, MIG_WRITE, MSIX, NONE, NO_REPLY, OVERSIZE, READABLE, REGION_INFO,
                       REGION_READ, REGION_WRITE, REPLY, RESET, SET_IRQS, TRIGGER, UNKNOWN_COMMAND,
                       VERSION, WRITE_MULTI, dma_map, dma_unmap, feature, get_info, io_fds,
                       irq_info, message, region_info, region_read, region_write, set_irqs,
                       version, write_multi)

# INTRDELAY keeps what is written to it: a place in BAR0 to see writes by.
DELAY = 0x0C


def delay(client):
    return struct.unpack("<H", client.read(BAR0, DELAY, 2))[0] & 0x3FFF


def write_delay(value):
    return region_write(BAR0, DELAY, struct.pack("<H", value))


def expect_answers(client, numbers):
    """The replies to REGION_READ of the vendor id, in this order."""
    for number in numbers:
        expect(client.reply(number, REGION_READ).payload[16:] == b"\x86\x80", "vendor id")


@served()
def test_ids(server):
    """A reply carries the id and the command that it answers; ids may repeat"""
    client = server.client()
    for number in (0, 1, 1, 0x7FFF, 0x8000, 0xFFFF, 0xFFFF):
        client.send(message(GET_INFO, get_info(), number))
        client.reply(number, GET_INFO)


@served()
def test_order(server):
    """A hundred commands in one piece are executed and answered in their order"""
    client = server.client()
    read = region_read(BAR0, DELAY, 2)
    stream = b"".join(message(REGION_WRITE, write_delay(i), i) +
                      message(REGION_READ, read, 1000 + i) for i in range(100))
    client.send(stream)
    for i in range(100):
        client.reply(i, REGION_WRITE)
        got = struct.unpack("<H", client.reply(1000 + i, REGION_READ).payload[16:])[0]
        expect(got & 0x3FFF == i, f"{got:#x} was read behind {i:#x} being written")


@served()
def test_bytes(server):
    """Messages that arrive one byte at a time"""
    connection = server.connect()
    connection.send_bytes(message(VERSION, version(), 5))
    expect(connection.receive().number == 5, "reply to VERSION")
    connection.send_bytes(message(REGION_READ, region_read(CONFIG, 0, 2), 6))
    expect(connection.receive().payload[16:] == b"\x86\x80", "vendor id")
    memory = Memory(0x10000, 0x1000)
    connection.send_bytes(message(DMA_MAP, dma_map(0x10000, 0x1000), 7), (memory.fd,))
    expect(connection.receive().flags == REPLY, "DMA_MAP")


@served()
def test_cuts(server):
    """A message in two pieces, cut at each place, and the end of one together with the next"""
    client = server.client()
    one = message(REGION_READ, region_read(CONFIG, 0, 2), 9)
    for cut in range(1, len(one)):
        client.send(one[:cut])
        client.send(one[cut:])
        expect_answers(client, [9])
        client.send(one + one[:cut])
        expect_answers(client, [9])
        client.send(one[cut:])
        expect_answers(client, [9])


@served()
def test_random_cuts(server):
    """A stream of messages of all lengths, cut at random"""
    client = server.client()
    rng = random.Random(1)
    stream, expected = b"", []
    for number in range(400):
        if rng.randrange(3):
            stream += message(REGION_READ, region_read(CONFIG, 0, 2), number)
            expected.append(True)
        else:
            # Answered with an error, its body passed over.
            stream += message(0x55, rng.randbytes(rng.randrange(3000)), number)
            expected.append(False)
    while stream:
        cut = rng.choice([1, 7, 16, 100, 5000])
        client.send(stream[:cut])
        stream = stream[cut:]
    for number, known in enumerate(expected):
        if known:
            expect_answers(client, [number])
        else:
            client.expect_error(number, 0x55, UNKNOWN_COMMAND)


@served()
def test_short_sizes(server):
    """A message size below 16: an error and the end, for nothing behind it can be trusted"""
    for size in (0, 1, 15):
        client = server.client()
        client.send(message(REGION_READ, region_read(CONFIG, 0, 2), 3, size=size))
        client.expect_error(3, REGION_READ, OVERSIZE)
        client.expect_closed()
        client.close()


@served()
def test_long_sizes(server):
    """A message size above the largest message: an error and the end; no byte is a command"""
    for size in (LARGEST + 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF):
        client = server.client()
        client.send(message(REGION_WRITE, write_delay(1), 1))
        client.reply(1, REGION_WRITE)
        client.send(message(REGION_WRITE, message(REGION_WRITE, write_delay(2)) * 4, 3, size=size))
        client.expect_error(3, REGION_WRITE, OVERSIZE)
        client.expect_closed()
        client.close()
        client = server.client()
        expect(delay(client) == 1, "the body was taken for a command")
        client.close()


@served()
def test_bad_size_without_reply(server):
    """A message size that cannot be and No_reply: the end, and no error reply"""
    for size in (0, 15, LARGEST + 1, 0xFFFFFFFF):
        client = server.client()
        client.send(message(GET_INFO, get_info(), flags=NO_REPLY, size=size))
        client.expect_closed()
        client.close()


@served()
def test_largest(server):
    """The largest message is taken in whole, and the next is the next"""
    client = server.client()
    body = message(REGION_WRITE, write_delay(2)) * (LARGEST // 34 + 1)
    client.refused(0x55, body[:LARGEST - 16], UNKNOWN_COMMAND)
    client.refused(REGION_WRITE, region_write(BAR0, 0, bytes(1 << 20)))
    expect(delay(client) == 0, "the body was taken for a command")


@served()
def test_types(server):
    """A type that is neither command nor reply: EINVAL, and the body is passed over"""
    client = server.client()
    for kind in range(2, 16):
        for payload in (b"", write_delay(2), bytes(100000)):
            client.send(message(REGION_WRITE, payload, kind, kind))
            client.expect_error(kind, REGION_WRITE, MALFORMED)
    expect(delay(client) == 0, "it was executed")


@served()
def test_unexpected_replies(server):
    """Replies nobody waits for are ignored, with their bodies"""
    client = server.client()
    for command in (0, GET_INFO, REGION_WRITE, DMA_READ, DMA_WRITE, 0xFFFF):
        for flags in (REPLY, REPLY | ERROR, REPLY | NO_REPLY):
            for payload in (b"", write_delay(2), bytes(100000)):
                client.send(message(command, payload, 0, flags, error=14))
    expect(delay(client) == 0, "it was executed")


@served()
def test_unknown_flags(server):
    """Flag bits that are not known are ignored, and what a command has in the error field"""
    client = server.client()
    for bit in range(6, 32):
        client.send(message(REGION_READ, region_read(CONFIG, 0, 2), bit, 1 << bit))
        expect_answers(client, [bit])
    client.send(message(REGION_READ, region_read(CONFIG, 0, 2), 1, error=0xFFFFFFFF))
    expect_answers(client, [1])


@served()
def test_unknown_commands(server):
    """Commands that do not exist, and those of the server: EINVAL, and the body is passed over"""
    client = server.client()
    for command in (0, DMA_READ, DMA_WRITE, DIRTY_PAGES, 19, 0xFF, 0x100 + GET_INFO, 0xFFFF):
        for payload in (b"", write_delay(2), bytes(100000)):
            client.refused(command, payload, UNKNOWN_COMMAND)
    expect(delay(client) == 0, "the body was taken for a command")


@served()
def test_bare_headers(server):
    """A bare header of any command but DEVICE_RESET: EINVAL"""
    client = server.client()
    for command in range(20):
        if command != RESET:
            client.refused(command)


# Each command with what it takes, and one that it refuses.
COMMANDS = [
    (DMA_MAP, dma_map(0x10000, 0x1000, READABLE), dma_map(1, 1)),
    (DMA_UNMAP, dma_unmap(0x10000, 0x1000), dma_unmap(0x50000, 0x1000)),
    (GET_INFO, get_info(), get_info(0)),
    (REGION_INFO, region_info(BAR0), region_info(77)),
    (IO_FDS, io_fds(BAR0), io_fds(77)),
    (IRQ_INFO, irq_info(MSIX), irq_info(77)),
    (SET_IRQS, set_irqs(MSIX, NONE | TRIGGER, 0, 0), set_irqs(77, NONE | TRIGGER)),
    (REGION_READ, region_read(BAR0, 0, 16384), region_read(BAR0, 16384, 8)),
    (REGION_WRITE, write_delay(77), region_write(BAR0, 16384, b"12345678")),
    (WRITE_MULTI, write_multi((BAR0, DELAY, b"\x05\0")), write_multi(count=5)),
    (RESET, b"", b""),
    (VERSION, version(), b""),
    (DMA_READ, bytes(16), b""), (DMA_WRITE, bytes(24), b""), (DIRTY_PAGES, bytes(16), b""),
    (FEATURE, feature(1 << 16 | 1), b""), (MIG_READ, feature(16), b""),
    (MIG_WRITE, feature(0), b""), (0, bytes(16), b""), (0x4711, bytes(16), b""),
]


@served()
def test_no_reply(server):
    """No_reply on any command, good or bad: nothing is sent, not even an error"""
    client = server.client()
    memory = Memory(0x10000, 0x1000)
    for command, good, bad in COMMANDS:
        for fds in ((), (memory.fd,), (memory.fd, memory.fd)):
            client.post(command, good, fds, NO_REPLY)
            client.post(command, bad, fds, NO_REPLY)
            client.is_silent()


@served()
def test_no_reply_is_executed(server):
    """A command with No_reply is executed"""
    client = server.client()
    client.post(REGION_WRITE, write_delay(0x123), flags=NO_REPLY)
    expect(delay(client) == 0x123, "REGION_WRITE")
    client.post(WRITE_MULTI, write_multi((BAR0, DELAY, b"\x21\x03")), flags=NO_REPLY)
    expect(delay(client) == 0x321, "REGION_WRITE_MULTI")
    client.post(RESET, flags=NO_REPLY)
    expect(delay(client) == 0, "DEVICE_RESET")
    client.post(DMA_MAP, dma_map(0x10000, 0x1000), flags=NO_REPLY)
    client.unmap(0x10000, 0x1000)
    client.map(0x10000, 0x1000)
    client.post(DMA_UNMAP, dma_unmap(0x10000, 0x1000), flags=NO_REPLY)
    client.map(0x10000, 0x2000)


@served()
def test_whole_replies(server):
    """A reply arrives whole: header and payload are sent by one call"""
    client = server.client()
    expected = {
        HEADER.size + 16 + 4096: (REGION_READ, region_read(CONFIG, 0, 4096)),
        HEADER.size + 16 + 2: (REGION_READ, region_read(CONFIG, 0, 2)),
        HEADER.size + 16: (GET_INFO, get_info()),
        HEADER.size + 32: (REGION_INFO, region_info(BAR0)),
    }
    for _ in range(200):
        for size, (command, payload) in expected.items():
            client.send(message(command, payload, flags=COMMAND))
            got = client.sock.recv(65536)
            expect(len(got) == size, f"{len(got)} bytes of a reply of {size} came by themselves")


if __name__ == "__main__":
    run(__name__)
