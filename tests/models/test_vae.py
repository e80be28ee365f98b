"""Autoencoders: tiles as other programs have them, batches that fit the memory, no numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes.models.files.checkpoints import read_checkpoint
from nodes.models.memory import TooLarge
from nodes.models.networks.tiles import finished
from nodes.models.vae.autoencoder import Autoencoder, PixelSpace, Vae
from tests.models.bench import Prompt, n, opened
from tests.models.conftest import Loaded, make_tiny_folder, read_tensors, write_tensors


def by_the_recipe(vae: Vae, latents: Tensor, tile: int, overlap: int) -> Tensor:
    """Three tilings of raw values, averaged, clamped at the end; sides in latent pixels."""
    _, _, rows, columns = latents.shape
    whole = torch.zeros(1, 3, rows * 8, columns * 8)
    for high, wide in ((tile, tile), (tile // 2, tile * 2), (tile * 2, tile // 2)):
        total, weights = torch.zeros_like(whole), torch.zeros_like(whole)
        for y in range(0, rows - overlap, high - overlap) if rows > high else [0]:
            for x in range(0, columns - overlap, wide - overlap) if columns > wide else [0]:
                made = vae.raw_pictures(latents[:, :, y : y + high, x : x + wide])
                weight = torch.ones(made.shape[-2:])
                for near in range(overlap * 8):
                    part = (near + 1) / (overlap * 8)
                    weight[near, :] *= part
                    weight[-1 - near, :] *= part
                    weight[:, near] *= part
                    weight[:, -1 - near] *= part
                ys, xs = slice(y * 8, y * 8 + made.shape[2]), slice(x * 8, x * 8 + made.shape[3])
                total[:, :, ys, xs] += made * weight
                weights[:, :, ys, xs] += weight
        whole += total / weights / 3
    return ((whole + 1) / 2).clamp(0, 1).movedim(1, -1)


@pytest.mark.parametrize("size", [(12, 19), (16, 9), (33, 8)])
def test_tiled_decoding_is_the_mean_of_three_tilings_of_raw_values(
    tiny: Loaded, size: tuple[int, int]
):
    latents = torch.randn(1, 4, *size, generator=torch.Generator().manual_seed(1)) * 3
    found = tiny.vae.decode_tiled(latents, 64, 16)
    assert torch.allclose(found, by_the_recipe(tiny.vae, latents, 8, 2), atol=2e-5)
    assert not torch.allclose(found, tiny.vae.decode(latents), atol=1e-3), "tiles differ"


def test_tiled_encoding_is_the_mean_of_three_tilings(tiny: Loaded):
    pictures = torch.rand(1, 96, 136, 3, generator=torch.Generator().manual_seed(2))
    found = tiny.vae.encode_tiled(pictures, 64, 16)
    whole = torch.zeros(1, 4, 12, 17)
    planes = pictures.movedim(-1, 1) * 2 - 1
    for high, wide in ((64, 64), (32, 128), (128, 32)):
        total, weights = torch.zeros_like(whole), torch.zeros_like(whole)
        for y in range(0, 96 - 16, high - 16) if high < 96 else [0]:
            for x in range(0, 136 - 16, wide - 16) if wide < 136 else [0]:
                made = tiny.vae.raw_latents(planes[:, :, y : y + high, x : x + wide])
                weight = torch.ones(made.shape[-2:])
                weight[0, :] *= 0.5
                weight[-1, :] *= 0.5
                weight[:, 0] *= 0.5
                weight[:, -1] *= 0.5
                ys = slice(y // 8, y // 8 + made.shape[2])
                xs = slice(x // 8, x // 8 + made.shape[3])
                total[:, :, ys, xs] += made * weight
                weights[:, :, ys, xs] += weight
        whole += total / weights / 3
    assert torch.allclose(found, whole, atol=2e-5)


class Counting(PixelSpace):
    """Pixels whose work takes memory, as much as a test says; notes the sizes of its batches."""

    def __init__(self, room: int, most: int = 1 << 40) -> None:
        self.bytes, self.most = room, most
        self.batches: list[tuple[int, ...]] = []

    def room(self) -> int:
        return self.bytes

    def need(self, pixels: int, *, decoding: bool) -> int:
        return pixels

    def raw_pictures(self, latents: Tensor) -> Tensor:
        self.batches.append((len(latents), *latents.shape[-2:]))
        if latents[:, 0].numel() > self.most:
            raise torch.OutOfMemoryError("as a device says it")
        return super().raw_pictures(latents)

    def raw_latents(self, planes: Tensor) -> Tensor:
        return self.raw_pictures(planes)


@pytest.mark.parametrize(
    ("room", "most", "sizes"),
    [
        (1 << 30, 1 << 40, [5]),
        (2 * 4096, 1 << 40, [2, 2, 1]),
        (1 << 30, 2 * 4096, [5, 2, 2, 1]),
        (1 << 30, 4096, [5, 2, 1, 1, 1, 1, 1]),
    ],
)
def test_a_batch_is_as_large_as_the_memory_allows(room: int, most: int, sizes: list[int]):
    vae, warnings = Counting(room, most), list[str]()
    latents = torch.rand(5, 3, 64, 64)
    found = vae.decode(latents, warnings.append)
    assert [batch[0] for batch in vae.batches] == sizes
    assert torch.allclose(found.movedim(-1, 1), (latents + 1) / 2, atol=1e-6)
    assert not warnings


@pytest.mark.parametrize("limits", [(70_000, 1 << 40), (1 << 30, 70_000)])
@pytest.mark.parametrize("direction", ["decode", "encode"])
def test_a_picture_too_large_for_the_memory_is_done_in_tiles_and_the_user_hears_of_it(
    limits: tuple[int, int], direction: str
):
    vae, warnings = Counting(*limits), list[str]()
    picture = torch.rand(1, 300, 520, 3)
    if direction == "decode":
        found = vae.decode(picture.movedim(-1, 1) * 2 - 1, warnings.append)
    else:
        found = (vae.encode(picture, warnings.append).movedim(1, -1) + 1) / 2
    assert torch.allclose(found, picture, atol=1e-5)
    (warning,) = warnings
    assert "in tiles of 256 pixels" in warning
    assert vae.batches[-1] != (1, 300, 520)


def test_memory_that_holds_no_tile_is_said_in_words():
    with pytest.raises(ValueError, match="does not hold even a tile for the VAE"):
        Counting(1 << 30, 10).decode(torch.rand(1, 3, 128, 128))
    with pytest.raises(ValueError, match="does not hold even a tile for the VAE"):
        Counting(1 << 30, 10).decode_tiled(torch.rand(1, 3, 128, 128))


@pytest.mark.parametrize("vae", [PixelSpace(), Counting(1 << 30)])
def test_a_picture_of_a_thousand_million_pixels_is_refused_in_words(vae: Autoencoder):
    latents = torch.zeros(1, 3, 1, 1).expand(1, 3, 1 << 20, 1 << 20)
    with pytest.raises(TooLarge, match=r"pictures of 1 x .* numbers want .* TiB of memory"):
        vae.decode(latents)


def test_pictures_lie_in_memory_as_other_nodes_expect(tiny: Loaded):
    assert finished(tiny.vae.decoding(torch.zeros(3, 4, 2, 2))).is_contiguous()


def broken(folder: Path, value: float, name: str) -> Vae:
    """A tiny autoencoder with a weight of its decoder and of its encoder replaced."""
    made = make_tiny_folder(folder, channels=4)
    file = made / "vae" / "diffusion_pytorch_model.safetensors"
    tensors = read_tensors(file)
    for side in ("decoder", "encoder"):
        tensors[f"{side}.{name}"] = torch.full_like(tensors[f"{side}.{name}"], value)
    write_tensors(file, tensors)
    return Vae(read_checkpoint(made).vae)


def test_a_vae_whose_weights_are_no_numbers_gives_black_and_says_so(tmp_path: Path):
    vae, warnings = broken(tmp_path / "m", float("nan"), "conv_out.bias").ready(), list[str]()
    found = vae.decode(torch.randn(2, 4, 2, 2), warnings.append)
    assert not found.any()
    assert "2 of 2 pictures are black" in warnings[0]
    assert "take another file of this VAE" in warnings[0]
    latents = vae.encode(torch.rand(1, 16, 16, 3), warnings.append)
    assert not latents.any()
    assert "the VAE made NaN instead of numbers of 1 of 1 pictures" in warnings[1]


def test_latents_that_are_no_numbers_are_told_from_a_broken_vae(tiny: Loaded):
    latents, warnings = torch.randn(3, 4, 2, 2), list[str]()
    good = tiny.vae.decode(latents)
    latents[1, 0, 0, 0] = float("nan")
    found = tiny.vae.decode(latents, warnings.append)
    assert not found[1].any()
    assert torch.equal(found[0], good[0])
    assert "the latents hold NaN instead of numbers, so 1 of 3 pictures is black" in warnings[0]


def test_half_precision_that_gives_no_numbers_gives_way_to_float32(tmp_path: Path):
    exact = broken(tmp_path / "m", 1e5, "conv_in.bias")
    half = Vae(exact.source, dtype=torch.float16).ready()
    latents, warnings = torch.randn(1, 4, 2, 2), list[str]()
    found = half.decode(latents, warnings.append)
    assert torch.equal(found, exact.ready().decode(latents))
    assert half.network.dtype is torch.float32
    assert not warnings


async def test_warnings_of_the_vae_reach_the_user(tmp_path: Path, tiny_folder: Path):
    models = tmp_path / "models"
    (models / "vae").mkdir(parents=True)
    (models / "checkpoints").mkdir()
    (models / "checkpoints" / "tiny").symlink_to(tiny_folder)
    prompt: Prompt = {
        "1": n("CheckpointLoaderSimple", ckpt_name="tiny"),
        "2": n("EmptyLatentImage", width=64, height=48, batch_size=1),
        "3": n("LatentMultiply", samples=["2", 0], multiplier=1.0),
        "4": n("VAEDecode", samples=["3", 0], vae=["1", 2]),
        "5": n("VAEEncodeTiled", pixels=["4", 0], vae=["1", 2], tile_size=64, overlap=0,
               temporal_size=64, temporal_overlap=8),
        "6": n("VAEDecodeTiled", samples=["5", 0], vae=["1", 2], tile_size=64, overlap=4096,
               temporal_size=64, temporal_overlap=8),
        "7": n("SaveImage", images=["6", 0], filename_prefix="x"),
    }  # fmt: skip
    told: list[Any] = []
    async with opened(tmp_path / "home", models) as bench:
        bench.engine.add_listener(lambda job, event: told.append(event))
        (entry,) = await bench.run(prompt)
        assert entry.outcome.status == "success", entry.outcome
        assert bench.image("x").shape == (48, 64, 3)
