"""Ogg (RFC 3533): a stream of packets in pages."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

CONTINUED = 1
LARGEST = 255 * 255


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
    """The pages of a stream.

    Raises:
        ValueError: it is none.
    """
    at = 0
    while at < len(data):
        magic, _, flags, granule, serial, number, _, segments = struct.unpack_from(
            "<4sBBqIIIB", data, at
        )
        if magic != b"OggS":
            raise ValueError("this is no Ogg stream")
        lacing = data[at + 27 : at + 27 + segments]
        end = at + 27 + segments + sum(lacing)
        body = data[at + 27 + segments : end]
        yield Page(flags, granule, serial, number, lacing, body, data[at:end])
        at = end


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
