"""Previews and single channels of saved pictures, for /view."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from engine.server.request_parsing import BadInput, whole

if TYPE_CHECKING:
    from PIL import Image

CHANNELS = ("rgba", "rgb", "a")
DEFAULT_QUALITY = 90
LONGEST_SIDE = {"png": 2**31 - 1, "jpeg": 65_500, "webp": 16_383}
"""Of a picture in each format; a larger one is made smaller."""


def rendered(
    source: Path | bytes, preview: str | None, channel: str, size: int | None = None
) -> tuple[bytes, str]:
    """A picture encoded anew, upright as its camera was held.

    Args:
        source: the picture's path, or the bytes of its file.
        preview: "webp;90" or "jpeg;75"; None keeps it lossless (PNG).
        channel: "rgba" as it is, "rgb" without alpha, "a" alpha alone, on black.
        size: pixels of the longer side of a larger picture; None leaves it as it is.

    Returns:
        Bytes and media type.

    Raises:
        BadInput: the file is no picture, or too large a one.
    """
    from media.pictures import BadPicture, first
    from media.values import plain

    name = source.name if isinstance(source, Path) else "the picture"
    data = source.read_bytes() if isinstance(source, Path) else source
    try:
        opened = plain(first(data, _unheard, draft=size), _unheard)
    except BadPicture as error:
        raise BadInput(
            "no_picture",
            f"{name} cannot be read as a picture: {error}. Ask for it without preview and channel.",
        ) from None
    picture = _channels(opened, channel)
    if size is not None:
        picture.thumbnail((size, size))
    if preview is None:
        return _encoded(picture, "png", compress_level=1)
    kind, _, quality = preview.partition(";")
    if kind == "jpeg":
        return _encoded(picture.convert("RGB"), "jpeg", quality=_quality(quality))
    return _encoded(picture, "webp", quality=_quality(quality))


def _unheard(warning: str) -> None:
    """A preview shows what is there; the node that reads the file warns."""


def _channels(picture: Image.Image, channel: str) -> Image.Image:
    if channel == "rgb":
        return picture.convert("RGB")
    picture = picture.convert("RGBA")
    if channel == "a":
        black = picture.copy()
        black.paste((0, 0, 0), (0, 0, *picture.size))
        black.putalpha(picture.getchannel("A"))
        return black
    return picture


def _quality(text: str) -> int:
    quality = whole(text)
    return DEFAULT_QUALITY if quality is None else min(quality, 100)


def _encoded(picture: Image.Image, kind: str, **options: int) -> tuple[bytes, str]:
    buffer = io.BytesIO()
    longest = LONGEST_SIDE[kind]
    if max(picture.size) > longest:
        picture.thumbnail((longest, longest))
    picture.info.clear()  # a colour profile may be one of CMYK, or broken
    picture.save(buffer, kind.upper(), **options)
    return buffer.getvalue(), f"image/{kind}"
