"""Boxes on pictures, pictures that measure, a camera in words."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from nodes import camera, detection

BOX = {"x": 10, "y": 20, "width": 30, "height": 15, "label": "cat", "score": 0.987}


def test_a_box_is_a_frame_of_three_pixels():
    (made,) = detection.draw_boxes(image=torch.zeros(1, 60, 80, 3), bboxes=[{**BOX, "label": ""}])
    lit = made[0].sum(-1) > 0
    assert bool(lit[20:23, 10:41].all())
    assert bool(lit[20:36, 10:13].all())
    assert not bool(lit[:20].any() or lit[36:].any() or lit[:, :10].any() or lit[:, 41:].any())
    plain = {name: BOX[name] for name in ("x", "y", "width", "height")}
    (bare,) = detection.draw_boxes(image=torch.zeros(1, 60, 80, 3), bboxes=plain)
    assert not bool((bare[0, 23:33, 13:38] > 0).any()), "nothing inside without words"
    assert bool((made[0, 23:33, 13:38] > 0).any()), "the score is written inside"


def test_boxes_are_for_all_frames_or_for_each():
    frames = torch.zeros(3, 60, 80, 3)
    (shared,) = detection.draw_boxes(image=frames, bboxes=[BOX])
    assert [bool(frame.sum() > 0) for frame in shared] == [True] * 3
    (each,) = detection.draw_boxes(image=frames, bboxes=[[BOX], []])
    assert [bool(frame.sum() > 0) for frame in each] == [True, False, False]
    (black,) = detection.draw_boxes(bboxes=[BOX])
    assert black.shape == (1, 38, 43, 3)
    assert detection.draw_boxes(bboxes=[]).out_image.shape == (1, 640, 640, 3)


@pytest.mark.parametrize("boxes", ["text", 3, [3], [{"x": 1}], [[{"x": 1}]]])
def test_what_is_no_box_is_told(boxes: Any):
    with pytest.raises(ValueError, match=r"^bboxes: "):
        detection.draw_boxes(bboxes=boxes)


def test_depth_normals_and_albedo():
    ramp = torch.linspace(0.2, 0.6, 5).reshape(1, 1, 5, 1).expand(1, 2, 5, 3)
    near = detection.marigold(image=ramp, prediction="depth")
    assert torch.allclose(near[0, 0, :, 0], torch.linspace(1, 0, 5), atol=1e-6)
    flat = detection.marigold(image=torch.full((1, 2, 2, 3), 0.3), prediction="depth")
    assert float(flat.min()) == 1.0
    normal = detection.marigold(image=torch.rand(1, 4, 4, 3), prediction="normals")
    assert torch.allclose((normal * 2 - 1).square().sum(-1), torch.ones(1, 4, 4), atol=1e-5)
    grey = detection.marigold(image=torch.full((1, 1, 1, 3), 0.21404114), prediction="albedo")
    assert float(grey[0, 0, 0, 0]) == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize(
    ("turn", "rise", "zoom", "words"),
    [
        (0, 0, 5.0, "front view eye-level shot medium shot"),
        (22, -16, 1.9, "front view low-angle shot wide shot"),
        (90, 15, 6.0, "right side view elevated shot close-up"),
        (315, 45, 2.0, "front-left quarter view high-angle shot medium shot"),
        (350, 44, 9.0, "front view elevated shot close-up"),
    ],
)
def test_a_camera_in_words(turn: int, rise: int, zoom: float, words: str):
    made = camera.camera_angle(horizontal_angle=turn, vertical_angle=rise, zoom=zoom)
    assert made.prompt == words


def test_a_camera_in_numbers():
    made = camera.camera_angle(horizontal_angle=90, vertical_angle=0, zoom=10.0).camera_info
    assert made["position"]["x"] == pytest.approx(3.2)
    assert made["position"]["y"] == pytest.approx(0.5)
    assert made["position"]["z"] == pytest.approx(0.0, abs=1e-9)
    assert made["fov"] == 35
