"""Which file is which control net: by the names and shapes of its weights alone."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from diffusers.models.adapter import T2IAdapter
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.controlnets.controlnet_union import ControlNetUnionModel
from torch import nn

from nodes.models.families.control_layout import control_layout
from nodes.models.networks.building import network_class

NETWORKS: Any = {
    "controlnet": ControlNetModel,
    "union": ControlNetUnionModel,
    "adapter": T2IAdapter,
}
SD1 = {"cross_attention_dim": 768}
SD2 = {
    "cross_attention_dim": 1024,
    "use_linear_projection": True,
    "attention_head_dim": [5, 10, 20, 20],
}
SDXL = {
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "block_out_channels": [320, 640, 1280],
    "cross_attention_dim": 2048,
    "transformer_layers_per_block": [1, 2, 10],
    "attention_head_dim": [5, 10, 20],
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
FULL: list[tuple[str, dict[str, Any]]] = [
    ("controlnet", SD1),
    ("controlnet", SD2),
    ("controlnet", SDXL),
    (
        "controlnet",
        {**SDXL, "down_block_types": ["DownBlock2D"] * 3, "mid_block_type": "UNetMidBlock2D"},
    ),
    ("union", SDXL),
    ("union", {**SDXL, "num_control_type": 8}),
    ("adapter", {}),
    ("adapter", {"in_channels": 1}),
    ("adapter", {"adapter_type": "full_adapter_xl", "downscale_factor": 16}),
]


def shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


@pytest.mark.parametrize(("kind", "settings"), FULL)
def test_networks_of_every_size_are_known_by_shapes_alone(kind: str, settings: dict[str, Any]):
    with torch.device("meta"):
        theirs = NETWORKS[kind](**settings)
        layout = control_layout(shapes(theirs))
        assert layout is not None
        assert layout.kind == kind
        ours = network_class(layout.network).from_config(layout.config)
    assert shapes(ours) == shapes(theirs)
    for name in ("attention_head_dim", "transformer_layers_per_block"):
        if name in settings and layout.kind != "adapter" and "attn" in str(layout.names):
            assert ours.config[name] == settings[name]


def original(name: str) -> str:
    """The name of a weight in the original code, of a ControlNet of SD 1 or 2."""
    words = {
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "conv_in": "input_blocks.0.0",
        "controlnet_mid_block": "middle_block_out.0",
        "controlnet_cond_embedding.conv_in": "input_hint_block.0",
        "controlnet_cond_embedding.conv_out": "input_hint_block.14",
        "mid_block.resnets.0": "middle_block.0",
        "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2",
    }
    inner = {
        "norm1": "in_layers.0",
        "conv1": "in_layers.2",
        "time_emb_proj": "emb_layers.1",
        "norm2": "out_layers.0",
        "conv2": "out_layers.3",
        "conv_shortcut": "skip_connection",
    }
    if match := re.fullmatch(r"controlnet_down_blocks\.(\d+)\.(.+)", name):
        return f"zero_convs.{match[1]}.0.{match[2]}"
    if match := re.fullmatch(r"controlnet_cond_embedding\.blocks\.(\d)\.(.+)", name):
        return f"input_hint_block.{2 * int(match[1]) + 2}.{match[2]}"
    if match := re.fullmatch(r"down_blocks\.(\d)\.(\w+)\.(\d)\.(.+)", name):
        level, kind, layer, rest = int(match[1]), match[2], int(match[3]), match[4]
        number = 1 + 3 * level + (2 if kind == "downsamplers" else layer)
        name = f"input_blocks.{number}.{int(kind == 'attentions')}.{rest}"
        if kind == "downsamplers":
            return name.replace(".conv.", ".op.")
    for ours, theirs in words.items():
        if name.startswith(ours + "."):
            name = theirs + name.removeprefix(ours)
    if "attn" in name or "transformer" in name:
        return name
    for ours, theirs in inner.items():
        name = re.sub(rf"\.{ours}\.(\w+)$", rf".{theirs}.\1", name)
    return name


@pytest.mark.parametrize("settings", [SD1, SD2])
@pytest.mark.parametrize("prefix", ["", "control_model."])
def test_the_names_of_the_original_code_are_known(settings: dict[str, Any], prefix: str):
    with torch.device("meta"):
        theirs = NETWORKS["controlnet"](**settings)
    weights = shapes(theirs)
    renamed = {prefix + original(name): shape for name, shape in weights.items()}
    layout = control_layout(renamed)
    assert layout is not None
    assert {name: renamed[file] for name, file in layout.names.items()} == weights
    assert {original(name) for name in weights} == {
        name.removeprefix(prefix) for name in layout.names.values()
    }


def test_original_names_of_adapters_are_known():
    with torch.device("meta"):
        theirs = NETWORKS["adapter"]()
    weights = shapes(theirs)
    renamed: dict[str, tuple[int, ...]] = {}
    for name, shape in weights.items():
        plain = name.removeprefix("adapter.")
        if match := re.fullmatch(r"body\.(\d)\.resnets\.(\d)\.(.+)", plain):
            plain = f"body.{2 * int(match[1]) + int(match[2])}.{match[3]}"
        elif match := re.fullmatch(r"body\.(\d)\.in_conv\.(.+)", plain):
            plain = f"body.{2 * int(match[1])}.in_conv.{match[2]}"
        renamed[plain] = shape
    layout = control_layout(renamed)
    assert layout is not None
    assert {name: renamed[file] for name, file in layout.names.items()} == weights
