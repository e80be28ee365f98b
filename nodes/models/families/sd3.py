"""Stable Diffusion 3 and 3.5 of Stability AI, medium and large.

Esser et al. 2024, https://arxiv.org/abs/2403.03206. Texts of CLIP-L and CLIP-G side by side, that
of T5 behind them, and the pooled ones of the first two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nodes.models.families import transformer
from nodes.models.families.family import Facts, Family, Found, Net, Shapes
from nodes.models.families.renaming import Reordered, Rule, Split, count, renamed, shapes_of, within
from nodes.models.files.pieces import Piece, whole
from nodes.models.latents.formats import SD3 as FORMAT
from nodes.models.latents.formats import LatentFormat

if TYPE_CHECKING:
    from torch import Tensor

    from nodes.models.conditioning.inputs import Inputs, InputsRequest
    from nodes.models.sampling.sigma_space import SigmaSpace

NETWORK = "diffusers.models.transformers.transformer_sd3:SD3Transformer2DModel"
HEAD, SHIFT = 64, 3.0
SIGN = "joint_blocks.0.context_block.attn.qkv.weight"
SIGN_DIFFUSERS = "pos_embed.pos_embed"
BLOCK = "transformer_blocks.{n}."
PICTURE: Mapping[str, Rule] = {
    "attn.qkv": Split(("attn.to_q", "attn.to_k", "attn.to_v")),
    "attn.ln_q": "attn.norm_q",
    "attn.ln_k": "attn.norm_k",
    "attn.proj": "attn.to_out.0",
    "attn2.qkv": Split(("attn2.to_q", "attn2.to_k", "attn2.to_v")),
    "attn2.ln_q": "attn2.norm_q",
    "attn2.ln_k": "attn2.norm_k",
    "attn2.proj": "attn2.to_out.0",
    "adaLN_modulation.1": "norm1.linear",
    "mlp.fc1": "ff.net.0.proj",
    "mlp.fc2": "ff.net.2",
}
TEXT: Mapping[str, Rule] = {
    "attn.qkv": Split(("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj")),
    "attn.ln_q": "attn.norm_added_q",
    "attn.ln_k": "attn.norm_added_k",
    "attn.proj": "attn.to_add_out",
    "adaLN_modulation.1": "norm1_context.linear",
    "mlp.fc1": "ff_context.net.0.proj",
    "mlp.fc2": "ff_context.net.2",
}
RULES: Mapping[str, Rule] = {
    "pos_embed": "pos_embed.pos_embed",
    "x_embedder.proj": "pos_embed.proj",
    "context_embedder": "context_embedder",
    "t_embedder.mlp.0": "time_text_embed.timestep_embedder.linear_1",
    "t_embedder.mlp.2": "time_text_embed.timestep_embedder.linear_2",
    "y_embedder.mlp.0": "time_text_embed.text_embedder.linear_1",
    "y_embedder.mlp.2": "time_text_embed.text_embedder.linear_2",
    "final_layer.linear": "proj_out",
    "final_layer.adaLN_modulation.1": Reordered("norm_out.linear"),
    **within("joint_blocks.{n}.x_block.", BLOCK, PICTURE),
    **within("joint_blocks.{n}.context_block.", BLOCK, TEXT),
}


def detect(shapes: Shapes) -> Net | None:
    """Blocks of picture and text with a table of places."""
    pieces = _pieces(shapes)
    if pieces is None:
        return None
    ours = shapes_of(pieces, shapes)
    try:
        return Net(pieces, _config(ours))
    except KeyError:  # something is not there: another kind of network
        return None


def _pieces(shapes: Shapes) -> dict[str, tuple[Piece, ...]] | None:
    if SIGN in shapes:
        found = renamed(shapes, RULES)
        last = count(shapes, "joint_blocks") - 1
        place = f"{BLOCK.format(n=last)}norm1_context.linear"
        for ending in ("weight", "bias"):
            # The text ends in the last block, where its modulation is a scale and a shift alone.
            if (whole_layer := found.get(f"{place}.{ending}")) is not None:
                name = whole_layer[0].name
                swapped = Reordered(place).pieces(name, int(shapes[name][0]))
                found[f"{place}.{ending}"] = swapped[place]
        return found
    joint = "transformer_blocks.0.attn.add_q_proj.weight"
    if SIGN_DIFFUSERS in shapes and joint in shapes:
        return whole({name: name for name in shapes})
    return None


def _config(ours: Shapes) -> dict[str, Any]:
    hidden, channels, patch, _ = ours["pos_embed.proj.weight"]
    layers = count(ours, "transformer_blocks")
    dual = [n for n in range(layers) if f"transformer_blocks.{n}.attn2.to_q.weight" in ours]
    normed = "transformer_blocks.0.attn.norm_q.weight" in ours
    text = ours["context_embedder.weight"]
    return {
        "patch_size": int(patch),
        "in_channels": int(channels),
        "out_channels": int(ours["proj_out.weight"][0]) // int(patch) ** 2,
        "num_layers": layers,
        "attention_head_dim": HEAD,
        "num_attention_heads": int(hidden) // HEAD,
        "joint_attention_dim": int(text[1]),
        "caption_projection_dim": int(text[0]),
        "pooled_projection_dim": int(ours["time_text_embed.text_embedder.linear_1.weight"][1]),
        "pos_embed_max_size": math.isqrt(int(ours["pos_embed.pos_embed"][1])),
        "dual_attention_layers": dual,
        "qk_norm": "rms_norm" if normed else None,
    }


def sampling(found: Found) -> tuple[SigmaSpace, LatentFormat]:
    """A rectified flow."""
    from nodes.models.sampling.flows import Flow

    return Flow(SHIFT, 1000.0), found.latent


def inputs(request: InputsRequest, facts: Facts) -> Inputs:
    """The texts, and the pooled ones."""
    config = facts.config
    return {
        "text": transformer.text(request, facts, config["joint_attention_dim"]),
        "pooled": transformer.pooled(request, config["pooled_projection_dim"]),
    }


def call(module: Any, x: Tensor, timestep: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
    """The output of the network for its input [B, C, h, w], as `Family.call`."""
    height, width = x.shape[-2:]
    answer = module(
        hidden_states=transformer.padded(x, transformer.config_of(module).patch_size),
        encoder_hidden_states=inputs["text"].to(x),
        pooled_projections=inputs["pooled"].to(x),
        timestep=timestep,
        return_dict=False,
    )[0]
    return answer[..., :height, :width]


SD3 = Family("Stable Diffusion 3", detect, NETWORK, FORMAT, (), sampling, inputs, call)
