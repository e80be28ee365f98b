"""Stable Diffusion 1.5's size and names against reference numbers, on weights of its own size.

All that needs these weights is in this file, as each process that runs one of its tests makes them.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import torch

from nodes.models.files.checkpoints import read_vae
from nodes.models.files.tensor_files import read_header
from nodes.models.networks.lora import read_lora, with_lora
from nodes.models.networks.network import Handle
from nodes.models.vae.autoencoder import Vae
from tests.models.bench import Bench, opened
from tests.models.conftest import Loaded, handles

TOLERANCE = 2e-5
# Clip skip, long prompts, samplers and schedules have exact numbers of their own, without pictures.
CHOSEN = ("t2i_lora08", "inpaint_noisemask")
OTHERS = (
    "t2i_euler_ancestral",
    "t2i_euler_normal",
    "t2i_clipskip2",
    "t2i_dpmpp2m_karras",
    "t2i_longprompt",
    "i2i_denoise05",
)


@pytest.fixture(scope="module")
def reference_models(reference: Path) -> Iterator[Path]:
    """A models folder with the deterministic weights that the reference pictures were made with.

    SOUNDSTAGE_REFERENCE_MODELS names a folder that has them already; else they are made, which
    takes a quarter of a minute and two gigabytes, and removed again.
    """
    if given := os.environ.get("SOUNDSTAGE_REFERENCE_MODELS"):
        yield Path(given)
        return
    folder = Path(tempfile.mkdtemp(prefix="soundstage-reference-"))
    try:
        if shutil.disk_usage(folder).free < 4 * 2**30:
            pytest.skip("the reference weights need 3 GB of disk; SOUNDSTAGE_REFERENCE_MODELS")
        command = [sys.executable, str(reference / "make_weights.py"), str(folder)]
        subprocess.run([*command, "--only", "checkpoints/", "loras/", "vae/"], check=True)
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module", autouse=True)
def two_threads() -> Iterator[None]:
    """The weights are big enough for them."""
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


@pytest.fixture
def model(reference_models: Path) -> Loaded:
    """The handles of the reference checkpoint, nothing loaded."""
    return handles(reference_models / "checkpoints" / "ref_sd15.safetensors")


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


def test_all_spellings_of_the_reference_lora_change_the_same_weights(
    model: Loaded, reference_models: Path
):
    for source in (model.model.source, model.clip.source):
        loras = [
            read_lora(read_header(reference_models / "loras" / f"ref_lora_a{kind}.safetensors"), 1)
            for kind in ("", "_peft", "_diffusers")
        ]
        changes = [dict(lora.changes(source)) for lora in loras]
        assert changes[0].keys() == changes[1].keys() == changes[2].keys()
        shapes = source.header.shapes
        for name in sorted(changes[0])[::16]:
            zeros = torch.zeros(shapes[source.names[name]])
            deltas = [zeros.clone() for _ in changes]
            for change, delta in zip(changes, deltas, strict=True):
                change[name](delta)
            for delta in deltas[1:]:
                assert (delta - deltas[0]).abs().max() <= 2e-3 * deltas[0].abs().max(), name


def test_an_autoencoder_alone_draws_as_the_one_in_the_checkpoint(reference_models: Path):
    """The reference's own file of an autoencoder, in the original names."""
    path = reference_models / "vae" / "ref_vae.safetensors"
    picture = torch.rand(1, 32, 32, 3, generator=torch.Generator().manual_seed(1))
    vae = Vae(read_vae(path)).ready()
    latents = vae.encode(picture)
    assert latents.shape == (1, 4, 4, 4)
    assert vae.decode(latents).shape == picture.shape


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench(
    tmp_path_factory: pytest.TempPathFactory, reference: Path, reference_models: Path
) -> AsyncGenerator[Bench]:
    """An engine on the reference weights; it draws all pictures."""
    async with opened(tmp_path_factory.mktemp("reference"), reference_models) as made:
        shutil.copy(reference / "parity_in.png", made.home / "input")
        yield made


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "case", [*CHOSEN, *(pytest.param(case, marks=pytest.mark.exhaustive) for case in OTHERS)]
)
async def test_the_reference_pictures_are_met(case: str, bench: Bench, reference: Path):
    workflow = json.loads((reference / "images" / f"{case}.workflow_api.json").read_text())
    workflow["9"]["inputs"]["filename_prefix"] = case
    workflow["10"]["inputs"]["filename_prefix"] = f"latents/{case}"
    (entry,) = await bench.run(workflow)
    assert entry.outcome.status == "success", entry
    output = bench.home / "output"
    found = output / case
    shutil.copy(output / f"{case}_00001_.png", f"{found}.png")
    shutil.copy(output / "latents" / f"{case}_00001_.latent", f"{found}.latent.safetensors")
    command = [sys.executable, str(reference / "compare.py"), str(reference / "images" / case)]
    compared = await asyncio.to_thread(
        subprocess.run, [*command, str(found)], capture_output=True, text=True
    )
    assert compared.returncode == 0, compared.stdout + compared.stderr
