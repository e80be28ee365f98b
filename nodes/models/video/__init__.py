"""Videos: pictures one after another, with their sound, in MP4 and WebM.

In memory a video is a dict: `images`, float32 [T, H, W, 3] in 0..1, `audio`, a sound or None, and
`frame_rate`, pictures for each second. In files pictures are AV1 and sound is Opus, which are free
of patents' fees and of licences that spread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from fractions import Fraction
from types import ModuleType

from nodes.models.audio.mixing import trimmed
from nodes.models.audio.waveforms import Audio, AudioFileError
from nodes.models.video import animation, av1, mp4, opus, webm
from nodes.models.video.track import Track, Video, VideoError

__all__ = [
    "CONTAINERS", "Video", "VideoError", "cut", "frame_rate", "is_video", "read", "read_audio",
    "written",
]  # fmt: skip

log = logging.getLogger(__name__)
Warn = Callable[[str], None]

CONTAINERS: Mapping[str, ModuleType] = {"mp4": mp4, "webm": webm}
FINEST = 1001  # the largest denominator of a frame rate
MOST_BYTES = 8 << 30  # of a video in memory
EBML = b"\x1a\x45\xdf\xa3"
BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip")
"""What files of MP4 and QuickTime begin with, behind a length."""


def frame_rate(rate: float) -> Fraction:
    """A rate as the fraction that is meant: 23.976 is 24000 / 1001."""
    television = Fraction(round(rate) * 1000, 1001)
    near = abs(television - rate) < 0.002
    return television if near else Fraction(rate).limit_denominator(FINEST)


def written(
    video: Video, container: str, texts: Mapping[str, str], crf: float, warn: Warn = log.warning
) -> bytes:
    """A video as the bytes of a file.

    Args:
        video: at least one picture; sound beyond the last one is left out.
        container: a key of `CONTAINERS`.
        texts: kept in the file by their names.
        crf: 0 (best) to 63.
        warn: called with what is changed.

    Raises:
        VideoError: no picture, or more than the container holds.
    """
    if len(video["images"]) == 0:
        raise VideoError("there is no picture in the video")
    pictures = av1.encoded([*video["images"]], frame_rate(video["frame_rate"]), crf)
    tracks, sound = [pictures], video["audio"]
    if sound is not None and sound["waveform"].shape[-1] > 0:
        tracks.append(opus.encoded(trimmed(sound, 0.0, float(pictures.seconds)), warn))
    return CONTAINERS[container].written(tracks, texts)


def read(data: bytes, name: str = "the file", warn: Warn = log.warning) -> Video:
    """The video in the bytes of an MP4 or WebM file, or of an animated picture.

    Of a file that is damaged or cut off what is there is read.

    Args:
        data: the file.
        name: of it, for messages to the user.
        warn: called with what is missing.

    Raises:
        VideoError: no video that can be read; the text says what it is.
    """

    def say(text: str) -> None:
        warn(f"{name}: {text}")

    try:
        if not is_video(data):
            return animation.read(data, say)
        tracks = _tracks(data, say)
        pictures = next((track for track in tracks if track.size), None)
        if pictures is None or not pictures.samples:
            raise VideoError("there are no pictures in it")
        if pictures.codec != "av01":
            raise VideoError(
                f"its pictures are {_named(pictures.codec)}, and only AV1 can be read here; "
                "convert it, with ffmpeg -c:v libsvtav1 -c:a libopus say"
            )
        width, height = pictures.size or (0, 0)
        count = len(pictures.samples)
        if count * width * height * 12 > MOST_BYTES:
            raise VideoError(
                f"{count} pictures of {width} x {height} do not fit into memory; cut it first"
            )
        images, sound = av1.decoded(pictures, say), _sound(tracks, say)
    except (VideoError, AudioFileError) as error:
        raise VideoError(f"{name}: {error}") from None
    rate = float(count / pictures.seconds) if pictures.seconds else 1.0
    return {"images": images, "audio": sound, "frame_rate": rate}


def is_video(data: bytes) -> bool:
    """Whether it begins as an MP4 or a WebM file; an animated AVIF is one, too."""
    brand = data[8:12]
    return data.startswith(EBML) or (
        data[4:8] in BOXES and brand not in (b"avif", b"heic", b"mif1")
    )


def read_audio(data: bytes, name: str = "the file", warn: Warn = log.warning) -> Audio:
    """The sound of the video in the bytes of an MP4 or WebM file.

    Raises:
        VideoError: there is none, or none that can be read.
    """

    def say(text: str) -> None:
        warn(f"{name}: {text}")

    try:
        found = _sound(_tracks(data, say), say)
    except (VideoError, AudioFileError) as error:
        raise VideoError(f"{name}: {error}") from None
    if found is None:
        raise VideoError(f"{name}: there is no sound in this video")
    return found


def _tracks(data: bytes, warn: Warn) -> list[Track]:
    return (webm if data.startswith(EBML) else mp4).read(data, warn)


def _sound(tracks: list[Track], warn: Warn) -> Audio | None:
    sounding = next((track for track in tracks if not track.size and track.samples), None)
    if sounding is None:
        return None
    if sounding.codec != "Opus":
        raise VideoError(
            f"its sound is {_named(sounding.codec)}, and only Opus can be read here; convert it, "
            "with ffmpeg -c:v copy -c:a libopus say"
        )
    return opus.decoded(sounding, warn)


def _named(codec: str) -> str:
    """A codec as its file calls it, if that is a name."""
    plain = "".join(letter for letter in codec if letter.isascii() and letter.isprintable())
    return plain.strip()[:20] or "of no kind that is named"


def cut(video: Video, start: float, seconds: float, *, strict: bool) -> Video:
    """A part of a video.

    Args:
        video: to be cut.
        start: in seconds; below 0 from the end.
        seconds: how long; 0 for all the rest.
        strict: whether less than `seconds` is an error.

    Raises:
        VideoError: nothing is left, or less than was asked for.
    """
    rate, images = video["frame_rate"], video["images"]
    length = len(images) / rate
    begin = max(0.0, length + start) if start < 0 else start
    end = begin + seconds if seconds > 0 else length
    if strict and end > length + 0.5 / rate:
        raise VideoError(
            f"duration: the video lasts {length:g} s, less than {seconds:g} s from {begin:g} s on"
        )
    part = images[round(begin * rate) : max(round(begin * rate) + 1, round(end * rate))]
    if len(part) == 0:
        raise VideoError(f"start_time: the video lasts {length:g} s, and nothing of it is left")
    sound = video["audio"]
    heard = sound is not None and begin < sound["waveform"].shape[-1] / sound["sample_rate"]
    audio = trimmed(sound, begin, end - begin) if sound is not None and heard else None
    return {**video, "images": part, "audio": audio}
