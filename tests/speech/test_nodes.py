"""A graph that speaks, through the engine, into files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from engine.authoring.registry import Registry
from engine.run.engine import Engine
from engine.run.events import NodeFinished, NodeProgress, NodeSound
from engine.run.local import LocalWorker
from engine.store.folders import Folders
from engine.store.history import HistoryEntry
from nodes.models.audio.waveforms import decode
from tests.run.conftest import Bench, n

Opener = Callable[[], Awaitable[Bench]]
TEXT = "The first sentence is spoken now. The second sentence follows it."


@pytest.fixture
async def studio(tmp_path: Path, models_home: Path) -> AsyncGenerator[Opener]:
    """Opens an engine with the built-in nodes and the real voice."""
    benches: list[Bench] = []

    async def open() -> Bench:
        home = tmp_path / "home"
        home.mkdir()
        nodes, placed = Registry.installed(), {"models": models_home}
        worker = LocalWorker(nodes, Folders(home, overrides=placed))
        engine = await Engine.open(home, registry=nodes, worker=worker, folder_overrides=placed)
        benches.append(Bench(engine))
        return benches[-1]

    yield open
    for bench in benches:
        await bench.engine.close()


def speech(**changes: Any) -> dict[str, Any]:
    inputs = {"voice_model": ["1", 0], "text": TEXT, "voice": "af_heart", "speed": 1.0}
    return {"1": n("KokoroLoader", model_name="kokoro-v1.0.int8.onnx"),
            "2": n("KokoroSpeak", **{**inputs, **changes})}  # fmt: skip


def files(bench: Bench, entry: HistoryEntry, node: str) -> list[Path]:
    shown = entry.outcome.shown[node]["audio"]
    root = bench.engine.folders
    return [root.root(f["type"]) / f["subfolder"] / f["filename"] for f in shown]


async def test_a_text_becomes_files_of_every_format(studio: Opener):
    bench = await studio()
    prompt = speech() | {
        "3": n("SaveAudio", audio=["2", 0], filename_prefix="audio/said"),
        "4": n("SaveAudioMP3", audio=["2", 0], filename_prefix="audio/said", quality="V0"),
        "5": n("SaveAudioOpus", audio=["2", 0], filename_prefix="audio/said", quality="64k"),
        "6": n("SaveAudioWAV", audio=["2", 0], filename_prefix="audio/said"),
        "7": n("PreviewAudio", audio=["2", 0]),
    }
    id = await bench.submit(prompt)
    entry = await bench.ended(id)

    assert entry.outcome.status == "success", entry.outcome
    made = [path for node in "34567" for path in files(bench, entry, node)]
    assert [path.suffix for path in made] == [".flac", ".mp3", ".opus", ".wav", ".flac"]
    assert made[0].name == "said_00001_.flac"
    assert made[4].parent.name == "temp"
    for path in made:
        heard = decode(path.read_bytes(), path.name)
        assert heard["sample_rate"] == 24_000
        assert 3 < heard["waveform"].shape[2] / 24_000 < 8
    assert b'prompt={"1": {"class_type": "KokoroLoader"' in made[0].read_bytes()

    told = [e for e in bench.events(id) if isinstance(e, NodeProgress) and e.node == "2"]
    assert [(event.value, event.total) for event in told][-1] == (2, 2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"text": "?!"}, "nothing that can be spoken"),
        ({"text": "Hola", "voice": "ef_dora"}, "speaks Spanish"),
    ],
)
async def test_what_cannot_be_spoken_fails_at_its_node(
    studio: Opener, changes: dict[str, Any], words: str
):
    bench = await studio()
    entry = await bench.run(speech(**changes) | {"3": n("PreviewAudio", audio=["2", 0])})

    assert entry.outcome.status == "error"
    assert words in str(entry.outcome)


async def test_each_sentence_is_heard_as_soon_as_it_is_spoken(studio: Opener):
    bench = await studio()
    prompt = speech() | {"3": n("PreviewAudio", audio=["2", 0])}
    id = await bench.submit(prompt, extra={"preview_method": "auto"})
    entry = await bench.ended(id)

    telling = (NodeSound, NodeProgress, NodeFinished)
    told = [e for e in bench.events(id) if isinstance(e, telling) and e.node == "2"]
    kinds = [type(event) for event in told]
    assert kinds == [NodeProgress, *[NodeProgress, NodeSound] * 2, NodeFinished]
    pieces = [decode(event.sound) for event in told if isinstance(event, NodeSound)]
    (whole,) = [decode(path.read_bytes()) for path in files(bench, entry, "3")]
    heard = sum(piece["waveform"].shape[2] for piece in pieces)
    assert heard == whole["waveform"].shape[2], "no sample is missing between the pieces"
    quiet = await bench.run(speech(text=f"{TEXT} And a third one.") | {"3": prompt["3"]})
    assert not any(isinstance(event, NodeSound) for event in bench.events(quiet.job.id))


def test_declaring_these_nodes_imports_nothing_heavy():
    seen = subprocess.run(
        [sys.executable, "-c", "import nodes.speech, nodes.audio, sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert {"torch", "numpy", "onnxruntime", "soundfile"}.isdisjoint(seen)
