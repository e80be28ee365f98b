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


CHROMA_REST: Sequence[Row] = [
    ("img_in", ["x_embedder"]),
    ("txt_in", ["context_embedder"]),
    ("final_layer.linear", ["proj_out"]),
    ("distilled_guidance_layer.in_proj", ["distilled_guidance_layer.in_proj"]),
    ("distilled_guidance_layer.out_proj", ["distilled_guidance_layer.out_proj"]),
]
LAYERS, NORMS = "distilled_guidance_layer.layers", "distilled_guidance_layer.norms"


def chroma(weights: Weights) -> dict[str, Tensor]:
    """Weights of Chroma in the names of its files."""
    layers = [("in_layer", ["linear_1"]), ("out_layer", ["linear_2"])]
    found = original(
        weights,
        [
            *CHROMA_REST,
            *((f"{NORMS}.{n}", [f"{NORMS}.{n}"]) for n in range(5)),
        ],
        {
            "transformer_blocks": ("double_blocks", FLUX_BLOCK),
            "single_transformer_blocks": ("single_blocks", FLUX_SINGLE),
            LAYERS: (LAYERS, layers),
        },
    )
    return {name: tensor for name, tensor in found.items() if "_mod" not in name}


FLUX2_REST: Sequence[Row] = [
    ("img_in", ["x_embedder"]),
    ("txt_in", ["context_embedder"]),
    *(
        (f"{theirs}_in.{place}_layer", [f"time_guidance_embed.{ours}_embedder.linear_{number}"])
        for theirs, ours in (("time", "timestep"), ("guidance", "guidance"))
        for number, place in enumerate(("in", "out"), 1)
    ),
    ("double_stream_modulation_img.lin", ["double_stream_modulation_img.linear"]),
    ("double_stream_modulation_txt.lin", ["double_stream_modulation_txt.linear"]),
    ("single_stream_modulation.lin", ["single_stream_modulation.linear"]),
    ("final_layer.linear", ["proj_out"]),
    ("final_layer.adaLN_modulation.1", ["-norm_out.linear"]),
]


def flux2(weights: Weights) -> dict[str, Tensor]:
    """Weights of FLUX.2 in the names of Black Forest Labs."""
    double = [
        *FLUX_ATTENTION,
        ("img_mlp.0", ["ff.linear_in"]),
        ("img_mlp.2", ["ff.linear_out"]),
        ("txt_mlp.0", ["ff_context.linear_in"]),
        ("txt_mlp.2", ["ff_context.linear_out"]),
    ]
    single = [
        ("linear1", ["attn.to_qkv_mlp_proj"]),
        ("linear2", ["attn.to_out"]),
        ("norm.query_norm", ["attn.norm_q"]),
        ("norm.key_norm", ["attn.norm_k"]),
    ]
    return original(
        weights,
        FLUX2_REST,
        {
            "transformer_blocks": ("double_blocks", double),
            "single_transformer_blocks": ("single_blocks", single),
        },
    )


def sd3(weights: Weights) -> dict[str, Tensor]:
    """Weights of Stable Diffusion 3 and 3.5 in the names of Stability AI."""
    context = "context_block."
    block: list[Row] = [
        ("x_block.attn.qkv", ["attn.to_q", "attn.to_k", "attn.to_v"]),
        ("x_block.attn2.qkv", ["attn2.to_q", "attn2.to_k", "attn2.to_v"]),
        (f"{context}attn.qkv", ["attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"]),
        ("x_block.attn.ln_q", ["attn.norm_q"]),
        ("x_block.attn.ln_k", ["attn.norm_k"]),
        ("x_block.attn2.ln_q", ["attn2.norm_q"]),
        ("x_block.attn2.ln_k", ["attn2.norm_k"]),
        (f"{context}attn.ln_q", ["attn.norm_added_q"]),
        (f"{context}attn.ln_k", ["attn.norm_added_k"]),
        ("x_block.attn.proj", ["attn.to_out.0"]),
        ("x_block.attn2.proj", ["attn2.to_out.0"]),
        (f"{context}attn.proj", ["attn.to_add_out"]),
        ("x_block.mlp.fc1", ["ff.net.0.proj"]),
        ("x_block.mlp.fc2", ["ff.net.2"]),
        (f"{context}mlp.fc1", ["ff_context.net.0.proj"]),
        (f"{context}mlp.fc2", ["ff_context.net.2"]),
        ("x_block.adaLN_modulation.1", ["norm1.linear"]),
        (f"{context}adaLN_modulation.1", ["norm1_context.linear"]),
    ]
    embed = "time_text_embed"
    rest: list[Row] = [
        ("x_embedder.proj", ["pos_embed.proj"]),
        ("context_embedder", ["context_embedder"]),
        ("t_embedder.mlp.0", [f"{embed}.timestep_embedder.linear_1"]),
        ("t_embedder.mlp.2", [f"{embed}.timestep_embedder.linear_2"]),
        ("y_embedder.mlp.0", [f"{embed}.text_embedder.linear_1"]),
        ("y_embedder.mlp.2", [f"{embed}.text_embedder.linear_2"]),
        ("final_layer.linear", ["proj_out"]),
        ("final_layer.adaLN_modulation.1", ["-norm_out.linear"]),
    ]
    found = original(weights, rest, {"transformer_blocks": ("joint_blocks", block)})
    last = max(int(name.split(".")[1]) for name in found if name.startswith("joint_blocks."))
    for name in [name for name in found if f"{last}.{context}adaLN" in name]:
        found[name] = torch.cat(found[name].chunk(2)[::-1])
    return {**found, "pos_embed": weights["pos_embed.pos_embed"]}


def auraflow(weights: Weights) -> dict[str, Tensor]:
    """Weights of AuraFlow in the names of its files."""
    joint: list[Row] = [
        *((f"mlp{side}.{theirs}", [f"{ours}.{layer}"])
          for side, ours in (("X", "ff"), ("C", "ff_context"))
          for theirs, layer in AURA_FEED_FORWARD),
        ("modX.1", ["norm1.linear"]),
        ("modC.1", ["norm1_context.linear"]),
        *((f"attn.w2{part}", [f"attn.to_{part}"]) for part in "qkv"),
        *((f"attn.w1{part}", [f"attn.add_{part}_proj"]) for part in "qkv"),
        ("attn.w2o", ["attn.to_out.0"]),
        ("attn.w1o", ["attn.to_add_out"]),
    ]  # fmt: skip
    single: list[Row] = [
        *((f"mlp.{theirs}", [f"ff.{layer}"]) for theirs, layer in AURA_FEED_FORWARD),
        ("modCX.1", ["norm1.linear"]),
        *((f"attn.w1{part}", [f"attn.to_{part}"]) for part in "qkv"),
        ("attn.w1o", ["attn.to_out.0"]),
    ]
    rest: list[Row] = [
        ("init_x_linear", ["pos_embed.proj"]),
        ("cond_seq_linear", ["context_embedder"]),
        ("t_embedder.mlp.0", ["time_step_proj.linear_1"]),
        ("t_embedder.mlp.2", ["time_step_proj.linear_2"]),
        ("final_linear", ["proj_out"]),
        ("modF.1", ["-norm_out.linear"]),
    ]
    found = original(
        weights,
        rest,
        {
            "joint_transformer_blocks": ("double_layers", joint),
            "single_transformer_blocks": ("single_layers", single),
        },
    )
    places = {"positional_encoding": weights["pos_embed.pos_embed"]}
    return {**found, **places, "register_tokens": weights["register_tokens"]}


AURA_FEED_FORWARD = [("c_fc1", "linear_1"), ("c_fc2", "linear_2"), ("c_proj", "out_projection")]


def hunyuan_image(weights: Weights) -> dict[str, Tensor]:
    """Weights of HunyuanImage 2.1 in the names of Tencent."""
    double: list[Row] = [
        ("img_mod.linear", ["norm1.linear"]),
        ("txt_mod.linear", ["norm1_context.linear"]),
        ("img_attn_qkv", ["attn.to_q", "attn.to_k", "attn.to_v"]),
        ("txt_attn_qkv", ["attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"]),
        *((f"img_attn_{part}_norm", [f"attn.norm_{part}"]) for part in "qk"),
        *((f"txt_attn_{part}_norm", [f"attn.norm_added_{part}"]) for part in "qk"),
        ("img_attn_proj", ["attn.to_out.0"]),
        ("txt_attn_proj", ["attn.to_add_out"]),
        ("img_mlp.fc1", ["ff.net.0.proj"]),
        ("img_mlp.fc2", ["ff.net.2"]),
        ("txt_mlp.fc1", ["ff_context.net.0.proj"]),
        ("txt_mlp.fc2", ["ff_context.net.2"]),
    ]
    single: list[Row] = [
        ("modulation.linear", ["norm.linear"]),
        ("linear1", ["attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"]),
        ("linear2", ["proj_out"]),
        ("q_norm", ["attn.norm_q"]),
        ("k_norm", ["attn.norm_k"]),
    ]
    refiner: list[Row] = [
        ("norm1", ["norm1"]),
        ("norm2", ["norm2"]),
        ("self_attn_qkv", ["attn.to_q", "attn.to_k", "attn.to_v"]),
        ("self_attn_proj", ["attn.to_out.0"]),
        ("mlp.fc1", ["ff.net.0.proj"]),
        ("mlp.fc2", ["ff.net.2"]),
        ("adaLN_modulation.1", ["norm_out.linear"]),
    ]
    inner = "context_embedder.time_text_embed"
    rest: list[Row] = [
        ("img_in.proj", ["x_embedder.proj"]),
        *((f"{theirs}.mlp.{2 * n}", [f"{ours}_embedder.linear_{n + 1}"])
          for theirs, ours in (("time_in", "time_guidance_embed.timestep"),
                               ("guidance_in", "time_guidance_embed.guidance"),
                               ("txt_in.t_embedder", f"{inner}.timestep")) for n in (0, 1)),
        *((f"txt_in.c_embedder.linear_{n}", [f"{inner}.text_embedder.linear_{n}"]) for n in (1, 2)),
        ("txt_in.input_embedder", ["context_embedder.proj_in"]),
        ("byt5_in.layernorm", ["context_embedder_2.norm"]),
        *((f"byt5_in.fc{n}", [f"context_embedder_2.linear_{n}"]) for n in (1, 2, 3)),
        ("final_layer.linear", ["proj_out"]),
        ("final_layer.adaLN_modulation.1", ["-norm_out.linear"]),
    ]  # fmt: skip
    found = original(
        weights,
        rest,
        {
            "transformer_blocks": ("double_blocks", double),
            "single_transformer_blocks": ("single_blocks", single),
            "context_embedder.token_refiner.refiner_blocks": (
                "txt_in.individual_token_refiner.blocks",
                refiner,
            ),
        },
    )
    return {name.replace("_norm.scale", "_norm.weight"): each for name, each in found.items()}
