"""Tiny transformers of random weights, as diffusers builds them, in the names of original files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

Weights: TypeAlias = Mapping[str, Tensor]
Row: TypeAlias = tuple[str, Sequence[str]]
"""A layer of an original file, and the layers of diffusers that stand in it one below the other.

``-`` before a name: its two halves stand the other way round.
"""

FLUX_ATTENTION: Sequence[Row] = [
    ("img_attn.qkv", ["attn.to_q", "attn.to_k", "attn.to_v"]),
    ("txt_attn.qkv", ["attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"]),
    ("img_attn.norm.query_norm", ["attn.norm_q"]),
    ("img_attn.norm.key_norm", ["attn.norm_k"]),
    ("txt_attn.norm.query_norm", ["attn.norm_added_q"]),
    ("txt_attn.norm.key_norm", ["attn.norm_added_k"]),
    ("img_attn.proj", ["attn.to_out.0"]),
    ("txt_attn.proj", ["attn.to_add_out"]),
]
FLUX_BLOCK: Sequence[Row] = [
    *FLUX_ATTENTION,
    ("img_mod.lin", ["norm1.linear"]),
    ("txt_mod.lin", ["norm1_context.linear"]),
    ("img_mlp.0", ["ff.net.0.proj"]),
    ("img_mlp.2", ["ff.net.2"]),
    ("txt_mlp.0", ["ff_context.net.0.proj"]),
    ("txt_mlp.2", ["ff_context.net.2"]),
]
FLUX_SINGLE: Sequence[Row] = [
    ("modulation.lin", ["norm.linear"]),
    ("linear1", ["attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"]),
    ("linear2", ["proj_out"]),
    ("norm.query_norm", ["attn.norm_q"]),
    ("norm.key_norm", ["attn.norm_k"]),
]
FLUX_REST: Sequence[Row] = [
    ("img_in", ["x_embedder"]),
    ("txt_in", ["context_embedder"]),
    *(
        (f"{theirs}_in.{place}_layer", [f"time_text_embed.{ours}_embedder.linear_{number}"])
        for theirs, ours in (("time", "timestep"), ("guidance", "guidance"), ("vector", "text"))
        for number, place in enumerate(("in", "out"), 1)
    ),
    ("final_layer.linear", ["proj_out"]),
    ("final_layer.adaLN_modulation.1", ["-norm_out.linear"]),
]


def made(kind: Callable[..., Any], settings: Mapping[str, Any], seed: int = 5) -> Any:
    """A network of random weights, none of which is zero or one."""
    torch.default_generator.manual_seed(seed)
    module = kind(**settings).eval().requires_grad_(False)
    for parameter in module.parameters():
        parameter.add_(0.02 * torch.randn_like(parameter))
    return module


def original(
    weights: Weights, rest: Sequence[Row], blocks: Mapping[str, tuple[str, Sequence[Row]]]
) -> dict[str, Tensor]:
    """Weights of diffusers in original names.

    Args:
        weights: by their names in diffusers.
        rest: the layers outside of blocks.
        blocks: list of blocks in diffusers -> the list in the file, and a block's layers.
    """
    rows = [*rest]
    for ours, (theirs, layers) in blocks.items():
        numbers = {
            m[1] for name in weights if (m := re.match(re.escape(ours) + r"\.(\d+)\.", name))
        }
        rows += [
            (f"{theirs}.{n}.{layer}", [_placed(name, f"{ours}.{n}.") for name in names])
            for n in numbers
            for layer, names in layers
        ]
    found: dict[str, Tensor] = {}
    for theirs, names in rows:
        for ending in ("weight", "bias"):
            parts = [_part(weights, name, ending) for name in names]
            held = [part for part in parts if part is not None]
            if held:
                last = "scale" if "_norm" in theirs or "norms" in theirs else ending
                found[f"{theirs}.{last}"] = torch.cat(held)
    return found


def _placed(name: str, place: str) -> str:
    return f"-{place}{name[1:]}" if name.startswith("-") else place + name


def _part(weights: Weights, name: str, ending: str) -> Tensor | None:
    weight = weights.get(f"{name.removeprefix('-')}.{ending}")
    if weight is None or not name.startswith("-"):
        return weight
    return torch.cat(weight.chunk(2)[::-1])


def flux(weights: Weights) -> dict[str, Tensor]:
    """Weights of FLUX.1 in the names of Black Forest Labs."""
    blocks = {
        "transformer_blocks": ("double_blocks", FLUX_BLOCK),
        "single_transformer_blocks": ("single_blocks", FLUX_SINGLE),
    }
    return original(weights, FLUX_REST, blocks)
