"""What the denoiser learns from: pictures put together anew at each step, with captions.

Encoding is a single matrix product (see `patches`), so nothing is computed beforehand: shades of
the background, places and sizes differ as often as they are drawn.
"""

# torch annotates its functions only in part:
# pyright: reportUnknownMemberType=false

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from training.data import Emoji
from training.text import Speech, caption, named

# sRGB, 0..1. A drawn background strays from these by up to `SHADE`.
COLOURS = {
    "white": (1.0, 1.0, 1.0),
    "black": (0.06, 0.06, 0.06),
    "gray": (0.55, 0.55, 0.55),
    "red": (0.86, 0.16, 0.16),
    "orange": (0.96, 0.55, 0.14),
    "yellow": (0.98, 0.86, 0.22),
    "green": (0.25, 0.68, 0.31),
    "blue": (0.2, 0.42, 0.86),
    "purple": (0.55, 0.28, 0.74),
    "pink": (0.97, 0.62, 0.76),
}
SHADE = 0.07
GROUND_WORDS = ("{} on {}", "{}, {} background", "a {} on {}", "a {} on a {} background")
PLACES = {
    "on the left": (-1, 0),
    "on the right": (1, 0),
    "at the top": (0, -1),
    "at the bottom": (0, 1),
}
SMALL = 0.6  # below this size art is averaged over 2x2 pixels before it is drawn
HELD_OUT = 10  # one in so many pairs of a name and a colour is never trained


@dataclass(frozen=True)
class Mix:
    """Which share of the pictures is of which kind; the rest is one thing on white, as it is.

    `bare` is the share of that rest whose caption is the name alone.
    """

    bare: float = 0.0
    ground: float = 0.0
    placed: float = 0.0
    pair: float = 0.0


@dataclass(frozen=True)
class Piece:
    """A thing in a picture: which, how large, and where its middle is, in half pictures."""

    index: int
    size: float = 1.0
    place: tuple[float, float] = (0.0, 0.0)
    flip: bool = False


@dataclass(frozen=True)
class Scene:
    """Things that do not cover each other on a flat colour, and the words for them."""

    pieces: tuple[Piece, ...]
    ground: tuple[float, ...]
    said: str

    @property
    def is_plain(self) -> bool:
        """Whether it shows one thing on white as it is."""
        return self.ground == COLOURS["white"] and self.pieces == (Piece(self.pieces[0].index),)


@dataclass
class Scenes:
    """Random pictures with their captions.

    Attributes:
        emoji: what is shown.
        about: what captions are made of.
        weight: how often each is shown, [N].
        device: where pictures are put together.
        draw: the source of chance.
    """

    emoji: Sequence[Emoji]
    about: Speech
    weight: Sequence[float]
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    draw: random.Random = field(default_factory=lambda: random.Random(0))

    def __post_init__(self) -> None:
        """Keep the pictures in one place."""
        self._rgba = torch.from_numpy(np.stack([one.rgba for one in self.emoji]))
        self._rgba = self._rgba.permute(0, 3, 1, 2).to(self.device)
        self._sums = list(accumulate(self.weight))

    def some(self, count: int, mix: Mix) -> list[Scene]:
        """Random scenes."""
        return [self._scene(mix) for _ in range(count)]

    def batch(self, count: int, mix: Mix) -> tuple[Tensor, list[str]]:
        """Pictures [count, 3, H, W] in -1..1 and captions."""
        scenes = self.some(count, mix)
        return self.shown(scenes), [scene.said for scene in scenes]

    def plain(self, count: int) -> tuple[list[int], list[str]]:
        """Which things, each on white as it is, and captions."""
        scenes = [self._scene(Mix()) for _ in range(count)]
        return [scene.pieces[0].index for scene in scenes], [scene.said for scene in scenes]

    def all_plain(self) -> Tensor:
        """Every thing on white as it is: [N, 3, H, W] in -1..1."""
        parts = [self._rgba[n : n + 1].float() / 255 for n in range(len(self._rgba))]
        return torch.cat([part[:, :3] + 1 - part[:, 3:] for part in parts]) * 2 - 1

    def shown(self, scenes: Sequence[Scene]) -> Tensor:
        """The pictures of scenes: [B, 3, H, W] in -1..1."""
        ground = torch.tensor([scene.ground for scene in scenes], device=self.device)
        picture = ground[:, :, None, None].expand(-1, -1, *self._rgba.shape[2:])
        for layer in range(max(len(scene.pieces) for scene in scenes)):
            rows = [row for row, scene in enumerate(scenes) if len(scene.pieces) > layer]
            art = self._moved([scenes[row].pieces[layer] for row in rows])
            picture = picture.clone()
            picture[rows] = art[:, :3] + (1 - art[:, 3:]) * picture[rows]
        return picture * 2 - 1

    def _moved(self, pieces: Sequence[Piece]) -> Tensor:
        """Premultiplied art at its place: [B, 4, H, W]."""
        art = self._rgba[[piece.index for piece in pieces]].float() / 255
        small = [row for row, piece in enumerate(pieces) if piece.size < SMALL]
        if small:
            art[small] = F.interpolate(
                F.avg_pool2d(art[small], 2), scale_factor=2.0, mode="bilinear"
            )
        theta = torch.zeros(len(pieces), 2, 3)
        for row, piece in enumerate(pieces):
            across, down = (-1 if piece.flip else 1) / piece.size, 1 / piece.size
            theta[row, 0, 0], theta[row, 0, 2] = across, -piece.place[0] * across
            theta[row, 1, 1], theta[row, 1, 2] = down, -piece.place[1] * down
        grid = F.affine_grid(theta.to(self.device), list(art.shape), align_corners=False)
        return F.grid_sample(art, grid, align_corners=False)

    def _scene(self, mix: Mix) -> Scene:
        kind = self.draw.random()
        limits = accumulate((mix.ground, mix.placed, mix.pair))
        makers: tuple[Callable[[], Scene], ...] = (self._on_ground, self._placed, self._pair)
        for limit, make in zip(limits, makers, strict=True):
            if kind < limit:
                return make()
        index = self._pick()
        emoji = self.emoji[index]
        bare = self.draw.random() < mix.bare
        said = emoji.label if bare else caption(emoji, self.about, self.draw)
        return Scene((Piece(index),), COLOURS["white"], said)

    def _pick(self) -> int:
        return self.draw.choices(range(len(self.emoji)), cum_weights=self._sums)[0]

    def _name(self, index: int) -> str:
        return named(self.emoji[index], self.about, self.draw)

    def _on_ground(self) -> Scene:
        index = self._pick()
        label = self.emoji[index].label
        colour = self.draw.choice([c for c in COLOURS if c != "white" and trained(label, c)])
        size = self.draw.uniform(0.72, 1.0)
        across, down = (self.draw.uniform(size - 1, 1 - size) for _ in range(2))
        piece = Piece(index, size, (across, down), flip=self.draw.random() < 0.5)
        said = self.draw.choice(GROUND_WORDS).format(self._name(index), colour)
        return Scene((piece,), self._shade(colour), said)

    def _placed(self) -> Scene:
        index = self._pick()
        words = self.draw.choice(list(PLACES))
        size = self.draw.uniform(0.48, 0.56)
        across, down = (side * (1 - size) for side in PLACES[words])
        name = self._name(index)
        said = self.draw.choice((f"small {name} {words}", f"{name} {words}"))
        return Scene((Piece(index, size, (across, down)),), COLOURS["white"], said)

    def _pair(self) -> Scene:
        pieces = tuple(Piece(self._pick(), 0.5, (side, 0.0)) for side in (-0.5, 0.5))
        said = " and ".join(self._name(piece.index) for piece in pieces)
        return Scene(pieces, COLOURS["white"], said)

    def _shade(self, colour: str) -> tuple[float, ...]:
        light = self.draw.uniform(-SHADE, SHADE)
        return tuple(
            min(1.0, max(0.0, value + light + self.draw.uniform(-SHADE, SHADE) / 2))
            for value in COLOURS[colour]
        )


def trained(label: str, colour: str) -> bool:
    """Whether the thing is ever shown on the colour; one in ten pairs is kept to measure on."""
    return random.Random(f"{label} on {colour}").randrange(HELD_OUT) != 0
