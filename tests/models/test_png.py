"""PNG files: Pillow reads them, and of 16 bits a reader as the standard describes it."""

from __future__ import annotations

import io
import json
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from nodes.models.images.pictures import PictureError, to_bytes, to_words
from nodes.models.images.png import SIGNATURE, png


def chunks(data: bytes) -> dict[bytes, bytes]:
    """The chunks of a file whose checksums are right."""
    assert data.startswith(SIGNATURE)
    found: dict[bytes, bytes] = {}
    place = len(SIGNATURE)
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        body = data[place + 4 : place + 8 + length]
        (checksum,) = struct.unpack(">I", data[place + 8 + length : place + 12 + length])
        assert zlib.crc32(body) == checksum
        found[body[:4]] = body[4:]
        place += 12 + length
    return found


def unfiltered(lines: bytes, height: int, step: int) -> np.ndarray:
    """Rows of bytes, as section 9.2 of the standard takes Paeth's filter back."""
    size = len(lines) // height - 1
    rows = np.zeros((height + 1, step + size), int)
    for y in range(height):
        line = lines[y * (size + 1) : (y + 1) * (size + 1)]
        assert line[0] == 4
        for x, value in enumerate(line[1:]):
            a, b, c = (int(n) for n in (rows[y + 1, x], rows[y, x + step], rows[y, x]))
            p = a + b - c
            nearest = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            rows[y + 1, x + step] = (value + nearest) % 256
    return rows[1:, step:].astype(np.uint8)


@pytest.mark.parametrize("compression", [0, 1, 4, 9])
@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_eight_bits_are_cut_off_and_the_workflow_is_kept(
    channels: int, mode: str, compression: int
):
    picture = torch.rand(9, 5, channels)
    picture[0, 0], picture[0, 1] = 1.5, -1.0
    picture[1, 1], picture[1, 2] = 0.9999, torch.nan
    texts = {"prompt": {"1": "é"}, "workflow": {"x": 1}}
    with Image.open(io.BytesIO(png(to_bytes(picture), texts, compression=compression))) as file:
        assert (file.mode, file.size) == (mode, (5, 9))
        assert list(file.info) == ["prompt", "workflow"]
        assert json.loads(file.info["prompt"]) == {"1": "é"}
        pixels = np.asarray(file).reshape(9, 5, channels)
    assert pixels[0, 0, 0] == 255
    assert pixels[0, 1, 0] == 0
    assert pixels[1, 1, 0] == 254, "254.97 is cut off, not rounded"
    assert pixels[1, 2, 0] == 0, "what is no number is black"
    assert np.array_equal(pixels[2:], np.floor(picture[2:].numpy() * np.float32(255)))


def test_one_pixel():
    with Image.open(io.BytesIO(png(to_bytes(torch.ones(1, 1, 3)), {}, compression=1))) as file:
        assert file.getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits(channels: int):
    picture = torch.rand(5, 7, channels)
    data = png(to_words(picture), {"prompt": {"a": "ä"}}, compression=4)
    with Image.open(io.BytesIO(data)) as file:
        file.load()
        assert file.size == (7, 5)
        assert file.info["prompt"] == '{"a": "\\u00e4"}'
    rows = unfiltered(zlib.decompress(chunks(data)[b"IDAT"]), 5, 2 * channels)
    found = rows.view(">u2").reshape(5, 7, channels)
    assert np.array_equal(found, np.floor(picture.double().numpy() * 65535))


def test_a_picture_of_two_channels_is_refused():
    with pytest.raises(PictureError, match="2 channels cannot be saved"):
        png(np.zeros((2, 2, 2), np.uint8), {}, compression=1)


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 80, "日本"])
def test_a_text_that_png_cannot_name_is_refused(name: str):
    with pytest.raises(PictureError, match="must be 1 to 79 Latin-1 characters"):
        png(np.zeros((2, 2, 3), np.uint8), {name: 1}, compression=1)
