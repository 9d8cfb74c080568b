# SPDX-License-Identifier: BSD-3-Clause
"""Section 9: what a client may answer to DMA_READ and DMA_WRITE, and what it may do instead."""

import errno
import threading
import time

from ioat import CHANERR, HALTED, Memory, READ_ERRORS, WRITE_ERRORS, working
from server import Server, run, served
from socket_memory import (DATA, FAR, RING, await_command, by_socket, collect, error_reply,
                           expect_completed, post_doorbell, span, with_limit)
from tap import expect
from vfio_user import (Closed, DMA_MAP, DMA_READ, DMA_UNMAP, DMA_WRITE, GET_INFO, NO_REPLY, PATIENCE,
                       REPLY, RESET, VERSION, dma_header, dma_map, dma_unmap, get_info, message,
                       version)


@served(sockets=2)
def test_never_answered(server):
    """A client that never answers holds up only itself, and is served or dropped in the end"""
    client, other = server.client(0), working(server.client(1))
    channel = by_socket(client)
    channel.add_null()
    post_doorbell(channel)
    expect(await_command(client)[0].command == DMA_READ, "DMA_READ")
    question = client.post(GET_INFO, get_info())
    second = server.connect(0)
    second.expect_closed()
    other.works()
    try:
        while (got := client.receive()).number != question:
            expect(got.flags == REPLY, f"a second command without an answer to the first: {got}")
    except Closed:
        pass
    other.works()


def await_question(client):
    """A client that the server has asked for something, and waits for."""
    channel = by_socket(client)
    channel.add_null()
    post_doorbell(channel)
    expect(await_command(client)[0].command == DMA_READ, "DMA_READ")
    return client


REPLY_TO_NOTHING = message(DMA_READ, b"", 0x9999, REPLY)


@served(sockets=3)
def test_anything_but_an_answer(server):
    """Bytes, replies to nothing and commands: each now and then, they do not put off the end"""
    says = (iter(message(DMA_READ, bytes(10000), 0x9999, REPLY)[i:i + 1] for i in range(10000)),
            iter([REPLY_TO_NOTHING] * 10000),
            iter([message(GET_INFO, get_info())] * 1000))
    talking = [(await_question(server.client(i)), pieces) for i, pieces in enumerate(says)]
    give_up = time.monotonic() + PATIENCE
    while talking:
        expect(time.monotonic() < give_up, f"{len(talking)} clients are not given up")
        for client, pieces in talking[:]:
            try:
                client.send(next(pieces))
            except Closed:
                talking.remove((client, pieces))
        time.sleep(0.2)


def test_told_to_end_while_flooded():
    """Told to end while replies to nothing come without a pause, the server ends with status 0"""
    server = Server()
    client = await_question(server.client())

    def flood():
        try:
            while True:
                client.send(REPLY_TO_NOTHING * 10000)
        except Closed:
            pass

    flooding = threading.Thread(target=flood)
    flooding.start()
    try:
        expect((status := server.end()) == 0, f"status {status}:\n{server.errors()}")
    finally:
        server.remove()
        flooding.join()


@served()
def test_nonsense_while_waiting(server):
    """While the server waits: other types, unexpected replies, VERSION, descriptors"""
    client = server.client()
    channel = by_socket(client)
    memory = Memory(FAR, 0x1000)
    before = server.fds_with(client)
    channel.add_null()
    doorbell = post_doorbell(channel)
    got, replies = await_command(client)
    client.send(message(GET_INFO, get_info(), 0x1000, 7), (memory.fd,))
    client.send(message(VERSION, version(), 0x1001))
    client.send(message(RESET, b"", 0x1002, REPLY), (memory.fd,))
    client.send(message(0x55, bytes(100000), 0x1003))
    client.send(message(GET_INFO, get_info(), 0x1004, NO_REPLY), (memory.fd,))
    client.send(message(DMA_MAP, dma_map(FAR, 0x1000), 0x1005), (memory.fd,))
    client.send(client.memory.reply_to(got), (memory.fd,))
    collect(client, replies, doorbell, 0x1000, 0x1001, 0x1003, 0x1005,
            refused=(0x1000, 0x1001, 0x1003))
    expect_completed(channel)
    expect((fds := server.fds_with(client)) == before, f"{fds} descriptors open, not {before}")
    channel.copy(channel.ring, FAR, 8)


@served()
def test_end_while_waiting(server):
    """While the server waits: a stream that cannot be followed, half a message, or too much"""
    for stream in (message(GET_INFO, size=15), message(GET_INFO, size=0xFFFFFFFF),
                   message(GET_INFO, get_info())[:20], message(GET_INFO, get_info()) * 3000,
                   message(DMA_READ, size=15, flags=REPLY), message(0x55, bytes(1 << 20)) * 20):
        client = server.client()
        channel = by_socket(client)
        channel.add_null()
        post_doorbell(channel)
        await_command(client)
        try:
            client.send(stream)
        except Closed:
            pass
        client.close()


@served()
def test_errors(server):
    """An error reply, with whatever number in it, halts the channel; it can be started again"""
    channel = by_socket(server.client())
    memory = channel.memory
    for error in (errno.EFAULT, errno.EINVAL, errno.ENOSYS, 0, 4096, 4097, 0x7FFFFFFF, 0x80000000,
                  0xFFFFFFFF):
        for command, address, errors in ((DMA_READ, DATA, READ_ERRORS),
                                         (DMA_WRITE, DATA + 100, WRITE_ERRORS)):
            def fail(got, reply, command=command, address=address, error=error):
                at, count = span(got)
                hit = got.command == command and at <= address < at + count
                return error_reply(got, error) if hit else reply

            channel.start()
            memory.tamper = fail
            channel.add(DATA, DATA + 100, 16)
            expect((bits := channel.halts()) in errors, f"CHANERR {bits:#x} for command {command}")
            memory.tamper = None
    channel.works()


@served()
def test_error_anywhere(server):
    """An error at each of the server's accesses in turn: descriptor, source, destination, word"""
    channel = by_socket(server.client())
    memory = channel.memory
    for which in range(4):
        channel.start()
        memory.asked.clear()
        memory.tamper = lambda got, reply, which=which: (
            error_reply(got) if len(memory.asked) - 1 == which else reply)
        channel.add(DATA, DATA + 100, 16)
        bits = channel.halts()
        expect(bits & (bits - 1) == 0, f"CHANERR {bits:#x} at access {which}")
        memory.tamper = None
    channel.works()


@served()
def test_error_within(server):
    """An error in a later piece of a split transfer"""
    channel = by_socket(server.client(capabilities=with_limit(100)))
    memory = channel.memory
    for command, errors in ((DMA_READ, READ_ERRORS), (DMA_WRITE, WRITE_ERRORS)):
        at = DATA if command == DMA_READ else DATA + 8192
        channel.start()

        def fail(got, reply, command=command, at=at):
            hit = got.command == command and span(got)[0] <= at + 500 < sum(span(got))
            return error_reply(got) if hit else reply

        memory.tamper = fail
        channel.add(DATA, DATA + 8192, 1000)
        expect((bits := channel.halts()) in errors, f"CHANERR {bits:#x}")
        memory.tamper = None
    channel.works()


@served()
def test_wrong_number(server):
    """A reply with another id is one that nobody waits for: ignored, and the right one is taken"""
    channel = by_socket(server.client())

    def wrong_first(got, reply):
        wrong = bytearray(reply)
        wrong[0] ^= 0x55
        wrong[-1] ^= 0xFF
        return bytes(wrong) + reply

    channel.memory.tamper = wrong_first
    channel.works()


@served()
def test_wrong_command(server):
    """A reply with another command is no good reply, and no harm"""
    channel = by_socket(server.client())
    for command in (0, GET_INFO, DMA_READ, DMA_WRITE, 0xFFFF):

        def another_first(got, reply, command=command):
            if command == got.command:
                return reply
            return message(command, reply[16:], got.number, REPLY) + reply

        channel.memory.tamper = another_first
        channel.start()
        channel.add(DATA, DATA + 100, 16)
        channel.announce()
        channel.wait_for(lambda: channel.state() == HALTED or channel.completed() & ~7, "an end")
        channel.memory.tamper = None
    channel.works()


def lies(got, good):
    """Replies that do not repeat the request (section 15.7), or lack something of the data."""
    address, count = span(got)
    data = good[32:]
    yield message(got.command, dma_header(address + 1, count) + data, got.number, REPLY)
    yield message(got.command, dma_header(address, count + 1) + data, got.number, REPLY)
    yield message(got.command, dma_header(address, count + 1 << 32) + data, got.number, REPLY)
    yield message(got.command, dma_header(address, 0) + data, got.number, REPLY)
    if got.command == DMA_READ:
        yield message(got.command, b"", got.number, REPLY)
    else:
        yield error_reply(got)
    yield message(got.command, good[16:24], got.number, REPLY)
    if got.command == DMA_READ:
        yield message(got.command, dma_header(address, count), got.number, REPLY)
        yield message(got.command, dma_header(address, count) + data[:-1], got.number, REPLY)
        yield message(got.command, dma_header(address, count) + data + b"x", got.number, REPLY)
        yield message(got.command, dma_header(address, count) + bytes(100000), got.number, REPLY)
        yield message(got.command, dma_header(address, count - 1) + data[:-1], got.number, REPLY)
        yield message(got.command, dma_header(1 << 63, (1 << 64) - 1) + data, got.number, REPLY)


@served()
def test_lies(server):
    """Replies of another address, count or length: the channel halts, the stream is in step"""
    channel = by_socket(server.client())
    memory = channel.memory
    for command, at, errors in ((DMA_READ, DATA, READ_ERRORS),
                                (DMA_WRITE, DATA + 100, WRITE_ERRORS)):
        for which in range(12 if command == DMA_READ else 6):
            def lie(got, reply, command=command, at=at, which=which):
                if got.command != command or not span(got)[0] <= at < sum(span(got)):
                    return reply
                return list(lies(got, reply))[which]

            channel.start()
            memory.tamper = lie
            channel.add(DATA, DATA + 100, 16)
            expect((bits := channel.halts()) in errors,
                   f"CHANERR {bits:#x}, command {command}, lie {which}")
            memory.tamper = None
            channel.client.call(GET_INFO, get_info())
    channel.works()


@served()
def test_short_write_reply(server):
    """The reply to DMA_WRITE may repeat a count of 4 bytes, as the specification's table has it"""
    channel = by_socket(server.client())
    channel.memory.tamper = lambda got, reply: (
        reply if got.command == DMA_READ else message(DMA_WRITE, reply[16:28], got.number, REPLY))
    channel.works()


@served()
def test_twice(server):
    """A reply that is sent twice counts once"""
    channel = by_socket(server.client())
    channel.memory.tamper = lambda got, reply: reply + reply
    channel.works()
    channel.memory.tamper = None
    channel.works()


@served()
def test_byte_by_byte(server):
    """A reply that arrives one byte at a time"""
    client = server.client()
    channel = by_socket(client)

    def slowly(_, reply):
        client.send_bytes(reply)

    channel.memory.tamper = slowly
    channel.works()


@served()
def test_unmap_while_waiting(server):
    """DMA_UNMAP of memory that the server waits for is answered, and a late reply does no harm"""
    client = server.client()
    for _ in range(10):
        channel = by_socket(client)
        channel.add(DATA, DATA + 100, 16)
        doorbell = post_doorbell(channel)
        got, replies = await_command(client)
        late = client.memory.reply_to(got)
        unmap = client.post(DMA_UNMAP, dma_unmap(RING, 0x20000))
        client.send(late)
        collect(client, replies, doorbell, unmap, answer=error_reply)
        client.memory = None
        channel.wait_for(lambda: channel.state() == HALTED, "HALTED")
        client.reset()


@served()
def test_reset_while_waiting(server):
    """DEVICE_RESET while the server waits: the power-on state, and a late reply changes nothing"""
    client = server.client()
    for _ in range(10):
        channel = by_socket(client)
        channel.add(DATA, DATA + 100, 16)
        doorbell = post_doorbell(channel)
        got, replies = await_command(client)
        late = client.memory.reply_to(got)
        reset = client.post(RESET)
        client.send(late)
        collect(client, replies, doorbell, reset, answer=error_reply)
        client.memory = None
        expect(channel.status() == HALTED and channel.registers.read(CHANERR, 4) == 0,
               "power-on state")
        client.unmap(RING, 0x20000)


if __name__ == "__main__":
    run(__name__)
