"""What nodes do to pictures: sizes, filters, compositions, batches."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from nodes import composite, filter, transform
from nodes.models.images import arranging, batches, compositing, filters, resizing, shapes
from nodes.models.images.pictures import PictureError, solid
from tests.models.bench import numbers


def picture(height: int = 6, width: int = 8, channels: int = 3, count: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(height * 100 + width)
    return torch.rand(count, height, width, channels, generator=generator)


def test_the_nodes_offer_what_there_is():
    assert tuple(compositing.BLEND_MODES) == composite.BLEND_MODES
    assert tuple(compositing.COLORS) == composite.COLORS
    assert tuple(arranging.TURNS) == transform.TURNS
    assert filters.DITHERS == filter.DITHERS
    assert tuple(shapes.OPERATIONS) == filter.OPERATIONS


# --- sizes -----------------------------------------------------------------------------------


def test_a_number_of_pixels_keeps_the_proportions():
    found = arranging.scaled_to_pixels(picture(100, 400), "area", 0.25)
    assert found.shape == (1, 256, 1024, 3)
    assert arranging.scaled_to_pixels(picture(1, 300), "bilinear", 0.01).shape[1] >= 1
    stepped = transform.scale_to_total_pixels(
        image=picture(10, 17), upscale_method="area", megapixels=0.1, resolution_steps=64
    )
    assert stepped.shape[1:3] == (256, 448)


@pytest.mark.parametrize(("height", "width", "expected"), [(10, 40, (5, 20)), (40, 10, (20, 5))])
def test_the_longer_side_gets_the_length(height: int, width: int, expected: tuple[int, int]):
    given = picture(height, width)
    assert resizing.longer_to(given, "bicubic", 20).shape[1:3] == expected
    assert resizing.longer_to(given, "bicubic", 0) is given


def test_the_other_side_is_rounded_down():
    assert transform.resize_by_longer_edge(images=picture(10, 16), longer_edge=33).images.shape == (
        (1, 20, 33, 3)
    )


def test_kontext_gets_a_size_it_knows():
    assert arranging.scaled_for_kontext(picture(30, 30)).shape[1:3] == (1024, 1024)
    assert arranging.scaled_for_kontext(picture(10, 90)).shape[1:3] == (672, 1568)


def test_a_crop_is_never_empty():
    given = picture()
    assert torch.equal(arranging.cropped(given, 2, 1, 3, 4), given[:, 1:5, 2:5])
    assert torch.equal(arranging.cropped(given, 999, 999, 5, 5), given[:, -1:, -1:])


def test_a_quarter_turn_is_clockwise():
    given = picture(2, 3)
    turned = transform.rotate(image=given, rotation="90 degrees")
    assert torch.equal(turned[0, 0, -1], given[0, 0, 0]), "top left becomes top right"
    again = transform.rotate(image=turned, rotation="270 degrees")
    assert torch.equal(again, given)
    assert torch.equal(transform.rotate(image=given, rotation="none"), given)
    upside = transform.flip(image=given, flip_method="x-axis: vertically")
    assert torch.equal(upside, given.flip(1))


def test_a_frame_holds_the_whole_picture_in_its_middle():
    found = arranging.framed(solid(40, 10, 2, 0xFF0000), "bilinear", 20, 20, 1.0)
    assert found.shape == (2, 20, 20, 3)
    red, white = torch.tensor([1.0, 0, 0]), torch.ones(3)
    assert torch.equal(found[1, 10, 0], red)
    assert torch.equal(found[1, 0, 10], white)
    assert torch.equal(found[1, 19, 10], white)


def test_the_mask_of_the_room_around_fades_into_the_picture_where_there_is_room():
    given = picture(40, 40)
    found, mask = arranging.padded(given, left=8, top=0, right=0, bottom=0, feathering=10)
    assert found.shape == (1, 40, 48, 3)
    assert torch.equal(found[:, :, 8:], given)
    assert numbers(found[0, 0, 0]) == [0.5] * 3
    row = mask[0, 20]
    assert numbers(row[:9]) == [1] * 9
    assert numbers(row[8:19]) == pytest.approx([(1 - d / 10) ** 2 for d in range(11)])
    assert row[19:].max() == 0
    _, hard = arranging.padded(given, left=8, top=0, right=0, bottom=0, feathering=20)
    assert set(numbers(hard.flatten())) == {0, 1}, "it would reach the middle"


# --- filters ---------------------------------------------------------------------------------


def test_a_blur_keeps_plain_colour_and_levels_the_rest():
    plain = solid(9, 9, 1, 0x336699)
    assert torch.allclose(filters.blurred(plain, 3, 1.0), plain)
    given = picture(20, 20, 4)
    assert filters.blurred(given, 3, 1.0).std() < given.std() / 2


def test_sharpening_by_nothing_changes_nothing():
    given = picture(20, 20)
    assert torch.allclose(filters.sharpened(given, 2, 1.0, 0.0), given)
    assert filters.sharpened(given, 2, 1.0, 1.0).std() > given.std()


def test_a_radius_beyond_the_picture_is_told():
    with pytest.raises(PictureError, match=r"radius of 6 pixels .* 8 x 6; at most 5"):
        filters.blurred(picture(), 6, 1.0)


@pytest.mark.parametrize("dither", filters.DITHERS)
@pytest.mark.parametrize("colors", [1, 2, 7, 256])
def test_few_colours_are_left(dither: str, colors: int):
    found = filters.quantized(picture(33, 17, 4, count=2), colors, dither)
    assert found.shape == (2, 33, 17, 3)
    assert len({tuple(color) for color in numbers(found[0].flatten(0, 1))}) <= colors
    assert 0 <= found.min() <= found.max() <= 1


def test_an_ordered_pattern_mixes_two_colours_to_the_shade_between():
    ramp = torch.linspace(0, 1, 64).reshape(1, 1, 64, 1).expand(1, 64, 64, 3)
    error = {
        dither: (filters.quantized(ramp, 4, dither).mean((1, 3)) - ramp.mean((1, 3))).abs().mean()
        for dither in ("none", "bayer-8")
    }
    assert error["bayer-8"] < error["none"]


def test_grain_is_the_same_for_the_same_seed():
    given = picture(20, 20)
    assert torch.equal(filters.noisy(given, 2**64 - 1, 0.1), filters.noisy(given, 2**64 - 1, 0.1))
    assert not torch.equal(filters.noisy(given, 1, 0.1), filters.noisy(given, 2, 0.1))
    assert torch.equal(filters.noisy(given, 1, 0.0), given)


def test_bright_things_grow_and_small_ones_go():
    dots = torch.zeros(1, 12, 12, 1)
    dots[0, 2, 2], dots[0, 5:10, 5:10], dots[0, 9, 7] = 1, 1, 0
    found = {name: float(operation(dots, 3).sum()) for name, operation in shapes.OPERATIONS.items()}
    assert found == {
        "dilate": 9 + 49,
        "erode": 6,
        "gradient": 9 + 49 - 6,
        "close": 1 + 25,
        "bottom_hat": 1,
        "open": 20,
        "top_hat": 1 + 24 - 20,
    }
    assert shapes.dilated(dots, 999).min() == 1
    assert shapes.dilated(dots, 4).shape == dots.shape


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_edges_are_thin_lines(channels: int):
    picture = torch.zeros(2, 20, 20, channels)
    picture[:, :, 10:] = 1
    found = shapes.edges(picture, 0.4, 0.8)
    assert found.shape == (2, 20, 20, 3)
    assert numbers(found[1, :, :, 0].sum(1)) == [1] * 20
    assert shapes.edges(picture, 0.4, 3.0).max() == 0, "none is so steep"


def test_a_weak_edge_counts_where_it_touches_a_strong_one():
    fading = torch.zeros(1, 60, 20, 3)
    fading[:, :, 10:] = torch.linspace(0, 1, 60)[:, None, None]
    lengths = [float(shapes.edges(fading, low, 1.3)[..., 0].sum()) for low in (0.2, 1.3)]
    assert lengths[0] > 1.5 * lengths[1] > 0


# --- upon and beside each other --------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("normal", (0.6, 0.4)),
        ("multiply", (0.12, 0.32)),
        ("screen", (0.68, 0.88)),
        ("overlay", (0.24, 0.76)),
        ("soft_light", (0.2 + 0.2 * (((16 * 0.2 - 12) * 0.2 + 4) * 0.2 - 0.2), 0.8 - 0.2 * 0.16)),
        ("difference", (0.0, 0.4)),
    ],
)
def test_pictures_blend(mode: str, expected: tuple[float, float]):
    below, above = torch.tensor([0.2, 0.8]), torch.tensor([0.6, 0.4])
    found = compositing.blended(
        below.reshape(1, 1, 2, 1), above.reshape(1, 1, 2, 1), mode, 1.0
    ).flatten()
    assert numbers(found) == pytest.approx(expected)


def test_a_blend_has_the_size_of_the_first_and_as_many_as_the_longer():
    found = compositing.blended(picture(), picture(3, 9, 4, count=3), "screen", 0.5)
    assert found.shape == (3, 6, 8, 3)
    assert torch.equal(compositing.blended(picture(), picture(9, 9), "overlay", 0.0), picture())


def test_a_picture_is_pasted_where_the_mask_holds():
    below, above = torch.zeros(2, 3, 6, 8), torch.ones(1, 3, 4, 4)
    found = compositing.pasted(below, above, 6, 3, None, resize=False)
    assert numbers(found.sum(dim=(1, 2, 3))) == [18, 18], "2 x 3 pixels are inside"
    half = torch.tensor([[[1.0, 0.0]]])
    found = compositing.pasted(below, above, 0, 0, half, resize=True)
    assert found[0, 0, 0, 0] == 1
    assert found[0, 0, 0, -1] == 0
    assert compositing.pasted(below, above, 999, 0, None, resize=False).max() == 0
    assert below.max() == 0, "what came in stays as it is"


def test_a_picture_without_alpha_covers_one_that_has_it():
    found = composite.composite(destination=torch.zeros(1, 2, 2, 4), source=picture(2, 2))
    assert torch.equal(found[..., :3], picture(2, 2))
    assert found[..., 3].min() == 1


def test_transparency_is_joined_and_split():
    mask = torch.rand(2, 6, 8)
    found = compositing.with_alpha(picture(), mask)
    assert found.shape == (2, 6, 8, 4)
    colors, again = compositing.without_alpha(found)
    assert torch.allclose(again, mask)
    assert torch.equal(colors[0], picture()[0])
    assert compositing.without_alpha(picture())[1].max() == 0


@pytest.mark.parametrize(
    ("direction", "match", "spacing", "shape"),
    [
        ("right", True, 0, (6, 8 + 12)),
        ("left", True, 3, (6, 12 + 4 + 8)),
        ("down", True, 2, (6 + 2 + 4, 8)),
        ("up", False, 0, (6 + 2, 8)),
        ("right", False, 0, (6, 8 + 4)),
    ],
)
def test_pictures_stand_side_by_side(
    direction: str, match: bool, spacing: int, shape: tuple[int, int]
):
    found = composite.stitch(
        image1=solid(8, 6, 1, 0xFF0000),
        image2=solid(4, 2, 2, 0x0000FF),
        direction=direction,
        match_image_size=match,
        spacing_width=spacing,
        spacing_color="green",
    )
    assert found.shape == (2, *shape, 3)
    first = found[1, -1, -1] if direction in ("left", "up") else found[1, 0, 0]
    assert numbers(first) == [1, 0, 0]
    pixels = int((found[0] == torch.tensor([0.0, 1.0, 0.0])).all(-1).sum())
    assert pixels == (0 if not spacing else (spacing + spacing % 2) * max(6, 8 * (shape[1] == 8)))


def test_one_picture_alone_is_stitched_to_nothing():
    given = picture()
    assert composite.stitch(image1=given) is given


# --- batches ---------------------------------------------------------------------------------


def test_batches_are_parted_and_joined():
    given = picture(count=5)
    assert torch.equal(batches.part(given, 1, 2), given[1:3])
    assert torch.equal(batches.part(given, 99, 9), given[4:])
    joined = batches.joined(given, picture(4, 4, 4))
    assert joined.shape == (6, 6, 8, 4)
    assert joined[:5, ..., 3].min() == 1


def test_grey_becomes_colour_and_alpha_is_opaque():
    grey = torch.full((1, 2, 2, 1), 0.25)
    assert numbers(batches.with_channels(grey, 4)[0, 0, 0]) == [0.25, 0.25, 0.25, 1]
    assert batches.with_channels(picture(), 1).shape[-1] == 1
    assert filters.quantized(grey, 4, "none").shape == (1, 2, 2, 3)


def test_another_shape_begins_a_new_batch():
    given = [picture(count=3), picture(count=2), picture(9, 9, count=2)]
    assert [len(batch) for batch in batches.regrouped(given, 4)] == [4, 1, 2]
    assert [len(batch) for batch in batches.regrouped(given, 1)] == [1] * 7


def test_a_blur_of_the_whole_width_is_a_mean():
    step = torch.zeros(1, 3, 3, 1)
    step[..., 1, 1, :] = 1
    assert math.isclose(float(filters.blurred(step, 1, 10.0)[0, 1, 1, 0]), 1 / 9, rel_tol=0.02)
