"""Kokoro on this CPU: seconds of work for a second of sound."""

from __future__ import annotations

import os
import time
from pathlib import Path

from benchmarks.tables import Measures
from engine.models.pull import pull
from nodes.models.speech.kokoro import VoiceModel
from nodes.models.speech.voices import SAMPLE_RATE

RUNS = 5
TEXTS = {
    "two words": "Hello world.",
    "a sentence": "The quick brown fox jumps over the lazy dog while the band plays on and on.",
    "a passage": (
        "It was a bright cold day in April. The clocks were striking, one after the other, "
        "and nobody in the street seemed to mind. A red apple lay on the window sill."
    ),
}


def main() -> None:
    """Measure and print; fetches the voice if it is not there."""
    home = Path(os.environ.get("SOUNDSTAGE_HOME", "home"))
    pull("kokoro", home / "models", lambda file, done, total: None)
    model = home / "models" / "kokoro" / "kokoro-v1.0.int8.onnx"
    measures = Measures("Kokoro-82M int8: real-time factor (below 1 is faster than speech)")
    for threads in (1, 2):
        handle = VoiceModel.find(model, threads)
        began = time.perf_counter()
        kokoro = handle.load("cpu")
        measures.add(f"load, {threads} threads", [time.perf_counter() - began], "s")
        for name, text in TEXTS.items():
            factors: list[float] = []
            for _ in range(RUNS):
                began = time.perf_counter()
                samples = sum(len(chunk.audio) for chunk in kokoro.speak(text))
                factors.append((time.perf_counter() - began) * SAMPLE_RATE / samples)
            measures.add(f"{name}, {threads} threads", factors, "x")
    measures.print()


if __name__ == "__main__":
    main()
