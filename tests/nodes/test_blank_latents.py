"""Blank latents have the shapes that models expect; videos are cut and mended."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from nodes import empty_latents, latent_video

SHAPES: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "flux2": ({"width": 1024, "height": 512, "batch_size": 2}, (2, 128, 32, 64)),
    "hunyuan_image": ({}, (1, 64, 64, 64)),
    "chroma_radiance": ({"width": 64, "height": 32}, (1, 3, 32, 64)),
    "qwen_layered": ({"layers": 2}, (1, 16, 3, 80, 80)),
    "hidream": ({"width": 96, "height": 64}, (1, 3, 64, 96)),
    "hunyuan_video": ({}, (1, 16, 7, 60, 106)),
    "hunyuan_video_15": ({"length": 1}, (1, 32, 1, 30, 53)),
    "mochi": ({"length": 31}, (1, 12, 6, 60, 106)),
    "ltxv": ({}, (1, 128, 13, 16, 24)),
    "cosmos": ({"length": 9}, (1, 16, 2, 88, 160)),
    "stable_audio": ({"seconds": 47.6}, (1, 64, 1024)),
    "ace_step": ({"seconds": 120.0}, (1, 8, 16, 1291)),
    "ace_step_15": ({"seconds": 2.0, "batch_size": 3}, (3, 64, 50)),
    "yue2": ({"seconds": 0.04}, (1, 64, 1)),
    "minimax_music": ({"seconds": 120.0}, (1, 128, 10335)),
    "hunyuan_3d": ({"resolution": 7}, (1, 64, 7)),
    "trellis2": ({"batch_size": 2}, (2, 32, 16, 16, 16)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_blank_latents_are_zeros_of_the_shape(name: str):
    arguments, shape = SHAPES[name]
    made = getattr(empty_latents, name)(**arguments)
    assert tuple(made["samples"].shape) == shape
    assert float(made["samples"].abs().sum()) == 0
    audio = ("stable_audio", "ace_step", "ace_step_15", "yue2", "minimax_music")
    assert (made.get("type") == "audio") == (name in audio)


def test_both_stages_of_stable_cascade():
    made = empty_latents.stable_cascade(width=1024, height=512, compression=32, batch_size=2)
    assert made.stage_c["samples"].shape == (2, 16, 16, 32)
    assert made.stage_b["samples"].shape == (2, 4, 128, 256)


VIDEO = torch.arange(2 * 3 * 7 * 2 * 2, dtype=torch.float32).reshape(2, 3, 7, 2, 2)


def test_a_video_loses_its_first_frames():
    found = latent_video.trim(samples={"samples": VIDEO}, trim_amount=3)["samples"]
    assert torch.equal(found, VIDEO[:, :, 3:])


def test_slices_become_a_batch():
    def cut(dim: str, size: int, samples: torch.Tensor = VIDEO) -> torch.Tensor:
        made = latent_video.cut_to_batch(samples={"samples": samples}, dim=dim, slice_size=size)
        return made["samples"]

    assert cut("t", 3).shape == (4, 3, 3, 2, 2)
    assert torch.equal(cut("t", 3)[2:], VIDEO[:, :, 3:6])
    assert cut("x", 100).shape == VIDEO.shape
    picture = VIDEO[:, :, 0]
    assert torch.equal(cut("t", 1, picture), picture), "a picture has no time"
    assert cut("y", 1, picture).shape == (4, 3, 1, 2)


def test_frames_are_replaced_where_they_fit():
    new = torch.full((2, 3, 2, 2, 2), -1.0)

    def replaced(index: int, source: torch.Tensor | None = new) -> torch.Tensor:
        made = latent_video.replace_frames(
            destination={"samples": VIDEO},
            source=None if source is None else {"samples": source},
            index=index,
        )
        return made["samples"]

    assert [bool((replaced(-2)[:, :, t] < 0).all()) for t in range(7)] == [False] * 5 + [True] * 2
    assert [bool((replaced(1)[:, :, t] < 0).all()) for t in range(4)] == [False, True, True, False]
    for same in (replaced(6), replaced(-8), replaced(0, None), replaced(0, new[..., :1])):
        assert torch.equal(same, VIDEO)
    assert float(VIDEO.min()) == 0, "what came in is as it was"


def test_the_start_of_a_video_becomes_like_what_follows():
    video = torch.randn(1, 4, 12, 6, 6, generator=torch.Generator().manual_seed(1))
    video[:, :, :4] = video[:, :, :4] * 3 + 5
    (made,) = latent_video.normalize_start(
        latent={"samples": video}, start_frame_count=4, reference_frame_count=5
    )
    start, after = made["samples"][:, :, :4], video[:, :, 4:9]
    axes = (2, 3, 4)
    assert torch.allclose(start.mean(axes), after.mean(axes), atol=1e-4)
    assert torch.allclose(start.std(axes), after.std(axes), atol=1e-3)
    assert torch.equal(made["samples"][:, :, 4:], video[:, :, 4:])
    (short,) = latent_video.normalize_start(latent={"samples": video[:, :, :3]})
    assert torch.equal(short["samples"], video[:, :, :3]), "nothing follows"
