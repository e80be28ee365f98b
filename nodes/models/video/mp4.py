"""MP4 and its kin: boxes of ISO/IEC 14496-12, with AV1 and Opus as their own papers bind them.

https://aomediacodec.github.io/av1-isobmff/ and https://opus-codec.org/docs/opus_in_isobmff.html.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import chain, groupby, islice, repeat

from nodes.models.video.opus import RATE, skipped
from nodes.models.video.track import BROKEN, Track, VideoError

log = logging.getLogger(__name__)

BRANDS = b"isom", b"isom", b"iso6", b"av01", b"mp41"
MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
MOVIE_SCALE = 1000
LARGEST = 1 << 32
FULL_RANGE_SRGB = b"nclx" + struct.pack(">HHHB", 1, 13, 6, 0x80)  # what libavif codes


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box with its length in front."""
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def full(kind: bytes, *parts: bytes, flags: int = 0, version: int = 0) -> bytes:
    """A box that has a version."""
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def written(
    tracks: Sequence[Track], texts: Mapping[str, str], brands: Sequence[bytes] = BRANDS
) -> bytes:
    """A file of some tracks, a second of each at a time, and of texts about them.

    Args:
        tracks: what is shown and heard.
        texts: kept beside it by their names, as ffmpeg keeps them.
        brands: the kind of file, its version, and what else it can be taken for.

    Raises:
        VideoError: more than 4 GB.
    """
    kind, *others = brands
    front = box(b"ftyp", kind, bytes(4), *others)
    chunks = sorted(
        (second, number, [place for place, _ in group])
        for number, track in enumerate(tracks)
        for second, group in groupby(enumerate(track.starts()), key=lambda entry: int(entry[1]))
    )
    size = sum(len(sample) for track in tracks for sample in track.samples)
    offsets: list[list[tuple[int, int]]] = [[] for _ in tracks]
    head = len(front) + len(
        _moov(tracks, [_counted(chunks, n) for n in range(len(tracks))], texts, brands)
    )
    if head + size + 8 >= LARGEST:
        raise VideoError("a video of more than 4 GB cannot be written; make it shorter")
    at, data = head + 8, list[bytes]()
    for _, number, places in chunks:
        offsets[number].append((at, len(places)))
        samples = [tracks[number].samples[place] for place in places]
        data += samples
        at += sum(map(len, samples))
    return b"".join([front, _moov(tracks, offsets, texts, brands), box(b"mdat", *data)])


def _counted(chunks: Sequence[tuple[int, int, list[int]]], number: int) -> list[tuple[int, int]]:
    return [(0, len(places)) for _, of, places in chunks if of == number]


def _moov(
    tracks: Sequence[Track],
    chunks: Sequence[Sequence[tuple[int, int]]],
    texts: Mapping[str, str],
    brands: Sequence[bytes],
) -> bytes:
    length = int(max(track.seconds for track in tracks) * MOVIE_SCALE)
    head = full(
        b"mvhd",
        struct.pack(">IIIIIHHQ", 0, 0, MOVIE_SCALE, length, 0x10000, 0x100, 0, 0),
        MATRIX,
        bytes(24),
        struct.pack(">I", len(tracks) + 1),
    )
    still = brands[0] == b"avis"
    bodies = [
        _trak(number, track, at, b"pict" if still else b"vide")
        for number, (track, at) in enumerate(zip(tracks, chunks, strict=True), 1)
    ]
    return box(b"moov", head, *bodies, _texts(texts) if texts else b"")


def _trak(number: int, track: Track, chunks: Sequence[tuple[int, int]], seen: bytes) -> bytes:
    width, height = track.size or (0, 0)
    length = sum(track.durations)
    head = full(
        b"tkhd",
        struct.pack(">IIIIIQ", 0, 0, number, 0, int(track.seconds * MOVIE_SCALE), 0),
        struct.pack(">HHHH", 0, 0, 0 if track.size else 0x100, 0),
        MATRIX,
        struct.pack(">II", width << 16, height << 16),
        flags=3,
    )
    skip = 0 if track.size else skipped(track.config)
    heard = Fraction(length - skip, track.scale)
    edit = full(b"elst", struct.pack(">IIiI", 1, int(heard * MOVIE_SCALE), skip, 0x10000))
    media = full(b"mdhd", struct.pack(">IIIIHH", 0, 0, track.scale, length, 0x55C4, 0))
    kind = seen if track.size else b"soun"
    handler = full(b"hdlr", bytes(4), kind, bytes(13))
    shown = full(b"vmhd", bytes(8), flags=1) if track.size else full(b"smhd", bytes(4))
    here = box(b"dinf", full(b"dref", struct.pack(">I", 1), full(b"url ", flags=1)))
    minf = box(b"minf", shown, here, _stbl(track, chunks))
    return box(b"trak", head, box(b"edts", edit), box(b"mdia", media, handler, minf))


def _stbl(track: Track, chunks: Sequence[tuple[int, int]]) -> bytes:
    """The table of samples: what they are, how long they last, how large they are, and where."""
    entry = _picture_entry(track, track.size) if track.size else _sound_entry(track)
    runs = [(len(list(group)), length) for length, group in groupby(track.durations)]
    sizes = [len(sample) for sample in track.samples]
    counts = [(place, count) for place, (_, count) in enumerate(chunks, 1)]
    parts = [
        full(b"stsd", struct.pack(">I", 1), entry),
        full(b"stts", struct.pack(">I", len(runs)), *(struct.pack(">II", *run) for run in runs)),
        full(
            b"stsc",
            struct.pack(">I", len(counts)),
            *(struct.pack(">III", place, count, 1) for place, count in counts),
        ),
        full(b"stsz", struct.pack(f">II{len(sizes)}I", 0, len(sizes), *sizes)),
        full(b"stco", struct.pack(f">I{len(chunks)}I", len(chunks), *(at for at, _ in chunks))),
    ]
    if track.size:
        keys = [key + 1 for key in sorted(track.keys)]
        parts.append(full(b"stss", struct.pack(f">I{len(keys)}I", len(keys), *keys)))
    return box(b"stbl", *parts)


def _picture_entry(track: Track, size: tuple[int, int]) -> bytes:
    return box(
        b"av01",
        bytes(6) + struct.pack(">H", 1) + bytes(16),
        struct.pack(">HHIIIH", *size, 0x480000, 0x480000, 0, 1),
        bytes(32) + struct.pack(">Hh", 24, -1),
        box(b"av1C", track.config),
        box(b"colr", FULL_RANGE_SRGB),
    )


def _sound_entry(track: Track) -> bytes:
    _, channels, skip, rate, gain, family = struct.unpack_from("<BBHIhB", track.config, 8)
    return box(
        b"Opus",
        bytes(6) + struct.pack(">HQHHIHH", 1, 0, channels, 16, 0, RATE, 0),
        box(b"dOps", struct.pack(">BBHIhB", 0, channels, skip, rate, gain, family)),
    )


def _texts(texts: Mapping[str, str]) -> bytes:
    keys = [box(b"mdta", name.encode()) for name in texts]
    values = [
        box(struct.pack(">I", place), box(b"data", struct.pack(">II", 1, 0), text.encode()))
        for place, text in enumerate(texts.values(), 1)
    ]
    return box(
        b"meta",
        full(b"hdlr", bytes(4), b"mdta", bytes(13)),
        full(b"keys", struct.pack(">I", len(keys)), *keys),
        box(b"ilst", *values),
    )


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 16 if size == 1 else 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + 8)
        end = at + size if size else len(data)
        if end < at + head:
            return
        yield kind, data[at + head : end]
        at = end


def _within(data: bytes, *path: bytes) -> list[bytes]:
    """The bodies of all boxes at the end of a path of kinds."""
    found = [body for kind, body in _boxes(data) if kind == path[0]]
    return found if len(path) == 1 else [one for body in found for one in _within(body, *path[1:])]


def read(data: bytes, warn: Callable[[str], None] = log.warning) -> list[Track]:
    """The tracks of pictures and sound in a file; of one that is cut off what is there.

    Raises:
        VideoError: it is broken, or its table of contents is missing.
    """
    found: list[Track] = []
    try:
        for trak in _within(data, b"moov", b"trak"):
            track = _track(trak, data, warn)
            found += [] if track is None else [track]
    except (struct.error, LookupError, ValueError, StopIteration, RecursionError):
        raise VideoError(BROKEN) from None
    if not found:
        raise VideoError(BROKEN)
    return found


def _track(trak: bytes, data: bytes, warn: Callable[[str], None]) -> Track | None:
    (handler,) = _within(trak, b"mdia", b"hdlr")
    if handler[8:12] not in (b"vide", b"pict", b"soun"):
        return None
    (media,) = _within(trak, b"mdia", b"mdhd")
    (scale,) = struct.unpack_from(">I", media, 20 if media[0] else 12)
    (table,) = _within(trak, b"mdia", b"minf", b"stbl")
    parts = dict(_boxes(table))
    codec, body = next(_boxes(parts[b"stsd"][8:]))
    samples, missing = _samples(parts, data)
    if missing:
        kind = "pieces of its sound" if handler[8:12] == b"soun" else "its pictures"
        whole = missing + len(samples)
        warn(f"the file is cut off: {missing} of {whole} {kind} are missing")
    runs = (repeat(length, count) for count, length in _pairs(parts[b"stts"]))
    durations = [*islice(chain.from_iterable(runs), len(samples))]
    if len(durations) < len(samples) or not scale:
        raise ValueError("its times are missing")
    if handler[8:12] == b"soun":
        config = next(iter(_within(body[28:], b"dOps")), b"")
        return Track(codec.decode("latin-1"), _head(config), samples, durations, scale)
    keys = (
        [int(key) - 1 for (key,) in _rows(parts[b"stss"], ">I")]
        if b"stss" in parts
        else range(len(samples))
    )
    width, height = struct.unpack_from(">HH", body, 24)
    config = next(iter(_within(body[78:], b"av1C")), b"")
    return Track(
        codec.decode("latin-1"), config, samples, durations, scale, frozenset(keys), (width, height)
    )


def _head(config: bytes) -> bytes:
    """The packet OpusHead of a `dOps`, whose numbers stand the other way round."""
    if not config:
        return b""
    return (
        b"OpusHead\1" + struct.pack("<BHIh", *struct.unpack_from(">BHIh", config, 1)) + config[10:]
    )


def _rows(body: bytes, form: str) -> Iterator[tuple[int, ...]]:
    (count,) = struct.unpack_from(">I", body, 4)
    return struct.iter_unpack(form, body[8 : 8 + count * struct.calcsize(form)])


def _pairs(body: bytes) -> Iterator[tuple[int, int]]:
    return ((row[0], row[1]) for row in _rows(body, ">II"))


def _samples(parts: Mapping[bytes, bytes], data: bytes) -> tuple[list[bytes], int]:
    """The samples that are there, and how many are not."""
    same, count = struct.unpack_from(">II", parts[b"stsz"], 4)
    if not same:
        sizes: Sequence[int] = struct.unpack_from(f">{count}I", parts[b"stsz"], 12)
    elif same * count > LARGEST:
        raise ValueError("its samples are larger than any file")
    else:
        sizes = [same] * count
    long = b"co64" in parts
    offsets = [row[0] for row in _rows(parts[b"co64" if long else b"stco"], ">Q" if long else ">I")]
    runs = [(row[0], row[1]) for row in _rows(parts[b"stsc"], ">III")]
    samples, number, run = list[bytes](), 0, -1
    for place, start in enumerate(offsets, 1):
        while run + 1 < len(runs) and runs[run + 1][0] <= place:
            run += 1
        offset = start
        for size in sizes[number : number + runs[max(run, 0)][1]]:
            sample = data[offset : offset + size]
            if len(sample) < size or not size:
                return samples, len(sizes) - len(samples)
            samples.append(sample)
            offset += size
            number += 1
    return samples, len(sizes) - len(samples)
