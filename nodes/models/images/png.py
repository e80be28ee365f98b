"""PNG files of 8 or 16 bits for each channel, with texts (ISO/IEC 15948)."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nodes.models.images.pictures import PictureError, check_channels

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOR_TYPES = {1: 0, 3: 2, 4: 6}
UP, PAETH = 2, 4  # filters, section 9 of the standard
LONGEST_KEYWORD = 79


def png(
    pixels: NDArray[np.uint8] | NDArray[np.uint16], texts: Mapping[str, Any], *, compression: int
) -> bytes:
    """One picture as a PNG file.

    Args:
        pixels: [H, W, C], 8 or 16 bits for each of 1 (grey), 3 (RGB) or 4 (RGBA) channels.
        texts: kept beside it, in their order, each as JSON.
        compression: 0 (quick) to 9 (small).

    Raises:
        PictureError: another number of channels, or the name of a text is none for PNG.
    """
    check_channels(pixels)
    height, width, channels = pixels.shape
    depth = pixels.itemsize
    header = struct.pack(">IIBBBBB", width, height, 8 * depth, COLOR_TYPES[channels], 0, 0, 0)
    samples = pixels if depth == 1 else pixels.astype(">u2")
    rows = samples.view(np.uint8).reshape(height, -1)
    lines = _above(rows) if compression <= 1 else _paeth(rows, channels * depth)
    chunks = [_chunk(b"tEXt", _text(name, value)) for name, value in texts.items()]
    data = _chunk(b"IDAT", _packed(lines, compression))
    return b"".join((SIGNATURE, _chunk(b"IHDR", header), *chunks, data, _chunk(b"IEND", b"")))


def _packed(lines: NDArray[np.uint8], compression: int) -> bytes:
    """The lines by zlib, with as much memory as so many bytes need: it clears all of it first."""
    bits = lines.nbytes.bit_length()
    packing = zlib.compressobj(
        compression,
        wbits=min(max(bits, 9), zlib.MAX_WBITS),
        memLevel=min(max(bits - 8, 1), zlib.DEF_MEM_LEVEL),
        strategy=zlib.Z_FILTERED,
    )
    return packing.compress(lines.data) + packing.flush()


def _above(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Each byte less the one above it: quick, and 7 % more than the least of a photograph."""
    lines = np.empty((rows.shape[0], 1 + rows.shape[1]), np.uint8)
    lines[:, 0] = UP
    lines[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=lines[1:, 1:])
    return lines


def _paeth(rows: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Each byte less the nearest to left + above - left above among these three."""
    height, size = rows.shape
    around = np.zeros((height + 1, step + size), np.int16)
    around[1:, step:] = rows
    left, above, corner = around[1:, :-step], around[:-1, step:], around[:-1, :-step]
    from_left, from_above = np.abs(above - corner), np.abs(left - corner)
    from_corner = np.abs(left + above - 2 * corner)
    nearest = np.where(from_above <= from_corner, above, corner)
    is_left = (from_left <= from_above) & (from_left <= from_corner)
    lines = np.empty((height, 1 + size), np.uint8)
    lines[:, 0] = PAETH
    np.subtract(rows, np.where(is_left, left, nearest).astype(np.uint8), out=lines[:, 1:])
    return lines


def _text(name: str, value: Any) -> bytes:
    try:
        keyword = name.encode("latin-1")
    except UnicodeEncodeError:
        keyword = b""
    if not 0 < len(keyword) <= LONGEST_KEYWORD or b"\0" in keyword:
        raise PictureError(
            f"a PNG file cannot hold a text called {name!r}; its name must be 1 to "
            f"{LONGEST_KEYWORD} Latin-1 characters"
        )
    return keyword + b"\0" + json.dumps(value).encode()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return b"%b%b%b%b" % (
        struct.pack(">I", len(data)),
        kind,
        data,
        struct.pack(">I", zlib.crc32(data, zlib.crc32(kind))),
    )
