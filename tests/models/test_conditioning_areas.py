"""Texts for parts of the picture and of the sampling, mixed texts, embeddings, previews."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from nodes import conditioning, custom_sampling
from nodes.models.conditioning.areas import Area, Cond, conds, regions
from nodes.models.files.tensor_files import ModelFileError
from nodes.models.latents.formats import SD
from nodes.models.latents.inpainting import blanked, fitted, grown
from nodes.models.latents.previews import preview, read_rgb_factors, rough_rgb
from nodes.models.networks.tiles import finished, tiled
from nodes.models.sampling import guiders
from nodes.models.sampling.evaluation import StepRequest, evaluate
from nodes.models.sampling.guiders import Guider
from nodes.models.sampling.noise import initial_noise
from nodes.models.sampling.sigma_space import sigma_space
from nodes.models.text.embeddings import read_embedding
from nodes.models.text.prompt_weights import Vector, chunks
from nodes.models.vae.autoencoder import Vae
from tests.conftest import CHECKOUT
from tests.models.bench import numbers
from tests.models.conftest import Loaded, ready, write_tensors

TEXT = torch.zeros(1, 24, 32)
SHAPE = (2, 4, 16, 24)


def weight(**options: Any) -> tuple[Area, Tensor]:
    place = Cond(TEXT, options).weighted_area(SHAPE)
    return place.area, place.weight


def test_an_area_fades_towards_its_inner_borders():
    area, found = weight(area=(16, 12, 0, 12), strength=2.0)
    assert area == Area((16, 12), (0, 12))
    ramp = torch.tensor([1 / 3, 2 / 3, *[1] * 10]) * 2  # a quarter of 12
    assert torch.allclose(found, ramp.expand(16, 12))
    narrow = weight(area=(16, 3, 0, 12))[1]
    assert torch.equal(narrow, torch.ones(16, 3)), "a quarter of three is none"
    assert weight(area=(100, 100, 4, 30))[0] == Area((12, 1), (4, 23)), "cut off at the edge"


def test_an_area_may_be_a_part_of_the_sides():
    assert weight(area=("percentage", 0.5, 0.25, 0.5, 0.75))[0] == Area((8, 6), (8, 18))
    assert weight(area=("percentage", 0.0, 0.0, 0.0, 0.0))[0] == Area((1, 1), (0, 0))


def test_a_mask_says_how_much_and_its_bounds_where():
    mask = torch.zeros(1, 128, 192)
    mask[:, 32:96, 64:176] = 0.5
    area, found = weight(mask=mask, mask_strength=0.5)
    assert area == Area((16, 24), (0, 0))
    assert float(found[0, 0, 8, 12]) == pytest.approx(0.25)
    assert float(found[0, 0, 0, 0]) == 0
    assert found.shape == (2, 1, 16, 24), "as many as there are latents"
    bounds, cut = weight(mask=mask, set_area_to_bounds=True)
    assert bounds == Area((8, 14), (4, 8))
    assert cut.shape == (2, 1, 8, 14)
    assert weight(mask=mask * 0, set_area_to_bounds=True)[0] == Area((8, 8), (0, 0))


def asked(guider: Guider, x: Tensor, sigma: float = 2.0) -> Tensor:
    return evaluate([StepRequest(guider, x, torch.tensor(sigma))])[0]


def test_texts_share_the_picture_by_their_weights(tiny: Loaded):
    x = initial_noise(torch.zeros(1, 4, 8, 16), 3)
    cat, dog = tiny.clip.encode("cat"), tiny.clip.encode("dog")
    alone = [asked(guiders.cfg_guider(tiny.model, text), x) for text in (cat, dog)]
    both = conditioning.combine(
        conditioning_1=conditioning.set_area_strength(conditioning=cat, strength=3.0),
        conditioning_2=dog,
    )
    mixed = asked(guiders.cfg_guider(tiny.model, both), x)
    assert torch.allclose(mixed, (3 * alone[0] + alone[1]) / 4, atol=1e-5)
    left = torch.zeros(1, 64, 128)
    left[..., :64] = 1
    halves = conditioning.combine(
        conditioning_1=conditioning.set_mask(conditioning=cat, mask=left, set_cond_area="default"),
        conditioning_2=conditioning.set_mask(
            conditioning=dog, mask=1 - left, set_cond_area="default"
        ),
    )
    split = asked(guiders.cfg_guider(tiny.model, halves), x)
    assert torch.allclose(split[..., :8], alone[0][..., :8], atol=1e-5)
    assert torch.allclose(split[..., 8:], alone[1][..., 8:], atol=1e-5)


def test_an_area_is_drawn_for_itself(tiny: Loaded):
    x = initial_noise(torch.zeros(1, 4, 8, 16), 3)
    cat = tiny.clip.encode("cat")
    right = conditioning.set_area(conditioning=cat, width=64, height=64, x=64)
    found = asked(guiders.cfg_guider(tiny.model, right), x)
    expected = asked(guiders.cfg_guider(tiny.model, cat), x[..., 8:])
    assert torch.allclose(found[..., 8:], expected, atol=1e-5)
    assert torch.equal(found[..., :8], torch.zeros(1, 4, 8, 8)), "nobody says anything there"


def test_areas_are_guided_against_answers_about_the_same_area(tiny: Loaded):
    """A negative text without an area is asked about the positive's, and the other way round."""
    x = initial_noise(torch.zeros(1, 4, 8, 16), 3)
    cat, dog = tiny.clip.encode("cat"), tiny.clip.encode("dog")
    right = conditioning.set_area(conditioning=cat, width=64, height=64, x=64, strength=2.0)
    whole, cut = (asked(guiders.cfg_guider(tiny.model, dog), each) for each in (x, x[..., 8:]))
    ramp = torch.tensor([0.5, 1, 1, 1, 1, 1, 1, 1]) * 2
    uncond = whole.clone()
    uncond[..., 8:] = (whole[..., 8:] + ramp * cut) / (1 + ramp)
    cond = torch.zeros_like(x)
    cond[..., 8:] = asked(guiders.cfg_guider(tiny.model, cat), x[..., 8:])
    found = asked(guiders.cfg_guider(tiny.model, right, dog, 3.0), x)
    assert torch.allclose(found, uncond + 3 * (cond - uncond), atol=1e-4)
    found = asked(guiders.cfg_guider(tiny.model, dog, right, 3.0), x)
    assert torch.allclose(found, cond + 3 * (uncond - cond), atol=1e-4)
    alone = asked(guiders.cfg_guider(tiny.model, dog, right, 1.0), x)
    assert torch.allclose(alone, uncond, atol=1e-4), "at cfg 1 too"


def test_the_smallest_area_about_one_stands_against_it():
    def named(group: list[Cond]) -> list[tuple[int, Area | None]]:
        return [(int(region.cond.text[0, 0, 0]), region.named) for region in found[group is right]]

    def cond(number: int, **options: Any) -> Cond:
        return Cond(torch.full((1, 1, 1), number), options)

    left = [cond(1, area=(4, 4, 2, 2), start_percent=0.5, pooled_output=1)]
    right = [
        cond(2, strength=3.0, pooled_output=2),
        cond(3, area=(8, 8, 0, 0)),
        cond(4, area=(6, 6, 1, 1)),
        cond(5, area=(6, 6, 3, 3)),
    ]
    found = regions([left, right], SHAPE)
    area = Area((4, 4), (2, 2))
    assert named(right)[4:] == [(4, area)]
    added = found[1][4].cond.options
    assert added == {"area": (4, 4, 2, 2), "start_percent": 0.5}
    assert [number for number, _ in named(left)] == [1], "nothing of it is about theirs"
    mask = torch.zeros(1, 128, 192)
    mask[:, 32:96, 64:176] = 1
    bounded = [cond(6, mask=mask, set_area_to_bounds=True)]
    found = regions([bounded, [cond(7)]], SHAPE)
    assert found[1][1].named == Area((8, 14), (4, 8))
    assert found[1][1].weighted_area is not None
    assert len(regions([[cond(8, mask=mask)], [cond(9)]], SHAPE)[1]) == 1


def test_areas_and_masks_are_of_latents_of_any_number_of_axes():
    video = (1, 16, 6, 8, 12)
    place = Cond(TEXT, {"area": (4, 12, 4, 0)}).weighted_area(video)
    x = torch.zeros(video)
    assert place.area.of(x).shape == (1, 16, 6, 4, 12)
    assert place.weight.shape == (4, 12)
    parts = ("percentage", 0.5, 1.0, 0.25, 0.5, 0.0, 0.75)
    place = Cond(TEXT, {"area": parts}).weighted_area(video)
    assert place.area == Area((3, 8, 3), (3, 0, 9))
    assert place.weight.expand_as(place.area.of(x)).shape == (1, 16, 3, 8, 3)
    half = torch.zeros(1, 64, 96)
    half[..., 48:] = 1
    place = Cond(TEXT, {"mask": half}).weighted_area(video)
    assert place.weight.shape == (1, 1, 6, 8, 12)
    sound = Cond(TEXT, {"mask": half}).weighted_area((1, 64, 12))
    assert numbers(sound.weight[0, 0]) == [0] * 6 + [1] * 6


def test_a_text_counts_for_a_part_of_the_sampling(tiny: Loaded):
    x = initial_noise(torch.zeros(1, 4, 8, 8), 3)
    early = conditioning.set_span(conditioning=tiny.clip.encode("cat"), end=0.5)
    late = conditioning.set_span(conditioning=tiny.clip.encode("dog"), start=0.5)
    both = guiders.cfg_guider(tiny.model, [*early, *late])
    half = tiny.model.space.percent_to_sigma(0.5)
    for sigma, text in ((half * 1.1, "cat"), (half * 0.9, "dog")):
        alone = guiders.cfg_guider(tiny.model, tiny.clip.encode(text))
        assert torch.allclose(asked(both, x, sigma), asked(alone, x, sigma), atol=1e-5)


def test_parts_of_the_sampling_are_levels_of_the_reference(reference: Path):
    models = json.loads((reference / "schedules.json").read_text())["models"]
    known = next(model for model in models if model["model"] == "sd15_eps")
    for percent, sigma in known["percent_to_sigma"].items():
        assert sigma_space({}).percent_to_sigma(float(percent)) == pytest.approx(sigma, rel=5e-6)


def test_two_things_are_wanted_one_beyond_the_other(tiny: Loaded):
    x = initial_noise(torch.zeros(1, 4, 8, 8), 3)
    texts = [tiny.clip.encode(words) for words in ("cat", "dog", "")]
    one, two, none = (asked(guiders.cfg_guider(tiny.model, text), x) for text in texts)

    def dual(style: str) -> Tensor:
        guider = custom_sampling.dual_cfg_guider(
            model=tiny.model, cond1=texts[0], cond2=texts[1], negative=texts[2],
            cfg_conds=3.0, cfg_cond2_negative=2.0, style=style,
        )  # fmt: skip
        return asked(guider, x)

    lower = none + 2 * (two - none)
    assert torch.allclose(dual("regular"), lower + 3 * (one - two), atol=1e-4)
    assert torch.allclose(dual("nested"), lower + 3 * (one - lower), atol=1e-4)


def test_texts_are_joined_mixed_and_emptied():
    pooled = torch.full((1, 4), 2.0)
    first = [(torch.ones(1, 3, 4), {"pooled_output": pooled, "area": (1, 1, 0, 0)})]
    second = [(torch.full((1, 2, 4), 3.0), {"pooled_output": pooled * 2})]
    joined = conditioning.concat(conditioning_to=first, conditioning_from=second)
    assert numbers(joined[0][0][0, :, 0]) == [1, 1, 1, 3, 3]
    mixed = conditioning.average(
        conditioning_to=first, conditioning_from=second, conditioning_to_strength=0.25
    )
    assert numbers(mixed[0][0][0, :, 0]) == [2.5, 2.5, 0.25]
    assert numbers(mixed[0][1]["pooled_output"]) == [[3.5] * 4]
    assert mixed[0][1]["area"] == (1, 1, 0, 0)
    emptied = conditioning.zero_out(conditioning=first)
    assert float(emptied[0][0].abs().sum() + emptied[0][1]["pooled_output"].abs().sum()) == 0
    assert float(first[0][0].sum()) == 12, "what came in is as it was"
    assert [cond.options for cond in conds([[TEXT, {"strength": 2.0}]])] == [{"strength": 2.0}]


# --- embeddings ------------------------------------------------------------------------------


def test_an_embedding_stands_for_its_vectors():
    def vectors(name: str) -> list[Vector]:
        return [Vector(name, index) for index in range({"long": 9, "two": 2}.get(name, 0))]

    def told(token: int | Vector) -> str | int:
        return chr(token) if isinstance(token, int) else token.index

    def found(prompt: str, length: int = 16) -> list[list[Any]]:
        made = chunks(prompt, lambda text: [ord(c) for c in text if c != " "], start=0, end=1,
                      pad=2, length=length, vectors=vectors)  # fmt: skip
        kept = [[pair for pair in chunk if pair[0] not in (0, 1, 2)] for chunk in made]
        return [[(told(token), weight) for token, weight in chunk] for chunk in kept]

    assert found("a embedding:two, b") == [[("a", 1), (0, 1), (1, 1), (",", 1), ("b", 1)]]
    assert found("(embedding:two:1.5)") == [[(0, 1.5), (1, 1.5)]]
    assert found("x embedding:none y") == [[("x", 1), ("y", 1)]]
    assert found("notembedding:two")[0][0] == ("n", 1)
    torn = found("12345678 embedding:two embedding:long")
    assert [len(chunk) for chunk in torn] == [14, 5], "nine vectors may be torn"
    whole = found("1234567890123 embedding:two")
    assert [len(chunk) for chunk in whole] == [13, 2], "two may not"


def test_an_embedding_of_words_vectors_is_those_words(tiny: Loaded, tmp_path: Path):
    """The vectors of a word's own tokens encode as the word does."""
    clip = tiny.clip
    words: Any = clip.network.module["clip_l"]
    (chunk,) = clip.tokenize("cat")
    token = next(token for token, _ in chunk[1:] if isinstance(token, int))
    table: Tensor = words.embeddings.token_embedding.weight
    paths = {
        "new": write_tensors(tmp_path / "new.safetensors", {"emb_params": table[token][None]}),
        "old": tmp_path / "old.pt",
    }
    torch.save({"string_to_param": {"*": table[token][None].detach().clone()}, "name": "old"},
               paths["old"])  # fmt: skip
    expected = clip.encode("a (cat:1.3)")[0][0]
    for name in paths:
        found = clip.encode(f"a (embedding:{name}:1.3)", paths.get)[0][0]
        assert torch.allclose(found, expected, atol=1e-5), name
    assert torch.equal(clip.encode("a embedding:gone", paths.get)[0][0], clip.encode("a")[0][0])


def test_an_embedding_for_another_model_is_named(tmp_path: Path):
    path = write_tensors(tmp_path / "big.safetensors", {"clip_g": torch.zeros(2, 1280)})
    assert read_embedding(path, 1280).shape == (2, 1280)
    with pytest.raises(
        ModelFileError, match=r"vectors of 768 numbers and the file holds \(2, 1280"
    ):
        read_embedding(path, 768)


# --- pictures --------------------------------------------------------------------------------


def test_the_built_in_models_previews_look_like_its_pictures():
    """The colours shipped with the model are fitted to its own autoencoder."""
    demo = ready(CHECKOUT / "nodes" / "models" / "demo")
    colors = demo.model.latent.latent_rgb_factors
    assert colors is not None
    with Image.open(CHECKOUT / "training" / "references.webp") as file:
        sheet = torch.tensor(np.array(file.convert("RGB"))).float() / 255
    cells = torch.stack([sheet[:128, x : x + 128] for x in range(0, 1280, 128)])
    small = torch.nn.functional.avg_pool2d(cells.movedim(-1, 1), 8).movedim(1, -1)
    rough = rough_rgb(demo.model.latent.process_in(demo.vae.encode(cells)), colors)
    assert float((rough - small).square().mean() / small.var()) < 0.25


def test_a_preview_is_a_small_jpeg():
    for shape, size in (((2, 4, 16, 8), (64, 128)), ((1, 4, 200, 100), (256, 512))):
        with Image.open(
            io.BytesIO(preview(torch.randn(shape), SD.latent_rgb_factors or ()))
        ) as file:
            assert (file.format, file.size) == ("JPEG", size)


def test_a_model_folder_may_say_what_its_latents_look_like(tmp_path: Path):
    (tmp_path / "latent_rgb.json").write_text("[[1, 0, 0], [0, 0.5, 0.5]]")
    colors = read_rgb_factors(tmp_path, 1)
    assert colors == ((1, 0, 0), (0, 0.5, 0.5))
    assert numbers(rough_rgb(torch.full((1, 1, 1, 1), 0.5), colors or ())[0, 0, 0]) == [0.5] * 3
    (tmp_path / "latent_rgb.json").write_text("nonsense")
    assert read_rgb_factors(tmp_path, 1) is None


def test_colours_for_latents_of_other_channels_are_not_taken(tmp_path: Path):
    (tmp_path / "latent_rgb.json").write_text("[[1, 0, 0], [0, 0.5, 0.5]]")
    assert read_rgb_factors(tmp_path, 4) is None
    (tmp_path / "latent_rgb.json").write_text("[[1, 0], [0, 0.5]]")
    assert read_rgb_factors(tmp_path, 1) is None


@pytest.mark.parametrize(("tile", "overlap"), [(8, 2), (5, 3), (64, 8), (7, 0)])
def test_tiles_give_what_the_whole_gives_where_neighbours_do_not_matter(tile: int, overlap: int):
    picture = torch.rand(2, 3, 13, 22)

    def doubled(part: Tensor) -> Tensor:
        return part.repeat_interleave(2, dim=-1).repeat_interleave(2, dim=-2) * 3

    found = finished(tiled(picture, doubled, tiles=[(tile, tile + 1)], overlap=overlap))
    assert torch.allclose(found, doubled(picture), atol=1e-5)


def test_an_autoencoder_works_in_tiles(tiny: Loaded):
    vae: Vae = tiny.vae
    latents = torch.randn(1, 4, 16, 24)
    assert vae.decode_tiled(latents, 64, 32).shape == (1, 128, 192, 3)
    assert torch.allclose(vae.decode_tiled(latents, 512, 64), vae.decode(latents), atol=1e-6)
    pictures = torch.rand(1, 130, 200, 4)
    assert vae.encode_tiled(pictures, 64, 24).shape == (1, 4, 16, 25)
    assert torch.allclose(vae.encode_tiled(pictures, 512, 64), vae.encode(pictures), atol=1e-6)


def test_what_is_painted_anew_is_grey_and_a_little_more(tiny: Loaded):
    mask = torch.zeros(1, 10, 12)
    mask[:, 4:6, 5:7] = 1
    pictures, holes = fitted(tiny.vae, torch.ones(1, 20, 24, 3), mask)
    assert pictures.shape == (1, 16, 24, 3)
    assert holes.shape == (1, 1, 16, 24)
    assert float(blanked(pictures, holes)[0, 7, 11, 0]) == 0.5
    assert float(blanked(pictures, holes)[0, 0, 0, 0]) == 1.0
    before = grown(holes, 0)
    after = grown(holes, 3)
    spread = torch.nn.functional.max_pool2d(before, 3, stride=1, padding=1)
    assert torch.equal(after, spread)
    assert grown(holes, 6).shape == holes.shape
