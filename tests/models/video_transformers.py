"""Tiny networks of LTX-Video and HunyuanVideo, and their weights in original names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from diffusers.models.transformers.transformer_hunyuan_video import HunyuanVideoTransformer3DModel
from diffusers.models.transformers.transformer_hunyuan_video15 import (
    HunyuanVideo15Transformer3DModel,
)
from diffusers.models.transformers.transformer_ltx import LTXVideoTransformer3DModel
from torch import Tensor

from nodes.models.conditioning.vision import Seen
from tests.models.text_transformers import CONTEXT, LEVEL, Kind, Names

POOLED, QUOTED, SEEN = 12, 16, 20
LTX_NAMES: Names = {
    r"^proj_in": "patchify_proj",
    r"^time_embed": "adaln_single",
    r"norm_([qk])\.": r"\1_norm.",
}
FEED: Names = {
    r"ff\.net\.0\.proj": "img_mlp.fc1",
    r"ff\.net\.2": "img_mlp.fc2",
    r"ff_context\.net\.0\.proj": "txt_mlp.fc1",
    r"ff_context\.net\.2": "txt_mlp.fc2",
}
REFINER: Names = {
    r"context_embedder\.proj_in": "txt_in.input_embedder",
    r"context_embedder\.time_text_embed\.timestep_embedder\.linear_1": "txt_in.t_embedder.mlp.0",
    r"context_embedder\.time_text_embed\.timestep_embedder\.linear_2": "txt_in.t_embedder.mlp.2",
    r"context_embedder\.time_text_embed\.text_embedder": "txt_in.c_embedder",
    r"context_embedder\.token_refiner\.refiner_blocks": "txt_in.individual_token_refiner.blocks",
    r"(refiner\.blocks\.\d)\.norm_out\.linear": r"\1.adaLN_modulation.1",
    r"(refiner\.blocks\.\d)\.ff\.net\.0\.proj": r"\1.mlp.fc1",
    r"(refiner\.blocks\.\d)\.ff\.net\.2": r"\1.mlp.fc2",
    r"(refiner\.blocks\.\d)\.attn\.to_out\.0": r"\1.self_attn_proj",
    r"(refiner\.blocks\.\d)\.attn\.to_([qkv])": r"\1.self_attn_to_\2",
}
BLOCKS: Names = {
    **REFINER,
    **FEED,
    r"norm1\.linear": "img_mod.linear",
    r"norm1_context\.linear": "txt_mod.linear",
    r"attn\.norm_added_([qk])": r"txt_attn_\1_norm",
    r"attn\.add_([qkv])_proj": r"txt_attn_to_\1",
    r"attn\.to_add_out": "txt_attn_proj",
    r"^single_transformer_blocks\.(\d)\.attn\.norm_([qk])": r"single_blocks.\1.\2_norm",
    r"^single_transformer_blocks\.(\d)\.(attn\.to_[qkv]|proj_mlp)": r"single_blocks.\1.linear1",
    r"^single_transformer_blocks\.(\d)\.proj_out": r"single_blocks.\1.linear2",
    r"^single_transformer_blocks\.(\d)\.norm\.linear": r"single_blocks.\1.modulation.linear",
    r"^transformer_blocks": "double_blocks",
    r"\.attn\.norm_([qk])": r".img_attn_\1_norm",
    r"\.attn\.to_([qkv])": r".img_attn_to_\1",
    r"\.attn\.to_out\.0": ".img_attn_proj",
    r"_attn_to_[qkv]\.": "_attn_qkv.",
    r"^x_embedder": "img_in",
    r"^proj_out": "final_layer.linear",
    r"^norm_out\.linear": "final_layer.adaLN_modulation.1",
}
VIDEO_NAMES: Names = {
    **BLOCKS,
    r"^time_text_embed\.timestep_embedder\.linear_1": "time_in.mlp.0",
    r"^time_text_embed\.timestep_embedder\.linear_2": "time_in.mlp.2",
    r"^time_text_embed\.text_embedder\.linear_1": "vector_in.mlp.0",
    r"^time_text_embed\.text_embedder\.linear_2": "vector_in.mlp.2",
    r"^time_text_embed\.guidance_embedder\.linear_1": "guidance_in.mlp.0",
    r"^time_text_embed\.guidance_embedder\.linear_2": "guidance_in.mlp.2",
}
VIDEO15_NAMES: Names = {
    **BLOCKS,
    r"^time_embed\.timestep_embedder\.linear_1": "time_in.mlp.0",
    r"^time_embed\.timestep_embedder\.linear_2": "time_in.mlp.2",
    r"^context_embedder_2\.norm": "byt5_in.layernorm",
    r"^context_embedder_2\.linear_": "byt5_in.fc",
    r"^image_embedder\.norm_in": "vision_in.proj.0",
    r"^image_embedder\.linear_1": "vision_in.proj.1",
    r"^image_embedder\.linear_2": "vision_in.proj.3",
    r"^image_embedder\.norm_out": "vision_in.proj.4",
    r"^cond_type_embed": "cond_type_embedding",
}


def _ltx(module: Any, x: Tensor, text: Tensor, options: Mapping[str, Any]) -> Tensor:
    frames, rows, columns = x.shape[2:]
    made = module(
        x.flatten(2).transpose(1, 2),
        text,
        torch.full((len(x),), LEVEL * 1000),
        options["attention_mask"].expand(len(x), -1),
        frames,
        rows,
        columns,
        rope_interpolation_scale=(8 / options["frame_rate"], 32, 32),
        return_dict=False,
    )[0]
    return made.transpose(1, 2).reshape(x.shape)


def _hunyuan(module: Any, x: Tensor, text: Tensor, options: Mapping[str, Any]) -> Tensor:
    count = len(x)
    return module(
        torch.cat([x, options["inside"].expand(count, -1, -1, -1, -1)], dim=1),
        torch.full((count,), LEVEL * 1000),
        text[:, options["attention_mask"][0].bool()],
        torch.ones(count, int(options["attention_mask"].sum())),
        options["pooled_output"].expand(count, -1),
        torch.full((count,), 1000 * options["guidance"]),
        return_dict=False,
    )[0]


def _hunyuan15(module: Any, x: Tensor, text: Tensor, options: Mapping[str, Any]) -> Tensor:
    count = len(x)
    seen = options["clip_vision_output"].last_hidden_state.expand(count, -1, -1)
    return module(
        torch.cat([x, options["inside"].expand(count, -1, -1, -1, -1)], dim=1),
        torch.full((count,), LEVEL * 1000),
        text,
        torch.ones(text.shape[:2]),
        encoder_hidden_states_2=options["conditioning_byt5small"].expand(count, -1, -1),
        encoder_attention_mask_2=torch.ones(count, options["conditioning_byt5small"].shape[1]),
        image_embeds=seen,
        return_dict=False,
    )[0]


def _spoken() -> dict[str, Any]:
    return {"attention_mask": torch.tensor([[1] * 5 + [0] * 2]), "frame_rate": 12.0}


def _given(channels: int, scale: float) -> dict[str, Any]:
    picture, mask = torch.randn(1, channels, 2, 4, 6), torch.ones(1, 1, 2, 4, 6)
    mask[:, :, 0] = 0
    return {
        "concat_latent_image": picture,
        "concat_mask": mask,
        "inside": torch.cat([picture * scale, 1 - mask], dim=1),
        "guidance": 4.0,
        "attention_mask": torch.tensor([[1] * 6 + [0]]),
        "pooled_output": torch.randn(1, POOLED),
    }


def _watched() -> dict[str, Any]:
    seen = Seen(torch.randn(1, 9, SEEN), torch.zeros(0), torch.zeros(0))
    given = _given(32, 1.03682)
    del given["attention_mask"]
    quoted = torch.randn(1, 3, QUOTED)
    return {**given, "clip_vision_output": seen, "conditioning_byt5small": quoted}


HUNYUAN = {"num_attention_heads": 1, "num_layers": 2, "num_refiner_layers": 1,
           "text_embed_dim": CONTEXT}  # fmt: skip
FUSED = ("self_attn_to_",)
VIDEO_KINDS = {
    "LTX-Video": Kind(
        "LTX-Video", LTXVideoTransformer3DModel,
        {"num_layers": 2, "attention_head_dim": 6, "cross_attention_dim": 192,
         "caption_channels": CONTEXT}, _ltx, (1, 128, 2, 4, 6), LTX_NAMES, options=_spoken),
    "HunyuanVideo": Kind(
        "HunyuanVideo", HunyuanVideoTransformer3DModel,
        {**HUNYUAN, "in_channels": 33, "num_single_layers": 2, "pooled_projection_dim": POOLED},
        _hunyuan, (1, 16, 2, 4, 6), VIDEO_NAMES, FUSED, options=lambda: _given(16, 0.476986)),
    "HunyuanVideo 1.5": Kind(
        "HunyuanVideo 1.5", HunyuanVideo15Transformer3DModel,
        {**HUNYUAN, "text_embed_2_dim": QUOTED, "image_embed_dim": SEEN},
        _hunyuan15, (1, 32, 2, 4, 6), VIDEO15_NAMES, FUSED, options=_watched),
}  # fmt: skip
"""Names of kinds, and what they are."""
