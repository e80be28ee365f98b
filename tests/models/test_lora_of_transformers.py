"""LoRAs of transformers: kohya's, PEFT's and the original names, of layers that are held as one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes.models.files.checkpoints import read_denoiser
from nodes.models.files.tensor_files import ModelFileError, read_header
from nodes.models.networks.denoiser import Denoiser
from nodes.models.networks.lora import check_fits, read_lora, with_lora
from tests.models import transformers
from tests.models.conftest import write_tensors
from tests.models.transformer_kinds import KINDS

RANK, STRENGTH = 2, 0.7
HIDDEN = 128


@pytest.fixture(scope="module", params=["FLUX.1 dev", "SD3"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def model(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Denoiser:
    found = KINDS[kind]
    weights = transformers.made(found.network, found.settings).state_dict()
    path = tmp_path_factory.mktemp("lora") / "model.safetensors"
    return Denoiser.of(read_denoiser(write_tensors(path, found.original(weights)))).ready()


FUSED = {
    "FLUX.1 dev": ("double_blocks.0.img_attn.qkv", "transformer_blocks.0.attn"),
    "SD3": ("joint_blocks.1.x_block.attn.qkv", "transformer_blocks.1.attn"),
}
"""A layer of the original names, and the module in diffusers' network that has its parts."""


def weights(model: Denoiser, place: str) -> list[Tensor]:
    module: Any = model.network.module.get_submodule(place)
    return [getattr(module, f"to_{part}").weight.clone() for part in "qkv"]


def added(model: Denoiser, path: Path, place: str) -> Tensor:
    """What a LoRA adds to queries, keys and values, one below the other."""
    warnings: list[str] = []
    lora = read_lora(read_header(path), STRENGTH)
    check_fits(lora.adapters, model.source, warn=warnings.append)
    assert warnings == []
    before = weights(model, place)
    patched = with_lora(model, lora)
    patched.bind(model.network)
    after = weights(patched, place)
    again = weights(model, place)
    assert all(torch.equal(*each) for each in zip(before, again, strict=True))
    return torch.cat([new - old for new, old in zip(after, before, strict=True)])


def drawn() -> tuple[Tensor, Tensor]:
    torch.default_generator.manual_seed(8)
    return torch.randn(3 * HIDDEN, RANK), torch.randn(RANK, HIDDEN)


@pytest.mark.parametrize("spelling", ["kohya", "original", "PEFT", "with a beginning"])
def test_a_lora_of_a_layer_that_is_held_as_one_changes_all_of_its_parts(
    spelling: str, kind: str, model: Denoiser, tmp_path: Path
):
    layer, place = FUSED[kind]
    up, down = drawn()
    if spelling == "PEFT":
        tensors: dict[str, Tensor] = {}
        for part, rows in zip("qkv", up.chunk(3), strict=True):
            tensors[f"transformer.{place}.to_{part}.lora_A.weight"] = down
            tensors[f"transformer.{place}.to_{part}.lora_B.weight"] = rows.clone()
    elif spelling == "kohya":
        name = f"lora_unet_{layer.replace('.', '_')}"
        tensors = {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}
    else:
        name = layer if spelling == "original" else f"diffusion_model.{layer}"
        tensors = {f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}
    found = added(model, write_tensors(tmp_path / "lora.safetensors", tensors), place)
    assert torch.allclose(found, STRENGTH * up @ down, atol=1e-5)


def test_other_kinds_of_adapters_of_such_a_layer_change_all_of_its_parts(
    kind: str, model: Denoiser, tmp_path: Path
):
    layer, place = FUSED[kind]
    name = f"lora_unet_{layer.replace('.', '_')}"
    up, down = drawn()
    one, two = torch.randn(3, 2), torch.randn(HIDDEN, HIDDEN // 2)
    kinds = {
        "kron": ({"lokr_w1": one, "lokr_w2": two}, torch.kron(one, two)),
        "hadamard": (
            {"hada_w1_a": up, "hada_w1_b": down, "hada_w2_a": up, "hada_w2_b": down},
            (up @ down) ** 2,
        ),
        "difference": ({"diff": up @ down}, up @ down),
    }
    for tensors, expected in kinds.values():
        file = {f"{name}.{role}": tensor.contiguous() for role, tensor in tensors.items()}
        path = write_tensors(tmp_path / "lora.safetensors", file)
        assert torch.allclose(added(model, path, place), STRENGTH * expected, atol=1e-4)


def test_what_turns_a_whole_layer_is_refused_for_one_that_is_held_in_parts(
    kind: str, model: Denoiser, tmp_path: Path
):
    name = f"lora_unet_{FUSED[kind][0].replace('.', '_')}"
    tensors = {f"{name}.oft_blocks": torch.zeros(3, HIDDEN, HIDDEN)}
    lora = read_lora(read_header(write_tensors(tmp_path / "oft.safetensors", tensors)), 1.0)
    with pytest.raises(ModelFileError, match="changes a layer as a whole"):
        with_lora(model, lora).bind(model.network)


def test_scale_and_shift_that_stand_the_other_way_round_are_changed_where_they_stand(
    model: Denoiser, tmp_path: Path
):
    torch.default_generator.manual_seed(8)
    up, down = torch.randn(2 * HIDDEN, RANK), torch.randn(RANK, HIDDEN)
    name = "lora_unet_final_layer_adaLN_modulation_1"
    tensors = {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}
    lora = read_lora(read_header(write_tensors(tmp_path / "end.safetensors", tensors)), 1.0)
    layer: Any = model.network.module.get_submodule("norm_out.linear")
    before = layer.weight.clone()
    patched = with_lora(model, lora)
    patched.bind(model.network)
    expected = torch.cat((up @ down).chunk(2)[::-1])
    assert torch.allclose(layer.weight - before, expected, atol=1e-5)
    model.bind(model.network)
