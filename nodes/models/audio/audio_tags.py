"""Named texts inside encoded audio: the graph that made a sound travels in its file.

libsndfile keeps only a few fixed fields and breaks Opus files with long ones, so tags are put in
here: Vorbis comments in FLAC (RFC 9639, 8.6) and Opus (RFC 7845, 5.2), ID3v2.4 TXXX in MP3 and in
a chunk of WAV.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace

from nodes.models.audio.ogg import paged, pages

VENDOR = b"soundstage"
_FLAC_COMMENT, _FLAC_LAST = 4, 0x80


def tagged_flac(data: bytes, tags: Mapping[str, str]) -> bytes:
    """A FLAC file with these tags instead of its own.

    Raises:
        ValueError: the tags do not fit into FLAC's 16 MB.
    """
    block = _comments(tags)
    if len(block) >= 1 << 24:
        raise ValueError("the tags are longer than the 16 MB that a FLAC file can hold")
    kept: list[tuple[int, bytes]] = []
    at, last = 4, False
    while not last:
        head, size = data[at], int.from_bytes(data[at + 1 : at + 4])
        last = bool(head & _FLAC_LAST)
        if head & ~_FLAC_LAST != _FLAC_COMMENT:
            kept.append((head & ~_FLAC_LAST, data[at + 4 : at + 4 + size]))
        at += 4 + size
    blocks = [*kept, (_FLAC_COMMENT, block)]
    written = [
        bytes([kind | (_FLAC_LAST if index == len(blocks) else 0)])
        + len(content).to_bytes(3)
        + content
        for index, (kind, content) in enumerate(blocks, 1)
    ]
    return b"".join([data[:4], *written, data[at:]])


def tagged_mp3(data: bytes, tags: Mapping[str, str]) -> bytes:
    """An MP3 file with an ID3v2.4 tag in front."""
    return _id3(tags) + data


def tagged_wav(data: bytes, tags: Mapping[str, str]) -> bytes:
    """A WAV file with an ID3v2.4 tag in a chunk behind the sound."""
    tag = _id3(tags)
    chunk = b"id3 " + struct.pack("<I", len(tag)) + tag + b"\0" * (len(tag) % 2)
    whole = data + chunk
    return b"".join([data[:4], struct.pack("<I", len(whole) - 8), whole[8:]])


def _id3(tags: Mapping[str, str]) -> bytes:
    frames = b"".join(
        b"TXXX" + _seven_bit(len(content)) + b"\0\0" + content
        for name, text in tags.items()
        for content in [b"\3" + name.encode() + b"\0" + text.encode() + b"\0"]
    )
    return b"ID3\4\0\0" + _seven_bit(len(frames)) + frames


def tagged_opus(data: bytes, tags: Mapping[str, str]) -> bytes:
    """An Ogg Opus file with these tags instead of its own."""
    found = list(pages(data))
    head, *rest = found
    audio = [page for page in rest if page.granule]  # headers stand at time 0
    headers = [head, *paged(b"OpusTags" + _comments(tags), head)]
    followed = len(rest) - len(audio) + 1
    if len(headers) != followed:
        audio = [replace(page, number=page.number - followed + len(headers)) for page in audio]
        return b"".join(page.written() for page in [*headers, *audio])
    size = sum(len(page.raw) for page in found[:followed])
    return b"".join([*(page.written() for page in headers), data[size:]])


def _comments(tags: Mapping[str, str]) -> bytes:
    entries = [f"{name}={text}".encode() for name, text in tags.items()]
    return b"".join(
        [
            struct.pack("<I", len(VENDOR)),
            VENDOR,
            struct.pack("<I", len(entries)),
            *(struct.pack("<I", len(entry)) + entry for entry in entries),
        ]
    )


def _seven_bit(number: int) -> bytes:
    if number >= 1 << 28:
        raise ValueError("the tags are longer than the 256 MB that an ID3 tag can hold")
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))
