"""ESRGAN's network, which makes pictures several times as large.

Wang et al. 2018, https://arxiv.org/abs/1809.00219: dense blocks, then the size doubled by repeating
pixels, twice for a factor of 4. Files name the weights as the first release did ("model.0.weight")
or as later ones do ("conv_first.weight"); both are read. A network for a smaller factor may take a
picture whose pixels were gathered into more channels (Real-ESRGAN x2).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, pixel_unshuffle

from nodes.models.files.pieces import NetworkSource, whole
from nodes.models.files.tensor_files import Header

UPSCALER = "upscaler"
SLOPE = 0.2  # of what is below 0, and how much of a block is added
PREFIXES = ("", "module.")

PLAIN = re.compile(r"model\.(\d+)\.(weight|bias)")
BLOCK = re.compile(r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.(weight|bias)")
LAST_OF_BODY = re.compile(r"model\.1\.sub\.\d+\.(weight|bias)")


class Dense(nn.Module):
    """Five convolutions, each of which sees all before it; [B, C, H, W] to the same."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        for number in range(1, 6):
            inner = width + (number - 1) * growth
            self.add_module(f"conv{number}", conv(inner, width if number == 5 else growth))

    def forward(self, x: Tensor) -> Tensor:
        """Add what is seen to `x`."""
        seen = x
        for number in range(1, 5):
            made = leaky_relu(self.get_submodule(f"conv{number}")(seen), SLOPE)
            seen = torch.cat([seen, made], dim=1)
        return x + SLOPE * self.get_submodule("conv5")(seen)


class Block(nn.Module):
    """Three dense blocks in a row."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (Dense(width, growth) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """Add what they see to `x`."""
        return x + SLOPE * self.rdb3(self.rdb2(self.rdb1(x)))


class Esrgan(nn.Module):
    """The network.

    Args:
        shape: how it is built.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        width = shape.width
        self.conv_first = conv(3 * shape.gathered**2, width)
        self.body = nn.Sequential(*(Block(width, shape.growth) for _ in range(shape.blocks)))
        self.conv_body = conv(width, width)
        for number in range(1, shape.doublings + 1):
            self.add_module(f"conv_up{number}", conv(width, width))
        self.conv_hr, self.conv_last = conv(width, width), conv(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures [B, 3, H, W], both sides multiples of `shape.gathered`, made larger."""
        first = self.conv_first(pixel_unshuffle(x, self.shape.gathered))
        seen = first + self.conv_body(self.body(first))
        for number in range(1, self.shape.doublings + 1):
            large = interpolate(seen, scale_factor=2, mode="nearest")
            seen = leaky_relu(self.get_submodule(f"conv_up{number}")(large), SLOPE)
        return self.conv_last(leaky_relu(self.conv_hr(seen), SLOPE))


@dataclass(frozen=True)
class Shape:
    """How a network is built, by the shapes of its weights.

    Attributes:
        width: channels inside.
        growth: channels that each convolution of a dense block adds.
        blocks: how many.
        doublings: of the size.
        gathered: side of the squares of pixels that come in as channels.
    """

    width: int
    growth: int
    blocks: int
    doublings: int
    gathered: int

    @property
    def factor(self) -> int:
        """How many times as long a side becomes."""
        return 2**self.doublings // self.gathered


def conv(inner: int, outer: int) -> nn.Conv2d:
    """A convolution of 3 x 3 that keeps the size."""
    return nn.Conv2d(inner, outer, 3, padding=1)


def find_esrgan(header: Header) -> tuple[NetworkSource, Shape] | None:
    """The network that a file holds and how it is built; None for other networks."""
    for prefix in PREFIXES:
        theirs = [n.removeprefix(prefix) for n in header.shapes if n.startswith(prefix)]
        names = {ours: prefix + name for ours, name in _names(theirs).items()}
        shape = _shape({ours: header.shapes[name] for ours, name in names.items()})
        if shape is not None:
            return NetworkSource(header, whole(names), "", {}, UPSCALER), shape
    return None


def _names(theirs: list[str]) -> dict[str, str]:
    """The network's own names of weights, and those in the file; none for other networks."""
    if "conv_first.weight" in theirs:
        return {name: name for name in theirs}
    plain = sorted({int(match[1]) for name in theirs if (match := PLAIN.fullmatch(name))})
    if len(plain) < 3 or plain[0] != 0:
        return {}
    ends = ["conv_first", *(f"conv_up{n}" for n in range(1, len(plain) - 2))]
    called = dict(zip(plain, [*ends, "conv_hr", "conv_last"], strict=True))
    found: dict[str, str] = {}
    for name in theirs:
        if match := PLAIN.fullmatch(name):
            found[f"{called[int(match[1])]}.{match[2]}"] = name
        elif match := BLOCK.fullmatch(name):
            found[f"body.{match[1]}.rdb{match[2]}.conv{match[3]}.{match[4]}"] = name
        elif match := LAST_OF_BODY.fullmatch(name):
            found[f"conv_body.{match[1]}"] = name
    return found


def _shape(shapes: Mapping[str, tuple[int, ...]]) -> Shape | None:
    first, growth = shapes.get("conv_first.weight"), shapes.get("body.0.rdb1.conv1.weight")
    gathered = 0 if first is None else math.isqrt(first[1] // 3)
    if first is None or growth is None or 3 * gathered**2 != first[1]:
        return None
    return Shape(
        width=first[0],
        growth=growth[0],
        blocks=len({name.split(".")[1] for name in shapes if name.startswith("body.")}),
        doublings=len({name for name in shapes if re.fullmatch(r"conv_up\d\.weight", name)}),
        gathered=gathered,
    )
