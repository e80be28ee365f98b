"""Batches of pictures [B, H, W, C]: parted, joined, repeated."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from nodes.models.images.pictures import scaled
from nodes.models.memory import ask_for


def part(batch: Tensor, start: int, length: int) -> Tensor:
    """Some in a row; a start behind the end means the last one, a length is cut at the end."""
    start = min(start, len(batch) - 1)
    return batch[start : start + length].clone()


def repeated(batch: Tensor, count: int) -> Tensor:
    """The batch over and over until there are `count`."""
    if len(batch) == count:
        return batch
    ask_for("a batch", count, *batch.shape[1:])
    times = -(-count // len(batch))
    return torch.cat([batch] * times)[:count]


def joined(first: Tensor, second: Tensor) -> Tensor:
    """Both in one batch: the second at the size of the first, alpha where one of them has it."""
    channels = max(first.shape[-1], second.shape[-1])
    height, width = first.shape[1:3]
    if second.shape[1:3] != (height, width):
        second = scaled(second, "bilinear", width, height, crop=True)
    return torch.cat([with_channels(first, channels), with_channels(second, channels)])


def with_channels(pictures: Tensor, channels: int) -> Tensor:
    """Pictures of so many channels: surplus ones are dropped, missing ones are 1 (opaque).

    One channel alone is grey and becomes three.
    """
    if pictures.shape[-1] == 1 < channels:
        pictures = pictures.expand(-1, -1, -1, 3)
    missing = channels - pictures.shape[-1]
    if missing <= 0:
        return pictures[..., :channels]
    return torch.cat([pictures, pictures.new_ones(*pictures.shape[:-1], missing)], dim=-1)


def regrouped(batches: Iterable[Tensor], size: int) -> list[Tensor]:
    """The same pictures in batches of `size`; another shape begins a new batch."""
    groups: list[list[Tensor]] = []
    for picture in (picture for batch in batches for picture in batch):
        if not groups or len(groups[-1]) == size or groups[-1][0].shape != picture.shape:
            groups.append([])
        groups[-1].append(picture)
    return [torch.stack(group) for group in groups]
