"""`soundstage demo`: the first picture shows what was asked, the first voice says it."""

from __future__ import annotations

import re
import wave
from pathlib import Path

import jiwer
import numpy as np
import pytest
from PIL import Image

from tests import bundled
from tests.cli.conftest import Soundstage
from tests.speech.transcribe import NoTranscriber, Transcriber, fetch_whisper
from training.score import nearest

HELLO = bundled.prompt("hello")
DRAWN = HELLO["2"]["inputs"]["text"]
SPOKEN = HELLO["10"]["inputs"]["text"]
NOWHERE = "http://127.0.0.1:9"


def words(text: str) -> str:
    return re.sub(r"[^a-z ]+", "", text.lower().replace("-", " "))


@pytest.fixture
def home(tmp_path: Path, models_home: Path) -> Path:
    """A home of its own, with the voice already in it."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "models").mkdir()
    (folder / "models" / "kokoro").symlink_to(models_home / "kokoro")
    return folder


def test_the_picture_shows_and_the_voice_says_what_was_asked(
    soundstage: Soundstage, home: Path, models_home: Path
):
    said = soundstage("demo", "--home", str(home))
    assert said.code == 0, said.err
    picture, voice = (Path(line) for line in said.out.splitlines())
    assert picture.parent == voice.parent == home / "output"
    assert "fetching" not in said.err
    for title in ("Draw", "Speak the caption"):
        assert title in said.err
    with Image.open(picture) as opened:
        assert opened.size == (512, 512)
        assert nearest(np.asarray(opened.convert("RGB")) / 255) == DRAWN
    assert DRAWN in SPOKEN.lower()
    try:
        transcriber = Transcriber.load(fetch_whisper(models_home.parent / "tests"))
    except NoTranscriber as error:
        pytest.skip(str(error))
    with wave.open(str(voice)) as opened:
        samples = np.frombuffer(opened.readframes(opened.getnframes()), "<i2")
        heard = transcriber.transcribe(samples.astype(np.float32) / 2**15, opened.getframerate())
    assert jiwer.wer(words(SPOKEN), words(heard)) <= 0.15, heard


def test_without_any_source_one_line_says_what_is_missing(soundstage: Soundstage, tmp_path: Path):
    said = soundstage(
        "demo", PIP_INDEX_URL=NOWHERE, PIP_EXTRA_INDEX_URL="", HF_ENDPOINT=NOWHERE, PIP_NO_INDEX=""
    )
    assert (said.code, said.out) == (1, "")
    assert said.err.count("\n") == 1, said.err
    assert "kokoro" in said.err
    assert "soundstage models pull kokoro" in said.err
    assert str(tmp_path / "home") in said.err
