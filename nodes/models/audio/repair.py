"""Files of sound that libsndfile refuses, or reads in part: lengths are put right.

Each function takes the bytes of a file and gives those of one that holds what is there.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nodes.models.audio.ogg import LAST, cut_page, pages

W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
FLAC_FRAME = re.compile(rb"\xff[\xf8\xf9]")
STREAM_INFO = 4 + 4 + 34
LARGEST = 2**32 - 1
STREAMED = 0x7FFF_0000
"""Writers that cannot know the length give this or more, or 0."""

NO_LENGTH = "it does not say how long it is, as if its recording was stopped; what is there is read"


@dataclass(frozen=True)
class Repaired:
    """A file that holds what is there.

    Attributes:
        data: its bytes.
        warning: what was wrong, for the user; empty where nothing is lost.
    """

    data: bytes
    warning: str = ""


def wave(data: bytes) -> Repaired | None:
    """A WAV file, also RF64 and Sony's W64, as plain WAV.

    None where there is no format or no sound.
    """
    found = _w64(data) if data[:4] == b"riff" else _riff(data)
    form, sound = found.get(b"fmt "), found.get(b"data")
    if form is None or sound is None or len(form[1]) < 16:
        return None
    block = max(1, struct.unpack_from("<H", form[1], 12)[0])
    size, content = sound
    samples = content[: len(content) // block * block]
    if not samples or len(samples) > LARGEST - 200:
        return None
    body = b"WAVE" + _chunk(b"fmt ", form[1]) + _chunk(b"data", samples)
    said = ""
    if size == 0 or size >= STREAMED > len(content):
        said = NO_LENGTH
    elif size > len(content):
        said = missing(size - len(content), size)
    return Repaired(b"RIFF" + struct.pack("<I", len(body)) + body, said)


def missing(lost: float, whole: float) -> str:
    """How much of a sound is not there."""
    share = lost / whole
    much = "less than 1 %" if share < 0.01 else f"{100 * share:.0f} %"
    return f"the file is damaged or cut off: {much} of its sound is missing"


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _riff(data: bytes) -> dict[bytes, tuple[int, bytes]]:
    """The claimed length and the content of the chunks that matter; the sound ends all."""
    found: dict[bytes, tuple[int, bytes]] = {}
    at = 12
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, at)
        if not kind.isascii() or (kind != b"data" and at + 8 + size > len(data)):
            at = _searched(data, at, b"data" if b"fmt " in found else b"fmt ")
            continue
        if kind == b"ds64" and size >= 16:
            found[kind] = (int(struct.unpack_from("<Q", data, at + 16)[0]), b"")
        if kind == b"data":
            if size == LARGEST and b"ds64" in found:
                size = found[b"ds64"][0]
            known = 0 < size < STREAMED and at + 8 + size <= len(data)
            found[kind] = (size, data[at + 8 : at + 8 + size] if known else data[at + 8 :])
            if size or not _chunks_to_the_end(data, at + 8):
                return found
            found[kind] = (0, b"")
        found.setdefault(kind, (size, data[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
        if at < len(data) and size % 2 and data[at - 1 : at + 3] in (b"data", b"fmt "):
            at -= 1  # without the byte that makes lengths even
    return found


def _chunks_to_the_end(data: bytes, at: int) -> bool:
    """Whether nothing but whole chunks follow, or nothing at all."""
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, at)
        if not (kind.isascii() and kind.strip().isalnum()):
            return False
        at += 8 + size + size % 2
    return at >= len(data)


def _searched(data: bytes, at: int, kind: bytes) -> int:
    place = data.find(kind, at + 1)
    return place if place >= 0 else len(data)


def _w64(data: bytes) -> dict[bytes, tuple[int, bytes]]:
    found: dict[bytes, tuple[int, bytes]] = {}
    for kind in (b"fmt ", b"data"):
        at = data.find(kind + W64_TAIL)
        if at < 0 or at + 24 > len(data):
            continue
        size = max(0, struct.unpack_from("<Q", data, at + 16)[0] - 24)
        known = 0 < size <= len(data) - at - 24
        found[kind] = (size, data[at + 24 : at + 24 + size] if known else data[at + 24 :])
    return found


def aiff(data: bytes) -> Repaired | None:
    """An AIFF file whose lengths are those of what is there."""
    common, at = data.find(b"COMM"), data.find(b"SSND")
    if common < 0 or at < 0 or at + 16 > len(data) or common + 26 > len(data):
        return None
    channels, frames, bits = struct.unpack_from(">hIh", data, common + 8)
    width = max(1, channels * ((bits + 7) // 8))
    count = (len(data) - at - 16) // width
    if not count or (0 < frames <= count):
        return None
    said = missing(frames - count, frames) if frames else NO_LENGTH
    body = bytearray(data[: at + 16 + count * width])
    struct.pack_into(">I", body, common + 10, count)
    struct.pack_into(">I", body, at + 4, len(body) - at - 8)
    struct.pack_into(">I", body, 4, len(body) - 8)
    return Repaired(bytes(body), said)


def caf(data: bytes) -> Repaired | None:
    """A CAF file of which the sound goes to the end."""
    at = 8
    while at + 12 <= len(data):
        kind, size = struct.unpack_from(">4sq", data, at)
        if kind == b"data":
            there = len(data) - at - 12
            if size <= there:
                return None
            whole = data[: at + 4] + struct.pack(">q", there) + data[at + 12 :]
            return Repaired(whole, missing(size - there, size))
        if size < 0:
            return None
        at += 12 + size
    return None


def flac(data: bytes) -> Repaired | None:
    """A FLAC file of its first block and its frames, without tags and pictures."""
    start = data.find(b"fLaC")
    first = FLAC_FRAME.search(data, start + STREAM_INFO) if start >= 0 else None
    while first is not None and not _is_flac_frame(data, first.start()):
        first = FLAC_FRAME.search(data, first.start() + 1)
    if first is None:
        return None
    info = data[start + 8 : start + STREAM_INFO]
    return Repaired(b"fLaC" + bytes([0x80]) + len(info).to_bytes(3) + info + data[first.start() :])


def _is_flac_frame(data: bytes, at: int) -> bool:
    """Whether the header of a frame has a right checksum (RFC 9639, 9.1.8)."""
    return any(_crc8(data[at : at + size]) == data[at + size] for size in range(5, 16)
               if at + size < len(data))  # fmt: skip


def _crc8(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ (7 if value & 0x80 else 0)) & 0xFF
    return value


def ogg(data: bytes) -> Repaired | None:
    """An Ogg file of its whole pages, and of the whole packets of one that is cut off."""
    found = [*pages(data), *cut_page(data)]
    if not found:
        return None
    whole = bool(found[-1].flags & LAST)
    kept = b"".join(page.raw or page.written() for page in found)
    return Repaired(kept, "" if whole else "the file is cut off: the end of its sound is missing")


def sun(data: bytes) -> Repaired | None:
    """An AU file as it is."""
    if len(data) < 24:
        return None
    at, size = struct.unpack_from(">II", data, 4)
    lost = size - (len(data) - at) if size != LARGEST else 0
    return Repaired(data, missing(lost, size) if 0 < lost < size else "")


REPAIRS: Mapping[bytes, Callable[[bytes], Repaired | None]] = {
    b"RIFF": wave, b"RF64": wave, b"riff": wave, b"FORM": aiff, b"caff": caf, b"fLaC": flac,
    b"OggS": ogg, b".snd": sun,
}  # fmt: skip
"""By the first bytes of a file."""
