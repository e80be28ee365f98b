"""How a UNet is built, by the names and shapes of its weights.

Understood are the names of the original Stable Diffusion code and those of diffusers; out of either
comes the configuration of diffusers' ``UNet2DConditionModel``, with as many levels, layers and
transformer blocks as there are, and where each weight lies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Shapes: TypeAlias = Mapping[str, Sequence[int]]

RESNET = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
ENDS = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "time_embed.cond_proj": "time_embedding.cond_proj",
    "input_blocks.0.0": "conv_in",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
    "label_emb.0.0": "{label}.linear_1",
    "label_emb.0.2": "{label}.linear_2",
}
PLACE = re.compile(
    r"((?:input|output)_blocks\.\d+\.\d+|middle_block\.\d+|time_embed\.\w+|out\.\d|label_emb\.0\.\d)"
    r"\.(.+)"
)
TRANSFORMER = re.compile(r"transformer_blocks\.(\d+)\.")
HEAD = 64  # width of an attention head, where projections are linear
HEADS = 8  # number of heads, where they are convolutions
SIZES = 256  # numbers that each of the sizes of SDXL becomes
CLASSES = "class_embedding.weight"
OTHERS = re.compile(r"(?:^|\.)(time_stack|time_mixer|temporal_)")


@dataclass(frozen=True)
class Layout:
    """How a UNet is built.

    Attributes:
        names: name of a weight in diffusers' network -> its name in the file, without a prefix.
        config: for ``UNet2DConditionModel``.
        channels: that it is given.
        context: width of the text that it is given.
        linear: whether its attentions project linearly, as from Stable Diffusion 2 on.
        label: width of the vector beside the text; None: there is none.
        classes: how many numbers may stand in its place; None: none do.
        outer_attention: whether the level of most pixels has attention.
    """

    names: Mapping[str, str] = field(repr=False)
    config: Mapping[str, Any] = field(repr=False)
    channels: int
    context: int
    linear: bool
    label: int | None
    classes: int | None
    outer_attention: bool


@dataclass
class Level:
    """Layers between two changes of size: channels, and the transformer blocks of each layer."""

    channels: int = 0
    depths: list[int] = field(default_factory=list[int])

    @property
    def attends(self) -> bool:
        """Whether any of its layers has attention."""
        return any(self.depths)


def unet_layout(shapes: Shapes) -> Layout | None:
    """The layout of the UNet that has these weights, without a prefix; None: it is none known."""
    names = _own_names(shapes) if "conv_in.weight" in shapes else diffusers_names(shapes)
    if names is None or any(OTHERS.search(name) for name in names.values()):
        return None
    ours = {name: shapes[theirs] for name, theirs in names.items()}
    try:
        return _layout(names, ours)
    except (KeyError, IndexError, ValueError):  # something is not there: another kind of network
        return None


def _own_names(shapes: Shapes) -> dict[str, str] | None:
    return {name: name for name in shapes} if "mid_block" in " ".join(shapes) else None


def diffusers_names(shapes: Shapes) -> dict[str, str] | None:
    """Names of diffusers for those of the original code; None where it is another network."""
    places: dict[str, list[str]] = {}
    for name in shapes:
        if (match := PLACE.fullmatch(name)) is not None:
            places.setdefault(match[1], []).append(match[2])
    if "input_blocks.0.0" not in places or "out.2" not in places:
        return None
    label = "class_embedding" if "input_blocks.1.1" in places else "add_embedding"
    found: dict[str, str] = {}
    moved = [(ours.format(label=label), theirs) for theirs, ours in ENDS.items()]
    moved += [*down_places(places), *middle_places(places), *_up(places)]
    for ours, theirs in moved:
        for rest in places.get(theirs, ()):
            found[f"{ours}.{layer_name(rest)}"] = f"{theirs}.{rest}"
    if "label_emb.weight" in shapes:
        found[CLASSES] = "label_emb.weight"
    return found


def down_places(places: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Places of the input side: in diffusers, and in the original."""
    level = layer = 0
    number = 1
    while (slot := f"input_blocks.{number}.0") in places:
        if "op.weight" in places[slot]:
            yield f"down_blocks.{level}.downsamplers.0", slot
            level, layer = level + 1, 0
        else:
            yield f"down_blocks.{level}.resnets.{layer}", slot
            yield f"down_blocks.{level}.attentions.{layer}", f"input_blocks.{number}.1"
            layer += 1
        number += 1


def _up(places: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    level = layer = number = 0
    while (slot := f"output_blocks.{number}.0") in places:
        yield f"up_blocks.{level}.resnets.{layer}", slot
        layer += 1
        for other in (1, 2):
            slot = f"output_blocks.{number}.{other}"
            if "conv.weight" in places.get(slot, ()):
                yield f"up_blocks.{level}.upsamplers.0", slot
                level, layer = level + 1, 0
            elif slot in places:
                yield f"up_blocks.{level}.attentions.{layer - 1}", slot
        number += 1


def middle_places(places: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Places of the middle: in diffusers, and in the original."""
    for number, place in enumerate(("resnets.0", "attentions.0", "resnets.1")):
        yield f"mid_block.{place}", f"middle_block.{number}"


def layer_name(rest: str) -> str:
    """The name in a layer: of a resnet and of a change of size; of an attention it is the same."""
    for theirs, ours in {**RESNET, "op": "conv"}.items():
        if rest.startswith(theirs + "."):
            return ours + rest.removeprefix(theirs)
    return rest


def _layout(names: Mapping[str, str], shapes: Shapes) -> Layout:
    down, up = levels(shapes, "down_blocks"), levels(shapes, "up_blocks")
    middle = levels(shapes, "mid_block")
    if [len(level.depths) for level in up[::-1]] != [len(level.depths) + 1 for level in down]:
        raise ValueError("unequal sides")
    texts = [name for name in shapes if name.endswith("attn2.to_k.weight")]
    context = int(shapes[texts[0]][1])
    linear = len(shapes[texts[0].partition("transformer_blocks")[0] + "proj_in.weight"]) == 2
    label = _label(shapes)
    channels = int(shapes["conv_in.weight"][1])
    config: dict[str, Any] = {
        "in_channels": channels,
        "out_channels": int(shapes["conv_out.weight"][0]),
        "block_out_channels": [level.channels for level in down],
        "layers_per_block": [len(level.depths) for level in down],
        "cross_attention_dim": context,
        "use_linear_projection": linear,
        "attention_head_dim": [max(1, level.channels // HEAD) for level in down]
        if linear
        else HEADS,
        **_transformers(down, middle, up),
    }
    time = int(shapes["time_embedding.linear_1.weight"][0])
    if time != 4 * down[0].channels:
        config["time_embedding_dim"] = time
    if label is not None and "add_embedding.linear_1.weight" in shapes:
        config |= {"addition_embed_type": "text_time", "addition_time_embed_dim": SIZES}
    elif label is not None:
        config |= {"class_embed_type": "projection"}
    if CLASSES in shapes:
        config["num_class_embeds"] = int(shapes[CLASSES][0])
    if any(crossed := [_only_cross(shapes, n, level) for n, level in enumerate(down)]):
        config["only_cross_attention"] = crossed
    if label is not None:
        config |= {"projection_class_embeddings_input_dim": label}
    if (known := shapes.get("time_embedding.cond_proj.weight")) is not None:
        config["time_cond_proj_dim"] = int(known[1])
    classes = config.get("num_class_embeds")
    return Layout(names, config, channels, context, linear, label, classes, down[0].attends)


def _only_cross(shapes: Shapes, number: int, level: Level) -> bool:
    """Whether both attentions of a level of the input side are to the text."""
    first = f"down_blocks.{number}.attentions.0.transformer_blocks.0.attn1.to_k.weight"
    return level.attends and int(shapes[first][1]) != level.channels


def _label(shapes: Shapes) -> int | None:
    for place in ("add_embedding", "class_embedding"):
        if (shape := shapes.get(f"{place}.linear_1.weight")) is not None:
            return int(shape[1])
    return None


def levels(shapes: Shapes, side: str) -> list[Level]:
    """The levels of a side in diffusers' names, from the first on; the middle is one level."""
    found: list[Level] = []
    while True:
        place = side if side == "mid_block" else f"{side}.{len(found)}"
        level = Level()
        while (key := f"{place}.resnets.{len(level.depths)}.conv1.weight") in shapes:
            level.channels = int(shapes[key][0])
            attention = f"{place}.attentions.{len(level.depths)}."
            level.depths.append(_depth(shapes, attention))
        if not level.depths:
            return found
        found.append(level)
        if side == "mid_block":
            return found


def _depth(shapes: Shapes, attention: str) -> int:
    """Transformer blocks of an attention, 0: there is none."""
    depth = 0
    while f"{attention}transformer_blocks.{depth}.norm1.weight" in shapes:
        depth += 1
    return depth


def _transformers(
    down: Sequence[Level], middle: Sequence[Level], up: Sequence[Level]
) -> dict[str, Any]:
    """Which levels have attention, and of how many blocks."""

    def depth(level: Level) -> int | list[int]:
        if not level.attends:
            return 1
        if not all(level.depths):
            raise ValueError("a level with and without attention")
        return level.depths if len(set(level.depths)) > 1 else level.depths[0]

    def kinds(levels: Sequence[Level], direction: str) -> list[str]:
        return [
            f"CrossAttn{direction}Block2D" if level.attends else f"{direction}Block2D"
            for level in levels
        ]

    kind = None
    if middle:
        kind = "UNetMidBlock2DCrossAttn" if middle[0].attends else "UNetMidBlock2D"
    of_down, of_up = [depth(level) for level in down], [depth(level) for level in up]
    config: dict[str, Any] = {
        "down_block_types": kinds(down, "Down"),
        "up_block_types": kinds(up, "Up"),
        "mid_block_type": kind,
    }
    if middle and middle[0].attends:
        # The middle is as deep as the last level is said to be, where that has no attention.
        if not down[-1].attends:
            of_down[-1] = of_up[0] = middle[0].depths[0]
        if of_down[-1] != middle[0].depths[0]:
            raise ValueError("a middle of another depth")
    if of_up[::-1] != of_down:
        config["reverse_transformer_layers_per_block"] = of_up
    config["transformer_layers_per_block"] = of_down
    return config
