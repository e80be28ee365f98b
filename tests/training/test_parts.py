"""The parts of the training, on random weights and drawn pictures."""

# torch annotates its methods only in part:
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import CLIPTokenizer

from training import autoencoder, data, denoiser, loop, rehearsal, scenes, score, sheet, text
from training.data import SIDE, Emoji, on_white


def squares(count: int) -> Tensor:
    """Premultiplied uint8 pictures [N, 4, 128, 128]: a red square on nothing."""
    pictures = torch.zeros(count, 4, SIDE, SIDE, dtype=torch.uint8)
    pictures[:, 0, 40:80, 40:80] = 255
    pictures[:, 3, 40:80, 40:80] = 255
    return pictures


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


def emoji(*labels: str) -> list[Emoji]:
    """Things that look all alike: a red square."""
    square = squares(1)[0].permute(1, 2, 0).numpy()
    return [Emoji(label, ("pet", f"tag of {label}"), square) for label in labels]


def test_captions_name_their_picture_and_leave_face_out_only_where_it_is_clear():
    known = emoji("cat face", "dog face", "dog")
    about = text.speech(known, emoji("shiny lamp", "old dog", "pet"))
    assert about.fillers == ("lamp", "old", "shiny")
    draw = random.Random(0)
    cats = [text.caption(known[0], about, draw) for _ in range(300)]
    assert {"cat", "cat face", "tag of cat face"} <= set(cats)
    assert all("cat" in caption for caption in cats)
    dogs = [text.caption(known[1], about, draw) for _ in range(300)]
    assert all("dog face" in caption for caption in dogs)


def test_pictures_are_put_together_as_their_captions_say():
    known = emoji("red square")
    made = scenes.Scenes(known, text.speech(known, []), [1.0])
    for mix in (scenes.Mix(), scenes.Mix(ground=1), scenes.Mix(placed=1), scenes.Mix(pair=1)):
        pictures, said = made.batch(24, mix)
        assert pictures.shape == (24, 3, SIDE, SIDE)
        assert float(pictures.min()) >= -1 - 1e-5
        assert float(pictures.max()) <= 1 + 1e-5
        for picture, words in zip(pictures, said, strict=True):
            shown = (picture / 2 + 0.5).permute(1, 2, 0).numpy()
            grounds = [colour for colour in scenes.COLOURS if words.endswith(colour)]
            grounds += [colour for colour in scenes.COLOURS if f"{colour} background" in words]
            assert sheet.background(shown) == (grounds[0] if grounds else "white"), words
            red = np.argwhere((shown[..., 0] > 0.9) & (shown[..., 1] < 0.1))
            if mix.placed:
                across, down = next(p for w, p in scenes.PLACES.items() if w in words)
                middle = red.mean(0) - SIDE / 2
                assert middle[1] * across > 15 or middle[0] * down > 15, words
            if mix.pair:
                assert words == "red square and red square"
                assert (red[:, 1] < SIDE / 2).sum() == (red[:, 1] >= SIDE / 2).sum() > 100
    (index, said) = made.plain(3)
    assert index == [0, 0, 0]
    assert len(said) == 3


def test_one_in_ten_pairs_of_a_name_and_a_colour_is_never_trained():
    names = [f"thing {number}" for number in range(200)]
    kept = [not scenes.trained(name, colour) for name in names for colour in scenes.COLOURS]
    assert 0.07 < np.mean(kept) < 0.13


def test_a_perfect_model_is_walked_to_its_picture_by_any_guidance():
    picture = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0))

    class Knowing(denoiser.TextToLatent):
        def __init__(self) -> None:
            nn.Module.__init__(self)

        def words(self, prompts: Sequence[str]) -> Tensor:
            return torch.zeros(len(prompts), 1, 1)

        def forward(self, noised: Tensor, timestep: Tensor, words: Tensor) -> Tensor:
            kept = denoiser.kept_signal(noised.device)[timestep][:, None, None, None]
            return (kept.sqrt() * noised - picture) / (1 - kept).sqrt()

    start = denoiser.noise_like(picture, torch.randn_like(picture))
    for cfg in (1.0, 8.0):
        *states, (end, _) = denoiser.walk(Knowing(), start, ["a", "b"], cfg, [999, 500, 100, 0])
        assert len(states) == 4
        torch.testing.assert_close(end, picture, atol=1e-3, rtol=1e-3)
    about = rehearsal.Rehearsal()
    about.visit(Knowing(), ["a", "b"], picture)
    assert {state.said for state in about.states} == {"a", "b"}
    assert all(int(state.timestep) > 0 for state in list(about.states)[:2])


def test_guesses_of_the_model_fit_its_loss_and_its_states():
    timesteps = denoiser.draw_timesteps(4000, torch.device("cpu"))
    assert int(timesteps.min()) >= 0
    assert int(timesteps.max()) < denoiser.STEPS
    sigma = denoiser.levels(torch.device("cpu"))[timesteps]
    assert 1 < float(sigma.median()) < 3
    assert 14.5 < float(denoiser.levels(torch.device("cpu"))[-1]) < 14.7


def test_training_goes_on_from_its_checkpoint(tmp_path: Path):
    def run(steps: int) -> dict[str, Any]:
        torch.manual_seed(0)
        model = nn.Linear(2, 1)

        def loss(done: float) -> Tensor:
            assert 0 <= done < 1
            return (model(torch.ones(4, 2)) - 3).square().mean()

        def report(weights: dict[str, Tensor], done: float) -> str:
            return f"{len(weights)} {done}"

        plan = loop.Plan(steps, 1e-2, warm_up=2, decay=0.9)
        loop.train(model, loss, plan, tmp_path / "model.pt", report)
        stored: dict[str, Any] = torch.load(tmp_path / "model.pt", weights_only=True)
        for name, value in model.state_dict().items():
            torch.testing.assert_close(value, stored["average"][name])
        return stored

    first, second = run(5), run(9)
    assert (first["step"], second["step"]) == (5, 9)
    assert second["spent"] > first["spent"]


def test_the_rate_rises_stays_and_falls_to_nothing():
    plan = loop.Plan(100, 2.0, warm_up=10, flat=0.3)
    rates = [plan.rate_at(step, plan.done(step, 0)) for step in range(101)]
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:31] == [2.0] * 21
    assert rates[30:] == sorted(rates[30:], reverse=True)
    assert rates[-1] < 1e-3
    assert loop.Plan(100, 2.0, minutes=2).done(1, 60) == 0.5, "time ends it as well"


def test_lab_of_known_colours():
    colours = np.array([[[1.0, 1, 1], [0, 0, 0], [1, 0, 0]]])
    known = [[1, 0, 0], [0, 0, 0], [0.5324, 0.8009, 0.6720]]  # sRGB red is (53.24, 80.09, 67.20)
    np.testing.assert_allclose(score.lab(colours)[0], known, atol=1e-3)


def test_nothing_drawn_is_white():
    assert on_white(np.zeros((2, 2, 4), np.uint8)).tolist() == np.ones((2, 2, 3)).tolist()


def test_an_archive_that_is_not_the_pinned_one_is_refused(tmp_path: Path):
    path = tmp_path / data.NAME_PACKAGE.archive
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match="sha256 is not the pinned one"):
        data.fetch(data.NAME_PACKAGE, tmp_path)
    assert not path.exists()
    unknown = data.Package("@soundstage/not a package", "none.tgz", "")
    with pytest.raises(ValueError, match=r"npm cannot fetch .* or put none\.tgz into"):
        data.fetch(unknown, tmp_path)
