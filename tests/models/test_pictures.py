"""Pictures in files and at other sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from nodes import widgets
from nodes.models.images import pictures
from nodes.models.images.pictures import PictureError, read, scaled, solid, to_bytes


def difference(found: Tensor, expected: Path) -> int:
    """The largest difference between a picture's bytes and a PNG's."""
    with Image.open(expected) as file:
        return int(np.abs(to_bytes(found).astype(int) - np.asarray(file)).max())


@pytest.mark.parametrize(
    ("method", "width", "height", "crop", "name"),
    [
        ("nearest-exact", 100, 150, False, "scale_down_nearest-exact"),
        ("bilinear", 100, 150, False, "scale_down_bilinear"),
        ("area", 100, 150, False, "scale_down_area"),
        ("bicubic", 400, 300, True, "scale_up_center_bicubic"),
        ("lanczos", 400, 300, True, "scale_up_center_lanczos"),
    ],
)
def test_sizes_change_as_in_the_reference(
    method: str, width: int, height: int, crop: bool, name: str, reference: Path
):
    picture, _ = read(reference / "parity_in.png")
    found = scaled(picture, method, width, height, crop=crop)
    assert difference(found[0], reference / "ops" / f"{name}.png") <= 1


def test_inverting_is_the_reference(reference: Path):
    picture, mask = read(reference / "parity_in.png")
    assert mask.shape == picture.shape[:3]
    assert difference(1 - picture[0], reference / "ops" / "invert.png") == 0


def test_the_node_offers_every_way_of_scaling():
    assert widgets.SCALE_METHODS == pictures.SCALE_METHODS


def test_a_side_of_0_keeps_the_proportions():
    picture = torch.rand(2, 30, 60, 3)
    assert scaled(picture, "area", 20, 0, crop=False).shape == (2, 10, 20, 3)
    assert scaled(picture, "lanczos", 0, 10, crop=True).shape == (2, 10, 20, 3)
    assert scaled(picture, "bilinear", 0, 0, crop=False) is picture
    assert scaled(picture, "bicubic", 1, 0, crop=False).shape == (2, 1, 1, 3)


@pytest.mark.parametrize("method", pictures.SCALE_METHODS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_any_picture_scales_to_any_shape(method: str, channels: int):
    picture = torch.rand(1, 7, 50, channels)
    for width, height in ((1, 40), (40, 1), (9, 9)):
        assert scaled(picture, method, width, height, crop=True).shape == (
            1,
            height,
            width,
            channels,
        )


def test_colours_are_red_green_blue():
    found = to_bytes(solid(2, 1, 3, 0x336699))
    assert found.tolist() == [[[[0x33, 0x66, 0x99]] * 2]] * 3


def test_transparency_becomes_the_mask(tmp_path: Path):
    image = Image.new("RGBA", (3, 2), (255, 0, 0, 255))
    image.putpixel((0, 0), (0, 255, 0, 0))
    image.save(tmp_path / "a.png")
    picture, mask = read(tmp_path / "a.png")
    assert picture.shape == (1, 2, 3, 3)
    assert torch.equal(mask[0], torch.tensor([[1.0, 0, 0], [0, 0, 0]]))
    palette = image.convert("RGB").quantize(4)
    palette.info["transparency"] = palette.getpixel((0, 0))
    palette.save(tmp_path / "p.png", transparency=palette.getpixel((0, 0)))
    assert torch.equal(read(tmp_path / "p.png")[1], mask)
    image.convert("RGB").save(tmp_path / "b.png")
    assert read(tmp_path / "b.png")[1].shape == (1, 64, 64)


def test_a_photograph_stands_upright(tmp_path: Path):
    image = Image.new("RGB", (4, 2))
    exif = image.getexif()
    exif[0x0112] = 6  # turn clockwise to see it upright
    image.save(tmp_path / "a.jpg", exif=exif)
    assert read(tmp_path / "a.jpg")[0].shape == (1, 4, 2, 3)


def test_sixteen_bits_of_grey_keep_their_brightness(tmp_path: Path):
    Image.fromarray(np.array([[0, 32896, 65535]], dtype=np.uint16)).save(tmp_path / "deep.png")
    picture, _ = read(tmp_path / "deep.png")
    assert to_bytes(picture)[0, 0].tolist() == [[0] * 3, [128] * 3, [255] * 3]


def test_frames_of_an_animation_become_a_batch(tmp_path: Path):
    frames = [Image.new("RGB", (3, 2), color) for color in ("red", "lime", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    picture, mask = read(tmp_path / "a.gif")
    assert picture.shape == (3, 2, 3, 3)
    assert len(mask) == 3


def test_broken_pictures_are_refused_by_name(tmp_path: Path):
    Image.new("RGB", (200, 200), "red").save(tmp_path / "cut.png")
    whole = (tmp_path / "cut.png").read_bytes()
    for data in (b"", b"no picture at all", whole[:50], whole[:20]):
        (tmp_path / "cut.png").write_bytes(data)
        with pytest.raises(PictureError, match=r"cut\.png: cannot be read as a picture"):
            read(tmp_path / "cut.png")
