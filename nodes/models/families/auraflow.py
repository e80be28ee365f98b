"""AuraFlow of fal: blocks of picture and text, then of both as one, after Pile-T5-XL.

https://huggingface.co/fal/AuraFlow-v0.3 (Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nodes.models.families import transformer
from nodes.models.families.family import Facts, Family, Found, Net, Shapes
from nodes.models.families.renaming import Reordered, Rule, count, renamed, shapes_of, within
from nodes.models.files.pieces import whole
from nodes.models.latents.formats import SDXL as FORMAT
from nodes.models.latents.formats import LatentFormat

if TYPE_CHECKING:
    from torch import Tensor

    from nodes.models.conditioning.inputs import Inputs, InputsRequest
    from nodes.models.sampling.sigma_space import SigmaSpace

NETWORK = "diffusers.models.transformers.auraflow_transformer_2d:AuraFlowTransformer2DModel"
HEAD, PATCH, SHIFT = 256, 2, 1.73
SIGN = "double_layers.0.attn.w1q.weight"
SIGN_DIFFUSERS = "joint_transformer_blocks.0.attn.add_q_proj.weight"
FEED_FORWARD: Mapping[str, Rule] = {
    "c_fc1": "linear_1",
    "c_fc2": "linear_2",
    "c_proj": "out_projection",
}
JOINT: Mapping[str, Rule] = {
    **within("mlpX.", "ff.", FEED_FORWARD),
    **within("mlpC.", "ff_context.", FEED_FORWARD),
    "modX.1": "norm1.linear",
    "modC.1": "norm1_context.linear",
    "attn.w2q": "attn.to_q",
    "attn.w2k": "attn.to_k",
    "attn.w2v": "attn.to_v",
    "attn.w2o": "attn.to_out.0",
    "attn.w1q": "attn.add_q_proj",
    "attn.w1k": "attn.add_k_proj",
    "attn.w1v": "attn.add_v_proj",
    "attn.w1o": "attn.to_add_out",
}
SINGLE: Mapping[str, Rule] = {
    **within("mlp.", "ff.", FEED_FORWARD),
    "modCX.1": "norm1.linear",
    "attn.w1q": "attn.to_q",
    "attn.w1k": "attn.to_k",
    "attn.w1v": "attn.to_v",
    "attn.w1o": "attn.to_out.0",
}
RULES: Mapping[str, Rule] = {
    "register_tokens": "register_tokens",
    "positional_encoding": "pos_embed.pos_embed",
    "init_x_linear": "pos_embed.proj",
    "cond_seq_linear": "context_embedder",
    "t_embedder.mlp.0": "time_step_proj.linear_1",
    "t_embedder.mlp.2": "time_step_proj.linear_2",
    "final_linear": "proj_out",
    "modF.1": Reordered("norm_out.linear"),
    **within("double_layers.{n}.", "joint_transformer_blocks.{n}.", JOINT),
    **within("single_layers.{n}.", "single_transformer_blocks.{n}.", SINGLE),
}


def detect(shapes: Shapes) -> Net | None:
    """Blocks with queries, keys and values of picture and text as layers of their own."""
    if SIGN in shapes:
        pieces = renamed(shapes, RULES)
    elif SIGN_DIFFUSERS in shapes:
        pieces = whole({name: name for name in shapes})
    else:
        return None
    ours = shapes_of(pieces, shapes)
    needed = ("context_embedder.weight", "pos_embed.pos_embed", "pos_embed.proj.weight")
    if not all(name in ours for name in needed):
        return None
    hidden, width = ours["context_embedder.weight"]
    channels = ours["pos_embed.proj.weight"][1] // PATCH**2
    config = {
        "patch_size": PATCH,
        "in_channels": channels,
        "out_channels": channels,
        "num_mmdit_layers": count(ours, "joint_transformer_blocks"),
        "num_single_dit_layers": count(ours, "single_transformer_blocks"),
        "attention_head_dim": HEAD,
        "num_attention_heads": hidden // HEAD,
        "joint_attention_dim": width,
        "caption_projection_dim": hidden,
        "pos_embed_max_size": ours["pos_embed.pos_embed"][1],
    }
    return Net(pieces, config)


def sampling(found: Found) -> tuple[SigmaSpace, LatentFormat]:
    """A rectified flow."""
    from nodes.models.sampling.flows import Flow

    return Flow(SHIFT, 1.0), found.latent


def inputs(request: InputsRequest, facts: Facts) -> Inputs:
    """The text."""
    return {"text": transformer.text(request, facts, facts.config["joint_attention_dim"])}


def call(module: Any, x: Tensor, timestep: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
    """The output of the network for its input [B, C, h, w], as `Family.call`."""
    height, width = x.shape[-2:]
    answer = module(
        hidden_states=transformer.padded(x, PATCH),
        encoder_hidden_states=inputs["text"].to(x),
        timestep=timestep,
        return_dict=False,
    )[0]
    return answer[..., :height, :width]


AURAFLOW = Family("AuraFlow", detect, NETWORK, FORMAT, (), sampling, inputs, call)
