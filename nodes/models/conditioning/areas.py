"""Areas, masks, strength and timing of a conditioning: where in the latents it counts, and when.

A conditioning is a list of pairs, a text's vectors and a dict as ComfyUI's nodes pass it: `area`
(sizes, then starts, of the last axes of latents; or "percentage" and the same as fractions),
`strength`, `mask` [B, H, W] of any size, `mask_strength`, `set_area_to_bounds`, `start_percent`,
`end_percent`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import interpolate

FEATHER = 8  # latent pixels over which an area fades in along its inner borders, at most
FEATHERED_PART = 4  # of a side that a feather may take: a quarter
SMALLEST = 8  # side of an area that is cut out of a mask
PLACING = (
    "area", "strength", "mask", "mask_strength", "set_area_to_bounds", "start_percent",
    "end_percent",
)  # fmt: skip
"""Options that say where and when, not what."""

TEXT_SPAN = ("clip_start_percent", "clip_end_percent")
"""Options that say for which part of the sampling a text was encoded; it counts in no other."""

Conditioning: TypeAlias = Sequence[Sequence[Any]]


@dataclass(frozen=True, eq=False)
class Cond:
    """One entry of a conditioning: a text and its options.

    Attributes:
        text: [1, tokens, width].
        options: the dict beside it.
        negative: whether it belongs to the negative conditioning.
    """

    text: Tensor
    options: Mapping[str, Any]
    negative: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it counts everywhere, fully."""
        return not {"area", "mask", "strength"} & self.options.keys()

    @property
    def span(self) -> tuple[float, float]:
        """From which part of the sampling to which it counts, 0..1."""
        starts = (self.options.get(start, 0.0) for start in ("start_percent", TEXT_SPAN[0]))
        ends = (self.options.get(end, 1.0) for end in ("end_percent", TEXT_SPAN[1]))
        return max(starts), min(ends)

    def area(self, sides: Sequence[int]) -> Area | None:
        """The area that it names, in latents of such sides; None: it names none."""
        mask: Tensor | None = self.options.get("mask")
        if mask is not None and self.options.get("set_area_to_bounds"):
            return _bounds(_fitted(mask, sides)).within(sides)
        given: Sequence[Any] | None = self.options.get("area")
        if given is None:
            return None
        fractions, numbers = given[0] == "percentage", given[1 if given[0] == "percentage" else 0 :]
        count = len(numbers) // 2
        axes = min(count, len(sides))
        sizes, starts = numbers[count - axes : count], numbers[len(numbers) - axes :]
        if fractions:
            inner = sides[len(sides) - axes :]
            sizes = [max(1, round(part * side)) for part, side in zip(sizes, inner, strict=True)]
            starts = [round(part * side) for part, side in zip(starts, inner, strict=True)]
        return Area(tuple(map(int, sizes)), tuple(map(int, starts))).within(sides)

    def weighted_area(self, shape: Sequence[int]) -> WeightedArea:
        """Where it counts in latents of a shape [B, C, ...], and how much at each place."""
        sides = shape[2:]
        named = self.area(sides)
        area = named if named is not None else Area(tuple(sides), (0,) * len(sides))
        strength = float(self.options.get("strength", 1.0))
        mask: Tensor | None = self.options.get("mask")
        if mask is None:
            return WeightedArea(area, strength * area.feather(sides))
        cut = area.of(_fitted(mask, sides)[:, None])
        times = -(-int(shape[0]) // len(cut))
        held = torch.cat([cut] * times)[: int(shape[0])]
        return WeightedArea(area, held * strength * float(self.options.get("mask_strength", 1.0)))


@dataclass(frozen=True)
class Area:
    """A box of latent cells: how many and from where, along the last axes of latents."""

    sizes: tuple[int, ...]
    starts: tuple[int, ...]

    def within(self, sides: Sequence[int]) -> Area:
        """What of it is inside of latents of such sides, at least one cell."""
        inner = sides[len(sides) - len(self.sizes) :]
        starts = [min(start, side - 1) for start, side in zip(self.starts, inner, strict=True)]
        ends = [side - start for side, start in zip(inner, starts, strict=True)]
        sizes = [max(1, min(size, end)) for size, end in zip(self.sizes, ends, strict=True)]
        return Area(tuple(sizes), tuple(starts))

    def of(self, latents: Tensor) -> Tensor:
        """That part of latents [B, C, ...]."""
        box = zip(self.sizes, self.starts, strict=True)
        return latents[(..., *(slice(start, start + size) for size, start in box))]

    def contains(self, other: Area) -> bool:
        """Whether all of another area is inside of it; axes that it does not name are whole."""
        count = min(len(self.sizes), len(other.sizes))
        return all(
            own_start <= start and start + size <= own_start + own_size
            for own_size, own_start, size, start in zip(
                self.sizes[-count:],
                self.starts[-count:],
                other.sizes[-count:],
                other.starts[-count:],
                strict=True,
            )
        )

    def feather(self, sides: Sequence[int]) -> Tensor:
        """1, falling towards those of its borders that are inside of latents of such sides."""
        inner = sides[len(sides) - len(self.sizes) :]
        weight = torch.ones(self.sizes)
        for axis, (size, start, side) in enumerate(
            zip(self.sizes, self.starts, inner, strict=True)
        ):
            ramp = _ramp(size, start > 0, start + size < side)
            weight = weight * ramp.reshape(-1, *[1] * (len(self.sizes) - axis - 1))
        return weight


@dataclass(frozen=True, eq=False)
class WeightedArea:
    """Where a text counts, and how much.

    `weight`, 0 or more, broadcasts over the area of latents [B, C, ...]: of the area's sizes, or
    with a mask [B, 1, ...].
    """

    area: Area
    weight: Tensor


@dataclass(frozen=True, eq=False)
class Region:
    """A text where it counts in latents of one shape.

    Attributes:
        cond: the text and its options.
        named: the area that it names; None: it names none.
        shape: of the latents.
        rest: how much of each place it counts for, [1 or B, 1, ...], where other texts leave it
            that; None: where it says.
    """

    cond: Cond
    named: Area | None
    shape: tuple[int, ...]
    rest: Tensor | None = None

    @cached_property
    def weighted_area(self) -> WeightedArea | None:
        """Where it counts, and how much; None: everywhere, fully."""
        if self.rest is not None:
            sides = self.shape[2:]
            return WeightedArea(Area(tuple(sides), (0,) * len(sides)), self.rest)
        return None if self.cond.is_plain else self.cond.weighted_area(self.shape)


def conds(conditioning: Conditioning, *, negative: bool = False) -> list[Cond]:
    """The texts of a conditioning; `negative`: it is the negative one."""
    return [Cond(text, options, negative) for text, options in conditioning]


def regions(groups: Sequence[Sequence[Cond]], shape: Sequence[int]) -> list[list[Region]]:
    """The texts of some conditionings that are combined, for latents of a shape.

    A text that names an area is combined with answers about that very area: any other conditioning
    that has none for it gets one, with the text of its smallest area about it, or of the whole.
    """
    found = [
        [Region(cond, cond.area(shape[2:]), tuple(shape)) for cond in group] for group in groups
    ]
    for group in found:
        for region in group:
            for other in found:
                if other is not group and region.named is not None:
                    other.extend(_counterpart(region, region.named, other))
    return found


def _counterpart(region: Region, area: Area, others: Iterable[Region]) -> list[Region]:
    """What another conditioning lacks beside a region of one: at most one region."""
    about = [other for other in others if other.named is None or other.named.contains(area)]
    if not about or any(other.named == area for other in about):
        return []
    nearest = min(
        about, key=lambda other: math.prod(other.named.sizes) if other.named else math.inf
    )
    said = {key: value for key, value in nearest.cond.options.items() if key not in PLACING}
    placed = {key: value for key, value in region.cond.options.items() if key in PLACING}
    return [Region(replace(nearest.cond, options=said | placed), area, region.shape)]


def _fitted(mask: Tensor, sides: Sequence[int]) -> Tensor:
    """A mask at the size of latents, [B, rows, columns]; the same for all frames of a video."""
    if len(sides) == 1:  # of a sound: the columns are its time
        line = mask.float().reshape(-1, *mask.shape[-2:]).mean(dim=1, keepdim=True)
        return interpolate(line, size=tuple(sides), mode="linear")[:, 0]
    flat = mask.float().reshape(-1, 1, *mask.shape[-2:])
    if flat.shape[2:] != tuple(sides[-2:]):
        flat = interpolate(flat, size=tuple(sides[-2:]), mode="bilinear")
    if len(sides) > 2:
        return flat.expand(-1, sides[-3], -1, -1)
    return flat[:, 0]


def _ramp(length: int, at_start: bool, at_end: bool) -> Tensor:
    ramp = torch.ones(length)
    steps = min(FEATHER, length // FEATHERED_PART)
    rise = torch.arange(1, steps + 1) / max(1, steps)
    if at_start:
        ramp[:steps] *= rise
    if at_end:
        ramp[length - steps :] *= rise.flip(0)
    return ramp


def _bounds(mask: Tensor) -> Area:
    """The rectangle about what a mask holds; a small one at the corner where it holds nothing."""
    held = mask.abs().amax(dim=tuple(range(mask.ndim - 2))) > 0
    down, along = held.any(dim=1).nonzero()[:, 0], held.any(dim=0).nonzero()[:, 0]
    if not len(down):
        return Area((SMALLEST, SMALLEST), (0, 0))
    y, x = int(down[0]), int(along[0])
    high, wide = int(down[-1]) - y + 1, int(along[-1]) - x + 1
    return Area((max(SMALLEST, high), max(SMALLEST, wide)), (y, x))
