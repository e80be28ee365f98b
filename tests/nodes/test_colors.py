"""Colours of pictures, and pictures in the colours of others."""

from __future__ import annotations

import colorsys
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes import color
from nodes.models.images.colors import from_lab, from_yuv, histogram, to_lab, to_yuv, transferred
from tests.models.bench import Bench, n, numbers


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def test_luma_and_chroma_are_those_of_the_standard():
    """Against Python's own YIQ, whose Y is the same luma, and against pure colours."""
    pictures = noise(1, 4, 5, 3)
    y, u, v = to_yuv(pictures)
    assert y.shape == u.shape == v.shape == pictures.shape
    red, green, blue = numbers(pictures[0, 1, 2])
    assert float(y[0, 1, 2, 0]) == pytest.approx(colorsys.rgb_to_yiq(red, green, blue)[0], abs=5e-3)
    _, u, v = to_yuv(torch.tensor([[[[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.5, 0.5, 0.5]]]]))
    assert numbers(u[0, 0, :, 0]) == pytest.approx([0.9997, 0.3314, 0.5], abs=2e-3)
    assert numbers(v[0, 0, :, 0]) == pytest.approx([0.4187, 0.9998, 0.5], abs=2e-3)
    assert torch.allclose(from_yuv(*to_yuv(pictures)), pictures, atol=1e-5)


# Known pairs of sRGB bytes and CIE Lab (D65).
LAB = {
    (255, 255, 255): (100.0, 0.0, 0.0),
    (0, 0, 0): (0.0, 0.0, 0.0),
    (255, 0, 0): (53.24, 80.09, 67.20),
    (0, 255, 0): (87.73, -86.18, 83.18),
    (0, 0, 255): (32.30, 79.19, -107.86),
    (119, 119, 119): (50.03, 0.0, 0.0),
}


def test_lab_is_cies():
    pictures = torch.tensor([[list(LAB)]]) / 255
    for found, expected in zip(numbers(to_lab(pictures)[0, 0]), LAB.values(), strict=True):
        assert found == pytest.approx(expected, abs=0.05)
    random = noise(2, 6, 7, 3)
    assert torch.allclose(from_lab(to_lab(random)), random, atol=1e-4)


@pytest.mark.parametrize("method", color.METHODS)
def test_a_picture_gets_the_colours_of_another(method: str):
    target = noise(1, 40, 40, 3) * torch.tensor([0.5, 0.3, 0.4]) + 0.1
    reference = noise(1, 30, 50, 3, seed=1) * torch.tensor([0.2, 0.4, 0.3]) + 0.4
    made = transferred(target, reference, target, method, 1.0)
    seen = (made, reference) if method == "histogram" else (to_lab(made), to_lab(reference))
    for axis in range(3):
        found, wanted = (picture[..., axis] / picture.abs().max() for picture in seen)
        assert float(found.mean()) == pytest.approx(float(wanted.mean()), abs=0.05)
        assert float(found.std()) == pytest.approx(float(wanted.std()), abs=0.05)
    order = target[..., 0].flatten().argsort()
    if method == "histogram":
        assert bool((made[..., 0].flatten()[order].diff() >= 0).all()), "bright stays brighter"
    assert torch.equal(transferred(target, reference, target, method, 0.0), target)
    same = transferred(target, target, target, method, 1.0)
    assert torch.allclose(same, target, atol=5e-3)


def test_mkl_meets_the_covariance():
    target, reference = noise(1, 50, 50, 3), noise(1, 50, 50, 3, seed=3)
    mix = torch.tensor([[0.6, 0.2, 0.0], [0.2, 0.5, 0.1], [0.0, 0.1, 0.4]])
    reference = (reference @ mix) * 0.5 + 0.2
    target = target * 0.4 + 0.3
    made = transferred(target, reference, target, "mkl_lab", 1.0)
    found, wanted = (torch.cov(to_lab(p).reshape(-1, 3).T) for p in (made, reference))
    assert torch.allclose(found, wanted, rtol=0.05, atol=2.0)


def transfer(source_stats: Any, frames: Tensor, reference: Tensor) -> Tensor:
    return color.transfer_color(
        image_target=frames, image_ref=reference, method="reinhard_lab", source_stats=source_stats
    ).image


def test_frames_count_for_themselves_or_together():
    frames = torch.cat([noise(1, 8, 8, 3) * 0.2, noise(1, 8, 8, 3, seed=1) * 0.2 + 0.6])
    reference = noise(1, 8, 8, 3, seed=2) * 0.3 + 0.3
    alone = transfer(color.PerFrame(), frames, reference)
    assert float((alone[0].mean() - alone[1].mean()).abs()) < 0.03
    together = transfer(color.Uniform(), frames, reference)
    assert float(together[1].mean() - together[0].mean()) > 0.1, "dark stays darker"
    by_first = transfer(color.TargetFrame(target_index=0), frames, reference)
    assert torch.allclose(by_first[0], alone[0], atol=1e-6)
    beyond = transfer(color.TargetFrame(target_index=99), frames, reference)
    assert torch.allclose(beyond[1], alone[1], atol=1e-6)


def test_alpha_is_left_alone():
    target = noise(1, 8, 8, 4)
    made = transferred(target, noise(1, 8, 8, 3, seed=1), target, "mkl_lab", 0.5)
    assert torch.equal(made[..., 3], target[..., 3])


def test_levels_are_counted():
    picture = torch.tensor([[[0.0, 0.5, 1.0], [0.0, 0.5, 0.25]]])
    found = histogram(picture)
    assert (found["red"][0], found["green"][127], found["blue"][255], found["blue"][63]) == (2, 2, 1, 1)  # fmt: skip  # noqa: E501
    assert found["rgb"][0] == 0, "two thirds of one"
    assert sum(found["luminance"]) == 2
    assert found["luminance"][int((0.5 * 0.7152 + 0.0722) * 255)] == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [("#FF8000", (0xFF8000, "#FF8000", 1.0)), ("#00000080", (0, "#000000", 128 / 255))],
)
def test_a_colour_is_a_number(text: str, expected: tuple[int, str, float]):
    assert tuple(color.pick_color(color=text)) == expected


@pytest.mark.parametrize("text", ["red", "#12345", "", "#GG0000", None])
def test_what_is_no_colour_is_told(text: Any):
    with pytest.raises(ValueError, match="write it as #RRGGBB"):
        color.pick_color(color=text)


async def test_colours_through_the_engine(bench: Bench):
    prompt: dict[str, Any] = {
        "1": n("ColorToRGBInt", color="#204060"),
        "2": n("EmptyImage", width=16, height=8, batch_size=1, color=["1", 0]),
        "3": n(
            "ImageCropV2", image=["2", 0], crop_region={"x": 4, "y": 2, "width": 6, "height": 3}
        ),
        "4": n("ImageRGBToYUV", image=["3", 0]),
        "5": n("ImageYUVToRGB", Y=["4", 0], U=["4", 1], V=["4", 2]),
        "6": n("SaveImage", images=["5", 0], filename_prefix="color"),
        "7": n("ImageHistogram", image=["5", 0]),
        "8": n("CurveEditor", curve=[[0, 0], [1, 1]], histogram=["7", 0]),
        "9": n("PreviewAny", source=["8", 0]),
    }
    prompt["8"]["inputs"]["curve"] = {"__value__": [[0, 0], [1, 1]]}
    (entry,) = await bench.run(prompt)
    assert entry.outcome.status == "success", entry.outcome
    picture = bench.image("color")
    assert picture.shape == (3, 6, 3)
    assert picture[1, 1].tolist() == pytest.approx([0x20 / 255, 0x40 / 255, 0x60 / 255], abs=0.006)
