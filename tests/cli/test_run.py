"""`soundstage run`: a file in, files out, and clear words when that cannot be."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.client import Blocking
from tests import patience
from tests.cli.conftest import Soundstage
from tests.conftest import CHECKOUT, Service
from tests.server.conftest import chain, node, slow

PICTURE: dict[str, Any] = {
    "1": {
        "class_type": "EmptyImage",
        "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0},
    },
    "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
    "3": {
        "class_type": "SaveImage",
        "inputs": {"images": ["2", 0], "filename_prefix": "white"},
        "_meta": {"title": "Keep it"},
    },
}


def written(folder: Path, content: object) -> str:
    path = folder / "workflow.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_it_starts_a_service_and_saves_what_was_made(soundstage: Soundstage, tmp_path: Path):
    workflow, out = written(tmp_path, PICTURE), tmp_path / "out"
    said = soundstage("run", workflow, "--set", "1.width=16", "--out", str(out))
    assert said.code == 0, said.err
    assert said.out == f"{out / 'white_00001_.png'}\n"
    with Image.open(out / "white_00001_.png") as picture:
        assert (picture.size, picture.getpixel((0, 0))) == ((16, 8), (255, 255, 255))
    assert "Keep it" in said.err
    assert not (tmp_path / "home" / "service.url").exists()


def test_it_uses_the_service_of_its_home(service: Service, soundstage: Soundstage, tmp_path: Path):
    workflow = written(tmp_path, chain())
    said = soundstage("run", workflow, "--home", str(service.home), "--out", str(tmp_path))
    assert said.code == 0, said.err
    assert service.process.poll() is None


EDITED: dict[str, Any] = {
    "nodes": [
        {
            "id": 1,
            "type": "EmptyImage",
            "outputs": [{"name": "IMAGE", "type": "IMAGE", "links": [1]}],
            "widgets_values": [8, 8, 1, 0],
        },
        {
            "id": 2,
            "type": "Reroute",
            "inputs": [{"name": "", "type": "*", "link": 1}],
            "outputs": [{"name": "", "type": "IMAGE", "links": [2]}],
        },
        {
            "id": 3,
            "type": "SaveImage",
            "title": "Keep it",
            "inputs": [{"name": "images", "type": "IMAGE", "link": 2}],
            "widgets_values": ["black"],
        },
    ],
    "links": [[1, 1, 0, 2, 0, "*"], [2, 2, 0, 3, 0, "IMAGE"]],
    "version": 0.4,
}


def test_it_runs_what_the_editor_saves_and_keeps_it_in_the_picture(
    service: Service, soundstage: Soundstage, tmp_path: Path
):
    workflow = written(tmp_path, EDITED)
    flags = ("--set", "1.width=16", "--server", service.url, "--out", str(tmp_path))
    said = soundstage("run", workflow, *flags)
    assert said.code == 0, said.err
    assert "Keep it" in said.err
    (made,) = tmp_path.glob("black_*_.png")
    with Image.open(made) as picture:
        assert picture.size == (16, 8)
        assert json.loads(picture.info["workflow"]) == EDITED
        assert json.loads(picture.info["prompt"])["3"]["inputs"]["images"] == ["1", 0]


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([{"id": 4, "type": "Odd"}], "node Odd does not exist"),
        ([{"id": 4, "type": "SaveImage", "mode": "on"}], "node 4 (SaveImage)"),
    ],
)
def test_a_file_of_the_editor_that_cannot_run(
    service: Service, soundstage: Soundstage, tmp_path: Path, nodes: list[Any], words: str
):
    workflow = written(tmp_path, {"nodes": nodes, "links": []})
    said = soundstage("run", workflow, "--server", service.url)
    assert said.code == 2
    assert words in said.err


def test_a_refused_workflow_names_node_title_and_input(
    service: Service, soundstage: Soundstage, tmp_path: Path
):
    prompt = chain()
    prompt["1"]["_meta"] = {"title": "The first"}
    workflow = written(tmp_path, prompt)
    said = soundstage("run", workflow, "--set", "1.value=many", "--server", service.url)
    assert said.code == 2
    assert "node 1 (The first)" in said.err
    assert "value" in said.err


def test_a_failed_node_is_named(service: Service, soundstage: Soundstage, tmp_path: Path):
    workflow = written(tmp_path, chain(node("Fail", value=["1", 0], text="out of paint")))
    said = soundstage("run", workflow, "--server", service.url)
    assert said.code == 1
    assert "Node 2 (Fail) failed: out of paint" in said.err


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("{bad", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ([], "neither"),
        ({}, "neither"),
        ({"1": 5}, "neither"),
        ({"nodes": {}, "links": []}, "neither"),
    ],
)
def test_files_that_are_no_workflow(
    soundstage: Soundstage, tmp_path: Path, content: object, word: str
):
    said = soundstage("run", written(tmp_path, content))
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert word in said.err


@pytest.mark.parametrize("change", ["3", "3=5", ".seed=5", "3.=5", "77.seed=5"])
def test_changes_that_cannot_be_made(soundstage: Soundstage, tmp_path: Path, change: str):
    said = soundstage("run", written(tmp_path, PICTURE), "--set", change)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert change in said.err


def test_a_missing_file_and_a_missing_server(soundstage: Soundstage, tmp_path: Path):
    said = soundstage("run", str(tmp_path / "none.json"))
    assert (said.code, said.err.count("\n")) == (2, 1)
    workflow = written(tmp_path, PICTURE)
    said = soundstage("run", workflow, "--server", "http://127.0.0.1:9")
    assert said.code == 1
    assert "http://127.0.0.1:9 does not answer" in said.err


def test_ctrl_c_stops_the_job_too(service: Service, tmp_path: Path):
    workflow = written(tmp_path, slow())
    process = subprocess.Popen(
        [sys.executable, "-m", "engine.cli", "run", workflow, "--server", service.url],
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # As on a terminal: what runs in the background inherits a SIGINT that is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    with Blocking(service.url) as client, process:
        while not client.queue()[0]:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(patience.SECONDS) == 130
        while client.queue() != ([], []):
            time.sleep(0.05)
        (entry,) = client.history(newest=1).values()
        assert entry["status"]["messages"][-1][0] == "execution_interrupted"
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_a_job_that_somebody_deletes_ends_it_with_words(service: Service, tmp_path: Path):
    with Blocking(service.url) as client:
        running = [client.submit(slow()) for _ in range(4)]
        workflow = written(tmp_path, chain())
        process = subprocess.Popen(
            [sys.executable, "-m", "engine.cli", "run", workflow, "--server", service.url],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            while not (waiting := client.queue()[1]):
                assert process.poll() is None
                time.sleep(0.02)
            client.cancel(waiting[0])
            assert process.wait(patience.SECONDS) == 1
            assert process.stderr is not None
            assert "somebody deleted it" in process.stderr.read()
        for job in running:
            client.interrupt(job)


def test_a_service_that_cannot_start_says_why(soundstage: Soundstage, tmp_path: Path):
    (tmp_path / "home").write_text("a file where the home should be")
    said = soundstage("run", written(tmp_path, PICTURE))
    assert said.code == 1
    assert str(tmp_path / "home") in said.err
