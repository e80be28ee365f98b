"""Sounds cut, joined and mixed; float32 [B, channels, T] with a sample rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn.functional import pad

from nodes.models.audio.resampling import resampled
from nodes.models.audio.waveforms import Audio
from nodes.models.images.batches import repeated
from nodes.models.memory import ask_for

LONGEST_SECONDS = 24 * 3600
HIGHEST_RATE = 768_000


def _mean(first: Tensor, second: Tensor) -> Tensor:
    return (first + second) / 2


MERGE_METHODS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add,
    "mean": _mean,
    "subtract": torch.sub,
    "multiply": torch.mul,
}


class MixingError(ValueError):
    """Sounds that cannot be cut or mixed as asked; the text says why and what to do."""


def silence(seconds: float, sample_rate: int, channels: int) -> Audio:
    """A sound of nothing.

    Raises:
        MixingError: longer than a day, or an impossible sample rate.
    """
    if not 1 <= sample_rate <= HIGHEST_RATE:
        raise MixingError(f"sample_rate: {sample_rate} Hz is not in 1..{HIGHEST_RATE}")
    if seconds > LONGEST_SECONDS:
        raise MixingError(f"duration: {seconds:g} s is longer than a day; ask for less")
    ask_for("sound", channels, seconds * sample_rate)
    samples = torch.zeros(1, channels, round(seconds * sample_rate))
    return {"waveform": samples, "sample_rate": sample_rate}


def trimmed(sound: Audio, start: float, seconds: float) -> Audio:
    """A part of a sound, cut off at its end.

    Args:
        sound: the whole.
        start: in seconds; negative ones count from the end.
        seconds: of the part.

    Raises:
        MixingError: nothing is there.
    """
    waveform, rate = sound["waveform"], sound["sample_rate"]
    length = waveform.shape[-1]
    whole = length / rate
    first = round(max(0.0, start + whole if start < 0 else start) * rate)
    last = min(length, first + round(min(seconds, whole) * rate))
    if first >= last:
        raise MixingError(
            f"start_index, duration: the sound lasts {whole:g} s, and nothing of it is in "
            f"{seconds:g} s from {start:g} s on"
        )
    return {"waveform": waveform[..., first:last].clone(), "sample_rate": rate}


def halves(sound: Audio) -> tuple[Audio, Audio]:
    """The left and the right channel of a stereo sound.

    Raises:
        MixingError: not two channels.
    """
    waveform, rate = sound["waveform"], sound["sample_rate"]
    if waveform.shape[1] != 2:
        raise MixingError(
            f"audio: the sound has {waveform.shape[1]} channel(s), and only stereo can be split"
        )
    left, right = waveform[:, :1].clone(), waveform[:, 1:].clone()
    return {"waveform": left, "sample_rate": rate}, {"waveform": right, "sample_rate": rate}


def joined(first: Audio, second: Audio) -> Audio:
    """One sound after the other."""
    one, other, rate = _alike(first, second)
    return {"waveform": torch.cat([one, other], dim=-1), "sample_rate": rate}


def merged(first: Audio, second: Audio, method: str) -> Audio:
    """Both sounds at once, as long as the first.

    Args:
        first: gives the length.
        second: cut, or followed by silence.
        method: one of `MERGE_METHODS`; what would be louder than 1 is made quieter as a whole.
    """
    one, other, rate = _alike(first, second)
    length = one.shape[-1]
    other = pad(other, (0, max(0, length - other.shape[-1])))[..., :length]
    mixed = MERGE_METHODS[method](one, other)
    peak = float(mixed.abs().max()) if mixed.numel() else 0.0
    return {"waveform": mixed / max(1.0, peak), "sample_rate": rate}


def amplified(sound: Audio, decibels: float) -> Audio:
    """A louder or a softer sound: twice as far out with each 6 dB."""
    return {**sound, "waveform": sound["waveform"] * 10 ** (decibels / 20)}


def _alike(first: Audio, second: Audio) -> tuple[Tensor, Tensor, int]:
    """Both waveforms with one rate (the higher), as many sounds and channels.

    Raises:
        MixingError: two different numbers of channels, neither of them one.
    """
    rate = max(first["sample_rate"], second["sample_rate"])
    one, other = (_at_rate(sound, rate) for sound in (first, second))
    channels = max(one.shape[1], other.shape[1])
    if {one.shape[1], other.shape[1]} - {1, channels}:
        raise MixingError(
            f"sounds of {one.shape[1]} and of {other.shape[1]} channels do not go together; "
            "use mono, or the same number"
        )
    count = max(len(one), len(other))
    one, other = (repeated(waveform, count).expand(-1, channels, -1) for waveform in (one, other))
    return one, other, rate


def _at_rate(sound: Audio, rate: int) -> Tensor:
    waveform = sound["waveform"]
    flat = resampled(waveform.flatten(0, 1), sound["sample_rate"], rate)
    return flat.reshape(*waveform.shape[:2], -1)
