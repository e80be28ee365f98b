"""Names of weights as the authors of Stable Diffusion wrote them, for those of diffusers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping

from nodes.models.families.family import UNET, VAE
from nodes.models.files.pieces import NetworkSource

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
UNET_ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "time_embedding.cond_proj": "time_embed.cond_proj",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "class_embedding.linear_1": "label_emb.0.0",
    "class_embedding.linear_2": "label_emb.0.2",
    "class_embedding": "label_emb",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
}
TIMED = {
    "spatial_res_block.": "",
    "temporal_res_block.": "time_stack.",
    "temporal_transformer_blocks.": "time_stack.",
    "time_pos_embed.linear_1.": "time_pos_embed.0.",
    "time_pos_embed.linear_2.": "time_pos_embed.2.",
}
BLOCK = re.compile(
    r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)"
)

VAE_WORDS = {
    "conv_shortcut": "nin_shortcut",
    "conv_norm_out": "norm_out",
    "mid_block.resnets.0": "mid.block_1",
    "mid_block.resnets.1": "mid.block_2",
    "mid_block.attentions.0.group_norm": "mid.attn_1.norm",
    "mid_block.attentions.0.to_q": "mid.attn_1.q",
    "mid_block.attentions.0.to_k": "mid.attn_1.k",
    "mid_block.attentions.0.to_v": "mid.attn_1.v",
    "mid_block.attentions.0.to_out.0": "mid.attn_1.proj_out",
}
VAE_TIMED = {
    ".spatial_res_block.": ".",
    ".time_mixer.": ".",
    ".time_conv_out.": ".conv_out.time_mix_conv.",
}
VAE_BLOCK = re.compile(
    r"(encoder\.down|decoder\.up)_blocks\.(\d+)\.(resnets\.(\d+)|(down|up)samplers\.0)\.(.+)"
)


def of(source: NetworkSource) -> Mapping[str, str]:
    """Name of each weight of a network -> in the original code, without a prefix."""
    inner = {ours: theirs.removeprefix(source.prefix) for ours, theirs in source.names.items()}
    rename, sign = KINDS[source.title]
    return inner if any(sign in name for name in inner.values()) else rename(inner.keys())


def unet(names: Collection[str]) -> dict[str, str]:
    """Name of a weight of a UNet in diffusers -> in the original code, for all of `names`.

    ``down_blocks.0.resnets.0.norm1.weight`` -> ``input_blocks.1.0.in_layers.0.weight``
    """
    layers = _layers(names)
    return {name: _unet(name, layers) for name in names}


def _layers(names: Collection[str]) -> Counter[tuple[str, int, str]]:
    """How many layers of a kind each level of a side has: ("down", 0, "resnets") -> 2."""
    found: Counter[tuple[str, int, str]] = Counter()
    for name in names:
        if match := BLOCK.fullmatch(name):
            level = (match[1], int(match[2]), match[3])
            found[level] = max(found[level], int(match[4]) + 1)
    return found


def _unet(name: str, layers: Counter[tuple[str, int, str]]) -> str:
    for ours, theirs in UNET_ENDS.items():
        if name.startswith(ours + "."):
            return f"{theirs}.{_resnet(name.removeprefix(ours + '.'))}"
    match = BLOCK.fullmatch(name)
    if match is None:
        return name
    side, level, kind, layer, rest = match[1], int(match[2]), match[3], int(match[4]), match[5]
    number = sum(layers[side, earlier, "resnets"] for earlier in range(level)) + layer
    if side == "down":  # a change of size is a block of its own, and the first convolution is one
        number += 1 + level
    match kind:
        case "downsamplers":
            number += layers[side, level, "resnets"]
            return f"input_blocks.{number}.0.op.{rest.removeprefix('conv.')}"
        case "upsamplers":
            number += layers[side, level, "resnets"] - 1
            slot = 2 if layers[side, level, "attentions"] else 1
            return f"output_blocks.{number}.{slot}.{rest}"
        case _:
            place = "input" if side == "down" else "output"
            return f"{place}_blocks.{number}.{int(kind == 'attentions')}.{_resnet(rest)}"


def vae(names: Collection[str]) -> dict[str, str]:
    """Name of a weight of an autoencoder in diffusers -> in the original code.

    ``decoder.up_blocks.0.resnets.0.conv1.weight`` -> ``decoder.up.3.block.0.conv1.weight``
    """
    blocks = [int(match[2]) for name in names if (match := VAE_BLOCK.fullmatch(name))]
    last = max(blocks, default=0)
    return {name: _vae(name, last) for name in names}


def _vae(name: str, last: int) -> str:
    if match := VAE_BLOCK.fullmatch(name):
        side, level, rest = match[1], int(match[2]), match[6]
        if side == "decoder.up":
            level = last - level  # the original counts from the finest level
        place = f"block.{match[4]}" if match[4] else f"{match[5]}sample"
        name = f"{side}.{level}.{place}.{rest}"
    if name.startswith("decoder."):
        name = _timed(name)
    for ours, theirs in VAE_WORDS.items():
        name = name.replace(ours + ".", theirs + ".")
    return name


def _timed(name: str) -> str:
    """The name of a weight of a decoder of videos, which has parts for each picture and for time.

    ``decoder.up.3.block.0.temporal_res_block.conv1.weight`` ->
    ``decoder.up.3.block.0.time_stack.in_layers.2.weight``
    """
    place, part, rest = name.partition("temporal_res_block.")
    if part:
        return f"{place}time_stack.{_resnet(rest)}"
    for ours, theirs in VAE_TIMED.items():
        name = name.replace(ours, theirs)
    return name


def _resnet(rest: str) -> str:
    """The name in a layer, which in UNets of videos has a part for each picture and one for time.

    ``temporal_res_block.conv1.weight`` -> ``time_stack.in_layers.2.weight``
    """
    for ours, theirs in TIMED.items():
        if rest.startswith(ours):
            return theirs + _resnet(rest.removeprefix(ours))
    for ours, theirs in RESNET.items():
        if rest.startswith(ours + "."):
            return theirs + rest.removeprefix(ours)
    return rest


KINDS: Mapping[str, tuple[Callable[[Collection[str]], dict[str, str]], str]] = {
    UNET: (unet, "input_blocks."),
    VAE: (vae, ".mid.attn_1."),
}
"""By title: how names of diffusers become original ones, and what only original ones hold."""
