"""How a text encoder of CLIP is built, by the names and shapes of its weights.

Understood are the names of transformers' ``CLIPTextModel`` and those of OpenCLIP, which holds
queries, keys and values as one matrix and its projection transposed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from nodes.models.files.pieces import Piece, Pieces

Shapes: TypeAlias = Mapping[str, Sequence[int]]

HEAD = 64
WORDS = "embeddings.token_embedding.weight"
PROJECTION = "text_projection.weight"
OPEN_CLIP = {
    "positional_embedding": "embeddings.position_embedding.weight",
    "token_embedding.weight": WORDS,
    "ln_final.weight": "final_layer_norm.weight",
    "ln_final.bias": "final_layer_norm.bias",
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
NO_WEIGHT = ("position_ids", "logit_scale", "attn_mask")


@dataclass(frozen=True)
class ClipLayout:
    """How a text encoder is built.

    Attributes:
        pieces: what each weight of transformers' network is made of, names without a prefix.
        config: for ``CLIPTextConfig``.
        width: of its vectors.
    """

    pieces: Pieces = field(repr=False)
    config: Mapping[str, Any] = field(repr=False)
    width: int


def clip_layout(shapes: Shapes, activation: str) -> ClipLayout | None:
    """The layout of the text encoder that has these weights; None: it is none of CLIP.

    Args:
        shapes: names without a prefix.
        activation: of its layers: "quick_gelu" in OpenAI's CLIP, "gelu" in OpenCLIP's.
    """
    pieces = _pieces(shapes)
    if WORDS not in pieces or "encoder.layers.0.mlp.fc1.weight" not in pieces:
        return None

    def shape(name: str) -> Sequence[int]:
        return shapes[pieces[name][0].name]

    vocabulary, width = shape(WORDS)
    layers = {name.split(".")[2] for name in pieces if name.startswith("encoder.layers.")}
    config: dict[str, Any] = {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": shape("encoder.layers.0.mlp.fc1.weight")[0],
        "num_hidden_layers": len(layers),
        "num_attention_heads": max(1, width // HEAD),
        "max_position_embeddings": shape("embeddings.position_embedding.weight")[0],
        "hidden_act": activation,
        "bos_token_id": vocabulary - 2,
        "eos_token_id": vocabulary - 1,
    }
    if PROJECTION in pieces:
        config["projection_dim"] = shape(PROJECTION)[1 if pieces[PROJECTION][0].transposed else 0]
    return ClipLayout(pieces, config, width)


def _pieces(shapes: Shapes) -> Pieces:
    found: dict[str, tuple[Piece, ...]] = {}
    for name, shape in shapes.items():
        if (fused := FUSED.fullmatch(name)) is not None:
            rows = shape[0] // 3
            for place, part in enumerate("qkv"):
                ours = f"encoder.layers.{fused[1]}.self_attn.{part}_proj.{fused[2]}"
                found[ours] = (Piece(name, place * rows, rows),)
        elif (ours := _renamed(name)) is not None:
            found[ours] = (Piece(name, transposed=name == "text_projection"),)
    return found


def checkpoint_name(name: str, encoder: str) -> tuple[str, int]:
    """The tensor of a checkpoint that a weight of an encoder is in, and which of its parts it is.

    CLIP-L has a tensor for each weight; the others have the names of OpenCLIP.
    """
    if encoder == "clip_l":
        return f"text_model.{name}" if name != PROJECTION else name, 0
    if name == PROJECTION:
        return "text_projection", 0
    for theirs, ours in OPEN_CLIP.items():
        if name == ours:
            return theirs, 0
    _, _, layer, place = name.split(".", 3)
    place, _, end = place.rpartition(".")
    if (part := PARTS.fullmatch(place)) is not None:
        return f"transformer.resblocks.{layer}.attn.in_proj_{end}", "qkv".index(part[1])
    theirs = next(theirs for theirs, ours in OPEN_CLIP_LAYER.items() if ours == place)
    return f"transformer.resblocks.{layer}.{theirs}.{end}", 0


def _renamed(name: str) -> str | None:
    if name.endswith(NO_WEIGHT):
        return None
    if name == "text_projection":
        return PROJECTION
    if name in OPEN_CLIP:
        return OPEN_CLIP[name]
    if (match := RESBLOCK.fullmatch(name)) is not None:
        layer = OPEN_CLIP_LAYER.get(match[2])
        return None if layer is None else f"encoder.layers.{match[1]}.{layer}.{match[3]}"
    ours = name.removeprefix("text_model.")
    known = ours.startswith(("embeddings.", "encoder.layers.", "final_layer_norm."))
    return ours if known or ours == PROJECTION else None
