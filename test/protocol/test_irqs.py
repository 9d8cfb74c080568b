# SPDX-License-Identifier: BSD-3-Clause
"""Section 7: SET_IRQS, and interrupts as they are heard."""

import os
import struct

from ioat import (CHANCTRL, COMMAND, COMPL_UPDATE, ENABLE_MSI, ENABLE_MSIX, INTRCTRL, INTRDELAY,
                  INT_EN, MSIX_CONTROL, MSI_CONTROL, REARM, REPORT_ERRORS, assign, heard,
                  interrupt, is_heard, working)
from server import run, served
from tap import expect
from vfio_user import (BAR0, BOOL, CONFIG, ERR, EVENTFD, INTX, IRQS, MASK, MSI, MSIX, NONE, REQ,
                       SET_IRQS, TRIGGER, UNMASK, set_irqs)

ALL = "--interrupts=msix,msi,intx"
WITH_INTERRUPT = (INTX, MSI, MSIX, REQ)
ATTNSTATUS = 0x04


def fire(client, index):
    client.irqs(index, NONE | TRIGGER)


@served(ALL)
def test_fire(server):
    """NONE and BOOL with TRIGGER: the client fires the interrupts itself"""
    client = server.client()
    for index in WITH_INTERRUPT:
        fd = os.eventfd(0)
        assign(client, index, fd)
        expect(not is_heard(fd), "heard too early")
        fire(client, index)
        expect(heard(fd) == 1, "once")
        client.irqs(index, BOOL | TRIGGER, data=b"\1")
        expect(heard(fd) == 1, "once")
        client.irqs(index, BOOL | TRIGGER, data=b"\0")
        client.is_silent()
        expect(not is_heard(fd), "fired by a 0")
        os.close(fd)


@served(ALL)
def test_apart(server):
    """Each index has an eventfd of its own"""
    client = server.client()
    fds = {index: os.eventfd(0) for index in WITH_INTERRUPT}
    for index, fd in fds.items():
        assign(client, index, fd)
    for index, fd in fds.items():
        fire(client, index)
        expect(heard(fd) == 1, "the one that was meant")
        expect(not any(map(is_heard, fds.values())), "another one")
    for fd in fds.values():
        os.close(fd)


@served(ALL)
def test_unassigned(server):
    """Fired with nothing assigned: a success, and nothing happens"""
    client = server.client()
    for index in WITH_INTERRUPT:
        fire(client, index)
        client.irqs(index, BOOL | TRIGGER, data=b"\1")


@served(ALL)
def test_reassign(server):
    """An eventfd assigned over another takes its place, and the server lets go of the other"""
    client = server.client()
    before = server.fds_with(client)
    first, second = os.eventfd(0), os.eventfd(0)
    for _ in range(50):
        assign(client, MSIX, first)
        assign(client, MSIX, second)
    fire(client, MSIX)
    expect(heard(second) == 1 and not is_heard(first), "the second one")
    expect((fds := server.fds_with(client)) == before + 1,
           f"{fds} descriptors open, not {before + 1}")
    os.close(first)
    os.close(second)


@served(ALL)
def test_deassign(server):
    """EVENTFD and TRIGGER without a descriptor takes the eventfd away; so does disabling"""
    client = server.client()
    before = server.fds_with(client)
    for index in WITH_INTERRUPT:
        for take_away in ((EVENTFD | TRIGGER, 0, 1), (NONE | TRIGGER, 0, 0)):
            fd = os.eventfd(0)
            assign(client, index, fd)
            client.irqs(index, *take_away)
            expect((fds := server.fds_with(client)) == before,
                   f"{fds} descriptors open, not {before}")
            # Twice is as well.
            client.irqs(index, *take_away)
            fire(client, index)
            client.is_silent()
            expect(not is_heard(fd), "still assigned")
            os.close(fd)


@served("--interrupts=msix")
def test_disable(server):
    """Disabling an index succeeds, also one without interrupts"""
    client = server.client()
    for index in range(IRQS):
        client.irqs(index, NONE | TRIGGER, 0, 0)


@served(ALL)
def test_mask(server):
    """MASK and UNMASK are accepted for INTx, MSI and MSI-X, also with a descriptor"""
    client = server.client()
    before = server.fds_with(client)
    fd = os.eventfd(0)
    for index in (INTX, MSI, MSIX):
        for action in (MASK, UNMASK):
            client.irqs(index, NONE | action)
            client.irqs(index, BOOL | action, data=b"\1")
            client.irqs(index, BOOL | action, data=b"\0")
            client.irqs(index, EVENTFD | action, fds=(fd,))
            client.irqs(index, EVENTFD | action)
    client.irqs(INTX, NONE | UNMASK)
    # What the client keeps as the way to unmask may stay with the server.
    expect((fds := server.fds_with(client)) <= before + 6, f"{fds} descriptors open, not {before}")
    os.close(fd)


@served(ALL)
def test_malformed(server):
    """SET_IRQS that cannot be: EINVAL, and what was assigned stays"""
    client = server.client()
    fd = os.eventfd(0)
    for index in WITH_INTERRUPT:
        assign(client, index, fd)
    bad = [(set_irqs(MSIX, NONE | TRIGGER)[:length], ()) for length in (1, 4, 19)]
    bad += [(set_irqs(MSIX, NONE | TRIGGER, argsz=argsz), ()) for argsz in (0, 19)]
    bad += [(set_irqs(index, NONE | TRIGGER), ()) for index in (IRQS, 6, 0xFFFFFFFF)]
    bad += [(set_irqs(index, NONE | TRIGGER, 0, 0), ()) for index in (IRQS, 0xFFFFFFFF)]
    for flags in (0, NONE, BOOL, EVENTFD, MASK, UNMASK, TRIGGER, NONE | BOOL | TRIGGER,
                  NONE | EVENTFD | TRIGGER, BOOL | EVENTFD | TRIGGER, NONE | MASK | UNMASK,
                  NONE | MASK | TRIGGER, NONE | UNMASK | TRIGGER, NONE | MASK | UNMASK | TRIGGER,
                  0x3F, 0x40 | NONE | TRIGGER, 0x80000000 | NONE | TRIGGER):
        bad.append((set_irqs(MSIX, flags), ()))
    for start, count in ((1, 1), (0, 2), (1, 0), (0xFFFFFFFF, 1), (1, 0xFFFFFFFF), (0, 0xFFFFFFFF),
                         (0xFFFFFFFF, 0xFFFFFFFF), (0x80000000, 0x80000000)):
        for kind in (NONE, EVENTFD):
            bad.append((set_irqs(MSIX, kind | TRIGGER, start, count), ()))
    # Nothing, but not to disable.
    for flags in (BOOL | TRIGGER, EVENTFD | TRIGGER, NONE | MASK, NONE | UNMASK, BOOL | MASK):
        bad.append((set_irqs(MSIX, flags, 0, 0), ()))
    # Data of another length.
    for data in (b"", b"\1\1", bytes(100)):
        bad.append((set_irqs(MSIX, BOOL | TRIGGER, data=data), ()))
    # Descriptors that are not asked for, or not as many.
    bad += [(set_irqs(MSIX, NONE | TRIGGER), (fd,)), (set_irqs(MSIX, NONE | TRIGGER, 0, 0), (fd,)),
            (set_irqs(MSIX, BOOL | TRIGGER, data=b"\1"), (fd,)),
            (set_irqs(MSIX, NONE | MASK), (fd,)), (set_irqs(MSIX, EVENTFD | TRIGGER), (fd, fd)),
            (set_irqs(MSIX, EVENTFD | TRIGGER, 0, 0), (fd,)),
            (set_irqs(MSIX, EVENTFD | TRIGGER, 0, 2), (fd, fd))]
    before = server.fds_with(client)
    for payload, fds in bad:
        client.refused(SET_IRQS, payload, fds=fds)
    expect((fds := server.fds_with(client)) == before, f"{fds} descriptors open, not {before}")
    for index in WITH_INTERRUPT:
        expect(not is_heard(fd), "fired by what was refused")
        fire(client, index)
        expect(heard(fd) == 1, "still assigned")
    os.close(fd)


@served(ALL)
def test_absent(server):
    """An index without interrupts, and masks where there are none: EINVAL"""
    client = server.client()
    fd = os.eventfd(0)
    client.refused(SET_IRQS, set_irqs(ERR, NONE | TRIGGER))
    client.refused(SET_IRQS, set_irqs(ERR, EVENTFD | TRIGGER), fds=(fd,))
    for index in (ERR, REQ):
        for action in (MASK, UNMASK):
            client.refused(SET_IRQS, set_irqs(index, NONE | action))
            client.refused(SET_IRQS, set_irqs(index, EVENTFD | action), fds=(fd,))
    os.close(fd)


@served("--interrupts=msix")
def test_not_offered(server):
    """A kind that is not offered: EINVAL"""
    client = server.client()
    fd = os.eventfd(0)
    for index in (INTX, MSI):
        client.refused(SET_IRQS, set_irqs(index, EVENTFD | TRIGGER), fds=(fd,))
        client.refused(SET_IRQS, set_irqs(index, NONE | TRIGGER))
    os.close(fd)


@served(ALL)
def test_long_structure(server):
    """A huge argsz is no reason to refuse"""
    client = server.client()
    fd = os.eventfd(0)
    client.call(SET_IRQS, set_irqs(MSIX, EVENTFD | TRIGGER, argsz=0xFFFFFFFF), (fd,))
    fire(client, MSIX)
    expect(heard(fd) == 1, "assigned")
    os.close(fd)


@served()
def test_msix(server):
    """A descriptor that interrupts is heard through MSI-X, once for each re-arm"""
    client = server.client()
    fd = os.eventfd(0)
    assign(client, MSIX, fd)
    client.write(CONFIG, MSIX_CONTROL, ENABLE_MSIX)
    channel = working(client)
    for _ in range(3):
        interrupt(channel)
        expect(heard(fd) == 1, "once")
    channel.add_null()
    channel.finish()
    expect(not is_heard(fd), "heard of a descriptor that does not interrupt")
    os.close(fd)


@served()
def test_msix_as_a_machine_does(server):
    """The order of a virtual machine: vector 0 without a descriptor, then with one, then another"""
    client = server.client()
    channel = working(client)
    client.irqs(MSIX, EVENTFD | TRIGGER)
    first, second = os.eventfd(0), os.eventfd(0)
    assign(client, MSIX, first)
    client.write(CONFIG, MSIX_CONTROL, ENABLE_MSIX)
    interrupt(channel)
    expect(heard(first) == 1, "first")
    assign(client, MSIX, second)
    interrupt(channel)
    expect(heard(second) == 1 and not is_heard(first), "second")
    client.irqs(MSIX, NONE | TRIGGER, 0, 0)
    interrupt(channel)
    expect(not is_heard(second) and not is_heard(first), "disabled")
    os.close(first)
    os.close(second)


@served()
def test_msix_disabled(server):
    """With MSI-X off in configuration space no message is heard; it comes when MSI-X is enabled"""
    client = server.client()
    fd = os.eventfd(0)
    assign(client, MSIX, fd)
    channel = working(client)
    interrupt(channel)
    expect(not is_heard(fd), "heard while it is off")
    client.write(CONFIG, MSIX_CONTROL, ENABLE_MSIX)
    if not client.read(CONFIG, 0x3D, 1)[0]:
        expect(heard(fd) == 1, "what waited")
    os.close(fd)


@served("--interrupts=msi")
def test_msi(server):
    """A descriptor that interrupts is heard through MSI"""
    client = server.client()
    fd = os.eventfd(0)
    assign(client, MSI, fd)
    client.write(CONFIG, MSI_CONTROL, ENABLE_MSI)
    channel = working(client)
    for _ in range(3):
        interrupt(channel)
        expect(heard(fd) == 1, "once")
        client.read(BAR0, ATTNSTATUS, 4)
    os.close(fd)


@served("--interrupts=intx")
def test_intx(server):
    """A descriptor that interrupts is heard through the pin, and again after it was served"""
    client = server.client()
    fd = os.eventfd(0)
    assign(client, INTX, fd)
    channel = working(client)
    for _ in range(3):
        interrupt(channel)
        expect(heard(fd) >= 1, "the level rose")
        expect(client.read(CONFIG, 0x06, 1)[0] & 8, "PCISTS bit 3")
        expect(client.read(BAR0, ATTNSTATUS, 4) == b"\1\0\0\0", "ATTNSTATUS")
        client.irqs(INTX, NONE | UNMASK)
        expect(not client.read(CONFIG, 0x06, 1)[0] & 8, "PCISTS bit 3, served")
        while is_heard(fd):
            os.eventfd_read(fd)
    os.close(fd)


@served("--interrupts=intx")
def test_intx_off(server):
    """The pin is silent while the command register says so"""
    client = server.client()
    fd = os.eventfd(0)
    assign(client, INTX, fd)
    channel = working(client)
    client.write(CONFIG, COMMAND, b"\x06\x04")
    interrupt(channel)
    expect(not is_heard(fd), "heard")
    client.write(CONFIG, COMMAND, b"\x06\x00")
    expect(heard(fd) >= 1, "what waited")
    os.close(fd)


@served()
def test_delay(server):
    """INTRDELAY holds an interrupt back, and not for ever"""
    client = server.client()
    fd = os.eventfd(0)
    assign(client, MSIX, fd)
    client.write(CONFIG, MSIX_CONTROL, ENABLE_MSIX)
    channel = working(client)
    client.write(BAR0, INTRDELAY, struct.pack("<H", 0x3FFF))
    for _ in range(3):
        interrupt(channel)
        expect(heard(fd) == 1, "once")
    os.close(fd)


@served()
def test_unheard(server):
    """Interrupts with no eventfd assigned do not stop the engine"""
    client = server.client()
    client.write(CONFIG, MSIX_CONTROL, ENABLE_MSIX)
    channel = working(client)
    for _ in range(10):
        interrupt(channel)
    fd = os.eventfd(0)
    assign(client, MSIX, fd)
    channel.registers.write(INTRCTRL, 1, 1)
    channel.registers.write(CHANCTRL, 2, REPORT_ERRORS | REARM)
    channel.add_null(COMPL_UPDATE | INT_EN)
    channel.finish()
    expect(heard(fd) >= 1, "heard now")
    os.close(fd)


if __name__ == "__main__":
    run(__name__)
