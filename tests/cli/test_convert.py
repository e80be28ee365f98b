"""`soundstage convert`: any file in, a prompt or a workflow out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Soundstage
from tests.cli.test_run import EDITED, PICTURE, written
from tests.conftest import Service
from tests.graph.infotexts import CARRIERS, OTHERS, png


@pytest.mark.parametrize("kind", ["PNG, iTXt", "JPEG", "WebP", "SwarmUI"])
def test_a_picture_of_another_program(
    service: Service, soundstage: Soundstage, tmp_path: Path, kind: str
):
    path = tmp_path / "picture"
    path.write_bytes((CARRIERS | OTHERS)[kind])
    said = soundstage("convert", str(path), "--server", service.url)
    assert said.code == 0, said.err
    types = [node["class_type"] for node in json.loads(said.out).values()]
    assert types.count("LoraLoader") == 2
    assert types.count("KSampler") == 2
    assert "was left out" in said.err


def test_a_file_of_the_editor_and_one_in_api_format(
    service: Service, soundstage: Soundstage, tmp_path: Path
):
    out = tmp_path / "made.json"
    flags = ("--server", service.url, "--out", str(out))
    for document in (EDITED, PICTURE):
        for flag, member in (("--editor", "nodes"), (None, "3")):
            said = soundstage("convert", written(tmp_path, document), *flags, *filter(None, [flag]))
            assert said.code == 0, said.err
            made: dict[str, Any] = json.loads(out.read_text())
            assert member in made


def test_a_picture_runs(service: Service, soundstage: Soundstage, tmp_path: Path):
    path = tmp_path / "black.png"
    path.write_bytes(png("workflow", json.dumps(EDITED)))
    said = soundstage("run", str(path), "--server", service.url, "--out", str(tmp_path))
    assert said.code == 0, said.err
    assert len([*tmp_path.glob("black_*_.png")]) == 1


def test_a_file_without_a_graph(service: Service, soundstage: Soundstage, tmp_path: Path):
    path = tmp_path / "empty.png"
    path.write_bytes(png("title", "a cat"))
    said = soundstage("convert", str(path), "--server", service.url)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "carries no graph" in said.err
