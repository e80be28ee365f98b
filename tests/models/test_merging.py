"""Models mixed weight by weight."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes.models.files.tensor_files import read_header
from nodes.models.networks.lora import read_lora, with_lora
from nodes.models.networks.merging import merged, merged_by_blocks, merged_by_names
from tests.models.conftest import Loaded, handles, make_tiny_folder, read_tensors, write_tensors

LORA = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
PLACE = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Loaded, Loaded]:
    """Two models of one build, nothing loaded."""
    folder = tmp_path_factory.mktemp("merge")
    first, second = (handles(make_tiny_folder(folder / str(seed), seed)) for seed in (1, 2))
    return first, second


def mixture(one: Any, two: Any, ratio: float) -> Any:
    """Something between two networks."""
    return merged(one, two, ratio, 1 - ratio)


def weights(handle: Any) -> dict[str, Tensor]:
    """The weights of a network with the patches of its handle."""
    network = handle.load("cpu")
    handle.bind(network)
    found = {name: weight.detach().clone() for name, weight in network.module.named_parameters()}
    network.apply_patches(())
    return found


def test_two_denoisers_are_mixed(pair: tuple[Loaded, Loaded]):
    one, two = (loaded.model for loaded in pair)
    first, second = weights(one), weights(two)
    mixed = weights(mixture(one, two, 0.25))
    assert all(
        torch.allclose(mixed[name], first[name] * 0.25 + second[name] * 0.75, atol=1e-6)
        for name in first
    )
    same = weights(mixture(one, two, 1.0))
    assert all(torch.equal(same[name], first[name]) for name in first)


def test_each_part_is_mixed_in_its_own_way(pair: tuple[Loaded, Loaded]):
    one, two = (loaded.model for loaded in pair)
    first, second = weights(one), weights(two)
    mixed = weights(merged_by_blocks(one, two, down=1.0, middle=0.5, up=0.0))
    for name in first:
        kept = 0.5 if name.startswith("mid_block") else 1.0
        kept = 0.0 if name.startswith(("up_blocks", "conv_out", "conv_norm_out")) else kept
        expected = first[name] * kept + second[name] * (1 - kept)
        assert torch.allclose(mixed[name], expected, atol=1e-6), name


def test_blocks_are_mixed_by_the_beginnings_of_their_original_names(pair: tuple[Loaded, Loaded]):
    one, two = (loaded.model for loaded in pair)
    first, second = weights(one), weights(two)
    kept = {"time_embed.": 0.25, "input_blocks.1.": 0.0, "input_blocks.1.0.": 0.5, "out.": 1.0}
    mixed = weights(merged_by_names(one, two, kept))
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
    style = merged(styled, one, 2.0, -2.0)
    moved = weights(merged(two, style, 1.0, 1.0))
    second = weights(two)
    delta = tensors[f"{LORA}.lora_up.weight"] @ tensors[f"{LORA}.lora_down.weight"]
    assert torch.allclose(moved[PLACE] - second[PLACE], delta, atol=1e-4)
    others = [name for name in second if name != PLACE]
    assert all(torch.allclose(moved[name], second[name], atol=1e-5) for name in others)


def test_text_encoders_are_mixed(pair: tuple[Loaded, Loaded]):
    one, two = (loaded.clip for loaded in pair)
    mixed = mixture(one.at_layer(-2), two, 0.5)
    assert mixed.layer == -2
    first, second, found = weights(one), weights(two), weights(mixed)
    assert all(
        torch.allclose(found[name], (first[name] + second[name]) / 2, atol=1e-3) for name in first
    )
    doubled = weights(merged(one, one, 1.0, 1.0))
    assert all(torch.allclose(doubled[name], 2 * first[name], atol=1e-3) for name in first)
    nothing = weights(merged(one, one, 3.0, -3.0))
    assert all(float(weight.abs().max()) < 1e-2 for weight in nothing.values())


def test_each_mixture_is_a_model_of_its_own(pair: tuple[Loaded, Loaded]):
    one, two = (loaded.model for loaded in pair)
    made = [
        mixture(one, two, 0.5),
        mixture(one, two, 0.4),
        mixture(one, one, 0.5),
        merged_by_blocks(one, two, down=0.5, middle=0.5, up=0.4),
        one,
    ]
    assert len({model.key for model in made}) == 5
    assert len({model.base for model in made}) == 1, "all are patches on the same weights"


def test_models_of_another_build_do_not_mix(pair: tuple[Loaded, Loaded]):
    one, two = pair
    with pytest.raises(ValueError, match="have no weight in common"):
        mixture(one.model, two.clip, 0.5)
    source = two.model.source
    shapes = dict.fromkeys(source.header.shapes, (3,))
    other = replace(two.model, source=replace(source, header=replace(source.header, shapes=shapes)))
    with pytest.raises(ValueError, match="only models of one build can be merged"):
        mixture(one.model, other, 0.5)


def test_weights_of_other_shapes_stay_as_they_are_and_are_told(
    pair: tuple[Loaded, Loaded], tmp_path: Path
):
    """As the first convolution of a model that paints into holes, which has more channels."""
    one = pair[0].model
    folder = make_tiny_folder(tmp_path / "other", 3)
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = read_tensors(path)
    tensors["conv_in.weight"] = torch.randn(32, 9, 3, 3)
    write_tensors(path, tensors)
    told: list[str] = []
    mixed = merged(one, handles(folder).model, 0.0, 1.0, warn=told.append)
    assert told == [
        "1 weights have other shapes in diffusion_pytorch_model.safetensors and stay as they are "
        "in diffusion_pytorch_model.safetensors (conv_in.weight, ...)"
    ]
    found, first = weights(mixed), weights(one)
    assert torch.equal(found["conv_in.weight"], first["conv_in.weight"])
    assert torch.allclose(found[PLACE], tensors[PLACE])
