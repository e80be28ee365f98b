"""How HunyuanImage 2.1's autoencoder is built, by the names and shapes of its weights.

Understood are the names of the original code and those of diffusers, in which the blocks and the
changes of size of all levels are one list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from nodes.models.families.vae_layout import original_vae

Shapes: TypeAlias = Mapping[str, Sequence[int]]

HUNYUAN_IMAGE = "AutoencoderKLHunyuanImage"
"""Class, in the config, of HunyuanImage 2.1's autoencoder."""
SAMPLE = 384
"""Side in pixels of diffusers' own tiles, which are not used."""
ENTRY = re.compile(r"(encoder\.down|decoder\.up)\.(\d+)\.(?:block\.(\d+)|(?:down|up)sample)\.(.+)")
LISTS = ("encoder.down_blocks.0.conv1.weight", "decoder.up_blocks.0.conv1.weight")


def hunyuan_image_vae_layout(shapes: Shapes) -> tuple[dict[str, str], dict[str, Any]] | None:
    """Names of diffusers -> those of the file, and the config; None: it is another network.

    `shapes` have no prefix. In the original names the coarsest level of the decoder is the first,
    that of Stable Diffusion's the last: there the first level never changes the size.
    """
    if "decoder.up.0.upsample.conv.weight" in shapes:
        names = _listed(shapes)
    elif all(name in shapes for name in LISTS):
        names = {name: name for name in shapes if name.startswith(("encoder.", "decoder."))}
    else:
        return None
    known = {ours: shapes[theirs] for ours, theirs in names.items()}
    entry = known.get("decoder.conv_in.weight", ())
    if len(entry) != 4 or any(name not in known for name in LISTS):
        return None
    widths, layers = _levels(known)
    return names, {
        "_class_name": HUNYUAN_IMAGE,
        "in_channels": 3,
        "out_channels": 3,
        "latent_channels": entry[1],
        "block_out_channels": widths,
        "layers_per_block": layers,
        "spatial_compression_ratio": 2 ** (len(widths) - 1),
        "sample_size": SAMPLE,
    }


def _listed(shapes: Shapes) -> dict[str, str]:
    """Names of diffusers -> original ones, whose levels become one list."""
    found = {name: match for name in shapes if (match := ENTRY.fullmatch(name)) is not None}
    blocks = {
        side: 1 + max((int(m[3]) for m in found.values() if m[1] == side and m[3]), default=0)
        for side in ("encoder.down", "decoder.up")
    }
    names: dict[str, str] = {}
    for name in shapes:
        if (match := found.get(name)) is None:
            if (plain := original_vae(name, 1)) is not None:
                names[_plain(plain)] = name
            continue
        each = blocks[match[1]]
        place = int(match[2]) * (each + 1) + (each if match[3] is None else int(match[3]))
        rest = match[4].replace("nin_shortcut.", "conv_shortcut.")
        names[f"{match[1]}_blocks.{place}.{rest}"] = name
    return names


def _plain(name: str) -> str:
    """A name of ``AutoencoderKL`` outside of the levels, as this class has it."""
    for theirs, ours in {
        "conv_norm_out.": "norm_out.",
        "group_norm.": "norm.",
        "to_out.0.": "proj.",
    }.items():
        name = name.replace(theirs, ours)
    return name


def _levels(known: Shapes) -> tuple[list[int], int]:
    """The widths of the levels, the finest first, and how many blocks the encoder has in each."""
    widths: list[int] = []
    blocks = number = width = 0
    while True:
        place = f"encoder.down_blocks.{number}"
        if (block := known.get(f"{place}.conv1.weight")) is not None:
            width = int(block[0])
            blocks += 1
        elif f"{place}.conv.weight" in known:
            widths.append(width)
        else:
            return [*widths, width], max(1, blocks // (len(widths) + 1))
        number += 1
