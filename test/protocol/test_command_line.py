# SPDX-License-Identifier: BSD-3-Clause
"""udma emulate as a user runs it: its options, its sockets, and how it ends."""

import json
import os
import signal
import socket
import stat
import subprocess
import time

from ioat import DMACOUNT, Memory, working
from server import Server, run
from socket_memory import SocketMemory
from tap import UDMA, end, expect, one_error_line, start, udma
from vfio_user import (BAR0, CONFIG, Client, DMA_READ, GET_INFO, NO_REPLY, PATIENCE, REGION_WRITE,
                       get_info, region_write, wait_until)

SOCKET = "--socket-path="


class Running:
    """A server for the length of a block; it has to end well if the block does."""

    def __init__(self, *options, **more):
        self.server = Server(*options, **more)

    def __enter__(self):
        return self.server

    def __exit__(self, kind, error, trace):
        try:
            if kind is None and self.server.process.poll() is None:
                expect((status := self.server.end()) == 0,
                       f"status {status}:\n{self.server.errors()}")
        finally:
            self.server.remove()


def refused(*args, status=(1, 2), parts=(), **options):
    """A start that fails at once, with one line that says why."""
    done = subprocess.run([UDMA, "emulate", *args], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=PATIENCE, **options)
    expect(done.returncode in status, f"{args}: status {done.returncode}:\n{done.stderr}")
    one_error_line(done.stderr, *parts)
    expect(done.stdout == "", done.stdout)


def test_mode():
    """The socket is its owner's alone, whatever the umask is"""
    for umask in (0, 0o077, 0o177):
        with Running(umask=umask) as server:
            mode = os.stat(server.paths[0]).st_mode
            expect(stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600, oct(mode))


def test_sigterm():
    """SIGTERM ends it with status 0, and the sockets are gone; with a client and without"""
    for connected in (False, True):
        with Running(sockets=3) as server:
            if connected:
                working(server.client(1)).works()
            expect((status := server.process.poll()) is None, f"ended with {status}")
            expect((status := server.end()) == 0, f"status {status}:\n{server.errors()}")
            expect(not any(map(os.path.lexists, server.paths)), "sockets left behind")


def test_sigterm_at_work():
    """SIGTERM while the engine copies"""
    with Running() as server:
        channel = working(server.client())
        data = Memory(0x4000000, 2 << 20).map(channel.client)
        for _ in range(12):
            channel.add(data.iova, data.iova + (1 << 20), 1 << 20)
        channel.announce()
        expect((status := server.end()) == 0, f"status {status}:\n{server.errors()}")
        expect(not os.path.lexists(server.paths[0]), "socket left behind")


def test_sigterm_while_waiting():
    """SIGTERM while the server waits for a client that does not answer"""
    with Running() as server:
        client = server.client()
        memory = SocketMemory(0x100000, 0x2000)
        channel = working(client, kind=lambda *_: memory)
        channel.add_null()
        client.post(REGION_WRITE, region_write(BAR0, DMACOUNT, b"\1\0"), flags=NO_REPLY)
        expect(client.receive().command == DMA_READ, "DMA_READ")
        expect((status := server.end()) == 0, f"status {status}:\n{server.errors()}")


def test_interrupt():
    """Ctrl-C ends it as well, and the sockets are gone"""
    # A shell has its background jobs ignore it, and so would the server.
    hears = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    with Running(sockets=2, **hears) as server:
        status = server.end(signal.SIGINT)
        expect(status in (0, 128 + signal.SIGINT), f"status {status}")
        expect(not any(map(os.path.lexists, server.paths)), "sockets left behind")


def test_sockets():
    """One function a socket, all in one process"""
    with Running(sockets=8) as server:
        channels = [working(server.client(i)) for i in range(8)]
        for channel in channels:
            channel.works()


def test_stale():
    """A socket that a killed server left behind is replaced"""
    with Running() as server:
        server.process.kill()
        server.process.wait()
        path = server.paths[0]
        expect(os.path.lexists(path), "kill -9 leaves it")
        again = start("emulate", SOCKET + path)
        try:
            def served():
                expect(again.poll() is None, "ended")
                sock = socket.socket(socket.AF_UNIX)
                try:
                    sock.connect(path)
                except (ConnectionRefusedError, FileNotFoundError):
                    return False
                Client(sock).call(GET_INFO, get_info())
                sock.close()
                return True

            wait_until(served, "nobody listens")
            expect(stat.S_IMODE(os.stat(path).st_mode) == 0o600, "mode")
            again.terminate()
            end(again, 0)
        finally:
            again.kill()
            again.wait()
        expect(not os.path.lexists(path), "left behind")


def test_in_use():
    """A path that a live server has is refused, with and without a client; the server goes on"""
    with Running() as server:
        for connected in (False, True):
            if connected:
                client = server.client()
            refused(SOCKET + server.paths[0], status=(1,), parts=(server.paths[0],))
            if connected:
                client.call(GET_INFO, get_info())
            server.check()


def test_twice_the_same():
    """The same path twice is refused, and nothing is left behind"""
    path = os.path.abspath("twice.sock")
    refused(SOCKET + path, SOCKET + path, parts=(path,))
    expect(not os.path.lexists(path), "left behind")


def test_no_socket():
    """A path that is a file, a folder, a link to a file, or in no folder is refused"""
    with open("file", "w") as file:
        file.write("precious")
    os.mkdir("folder")
    os.symlink("file", "link")
    for name in ("file", "folder", "link", "nowhere/socket", "file/socket"):
        refused(SOCKET + name, status=(1,), parts=(name,))
    with open("file") as file:
        expect(file.read() == "precious", "the file was written")
    expect(os.path.islink("link") and os.path.isdir("folder"), "replaced")


def test_second_path_bad():
    """If one of the paths cannot be served none is, and none is left behind"""
    refused(SOCKET + "good", SOCKET + "nowhere/bad", status=(1,), parts=("nowhere/bad",))
    expect(not os.path.lexists("good"), "left behind")


def test_long_path():
    """A path longer than a socket's address is refused; one that just fits is served"""
    fits = "x" * 107
    for length in (108, 109, 200, 5000):
        name = "y" * length if length < 255 else "./" * (length // 2)
        refused(SOCKET + name)
    process = start("emulate", SOCKET + fits)
    try:
        def exists():
            expect(process.poll() is None, "ended")
            return os.path.lexists(fits)

        wait_until(exists, "no socket")
        process.terminate()
        end(process, 0)
    finally:
        process.kill()
        process.wait()
    expect(os.listdir(".") == [], f"{os.listdir('.')} left behind")


def test_empty_path():
    """An empty path is refused"""
    refused(SOCKET)


def served_by(descriptor, *options):
    return start("emulate", f"--fd={descriptor}", *options, pass_fds=(descriptor,))


def test_fd():
    """--fd: a connection that is there already is served"""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    process = served_by(theirs.fileno())
    theirs.close()
    try:
        client = Client(ours)
        working(client).works()
        client.close()
        # There is nobody else to serve: it ends by itself.
        end(process, 0)
    finally:
        process.kill()
        process.wait()


def test_listening_fd():
    """--fd: a socket that listens is served as a path is, client after client"""
    path = os.path.abspath("listens.sock")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen()
    process = served_by(listener.fileno())
    listener.close()
    try:
        for _ in range(3):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(path)
            client = Client(sock)
            working(client).works()
            client.close()
        process.terminate()
        end(process, 0)
    finally:
        process.kill()
        process.wait()


def test_bad_fd():
    """--fd of what is no socket, or not open, or no number"""
    for number in ("77", "0", "1"):
        refused("--fd=" + number, parts=(number,))
    for text in ("x", "-1", "", "3x", "99999999999999999999"):
        refused("--fd=" + text, status=(2,))
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    number = pair[0].fileno()
    refused(f"--fd={number}", pass_fds=(number,))


def test_usage():
    """Options that cannot be: status 2, one line, no socket"""
    good = SOCKET + "s"
    for args in ((), (good, "--fd=0"), (good, "--no-such-option"), (good, "stray"),
                 (good, "--generation=none"), (good, "--generation="),
                 (good, "--generation=0xffff"), (good, "--interrupts=none,such"),
                 (good, "--interrupts=msix,"), (good, "--interrupts=msixx"), (good, "--flip=x"),
                 (good, "--flip=-1"), (good, "--flip="), (good, "--flip=99999999999999999999"),
                 (good, "--polled=yes"), (good, "--json=1")):
        refused(*args, status=(2,))
        expect(not os.path.lexists("s"), f"{args}: a socket")


def test_help():
    """--help names every option and gives an example"""
    done = udma("emulate", "--help")
    for word in ("--socket-path", "--fd", "--generation", "--interrupts", "--polled", "--flip",
                 "--json", "Example"):
        expect(word in done.stdout, f"'{word}' is missing in:\n{done.stdout}")
    expect(done.stderr == "", done.stderr)
    expect("emulate" in udma("--help").stdout, "not in the list of commands")


def test_json():
    """--json: each line that is printed is an object, also those of a client that comes and goes"""
    with Running("--json", sockets=2) as server:
        for which in (0, 1):
            working(server.client(which)).works()
        server.close_all()
        client = server.connect()
        client.send(b"rubbish, and not sixteen bytes of header")
        client.receive()
        client.expect_closed()
        expect((status := server.end()) == 0, f"status {status}")
        lines = server.output().splitlines()
        expect(len(lines) >= 2, f"{lines}")
        for line in lines:
            expect(isinstance(json.loads(line), dict), line)
        text = server.output()
        for path in server.paths:
            expect(json.dumps(path)[1:-1] in text, f"{path} is not in\n{text}")


def test_output_to_nobody():
    """What is printed to a pipe that nobody reads does not stop the server"""
    path = os.path.abspath("s")
    process = start("emulate", SOCKET + path, "--json")
    try:
        expect(b"ready" in process.stdout.readline(), "the first line")
        process.stdout.close()
        process.stderr.close()
        for _ in range(20):
            sock = socket.socket(socket.AF_UNIX)

            def connects(sock=sock):
                try:
                    sock.connect(path)
                except ConnectionRefusedError:
                    return False
                return True

            wait_until(connects, "nobody listens")
            working(Client(sock)).works()
            sock.close()
    finally:
        process.terminate()
        process.wait()
    expect(not os.path.lexists(path), "left behind")


def test_output_full():
    """An output that takes nothing ends the server before a client can come"""
    for options in ([], ["--json"]):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([UDMA, "emulate", SOCKET + "s", *options], stdout=full,
                                  stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                  timeout=PATIENCE, check=False)
        expect(done.returncode == 1, done)
        one_error_line(done.stderr, "udma emulate: cannot write to standard output", "No space")
        expect(not os.path.lexists("s"), "left behind")


def test_generation():
    """--generation by id and by name"""
    for text, device in (("skx", 0x2021), ("icx", 0x0B00), ("bdx", 0x6F20), ("2021", 0x2021),
                         ("6f2e", 0x6F2E), ("0b00", 0x0B00), ("0B00", 0x0B00)):
        with Running("--generation=" + text) as server:
            client = server.client()
            got = client.read(CONFIG, 0, 4)
            expect(got == b"\x86\x80" + device.to_bytes(2, "little"), f"{text}: {got.hex()}")
            working(client).works()


def test_flip():
    """--flip=N: every N-th copy is spoilt, in one byte"""
    with Running("--flip=3") as server:
        channel = working(server.client())
        source = channel.ring + channel.DATA
        spoilt = []
        for i in range(12):
            data = os.urandom(1000)
            channel.memory.write(source, data)
            channel.copy(source, source + 2000, 1000)
            copied = channel.memory.read(source + 2000, 1000)
            spoilt.append(sum(a != b for a, b in zip(data, copied)))
        expect(spoilt == [0, 0, 1] * 4, f"{spoilt}")


def test_error():
    """--error=BIT/N: every N-th descriptor ends with that bit"""
    with Running("--error=9/3") as server:
        channel = working(server.client())
        at = channel.ring + channel.DATA
        for _ in range(2):
            channel.start()
            channel.copy(at, at + 100, 64)
            channel.copy(at, at + 100, 64)
            channel.add(at, at + 100, 64)
            expect((bits := channel.halts()) == 1 << 9, f"CHANERR {bits:#x}")


def test_interrupts_option():
    """--interrupts in any order, and each alone"""
    for kinds in ("msix", "msi", "intx", "intx,msix", "msi,msix,intx"):
        with Running("--interrupts=" + kinds) as server:
            pin = server.client().read(CONFIG, 0x3D, 1)[0]
            expect((pin != 0) == ("intx" in kinds), f"{kinds}: pin {pin}")


def test_polled_interrupts():
    """--polled with a kind of interrupt that it cannot offer is refused"""
    for kinds in ("intx", "msi", "msix,intx"):
        refused(SOCKET + "s", "--polled", "--interrupts=" + kinds, status=(2,))


def cpu_of(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_asleep():
    """With nothing to do it sleeps"""
    for options in ((), ("--polled",)):
        with Running(*options, sockets=2) as server:
            for state in ("nobody there", "a client", "a client that has worked"):
                if state != "nobody there":
                    client = server.client()
                    if "worked" in state:
                        working(client).works()
                time.sleep(0.2)
                before = cpu_of(server.pid)
                time.sleep(2)
                share = (cpu_of(server.pid) - before) / 2
                print(f"# {' '.join(options)} {state}: {share * 100:.1f} % of a core")
                # One that never sleeps takes a whole core, or what it gets of one.
                server.close_all()
            server.check()


if __name__ == "__main__":
    run(__name__)
