# SPDX-License-Identifier: BSD-3-Clause
"""Faults that are injected into a function that is served: --fault, and --control while it runs."""

import errno
import json
import os
import subprocess
import time

from ioat import (ACTIVE, CHANCMD, CHANSTS, COMMAND, COMPL_UPDATE, Channel, ENABLE_MSIX, HALTED, INT_EN, INTRCTRL, MSIX_CONTROL,
                  REARM, REPORT_ERRORS, CHANCTRL, RESET_CHANNEL, assign, heard, is_heard, working)
from server import Server, run
from test_command_line import Running, refused
from test_polled import polled
from tap import expect
from vfio_user import BAR0, CONFIG, MSIX, REGION_READ, REGION_WRITE, region_read, region_write, wait_until

ONES = (1 << 64) - 1


class Controlled(Running):
    """A server that takes faults from its standard input."""

    def __init__(self, *options, **more):
        super().__init__("--control", *options, stdin=subprocess.PIPE, **more)


def tell(server, line, functions=1):
    """Tells it a fault, and waits until it is in effect."""
    before = len(server.output().splitlines())
    server.process.stdin.write(line.encode() + b"\n")
    server.process.stdin.flush()

    def answers():
        return [text for text in server.output().splitlines()[before:]
                if "injected" in text or "withdrawn" in text]
    wait_until(lambda: len(answers()) >= functions, lambda: f"no answer to '{line}':\n{server.errors()}")


def complains(server, line, *parts):
    """Tells it nonsense, and waits for the line that says so."""
    before = len(server.errors().splitlines())
    server.process.stdin.write(line.encode() + b"\n")
    server.process.stdin.flush()
    wait_until(lambda: len(server.errors().splitlines()) > before, f"no complaint about '{line}'")
    said = server.errors().splitlines()[before]
    expect(said.startswith("udma emulate: ") and all(part in said for part in parts), said)


def three_copies(channel):
    """Announces three copies. Returns where their targets are."""
    data = channel.memory.iova + channel.DATA
    channel.memory.write(data, b"seen by the engine")
    targets = [data + 0x1000 * (n + 1) for n in range(3)]
    for target in targets:
        channel.memory.write(target, bytes(18))
        channel.add(data, target, 18)
    channel.announce()
    return targets


def copied(channel, targets):
    return [channel.memory.read(target, 18) == b"seen by the engine" for target in targets]


def test_option():
    """--fault: in effect from the beginning, for each function by itself"""
    with Running("--fault=error:bit=9:at=2", "--fault=error:bit=8:at=4", sockets=2) as server:
        for which in range(2):
            channel = working(server.client(which))
            targets = three_copies(channel)
            channel.wait_for(lambda c=channel: c.state() == HALTED, "HALTED")
            expect(copied(channel, targets) == [True, False, False], "only the first is copied")
            expect(channel.registers.read(0xA8, 4) == 0x200, "bit 9 of CHANERR")
            channel.start()
            channel.add(0x101000, 0x102000, 18)
            channel.finish()
            channel.add(0x101000, 0x102000, 18)
            expect(channel.halts() == 0x100, "bit 8 of CHANERR")


def test_bad_options():
    """A fault that there is not, and more of them than there can be"""
    refused("--socket-path=s", "--fault=nonsense", status=(2,), parts=["there is no fault \"nonsense\""])
    refused("--socket-path=s", "--fault=error", status=(2,), parts=["error needs bit"])
    refused("--socket-path=s", *["--fault=hang"] * 33, status=(2,), parts=["more than 32 faults"])


def test_hang():
    """hang, and withdraw: the engine stops in the middle, and goes on"""
    with Controlled() as server:
        channel = working(server.client())
        tell(server, "hang:step=write:at=2")
        targets = three_copies(channel)
        channel.wait_for(lambda: copied(channel, targets)[0], "the first copy")
        for _ in range(5):
            expect(channel.status() == channel.slot(0) | ACTIVE, f"{channel.status():#x}")
            time.sleep(0.01)
        expect(channel.memory.read(targets[1], 18) == b"seen by \0\0\0\0\0\0\0\0\0\0", "half of it")
        tell(server, "withdraw")
        channel.wait_for(lambda: all(copied(channel, targets)), "the others")
        channel.works()


def test_halt():
    """halt: at the time of the server's choice, with an interrupt line of output"""
    with Controlled("--json") as server:
        channel = working(server.client())
        tell(server, "halt:bit=7:at=3")
        targets = three_copies(channel)
        channel.wait_for(lambda: channel.state() == HALTED, "HALTED")
        expect(copied(channel, targets) == [True, True, False], "two are copied")
        events = [json.loads(line) for line in server.output().splitlines()]
        said = [(event["event"], event.get("fault", event.get("chanerr"))) for event in events]
        expect(("injected", "halt:bit=7:at=3") in said and ("halted", 0x80) in said, said)
        channel.works()


def test_counts():
    """The end tells how many descriptors were carried out: none while the engine may not, or hangs"""
    with Controlled("--json") as server:
        client = server.client()
        channel = working(client)
        channel.add_null()
        channel.finish()
        client.write(CONFIG, COMMAND, b"\2\0")
        channel.add_null()
        channel.announce()
        for _ in range(100):
            expect(channel.status() == channel.slot(0) | ACTIVE, f"{channel.status():#x}")
        client.write(CONFIG, COMMAND, b"\6\0")
        channel.finish()
        tell(server, "hang")
        three_copies(channel)
        for _ in range(100):
            expect(channel.status() == channel.slot(1) | ACTIVE, f"{channel.status():#x}")
        expect((status := server.end()) == 0, f"status {status}")
        ended = json.loads(server.output().splitlines()[-1])
        expect((ended["event"], ended["descriptors"]) == ("ended", 2), ended)


def test_delay():
    """delay: time passes, and nothing else"""
    for options in ((), ("--polled",)):
        with Controlled(*options) as server:
            client = server.client()
            channel = polled(client) if options else working(client)
            tell(server, "delay:us=50000:step=status:at=2")
            begun = time.monotonic()
            targets = three_copies(channel)
            channel.wait_for(lambda: all(copied(channel, targets)), "the copies")
            expect(time.monotonic() - begun >= 0.05, "too early")
            channel.works()


def test_words():
    """lost-word, wrong-word: what is at the completion address"""
    with Controlled() as server:
        channel = working(server.client())
        tell(server, "lost-word:at=1")
        tell(server, "wrong-word:word=0x1234560:at=2")
        targets = three_copies(channel)
        channel.wait_for(lambda: all(copied(channel, targets)), "the copies")
        channel.wait_for(lambda: channel.completed() == channel.slot(2), "the last word")
        tell(server, "wrong-word:word=0x1234560")
        channel.add_null()
        channel.announce()
        channel.wait_for(lambda: channel.completed() == 0x1234560, "the wrong word")


def test_interrupts():
    """lost-interrupt, spurious-interrupt: what is heard of the engine"""
    with Controlled() as server:
        client = server.client()
        channel = working(client)
        fd = os.eventfd(0)
        try:
            assign(client, MSIX, fd)
            client.write(CONFIG, MSIX_CONTROL, ENABLE_MSIX)
            channel.registers.write(INTRCTRL, 1, 1)
            for fault, control, hears in (("hang:at=99", INT_EN, True), ("lost-interrupt", INT_EN, False),
                                          ("spurious-interrupt", 0, True), ("hang:at=99", 0, False)):
                channel.registers.write(CHANCTRL, 2, REPORT_ERRORS | REARM)
                tell(server, fault)
                channel.add(channel.memory.iova, channel.memory.iova + 0x2000, 8, COMPL_UPDATE | control)
                channel.finish()
                client.is_silent()
                expect(is_heard(fd) == hears, f"{fault}: heard is {not hears}")
                if hears:
                    heard(fd)
        finally:
            os.close(fd)


def test_ones():
    """ones, removal: nothing answers; then it is as after power-on"""
    for kind in ("ones", "removal"):
        for options in ((), ("--polled",)):
            with Controlled(*options) as server:
                client = server.client()
                channel = polled(client) if options else working(client)
                tell(server, kind + ":at=2")
                targets = three_copies(channel)
                channel.wait_for(lambda: channel.registers.read(CHANSTS, 8) == ONES, "ones")
                expect(copied(channel, targets) == [True, False, False], "only the first is copied")
                expect(client.read(CONFIG, 0, 4) == b"\xff" * 4, "configuration space")
                expect(client.read(BAR0, 0, 64) == b"\xff" * 64, "registers")
                channel.registers.write(CHANCMD, 1, RESET_CHANNEL)
                channel.wait_for(lambda: channel.registers.read(CHANCMD, 1) == 0xFF, "ones again")
                tell(server, "withdraw")
                expect(client.read(CONFIG, 0, 4) == b"\x86\x80\x21\x20", "it is back")
                expect(channel.status() == HALTED, f"{channel.status():#x}")
                channel.works()


def test_ones_at_once():
    """removal, without waiting for a descriptor; back after a time"""
    with Controlled() as server:
        client = server.client()
        tell(server, "removal:us=100000")
        wait_until(lambda: client.read(CONFIG, 0, 2) == b"\x86\x80", "it does not come back")
        working(client).works()


def test_reset():
    """reset: RESET does not end, until it is withdrawn"""
    for options in ((), ("--polled",)):
        with Controlled(*options) as server:
            client = server.client()
            channel = polled(client) if options else working(client)
            tell(server, "reset")
            channel.registers.write(CHANCMD, 1, RESET_CHANNEL)
            for _ in range(20):
                expect(channel.registers.read(CHANCMD, 1) & RESET_CHANNEL, "RESET has ended")
                time.sleep(0.005)
            tell(server, "withdraw")
            channel.wait_for(lambda: not channel.registers.read(CHANCMD, 1) & RESET_CHANNEL, "the end of RESET")
            expect(channel.status() == HALTED, f"{channel.status():#x}")
            channel.works()


def test_config():
    """config: an access to configuration space is answered with EIO"""
    with Controlled() as server:
        client = server.client()
        tell(server, "config:offset=4:every=1")
        client.refused(REGION_READ, region_read(CONFIG, 0, 8), {errno.EIO})
        client.refused(REGION_WRITE, region_write(CONFIG, 4, bytes(2)), {errno.EIO})
        expect(client.read(CONFIG, 0, 4) == b"\x86\x80\x21\x20", "the others work")
        tell(server, "withdraw")
        working(client).works()


def test_reset_unheard():
    """A function-level reset of a function that does not answer, or that fails, is none"""
    for options in ((), ("--polled",)):
        with Controlled("--json", *options) as server:
            client = server.client()

            def resets(server=server):
                return [json.loads(line)["event"] for line in server.output().splitlines()].count("reset")

            at_start = resets()
            for fault, write in (("ones", lambda: client.write(CONFIG, 0x99, b"\xa8")),
                                 ("config:offset=0x99", lambda: client.refused(
                                     REGION_WRITE, region_write(CONFIG, 0x99, b"\xa8"), {errno.EIO}))):
                tell(server, fault)
                write()
                tell(server, "withdraw")
            before = resets()
            client.write(CONFIG, 0x99, b"\xa8")
            wait_until(lambda: resets() > before, "the reset is not told of")
            expect(resets() == at_start + 1, f"{resets() - at_start} resets are told of")


def test_lines():
    """--control: one function or all, what is no fault, and the end of the input"""
    with Controlled(sockets=3) as server:
        tell(server, "hang", functions=3)
        tell(server, "1 withdraw")
        tell(server, "  2   withdraw")
        tell(server, "0 withdraw")
        said = [line for line in server.output().splitlines() if "withdrawn" in line]
        expect([line.partition(":")[0][-6] for line in said] == ["1", "2", "0"], said)
        complains(server, "nonsense", "the fault is 'nonsense': there is no fault \"nonsense\"")
        complains(server, "3 hang", "the function", "'3'")
        complains(server, "1", "the fault is ''")
        complains(server, "1 hang:us=x", "us is \"x\"")
        complains(server, "x" * 600, "longer than 511 bytes")
        complains(server, "ha\0ng", "is no text")
        server.process.stdin.write(b"\n\r\n  \n")
        for _ in range(32):
            tell(server, "2 hang")
        complains(server, "2 hang", "as many as it can have; 'withdraw' them")
        tell(server, "2 withdraw\r")
        server.process.stdin.close()
        working(server.client(1)).works()


def test_no_control():
    """Without --control standard input is left alone"""
    with Running(stdin=subprocess.PIPE) as server:
        server.process.stdin.write(b"hang\n")
        server.process.stdin.flush()
        working(server.client()).works()
        expect("hang" not in server.output(), server.output())


if __name__ == "__main__":
    run(__name__)
