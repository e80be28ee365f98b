"""How a vision encoder is built, by the names and shapes of its weights.

Understood are CLIP's, by the names of transformers and of OpenCLIP, which holds queries, keys and
values as one matrix, and SigLIP's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from nodes.models.files.pieces import Piece, Pieces, placed

Shapes: TypeAlias = Mapping[str, Sequence[int]]

HEAD, HEADS = 64, 16
WIDE = 1024
"""From this width on there are `HEADS` heads, below as many as are `HEAD` wide."""
PATCHES, POSITIONS = "embeddings.patch_embedding.weight", "embeddings.position_embedding.weight"
CLASS = "embeddings.class_embedding"
OPEN_CLIP = {
    "class_embedding": CLASS,
    "conv1.weight": PATCHES,
    "positional_embedding": POSITIONS,
    "ln_pre.weight": "pre_layrnorm.weight",
    "ln_pre.bias": "pre_layrnorm.bias",
    "ln_post.weight": "post_layernorm.weight",
    "ln_post.bias": "post_layernorm.bias",
}
OPEN_CLIP_LAYER = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}
RESBLOCK = re.compile(r"transformer\.resblocks\.(\d+)\.(.+)\.(weight|bias)")
FUSED = re.compile(r"transformer\.resblocks\.(\d+)\.attn\.in_proj_(weight|bias)")
PARTS = re.compile(r"self_attn\.([qkv])_proj")
PROJECTION = "visual_projection.weight"
SIGNS = (
    ("vision_model." + PATCHES, ""),
    ("visual.conv1.weight", "visual."),
    (PATCHES, ""),
    ("conv1.weight", ""),
)
"""How the name of the first weight ends, and what of that is in front of all names."""


@dataclass(frozen=True)
class VisionLayout:
    """How a vision encoder is built.

    Attributes:
        kind: whose it is.
        pieces: what each weight of transformers' network is made of, whole names in the file.
        config: for ``CLIPVisionConfig`` or ``SiglipVisionConfig``.
    """

    kind: Literal["clip", "siglip"]
    pieces: Pieces = field(repr=False)
    config: Mapping[str, Any] = field(repr=False)


def vision_layout(shapes: Shapes) -> VisionLayout | None:
    """The layout of the network that has these weights; None: it is none known."""
    for sign, inner in SIGNS:
        for name in shapes:
            if name.endswith(sign):
                prefix = name.removesuffix(sign) + inner
                own = {
                    given.removeprefix(prefix): tuple(shape)
                    for given, shape in shapes.items()
                    if given.startswith(prefix)
                }
                try:
                    return _layout(own, prefix)
                except (KeyError, IndexError, ValueError, ZeroDivisionError):
                    return None
    return None


def _layout(shapes: Shapes, prefix: str) -> VisionLayout | None:
    pieces = _pieces(shapes)
    ours = {name: of_one[0].shape(tuple(shapes[of_one[0].name])) for name, of_one in pieces.items()}
    width, channels, _, patch = ours[PATCHES]
    siglip = CLASS not in ours
    tokens = ours[POSITIONS][0] - (not siglip)
    side = math.isqrt(tokens)
    if channels != 3 or side * side != tokens:
        return None
    layers = {name.split(".")[2] for name in ours if name.startswith("encoder.layers.")}
    config: dict[str, Any] = {
        "hidden_size": width,
        "intermediate_size": ours["encoder.layers.0.mlp.fc1.weight"][0],
        "num_hidden_layers": len(layers),
        "num_attention_heads": HEADS if width >= WIDE else max(1, width // HEAD),
        "image_size": side * patch,
        "patch_size": patch,
    }
    if siglip:
        config |= {"vision_use_head": "head.probe" in ours, "hidden_act": "gelu_pytorch_tanh"}
        return VisionLayout("siglip", placed(pieces, "", prefix), config)
    config |= {
        "projection_dim": ours[PROJECTION][0],
        "hidden_act": "quick_gelu" if width <= WIDE else "gelu",
    }
    inner = {
        name if name == PROJECTION else f"vision_model.{name}": of_one
        for name, of_one in pieces.items()
    }
    return VisionLayout("clip", placed(inner, "", prefix), config)


def _pieces(shapes: Shapes) -> dict[str, tuple[Piece, ...]]:
    found: dict[str, tuple[Piece, ...]] = {}
    for name, shape in shapes.items():
        plain = name.removeprefix("vision_model.")
        if (fused := FUSED.fullmatch(plain)) is not None:
            rows = shape[0] // 3
            for place, part in enumerate("qkv"):
                ours = f"encoder.layers.{fused[1]}.self_attn.{part}_proj.{fused[2]}"
                found[ours] = (Piece(name, place * rows, rows),)
        elif plain in ("proj", PROJECTION):
            found[PROJECTION] = (Piece(name, transposed=plain == "proj"),)
        elif (ours := _renamed(plain)) is not None:
            found[ours] = (Piece(name),)
    return found


def checkpoint_name(name: str) -> tuple[str, int]:
    """The tensor of OpenCLIP that a weight of transformers' network is in, and which part of it."""
    plain = name.removeprefix("vision_model.")
    if plain == PROJECTION:
        return "proj", 0
    for theirs, ours in OPEN_CLIP.items():
        if plain == ours:
            return theirs, 0
    _, _, layer, place = plain.split(".", 3)
    place, _, end = place.rpartition(".")
    if (part := PARTS.fullmatch(place)) is not None:
        return f"transformer.resblocks.{layer}.attn.in_proj_{end}", "qkv".index(part[1])
    theirs = next(theirs for theirs, ours in OPEN_CLIP_LAYER.items() if ours == place)
    return f"transformer.resblocks.{layer}.{theirs}.{end}", 0


def _renamed(name: str) -> str | None:
    if name in OPEN_CLIP:
        return OPEN_CLIP[name]
    if (match := RESBLOCK.fullmatch(name)) is not None:
        layer = OPEN_CLIP_LAYER.get(match[2])
        return None if layer is None else f"encoder.layers.{match[1]}.{layer}.{match[3]}"
    if name.startswith(("embeddings.", "encoder.layers.", "pre_layrnorm.", "post_layernorm.")):
        return None if name.endswith("position_ids") else name
    return name if name.startswith("head.") else None
