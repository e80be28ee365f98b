"""Stable Diffusion 1.5's text encoder and its LoRA, against reference numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from nodes.models.files.tensor_files import read_header
from nodes.models.networks.lora import read_lora, with_lora
from nodes.models.networks.network import Handle
from tests.models.conftest import Loaded, handles

TOLERANCE = 2e-5


@pytest.fixture(scope="module")
def model(reference_models: Path) -> Iterator[Loaded]:
    """The handles of the reference checkpoint; its weights are big enough for two threads."""
    torch.set_num_threads(2)
    yield handles(reference_models / "checkpoints" / "ref_sd15.safetensors")
    torch.set_num_threads(1)


def test_the_reference_conditioning_is_met(model: Loaded, reference: Path):
    clip = model.clip.ready()
    cases: list[dict[str, Any]] = json.loads((reference / "conditioning.json").read_text())["cases"]
    for case in cases:
        handle = clip.at_layer(case["stop_at_clip_layer"])
        handle.bind(clip.network)
        ((states, more),) = handle.encode(case["prompt"])
        assert list(states.shape) == case["shape"]
        expected = torch.tensor(case["values"])
        found = states[0, case["positions"]][:, case["dims"]]
        assert (found - expected).abs().max() < TOLERANCE, case["prompt"]
        assert states.mean().item() == pytest.approx(case["mean"], abs=TOLERANCE)
        assert states.std().item() == pytest.approx(case["std"], abs=TOLERANCE)
        pooled = more["pooled_output"]
        assert list(pooled.shape) == case["pooled_shape"]
        assert (pooled[0, :8] - torch.tensor(case["pooled_first8"])).abs().max() < TOLERANCE


@pytest.mark.parametrize("network", ["model", "clip"])
def test_the_reference_lora_comes_off_to_the_last_bit(
    network: str, model: Loaded, reference_models: Path
):
    plain: Handle[Any] = getattr(model, network).ready()
    before = {name: weight.clone() for name, weight in plain.network.module.named_parameters()}
    header = read_header(reference_models / "loras" / "ref_lora_a.safetensors")
    patched = with_lora(plain, read_lora(header, 0.8))
    patched.bind(plain.network)
    changed = dict(patched.network.module.named_parameters())
    assert not all(torch.equal(before[name], weight) for name, weight in changed.items())
    after = plain.network.module.named_parameters()
    assert all(torch.equal(before[name], weight) for name, weight in after)
