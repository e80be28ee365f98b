"""The voice model speaks sentence by sentence, without clicks, or says what is wrong."""

from __future__ import annotations

import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from engine.models.catalog import KOKORO_VOICES
from nodes.models.speech.g2p import UnspeakableText
from nodes.models.speech.kokoro import Kokoro, VoiceFileError, VoiceModel
from nodes.models.speech.voices import SAMPLE_RATE, VOICES

Files = tuple[Path, Path]


def test_the_voices_are_those_that_are_pulled():
    assert sorted(VOICES) == list(KOKORO_VOICES)


def test_each_sentence_is_a_chunk(kokoro: Kokoro):
    text = "This is the first sentence of two. And this one is the second."
    chunks = list(kokoro.speak(text))
    assert [(chunk.index, chunk.total) for chunk in chunks] == [(1, 2), (2, 2)]
    assert [chunk.text for chunk in chunks] == [
        "This is the first sentence of two.",
        "And this one is the second.",
    ]
    for chunk in chunks:
        assert chunk.audio.dtype == np.float32
        assert 1.0 < chunk.audio.size / SAMPLE_RATE < 4.0
        assert np.abs(chunk.audio).max() <= 1.0


def test_chunks_begin_and_end_in_silence_so_joins_do_not_click(kokoro: Kokoro):
    text = "Stop right there, my friend! Who are you, and what is it that you want?"
    chunks = [chunk.audio for chunk in kokoro.speak(text)]
    for audio in chunks:
        assert audio[0] == audio[-1] == 0
    joined = np.concatenate(chunks)
    ends = np.cumsum([audio.size for audio in chunks])[:-1]
    for end in ends:
        around = joined[end - 480 : end + 480]
        assert np.abs(np.diff(around)).max() < 0.01


def test_speed_changes_how_long_it_takes(kokoro: Kokoro):
    text = "One sentence, spoken at two speeds."
    slow, fast = (
        sum(chunk.audio.size for chunk in kokoro.speak(text, speed=speed)) for speed in (0.7, 1.6)
    )
    assert slow > 1.5 * fast


def test_a_long_sentence_without_marks_is_spoken_whole(kokoro: Kokoro):
    chunks = list(kokoro.speak("[go](/ɡˈO/) " * 30 + "x" * 40))
    assert all(chunk.audio.size for chunk in chunks)


def test_fifty_thousand_characters_start_at_once(kokoro: Kokoro):
    text = "A sentence that is repeated many times over. " * 1112
    assert len(text) > 50_000
    first = next(iter(islice(kokoro.speak(text), 1)))
    assert (first.index, first.total) == (1, 1112)


def test_more_phonemes_than_the_model_takes_are_spoken_in_breaths(kokoro: Kokoro):
    word = "ɡˈO "
    chunks = list(kokoro.speak(f"[go](/{word * 130}/)", speed=2.0))
    assert len(chunks) == 1
    assert chunks[0].audio.size > 10 * SAMPLE_RATE


@pytest.mark.parametrize("text", ["", "  \n ", "...!?", "😀🎉", "你好"])
def test_nothing_speakable_is_an_error(kokoro: Kokoro, text: str):
    with pytest.raises(UnspeakableText, match="nothing that can be spoken"):
        list(kokoro.speak(text))


def test_unspeakable_sentences_between_others_are_silent(kokoro: Kokoro):
    chunks = list(
        kokoro.speak("The first sentence is English.\n\n你好\n\nSo is the last sentence.")
    )
    assert [bool(chunk.audio.size) for chunk in chunks] == [True, False, True]


def test_an_unknown_voice_is_named_with_the_known_ones(kokoro: Kokoro):
    with pytest.raises(ValueError, match=r"no voice 'af_nobody'; there is af_heart, "):
        list(kokoro.speak("Hello.", "af_nobody"))


def test_a_foreign_voice_speaks_phonemes(kokoro: Kokoro):
    chunks = list(kokoro.speak("[hola](/ˈola/), [mundo](/mˈundo/).", "ef_dora"))
    assert chunks[0].audio.size > SAMPLE_RATE // 2
    with pytest.raises(UnspeakableText, match="voice ef_dora speaks Spanish"):
        list(kokoro.speak("Hola", "ef_dora"))


@pytest.mark.parametrize("speed", [0.1, 3.0, float("nan")])
def test_speeds_out_of_range_are_refused(kokoro: Kokoro, speed: float):
    with pytest.raises(ValueError, match=r"give 0\.5 to 2\.0"):
        list(kokoro.speak("Hello.", speed=speed))


def test_a_truncated_model_is_named_with_the_remedy(kokoro_files: Files, tmp_path: Path):
    model = tmp_path / "model.onnx"
    with kokoro_files[0].open("rb") as whole:
        model.write_bytes(whole.read(1_000_000))
    with pytest.raises(VoiceFileError, match=r"model\.onnx is truncated.*soundstage models pull"):
        Kokoro(model, kokoro_files[1])


def test_an_absent_model_is_named_with_the_remedy(kokoro_files: Files, tmp_path: Path):
    with pytest.raises(VoiceFileError, match=r"model\.onnx is missing; run 'soundstage"):
        Kokoro(tmp_path / "model.onnx", kokoro_files[1])


def test_another_onnx_model_is_no_voice(
    kokoro_files: Files, models_home: Path, transcriber: object
):
    other = models_home.parent / "tests" / "whisper-tiny" / "encoder.onnx"
    with pytest.raises(VoiceFileError, match=r"no Kokoro model \(its inputs are input_features"):
        Kokoro(other, kokoro_files[1])


@pytest.mark.parametrize("content", [None, b"", b"PK\3\4 broken", b"\x80\x04pickle"])
def test_bad_files_of_voices_are_named(kokoro_files: Files, tmp_path: Path, content: bytes | None):
    voices = tmp_path / "voices.bin"
    if content is not None:
        voices.write_bytes(content)
    with pytest.raises(VoiceFileError, match=r"voices\.bin .*soundstage models pull kokoro"):
        Kokoro(kokoro_files[0], voices)


def test_a_truncated_file_of_voices_is_named(kokoro_files: Files, tmp_path: Path):
    voices = tmp_path / "voices.bin"
    voices.write_bytes(kokoro_files[1].read_bytes()[:2_000_000])
    with pytest.raises(VoiceFileError, match="truncated"):
        Kokoro(kokoro_files[0], voices)


def test_a_handle_is_free_until_it_is_loaded(kokoro_files: Files, tmp_path: Path):
    handle = VoiceModel.find(kokoro_files[0])
    assert handle.voices == kokoro_files[1]
    assert handle.nbytes("cpu") > 80_000_000
    with pytest.raises(RuntimeError, match="not loaded"):
        handle.speak("Hello.")
    assert next(handle.ready().speak("Hello there.")).audio.size


def test_a_replaced_file_changes_the_key(tmp_path: Path):
    model, voices = tmp_path / "model.onnx", tmp_path / "voices-v1.0.bin"
    model.write_bytes(b"one")
    voices.write_bytes(b"two")
    before = VoiceModel.find(model).key
    shutil.copy(voices, model)
    model.write_bytes(b"three")
    assert VoiceModel.find(model).key != before
