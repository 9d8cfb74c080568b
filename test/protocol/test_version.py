# SPDX-License-Identifier: BSD-3-Clause
"""Section 4: VERSION."""

import json
import struct

from ioat import Memory
from server import run, served
from tap import expect
from vfio_user import (Closed, DMA_MAP, GET_INFO, MALFORMED, MIB, NO_REPLY, QEMU, REGION_INFO,
                       REGION_READ, REPLY, RESET, VERSION, dma_map, get_info, message, region_info,
                       region_read, version)


def negotiate(server, payload):
    """Sends VERSION; returns major, minor and the object of the reply."""
    connection = server.connect()
    connection.send(message(VERSION, payload, 0x77))
    got = connection.receive()
    expect((got.number, got.command, got.flags, got.error) == (0x77, VERSION, 1, 0), f"{got}")
    major, minor = struct.unpack_from("=HH", got.payload)
    expect(got.payload[-1:] == b"\0" and b"\0" not in got.payload[4:-1], "not one text with a NUL")
    expect(got.fds == (), "descriptors")
    # The connection is one that works.
    connection.send(message(GET_INFO, get_info(), 2))
    expect(connection.receive().flags == 1, "GET_INFO")
    connection.close()
    return major, minor, json.loads(got.payload[4:-1])


def expect_refused(server, payload, fds=(), command=VERSION):
    """EINVAL, and the end of the connection."""
    connection = server.connect()
    connection.send(message(command, payload, 3), fds)
    try:
        connection.expect_error(3, command, MALFORMED)
        connection.expect_closed()
    except Exception as error:
        raise AssertionError(f"{command} {payload[:100]}: {error!r}") from None
    connection.close()


def text(string):
    """VERSION 0.0 with a text of one's own."""
    return version(string if isinstance(string, bytes) else string.encode() + b"\0")


@served()
def test_reply(server):
    """The reply to what QEMU sends: 0.0, what the server can do, and no longer than QEMU's own"""
    request = version(QEMU)
    connection = server.connect()
    connection.send(message(VERSION, request))
    got = connection.receive().payload
    expect(len(got) <= len(request), f"{len(got)} bytes, QEMU takes {len(request)}")
    connection.close()
    major, minor, reply = negotiate(server, request)
    expect((major, minor) == (0, 0), f"version {major}.{minor}")
    can = reply["capabilities"]
    expect(type(can["max_msg_fds"]) is int and 1 <= can["max_msg_fds"] <= 16, can)
    expect(can["max_data_xfer_size"] == MIB, can)
    expect(can["write_multiple"] is True, can)
    expect(set(can) <= set(QEMU["capabilities"]), f"more than was proposed: {can}")


@served()
def test_minors(server):
    """The minor number of the reply is at most the client's"""
    for minor in (0, 1, 2, 3, 0xFFFF):
        major, got, _ = negotiate(server, version(minor=minor))
        expect(major == 0 and got <= minor, f"{major}.{got} in reply to 0.{minor}")


@served()
def test_accepted(server):
    """No JSON, no capabilities, and whatever else an object may hold"""
    for payload in (version(None), version(None, minor=1), version({}),
                    version({"capabilities": {}}), version({"capabilities": {"max_msg_fds": 1}}),
                    version({"capabilities": {"write_multiple": False}}),
                    version({"capabilities": {"max_msg_fds": 0}}),
                    version({"capabilities": {"max_data_xfer_size": 4096}}),
                    version({"capabilities": {"future": {"deep": [1, {"a": None}]}}}),
                    version({"future": [True], "capabilities": {}}),
                    text(' \n{\t"capabilities" : { "max_msg_fds":\r8 } } \n'),
                    text('{"capabilities":{"x":"\\u0000\\"}{","max_data_xfer_size":1048576}}'),
                    text('{"capabilities":{"x":"\u00e9\u4e2d"}}')):
        major, minor, reply = negotiate(server, payload)
        expect(major == 0 and minor <= 1 and isinstance(reply.get("capabilities", {}), dict), reply)


@served()
def test_twin_socket(server):
    """A second socket that is proposed is not taken up"""
    _, _, reply = negotiate(server, version({"capabilities": {"twin_socket": {"supported": True}}}))
    twin = reply["capabilities"].get("twin_socket", {})
    expect(not twin.get("supported"), reply)


@served()
def test_first(server):
    """Anything else first: EINVAL, and the end"""
    expect_refused(server, get_info(), command=GET_INFO)
    expect_refused(server, region_info(0), command=REGION_INFO)
    expect_refused(server, region_read(7, 0, 2), command=REGION_READ)
    expect_refused(server, dma_map(0, 4096), command=DMA_MAP)
    expect_refused(server, b"", command=RESET)
    expect_refused(server, b"", command=0)
    expect_refused(server, bytes(100), command=0x4711)
    memory = Memory(0, 4096)
    expect_refused(server, dma_map(0, 4096), (memory.fd,), DMA_MAP)


@served()
def test_first_without_reply(server):
    """Anything else first, with No_reply: the end, and no reply"""
    for command, payload in ((GET_INFO, get_info()), (VERSION, b""), (VERSION, version(b"{")),
                             (RESET, b"")):
        connection = server.connect()
        connection.send(message(command, payload, flags=NO_REPLY))
        connection.expect_closed()
        connection.close()


@served()
def test_first_of_another_type(server):
    """A message that is neither command nor reply first: EINVAL; a reply first is no VERSION"""
    for kind in (2, 15):
        connection = server.connect()
        connection.send(message(VERSION, version(), flags=kind))
        connection.expect_error(1, VERSION, MALFORMED)
        connection.close()
    connection = server.connect()
    connection.send(message(VERSION, version(), flags=REPLY))
    try:
        connection.send(message(GET_INFO, get_info(), 2))
        connection.expect_error(2, GET_INFO, MALFORMED)
    except Closed:
        pass
    connection.expect_closed()


@served()
def test_short(server):
    """A payload too short for the two numbers"""
    for length in range(4):
        expect_refused(server, bytes(length))


@served()
def test_major(server):
    """Another major number than 0"""
    for major in (1, 2, 0x100, 0xFFFF):
        expect_refused(server, version(major=major))


@served()
def test_no_nul(server):
    """JSON without a NUL at its end"""
    expect_refused(server, version(b"{}"))
    expect_refused(server, version(b'{"capabilities":{}}'))
    expect_refused(server, version(b"{}\0 "))
    expect_refused(server, version(b"x"))


@served()
def test_bad_json(server):
    """A text that is not JSON, or not an object"""
    for bad in ("{", "}", "{]", '{"capabilities"}', '{"capabilities":}', '{"capabilities":{}',
                "{} {}", "{} x", "{'capabilities':{", '{"capabilities":{"max_msg_fds":}}',
                '{"capabilities":{"max_msg_fds":8', "nul", "[]", "[{}]", "8", '"{}"', "true",
                "null", "\x01"):
        expect_refused(server, text(bad))


@served()
def test_wrong_types(server):
    """A known member of another type"""
    for value in ("1", "[]", "null", "true", '"{}"'):
        expect_refused(server, text(f'{{"capabilities":{value}}}'))
    for name in ("max_msg_fds", "max_data_xfer_size"):
        for value in ('"8"', "[8]", "{}", "true", "null"):
            expect_refused(server, text(f'{{"capabilities":{{"{name}":{value}}}}}'))
    for value in ('"true"', "[true]", "{}", "1", "null"):
        expect_refused(server, text(f'{{"capabilities":{{"write_multiple":{value}}}}}'))


@served()
def test_descriptors(server):
    """Descriptors with VERSION"""
    memory = Memory(0, 4096)
    expect_refused(server, version(), (memory.fd,))
    expect_refused(server, version(), (memory.fd,) * 8)


@served()
def test_twice(server):
    """A second VERSION, early or late: EINVAL, and the connection stays"""
    client = server.client()
    client.refused(VERSION, version())
    client.call(GET_INFO, get_info())
    client.refused(VERSION, version())
    client.refused(VERSION, version(None, minor=1))
    client.call(GET_INFO, get_info())


@served()
def test_no_reply(server):
    """VERSION with No_reply: negotiated, and nothing is sent"""
    connection = server.connect()
    connection.send(message(VERSION, version(), 1, NO_REPLY))
    connection.send(message(GET_INFO, get_info(), 2))
    got = connection.receive()
    expect((got.number, got.command, got.flags) == (2, GET_INFO, 1), got)


@served()
def test_glued(server):
    """VERSION and the first commands in one piece"""
    connection = server.connect()
    connection.send(message(VERSION, version(), 1) + message(GET_INFO, get_info(), 2) +
                    message(REGION_READ, region_read(7, 0, 2), 3))
    for number in (1, 2, 3):
        expect(connection.receive().number == number, "order")


if __name__ == "__main__":
    run(__name__)
