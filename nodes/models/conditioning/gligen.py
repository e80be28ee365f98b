"""Boxes with what stands in them, in a conditioning (GLIGEN)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nodes.models.conditioning.conditionings import Conditioning
from nodes.models.networks.gligen import BOXES, Gligen
from nodes.models.networks.patched_unet import BlockPosition, UNetPatch

OPTION = "gligen"
"""Name of the option of a conditioning: its `Grounding`."""


class Box(NamedTuple):
    """Where something stands, in cells of latents, and what: its text's vector [1, width]."""

    text: Tensor
    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class Grounding(UNetPatch):
    """A GLIGEN model and boxes; lets the UNet attend to them.

    Attributes:
        net: the model; whoever computes leases it, see `handles`.
        boxes: none in what a loader gives.
    """

    net: Gligen
    boxes: tuple[Box, ...] = ()

    @property
    def handles(self) -> Sequence[Gligen]:
        """The model."""
        return [self.net]

    def self_attended(self, x: Tensor, position: BlockPosition) -> Tensor:
        """Tokens that have attended to the boxes as well."""
        rows, columns = position.shape
        sides = torch.tensor([columns, rows, columns, rows])
        corners = [(b.left, b.top, b.left + b.width, b.top + b.height) for b in self.boxes]
        texts = torch.cat([box.text for box in self.boxes])
        return self.net.fused(x, position.layer, texts, torch.tensor(corners) / sides)


def with_box(conditioning: Sequence[Sequence[Any]], grounding: Grounding, box: Box) -> Conditioning:
    """A conditioning with one more box; those of an earlier GLIGEN model become this one's.

    Raises:
        ValueError: a text of another width than the model takes, or too many boxes.
    """
    wanted, given = grounding.net.layout.text, int(box.text.shape[-1])
    if given != wanted:
        raise ValueError(
            f"the GLIGEN model takes texts {wanted} wide, and this CLIP gives {given}; take the "
            "CLIP of a checkpoint of the kind that it was made for"
        )
    made: dict[int, Grounding] = {}

    def grounded(options: dict[str, Any]) -> dict[str, Any]:
        previous: Grounding | None = options.get(OPTION)
        boxes = () if previous is None else previous.boxes
        if len(boxes) == BOXES:
            raise ValueError(f"a text has {BOXES} boxes at most; leave this one out")
        if id(previous) not in made:
            made[id(previous)] = replace(grounding, boxes=(*boxes, box))
        return {**options, OPTION: made[id(previous)]}

    return [(text, grounded(options)) for text, options in conditioning]
