"""Whole graphs through the engine, with the tiny model."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from engine.graph.errors import PromptError
from tests.models.bench import Bench, Prompt, n, opened
from tests.models.conftest import read_tensors, write_tensors


@pytest.fixture
async def bench(tmp_path: Path, tiny_folder: Path) -> AsyncGenerator[Bench]:
    """A home whose only checkpoint, beside the built-in one, is the tiny model."""
    shutil.copytree(tiny_folder, tmp_path / "models" / "checkpoints" / "tiny")
    async with opened(tmp_path / "home", tmp_path / "models") as made:
        yield made


def text_to_picture(seed: int = 1, prefix: str = "tiny", **sampler: Any) -> Prompt:
    """The usual seven nodes, on the tiny model."""
    return {
        "1": n("CheckpointLoaderSimple", ckpt_name="tiny"),
        "2": n("CLIPTextEncode", text="a (cat:1.2)", clip=["1", 1]),
        "3": n("CLIPTextEncode", text="", clip=["1", 1]),
        "4": n("EmptyLatentImage", width=64, height=64, batch_size=1),
        "5": n(
            "KSampler",
            model=["1", 0],
            seed=seed,
            positive=["2", 0],
            negative=["3", 0],
            latent_image=["4", 0],
            **{"steps": 3, "cfg": 3.0, "sampler_name": "euler", "scheduler": "normal"} | sampler,
            denoise=1.0,
        ),
        "6": n("VAEDecode", samples=["5", 0], vae=["1", 2]),
        "7": n("SaveImage", images=["6", 0], filename_prefix=prefix),
    }


async def test_a_sentence_becomes_a_file(bench: Bench):
    (entry,) = await bench.run(text_to_picture(prefix="sub/cat %width%"))
    assert entry.outcome.status == "success", entry
    path = bench.home / "output" / "sub" / "cat 64_00001_.png"
    with Image.open(path) as file:
        assert file.size == (64, 64)
        assert json.loads(file.info["prompt"])["5"]["inputs"]["steps"] == 3
        assert json.loads(file.info["workflow"]) == {"nodes": []}
        assert json.loads(file.info["precision"]).split()[0] == "fp32", "as the tests choose"


async def test_jobs_side_by_side_draw_what_each_draws_alone(bench: Bench):
    await bench.run(text_to_picture(seed=1, prefix="alone"))
    prompts = [
        text_to_picture(seed=seed, prefix=f"both{seed}", steps=3, cfg=cfg)
        for seed, cfg in ((1, 3.0), (2, 5.0), (3, 1.0))
    ]
    await bench.run(*prompts)
    assert np.abs(bench.image("alone") - bench.image("both1")).max() <= 1.01 / 255


async def test_samplers_of_every_kind_draw(bench: Bench):
    names = ("euler", "ddim", "heun", "euler_cfg_pp", "dpm_adaptive", "dpmpp_2m_sde", "sa_solver")
    prompts = [text_to_picture(prefix=name, sampler_name=name) for name in names]
    prompts.append(text_to_picture(prefix="unguided", sampler_name="euler_cfg_pp", cfg=1.0))
    entries = await bench.run(*prompts)
    assert {entry.outcome.status for entry in entries} == {"success"}, entries
    pictures = {name: bench.image(name) for name in (*names, "unguided")}
    same = np.abs(pictures["euler"] - pictures["ddim"]).max()
    assert same <= 1.01 / 255, "they differ under masks only"
    for name in names[2:]:
        assert np.abs(pictures["euler"] - pictures[name]).max() > 2 / 255, name


async def test_a_latent_is_saved_as_it_is(bench: Bench):
    prompt = text_to_picture()
    prompt["8"] = n("SaveLatent", samples=["4", 0], filename_prefix="latents/x")
    (entry,) = await bench.run({id: prompt[id] for id in ("4", "8")})
    assert entry.outcome.status == "success"
    saved = read_tensors(bench.home / "output" / "latents" / "x_00001_.latent")
    assert saved["latent_tensor"].shape == (1, 4, 8, 8)
    assert saved["latent_format_version_0"].shape == (0,)


async def test_previews_go_to_the_temp_folder(bench: Bench):
    prompt = {
        "1": n("EmptyImage", width=64, height=32, batch_size=2, color=0xFF0000),
        "2": n("ImageInvert", image=["1", 0]),
        "3": n("PreviewImage", images=["2", 0]),
    }
    (entry,) = await bench.run(prompt)
    assert entry.outcome.status == "success"
    files = sorted((bench.home / "temp").glob("*.png"))
    assert len(files) == 2
    with Image.open(files[0]) as file:
        assert (file.size, file.getpixel((0, 0))) == ((64, 32), (0, 255, 255))


async def test_a_picture_is_loaded_changed_and_kept(bench: Bench):
    Image.new("RGB", (40, 20), "red").save(bench.home / "input" / "red.png")
    prompt = {
        "1": n("LoadImage", image="red.png"),
        "2": n("ImageScale", image=["1", 0], upscale_method="area", width=80, height=0,
               crop="disabled"),
        "3": n("CheckpointLoaderSimple", ckpt_name="tiny"),
        "4": n("VAEEncode", pixels=["2", 0], vae=["3", 2]),
        "5": n("VAEDecode", samples=["4", 0], vae=["3", 2]),
        "6": n("SaveImage", images=["5", 0], filename_prefix="again"),
    }  # fmt: skip
    (entry,) = await bench.run(prompt)
    assert entry.outcome.status == "success", entry
    with Image.open(bench.home / "output" / "again_00001_.png") as file:
        assert file.size == (80, 40)


async def test_a_lora_and_the_plain_model_take_turns(bench: Bench, tmp_path: Path):
    key = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
    write_tensors(
        tmp_path / "models" / "loras" / "style.safetensors",
        {
            f"{key}.lora_up.weight": torch.randn(32, 4),
            f"{key}.lora_down.weight": torch.randn(4, 32),
        },
    )
    plain = text_to_picture(prefix="plain", steps=8)
    styled = text_to_picture(prefix="styled", steps=8)
    styled["9"] = n("LoraLoader", model=["1", 0], clip=["1", 1], lora_name="style.safetensors",
                    strength_model=2.0, strength_clip=1.0)  # fmt: skip
    styled["5"]["inputs"]["model"] = ["9", 0]
    styled["2"]["inputs"]["clip"] = ["9", 1]
    other = text_to_picture(prefix="other", steps=8, seed=2)
    entries = await bench.run(plain, styled, other)
    entries += await bench.run(text_to_picture(prefix="again", steps=8, cfg=3.000001))
    assert [entry.outcome.status for entry in entries] == ["success"] * 4, entries
    before, style, after = (bench.image(name) for name in ("plain", "styled", "again"))
    assert np.abs(before - style).max() > 2 / 255
    assert np.abs(before - after).max() <= 1.01 / 255


async def test_a_broken_model_file_is_named(bench: Bench, tmp_path: Path):
    broken = tmp_path / "models" / "checkpoints" / "half.safetensors"
    broken.write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{}")
    prompt = text_to_picture()
    prompt["1"]["inputs"]["ckpt_name"] = "half.safetensors"
    with pytest.raises(PromptError) as refused:
        await bench.run(prompt)
    (error,) = refused.value.node_errors["1"].errors
    assert "half.safetensors" in error.details
