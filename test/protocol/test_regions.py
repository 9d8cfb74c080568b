# SPDX-License-Identifier: BSD-3-Clause
"""Section 8: REGION_READ, REGION_WRITE and REGION_WRITE_MULTI."""

import random
import struct

from ioat import CHANCMP, CHANSTS, HALTED, INTRDELAY
from server import run, served
from tap import expect
from vfio_user import (BAR0, CONFIG, MAX_TRANSFER, NO_REPLY, REGIONS, REGION_READ, REGION_WRITE,
                       WRITE_MULTI, region_read, region_write, write_multi)

BAR_SIZE = 16384
CONFIG_SIZE = 4096
TOP = 1 << 64
# A register whose eight bytes keep what is written to them.
KEEPS = CHANCMP


@served()
def test_config_whole(server):
    """All of configuration space in one read"""
    config = server.client().read(CONFIG, 0, CONFIG_SIZE)
    expect(config[:2] == b"\x86\x80" and config[2:4] == b"\x21\x20", f"ids {config[:4].hex()}")
    expect(config[9:12] == b"\x00\x80\x08", f"class {config[9:12].hex()}")
    expect(config[0x10] & 15 == 4, "BAR0 is 64 bits of memory")
    expect(config[0x30:0x34] == bytes(4), "no ROM")
    expect(config[6] & 0x10, "a capability list")


@served()
def test_config_pieces(server):
    """Configuration space in pieces of any width, at any place"""
    client = server.client()
    config = client.read(CONFIG, 0, CONFIG_SIZE)
    rng = random.Random(1)
    pieces = [(offset, width) for width in range(1, 18)
              for offset in (0, 1, 2, 3, 5, 0x7F, 0x80, 0x81)]
    pieces += [(CONFIG_SIZE - width, width) for width in range(1, 18)]
    for _ in range(200):
        offset = rng.randrange(CONFIG_SIZE)
        pieces.append((offset, rng.randint(1, CONFIG_SIZE - offset)))
    for offset, width in pieces:
        expect(client.read(CONFIG, offset, width) == config[offset:offset + width],
               f"{width} bytes at {offset:#x}")


@served()
def test_config_write(server):
    """Writes to configuration space of any width: what can be written is, the rest stays"""
    client = server.client()
    before = client.read(CONFIG, 0, CONFIG_SIZE)
    client.write(CONFIG, 0x04, b"\x06\x00")
    expect(client.read(CONFIG, 0x04, 2) == b"\x06\x00", "PCICMD")
    client.write(CONFIG, 0x04, b"\x00")
    expect(client.read(CONFIG, 0x04, 2) == b"\x00\x00", "PCICMD, a byte")
    client.write(CONFIG, 0x03, b"\xff\x06\x00\x00\x00")
    expect(client.read(CONFIG, 0x00, 6) == before[:4] + b"\x06\x00", "five bytes across")
    client.write(CONFIG, 0x184, b"\x07\x3e\x00\x00")
    expect(client.read(CONFIG, 0x184, 4) == b"\x07\x3e\x00\x00", "CHANERRMSK_INT")
    # Everything at once, but for the bit that resets the function.
    everything = bytearray(b"\xff" * CONFIG_SIZE)
    everything[0x99] &= 0x7F
    client.write(CONFIG, 0, bytes(everything))
    after = client.read(CONFIG, 0, CONFIG_SIZE)
    for offset in (*range(4), *range(8, 12), 0x0E, 0x34, 0x3D):
        expect(after[offset] == before[offset], f"byte {offset:#x} is read-only")
    client.reset()
    expect(client.read(CONFIG, 0, CONFIG_SIZE) == before, "as it was")


@served()
def test_bar_size(server):
    """The size of BAR0 is found by writing ones; the ROM has none"""
    client = server.client()
    client.write(CONFIG, 0x10, b"\xff" * 8)
    expect(client.read(CONFIG, 0x10, 8) == b"\x04\xc0\xff\xff\xff\xff\xff\xff", "16 KiB")
    client.write(CONFIG, 0x30, b"\x00\xf8\xff\xff")
    expect(client.read(CONFIG, 0x30, 4) == bytes(4), "ROM")
    for offset in range(0x18, 0x28, 4):
        client.write(CONFIG, offset, b"\xff" * 4)
        expect(client.read(CONFIG, offset, 4) == bytes(4), f"BAR at {offset:#x}")


@served()
def test_function_level_reset(server):
    """Bit 15 of Device Control resets the function"""
    client = server.client()
    client.write(BAR0, KEEPS, b"12345678")
    low, high = client.read(CONFIG, 0x98, 2)
    client.write(CONFIG, 0x98, bytes([low, high | 0x80]))
    expect(client.read(BAR0, KEEPS, 8) == bytes(8), "CHANCMP")


@served()
def test_registers(server):
    """The registers at their places, each in its width and in others"""
    client = server.client()
    expect(client.read(BAR0, 0x00, 1) == b"\1", "CHANCNT")
    expect(client.read(BAR0, 0x01, 1) == b"\x14", "XFERCAP")
    expect(client.read(BAR0, 0x08, 1) == b"\x33", "CBVER")
    expect(client.read(BAR0, CHANSTS, 8) == bytes([HALTED]) + bytes(7), "CHANSTS")
    expect(client.read(BAR0, CHANSTS, 4) == bytes([HALTED]) + bytes(3), "low half of CHANSTS")
    expect(client.read(BAR0, 0x00, 2) == b"\1\x14", "two registers in one read")
    expect(client.read(BAR0, 0x07, 2)[1:] == b"\x33", "two bytes across")
    expect(client.read(BAR0, 0x200, 8) == bytes(8), "unlisted")


@served()
def test_bar_pieces(server):
    """Registers in pieces of any width, at any place"""
    client = server.client()
    client.write(BAR0, KEEPS, b"12345678")
    around = bytes(8) + b"12345678" + bytes(8)
    for width in range(1, 17):
        for offset in range(KEEPS - width + 1, KEEPS + 8):
            if KEEPS - 8 <= offset and offset + width <= KEEPS + 16:
                at = offset - KEEPS + 8
                expect(client.read(BAR0, offset, width) == around[at:at + width],
                       f"{width} bytes at {offset:#x}")
    for width in range(1, 9):
        for offset in range(0, 9 - width):
            data = random.Random(width * 8 + offset).randbytes(width)
            client.write(BAR0, KEEPS, b"abcdefgh")
            client.write(BAR0, KEEPS + offset, data)
            expected = b"abcdefgh"[:offset] + data + b"abcdefgh"[offset + width:]
            expect(client.read(BAR0, KEEPS, 8) == expected, f"{width} bytes written at +{offset}")


@served()
def test_bar_whole(server):
    """All of BAR0 in one read, and in one write"""
    client = server.client()
    client.write(BAR0, KEEPS, b"12345678")
    bar = client.read(BAR0, 0, BAR_SIZE)
    expect(bar[KEEPS:KEEPS + 8] == b"12345678" and bar[8] == 0x33, "the registers are in it")
    client.write(BAR0, 0, bytes(BAR_SIZE))
    expect(client.read(BAR0, KEEPS, 8) == bytes(8), "CHANCMP")


@served()
def test_bounds(server):
    """Beyond the end of a region: EINVAL, and nothing is written"""
    client = server.client()
    for region, size in ((BAR0, BAR_SIZE), (CONFIG, CONFIG_SIZE)):
        for offset, count in ((size, 1), (size - 1, 2), (0, size + 1), (size - 4, 8), (size + 1, 1),
                              (TOP - 1, 1), (TOP - 1, 2), (TOP - 4, 8), (TOP - size, size),
                              (1 << 32, 4), (1 << 63, 8), ((1 << 32) + KEEPS, 8)):
            client.refused(REGION_READ, region_read(region, offset, count))
            client.refused(REGION_WRITE, region_write(region, offset, b"\xff" * count))
    expect(client.read(BAR0, KEEPS, 8) == bytes(8), "CHANCMP")


@served()
def test_absent(server):
    """Regions that are absent or cannot be: EINVAL"""
    client = server.client()
    absent = [region for region in range(REGIONS) if region not in (BAR0, CONFIG)]
    for region in (*absent, REGIONS, 10, 0x80000000, 0xFFFFFFFF):
        for offset, count in ((0, 1), (0, 4), (8, 8), (TOP - 1, 1)):
            client.refused(REGION_READ, region_read(region, offset, count))
            client.refused(REGION_WRITE, region_write(region, offset, bytes(count)))


@served()
def test_nothing(server):
    """A count of 0 is a success"""
    client = server.client()
    for region in (BAR0, CONFIG):
        for command, payload in ((REGION_READ, region_read(region, 8, 0)),
                                 (REGION_WRITE, region_write(region, 8, b""))):
            expect(client.call(command, payload) in (b"", payload), "empty, or the structure")


@served()
def test_too_much(server):
    """A count above the largest transfer: EINVAL"""
    client = server.client()
    for count in (MAX_TRANSFER + 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF):
        for region in (BAR0, CONFIG):
            client.refused(REGION_READ, region_read(region, 0, count))
            client.refused(REGION_WRITE, region_write(region, 0, b"", count))
            client.refused(REGION_WRITE, region_write(region, 0, bytes(16), count))


@served()
def test_malformed(server):
    """Too short, or data of another length than the count: EINVAL, and nothing is written"""
    client = server.client()
    for length in (1, 8, 15):
        client.refused(REGION_READ, region_read(BAR0, 0, 4)[:length])
        client.refused(REGION_WRITE, region_write(BAR0, 0, b"")[:length])
    for data, count in ((b"", 8), (b"1234567", 8), (b"123456789", 8), (b"12345678", 4),
                        (b"12345678", 0), (bytes(4096), 8)):
        client.refused(REGION_WRITE, region_write(BAR0, KEEPS, data, count))
    expect(client.read(BAR0, KEEPS, 8) == bytes(8), "CHANCMP")


# ---- REGION_WRITE_MULTI ----


def multi(client, *entries, count=None):
    """Returns how many writes were done."""
    reply = client.call(WRITE_MULTI, write_multi(*entries, count=count))
    expect(len(reply) == 8, f"{len(reply)} bytes")
    return struct.unpack("=Q", reply)[0]


@served()
def test_multi(server):
    """REGION_WRITE_MULTI is executed in order"""
    client = server.client()
    expect(multi(client) == 0, "none")
    entries = [(BAR0, KEEPS, bytes([i]) * 8) for i in range(200)]
    expect(multi(client, *entries) == 200, "all")
    expect(client.read(BAR0, KEEPS, 8) == bytes([199]) * 8, "the last one")
    entries = [(BAR0, KEEPS + i, bytes([i])) for i in range(8)]
    entries += [(CONFIG, 0x04, b"\x06\0"), (BAR0, INTRDELAY, b"\x34\x12"),
                (BAR0, KEEPS + 1, b"abc")]
    expect(multi(client, *entries) == 11, "all")
    expect(client.read(BAR0, KEEPS, 8) == b"\0abc\4\5\6\7", "in order")
    expect(client.read(CONFIG, 0x04, 2) == b"\x06\0", "another region")


@served()
def test_multi_stops(server):
    """At the first bad entry it stops, and the reply says how many were done"""
    client = server.client()
    good, behind = (BAR0, KEEPS, b"12345678"), (BAR0, KEEPS, b"too late")
    for bad in ((1, 0, b"1"), (REGIONS, 0, b"1"), (0xFFFFFFFF, 0, b"1"), (BAR0, BAR_SIZE, b"1"),
                (BAR0, BAR_SIZE - 1, b"12"), (BAR0, TOP - 4, b"12345678"),
                (BAR0, KEEPS, b"12345678", 9), (BAR0, KEEPS, b"12345678", 0xFFFFFFFF),
                (CONFIG, CONFIG_SIZE, b"1")):
        expect(multi(client, good, bad, behind) == 1, f"{bad}")
        expect(client.read(BAR0, KEEPS, 8) == b"12345678", f"{bad}: what is behind was executed")
        expect(multi(client, bad, behind) == 0, f"{bad}")
        expect(client.read(BAR0, KEEPS, 8) == b"12345678", f"{bad}: what is behind was executed")


@served()
def test_multi_malformed(server):
    """A number of writes that is not that of the payload: EINVAL, and none is done"""
    client = server.client()
    entry = (BAR0, KEEPS, b"12345678")
    whole = write_multi(entry, entry)
    bad = [whole[:length] for length in (1, 7, 31, 32, 33, 55)]
    bad += [write_multi(entry, count=count) for count in (2, 1 << 32, 1 << 61, (1 << 61) + 1,
                                                          TOP - 1, TOP // 24, TOP // 24 + 1)]
    for payload in bad:
        client.refused(WRITE_MULTI, payload)
        client.post(WRITE_MULTI, payload, flags=NO_REPLY)
    expect(client.read(BAR0, KEEPS, 8) == bytes(8), "CHANCMP")


@served()
def test_posted(server):
    """Thousands of posted writes, one by one and in bundles: all before the read that follows"""
    client = server.client()
    for i in range(5000):
        client.post(REGION_WRITE, region_write(BAR0, KEEPS, struct.pack("<Q", i)), flags=NO_REPLY)
        if i % 100 == 0:
            expect(struct.unpack("<Q", client.read(BAR0, KEEPS, 8))[0] == i, "order")
    for i in range(500):
        bundle = [(BAR0, KEEPS, struct.pack("<Q", i * 200 + k)) for k in range(200)]
        client.post(WRITE_MULTI, write_multi(*bundle), flags=NO_REPLY)
    expect(struct.unpack("<Q", client.read(BAR0, KEEPS, 8))[0] == 500 * 200 - 1, "order")


@served("--generation=0b00")
def test_generation(server):
    """Another generation is another device"""
    client = server.client()
    expect(client.read(CONFIG, 0, 4) == b"\x86\x80\x00\x0b", "ids")
    expect(client.read(BAR0, 0x08, 1) == b"\x34", "CBVER")


if __name__ == "__main__":
    run(__name__)
