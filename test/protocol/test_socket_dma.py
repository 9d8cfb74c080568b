# SPDX-License-Identifier: BSD-3-Clause
"""Section 9: memory without a descriptor, which the server reaches by DMA_READ and DMA_WRITE."""

import os

from ioat import COMPL_UPDATE, INTRDELAY, Memory, READ_ERRORS, WRITE_ERRORS, working
from server import run, served
from socket_memory import (DATA, FAR, RING, SocketMemory, await_command, by_socket, collect,
                           expect_completed, post_doorbell, span, with_limit)
from tap import expect
from vfio_user import (BAR0, CONFIG, DMA_READ, DMA_WRITE, MIB, READABLE, REGION_READ, REGION_WRITE,
                       REPLY, TYPE, WRITEABLE, message, region_read, region_write)


@served()
def test_works(server):
    """Ring, completion word and data over the socket"""
    channel = by_socket(server.client())
    channel.works()
    asked = channel.memory.asked
    expect({got.command for got in asked} == {DMA_READ, DMA_WRITE}, "both directions")


@served()
def test_no_json(server):
    """So does a client that proposed nothing"""
    by_socket(server.client(capabilities=None, minor=1)).works()


@served()
def test_between(server):
    """Copies from memory with a descriptor to memory without, and back"""
    client = server.client()
    channel = working(client, RING)
    far = SocketMemory(FAR, 0x10000).map(client)
    channel.memory.write(DATA, b"there and back")
    channel.copy(DATA, FAR + 3, 14)
    expect(far.read(FAR + 3, 14) == b"there and back", "there")
    channel.copy(FAR + 3, DATA + 1001, 14)
    expect(channel.memory.read(DATA + 1001, 14) == b"there and back", "and back")


@served()
def test_order(server):
    """The completion word is written when the data has arrived"""
    channel = by_socket(server.client())
    channel.memory.asked.clear()
    channel.copy(DATA, DATA + 5000, 100)
    writes = [span(got)[0] for got in channel.memory.asked if got.command == DMA_WRITE]
    expect(writes.index(DATA + 5000) < writes.index(channel.word), f"order {writes}")
    expect(writes[-1] == channel.word, f"order {writes}")


@served()
def test_odd(server):
    """Copies of odd lengths at odd places"""
    channel = by_socket(server.client())
    for size in (1, 2, 3, 7, 63, 65, 4095, 4097, 10001):
        data = os.urandom(size)
        channel.memory.write(DATA + 5, data)
        channel.memory.write(DATA + 20000, bytes(size + 10))
        channel.copy(DATA + 5, DATA + 20003, size)
        expect(channel.memory.read(DATA + 20000, size + 10) == bytes(3) + data + bytes(7),
               f"{size} bytes")


@served()
def test_split(server):
    """Transfers longer than the client takes come in pieces"""
    for limit, size in ((65536, 100000), (4096, 100000), (1000, 5000), (16, 300), (8, 100)):
        client = server.client(capabilities=with_limit(limit))
        channel = by_socket(client, 0x40000)
        data = os.urandom(size)
        channel.memory.write(DATA, data)
        channel.memory.asked.clear()
        channel.copy(DATA, DATA + 0x19001, size)
        expect(channel.memory.read(DATA + 0x19001, size) == data,
               f"{size} bytes in pieces of {limit}")
        moved = sum(span(got)[1] for got in channel.memory.asked)
        expect(moved == 2 * size + 64 + 8,
               f"{moved} bytes for a copy of {size}, a descriptor and a word")
        longest = max(span(got)[1] for got in channel.memory.asked)
        expect(longest <= limit, f"a piece of {longest} bytes, {limit} are taken")
        client.close()


@served()
def test_long(server):
    """The longest copy, with the limits that hold if nothing is said and if more is said"""
    for capabilities in (None, with_limit(64 * MIB)):
        client = server.client(capabilities=capabilities)
        channel = by_socket(client, 4 * MIB)
        data = os.urandom(MIB)
        channel.memory.write(DATA, data)
        channel.copy(DATA, DATA + MIB + 1, MIB)
        expect(channel.memory.read(DATA + MIB + 1, MIB) == data, "1 MiB")
        longest = max(span(got)[1] for got in channel.memory.asked)
        expect(longest <= MIB, f"a piece of {longest} bytes")
        client.close()


@served()
def test_many(server):
    """A hundred copies, a ring's worth at a time"""
    channel = by_socket(server.client())
    for turn in range(10):
        channel.memory.write(DATA, os.urandom(10 * 300))
        for i in range(10):
            channel.add(DATA + 300 * i, DATA + 8192 + 300 * i, 300, COMPL_UPDATE if i % 3 else 0)
        channel.add_null()
        channel.finish()
        expect(channel.memory.read(DATA, 3000) == channel.memory.read(DATA + 8192, 3000),
               f"turn {turn}")


@served()
def test_interleaved(server):
    """Commands that come before the reply to the server's own are answered, in their order"""
    client = server.client()
    channel = by_socket(client)
    questions = []

    def first_questions(_, reply):
        for i in range(5):
            questions.append(client.post(REGION_WRITE,
                                         region_write(BAR0, INTRDELAY, bytes([i, 0]))))
            questions.append(client.post(REGION_READ, region_read(BAR0, INTRDELAY, 1)))
        return reply

    client.memory.tamper = first_questions
    channel.memory.write(DATA, b"interleaved")
    channel.add(DATA, DATA + 100, 11)
    # The reply to the doorbell may come before or behind what it starts.
    questions.append(post_doorbell(channel))
    replies = {}
    while channel.completed() & ~7 != channel.ring:
        got = client.receive()
        if got.flags & TYPE == REPLY:
            replies[got.number] = got
        else:
            client.memory.answer(client, got)
    collect(client, replies, *questions)
    expect(len(questions) >= 41, f"{len(questions)} commands")
    expect(list(replies) == sorted(questions), f"order of the replies: {list(replies)}")
    values = [got.payload[16] for got in replies.values() if got.command == REGION_READ]
    expect(values == list(range(5)) * (len(values) // 5), f"{values}")
    expect(channel.memory.read(DATA + 100, 11) == b"interleaved", "the copy")


@served()
def test_glued_answer(server):
    """A command and the reply to the server's command, in either order, in one piece"""
    client = server.client()
    channel = by_socket(client)
    question = message(REGION_READ, region_read(CONFIG, 0, 2), 0x7777)
    for order in (lambda reply: question + reply, lambda reply: reply + question):
        channel.add_null()
        doorbell = post_doorbell(channel)
        got, replies = await_command(client)
        client.send(order(client.memory.reply_to(got)))
        collect(client, replies, doorbell, 0x7777)
        expect_completed(channel)


@served()
def test_directions(server):
    """What may only be read is never asked to be written, and the reverse"""
    client = server.client()
    channel = working(client, RING)
    for flags, errors in ((READABLE, WRITE_ERRORS), (WRITEABLE, READ_ERRORS)):
        far = SocketMemory(FAR, 0x1000).map(client, flags)
        source, target = (DATA, FAR) if flags == READABLE else (FAR, DATA)
        channel.start().copy(target, source, 8)
        far.asked.clear()
        channel.start().add(source, target, 8)
        expect((bits := channel.halts()) in errors, f"CHANERR {bits:#x}")
        expect(not far.asked, f"{far.asked}")
        client.unmap(FAR, 0x1000)


@served()
def test_across(server):
    """A copy across the border of memory with and without a descriptor"""
    client = server.client()
    channel = working(client, RING)
    Memory(FAR, 0x1000).map(client).write(FAR + 0xFF0, b"with descriptor.")
    SocketMemory(FAR + 0x1000, 0x1000).map(client).write(FAR + 0x1000, b"and without one.")
    channel.copy(FAR + 0xFF0, DATA, 32)
    expect(channel.memory.read(DATA, 32) == b"with descriptor.and without one.", "read across")
    channel.memory.write(DATA, b"half and half...")
    channel.copy(DATA, FAR + 0xFF8, 16)
    expect(client.memory.read(FAR + 0x1000, 8) == b" half...", "written across")
    channel.add(FAR + 0x1FF0, DATA, 32)
    expect(channel.halts() in READ_ERRORS, "read across the end")


@served(sockets=2)
def test_other_function(server):
    """While one function waits for its client, the other one works"""
    slow, quick = server.client(0), server.client(1)
    channel = by_socket(slow)
    channel.add_null()
    doorbell = post_doorbell(channel)
    got, replies = await_command(slow)
    other = working(quick, RING)
    for _ in range(20):
        other.works()
    slow.memory.answer(slow, got)
    collect(slow, replies, doorbell)
    expect_completed(channel)


if __name__ == "__main__":
    run(__name__)
