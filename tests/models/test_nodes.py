"""Whole graphs through the engine, with the tiny model and with the reference weights."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import nodes
from engine.authoring.registry import Registry
from engine.run.engine import Engine, Submission
from engine.run.events import Ended
from engine.run.worker import LocalWorker
from engine.store.folders import Folders
from engine.store.history import Entry
from tests.models.conftest import read_tensors, write_tensors

CASES = (
    "t2i_euler_normal",
    "t2i_lora08",
    "t2i_clipskip2",
    "t2i_dpmpp2m_karras",
    "t2i_euler_ancestral",
    "t2i_longprompt",
    "i2i_denoise05",
)
Prompt = dict[str, Any]


@dataclass
class Bench:
    """An engine with the built-in nodes, its worker in this process."""

    engine: Engine
    home: Path

    async def run(self, *prompts: Prompt) -> list[Entry]:
        """Run prompts at the same time; how each ended."""
        done: dict[str, asyncio.Event] = {}
        ends: set[str] = set()

        def hear(job: Any, event: Any) -> None:
            if job is not None and isinstance(event, Ended):
                ends.add(job.id)
                if job.id in done:
                    done[job.id].set()

        stop = self.engine.listen(hear)
        ids = [
            (await self.engine.submit(Submission(prompt, extra={"extra_pnginfo": {"w": 1}}))).id
            for prompt in prompts
        ]
        for id in ids:
            done[id] = asyncio.Event()
            if id not in ends:
                await done[id].wait()
        stop()
        entries = [await self.engine.entry(id) for id in ids]
        return [entry for entry in entries if entry is not None]


async def opened(home: Path, models: Path) -> Bench:
    registry = Registry()
    registry.add_pack(nodes)
    placed = {"models": models}
    worker = LocalWorker(registry, Folders(home, registry.bundled, placed))
    engine = await Engine.open(home, registry=registry, worker=worker, placed=placed)
    return Bench(engine, home)


@pytest.fixture
async def bench(tmp_path: Path, tiny_folder: Path) -> AsyncGenerator[Bench]:
    """A home whose only checkpoint is the tiny model."""
    shutil.copytree(tiny_folder, tmp_path / "models" / "checkpoints" / "tiny")
    made = await opened(tmp_path / "home", tmp_path / "models")
    yield made
    await made.engine.close()


def n(class_type: str, **inputs: Any) -> dict[str, Any]:
    """One node of a prompt."""
    return {"class_type": class_type, "inputs": inputs}


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


def pixels(bench: Bench, name: str) -> torch.Tensor:
    """What the first picture of that name shows."""
    with Image.open(bench.home / "output" / f"{name}_00001_.png") as file:
        return torch.tensor(list(file.tobytes()))


async def test_a_sentence_becomes_a_file(bench: Bench):
    (entry,) = await bench.run(text_to_picture(prefix="sub/cat %width%"))
    assert entry.outcome.status == "success", entry
    path = bench.home / "output" / "sub" / "cat 64_00001_.png"
    with Image.open(path) as file:
        assert file.size == (64, 64)
        assert json.loads(file.info["prompt"])["5"]["inputs"]["steps"] == 3
        assert json.loads(file.info["w"]) == 1


async def test_jobs_side_by_side_draw_what_each_draws_alone(bench: Bench):
    await bench.run(text_to_picture(seed=1, prefix="alone"))
    prompts = [
        text_to_picture(seed=seed, prefix=f"both{seed}", steps=3, cfg=cfg)
        for seed, cfg in ((1, 3.0), (2, 5.0), (3, 1.0))
    ]
    await bench.run(*prompts)
    assert (pixels(bench, "alone") - pixels(bench, "both1")).abs().max() <= 1


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
    before, style, after = (pixels(bench, name) for name in ("plain", "styled", "again"))
    assert not torch.equal(before, style)
    assert (before - after).abs().max() <= 1


async def test_a_broken_model_file_is_named(bench: Bench, tmp_path: Path):
    broken = tmp_path / "models" / "checkpoints" / "half.safetensors"
    broken.write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{}")
    prompt = text_to_picture()
    prompt["1"]["inputs"]["ckpt_name"] = "half.safetensors"
    (entry,) = await bench.run(prompt)
    assert entry.outcome.status == "error"
    assert "half.safetensors" in str(entry)


@pytest.mark.parametrize("case", CASES)
async def test_the_reference_pictures_are_met(
    case: str, tmp_path: Path, reference: Path, reference_models: Path
):
    workflow = json.loads((reference / "images" / f"{case}.workflow_api.json").read_text())
    bench = await opened(tmp_path / "home", reference_models)
    shutil.copy(reference / "parity_in.png", bench.home / "input")
    (entry,) = await bench.run(workflow)
    await bench.engine.close()
    assert entry.outcome.status == "success", entry
    output = bench.home / "output"
    (output / "ref_00001_.png").rename(tmp_path / f"{case}.png")
    (output / "ref_latent_00001_.latent").rename(tmp_path / f"{case}.latent.safetensors")
    compare = [sys.executable, str(reference / "compare.py"), str(reference / "images" / case)]
    found = await asyncio.to_thread(
        subprocess.run, [*compare, str(tmp_path / case)], capture_output=True, text=True
    )
    assert found.returncode == 0, found.stdout + found.stderr
