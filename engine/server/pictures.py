"""Previews and single channels of saved pictures, for /view."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from engine.server.bodies import BadInput, whole

if TYPE_CHECKING:
    from PIL import Image

CHANNELS = ("rgba", "rgb", "a")
DEFAULT_QUALITY = 90
MOST_PIXELS = 2**28


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
    from PIL import Image, ImageOps

    name = source.name if isinstance(source, Path) else "the picture"
    try:
        with Image.open(source if isinstance(source, Path) else io.BytesIO(source)) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise BadInput("picture_too_large", f"{name} is too large for a preview.")
            if size is not None:
                opened.draft(None, (size, size))  # a JPEG is read no larger than need be
            picture = _channels(ImageOps.exif_transpose(opened), channel)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadInput(
            "no_picture",
            f"{name} cannot be read as a picture; ask for it without preview and channel.",
        ) from error
    if size is not None:
        picture.thumbnail((size, size))
    if preview is None:
        return _encoded(picture, "png", compress_level=1)
    kind, _, quality = preview.partition(";")
    if kind == "jpeg":
        picture = picture.convert("RGB")
    return _encoded(picture, "jpeg" if kind == "jpeg" else "webp", quality=_quality(quality))


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
    picture.save(buffer, kind.upper(), **options)
    return buffer.getvalue(), f"image/{kind}"
