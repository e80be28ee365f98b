"""Batches of pictures through an autoencoder, as large as the memory allows, or in tiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from nodes.models.memory import readable
from nodes.models.networks.tiles import Progress

Warn: TypeAlias = Callable[[str], None]
"""Takes a sentence for the user."""

CPU_SHARE = 1 << 30
"""Bytes of activations of one batch on a CPU, which gains nothing from larger ones."""
TILES = (512, 256, 128, 64)
"""Sides in pixels that are tried one after the other where a picture as a whole does not fit."""
OVERLAP = 64


@dataclass(frozen=True, eq=False)
class Parts:
    """An autoencoder over a batch, in parts that fit the memory.

    Attributes:
        device: where it works.
        room: bytes that are free there.
        source: the batch, [B, C, H, W].
        run: the network, over some of it.
        in_tiles: the network over some of it in tiles of a side and an overlap, in pixels.
        need: bytes that one of the batch takes.
        pixels: of one picture.
        most: whether as many as fit are worked on at once, in tiles too: they count for each other.
    """

    device: str
    room: int
    source: Tensor
    run: Callable[[Tensor], Tensor]
    in_tiles: Callable[[Tensor, int, int], Progress[Tensor]]
    need: int
    pixels: int
    most: bool = False

    def filling(self, result: Tensor, warn: Warn, tiles: tuple[int, int] | None) -> Progress[None]:
        """Put what the network makes into `result`; in `tiles` (side, overlap) if given."""
        count = 0 if tiles is not None else self._together()
        start = 0
        while start < len(result):
            part = self.source[start : start + (count or self._in_a_tile(tiles))]
            yield start, len(result)
            made = self._attempt(part) if count else (yield from self._by_tiles(part, warn, tiles))
            if made is None:
                count //= 2
                continue
            result[start : start + len(part)].copy_(made)
            start += len(part)

    def _together(self) -> int:
        """How many of the batch are worked on at once: none where not even one fits."""
        if self.need > self.room:
            return 0
        share = self.room if self.most or self.device != "cpu" else min(self.room, CPU_SHARE)
        return min(len(self.source), max(1, share // max(1, self.need)))

    def _in_a_tile(self, tiles: tuple[int, int] | None) -> int:
        """How many are worked on at once in tiles, of the smallest side where none is given."""
        side = TILES[-1] if tiles is None else tiles[0]
        need = max(1, self.need * min(side**2, self.pixels) // max(1, self.pixels))
        return max(1, min(len(self.source), self.room // need)) if self.most else 1

    def _attempt(self, part: Tensor) -> Tensor | None:
        try:
            return self.run(part)
        except torch.OutOfMemoryError:
            return None

    def _by_tiles(
        self, part: Tensor, warn: Warn, tiles: tuple[int, int] | None
    ) -> Progress[Tensor]:
        """What the network makes of `part` tile by tile, of the largest that fit."""
        device, room = self.device, self.room
        need = self.need * len(part)
        fitting = [s for s in TILES if need * s**2 <= room * self.pixels] or [TILES[-1]]
        for side, overlap in [tiles] if tiles else [(side, OVERLAP) for side in fitting]:
            try:
                made = yield from self.in_tiles(part, side, overlap)
            except torch.OutOfMemoryError:
                continue
            if tiles is None:
                warn(
                    f"a picture as a whole takes about {readable(self.need)}, and {device} has "
                    f"{readable(room)}: the VAE worked in tiles of {side} pixels, which may differ "
                    "a little in colour"
                )
            return made
        raise ValueError(
            f"the memory of {device} does not hold even a tile for the VAE ({readable(room)} are "
            "free); unload other models, or take smaller tiles"
        )
