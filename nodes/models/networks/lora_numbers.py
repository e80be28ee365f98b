"""LoRA files of cloneofsimo's program, which count the layers they are for: ``unet:0:up``.

Layers are counted in the order of torch's modules at that time (lora_diffusion, Apache-2.0, with
diffusers 0.11): the linear layers of attentions and GEGLUs, down, up and middle blocks one after
another; of a text encoder those of its attentions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from nodes.models.families.family import TEXT_ENCODER, UNET
from nodes.models.files.pieces import NetworkSource

NAME = re.compile(r"(unet|text_encoder):(\d+):(up|down|alpha)")
TITLES = {UNET: "unet", TEXT_ENCODER: "text_encoder"}
PROJECTIONS = ("to_q", "to_k", "to_v", "to_out.0")
ATTENTIONS = tuple(tuple(f"attn{n}.{layer}" for layer in PROJECTIONS) for n in (1, 2))
FEED_FORWARD = ("ff.net.0.proj",)
ORDERS = (
    (*ATTENTIONS[0], *FEED_FORWARD, *ATTENTIONS[1]),
    (*ATTENTIONS[0], *ATTENTIONS[1], *FEED_FORWARD),
    (*ATTENTIONS[0], *ATTENTIONS[1]),
)
"""Of the layers in one block: with diffusers then and later, and before GEGLUs had adapters."""
OF_TEXT = ("self_attn.k_proj", "self_attn.v_proj", "self_attn.q_proj", "self_attn.out_proj")
SIDES = ("down_blocks", "up_blocks", "mid_block")
BLOCK = re.compile(r"(.*\.(?:transformer_blocks|layers)\.\d+)\.(?:attn1|self_attn)\..*")


def targets(
    modules: Mapping[str, Mapping[str, str]],
    shapes: Mapping[str, Sequence[int]],
    source: NetworkSource,
) -> dict[str, str]:
    """Which module of a network each numbered adapter is for; none where they do not all fit.

    Args:
        modules: ``unet:0`` -> role -> name of the tensor.
        shapes: of the tensors.
        source: the network.
    """
    title = TITLES.get(source.title)
    numbered = sorted(
        (name for name in modules if name.partition(":")[0] == title and ":" in name),
        key=lambda name: int(name.partition(":")[2]),
    )
    if not numbered:
        return {}
    blocks = _blocks(source)
    for order in (OF_TEXT,) if source.title == TEXT_ENCODER else ORDERS:
        layers = [f"{block}.{layer}" for block in blocks for layer in order]
        if len(layers) == len(numbered) and all(
            _fits(modules[name], shapes, source, layer)
            for name, layer in zip(numbered, layers, strict=True)
        ):
            return dict(zip(numbered, layers, strict=True))
    return {}


def _blocks(source: NetworkSource) -> list[str]:
    """The blocks that hold attentions, in the order of torch's modules."""
    found = {match[1] for name in source.pieces if (match := BLOCK.fullmatch(name))}

    def place(block: str) -> tuple[int, list[int]]:
        side = block.partition(".")[0]
        numbers = [int(word) for word in block.split(".") if word.isdecimal()]
        return SIDES.index(side) if side in SIDES else 0, numbers

    return sorted(found, key=place)


def _fits(
    roles: Mapping[str, str], shapes: Mapping[str, Sequence[int]], source: NetworkSource, layer: str
) -> bool:
    """Whether an adapter has the rows and columns of a layer."""
    name = f"{layer}.weight"
    if name not in source.pieces or not {"up", "down"} <= roles.keys():
        return False
    rows, columns = source.shape(name)[:2]
    return (shapes[roles["up"]][0], shapes[roles["down"]][1]) == (rows, columns)
