"""Pictures as files of more than eight bits, and as AVIF; float32 [H, W, C]."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nodes.models.images.pictures import as_image, check_channels

EXR_CHANNELS = {1: ("Y",), 3: ("R", "G", "B"), 4: ("R", "G", "B", "A")}
WORST_CRF = 63

# Hybrid log-gamma, ITU-R BT.2100, table 5.
HLG_A, HLG_B, HLG_C = 0.17883277, 0.28466892, 0.55991073


def exr(picture: Tensor, texts: Mapping[str, Any], *, half: bool) -> bytes:
    """An OpenEXR file of floats, as they are: nothing is cut off.

    Args:
        picture: 1, 3 or 4 channels, scene-linear.
        texts: kept beside it, each as JSON.
        half: of 16 bits instead of 32.

    Raises:
        PictureError: another number of channels.
    """
    check_channels(picture)
    library: Any = import_module("OpenEXR")  # has no type stubs
    kind = np.float16 if half else np.float32
    values = picture.numpy(force=True).astype(kind)
    planes = {
        name: np.ascontiguousarray(values[..., place])
        for place, name in enumerate(EXR_CHANNELS[values.shape[-1]])
    }
    header = {
        "compression": library.ZIP_COMPRESSION,
        "type": library.scanlineimage,
        **{name: json.dumps(value) for name, value in texts.items()},
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.exr"
        library.File(header, planes).write(str(path))
        return path.read_bytes()


def avif(
    pictures: Sequence[Tensor], texts: Mapping[str, Any], *, crf: int, fps: float, loops: int
) -> bytes:
    """One picture, or several as an animation, in an AVIF file of 8 bits.

    Args:
        pictures: 1, 3 or 4 channels in 0..1.
        texts: kept in XMP, as JSON.
        crf: 1 (best) to 63.
        fps: frames for each second, of several.
        loops: how often they are shown; 0 for ever.

    Raises:
        PictureError: another number of channels.
    """
    frames = [as_image(picture) for picture in pictures]
    file = io.BytesIO()
    frames[0].save(
        file,
        "AVIF",
        quality=round(100 * (1 - crf / WORST_CRF)),
        subsampling="4:2:0",
        xmp=json.dumps(dict(texts)).encode(),
        **({"save_all": True, "append_images": frames[1:]} if len(frames) > 1 else {}),
        **({"duration": round(1000 / fps), "loop": loops} if len(frames) > 1 else {}),
    )
    return file.getvalue()


def linear(picture: Tensor, space: str) -> Tensor:
    """Scene-linear values of a picture in the space "sRGB", "HDR" (hybrid log-gamma) or "linear".

    Sources: IEC 61966-2-1 and ITU-R BT.2100; alpha stays as it is.
    """
    colors, alpha = picture[..., :3], picture[..., 3:]
    if space == "sRGB":
        steep = ((colors.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
        colors = torch.where(colors <= 0.04045, colors / 12.92, steep)
    elif space == "HDR":
        bright = (torch.exp((colors - HLG_C) / HLG_A) + HLG_B) / 12
        colors = torch.where(colors <= 0.5, colors**2 / 3, bright)
    return torch.cat([colors, alpha], dim=-1)


def curved(colors: Tensor) -> Tensor:
    """Scene-linear colours in sRGB's curve."""
    steep = 1.055 * colors.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(colors <= 0.0031308, colors * 12.92, steep)
