"""Models mixed weight by weight."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes import merging
from nodes.models.files.tensor_files import ModelFileError, read_header
from nodes.models.networks.lora import read_lora, with_lora
from tests.models.conftest import Loaded, handles, make_tiny_folder, write_tensors

LORA = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
PLACE = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Loaded, Loaded]:
    """Two models of one build, nothing loaded."""
    folder = tmp_path_factory.mktemp("merge")
    first, second = (handles(make_tiny_folder(folder / str(seed), seed)) for seed in (1, 2))
    return first, second


def weights(handle: Any) -> dict[str, Tensor]:
    """The weights of a network as it is worn."""
    network = handle.load("cpu")
    handle.bind(network)
    found = {name: weight.detach().clone() for name, weight in network.module.named_parameters()}
    network.wear(())
    return found


def test_two_denoisers_are_mixed(pair: tuple[Loaded, Loaded]):
    one, two = (loaded.model for loaded in pair)
    first, second = weights(one), weights(two)
    mixed = weights(merging.mix_models(model1=one, model2=two, ratio=0.25))
    assert all(
        torch.allclose(mixed[name], first[name] * 0.25 + second[name] * 0.75, atol=1e-6)
        for name in first
    )
    same = weights(merging.mix_models(model1=one, model2=two, ratio=1.0))
    assert all(torch.equal(same[name], first[name]) for name in first)


def test_each_part_is_mixed_in_its_own_way(pair: tuple[Loaded, Loaded]):
    one, two = (loaded.model for loaded in pair)
    first, second = weights(one), weights(two)
    mixed = weights(merging.mix_blocks(model1=one, model2=two, input=1.0, middle=0.5, out=0.0))
    for name in first:
        kept = 0.5 if name.startswith("mid_block") else 1.0
        kept = 0.0 if name.startswith(("up_blocks", "conv_out", "conv_norm_out")) else kept
        expected = first[name] * kept + second[name] * (1 - kept)
        assert torch.allclose(mixed[name], expected, atol=1e-6), name


def test_blocks_are_mixed_by_the_beginnings_of_their_original_names(pair: tuple[Loaded, Loaded]):
    one, two = (loaded.model for loaded in pair)
    first, second = weights(one), weights(two)
    kept = {"time_embed.": 0.25, "input_blocks.1.": 0.0, "input_blocks.1.0.": 0.5, "out.": 1.0}
    mixed = weights(merging.blend_sd1(model1=one, model2=two, **kept))
    places = {
        "time_embedding.": 0.25,
        "down_blocks.0.attentions.0.": 0.0,
        "down_blocks.0.resnets.0.": 0.5,
        "conv_norm_out.": 1.0,
        "conv_out.": 1.0,
    }
    for name in first:
        share = next((share for begin, share in places.items() if name.startswith(begin)), 0.25)
        expected = first[name] * share + second[name] * (1 - share)
        assert torch.allclose(mixed[name], expected, atol=1e-6), name


def test_a_difference_can_be_put_onto_another_model(pair: tuple[Loaded, Loaded], tmp_path: Path):
    one, two = (loaded.model for loaded in pair)
    tensors = {
        f"{LORA}.lora_up.weight": torch.randn(32, 4),
        f"{LORA}.lora_down.weight": torch.randn(4, 32),
    }
    header = read_header(write_tensors(tmp_path / "style.safetensors", tensors))
    styled = with_lora(one, read_lora(header, 0.5))
    style = merging.subtract_models(model1=styled, model2=one, multiplier=2.0)
    moved = weights(merging.add_models(model1=two, model2=style))
    second = weights(two)
    delta = tensors[f"{LORA}.lora_up.weight"] @ tensors[f"{LORA}.lora_down.weight"]
    assert torch.allclose(moved[PLACE] - second[PLACE], delta, atol=1e-4)
    others = [name for name in second if name != PLACE]
    assert all(torch.allclose(moved[name], second[name], atol=1e-5) for name in others)


def test_text_encoders_are_mixed(pair: tuple[Loaded, Loaded]):
    one, two = (loaded.clip for loaded in pair)
    mixed = merging.mix_clips(clip1=one.at_layer(-2), clip2=two, ratio=0.5)
    assert mixed.layer == -2
    first, second, found = weights(one), weights(two), weights(mixed)
    assert all(
        torch.allclose(found[name], (first[name] + second[name]) / 2, atol=1e-3) for name in first
    )
    doubled = weights(merging.add_clips(clip1=one, clip2=one))
    assert all(torch.allclose(doubled[name], 2 * first[name], atol=1e-3) for name in first)
    nothing = weights(merging.subtract_clips(clip1=one, clip2=one, multiplier=3.0))
    assert all(float(weight.abs().max()) < 1e-2 for weight in nothing.values())


def test_each_mixture_is_a_model_of_its_own(pair: tuple[Loaded, Loaded]):
    one, two = (loaded.model for loaded in pair)
    made = [
        merging.mix_models(model1=one, model2=two, ratio=0.5),
        merging.mix_models(model1=one, model2=two, ratio=0.4),
        merging.mix_models(model1=one, model2=one, ratio=0.5),
        merging.mix_blocks(model1=one, model2=two, input=0.5, middle=0.5, out=0.4),
        one,
    ]
    assert len({model.key for model in made}) == 5
    assert len({model.base for model in made}) == 1, "all wear patches on the same weights"


def test_models_of_another_build_do_not_mix(pair: tuple[Loaded, Loaded], tmp_path: Path):
    one, two = pair
    with pytest.raises(ValueError, match="have no weight in common"):
        merging.mix_models(model1=one.model, model2=two.clip, ratio=0.5)  # pyright: ignore[reportArgumentType] - that is the point
    folder = make_tiny_folder(tmp_path / "other", 3)
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    header = read_header(path)
    wrong = {name: torch.zeros(3) for name in header.shapes}
    write_tensors(path, wrong)
    other = handles(folder).model
    with pytest.raises(ModelFileError, match="only models of one build can be merged"):
        weights(merging.mix_models(model1=one.model, model2=other, ratio=0.5))
