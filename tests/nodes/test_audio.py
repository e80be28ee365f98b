"""Sounds cut, joined, mixed, loaded."""

from __future__ import annotations

import math

import pytest
import torch

from nodes import mixing as nodes
from nodes.models.audio import mixing
from nodes.models.audio.mixing import MixingError
from nodes.models.audio.waveforms import Audio, decode, encode
from tests.models.bench import Bench, n


def tone(
    seconds: float = 1.0, rate: int = 8000, channels: int = 1, count: int = 1, level: float = 0.5
) -> Audio:
    wave = torch.sin(torch.arange(round(seconds * rate)) / rate * 440 * math.tau) * level
    return {"waveform": wave.expand(count, channels, -1).contiguous(), "sample_rate": rate}


def test_the_node_offers_every_way_of_mixing():
    assert tuple(mixing.MERGE_METHODS) == nodes.MERGE_METHODS


@pytest.mark.parametrize(
    ("start", "seconds", "first", "last"),
    [(0.25, 0.5, 2000, 6000), (-0.25, 60, 6000, 8000), (-9, 0.5, 0, 4000), (0, 1e19, 0, 8000)],
)
def test_a_part_of_a_sound(start: float, seconds: float, first: int, last: int):
    whole = tone(channels=2)
    found = nodes.trim(audio=whole, start_index=start, duration=seconds)
    assert torch.equal(found["waveform"], whole["waveform"][..., first:last])


@pytest.mark.parametrize(("start", "seconds"), [(1.0, 1.0), (1e19, 1e19), (0.5, 0.0)])
def test_nothing_of_a_sound_is_refused(start: float, seconds: float):
    with pytest.raises(MixingError, match="the sound lasts 1 s, and nothing of it"):
        nodes.trim(audio=tone(), start_index=start, duration=seconds)


def test_sounds_follow_each_other_at_the_higher_rate():
    found = nodes.concat(audio1=tone(1.0, 8000), audio2=tone(0.5, 16000, channels=2, count=2))
    assert found["sample_rate"] == 16000
    assert found["waveform"].shape == (2, 2, 24000)
    other = nodes.concat(audio1=tone(1.0), audio2=tone(0.5, level=0.1), direction="before")
    assert other["waveform"][..., :4000].abs().max() == pytest.approx(0.1, abs=1e-3)


def test_sounds_are_mixed_as_long_as_the_first():
    one, other = tone(0.5), tone(1.0)
    for method, level in (("add", 1.0), ("mean", 0.5), ("subtract", 0.0), ("multiply", 0.25)):
        found = nodes.merge(audio1=one, audio2=other, merge_method=method)
        assert found["waveform"].shape == (1, 1, 4000)
        assert found["waveform"].abs().max() == pytest.approx(level, abs=1e-2)
    loud = nodes.merge(audio1=tone(level=0.9), audio2=tone(0.5, level=0.9), merge_method="add")
    assert loud["waveform"].abs().max() == pytest.approx(1)
    assert loud["waveform"][..., 4000:].abs().max() == pytest.approx(0.5, abs=1e-2)


def test_six_decibels_are_twice_as_much():
    found = nodes.adjust_volume(audio=tone(level=0.2), volume=6)
    assert found["waveform"].abs().max() == pytest.approx(0.4, abs=2e-3)
    assert torch.equal(nodes.adjust_volume(audio=tone(), volume=0)["waveform"], tone()["waveform"])


def test_stereo_is_split_and_nothing_else():
    stereo = tone(channels=2)
    stereo["waveform"][:, 1] = 0
    left, right = nodes.split_channels(audio=stereo)
    assert torch.equal(left["waveform"], tone()["waveform"])
    assert right["waveform"].abs().max() == 0
    with pytest.raises(MixingError, match=r"has 1 channel\(s\), and only stereo"):
        nodes.split_channels(audio=tone())


def test_sounds_of_two_and_three_channels_do_not_mix():
    with pytest.raises(MixingError, match="2 and of 3 channels do not go together"):
        nodes.merge(audio1=tone(channels=2), audio2=tone(channels=3), merge_method="add")


def test_silence_has_an_end():
    assert nodes.empty_audio(duration=0.5)["waveform"].shape == (1, 2, 22050)
    with pytest.raises(MixingError, match="longer than a day"):
        nodes.empty_audio(duration=1e19)
    for rate in (0, -44100, 10**12):
        with pytest.raises(MixingError, match="Hz is not in"):
            nodes.empty_audio(sample_rate=rate)


async def test_a_sound_is_loaded_cut_and_kept(bench: Bench):
    (bench.home / "input" / "tone.flac").write_bytes(encode(tone()["waveform"][0], 8000, "flac"))
    prompt = {
        "1": n("LoadAudio", audio="tone.flac"),
        "2": n("TrimAudioDuration", audio=["1", 0], start_index=0.5, duration=60.0),
        "3": n("SaveAudioWAV", audio=["2", 0], filename_prefix="half"),
    }
    (entry,) = await bench.run(prompt)
    assert entry.outcome.status == "success", entry
    kept = decode((bench.home / "output" / "half_00001_.wav").read_bytes())
    assert kept["sample_rate"] == 8000
    assert torch.allclose(kept["waveform"], tone()["waveform"][..., 4000:], atol=1e-3)
    (bench.home / "input" / "tone.flac").write_bytes(b"no sound")
    (entry,) = await bench.run(prompt)
    assert entry.outcome.status == "error"
    assert "tone.flac is no audio file" in str(entry.outcome)
