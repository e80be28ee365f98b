"""Pictures with transparency upon each other, and things cut out of pictures."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nodes import color, composite
from nodes.models.images import porter_duff
from tests.models.bench import numbers

UPPER, LOWER = 0.8, 0.3


def test_the_node_offers_every_mode():
    assert tuple(porter_duff.MODES) == composite.PORTER_DUFF


def flat(value: float, side: int = 1, count: int = 1) -> Tensor:
    return torch.full((count, side, side, 3), float(value))


def mask(value: float, side: int = 1) -> Tensor:
    return torch.full((1, side, side), float(value))


def seen(mode: str, upper_opaque: float, lower_opaque: float) -> tuple[float, float]:
    """The grey that is seen of two greys, and how opaque it is."""
    made = composite.porter_duff(
        source=flat(UPPER),
        source_alpha=mask(1 - upper_opaque),
        destination=flat(LOWER),
        destination_alpha=mask(1 - lower_opaque),
        mode=mode,
    )
    return float(made.IMAGE.mean()), 1 - float(made.MASK)


def expected(mode: str, a: float, b: float) -> tuple[float, float]:
    """Color and opacity by the tables of Porter and Duff, and by W3C's blending formulas."""
    weights = {
        "CLEAR": (0, 0), "SRC": (1, 0), "DST": (0, 1), "SRC_OVER": (1, 1 - a),
        "DST_OVER": (1 - b, 1), "SRC_IN": (b, 0), "DST_IN": (0, a), "SRC_OUT": (1 - b, 0),
        "DST_OUT": (0, 1 - a), "SRC_ATOP": (b, 1 - a), "DST_ATOP": (1 - b, a),
        "XOR": (1 - b, 1 - a), "ADD": (1, 1),
    }  # fmt: skip
    if mode in weights:
        first, second = weights[mode]
        opaque = a * first + b * second
        total = UPPER * a * first + LOWER * b * second
        opaque = min(1, opaque)
        return (min(1, total / opaque) if opaque else 0), opaque
    if mode == "MULTIPLY":
        return (UPPER * LOWER if a * b else 0), a * b
    blends = {
        "DARKEN": min(UPPER, LOWER),
        "LIGHTEN": max(UPPER, LOWER),
        "SCREEN": UPPER + LOWER - UPPER * LOWER,
        "OVERLAY": 2 * UPPER * LOWER,  # the lower one is below one half
    }
    opaque = a + b - a * b
    total = (1 - b) * a * UPPER + (1 - a) * b * LOWER + a * b * blends[mode]
    return (total / opaque if opaque else 0), opaque


@pytest.mark.parametrize("mode", composite.PORTER_DUFF)
@pytest.mark.parametrize("pair", [(1, 1), (0.5, 1), (1, 0.25), (0.5, 0.25), (0, 0.5), (0, 0)])
def test_each_mode_shows_what_its_formula_says(mode: str, pair: tuple[float, float]):
    assert seen(mode, *pair) == pytest.approx(expected(mode, *pair), abs=1e-5)


def test_bright_lower_pictures_are_overlaid_as_negatives():
    made = composite.porter_duff(
        source=flat(0.4), source_alpha=mask(0), destination=flat(0.9), destination_alpha=mask(0),
        mode="OVERLAY",
    )  # fmt: skip
    assert float(made.IMAGE.mean()) == pytest.approx(1 - 2 * 0.1 * 0.6)


def test_the_upper_picture_is_brought_to_the_size_of_the_lower_and_batches_are_repeated():
    made = composite.porter_duff(
        source=flat(0.5, side=3), source_alpha=mask(0, side=5),
        destination=flat(0.2, side=8, count=2), destination_alpha=mask(1, side=2),
        mode="SRC_OVER",
    )  # fmt: skip
    assert made.IMAGE.shape == (2, 8, 8, 3)
    assert made.MASK.shape == (2, 8, 8)
    assert torch.allclose(made.IMAGE, torch.tensor(0.5))


def test_parts_that_were_split_are_joined_again_by_the_same_masks():
    picture = torch.rand(1, 4, 4, 4, generator=torch.Generator().manual_seed(1))
    part = composite.split_alpha(image=picture)
    made = composite.porter_duff(
        source=part.IMAGE, source_alpha=part.MASK, destination=flat(0.5, side=4),
        destination_alpha=mask(1, side=4), mode="SRC_OVER",
    )  # fmt: skip
    again = composite.join_alpha(image=made.IMAGE, alpha=made.MASK)
    assert torch.allclose(again, picture, atol=1e-4)


# --- cut out ---------------------------------------------------------------------------------


def cut(picture: Tensor, holds: Tensor, **more: object) -> Tensor:
    sides = {"width": 64, "height": 64}
    return color.crop_to_mask(images=picture, masks=holds, **(sides | more)).images  # pyright: ignore[reportArgumentType] - of the node


def square(side: int = 32, first: int = 8, last: int = 24) -> Tensor:
    holds = torch.zeros(1, side, side)
    holds[:, first:last, first:last] = 1
    return holds


def test_a_thing_is_cut_out_as_large_as_it_goes():
    picture = torch.zeros(1, 32, 32, 3)
    picture[:, 8:24, 8:24, 0] = 1
    found = cut(picture, square(), background="#00ff00")
    assert found.shape == (1, 64, 64, 3)
    assert numbers(found[0, 32, 32]) == [1, 0, 0]
    assert float(found[0, ..., 0].min()) > 0.95, "nothing but the thing"
    roomy = cut(picture, square(), pad_factor=2.0, background="#00ff00")
    assert numbers(roomy[0, 2, 2]) == [0, 1, 0]
    assert numbers(roomy[0, 32, 32]) == [1, 0, 0]
    shrunk = cut(picture, square(), grow_mask=-4, pad_factor=2.0, background="#00ff00")
    assert float(shrunk[0, 17, 32, 1]) > float(roomy[0, 17, 32, 1])


def test_a_mask_that_is_the_wrong_way_round_is_turned():
    picture = torch.rand(1, 32, 32, 3, generator=torch.Generator().manual_seed(1))
    assert torch.equal(cut(picture, square()), cut(picture, 1 - square()))


def test_proportions_are_kept_and_beyond_the_picture_it_is_black():
    picture = torch.ones(1, 32, 32, 3)
    holds = square(first=0, last=8)
    found = cut(picture, holds, width=128, height=64, pad_factor=2.0, background="#0000ff")
    assert found.shape == (1, 64, 128, 3)
    assert numbers(found[0, 0, 0]) == [0, 0, 0]
    assert numbers(found[0, 32, 64]) == pytest.approx([1, 1, 1], abs=0.05)
    assert numbers(found[0, 60, 120]) == [0, 0, 1]


def test_of_an_empty_mask_the_whole_picture_is_on_the_colour():
    found = cut(torch.ones(2, 16, 16, 3), torch.zeros(1, 4, 4), background="#102030")
    assert found.shape == (2, 64, 64, 3)
    assert torch.allclose(found[1, 5, 5] * 255, torch.tensor([16.0, 32.0, 48.0]), atol=1.01)


def test_a_colour_that_is_none_is_named():
    with pytest.raises(ValueError, match="background: 'red' is none; write it as #RRGGBB"):
        cut(torch.ones(1, 4, 4, 3), torch.ones(1, 4, 4), background="red")
