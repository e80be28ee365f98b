"""Pictures: files in and out, sizes.

A batch of pictures is float32 [B, H, W, C] in 0..1; a mask is float32 [B, H, W], 1 where it holds.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo
from torch import Tensor
from torch.nn.functional import interpolate

SCALE_METHODS = ("nearest-exact", "bilinear", "area", "bicubic", "lanczos")
NO_MASK = (64, 64)  # the size of the empty mask of a picture without transparency
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


class PictureError(ValueError):
    """A picture that cannot be read or made; the text says which, why, and what to do."""


def solid(width: int, height: int, count: int, color: int) -> Tensor:
    """Pictures of one colour, 0xRRGGBB."""
    rgb = torch.tensor([color >> 16 & 255, color >> 8 & 255, color & 255]) / 255
    return rgb.expand(count, height, width, 3).contiguous()


def to_bytes(pictures: Tensor) -> Tensor:
    """The same in uint8; fractions are cut off, not rounded."""
    return (pictures * 255).clamp(0, 255).to(torch.uint8)


def png(picture: Tensor, texts: Mapping[str, Any], *, compression: int) -> bytes:
    """One picture [H, W, C] as a PNG file.

    Args:
        picture: 1 (grey), 3 (RGB) or 4 (RGBA) channels.
        texts: kept beside it, in their order, each as JSON.
        compression: 0 (quick) to 9 (small).

    Raises:
        PictureError: another number of channels.
    """
    channels = picture.shape[-1]
    if channels not in MODES:
        raise PictureError(f"a picture of {channels} channels cannot be saved; it needs 1, 3 or 4")
    pixels = to_bytes(picture).numpy(force=True)
    info = PngInfo()
    for name, value in texts.items():
        info.add_text(name, json.dumps(value))
    file = io.BytesIO()
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels, MODES[channels])
    image.save(file, "PNG", pnginfo=info, compress_level=compression)
    return file.getvalue()


def read(path: Path) -> tuple[Tensor, Tensor]:
    """The frames of a picture file, upright, and the mask of their transparency.

    The mask is 1 where the picture is transparent; of a picture without transparency it is empty
    and 64 x 64.

    Raises:
        PictureError: not a picture, or a broken one.
    """
    pictures: list[Tensor] = []
    masks: list[Tensor] = []
    try:
        with Image.open(path) as file:
            # A stereo photograph (MPO) holds its second view and thumbnails as frames.
            only_first = file.format == "MPO"
            for frame in ImageSequence.Iterator(file):
                upright = ImageOps.exif_transpose(frame)
                deep = upright.mode.startswith("I")
                picture = _pixels(_deep(upright) if deep else upright.convert("RGB"))
                if pictures and picture.shape != pictures[0].shape:
                    continue
                pictures.append(picture)
                masks.append(_transparency(upright))
                if only_first:
                    break
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise PictureError(
            f"{path.name}: cannot be read as a picture ({error}); "
            "it may be broken or cut off, upload it again or save it as PNG"
        ) from None
    except Image.DecompressionBombError as error:
        raise PictureError(f"{path.name}: too large a picture ({error}); make it smaller") from None
    return torch.stack(pictures), torch.stack(masks)


def _pixels(image: Image.Image) -> Tensor:
    return torch.as_tensor(np.asarray(image, dtype=np.float32) / 255)


def _deep(image: Image.Image) -> Image.Image:
    """16 bits of grey as 8 bits of RGB."""
    return Image.fromarray((np.asarray(image) / 257).round().clip(0, 255).astype(np.uint8)).convert(
        "RGB"
    )


def _transparency(image: Image.Image) -> Tensor:
    if "A" not in image.getbands() and "transparency" in image.info:
        image = image.convert("RGBA")
    if "A" not in image.getbands():
        return torch.zeros(NO_MASK)
    return 1 - _pixels(image.getchannel("A"))


def scaled(pictures: Tensor, method: str, width: int, height: int, *, crop: bool) -> Tensor:
    """Pictures at another size.

    Args:
        pictures: [B, H, W, C].
        method: one of `SCALE_METHODS`.
        width: in pixels; 0 follows from the height and the proportions.
        height: likewise; both 0 leave the pictures as they are.
        crop: cut about the centre to the new proportions first, instead of distorting.
    """
    old_height, old_width = pictures.shape[1:3]
    if width == 0 and height == 0:
        return pictures
    width = width or max(1, round(old_width * height / old_height))
    height = height or max(1, round(old_height * width / old_width))
    if crop:
        pictures = cut_to_proportions(pictures, width / height)
    if method == "lanczos":
        return torch.stack([_lanczos(picture, width, height) for picture in pictures])
    planes = pictures.movedim(-1, 1)
    return interpolate(planes, size=(height, width), mode=method).movedim(1, -1).contiguous()


def cut_to_proportions(pictures: Tensor, proportions: float) -> Tensor:
    """The largest middle part of pictures that has this width for each pixel of height."""
    height, width = pictures.shape[1:3]
    x = min(max(0, round((width - height * proportions) / 2)), (width - 1) // 2)
    y = min(max(0, round((height - width / proportions) / 2)), (height - 1) // 2)
    return pictures[:, y : height - y, x : width - x]


def _lanczos(picture: Tensor, width: int, height: int) -> Tensor:
    pixels = to_bytes(picture).numpy()
    single = pixels.shape[-1] == 1
    image = Image.fromarray(pixels[..., 0] if single else pixels)
    resized = _pixels(image.resize((width, height), Image.Resampling.LANCZOS))
    return resized.unsqueeze(-1) if single else resized
