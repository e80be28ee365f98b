"""How a GLIGEN model is built, by the names and shapes of its weights.

Li et al. 2023, https://arxiv.org/abs/2301.07093: a network makes tokens of boxes and what stands in
them, and each transformer block of a UNet gets a layer that attends to these. Understood are the
names of the original code and those of diffusers, whether or not a UNet is in the file as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from nodes.models.families.unet_layout import HEAD, HEADS

Shapes: TypeAlias = Mapping[str, Sequence[int]]

SIGN = "position_net.null_positive_feature"
SIDES = ("input_blocks", "down_blocks", "middle_block", "mid_block", "output_blocks", "up_blocks")
"""What the names of layers begin with, in the order of evaluation."""
FUSER = re.compile(
    rf"(?P<side>{'|'.join(SIDES)})\.(?P<place>[\w.]+)\.transformer_blocks\.(?P<block>\d+)"
    r"\.fuser\.(?P<rest>.+)"
)
SD1_TEXT = 768
"""Width of the text of UNets that have `HEADS` heads everywhere; others have heads of `HEAD`."""


@dataclass(frozen=True)
class GligenLayout:
    """How a GLIGEN model is built.

    Attributes:
        names: name of a weight in `GligenModule` -> its name in the file.
        widths: of the layers, in the order of their evaluation.
        text: width of the vectors of texts.
        context: width of the tokens that layers attend to.
        frequencies: of the Fourier features of each side of a box.
        heads: of each layer.
    """

    names: Mapping[str, str] = field(repr=False)
    widths: tuple[int, ...]
    text: int
    context: int
    frequencies: int
    heads: tuple[int, ...]


def gligen_layout(shapes: Shapes) -> GligenLayout | None:
    """The layout of the GLIGEN model that has these weights; None: it is none for text boxes."""
    sign = next((name for name in shapes if name.endswith(SIGN)), None)
    if sign is None:
        return None
    prefix = sign.removesuffix(SIGN)
    names = {
        name.removeprefix(prefix): name
        for name in shapes
        if name.startswith(f"{prefix}position_net.")
    }
    layers: dict[tuple[int, ...], dict[str, str]] = {}
    for name in shapes:
        if (found := FUSER.search(name)) is not None:
            numbers = (int(part) for part in re.findall(r"\d+", found["place"]))
            at = (SIDES.index(found["side"]) // 2, *numbers, int(found["block"]))
            layers.setdefault(at, {})[found["rest"]] = name
    fusers = [layers[at] for at in sorted(layers)]
    names |= {f"fusers.{n}.{rest}": name for n, of_one in enumerate(fusers)
              for rest, name in of_one.items()}  # fmt: skip
    try:
        linear = [tuple(shapes[of_one["linear.weight"]]) for of_one in fusers]
        text = int(shapes[sign][0])
        places = int(shapes[f"{prefix}position_net.null_position_feature"][0])
        widths = tuple(width for width, _ in linear)
        return GligenLayout(
            names,
            widths,
            text,
            linear[0][1],
            places // 8,
            tuple(HEADS if text == SD1_TEXT else max(1, width // HEAD) for width in widths),
        )
    except (KeyError, IndexError, ValueError):
        return None
