# SPDX-License-Identifier: BSD-3-Clause
"""Sections 1 and 10: DEVICE_RESET, and clients that come and go."""

import os
import struct

from ioat import (ARMED, CHANCMP, CHANCTRL, Channel, DMACOUNT, ENABLE_MSIX, HALTED, INTRDELAY,
                  MSIX_CONTROL, Memory, assign, heard, interrupt, is_heard, working)
from server import run, served
from socket_memory import SocketMemory
from tap import expect
from vfio_user import (BAR0, CONFIG, Closed, DMA_MAP, DMA_READ, DMA_UNMAP, GET_INFO, MSIX, NONE,
                       OVERLAP, REGION_WRITE, TRIGGER, UNKNOWN_RANGE, VERSION, dma_map, dma_unmap,
                       get_info, message, region_write, version)

PAGE = 4096
ELSEWHERE = 0x4000000


def state_of(client):
    """All of configuration space, and the registers that can be read without an effect."""
    return (client.read(CONFIG, 0, 4096), client.read(BAR0, 0, 4), client.read(BAR0, 8, 0x78),
            client.read(BAR0, 0x84, 0x7C), client.read(BAR0, 0x2000, 0x2000))


@served()
def test_power_on(server):
    """DEVICE_RESET brings registers and configuration space to their power-on state"""
    client = server.client()
    client.reset()
    fresh = state_of(client)
    channel = working(client)
    channel.works()
    client.write(CONFIG, MSIX_CONTROL, ENABLE_MSIX)
    client.write(CONFIG, 0x10, b"\0\0\0\xf0\x12\0\0\0")
    client.write(CONFIG, 0x3C, b"\x0b")
    client.write(BAR0, INTRDELAY, b"\x11\x11")
    client.write(BAR0, 0x2000, b"\x00\x00\xe0\xfe\0\0\0\0\x21\0\0\0\0\0\0\0")
    expect(state_of(client) != fresh, "nothing has changed")
    client.reset()
    expect(state_of(client) == fresh, "the power-on state")


@served()
def test_halted(server):
    """DEVICE_RESET clears an error"""
    client = server.client()
    channel = working(client)
    channel.add(ELSEWHERE, ELSEWHERE, 8)
    channel.halts()
    client.reset()
    expect(channel.registers.read(0xA8, 4) == 0 and channel.status() == HALTED, "CHANERR")
    channel.works()


@served()
def test_what_stays(server):
    """DMA mappings and eventfds stay over DEVICE_RESET"""
    client = server.client()
    fd = os.eventfd(0)
    assign(client, MSIX, fd)
    channel = working(client)
    client.map(ELSEWHERE, PAGE)
    client.reset()
    client.refused(DMA_MAP, dma_map(ELSEWHERE, 2 * PAGE), OVERLAP)
    channel.works()
    client.irqs(MSIX, NONE | TRIGGER)
    expect(heard(fd) == 1, "fired by hand")
    client.write(CONFIG, MSIX_CONTROL, ENABLE_MSIX)
    interrupt(channel)
    expect(heard(fd) == 1, "by the engine")
    os.close(fd)


@served()
def test_in_the_middle(server):
    """DEVICE_RESET while the engine copies: when it is answered nothing is written any more"""
    client = server.client()
    channel = working(client)
    data = Memory(ELSEWHERE, 4 << 20).map(client)
    source, target, size = ELSEWHERE, ELSEWHERE + (2 << 20), 1 << 20
    for turn in range(20):
        channel.start()
        data.write(source, bytes([turn + 1]) * size)
        for _ in range(12):
            channel.add(source, target, size)
        channel.announce()
        client.reset()
        data.write(target, bytes(size))
        word = channel.completed()
        for _ in range(20):
            expect(channel.status() == HALTED, f"CHANSTS {channel.status():#x}")
        expect(data.read(target, size) == bytes(size), "written behind the answer")
        expect(channel.completed() == word, "completed behind the answer")
    channel.works()


@served()
def test_many(server):
    """DEVICE_RESET a thousand times"""
    client = server.client()
    for _ in range(1000):
        client.reset()
    working(client).works()


@served()
def test_reconnect(server):
    """A client that leaves makes room at once for the next"""
    for _ in range(300):
        client = server.client()
        client.call(GET_INFO, get_info())
        client.close()


@served()
def test_reconnect_in_haste(server):
    """So does one that leaves without waiting for its replies, or before it has said a word"""
    for turn in range(300):
        connection = server.connect()
        if turn % 3 > 0:
            connection.send(message(VERSION, version()))
        if turn % 3 > 1:
            connection.send(message(GET_INFO, get_info()) * 20)
        connection.close()


@served()
def test_state_kept(server):
    """What the client set in the device is there when a client comes back"""
    client = server.client()
    client.write(BAR0, CHANCMP, b"kept it!")
    client.write(CONFIG, 0x184, b"\x12\x34\0\0")
    client.write(BAR0, CHANCTRL, b"\x0c\x00")
    before = client.read(CONFIG, 0, 4096)
    client.close()
    client = server.client()
    expect(client.read(BAR0, CHANCMP, 8) == b"kept it!", "CHANCMP")
    expect(client.read(CONFIG, 0, 4096) == before, "configuration space")


@served()
def test_mappings_dropped(server):
    """The mappings of a client that left are gone, and its descriptors are closed"""
    client = server.client()
    channel = working(client)
    memory = Memory(ELSEWHERE, PAGE).map(client)
    client.map(2 * ELSEWHERE, PAGE)
    fd = os.eventfd(0)
    assign(client, MSIX, fd)
    client.close()
    client = server.client()
    for address in (ELSEWHERE, 2 * ELSEWHERE):
        client.refused(DMA_UNMAP, dma_unmap(address, PAGE), UNKNOWN_RANGE)
    client.irqs(MSIX, NONE | TRIGGER)
    client.is_silent()
    expect(not is_heard(fd), "the eventfd is still assigned")
    with open(f"/proc/{server.pid}/maps") as maps:
        expect("memfd:udma-protocol" not in maps.read(), "the memory is still mapped")
    memory.map(client)
    del channel
    os.close(fd)


@served()
def test_goes_on(server):
    """A client that comes back with its memory goes on where the device stands"""
    client = server.client()
    channel = working(client)
    channel.copy(channel.ring + channel.DATA, channel.ring + 2 * channel.DATA, 64)
    client.close()
    client = server.client()
    channel.memory.map(client)
    again = Channel(client, channel.memory)
    again.count = channel.count
    again.copy(channel.ring + channel.DATA, channel.ring + 2 * channel.DATA, 64)


@served()
def test_leaves_in_the_middle(server):
    """A client that leaves while the engine copies: nothing is written when the next is there"""
    for _ in range(20):
        client = server.client()
        channel = working(client)
        data = Memory(ELSEWHERE, 2 << 20).map(client)
        for _ in range(12):
            channel.add(ELSEWHERE, ELSEWHERE + (1 << 20), 1 << 20)
        channel.announce()
        client.close()
        client = server.client()
        client.call(GET_INFO, get_info())
        after = os.urandom(1 << 20)
        data.write(ELSEWHERE + (1 << 20), after)
        client.reset()
        expect(data.read(ELSEWHERE + (1 << 20), 1 << 20) == after, "written when it had left")
        working(client).works()
        client.close()


@served()
def test_leaves_without_answering(server):
    """A client that leaves while the server waits for its memory"""
    for turn in range(20):
        client = server.client()
        memory = SocketMemory(0x100000, 0x2000)
        channel = working(client, kind=lambda *_: memory)
        channel.add_null()
        client.post(REGION_WRITE, region_write(BAR0, DMACOUNT, struct.pack("<H", channel.count)))
        if turn % 2:
            # Only when the server has asked.
            while client.receive().command != DMA_READ:
                pass
        client.close()
        client = server.client()
        client.reset()
        client.close()


@served()
def test_second_client(server):
    """While there is a client, another one is shown the door at once"""
    first = server.client()
    for _ in range(20):
        second = server.connect()
        second.expect_closed()
        second.close()
    second = server.connect()
    try:
        second.send(message(VERSION, version()))
        second.expect_closed()
    except Closed:
        pass
    # The first one has noticed nothing.
    working(first).works()
    first.close()
    working(server.client()).works()


@served()
def test_second_before_version(server):
    """A client that has not said a word yet is one, too"""
    first = server.connect()
    second = server.connect()
    second.expect_closed()
    first.send(message(VERSION, version()))
    expect(first.receive().flags == 1, "VERSION")


@served(sockets=2)
def test_two_functions(server):
    """Two sockets are two functions, each with a state and a client of its own"""
    first, second = server.client(0), server.client(1)
    first.write(BAR0, CHANCMP, b"first...")
    second.write(BAR0, CHANCMP, b"second..")
    expect(first.read(BAR0, CHANCMP, 8) == b"first...", "first")
    expect(second.read(BAR0, CHANCMP, 8) == b"second..", "second")
    one, two = working(first), working(second)
    for _ in range(20):
        one.works()
        two.works()
    first.reset()
    expect(two.state() != ARMED and two.state() != HALTED, "the second one was reset as well")
    first.close()
    two.works()
    again = server.client(0)
    again.map(ELSEWHERE, PAGE)
    second.map(ELSEWHERE, PAGE)


if __name__ == "__main__":
    run(__name__)
