"""Weights that count more or less, by their names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from nodes.models.files.pieces import NetworkSource
from nodes.models.networks.changes import Change

TEMPORAL = "temporal_transformer_blocks."
"""In names of weights that attend along the time of a video, as diffusers calls them."""


@dataclass(frozen=True, eq=False)
class ScaledWeights:
    """So many times as large weights; a `Patch`.

    Attributes:
        factors: patterns, each with the factor of the weights in whose names it is found.
    """

    factors: tuple[tuple[str, float], ...]

    @property
    def key(self) -> str:
        """The patterns and the factors."""
        return "/".join(f"{pattern}*{factor!r}" for pattern, factor in self.factors)

    def changes(self, source: NetworkSource) -> Iterator[tuple[str, Change]]:
        """A change for each weight that a pattern is of."""
        for name in source.names:
            for pattern, factor in self.factors:
                if factor != 1 and re.search(pattern, name):
                    yield name, Change(partial(_scale, factor), f"the factor of {name}")


def _scale(factor: float, weight: Tensor) -> None:
    weight.mul_(factor)


def text_attention(query: float, key: float, value: float, out: float) -> ScaledWeights:
    """Factors of the attention in the text encoders of CLIP, biases included."""
    layers = {"q_proj": query, "k_proj": key, "v_proj": value, "out_proj": out}
    return ScaledWeights(
        tuple((rf"\.self_attn\.{layer}\.\w+$", factor) for layer, factor in layers.items())
    )


def attention_outputs(
    structural: tuple[float, float], temporal: tuple[float, float]
) -> ScaledWeights:
    """Factors of what attention gives in a UNet, biases included.

    Each of the self-attention and of the attention to the text: `structural` within a picture,
    `temporal` along the time of a video, which UNets of pictures lack.
    """
    around = re.escape(TEMPORAL)
    return ScaledWeights(
        tuple(
            (rf"^{start}.*\.{attention}\.to_out\.0\.\w+$", factor)
            for start, factors in ((rf"(?!.*{around})", structural), (rf"(?=.*{around})", temporal))
            for attention, factor in zip(("attn1", "attn2"), factors, strict=True)
        )
    )
