"""WebM: a Matroska file (RFC 9559) of AV1 and Opus."""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import groupby, pairwise

from nodes.models.video.opus import RATE, skipped
from nodes.models.video.track import BROKEN, Track, VideoError

log = logging.getLogger(__name__)

EBML, SEGMENT, SEEK_HEAD, INFO, TRACKS = 0x1A45DFA3, 0x18538067, 0x114D9B74, 0x1549A966, 0x1654AE6B
CLUSTER, CUES, TAGS = 0x1F43B675, 0x1C53BB6B, 0x1254C367
ENTRY, NUMBER, KIND, CODEC, CONFIG, LENGTH = 0xAE, 0xD7, 0x83, 0x86, 0x63A2, 0x23E383
VIDEO, WIDTH, HEIGHT, AUDIO, RATE_ID, CHANNELS = 0xE0, 0xB0, 0xBA, 0xE1, 0xB5, 0x9F
TIME, SIMPLE, GROUP, BLOCK = 0xE7, 0xA3, 0xA0, 0xA1
OPENED = frozenset({SEGMENT, TRACKS, ENTRY, VIDEO, AUDIO, CLUSTER, GROUP})
CODECS = {"av01": "V_AV1", "Opus": "A_OPUS"}
NANOSECOND = 10**9
CLUSTER_SECONDS = 5


def element(id: int, *parts: bytes | int | float | str) -> bytes:
    """An element with its length in front."""
    body = b"".join(map(_plain, parts))
    name = id.to_bytes((id.bit_length() + 7) // 8)
    return name + (1 << 56 | len(body)).to_bytes(8) + body


def _plain(part: bytes | int | float | str) -> bytes:
    match part:
        case bytes():
            return part
        case int():
            return part.to_bytes(max(1, (part.bit_length() + 7) // 8))
        case float():
            return struct.pack(">d", part)
        case str():
            return part.encode()


def written(tracks: Sequence[Track], texts: Mapping[str, str]) -> bytes:
    """A file of some tracks, and of texts about them under their names in capitals."""
    head = element(
        EBML,
        element(0x4286, 1), element(0x42F7, 1), element(0x42F2, 4), element(0x42F3, 8),
        element(0x4282, "webm"), element(0x4287, 4), element(0x4285, 2),
    )  # fmt: skip
    seconds = max(track.seconds for track in tracks)
    info = element(
        INFO,
        element(0x2AD7B1, 1_000_000), element(0x4489, float(seconds * 1000)),
        element(0x4D80, "soundstage"), element(0x5741, "soundstage"),
    )  # fmt: skip
    entries = element(TRACKS, *(_entry(number, track) for number, track in enumerate(tracks, 1)))
    tags = element(TAGS, _tags(texts)) if texts else b""
    clusters = [*_clusters(tracks)]
    before = len(_seeks(0, 0)) + len(info) + len(entries) + len(tags)
    places, at = list[tuple[int, int]](), before
    for time, cluster in clusters:
        places.append((time, at))
        at += len(cluster)
    cues = element(CUES, *(_cue(time, place) for time, place in places))
    seeks = _seeks(len(_seeks(0, 0)) + len(info), at)
    bodies = [cluster for _, cluster in clusters]
    return head + element(SEGMENT, seeks, info, entries, tags, *bodies, cues)


def _seeks(tracks: int, cues: int) -> bytes:
    """Where in the segment the tracks and the cues begin."""
    places = ((TRACKS, tracks), (CUES, cues))
    return element(
        SEEK_HEAD,
        *(
            element(0x4DBB, element(0x53AB, id), element(0x53AC, at.to_bytes(8)))
            for id, at in places
        ),
    )


def _entry(number: int, track: Track) -> bytes:
    parts = [element(NUMBER, number), element(0x73C5, number), element(0x9C, 0)]
    parts += [element(CODEC, CODECS[track.codec]), element(CONFIG, track.config)]
    if track.size:
        width, height = track.size
        length = Fraction(track.durations[0] * NANOSECOND, track.scale)
        color = element(
            0x55B0, element(0x55B1, 6), element(0x55B9, 2), element(0x55BA, 13), element(0x55BB, 1)
        )
        shown = element(VIDEO, element(WIDTH, width), element(HEIGHT, height), color)
        return element(ENTRY, *parts, element(KIND, 1), element(LENGTH, round(length)), shown)
    delay = Fraction(skipped(track.config) * NANOSECOND, RATE)
    heard = element(AUDIO, element(RATE_ID, float(RATE)), element(CHANNELS, track.config[9]))
    seek = element(0x56BB, 80_000_000)
    return element(ENTRY, *parts, element(KIND, 2), element(0x56AA, round(delay)), seek, heard)


def _tags(texts: Mapping[str, str]) -> bytes:
    simple = [
        element(0x67C8, element(0x45A3, name.upper()), element(0x4487, text))
        for name, text in texts.items()
    ]
    return element(0x7373, element(0x63C0), *simple)


def _clusters(tracks: Sequence[Track]) -> Iterator[tuple[int, bytes]]:
    """Some seconds of all tracks at a time, with the milliseconds of their beginning."""
    blocks = sorted(
        (round(start * 1000), number, key, sample)
        for number, track in enumerate(tracks, 1)
        for key, start, sample in zip(
            (not track.size or place in track.keys for place in range(len(track.samples))),
            track.starts(),
            track.samples,
            strict=True,
        )
    )
    for _, group in groupby(blocks, key=lambda block: block[0] // (CLUSTER_SECONDS * 1000)):
        found = [*group]
        begin = found[0][0]
        simple = [
            element(SIMPLE, struct.pack(">BhB", 0x80 | number, time - begin, key << 7), sample)
            for time, number, key, sample in found
        ]
        yield begin, element(CLUSTER, element(TIME, begin), *simple)


def _cue(time: int, place: int) -> bytes:
    return element(0xBB, element(0xB3, time), element(0xB7, element(0xF7, 1), element(0xF1, place)))


def read(data: bytes, warn: Callable[[str], None] = log.warning) -> list[Track]:
    """The tracks of pictures and sound in a file; of one that is cut off what is there.

    Raises:
        VideoError: it is broken, or it begins with no track.
    """
    try:
        return _read(data, warn)
    except (struct.error, LookupError, ValueError, OverflowError):
        raise VideoError(BROKEN) from None


def _read(data: bytes, warn: Callable[[str], None]) -> list[Track]:
    about: list[dict[int, bytes]] = []
    blocks: dict[int, list[tuple[int, bool, bytes]]] = {}
    begin = 0
    for id, body in _whole(data, warn):
        if id == ENTRY:
            about.append({})
        elif id == TIME:
            begin = int.from_bytes(body)
        elif id in (SIMPLE, BLOCK) and len(body) > 4:
            number, length = _number(body, 0)
            time, flags = struct.unpack_from(">hB", body, length)
            if flags & 0x06:
                raise VideoError("its samples are laced, which is not supported")
            sample = body[length + 3 :]
            blocks.setdefault(number, []).append((begin + time, bool(flags & 0x80), sample))
        elif about:
            about[-1].setdefault(id, body)
    found = [_track(parts, blocks) for parts in about if KIND in parts and NUMBER in parts]
    if not found:
        raise VideoError(BROKEN)
    return found


def _whole(data: bytes, warn: Callable[[str], None]) -> Iterator[tuple[int, bytes]]:
    """The elements up to where the file breaks off."""
    try:
        yield from _elements(data)
    except VideoError:
        warn("the file is damaged or cut off; what is before that is read")


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """All elements that are not containers, and the beginning of each track's entry."""
    at = 0
    while at < len(data):
        id, length = _number(data, at, keep=True)
        size, more = _number(data, at + length)
        at += length + more
        endless = size == (1 << 7 * more) - 1
        if id in OPENED or endless:
            if id == ENTRY:
                yield id, b""
            continue
        if at + size > len(data):
            raise VideoError(BROKEN)
        yield id, data[at : at + size]
        at += size


def _number(data: bytes, at: int, *, keep: bool = False) -> tuple[int, int]:
    """A number and its length; an id keeps the bit that tells its length."""
    length = 9 - data[at].bit_length() if at < len(data) else 9
    if length > 8 or at + length > len(data):
        raise VideoError(BROKEN)
    whole = int.from_bytes(data[at : at + length])
    return (whole if keep else whole ^ 1 << 7 * length), length


def _track(
    parts: Mapping[int, bytes], blocks: Mapping[int, list[tuple[int, bool, bytes]]]
) -> Track:
    found = blocks.get(int.from_bytes(parts[NUMBER]), [])
    named = parts.get(CODEC, b"").decode("latin-1").rstrip("\0")
    codec = next((own for own, theirs in CODECS.items() if theirs == named), named)
    config, samples = parts.get(CONFIG, b""), [sample for _, _, sample in found]
    times = [time for time, _, _ in found]
    if LENGTH in parts:
        scale, durations = NANOSECOND, [int.from_bytes(parts[LENGTH])] * len(found)
    else:
        steps = [after - time for time, after in pairwise(times)]
        scale, durations = 1000, [*steps, *steps[-1:]] or [0] * len(found)
    if int.from_bytes(parts[KIND]) != 1:
        return Track(codec, config, samples, durations, scale)
    size = int.from_bytes(parts.get(WIDTH, b"")), int.from_bytes(parts.get(HEIGHT, b""))
    keys = frozenset(place for place, (_, key, _) in enumerate(found) if key)
    return Track(codec, config, samples, durations, scale, keys, size)
