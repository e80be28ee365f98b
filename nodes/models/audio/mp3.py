"""MPEG audio (ISO/IEC 11172-3, 13818-3): the frames of a stream, whatever stands between them."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

SYNC = re.compile(rb"\xff[\xe2-\xff]")
VERSION_1 = 3
LAYER_3, LAYER_2, LAYER_1 = 1, 2, 3  # as their two bits say
KILOBITS = {
    (True, LAYER_1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, LAYER_2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, LAYER_3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, LAYER_1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, LAYER_2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, LAYER_3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
CONTENTS = re.compile(rb"(?:Xing|Info)\0\0\0(.)(....)", re.DOTALL)
COUNTED = 1
ID3_HEAD, ID3_FOOTER = 10, 0x10
SURE = 3
"""So many frames after each other are no accident."""


@dataclass(frozen=True)
class Head:
    """What the header of a frame says.

    Attributes:
        kind: version, layer and sample rate, which do not change in a stream.
        length: of the frame, in bytes.
        samples: in it.
        rate: in Hz.
    """

    kind: tuple[int, int, int]
    length: int
    samples: int
    rate: int


@dataclass(frozen=True)
class Stream:
    """The frames of a file.

    Attributes:
        data: the frames alone.
        seconds: of sound in them.
        claimed: seconds that the file says it has, as far as it does.
        junk: in how many places something is that is neither a frame nor a tag.
    """

    data: bytes
    seconds: float
    claimed: float | None
    junk: int


def stream(data: bytes) -> Stream | None:
    """The frames in the bytes of a file; None where it is no MPEG audio."""
    tag = _tag_at(data, 0)
    found = list(_frames(data))
    if len(found) < SURE and not (found and found[0][0] <= tag):
        return None
    first, head = found[0]
    sounding = [(place, head) for place, head in found if not _is_contents(data, place, head)]
    count = _frame_count(data, first, head)
    whole = b"".join(data[place : place + head.length] for place, head in sounding)
    seconds = len(sounding) * head.samples / head.rate
    if count is not None and count >= len(sounding):
        whole = data[first : first + head.length] + whole
    elif head.kind[1] == LAYER_3:
        whole = _contents(data[first : first + 4], head, len(sounding)) + whole
    claimed = None if count is None else count * head.samples / head.rate
    return Stream(whole, seconds, claimed, (first != tag) + _gaps(data, found))


def _gaps(data: bytes, found: Sequence[tuple[int, Head]]) -> int:
    """How often something other than a tag is between two frames."""
    ends = ((at + head.length, after) for (at, head), (after, _) in pairwise(found))
    return sum(_tag_at(data, end) != after for end, after in ends)


def _is_contents(data: bytes, at: int, head: Head) -> bool:
    """Whether a frame has no sound, but says how many frames follow."""
    return CONTENTS.search(data, at, at + min(head.length, 64)) is not None


def _frame_count(data: bytes, at: int, head: Head) -> int | None:
    """How many frames follow, as the first one says."""
    found = CONTENTS.search(data, at, at + min(head.length, 64))
    return int.from_bytes(found[2]) if found and found[1][0] & COUNTED else None


def _contents(start: bytes, head: Head, count: int) -> bytes:
    """A frame that says how many follow: without it the length of a sound is guessed."""
    first = head.kind[0] == VERSION_1
    mono = start[3] >> 6 == 3
    side = (17 if mono else 32) if first else (9 if mono else 17)
    made = bytes([start[0], start[1] | 1, start[2] & 0x0C | 0x90, start[3]])
    made += bytes(side) + b"Xing" + struct.pack(">II", COUNTED, count)
    found = _head(made, 0)
    return made.ljust(found.length if found else len(made), b"\0")


def _frames(data: bytes) -> Iterator[tuple[int, Head]]:
    """Where each frame begins; it is followed by another, by a tag or by the end."""
    at, kind = _tag_at(data, 0), None
    if _head(data, at) is None and at >= len(data):
        at = 0  # the length of the tag is wrong
    while at + 4 <= len(data):
        head = _head(data, at)
        fits = head is not None and (kind is None or head.kind == kind)
        if head is not None and fits and (kind is not None or _followed(data, at, head)):
            kind = head.kind
            if at + head.length <= len(data):
                yield at, head
            at += head.length
            continue
        after = _tag_at(data, at)
        if after > at and after < len(data):
            at = after
            continue
        sync = SYNC.search(data, at + 1)
        at = _next(data, sync.start(), kind) if sync else len(data)


def _next(data: bytes, at: int, kind: tuple[int, int, int] | None) -> int:
    """The next place from here where two frames follow each other."""
    while True:
        head = _head(data, at)
        if head and (kind is None or head.kind == kind) and _followed(data, at, head):
            return at
        sync = SYNC.search(data, at + 1)
        if sync is None:
            return len(data)
        at = sync.start()


def _followed(data: bytes, at: int, head: Head) -> bool:
    end = at + head.length
    after = _head(data, end)
    return (
        end == len(data)
        or data[end : end + 3] in (b"TAG", b"ID3")
        or (after is not None and after.kind == head.kind)
    )


def _head(data: bytes, at: int) -> Head | None:
    if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] < 0xE0:
        return None
    version, layer = data[at + 1] >> 3 & 3, data[at + 1] >> 1 & 3
    bits, rates, padded = data[at + 2] >> 4, data[at + 2] >> 2 & 3, data[at + 2] >> 1 & 1
    if layer == 0 or version not in RATES or bits in (0, 15) or rates == 3:
        return None
    first = version == VERSION_1
    rate, kilobits = RATES[version][rates], KILOBITS[first, layer][bits]
    if layer == LAYER_1:
        return Head((version, layer, rate), (12_000 * kilobits // rate + padded) * 4, 384, rate)
    samples = 576 if layer == LAYER_3 and not first else 1152
    return Head(
        (version, layer, rate), samples // 8 * 1000 * kilobits // rate + padded, samples, rate
    )


def _tag_at(data: bytes, at: int) -> int:
    """The end of the tags that begin there."""
    while data[at : at + 3] == b"ID3" and at + ID3_HEAD <= len(data):
        size = 0
        for byte in data[at + 6 : at + 10]:
            size = size << 7 | byte & 0x7F
        footer = ID3_HEAD if data[at + 5] & ID3_FOOTER else 0
        at += ID3_HEAD + size + footer
    return min(at, len(data))
