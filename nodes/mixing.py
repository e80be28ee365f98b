"""Nodes that cut, join and mix sounds."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from engine import Choice, Range, Tooltip, node
from nodes.sockets import Audio

# As nodes.models.audio.mixing.MERGE_METHODS, which needs torch.
MERGE_METHODS = ("add", "mean", "subtract", "multiply")
ENDLESS = 2**64 - 1

First = Annotated[Audio, Tooltip("The first sound.")]
Second = Annotated[Audio, Tooltip("The second sound.")]


@node("EmptyAudio", category="audio", display_name="Empty Audio")
def empty_audio(
    *,
    duration: Annotated[float, Range(0.0, ENDLESS, 0.01), Tooltip("In seconds.")] = 60.0,
    sample_rate: Annotated[int, Tooltip("In Hz.")] = 44100,
    channels: Annotated[int, Range(1, 2), Tooltip("1 mono, 2 stereo.")] = 2,
) -> Audio:
    """Silence."""
    from nodes.models.audio.mixing import silence

    return silence(duration, sample_rate, channels)


@node("TrimAudioDuration", category="audio", display_name="Trim Audio Duration")
def trim(
    *,
    audio: Audio,
    start_index: Annotated[
        float, Range(-ENDLESS, ENDLESS, 0.01), Tooltip("In seconds; negative counts from the end.")
    ] = 0.0,
    duration: Annotated[float, Range(0.0, ENDLESS, 0.01), Tooltip("In seconds.")] = 60.0,
) -> Audio:
    """A part of a sound, cut off at its end."""
    from nodes.models.audio.mixing import trimmed

    return trimmed(audio, start_index, duration)


class Channels(NamedTuple):
    """The two channels of a sound."""

    left: Audio
    right: Audio


@node("SplitAudioChannels", category="audio", display_name="Split Audio Channels")
def split_channels(*, audio: Audio) -> Channels:
    """The left and the right channel of a stereo sound, each as mono."""
    from nodes.models.audio.mixing import halves

    return Channels(*halves(audio))


@node("AudioConcat", category="audio", display_name="Audio Concat")
def concat(
    *,
    audio1: First,
    audio2: Second,
    direction: Annotated[
        str, Choice(("after", "before")), Tooltip("Where the second goes.")
    ] = "after",
) -> Audio:
    """One sound after the other, at the higher sample rate of both."""
    from nodes.models.audio.mixing import joined

    return joined(audio1, audio2) if direction == "after" else joined(audio2, audio1)


@node("AudioMerge", category="audio", display_name="Audio Merge")
def merge(
    *,
    audio1: First,
    audio2: Second,
    merge_method: Annotated[
        str, Choice(MERGE_METHODS), Tooltip("add mixes them; mean does so at half the volume.")
    ],
) -> Audio:
    """Two sounds at once, as long as the first; made quieter where they would be too loud."""
    from nodes.models.audio.mixing import merged

    return merged(audio1, audio2, merge_method)


@node("AudioAdjustVolume", category="audio", display_name="Audio Adjust Volume")
def adjust_volume(
    *,
    audio: Audio,
    volume: Annotated[int, Range(-100, 100), Tooltip("In decibels; 6 doubles, -6 halves.")] = 1,
) -> Audio:
    """A sound made louder or softer."""
    from nodes.models.audio.mixing import amplified

    return amplified(audio, volume)
