"""Whole pictures from Stable Diffusion 1.5's size and names, against reference numbers.

One engine draws them all, so the LoRA comes and goes on weights that stay loaded.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio
import torch

from tests.models.bench import Bench, opened

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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench(
    tmp_path_factory: pytest.TempPathFactory, reference: Path, reference_models: Path
) -> AsyncGenerator[Bench]:
    """An engine on the reference weights, which are big enough for two threads."""
    torch.set_num_threads(2)
    async with opened(tmp_path_factory.mktemp("reference"), reference_models) as made:
        shutil.copy(reference / "parity_in.png", made.home / "input")
        yield made
    torch.set_num_threads(1)


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
