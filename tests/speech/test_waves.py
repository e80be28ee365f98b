"""Sound survives its files, and the graph travels inside."""

from __future__ import annotations

import json
import struct
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nodes.models.audio.resampling import resampled
from nodes.models.audio.waveforms import AudioFileError, audio_from_samples, decode, encode

RATE = 24_000
TAGS = {"prompt": json.dumps({"1": {"text": "grüße ✓"}}), "workflow": json.dumps({"nodes": []})}


def tone(hertz: float = 440, seconds: float = 1.0, rate: int = RATE, channels: int = 1) -> Tensor:
    time = torch.arange(round(seconds * rate)) / rate
    return (0.5 * torch.sin(2 * torch.pi * hertz * time)).repeat(channels, 1)


def loudest(waveform: Tensor, rate: int) -> float:
    """Frequency with the most energy."""
    spectrum = np.abs(np.fft.rfft(waveform[0].numpy()))
    return float(spectrum.argmax()) * rate / waveform.shape[1]


@pytest.mark.parametrize("format", ["wav", "flac", "mp3", "opus"])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_format_gives_the_tone_back(format: str, channels: int):
    heard = decode(encode(tone(channels=channels), RATE, format, tags=TAGS))

    assert heard["sample_rate"] == RATE
    assert heard["waveform"].dtype == torch.float32
    assert heard["waveform"].shape[:2] == (1, channels)
    assert abs(heard["waveform"].shape[2] - RATE) < 0.1 * RATE
    assert loudest(heard["waveform"][0], RATE) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("format", ["wav", "flac"])
def test_lossless_formats_lose_nothing_but_rounding(format: str):
    wave = tone()
    heard = decode(encode(wave, RATE, format))["waveform"][0]
    assert (heard - wave).abs().max() <= 2**-15


@pytest.mark.parametrize("size", [10, 300, 70_000, 400_000])
@pytest.mark.parametrize("format", ["wav", "flac", "mp3", "opus"])
def test_tags_of_any_size_leave_the_sound_alone(format: str, size: int):
    tags = {"prompt": "x" * size, "workflow": "y"}
    plain, tagged = encode(tone(), RATE, format), encode(tone(), RATE, format, tags=tags)

    assert torch.equal(decode(tagged)["waveform"], decode(plain)["waveform"])
    assert len(tagged) > len(plain) + size - 1000  # libsndfile leaves room for tags in Opus


def test_flac_holds_the_graph_as_vorbis_comments():
    data = encode(tone(), RATE, "flac", tags=TAGS)
    at = 4
    while data[at] & 0x7F != 4:
        at += 4 + int.from_bytes(data[at + 1 : at + 4])
    assert comments(data[at + 4 :]) == TAGS


def test_opus_holds_the_graph_as_vorbis_comments():
    data = encode(tone(), RATE, "opus", tags=TAGS)
    assert comments(data[data.index(b"OpusTags") + 8 :]) == TAGS


def test_mp3_holds_the_graph_as_id3_texts():
    assert holds_id3(encode(tone(), RATE, "mp3", tags=TAGS))


def test_wav_holds_the_graph_as_id3_texts_in_its_last_chunk():
    data = encode(tone(), RATE, "wav", tags=TAGS)
    assert struct.unpack_from("<I", data, 4) == (len(data) - 8,)
    chunks: dict[bytes, bytes] = {}
    at = 12
    while at < len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        chunks[name] = data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    assert at == len(data)
    assert [*chunks] == [b"fmt ", b"data", b"id3 "]
    assert holds_id3(chunks[b"id3 "])


def holds_id3(tag: bytes) -> bool:
    texts = [f"{name}\0{text}\0".encode() for name, text in TAGS.items()]
    return tag[:4] == b"ID3\4" and all(b"\3" + text in tag for text in texts)


def comments(block: bytes) -> dict[str, str]:
    def take(at: int) -> tuple[bytes, int]:
        (size,) = struct.unpack_from("<I", block, at)
        return block[at + 4 : at + 4 + size], at + 4 + size

    _, at = take(0)
    (count,) = struct.unpack_from("<I", block, at)
    at += 4
    found: dict[str, str] = {}
    for _ in range(count):
        entry, at = take(at)
        name, _, text = entry.decode().partition("=")
        found[name] = text
    return found


def test_better_quality_takes_more_bytes():
    noise = torch.rand(1, 48_000, generator=torch.Generator().manual_seed(0)) - 0.5
    for format, qualities in (("mp3", ["128k", "320k"]), ("opus", ["64k", "128k", "320k"])):
        sizes = [len(encode(noise, 48_000, format, quality=quality)) for quality in qualities]
        assert sizes == sorted(sizes)
        assert sizes[0] < 0.8 * sizes[-1]


def test_opus_takes_the_next_rate_it_knows():
    heard = decode(encode(tone(rate=44_100), 44_100, "opus"))
    assert heard["sample_rate"] == 48_000
    assert loudest(heard["waveform"][0], 48_000) == pytest.approx(440, abs=2)


@pytest.mark.parametrize(("rate", "wanted"), [(44_100, 48_000), (48_000, 16_000), (8_000, 24_000)])
def test_resampling_keeps_a_tone_and_its_loudness(rate: int, wanted: int):
    changed = resampled(tone(rate=rate), rate, wanted)
    exact = tone(rate=wanted)
    assert changed.shape == exact.shape
    middle = slice(wanted // 10, -wanted // 10)
    assert (changed - exact)[:, middle].abs().max() < 2e-3


def test_what_is_too_loud_is_clipped_not_wrapped():
    heard = decode(encode(4 * tone(), RATE, "wav"))["waveform"]
    assert heard.max() > 0.99
    assert heard.min() < -0.99


def test_a_mono_signal_becomes_a_batch_of_one():
    made = audio_from_samples(np.zeros(5, np.float32), RATE)
    assert made["waveform"].shape == (1, 1, 5)


def test_no_sound_is_refused():
    with pytest.raises(AudioFileError, match="no sound in it"):
        encode(torch.zeros(1, 0), RATE, "flac")


def test_a_truncated_file_is_refused_by_name():
    data = encode(tone(), RATE, "flac")
    with pytest.raises(AudioFileError, match=r"voice\.flac is no audio file"):
        decode(data[:20], "voice.flac")


def test_other_readers_find_the_tags_harmless():
    sf: Any = import_module("soundfile")
    import io

    with sf.SoundFile(io.BytesIO(encode(tone(), RATE, "flac", tags=TAGS))) as file:
        assert (file.samplerate, file.frames) == (RATE, RATE)
