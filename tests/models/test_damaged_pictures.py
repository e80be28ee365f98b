"""Files of pictures that are damaged, or of rare kinds: what is there is read, the rest is told."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from engine.server.pictures import rendered
from engine.server.request_parsing import BadInput
from media import pictures as media
from media import png
from media.values import numbers, opacity, plain
from nodes.models.images.pictures import PictureError, read, to_bytes

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # Pillow's, of damaged files

WIDTH, HEIGHT = 48, 64
RAW = re.compile(r"0x[0-9a-f]{4}|PIL|struct|zlib|decoder|identify|Traceback|None|\bbytes-like")


def smooth() -> Image.Image:
    """A picture of which each line differs from the others."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return Image.fromarray(np.stack([x * 5, y * 4, 255 - y * 2], axis=-1).astype(np.uint8))


def saved(format: str, picture: Image.Image | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    (picture or smooth()).save(file, format, **options)
    return file.getvalue()


def grainy() -> Image.Image:
    """One that no format makes small, so that cutting its file cuts its lines."""
    values = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    return Image.fromarray(values)


def animated(format: str, **options: Any) -> bytes:
    others = [smooth().rotate(90 * turn) for turn in (1, 2)]
    return saved(format, save_all=True, append_images=others, **options)


def loaded(data: bytes, path: Path) -> tuple[NDArray[np.uint8], list[str]]:
    """The frames that a node gets, and its warnings."""
    path.write_bytes(data)
    said: list[str] = []
    frames, _ = read(path, said.append)
    return to_bytes(frames), said


def chunk(kind: bytes, content: bytes, crc: int | None = None) -> bytes:
    check = zlib.crc32(kind + content) if crc is None else crc
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def with_chunk(extra: bytes, *, at_end: bool = False) -> bytes:
    data = saved("PNG")
    place = len(data) - 12 if at_end else 33
    return data[:place] + extra + data[place:]


LONG = b"prompt\0\0" + zlib.compress(b"x" * 1_200_000)
HARMLESS: dict[str, bytes] = {
    "jpeg without its end": saved("JPEG")[:-2],
    "jpeg with half of its end": saved("JPEG")[:-1],
    "jpeg of four colours without its end": saved("JPEG", smooth().convert("CMYK"))[:-2],
    "jpeg with something behind": saved("JPEG") + b"\xff\xd8junk" * 99,
    "jpeg with a header of mail in front": b"Content-Type: image/jpeg\r\n\r\n" + saved("JPEG"),
    "jpeg with broken exif": saved("JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" + b"\x01" * 40),
    "jpeg with a wrong length of exif": saved("JPEG", exif=b"Exif\0\0" + b"\0" * 40).replace(
        b"\xff\xe1\x00\x30", b"\xff\xe1\x00\x99"
    ),
    "jpeg with a colour profile that is none": saved("JPEG", icc_profile=b"nothing" * 99),
    "png without its end": saved("PNG")[:-12],
    "png with something behind": saved("PNG") + b"junk" * 999,
    "png with long zTXt": with_chunk(chunk(b"zTXt", LONG)),
    "png with long zTXt at its end": with_chunk(chunk(b"zTXt", LONG), at_end=True),
    "png with long iTXt": with_chunk(
        chunk(b"iTXt", b"prompt\0\1\0\0\0" + zlib.compress(b"x" * 1_200_000))
    ),
    "png with long tEXt": with_chunk(chunk(b"tEXt", b"prompt\0" + b"x" * 1_200_000)),
    "png with much text": with_chunk(chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x" * 999_999)) * 70),
    "png with a large colour profile": with_chunk(
        chunk(b"iCCP", b"icc\0\0" + zlib.compress(b"x" * 3_000_000))
    ),
    "png with a colour profile that is none": with_chunk(chunk(b"iCCP", b"icc\0\0nothing")),
    "png with a wrong checksum of a text": with_chunk(chunk(b"tEXt", b"a\0b", crc=7)),
    "png with a wrong checksum at its end": with_chunk(chunk(b"tEXt", b"a\0b", crc=7), at_end=True),
    "png with a wrong checksum of its header": saved("PNG")[:29] + b"1234" + saved("PNG")[33:],
    "png with a wrong checksum of its pixels": saved("PNG")[:-16] + b"1234" + saved("PNG")[-12:],
    "png with a text longer than it says": with_chunk(
        chunk(b"tEXt", b"a\0" + b"b" * 50).replace(b"\0\0\0\x34tEXt", b"\0\0\0\x14tEXt")
    ),
    "png with a text shorter than it says": with_chunk(
        chunk(b"tEXt", b"a\0" + b"b" * 50).replace(b"\0\0\0\x34tEXt", b"\0\0\0\x39tEXt")
    ),
    "png with pixels longer than it says": saved("PNG").replace(b"IDAT", b"IDAT", 1),
    "gif without its end": saved("GIF")[:-1],
    "gif with something behind": saved("GIF") + b"junk" * 99,
    "bmp with something behind": saved("BMP") + b"junk" * 99,
    "webp with something behind": saved("WEBP") + b"junk" * 99,
    "webp with a cut comment": saved("WEBP", exif=b"Exif\0\0MM\0*" + b"x" * 99)[:-20],
    "tiff with something behind": saved("TIFF") + b"junk" * 99,
}  # fmt: skip


@pytest.mark.parametrize("name", HARMLESS)
def test_damage_that_spoils_no_pixel_says_nothing(name: str, tmp_path: Path):
    pixels, said = loaded(HARMLESS[name], tmp_path / "a.png")
    assert pixels.shape == (1, HEIGHT, WIDTH, 3)
    assert np.abs(pixels[0].astype(int) - np.asarray(smooth())).mean() < 12
    assert said == []


CUT: dict[str, Callable[[Image.Image], bytes]] = {
    "jpeg": lambda picture: saved("JPEG", picture, quality=95),
    "grey jpeg": lambda picture: saved("JPEG", picture.convert("L"), quality=95),
    "cmyk jpeg": lambda picture: saved("JPEG", picture.convert("CMYK"), quality=95),
    "png": lambda picture: saved("PNG", picture),
    "palette png": lambda picture: saved("PNG", picture.quantize(64)),
    "gif": lambda picture: saved("GIF", picture),
    "transparent gif": lambda picture: saved("GIF", picture.quantize(9), transparency=2),
    "tiff": lambda picture: saved("TIFF", picture),
    "bmp": lambda picture: saved("BMP", picture),
    "webp": lambda picture: saved("WEBP", picture),
}


@pytest.mark.parametrize("name", CUT)
def test_lines_that_are_missing_are_counted(name: str, tmp_path: Path):
    picture = grainy()
    data = CUT[name](picture)
    whole, _ = loaded(data, tmp_path / "whole.png")
    pixels, said = loaded(data[: int(len(data) * 0.75)], tmp_path / "cut.png")
    (warning,) = said
    found = re.fullmatch(
        r"cut\.png: the file is damaged or cut off: (\d+) of its 64 lines are missing", warning
    )
    assert found is not None, warning
    missing = int(found[1])
    assert 4 <= missing <= 40
    same = (pixels == whole).all(axis=(0, 2, 3)).sum()
    assert HEIGHT - missing - 20 <= same <= HEIGHT - missing + 1, "others are there"


def test_the_last_frames_of_an_animation_may_be_missing(tmp_path: Path):
    for format, options in (("GIF", {}), ("PNG", {}), ("WEBP", {"lossless": True})):
        data = animated(format, **options)
        assert len(loaded(data, tmp_path / "a.png")[0]) == 3
        pixels, said = loaded(data[:-40], tmp_path / "a.png")
        assert len(pixels) == 2, format
        assert len(said) == 1
        assert "2 of its frames can be read" in said[0] or "last frame is missing" in said[0]


def test_a_file_without_a_line_is_refused_with_a_remedy(tmp_path: Path):
    for format in media.FORMATS:
        data = saved(format, grainy())
        for size in (1, 3, 20):
            with pytest.raises(PictureError, match=r"a\.png: cannot be read .*(anew|save it)"):
                loaded(data[:size], tmp_path / "a.png")
    for data, kind in (
        (b"", "is empty"),
        (b"<!DOCTYPE html><p>not found", "HTML"),
        (b"%PDF-1.4", "a PDF document"),
        (b"\0\0\0\x18ftypisom" + bytes(12), "Load Video"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99), "HEIC|no line of a picture"),
    ):
        with pytest.raises(PictureError, match=kind):
            loaded(data, tmp_path / "a.png")


def test_formats_that_are_not_listed_are_not_opened(tmp_path: Path):
    for format in ("PPM", "TGA", "JPEG2000", "PCX", "EPS"):
        with pytest.raises(PictureError, match="save it as PNG"):
            loaded(saved(format), tmp_path / "a.png")


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path):
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 1, 0, 0, 0, 0)
    bomb = png.SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(9)))
    with pytest.raises(PictureError, match="more than 268 megapixels"):
        loaded(bomb + chunk(b"IEND", b""), tmp_path / "a.png")


# --- kinds of numbers ------------------------------------------------------------------------


def tiff(values: NDArray[Any]) -> bytes:
    """Numbers [H, W, C] as a TIFF file without compression, of any kind of them."""
    height, width, channels = values.shape
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    wide = struct.pack(f"<{channels}H", *[values.itemsize * 8] * channels)
    kinds = struct.pack(f"<{channels}H", *[kind] * channels)
    behind = 8 + 2 + 12 * 10 + 4
    entries = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, channels, wide), (259, 3, 1, 1),
        (262, 3, 1, 2 if channels > 2 else 1), (273, 4, 1, behind + 16), (277, 3, 1, channels),
        (278, 4, 1, height), (279, 4, 1, values.nbytes), (339, 3, channels, kinds),
    ]  # fmt: skip
    written, more = b"", b""
    for tag, form, count, value in entries:
        if isinstance(value, int):
            field = struct.pack("<I", value)
        elif len(value) <= 4:
            field = value.ljust(4, b"\0")
        else:
            field, more = struct.pack("<I", behind + len(more)), more + value
        written += struct.pack("<HHI", tag, form, count) + field
    front = b"II*\0" + struct.pack("<IH", 8, len(entries)) + written + bytes(4)
    return front + more.ljust(16, b"\0") + values.tobytes()


def ramp(kind: str, white: float, channels: int = 1) -> NDArray[Any]:
    values = np.linspace(0, white, 9 * channels).reshape(3, 3, channels)
    return values.astype(kind)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("kind", "white"),
    [("u1", 255), ("u2", 65535), ("i2", 32767), ("u4", 2**32 - 1), ("i4", 2**31 - 1), ("i4", 65535),
     ("i2", 255), ("f2", 1), ("f4", 1), ("f4", 255), ("f4", 65535), ("f8", 1), ("f8", 255)],
)  # fmt: skip
def test_white_is_the_end_of_the_range(kind: str, white: float, channels: int, tmp_path: Path):
    pixels, said = loaded(tiff(ramp(kind, white, channels)), tmp_path / "a.tif")
    assert said == []
    shown = pixels[0, ..., :channels].astype(int)
    assert np.abs(shown - ramp("f4", 255, channels)).max() <= 1


def test_floats_that_go_a_little_beyond_are_cut_off(tmp_path: Path):
    values = ramp("f4", 1.4)
    values[0, 0] = -0.01
    pixels, said = loaded(tiff(values), tmp_path / "a.tif")
    assert pixels.max() == 255
    assert pixels[0, 1, 1, 0] == pytest.approx(0.7 * 255, abs=1)
    (warning,) = said
    assert "what is not in 0 to 1 is cut off" in warning
    values = np.tile(ramp("f4", 0.9), (20, 1, 1))
    values[5, 1] = 40  # a lamp in a picture of light
    assert loaded(tiff(values), tmp_path / "a.tif")[0][0, 2, 2, 0] == pytest.approx(229, abs=1)


@pytest.mark.parametrize(("kind", "low", "high"), [("i2", -9, 99), ("f4", -9, 9), ("f4", 0, 9e6)])
def test_values_of_no_usual_range_are_stretched(kind: str, low: int, high: int, tmp_path: Path):
    values = np.linspace(low, high, 9).reshape(3, 3, 1).astype(kind)
    pixels, said = loaded(tiff(values), tmp_path / "a.tif")
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert f"from {low} to {high:g}; they are stretched" in said[0]


def test_what_is_no_number_is_black(tmp_path: Path):
    values = ramp("f4", 1)
    values[0, :, 0] = np.nan, np.inf, -np.inf
    pixels, said = loaded(tiff(values), tmp_path / "a.tif")
    assert pixels[0, 0, :, 0].tolist() == [0, 255, 0]
    assert pixels[0, 2, 2, 0] == 255
    assert "3 of its 9 values are no finite numbers" in said[0]
    values[:] = np.nan
    assert loaded(tiff(values), tmp_path / "a.tif")[0].max() == 0


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "LAB", "YCbCr"])
def test_pictures_of_every_mode_are_read(mode: str, tmp_path: Path):
    formats = {"TIFF": mode != "P", "PNG": mode in ("1", "L", "LA", "P", "RGB", "RGBA")}
    formats["JPEG"] = mode in ("L", "RGB", "CMYK", "YCbCr")
    if mode == "LAB":
        profiles: Any = pytest.importorskip("PIL.ImageCms")
        lab, rgb = profiles.createProfile("LAB"), profiles.createProfile("sRGB")
        picture = profiles.profileToProfile(smooth(), rgb, lab, outputMode="LAB")
    else:
        picture = smooth().convert(mode)
    for format in (format for format, possible in formats.items() if possible):
        pixels, said = loaded(saved(format, picture), tmp_path / "a.png")
        assert said == []
        if mode not in ("1", "L", "LA"):
            away = np.abs(pixels[0].astype(int) - np.asarray(smooth())).mean()
            assert away < (40 if mode in ("P", "CMYK") else 6), format


def test_transparent_values_of_deep_grey_are_the_mask(tmp_path: Path):
    image = Image.fromarray(np.array([[0, 9, 65535]], np.uint16))
    image.save(tmp_path / "a.png", transparency=9)
    _, mask = read(tmp_path / "a.png")
    assert to_bytes(mask).tolist() == [[[0, 255, 0]]]


# --- the server's previews -------------------------------------------------------------------


def test_previews_show_what_nodes_read(tmp_path: Path):
    path = tmp_path / "a.png"
    path.write_bytes(saved("JPEG", grainy())[:-500])
    data, kind = rendered(path, "webp;90", "rgba", 32)
    assert kind == "image/webp"
    assert Image.open(io.BytesIO(data)).size == (24, 32)
    path.write_bytes(tiff(ramp("f4", 1, 3)))
    data, _ = rendered(path, None, "rgb")
    assert np.asarray(Image.open(io.BytesIO(data))).max() == 255
    path.write_bytes(HARMLESS["png with long zTXt"])
    assert rendered(path, "jpeg;50", "rgba")[1] == "image/jpeg"
    path.write_bytes(saved("PNG", Image.new("L", (20_000, 2))))
    data, _ = rendered(path, "webp", "rgba")
    assert Image.open(io.BytesIO(data)).width == 16_383, "as wide as WebP can be"
    path.write_bytes(saved("PNG")[:40])
    with pytest.raises(BadInput, match=r"a\.png cannot be read as a picture: no line"):
        rendered(path, "webp", "rgba")


def test_texts_of_any_length_go_along_with_a_mask():
    whole = png.with_texts(saved("PNG"), HARMLESS["png with long zTXt"])
    assert chunk(b"zTXt", LONG) in whole
    assert [kind for kind, _ in png.chunks(whole)][:2] == [b"IHDR", b"zTXt"]
    assert png.with_texts(saved("PNG"), saved("JPEG")) == saved("PNG")


# --- any damage at all -----------------------------------------------------------------------


def small() -> Image.Image:
    return smooth().resize((9, 7))


def with_info() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("prompt", "{}" * 20, zip=True)
    return info


SMALL: dict[str, bytes] = {
    "png": saved("PNG", small(), pnginfo=with_info()),
    "palette": saved("PNG", small().quantize(7), transparency=2),
    "apng": saved("PNG", small(), save_all=True, append_images=[small().rotate(180)]),
    "jpeg": saved("JPEG", small(), exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0", quality=20),
    "progressive": saved("JPEG", small(), progressive=True, quality=20),
    "gif": saved("GIF", small(), save_all=True, append_images=[small().rotate(180)]),
    "bmp": saved("BMP", small()),
    "tiff": saved("TIFF", small()),
    "lzw": saved("TIFF", small(), compression="tiff_lzw"),
    "floats": tiff(ramp("f8", 1, 3)),
    "webp": saved("WEBP", small()),
    "lossless": saved("WEBP", small(), lossless=True, exif=b"Exif\0\0MM\0*"),
    "avif": saved("AVIF", small()),
}


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    name = draw(st.sampled_from(sorted(SMALL)))
    data = bytearray(SMALL[name])
    for _ in range(draw(st.integers(0, 3))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 20))] = draw(st.binary(max_size=9))
    if draw(st.booleans()):
        del data[draw(st.integers(0, len(data))) :]
    return name, bytes(data)


@settings(max_examples=200)
@given(damaged())
@example(("floats", SMALL["floats"][:-9]))
def test_any_damage_gives_a_picture_or_one_sentence(case: tuple[str, bytes]):
    _, data = case
    said: list[str] = []
    try:
        for frame in media.frames(data, said.append):
            shape = numbers(frame, said.append).shape
            clear = opacity(frame)
            assert clear is None or clear.shape == shape[:2]
            assert plain(frame, said.append).convert("RGBA").size == shape[1::-1]
    except media.BadPicture as error:
        said.append(str(error))
    for sentence in said:
        assert RAW.search(sentence) is None, sentence
        assert 10 < len(sentence) < 250
