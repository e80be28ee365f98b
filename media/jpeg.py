"""JPEG files (ITU-T T.81) with damage: segments mended, the end put back, lost rows counted."""

from __future__ import annotations

import re
import struct

import numpy as np
from PIL import Image

START, END = b"\xff\xd8", b"\xff\xd9"
SCAN = 0xDA
FIRST_BYTES = 65536
"""So far into a file is looked for its beginning."""

# What a decoder needs: tables, frame headers, restart intervals, Adobe's colour transform.
TABLES = frozenset([0xC4, 0xCC, 0xDB, 0xDC, 0xDD, 0xEE])
FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
PROGRESSIVE = frozenset([0xC2, 0xC6, 0xCA, 0xCE])
JFIF, EXIF = 0xE0, 0xE1
MARKER = re.compile(rb"\xff[\xc0-\xcf\xda-\xdd\xe0-\xef\xfe]")
GREY = 128  # what a decoder gives for blocks that are not there
LAST_COLUMNS = 8  # a row of blocks that breaks off is grey at its right


def has_end(data: bytes) -> bool:
    """Whether the end of the picture is in the file."""
    return data.rfind(END) > data.rfind(b"\xff\xda")


def is_progressive(data: bytes) -> bool:
    """Whether each part of the file refines the whole picture."""
    return any(kind in PROGRESSIVE for kind, _ in _segments(data))


def mended(data: bytes) -> bytes | None:
    """The same picture without damaged segments of other kinds, and with an end.

    Returns:
        None where no coded rows are found.
    """
    parts = [START]
    for kind, segment in _segments(data):
        needed = kind in TABLES or kind in FRAMES or kind in (JFIF, SCAN)
        if needed or (kind == EXIF and segment[4:8] == b"Exif"):
            parts.append(segment)
        if kind == SCAN:
            return b"".join(parts) + (b"" if has_end(segment) else END)
    return None


def _segments(data: bytes) -> list[tuple[int, bytes]]:
    """The segments up to the first scan, which goes to the end of the file; kind and bytes."""
    at = data.find(START, 0, FIRST_BYTES)
    at = at + 2 if at >= 0 else len(data)
    found: list[tuple[int, bytes]] = []
    while at + 4 <= len(data):
        marker = MARKER.search(data, at)
        if marker is None:
            break
        at = marker.start()
        kind = data[at + 1]
        if kind == SCAN:
            found.append((kind, data[at:]))
            break
        end = at + 2 + struct.unpack_from(">H", data.ljust(at + 4, b"\0"), at + 2)[0]
        if data[end : end + 1] != b"\xff":  # its length is wrong
            following = MARKER.search(data, at + 4)
            end = following.start() if following else len(data)
        length = struct.pack(">H", min(end - at - 2, 0xFFFF))
        found.append((kind, data[at : at + 2] + length + data[at + 4 : end]))
        at = end
    return found


def rows_lost(image: Image.Image) -> int:
    """How many of the last rows of a picture that was cut off are not there: they are grey."""
    rows = np.asarray(image, np.int16).reshape(image.height, image.width, -1)[:, -LAST_COLUMNS:]
    there = np.flatnonzero((np.abs(rows - GREY) > 1).any(axis=(1, 2)))
    return image.height - (int(there[-1]) + 1 if len(there) else 0)
