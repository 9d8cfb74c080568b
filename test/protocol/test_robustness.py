# SPDX-License-Identifier: BSD-3-Clause
"""Section 16, the stream: what a server must survive. Each case bears the name of its box."""

import errno
import os
import random
import select
import socket
import struct
import time

from ioat import Channel, DMACOUNT, Memory, working
from server import run, served
from socket_memory import SocketMemory
from tap import expect
from vfio_user import (BAR0, CONFIG, Closed, DMA_MAP, EVENTFD, EVERY, GET_INFO, LARGEST, MALFORMED,
                       MSIX, NO_REPLY, PATIENCE, REGION_READ, REGION_WRITE, SET_IRQS, TRIGGER,
                       UNKNOWN_COMMAND, VERSION, dma_map, get_info, goodbye, message, region_read,
                       region_write, set_irqs, version)

PAGE = 4096
FAR = 0x4000000


@served()
def test_partial(server):
    """Partial header, partial body: the rest comes late, and the server does not wait for it"""
    client = server.client()
    whole = message(REGION_READ, region_read(CONFIG, 0, 2), 7)
    for cut in (1, 15, 16, 17, 31):
        client.send(whole[:cut])
        # The time in which a server that waits for the rest would do nothing else.
        second = server.connect()
        second.expect_closed()
        client.send(whole[cut:])
        expect(client.reply(7, REGION_READ).payload[16:] == b"\x86\x80", "vendor id")


@served()
def test_glued(server):
    """Several messages in one read: every command, with descriptors for the last one"""
    client = server.client()
    memory = Memory(FAR, PAGE)
    stream = b"".join(message(*command, i) for i, command in enumerate(EVERY[1:]))
    client.send(stream)
    for i in range(len(EVERY) - 1):
        expect(client.receive().number == i, "order")
    client.send(message(GET_INFO, get_info(), 1))
    client.send(message(DMA_MAP, dma_map(FAR, PAGE), 2), (memory.fd,))
    client.send(message(GET_INFO, get_info(), 3))
    for number in (1, 2, 3):
        expect(client.receive().flags == 1, f"message {number}")
    channel = working(client)
    channel.memory.write(channel.ring + PAGE, b"mine")
    channel.copy(channel.ring + PAGE, FAR, 4)
    expect(memory.read(FAR, 4) == b"mine", "the descriptor went with another message")


@served()
def test_eof_everywhere(server):
    """EOF at every byte position"""
    memory = Memory(FAR, PAGE)
    event = os.eventfd(0)
    first = message(VERSION, version())
    for cut in range(len(first)):
        goodbye(server.connect(), first[:cut])
    for whole, fds in ((message(DMA_MAP, dma_map(FAR, PAGE)), (memory.fd,)),
                       (message(SET_IRQS, set_irqs(MSIX, EVENTFD | TRIGGER)), (event,)),
                       (message(REGION_WRITE, region_write(BAR0, 0x98, b"12345678")), ()),
                       (message(0x55, bytes(20)), ())):
        for cut in range(1, len(whole) + 1):
            goodbye(server.client(), whole[:cut], fds)
    os.close(event)


@served()
def test_eof_half(server):
    """EOF of the client's sending half: what it sent is answered, or the connection ends"""
    client = server.client()
    client.send(message(GET_INFO, get_info(), 1))
    client.sock.shutdown(socket.SHUT_WR)
    try:
        expect(client.receive().number == 1, "GET_INFO")
    except Closed:
        return
    client.expect_closed()


@served()
def test_no_reader(server):
    """RST: a client that shuts its receiving half, or leaves with replies unread"""
    for _ in range(50):
        client = server.client()
        client.sock.shutdown(socket.SHUT_RD)
        goodbye(client, message(GET_INFO, get_info()) * 10)
        client = server.client()
        goodbye(client, message(REGION_READ, region_read(BAR0, 0, 16384)) * 50)


@served()
def test_reconnect(server):
    """Client reconnect with a fresh VERSION; what the last one left half sent is forgotten"""
    for cut in (1, 15, 16, 30):
        goodbye(server.client(), message(REGION_WRITE, region_write(BAR0, 0x98, b"12345678"))[:cut])
        connection = server.connect()
        connection.send(message(GET_INFO, get_info(), 1))
        connection.expect_error(1, GET_INFO, MALFORMED)
        connection.expect_closed()
        connection.close()


@served()
def test_second_client(server):
    """A second client while one is connected is refused, a hundred times, with or without a word"""
    first = server.client()
    for turn in range(100):
        second = server.connect()
        if turn % 2:
            try:
                second.send(message(VERSION, version()))
            except Closed:
                pass
        second.expect_closed()
        second.close()
    first.call(GET_INFO, get_info())


@served()
def test_sizes(server):
    """msg_size 0, 15, 16, FFFFFFFFh, on every command"""
    for command, payload in EVERY:
        for size in (0, 15, 0xFFFFFFFF):
            client = server.client()
            client.send(message(command, payload, size=size))
            client.expect_error(1, command, {errno.EINVAL, errno.E2BIG})
            client.expect_closed()
            client.close()
    client = server.client()
    for command, _ in EVERY:
        client.survives(command)
    client.call(GET_INFO, get_info())


@served()
def test_types(server):
    """Type 2..15, reply-type messages nobody waits for, unknown flag bits, on every command"""
    client = server.client()
    for command, payload in EVERY:
        for kind in range(2, 16):
            client.send(message(command, payload, kind, kind))
            client.expect_error(kind, command, MALFORMED)
        for flags in (1, 0x21, 0x11, 0x31):
            client.send(message(command, payload, 0, flags, error=0xFFFFFFFF))
    for command, payload in EVERY[1:]:
        client.send(message(command, payload, 5, 0xFFFFFF80))
        expect(client.receive().number == 5, f"command {command}")
        # The bit of error replies in a command.
        client.send(message(command, payload, 6, 0x20))
        expect(client.receive().number == 6, f"command {command}")


@served()
def test_unknown(server):
    """Unknown commands"""
    client = server.client()
    for command in (*range(19, 300), 0x8000, 0xFFFF):
        client.refused(command, bytes(command % 50), UNKNOWN_COMMAND)


@served()
def test_oversized(server):
    """Oversized message: an error, and the end; the body is not taken for messages"""
    body = message(REGION_WRITE, region_write(BAR0, 0x98, b"too late"))
    for size in (LARGEST + 1, LARGEST + 40, 1 << 30, 0xFFFFFFFF):
        client = server.client()
        client.write(BAR0, 0x98, b"12345678")
        try:
            client.send(message(REGION_WRITE, size=size) + body * 3000)
        except Closed:
            pass
        client.expect_error(1, REGION_WRITE, {errno.EINVAL, errno.E2BIG})
        client.expect_closed()
        client.close()
        client = server.client()
        expect(client.read(BAR0, 0x98, 8) == b"12345678", "the body was executed")
        client.close()


@served()
def test_largest_dribbled(server):
    """The largest message, announced and then never sent"""
    for _ in range(50):
        goodbye(server.client(), message(REGION_WRITE, bytes(100), size=LARGEST))


@served(sockets=2)
def test_never_reads(server):
    """Client that never reads replies: it is dropped; no memory is piled up, and others go on"""
    other = working(server.client(1))
    before = server.status("VmRSS")
    deaf = server.connect()
    deaf.send(message(VERSION, version()))
    deaf.sock.setblocking(False)
    # Each asks for 16 KiB.
    ask = message(REGION_READ, region_read(BAR0, 0, 16384)) * 64
    rest, asked, give_up = b"", 0, time.monotonic() + PATIENCE
    while True:
        expect(time.monotonic() < give_up, f"not dropped; {asked} bytes of questions were taken")
        rest = rest or ask
        try:
            sent = deaf.sock.send(rest)
        except BlockingIOError:
            select.select([], [deaf.sock], [], 0.05)
            other.works()
            continue
        except (BrokenPipeError, ConnectionResetError):
            break
        rest, asked = rest[sent:], asked + sent
        grown = server.status("VmRSS") - before
        expect(grown < 64 << 10, f"the server has grown by {grown} KiB")
    deaf.close()
    other.works()
    server.client(0).call(GET_INFO, get_info())


@served(sockets=2)
def test_never_reads_commands(server):
    """Nor does a client that never reads the server's own commands hang anybody else"""
    deaf = server.client(0)
    memory = SocketMemory(0x100000, 0x200000)
    channel = Channel(deaf, memory.map(deaf)).start()
    deaf.memory = None
    deaf.post(REGION_WRITE, region_write(BAR0, DMACOUNT, struct.pack("<H", 9)), flags=NO_REPLY)
    other = working(server.client(1))
    for _ in range(20):
        other.works()
    del channel


@served(sockets=2)
def test_long_reply_unread(server):
    """A client that asks much and reads late gets it all, or is dropped; others do not wait"""
    late = server.client(0)
    late.send(message(REGION_READ, region_read(CONFIG, 0, 4096), 1) * 100)
    working(server.client(1)).works()
    try:
        for _ in range(100):
            expect(len(late.reply(1, REGION_READ).payload) == 4112, "whole")
        late.call(GET_INFO, get_info())
    except Closed:
        pass


@served()
def test_errors_unread(server):
    """Thousands of refusals that are read late come all, in their order"""
    client = server.client()
    for number in range(5000):
        client.send(message(0x55, b"", number))
    for number in range(5000):
        client.expect_error(number, 0x55, UNKNOWN_COMMAND)


@served()
def test_sigpipe(server):
    """Replies are sent to nobody: SIGPIPE is ignored"""
    for _ in range(100):
        client = server.client()
        client.post(REGION_READ, region_read(BAR0, 0, 16384))
        client.close()


@served(sockets=2)
def test_noise(server):
    """Noise: random bytes, and messages with one byte changed"""
    rng = random.Random(1)
    working(server.client(1))
    server.close_all()
    for _ in range(200):
        goodbye(server.connect(), rng.randbytes(rng.randrange(1, 300)))
        goodbye(server.client(), rng.randbytes(rng.randrange(1, 300)))
    for _ in range(400):
        client = server.client()
        stream = b""
        for command, payload in rng.sample(EVERY, 5):
            one = bytearray(message(command, payload, rng.randrange(65536)))
            one[rng.randrange(len(one))] = rng.randrange(256)
            stream += one
        goodbye(client, stream)


if __name__ == "__main__":
    run(__name__)
