"""Opus, coded and decoded by libsndfile, which knows it in Ogg alone."""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Iterator

from nodes.models.audio.downmix import stereo
from nodes.models.audio.ogg import Page, packets, paged, pages
from nodes.models.audio.waveforms import Audio, AudioFileError, decode, encode
from nodes.models.video.track import Track

log = logging.getLogger(__name__)

RATE = 48_000  # of its times, whatever the sound's own rate is
MIXED, FAST = (10, 20, 40, 60), (2.5, 5, 10, 20)  # milliseconds of a frame


def encoded(sound: Audio, warn: Callable[[str], None] = log.warning) -> Track:
    """The first sound of a batch as a track, its length exact; more than two channels are mixed."""
    wave = sound["waveform"][0]
    if len(wave) > 2:
        warn(f"audio: its {len(wave)} channels are mixed down to 2, the most that videos hold here")
        wave = stereo(wave)
    data = encode(wave, sound["sample_rate"], "opus", warn=warn)
    head, _, *samples = packets(data)
    durations = [duration(sample) for sample in samples[:-1]]
    *_, last = pages(data)
    return Track("Opus", head, samples, [*durations, last.granule - sum(durations)], RATE)


def decoded(track: Track, warn: Callable[[str], None] = log.warning) -> Audio:
    """Its sound.

    Raises:
        AudioFileError: it is broken.
    """
    try:
        data = b"".join(page.written() for page in _ogg(track))
    except (struct.error, LookupError, ValueError):
        raise AudioFileError("its sound is broken") from None
    return decode(data, "the sound of the video", warn)


def skipped(config: bytes) -> int:
    """How many samples at its beginning are not to be heard (RFC 7845, 5.1)."""
    return int(struct.unpack_from("<H", config, 10)[0])


def duration(packet: bytes) -> int:
    """Samples in a packet (RFC 6716, 3.1)."""
    kind, count = packet[0] >> 3, packet[0] & 3
    if kind < 12:
        milliseconds = MIXED[kind % 4]
    elif kind < 16:
        milliseconds = MIXED[kind % 2]
    else:
        milliseconds = FAST[kind % 4]
    frames = (1, 2, 2, packet[1] & 0x3F if len(packet) > 1 else 0)[count]
    return int(milliseconds * RATE / 1000) * frames


def _ogg(track: Track) -> Iterator[Page]:
    first = Page(2, 0, 1, 0, bytes([len(track.config)]), track.config)
    yield first
    comments = list(paged(b"OpusTags" + struct.pack("<II", 0, 0), first))
    yield from comments
    granule, last = 0, len(track.samples) - 1
    for number, sample in enumerate(track.samples):
        exact = track.scale == RATE  # else its times are rounded
        granule += track.durations[number] if exact else duration(sample)
        lacing = bytes([255] * (len(sample) // 255) + [len(sample) % 255])
        place = number + 1 + len(comments)
        yield Page(4 if number == last else 0, granule, 1, place, lacing, sample)
