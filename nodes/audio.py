"""Nodes that read, save and play audio."""

from __future__ import annotations

import json
from typing import Annotated

from engine import Artifact, Choice, File, Files, FolderKind, Option, Run, Tooltip, Upload, node
from nodes.sockets import Audio
from nodes.video import VIDEOS
from nodes.widgets import Prefix

AUDIO_FILES = (
    ".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".aifc", ".au", ".caf",
    ".rf64", ".w64", ".mp2", ".m4a", ".weba", ".mka",
)  # fmt: skip

Mp3Quality = Annotated[
    str,
    Choice(("V0", "128k", "320k")),
    Tooltip("V0 is a variable bit rate; the others are bits per second."),
]
OpusQuality = Annotated[
    str,
    Choice(("64k", "96k", "128k", "192k", "320k")),
    Tooltip("Bits per second; 128k sounds almost like the original."),
]


@node("LoadAudio", category="audio", display_name="Load Audio")
def load_audio(
    run: Run,
    *,
    audio: Annotated[
        str,
        Choice(Files("input", suffixes=(*AUDIO_FILES, *VIDEOS))),
        Upload("audio"),
        Tooltip("A file of the input folder; drop one here, or record it."),
    ],
) -> Audio:
    """Read a sound of the input folder, also that of a video."""
    from nodes.models.audio.waveforms import decode
    from nodes.models.video import is_video, read_audio

    data = run.input_path(audio).read_bytes()
    return read_audio(data, audio, run.warn) if is_video(data) else decode(data, audio, run.warn)


@node("SaveAudio", category="audio", display_name="Save Audio (FLAC)")
def save_audio(run: Run, *, audio: Audio, filename_prefix: Prefix = "audio/ComfyUI") -> Artifact:
    """Save sound as FLAC, without loss, the graph inside."""
    return Artifact(audio=_saved(run, audio, filename_prefix, "flac"))


@node("SaveAudioMP3", category="audio", display_name="Save Audio (MP3)")
def save_mp3(
    run: Run,
    *,
    audio: Audio,
    filename_prefix: Prefix = "audio/ComfyUI",
    quality: Mp3Quality = "V0",
) -> Artifact:
    """Save sound as MP3, the graph inside."""
    return Artifact(audio=_saved(run, audio, filename_prefix, "mp3", quality))


@node("SaveAudioOpus", category="audio", display_name="Save Audio (Opus)")
def save_opus(
    run: Run,
    *,
    audio: Audio,
    filename_prefix: Prefix = "audio/ComfyUI",
    quality: OpusQuality = "128k",
) -> Artifact:
    """Save sound as Opus, the graph inside."""
    return Artifact(audio=_saved(run, audio, filename_prefix, "opus", quality))


class Flac(Option, key="flac"):
    """Without loss."""


class Mp3(Option, key="mp3"):
    """Small, for every program."""

    quality: Mp3Quality = "V0"


class Opus(Option, key="opus"):
    """Smaller."""

    quality: OpusQuality = "128k"


@node(
    "SaveAudioAdvanced", category="audio", display_name="Save Audio (Advanced)", passes=("audio",)
)
def save_advanced(
    run: Run,
    *,
    audio: Audio,
    filename_prefix: Prefix = "audio/ComfyUI",
    format: Annotated[
        Flac | Mp3 | Opus, Tooltip("flac keeps all; mp3 plays everywhere; opus is the smallest.")
    ],
) -> Artifact:
    """Save sound as FLAC, MP3 or Opus, the graph inside."""
    quality = None if isinstance(format, Flac) else format.quality
    return Artifact(audio=_saved(run, audio, filename_prefix, format.key, quality))


@node("SaveAudioWAV", category="audio", display_name="Save Audio (WAV)")
def save_wav(run: Run, *, audio: Audio, filename_prefix: Prefix = "audio/ComfyUI") -> Artifact:
    """Save sound as WAV, which every program reads, the graph inside."""
    return Artifact(audio=_saved(run, audio, filename_prefix, "wav"))


@node("PreviewAudio", category="audio", display_name="Preview Audio")
def preview_audio(run: Run, *, audio: Audio) -> Artifact:
    """Play sound without keeping it."""
    return Artifact(audio=_saved(run, audio, "ComfyUI_temp", "flac", folder="temp"))


def _saved(
    run: Run,
    audio: Audio,
    prefix: str,
    format: str,
    quality: str | None = None,
    folder: FolderKind = "output",
) -> list[File]:
    from nodes.models.audio.waveforms import encode

    tags = {"prompt": run.prompt, **run.extra_pnginfo}
    texts = {name: json.dumps(value) for name, value in tags.items()}
    return [
        run.save(
            prefix,
            format,
            encode(
                waveform,
                audio["sample_rate"],
                format,
                quality=quality,
                tags=texts,
                warn=run.warn,
            ),
            folder=folder,
            batch_number=number,
        )
        for number, waveform in enumerate(audio["waveform"])
    ]
