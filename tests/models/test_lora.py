"""LoRA: every spelling, merged in place, undone to the last bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nodes.models.files.pieces import NetworkSource, whole
from nodes.models.files.tensor_files import Header, ModelFileError, read_header
from nodes.models.networks.lora import (
    Lora,
    adapters_of,
    check_fits,
    read_adapters,
    read_lora,
    with_lora,
)
from nodes.models.networks.network import Handle
from tests.models.conftest import Loaded, read_tensors, ready, write_tensors

RANK, ALPHA, STRENGTH = 4, 2.0, 0.8
UNET_MODULE = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
UNET_OUT = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_out.0"
TEXT_MODULE = "clip_l.encoder.layers.1.self_attn.q_proj"


def bits(handle: Handle[Any]) -> dict[str, Tensor]:
    """A copy of every weight."""
    return {name: weight.clone() for name, weight in handle.network.module.named_parameters()}


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


def pair() -> tuple[Tensor, Tensor]:
    dice = torch.Generator().manual_seed(5)
    return torch.randn(32, RANK, generator=dice), torch.randn(RANK, 32, generator=dice)


def kohya(path: Path, *modules: str, up: Tensor, down: Tensor) -> Path:
    tensors: dict[str, Tensor] = {}
    for module in modules:
        tensors[f"{module}.lora_up.weight"] = up.clone()
        tensors[f"{module}.lora_down.weight"] = down.clone()
        tensors[f"{module}.alpha"] = torch.tensor(ALPHA)
    return write_tensors(path, tensors)


def flat(module: str) -> str:
    return module.replace(".", "_")


@pytest.fixture
def adapter(tmp_path: Path) -> Lora:
    up, down = pair()
    names = ["lora_unet_" + flat(UNET_MODULE), "lora_unet_" + flat(UNET_OUT)]
    names.append("lora_te_text_model_" + flat(TEXT_MODULE.removeprefix("clip_l.")))
    path = kohya(tmp_path / "style.safetensors", *names, up=up, down=down)
    return read_lora(read_header(path), STRENGTH)


def test_a_lora_changes_just_its_weights_and_leaves_no_trace(tiny: Loaded, adapter: Lora):
    before = bits(tiny.model)
    patched = with_lora(tiny.model, adapter)
    assert (patched.base, patched.key) == (tiny.model.base, f"{tiny.model.key}|{adapter.key}")
    patched.bind(tiny.model.network)
    up, down = pair()
    changed = bits(patched)
    for module in (UNET_MODULE, UNET_OUT):
        expected = before[f"{module}.weight"] + STRENGTH * ALPHA / RANK * (up @ down)
        assert torch.allclose(changed[f"{module}.weight"], expected, atol=1e-5)
    touched = {name for name in before if not torch.equal(before[name], changed[name])}
    assert touched == {f"{UNET_MODULE}.weight", f"{UNET_OUT}.weight"}
    assert same(bits(tiny.model), before), "the unpatched handle finds its own weights again"
    assert same(bits(patched), changed), "and the patched one its own"
    assert same(bits(tiny.model), before)


def test_two_loras_add_up_in_any_combination(tiny: Loaded, adapter: Lora):
    before = bits(tiny.model)
    one = with_lora(tiny.model, adapter)
    two = with_lora(one, read_lora(adapter.header, -0.3))
    for handle in (one, two):
        handle.bind(tiny.model.network)
    name = f"{UNET_MODULE}.weight"
    step = bits(one)[name] - before[name]
    assert torch.allclose(bits(two)[name] - before[name], step * (0.5 / STRENGTH), atol=1e-5)
    assert with_lora(tiny.model, read_lora(adapter.header, 0.0)) is tiny.model
    assert same(bits(tiny.model), before)


def test_text_encoder_weights_are_rounded_to_halves(tiny: Loaded, adapter: Lora):
    before = bits(tiny.clip)
    patched = with_lora(tiny.clip, adapter)
    patched.bind(tiny.clip.network)
    name = f"{TEXT_MODULE}.weight"
    found = bits(patched)[name]
    up, down = pair()
    expected = (before[name] + STRENGTH * ALPHA / RANK * (up @ down)).half().float()
    assert torch.equal(found, found.half().float())
    assert (found - expected).abs().max() <= expected.abs().max() * 2**-10
    assert same(bits(tiny.clip), before)


def test_every_spelling_of_a_module_is_understood(tmp_path: Path, tiny: Loaded, adapter: Lora):
    wanted = bits(with_bound(tiny, adapter))
    up, down = pair()
    folded = up * (ALPHA / RANK)
    old = UNET_OUT.removesuffix(".to_out.0")
    spellings: dict[str, dict[str, Tensor]] = {
        "peft": {
            f"unet.{UNET_MODULE}.lora_B.weight": folded,
            f"unet.{UNET_MODULE}.lora_A.weight": down,
            f"base_model.model.unet.{UNET_OUT}.lora_B.default.weight": folded,
            f"base_model.model.unet.{UNET_OUT}.lora_A.default.weight": down,
        },
        "diffusers": {
            f"unet.{UNET_MODULE}.lora.up.weight": folded,
            f"unet.{UNET_MODULE}.lora.down.weight": down,
            f"unet.{old}.processor.to_out_lora.up.weight": folded,
            f"unet.{old}.processor.to_out_lora.down.weight": down,
        },
        "kohya, convolution": {
            f"lora_unet_{flat(UNET_MODULE)}.lora_up.weight": up[:, :, None, None],
            f"lora_unet_{flat(UNET_MODULE)}.lora_down.weight": down[:, :, None, None],
            f"lora_unet_{flat(UNET_MODULE)}.alpha": torch.tensor(ALPHA),
            f"lycoris_{flat(UNET_OUT)}.lora_up.weight": folded,
            f"lycoris_{flat(UNET_OUT)}.lora_down.weight": down,
        },
    }
    for name, tensors in spellings.items():
        path = tmp_path / f"{name}.safetensors"
        write_tensors(path, tensors)
        lora = read_lora(read_header(path), STRENGTH)
        check_fits(lora.adapters, tiny.model.source)
        found = bits(with_bound(tiny, lora))
        for key in wanted:
            assert torch.allclose(found[key], wanted[key], atol=1e-5), (name, key)
    _ = tiny.model.network


def with_bound(tiny: Loaded, lora: Lora) -> Handle[Any]:
    patched = with_lora(tiny.model, lora)
    patched.bind(tiny.model.network)
    return patched


def test_a_lora_for_another_model_is_refused(tmp_path: Path, tiny: Loaded):
    up, down = pair()
    path = kohya(tmp_path / "xl.safetensors", "lora_unet_strange_place", up=up, down=down)
    lora = read_lora(read_header(path), 1.0)
    with pytest.raises(ModelFileError, match=r"xl.safetensors: none of its 1 modules"):
        check_fits(lora.adapters, tiny.model.source, tiny.clip.source)
    name = "lora_unet_double_blocks_0_img_attn_qkv"
    flux = read_adapters(read_header(kohya(path, name, up=up, down=down)))
    with pytest.raises(ModelFileError, match="is in this model; the LoRA is for FLUX"):
        check_fits(flux, tiny.model.source, tiny.clip.source)
    before = bits(tiny.model)
    names = [f"lora_unet_{flat(module)}" for module in (UNET_OUT, UNET_MODULE)]
    path = kohya(tmp_path / "wide.safetensors", *names, up=torch.randn(64, RANK), down=down)
    wide = with_lora(tiny.model, read_lora(read_header(path), 1.0))
    with pytest.raises(ModelFileError, match="does not fit a weight of shape"):
        wide.bind(tiny.model.network)
    assert same(bits(tiny.model), before), "a failed patch leaves nothing behind"


def test_files_that_are_no_plain_lora_are_refused(tmp_path: Path):
    path = tmp_path / "x.safetensors"
    write_tensors(path, {"decoder.weight": torch.zeros(1)})
    with pytest.raises(ModelFileError, match=r"no LoRA; it holds decoder.weight"):
        read_lora(read_header(path), 1.0)
    write_tensors(path, {"lora_unet_a.lokr_w1": torch.zeros(1)})
    with pytest.raises(ModelFileError, match=r"would change nothing, as each .* lacks a half"):
        read_lora(read_header(path), 1.0)


def test_modules_nobody_knows_are_left_out_and_told(
    tmp_path: Path, tiny: Loaded, caplog: pytest.LogCaptureFixture
):
    up, down = pair()
    names = ["lora_unet_" + flat(UNET_MODULE), "lora_unet_strange_place"]
    path = kohya(tmp_path / "mixed.safetensors", *names, up=up, down=down)
    check_fits(read_adapters(read_header(path)), tiny.model.source)
    assert "1 of its 2 modules are applied; 1 are not in this model" in caplog.text


def tensor(entry: dict[str, Any]) -> Tensor:
    return torch.tensor(entry["data"]).reshape(entry["shape"])


class Layer(nn.Module):
    """One weight and its bias: what the reference cases patch."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)


def test_merging_gives_the_reference_numbers(tmp_path: Path, reference: Path):
    cases: list[dict[str, Any]] = json.loads((reference / "lora.json").read_text())["cases"]
    for case in cases:
        path = tmp_path / "case.safetensors"
        tensors = {
            ("unet.x" if name.startswith("_lora") else "unet.x.") + name: tensor(entry)
            for name, entry in case["lora"].items()
        }
        write_tensors(path, tensors)
        header = Header(path, {"x.weight": (1,), "x.bias": (1,)}, {}, "")
        source = NetworkSource(
            header, whole({"x.weight": "x.weight", "x.bias": "x.bias"}), "", {}, "UNet"
        )
        half = case["weight_dtype"] == "float16"
        values = {"x.weight": tensor(case["weight"])}
        values["x.bias"] = tensor(case["bias"]) if "bias" in case else torch.zeros(1)
        lora = read_lora(read_header(path), case["strength"])
        found = {name: value.half().float() if half else value for name, value in values.items()}
        for name, change in lora.changes(source):
            change(found[name])
        for name, entry in case["result"].items():
            expected = tensor(entry)
            result = found[f"x.{name}"]
            result = result.half().float() if half else result
            allowed = 2**-10 if half else 1e-5
            assert (result - expected).abs().max() <= allowed * expected.abs().max(), case["name"]


def test_the_tiny_model_is_as_it_was(tiny: Loaded, tiny_folder: Path):
    assert same(bits(tiny.model), bits(ready(tiny_folder).model))
    assert same(bits(tiny.clip), bits(ready(tiny_folder).clip))


def test_tensors_that_are_in_no_file_are_a_lora_too(tiny: Loaded, adapter: Lora):
    """As a node gives them that trains one."""
    tensors = {name: value.half() for name, value in read_tensors(adapter.header.path).items()}
    found = adapters_of(tensors)
    other = adapters_of({**tensors, "lora_te_text_model_x.alpha": torch.tensor(1.0)})
    assert found.header.identity != other.header.identity, "told apart by what they hold"
    assert found.header.identity == adapters_of(dict(reversed(tensors.items()))).header.identity
    expected = bits(with_bound(tiny, adapter))
    patched = bits(with_bound(tiny, Lora(found, STRENGTH)))
    assert all(torch.allclose(patched[name], expected[name], atol=2e-2) for name in expected)
    assert not same(patched, bits(tiny.model))
    with pytest.raises(ModelFileError, match="the LoRA: no LoRA; it holds x"):
        adapters_of({"x": torch.zeros(1)})
