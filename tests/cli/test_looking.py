"""Commands that only look: nodes, models, doctor."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Soundstage


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


def test_doctor_has_a_remedy_for_what_is_missing(soundstage: Soundstage, tmp_path: Path):
    said = soundstage("doctor")
    assert said.code == 1
    line = next(line for line in said.out.splitlines() if "model kokoro" in line)
    assert "soundstage models pull kokoro" in line
    assert "torch" in said.out
    assert not (tmp_path / "home").exists()
