"""Sizes told in nine ways, batches of many, files of more than eight bits."""

from __future__ import annotations

import io
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from nodes import batch, resize
from nodes.models.images.picture_files import avif, curved, exr, linear
from nodes.models.images.pictures import PictureError
from tests.models.bench import Bench, n, numbers

OpenEXR: Any = import_module("OpenEXR")  # has no type stubs


def resized(picture: Tensor, way: resize.ResizeType, method: str) -> Tensor:
    return resize.resize(input=picture, resize_type=way, scale_method=method).resized


def sizes(
    way: resize.ResizeType, width: int, height: int, method: str = "bilinear"
) -> tuple[int, int]:
    picture = torch.rand(2, height, width, 3)
    made = resized(picture, way, method)
    assert (made.shape[0], made.shape[3], made.dtype) == (2, 3, torch.float32)
    mask = resized(picture[..., 0], way, method)
    assert mask.shape == made.shape[:3]
    return made.shape[2], made.shape[1]


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        (resize.ToDimensions(width=20, height=10), (20, 10)),
        (resize.ToDimensions(width=20, height=0, crop="disabled"), (20, 13)),
        (resize.ToDimensions(width=0, height=0), (30, 20)),
        (resize.By(multiplier=0.25), (8, 5)),
        (resize.LongerTo(longer_size=60), (60, 40)),
        (resize.LongerTo(longer_size=0), (30, 20)),
        (resize.ShorterTo(shorter_size=10), (15, 10)),
        (resize.WidthTo(width=7), (7, 5)),
        (resize.HeightTo(height=40), (60, 40)),
        (resize.ToPixels(megapixels=0.01), (125, 84)),
        (resize.Like(match=torch.zeros(1, 5, 9)), (9, 5)),
        (resize.ToMultiple(multiple=8), (24, 16)),
        (resize.ToMultiple(multiple=10), (30, 20)),
        (resize.ToMultiple(multiple=25), (30, 20)),
    ],
)
def test_each_way_to_tell_a_size(way: resize.ResizeType, expected: tuple[int, int]):
    assert sizes(way, 30, 20) == expected


def test_portraits_and_squares():
    assert sizes(resize.LongerTo(longer_size=60), 20, 30) == (40, 60)
    assert sizes(resize.ShorterTo(shorter_size=10), 20, 30) == (10, 15)
    assert sizes(resize.LongerTo(longer_size=12), 30, 30, "lanczos") == (12, 12)


def test_a_multiple_is_cut_out_of_the_middle():
    picture = torch.arange(10.0).reshape(1, 1, 10, 1).expand(1, 8, 10, 1) / 10
    made = resize.resize(
        input=picture, resize_type=resize.ToMultiple(multiple=8), scale_method="nearest-exact"
    ).resized
    assert made.shape == (1, 8, 8, 1)
    assert [round(float(value) * 10) for value in made[0, 0, :, 0]] == [*range(1, 9)]


def test_many_pictures_in_one_batch():
    colors = [torch.full((1, 4, 6, 3), 0.1), torch.full((2, 8, 8, 4), 0.2), torch.rand(1, 4, 6, 3)]
    made = batch.batch_many(images={f"image{i}": color for i, color in enumerate(colors)})
    assert made.shape == (4, 4, 6, 4)
    assert torch.allclose(made[1:3], torch.tensor(0.2))
    assert torch.equal(made[3], torch.cat([colors[2][0], torch.ones(4, 6, 1)], dim=-1))


@pytest.mark.parametrize(("half", "kind"), [(True, np.float16), (False, np.float32)])
def test_floats_as_they_are(half: bool, kind: Any, tmp_path: Path):
    picture = torch.randn(5, 7, 4) * 3
    path = tmp_path / "picture.exr"
    path.write_bytes(exr(picture, {"prompt": [1]}, half=half))
    file = OpenEXR.File(str(path), separate_channels=True)
    assert file.header()["prompt"] == "[1]"
    for place, name in enumerate("RGBA"):
        pixels = file.channels()[name].pixels
        assert pixels.dtype == kind
        assert np.array_equal(pixels, picture[..., place].numpy().astype(kind))


def test_curves_of_colour():
    values = torch.tensor([[[0.0, 0.02, 0.5], [1.0, 0.04045, 0.735]]])
    srgb = [0.0, 0.02 / 12.92, 0.21404114, 1.0, 0.0031308, ((0.735 + 0.055) / 1.055) ** 2.4]
    assert numbers(linear(values, "sRGB").flatten()) == pytest.approx(srgb, abs=2e-6)
    assert torch.allclose(curved(linear(values, "sRGB")), values, atol=1e-5)
    # ITU-R BT.2408: hybrid log-gamma of 0.75 is 26.5 % of the peak, of 0.5 one twelfth.
    levels = numbers(linear(torch.tensor([[[0.5, 0.75, 1.0, 0.3]]]), "HDR").flatten())
    assert levels == pytest.approx([1 / 12, 0.265, 1.0, 0.3], abs=3e-4)
    assert torch.equal(linear(values, "linear"), values)


def test_avif_stills_and_animations():
    smooth = torch.linspace(0, 1, 32).expand(32, 32)[..., None].expand(32, 32, 3)
    still = avif([smooth], {}, crf=10, fps=1, loops=0)
    with Image.open(io.BytesIO(still)) as file:
        assert (file.format, file.size) == ("AVIF", (32, 32))
        found = np.asarray(file.convert("RGB"), np.float32) / 255
    assert np.abs(found - smooth.numpy()).max() < 0.05
    moving = avif([smooth, smooth.flip(0), smooth.flip(1)], {}, crf=30, fps=5, loops=0)
    with Image.open(io.BytesIO(moving)) as file:
        assert getattr(file, "n_frames", 1) == 3


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_transparent_pictures_can_be_avif(channels: int):
    data = avif([torch.full((8, 8, channels), 0.5)], {}, crf=10, fps=1, loops=0)
    with Image.open(io.BytesIO(data)) as file:
        assert file.size == (8, 8)


def test_pictures_of_two_channels_are_refused_by_all_formats():
    picture = torch.zeros(4, 4, 2)
    with pytest.raises(PictureError, match="they need 1, 3 or 4"):
        avif([picture], {}, crf=10, fps=1, loops=0)
    with pytest.raises(PictureError, match="they need 1, 3 or 4"):
        exr(picture, {}, half=True)


# --- through the engine ----------------------------------------------------------------------


async def test_files_of_every_kind_and_what_goes_on_behind_them(bench: Bench):
    def saved(id: str, **format: Any) -> dict[str, Any]:
        inputs = {"images": ["1", 0], "filename_prefix": id, **format}
        return {"class_type": "SaveImageAdvanced", "inputs": inputs}

    prompt: dict[str, Any] = {
        "1": n("EmptyImage", width=32, height=16, batch_size=2, color=0x336699),
        "png": saved("png", **{"format": "png", "format.bit_depth": "16-bit",
                               "format.input_color_space": "sRGB"}),
        "exr": saved("exr", **{"format": "exr", "format.bit_depth": "32-bit float",
                               "format.input_color_space": "sRGB"}),
        "avif": saved("avif", **{"format": "avif", "format.bit_depth": "auto",
                                 "format.input_color_space": "sRGB", "format.crf": 5,
                                 "format.save_mode": "animated", "format.save_mode.fps": 2.0,
                                 "format.save_mode.loop_count": 0}),
        "2": n("ImageInvert", image=["png", 0]),
        "3": n("SaveImage", images=["2", 0], filename_prefix="on"),
        "4": n("PreviewImage", images=["3", 0]),
        "5": n("ImageCompare", image_a=["4", 0], compare_view={}),
    }  # fmt: skip
    (entry,) = await bench.run(prompt)
    assert entry.outcome.status == "success", entry.outcome
    output = bench.home / "output"
    assert {path.name for path in output.iterdir()} == {
        "png_00001.png", "png_00002.png", "exr_00001.exr", "exr_00002.exr", "avif_00001.avif",
        "on_00001_.png", "on_00002_.png",
    }  # fmt: skip
    assert bench.image("on")[0, 0].tolist() == pytest.approx([0.8, 0.6, 0.4], abs=0.004)
    red = OpenEXR.File(str(output / "exr_00001.exr"), separate_channels=True).channels()["R"].pixels
    assert red[0, 0] == pytest.approx(((0.2 + 0.055) / 1.055) ** 2.4, abs=1e-5)
    shown = entry.outcome.shown["5"]
    assert len(shown["a_images"]) == 2
    assert shown["b_images"] == []


async def test_a_picture_of_the_output_folder_is_read_again(bench: Bench):
    first = {
        "1": n("EmptyImage", width=8, height=8, batch_size=1, color=0xFF0000),
        "2": n("SaveImage", images=["1", 0], filename_prefix="red"),
    }
    again = {
        "1": n("LoadImageOutput", image="red_00001_.png [output]"),
        "2": n("SaveImage", images=["1", 0], filename_prefix="again"),
    }
    assert [entry.outcome.status for entry in await bench.run(first)] == ["success"]
    assert [entry.outcome.status for entry in await bench.run(again)] == ["success"]
    assert bench.image("again")[3, 3].tolist() == [1.0, 0.0, 0.0]
