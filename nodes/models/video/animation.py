"""Animated pictures as videos: GIF, WebP, PNG and AVIF."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from media import pictures
from media.values import numbers
from nodes.models.images.pictures import MOST_BYTES
from nodes.models.video.track import Video, VideoError

SHORTEST = 20.0
"""Milliseconds; browsers show a frame of less for `USUAL`."""
USUAL = 100.0


def read(data: bytes, warn: Callable[[str], None]) -> Video:
    """The frames of an animated picture at their mean pace.

    Raises:
        VideoError: it is none.
    """
    frames, lengths = list[torch.Tensor](), list[float]()
    try:
        for picture in pictures.frames(data, warn):
            frames.append(torch.tensor(numbers(picture, warn)))
            lengths.append(_milliseconds(picture))
            if frames[-1].shape != frames[0].shape:
                raise VideoError("its pictures are not of one size")
            if len(frames) * frames[0].numel() * frames[0].itemsize > MOST_BYTES:
                raise VideoError("its pictures do not fit into memory; make it smaller or shorter")
    except pictures.BadPicture as error:
        raise VideoError(
            f"it is no video that can be read: MP4, WebM, or an animated picture ({error})"
        ) from None
    if len(frames) == 1:
        raise VideoError("it is a picture that does not move; Load Image reads it")
    return {
        "images": torch.stack(frames),
        "audio": None,
        "frame_rate": 1000 * len(frames) / sum(lengths),
    }


def _milliseconds(picture: pictures.Picture) -> float:
    given = USUAL if isinstance(picture, np.ndarray) else picture.info.get("duration", USUAL)
    length = float(given) if isinstance(given, int | float) else USUAL
    return length if length >= SHORTEST else USUAL
