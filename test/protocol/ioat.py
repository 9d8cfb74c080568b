# SPDX-License-Identifier: BSD-3-Clause
"""Just enough of an I/OAT driver to see the function work through the protocol.

Offsets and bits are those of the hardware reference, sections 2 to 9, written out.
"""

import ctypes
import mmap
import os
import select
import struct

from tap import expect
from vfio_user import BAR0, CONFIG, EVENTFD, PATIENCE, READABLE, TRIGGER, WRITEABLE, wait_until

# Configuration space.
COMMAND = 0x04
MEMORY_AND_MASTER = 0x0006
MSIX_CONTROL = 0x82
MSI_CONTROL = 0xD2
ENABLE_MSIX = b"\x00\x80"
ENABLE_MSI = b"\x01\x00"

# General and channel registers.
INTRCTRL = 0x03
CBVER = 0x08
INTRDELAY = 0x0C
CHANCTRL = 0x80
CHANCMD = 0x84
DMACOUNT = 0x86
CHANSTS = 0x88
CHAINADDR = 0x90
CHANCMP = 0x98
CHANERR = 0xA8

RESET_CHANNEL = 0x20
# ANY_ERR_ABORT, ERR_COMPLETION.
REPORT_ERRORS = 0x000C
REARM = 0x0001

ACTIVE, IDLE, HALTED, ARMED = 0, 1, 3, 4
STATE = 7

# Descriptor control.
INT_EN, COMPL_UPDATE, FENCE, NULL = 1, 8, 16, 32

READ_ERRORS = {0x001, 0x100}
WRITE_ERRORS = {0x002, 0x200}


class Messages:
    """The registers, by messages."""

    def __init__(self, client):
        self.client = client

    def read(self, offset, width):
        return int.from_bytes(self.client.read(BAR0, offset, width), "little")

    def write(self, offset, width, value):
        self.client.write(BAR0, offset, value.to_bytes(width, "little"))


class Mapped:
    """The registers, as memory: each access one load or store of its width."""

    TYPES = {1: ctypes.c_uint8, 2: ctypes.c_uint16, 4: ctypes.c_uint32, 8: ctypes.c_uint64}

    def __init__(self, memory):
        self.memory = memory

    def read(self, offset, width):
        return self.TYPES[width].from_buffer(self.memory, offset).value

    def write(self, offset, width, value):
        self.TYPES[width].from_buffer(self.memory, offset).value = value


class Memory:
    """Memory with a file behind it, shared with the server."""

    def __init__(self, iova, size):
        self.iova, self.size = iova, size
        self.fd = os.memfd_create("udma-protocol")
        os.truncate(self.fd, size)
        self.bytes = mmap.mmap(self.fd, size)

    def map(self, client, flags=READABLE | WRITEABLE):
        client.map(self.iova, self.size, flags, fd=self.fd)
        return self

    def read(self, iova, count):
        return self.bytes[iova - self.iova:iova - self.iova + count]

    def write(self, iova, data):
        self.bytes[iova - self.iova:iova - self.iova + len(data)] = data

    def close(self):
        self.bytes.close()
        os.close(self.fd)

    def __del__(self):
        if not self.bytes.closed:
            self.close()


class Channel:
    """The channel: a ring at the beginning of `memory`, and the completion word behind it."""

    SLOTS = 16
    WORD = SLOTS * 64
    # What is behind both, for the data.
    DATA = 4096

    def __init__(self, client, memory, registers=None):
        self.client, self.memory = client, memory
        self.registers = registers or Messages(client)
        self.ring = memory.iova
        self.word = memory.iova + self.WORD
        self.count = 0

    def slot(self, number):
        return self.ring + number % self.SLOTS * 64

    def start(self, control=REPORT_ERRORS):
        """Brings the channel up from any state, ready for the first descriptor."""
        self.client.write(CONFIG, COMMAND, MEMORY_AND_MASTER.to_bytes(2, "little"))
        self.registers.write(CHANERR, 4, self.registers.read(CHANERR, 4))
        self.registers.write(CHANCMD, 1, RESET_CHANNEL)
        self.wait_for(lambda: not self.registers.read(CHANCMD, 1) & RESET_CHANNEL, "end of RESET")
        self.memory.write(self.word, bytes(8))
        self.registers.write(CHANCTRL, 2, control)
        self.registers.write(CHANCMP, 8, self.word)
        self.registers.write(CHAINADDR, 8, self.ring)
        self.wait_for(lambda: self.state() == ARMED, "ARMED")
        self.count = 0
        return self

    def wait_for(self, condition, what):
        """Waits, while the server's DMA commands are answered."""
        def pumped():
            self.client.read(CONFIG, 0, 4)
            return condition()

        wait_until(pumped, lambda: f"waited for {what}: CHANSTS {self.status():#x}, "
                                   f"CHANERR {self.registers.read(CHANERR, 4):#x}")

    def status(self):
        return self.registers.read(CHANSTS, 8)

    def state(self):
        return self.status() & STATE

    def add(self, source, destination, size, control=COMPL_UPDATE):
        """Writes a descriptor that is not announced."""
        at = self.slot(self.count)
        self.memory.write(at, struct.pack("<IIQQQ32x", size, control, source, destination,
                                          self.slot(self.count + 1)))
        self.count += 1

    def add_null(self, control=COMPL_UPDATE):
        self.add(0, 0, 8, control | NULL)

    def announce(self):
        self.registers.write(DMACOUNT, 2, self.count & 0xFFFF)

    def completed(self):
        return struct.unpack("<Q", self.memory.read(self.word, 8))[0]

    def finish(self):
        """Announces what was added, and waits for its good end."""
        last = self.slot(self.count - 1)
        self.announce()

        def done():
            expect(self.completed() & STATE != HALTED, f"halted: word {self.completed():#x}, "
                   f"CHANERR {self.registers.read(CHANERR, 4):#x}")
            return self.completed() & ~STATE == last

        self.wait_for(done, f"completion of {last:#x}")

    def halts(self):
        """Announces what was added, and waits for its bad end. Returns CHANERR."""
        self.announce()
        self.wait_for(lambda: self.state() == HALTED, "HALTED")
        chanerr = self.registers.read(CHANERR, 4)
        expect(chanerr != 0, "halted without an error")
        return chanerr

    def copy(self, source, destination, size):
        self.add(source, destination, size)
        self.finish()

    def works(self):
        """A null descriptor and a copy, from any state."""
        self.start()
        self.add_null()
        self.finish()
        data = self.memory.iova + self.DATA
        self.memory.write(data, b"seen by the engine")
        self.copy(data, data + 2000, 18)
        expect(self.memory.read(data + 2000, 18) == b"seen by the engine", "the copy differs")


def working(client, iova=0x100000, size=0x20000, kind=Memory):
    """A channel that has been started, with memory of its own."""
    return Channel(client, kind(iova, size).map(client)).start()


def is_heard(fd):
    return bool(select.select([fd], [], [], 0)[0])


def heard(fd):
    """Waits for an interrupt. Returns how many there were."""
    expect(select.select([fd], [], [], PATIENCE)[0], "no interrupt")
    return os.eventfd_read(fd)


def assign(client, index, *fds, start=0):
    client.irqs(index, EVENTFD | TRIGGER, start, len(fds), fds=fds)


def interrupt(channel):
    """Runs a null descriptor that interrupts."""
    channel.registers.write(INTRCTRL, 1, 1)
    channel.registers.write(CHANCTRL, 2, REPORT_ERRORS | REARM)
    channel.add_null(COMPL_UPDATE | INT_EN)
    channel.finish()
