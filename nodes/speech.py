"""Speech: text into sound."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

from engine import Choice, Files, Prompt, Range, Run, Step, Steps, Tooltip, node
from nodes.models.speech.voices import FASTEST, SAMPLE_RATE, SLOWEST, VOICES
from nodes.progress import answered
from nodes.sockets import Audio, VoiceModel

if TYPE_CHECKING:
    from torch import Tensor

    from nodes.models.speech.kokoro import Sentence

KokoroFiles = Files("kokoro", suffixes=(".onnx",))


@node("KokoroLoader", category="speech", display_name="Load Kokoro")
def load_kokoro(
    run: Run,
    *,
    model_name: Annotated[
        str, Choice(KokoroFiles), Tooltip("A file in models/kokoro; int8 is small and quick.")
    ] = "kokoro-v1.0.int8.onnx",
) -> VoiceModel:
    """A Kokoro voice model; its file of voices lies beside it."""
    from nodes.models.speech.kokoro import VoiceModel

    return VoiceModel.find(run.model_path("kokoro", model_name))


@node("KokoroSpeak", category="speech", display_name="Speak (Kokoro)", loads=True)
def speak(
    *,
    voice_model: VoiceModel,
    text: Annotated[Prompt, Tooltip("What to say; [word](/phonemes/) says how a word sounds.")],
    voice: Annotated[
        str,
        Choice(VOICES),
        Tooltip(
            "First a letter for the language (a: American, b: British), then f or m, then a name."
        ),
    ] = "af_heart",
    speed: Annotated[float, Range(SLOWEST, FASTEST, 0.05), Tooltip("2 is twice as fast.")] = 1.0,
) -> Steps[Audio]:
    """Speak a text, sentence by sentence; [word](/phonemes/) says how a word sounds."""
    import numpy as np

    from nodes.models.audio.waveforms import audio_from_samples, encode

    said: list[np.ndarray] = []
    total, heard = 1, None
    for sentence in voice_model.sentences(text, voice, speed):
        total = sentence.total
        spoken = partial(_spoken, sentence)
        samples = (yield from answered(len(said), total, spoken, sound=heard)).numpy()
        said.append(samples)
        waveform = audio_from_samples(samples, SAMPLE_RATE)["waveform"][0]
        heard = partial(encode, waveform, SAMPLE_RATE, "wav") if samples.size else None
    yield Step(total, total, sound=heard)
    return audio_from_samples(np.concatenate(said), SAMPLE_RATE)


def _spoken(sentence: Sentence) -> Tensor:
    """A sentence as sound [T], in a type that the step log can store."""
    import torch

    return torch.from_numpy(sentence.synthesise())  # pyright: ignore[reportUnknownMemberType] - torch annotates it only in part
