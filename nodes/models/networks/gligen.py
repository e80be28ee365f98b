"""GLIGEN: layers of a UNet that attend to boxes and to what stands in them, and their files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nodes.models.families.detection import looks
from nodes.models.families.gligen_layout import GligenLayout, gligen_layout
from nodes.models.files.pieces import NetworkSource, whole
from nodes.models.files.tensor_files import ModelFileError, read_header
from nodes.models.networks.building import built, network_class
from nodes.models.networks.network import Handle, Network

GLIGEN = "GLIGEN model"
POSITION_NET = "diffusers.models.embeddings:GLIGENTextBoundingboxProjection"
FUSER = "diffusers.models.attention:GatedSelfAttentionDense"
BOXES = 30
"""The layers always get so many boxes; those that are not there as learned vectors."""


class GligenModule(nn.Module):
    """What makes tokens of boxes, and the layers that attend to them."""

    def __init__(self, layout: GligenLayout) -> None:
        super().__init__()
        projection = network_class(POSITION_NET)
        fuser = network_class(FUSER)
        self.position_net: Any = projection(
            layout.text, layout.context, fourier_freqs=layout.frequencies
        )
        self.fusers: Any = nn.ModuleList(
            fuser(width, layout.context, heads, width // heads)
            for width, heads in zip(layout.widths, layout.heads, strict=True)
        )


@dataclass(frozen=True, eq=False)
class Gligen(Handle[nn.Module]):
    """A handle on a GLIGEN model.

    Attributes:
        layout: how it is built.
    """

    layout: GligenLayout = field(repr=False)

    def load(self, device: str) -> Network[nn.Module]:
        """Read the weights to `device`."""
        module: nn.Module = built(lambda: GligenModule(self.layout))
        return Network(self.source, module, device, self.dtype_on(device))

    @torch.no_grad()
    def fused(self, x: Tensor, layer: int, texts: Tensor, boxes: Tensor) -> Tensor:
        """What a layer makes of tokens [B, n, width] of the picture, by boxes.

        Args:
            x: tokens of the picture.
            layer: number of the transformer block that they are in.
            texts: what stands in the boxes, [boxes, width of the text].
            boxes: left, top, right and bottom as parts of the picture, [boxes, 4].

        Raises:
            ValueError: the UNet is not of the kind that the model was made for.
        """
        widths = self.layout.widths
        if layer >= len(widths) or widths[layer] != x.shape[-1]:
            raise ValueError(
                f"the GLIGEN model {self.source.header.path.name} is for another kind of UNet (of "
                f"{len(widths)} layers); use a checkpoint of the kind that it was made for"
            )
        network = self.network
        module: Any = network.module
        places = x.new_zeros(1, BOXES, 4, dtype=network.dtype)
        places[0, : len(boxes)] = boxes.to(places)
        vectors = x.new_zeros(1, BOXES, self.layout.text, dtype=network.dtype)
        vectors[0, : len(texts)] = texts.to(vectors)
        there = x.new_zeros(1, BOXES, dtype=network.dtype)
        there[0, : len(boxes)] = 1
        tokens = module.position_net(places, there, vectors)
        return module.fusers[layer](x.to(network.dtype), tokens.expand(len(x), -1, -1)).to(x)


def read_gligen(path: Path) -> Gligen:
    """The GLIGEN model that a file holds.

    Raises:
        ModelFileError: it holds none for boxes with texts; says what it is.
    """
    header = read_header(path)
    layout = gligen_layout(header.shapes)
    if layout is None:
        raise ModelFileError(
            f"{path}: not a GLIGEN model that can be loaded here; it looks like "
            f"{looks(header.shapes)}. Supported are those for boxes with texts"
        )
    return Gligen(NetworkSource(header, whole(layout.names), "", {}, GLIGEN), layout)
