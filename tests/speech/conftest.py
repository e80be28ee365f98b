"""Real weights for the speech tests, fetched once into the home of this checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from nodes.models.speech.kokoro import Kokoro
from tests.speech.transcribe import NoTranscriber, Transcriber, fetch_whisper


@pytest.fixture(scope="session")
def kokoro_files(models_home: Path) -> tuple[Path, Path]:
    """Kokoro's model and voices."""
    folder = models_home / "kokoro"
    return folder / "kokoro-v1.0.int8.onnx", folder / "voices-v1.0.bin"


@pytest.fixture(scope="session")
def kokoro(kokoro_files: tuple[Path, Path]) -> Kokoro:
    """The loaded voice model, with one thread, as other tests share the cores."""
    return Kokoro(*kokoro_files, threads=1)


@pytest.fixture(scope="session")
def transcriber(models_home: Path) -> Transcriber:
    """Whisper tiny."""
    try:
        return Transcriber.load(fetch_whisper(models_home.parent / "tests"))
    except NoTranscriber as error:
        pytest.skip(str(error))
