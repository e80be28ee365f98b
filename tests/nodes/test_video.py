"""Videos written and read again."""

from __future__ import annotations

import json
import math
import struct
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes import video as nodes
from nodes.models.audio.waveforms import Audio
from nodes.models.video import CONTAINERS, Video, VideoError, frame_rate, mp4, read, webm, written
from nodes.models.video.opus import duration
from nodes.models.video.track import Track
from tests.models.bench import Bench, n


def moving(count: int = 6, width: int = 48, height: int = 32) -> Tensor:
    """A bright square that goes to the right, pictures [T, H, W, 3]."""
    pictures = torch.full((count, height, width, 3), 0.2)
    for place, picture in enumerate(pictures):
        picture[8:24, 4 * place : 4 * place + 16] = torch.tensor([0.9, 0.5, 0.1])
    return pictures


def tone(seconds: float, rate: int = 24000) -> Audio:
    wave = torch.sin(torch.arange(round(seconds * rate)) / rate * 440 * math.tau) * 0.5
    return {"waveform": wave[None, None], "sample_rate": rate}


def video(seconds: float | None = 0.5, rate: float = 12.0, **more: Any) -> Video:
    audio = None if seconds is None else tone(seconds)
    return {"images": moving(**more), "audio": audio, "frame_rate": rate}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("rate", [12.0, 23.976, 0.5])
def test_a_video_is_what_was_written(container: str, rate: float):
    whole = video(6 / rate, rate)
    found = read(written(whole, container, {}, 10.0))
    assert found["images"].shape == (6, 32, 48, 3)
    assert (found["images"] - whole["images"]).abs().mean() < 0.02
    for before, after in zip(whole["images"], found["images"], strict=True):
        assert (before - after).abs().mean() < 0.03, "each picture is in its place"
    assert found["frame_rate"] == pytest.approx(rate, abs=1e-3)
    assert whole["audio"] is not None
    assert found["audio"] is not None
    sound, heard = whole["audio"]["waveform"][0, 0], found["audio"]["waveform"][0, 0]
    assert 0 <= len(heard) - len(sound) <= 24000 * 0.02, "nothing is missing"
    sure = slice(2000, len(sound) - 2000)
    assert (heard[: len(sound)][sure] - sound[sure]).abs().mean() < 0.05


@pytest.mark.parametrize("container", CONTAINERS)
def test_one_picture_without_sound_is_a_video(container: str):
    found = read(written(video(None, count=1, width=33, height=17), container, {}, 20.0))
    assert found["images"].shape == (1, 17, 33, 3)
    assert found["audio"] is None
    assert found["frame_rate"] == pytest.approx(12.0)


def test_a_better_video_is_larger_and_nearer():
    whole = video(None)
    rough, fine = (written(whole, "mp4", {}, crf) for crf in (60.0, 2.0))
    assert len(fine) > len(rough)

    def wrong(data: bytes) -> float:
        return float((read(data)["images"] - whole["images"]).abs().mean())

    assert wrong(fine) < wrong(rough)


def test_sound_ends_with_the_pictures():
    found = read(written(video(4.0), "mp4", {}, 30.0))
    assert found["audio"] is not None
    assert found["audio"]["waveform"].shape[-1] == 12000


def test_a_long_video_has_a_place_for_each_second():
    """Several clusters and chunks, pictures and sound among each other."""
    long = video(24.0, rate=0.5, count=12)
    for container, module in CONTAINERS.items():
        data = written(long, container, {}, 40.0)
        pictures, sound = module.read(data)
        assert len(pictures.samples) == 12
        assert [float(start) for start in pictures.starts()] == [2.0 * n for n in range(12)]
        assert float(sound.seconds) == pytest.approx(24, abs=0.05)
        assert data.index(pictures.samples[11]) > data.index(sound.samples[900])


def test_rates_of_television_are_fractions():
    assert frame_rate(23.976) == Fraction(24000, 1001)
    assert frame_rate(29.97) == Fraction(30000, 1001)
    assert frame_rate(24) == 24
    assert frame_rate(0.5) == Fraction(1, 2)
    assert frame_rate(12.5) == Fraction(25, 2)


@pytest.mark.parametrize("container", CONTAINERS)
def test_broken_videos_are_refused_by_name(container: str):
    whole = written(video(), container, {"prompt": "{}"}, 40.0)
    for data in (whole[:60], b"", b"nothing of the kind at all"):
        with pytest.raises(VideoError, match=r"a\.mp4: "):
            read(data, "a.mp4")


def test_videos_of_other_codecs_are_refused_with_a_remedy():
    whole = written(video(), "mp4", {}, 40.0)
    with pytest.raises(VideoError, match=r"its pictures are avc1, and only AV1 .* ffmpeg -c:v"):
        read(whole.replace(b"av01", b"avc1"))
    with pytest.raises(VideoError, match="its sound is mp4a, and only Opus"):
        read(whole.replace(b"Opus\0\0\0\0\0\0", b"mp4a\0\0\0\0\0\0"))
    with pytest.raises(VideoError, match="V_VP9"):
        read(written(video(), "webm", {}, 40.0).replace(b"V_AV1", b"V_VP9"))
    with pytest.raises(VideoError, match="no pictures"):
        read(mp4.written([Track("Opus", b"OpusHead\1\1" + bytes(9), [b"\0"], [480], 48000)], {}))
    with pytest.raises(VideoError, match="no picture in the video"):
        written({**video(), "images": torch.zeros(0, 8, 8, 3)}, "mp4", {}, 30.0)


def test_sizes_of_boxes_and_elements_may_be_written_in_other_ways():
    """As other programs write them: 64 bits, to the end of the file, live."""
    whole = written(video(None), "mp4", {}, 40.0)
    place = whole.index(b"mdat") - 4
    samples = whole[place + 8 :]
    long = struct.pack(">I4sQ", 1, b"mdat", len(samples) + 16) + samples
    (found,) = mp4.read(whole[:place] + struct.pack(">I4s", 0, b"mdat") + samples)
    assert found.samples[0] == mp4.read(whole)[0].samples[0]
    assert len(mp4._within(whole[:place] + long, b"mdat")[0]) == len(samples)  # pyright: ignore[reportPrivateUsage] - of what offsets cannot show
    live = written(video(), "webm", {}, 40.0)
    segment = live.index(bytes.fromhex("18538067"))
    endless = live[: segment + 4] + b"\x01" + b"\xff" * 7 + live[segment + 12 :]
    assert [len(track.samples) for track in webm.read(endless)] == [
        len(track.samples) for track in webm.read(live)
    ]


@pytest.mark.parametrize(
    ("packet", "samples"),
    [(b"\xfc\0", 960), (b"\xfd\0", 1920), (b"\x00\0", 480), (b"\x18\0", 2880), (b"\x68\0", 960),
     (b"\x80\0", 120), (b"\xe3\x03", 360)],
)  # fmt: skip
def test_a_packet_of_opus_tells_its_length(packet: bytes, samples: int):
    assert duration(packet) == samples


@pytest.mark.parametrize(
    ("start", "seconds", "first", "count"),
    [(0.0, 0.0, 0, 6), (0.25, 0.0, 3, 3), (-0.25, 0.0, 3, 3), (0.25, 1 / 12, 3, 1), (-9, 9, 0, 6)],
)
def test_a_part_of_a_video(start: float, seconds: float, first: int, count: int):
    whole = video()
    found = nodes.trim(video=whole, start_time=start, duration=seconds)
    assert torch.equal(found["images"], whole["images"][first : first + count])
    assert found["audio"] is not None
    assert found["audio"]["waveform"].shape[-1] == pytest.approx(count / 12 * 24000, abs=2)


def test_nothing_of_a_video_is_refused_and_too_little_where_that_is_asked():
    with pytest.raises(VideoError, match=r"lasts 0\.5 s, and nothing of it"):
        nodes.trim(video=video(), start_time=0.6)
    with pytest.raises(VideoError, match=r"duration: the video lasts 0\.5 s"):
        nodes.trim(video=video(), start_time=0.25, duration=0.5, strict_duration=True)
    assert len(nodes.trim(video=video(), start_time=0.25, duration=0.5)["images"]) == 3
    silent = nodes.trim(video=video(0.25), start_time=0.25)
    assert silent["audio"] is None


async def test_videos_go_through_the_engine(bench: Bench):
    prompt = {
        "red": n("EmptyImage", width=32, height=16, batch_size=3, color=0xFF0000),
        "quiet": n("EmptyAudio", duration=1.0, sample_rate=48000, channels=2),
        "video": n("CreateVideo", images=["red", 0], fps=6.0, audio=["quiet", 0]),
        "mp4": n("SaveVideo", video=["video", 0], filename_prefix="a %width%", format="auto",
                 codec="auto"),
        "webm": n("SaveWEBM", images=["red", 0], filename_prefix="b", codec="vp9", fps=6.0,
                  crf=32.0),
        "no": n("SaveVideo", video=["video", 0], filename_prefix="c", format="mp4", codec="h264"),
    }  # fmt: skip
    (entry,) = await bench.run({id: prompt[id] for id in prompt if id != "no"})
    assert entry.outcome.status == "success", entry
    assert entry.outcome.shown["mp4"]["animated"] == [True]
    file = bench.home / "output" / "a 32_00001_.mp4"
    text = json.dumps({"nodes": []}).encode()
    assert text in file.read_bytes()
    assert text in (bench.home / "output" / "b_00001_.webm").read_bytes()
    (bench.home / "input").mkdir(exist_ok=True)
    (bench.home / "input" / "own.mp4").write_bytes(file.read_bytes())
    again = {
        "file": n("LoadVideo", file="own.mp4"),
        "parts": n("GetVideoComponents", video=["file", 0]),
        "picture": n("SaveImage", images=["parts", 0], filename_prefix="still"),
        "sound": n("SaveAudio", audio=["parts", 1], filename_prefix="sound"),
        "rate": n("PreviewAny", source=["parts", 2]),
    }
    loaded, refused = await bench.run(again, prompt)
    assert loaded.outcome.status == "success", loaded
    assert loaded.outcome.shown["rate"]["text"] == ["6.0"]
    assert bench.image("still")[8, 8] == pytest.approx([1, 0, 0], abs=0.05)
    assert "h264 cannot be written here; choose auto or av1" in str(refused.outcome)


def test_a_silent_video_has_silence():
    found = nodes.components(video=video(None))
    assert found.audio["waveform"].shape == (1, 2, 22050)
    assert not found.audio["waveform"].any()
