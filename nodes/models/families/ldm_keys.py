"""Names of weights: from the original Stable Diffusion code's to those of diffusers.

Each function answers the network's own name for a name in a file (without the part's prefix),
or None for an entry that is no weight.
"""

from __future__ import annotations

import re

RESNET = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
UNET_ENDS = {
    "time_embed.0.": "time_embedding.linear_1.",
    "time_embed.2.": "time_embedding.linear_2.",
    "input_blocks.0.0.": "conv_in.",
    "out.0.": "conv_norm_out.",
    "out.2.": "conv_out.",
    "middle_block.0.": "mid_block.resnets.0.",
    "middle_block.1.": "mid_block.attentions.0.",
    "middle_block.2.": "mid_block.resnets.1.",
}
UNET_LEVELS = 4
BLOCK = re.compile(r"(input|output)_blocks\.(\d+)\.(\d)\.(.+)")

VAE_WORDS = {
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
VAE_LEVEL = re.compile(r"(encoder\.down|decoder\.up)\.(\d)\.(block|downsample|upsample)\.(.+)")
OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def unet(name: str) -> str | None:
    """``input_blocks.1.0.in_layers.0.weight`` -> ``down_blocks.0.resnets.0.norm1.weight``."""
    for theirs, ours in UNET_ENDS.items():
        if name.startswith(theirs):
            return ours + _resnet(name.removeprefix(theirs))
    if not (match := BLOCK.fullmatch(name)):
        return None
    side, number, slot, rest = match[1], int(match[2]), match[3], match[4]
    if rest.startswith("op."):
        return f"down_blocks.{(number - 1) // 3}.downsamplers.0.conv.{rest[3:]}"
    if rest.startswith("conv."):
        return f"up_blocks.{number // 3}.upsamplers.0.{rest}"
    kind = "resnets" if slot == "0" else "attentions"
    # The input side counts its very first convolution as block 0.
    level, layer = divmod(number - 1 if side == "input" else number, 3)
    return f"{'down' if side == 'input' else 'up'}_blocks.{level}.{kind}.{layer}.{_resnet(rest)}"


def vae(name: str) -> str | None:
    """``decoder.up.3.block.0.conv1.weight`` -> ``decoder.up_blocks.0.resnets.0.conv1.weight``."""
    if match := VAE_LEVEL.fullmatch(name):
        side, level, kind, rest = match[1], int(match[2]), match[3], match[4]
        if side == "decoder.up":
            level = UNET_LEVELS - 1 - level  # the original counts from the finest level
        place = {"block": "resnets", "downsample": "downsamplers.0", "upsample": "upsamplers.0"}
        name = f"{side}_blocks.{level}.{place[kind]}.{rest}"
    for theirs, ours in VAE_WORDS.items():
        name = name.replace(theirs + ".", ours + ".")
    return name if name.startswith(("encoder.", "decoder.", "quant_", "post_quant_")) else None


def old_diffusers_vae(name: str) -> str:
    """Names of attention weights as diffusers wrote them before 0.18."""
    parts = name.split(".")
    if "attentions" in parts:
        parts = [OLD_ATTENTION.get(part, part) for part in parts]
    return ".".join(parts)


def tiny_vae(name: str) -> str:
    """``encoder.3.conv.0.weight`` -> ``encoder.layers.3...``; the decoder's count one further."""
    side, number, rest = name.split(".", 2)
    return f"{side}.layers.{int(number) - (side == 'decoder')}.{rest}"


def clip(name: str) -> str | None:
    """``text_model.encoder.layers.0...`` -> ``encoder.layers.0...``; positions are no weight."""
    if name.endswith("position_ids") or name.startswith("text_projection"):
        return None
    return name.removeprefix("text_model.")


def _resnet(rest: str) -> str:
    for theirs, ours in RESNET.items():
        if rest.startswith(theirs + "."):
            return ours + rest.removeprefix(theirs)
    return rest
