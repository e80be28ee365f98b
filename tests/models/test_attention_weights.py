"""Attention that counts more or less by its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel

from nodes import attention_weights as nodes
from nodes import unet_patches
from nodes.models.files.pieces import NetworkSource, whole
from nodes.models.files.tensor_files import Header
from nodes.models.networks.scaled_weights import attention_outputs
from nodes.models.text.text_encoder import clip_alone
from tests.models.conftest import Loaded
from tests.models.test_attention_guidance import found
from tests.models.test_lora import bits, same

VIDEO: Any = UNetSpatioTemporalConditionModel


def test_the_attention_of_a_text_encoder_is_scaled(tiny: Loaded):
    before = bits(tiny.clip)
    plain = tiny.clip.encode("a cat")[0][0]
    factors = {"q_proj": 2.0, "k_proj": 0.5, "v_proj": 4.0, "out_proj": 0.25}
    clip = clip_alone(nodes.scale_text_attention(clip=tiny.clip, q=2.0, k=0.5, v=4.0, out=0.25))
    clip.bind(tiny.clip.network)
    after = bits(clip)
    changed = 0
    for name, weight in before.items():
        factor = factors.get(name.split(".")[-2], 1.0)
        changed += factor != 1
        assert torch.allclose(after[name], weight * factor, atol=1e-6), name
    assert changed == 16, "weights and biases of four layers in each of two blocks"
    alike = clip_alone(nodes.scale_text_attention(clip=tiny.clip, q=2.0, k=0.5))
    alike.bind(tiny.clip.network)
    assert torch.allclose(alike.encode("a cat")[0][0], plain, atol=1e-3), "the scores are the same"
    louder = clip_alone(nodes.scale_text_attention(clip=tiny.clip, v=4.0))
    louder.bind(tiny.clip.network)
    assert not torch.allclose(louder.encode("a cat")[0][0], plain, atol=1e-2)
    assert same(before, bits(tiny.clip))


def test_the_outputs_of_attention_are_scaled_as_by_a_patch_of_the_network(tiny: Loaded):
    weights = nodes.scale_temporal_attention(
        model=tiny.model, self_structural=2.0, cross_structural=0.5, self_temporal=7.0
    )
    patched = unet_patches.scale_cross_attention(
        model=unet_patches.scale_self_attention(model=tiny.model, out=2.0), out=0.5
    )
    assert torch.allclose(found(tiny, weights), found(tiny, patched), atol=1e-4)
    assert not torch.allclose(found(tiny, weights), found(tiny, tiny.model), atol=1e-3)
    assert nodes.scale_temporal_attention(model=tiny.model, cross_temporal=3.0) is tiny.model


def test_attention_along_time_is_scaled_apart():
    with torch.device("meta"):
        module = VIDEO(
            block_out_channels=(32, 32),
            down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
            up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
            num_attention_heads=(4, 4),
            layers_per_block=1,
            cross_attention_dim=32,
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=24,
        )
    shapes = {name: tuple(weight.shape) for name, weight in module.state_dict().items()}
    names = {name: name for name in shapes}
    part = NetworkSource(Header(Path("video"), shapes, {}, "1"), whole(names), "", {}, "denoiser")

    def touched(structural: tuple[float, float], temporal: tuple[float, float]) -> set[str]:
        return {name for name, _ in attention_outputs(structural, temporal).changes(part)}

    for place, (structural, temporal) in enumerate(
        [((2.0, 1.0), (1.0, 1.0)), ((1.0, 2.0), (1.0, 1.0)),
         ((1.0, 1.0), (2.0, 1.0)), ((1.0, 1.0), (1.0, 2.0))]
    ):  # fmt: skip
        block = "temporal_transformer_blocks" if place > 1 else ".transformer_blocks"
        attention = f".attn{place % 2 + 1}.to_out.0."
        expected = {name for name in names if block in name and attention in name}
        assert expected
        assert touched(structural, temporal) == expected
