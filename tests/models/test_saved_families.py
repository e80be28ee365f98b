"""Models of each family, with patches, written as a file and read again: the same to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes.models.files.checkpoints import read_checkpoint, read_denoiser
from nodes.models.files.tensor_files import read_header
from nodes.models.files.writing import NewFile
from nodes.models.networks.denoiser import Denoiser
from nodes.models.networks.lora import check_fits, read_adapters, read_lora, with_lora
from nodes.models.networks.saving import entries
from nodes.models.text.text_encoder import TextEncoder
from tests.models.conftest import read_tensors, write_tensors
from tests.models.test_unet_families import KINDS, denoiser_tensors, made, marks, text_tensors

PROJECTION = "lora_unet_down_blocks_0_resnets_0_conv1"


def bits(handle: Any) -> dict[str, Tensor]:
    """The weights that a network computes with."""
    network = handle.load("cpu")
    handle.bind(network)
    return {name: weight.clone() for name, weight in network.module.named_parameters()}


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(
        torch.equal(first[name], second[name]) for name in first
    )


def saved(path: Path, *handles: Any) -> Path:
    file = NewFile([one for handle in handles for one in entries(handle, "cpu", prefixed=True)])
    path.write_bytes(b"".join(file))
    return path


def lora(path: Path, *modules: tuple[str, int, int]) -> Any:
    tensors: dict[str, Tensor] = {}
    for name, rows, columns in modules:
        tensors[f"{name}.lora_up.weight"] = torch.randn(rows, 2)
        tensors[f"{name}.lora_down.weight"] = torch.randn(2, columns)
    return read_lora(read_header(write_tensors(path, tensors)), 0.5)


@pytest.mark.parametrize("name", ["SD1", "SD1 inpainting", "SD2", "SDXL", "refiner"])
def test_a_denoiser_with_a_lora_is_read_again_to_the_bit(tmp_path: Path, name: str):
    tensors = {key: value.half() for key, value in denoiser_tensors(made(KINDS[name])).items()}
    found = read_denoiser(write_tensors(tmp_path / "a.safetensors", tensors))
    model = Denoiser.of(found)
    patched = with_lora(model, lora(tmp_path / "l.safetensors", (PROJECTION, 64, 64 * 9)))
    again = read_denoiser(saved(tmp_path / "b.safetensors", patched))
    assert again.family is found.family
    assert again.source.header.shapes == found.source.header.shapes
    expected = bits(patched)
    assert not same(expected, bits(model))
    assert same(bits(Denoiser.of(again)), expected)
    unchanged = read_denoiser(saved(tmp_path / "c.safetensors", model))
    copied, kept = read_tensors(unchanged.source.header.path), tensors
    assert all(torch.equal(copied[key], kept[key]) for key in kept)
    assert all(copied[key].dtype is kept[key].dtype for key in kept)


def test_both_text_encoders_of_sdxl_change_by_names_of_their_own_and_are_read_again(
    tmp_path: Path,
):
    _, of_l = text_tensors("clip_l", "conditioner.embedders.0.transformer.", 32)
    _, of_g = text_tensors("clip_g", "conditioner.embedders.1.model.", 32)
    tensors = denoiser_tensors(made(KINDS["SDXL"])) | of_l | of_g
    tensors = {key: value.half() for key, value in tensors.items()}
    found = read_checkpoint(write_tensors(tmp_path / "a.safetensors", tensors))
    model, clip = Denoiser.of(found.denoiser), TextEncoder.of(found.text_encoder)
    place = "text_model_encoder_layers_1_self_attn_k_proj"
    one, two = (f"lora_te{number}_{place}" for number in (1, 2))
    both = lora(tmp_path / "l.safetensors", (one, 32, 32), (two, 32, 32), (PROJECTION, 64, 64 * 9))
    told: list[str] = []
    check_fits(both.adapters, model.source, clip.source, warn=told.append)
    assert told == []
    patched, plain = with_lora(clip, both), bits(clip)
    expected = bits(patched)
    changed = {name for name in plain if not torch.equal(plain[name], expected[name])}
    layer = "encoder.layers.1.self_attn.k_proj.weight"
    assert changed == {f"clip_l.{layer}", f"clip_g.{layer}"}
    again = read_checkpoint(saved(tmp_path / "b.safetensors", with_lora(model, both), patched))
    assert again.denoiser.source.header.shapes == found.denoiser.source.header.shapes
    assert same(bits(TextEncoder.of(again.text_encoder)), expected)


@pytest.mark.parametrize(
    "given", [{"v_pred": []}, {"v_pred": [], "ztsnr": []}, {"edm_vpred__sigma_max": 120.0},
              {"edm_mean": [1.0, 2.0, 3.0, 4.0], "edm_std": [2.0] * 4}],
)  # fmt: skip
def test_how_a_model_was_trained_is_kept(tmp_path: Path, given: dict[str, Any]):
    tensors = denoiser_tensors(made(KINDS["SDXL"])) | marks(**given)
    found = read_denoiser(write_tensors(tmp_path / "a.safetensors", tensors))
    again = read_denoiser(saved(tmp_path / "b.safetensors", Denoiser.of(found)))
    assert again.space.key == found.space.key
    assert again.latent == found.latent


def test_a_lora_for_one_half_alone_is_applied_to_it(tmp_path: Path):
    _, of_l = text_tensors("clip_l", "conditioner.embedders.0.transformer.", 32)
    _, of_g = text_tensors("clip_g", "conditioner.embedders.1.model.", 32)
    tensors = denoiser_tensors(made(KINDS["SDXL"])) | of_l | of_g
    found = read_checkpoint(write_tensors(tmp_path / "a.safetensors", tensors))
    parts = found.denoiser.source, found.text_encoder.source
    name = "lora_te2_text_model_encoder_layers_0_mlp_fc1"
    adapters = lora(tmp_path / "l.safetensors", (name, 32, 32)).adapters
    assert [[*adapters.targets(source).values()] for source in parts] == [
        [],
        ["clip_g.encoder.layers.0.mlp.fc1"],
    ]
    path = tmp_path / "old.safetensors"
    path.write_bytes((tmp_path / "l.safetensors").read_bytes())
    assert read_adapters(read_header(path)).modules == adapters.modules
