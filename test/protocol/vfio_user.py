# SPDX-License-Identifier: BSD-3-Clause
"""vfio-user from the client's side, as raw messages: any header, any payload, cut anywhere.

Written from the protocol's text, with nothing of lib/vfio_user in it: a wrong constant there must
not cancel out. Section numbers are those of the protocol reference.
"""

import array
import errno
import json
import os
import socket
import struct
import time
import typing

from tap import expect

# Section 2: the header.
HEADER = struct.Struct("=HHIII")
TYPE = 0xF
COMMAND, REPLY = 0, 1
NO_REPLY = 0x10
ERROR = 0x20

# Section 3: the commands.
VERSION = 1
DMA_MAP = 2
DMA_UNMAP = 3
GET_INFO = 4
REGION_INFO = 5
IO_FDS = 6
IRQ_INFO = 7
SET_IRQS = 8
REGION_READ = 9
REGION_WRITE = 10
DMA_READ = 11
DMA_WRITE = 12
RESET = 13
DIRTY_PAGES = 14
WRITE_MULTI = 15
FEATURE = 16
MIG_READ = 17
MIG_WRITE = 18

# Section 5: DMA_MAP and DMA_UNMAP.
READABLE, WRITEABLE = 1, 2
UNMAP_ALL = 2

# Section 7: SET_IRQS.
NONE, BOOL, EVENTFD = 1, 2, 4
MASK, UNMASK, TRIGGER = 8, 0x10, 0x20

# Section 12: regions, interrupts, limits.
BAR0, ROM, CONFIG, VGA = 0, 6, 7, 8
REGIONS = 9
INTX, MSI, MSIX, ERR, REQ = range(5)
IRQS = 5
MIB = 1 << 20
MAX_TRANSFER = MIB
LARGEST = 16 + MIB + 64

# A server that has not answered by then never will. No test passes or fails by how fast it is.
PATIENCE = 120

# What QEMU proposes (sections 4 and 13).
QEMU = {"capabilities": {
    "max_msg_fds": 16, "max_data_xfer_size": MIB, "max_dma_maps": 65535, "pgsizes": 4096,
    "migration": {"pgsize": 4096, "max_bitmap_size": 268435456}, "write_multiple": True}}

# The errors that may be given, where sections 15 and 16 differ or leave a choice.
MALFORMED = {errno.EINVAL}
UNKNOWN_COMMAND = {errno.EINVAL}
OVERSIZE = {errno.EINVAL, errno.E2BIG}
OVERLAP = {errno.EEXIST}
UNKNOWN_RANGE = {errno.ENOENT}
NO_ROOM = {errno.ENOSPC}
# A file that is no memory: refused by a check, or by mmap itself.
NOT_MEMORY = {errno.EINVAL, errno.ENODEV, errno.EACCES, errno.EPERM, errno.EBADF, errno.ENXIO}


class Closed(Exception):
    """The server has closed the connection."""


class Message(typing.NamedTuple):
    """A message that was received."""
    number: int
    command: int
    flags: int
    error: int
    payload: bytes
    fds: tuple


def message(command, payload=b"", number=1, flags=COMMAND, error=0, size=None):
    """The bytes of a message; `size` is what the header says, if that is not the truth."""
    size = HEADER.size + len(payload) if size is None else size
    return HEADER.pack(number, command, size, flags, error) + payload


# ---- Payloads, in the order of the sections ----


def version(capabilities=QEMU, major=0, minor=0):
    """VERSION: `capabilities` is the object sent, bytes for a text of one's own, None for none."""
    text = capabilities
    if isinstance(capabilities, dict):
        text = json.dumps(capabilities, separators=(",", ":")).encode() + b"\0"
    return struct.pack("=HH", major, minor) + (text or b"")


def dma_map(address, size, flags=READABLE | WRITEABLE, offset=0, argsz=32):
    return struct.pack("=IIQQQ", argsz, flags, offset, address, size)


def dma_unmap(address, size, flags=0, argsz=24):
    return struct.pack("=IIQQ", argsz, flags, address, size)


def get_info(argsz=16):
    return struct.pack("=IIII", argsz, 0, 0, 0)


def region_info(index, argsz=32):
    return struct.pack("=IIIIQQ", argsz, 0, index, 0, 0, 0)


def io_fds(index, argsz=16, flags=0, count=0):
    return struct.pack("=IIII", argsz, flags, index, count)


def irq_info(index, argsz=16):
    return struct.pack("=IIII", argsz, 0, index, 0)


def set_irqs(index, flags, start=0, count=1, data=b"", argsz=None):
    argsz = 20 + len(data) if argsz is None else argsz
    return struct.pack("=IIIII", argsz, flags, index, start, count) + data


def region_read(region, offset, count):
    return struct.pack("=QII", offset, region, count)


def region_write(region, offset, data, count=None):
    return struct.pack("=QII", offset, region, len(data) if count is None else count) + data


def write_multi(*entries, count=None):
    """Entries of region, offset, data and, if it is not the length of the data, a count."""
    payload = struct.pack("=Q", len(entries) if count is None else count)
    for region, offset, data, *said in entries:
        payload += struct.pack("=QII8s", offset, region, said[0] if said else len(data), data)
    return payload


def dma_header(address, count):
    return struct.pack("=QQ", address, count)


def feature(flags, data=b"", argsz=None):
    return struct.pack("=II", 8 + len(data) if argsz is None else argsz, flags) + data


# Every command, in a form that is accepted or at least looked at.
EVERY = [
    (VERSION, version()), (DMA_MAP, dma_map(0x4000000, 4096)),
    (DMA_UNMAP, dma_unmap(0x4000000, 4096)), (GET_INFO, get_info()),
    (REGION_INFO, region_info(BAR0)), (IO_FDS, io_fds(BAR0)), (IRQ_INFO, irq_info(MSIX)),
    (SET_IRQS, set_irqs(MSIX, NONE | TRIGGER)), (REGION_READ, region_read(CONFIG, 0, 64)),
    (REGION_WRITE, region_write(BAR0, 0x0C, b"\0\0")), (DMA_READ, bytes(16)),
    (DMA_WRITE, bytes(32)), (RESET, b""), (DIRTY_PAGES, bytes(16)),
    (WRITE_MULTI, write_multi((BAR0, 0x0C, b"\0\0"))), (FEATURE, feature(1 << 16 | 1)),
    (MIG_READ, feature(64)), (MIG_WRITE, feature(0)), (19, bytes(16)), (0, bytes(16)),
    (0xFFFF, b""),
]


# ---- A connection ----


class Connection:
    """A stream of messages in both directions, and the file descriptors that come with them."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(PATIENCE)
        self.received = []

    def send(self, data, fds=()):
        """Sends it all, the descriptors with the first byte."""
        try:
            if fds:
                rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
                data = data[self.sock.sendmsg([data], rights):]
            if data:
                self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            raise Closed() from None

    def send_bytes(self, data, fds=()):
        """One byte at a time."""
        for i in range(len(data)):
            self.send(data[i:i + 1], fds if i == 0 else ())

    def _read(self, count):
        data = b""
        while len(data) < count:
            try:
                # No more than is wanted: descriptors must not be mistaken for the next message's.
                more, ancillary, flags, _ = self.sock.recvmsg(
                    count - len(data), socket.CMSG_SPACE(64 * 4))
            except ConnectionResetError:
                more, ancillary, flags = b"", [], 0
            expect(not flags & socket.MSG_CTRUNC, "more than 64 descriptors were sent")
            for level, kind, content in ancillary:
                expect((level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS),
                       "odd ancillary data")
                self.received += array.array("i", content)
            if not more:
                expect(not data, f"closed in the middle of a message, behind {data.hex()}")
                raise Closed()
            data += more
        return data

    def receive(self):
        """The next message, exactly; Closed at the end of the stream."""
        number, command, size, flags, error = HEADER.unpack(self._read(HEADER.size))
        expect(HEADER.size <= size <= LARGEST, f"a message of {size} bytes")
        payload = self._read(size - HEADER.size) if size > HEADER.size else b""
        fds, self.received = tuple(self.received), []
        return Message(number, command, flags, error, payload, fds)

    def expect_closed(self):
        """Nothing comes any more but the end of the stream."""
        try:
            got = self.receive()
        except Closed:
            return
        expect(False, f"the end of the connection was expected, not {got}")

    def expect_error(self, number, command, errors):
        """A bare header that says no (section 2)."""
        got = self.receive()
        expect((got.number, got.command) == (number, command), f"reply to another command: {got}")
        expect(got.flags == REPLY | ERROR, f"an error reply was expected, not {got}")
        expect(got.error in errors, f"error {got.error}, not one of {errors}")
        expect(got.payload == b"" and got.fds == (), f"an error reply with a payload: {got}")

    def close(self):
        self.sock.close()


class Client(Connection):
    """A connection that has been negotiated."""

    def __init__(self, sock, capabilities=QEMU, minor=0):
        super().__init__(sock)
        self.last = 0x40
        # Answers the server's DMA commands; see SocketMemory.
        self.memory = None
        self.version = self.call(VERSION, version(capabilities, minor=minor))

    def post(self, command, payload=b"", fds=(), flags=COMMAND):
        """Sends a command. Returns its number."""
        self.last = (self.last + 1) & 0xFFFF
        self.send(message(command, payload, self.last, flags), fds)
        return self.last

    def next_reply(self):
        """The next reply; DMA commands that come before it are answered."""
        while True:
            got = self.receive()
            if got.flags & TYPE == REPLY:
                return got
            expect(self.memory is not None, f"a command of the server: {got}")
            self.memory.answer(self, got)

    def reply(self, number, command):
        """The reply to a command, which has to be a success."""
        got = self.next_reply()
        expect((got.number, got.command) == (number, command), f"reply to another command: {got}")
        expect(got.flags == REPLY and got.error == 0,
               f"command {command} failed: {os.strerror(got.error)} ({got})")
        return got

    def ask(self, command, payload=b"", fds=()):
        """A command and its reply."""
        return self.reply(self.post(command, payload, fds), command)

    def call(self, command, payload=b"", fds=()):
        """A command, and the payload of its reply."""
        got = self.ask(command, payload, fds)
        expect(got.fds == (), f"descriptors nobody asked for: {got}")
        return got.payload

    def refused(self, command, payload=b"", errors=frozenset(MALFORMED), fds=()):
        """A command that is answered with one of these errors, the connection staying as it is."""
        number = self.post(command, payload, fds)
        try:
            self.expect_error(number, command, errors)
        except AssertionError as error:
            raise AssertionError(f"command {command} {payload[:64].hex()}: {error}") from None

    def survives(self, command, payload=b"", fds=()):
        """A command that may be answered in any way, or by the end. Returns whether it lives."""
        try:
            number = self.post(command, payload, fds)
            got = self.next_reply()
        except Closed:
            return False
        expect((got.number, got.command) == (number, command), f"reply to another command: {got}")
        for fd in got.fds:
            os.close(fd)
        return True

    def is_silent(self):
        """Nothing is on its way: the next that comes is the reply to what is asked next."""
        self.call(GET_INFO, get_info())

    # The commands, for those who want them to succeed.

    def map(self, address, size, flags=READABLE | WRITEABLE, offset=0, fd=None):
        expect(self.call(DMA_MAP, dma_map(address, size, flags, offset),
                         () if fd is None else (fd,)) == b"", "DMA_MAP has no reply payload")

    def unmap(self, address, size, flags=0):
        request = dma_unmap(address, size, flags)
        reply = self.call(DMA_UNMAP, request)
        expect(reply == request, f"DMA_UNMAP answered {reply.hex()}")

    def irqs(self, index, flags, start=0, count=1, data=b"", fds=()):
        expect(self.call(SET_IRQS, set_irqs(index, flags, start, count, data), fds) == b"",
               "SET_IRQS has no reply payload")

    def read(self, region, offset, count):
        reply = self.call(REGION_READ, region_read(region, offset, count))
        expect(reply[:16] == region_read(region, offset, count), f"not echoed: {reply[:16].hex()}")
        expect(len(reply) == 16 + count, f"{len(reply) - 16} bytes, not {count}")
        return reply[16:]

    def write(self, region, offset, data):
        reply = self.call(REGION_WRITE, region_write(region, offset, data))
        expect(reply == region_read(region, offset, len(data)), f"not echoed: {reply.hex()}")

    def reset(self):
        expect(self.call(RESET) == b"", "DEVICE_RESET has no reply payload")


def goodbye(connection, data, fds=()):
    """Sends what is taken of it, and leaves."""
    try:
        connection.send(data, fds)
    except Closed:
        pass
    connection.close()


def wait_until(condition, what):
    """Waits for what has to happen some time. `what`, text or a function, says what is missing."""
    give_up = time.monotonic() + PATIENCE
    while not condition():
        expect(time.monotonic() < give_up, what() if callable(what) else what)
        time.sleep(0.002)
