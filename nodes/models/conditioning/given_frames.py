"""Videos of which some frames are given: what is put beside the noise, and where it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from nodes.models.conditioning.conditionings import Conditioning
from nodes.models.conditioning.vision import Seen
from nodes.models.images.pictures import scaled
from nodes.models.memory import ask_for

GRAY = 0.5
"""Where no frame is given."""
FRAMES = 4
"""Of the video for one of the latents."""


def at_size(pictures: Tensor, width: int, height: int, most: int | None = None) -> Tensor:
    """Frames [N, H, W, 3] at another size, cut about their middle, of which `most` count."""
    return scaled(pictures[:most, ..., :3], "bilinear", width, height, crop=True)


def gray_video(
    length: int, width: int, height: int, start: Tensor | None, end: Tensor | None
) -> Tensor:
    """A video [length, H, W, 3] that begins and ends with given frames, and is gray between."""
    ask_for("pictures", length, height, width, 3)
    video = torch.full((length, height, width, 3), GRAY)
    if start is not None:
        first = at_size(start, width, height, length)
        video[: len(first)] = first
    if end is not None:
        last = at_size(end[-length:], width, height)
        video[length - len(last) :] = last
    return video


def changing(latents: Sequence[int], start: int, end: int) -> Tensor:
    """Which frames are not given, [1, 4, T, h, w]: 0 where one is, for each of a latent frame.

    The first latent frame stands for one alone, which fills all its four places.

    Args:
        latents: T, h, w.
        start: how many frames are given at the beginning.
        end: how many at the end.
    """
    length, rows, columns = latents
    places = torch.ones(length * FRAMES)
    places[: start + FRAMES - 1 if start else 0] = 0
    places[length * FRAMES - end :] = 0
    mask = places.reshape(length, FRAMES).T[None, :, :, None, None]
    return mask.expand(-1, -1, -1, rows, columns).clone()


def with_options(conditioning: Conditioning, **options: Any) -> Conditioning:
    """A conditioning with further options, those that are None left out."""
    given = {name: value for name, value in options.items() if value is not None}
    return [(text, {**before, **given}) for text, before in conditioning]


def both_seen(first: Seen | None, last: Seen | None) -> Seen | None:
    """What was seen in a first and a last picture as one, their tokens behind each other."""
    if first is None or last is None:
        return last if first is None else first
    return Seen(
        torch.cat([first.last_hidden_state, last.last_hidden_state], dim=1),
        torch.cat([first.penultimate_hidden_states, last.penultimate_hidden_states], dim=1),
        first.image_embeds,
    )
