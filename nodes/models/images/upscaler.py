"""Networks that make pictures larger, or clean them: tile by tile, as the memory allows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import pad

from nodes.models.files.tensor_files import ModelFileError, read_header
from nodes.models.images.architectures import INSTALL, Restorer, find_restorer, known
from nodes.models.images.esrgan import Esrgan, Shape, find_esrgan
from nodes.models.memory import ask_for, available, readable
from nodes.models.networks.network import Handle, Network
from nodes.models.networks.precision import compute_dtype
from nodes.models.networks.tiles import Progress, finished, tiled

TILES = (512, 256, 128, 64)
"""Sides in pixels that are tried one after the other until a tile fits the memory."""
OVERLAP = 32
PER_PIXEL = 64 * 4 * 4
"""Bytes that a tile takes for each pixel of the result, by estimate: four times 64 channels."""


class Upscaler(ABC):
    """A network that makes pictures larger by a whole factor."""

    @property
    @abstractmethod
    def factor(self) -> int:
        """How many times as long a side becomes; 1 for networks that clean pictures."""

    @property
    @abstractmethod
    def device(self) -> str:
        """Where its weights are."""

    @property
    def tileable(self) -> bool:
        """Whether a part of a picture comes out as in the whole picture."""
        return True

    @abstractmethod
    def run(self, planes: Tensor) -> Tensor:
        """What it makes of planes [1, 3, H, W] in 0..1 of any size, float32 on the CPU."""

    def enlarged(self, pictures: Tensor) -> Tensor:
        """Pictures [B, H, W, 3 or more] of 0..1, `factor` times as large and of 3 channels."""
        return finished(self.enlarging(pictures))

    def enlarging(
        self, pictures: Tensor, warn: Callable[[str], None] | None = None
    ) -> Progress[Tensor]:
        """As `enlarged`, tile by tile: float32 on the CPU; `warn` hears of results of NaN.

        Raises:
            ValueError: not even a small tile, or not the result, fits the memory.
        """
        count, height, width = pictures.shape[:3]
        factor = self.factor
        ask_for("pictures", count, height * factor, width * factor, 3)
        large = torch.empty(count, height * factor, width * factor, 3)
        planes = pictures[..., :3].movedim(-1, 1).float()
        for number in range(count):
            tiles = self._one(planes[number : number + 1])
            try:
                while True:
                    done, total = next(tiles)
                    yield number * total + done, count * total
            except StopIteration as end:
                made: Tensor = end.value
            large[number].copy_(made[0].movedim(0, -1))
        if warn is not None and (bad := sum(bool(one.isnan().any()) for one in large)):
            warn(
                f"the upscaler made NaN instead of numbers, so {bad} of {count} pictures are black "
                "there: its weights are broken, take another file of it"
            )
        return large.nan_to_num_(nan=0.0).clamp_(0, 1)

    def _one(self, planes: Tensor) -> Progress[Tensor]:
        room = available(self.device)
        sides = [s for s in TILES if s**2 * self.factor**2 * PER_PIXEL <= room] or [TILES[-1]]
        for side in sides if self.tileable else [max(planes.shape[-2:])]:
            try:
                return (yield from tiled(planes, self.run, tiles=[(side, side)], overlap=OVERLAP))
            except torch.OutOfMemoryError:
                continue
        raise ValueError(
            f"the memory of {self.device} does not hold even a tile for the upscaler "
            f"({readable(room)} are free); unload other models"
        )


@dataclass(frozen=True, eq=False)
class EsrganUpscaler(Handle[Esrgan], Upscaler):
    """A handle on ESRGAN's network."""

    shape: Shape

    @property
    def factor(self) -> int:
        """As `Upscaler.factor`."""
        return self.shape.factor

    @property
    def device(self) -> str:
        """Where its weights are."""
        return self.network.device

    def dtype_on(self, device: str) -> torch.dtype:
        """float16 where the device does it well: bfloat16 has too few steps for this."""
        return compute_dtype(device, ("fp16",))

    def load(self, device: str) -> Network[Esrgan]:
        """Read the weights to `device`."""
        with torch.device("meta"):
            module = Esrgan(self.shape)
        return Network(self.source, module, device, self.dtype_on(device))

    @torch.no_grad()
    def run(self, planes: Tensor) -> Tensor:
        """As `Upscaler.run`."""
        network, step, factor = self.network, self.shape.gathered, self.factor
        height, width = planes.shape[-2:]
        filled = pad(planes, (0, -width % step, 0, -height % step), mode="replicate")
        made = network.module(filled.to(network.device, network.dtype)).float().cpu()
        return made[..., : height * factor, : width * factor]


@dataclass(frozen=True, eq=False)
class RestorerUpscaler(Restorer, Upscaler):
    """A handle on a network of another architecture."""


def read_upscaler(path: Path) -> EsrganUpscaler | RestorerUpscaler:
    """The upscaling network that a file holds.

    Raises:
        ModelFileError: it holds none that is known.
    """
    header = read_header(path)
    if (found := find_esrgan(header)) is not None:
        return EsrganUpscaler(*found)
    if (architecture := find_restorer(header)) is not None:
        return RestorerUpscaler(header, architecture)
    listed = ", ".join(sorted(header.shapes)[:3]) or "no tensors"
    more = f"and {known()} other architectures" if known() else f"({INSTALL})"
    raise ModelFileError(
        f"{path}: not an upscaler that can be loaded here ({listed}, ...); supported are ESRGAN "
        f"and Real-ESRGAN {more}"
    )
