"""A small version of the whole training: drawn pictures in, a folder that draws them out."""

# torch annotates its functions only in part:
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nodes.models.files.checkpoints import read_checkpoint
from nodes.models.files.tensor_files import read_header
from nodes.models.latents.previews import rough_rgb
from nodes.models.networks.denoiser import Denoiser
from nodes.models.networks.lora import check_fits, read_lora, with_lora
from nodes.models.text.embeddings import read_embedding
from training import export, inversion, lora, patches, recipe, sheet, shipped
from training.autoencoder import decibels
from training.data import SIDE, Emoji
from training.loop import Plan

NAMES = ("red square", "blue disc", "green bar")
COLOURS = ((230, 40, 40), (40, 60, 220), (40, 180, 70))
SMALL = recipe.Recipe(
    start=Plan(8, 3e-3, warm_up=2),
    decoder=Plan(6, 1e-3, warm_up=2, decay=0.5),
    denoiser=Plan(6, 2e-3, warm_up=2, decay=0.5),
    batch=3,
    widths=(32, 32),
    stages=((4, 0.3), (2, 0.5), (1, 1.0)),
    rehearse=0.5,
    visit=2,
)


def emoji() -> list[Emoji]:
    """Three things with names and some without."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    shapes = (
        (abs(rows - 64) < 40) & (abs(columns - 64) < 40),
        (rows - 64) ** 2 + (columns - 64) ** 2 < 45**2,
        abs(rows - 64) < 15,
    )
    made: list[Emoji] = []
    for name, shape, colour in zip(NAMES, shapes, COLOURS, strict=True):
        rgba = np.where(shape[..., None], np.array([*colour, 255]), 0).astype(np.uint8)
        made.append(Emoji(name, ("drawn",), rgba))
    noise = np.random.default_rng(0)
    for number in range(8):
        shape = shapes[number % 3]
        colour = [*noise.integers(0, 255, 3), 255]
        rgba = np.where(shape[..., None], np.array(colour), 0).astype(np.uint8)
        made.append(Emoji(f"other {number}", (), rgba))
    return made


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything trained for a few steps, and the folder made of it."""
    made = tmp_path_factory.mktemp("training")
    found = recipe.material(emoji(), NAMES, ["blue disc"])
    device = torch.device("cpu")
    recipe.train_decoder(found, made, SMALL, device)
    recipe.train_denoiser(found, made, SMALL, device)
    export.export(found, made, SMALL, made / "model")
    return made


def test_the_folder_draws_in_plain_diffusers(cache: Path):
    pipeline = sheet.load(cache / "model")
    images = sheet.draw(pipeline, ["blue disc", "red square on green"])
    assert images.shape == (2, SIDE, SIDE, 3)
    assert np.isfinite(images).all()
    said = sheet.measure(pipeline, emoji()[:3], frozenset(NAMES[:1]))
    assert len(said) >= len(sheet.MEASURED)


def test_the_folder_is_read_here_and_says_what_it_is_made_for(cache: Path):
    found = read_checkpoint(cache / "model")
    assert found.vae.config["latent_channels"] == patches.CHANNELS
    assert found.denoiser.latent.factor == 8
    told = json.loads((cache / "model" / "metadata.json").read_text())
    assert told["modelspec.resolution"] == f"{SIDE}x{SIDE}"
    assert found.denoiser.latent.latent_rgb_factors is not None
    encoder = patches.PatchMap.load(cache / "patches.pt")
    seen = recipe.Material([], [], [], frozenset()).tensor(emoji())
    picture = seen[:, :3].float() / 127.5 - 1
    small = torch.nn.functional.avg_pool2d(picture, 8).movedim(1, -1) / 2 + 0.5
    assert (
        rough_rgb(encoder.encode(picture), found.denoiser.latent.latent_rgb_factors) - small
    ).abs().max() < 0.05


def test_previews_are_written_and_finished_parts_are_not_trained_again(cache: Path):
    assert (cache / "preview.png").stat().st_size > 1000
    before = (cache / "denoiser.pt").stat().st_mtime_ns
    found = recipe.material(emoji(), NAMES, ["blue disc"])
    recipe.train_denoiser(found, cache, SMALL, torch.device("cpu"))
    assert (cache / "denoiser.pt").stat().st_mtime_ns == before


def test_an_unknown_name_is_said():
    with pytest.raises(ValueError, match="no picture of its own for sea"):
        recipe.material(emoji(), ["sea"], [])


def test_the_autoencoder_encodes_by_the_map_even_in_half_precision(cache: Path):
    encoder = patches.PatchMap.load(cache / "patches.pt")
    vae = patches.new_autoencoder()
    patches.write_encoder(vae, encoder)
    pictures = torch.rand(2, 3, 64, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1
    module: Any = vae
    with torch.no_grad():
        exact = module.encode(pictures).latent_dist.mode()
        rounded = module.half().float().encode(pictures).latent_dist
    torch.testing.assert_close(exact, encoder.encode(pictures), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(rounded.mode(), exact, atol=2e-2, rtol=2e-2)
    assert float(rounded.std.max()) < 1e-3


def test_the_map_gives_back_what_it_was_fitted_to():
    smooth = torch.nn.functional.interpolate(
        torch.rand(8, 3, 4, 4) * 2 - 1, size=64, mode="bilinear"
    )
    found = patches.fit(smooth)
    latents = found.encode(smooth)
    assert 0.1 < float(latents.square().mean()) < 10
    assert decibels(found.decode(latents), smooth).min() > 40


def test_a_lora_is_here_what_it_was_in_training(cache: Path):
    base = shipped.read(cache / "model")
    found = recipe.material(emoji(), NAMES, [])
    plan = Plan(3, 1e-2, warm_up=1, decay=0.5)
    added = lora.learn(base, found, lora.pixel_art, plan, cache / "style.pt", batch=2)
    assert all(float(low.up.detach().abs().max()) > 0 for low in added.values()), (
        "every layer learns"
    )
    path = cache / "loras" / "style.safetensors"
    lora.save(added, path, "style")

    model = Denoiser.of(read_checkpoint(cache / "model").denoiser)
    adapter = read_lora(read_header(path), 1.0)
    left_out: list[str] = []
    check_fits(adapter.adapters, model.source, warn=left_out.append)
    assert not left_out
    patched = with_lora(model, adapter).ready()
    for name, low in added.items():
        weight = base.model.unet.get_submodule(name).weight
        here = patched.network.module.get_parameter(f"{name}.weight")
        assert low.down.shape[0] == lora.RANK
        torch.testing.assert_close(here, weight, atol=2e-3, rtol=0)


def test_pixel_art_is_made_of_squares_in_few_shades():
    picture = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    made = lora.pixel_art(picture)
    assert made.shape == picture.shape
    squares = made.unfold(2, 4, 4).unfold(3, 4, 4).flatten(4)
    assert float((squares - squares[..., :1]).abs().max()) == 0
    assert len(np.unique(made.numpy())) <= lora.SHADES


def test_an_inversion_learns_vectors_and_nothing_else(cache: Path):
    base = shipped.read(cache / "model")
    before = {name: weight.clone() for name, weight in base.model.unet.state_dict().items()}
    picture = recipe.Material([], [], [], frozenset()).tensor(emoji())[5, :3].float() / 127.5 - 1
    plan = Plan(3, 1e-2, warm_up=1, decay=0.5)
    vectors = inversion.learn(base, picture, plan, cache / "thing.pt")
    assert vectors.shape == (inversion.VECTORS, vectors.shape[1])
    after = base.model.unet.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    path = inversion.save(vectors, cache / "thing.safetensors")
    torch.testing.assert_close(read_embedding(path, vectors.shape[1]), vectors)
