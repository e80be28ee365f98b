"""Pictures: files in and out, sizes.

A batch of pictures is float32 [B, H, W, C] in 0..1; a mask is float32 [B, H, W], 1 where it holds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from media import pictures as media
from media.values import Picture, numbers, opacity
from nodes.models.memory import ask_for

log = logging.getLogger(__name__)

SCALE_METHODS = ("nearest-exact", "bilinear", "area", "bicubic", "lanczos")
NO_MASK = (64, 64)  # the size of the empty mask of a picture without transparency
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
MOST_BYTES = 8 << 30  # of the frames of one file in memory
LUMA = (0.299, 0.587, 0.114)  # of red, green and blue, ITU-R BT.601


class PictureError(ValueError):
    """A picture that cannot be read or made; the text says which, why, and what to do."""


def solid(width: int, height: int, count: int, color: int) -> Tensor:
    """Pictures of one colour, 0xRRGGBB.

    Raises:
        TooLarge: there is no memory for them.
    """
    ask_for("pictures", count, height, width, 3)
    rgb = [channel / 255 for channel in (color & 0xFFFFFF).to_bytes(3, "big")]
    return torch.as_tensor(np.full((count, height, width, 3), rgb, np.float32))


@np.errstate(invalid="ignore")
def to_bytes(pictures: Tensor) -> NDArray[np.uint8]:
    """The same in uint8; fractions are cut off, not rounded, and what is no number is 0.

    Raises:
        PictureError: there are no pictures, or no pixels in them.
    """
    check_pixels(pictures)
    values = pictures.float().numpy(force=True) * np.float32(255)
    return values.clip(0, 255, out=values).astype(np.uint8)


def check_pixels(pictures: Tensor) -> None:
    """See that there is something to keep: nodes of packs may give batches and sides of 0.

    Raises:
        PictureError: there is not.
    """
    if 0 in pictures.shape:
        shape = " x ".join(map(str, pictures.shape))
        raise PictureError(
            f"images: there are no pixels in a batch of {shape} (pictures, rows, columns, "
            "channels); a size or a count that leads here is 0"
        )


def check_channels(pictures: Tensor | NDArray[Any]) -> None:
    """See that pictures [..., C] can be kept in files.

    Raises:
        PictureError: they have another number of channels than 1 (grey), 3 (RGB) or 4 (RGBA).
    """
    channels = pictures.shape[-1]
    if channels not in MODES:
        raise PictureError(
            f"images: pictures of {channels} channels cannot be saved; they need 1, 3 or 4"
        )


def as_image(picture: Tensor) -> Image.Image:
    """One picture [H, W, C] with 8 bits for each channel.

    Raises:
        PictureError: see `check_channels`.
    """
    check_channels(picture)
    pixels = to_bytes(picture)
    grey = pixels.shape[-1] == 1
    return Image.fromarray(pixels[..., 0] if grey else pixels, MODES[pixels.shape[-1]])


@np.errstate(invalid="ignore")
def to_words(pictures: Tensor) -> NDArray[np.uint16]:
    """The same in uint16."""
    values = pictures.double().numpy(force=True) * 65535
    return values.clip(0, 65535, out=values).astype(np.uint16)


def read(path: Path, warn: Callable[[str], None] = log.warning) -> tuple[Tensor, Tensor]:
    """The frames of a picture file, upright, and the mask of their transparency.

    The mask is 1 where the picture is transparent; of a picture without transparency it is empty
    and 64 x 64. Frames of another size than the first are left out.

    Args:
        path: of the file.
        warn: called with what is missing or was changed, in a sentence for the user.

    Raises:
        PictureError: not a picture, or one of which no line can be read, or too large a one.
    """
    name, frames = path.name, list[Tensor]()
    masks, others = list[Tensor](), 0

    def say(text: str) -> None:
        warn(f"{name}: {text}")

    try:
        for frame in media.frames(path.read_bytes(), say):
            picture = torch.tensor(numbers(frame, say))
            if frames and picture.shape != frames[0].shape:
                others += 1
                continue
            frames.append(picture)
            masks.append(_transparency(frame))
            if len(frames) * picture.numel() * picture.itemsize > MOST_BYTES:
                raise media.BadPicture(
                    f"its frames of {picture.shape[1]} x {picture.shape[0]} do not fit into "
                    "memory; make them smaller or fewer"
                )
    except media.BadPicture as error:
        raise PictureError(f"{name}: cannot be read as a picture: {error}") from None
    if others:
        say(f"{others} of its frames have another size than the first and are left out")
    return torch.stack(frames), torch.stack(masks)


def from_image(image: Image.Image) -> Tensor:
    """A picture as float32 [H, W, C] or [H, W] in 0..1."""
    return torch.as_tensor(np.asarray(image, dtype=np.float32) / 255)


def _transparency(frame: Picture) -> Tensor:
    opaque = opacity(frame)
    return torch.zeros(NO_MASK) if opaque is None else 1 - torch.tensor(opaque)


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
    ask_for("pictures", len(pictures), height, width, pictures.shape[-1])
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
    pixels = to_bytes(picture)
    single = pixels.shape[-1] == 1
    image = Image.fromarray(pixels[..., 0] if single else pixels)
    resized = from_image(image.resize((width, height), Image.Resampling.LANCZOS))
    return resized.unsqueeze(-1) if single else resized
