"""Train the picture autoencoder: 128 px RGB to a 16x16x4 latent and back.

Small crops first: from scratch an autoencoder of this size paints grey for minutes, and steps, not
pictures, are what gets it out of there; a step on 32 px crops costs a fraction of one at 128 px.
"""

# torch and diffusers annotate their methods only in part:
# pyright: reportUnknownMemberType=false

import argparse
import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from training.data import CACHE, SIDE, chosen_labels, load_clean, on_white
from training.loop import train

CHECKPOINT = CACHE / "autoencoder.pt"
DECODER_CHECKPOINT = CACHE / "decoder.pt"
HELD_OUT = 64  # pictures, none of them a chosen one, that only the measurement sees
LATENT_SIDE = SIDE // 8


@dataclass(frozen=True)
class Stage:
    """One part of the curriculum: up to the fraction `until` of the time, on crops of `crop` px."""

    until: float
    crop: int
    batch: int


FROM_SCRATCH = (Stage(0.2, 32, 16), Stage(0.55, 64, 8), Stage(1.0, 128, 3))
DECODER_ONLY = (Stage(0.35, 64, 8), Stage(1.0, 128, 3))


def new_autoencoder() -> AutoencoderKL:
    """The untrained autoencoder, 1.6 M parameters, started close to an identity.

    No attention in the middle, so that crops of any size train it. Residual branches start small
    and resampling convolutions near a plain copy, which lets colour through from the first step.
    """
    make: Any = AutoencoderKL  # its hints say tuples of one
    vae: AutoencoderKL = make(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 32, 64, 96),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=SIDE,
        mid_block_add_attention=False,
        scaling_factor=1.0,
    )
    with torch.no_grad():
        modules: list[tuple[str, nn.Module]] = list(cast(Any, vae).named_modules())
        for name, module in modules:
            if not isinstance(module, nn.Conv2d):
                continue
            if name.endswith("conv2"):
                module.weight.mul_(0.1)
            elif "samplers" in name:
                copy = nn.init.dirac_(torch.empty_like(module.weight))
                module.weight.mul_(0.2).add_(copy)
        quantise = cast(nn.Conv2d, vae.quant_conv)
        bias = cast(Tensor, quantise.bias)
        quantise.weight[4:].mul_(0.1)
        bias[4:].fill_(-5)
    return vae


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


def picture_loss(made: Tensor, real: Tensor, detail: float) -> Tensor:
    """L1, colour differences, a coarse squared error, and `detail` times the fine terms."""
    difference = made - real
    red, green, blue = difference.unbind(1)
    loss = difference.abs().mean()
    loss = loss + 0.125 * ((red - green).abs().mean() + ((red + green) / 2 - blue).abs().mean())
    loss = loss + 2 * (F.avg_pool2d(difference, 8) ** 2).mean()
    if detail:
        across = (difference[..., 1:] - difference[..., :-1]).abs().mean()
        down = (difference[..., 1:, :] - difference[..., :-1, :]).abs().mean()
        loss = loss + detail * (0.1 * (1 - similarity(made, real)) + 0.25 * (across + down))
    return loss


@torch.no_grad()
def decibel(vae: AutoencoderKL, pictures: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of pictures (float, -1..1) that went through."""
    errors: list[float] = []
    for picture in cast(list[Tensor], pictures.split(8)):
        made = reconstruct(vae, picture)[0].clamp(-1, 1)
        errors += cast(list[float], ((made - picture) ** 2 / 4).mean((1, 2, 3)).tolist())
    return float(np.mean([-10 * math.log10(error) for error in errors]))


def reconstruct(vae: AutoencoderKL, picture: Tensor) -> tuple[Tensor, Any]:
    """The picture encoded, sampled and decoded, with its posterior."""
    posterior = cast(Any, vae.encode(picture)).latent_dist
    latent = posterior.sample() if vae.training else posterior.mode()
    return cast(Any, vae.decode(latent)).sample, posterior


def load_autoencoder(path: Path) -> AutoencoderKL:
    """The averaged weights of a checkpoint, for use.

    Raises:
        FileNotFoundError: nothing has been trained yet.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: not there yet; run python -m training.autoencoder first")
    vae = new_autoencoder().eval()
    vae.load_state_dict(torch.load(path, weights_only=True)["average"])
    return vae


@torch.no_grad()
def latent_statistics(vae: AutoencoderKL, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Latents of `pictures` (float, -1..1), and each channel's mean and deviation [4, 1, 1]."""
    parts = cast(list[Tensor], pictures.split(16))
    latents = torch.cat([cast(Any, vae.encode(part)).latent_dist.mode() for part in parts])
    mean, deviation = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    return latents, mean[:, None, None], deviation[:, None, None]


@torch.no_grad()
def fold_statistics(vae: AutoencoderKL, mean: Tensor, deviation: Tensor) -> None:
    """Make the autoencoder give and take normalised latents, in place.

    A pipeline knows one scaling factor for all channels; so the normalisation goes into the 1x1
    convolutions at both ends of the latent, and the factor stays 1.
    """
    mean, deviation = mean[:, 0, 0], deviation[:, 0, 0]
    quantise, back = cast(nn.Conv2d, vae.quant_conv), cast(nn.Conv2d, vae.post_quant_conv)
    bias, back_bias = cast(Tensor, quantise.bias), cast(Tensor, back.bias)
    quantise.weight[:4].div_(deviation[:, None, None, None])
    bias[:4].sub_(mean).div_(deviation)
    bias[4:].sub_(2 * deviation.log())
    back_bias.add_(back.weight[:, :, 0, 0] @ mean)
    back.weight.mul_(deviation[None, :, None, None])


def plain_pictures(rgba: NDArray[np.uint8]) -> Tensor:
    """Premultiplied pictures [N, 128, 128, 4] on white: float [N, 3, 128, 128], -1..1."""
    return torch.from_numpy(on_white(rgba)).permute(0, 3, 1, 2) * 2 - 1


def mixed_pictures(rgba: Tensor) -> Tensor:
    """Pictures to measure on, half on white and half on fixed random colours: float, -1..1."""
    ground = torch.rand(len(rgba), 3, 1, 1, generator=torch.Generator().manual_seed(0))
    ground[::2] = 1
    view = rgba.float() / 255
    return (view[:, :3] + (1 - view[:, 3:]) * ground) * 2 - 1


def learn(minutes: float, rate: float, *, decoder_only: bool) -> None:
    """Train for `minutes`, or go on with an unfinished checkpoint.

    Two thirds of the pictures seen are ones that the demo model draws. With `decoder_only` the
    finished autoencoder is taken up and its encoder kept, so that latents made with it stay valid.
    """
    emoji = load_clean()
    rgba = torch.from_numpy(np.stack([e.rgba for e in emoji])).permute(0, 3, 1, 2).contiguous()
    chosen = set(chosen_labels())
    is_chosen = torch.tensor([e.label in chosen for e in emoji])
    random = torch.Generator().manual_seed(1)
    others = (~is_chosen).nonzero()[:, 0]
    others = others[torch.randperm(len(others), generator=random)]
    measured = mixed_pictures(rgba[others[:HELD_OUT]])
    known = mixed_pictures(rgba[is_chosen][::4])
    weight = torch.where(is_chosen, 1 / int(is_chosen.sum()), 0.5 / len(others))
    weight[others[:HELD_OUT]] = 0

    torch.manual_seed(2)
    vae = load_autoencoder(CHECKPOINT) if decoder_only else new_autoencoder()
    if decoder_only:
        vae.encoder.requires_grad_(False)
        cast(nn.Conv2d, vae.quant_conv).requires_grad_(False)
    vae.train()
    vae.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] a stub lacks it

    def loss(done: float) -> Tensor:
        stage = next(s for s in (DECODER_ONLY if decoder_only else FROM_SCRATCH) if done < s.until)
        picked = torch.multinomial(weight, stage.batch, replacement=True, generator=random)
        real = crops(rgba[picked], stage.crop, random).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            made, posterior = reconstruct(vae, real)
        if decoder_only:
            return picture_loss(made.float(), real, detail=1.5)
        spread = posterior.kl().mean() / (4 * (stage.crop // 8) ** 2)
        return picture_loss(made.float(), real, detail=float(done > 0.12)) + 1e-3 * spread

    def report(weights: dict[str, Tensor]) -> str:
        averaged = new_autoencoder().eval()
        averaged.load_state_dict(weights)
        return (
            f"held-out {decibel(averaged, measured):.2f}, chosen {decibel(averaged, known):.2f} dB"
        )

    train(
        vae,
        loss,
        minutes=minutes,
        rate=rate,
        decay=0.998,
        warm_up=50,
        checkpoint=DECODER_CHECKPOINT if decoder_only else CHECKPOINT,
        report=report,
    )


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=28)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--decoder-only", action="store_true")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(asked.threads)
    learn(asked.minutes, asked.rate, decoder_only=asked.decoder_only)


if __name__ == "__main__":
    main()
