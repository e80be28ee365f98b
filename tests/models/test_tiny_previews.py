"""Previews by tiny decoders in models/vae_approx, and by colours where there is none."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from PIL import Image
from torch import Tensor

from engine.run.events import NodePreview
from nodes.models.files.tensor_files import ModelFileError
from nodes.models.latents.formats import SD, SDXL
from nodes.models.vae.tiny_previews import TinyDecoder
from tests.models.bench import n, opened
from tests.models.conftest import write_tensors

NETWORK: Any = AutoencoderTiny


@pytest.fixture(scope="module")
def theirs() -> Any:
    torch.default_generator.manual_seed(3)
    return NETWORK(latent_channels=4).eval().requires_grad_(False)


def decoder(theirs: Any, folder: Path) -> Path:
    """The decoder as madebyollin/taesd publishes it."""
    weights: dict[str, Tensor] = theirs.decoder.state_dict()
    tensors: dict[str, Tensor] = {}
    for name, weight in weights.items():
        _, number, rest = name.split(".", 2)
        tensors[f"{int(number) + 1}.{rest}"] = weight
    folder.mkdir(parents=True, exist_ok=True)
    return write_tensors(folder / "taesd_decoder.safetensors", tensors)


def pixels(picture: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(picture)), dtype=np.float32) / 255


def test_a_preview_is_what_the_tiny_decoder_makes(theirs: Any, tmp_path: Path):
    tiny = TinyDecoder(decoder(theirs, tmp_path), "taesd", SD, "cpu")
    latents = torch.nn.functional.interpolate(torch.randn(2, 4, 4, 6) * 2, scale_factor=4)
    seen = pixels(tiny.preview(latents))
    expected = (theirs.decode(latents[:1]).sample[0].movedim(0, -1) / 2 + 0.5).clamp(0, 1)
    assert seen.shape == (128, 192, 3)
    assert np.abs(seen - expected.numpy()).mean() < 0.03


def test_latents_of_another_scale_are_brought_to_that_of_the_decoder(theirs: Any, tmp_path: Path):
    path = decoder(theirs, tmp_path)
    latents = torch.randn(1, 4, 8, 8)
    other = replace(
        SDXL,
        scaling_factor=0.5,
        latents_mean=(0.1, 0.2, 0.3, 0.4),
        latents_std=(2.0, 2.0, 2.0, 2.0),
    )
    plain = TinyDecoder(path, "taesdxl", SDXL, "cpu").preview(latents)
    again = TinyDecoder(path, "taesdxl", other, "cpu").preview(
        other.process_in(SDXL.process_out(latents))
    )
    assert np.abs(pixels(plain) - pixels(again)).max() < 0.05


def test_large_pictures_have_small_previews(theirs: Any, tmp_path: Path):
    tiny = TinyDecoder(decoder(theirs, tmp_path), "taesd", SD, "cpu")
    assert pixels(tiny.preview(torch.randn(1, 4, 160, 80))).shape == (512, 256, 3)


def test_a_decoder_for_other_latents_is_refused(theirs: Any, tmp_path: Path):
    with pytest.raises(ModelFileError, match="not a tiny decoder for latents of 16 channels"):
        TinyDecoder(decoder(theirs, tmp_path), "taesd", replace(SD, channels=16), "cpu")


@pytest.mark.parametrize(
    ("method", "file", "tiny"),
    [
        ("taesd", "whole", True),
        ("auto", "whole", True),
        ("latent2rgb", "whole", False),
        ("auto", "none", False),
        ("taesd", "broken", False),
    ],
)
async def test_the_method_of_previews_says_which_are_drawn(
    tiny_folder: Path, theirs: Any, tmp_path: Path, method: str, file: str, tiny: bool
):
    models = tmp_path / "models"
    shutil.copytree(tiny_folder, models / "checkpoints" / "tiny")
    colors = [*[[0, 0, 0]] * 4, [0.5, 0.5, 0.5]]
    (models / "checkpoints" / "tiny" / "vae" / "latent_rgb.json").write_text(json.dumps(colors))
    path = decoder(theirs, models / "vae_approx")
    if file == "none":
        path.unlink()
    elif file == "broken":
        path.write_bytes(path.read_bytes()[:-100])
    drawn: list[bytes] = []

    def hear(_job: Any, event: Any) -> None:
        if isinstance(event, NodePreview):
            drawn.append(event.picture)

    prompt = {
        "load": n("CheckpointLoaderSimple", ckpt_name="tiny"),
        "text": n("CLIPTextEncode", text="cat", clip=["load", 1]),
        "blank": n("EmptyLatentImage", width=64, height=64, batch_size=1),
        "draw": n("KSampler", model=["load", 0], seed=1, positive=["text", 0],
                  negative=["text", 0], latent_image=["blank", 0], steps=4, cfg=1.0,
                  sampler_name="euler", scheduler="normal", denoise=1.0),
        "save": n("SaveLatent", samples=["draw", 0], filename_prefix="x"),
    }  # fmt: skip
    async with opened(tmp_path / "home", models) as bench:
        bench.engine.add_listener(hear)
        (entry,) = await bench.run(prompt, preview_method=method)
    assert entry.outcome.status == "success", entry.outcome
    warned = entry.outcome.shown.get("draw", {}).get("warnings", [])
    assert bool(warned) is (file == "broken"), warned
    assert drawn
    grey = [np.abs(pixels(picture) - 0.5).max() < 0.01 for picture in drawn]
    assert grey == [not tiny] * len(drawn)
