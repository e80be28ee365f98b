"""HunyuanImage 2.1 of Tencent: latents with a cell for 32 x 32 pixels.

https://github.com/Tencent-Hunyuan/HunyuanImage-2.1. A text of Qwen2.5-VL, refined in the network,
and one of ByT5 for what is in quotes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nodes.models.families import transformer
from nodes.models.families.family import Facts, Family, Found, Net, Shapes
from nodes.models.families.flux import HEAD
from nodes.models.families.renaming import Reordered, Rule, Split, count, renamed, shapes_of, within
from nodes.models.files.pieces import whole
from nodes.models.latents.formats import HUNYUAN_IMAGE as FORMAT
from nodes.models.latents.formats import LatentFormat

if TYPE_CHECKING:
    from torch import Tensor

    from nodes.models.conditioning.inputs import Inputs, InputsRequest
    from nodes.models.sampling.sigma_space import SigmaSpace

NETWORK = "diffusers.models.transformers.transformer_hunyuanimage:HunyuanImageTransformer2DModel"
SHIFT, GUIDANCE = 5.0, 6.0
SIGN = "txt_in.individual_token_refiner.blocks.0.norm1.weight"
REFINER = "context_embedder.token_refiner.refiner_blocks"
DOUBLE: Mapping[str, Rule] = {
    "img_mod.linear": "norm1.linear",
    "img_attn_qkv": Split(("attn.to_q", "attn.to_k", "attn.to_v")),
    "img_attn_q_norm": "attn.norm_q",
    "img_attn_k_norm": "attn.norm_k",
    "img_attn_proj": "attn.to_out.0",
    "img_mlp.fc1": "ff.net.0.proj",
    "img_mlp.fc2": "ff.net.2",
    "txt_mod.linear": "norm1_context.linear",
    "txt_attn_qkv": Split(("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj")),
    "txt_attn_q_norm": "attn.norm_added_q",
    "txt_attn_k_norm": "attn.norm_added_k",
    "txt_attn_proj": "attn.to_add_out",
    "txt_mlp.fc1": "ff_context.net.0.proj",
    "txt_mlp.fc2": "ff_context.net.2",
}
REFINER_BLOCK: Mapping[str, Rule] = {
    "adaLN_modulation.1": "norm_out.linear",
    "norm1": "norm1",
    "norm2": "norm2",
    "self_attn_qkv": Split(("attn.to_q", "attn.to_k", "attn.to_v")),
    "self_attn_proj": "attn.to_out.0",
    "mlp.fc1": "ff.net.0.proj",
    "mlp.fc2": "ff.net.2",
}
ENDS: Mapping[str, Rule] = {
    "img_in.proj": "x_embedder.proj",
    "time_in.mlp.0": "time_guidance_embed.timestep_embedder.linear_1",
    "time_in.mlp.2": "time_guidance_embed.timestep_embedder.linear_2",
    "guidance_in.mlp.0": "time_guidance_embed.guidance_embedder.linear_1",
    "guidance_in.mlp.2": "time_guidance_embed.guidance_embedder.linear_2",
    "txt_in.input_embedder": "context_embedder.proj_in",
    "txt_in.t_embedder.mlp.0": "context_embedder.time_text_embed.timestep_embedder.linear_1",
    "txt_in.t_embedder.mlp.2": "context_embedder.time_text_embed.timestep_embedder.linear_2",
    "txt_in.c_embedder.linear_1": "context_embedder.time_text_embed.text_embedder.linear_1",
    "txt_in.c_embedder.linear_2": "context_embedder.time_text_embed.text_embedder.linear_2",
    "byt5_in.layernorm": "context_embedder_2.norm",
    "byt5_in.fc1": "context_embedder_2.linear_1",
    "byt5_in.fc2": "context_embedder_2.linear_2",
    "byt5_in.fc3": "context_embedder_2.linear_3",
    "final_layer.linear": "proj_out",
    "final_layer.adaLN_modulation.1": Reordered("norm_out.linear"),
}


def rules(hidden: int) -> dict[str, Rule]:
    """Rules for the layers of a network of some width, also of one for videos."""
    single = ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp")
    blocks: dict[str, Rule] = {
        "linear1": Split(single, (hidden,) * 3),
        "linear2": "proj_out",
        "q_norm": "attn.norm_q",
        "k_norm": "attn.norm_k",
        "modulation.linear": "norm.linear",
    }
    refiner = "txt_in.individual_token_refiner.blocks.{n}."
    return {
        **ENDS,
        **within("double_blocks.{n}.", "transformer_blocks.{n}.", DOUBLE),
        **within("single_blocks.{n}.", "single_transformer_blocks.{n}.", blocks),
        **within(refiner, REFINER + ".{n}.", REFINER_BLOCK),
    }


def detect(shapes: Shapes) -> Net | None:
    """A refiner of the text, no vector beside it, and patches of two axes."""
    entry = shapes.get("img_in.proj.weight")
    if SIGN in shapes and entry is not None:
        pieces = renamed(shapes, rules(int(entry[0])))
    elif f"{REFINER}.0.norm1.weight" in shapes:
        pieces = whole({name: name for name in shapes})
    else:
        return None
    ours = shapes_of(pieces, shapes)
    patches = ours.get("x_embedder.proj.weight", ())
    others = ("vector_in.in_layer.weight", "vision_in.proj.0.weight", "time_r_in.mlp.0.weight")
    if len(patches) != 4 or any(name in shapes for name in others):
        return None
    return Net(pieces, _config(ours))


def _config(ours: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    hidden, channels, *patch = ours["x_embedder.proj.weight"]
    second = ours.get("context_embedder_2.linear_1.weight")
    return {
        "in_channels": channels,
        "out_channels": ours["proj_out.weight"][0] // (patch[0] * patch[1]),
        "patch_size": patch,
        "num_layers": count(ours, "transformer_blocks"),
        "num_single_layers": count(ours, "single_transformer_blocks"),
        "num_refiner_layers": count(ours, REFINER),
        "attention_head_dim": HEAD,
        "num_attention_heads": hidden // HEAD,
        "guidance_embeds": "time_guidance_embed.guidance_embedder.linear_1.weight" in ours,
        "text_embed_dim": ours["context_embedder.proj_in.weight"][1],
        "text_embed_2_dim": None if second is None else second[1],
    }


def sampling(found: Found) -> tuple[SigmaSpace, LatentFormat]:
    """A rectified flow."""
    from nodes.models.sampling.flows import Flow

    return Flow(SHIFT, 1000.0), found.latent


def inputs(request: InputsRequest, facts: Facts) -> Inputs:
    """The text and which of its tokens count, that in quotes, and the scale of guidance."""
    from nodes.models.conditioning.inputs import Collation, Input

    found = {
        "text": transformer.text(request, facts, facts.config["text_embed_dim"]),
        **transformer.text_mask(request),
    }
    quoted: Tensor | None = request.options.get("conditioning_byt5small")
    if quoted is not None and facts.config["text_embed_2_dim"] is not None:
        found["quoted"] = Input(quoted, Collation.TEXT)
    if facts.config["guidance_embeds"]:
        guidance = request.options.get("guidance", GUIDANCE)
        found["guidance"] = transformer.number(GUIDANCE if guidance is None else guidance)
    return found


def call(module: Any, x: Tensor, timestep: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
    """The output of the network for its input [B, C, h, w], as `Family.call`."""
    import torch

    height, width = x.shape[-2:]
    text, quoted = inputs["text"].to(x), inputs.get("quoted")
    mask = inputs.get(transformer.TEXT_MASK)
    guidance = inputs.get("guidance")
    answer = module(
        hidden_states=transformer.padded(x, transformer.config_of(module).patch_size[0]),
        timestep=timestep,
        encoder_hidden_states=text,
        encoder_attention_mask=torch.ones(text.shape[:2], device=x.device)
        if mask is None
        else mask,
        encoder_hidden_states_2=None if quoted is None else quoted.to(x),
        encoder_attention_mask_2=None
        if quoted is None
        else torch.ones(quoted.shape[:2], device=x.device),
        guidance=None if guidance is None else 1000 * guidance,
        return_dict=False,
    )[0]
    return answer[..., :height, :width]


HUNYUAN_IMAGE = Family(
    "HunyuanImage 2.1", detect, NETWORK, FORMAT, (), sampling, inputs, call, safe=("bf16",)
)
