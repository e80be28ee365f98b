"""The whole training, part by part; `python -m training` runs it."""

# torch and diffusers annotate their methods only in part:
# pyright: reportUnknownMemberType=false

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from transformers import CLIPTokenizer

from training import autoencoder, patches
from training.data import Emoji
from training.denoiser import TextToLatent, sample, v_loss
from training.loop import Plan, train
from training.rehearsal import Rehearsal
from training.scenes import Mix, Scenes
from training.text import PHRASES, save_tokenizer, speech

log = logging.getLogger(__name__)

HELD_OUT = 64  # pictures without a name here, which only measurements see
EMPTY = 0.12  # the share of empty captions, for guidance
SHOWN = 16  # names in a preview
REPORTED = (1.0, 4.0, 8.0)  # guidance in reports


@dataclass(frozen=True)
class Recipe:
    """How long everything is trained, and how large it is.

    Attributes:
        start: of the decoder's linear beginning.
        decoder: of the decoder.
        denoiser: of the denoiser and the text encoder.
        batch: pictures in a step of the denoiser.
        widths: of the denoiser's two levels.
        stages: along how many cells latents are averaged, up to which fraction of the denoiser's
            steps. A coarse picture is learnt in a tenth of the time of a fine one, and what a word
            looks like carries over (progressive resolution: Karras et al. 2018).
        favoured: how much oftener than another a favourite is seen.
        rehearse: from which fraction of the denoiser's training on it learns from its own steps.
        visit: a walk of the sampler in so many of those steps.
    """

    start: Plan
    decoder: Plan
    denoiser: Plan
    batch: int = 16
    widths: tuple[int, int] = (64, 128)
    stages: tuple[tuple[int, float], ...] = ((4, 0.55), (2, 0.8), (1, 1.0))
    favoured: float = 1.5
    rehearse: float = 0.88
    visit: int = 20

    def pool_at(self, done: float) -> int:
        """Along how many cells latents are averaged."""
        return next((pool for pool, end in self.stages if done < end), self.stages[-1][0])


@dataclass(frozen=True)
class Material:
    """The pictures: those the model draws, those that only teach the decoder, and measurements."""

    named: Sequence[Emoji]
    others: Sequence[Emoji]
    held_out: Sequence[Emoji]
    favourites: frozenset[str]

    def tensor(self, emoji: Sequence[Emoji]) -> Tensor:
        """Premultiplied pictures, uint8 [N, 4, H, W]."""
        stacked = torch.from_numpy(np.stack([one.rgba for one in emoji]))
        return stacked.permute(0, 3, 1, 2).contiguous()

    def scenes(self, favoured: float, device: torch.device) -> Scenes:
        """Random pictures of what has a name."""
        weight = [favoured if one.label in self.favourites else 1.0 for one in self.named]
        return Scenes(self.named, speech(self.named, self.others), weight, device)


def material(emoji: Sequence[Emoji], labels: Sequence[str], favourites: Sequence[str]) -> Material:
    """`emoji` in their roles, the favourites first.

    Raises:
        ValueError: a label is of no picture.
    """
    by_label = {one.label: one for one in emoji}
    if missing := [label for label in labels if label not in by_label]:
        raise ValueError(f"labels.txt: no picture of its own for {', '.join(missing)}; remove them")
    chosen = sorted(labels, key=lambda label: label not in favourites)
    rest = [one for one in emoji if one.label not in set(labels)]
    order: list[int] = np.random.default_rng(0).permutation(len(rest)).tolist()
    count = min(HELD_OUT, len(rest) // 2)
    held = [rest[n] for n in order[:count]]
    others = [rest[n] for n in sorted(order[count:])]
    return Material([by_label[label] for label in chosen], others, held, frozenset(favourites))


def patch_map(found: Material, cache: Path) -> patches.PatchMap:
    """The encoder, fitted once."""
    path = cache / "patches.pt"
    if not path.exists():
        seen = found.tensor([*found.named, *found.others])
        patches.fit(autoencoder.mixed_pictures(seen)).save(path)
    return patches.PatchMap.load(path)


def tokenizer(found: Material, cache: Path) -> CLIPTokenizer:
    """The tokenizer, trained once: equally frequent pairs come in another order each time."""
    folder = cache / "tokenizer"
    if not folder.exists():
        phrases = 20 * [phrase.format("") for phrase in PHRASES]
        labels = [one.label for one in found.named]
        tags = [tag for one in found.named for tag in one.tags]
        rest = [one.label for one in (*found.others, *found.held_out)]
        save_tokenizer(20 * labels + 3 * tags + phrases + rest, folder)
    return cast(CLIPTokenizer, CLIPTokenizer.from_pretrained(folder))


def train_decoder(found: Material, cache: Path, recipe: Recipe, device: torch.device) -> None:
    """Train the decoder, two thirds of the time on pictures that have a name."""
    rgba = found.tensor([*found.named, *found.others])
    weight = torch.ones(len(rgba))
    weight[: len(found.named)] = 2 * max(1, len(found.others)) / len(found.named)
    autoencoder.learn(
        rgba,
        weight,
        found.tensor(found.held_out),
        patch_map(found, cache).to(device),
        autoencoder.Plans(recipe.start, recipe.decoder),
        cache / "decoder.pt",
    )


def mix_at(done: float) -> Mix:
    """First names and things as they are; other words and scenes when these are known.

    A name among other words is nearly another name to an untrained denoiser, and a thing on a
    colour another picture: with both from the start, names are learnt many times slower.
    """
    if done < 0.2:
        return Mix(bare=1.0)
    return Mix(bare=0.5, ground=0.2, placed=0.06, pair=0.06)


def coarse(latents: Tensor, pool: int) -> Tensor:
    """Latents with `pool` x `pool` cells averaged, as large against noise as the fine ones are.

    Averaging makes the deviation of noise `pool` times smaller.
    """
    return F.avg_pool2d(latents, pool) * pool if pool > 1 else latents


def new_model(found: Material, cache: Path, recipe: Recipe) -> TextToLatent:
    """The text encoder and the untrained denoiser."""
    torch.manual_seed(3)
    channels = len(patch_map(found, cache).rows)
    model = TextToLatent(tokenizer(found, cache), channels, recipe.widths)
    model.centre([one.label for one in found.named])
    return model


def train_denoiser(found: Material, cache: Path, recipe: Recipe, device: torch.device) -> None:
    """Train the denoiser."""
    encoder = patch_map(found, cache).to(device)
    model = new_model(found, cache, recipe).to(device)
    cast(Any, model.unet).to(memory_format=torch.channels_last)
    scenes = found.scenes(recipe.favoured, device)
    latents = encoder.encode(scenes.all_plain())
    rehearsal, walks = Rehearsal(), 0
    log.info(
        "%d pictures, %d tokens, %.2f M parameters in the denoiser, %.2f M in the text encoder",
        len(found.named),
        len(model.tokenizer),
        sum(p.numel() for p in model.unet.parameters()) / 1e6,
        sum(p.numel() for p in model.text_encoder.parameters()) / 1e6,
    )

    def loss(done: float) -> Tensor:
        nonlocal walks
        some = scenes.some(recipe.batch, mix_at(done))
        x = latents[[scene.pieces[0].index for scene in some]]
        if moved := [row for row, scene in enumerate(some) if not scene.is_plain]:
            x[moved] = encoder.encode(scenes.shown([some[row] for row in moved]))
        said = ["" if scenes.draw.random() < EMPTY else scene.said for scene in some]
        pool = recipe.pool_at(done)
        value = v_loss(model, coarse(x, pool), said)
        if done < recipe.rehearse or pool > 1:
            return value
        if walks % recipe.visit == 0:
            index, said = scenes.plain(recipe.batch)
            rehearsal.visit(model, said, latents[index])
        walks += 1
        return value + rehearsal.loss(model, recipe.batch // 2, empty=0.5)

    watch = Watch(found, encoder, scenes.all_plain(), cache / "preview.png")

    def report(weights: dict[str, Tensor], done: float) -> str:
        averaged = new_model(found, cache, recipe).to(device).eval()
        averaged.load_state_dict(weights)
        return f"{done:.1%}; {watch(averaged, recipe.pool_at(done))}"

    train(model, loss, recipe.denoiser, cache / "denoiser.pt", report)


@dataclass(frozen=True)
class Watch:
    """Draws some names as the training goes on: the art first, then a row for each guidance.

    Coarse latents are drawn as far as they go.
    """

    found: Material
    encoder: patches.PatchMap
    real: Tensor
    path: Path

    def __call__(self, model: TextToLatent, pool: int) -> str:
        """Write the preview; how many are nearest to their own picture, and how exact."""
        liked = [n for n, e in enumerate(self.found.named) if e.label in self.found.favourites]
        rest = [n for n in range(len(self.found.named)) if n not in set(liked)]
        asked = [*liked[: SHOWN // 2], *rest][:SHOWN]
        known = coarse(self.encoder.encode(self.real), pool)
        side = known.shape[-1]
        rows, parts = [self.real[asked]], list[str]()
        for cfg in REPORTED:
            names = [self.found.named[n].label for n in asked]
            latents = sample(model, names, cfg, steps=12, side=side)
            nearest = torch.cdist(latents.flatten(1), known.flatten(1)).argmin(1).cpu()
            right = int((nearest == torch.tensor(asked)).sum())
            fine = F.interpolate(latents / pool, scale_factor=float(pool), mode="bilinear")
            made = self.encoder.decode(fine).clamp(-1, 1)
            exact = float(autoencoder.decibels(made, self.real[asked]).mean())
            parts.append(f"cfg {cfg:g}: {right} of {len(asked)}, {exact:.1f} dB")
            rows.append(made)
        _grid(torch.cat(rows), len(asked)).save(self.path)
        return "; ".join(parts)


def _grid(pictures: Tensor, columns: int) -> Image.Image:
    rows = [torch.cat(list(row), 2) for row in cast(list[Tensor], pictures.split(columns))]
    grid = (torch.cat(rows, 1).permute(1, 2, 0) / 2 + 0.5).clamp(0, 1) * 255
    return Image.fromarray(grid.round().to(torch.uint8).cpu().numpy())
