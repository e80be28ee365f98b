"""Opens files of pictures, whatever is wrong with them.

What is damaged is told by a sentence for the user. Damage that spoils no pixel (no end, wrong
checksums or lengths of what is not shown, too long texts, anything behind the end) says nothing.
Lines that are missing are left black, or grey in JPEG, and counted. A file of which no line can be
read is refused.

`PIL.ImageFile.LOAD_TRUNCATED_IMAGES` would do some of this, but it is one switch for the whole
process: nodes run in threads beside each other, and nobody would be told. So a file that Pillow
refuses is mended byte by byte (`jpeg`, `png`, `webp`) and opened again, and of one that breaks off
while it is decoded, the lines that were decoded are kept.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from PIL import Image, ImageFile
from PIL.ExifTags import Base

from media import jpeg, png, tiff, webp
from media.values import KIND, Picture

Warn = Callable[[str], None]

MOST_PIXELS = 2**28
"""Of one picture: more than the largest cameras have; as float32 it takes 3 GB."""
MOST_BYTES = 2**31
"""Of one file."""
MOST_PIXELS_OF_A_BYTE = 2**13
"""More than formats pack whose lines can be read one by one: else the size is what is damaged."""
FIRST_BYTES = 4096
OTHER = 7
"""A value that is as good as any, unlike 0."""

Image.MAX_IMAGE_PIXELS = MOST_PIXELS  # for what Pillow reads before its size is known here

DAMAGE = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, OSError,
    RuntimeError, SyntaxError, TypeError, ValueError, Warning, struct.error, zlib.error,
    Image.DecompressionBombError,
)  # fmt: skip
"""What Pillow raises of files that are broken."""

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""The formats that are opened, by Pillow's names, beside "HEIF" where its reader is installed."""

BEGINNINGS: tuple[tuple[str, bytes], ...] = (
    ("PNG", b"\x89PNG"),
    ("JPEG", b"\xff\xd8\xff"),
    ("GIF", b"GIF8"),
    ("TIFF", b"II*\0"),
    ("TIFF", b"MM\0*"),
    ("TIFF", b"II+\0"),
    ("TIFF", b"MM\0+"),
    ("BMP", b"BM"),
)
OTHERS: tuple[tuple[str, bytes], ...] = (
    ("a PDF document", b"%PDF"),
    ("an Adobe Photoshop file", b"8BPS"),
    ("an OpenEXR file", b"\x76\x2f\x31\x01"),
    ("a JPEG XL file", b"\xff\x0a"),
    ("a JPEG XL file", b"\0\0\0\x0cJXL "),
    ("a JPEG 2000 file", b"\0\0\0\x0cjP  "),
    ("a ZIP archive", b"PK\3\4"),
    ("a WebM or Matroska video", b"\x1a\x45\xdf\xa3"),
    ("a gzip archive", b"\x1f\x8b"),
)
HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
TRANSPOSED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By the orientation of EXIF."""


class BadPicture(ValueError):
    """A file that cannot be opened as a picture; the text says why and what to do."""


def frames(data: bytes, warn: Warn, *, draft: int | None = None) -> Iterator[Picture]:
    """The pictures in a file, decoded and upright; of a stereo photograph the first.

    Args:
        data: the file.
        warn: is told what is missing of a damaged file.
        draft: a JPEG may be decoded smaller, but not below so many pixels for its longer side.

    Raises:
        BadPicture: no picture, or more than `MOST_PIXELS`, or no line of it can be read.
    """
    try:
        file = _first(data, warn, draft)
    except BadPicture:
        if _is_other_tiff(data):
            yield from _pages(data, warn)
            return
        raise
    yield _upright(file)
    if file.format == "MPO":
        return
    number = 1
    try:
        while _is_another(file, number):
            yield _upright(file)
            number += 1
    except DAMAGE:
        damaged = True
    else:
        damaged = number < getattr(file, "n_frames", 1)
    if damaged:
        warn(f"the file is damaged or cut off: {number} of its frames can be read")


def _is_another(file: ImageFile.ImageFile, number: int) -> bool:
    """Whether there is such a frame, which is decoded now."""
    try:
        file.seek(number)
        file.load()
    except EOFError:
        return False
    return True


def first(data: bytes, warn: Warn, *, draft: int | None = None) -> Picture:
    """The first picture in a file; as `frames`."""
    return next(frames(data, warn, draft=draft))


def _is_other_tiff(data: bytes) -> bool:
    """Whether it is a TIFF file that Pillow does not open, and whose directory is there."""
    if _format(data) != "TIFF":
        return False
    try:
        width, height = tiff.size(data)
    except DAMAGE:
        return False
    _check_size(width, height)
    return True


def _pages(data: bytes, warn: Warn) -> Iterator[Picture]:
    number = 0
    try:
        for page in tiff.pages(data, warn):
            yield page
            number += 1
    except DAMAGE:
        if not number:
            raise BadPicture(
                "it is damaged, or a TIFF file of a kind that is not known here; save it without "
                "compression, or as PNG"
            ) from None
        warn(f"the file is damaged or cut off: {number} of its pages can be read")


def _first(data: bytes, warn: Warn, draft: int | None) -> ImageFile.ImageFile:
    """A file whose first picture is decoded."""
    format = _format(data)
    broken: tuple[ImageFile.ImageFile, bytes] | None = None
    for source in _versions(data, format):
        file = _opened(source, format, draft)
        if file is None:
            continue
        try:
            file.load()
        except DAMAGE:
            broken = (file, source)
            continue
        _tell(file, data, format, warn)
        return file
    if broken is not None and (kept := _decoded_part(*broken, data, format, warn)):
        return kept
    raise BadPicture(
        "no line of a picture can be read in it; it is broken or cut off: get it anew, or save it "
        "as PNG in another program"
    )


def _versions(data: bytes, format: str) -> Iterator[bytes]:
    """The file as it is, then mended."""
    yield data
    match format:
        case "JPEG":
            better = jpeg.mended(data)
        case "PNG":
            better = png.mended(data)
        case "WEBP":
            better = webp.mended(data, 0)
        case _:
            better = None
    if better is not None:
        yield better


def _opened(source: bytes, format: str, draft: int | None) -> ImageFile.ImageFile | None:
    try:
        file = Image.open(io.BytesIO(source), formats=[format])
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadPicture(_too_large("its pictures have")) from None
    except DAMAGE:
        return None
    _check_size(*file.size)
    if draft is not None:
        file.draft(None, (draft, draft))
    return file


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise BadPicture(_too_large(f"{width} x {height} pixels are"))


def _too_large(size: str) -> str:
    return (
        f"{size} more than {MOST_PIXELS // 10**6} megapixels, the most that are opened; make it "
        "smaller in another program, or cut it into parts"
    )


def _tell(file: ImageFile.ImageFile, data: bytes, format: str, warn: Warn) -> None:
    """Warn of what is missing in a picture that was decoded to its end."""
    if format == "JPEG" and not jpeg.has_end(data):
        if lost := jpeg.rows_lost(file):
            _check_any(lost, file.height)
            warn(_lost(lost, file.height))
        elif jpeg.is_progressive(data):
            warn("the end of the file is missing; the picture may be less sharp than it was")
    elif format == "WEBP" and webp.lacks_frames(data):
        warn("the file is cut off: its last frame is missing")
    elif format == "WEBP" and webp.is_cut(data):
        lost = _rows_unlike(file, data)
        _check_any(lost, file.height)
        warn(_lost(lost, file.height))


def _rows_unlike(file: Image.Image, data: bytes) -> int:
    """How many rows of a WebP file depend on what was filled in for missing bytes."""
    other = webp.mended(data, 0x55)
    try:
        with Image.open(io.BytesIO(other or b""), formats=["WEBP"]) as again:
            return _unlike(file, again)
    except DAMAGE:
        return file.height


def _unlike(one: Image.Image, other: Image.Image) -> int:
    rows = np.asarray(one) != np.asarray(other)
    return int(rows.reshape(one.height, -1).any(1).sum())


def _decoded_part(
    file: ImageFile.ImageFile, source: bytes, data: bytes, format: str, warn: Warn
) -> ImageFile.ImageFile | None:
    """A file that broke off while it was decoded, with the lines that were decoded.

    Pillow writes into the picture as it decodes, so what it does not reach is black.
    """
    if file.width * file.height > MOST_PIXELS_OF_A_BYTE * len(data):
        return None
    file.tile = []
    try:
        file.load()
        lost = png.rows_lost(data) if format == "PNG" else _rows_left(file, source, format)
    except DAMAGE:
        return None
    if lost >= file.height:
        return None
    warn(_lost(lost, file.height))
    return file


def _rows_left(file: Image.Image, source: bytes, format: str) -> int:
    """How many rows the decoder did not write: they keep what was there before."""
    again: Any = Image.open(io.BytesIO(source), formats=[format])
    prepare = again.load_prepare

    def prepared() -> None:
        prepare()
        bands = again.im.bands
        again.im.paste(OTHER if bands == 1 else (OTHER,) * bands, (0, 0, *again.size))

    again.load_prepare = prepared
    try:
        again.load()
    except DAMAGE:
        again.tile = []
    return _unlike(file, again)


def _check_any(lost: int, rows: int) -> None:
    if lost >= rows:
        raise BadPicture("the file is cut off before its first line; get it anew")


def _lost(lost: int, rows: int) -> str:
    if not lost:
        return "the file is damaged or cut off; its lines could be read"
    return f"the file is damaged or cut off: {lost} of its {rows} lines are missing"


def _upright(file: Image.Image) -> Image.Image:
    """A copy, turned as its camera was held; EXIF that cannot be read says nothing of it."""
    try:
        turn = TRANSPOSED.get(file.getexif().get(Base.Orientation, 1))
    except DAMAGE:
        turn = None
    made = file.copy() if turn is None else file.transpose(turn)
    if file.format == "TIFF" and file.mode == "I":
        made.info[KIND] = _kind(file)
    return made


def _kind(file: Any) -> str:
    """Of the integers in a TIFF file: which of them Pillow holds in 32 bits, it does not say."""
    bits, signed = (file.tag_v2.get(tag, (default,)) for tag, default in ((258, 32), (339, 1)))
    return ("i" if 2 in signed else "u") + ("2" if bits == (16,) else "4")


def _format(data: bytes) -> str:
    """Pillow's name of a file's format.

    Raises:
        BadPicture: it is none that is opened.
    """
    if not data:
        raise BadPicture("the file is empty; get it anew")
    if len(data) > MOST_BYTES:
        raise BadPicture(f"the file has more than {MOST_BYTES >> 30} GB; save it as PNG or JPEG")
    found = next((name for name, start in BEGINNINGS if data.startswith(start)), None)
    found = found or _in_a_container(data)
    if found is None:  # something may be in front of it, a header of mail or HTTP say
        starts = ((data.find(start, 0, FIRST_BYTES), name) for name, start in BEGINNINGS[:2])
        found = next((name for at, name in sorted(starts) if at > 0), None)
    if found is not None:
        return found
    kind = next((name for name, start in OTHERS if data.startswith(start)), None)
    if data[:FIRST_BYTES].lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml", b"<svg")):
        kind = "a text in HTML or XML"
    raise BadPicture(
        f"it is {kind or 'no picture of a format that is known here'}; "
        "save it as PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF"
    )


def _in_a_container(data: bytes) -> str | None:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] != b"ftyp":
        return None
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, min(data[3], 64), 4))}
    if brands & {b"avif", b"avis"}:
        return "AVIF"
    if not brands & {*HEIC_BRANDS}:
        raise BadPicture("it is an MP4 or QuickTime video; Load Video reads those")
    if find_spec("pi_heif") is None:
        raise BadPicture(
            "it is a HEIC picture, which needs a library of its own: pip install "
            "'soundstage[heic]' and start again, or save it as JPEG or PNG"
        )
    import_module("pi_heif").register_heif_opener()
    return "HEIF"
