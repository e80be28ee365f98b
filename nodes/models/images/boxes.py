"""Boxes about things in pictures: {"x", "y", "width", "height", "label"?, "score"?} in pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, cast

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from nodes.models.images.pictures import to_bytes
from nodes.models.memory import ask_for

Box: TypeAlias = Mapping[str, Any]

LINE = 3
SMALLEST = 640
COLORS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#808000")


def per_frame(boxes: Any, frames: int) -> list[list[Box]]:
    """The boxes of each frame: one list for all of them, or a list of lists.

    Raises:
        ValueError: they are no boxes.
    """
    if isinstance(boxes, Mapping):
        boxes = [boxes]
    if not isinstance(boxes, Sequence) or isinstance(boxes, str):
        raise ValueError("bboxes: a list of boxes was expected, each with x, y, width and height")
    listed = cast("Sequence[Any]", boxes)
    nested = bool(listed) and all(isinstance(item, list | tuple) for item in listed)
    lists = [*listed] if nested else [listed] * max(frames, 1)
    for box in (box for one in lists for box in one):
        if not isinstance(box, Mapping) or not {"x", "y", "width", "height"} <= box.keys():  # pyright: ignore[reportUnknownMemberType] - anything may come by link
            raise ValueError(f"bboxes: {str(box)[:100]} has no x, y, width and height")  # pyright: ignore[reportUnknownArgumentType] - likewise
    return [list(one) for one in lists]


def canvas(boxes: Sequence[Sequence[Box]]) -> Tensor:
    """Black pictures [B, H, W, 3] with room for all boxes, 640 x 640 if there are none."""
    flat = [box for one in boxes for box in one]
    width = max((int(box["x"] + box["width"]) + LINE for box in flat), default=SMALLEST)
    height = max((int(box["y"] + box["height"]) + LINE for box in flat), default=SMALLEST)
    ask_for("pictures", max(1, len(boxes)), max(1, height), max(1, width), 3)
    return torch.zeros(max(1, len(boxes)), max(1, height), max(1, width), 3)


def drawn(pictures: Tensor, boxes: Sequence[Sequence[Box]]) -> Tensor:
    """Pictures [B, H, W, 3 or more] with their boxes; surplus frames have none."""
    made: list[Tensor] = []
    for number, picture in enumerate(pictures[..., :3]):
        image = Image.fromarray(to_bytes(picture))
        for place, box in enumerate(boxes[number] if number < len(boxes) else ()):
            _draw(ImageDraw.Draw(image), box, COLORS[place % len(COLORS)])
        made.append(torch.tensor(np.asarray(image), dtype=torch.float32) / 255)
    return torch.stack(made)


def _draw(onto: ImageDraw.ImageDraw, box: Box, color: str) -> None:
    left, top = float(box["x"]), float(box["y"])
    right, bottom = left + max(0.0, float(box["width"])), top + max(0.0, float(box["height"]))
    onto.rectangle((left, top, right, bottom), outline=color, width=LINE)
    words = [str(box["label"])] if box.get("label") else []
    words += [f"{float(box['score']):.2f}"] if box.get("score") is not None else []
    if words:
        onto.text((left + LINE + 1, top + LINE), " ".join(words), fill=color)
