"""What nodes put beside texts, and texts that were saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from nodes import conditioning
from nodes.models.conditioning.conditionings import read
from nodes.models.files.tensor_files import ModelFileError
from tests.models.conftest import write_tensors

TEXT: Any = [(torch.ones(1, 2, 3), {"pooled_output": torch.ones(1, 3)})]


def test_a_method_for_several_pictures_is_told_and_the_text_stays():
    method = conditioning.REFERENCE_METHODS[-1]
    [(text, options)] = conditioning.reference_method(
        conditioning=TEXT, reference_latents_method=method
    )
    assert text is TEXT[0][0]
    assert options["reference_latents_method"] == "index_timestep_zero"
    assert "pooled_output" in options
    assert "reference_latents_method" not in TEXT[0][1]


def test_the_second_stage_sees_what_the_first_made():
    stage_c: Any = {"samples": torch.ones(1, 16, 4, 4)}
    [(_, options)] = conditioning.stage_b(conditioning=TEXT, stage_c=stage_c)
    assert options["stable_cascade_prior"] is stage_c["samples"]


def test_pictures_are_shown_to_both_texts():
    pictures = {f"image_{n}": torch.full((1, 4, 4, 3), n / 10) for n in (1, 2)}
    made = conditioning.reference_images(positive=TEXT, negative=TEXT, images=pictures)
    for side in made:
        seen = side[0][1]["reference_latents"]
        assert [float(picture.mean()) for picture in seen] == pytest.approx([0.1, 0.2])


def test_a_saved_conditioning_is_read_with_all_that_belongs_to_it(tmp_path: Path):
    path = tmp_path / "x.safetensors"
    tensors = {
        "conditioning": torch.ones(1, 2, 3),
        "pooled_output": torch.zeros(1, 3),
        **{f"reference_latents.{n}": torch.full((1,), float(n)) for n in (0, 1, 10, 2)},
    }
    write_tensors(path, tensors, {"conditioning_options": json.dumps({"guidance": 3.5})})
    [(text, options)] = read(path)
    assert torch.equal(text, torch.ones(1, 2, 3))
    assert set(options) == {"pooled_output", "reference_latents", "guidance"}
    assert [float(latent) for latent in options["reference_latents"]] == [0, 1, 2, 10]
    assert options["guidance"] == 3.5


@pytest.mark.parametrize(
    ("name", "metadata", "told"),
    [
        ("emb_params", {}, "holds no tensor 'conditioning'"),
        ("conditioning", {"conditioning_options": "{bad"}, "its conditioning_options are no JSON"),
        ("conditioning", {"conditioning_options": "5"}, "its conditioning_options are no JSON"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, name: str, metadata: dict[str, str], told: str):
    path = tmp_path / "x.safetensors"
    write_tensors(path, {name: torch.ones(1)}, metadata)
    with pytest.raises(ModelFileError, match=told):
        read(path)
