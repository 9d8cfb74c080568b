# SPDX-License-Identifier: BSD-3-Clause
"""Memory without a descriptor, which the server reaches by DMA_READ and DMA_WRITE (section 9)."""

import struct

from ioat import Channel, DMACOUNT, Memory, working
from tap import expect
from vfio_user import (BAR0, DMA_READ, DMA_WRITE, ERROR, NO_REPLY, QEMU, READABLE, REGION_WRITE,
                       REPLY, TYPE, WRITEABLE, dma_header, message, region_write)


class SocketMemory:
    """Memory that the server reaches by DMA_READ and DMA_WRITE (section 9)."""

    def __init__(self, iova, size):
        self.iova, self.size = iova, size
        self.bytes = bytearray(size)
        self.asked = []
        # What is sent instead of the good reply: a function of the command and that reply.
        self.tamper = None

    def map(self, client, flags=READABLE | WRITEABLE):
        client.map(self.iova, self.size, flags)
        client.memory = self
        return self

    read, write = Memory.read, Memory.write

    def reply_to(self, got):
        """The good reply; checks the command (sections 2 and 9)."""
        expect(got.command in (DMA_READ, DMA_WRITE), f"no command of a server: {got}")
        expect(got.flags & ~NO_REPLY == 0 and got.error == 0, f"flags of a command: {got}")
        expect(got.fds == (), f"descriptors with {got}")
        address, count = struct.unpack_from("=QQ", got.payload)
        expect(count > 0 and self.iova <= address and address + count <= self.iova + self.size,
               f"{count} bytes at {address:#x} were not offered")
        if got.command == DMA_READ:
            expect(len(got.payload) == 16 and not got.flags, f"DMA_READ: {got}")
            data = self.read(address, count)
        else:
            data = b""
            expect(len(got.payload) == 16 + count, f"DMA_WRITE of {count}: {len(got.payload)}")
            self.write(address, got.payload[16:])
        return message(got.command, dma_header(address, count) + data, got.number, REPLY)

    def answer(self, client, got):
        self.asked.append(got)
        reply = self.reply_to(got)
        if self.tamper is not None:
            reply = self.tamper(got, reply)
        if reply and not got.flags & NO_REPLY:
            client.send(reply)


RING = 0x100000
DATA = RING + Channel.DATA
FAR = 0x8000000
FAULT = 14


def by_socket(client, size=0x20000):
    return working(client, RING, size, SocketMemory)


def with_limit(limit):
    """What a client says that takes no more than so many bytes in a message."""
    return {"capabilities": {**QEMU["capabilities"], "max_data_xfer_size": limit}}


def span(got):
    """Address and count of a DMA command."""
    return struct.unpack_from("=QQ", got.payload)


def error_reply(got, error=FAULT):
    return message(got.command, b"", got.number, REPLY | ERROR, error)


def post_doorbell(channel):
    """Announces without waiting for the reply. Returns the number of the command."""
    return channel.client.post(REGION_WRITE,
                               region_write(BAR0, DMACOUNT, struct.pack("<H", channel.count)))


def await_command(client):
    """The next command of the server, and the replies that came before it, by their numbers."""
    replies = {}
    while (got := client.receive()).flags & TYPE == REPLY:
        replies[got.number] = got
    return got, replies


def collect(client, replies, *numbers, answer=None, refused=()):
    """Answers the server's commands until the replies to these numbers are there, in any order."""
    while not set(numbers) <= replies.keys():
        got = client.receive()
        if got.flags & TYPE == REPLY:
            replies[got.number] = got
        elif answer:
            client.send(answer(got))
        else:
            client.memory.answer(client, got)
    expect(replies.keys() == set(numbers), f"replies nobody asked for: {replies}")
    expect(all((got.error != 0) == (got.number in refused) for got in replies.values()),
           f"{replies}")
    return replies


def expect_completed(channel):
    """What was announced comes to its good end."""
    channel.wait_for(lambda: channel.completed() & ~7 == channel.slot(channel.count - 1),
                     "completion")
