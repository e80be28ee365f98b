"""Train the decoder: from the linear latents of `patches` back to a picture of 128 px.

The encoder is not trained but written, see `patches.write_encoder`; so latents are known before
any training, and the denoiser can be trained at the same time. Small crops come first: steps, not
pictures, are what gets an untrained decoder going, and a step on 32 px crops costs a fraction of
one at 128 px.
"""

# torch and diffusers annotate their methods only in part:
# pyright: reportUnknownMemberType=false

import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor
from torch.nn import functional as F

from training import straight
from training.data import SIDE
from training.loop import Plan, train
from training.patches import PatchMap, new_autoencoder, write_encoder

log = logging.getLogger(__name__)

ROUGH = 0.03  # deviation of the noise in the latents that it learns from; a denoiser errs as well


@dataclass(frozen=True)
class Stage:
    """One part of the curriculum: up to the fraction `until` of the time, on crops of `crop` px."""

    until: float
    crop: int
    batch: int


STAGES = (Stage(0.3, 32, 16), Stage(0.75, 64, 6), Stage(1.0, 128, 3))


def crops(pictures: Tensor, size: int, random: torch.Generator) -> Tensor:
    """Random views of premultiplied pictures.

    From uint8 [B, 4, 128, 128] to float [B, 3, size, size] in -1..1.

    Seven in ten are flipped, scaled, shifted and laid on a random flat colour, some with their
    colour channels exchanged; three in ten keep their pose, half of those on white.
    """
    count = len(pictures)

    def draw(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=random) * (high - low) + low

    plain = draw(0, 1) < 0.3
    scale = torch.where(plain, 1.0, torch.exp(draw(math.log(0.6), math.log(1.4))))
    flip = torch.where(plain | (draw(0, 1) < 0.5), 1.0, -1.0)
    shift = torch.where(plain, 0.0, draw(-16, 16)), torch.where(plain, 0.0, draw(-16, 16))
    corner = [(draw(0, 1) * (SIDE - size + 1)).floor() for _ in range(2)]
    theta = torch.zeros(count, 2, 3)
    half = SIDE / 2
    theta[:, 0, 0] = flip * size / SIDE / scale
    theta[:, 1, 1] = size / SIDE / scale
    theta[:, 0, 2] = flip * (corner[0] + size / 2 - half - shift[0]) / half / scale
    theta[:, 1, 2] = (corner[1] + size / 2 - half - shift[1]) / half / scale
    grid = F.affine_grid(theta, [count, 4, size, size], align_corners=False)
    view = F.grid_sample(pictures.float() / 255, grid, align_corners=False)
    ground = torch.rand(count, 3, generator=random)
    kind = draw(0, 1)
    ground[kind < 0.25] = 1
    ground[(kind >= 0.25) & (kind < 0.35)] = 0
    ground[plain & (kind < 0.5)] = 1
    picture = view[:, :3] + (1 - view[:, 3:]) * ground[:, :, None, None]
    mixed = ~plain & (draw(0, 1) < 0.43)
    order = torch.randperm(3, generator=random)
    picture = torch.where(mixed[:, None, None, None], picture[:, order], picture)
    return picture * 2 - 1


def similarity(x: Tensor, y: Tensor) -> Tensor:
    """Mean structural similarity (Wang et al. 2004) of pictures in -1..1, over flat 7x7 windows."""

    def mean(values: Tensor) -> Tensor:
        return F.avg_pool2d(values, 7, 1)

    x, y = x / 2 + 0.5, y / 2 + 0.5
    mean_x, mean_y = mean(x), mean(y)
    var_x, var_y = mean(x * x) - mean_x**2, mean(y * y) - mean_y**2
    both = mean(x * y) - mean_x * mean_y
    light = (2 * mean_x * mean_y + 1e-4) / (mean_x**2 + mean_y**2 + 1e-4)
    return (light * (2 * both + 9e-4) / (var_x + var_y + 9e-4)).mean()


def picture_loss(made: Tensor, real: Tensor) -> Tensor:
    """L1, colour differences, a coarse squared error, structural similarity and gradients."""
    difference = made - real
    red, green, blue = difference.unbind(1)
    loss = difference.abs().mean()
    loss = loss + 0.125 * ((red - green).abs().mean() + ((red + green) / 2 - blue).abs().mean())
    loss = loss + 2 * (F.avg_pool2d(difference, 8) ** 2).mean()
    across = (difference[..., 1:] - difference[..., :-1]).abs().mean()
    down = (difference[..., 1:, :] - difference[..., :-1, :]).abs().mean()
    return loss + 0.1 * (1 - similarity(made, real)) + 0.25 * (across + down)


def decibels(made: Tensor, real: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of each picture, [B]; pictures are in -1..1."""
    return -10 * ((made.clamp(-1, 1) - real) ** 2 / 4).mean((1, 2, 3)).log10()


@torch.no_grad()
def exactness(vae: AutoencoderKL, found: PatchMap, pictures: Tensor) -> float:
    """Mean dB of pictures that went through."""
    parts = cast(list[Tensor], pictures.split(8))
    return float(torch.cat([decibels(decoded(vae, found.encode(p)), p) for p in parts]).mean())


def decoded(vae: AutoencoderKL, latent: Tensor) -> Tensor:
    """The pictures of latents."""
    return cast(Any, vae).decode(latent).sample


def mixed_pictures(rgba: Tensor) -> Tensor:
    """Pictures uint8 [N, 4, H, W], half on white and half on fixed random colours: -1..1."""
    ground = torch.rand(len(rgba), 3, 1, 1, generator=torch.Generator().manual_seed(0))
    ground[::2] = 1
    view = rgba.float() / 255
    return (view[:, :3] + (1 - view[:, 3:]) * ground) * 2 - 1


@dataclass(frozen=True)
class Plans:
    """How long to fit the linear decoder to begin with, and to train the whole one."""

    start: Plan
    rest: Plan


def learn(
    rgba: Tensor,
    weight: Tensor,
    held_out: Tensor,
    found: PatchMap,
    plans: Plans,
    checkpoint: Path,
) -> AutoencoderKL:
    """The trained autoencoder.

    Args:
        rgba: premultiplied pictures, uint8 [N, 4, 128, 128].
        weight: how often each is seen, [N].
        held_out: pictures to measure on, which are not among them.
        found: the encoder, on the device to train on.
        plans: how long.
        checkpoint: where the state is kept.
    """
    random = torch.Generator().manual_seed(1)
    torch.manual_seed(2)
    device = found.rows.device
    measured = mixed_pictures(held_out).to(device)
    linear = decibels(found.decode(found.encode(measured)), measured)
    log.info("the encoder's inverse: %.2f dB on held-out pictures", float(linear.mean()))
    vae = cast(AutoencoderKL, cast(Any, new_autoencoder(len(found.rows), SIDE)).to(device))
    write_encoder(vae, found)
    vae.encoder.requires_grad_(False)
    vae.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] a stub lacks it

    def draw(crop: int, batch: int) -> tuple[Tensor, Tensor]:
        picked = torch.multinomial(weight, batch, replacement=True, generator=random)
        real = crops(rgba[picked], crop, random).to(device)
        return found.encode(real), real

    if not checkpoint.exists():
        straight.fit(vae, lambda: draw(64, 8), plans.start)
        log.info("the linear decoder: %.2f dB", exactness(vae, found, measured))

    def loss(done: float) -> Tensor:
        stage = next(s for s in STAGES if done < s.until)
        latent, real = draw(stage.crop, stage.batch)
        latent += ROUGH * torch.rand(len(real), 1, 1, 1, device=device) * torch.randn_like(latent)
        made = decoded(vae, latent.to(memory_format=torch.channels_last))
        return picture_loss(made, real)

    def report(weights: dict[str, Tensor], done: float) -> str:
        averaged: Any = new_autoencoder(len(found.rows), SIDE)
        averaged.to(device).load_state_dict(weights)
        return f"{done:.0%}, held out {exactness(averaged, found, measured):.2f} dB"

    train(vae, loss, plans.rest, checkpoint, report)
    return vae
