"""Whole models of further families against numbers of ComfyUI, on weights made of a seed.

The weights take up to 7 gigabytes, so these tests run where they are already:
SOUNDSTAGE_FAMILY_MODELS names the folder that reference/families/make_small.py filled, wholly or in
parts. Which cases there are, the folder of cases says; those whose weights are missing are skipped.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes.models.files.checkpoints import read_checkpoint
from nodes.models.networks.denoiser import Denoiser
from nodes.models.sampling import guiders
from nodes.models.sampling.denoise import completed, denoise
from nodes.models.sampling.schedules import sigmas
from nodes.models.text.text_encoder import TextEncoder
from tests.models.conftest import read_tensors
from tests.models.family_graphs import latent_of

LIMIT, LIMIT_DENOISER = 2e-4, 1e-4
"""Of the standard deviation of the reference: of whole models, and of a denoiser alone."""
DENOISERS = [
    *("flux_dev", "flux_schnell", "chroma", "sd3_tiny", "sd35_tiny", "auraflow"),
    *("flux2_dev_tiny", "flux2_klein_tiny", "hunyuan_image_tiny"),
    *("zimage", "lumina2", "qwen_image", "wan21_t2v_13b", "wan21_i2v_tiny"),
    *("wan22_14b_i2v_tiny", "wan22_5b_tiny", "ltxv"),
    *("hunyuan_video_tiny", "hunyuan_video15_tiny"),
]
"""Families whose cases are given conditionings of a seed."""


@pytest.fixture(scope="module")
def models() -> Path:
    given = os.environ.get("SOUNDSTAGE_FAMILY_MODELS")
    if given is None:
        pytest.skip("SOUNDSTAGE_FAMILY_MODELS names no folder with the reference weights")
    return Path(given)


def off(found: Tensor, expected: dict[str, Any]) -> float:
    flat = found.flatten()
    far = max(abs(float(flat[place]) - value) for place, value in expected["values"])
    return far / expected["std"]


@pytest.mark.parametrize("family", ["sd21v", "sdxl"])
def test_texts_and_latents_are_the_reference(family: str, reference: Path, models: Path):
    folder = reference / "families" / "cases" / family
    graph = json.loads((folder / "t2i.workflow_api.json").read_text())
    told = json.loads((folder / "t2i.values.json").read_text())
    path = models / "checkpoints" / graph["1"]["inputs"]["ckpt_name"]
    if not path.exists():
        pytest.skip(f"{path} has not been made")
    found = read_checkpoint(path)
    clip = TextEncoder.of(found.text_encoder).ready()
    texts = [clip.encode(graph[node]["inputs"]["text"]) for node in ("2", "3")]
    del clip
    for node, ((states, options),) in zip(("11", "12"), texts, strict=True):
        (expected,) = told["conditioning"][node]
        assert off(states, expected["cond"]) < LIMIT
        assert off(options["pooled_output"], expected["pooled_output"]) < LIMIT
    model = Denoiser.of(found.denoiser).ready()
    size, given = graph["4"]["inputs"], graph["5"]["inputs"]
    walk = denoise(
        guiders.cfg_guider(model, texts[0], texts[1], given["cfg"]),
        torch.zeros(1, 4, size["height"] // 8, size["width"] // 8),
        sampler=given["sampler_name"],
        sigmas=sigmas(model.space, given["scheduler"], given["steps"], given["denoise"]),
        seed=given["seed"],
    )
    expected = read_tensors(folder / "t2i.latent.safetensors")["latent_tensor"]
    assert float((completed(walk) - expected).abs().max() / expected.std()) < LIMIT


@pytest.mark.parametrize("family", DENOISERS)
def test_latents_of_every_case_of_a_denoiser_are_the_reference(
    family: str, reference: Path, models: Path
):
    folder = reference / "families" / "cases" / family
    graphs = sorted(folder.glob("*.workflow_api.json"))
    assert graphs
    for path in graphs:
        graph = json.loads(path.read_text())
        weights = models / "diffusion_models" / graph["1"]["inputs"]["unet_name"]
        if not weights.exists():
            pytest.skip(f"{weights} has not been made")
        case = path.name.removesuffix(".workflow_api.json")
        expected = read_tensors(folder / f"{case}.latent.safetensors")["latent_tensor"]
        found = latent_of(graph, models)
        assert found.shape == expected.shape, case
        assert float((found - expected).abs().max() / expected.std()) < LIMIT_DENOISER, case
