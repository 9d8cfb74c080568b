# SPDX-License-Identifier: BSD-3-Clause
"""What the tests with real kernels share: the server, dmatest, and the run of a file of tests."""

import collections
import glob
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

import fetch
from debian import Missing
from initramfs import HERE
from vm import PATIENCE, Vm
from tap import Cases, case, environment, expect, UDMA

KERNELS = ("linux-6.1", "linux-6.12")
# Whether somebody waits for the full form of tests that are cut short otherwise.
FULL = "UDMA_VM_FULL" in os.environ


class Server:
    """`udma emulate`, serving one function on each of its sockets."""

    def __init__(self, functions=1, control=False, **options):
        """
        control  whether faults can be told to it while it serves
        options  those of the program
        """
        self.killed = False
        self.folder = tempfile.TemporaryDirectory(prefix="udma-vm-")
        self.sockets = [os.path.join(self.folder.name, str(n)) for n in range(functions)]
        command = [UDMA, "emulate", *("--socket-path=" + path for path in self.sockets),
                   *(f"--{name}={value}" for name, value in options.items()),
                   *(["--control"] if control else [])]
        # To append: somebody else's reading must not move where the server writes.
        self.errors = open(os.path.join(self.folder.name, "errors"), "ab")
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command],
                                        env=environment(),
                                        stdin=subprocess.PIPE if control else subprocess.DEVNULL,
                                        stdout=self.errors, stderr=self.errors)
        try:
            self._wait_listening()
        except BaseException:
            self._clean()
            raise

    def _wait_listening(self):
        end = time.monotonic() + PATIENCE
        while True:
            with open("/proc/net/unix", encoding="utf-8") as file:
                # 00010000: the socket listens.
                listening = {line.split()[-1] for line in file if line.split()[3] == "00010000"}
            if listening.issuperset(self.sockets):
                return
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"udma emulate does not listen{self.story()}")
            time.sleep(0.02)

    def tell(self, line):
        """Injects a fault, or withdraws all; it is in effect then."""
        said = self._said()
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        end = time.monotonic() + PATIENCE
        while not any(word in self._said()[len(said):] for word in ("injected", "withdrawn")):
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"no answer to '{line}'{self.story()}")
            time.sleep(0.02)

    def _said(self):
        with open(self.errors.name, encoding="utf-8") as file:
            return file.read()

    def kill(self):
        """As kill -9 does."""
        self.killed = True
        self.process.kill()
        self.process.wait()

    def story(self):
        """How it ended, and what it has said, for an error message."""
        said = "".join("\nudma: " + line for line in self._said().splitlines()[-20:])
        return f" (status {self.process.poll()}){said}"

    def __enter__(self):
        return self

    def __exit__(self, kind, *error):
        try:
            if self.killed:
                return
            alive = self.process.poll() is None
            self.process.send_signal(signal.SIGTERM)
            try:
                status = self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                status = "nothing: it still runs"
            if kind is None:
                expect(alive and status == 0,
                       f"udma emulate is to serve until SIGTERM, and to end with 0 then"
                       f"{self.story()}")
        finally:
            self._clean()

    def _clean(self):
        self.process.kill()
        self.process.wait()
        self.errors.close()
        self.folder.cleanup()


def programs(*more):
    """The tool, the programs of the tests, and more, with the libraries that they need: files for a
    guest."""
    build = os.path.dirname(os.path.dirname(UDMA))
    ours = [path for path in glob.glob(os.path.join(build, "test/vm/*")) if os.path.isfile(path)]
    ours.append(os.path.join(build, "test/system/killed_at"))
    files = {}
    for program in (UDMA, *ours, *more):
        files["bin/" + os.path.basename(program)] = program
        libraries = subprocess.run(["ldd", program], capture_output=True, text=True, check=True)
        for name, path in re.findall(r"(\S+) => (/\S+)", libraries.stdout):
            files[f"lib/{name}"] = path
        for path in re.findall(r"^\s+(/\S+) \(", libraries.stdout, re.M):
            files[path.lstrip("/")] = path
    return files


def scripts():
    """scripts/setup.sh, what it reads, and what runs it: files for a guest."""
    files = programs("/bin/bash")
    for name in ("setup.sh", "common.sh"):
        files["udma/scripts/" + name] = os.path.join(HERE, "../../scripts", name)
    return files


def machine(kernel, sockets, files=None, **options):
    """A guest with the programs. A timer that comes late is no broken one."""
    return Vm(kernel, sockets=sockets, append="no_timer_check", files=files or programs(),
              **options)


def says(guest, command, *parts, status=1):
    """Runs what fails, and checks that it says why."""
    text = guest.sh(command, status=status)
    for part in parts:
        expect(part in text, f"'{part}' is missing in:\n{text}")


def parse_dmatest(text):
    """What dmatest has printed in the guest: [(thread, tests, failures)], and the messages."""
    lines = text.splitlines()
    threads = [line.split() for line in lines if re.fullmatch(r"\S+-\w+ \d+ \d+", line)]
    return ([(name, int(tests), int(failures)) for name, tests, failures in threads],
            [line for line in lines if "result #" in line])


def dmatest(guest, iterations, patience=900, **parameters):
    """Runs dmatest on all channels of a guest. Returns {thread: failures} and the first messages
    about them, once every thread has done all its iterations."""
    channels = guest.sh("channels")
    expect(channels, "there is a channel")
    settings = " ".join(f"{name}={value}" for name, value in parameters.items())
    text = guest.sh(f'dmatest "$(channels)" iterations={iterations} {settings}', patience=patience)
    threads, messages = parse_dmatest(text)
    expect({name.partition("-")[0] for name, *_ in threads} == set(channels.split()), text)
    expect(all(tests == iterations for _, tests, _ in threads), text)
    return {name: failures for name, _, failures in threads}, messages


def passes_dmatest(guest, iterations, **parameters):
    """Runs dmatest and expects it to find nothing. Returns {thread: 0}."""
    threads, messages = dmatest(guest, iterations, **parameters)
    expect(not any(threads.values()), [threads, messages])
    return threads


def load_stop(guest):
    """Ends the transfers of the guest's load_start, and expects that nothing went wrong in them."""
    text = guest.sh("load_stop")
    threads, messages = parse_dmatest(text)
    expect(threads and not messages and not any(failures for *_, failures in threads), text)


def waits(guest, server, *faults, copies=20):
    """The guest waits for copies, one after the other, of a channel with faults. Returns what was
    said, and {way: interrupts that came}."""
    try:
        for fault in faults:
            server.tell(fault)
        text = guest.sh(f"wait_in_guest {copies} 2>&1")
    finally:
        server.tell("withdraw")
    expect(f"waited for {copies} copies" in text, text)
    counts = collections.Counter()
    for way, count in re.findall(r"^(\S+): (\d+) interrupts", text, re.M):
        counts[way] += int(count)  # a line for each function
    return text, counts


def no_complaints(guest):
    """Expects that the kernel has found nothing wrong."""
    text = guest.sh("complaints", status=None)
    expect(text == "", text)


def needs_server():
    """Raises Missing if the program has no server."""
    done = subprocess.run([UDMA, "emulate", "--help"], capture_output=True, env=environment(),
                          check=False)
    if done.returncode != 0:
        raise Missing(f"{UDMA} has no command 'emulate'")


def scenario(function, *args):
    """Runs what has cases in it. That it breaks down outside of them is a failed case too."""
    try:
        function(*args)
    except Missing:
        raise
    except Exception as error:  # pylint: disable=broad-except
        with case(" ".join([function.__name__, *map(str, args)])):
            raise error


def run(main, *needed):
    """Runs a file of tests, and prints TAP. Without what it needs it is skipped, but not in CI."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        for need in (fetch.have, *needed):
            need()
        main()
    except Missing as reason:
        if os.environ.get("CI") != "true":
            print(f"1..0 # SKIP {reason}")
            sys.exit(0)
        with case(main.__doc__):
            raise AssertionError(reason)
    print(f"1..{Cases.count}")
    sys.exit(1 if Cases.failed else 0)
