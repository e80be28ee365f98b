"""Whole models in few bits: fp8, int8, nf4 and GGUF files of UNets and text encoders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from nodes.models.files.checkpoints import read_checkpoint, read_denoiser
from nodes.models.files.clip_files import read_text_encoders
from nodes.models.files.tensor_files import TensorFile, read_header
from nodes.models.files.writing import NewFile
from nodes.models.networks.denoiser import Denoiser
from nodes.models.networks.lora import read_lora, with_lora
from nodes.models.networks.network import Handle, Network
from nodes.models.networks.quantized_layers import QuantizedConv2d, QuantizedLinear
from nodes.models.networks.saving import entries
from nodes.models.text.text_encoder import TextEncoder
from tests.models.conftest import Loaded, handles, make_tiny_folder, read_tensors, write_tensors
from tests.models.test_gguf import written
from tests.models.test_quantized_files import int8_of_bitsandbytes, nf4, scaled_fp8
from tests.models.test_unet_families import KINDS, denoiser_tensors, made

PREFIX = "model.diffusion_model."


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    """The weights of a tiny UNet of SD1 in the original names."""
    return denoiser_tensors(made(KINDS["SD1"]))


def is_quantized(name: str, tensor: Tensor) -> bool:
    return name.endswith("weight") and tensor.dim() in (2, 4)


def plain(path: Path, tensors: dict[str, Tensor]) -> Path:
    return write_tensors(path, {n: t.to(torch.float8_e4m3fn) for n, t in tensors.items()})


def by(quantize: Callable[[Tensor], tuple[dict[str, Tensor], Tensor]]) -> Any:
    def write(path: Path, tensors: dict[str, Tensor]) -> Path:
        found: dict[str, Tensor] = {}
        for name, tensor in tensors.items():
            flat = tensor.dim() == 2 and tensor.numel() % 64 == 0
            if not (is_quantized(name, tensor) and flat):
                found[name] = tensor.half()
                continue
            stem = name.removesuffix(".weight")
            for part, value in quantize(tensor)[0].items():
                found[part.replace("x.", f"{stem}.", 1)] = value
        return write_tensors(path, found)

    return write


def as_gguf(path: Path, tensors: dict[str, Tensor]) -> Path:
    """As people have it: matrices in blocks, all else in halves, no prefix."""
    named: dict[str, Any] = {}
    for name, tensor in tensors.items():
        form = "Q8_0" if tensor.dim() == 2 and tensor.shape[1] % 32 == 0 else "F16"
        form = "F32" if tensor.dim() == 1 else form
        named[name.removeprefix(PREFIX).replace(".", "__")] = (tensor.float().numpy(), form)
    return written(path.with_suffix(".gguf"), **named)


WAYS = {
    "fp8": plain, "scaled fp8": by(scaled_fp8), "int8": by(int8_of_bitsandbytes), "nf4": by(nf4),
    "GGUF": as_gguf,
}  # fmt: skip


def taken(network: Network[Any]) -> int:
    """Bytes of a loaded network's weights."""
    total = sum(weight.nbytes for weight in network.module.parameters())
    return total + sum(
        layer.quantized.nbytes
        for layer in network.module.modules()
        if isinstance(layer, QuantizedLinear | QuantizedConv2d)
    )


def dequantized(path: Path, to: Path) -> Path:
    """The same file with every weight in float32."""
    file = TensorFile(read_header(path))
    return write_tensors(to, {name: file[name].float() for name in file})


def answer(model: Denoiser) -> Tensor:
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    text = torch.randn(2, 5, 64, generator=torch.Generator().manual_seed(2))
    return model.denoised(x, torch.tensor([1.0, 3.0]), {"text": text})


@pytest.mark.parametrize("way", WAYS)
def test_a_quantized_unet_answers_as_its_numbers_do_and_takes_what_it_says(
    tmp_path: Path, original: dict[str, Tensor], way: str
):
    path = WAYS[way](tmp_path / "small.safetensors", original)
    model = Denoiser.of(read_denoiser(path))
    assert model.family.name == "Stable Diffusion 1.x"
    network = model.ready().network
    kinds = {type(layer) for layer in network.module.modules()}
    assert QuantizedLinear in kinds
    assert taken(network) == model.nbytes("cpu") < 4 * model.source.parameters * 0.9
    exact = Denoiser.of(read_denoiser(dequantized(path, tmp_path / "wide.safetensors"))).ready()
    assert torch.allclose(answer(model), answer(exact), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", ["fp8_e4m3fn", "fp8_e4m3fn_fast", "fp8_e5m2"])
def test_a_weight_dtype_halves_what_fp16_takes(
    tmp_path: Path, original: dict[str, Tensor], dtype: str
):
    path = write_tensors(tmp_path / "a.safetensors", {n: t.half() for n, t in original.items()})
    model = Denoiser.of(read_denoiser(path))
    small = replace(model, weight_dtype=dtype)
    assert small.base != model.base, "both may be loaded at once"
    assert taken(small.ready().network) == small.nbytes("cpu")
    assert small.nbytes("cpu") < 0.3 * model.nbytes("cpu")
    eight = torch.float8_e5m2 if dtype.endswith("e5m2") else torch.float8_e4m3fn
    rounded = {
        name: (tensor.half().to(eight) if is_quantized(name, tensor) else tensor).float()
        for name, tensor in original.items()
    }
    exact = Denoiser.of(read_denoiser(write_tensors(tmp_path / "b.safetensors", rounded))).ready()
    assert torch.allclose(answer(small), answer(exact), rtol=1e-3, atol=1e-3)


def test_every_network_takes_what_it_says(tiny: Loaded):
    handles: list[Handle[Any]] = [tiny.model, tiny.clip, tiny.vae]
    for handle in handles:
        assert taken(handle.network) == handle.nbytes("cpu")


@pytest.mark.parametrize("way", WAYS)
def test_a_lora_over_a_quantized_unet_changes_it_as_a_merged_one_and_goes_without_a_trace(
    tmp_path: Path, original: dict[str, Tensor], way: str
):
    path = WAYS[way](tmp_path / "small.safetensors", original)
    attention = "lora_unet_input_blocks_1_1_transformer_blocks_0_attn1_to_q"
    tensors: dict[str, Tensor] = {}
    for place in ("input_blocks.1.1.transformer_blocks.0.attn1.to_q", "input_blocks.0.0", "out.2"):
        rows, *columns = original[f"{PREFIX}{place}.weight"].shape
        module = f"lora_unet_{place.replace('.', '_')}"
        tensors[f"{module}.lora_down.weight"] = torch.randn(2, *columns)
        tensors[f"{module}.lora_up.weight"] = torch.randn(rows, 2, *[1] * (len(columns) - 1))
    tensors[f"{attention}.dora_scale"] = torch.ones(64, 1)
    lora = read_lora(read_header(write_tensors(tmp_path / "lora.safetensors", tensors)), 0.3)
    model = Denoiser.of(read_denoiser(path)).ready()
    wide = Denoiser.of(read_denoiser(dequantized(path, tmp_path / "wide.safetensors"))).ready()
    before = answer(model)
    found: list[Tensor] = []
    for base in (model, wide):
        patched = with_lora(base, lora)
        patched.bind(base.network)
        found.append(answer(patched))
    assert torch.allclose(found[0], found[1], rtol=1e-3, atol=1e-3)
    assert not torch.allclose(found[0], before, atol=1e-2)
    assert torch.equal(answer(model), before)


def encoder_tensors() -> dict[str, Tensor]:
    """The weights of a CLIP-L with one layer."""
    torch.default_generator.manual_seed(3)
    kind: Any = CLIPTextModel
    config = CLIPTextConfig(
        vocab_size=49408, hidden_size=768, intermediate_size=64, num_hidden_layers=1,
        num_attention_heads=12,
    )  # fmt: skip
    weights: dict[str, Tensor] = kind(config).state_dict()
    return {
        (name if name.startswith("text_model.") else f"text_model.{name}"): tensor
        for name, tensor in weights.items()
    }


def test_a_text_encoder_in_a_gguf_file_encodes_as_its_numbers_do(tmp_path: Path):
    path = as_gguf(tmp_path / "clip.gguf", encoder_tensors())
    clip = TextEncoder.of(read_text_encoders([path])).ready()
    assert clip.encoders[0].name == "clip_l"
    assert taken(clip.network) == clip.nbytes("cpu")
    exact = TextEncoder.of(
        read_text_encoders([dequantized(path, tmp_path / "wide.safetensors")])
    ).ready()
    found, expected = (one.encode("a (cat:1.2)")[0][0] for one in (clip, exact))
    # Weights in halves are rounded to them when they are read; those in blocks are not.
    assert torch.allclose(found, expected, rtol=1e-2, atol=1e-2)


def test_what_is_saved_of_a_model_in_few_bits_computes_the_same(
    tmp_path: Path, original: dict[str, Tensor]
):
    """Blocks and scales become halves; plain fp8 stays as it is."""
    for way, stored in (("GGUF", torch.float16), ("fp8", torch.float8_e4m3fn)):
        model = Denoiser.of(read_denoiser(WAYS[way](tmp_path / f"{way}.safetensors", original)))
        parts = [*entries(model, "cpu", prefixed=True)]
        path = tmp_path / f"{way} saved.safetensors"
        path.write_bytes(b"".join(NewFile(parts)))
        matrix = f"{PREFIX}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
        assert read_tensors(path)[matrix].dtype is stored
        again = Denoiser.of(read_denoiser(path)).ready()
        assert torch.allclose(answer(again), answer(model.ready()), rtol=1e-2, atol=1e-2)


def test_a_whole_model_in_fp8_encodes_draws_and_decodes(tmp_path: Path):
    folder = make_tiny_folder(tmp_path / "model")
    for network in ("unet", "text_encoder", "vae"):
        (path,) = (folder / network).glob("*.safetensors")
        plain(path, {n: t for n, t in read_tensors(path).items() if t.is_floating_point()})
    found = handles(folder)
    assert read_checkpoint(folder).vae.header.format("decoder.conv_in.weight") == "F8_E4M3"
    text = found.clip.ready().encode("a cat")
    assert text[0][0].isfinite().all()
    words: Any = found.clip.network.module["clip_l"]
    assert type(words.encoder.layers[0].self_attn.q_proj) is QuantizedLinear
    assert words.embeddings.token_embedding.weight.dtype is torch.float32
    assert taken(found.clip.network) == found.clip.nbytes("cpu")
    vae = found.vae.ready()
    assert {weight.dtype for weight in vae.network.module.parameters()} == {torch.float32}
    assert vae.decode(torch.zeros(1, 4, 4, 4)).isfinite().all()
