"""Masks, as nodes and as functions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from nodes import mask as nodes
from nodes.models.images import masks
from nodes.models.images.masks import MaskError
from nodes.models.images.pictures import solid
from tests.models.bench import Bench, n, numbers


def dot(size: int = 7) -> Tensor:
    """A mask that holds in its middle pixel."""
    mask = torch.zeros(1, size, size)
    mask[0, size // 2, size // 2] = 1
    return mask


def test_the_node_offers_every_operation():
    assert tuple(masks.OPERATIONS) == nodes.OPERATIONS


def test_a_mask_grows_to_a_diamond_or_a_square():
    assert masks.grown(dot(), 2, tapered=True).sum() == 13
    assert masks.grown(dot(), 2, tapered=False).sum() == 25
    assert torch.equal(masks.grown(dot(), 0, tapered=True), dot())


@settings(deadline=None)
@given(st.integers(1, 9), st.booleans())
def test_shrinking_is_growing_of_the_rest(pixels: int, tapered: bool):
    mask = torch.rand(2, 9, 11, generator=torch.Generator().manual_seed(pixels))
    shrunk = masks.grown(mask, -pixels, tapered=tapered)
    assert torch.allclose(1 - shrunk, masks.grown(1 - mask, pixels, tapered=tapered))
    assert (shrunk <= mask).all()


@pytest.mark.parametrize("tapered", [True, False])
def test_a_mask_that_grows_for_ever_fills_the_picture(tapered: bool):
    assert masks.grown(dot(5), 16384, tapered=tapered).min() == 1
    assert masks.grown(1 - dot(5), -16384, tapered=tapered).max() == 0


def test_feathers_rise_from_the_edge_and_are_alike_on_both_sides():
    mask = masks.feathered(torch.ones(1, 1, 8), left=4, top=0, right=2, bottom=0)
    assert numbers(mask[0, 0]) == [0.25, 0.5, 0.75, 1, 1, 1, 1, 0.5]
    both = masks.feathered(torch.ones(2, 30, 30), left=9, top=9, right=9, bottom=9)
    assert torch.equal(both, both.flip(1, 2))
    assert masks.feathered(torch.ones(1, 1, 2), left=0, top=99, right=99, bottom=0).shape == (
        1,
        1,
        2,
    )


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("multiply", [0.0, 0.3, 0.42]),
        ("add", [0.6, 1.0, 1.0]),
        ("subtract", [0.0, 0.0, 0.1]),
        ("and", [0, 0, 1]),
        ("or", [1, 1, 1]),
        ("xor", [1, 1, 0]),
    ],
)
def test_masks_are_reckoned_together(operation: str, expected: list[float]):
    below, above = torch.tensor([[[0.0, 0.4, 0.7]]]), torch.tensor([[[0.6, 0.75, 0.6]]])
    found = masks.combined(below, above, 0, 0, operation)
    assert numbers(found[0, 0]) == pytest.approx(expected)
    assert below[0, 0, 1] == pytest.approx(0.4), "what came in stays as it is"


def test_what_stands_out_of_a_mask_is_cut_off():
    found = masks.combined(torch.zeros(2, 4, 4), torch.ones(1, 3, 3), 2, 3, "add")
    assert numbers(found.sum(dim=(1, 2))) == [2, 2]
    assert masks.combined(dot(), torch.ones(1, 3, 3), 99, 99, "multiply").sum() == 1


def test_a_mask_of_a_colour_holds_where_it_is_exactly():
    picture = torch.cat([solid(1, 1, 1, 0x123456), solid(1, 1, 1, 0x123457)], dim=2)
    assert numbers(masks.of_color(picture, 0x123456)) == [[[1, 0]]]


def test_a_channel_that_is_not_there_is_named():
    picture = torch.rand(1, 2, 2, 3)
    assert torch.equal(masks.of_channel(picture, "blue"), picture[..., 2])
    with pytest.raises(MaskError, match=r"3 channels and no alpha; choose one of red, green, blue"):
        masks.of_channel(picture, "alpha")


async def test_a_mask_is_loaded_cropped_inverted_and_shown(bench: Bench):
    image = Image.new("RGBA", (20, 10), (255, 0, 51, 255))
    image.paste((0, 0, 0, 0), (0, 0, 10, 10))
    image.save(bench.home / "input" / "half.png")
    prompt = {
        "1": n("LoadImageMask", image="half.png", channel="alpha"),
        "2": n("CropMask", mask=["1", 0], x=8, y=0, width=100, height=1),
        "3": n("InvertMask", mask=["2", 0]),
        "4": n("MaskPreview", mask=["3", 0]),
        "5": n("LoadImageMask", image="half.png", channel="blue"),
        "6": n("ThresholdMask", mask=["5", 0], value=0.19),
        "7": n("MaskToImage", mask=["6", 0]),
        "8": n("SaveImage", images=["7", 0], filename_prefix="blue"),
        "9": n("SolidMask", value=0.5, width=3, height=2),
        "10": n("MaskToImage", mask=["9", 0]),
        "11": n("ImageToMask", image=["10", 0], channel="red"),
        "12": n("MaskPreview", mask=["11", 0]),
    }
    (entry,) = await bench.run(prompt)
    assert entry.outcome.status == "success", entry
    (shown,) = entry.outcome.shown["4"]["images"]
    assert shown["type"] == "temp"
    with Image.open(bench.home / "temp" / shown["filename"]) as file:
        assert [file.getpixel((x, 0)) for x in range(12)] == [(0,) * 3] * 2 + [(255,) * 3] * 10
    with Image.open(bench.home / "output" / "blue_00001_.png") as file:
        assert (file.getpixel((9, 0)), file.getpixel((10, 0))) == ((0,) * 3, (255,) * 3)
    (shown,) = entry.outcome.shown["12"]["images"]
    with Image.open(bench.home / "temp" / shown["filename"]) as file:
        assert (file.size, file.getpixel((1, 1))) == ((3, 2), (127,) * 3)


async def test_a_picture_that_is_cut_off_is_loaded_with_a_warning(bench: Bench):
    (bench.home / "input").mkdir(exist_ok=True)
    file = bench.home / "input" / "cut.bmp"
    Image.new("RGB", (8, 8), "red").save(file)
    file.write_bytes(file.read_bytes()[:-48])
    (entry,) = await bench.run(
        {
            "1": n("LoadImage", image="cut.bmp"),
            "2": n("PreviewImage", images=["1", 0]),
            "3": n("LoadImageMask", image="cut.bmp", channel="red"),
            "4": n("MaskPreview", mask=["3", 0]),
        }
    )
    assert entry.outcome.status == "success", entry
    said = ["cut.bmp: the file is damaged or cut off: 2 of its 8 lines are missing"]
    assert [entry.outcome.shown[id]["warnings"] for id in "13"] == [said, said]
