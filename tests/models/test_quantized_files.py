"""Weights in few bits: read as they are stored, kept so, and dequantized when they are used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nodes.models.families.family import UNET
from nodes.models.files.pieces import NetworkSource, Piece
from nodes.models.files.quantized import QuantizedTensor, ScaledTensor, rounded
from nodes.models.files.tensor_files import Header, ModelFileError, TensorFile, read_header
from nodes.models.networks.building import built
from nodes.models.networks.lora import Lora, read_adapters
from nodes.models.networks.network import Network
from nodes.models.networks.quantized_layers import QuantizedConv2d, QuantizedLinear, product
from tests.models.conftest import write_tensors

ROWS, COLUMNS = 12, 64


def randn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def plain_fp8(weight: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    small = weight.to(torch.float8_e5m2)
    return {"x.weight": small}, small.float()


def scaled_fp8(weight: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    scale = weight.abs().max() / 448
    small = (weight / scale).to(torch.float8_e4m3fn)
    mark = torch.empty(0, dtype=torch.float8_e4m3fn)
    tensors = {"x.weight": small, "x.scale_weight": scale, "scaled_fp8": mark}
    return {**tensors, "x.scale_input": torch.ones(1)}, small.float() * scale


def fp8_with_scales_of_rows(weight: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    scale = weight.abs().amax(1, keepdim=True) / 448
    small = (weight / scale).to(torch.float8_e4m3fn)
    words = {"format": "float8_e4m3fn", "full_precision_matrix_mult": False}
    said = torch.tensor(list(json.dumps(words).encode()), dtype=torch.uint8)
    found = {"x.weight": small, "x.weight_scale": scale, "x.comfy_quant": said}
    return found, small.float() * scale


def fp8_with_scales_of_blocks(weight: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    scale = randn(3, 4, seed=5).abs() + 0.1
    wide = scale.repeat_interleave(ROWS // 3, 0).repeat_interleave(COLUMNS // 4, 1)
    small = (weight / wide).to(torch.float8_e4m3fn)
    return {"x.weight": small, "x.weight_scale_inv": scale.bfloat16()}, (
        small.float() * wide.bfloat16().float()
    )


def int8_of_bitsandbytes(weight: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    largest = weight.abs().amax(1)
    small = (weight / largest[:, None] * 127).round().to(torch.int8)
    form = torch.tensor(0, dtype=torch.uint8)
    found = {"x.weight": small, "x.SCB": largest, "x.weight_format": form}
    return found, small.float() * (largest[:, None] / 127)


def int8_of_quanto(weight: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    scale = weight.abs().amax(1, keepdim=True) / 127
    small = (weight / scale).round().to(torch.int8)
    found = {"x.weight._data": small, "x.weight._scale": scale, "x.input_scale": torch.ones(1)}
    return found, small.float() * scale


def nf4(weight: Tensor, *, nested: bool = False) -> tuple[dict[str, Tensor], Tensor]:
    table = torch.linspace(-1, 1, 16)
    groups = weight.reshape(-1, 64)
    largest = groups.abs().amax(1)
    state: dict[str, Any] = {"blocksize": 64, "quant_type": "nf4", "dtype": "bfloat16"}
    tensors: dict[str, Tensor] = {"x.weight.absmax": largest, "x.weight.quant_map": table}
    if nested:
        code, offset = torch.linspace(-1, 1, 256), float(largest.mean())
        tops = (largest - offset).abs().max().repeat(-(-len(largest) // 256))
        near = ((largest - offset) / tops[0])[:, None] - code
        places = near.abs().argmin(1).to(torch.uint8)
        largest = code[places.int()] * tops[0] + offset
        tensors |= {
            "x.weight.absmax": places,
            "x.weight.nested_absmax": tops,
            "x.weight.nested_quant_map": code,
        }
        state |= {"nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": offset}
    places = ((groups / largest[:, None])[..., None] - table).abs().argmin(-1)
    pairs = places.reshape(-1, 2).to(torch.uint8)
    state["shape"] = list(weight.shape)
    text = torch.tensor(list(json.dumps(state).encode()), dtype=torch.uint8)
    tensors["x.weight"] = ((pairs[:, 0] << 4) | pairs[:, 1])[:, None]
    tensors["x.weight.quant_state.bitsandbytes__nf4"] = text
    return tensors, (table[places] * largest[:, None]).view(weight.shape)


def nested_nf4(weight: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    return nf4(weight, nested=True)


Quantize = Callable[[Tensor], tuple[dict[str, Tensor], Tensor]]
KINDS: list[Quantize] = [
    plain_fp8, scaled_fp8, fp8_with_scales_of_rows, fp8_with_scales_of_blocks,
    int8_of_bitsandbytes, int8_of_quanto, nf4, nested_nf4,
]  # fmt: skip
each_kind = pytest.mark.parametrize("quantize", KINDS, ids=[kind.__name__ for kind in KINDS])


class Two(nn.Module):
    """A matrix and a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.x = nn.Linear(COLUMNS, ROWS)
        self.norm = nn.LayerNorm(ROWS)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.x(x))


def written(path: Path, tensors: dict[str, Tensor]) -> Header:
    rest = {"x.bias": randn(ROWS), "norm.weight": randn(ROWS), "norm.bias": randn(ROWS)}
    return read_header(write_tensors(path, {**tensors, **rest}))


def loaded(header: Header, dtype: torch.dtype = torch.float32, **more: Any) -> Network[Any]:
    pieces = {name: (Piece(name),) for name in Two().state_dict()}
    source = NetworkSource(header, pieces, "", {}, UNET)
    return Network(source, built(Two), "cpu", dtype, keeps_quantized=True, **more)


@each_kind
def test_a_quantized_weight_is_one_tensor_of_the_file_with_the_numbers_it_stands_for(
    tmp_path: Path, quantize: Quantize
):
    tensors, numbers = quantize(randn(ROWS, COLUMNS))
    header = written(tmp_path / "a.safetensors", tensors)
    assert header.shapes.keys() == {"x.weight", "x.bias", "norm.weight", "norm.bias"}
    assert header.shapes["x.weight"] == (ROWS, COLUMNS)
    value = TensorFile(header)["x.weight"]
    assert torch.allclose(value.float(), numbers, rtol=1e-6, atol=0)


@each_kind
def test_a_layer_keeps_its_weight_quantized_and_answers_as_with_its_numbers(
    tmp_path: Path, quantize: Quantize
):
    tensors, numbers = quantize(randn(ROWS, COLUMNS))
    header = written(tmp_path / "a.safetensors", tensors)
    network, x = loaded(header), randn(3, COLUMNS, seed=2)
    layer = network.module.x
    assert type(layer) is QuantizedLinear
    assert layer.weight.dtype in (torch.float8_e4m3fn, torch.float8_e5m2, torch.int8, torch.uint8)
    expected = functional.linear(x, numbers, randn(ROWS))
    assert torch.allclose(layer(x), expected, rtol=1e-5, atol=1e-5)
    assert torch.allclose(layer.dequantized(), numbers, rtol=1e-6, atol=0)
    half = loaded(header, torch.bfloat16).module.x(x.bfloat16())
    assert half.dtype is torch.bfloat16
    assert torch.allclose(half.float(), expected, rtol=0.05, atol=0.2)


@each_kind
def test_bytes_are_known_before_anything_is_loaded(tmp_path: Path, quantize: Quantize):
    header = written(tmp_path / "a.safetensors", quantize(randn(ROWS, COLUMNS))[0])
    network = loaded(header)
    taken = network.module.x.quantized.nbytes
    taken += sum(weight.nbytes for weight in network.module.parameters())
    assert sum(network.source.nbytes(n, 4, quantized=True) for n in network.source.pieces) == taken
    assert taken < 4 * network.source.parameters / 2


@each_kind
def test_rows_of_a_quantized_tensor_are_those_of_its_numbers(tmp_path: Path, quantize: Quantize):
    tensors, numbers = quantize(randn(ROWS, COLUMNS))
    header = written(tmp_path / "a.safetensors", tensors)
    source = NetworkSource(header, {"q.weight": (Piece("x.weight", 4, 4),)}, "", {}, UNET)
    file = TensorFile(header)
    kept = source.quantized(file, "q.weight")
    assert kept is not None
    assert torch.allclose(kept.dequantized(torch.float32), numbers[4:8], rtol=1e-6, atol=0)
    source = NetworkSource(header, {"q.weight": (Piece("x.weight", 1, 5),)}, "", {}, UNET)
    value = source.quantized(file, "q.weight") or source.weight(file, "q.weight")
    value = value.dequantized(torch.float32) if isinstance(value, QuantizedTensor) else value
    assert torch.allclose(value.float(), numbers[1:6], rtol=1e-6, atol=0)


@each_kind
def test_a_lora_acts_beside_a_quantized_weight_and_leaves_no_trace(
    tmp_path: Path, quantize: Quantize
):
    tensors, numbers = quantize(randn(ROWS, COLUMNS))
    network, x = loaded(written(tmp_path / "a.safetensors", tensors)), randn(3, COLUMNS, seed=2)
    before, stored = network.module(x), network.module.x.weight.clone()
    up, down = randn(ROWS, 2, seed=3), randn(2, COLUMNS, seed=4)
    pair = {"lora_unet_x.lora_up.weight": up, "lora_unet_x.lora_down.weight": down}
    write_tensors(tmp_path / "lora.safetensors", pair)
    lora = Lora(read_adapters(read_header(tmp_path / "lora.safetensors")), 0.5)
    network.apply_patches([lora])
    expected = functional.linear(x, numbers + 0.5 * up @ down, randn(ROWS))
    assert torch.allclose(network.module.x(x), expected, rtol=1e-5, atol=1e-4)
    assert torch.equal(network.module.x.weight.float(), stored.float())
    network.apply_patches([])
    assert torch.equal(network.module(x), before)


def test_ordinary_weights_are_rounded_to_fp8_when_that_is_chosen(tmp_path: Path):
    weight = randn(ROWS, COLUMNS) * 300
    header = written(tmp_path / "a.safetensors", {"x.weight": weight.half()})
    network, x = loaded(header, matrices=torch.float8_e4m3fn), randn(3, COLUMNS, seed=2)
    assert network.module.x.weight.dtype is torch.float8_e4m3fn
    assert network.module.norm.weight.dtype is torch.float32, "norms stay as they are"
    small = weight.half().clamp(-448, 448).to(torch.float8_e4m3fn).float()
    assert small.isfinite().all()
    assert torch.equal(network.module.x(x), functional.linear(x, small, randn(ROWS)))


def test_a_convolution_keeps_its_weight_quantized(tmp_path: Path):
    weight = randn(4, 8, 3, 3)
    write_tensors(tmp_path / "a.safetensors", {"x.weight": weight.to(torch.float8_e4m3fn)})
    header = read_header(tmp_path / "a.safetensors")
    made = built(lambda: nn.ModuleList([nn.Conv2d(8, 4, 3, stride=2, padding=1, bias=False)]))
    source = NetworkSource(header, {"0.weight": (Piece("x.weight"),)}, "", {}, UNET)
    layer: Any = Network(source, made, "cpu", torch.float32, keeps_quantized=True).module[0]
    x = randn(1, 8, 6, 6, seed=2)
    expected = functional.conv2d(x, weight.to(torch.float8_e4m3fn).float(), stride=2, padding=1)
    assert type(layer) is QuantizedConv2d
    assert torch.equal(layer(x), expected)


def test_fp8_is_multiplied_as_it_is_where_a_device_can():
    weight = rounded(randn(16, 32), torch.float8_e4m3fn)
    x, bias = randn(2, 3, 32, seed=2), randn(16, seed=3)
    scaled = ScaledTensor(weight.shape, weight.data, torch.tensor(0.5))
    made = product(x.bfloat16(), scaled, bias.bfloat16()).float()
    exact = x.bfloat16().to(torch.float8_e4m3fn).float() @ (weight.data.float() * 0.5).T + bias
    assert made.shape == (2, 3, 16)
    assert torch.allclose(made, exact, rtol=0.02, atol=0.1)


def refused(tmp_path: Path, tensors: dict[str, Tensor]) -> str:
    write_tensors(tmp_path / "bad.safetensors", tensors)
    with pytest.raises(ModelFileError) as caught:
        read_header(tmp_path / "bad.safetensors")
    return str(caught.value).removeprefix(f"{tmp_path}/bad.safetensors: ")


def test_what_contradicts_itself_is_refused_by_name(tmp_path: Path):
    whole = nf4(randn(ROWS, COLUMNS))[0]
    without = {name: tensor for name, tensor in whole.items() if "absmax" not in name}
    assert refused(tmp_path, without) == (
        "x.weight has no .absmax of 12 numbers; the file is damaged, get it again"
    )
    short = {**whole, "x.weight": whole["x.weight"][:-1].clone()}
    assert "x.weight has no data of 384 numbers" in refused(tmp_path, short)
    state = "x.weight.quant_state.bitsandbytes__nf4"
    torn = {**whole, state: whole[state][:-1].clone()}
    assert "the description of x.weight is none" in refused(tmp_path, torn)
    ones = torch.ones(3, 3, dtype=torch.int8)
    assert "whole numbers without a scale" in refused(tmp_path, {"x.weight": ones})
    wrong = {"x.weight": ones, "x.weight_scale": torch.ones(2, 3)}
    assert "no scale of a weight of shape [3, 3]" in refused(tmp_path, wrong)


def test_formats_that_are_not_read_are_named(tmp_path: Path):
    ones = torch.ones(4, 4, dtype=torch.int8)
    words = json.dumps({"format": "int8_tensorwise", "convrot": True, "convrot_groupsize": 256})
    said = torch.tensor(list(words.encode()), dtype=torch.uint8)
    turned = {"x.weight": ones, "x.weight_scale": torch.ones(4, 1), "x.comfy_quant": said}
    assert "int8_tensorwise with convrot, which is not read" in refused(tmp_path, turned)
    four = {
        "x.weight": ones.view(torch.uint8),
        "x.weight_scale": torch.ones(4, 4).to(torch.float8_e4m3fn),
        "x.weight_scale_2": torch.ones(1),
    }
    assert "NVFP4" in refused(tmp_path, four)
