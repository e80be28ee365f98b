"""Text encoders with a vision tower give the numbers of transformers' models, with pictures too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes.models.text.seeing import PICTURE, placed
from tests.models.conftest import write_tensors
from tests.models.test_language_models import kinds, loaded, randomised

TEXT: dict[str, Any] = {
    "vocab_size": PICTURE + 1,
    "hidden_size": 128,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 1,
    "num_key_value_heads": 1,
}
SIZE = (60, 90)
"""Height and width of a picture: no multiple of a patch."""


def qwen2_5() -> Any:
    config, model = kinds("Qwen2_5_VLConfig", "Qwen2_5_VLModel")

    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]}
    tower = {
        "depth": 4, "hidden_size": 160, "intermediate_size": 96, "num_heads": 2,
        "out_hidden_size": 128, "fullatt_block_indexes": [0, 1, 2, 3],
    }  # fmt: skip
    text = {**TEXT, "rope_parameters": rope, "rms_norm_eps": 1e-6}
    return model(config(text_config=text, vision_config=tower))


def qwen3() -> Any:
    config, model = kinds("Qwen3VLConfig", "Qwen3VLModel")

    rope = {
        "rope_type": "default", "rope_theta": 5e6, "mrope_section": [24, 20, 20],
        "mrope_interleaved": True,
    }  # fmt: skip
    tower = {
        "depth": 4, "hidden_size": 128, "intermediate_size": 96, "num_heads": 2,
        "out_hidden_size": 128, "deepstack_visual_indexes": [1], "num_position_embeddings": 64,
    }  # fmt: skip
    text = {**TEXT, "rope_parameters": rope, "head_dim": 128}
    return model(config(text_config=text, vision_config=tower))


def prepared(picture: Tensor, patch: int) -> dict[str, Tensor]:
    """A picture as transformers' own processor prepares it, of eight bits."""
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    kind: Any = Qwen2VLImageProcessorPil
    settings: dict[str, Any] = {"patch_size": patch}
    if patch != 14:
        settings |= {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    found: dict[str, Tensor] = kind(**settings)(
        images=[(picture[0] * 255).round().to(torch.uint8).numpy()],
        return_tensors="pt",
        do_resize=False,
    )
    return found


NAMES = {
    "qwen2.5": (qwen2_5, {"language_model.": "model."}, 14, "Qwen2.5-VL of width 128"),
    "qwen3": (qwen3, {"": "model."}, 16, "Qwen3-VL of width 128"),
}


def file_of(reference: Any, names: dict[str, str], path: Path) -> Path:
    ours, theirs = next(iter(names.items()))
    return write_tensors(
        path,
        {
            theirs + name.removeprefix(ours) if name.startswith(ours) else name: weight.clone()
            for name, weight in reference.state_dict().items()
        },
    )


@pytest.mark.parametrize("kind", NAMES)
def test_words_and_pictures_give_the_numbers_of_transformers(kind: str, tmp_path: Path) -> None:
    make, names, patch, title = NAMES[kind]
    reference = randomised(make())
    ours = loaded(file_of(reference, names, tmp_path / "seeing.safetensors"))
    assert ours.layout.title == title
    words = [[5, 9, 260, 31, 7, 1]]
    with torch.no_grad():
        plain = reference(input_ids=torch.tensor(words)).last_hidden_state
    torch.testing.assert_close(ours.states(words)[0], plain)

    side = 4 * patch
    picture = torch.rand((1, 3, side, side + patch * 2), generator=torch.Generator().manual_seed(1))
    picture = (picture * 255).round() / 255
    tokens = placed([5, PICTURE, 9, 31], ours.seen([picture]))
    assert tokens.count(PICTURE) == 6
    ids = torch.tensor([tokens])
    given = prepared(picture, patch)
    with torch.no_grad():
        wanted = reference(
            input_ids=ids,
            pixel_values=given["pixel_values"],
            image_grid_thw=given["image_grid_thw"],
            mm_token_type_ids=(ids == PICTURE).int(),
        ).last_hidden_state
    found = ours.states([tokens], pictures=[picture])[0]
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def test_a_picture_of_any_size_is_brought_to_whole_tokens(tmp_path: Path) -> None:
    reference = randomised(qwen2_5())
    ours = loaded(file_of(reference, NAMES["qwen2.5"][1], tmp_path / "seeing.safetensors"))
    picture = torch.rand((1, 3, *SIZE))
    (seen,) = ours.seen([picture])
    assert (seen.down, seen.along, seen.tokens) == (4, 6, 6)
    found = ours.states([placed([5, PICTURE, 9], [seen])], pictures=[picture])[0]
    assert found.shape == (1, 8, 128)
    assert bool(found.isfinite().all())


def test_a_seeing_model_without_its_tower_still_reads(tmp_path: Path) -> None:
    reference = randomised(qwen2_5())
    tensors = {
        name.replace("language_model.", "model."): weight.clone()
        for name, weight in reference.state_dict().items()
        if not name.startswith("visual.")
    }
    ours = loaded(write_tensors(tmp_path / "blind.safetensors", tensors))
    with torch.no_grad():
        wanted = reference(input_ids=torch.tensor([[5, 9, 260]])).last_hidden_state
    torch.testing.assert_close(ours.states([[5, 9, 260]])[0], wanted)
    assert not ours.layout.sees
