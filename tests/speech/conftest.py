"""Real weights for the speech tests, fetched once into the home of this checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.models.pull import PullError, pull
from nodes.models.kokoro import Kokoro
from tests.speech.transcribe import NoTranscriber, Transcriber, fetch_whisper

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def models_home() -> Path:
    """The models folder of the home that tests use."""
    return Path(os.environ.get("SOUNDSTAGE_HOME", CHECKOUT / "home")) / "models"


@pytest.fixture(scope="session")
def kokoro_files(models_home: Path) -> tuple[Path, Path]:
    """Kokoro's model and voices."""

    def silent(file: str, done: int, total: int) -> None:
        pass

    try:
        model, voices = pull("kokoro", models_home, silent)
    except PullError as error:
        pytest.skip(str(error))
    return model, voices


@pytest.fixture(scope="session")
def kokoro(kokoro_files: tuple[Path, Path]) -> Kokoro:
    """The loaded voice model."""
    return Kokoro(*kokoro_files, threads=2)


@pytest.fixture(scope="session")
def transcriber(models_home: Path) -> Transcriber:
    """Whisper tiny."""
    try:
        return Transcriber.load(fetch_whisper(models_home.parent / "tests"))
    except NoTranscriber as error:
        pytest.skip(str(error))
