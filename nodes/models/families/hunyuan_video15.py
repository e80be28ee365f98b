"""HunyuanVideo 1.5: videos of 16 x 16 x 4 pixels a cell, by a text and by a picture.

https://github.com/Tencent-Hunyuan/HunyuanVideo-1.5. A text of Qwen2.5-VL, one of ByT5 for what is
in quotes, and what SigLIP sees in a picture whose latents are given beside the noisy ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nodes.models.families.family import Facts, Family, Net, Shapes
from nodes.models.families.hunyuan_video import common, config_of, entered, pieces_of, sampling
from nodes.models.families.renaming import Rule, shapes_of
from nodes.models.latents.video_formats import HUNYUAN_VIDEO15 as FORMAT

if TYPE_CHECKING:
    from torch import Tensor

    from nodes.models.conditioning.inputs import Inputs, InputsRequest

LEVELS = "time_r_in.mlp.0.weight"
"""In files of networks that are given two levels of noise, which are built otherwise."""
RULES: Mapping[str, Rule] = {
    "time_in.mlp.0": "time_embed.timestep_embedder.linear_1",
    "time_in.mlp.2": "time_embed.timestep_embedder.linear_2",
    "vision_in.proj.0": "image_embedder.norm_in",
    "vision_in.proj.1": "image_embedder.linear_1",
    "vision_in.proj.3": "image_embedder.linear_2",
    "vision_in.proj.4": "image_embedder.norm_out",
    "cond_type_embedding": "cond_type_embed",
}


def detect(shapes: Shapes) -> Net | None:
    """As HunyuanVideo, with a projection of what a vision encoder sees."""
    pieces = None if LEVELS in shapes else pieces_of(shapes, RULES)
    found = {} if pieces is None else shapes_of(pieces, shapes)
    seen, quoted = (
        found.get(f"{name}.linear_1.weight") for name in ("image_embedder", "context_embedder_2")
    )
    if pieces is None or seen is None or quoted is None:
        return None
    config = {**config_of(found), "image_embed_dim": seen[1], "text_embed_2_dim": quoted[1]}
    return Net(pieces, config)


def inputs(request: InputsRequest, facts: Facts) -> Inputs:
    """The texts, the latents of a picture, and what was seen in it."""
    from nodes.models.conditioning.inputs import Collation, Input

    found = common(request, facts)
    quoted: Tensor | None = request.options.get("conditioning_byt5small")
    if quoted is not None:
        found["quoted"] = Input(quoted, Collation.TEXT)
    if (output := request.options.get("clip_vision_output")) is not None:
        found["seen"] = Input(output.last_hidden_state[:1], Collation.EACH)
    return found


def call(module: Any, x: Tensor, timestep: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
    """The velocity of latents [B, C, T, h, w], as `Family.call`."""
    from nodes.models.families.transformer import config_of as settings_of

    settings = settings_of(module)
    text = inputs["text"].to(x)
    empty = text[:, :0]
    quoted = inputs["quoted"].to(x) if "quoted" in inputs else None
    if quoted is None:
        quoted = empty[..., :1].expand(-1, -1, settings.text_embed_2_dim)
    seen = inputs["seen"].to(x) if "seen" in inputs else None
    made = module(
        entered(module, x, inputs),
        timestep,
        text,
        text.new_ones(text.shape[:2]),
        encoder_hidden_states_2=quoted,
        encoder_attention_mask_2=quoted.new_ones(quoted.shape[:2]),
        image_embeds=empty[..., :1].expand(-1, -1, settings.image_embed_dim)
        if seen is None
        else seen,
        return_dict=False,
    )[0]
    return made[..., : x.shape[-2], : x.shape[-1]]


HUNYUAN_VIDEO15 = Family(
    "HunyuanVideo 1.5",
    detect,
    "nodes.models.networks.hunyuan_video:HunyuanVideo15Transformer",
    FORMAT,
    (),
    sampling,
    inputs,
    call,
    safe=("bf16",),
)
