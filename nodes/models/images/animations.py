"""Batches of pictures as the frames of one file."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

from PIL.ExifTags import Base
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from nodes.models.images.pictures import as_image, check_pixels

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
        pictures: 1, 3 or 4 channels.
        texts: kept beside it in EXIF tags of the form "name:JSON", the model's tag downwards.
        fps: frames for each second.
        lossless: exact pixels.
        quality: 0..100; of a lossless one how hard to try to make it small.
        effort: 0 (quick) to 6 (small).
    """
    check_pixels(pictures)
    first, *others = map(as_image, pictures)
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
    check_pixels(pictures)
    first, *others = map(as_image, pictures)
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
