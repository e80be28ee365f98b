"""Every kind of adapter does what the program that trains it does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes.models.families.family import UNET
from nodes.models.files.pieces import NetworkSource, whole
from nodes.models.files.tensor_files import Header, ModelFileError, read_header
from nodes.models.networks.lora import read_lora
from tests.models.conftest import write_tensors

NUMBERS = Path(__file__).with_name("lycoris_numbers.json")
"""Made by modules of LyCORIS 4.1.3 from these tensors: `get_merged_weight`, for LoHa and LoKr,
whose scale counts twice there, the weight and `get_weight`."""
CASES: list[dict[str, Any]] = json.loads(NUMBERS.read_text())
SOURCE = NetworkSource(
    Header(Path("x"), {}, {}, ""),
    whole({"x.weight": "x.weight", "x.bias": "x.bias"}),
    "",
    {},
    UNET,
)


def tensor(entry: dict[str, Any]) -> Tensor:
    return torch.tensor(entry["data"]).reshape(entry["shape"])


def randn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def patched(path: Path, tensors: dict[str, Tensor], strength: float, **given: Tensor) -> Any:
    """The weight, and the bias, of module x after a LoRA of these tensors."""
    named = {f"lora_unet_x.{name}": value for name, value in tensors.items()}
    lora = read_lora(read_header(write_tensors(path / "a.safetensors", named)), strength)
    assert lora.adapters.unread == ()
    found = {f"x.{name}": value.clone() for name, value in given.items()}
    for name, change in lora.changes(SOURCE):
        change(found[name])
    return found


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_lycoris_adapters_give_the_numbers_of_lycoris(tmp_path: Path, case: dict[str, Any]):
    weight = tensor(case["weight"])
    tensors = {name: tensor(entry) for name, entry in case["tensors"].items()}
    for strength, result in case["results"].items():
        found = patched(tmp_path, tensors, float(strength), weight=weight)["x.weight"]
        expected = torch.tensor(result).reshape(weight.shape)
        assert (found - expected).abs().max() <= 1e-5 * expected.abs().max(), strength


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_an_adapter_of_little_strength_changes_little(tmp_path: Path, case: dict[str, Any]):
    weight = tensor(case["weight"])
    tensors = {name: tensor(entry) for name, entry in case["tensors"].items()}
    one, other = (
        patched(tmp_path, tensors, strength, weight=weight)["x.weight"] - weight
        for strength in (1e-4, -1e-4)
    )
    assert float(one.abs().max()) < 0.01
    assert torch.allclose(one, -other, atol=1e-5), "the other way below 0"


def test_glora_of_older_lycoris_names_its_layers_the_other_way_round(tmp_path: Path):
    weight, rank = randn(6, 4), 2
    first, last = randn(rank, 4, seed=2), randn(4, rank, seed=3)
    down, up = randn(rank, 4, seed=4), randn(6, rank, seed=5)
    new = {"a1": last, "a2": first, "b1": up, "b2": down}
    old = {"a1": first, "a2": last, "b1": down, "b2": up}
    expected = weight + 0.5 * (weight @ last @ first + up @ down) * 0.7 / rank
    for names in (new, old):
        tensors = {f"{name}.weight": value for name, value in names.items()}
        tensors["alpha"] = torch.tensor(0.7)
        found = patched(tmp_path, tensors, 0.5, weight=weight)["x.weight"]
        assert torch.allclose(found, expected, atol=1e-5)


def test_rotations_that_older_lycoris_wrote_out_are_taken_as_they_are(tmp_path: Path):
    weight = randn(6, 4)
    skew = randn(2, 3, 3, seed=2)
    skew = skew - skew.mT
    unit = torch.eye(3)
    turns: Tensor = (unit + skew) @ (unit - skew).inverse()
    expected = torch.cat([turns[0].T @ weight[:3], turns[1].T @ weight[3:]])
    found = patched(tmp_path, {"oft_diag": turns}, 1.0, weight=weight)["x.weight"]
    assert torch.allclose(found, expected, atol=1e-5)


def test_ia3_of_peft_multiplies_rows_with_their_bias_or_columns(tmp_path: Path):
    weight, bias = randn(6, 4), randn(6, seed=2)
    rows, columns = randn(6, 1, seed=3), randn(1, 4, seed=4)
    found = patched(tmp_path, {"ia3_l": rows}, 0.5, weight=weight, bias=bias)
    assert torch.allclose(found["x.weight"], weight * (1 + rows) / 2)
    assert torch.allclose(found["x.bias"], bias * (1 + rows[:, 0]) / 2)
    found = patched(tmp_path, {"ia3_l.default": columns}, 1.0, weight=weight, bias=bias)
    assert torch.allclose(found["x.weight"], weight * columns)
    assert torch.equal(found["x.bias"], bias)


@pytest.mark.parametrize("ending", ["lora_B.bias", "lora_B.default.bias"])
def test_the_bias_of_peft_has_the_scale_of_its_weight(tmp_path: Path, ending: str):
    weight, bias, up, down = randn(6, 4), randn(6, seed=2), randn(6, 2, seed=3), randn(2, 4, seed=4)
    tensors = {"lora_B.weight": up, "lora_A.weight": down, "alpha": torch.tensor(4.0)}
    tensors[ending] = added = randn(6, seed=5)
    found = patched(tmp_path, tensors, 0.5, weight=weight, bias=bias)
    assert torch.allclose(found["x.weight"], weight + up @ down, atol=1e-5)
    assert torch.allclose(found["x.bias"], bias + added, atol=1e-6)


def test_dora_leaves_the_bias_to_diff_b(tmp_path: Path):
    weight, bias, up, down = randn(6, 4), randn(6, seed=2), randn(6, 2, seed=3), randn(2, 4, seed=4)
    tensors = {"lora_up.weight": up, "lora_down.weight": down, "dora_scale": torch.ones(6, 1)}
    tensors["diff_b"] = randn(6, seed=5)
    found = patched(tmp_path, tensors, 0.5, weight=weight, bias=bias)
    assert torch.allclose(found["x.bias"], bias + tensors["diff_b"] / 2)
    whole = torch.nn.functional.normalize(weight + up @ down, dim=1)
    assert torch.allclose(found["x.weight"], (weight + whole) / 2, atol=1e-6)


def test_rank_zero_changes_nothing(tmp_path: Path):
    weight = randn(6, 4)
    tensors = {"lora_up.weight": torch.zeros(6, 0), "lora_down.weight": torch.zeros(0, 4)}
    tensors["alpha"] = torch.tensor(1.0)
    assert torch.equal(patched(tmp_path, tensors, 1.0, weight=weight)["x.weight"], weight)


def test_tensors_that_do_not_fit_each_other_are_named(tmp_path: Path):
    tensors = {"lokr_w1_a": randn(2, 1), "lokr_w1_b": randn(3, 2), "lokr_w2": randn(3, 2)}
    with pytest.raises(ModelFileError, match=r"lora_unet_x: its tensors do not fit each other"):
        patched(tmp_path, tensors, 1.0, weight=randn(6, 4))
    blocks = {"oft_blocks": randn(2, 4, 4)}
    with pytest.raises(ModelFileError, match=r"does not fit a weight of shape \(6, 4\)"):
        patched(tmp_path, blocks, 1.0, weight=randn(6, 4))
