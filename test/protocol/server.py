# SPDX-License-Identifier: BSD-3-Clause
"""A running `udma emulate`, and what must hold after each test."""

import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import tap
from tap import expect
from vfio_user import BAR0, CONFIG, Client, Closed, Connection, PATIENCE, wait_until


class Server:
    """The program, its sockets in a folder of their own."""

    def __init__(self, *options, sockets=1, **more):
        self.folder = tempfile.mkdtemp(prefix="udma-protocol-")
        self.paths = [f"{self.folder}/{i}.sock" for i in range(sockets)]
        self.connections = []
        with open(self.folder + "/out", "wb") as out, open(self.folder + "/err", "wb") as err:
            self.process = tap.start("emulate", *("--socket-path=" + path for path in self.paths),
                                     *options, stdout=out, stderr=err, **more)
        self.pid = self.process.pid
        try:
            for path in self.paths:
                wait_until(lambda path=path: self._listens(path),
                           lambda: f"nobody listens:\n{self.errors()}")
            self._serves()
            self.fds_when_served = self.fds()
            self.close_all()
        except BaseException:
            self.remove()
            raise

    def _listens(self, path):
        expect(self.process.poll() is None,
               f"the server has ended with {self.process.returncode}:\n{self.errors()}")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            return sock.connect_ex(path) == 0

    def _serves(self):
        """Each socket has a client that is served: whoever was there before has been dealt with."""
        for which in range(len(self.paths)):
            expect(self.process.poll() is None,
                   f"the server has ended with {self.process.returncode}")
            client = self.client(which)
            client.reset()
            expect(client.read(CONFIG, 0, 2) == b"\x86\x80", "vendor id")
            expect(client.read(BAR0, 0, 1) == b"\1", "CHANCNT")

    def errors(self):
        with open(self.folder + "/err", errors="replace") as file:
            return file.read()

    def output(self):
        with open(self.folder + "/out", errors="replace") as file:
            return file.read()

    def fds(self):
        """How many file descriptors the server has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def fds_with(self, client):
        """The same, when those that came with the client's last command have been dealt with."""
        client.is_silent()
        return self.fds()

    def status(self, field):
        """A number of /proc/PID/status."""
        with open(f"/proc/{self.pid}/status") as file:
            for line in file:
                if line.startswith(field + ":"):
                    return int(line.split()[1])
        raise KeyError(field)

    def socket(self, which=0):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.connections.append(sock)
        sock.connect(self.paths[which])
        return sock

    def connect(self, which=0):
        """A connection on which nothing has been said."""
        return Connection(self.socket(which))

    def client(self, which=0, **options):
        """A client that has negotiated."""
        return Client(self.socket(which), **options)

    def close_all(self):
        for sock in self.connections:
            sock.close()
        self.connections = []

    def check(self):
        """The server is as it was: it serves whoever comes, and holds nothing of those who left."""
        self.close_all()
        self._serves()
        wait_until(lambda: self.fds() <= self.fds_when_served,
                   lambda: f"{self.fds()} descriptors open, not {self.fds_when_served}: "
                           f"{self.open_files()}")
        # A sanitizer's runtime may have had a file of its own open at the start.
        self.fds_when_served = min(self.fds_when_served, self.fds())
        self.close_all()

    def open_files(self):
        names = []
        for fd in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                names.append(f"{fd} {os.readlink(f'/proc/{self.pid}/fd/{fd}')}")
            except FileNotFoundError:
                pass
        return names

    def end(self, number=signal.SIGTERM):
        """Tells it to end. Returns its status."""
        self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"signal {number} does not end it; {self.threads()}") from None

    def threads(self):
        """Where its threads are in the kernel, for a message."""
        where = []
        for thread in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{thread}/syscall") as syscall:
                where.append(f"thread {thread}: system call {syscall.read().strip()}")
        return where

    def remove(self):
        self.close_all()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


running = {}


def served(*options, sockets=1):
    """A case that is given a server with these options: the same one for all cases of a file."""
    def decorate(case):
        @functools.wraps(case)
        def with_server():
            key = (options, sockets)
            if key not in running:
                running[key] = Server(*options, sockets=sockets)
            server = running[key]
            try:
                case(server)
                server.check()
            except BaseException as error:
                # The next case gets another one.
                del running[key]
                errors = server.errors()
                ended = server.process.poll()
                server.remove()
                if isinstance(error, Closed):
                    error.args = ("the server closed the connection",)
                for line in errors.splitlines()[-60:]:
                    print(f"# server: {line}")
                if ended is not None:
                    print(f"# server: ended with {ended}")
                raise
        return with_server
    return decorate


def test_end():
    """Told to end, each server ends with status 0 and takes its sockets along"""
    servers = list(running.values())
    running.clear()
    try:
        for server in servers:
            server.close_all()
            expect((status := server.end()) == 0, f"status {status}:\n{server.errors()}")
            left = [path for path in server.paths if os.path.lexists(path)]
            expect(not left, f"{left} left behind")
    finally:
        for server in servers:
            server.remove()


def run(name):
    """Runs the cases of a file, and ends its servers."""
    module = sys.modules[name]
    vars(module)["test_end"] = test_end
    tap.run(module)
