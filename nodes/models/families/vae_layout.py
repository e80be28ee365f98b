"""How an autoencoder of Stable Diffusion is built, by the names and shapes of its weights.

Understood are the names of the original code and those of diffusers, old ones too; out of either
comes the configuration of diffusers' ``AutoencoderKL``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from nodes.models.families.unet_layout import layer_name

Shapes: TypeAlias = Mapping[str, Sequence[int]]

WORDS = {
    "nin_shortcut": "conv_shortcut",
    "norm_out": "conv_norm_out",
    "mid.block_1": "mid_block.resnets.0",
    "mid.block_2": "mid_block.resnets.1",
    "mid.attn_1.norm": "mid_block.attentions.0.group_norm",
    "mid.attn_1.q": "mid_block.attentions.0.to_q",
    "mid.attn_1.k": "mid_block.attentions.0.to_k",
    "mid.attn_1.v": "mid_block.attentions.0.to_v",
    "mid.attn_1.proj_out": "mid_block.attentions.0.to_out.0",
}
LEVEL = re.compile(r"(encoder\.down|decoder\.up)\.(\d)\.(block|downsample|upsample)\.(.+)")
SHARED = ("latent_channels", "block_out_channels", "down_block_types", "layers_per_block")
"""What both kinds of autoencoders have in their config."""
PLACES = {"block": "resnets", "downsample": "downsamplers.0", "upsample": "upsamplers.0"}
OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


TEMPORAL = "AutoencoderKLTemporalDecoder"
"""Class, in the config, of autoencoders whose decoder looks at several frames of a video."""
FOLDED = "AutoencoderKLFlux2"
"""Class, in the config, of FLUX.2's, whose latents are cells of 2 x 2, normed by statistics."""
STATISTICS = "bn.running_mean"
INNER = {"encoder.quant_conv.": "quant_conv.", "decoder.post_quant_conv.": "post_quant_conv."}
"""Layers that the original code of FLUX.2 has inside of encoder and decoder."""
TIMED = re.compile(r"(decoder\.(?:mid_block|up_blocks\.\d)\.resnets\.\d\.)(.+)")


def vae_layout(shapes: Shapes) -> tuple[dict[str, str], dict[str, Any]] | None:
    """Names of diffusers -> those of the file, and the config; None: it is another network.

    `shapes` have no prefix.
    """
    ours = {name: name for name in shapes}
    if any(name.startswith("encoder.down_blocks.") for name in shapes):
        ours = {name: diffusers_vae(name) for name in shapes}
    else:
        levels = 1 + max((int(m[2]) for m in map(LEVEL.fullmatch, shapes) if m), default=3)
        ours = {name: original_vae(name, levels) for name in shapes}
        if any(".time_stack." in name for name in shapes):
            ours = {name: _timed(plain) if plain else None for name, plain in ours.items()}
    names = {name: theirs for theirs, name in ours.items() if name is not None}
    known = {name: shapes[theirs] for name, theirs in names.items()}
    if "decoder.conv_in.weight" not in known or len(known["decoder.conv_in.weight"]) != 4:
        return None
    config = _config(known)
    if any(".temporal_res_block." in name for name in known):
        config = {key: value for key, value in config.items() if key in SHARED}
        config["_class_name"] = TEMPORAL
    if STATISTICS in known:
        config |= {"_class_name": FOLDED, "decoder_block_out_channels": _decoder_channels(known)}
    return names, config


def _timed(name: str) -> str:
    """The name of a weight of a decoder, in a layer's part for each picture or in that for time.

    ``decoder.mid_block.resnets.0.time_stack.in_layers.0.weight`` ->
    ``decoder.mid_block.resnets.0.temporal_res_block.norm1.weight``
    """
    if (match := TIMED.fullmatch(name)) is None:
        return name.replace("decoder.conv_out.time_mix_conv.", "decoder.time_conv_out.")
    place, rest = match[1], match[2]
    if rest == "mix_factor":
        return f"{place}time_mixer.{rest}"
    if rest.startswith("time_stack."):
        return f"{place}temporal_res_block.{layer_name(rest.removeprefix('time_stack.'))}"
    return f"{place}spatial_res_block.{rest}"


def _config(shapes: Shapes) -> dict[str, Any]:
    channels: list[int] = []
    while (key := f"encoder.down_blocks.{len(channels)}.resnets.0.conv1.weight") in shapes:
        channels.append(int(shapes[key][0]))
    layers = 0
    while f"encoder.down_blocks.0.resnets.{layers}.conv1.weight" in shapes:
        layers += 1
    return {
        "latent_channels": int(shapes["decoder.conv_in.weight"][1]),
        "block_out_channels": channels,
        "down_block_types": ["DownEncoderBlock2D"] * len(channels),
        "up_block_types": ["UpDecoderBlock2D"] * len(channels),
        "layers_per_block": layers,
        "use_quant_conv": "quant_conv.weight" in shapes,
        "use_post_quant_conv": "post_quant_conv.weight" in shapes,
    }


def _decoder_channels(shapes: Shapes) -> list[int]:
    """Widths of the decoder's levels, the finest first; they may be less than the encoder's."""
    channels: list[int] = []
    while (key := f"decoder.up_blocks.{len(channels)}.resnets.0.conv2.weight") in shapes:
        channels.append(int(shapes[key][0]))
    return channels[::-1]


def original_vae(name: str, levels: int) -> str | None:
    """``decoder.up.3.block.0.conv1.weight`` -> ``decoder.up_blocks.0.resnets.0.conv1.weight``."""
    if match := LEVEL.fullmatch(name):
        side, level, kind, rest = match[1], int(match[2]), match[3], match[4]
        if side == "decoder.up":
            level = levels - 1 - level  # the original counts from the finest level
        name = f"{side}_blocks.{level}.{PLACES[kind]}.{rest}"
    for theirs, ours in WORDS.items():
        name = name.replace(theirs + ".", ours + ".")
    return _of_vae(name)


def diffusers_vae(name: str) -> str | None:
    """Names of attention weights as diffusers wrote them before 0.18, as it does now."""
    parts = name.split(".")
    if "attentions" in parts:
        parts = [OLD_ATTENTION.get(part, part) for part in parts]
    return _of_vae(".".join(parts))


def _of_vae(name: str) -> str | None:
    for theirs, ours in INNER.items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    known = ("encoder.", "decoder.", "quant_", "post_quant_", "bn.")
    return name if name.startswith(known) else None


def tiny_vae(name: str) -> str:
    """``encoder.3.conv.0.weight`` -> ``encoder.layers.3...``; the decoder's count one further."""
    side, number, rest = name.split(".", 2)
    return f"{side}.layers.{int(number) - (side == 'decoder')}.{rest}"
