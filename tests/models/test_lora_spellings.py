"""One LoRA in all its spellings, the kinds that are no plain LoRA, and what is left out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from nodes.models.families.family import TEXT_ENCODER, UNET
from nodes.models.files.pieces import NetworkSource, whole
from nodes.models.files.tensor_files import Header, ModelFileError, read_header
from nodes.models.networks.lora import Lora, check_fits, read_lora
from tests.models.conftest import write_tensors

RANK, SIZE = 2, 6
UNET_TO_Q = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
UNET_OUT = "mid_block.attentions.0.transformer_blocks.0.attn2.to_out.0"
TEXT_Q = "encoder.layers.0.self_attn.q_proj"
TEXT_OUT = "encoder.layers.0.self_attn.out_proj"


def source(title: str, *modules: str, columns: int = SIZE) -> NetworkSource:
    names = {f"{module}.{end}": f"x.{module}.{end}" for module in modules for end in ENDS}
    shapes = dict.fromkeys(names.values(), (SIZE, SIZE))
    wide = {name: (SIZE, columns) for name in shapes if ".attn2.to_k" in name}
    return NetworkSource(Header(Path("x"), shapes | wide, {}, ""), whole(names), "x.", {}, title)


ENDS = ("weight", "bias")
UNET_SOURCE, TEXT_SOURCE = source(UNET, UNET_TO_Q, UNET_OUT), source(TEXT_ENCODER, TEXT_Q, TEXT_OUT)


def flat(module: str) -> str:
    return module.replace(".", "_")


def processor(module: str, old: str) -> str:
    """As diffusers named attention processors: ``...attn1.processor.to_q_lora``."""
    return f"{module.removesuffix('.0').rpartition('.')[0]}.{old}"


# How a module is spelled: {m} with dots, {f} with underscores, {p} as early diffusers' processors.
UNET_NAMES = (
    "lora_unet_{f}", "lycoris_{f}", "unet.{m}", "{m}", "base_model.model.{m}",
    "base_model.model.unet.{m}", "unet.base_model.model.{m}", "diffusion_model.{m}",
)  # fmt: skip
TEXT_NAMES = (
    "lora_te_text_model_{f}", "lora_te1_text_model_{f}", "text_encoder.text_model.{m}",
    "text_encoder.{m}", "text_model.{m}", "base_model.model.text_model.{m}",
    "text_encoder.text_model.{p}",
)  # fmt: skip


def named(spelling: str, module: str) -> str:
    """A module's name in a spelling."""
    old = module.replace("q_proj", "to_q").replace("out_proj", "to_out")
    return spelling.format(m=module, f=flat(module), p=old)


# How the two halves and the scale are spelled.
PAIRS = [
    (".lora_up.weight", ".lora_down.weight", ".alpha"),
    (".lora_B.weight", ".lora_A.weight", ".alpha"),
    (".lora_B.default.weight", ".lora_A.default.weight", ".alpha"),
    (".lora_B.mystyle.weight", ".lora_A.mystyle.weight", ".lora_alpha"),
    (".lora_B", ".lora_A", ".alpha"),
    (".lora_up", ".lora_down", ".alpha"),
    (".lora.up.weight", ".lora.down.weight", ".lora.alpha"),
    ("_lora.up.weight", "_lora.down.weight", "_lora.alpha"),
    (".lora_linear_layer.up.weight", ".lora_linear_layer.down.weight", ".alpha"),
]


def halves() -> tuple[Tensor, Tensor]:
    dice = torch.Generator().manual_seed(5)
    return torch.randn(SIZE, RANK, generator=dice), torch.randn(RANK, SIZE, generator=dice)


def weight() -> Tensor:
    return torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(6))


def written(path: Path, tensors: dict[str, Tensor], strength: float = 1.0) -> Lora:
    return read_lora(read_header(write_tensors(path, tensors)), strength)


def patched(lora: Lora, source: NetworkSource) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name, change in lora.changes(source):
        change(found.setdefault(name, weight()))
    return found


@given(
    st.sampled_from(UNET_NAMES), st.sampled_from(TEXT_NAMES), st.sampled_from(PAIRS),
    st.sampled_from([None, 1.0, 4.0]),
)  # fmt: skip
@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_lora_changes_the_same_bits_in_every_spelling(
    tmp_path: Path, unet: str, text: str, pair: tuple[str, str, str], alpha: float | None
):
    up, down = halves()
    modules = [named(unet, m) for m in (UNET_TO_Q, UNET_OUT)]
    modules += [named(text, m) for m in (TEXT_Q, TEXT_OUT)]
    tensors: dict[str, Tensor] = {}
    for module in modules:
        tensors |= {module + pair[0]: up, module + pair[1]: down}
        if alpha is not None:
            tensors[module + pair[2]] = torch.tensor(alpha)
    lora = written(tmp_path / "a.safetensors", tensors)
    told: list[str] = []
    check_fits(lora.adapters, UNET_SOURCE, TEXT_SOURCE, warn=told.append)
    assert told == []
    expected = weight()
    expected.addmm_(up, down, alpha=1.0 if alpha is None else alpha / RANK)
    for target, names in ((UNET_SOURCE, (UNET_TO_Q, UNET_OUT)), (TEXT_SOURCE, (TEXT_Q, TEXT_OUT))):
        found = patched(lora, target)
        assert found.keys() == {f"{name}.weight" for name in names}
        assert all(torch.equal(changed, expected) for changed in found.values())


def test_processors_of_early_diffusers_are_understood_with_and_without_a_beginning(tmp_path: Path):
    up, down = halves()
    for begin in ("", "unet."):
        tensors: dict[str, Tensor] = {}
        for module, old in (
            (UNET_TO_Q, "processor.to_q_lora"),
            (UNET_OUT, "processor.to_out_lora"),
        ):
            place = begin + processor(module, old)
            tensors |= {f"{place}.up.weight": up, f"{place}.down.weight": down}
        found = patched(written(tmp_path / "a.safetensors", tensors), UNET_SOURCE)
        assert found.keys() == {f"{UNET_TO_Q}.weight", f"{UNET_OUT}.weight"}


@pytest.mark.parametrize("strength", [1.0, 0.5, -1.0])
@pytest.mark.parametrize(
    ("ending", "shape", "axis"),
    [
        (".lora_magnitude_vector", (SIZE,), 0),
        (".lora_magnitude_vector.weight", (SIZE,), 0),
        (".lora_magnitude_vector.mystyle.weight", (SIZE,), 0),
        (".dora_scale", (SIZE, 1), 0),
        (".dora_scale", (1, SIZE), 1),
    ],
)
def test_dora_gives_the_changed_weight_lengths_of_its_own(
    tmp_path: Path, ending: str, shape: tuple[int, ...], axis: int, strength: float
):
    up, down = halves()
    place, magnitude = f"unet.{UNET_TO_Q}", torch.rand(SIZE) + 0.5
    tensors = {f"{place}.lora_B.weight": up, f"{place}.lora_A.weight": down}
    tensors |= {f"{place}.alpha": torch.tensor(1.0), place + ending: magnitude.reshape(shape)}
    lora = written(tmp_path / "a.safetensors", tensors, strength)
    found = patched(lora, UNET_SOURCE)[f"{UNET_TO_Q}.weight"]
    merged = weight() + up @ down / RANK
    view = (-1, 1) if axis == 0 else (1, -1)
    whole = magnitude.reshape(view) * merged / merged.square().sum(1 - axis, keepdim=True).sqrt()
    assert torch.allclose(found, weight() + strength * (whole - weight()), atol=1e-5)
    assert lora.adapters.unread == ()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("base_model.model.x.oft_R.default.weight", "OFT"),
        ("base_model.model.x.boft_R.default", "OFT"),
        ("base_model.model.x.vera_lambda_b", "VeRA"),
    ],
)
def test_kinds_that_are_not_applied_are_refused_by_name(tmp_path: Path, name: str, kind: str):
    with pytest.raises(ModelFileError, match=f"of a .*{kind}.* adapter, which is not supported"):
        written(tmp_path / "a.safetensors", {name: torch.zeros(2), "x.alpha": torch.zeros(())})


def test_what_would_change_nothing_is_refused(tmp_path: Path):
    up, down = halves()
    path = tmp_path / "a.safetensors"
    with pytest.raises(ModelFileError, match=r"would change nothing, as each .* lacks a half"):
        written(path, {f"unet.{UNET_TO_Q}.lora_A.weight": down})
    with pytest.raises(ModelFileError, match="would change nothing"):
        written(path, {f"unet.{UNET_TO_Q}.alpha": torch.tensor(1.0)})
    no_bias = source(UNET)
    with pytest.raises(ModelFileError, match="none of its 1 modules"):
        check_fits(written(path, {f"unet.{UNET_TO_Q}.diff_b": torch.zeros(6)}).adapters, no_bias)
    two = {f"unet.{UNET_TO_Q}.lora_B.{name}.weight": up for name in ("one", "two")}
    with pytest.raises(ModelFileError, match=r"holds 2 adapters at once \(one, two\)"):
        written(path, two)


def test_tensors_that_nobody_looks_at_are_counted(tmp_path: Path):
    up, down = halves()
    tensors = {
        f"unet.{UNET_TO_Q}.lora_B.weight": up,
        f"unet.{UNET_TO_Q}.lora_A.weight": down,
        f"unet.{UNET_TO_Q}.reshape_weight": torch.zeros(2),
        f"unet.{UNET_OUT}.lora_A.weight": down,
        f"lora_te_text_model_{flat(TEXT_Q)}.lora_up.weight": up,
        f"lora_te_text_model_{flat(TEXT_Q)}.lora_down.weight": down,
    }
    lora, told = written(tmp_path / "a.safetensors", tensors), list[str]()
    check_fits(lora.adapters, UNET_SOURCE, warn=told.append)
    assert told == [
        "a.safetensors: 2 of its 6 tensors mean nothing here and are left out "
        f"(unet.{UNET_TO_Q}.reshape_weight, ...)"
    ]


def test_layers_that_a_file_counts_are_found_by_their_order_and_shapes(tmp_path: Path):
    """cloneofsimo's program: down, up and middle blocks, GEGLU between the attentions or last."""
    up, down = halves()
    wide = torch.randn(RANK, 9)
    layers = [f"attn{n}.{layer}" for n in (1, 2) for layer in ("to_q", "to_k", "to_v", "to_out.0")]
    layers.append("ff.net.0.proj")
    blocks = [f"{side}.attentions.0.transformer_blocks.0" for side in SIDES]
    unet = source(UNET, *(f"{block}.{layer}" for block in blocks for layer in layers), columns=9)
    for order in ([*layers[:4], layers[8], *layers[4:8]], layers, layers[:8]):
        tensors: dict[str, Tensor] = {}
        counted = [f"{block}.{layer}" for block in blocks for layer in order]
        for number, layer in enumerate(counted):
            tensors[f"unet:{number}:up"] = up
            tensors[f"unet:{number}:down"] = wide if layer.endswith("attn2.to_k") else down
        found = written(tmp_path / "a.safetensors", tensors).adapters.targets(unet)
        assert [found[f"unet:{number}"] for number in range(len(counted))] == counted
        del tensors["unet:0:up"]
        assert not written(tmp_path / "a.safetensors", tensors).adapters.targets(unet)


SIDES = ("down_blocks.0", "down_blocks.1", "up_blocks.1", "mid_block")


def test_layers_of_a_text_encoder_are_counted_too(tmp_path: Path):
    up, down = halves()
    order = [f"self_attn.{layer}_proj" for layer in ("k", "v", "q", "out")]
    counted = [f"encoder.layers.{number}.{layer}" for number in range(11) for layer in order]
    text = source(TEXT_ENCODER, *counted)
    tensors = {
        f"text_encoder:{number}:{half}": tensor
        for number in range(len(counted))
        for half, tensor in (("up", up), ("down", down))
    }
    found = written(tmp_path / "a.safetensors", tensors).adapters.targets(text)
    assert [found[f"text_encoder:{number}"] for number in range(len(counted))] == counted
