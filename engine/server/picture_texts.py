"""The texts that pictures carry: chunks of PNG, EXIF of JPEG and WebP."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"II*\x00", b"MM\x00*")
_NAMED = re.compile(r"([A-Za-z_]{1,40}):(?=[\[{])")


def is_picture(data: bytes) -> bool:
    """Whether a file begins like a picture that may carry texts."""
    return data.startswith(MAGIC)


def picture_texts(data: bytes) -> dict[str, str]:
    """The texts of a picture by their names; none where it has none, or cannot be read.

    Those of EXIF of the form "name:JSON" by that name, the comment of a user as "parameters".
    """
    from PIL import Image, UnidentifiedImageError

    texts: dict[str, str] = {}
    try:
        with Image.open(BytesIO(data)) as picture:
            _add(texts, picture.info)
            exif = picture.getexif()
            for name, text in _exif(exif):
                texts.setdefault(name, text)
            if picture.format == "PNG":
                picture.load()  # chunks behind the picture
                _add(texts, getattr(picture, "text", {}))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return texts
    return texts


def _add(texts: dict[str, str], info: Any) -> None:
    for name, value in info.items():
        if isinstance(name, str) and isinstance(value, str):
            texts[name] = str(value)
        elif name == "comment" and isinstance(value, bytes):
            texts["comment"] = value.decode(errors="replace")


def _exif(exif: Image.Exif) -> Iterator[tuple[str, str]]:
    from PIL import ExifTags

    for tag, value in exif.items():
        text = value if isinstance(value, str) else ""
        named = _NAMED.match(text)
        if named:
            yield named[1].lower(), text[named.end() :].rstrip("\0")
        elif text:
            yield f"exif {tag}", text.rstrip("\0")
    comment = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
    if isinstance(comment, bytes):
        text = comment_text(comment)
        named = _NAMED.match(text)
        yield (named[1].lower(), text[named.end() :]) if named else ("parameters", text)
    elif isinstance(comment, str):
        yield "parameters", comment


def comment_text(comment: bytes) -> str:
    """The comment of a user: eight letters that name the code, and the text (CIPA DC-008, 4.6.5).

    The order of the bytes of UNICODE is not said there: it is the one in which more of the letters
    are of the first 256.
    """
    code, body = comment[:8], comment[8:]
    if code != b"UNICODE\0":
        return (body if code in (b"ASCII\0\0\0", bytes(8)) else comment).decode(errors="replace")
    big, little = body[0::2].count(0), body[1::2].count(0)
    order = "utf-16-le" if little > big or body.startswith(b"\xff\xfe") else "utf-16-be"
    return body.decode(order, errors="replace").lstrip("\ufeff").rstrip("\0")
