"""PNG files (ISO/IEC 15948) with damage: chunks mended, lost rows counted."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
FIRST_BYTES = 65536
"""So far into a file is looked for its beginning."""

HEADER, DATA, END = b"IHDR", b"IDAT", b"IEND"
ORDERED = {HEADER, b"PLTE", b"tRNS", b"acTL", b"fcTL", DATA, b"fdAT", b"eXIf"}
"""What is shown depends on these alone."""

TEXTS = (b"tEXt", b"zTXt", b"iTXt")

KNOWN = re.compile(
    rb"IHDR|PLTE|IDAT|IEND|tRNS|acTL|fcTL|fdAT|eXIf|tEXt|zTXt|iTXt|iCCP|gAMA|cHRM|sRGB|pHYs|bKGD"
    rb"|tIME|sBIT|hIST|sPLT|cICP"
)
NAME = re.compile(rb"[A-Za-z]{4}")
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
          (0, 1, 1, 2))  # fmt: skip
"""Adam7: x, y, and the steps to the next column and row."""
PIECE = 65536


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each chunk; where a length is wrong, up to the next chunk."""
    at = data.find(SIGNATURE, 0, FIRST_BYTES)
    at = at + len(SIGNATURE) if at >= 0 else len(data)
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + size
        if kind != END and not _chunk_at(data, end):
            following = KNOWN.search(data, at + 12)
            # Without one, the file is cut off here: there is no checksum either.
            end = following.start() - 4 if following else len(data) + 4
        yield kind, data[at + 8 : end - 4]
        if kind == END:
            return
        at = end


def _chunk_at(data: bytes, at: int) -> bool:
    """Whether a chunk begins there, or the file ends."""
    return at == len(data) or NAME.fullmatch(data, at + 4, at + 8) is not None


def mended(data: bytes) -> bytes | None:
    """The same picture with what is shown alone, right checksums, and an end.

    Returns:
        None where no coded rows are found.
    """
    kept = [(kind, content) for kind, content in chunks(data) if kind in ORDERED]
    if DATA not in {kind for kind, _ in kept} or kept[0][0] != HEADER:
        return None
    return SIGNATURE + b"".join(_chunk(*chunk) for chunk in [*kept, (END, b"")])


def with_texts(data: bytes, other: bytes) -> bytes:
    """A PNG file with the texts of another file, if that is one, however long they are."""
    texts = [_chunk(kind, content) for kind, content in chunks(other) if kind in TEXTS]
    front = len(SIGNATURE) + 12 + 13
    return b"".join([data[:front], *texts, data[front:]])


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(content, zlib.crc32(kind))
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def rows_lost(data: bytes) -> int:
    """How many rows of a still picture, or of the first of several, cannot be read.

    Of an interlaced picture as many rows as the missing bytes would make.
    """
    kept = list(chunks(data))
    header = next((content for kind, content in kept if kind == HEADER), b"")
    if len(header) < 13:
        return 0
    width, height, depth, color, _, _, interlaced = struct.unpack_from(">IIBBBBB", header)
    bits = depth * CHANNELS.get(color, 1)
    shapes = [(width, height)]
    if interlaced:
        shapes = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in PASSES]
    expected = sum(rows * (1 + (columns * bits + 7) // 8) for columns, rows in shapes if columns)
    found = _unpacked(b"".join(content for kind, content in kept if kind == DATA), expected)
    return height - min(height, found * height // max(1, expected))


def _unpacked(data: bytes, most: int) -> int:
    """How many bytes a stream of zlib gives before its damage, at most so many."""
    unpacking, found = zlib.decompressobj(), 0
    try:
        for at in range(0, len(data), PIECE):
            rest = data[at : at + PIECE]
            while rest and found < most:
                found += len(unpacking.decompress(rest, PIECE))
                rest = unpacking.unconsumed_tail
    except zlib.error:
        pass
    return found
