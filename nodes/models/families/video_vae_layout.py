"""How an autoencoder of videos is built, by the names and shapes of its weights.

Understood are the names of the original code and those of diffusers; out of either comes the
configuration of diffusers' class.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

from nodes.models.families.vae_layout import original_vae

Shapes: TypeAlias = Mapping[str, Sequence[int]]
Layout: TypeAlias = tuple[dict[str, str], dict[str, Any]]
"""Names of diffusers -> those of the file, and the config with its class."""

WAN = "AutoencoderKLWan"
"""Class, in the config, of Wan's autoencoders and Qwen-Image's."""
HUNYUAN = "AutoencoderKLHunyuanVideo"
"""Class, in the config, of HunyuanVideo's."""
TIME = 4
"""Frames for one of HunyuanVideo's latents."""
RESIDUAL = {
    "residual.0.": "norm1.",
    "residual.2.": "conv1.",
    "residual.3.": "norm2.",
    "residual.6.": "conv2.",
    "shortcut.": "conv_shortcut.",
}
WORDS = {
    "encoder.conv1.": "encoder.conv_in.",
    "decoder.conv1.": "decoder.conv_in.",
    ".middle.0.": ".mid_block.resnets.0.",
    ".middle.1.": ".mid_block.attentions.0.",
    ".middle.2.": ".mid_block.resnets.1.",
    ".head.0.": ".norm_out.",
    ".head.2.": ".conv_out.",
}
ENDS = {"conv1.": "quant_conv.", "conv2.": "post_quant_conv."}
FLAT = re.compile(r"decoder\.upsamples\.(\d+)\.(.+)")
NESTED = re.compile(r"(encoder\.down|decoder\.up)samples\.(\d+)\.(?:down|up)samples\.(\d+)\.(.+)")


def video_vae_layout(shapes: Shapes) -> Layout | None:
    """Where the weights of an autoencoder of videos lie; None: it is another network.

    `shapes` have no prefix.
    """
    if "decoder.middle.0.residual.0.gamma" in shapes:
        nested = "decoder.upsamples.0.upsamples.0.residual.2.weight" in shapes
        rename = _nested(shapes) if nested else _flat(shapes)
        return _wan({rename(_plain(name)): name for name in shapes}, shapes)
    if "decoder.mid_block.resnets.0.norm1.gamma" in shapes:
        return _wan({name: name for name in shapes}, shapes)
    return _hunyuan(shapes) if "decoder.conv_in.conv.weight" in shapes else None


def _plain(name: str) -> str:
    """The name of a weight outside of the levels, and of layers inside of blocks."""
    for theirs, ours in ENDS.items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    for theirs, ours in {**WORDS, **RESIDUAL}.items():
        name = name.replace(theirs, ours)
    return name


def _flat(shapes: Shapes) -> Any:
    """Renames levels of Wan 2.1: the decoder's blocks and changes of size are one list there."""
    sizes = {int(m[1]) for n in shapes if (m := FLAT.fullmatch(n)) and m[2].startswith("resample")}
    level = min(sizes, default=0) + 1  # how many entries of the list a level has

    def renamed(name: str) -> str:
        if (match := FLAT.fullmatch(name)) is None:
            return name.replace("encoder.downsamples.", "encoder.down_blocks.")
        number, place = divmod(int(match[1]), level)
        kind = "upsamplers.0" if int(match[1]) in sizes else f"resnets.{place}"
        return f"decoder.up_blocks.{number}.{kind}.{match[2]}"

    return renamed


def _nested(shapes: Shapes) -> Any:
    """Renames levels of Wan 2.2, whose last entry may change the size."""

    def renamed(name: str) -> str:
        if (match := NESTED.fullmatch(name)) is None:
            return name
        place, level, entry, rest = match[1], match[2], match[3], match[4]
        if rest.startswith(("resample.", "time_conv.")):
            return f"{place}_blocks.{level}.{place.partition('.')[2]}sampler.{rest}"
        return f"{place}_blocks.{level}.resnets.{entry}.{rest}"

    return renamed


def _wan(names: dict[str, str], shapes: Shapes) -> Layout | None:
    known = {ours: shapes[theirs] for ours, theirs in names.items()}
    wanted = ("encoder.conv_in.weight", "decoder.conv_in.weight", "post_quant_conv.weight")
    if any(name not in known or len(known[name]) != 5 for name in wanted):
        return None
    entry, deep, latent = (known[name] for name in wanted)
    nested = "encoder.down_blocks.0.resnets.0.conv1.weight" in known
    widths, timed = _levels(known) if nested else _flat_levels(known, entry[0])
    patch = 2 if entry[1] == 12 else None
    return names, {
        "_class_name": WAN,
        "base_dim": entry[0],
        "decoder_base_dim": deep[0] * entry[0] // widths[-1],
        "z_dim": latent[0],
        "dim_mult": [width // entry[0] for width in widths],
        "num_res_blocks": _count(known, "decoder.up_blocks.0.resnets") - 1,
        "temperal_downsample": timed,
        "is_residual": nested,
        "in_channels": entry[1],
        "out_channels": known["decoder.conv_out.weight"][0],
        "patch_size": patch,
        "scale_factor_temporal": 2 ** sum(timed),
        "scale_factor_spatial": 2 ** len(timed) * (patch or 1),
    }


def _levels(known: Shapes) -> tuple[list[int], list[bool]]:
    """The widths of the levels, and whether time is halved behind each but the last."""
    count = _count(known, "encoder.down_blocks")
    widths = [
        int(known[f"encoder.down_blocks.{n}.resnets.0.conv1.weight"][0]) for n in range(count)
    ]
    begin = "encoder.down_blocks"
    return widths, [f"{begin}.{n}.downsampler.time_conv.weight" in known for n in range(count - 1)]


def _flat_levels(known: Shapes, base: int) -> tuple[list[int], list[bool]]:
    """As `_levels`, of an encoder whose blocks and changes of size are one list."""
    widths, timed = [base], list[bool]()
    for n in range(_count(known, "encoder.down_blocks")):
        place = f"encoder.down_blocks.{n}"
        if f"{place}.resample.1.weight" in known:
            timed.append(f"{place}.time_conv.weight" in known)
            widths.append(widths[-1])
        else:
            widths[-1] = int(known[f"{place}.conv1.weight"][0])
    return widths, timed


def _hunyuan(shapes: Shapes) -> Layout | None:
    """HunyuanVideo's, whose names are those of diffusers, or as Stable Diffusion's."""
    ours = {name: name for name in shapes}
    if any(name.startswith("decoder.up.") for name in shapes):
        begin = "encoder.down."
        levels = {n.removeprefix(begin).partition(".")[0] for n in shapes if n.startswith(begin)}
        ours = {name: original_vae(name, len(levels)) for name in shapes}
    names = {name: theirs for theirs, name in ours.items() if name is not None}
    widths: list[int] = []
    while (key := f"encoder.down_blocks.{len(widths)}.resnets.0.conv1.conv.weight") in names:
        widths.append(int(shapes[names[key]][0]))
    if not widths or "post_quant_conv.weight" not in names:
        return None
    return names, {
        "_class_name": HUNYUAN,
        "latent_channels": shapes[names["decoder.conv_in.conv.weight"]][1],
        "block_out_channels": widths,
        "down_block_types": ["HunyuanVideoDownBlock3D"] * len(widths),
        "up_block_types": ["HunyuanVideoUpBlock3D"] * len(widths),
        "layers_per_block": _count(names, "encoder.down_blocks.0.resnets"),
        "spatial_compression_ratio": 2 ** (len(widths) - 1),
        "temporal_compression_ratio": TIME,
    }


def _count(known: Collection[str], place: str) -> int:
    """How many entries a list has."""
    numbers = {
        int(name.removeprefix(place + ".").partition(".")[0])
        for name in known
        if name.startswith(place + ".")
    }
    return 1 + max(numbers, default=-1)
