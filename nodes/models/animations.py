"""Batches of pictures as the frames of one file."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

from PIL import Image
from PIL.ExifTags import Base
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from nodes.models.pictures import MODES, PictureError, to_bytes

EFFORTS = {"default": 4, "fastest": 0, "slowest": 6}


def webp(
    pictures: Tensor,
    texts: Mapping[str, Any],
    *,
    fps: float,
    lossless: bool,
    quality: int,
    effort: int,
) -> bytes:
    """Pictures [B, H, W, C] as an endless animation.

    Args:
        pictures: 3 or 4 channels.
        texts: kept beside it in EXIF tags of the form "name:JSON", the model's tag downwards.
        fps: frames for each second.
        lossless: exact pixels.
        quality: 0..100; of a lossless one how hard to try to make it small.
        effort: 0 (quick) to 6 (small).
    """
    first, *others = _frames(pictures)
    exif = first.getexif()
    for tag, (name, value) in zip(range(Base.Model, 0, -1), texts.items(), strict=False):
        exif[tag] = f"{name}:{json.dumps(value)}"
    file = io.BytesIO()
    first.save(
        file,
        "WEBP",
        save_all=True,
        append_images=others,
        duration=int(1000 / fps),
        lossless=lossless,
        quality=quality,
        method=effort,
        exif=exif,
    )
    return file.getvalue()


def apng(pictures: Tensor, texts: Mapping[str, Any], *, fps: float, compression: int) -> bytes:
    """Pictures as an endless animated PNG.

    Args:
        pictures: [B, H, W, C] of 1, 3 or 4 channels.
        texts: kept beside it, in their order, each as JSON.
        fps: frames for each second.
        compression: 0 (quick) to 9 (small).
    """
    first, *others = _frames(pictures)
    info = PngInfo()
    for name, value in texts.items():
        info.add_text(name, json.dumps(value))
    file = io.BytesIO()
    first.save(
        file,
        "PNG",
        save_all=True,
        append_images=others,
        duration=int(1000 / fps),
        pnginfo=info,
        compress_level=compression,
    )
    return file.getvalue()


def _frames(pictures: Tensor) -> list[Image.Image]:
    channels = pictures.shape[-1]
    if channels not in MODES:
        raise PictureError(f"a picture of {channels} channels cannot be saved; it needs 1, 3 or 4")
    pixels = to_bytes(pictures)
    return [
        Image.fromarray(frame[..., 0] if channels == 1 else frame, MODES[channels])
        for frame in pixels
    ]
