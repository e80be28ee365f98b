"""The parts of the training, on random weights and drawn pictures."""

# torch annotates its methods only in part:
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from transformers import CLIPTokenizer

from training import autoencoder, loop, score, text
from training.data import SIDE, on_white


def squares(count: int) -> Tensor:
    """Premultiplied uint8 pictures [N, 4, 128, 128]: a red square on nothing."""
    pictures = torch.zeros(count, 4, SIDE, SIDE, dtype=torch.uint8)
    pictures[:, 0, 40:80, 40:80] = 255
    pictures[:, 3, 40:80, 40:80] = 255
    return pictures


def test_normalisation_folded_into_the_autoencoder_changes_no_picture():
    torch.manual_seed(0)
    plain = autoencoder.new_autoencoder().eval()
    folded = autoencoder.new_autoencoder().eval()
    folded.load_state_dict(plain.state_dict())
    pictures = torch.rand(3, 3, 64, 64) * 2 - 1
    latents, mean, deviation = autoencoder.latent_statistics(plain, pictures)
    autoencoder.fold_statistics(folded, mean, deviation)
    normal, _, _ = autoencoder.latent_statistics(folded, pictures)
    torch.testing.assert_close(normal, (latents - mean) / deviation, atol=1e-4, rtol=1e-4)
    with torch.no_grad():
        torch.testing.assert_close(
            autoencoder.reconstruct(folded, pictures)[0],
            autoencoder.reconstruct(plain, pictures)[0],
            atol=1e-4,
            rtol=1e-4,
        )


def test_three_crops_in_ten_keep_the_pose_and_the_colours():
    views = autoencoder.crops(squares(400), SIDE, torch.Generator().manual_seed(0))
    assert views.shape == (400, 3, SIDE, SIDE)
    assert float(views.min()) >= -1
    assert float(views.max()) <= 1
    inside = views[:, :, 42:78, 42:78]
    red = torch.tensor([1.0, -1, -1])[:, None, None]
    kept = ((inside - red).abs() < 1e-3).all(dim=3).all(dim=2).all(dim=1)
    assert 100 <= int(kept.sum()) <= 250


def test_a_crop_is_a_part_of_the_whole():
    views = autoencoder.crops(squares(200), 32, torch.Generator().manual_seed(0))
    assert views.shape == (200, 3, 32, 32)
    flat = views.std((2, 3)).amax(1) < 1e-3
    assert 0 < int(flat.sum()) < 200  # some see only the ground or only the square


def test_similarity_is_one_for_equal_pictures_and_less_for_others():
    picture = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert float(autoencoder.similarity(picture, picture)) == 1
    assert float(autoencoder.similarity(picture, -picture)) < 0


def test_any_text_is_encoded_and_comes_back(tmp_path: Path):
    text.save_tokenizer(["red apple", "green apple", "rocket"] * 5, tmp_path)
    tokenizer: Any = cast(Any, CLIPTokenizer).from_pretrained(tmp_path)
    for said in ("red apple", "a quizzical zebra", "naïve 🚀"):
        ids: list[int] = tokenizer(said).input_ids
        assert ids[0] == tokenizer.bos_token_id
        assert ids[-1] == tokenizer.eos_token_id == tokenizer.pad_token_id
        assert tokenizer.decode(ids, skip_special_tokens=True).strip() == said
    assert len(tokenizer("red apple").input_ids) == 4


def test_captions_name_their_picture_and_leave_face_out_only_where_it_is_clear():
    labels = ["cat face", "dog face", "dog"]
    cats = text.captions("cat face", labels, ["shiny", "very", "old", "wooden"], 64)
    assert len(cats) == 64
    assert cats == text.captions("cat face", labels, ["shiny", "very", "old", "wooden"], 64)
    assert {"cat", "cat face"} <= set(cats)
    assert all("cat" in caption for caption in cats)
    dogs = text.captions("dog face", labels, ["shiny", "very", "old", "wooden"], 64)
    assert all("dog face" in caption for caption in dogs)


def test_training_goes_on_from_its_checkpoint(tmp_path: Path):
    def run(minutes: float) -> dict[str, Any]:
        torch.manual_seed(0)
        model = nn.Linear(2, 1)

        def loss(done: float) -> Tensor:
            assert 0 <= done < 1
            return (model(torch.ones(4, 2)) - 3).square().mean()

        def report(weights: dict[str, Tensor]) -> str:
            return str(len(weights))

        loop.train(
            model,
            loss,
            minutes=minutes,
            rate=1e-2,
            decay=0.9,
            warm_up=2,
            checkpoint=tmp_path / "model.pt",
            report=report,
        )
        return torch.load(tmp_path / "model.pt", weights_only=True)

    first = run(0.001)
    second = run(first["spent"] / 60 + 0.001)
    assert second["step"] > first["step"] > 0
    assert second["spent"] > first["spent"]


def test_lab_of_known_colours():
    colours = np.array([[[1.0, 1, 1], [0, 0, 0], [1, 0, 0]]])
    known = [[1, 0, 0], [0, 0, 0], [0.5324, 0.8009, 0.6720]]  # sRGB red is (53.24, 80.09, 67.20)
    np.testing.assert_allclose(score.lab(colours)[0], known, atol=1e-3)


def test_nothing_drawn_is_white():
    assert on_white(np.zeros((2, 2, 4), np.uint8)).tolist() == np.ones((2, 2, 3)).tolist()
