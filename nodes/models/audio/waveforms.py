"""Sound in files and in memory.

In memory a sound is a dict as ComfyUI's nodes pass it: `waveform`, float32 [B, channels, T] in
-1..1, and `sample_rate`. Files go through libsndfile.
"""

from __future__ import annotations

import io
import logging
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypedDict, cast

import numpy as np
import torch
from torch import Tensor

from nodes.models.audio import mp3
from nodes.models.audio.audio_tags import tagged_flac, tagged_mp3, tagged_opus, tagged_wav
from nodes.models.audio.downmix import stereo
from nodes.models.audio.repair import REPAIRS, missing
from nodes.models.audio.resampling import resampled

sf: Any = import_module("soundfile")  # has no type stubs
log = logging.getLogger(__name__)

OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
FLAC_RATES = range(1, 655_351)
FIRST_BYTES = 4096  # so far is looked for the beginning of a file
BLOCK = 256  # samples at a time of a damaged file
WHOLE = b"RIFX"
"""First bytes of files that are no MPEG audio, beside those of `REPAIRS`."""
UNREADABLE = (
    sf.LibsndfileError, sf.SoundFileRuntimeError, OSError, OverflowError, ValueError, TypeError,
    MemoryError, RuntimeError, struct.error, LookupError,
)  # fmt: skip


class Audio(TypedDict):
    """A batch of sounds of one length and rate."""

    waveform: Tensor
    sample_rate: int


class AudioFileError(ValueError):
    """Audio that cannot be read or written; the text says which and why."""


@dataclass(frozen=True)
class Format:
    """A file format by its names in libsndfile.

    Attributes:
        container: libsndfile's name of the container.
        encoding: libsndfile's name of the encoding.
        tagged: puts tags into an encoded file.
        channels: as many as it can hold.
        rates: sample rates it can hold; empty for any.
    """

    container: str
    encoding: str
    tagged: Callable[[bytes, Mapping[str, str]], bytes]
    channels: int
    rates: Sequence[int] = ()


FORMATS: Mapping[str, Format] = {
    "wav": Format("WAV", "PCM_16", tagged_wav, 1024),
    "flac": Format("FLAC", "PCM_16", tagged_flac, 8, FLAC_RATES),
    "mp3": Format("MP3", "MPEG_LAYER_III", tagged_mp3, 2, MP3_RATES),
    "opus": Format("OGG", "OPUS", tagged_opus, 8, OPUS_RATES),
}


def audio_from_samples(samples: np.ndarray, sample_rate: int) -> Audio:
    """A mono signal, float [T], as a batch of one."""
    return {
        "waveform": torch.as_tensor(np.ascontiguousarray(samples, np.float32))[None, None],
        "sample_rate": sample_rate,
    }


def encode(
    waveform: Tensor,
    sample_rate: int,
    format: str,
    *,
    quality: str | None = None,
    tags: Mapping[str, str] | None = None,
    warn: Callable[[str], None] = log.warning,
) -> bytes:
    """One sound as the bytes of a file.

    Args:
        waveform: float [channels, T]; what is beyond -1..1 is clipped, what is no number is
            silent. More channels than the format holds are mixed down to two.
        sample_rate: in Hz; resampled to the next rate above that the format knows.
        format: a key of `FORMATS`.
        quality: "V0" or a bit rate as "128k"; None for the format's best.
        tags: named texts to keep in the file.
        warn: called with what was changed.

    Raises:
        AudioFileError: no samples, or none that the format holds.
    """
    kind = FORMATS[format]
    if waveform.ndim != 2 or waveform.shape[1] == 0:
        raise AudioFileError(
            f"the audio has shape {tuple(waveform.shape)}: there is no sound in it"
        )
    rate = next((r for r in kind.rates if r >= sample_rate), max(kind.rates, default=sample_rate))
    fitted = _fitted(waveform.detach().float().cpu(), format, kind.channels, warn)
    fitted = resampled(fitted, sample_rate, rate).clamp(-1, 1)
    written = io.BytesIO()
    try:
        with sf.SoundFile(
            written,
            "w",
            rate,
            fitted.shape[0],
            format=kind.container,
            subtype=kind.encoding,
            **_compression(format, rate, fitted.shape[0], quality),
        ) as file:
            file.write(fitted.T.contiguous().numpy())
    except UNREADABLE:
        raise AudioFileError(
            f"audio: {fitted.shape[0]} channels at {rate} Hz cannot be written as {format}; choose "
            "another format, or a sample rate of 48000 Hz"
        ) from None
    data = written.getvalue()
    return kind.tagged(data, tags) if tags else data


def _fitted(waveform: Tensor, format: str, most: int, warn: Callable[[str], None]) -> Tensor:
    """Finite samples of as many channels as a format holds."""
    wrong = int((~waveform.isfinite()).sum())
    if wrong:
        warn(f"audio: {wrong} of its samples are no finite numbers; they are silent")
        waveform = waveform.nan_to_num(nan=0, posinf=0, neginf=0)
    if waveform.shape[0] <= most:
        return waveform
    warn(f"audio: its {waveform.shape[0]} channels are mixed down to 2; {format} holds {most}")
    return stereo(waveform)


def decode(data: bytes, name: str = "the file", warn: Callable[[str], None] = log.warning) -> Audio:
    """The sound in the bytes of a file of any format that libsndfile reads.

    Of a file that is damaged or cut off what is there is read.

    Args:
        data: the file.
        name: of it, for messages to the user.
        warn: called with what is missing or was repaired.

    Raises:
        AudioFileError: no audio, or none that can be read.
    """
    try:
        found = _read(data, lambda text: warn(f"{name}: {text}"))
    except UNREADABLE:
        found = None
    if found is None:
        raise AudioFileError(
            f"{name} is no audio file that can be read; it is broken or of a format that is not "
            "known here: get it anew, or save it as WAV, FLAC, MP3 or Ogg in another program"
        )
    samples, rate = found
    if not len(samples):
        raise AudioFileError(f"{name}: there is no sound in it; it was cut off, or never recorded")
    return {"waveform": torch.as_tensor(samples.T.copy())[None], "sample_rate": rate}


def _read(data: bytes, warn: Callable[[str], None]) -> tuple[np.ndarray, int] | None:
    """Samples [T, channels] and their rate."""
    repair = REPAIRS.get(data[:4])
    if repair is None and data[:4] != WHOLE and (found := mp3.stream(data)) is not None:
        return _mpeg(found, warn)
    if repair is None and data[:4] != WHOLE:
        data = data[_beginning(data) :]
        repair = REPAIRS.get(data[:4])
    repaired = repair(data) if repair else None
    read = _blocks(data)
    if read is not None and read.complete and (repaired is None or not repaired.warning):
        return read.samples, read.rate
    again = _blocks(repaired.data) if repaired else None
    if again is None or (read is not None and len(read.samples) > len(again.samples)):
        again = read
    if again is None:
        return None
    if repaired is not None and repaired.warning:
        warn(repaired.warning)
    elif len(again.samples) < again.claimed:
        warn(missing(again.claimed - len(again.samples), again.claimed))
    elif again is not read:
        warn("the file is damaged or cut off; what is there is read")
    return again.samples, again.rate


def _beginning(data: bytes) -> int:
    """Where a file of another kind than MPEG audio begins behind a tag, or a header of HTTP."""
    if data[:3] == b"ID3":
        return max(0, data.find(b"fLaC"))
    places = (data.find(kind, 0, FIRST_BYTES) for kind in REPAIRS)
    return min((place for place in places if place > 0), default=0)


def _mpeg(found: mp3.Stream, warn: Callable[[str], None]) -> tuple[np.ndarray, int] | None:
    read = _blocks(found.data)
    if read is None:
        return None
    if found.claimed is not None and found.claimed > found.seconds + 0.1:
        warn(missing(found.claimed - found.seconds, found.claimed))
    elif found.junk:
        warn("something in it is neither sound nor a tag that can be read; it is left out")
    return read.samples, read.rate


class _File(io.BytesIO):
    """The bytes of a file, of which every place can be asked for.

    A damaged one leads to places in front of it, or too far away: they are its end, since
    libsndfile cannot take an exception.
    """

    def seek(self, offset: int, whence: int = 0, /) -> int:
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError, OSError):
            return super().seek(0, io.SEEK_END)


@dataclass(frozen=True)
class _Read:
    samples: np.ndarray
    rate: int
    claimed: int
    complete: bool


def _blocks(data: bytes) -> _Read | None:
    """What libsndfile reads of a file, up to its first error; None where it does not open it."""
    try:
        with sf.SoundFile(_File(data)) as file:
            samples = cast("np.ndarray", file.read(dtype="float32", always_2d=True))
            return _Read(samples, int(file.samplerate), int(file.frames), complete=True)
    except UNREADABLE:
        pass
    rate, claimed, parts = 0, 0, list[np.ndarray]()
    try:
        with sf.SoundFile(_File(data)) as file:
            rate, claimed = int(file.samplerate), int(file.frames)
            parts.append(np.zeros((0, int(file.channels)), np.float32))
            while True:
                part = cast("np.ndarray", file.read(BLOCK, dtype="float32", always_2d=True))
                if not len(part):
                    break
                parts.append(part)
    except UNREADABLE:
        if not parts:
            return None
    return _Read(np.concatenate(parts), rate, claimed, complete=False)


def _compression(format: str, rate: int, channels: int, quality: str | None) -> dict[str, Any]:
    """Libsndfile's 0 (best) to 1 for a quality in the words of the node."""
    if format == "mp3" and quality in (None, "V0"):
        return {"compression_level": 0.0, "bitrate_mode": "VARIABLE"}
    if quality is None or format not in ("mp3", "opus"):
        return {}
    kilobits = int(quality.removesuffix("k"))
    if format == "mp3":
        lowest, highest = (32, 320) if rate >= 32_000 else (8, 160)
        mode = {"bitrate_mode": "CONSTANT"}
    else:
        lowest, highest = 6, 250 * channels + 6
        mode = {}
    level = (highest - kilobits) / (highest - lowest)
    return {"compression_level": min(1.0, max(0.0, level)), **mode}
