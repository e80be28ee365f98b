"""Commands that only look: nodes, models, doctor."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Soundstage
from tests.conftest import CHECKOUT


def test_nodes_lists_all_and_explains_one(soundstage: Soundstage):
    every = soundstage("nodes", "--nodes", "tests.pack")
    assert every.code == 0
    assert "KSampler" in every.out
    assert "Batched" in every.out
    one = soundstage("nodes", "KSampler")
    assert one.code == 0
    assert "euler" in one.out
    assert "format.save_mode" in soundstage("nodes", "SaveImageAdvanced").out
    assert soundstage("nodes", "NoSuchNode").code == 2


def test_models_lists_what_can_be_fetched(soundstage: Soundstage):
    said = soundstage("models", "list")
    assert said.code == 0
    assert "soundstage models pull kokoro" in said.out
    unknown = soundstage("models", "pull", "unknown")
    assert (unknown.code, unknown.err.count("\n")) == (1, 1)


def test_a_model_file_says_what_it_is_and_needs(soundstage: Soundstage, tmp_path: Path):
    demo = str(CHECKOUT / "nodes" / "models" / "demo")
    said = soundstage("models", "inspect", demo)
    assert said.code == 0, said.err
    assert "Stable Diffusion 1.x" in said.out
    assert "weights need" in said.out
    found = json.loads(soundstage("models", "inspect", "--json", demo, CUDA_VISIBLE_DEVICES="").out)
    assert found["type"] == "checkpoint"
    assert found["needs"]["cpu"] == 4 * sum(n["parameters"] for n in found["networks"].values())
    broken = tmp_path / "a.safetensors"
    broken.write_bytes(b"PK of something")
    said = soundstage("models", "inspect", str(broken))
    assert said.code == 1
    assert "rename it to .ckpt" in said.out
    assert soundstage("models", "inspect", str(tmp_path / "none")).code == 2


def test_doctor_has_a_remedy_for_what_is_missing(soundstage: Soundstage, tmp_path: Path):
    said = soundstage("doctor")
    assert said.code == 1
    line = next(line for line in said.out.splitlines() if "model kokoro" in line)
    assert "soundstage models pull kokoro" in line
    assert "torch" in said.out
    assert not (tmp_path / "home").exists()
