"""LoRAs beside weights: where they are stored in few bits, and where the user wants it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nodes.models.families.family import UNET
from nodes.models.files.pieces import NetworkSource, whole
from nodes.models.files.tensor_files import Header, ModelFileError, read_header
from nodes.models.networks.lora import Lora, read_adapters, with_lora
from nodes.models.networks.patching import PatchedWeights
from tests.models.conftest import Loaded, write_tensors

SOURCE = NetworkSource(Header(Path("x"), {}, {}, ""), whole({"x.weight": "x.weight"}), "", {}, UNET)


def randn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


class Int8Linear(nn.Module):
    """A weight of whole numbers and a scale for each row."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        scale = weight.abs().amax(1, keepdim=True) / 127
        self.register_buffer("weight", (weight / scale).round().to(torch.int8))
        self.register_buffer("scale", scale)

    def dequantized(self) -> Tensor:
        """The weight as numbers."""
        weight: Any = self.weight
        return weight.float() * self.scale

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.dequantized().to(x))


class Fp8Linear(nn.Module):
    """A weight of eight bits that needs no scale."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.to(torch.float8_e4m3fn), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight.to(x))


def lora(path: Path, strength: float, **tensors: Tensor) -> Lora:
    named = {f"lora_unet_x.{name.replace('__', '.')}": value for name, value in tensors.items()}
    header = read_header(write_tensors(path / f"{strength}.safetensors", named))
    return Lora(read_adapters(header), strength)


@pytest.mark.parametrize("kind", [Int8Linear, Fp8Linear])
def test_a_quantized_layer_keeps_its_weight_and_answers_as_if_it_were_changed(
    tmp_path: Path, kind: Any
):
    module: Any = nn.ModuleDict({"x": kind(randn(6, 4))})
    layer = module["x"]
    before, x = layer.weight.clone(), randn(3, 4, seed=2)
    value = layer.dequantized() if kind is Int8Linear else layer.weight.float()
    plain = module["x"](x)
    weights = PatchedWeights(SOURCE, module, lambda name: before)
    up, down = randn(6, 2, seed=3), randn(2, 4, seed=4)
    pair = {"lora_up__weight": up, "lora_down__weight": down}
    first = lora(tmp_path, 0.5, **pair)
    second = lora(tmp_path, -0.25, hada_w1_a=up, hada_w1_b=down, hada_w2_a=up, hada_w2_b=down)
    turned = lora(
        tmp_path, 2.0, dora_scale=torch.ones(6, 1), lora_up__weight=up, lora_down__weight=down
    )
    changed = value + 0.5 * up @ down
    weights.apply([first])
    assert torch.allclose(module["x"](x), functional.linear(x, changed), atol=1e-5)
    weights.apply([first, second])
    both = changed - 0.25 * (up @ down).square()
    assert torch.allclose(module["x"](x), functional.linear(x, both), atol=1e-4)
    weights.apply([first, turned])
    dora = changed + 2 * (functional.normalize(changed + up @ down, dim=1) - changed)
    assert torch.allclose(module["x"](x), functional.linear(x, dora), atol=1e-4)
    half = module["x"](x.half())
    assert half.dtype is torch.float16
    assert torch.allclose(half.float(), functional.linear(x, dora), atol=0.05)
    assert layer.weight.dtype is before.dtype
    assert torch.equal(layer.weight.float(), before.float()), "no bit of the weight changed"
    weights.apply([])
    assert torch.equal(module["x"](x), plain)


def test_a_branch_that_does_not_fit_is_refused_and_leaves_nothing(tmp_path: Path):
    module: Any = nn.ModuleDict({"x": Int8Linear(randn(6, 4))})
    x = randn(3, 4)
    plain = module["x"](x)
    weights = PatchedWeights(SOURCE, module, lambda name: module["x"].weight)
    wide = lora(tmp_path, 1.0, lora_up__weight=randn(5, 2), lora_down__weight=randn(2, 4))
    with pytest.raises(ModelFileError, match=r"does not fit a weight of shape \(6, 4\)"):
        weights.apply([wide])
    assert torch.equal(module["x"](x), plain)


PLACES = ("down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q", "conv_in")


def test_a_lora_aside_gives_the_picture_of_a_merged_one(tmp_path: Path, tiny: Loaded):
    model = tiny.model
    network: Any = model.network
    tensors: dict[str, Tensor] = {}
    for place in PLACES:
        weight = network.module.get_parameter(f"{place}.weight")
        rows, *columns = weight.shape
        tensors[f"unet.{place}.lora_A.weight"] = randn(2, *columns)
        tensors[f"unet.{place}.lora_B.weight"] = randn(rows, 2, *[1] * (len(columns) - 1))
    tensors["unet.conv_norm_out.diff"] = randn(32)
    adapters = read_adapters(read_header(write_tensors(tmp_path / "a.safetensors", tensors)))
    merged, aside = (with_lora(model, Lora(adapters, 0.1, way)) for way in (False, True))
    assert len({merged.key, aside.key, model.key}) == 3
    before = {name: weight.clone() for name, weight in network.module.named_parameters()}
    x, sigma, text = randn(1, 4, 8, 8), torch.tensor([3.0]), {"text": randn(1, 24, 32)}
    plain = model.denoised(x, sigma, text)
    for handle in (merged, aside):
        handle.bind(network)
    found = aside.denoised(x, sigma, text)
    now = dict(network.module.named_parameters())
    changed = {name for name in before if not torch.equal(before[name], now[name])}
    assert changed == {"conv_norm_out.weight"}, "what is no layer is merged"
    wanted = merged.denoised(x, sigma, text)
    assert float((wanted - plain).abs().max()) > 0.01
    assert torch.allclose(found, wanted, atol=1e-5)
    assert torch.equal(model.denoised(x, sigma, text), plain)


@pytest.mark.parametrize(("share", "reads"), [(0.25, 1), (0.0, 3)])
def test_a_swap_reads_no_weight_again_while_there_is_memory(
    tmp_path: Path, share: float, reads: int
):
    weight = randn(6, 4)
    module: Any = nn.ModuleDict({"x": nn.Linear(4, 6, bias=False)}).requires_grad_(False)
    read: list[str] = []

    def original(name: str) -> Tensor:
        read.append(name)
        return weight.half()

    weights = PatchedWeights(SOURCE, module, original, share=share)
    up, down = randn(6, 2, seed=3), randn(2, 4, seed=4)
    for strength in (0.5, -1.0):
        weights.apply([lora(tmp_path, strength, lora_up__weight=up, lora_down__weight=down)])
        expected = weight.half().float().addmm_(up, down, alpha=strength)
        assert torch.equal(module["x"].weight, expected)
    weights.apply([])
    assert torch.equal(module["x"].weight, weight.half().float())
    assert len(read) == reads


def test_weights_whose_patches_stay_are_not_merged_again(tmp_path: Path, tiny: Loaded):
    """A LoRA beside the weights comes and goes, as hooks do, while a merged one stays."""
    name = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    at = f"lora_unet_{name.replace('.', '_')}"
    halves = {"lora_up": randn(32, 4), "lora_down": randn(4, 32, seed=2)}
    tensors = {f"{at}.{half}.weight": tensor for half, tensor in halves.items()}
    adapters = read_adapters(read_header(write_tensors(tmp_path / "l.safetensors", tensors)))
    kept = with_lora(tiny.model, Lora(adapters, 0.5))
    network = tiny.model.network
    kept.bind(network)
    weight: Any = network.module.get_parameter(f"{name}.weight")
    version = weight._version
    beside = kept.patched(Lora(adapters, 0.25, aside=True))
    x = torch.randn(1, 3, 32)
    layer: Any = network.module.get_submodule(name)
    merged = layer(x)
    assert not torch.allclose(beside.network.module.get_submodule(name)(x), merged, atol=1e-3)
    kept.bind(network)
    assert torch.equal(layer(x), merged)
    assert weight._version == version
    tiny.model.bind(network)
    assert weight._version > version
