"""What is spoken is understood: twenty sentences, heard by another model."""

from __future__ import annotations

import re
from pathlib import Path

import jiwer
import numpy as np

from nodes.models.english.spoken import Spoken
from nodes.models.kokoro import Kokoro
from nodes.models.voices import SAMPLE_RATE
from tests.speech.transcribe import Transcriber

# Text and, after a tab, the words that should be heard.
SENTENCES = [
    line.split("\t")
    for line in (Path(__file__).parent / "sentences.txt").read_text(encoding="utf-8").splitlines()
]


def heard_words(transcript: str) -> str:
    """A transcript in lower-case words: digits, signs and abbreviations said out."""
    clocked = re.sub(r"\b(\d{1,2})(\d\d)(?= ?[ap]\.?m)", r"\1:\2", transcript)
    said = Spoken(british=False)(clocked).replace("FBI", "f b i")
    return re.sub(r"[^a-z' ]+", "", re.sub(r"[-—]", " ", said.lower()))


def test_normalising_keeps_what_was_heard_and_no_more():
    assert (
        heard_words("At 345 p.m. Mrs. Lee paid $5.")
        == "at three forty five p m missus lee paid five dollars"
    )
    assert heard_words("She sells C-shells.") == "she sells c shells"


def test_twenty_sentences_are_heard_as_written(kokoro: Kokoro, transcriber: Transcriber):
    heard: list[str] = []
    for text, _ in SENTENCES:
        audio = np.concatenate([chunk.audio for chunk in kokoro.speak(text)])
        heard.append(heard_words(transcriber.transcribe(audio, SAMPLE_RATE)))

    expected = [words for _, words in SENTENCES]
    rate = jiwer.wer(expected, heard)

    wrong = [pair for pair in zip(expected, heard, strict=True) if pair[0] != pair[1]]
    assert rate <= 0.05, f"word error rate {rate:.1%}: {wrong}"
    assert len(expected) == 20


def test_a_british_voice_is_understood(kokoro: Kokoro, transcriber: Transcriber):
    text = "We can't park the car near the castle."
    audio = np.concatenate([chunk.audio for chunk in kokoro.speak(text, "bf_emma")])

    assert (
        jiwer.wer(heard_words(text), heard_words(transcriber.transcribe(audio, SAMPLE_RATE)))
        <= 0.15
    )
