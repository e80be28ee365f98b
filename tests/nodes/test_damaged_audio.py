"""Files of sound and videos that are damaged or odd: what is there is heard, the rest is told."""

from __future__ import annotations

import io
import math
import re
import struct
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from nodes.models import video
from nodes.models.audio.resampling import resampled
from nodes.models.audio.waveforms import Audio, AudioFileError, decode, encode
from nodes.models.video import Video, VideoError
from tests.models.bench import Bench, n, numbers

sf: Any = import_module("soundfile")  # has no type stubs

RATE = 24_000
RAW = re.compile(r"0x[0-9a-f]{4}|BytesIO|Libsndfile|Errno|PIL|struct|unpack|decoder|Traceback|None")


def tone(seconds: float = 1.0, channels: int = 1, rate: int = RATE, hertz: float = 440) -> Tensor:
    time = torch.arange(round(seconds * rate)) / rate
    return (0.5 * torch.sin(2 * math.pi * hertz * time)).repeat(channels, 1)


def stored(format: str, wave: Tensor | None = None, subtype: str | None = None) -> bytes:
    """A file as libsndfile writes it."""
    file = io.BytesIO()
    samples = (tone() if wave is None else wave).T.numpy()
    sf.write(file, samples, RATE, format=format, subtype=subtype)
    return file.getvalue()


def heard(data: bytes) -> tuple[Audio, list[str]]:
    said: list[str] = []
    return decode(data, "a.snd", said.append), said


def seconds(sound: Audio) -> float:
    return sound["waveform"].shape[-1] / sound["sample_rate"]


def resized(data: bytes, size: int, *, riff: int | None = None) -> bytes:
    """A WAV file whose sound claims another length."""
    at = data.index(b"data") + 4
    changed = data[:at] + struct.pack("<I", size) + data[at + 4 :]
    return changed if riff is None else changed[:4] + struct.pack("<I", riff) + changed[8:]


def with_chunk(chunk: bytes) -> bytes:
    at = WAV.index(b"data")
    return WAV[:at] + chunk + WAV[at:]


WAV, MP3 = encode(tone(), RATE, "wav"), encode(tone(), RATE, "mp3")
FLAC, OPUS = encode(tone(), RATE, "flac"), encode(tone(3.0), RATE, "opus")
ID3 = b"ID3\4\0\0\0\0\0\x0a" + bytes(10)
LONG_ID3 = b"ID3\4\0\0\0\0\x7f\x7f" + b"TXXX"
PICTURE = b"\x06\x00\x00\x40" + b"\xff\xd8" * 99  # a block of FLAC that says it is shorter

WHOLE: dict[str, tuple[bytes, str]] = {
    "mp3 behind zeros": (bytes(700) + MP3, "neither sound nor a tag"),
    "mp3 behind a page of HTTP": (b"HTTP/1.1 200 OK\r\n\r\n" + MP3, "neither sound nor a tag"),
    "mp3 with a tag longer than it says": (ID3[:9] + b"\4" + b"x" * 300 + MP3, "neither sound"),
    "mp3 with a tag shorter than it says": (LONG_ID3 + MP3, "neither sound"),
    "mp3 with a tag longer than the file": (b"ID3\4\0\0\x7f\x7f\x7f\x7f" + MP3, "neither sound"),
    "mp3 with junk in its middle": (MP3[:2000] + b"xyz" * 2000 + MP3[2000:], "neither sound"),
    "mp3 with a tag at its end": (MP3 + b"TAG" + bytes(125), ""),
    "mp3 with junk at its end": (MP3 + b"junk" * 500, ""),
    "mp3 with two tags": (ID3 + ID3 + MP3, ""),
    "wav without a length": (resized(WAV, 0), "does not say how long it is"),
    "wav without any length": (resized(WAV, 0, riff=0), "does not say how long it is"),
    "wav of a stream": (resized(WAV, 2**32 - 1, riff=2**32 - 1), "does not say how long it is"),
    "wav with an odd chunk": (with_chunk(b"LIST\5\0\0\0abcde\0"), ""),
    "wav with an odd chunk of odd length": (with_chunk(b"LIST\5\0\0\0abcde"), "damaged"),
    "wav with a chunk of a wrong length": (with_chunk(b"LIST\0\0\0\x09abcd"), "damaged"),
    "wav with its text behind": (encode(tone(), RATE, "wav", tags={"a": "b" * 999}), ""),
    "wav with something behind": (WAV + b"junk" * 99, ""),
    "rf64": (stored("RF64"), ""),
    "w64": (stored("W64"), ""),
    "wav of floats": (stored("WAV", subtype="FLOAT"), ""),
    "aiff without a length": (
        stored("AIFF").replace(b"COMM\0\0\0\x12\0\1\0\0\x5d\xc0", b"COMM\0\0\0\x12\0\1\0\0\0\0"),
        "does not say how long it is",
    ),
    "flac behind a tag": (ID3 + FLAC, ""),
    "flac with a block of a wrong length": (
        FLAC[:4] + b"\0" + FLAC[5:42] + PICTURE + FLAC[42:],
        "damaged",
    ),
    "ogg with something behind": (OPUS + b"junk" * 99, ""),
    "ogg with something in front": (b"HTTP/1.1 200 OK\r\n\r\n" + OPUS, ""),
}


@pytest.mark.parametrize("name", WHOLE)
def test_sound_that_is_all_there_is_heard(name: str):
    data, expected = WHOLE[name]
    sound, said = heard(data)
    length = 3 if b"OggS" in data else 1
    assert seconds(sound) == pytest.approx(length, abs=0.06)
    middle = sound["waveform"][0, 0, RATE // 4 : RATE // 2]
    assert middle.abs().max() == pytest.approx(0.5, abs=0.05)
    assert bool(said) == bool(expected), said
    assert all(expected in sentence for sentence in said)


CUT: dict[str, bytes] = {
    "wav": WAV, "rf64": stored("RF64"), "w64": stored("W64"), "aiff": stored("AIFF"),
    "caf": stored("CAF"), "au": stored("AU"), "mp3": MP3, "flac": FLAC, "opus": OPUS,
    "vorbis": stored("OGG", torch.rand(1, 3 * RATE) - 0.5),
}  # fmt: skip


@pytest.mark.parametrize("name", CUT)
def test_a_file_that_is_cut_off_is_heard_as_far_as_it_goes(name: str):
    data = CUT[name]
    whole = decode(data)["waveform"]
    sound, said = heard(data[: int(len(data) * 0.7)])
    found = sound["waveform"]
    assert 0.3 < found.shape[-1] / whole.shape[-1] < 0.85
    sure = slice(0, found.shape[-1] // 2)
    assert torch.allclose(found[..., sure], whole[..., sure], atol=1e-4)
    (sentence,) = said
    assert "cut off" in sentence
    assert name in ("opus", "vorbis") or re.search(r"[2-6]\d % of its sound is missing", sentence)


def test_mp3_files_that_were_put_together_are_heard_whole():
    for between in (b"", ID3, b"TAG" + bytes(125)):
        assert seconds(heard(MP3 + between + MP3)[0]) == pytest.approx(2, abs=0.15)


def test_mp3_without_a_frame_that_counts_has_its_length():
    first = MP3.index(b"\xff\xf3")
    after = MP3.index(b"\xff\xf3", first + 4)
    sound, said = heard(MP3[after:])
    assert seconds(sound) == pytest.approx(1, abs=0.1)
    assert said == []


def test_files_without_sound_are_refused_by_name_and_with_a_remedy():
    for data in (b"", b"hello" * 99, WAV[:30], FLAC[:30], OPUS[:60], MP3[:20], b"OggS", b"RIFF"):
        with pytest.raises(AudioFileError, match=r"^a\.snd is no audio file .*(anew|save it)"):
            heard(data)
    for data in (WAV[:44], resized(WAV[:44], 0), stored("FLAC", torch.zeros(1, 0))):
        with pytest.raises(AudioFileError, match=r"^a\.snd.*(no sound in it|is no audio file)"):
            heard(data)


# --- written ---------------------------------------------------------------------------------


def mixed(wave: Tensor, format: str = "mp3") -> tuple[Tensor, list[str]]:
    said: list[str] = []
    data = encode(wave, 48_000, format, warn=said.append)
    return decode(data)["waveform"][0], said


@pytest.mark.parametrize(
    ("channels", "weights"),
    [
        (3, [(1, 0), (0, 1), (0.7071, 0.7071)]),
        (4, [(1, 0), (0, 1), (0.7071, 0), (0, 0.7071)]),
        (6, [(1, 0), (0, 1), (0.7071, 0.7071), (0, 0), (0.7071, 0), (0, 0.7071)]),
        (8, [(1, 0), (0, 1), (0.7071, 0.7071), (0, 0), (0.7071, 0), (0, 0.7071), (0.7071, 0),
             (0, 0.7071)]),
    ],
)  # fmt: skip
def test_each_channel_is_mixed_down_by_its_weight(
    channels: int, weights: list[tuple[float, float]]
):
    for place, (left, right) in enumerate(weights):
        wave = torch.zeros(channels, 24_000)
        wave[place] = tone(0.5, rate=48_000)
        found, said = mixed(wave)
        assert said == [f"audio: its {channels} channels are mixed down to 2; mp3 holds 2"]
        loud = found[:, 4000:20_000].abs().amax(1)
        assert numbers(loud) == pytest.approx([left / 2, right / 2], abs=0.03)


def test_any_number_of_channels_can_be_written():
    for format, most in (("wav", 1024), ("flac", 8), ("opus", 8), ("mp3", 2)):
        for channels in (1, 2, 5, 8, 9, 30):
            found, said = mixed(tone(0.1, channels, 48_000), format)
            assert len(found) == (channels if channels <= most else 2)
            assert bool(said) == (channels > most)
            assert found.abs().max() < 1.01


def test_a_loud_mix_is_made_quieter_instead_of_clipped():
    found, _ = mixed(2 * tone(0.5, 6, 48_000))
    assert found.abs().max() == pytest.approx(1, abs=0.05)
    square = (found.abs() > 0.97).float().mean()
    assert square < 0.3, "a sine stays one"


@pytest.mark.parametrize("format", ["wav", "flac", "mp3", "opus"])
@pytest.mark.parametrize("rate", [3, 1000, 22_255, 44_099, 96_000, 700_001])
def test_any_rate_can_be_written(format: str, rate: int):
    length = 1 if rate < 9 else 0.02 if rate > 99_999 else 0.1
    found = decode(encode(tone(length, rate=rate), rate, format))
    assert seconds(found) == pytest.approx(length, abs=0.06)


def test_rates_without_a_common_part_are_resampled_as_others_are():
    given = tone(0.25, rate=44_099, hertz=1000)
    found, exact = resampled(given, 44_099, 48_000), tone(0.25, rate=48_000, hertz=1000)
    assert abs(found.shape[1] - exact.shape[1]) <= 1
    middle = slice(2000, 10_000)
    assert (found[:, middle] - exact[:, middle]).abs().max() < 2e-3


def test_what_is_no_number_is_silent():
    wave = tone()
    wave[0, :3] = torch.tensor([math.nan, math.inf, -math.inf])
    for format in ("wav", "flac", "mp3", "opus"):
        said: list[str] = []
        found = decode(encode(wave, RATE, format, warn=said.append))["waveform"]
        assert said == ["audio: 3 of its samples are no finite numbers; they are silent"]
        assert found.isfinite().all()
        assert found[..., :3].abs().max() < 0.3


# --- videos -----------------------------------------------------------------------------------


def made_video(count: int = 6) -> Video:
    pictures = torch.full((count, 32, 48, 3), 0.2)
    for place, picture in enumerate(pictures):
        picture[8:24, 4 * place : 4 * place + 16] = torch.tensor([0.9, 0.5, 0.1])
    sound: Audio = {"waveform": tone(count / 12)[None], "sample_rate": RATE}
    return {"images": pictures, "audio": sound, "frame_rate": 12.0}


VIDEOS = {
    container: video.written(made_video(), container, {}, 40.0) for container in video.CONTAINERS
}


def moving(format: str, **options: Any) -> bytes:
    first, *others = (Image.new("RGB", (8, 6), color) for color in ("red", "lime", "blue"))
    file = io.BytesIO()
    first.save(file, format, save_all=True, append_images=others, **options)
    return file.getvalue()


@pytest.mark.parametrize("container", VIDEOS)
def test_a_video_that_is_cut_off_is_seen_as_far_as_it_goes(container: str):
    long = video.written(made_video(36), container, {}, 40.0)
    said: list[str] = []
    found = video.read(long[: int(len(long) * 0.6)], "a.mp4", said.append)
    assert 6 <= len(found["images"]) < 36
    assert found["images"][5, 16, 26, 0] == pytest.approx(0.9, abs=0.1)
    assert said
    assert all(sentence.startswith("a.mp4: ") and "cut off" in sentence for sentence in said)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "AVIF"])
def test_an_animated_picture_is_a_video(format: str):
    found = video.read(moving(format, duration=250), "a.gif")
    assert found["images"].shape == (3, 6, 8, 3)
    assert found["frame_rate"] == pytest.approx(4)
    assert found["audio"] is None


def test_a_picture_that_does_not_move_is_refused_with_a_remedy():
    file = io.BytesIO()
    Image.new("RGB", (8, 6)).save(file, "PNG")
    with pytest.raises(VideoError, match=r"a\.png: it is a picture .* Load Image reads it"):
        video.read(file.getvalue(), "a.png")


def test_six_channels_of_a_video_are_mixed_down():
    said: list[str] = []
    surround: Audio = {"waveform": tone(0.5, 6)[None], "sample_rate": RATE}
    for container in video.CONTAINERS:
        data = video.written({**made_video(), "audio": surround}, container, {}, 40.0, said.append)
        assert video.read_audio(data)["waveform"].shape[1] == 2
    assert "mixed down to 2" in said[0]


async def test_load_audio_reads_videos_and_warns_of_damage(bench: Bench):
    folder = bench.home / "input"
    folder.mkdir(exist_ok=True)
    for container, data in VIDEOS.items():
        (folder / f"own.{container}").write_bytes(data)
    (folder / "cut.wav").write_bytes(WAV[:-9000])
    (folder / "moving.gif").write_bytes(moving("GIF", duration=100))
    entries = await bench.run(
        *(
            {"1": n("LoadAudio", audio=name), "2": n("PreviewAudio", audio=["1", 0])}
            for name in ("own.mp4", "own.webm", "cut.wav")
        ),
        {"1": n("LoadVideo", file="moving.gif"), "2": n("GetVideoComponents", video=["1", 0]),
         "3": n("PreviewImage", images=["2", 0])},
    )  # fmt: skip
    assert [entry.outcome.status for entry in entries] == ["success"] * 4, entries
    assert entries[2].outcome.shown["1"]["warnings"] == [
        "cut.wav: the file is damaged or cut off: 19 % of its sound is missing"
    ]
    assert len(entries[3].outcome.shown["3"]["images"]) == 3


# --- any damage at all -----------------------------------------------------------------------

SHORT: dict[str, bytes] = {
    **{format: encode(tone(0.05), RATE, format, tags={"a": "b"}) for format in
       ("wav", "mp3", "flac", "opus")},
    **{format: stored(format, tone(0.02)) for format in ("RF64", "W64", "AIFF", "CAF", "AU")},
    "vorbis": stored("OGG", tone(0.02)),
    "floats": stored("WAV", tone(0.01), "FLOAT"),
    **{name: video.written(made_video(2), name, {"a": "b"}, 60.0) for name in VIDEOS},
    "gif": moving("GIF"),
}  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    name = draw(st.sampled_from(sorted(SHORT)))
    data = bytearray(SHORT[name])
    near = st.integers(0, min(199, len(data) - 1)) | st.integers(0, len(data) - 1)
    for _ in range(draw(st.integers(0, 3))):
        data[draw(near)] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        at = draw(near)
        data[at : at + draw(st.integers(0, 20))] = draw(st.binary(max_size=9))
    if draw(st.booleans()):
        del data[draw(st.integers(0, len(data))) :]
    return name, bytes(data)


def video_of(data: bytes, said: list[str]) -> None:
    found = video.read(data, "a.x", said.append)
    assert found["images"].shape[-1] == 3
    assert found["frame_rate"] > 0


def sound_of(data: bytes, said: list[str]) -> None:
    read: Callable[..., Audio] = video.read_audio if video.is_video(data) else decode
    sound = read(data, "a.x", said.append)
    assert sound["waveform"].ndim == 3
    assert sound["waveform"].shape[-1] > 0
    assert sound["sample_rate"] > 0


@settings(max_examples=200)
@given(damaged())
@example(("wav", resized(WAV, 2**31)))
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_any_damage_gives_sound_or_one_sentence(case: tuple[str, bytes]):
    name, data = case
    said: list[str] = []
    ways = [video_of, sound_of] if name in ("mp4", "webm", "gif") else [sound_of]
    for way in ways:
        try:
            way(data, said)
        except (AudioFileError, VideoError) as error:
            said.append(str(error))
    for sentence in said:
        assert RAW.search(sentence) is None, sentence
        assert sentence.startswith("a.x")
        assert len(sentence) < 300
