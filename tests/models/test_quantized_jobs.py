"""Prompts with models in few bits, through the engine."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.models.bench import Prompt, n, opened
from tests.models.conftest import write_tensors
from tests.models.test_quantized_models import as_gguf, encoder_tensors
from tests.models.test_unet_families import KINDS, denoiser_tensors, made


def drawn(name: str, file: str, **more: Any) -> Prompt:
    return {
        "load": n("UNETLoader", unet_name=file, **more),
        "words": n("CLIPLoader", clip_name="clip.gguf", type="stable_diffusion"),
        "tiny": n("CheckpointLoaderSimple", ckpt_name="tiny"),
        "text": n("CLIPTextEncode", text="cat", clip=["words", 0]),
        "blank": n("EmptyLatentImage", width=64, height=64, batch_size=1),
        "draw": n(
            "KSampler", model=["load", 0], seed=1, positive=["text", 0], negative=["text", 0],
            latent_image=["blank", 0], steps=2, cfg=2.0, sampler_name="euler", scheduler="normal",
            denoise=1.0,
        ),
        "decode": n("VAEDecode", samples=["draw", 0], vae=["tiny", 2]),
        "save": n("SaveImage", images=["decode", 0], filename_prefix=name),
    }  # fmt: skip


async def test_gguf_files_and_fp8_draw_nearly_what_halves_do(tmp_path: Path, tiny_folder: Path):
    models = tmp_path / "models"
    shutil.copytree(tiny_folder, models / "checkpoints" / "tiny")
    for folder in ("diffusion_models", "text_encoders"):
        (models / folder).mkdir()
    sd1 = KINDS["SD1"]
    kind = replace(sd1, settings=sd1.settings | {"cross_attention_dim": 768})
    tensors = denoiser_tensors(made(kind))
    halves = {name: tensor.half() for name, tensor in tensors.items()}
    write_tensors(models / "diffusion_models" / "a.safetensors", halves)
    as_gguf(models / "diffusion_models" / "a.gguf", tensors)
    as_gguf(models / "text_encoders" / "clip.gguf", encoder_tensors())
    async with opened(tmp_path / "home", models) as bench:
        entries = await bench.run(
            drawn("halves", "a.safetensors"),
            drawn("blocks", "a.gguf"),
            drawn("eight", "a.safetensors", weight_dtype="fp8_e5m2"),
        )
        assert [entry.outcome.status for entry in entries] == ["success"] * 3, entries
        whole, blocks, eight = (bench.image(name) for name in ("halves", "blocks", "eight"))
    assert abs(whole - blocks).mean() < 0.05
    assert 0 < abs(whole - eight).mean() < 0.3
