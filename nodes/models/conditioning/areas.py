"""What a conditioning says beside its text: where in the picture it counts, when, and how much.

A conditioning is a list of pairs, a text's vectors and a dict as ComfyUI's nodes pass it: `area`
(rows, columns, y, x of latents, or "percentage" and fractions), `strength`, `mask` [B, H, W] of any
size, `mask_strength`, `set_area_to_bounds`, `start_percent`, `end_percent`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import interpolate

FEATHER = 8  # latent pixels over which an area fades in along its inner borders
SMALLEST = 8  # side of an area that is cut out of a mask

Conditioning: TypeAlias = Sequence[Sequence[Any]]


@dataclass(frozen=True, eq=False)
class Cond:
    """One text of a conditioning.

    Attributes:
        text: [1, tokens, width].
        options: the dict beside it.
    """

    text: Tensor
    options: Mapping[str, Any]

    @property
    def is_plain(self) -> bool:
        """Whether it counts everywhere, fully."""
        return not {"area", "mask", "strength"} & self.options.keys()

    @property
    def span(self) -> tuple[float, float]:
        """From which part of the sampling to which it counts, 0..1."""
        return self.options.get("start_percent", 0.0), self.options.get("end_percent", 1.0)

    def weighted_area(self, shape: Sequence[int]) -> WeightedArea:
        """Where it counts in latents of a shape [B, C, H, W], and how much at each pixel."""
        rows, columns = int(shape[-2]), int(shape[-1])
        mask = self._mask(rows, columns)
        area = self._area(rows, columns, mask)
        weight = torch.full((area.rows, area.columns), float(self.options.get("strength", 1.0)))
        if mask is None:
            return WeightedArea(area, weight * _feather(area, rows, columns))
        cut = mask[:, None, area.y : area.y + area.rows, area.x : area.x + area.columns]
        times = -(-int(shape[0]) // len(cut))
        held = torch.cat([cut] * times)[: int(shape[0])]
        return WeightedArea(area, weight * held * float(self.options.get("mask_strength", 1.0)))

    def _mask(self, rows: int, columns: int) -> Tensor | None:
        mask: Tensor | None = self.options.get("mask")
        if mask is None:
            return None
        flat = mask.float().reshape(-1, 1, *mask.shape[-2:])
        if flat.shape[-2:] != (rows, columns):
            flat = interpolate(flat, size=(rows, columns), mode="bilinear")
        return flat[:, 0]

    def _area(self, rows: int, columns: int, mask: Tensor | None) -> Area:
        if mask is not None and self.options.get("set_area_to_bounds"):
            return _bounds(mask).within(rows, columns)
        given: Sequence[Any] | None = self.options.get("area")
        if given is None:
            return Area(rows, columns, 0, 0)
        if given[0] == "percentage":
            high, wide, down, along = given[1:]
            given = (
                max(1, round(high * rows)),
                max(1, round(wide * columns)),
                round(down * rows),
                round(along * columns),
            )
        return Area(*(int(number) for number in given)).within(rows, columns)


@dataclass(frozen=True)
class Area:
    """A rectangle of latent pixels."""

    rows: int
    columns: int
    y: int
    x: int

    def within(self, rows: int, columns: int) -> Area:
        """What of it is inside of latents of that size, at least one pixel."""
        y, x = min(self.y, rows - 1), min(self.x, columns - 1)
        return Area(min(self.rows, rows - y), min(self.columns, columns - x), y, x)

    def of(self, latents: Tensor) -> Tensor:
        """That part of latents [B, C, H, W]."""
        return latents[..., self.y : self.y + self.rows, self.x : self.x + self.columns]


@dataclass(frozen=True, eq=False)
class WeightedArea:
    """Where a text counts, and how much: `weight` broadcasts over [B, C, rows, columns]."""

    area: Area
    weight: Tensor


def conds(conditioning: Conditioning) -> list[Cond]:
    """The texts of a conditioning."""
    return [Cond(text, options) for text, options in conditioning]


def _feather(area: Area, rows: int, columns: int) -> Tensor:
    """1, falling towards those borders of an area that are inside of the picture."""
    down = _ramp(area.rows, area.y > 0, area.y + area.rows < rows)
    along = _ramp(area.columns, area.x > 0, area.x + area.columns < columns)
    return down[:, None] * along


def _ramp(length: int, at_start: bool, at_end: bool) -> Tensor:
    ramp = torch.ones(length)
    rise = torch.arange(1, FEATHER + 1)[:length] / FEATHER
    if at_start:
        ramp[: len(rise)] *= rise
    if at_end:
        ramp[length - len(rise) :] *= rise.flip(0)
    return ramp


def _bounds(mask: Tensor) -> Area:
    """The rectangle about what a mask holds; a small one at the corner where it holds nothing."""
    held = mask.abs().amax(dim=0) > 0
    down, along = held.any(dim=1).nonzero()[:, 0], held.any(dim=0).nonzero()[:, 0]
    if not len(down):
        return Area(SMALLEST, SMALLEST, 0, 0)
    y, x = int(down[0]), int(along[0])
    high, wide = int(down[-1]) - y + 1, int(along[-1]) - x + 1
    return Area(max(SMALLEST, high), max(SMALLEST, wide), y, x)
