"""Sound in files and in memory.

In memory a sound is a dict as ComfyUI's nodes pass it: `waveform`, float32 [B, channels, T] in
-1..1, and `sample_rate`. Files go through libsndfile.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypedDict, cast

import numpy as np
import torch
from torch import Tensor

from nodes.models.audio_tags import tagged_flac, tagged_mp3, tagged_opus, tagged_wav

sf: Any = import_module("soundfile")  # has no type stubs

OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_TAPS = 32  # zero crossings of the resampling filter on either side
_ROLLOFF = 0.95


class Sound(TypedDict):
    """A batch of sounds of one length and rate."""

    waveform: Tensor
    sample_rate: int


class AudioFileError(ValueError):
    """Audio that cannot be read or written; the text says which and why."""


@dataclass(frozen=True)
class Format:
    """How a file format is asked of libsndfile.

    Attributes:
        container: libsndfile's name of the container.
        encoding: libsndfile's name of the encoding.
        tagged: puts tags into an encoded file.
        rates: sample rates it can hold; empty for any.
    """

    container: str
    encoding: str
    tagged: Callable[[bytes, Mapping[str, str]], bytes]
    rates: tuple[int, ...] = ()


FORMATS: Mapping[str, Format] = {
    "wav": Format("WAV", "PCM_16", tagged_wav),
    "flac": Format("FLAC", "PCM_16", tagged_flac),
    "mp3": Format("MP3", "MPEG_LAYER_III", tagged_mp3, MP3_RATES),
    "opus": Format("OGG", "OPUS", tagged_opus, OPUS_RATES),
}


def sound(samples: np.ndarray, sample_rate: int) -> Sound:
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
) -> bytes:
    """One sound as the bytes of a file.

    Args:
        waveform: float [channels, T]; what is beyond -1..1 is clipped.
        sample_rate: in Hz; resampled to the next rate above that the format knows.
        format: a key of `FORMATS`.
        quality: "V0" or a bit rate as "128k"; None for the format's best.
        tags: named texts to keep in the file.

    Raises:
        AudioFileError: no samples, or more channels than the format holds.
    """
    kind = FORMATS[format]
    if waveform.ndim != 2 or waveform.shape[1] == 0:
        raise AudioFileError(
            f"the audio has shape {tuple(waveform.shape)}: there is no sound in it"
        )
    rate = next((r for r in kind.rates if r >= sample_rate), max(kind.rates, default=sample_rate))
    fitted = resampled(waveform.detach().float().cpu(), sample_rate, rate).clamp(-1, 1)
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
    except (sf.LibsndfileError, ValueError) as error:
        raise AudioFileError(
            f"{fitted.shape[0]} channels at {rate} Hz cannot be written as {format}: {error}"
        ) from error
    data = written.getvalue()
    return kind.tagged(data, tags) if tags else data


def decode(data: bytes, name: str = "the file") -> Sound:
    """The sound in the bytes of a file of any format that libsndfile reads.

    Raises:
        AudioFileError: truncated, or no audio.
    """
    try:
        with sf.SoundFile(io.BytesIO(data)) as file:
            samples = cast("np.ndarray", file.read(dtype="float32", always_2d=True))
            rate = int(file.samplerate)
    except sf.LibsndfileError as error:
        raise AudioFileError(f"{name} is no audio file that can be read: {error}") from error
    return {"waveform": torch.as_tensor(samples.T.copy())[None], "sample_rate": rate}


def resampled(waveform: Tensor, rate: int, wanted: int) -> Tensor:
    """The same sound at another rate, by a windowed sinc; float [channels, T] to [channels, T']."""
    if rate == wanted:
        return waveform
    common = math.gcd(rate, wanted)
    down, up = rate // common, wanted // common
    cutoff = _ROLLOFF * min(1.0, up / down)
    reach = math.ceil(_TAPS / cutoff)
    offsets = torch.arange(-reach, reach + down + 1, dtype=torch.float64)
    phases = torch.arange(up, dtype=torch.float64) * down / up
    distance = (offsets[None] - phases[:, None]) * cutoff
    window = torch.cos(distance.clamp(-_TAPS, _TAPS) * math.pi / _TAPS / 2) ** 2
    kernels = (torch.sinc(distance) * window * cutoff).float()
    padded = torch.nn.functional.pad(waveform, (reach, reach + down))
    answers = torch.nn.functional.conv1d(padded[:, None], kernels[:, None], stride=down)
    length = math.ceil(waveform.shape[1] * wanted / rate)
    return answers.transpose(1, 2).reshape(waveform.shape[0], -1)[:, :length]


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
