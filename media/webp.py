"""WebP files (RFC 9649) that are cut off: what is missing is filled in."""

from __future__ import annotations

import struct
from collections.abc import Iterator

EXTENDED, FRAME = b"VP8X", b"ANMF"
CODED = (b"VP8 ", b"VP8L", b"ALPH")
SHOWN = (EXTENDED, b"ANIM", FRAME, *CODED, b"EXIF")
ALPHA_OR_FRAMES, HAS_EXIF = 0x12, 0x08


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """Kind and content of each chunk, and how many bytes of it are missing."""
    at = 12
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, at)
        content = data[at + 8 : at + 8 + size]
        yield kind, content, size - len(content)
        at += 8 + size + size % 2


def is_cut(data: bytes) -> bool:
    """Whether a part of a still picture is missing."""
    return any(missing and kind in CODED for kind, _, missing in chunks(data))


def lacks_frames(data: bytes) -> bool:
    """Whether an animation breaks off."""
    return any(missing and kind == FRAME for kind, _, missing in chunks(data))


def mended(data: bytes, fill: int) -> bytes | None:
    """The same picture with what is shown alone.

    Args:
        data: the file.
        fill: the byte in place of those that are missing. Rows that look the same with another
            one are there.

    Returns:
        None where no picture is in it, or it would need more bytes than eight such files.
    """
    kept: list[tuple[bytes, bytes]] = []
    for kind, content, missing in chunks(data):
        if kind not in SHOWN or (missing and kind not in CODED):
            continue
        if missing > 8 * len(data):
            return None
        kept.append((kind, content + bytes([fill]) * missing))
    kinds = {kind for kind, _ in kept}
    if not kinds & {FRAME, *CODED}:
        return None
    body = b"".join(_chunk(kind, _plain(kind, content, kinds)) for kind, content in kept)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _plain(kind: bytes, content: bytes, kinds: set[bytes]) -> bytes:
    """The header of an extended file, which claims only what is there."""
    if kind != EXTENDED or not content:
        return content
    flags = content[0] & ALPHA_OR_FRAMES | (HAS_EXIF if b"EXIF" in kinds else 0)
    return bytes([flags]) + content[1:]


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
