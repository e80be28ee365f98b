"""How a ControlNet or T2I adapter is built, by the names and shapes of its weights.

ControlNets (Zhang et al. 2023, https://arxiv.org/abs/2302.05543) in the names of the original code
and of diffusers, union ControlNets for several kinds of hint, and T2I adapters (Mou et al. 2023,
https://arxiv.org/abs/2302.08453) in both names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from nodes.models.families.unet_layout import (
    HEAD,
    HEADS,
    PLACE,
    SIZES,
    down_places,
    layer_name,
    levels,
    middle_places,
)

Shapes: TypeAlias = Mapping[str, Sequence[int]]
Kind = Literal["controlnet", "union", "adapter"]

CONTROL_NET = "diffusers.models.controlnets.controlnet:ControlNetModel"
UNION = "diffusers.models.controlnets.controlnet_union:ControlNetUnionModel"
ADAPTER = "diffusers.models.adapter:T2IAdapter"

ENDS = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "input_blocks.0.0": "conv_in",
    "label_emb.0.0": "add_embedding.linear_1",
    "label_emb.0.2": "add_embedding.linear_2",
}
ZERO = re.compile(r"zero_convs\.(\d+)\.0\.(.+)")
HINT = re.compile(r"input_hint_block\.(\d+)\.(.+)")
BODY = re.compile(r"body\.(\d+)\.(in_conv|block[12])\.(.+)")
PIXELS, PIXELS_XL = 8, 16  # side of the squares of pixels that adapters gather, those of SDXL too
LIGHT_BODY = re.compile(r"body\.(\d+)\.body\.(\d+)\.(.+)")
LIGHT = "body.0.out_conv.weight"
SIGNS = (
    "zero_convs.0.0.weight",
    "controlnet_cond_embedding.conv_in.weight",
    LIGHT,
    "body.0.block1.weight",
    "body.0.resnets.0.block1.weight",
)


@dataclass(frozen=True)
class ControlLayout:
    """How a network that steers a UNet is built.

    Attributes:
        kind: which of them it is.
        network: class of the network, "module:Class".
        names: name of a weight in it -> its name in the file, with the prefix.
        config: for the network.
        context: width of the text that it is given; None: it is given none.
    """

    kind: Kind
    network: str
    names: Mapping[str, str] = field(repr=False)
    config: Mapping[str, Any] = field(repr=False)
    context: int | None = None


def control_layout(shapes: Shapes) -> ControlLayout | None:
    """The layout of the network that has these weights; None: it is none known."""
    for sign in SIGNS:
        for name in shapes:
            if name.endswith(sign):
                prefix = name.removesuffix(sign)
                own = {
                    given.removeprefix(prefix): tuple(shape)
                    for given, shape in shapes.items()
                    if given.startswith(prefix)
                }
                try:
                    return _layout(own, prefix)
                except (KeyError, IndexError, ValueError):
                    return None
    return None


def _layout(shapes: Shapes, prefix: str) -> ControlLayout:
    if "zero_convs.0.0.weight" in shapes:
        names = _original_names(shapes)
    elif "controlnet_cond_embedding.conv_in.weight" in shapes:
        names = {name: name for name in shapes}
    elif LIGHT in shapes:
        return _light_adapter(shapes, prefix)
    else:
        return _adapter(shapes, prefix)
    ours = {name: shapes[theirs] for name, theirs in names.items()}
    config = _config(ours)
    kind: Kind = "controlnet"
    if "task_embedding" in ours:
        kind = "union"
        del config["mid_block_type"]
        config |= _union(ours)
    placed = {name: prefix + theirs for name, theirs in names.items()}
    network = UNION if kind == "union" else CONTROL_NET
    return ControlLayout(kind, network, placed, config, config["cross_attention_dim"])


def _original_names(shapes: Shapes) -> dict[str, str]:
    """Names of diffusers for those of the original code."""
    places: dict[str, list[str]] = {}
    found: dict[str, str] = {}
    last = max(int(match[1]) for name in shapes if (match := HINT.fullmatch(name)))
    for name in shapes:
        if (match := PLACE.fullmatch(name)) is not None:
            places.setdefault(match[1], []).append(match[2])
        elif (match := ZERO.fullmatch(name)) is not None:
            found[f"controlnet_down_blocks.{match[1]}.{match[2]}"] = name
        elif (match := HINT.fullmatch(name)) is not None:
            found[f"controlnet_cond_embedding.{_hint(int(match[1]), last)}.{match[2]}"] = name
        elif name.startswith("middle_block_out.0."):
            found["controlnet_mid_block." + name.removeprefix("middle_block_out.0.")] = name
    moved = [(ours, theirs) for theirs, ours in ENDS.items()]
    for ours, theirs in [*moved, *down_places(places), *middle_places(places)]:
        for rest in places.get(theirs, ()):
            found[f"{ours}.{layer_name(rest)}"] = f"{theirs}.{rest}"
    return found


def _hint(number: int, last: int) -> str:
    """The place of a convolution of the hint, among which the original counts activations."""
    if number == 0:
        return "conv_in"
    return "conv_out" if number == last else f"blocks.{number // 2 - 1}"


def _config(shapes: Shapes) -> dict[str, Any]:
    down, middle = levels(shapes, "down_blocks"), levels(shapes, "mid_block")
    texts = [name for name in shapes if name.endswith("attn2.to_k.weight")]
    context = int(shapes[texts[0]][1]) if texts else HEADS
    linear = bool(texts) and (
        len(shapes[texts[0].partition("transformer_blocks")[0] + "proj_in.weight"]) == 2
    )
    depths = [max(*level.depths, 1) for level in down]
    if middle[0].attends and not down[-1].attends:
        depths[-1] = middle[0].depths[0]
    embedding = "controlnet_cond_embedding"
    widths = [int(shapes[f"{embedding}.conv_in.weight"][0])]
    while (key := f"{embedding}.blocks.{2 * len(widths) - 1}.weight") in shapes:
        widths.append(int(shapes[key][0]))
    config: dict[str, Any] = {
        "in_channels": int(shapes["conv_in.weight"][1]),
        "conditioning_channels": int(shapes[f"{embedding}.conv_in.weight"][1]),
        "conditioning_embedding_out_channels": widths,
        "block_out_channels": [level.channels for level in down],
        "layers_per_block": len(down[0].depths),
        "down_block_types": [
            "CrossAttnDownBlock2D" if level.attends else "DownBlock2D" for level in down
        ],
        "mid_block_type": "UNetMidBlock2DCrossAttn" if middle[0].attends else "UNetMidBlock2D",
        "cross_attention_dim": context,
        "use_linear_projection": linear,
        "attention_head_dim": [max(1, level.channels // HEAD) for level in down]
        if linear
        else HEADS,
        "transformer_layers_per_block": depths,
    }
    if (label := shapes.get("add_embedding.linear_1.weight")) is not None:
        config |= {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": SIZES,
            "projection_class_embeddings_input_dim": int(label[1]),
        }
    return config


def _union(shapes: Shapes) -> dict[str, Any]:
    kinds, width = shapes["task_embedding"]
    layers = {name.split(".")[1] for name in shapes if name.startswith("transformer_layes.")}
    return {
        "num_control_type": int(kinds),
        "num_trans_channel": int(width),
        "num_trans_layer": len(layers),
        "num_proj_channel": int(shapes["spatial_ch_projs.weight"][0]),
        # Of its embedding of kinds, which is as wide as that of sizes for each kind.
        "addition_time_embed_dim": int(shapes["control_add_embedding.linear_1.weight"][1])
        // int(kinds),
    }


def _light_adapter(shapes: Shapes, prefix: str) -> ControlLayout:
    """An adapter of few weights, whose levels are narrower inside; colours are steered by such."""
    renamed = {LIGHT_BODY.sub(r"body.\1.resnets.\2.\3", name): name for name in shapes}
    names = {f"adapter.{ours}": prefix + name for ours, name in renamed.items()}
    channels: list[int] = []
    while (key := f"body.{len(channels)}.out_conv.weight") in shapes:
        channels.append(int(shapes[key][0]))
    layers = {name.split(".")[4] for name in names if name.startswith("adapter.body.0.resnets.")}
    config = {
        "in_channels": int(shapes["body.0.in_conv.weight"][1]) // PIXELS**2,
        "channels": channels[:-1],
        "num_res_blocks": len(layers),
        "downscale_factor": PIXELS,
        "adapter_type": "light_adapter",
    }
    return ControlLayout("adapter", ADAPTER, names, config)


def _adapter(shapes: Shapes, prefix: str) -> ControlLayout:
    names: dict[str, str] = {}
    original = "body.0.block1.weight" in shapes
    for name in shapes:
        ours = f"adapter.{name}"
        if original and (match := BODY.fullmatch(name)) is not None:
            level, layer = divmod(int(match[1]), 2)
            place = match[2] if match[2] == "in_conv" else f"resnets.{layer}.{match[2]}"
            ours = f"adapter.body.{level}.{place}.{match[3]}"
        names[ours] = prefix + name
    ours_shapes = {ours: shapes[name.removeprefix(prefix)] for ours, name in names.items()}
    given = int(ours_shapes["adapter.conv_in.weight"][1])
    xl = given in (PIXELS_XL**2, 3 * PIXELS_XL**2)
    side = PIXELS_XL if xl else PIXELS
    channels: list[int] = []
    while (key := f"adapter.body.{len(channels)}.resnets.0.block1.weight") in ours_shapes:
        channels.append(int(ours_shapes[key][0]))
    config = {
        "in_channels": given // side**2,
        "channels": channels,
        "num_res_blocks": 2,
        "downscale_factor": side,
        "adapter_type": "full_adapter_xl" if xl else "full_adapter",
    }
    return ControlLayout("adapter", ADAPTER, names, config)
