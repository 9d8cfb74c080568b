# SPDX-License-Identifier: BSD-3-Clause
"""Section 16, descriptors: what a server must survive. Each case bears the name of its box."""

import fcntl
import os
import resource
import socket
import tempfile
import time

from ioat import Channel, DMACOUNT, ENABLE_MSIX, MSIX_CONTROL, Memory, assign, interrupt, working
from server import run, served
from tap import expect
from vfio_user import (BAR0, CONFIG, Client, Closed, DMA_MAP, DMA_UNMAP, EVENTFD, EVERY, GET_INFO, INTX,
                       IRQ_INFO, MSIX, NONE, NOT_MEMORY, REGION_INFO, REGION_READ, REQ, RESET,
                       SET_IRQS, TRIGGER, VERSION, dma_map, dma_unmap, get_info, goodbye, irq_info,
                       message, region_info, region_read, set_irqs, version, wait_until)

PAGE = 4096
FAR = 0x4000000


@served()
def test_too_many_fds(server):
    """More fds than announced, up to the most that a message may have, on every command"""
    memory = Memory(FAR, PAGE)
    for count in (2, 9, 17, 64, 253):
        for command, payload in EVERY:
            client = server.client()
            client.survives(command, payload, (memory.fd,) * count)
            client.close()


@served()
def test_fds_everywhere(server):
    """fds on every command, and on each byte of it: closed, whatever becomes of the command"""
    memory = Memory(FAR, PAGE)
    client = server.client()
    before = server.fds_with(client)
    for command, payload in EVERY[1:]:
        number = client.post(command, payload, (memory.fd,))
        expect(client.receive().number == number, f"command {command}")
        client.survives(DMA_UNMAP, dma_unmap(FAR, PAGE))
    for command, payload in ((GET_INFO, get_info()), (RESET, b""), (REGION_INFO, region_info(BAR0)),
                             (IRQ_INFO, irq_info(MSIX)), (REGION_READ, region_read(CONFIG, 0, 4))):
        # One that takes none is executed.
        client.call(command, payload, (memory.fd,))
    expect((fds := server.fds_with(client)) == before, f"{fds} descriptors open, not {before}")


@served()
def test_fds_on_each_byte(server):
    """fds on each byte of a message, more than a process may have"""
    memory = Memory(FAR, PAGE)
    for each in (1, 100):
        for command, payload in EVERY:
            connection = server.connect()
            whole = message(VERSION, version()) + message(command, payload)
            if command != VERSION:
                connection.send(whole[:-16 - len(payload)])
                expect(connection.receive().flags == 1, "VERSION")
                whole = whole[-16 - len(payload):]
            try:
                for i in range(len(whole)):
                    connection.send(whole[i:i + 1], (memory.fd,) * each)
                connection.receive()
            except Closed:
                pass
            connection.close()


@served()
def test_truncated_fds(server):
    """MSG_CTRUNC: the process has no room for the fds that come"""
    memory = Memory(FAR, PAGE)
    limit = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    client = server.client()
    try:
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (server.fds() + 2, limit[1]))
        for count in (1, 3, 50):
            if not client.survives(DMA_MAP, dma_map(FAR, PAGE), (memory.fd,) * count):
                client = server.client()
            client.survives(DMA_UNMAP, dma_unmap(FAR, PAGE))
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limit)


def cpu_ticks(server):
    """The CPU time that the server has had, in clock ticks."""
    with open(f"/proc/{server.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@served()
def test_no_fd_for_a_client(server):
    """A client for whom the process has no descriptor waits, at no cost, and is served then"""
    limit = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    for other in (False, True):
        # Alone, and beside a client that is served.
        if other:
            served_one = server.client()
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (server.fds(), limit[1]))
        try:
            sock = server.socket()
            before = cpu_ticks(server)
            time.sleep(2)
            ticks = cpu_ticks(server) - before
            # One that looks at it all the time takes what there is, two seconds.
            expect(ticks < os.sysconf("SC_CLK_TCK") / 5, f"{ticks} clock ticks in 2 seconds")
            if other:
                served_one.call(GET_INFO, get_info())
        finally:
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limit)
        if other:
            expect(sock.recv(1) == b"", "a second client is refused")
            served_one.close()
        else:
            client = Client(sock)
            client.call(GET_INFO, get_info())
            client.close()


@served()
def test_fds_and_eof(server):
    """fds of a message that never becomes whole are closed"""
    memory = Memory(FAR, PAGE)
    for cut in (1, 15, 16, 20, 47):
        for count in (1, 8, 253):
            goodbye(server.client(), message(DMA_MAP, dma_map(FAR, PAGE))[:cut],
                    (memory.fd,) * count)
            goodbye(server.connect(), message(VERSION, version())[:cut], (memory.fd,) * count)


def comes_in(server):
    """Whether a client is served, and not refused."""
    try:
        server.client().close()
    except Closed:
        return False
    return True


@served()
def test_own_end(server):
    """fds that are not what they claim: the client's own end of the connection"""
    for command, payload in ((DMA_MAP, dma_map(FAR, PAGE)),
                             (SET_IRQS, set_irqs(MSIX, EVENTFD | TRIGGER)),
                             (SET_IRQS, set_irqs(INTX, EVENTFD | TRIGGER)),
                             (SET_IRQS, set_irqs(REQ, EVENTFD | TRIGGER)), (GET_INFO, get_info()),
                             (0x55, b"")):
        client = server.client()
        client.survives(command, payload, (client.sock.fileno(),))
        client.close()
        # If the server has its own peer it never sees it leave.
        server.client().close()
    for cut in (1, 16, 47):
        client = server.client()
        client.send(message(DMA_MAP, dma_map(FAR, PAGE))[:cut], (client.sock.fileno(),))
        client.close()
        # Until the server has taken it out of the stream it has not left.
        wait_until(lambda: comes_in(server), "the server holds its own client")


@served()
def test_pipe_as_memory(server):
    """fds that are not what they claim: a pipe, a socket, an eventfd, a folder as DMA memory"""
    client = server.client()
    pipe, pair = os.pipe(), socket.socketpair()
    event, folder = os.eventfd(0), os.open("/", os.O_RDONLY)
    for fd in (*pipe, pair[0].fileno(), event, folder):
        client.refused(DMA_MAP, dma_map(FAR, PAGE), NOT_MEMORY, (fd,))
    for fd in (*pipe, event, folder):
        os.close(fd)


def fired(client):
    """Has the server signal what is assigned to MSI-X, and sees that it goes on."""
    client.irqs(MSIX, NONE | TRIGGER)
    for _ in range(3):
        client.call(GET_INFO, get_info())


@served()
def test_file_as_eventfd(server):
    """fds that are not what they claim: a file, a pipe, a socket, memory as eventfd"""
    pipe, pair = os.pipe(), socket.socketpair()
    memory = Memory(FAR, PAGE)
    with tempfile.TemporaryFile() as file:
        for fd in (file.fileno(), *pipe, pair[0].fileno(), memory.fd):
            client = server.client()
            client.survives(SET_IRQS, set_irqs(MSIX, EVENTFD | TRIGGER), (fd,))
            fired(client)
            client.close()
    for fd in pipe:
        os.close(fd)


@served()
def test_broken_pipe_as_eventfd(server):
    """SIGPIPE is ignored: a pipe nobody reads, a socket nobody has, as eventfd"""
    for kind in range(2):
        client = server.client()
        if kind:
            ours, theirs = socket.socketpair()
            client.survives(SET_IRQS, set_irqs(MSIX, EVENTFD | TRIGGER), (ours.fileno(),))
            theirs.close()
        else:
            reader, writer = os.pipe()
            client.survives(SET_IRQS, set_irqs(MSIX, EVENTFD | TRIGGER), (writer,))
            os.close(reader)
            os.close(writer)
        fired(client)
        client.close()


@served()
def test_full_eventfd(server):
    """eventfd writes must not block: a counter that is full, also when the client makes it block"""
    client = server.client()
    client.write(CONFIG, MSIX_CONTROL, ENABLE_MSIX)
    channel = working(client)
    for flags in (0, os.EFD_NONBLOCK, os.EFD_SEMAPHORE):
        fd = os.eventfd(0, flags)
        os.eventfd_write(fd, 0xFFFFFFFFFFFFFFFE)
        assign(client, MSIX, fd)
        # The flag is the file's: whoever shares it can take it away again.
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_NONBLOCK)
        fired(client)
        interrupt(channel)
        fired(client)
        os.close(fd)


@served()
def test_full_pipe_as_eventfd(server):
    """Nor the writes to what is no eventfd, if it is taken for one"""
    client = server.client()
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETFL, os.O_NONBLOCK)
    try:
        while True:
            os.write(writer, bytes(4096))
    except BlockingIOError:
        pass
    fcntl.fcntl(writer, fcntl.F_SETFL, 0)
    client.survives(SET_IRQS, set_irqs(MSIX, EVENTFD | TRIGGER), (writer,))
    fcntl.fcntl(writer, fcntl.F_SETFL, 0)
    fired(client)
    os.close(reader)
    os.close(writer)


@served()
def test_short_file(server):
    """A file shorter than offset + size is refused"""
    client = server.client()
    memory = Memory(FAR, 2 * PAGE)
    for offset, size in ((0, 3 * PAGE), (PAGE, 2 * PAGE), (2 * PAGE, PAGE)):
        client.refused(DMA_MAP, dma_map(FAR, size, offset=offset), NOT_MEMORY, (memory.fd,))


@served()
def test_truncated_file(server):
    """A file that is cut off later: whatever the engine meets there, the server goes on"""
    data = 0x100000 + Channel.DATA
    for source, target in ((FAR, data), (data, FAR), (FAR, FAR + PAGE)):
        client = server.client()
        channel = working(client)
        memory = Memory(FAR, 4 * PAGE).map(client)
        channel.copy(source, target, 64)
        os.truncate(memory.fd, 0)
        channel.add(source, target, 64)
        try:
            channel.announce()
            channel.wait_for(lambda: channel.state() != 0, "the end of the copy")
            client.unmap(FAR, 4 * PAGE)
            channel.works()
        except Closed:
            pass
        client.close()


@served()
def test_truncated_ring(server):
    """Nor when it is the ring that is cut off"""
    client = server.client()
    channel = working(client)
    channel.add_null()
    channel.finish()
    os.truncate(channel.memory.fd, 0)
    try:
        channel.registers.write(DMACOUNT, 2, 5)
        channel.wait_for(lambda: channel.state() != 0, "an end")
        client.reset()
    except Closed:
        pass
    client.close()
    # The server goes on to serve memory that is whole.
    working(server.client()).works()


if __name__ == "__main__":
    run(__name__)
