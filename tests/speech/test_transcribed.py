"""What is spoken is understood: twenty sentences, heard by another model."""

from __future__ import annotations

import re
from pathlib import Path

import jiwer
import numpy as np
import pytest

from nodes.models.speech.english.text_normalization import TextNormalizer
from nodes.models.speech.kokoro import Kokoro
from nodes.models.speech.voices import SAMPLE_RATE
from tests.speech.transcribe import Transcriber

MOST_SECONDS = 20  # so many words that Whisper's 200 tokens hold them

# Text and, after a tab, the words that should be heard.
SENTENCES = [
    line.split("\t")
    for line in (Path(__file__).parent / "sentences.txt").read_text(encoding="utf-8").splitlines()
]


def heard_words(transcript: str) -> str:
    """A transcript in lower-case words: digits, signs and abbreviations said out."""
    clocked = re.sub(r"\b(\d{1,2})(\d\d)(?= ?[ap]\.?m)", r"\1:\2", transcript)
    said = TextNormalizer(british=False)(clocked).replace("FBI", "f b i")
    return re.sub(r"[^a-z' ]+", "", re.sub(r"[-—]", " ", said.lower()))


def test_normalising_keeps_what_was_heard_and_no_more():
    assert (
        heard_words("At 345 p.m. Mrs. Lee paid $5.")
        == "at three forty five p m missus lee paid five dollars"
    )
    assert heard_words("She sells C-shells.") == "she sells c shells"


@pytest.mark.parametrize("part", [0, pytest.param(1, marks=pytest.mark.exhaustive)])
def test_twenty_sentences_are_heard_as_written(kokoro: Kokoro, transcriber: Transcriber, part: int):
    """Several sentences are heard at once: what Whisper takes is always 30 s long."""
    clips: list[tuple[str, np.ndarray]] = []
    for text, words in SENTENCES[part::2]:
        spoken = [chunk.audio for chunk in kokoro.speak(text)]
        audio = np.concatenate([*spoken, np.zeros(SAMPLE_RATE // 2, np.float32)])
        if clips and clips[-1][1].size + audio.size <= MOST_SECONDS * SAMPLE_RATE:
            said, before = clips.pop()
            clips.append((f"{said} {words}", np.concatenate([before, audio])))
        else:
            clips.append((words, audio))

    expected = [words for words, _ in clips]
    heard = [heard_words(transcriber.transcribe(audio, SAMPLE_RATE)) for _, audio in clips]
    rate = jiwer.wer(expected, heard)

    assert rate <= 0.05, f"word error rate {rate:.1%}: {list(zip(expected, heard, strict=True))}"
    assert len(SENTENCES) == 20


def test_a_british_voice_is_understood(kokoro: Kokoro, transcriber: Transcriber):
    text = "We can't park the car near the castle."
    audio = np.concatenate([chunk.audio for chunk in kokoro.speak(text, "bf_emma")])

    assert (
        jiwer.wer(heard_words(text), heard_words(transcriber.transcribe(audio, SAMPLE_RATE)))
        <= 0.15
    )
