"""One stream of a video, as both kinds of files keep it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypedDict

from torch import Tensor

from nodes.models.audio.waveforms import Audio

BROKEN = (
    "it is no video that can be read, or it is broken, or only the beginning of one; get it anew"
)


class VideoError(ValueError):
    """A video that cannot be read or written; the text says which and why."""


class Video(TypedDict):
    """Pictures, their sound, and their pace."""

    images: Tensor
    audio: Audio | None
    frame_rate: float


@dataclass(frozen=True)
class Track:
    """Coded samples, each with the time that it lasts.

    Attributes:
        codec: "av01", "Opus", or what the file calls another.
        config: what a decoder must know first: the body of `av1C`, the packet OpusHead.
        samples: pictures, or pieces of sound.
        durations: of each, in parts of a second.
        scale: so many of those parts are a second.
        keys: the samples that can be decoded without others.
        size: width and height of pictures; None for sound.
    """

    codec: str
    config: bytes
    samples: Sequence[bytes]
    durations: Sequence[int]
    scale: int
    keys: frozenset[int] = frozenset()
    size: tuple[int, int] | None = None

    @property
    def seconds(self) -> Fraction:
        """How long it lasts."""
        return Fraction(sum(self.durations), self.scale)

    def starts(self) -> list[Fraction]:
        """When each sample begins, in seconds."""
        found, total = list[Fraction](), 0
        for duration in self.durations:
            found.append(Fraction(total, self.scale))
            total += duration
        return found
