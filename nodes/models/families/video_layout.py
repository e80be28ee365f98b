"""How a UNet of videos is built, told by the names and shapes of its weights.

Its layers have a part for each picture, as a UNet of pictures, and one for the times at a place
(Blattmann et al. 2023, https://arxiv.org/abs/2311.15127). Understood are the names of the original
code and those of diffusers; out of either comes the configuration of diffusers'
``UNetSpatioTemporalConditionModel``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nodes.models.families.unet_layout import HEAD, SIZES, Shapes, diffusers_names, layer_name
from nodes.models.families.unet_layout import levels as levels_of

LAYER = re.compile(r"((?:(?:down|up)_blocks\.\d+|mid_block)\.(resnets|attentions)\.\d+)\.(.+)")
TIME = "time_stack."
ATTENTION = {
    TIME: "temporal_transformer_blocks.",
    "time_pos_embed.0.": "time_pos_embed.linear_1.",
    "time_pos_embed.2.": "time_pos_embed.linear_2.",
}
LABEL = "add_embedding.linear_1.weight"


@dataclass(frozen=True)
class VideoLayout:
    """How a UNet of videos is built.

    Attributes:
        names: name of a weight in diffusers' network -> its name in the file, without a prefix.
        config: for ``UNetSpatioTemporalConditionModel``.
        channels: that it is given.
        label: width of the vector beside the picture that was seen.
    """

    names: Mapping[str, str] = field(repr=False)
    config: Mapping[str, Any] = field(repr=False)
    channels: int
    label: int


def video_layout(shapes: Shapes) -> VideoLayout | None:
    """The layout of the UNet that has these weights, without a prefix; None: it is none known."""
    if "conv_in.weight" in shapes:
        names: Mapping[str, str] | None = {name: name for name in shapes}
    else:
        found = diffusers_names(shapes)
        names = None if found is None else {_timed(ours): name for ours, name in found.items()}
    if names is None or not any(".temporal_res_block." in ours for ours in names):
        return None
    try:
        return _layout(names, {ours: shapes[theirs] for ours, theirs in names.items()})
    except (KeyError, IndexError, ValueError):  # something is not there: another kind of network
        return None


def _timed(name: str) -> str:
    """The name of a weight, of a layer's part for each picture or of that for time.

    ``down_blocks.0.resnets.0.norm1.weight`` -> ``...resnets.0.spatial_res_block.norm1.weight``
    """
    if (match := LAYER.fullmatch(name)) is None:
        return name.replace("class_embedding.", "add_embedding.")
    place, kind, rest = match[1], match[2], match[3]
    if kind == "attentions":
        for theirs, ours in ATTENTION.items():
            if rest.startswith(theirs):
                rest = ours + rest.removeprefix(theirs)
    elif rest.startswith(TIME):
        rest = f"temporal_res_block.{layer_name(rest.removeprefix(TIME))}"
    elif not rest.startswith("time_mixer."):
        rest = f"spatial_res_block.{rest}"
    return f"{place}.{rest}"


def _layout(names: Mapping[str, str], shapes: Shapes) -> VideoLayout:
    plain = {name.replace(".spatial_res_block.", "."): shape for name, shape in shapes.items()}
    down, up = levels_of(plain, "down_blocks"), levels_of(plain, "up_blocks")
    (middle,) = levels_of(plain, "mid_block")
    if [len(level.depths) for level in up[::-1]] != [len(level.depths) + 1 for level in down]:
        raise ValueError("unequal sides")
    channels, label = int(shapes["conv_in.weight"][1]), int(shapes[LABEL][1])
    context = next(shape for name, shape in shapes.items() if name.endswith("attn2.to_k.weight"))
    kinds = ["CrossAttn" * level.attends for level in down]
    config = {
        "in_channels": channels,
        "out_channels": int(shapes["conv_out.weight"][0]),
        "block_out_channels": [level.channels for level in down],
        "layers_per_block": [len(level.depths) for level in down],
        "cross_attention_dim": int(context[1]),
        "num_attention_heads": [max(1, level.channels // HEAD) for level in down],
        "down_block_types": [f"{kind}DownBlockSpatioTemporal" for kind in kinds],
        "up_block_types": [f"{kind}UpBlockSpatioTemporal" for kind in reversed(kinds)],
        # The middle is as deep as the last level is said to be, where that has no attention.
        "transformer_layers_per_block": [
            (level if level.attends else middle).depths[0] for level in down
        ],
        "addition_time_embed_dim": SIZES,
        "projection_class_embeddings_input_dim": label,
    }
    return VideoLayout(names, config, channels, label)
