"""What a model file is, and what it will need: told from its header."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes.models.files.writing import NewFile, entry
from nodes.models.networks.inspecting import inspect
from tests.models.conftest import handles, write_tensors
from tests.models.test_control import TINY, make
from tests.models.test_quantized_models import WAYS, original
from tests.models.test_unet_families import KINDS, denoiser_tensors, made

__all__ = ["original"]


def one(path: Path, **tensors: Tensor) -> dict[str, Any]:
    named = {name.replace("__", "."): tensor for name, tensor in tensors.items()}
    found = inspect(write_tensors(path, named))
    json.dumps(found)
    return found


def test_a_folder_is_a_checkpoint_with_all_that_its_networks_need(tiny_folder: Path):
    found = inspect(tiny_folder)
    loaded = handles(tiny_folder)
    assert (found["type"], found["family"]) == ("checkpoint", "Stable Diffusion 1.x")
    needs = [handle.nbytes("cpu") for handle in (loaded.model, loaded.clip, loaded.vae)]
    assert [network["bytes"]["cpu"] for network in found["networks"].values()] == needs
    assert found["needs"]["cpu"] == sum(needs)
    assert found["details"] == {"predicts": "v_prediction"}
    assert found["complaint"] is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_denoiser_has_its_family_named(tmp_path: Path, kind: str):
    path = write_tensors(tmp_path / "a.safetensors", denoiser_tensors(made(KINDS[kind])))
    found = inspect(path)
    assert (found["type"], found["family"]) == ("diffusion model", KINDS[kind].family)
    uses = {5: "inpainting", 4: "editing of pictures"}
    assert found["details"].get("for") == uses.get(KINDS[kind].extra)
    assert found["complaint"] is None


def test_a_file_in_few_bits_says_its_formats(tmp_path: Path, original: dict[str, Tensor]):
    path = WAYS["GGUF"](tmp_path / "a.gguf", original)
    found = inspect(path)
    assert (found["type"], found["family"]) == ("diffusion model", "Stable Diffusion 1.x")
    assert found["dtypes"].keys() == {"Q8_0", "F16", "F32"}
    assert sum(found["dtypes"].values()) == found["parameters"]
    assert found["bytes"] == path.stat().st_size
    eight = inspect(WAYS["scaled fp8"](tmp_path / "a.safetensors", original))
    assert "F8_E4M3" in eight["dtypes"]
    assert eight["needs"]["cpu"] < 4 * eight["parameters"]


def test_nothing_is_read_of_the_weights(tmp_path: Path, original: dict[str, Tensor]):
    """A hole in the place of the numbers, as large as the disk would hardly bear."""
    whole = NewFile([entry(n, torch.empty(t.shape, device="meta")) for n, t in original.items()])
    path = tmp_path / "a.safetensors"
    with path.open("wb") as file:
        file.write(whole.header)
        file.truncate(whole.nbytes)
    assert inspect(path)["family"] == "Stable Diffusion 1.x"


def test_a_lora_says_its_kinds_and_which_halves_it_has(tmp_path: Path):
    place = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    plain = {
        f"{place}.lora_down.weight": torch.ones(2, 768),
        f"{place}.lora_up.weight": torch.ones(32, 2),
        f"{place}.dora_scale": torch.ones(32, 1),
    }
    found = one(tmp_path / "a.safetensors", **plain)
    assert (found["type"], found["family"]) == ("LoRA", "Stable Diffusion 1.x")
    assert found["details"]["kinds"] == ["LoRA", "DoRA"]
    assert found["details"]["halves"] == ["denoiser"]
    text = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"
    names = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")
    hada = {f"{text}.{name}": torch.ones(2, 2) for name in names}
    both = one(tmp_path / "b.safetensors", **plain, **hada)
    assert both["details"]["kinds"] == ["LoRA", "LoHa", "DoRA"]
    assert both["details"]["halves"] == ["denoiser", "text encoder"]
    hidream = {
        "diffusion_model.double_stream_blocks.0.block.x.lora_A.weight": torch.ones(2, 8),
        "diffusion_model.double_stream_blocks.0.block.x.lora_B.weight": torch.ones(8, 2),
    }
    other = one(tmp_path / "c.safetensors", **hidream)
    assert (other["type"], other["family"]) == ("LoRA", "HiDream")
    assert "a LoRA for HiDream, which is not supported" in other["complaint"]


def test_an_embedding_a_vae_and_what_is_unknown(tmp_path: Path):
    found = one(tmp_path / "a.safetensors", emb_params=torch.ones(3, 768))
    assert (found["type"], found["family"]) == ("embedding", "Stable Diffusion 1.x")
    assert found["details"] == {"vectors": 3}
    both = one(tmp_path / "b.safetensors", clip_l=torch.ones(2, 768), clip_g=torch.ones(2, 1280))
    assert (both["type"], both["family"]) == ("embedding", "SDXL")
    flux = one(
        tmp_path / "c.safetensors",
        double_blocks__0__img_attn__norm__key_norm__scale=torch.ones(8),
        img_in__weight=torch.ones(8, 8),
        guidance_in__in_layer__weight=torch.ones(8, 8),
    )
    assert flux["family"] == "FLUX.1 dev"
    assert "its denoiser is not complete" in flux["complaint"]
    none = one(tmp_path / "d.safetensors", strange=torch.ones(2))
    assert none["type"] == "unknown"
    assert "strange" in none["complaint"]


def test_a_broken_file_says_what_is_wrong(tmp_path: Path):
    path = write_tensors(tmp_path / "a.safetensors", {"x": torch.ones(100)})
    path.write_bytes(path.read_bytes()[:-8])
    found = inspect(path)
    assert found["type"] == "unknown"
    assert "truncated" in found["complaint"]
    (tmp_path / "empty").mkdir()
    assert "without model_index.json" in inspect(tmp_path / "empty")["complaint"]


def test_what_steers_a_model_says_which_kind_it_is(tmp_path: Path):
    net = make(tmp_path, **TINY)
    found = inspect(tmp_path / "net.safetensors")
    assert (found["type"], found["complaint"]) == ("ControlNet", None)
    assert found["needs"]["cpu"] == 4 * sum(weight.numel() for weight in net.parameters())
    differences = {**net.state_dict(), "difference": torch.ones(1)}
    other = inspect(write_tensors(tmp_path / "b.safetensors", differences))
    assert other["details"] == {"load it with": "DiffControlNetLoader"}
    refused = one(tmp_path / "c.safetensors", controlnet_x_embedder__weight=torch.ones(4, 4))
    assert refused["type"] == "ControlNet"
    assert "a ControlNet of FLUX" in refused["complaint"]


def test_a_hypernetwork_is_known_by_the_widths_it_is_for(tmp_path: Path):
    weights = {"linear.0.weight": torch.ones(4, 768), "linear.0.bias": torch.ones(4)}
    torch.save({768: (weights, weights), "name": "mine"}, tmp_path / "a.pt")
    found = inspect(tmp_path / "a.pt")
    assert (found["type"], found["details"]) == ("hypernetwork", {"widths": ["768"]})
