"""Ogg (RFC 3533): a stream of packets in pages."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

CONTINUED, LAST = 1, 4
LARGEST = 255 * 255
MAGIC, HEAD = b"OggS", 27


@dataclass(frozen=True)
class Page:
    """One page (section 6)."""

    flags: int
    granule: int
    serial: int
    number: int
    lacing: bytes
    body: bytes
    raw: bytes = b""

    def written(self) -> bytes:
        """Its bytes, with their checksum."""
        front = struct.pack(
            "<4sBBqII", b"OggS", 0, self.flags, self.granule, self.serial, self.number
        )
        back = bytes([len(self.lacing)]) + self.lacing + self.body
        return front + struct.pack("<I", _crc(front + b"\0\0\0\0" + back)) + back


def packets(data: bytes) -> Iterator[bytes]:
    """The packets of a stream."""
    begun = b""
    for page in pages(data):
        at = 0
        for length in page.lacing:
            begun += page.body[at : at + length]
            at += length
            if length < 255:
                yield begun
                begun = b""


def pages(data: bytes) -> Iterator[Page]:
    """The whole pages of a stream; what is between them, and half a page at its end, is left out.

    Raises:
        ValueError: it is none.
    """
    at = data.find(MAGIC)
    if at < 0:
        raise ValueError("this is no Ogg stream")
    while 0 <= at <= len(data) - HEAD:
        _, _, flags, granule, serial, number, _, segments = struct.unpack_from(
            "<4sBBqIIIB", data, at
        )
        lacing = data[at + HEAD : at + HEAD + segments]
        end = at + HEAD + segments + sum(lacing)
        if len(lacing) == segments and end <= len(data):
            body = data[at + HEAD + segments : end]
            yield Page(flags, granule, serial, number, lacing, body, data[at:end])
        else:
            end = at + 1
        at = data.find(MAGIC, end)


def cut_page(data: bytes) -> Iterator[Page]:
    """The whole packets of a page that the file ends in, if there are any.

    Its time is the share of these packets in the time of the page, which is right where packets
    last equally long, as they do in Opus.
    """
    before, at = 0, 0
    for page in pages(data):
        before, at = max(before, page.granule), data.index(page.raw, at) + len(page.raw)
    at = data.find(MAGIC, at)
    if at < 0 or at + HEAD > len(data):
        return
    _, _, flags, granule, serial, number, _, segments = struct.unpack_from("<4sBBqIIIB", data, at)
    lacing = data[at + HEAD : at + HEAD + segments]
    body = data[at + HEAD + segments :]
    ends = [place for place, length in enumerate(lacing, 1) if length < 255]
    there = [place for place in ends if sum(lacing[:place]) <= len(body)]
    if there:
        time = before + (granule - before) * len(there) // len(ends)
        kept = lacing[: there[-1]]
        yield Page(flags & ~LAST, time, serial, number, kept, body[: sum(kept)])


def paged(packet: bytes, head: Page) -> Iterator[Page]:
    """A header packet in as many pages as it takes, behind the first page of the stream."""
    lacing = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
    for index in range((len(lacing) + 254) // 255):
        body = packet[index * LARGEST : (index + 1) * LARGEST]
        part = lacing[index * 255 : (index + 1) * 255]
        flags = CONTINUED if index else 0
        yield Page(flags, 0, head.serial, index + 1, part, body)


def _crc_table() -> list[int]:
    table: list[int] = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    return table


_CRC = _crc_table()


def _crc(data: bytes) -> int:
    value = 0
    for byte in data:
        value = (value << 8 & 0xFFFFFFFF) ^ _CRC[value >> 24 ^ byte]
    return value
