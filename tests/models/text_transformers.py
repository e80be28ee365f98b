"""Tiny networks of Z-Image, Lumina 2, Qwen-Image and Wan, and their weights in original names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from diffusers.models.transformers.transformer_lumina2 import Lumina2Transformer2DModel
from diffusers.models.transformers.transformer_qwenimage import QwenImageTransformer2DModel
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
from diffusers.models.transformers.transformer_z_image import ZImageTransformer2DModel
from torch import Tensor

from nodes.models.conditioning.vision import Seen
from nodes.models.latents.video_formats import WAN

Names = Mapping[str, str]
CONTEXT = 24


def spelled(weights: Mapping[str, Tensor], names: Names, fused: Sequence[str]) -> dict[str, Tensor]:
    """Weights by other names, those of queries, keys and values in one tensor.

    A last modulation of two parts, shift and scale, has these the other way round.

    Args:
        weights: by their names in diffusers.
        names: patterns of parts of these, and what stands there in an original file.
        fused: how names of queries begin, in an original file, that are one with what follows.
    """
    found: dict[str, dict[int, Tensor]] = {}
    for plain, weight in weights.items():
        name, layer = plain, re.search(r"(?:to|add)_([qkv])", plain)
        for ours, theirs in names.items():
            name = re.sub(ours, theirs, name)
        for part in fused:
            name = re.sub(rf"\.{part}[qkv]\.", f".{part.removesuffix('to_')}qkv.", name)
        if name.startswith("final_layer.adaLN") and "norm_out.linear.weight" in weights:
            weight = torch.cat(weight.chunk(2)[::-1])
        found.setdefault(name, {})["qkv".index(layer[1]) if layer else 3] = weight
    return {
        name: torch.cat([parts[place] for place in sorted(parts)]) for name, parts in found.items()
    }


ONE_STREAM: Names = {
    r"\.attn\.": ".attention.",
    r"\.to_out\.0\.": ".out.",
    r"\.norm_q\.": ".q_norm.",
    r"\.norm_k\.": ".k_norm.",
}
Z_NAMES: Names = {**ONE_STREAM, r"all_x_embedder\.2-1": "x_embedder",
                  r"all_final_layer\.2-1": "final_layer"}  # fmt: skip
LUMINA_NAMES: Names = {
    **ONE_STREAM,
    r"time_caption_embed\.caption_embedder": "cap_embedder",
    r"time_caption_embed\.timestep_embedder\.linear_1": "t_embedder.mlp.0",
    r"time_caption_embed\.timestep_embedder\.linear_2": "t_embedder.mlp.2",
    r"norm_out\.linear_1": "final_layer.adaLN_modulation.1",
    r"norm_out\.linear_2": "final_layer.linear",
    r"\.norm1\.linear": ".adaLN_modulation.1",
    r"(?<!ffn_)norm1\.norm\.": "attention_norm1.",
    r"(context_refiner\.\d\.)norm1": r"\1attention_norm1",
    r"(\.\d\.)norm2": r"\1attention_norm2",
    r"feed_forward\.linear_": "feed_forward.w",
}
WAN_NAMES: Names = {
    r"condition_embedder\.text_embedder\.linear_1": "text_embedding.0",
    r"condition_embedder\.text_embedder\.linear_2": "text_embedding.2",
    r"condition_embedder\.time_embedder\.linear_1": "time_embedding.0",
    r"condition_embedder\.time_embedder\.linear_2": "time_embedding.2",
    r"condition_embedder\.time_proj": "time_projection.1",
    r"condition_embedder\.image_embedder\.norm1": "img_emb.proj.0",
    r"condition_embedder\.image_embedder\.ff\.net\.0\.proj": "img_emb.proj.1",
    r"condition_embedder\.image_embedder\.ff\.net\.2": "img_emb.proj.3",
    r"condition_embedder\.image_embedder\.norm2": "img_emb.proj.4",
    r"condition_embedder\.image_embedder\.pos_embed": "img_emb.emb_pos",
    r"^scale_shift_table": "head.modulation",
    r"^proj_out": "head.head",
    r"scale_shift_table": "modulation",
    r"\.norm2\.": ".norm3.",
    r"attn1\.": "self_attn.",
    r"attn2\.": "cross_attn.",
    r"\.to_out\.0\.": ".o.",
    r"\.to_([qkv])\.": r".\1.",
    r"\.add_([kv])_proj\.": r".\1_img.",
    r"\.norm_added_k\.": ".norm_k_img.",
    r"ffn\.net\.0\.proj": "ffn.0",
    r"ffn\.net\.2": "ffn.2",
}


@dataclass(frozen=True)
class Kind:
    """A kind of model.

    Attributes:
        family: its name.
        network: class of diffusers.
        settings: of a tiny one.
        answer: what diffusers' network gives for noisy latents, a text and options at `LEVEL`.
        shape: of the latents.
        names: see `spelled`.
        fused: see `spelled`.
        tokens: of the text.
        options: makes those of the conditioning.
        marks: further tensors of a file.
    """

    family: str
    network: Any
    settings: Mapping[str, Any]
    answer: Callable[[Any, Tensor, Tensor, Mapping[str, Any]], Tensor]
    shape: Sequence[int]
    names: Names = field(default_factory=dict[str, str])
    fused: Sequence[str] = ()
    tokens: int = 7
    options: Callable[[], dict[str, Any]] = dict
    marks: Sequence[str] = ()


LEVEL = 0.6


def _z_image(module: Any, x: Tensor, text: Tensor, options: Mapping[str, Any]) -> Tensor:
    told = torch.full((len(x),), 1 - LEVEL)
    made = module([*x[:, :, None].unbind()], told, [*text.unbind()], return_dict=False)[0]
    return -torch.stack(made)[:, :, 0]


def _lumina(module: Any, x: Tensor, text: Tensor, options: Mapping[str, Any]) -> Tensor:
    told = torch.full((len(x),), 1 - LEVEL)
    mask = torch.ones(text.shape[:2], dtype=torch.int64)
    return -module(x, told, text, mask, return_dict=False)[0]


def _packed(video: Tensor) -> Tensor:
    """Patches of 2 x 2 as tokens, frame by frame."""
    parts = video.unfold(3, 2, 2).unfold(4, 2, 2).permute(0, 2, 3, 4, 1, 5, 6)
    return parts.reshape(len(video), -1, video.shape[1] * 4)


def _qwen(module: Any, x: Tensor, text: Tensor, options: Mapping[str, Any]) -> Tensor:
    count, _, frames, rows, columns = x.shape
    given = [x, *(each.expand(count, -1, -1, -1, -1) for each in options.get("inside", ()))]
    grids = [(v.shape[2], v.shape[3] // 2, v.shape[4] // 2) for v in given]
    if module.config.use_layer3d_rope:
        grids = [(1, *grids[0][1:])] * frames + grids[1:]
    made = module(
        torch.cat([_packed(video) for video in given], dim=1),
        text,
        timestep=torch.full((count,), LEVEL),
        img_shapes=[grids] * count,
        additional_t_cond=torch.zeros(count, dtype=torch.int64)
        if module.config.use_additional_t_cond
        else None,
        return_dict=False,
    )[0][:, : frames * rows * columns // 4]
    cells = made.reshape(count, frames, rows // 2, columns // 2, -1, 2, 2)
    return cells.permute(0, 4, 1, 2, 5, 3, 6).reshape(x.shape)


def _wan(module: Any, x: Tensor, text: Tensor, options: Mapping[str, Any]) -> Tensor:
    told = torch.full((len(x),), LEVEL * 1000)
    beside = options.get("inside")
    if beside is not None:
        x = torch.cat([x, beside.expand(len(x), -1, -1, -1, -1)], dim=1)
    seen = options.get("clip_vision_output")
    if seen is not None:
        seen = seen.penultimate_hidden_states.expand(len(x), -1, -1)
        if module.config.pos_embed_seq_len:
            seen = seen.reshape(2 * len(x), -1, seen.shape[-1])
    return module(x, told, text, encoder_hidden_states_image=seen, return_dict=False)[0]


HEADS = {"attention_head_dim": 128, "num_attention_heads": 1}
ONE = {"dim": 128, "n_layers": 2, "n_refiner_layers": 1, "n_heads": 1, "n_kv_heads": 1,
       "cap_feat_dim": CONTEXT}  # fmt: skip
LUMINA = {"hidden_size": 48, "num_layers": 2, "num_refiner_layers": 1, "num_attention_heads": 4,
          "num_kv_heads": 2, "cap_feat_dim": CONTEXT, "axes_dim_rope": (4, 4, 4),
          "axes_lens": (300, 64, 64)}  # fmt: skip
QWEN = {**HEADS, "num_layers": 2, "joint_attention_dim": CONTEXT}
VIDEO = {**HEADS, "text_dim": CONTEXT, "ffn_dim": 40, "num_layers": 2}
PICTURES = (1, 16, 4, 6)


def _edited() -> dict[str, Any]:
    pictures = [torch.randn(1, 16, 1, 4, 4), torch.randn(1, 16, 8, 4)]
    inside = [WAN.process_in(pictures[0]), WAN.process_in(pictures[1])[:, :, None]]
    return {"reference_latents": pictures, "inside": inside}


def _given(channels: int) -> dict[str, Any]:
    picture, mask = torch.randn(1, 16, 3, 4, 6), torch.ones(1, 1, 3, 4, 6)
    mask[:, :, 0] = 0
    known = (1 - mask).expand(-1, channels - 16, -1, -1, -1)
    beside = torch.cat([known, WAN.process_in(picture)], dim=1)
    return {"concat_latent_image": picture, "concat_mask": mask, "inside": beside}


def _seen(tokens: int = 257) -> dict[str, Any]:
    seen = Seen(torch.zeros(0), torch.randn(1, tokens, 32), torch.zeros(0))
    return {**_given(20), "clip_vision_output": seen}


QWEN_SHAPE = (1, 16, 1, 8, 4)
LAYERED = {**QWEN, "use_additional_t_cond": True, "use_layer3d_rope": True}
SEES = {"in_channels": 36, "image_dim": 32, "added_kv_proj_dim": 128}
TEXT_KINDS = {
    "Z-Image": Kind("Z-Image", ZImageTransformer2DModel, ONE, _z_image, PICTURES, Z_NAMES,
                    ("attention.to_",)),
    "Lumina 2": Kind("Lumina 2", Lumina2Transformer2DModel, LUMINA, _lumina, PICTURES,
                     LUMINA_NAMES, ("attention.to_",)),
    "Qwen-Image": Kind("Qwen-Image", QwenImageTransformer2DModel, QWEN, _qwen, QWEN_SHAPE),
    "Qwen-Image-Edit-Plus": Kind("Qwen-Image", QwenImageTransformer2DModel, QWEN, _qwen,
                                 QWEN_SHAPE, options=_edited),
    "Qwen-Image-Layered": Kind("Qwen-Image", QwenImageTransformer2DModel, LAYERED, _qwen,
                               (1, 16, 2, 8, 4), options=lambda: {
                                   key: value[:1] for key, value in _edited().items()
                               }),
    "Wan": Kind("Wan", WanTransformer3DModel, VIDEO, _wan, (1, 16, 3, 4, 6), WAN_NAMES),
    "Wan 2.1 picture to video": Kind(
        "Wan", WanTransformer3DModel, {**VIDEO, **SEES}, _wan, (1, 16, 3, 4, 6), WAN_NAMES,
        tokens=512, options=_seen),
    "Wan 2.1 first to last frame": Kind(
        "Wan", WanTransformer3DModel, {**VIDEO, **SEES, "pos_embed_seq_len": 514}, _wan,
        (1, 16, 3, 4, 6), WAN_NAMES, tokens=512, options=lambda: _seen(514)),
    "Wan 2.2 picture to video": Kind(
        "Wan", WanTransformer3DModel, {**VIDEO, "in_channels": 36}, _wan, (1, 16, 3, 4, 6),
        WAN_NAMES, options=lambda: _given(20)),
    "Wan 2.2 5B": Kind("Wan 2.2 5B", WanTransformer3DModel,
                       {**VIDEO, "in_channels": 48, "out_channels": 48}, _wan,
                       (1, 48, 3, 4, 8), WAN_NAMES),
}  # fmt: skip
"""Names of kinds, and what they are."""
