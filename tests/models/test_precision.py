"""The number format that models run in: chosen, or what the device does well, and told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import nodes
from engine.authoring.registry import Registry
from nodes.model_precision import compute_in
from nodes.models.families.sdxl import SDXL
from nodes.models.files.checkpoints import read_denoiser
from nodes.models.files.tensor_files import read_header
from nodes.models.networks.denoiser import Denoiser
from nodes.models.networks.lora import Lora, read_adapters
from nodes.models.networks.precision import VARIABLE, compute_dtype, cpu_has_bf16, what_ran
from tests.models.conftest import handles, write_tensors
from tests.models.test_unet_families import KINDS, denoiser_tensors, made

Environment = pytest.MonkeyPatch


@pytest.fixture
def chosen(monkeypatch: Environment) -> Any:
    """Choose a precision as `serve` does: in the environment of the worker."""

    def choose(precision: str) -> None:
        monkeypatch.setenv(VARIABLE, precision)

    return choose


def test_the_cpu_is_asked_whether_it_multiplies_bfloat16(tmp_path: Path):
    facts = tmp_path / "cpuinfo"
    facts.write_text("processor : 0\nflags\t\t: fpu avx512_bf16 amx_tile amx_int8\n")
    assert not cpu_has_bf16(facts), "the instructions for vectors are slower than float32"
    facts = tmp_path / "newer"
    facts.write_text("flags\t\t: fpu amx_bf16 amx_tile\n")
    assert cpu_has_bf16(facts)
    assert not cpu_has_bf16(tmp_path / "none")


def test_auto_takes_what_the_cpu_does_well(chosen: Any):
    chosen("auto")
    fast = torch.bfloat16 if cpu_has_bf16() else torch.float32
    assert compute_dtype("cpu") is fast
    assert compute_dtype("cpu", ("fp16",)) is torch.float32
    assert what_ran().split()[0] in ("fp32", "bf16", "fp16")


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks the GPU that is here")
def test_auto_takes_float16_on_a_gpu_that_is_not_known_to_have_better(chosen: Any):
    chosen("auto")
    assert compute_dtype("cuda:0") is torch.float16
    assert compute_dtype("cuda:0", ("bf16",)) is torch.float32, "not safe there"


@pytest.mark.parametrize("name", ["fp32", "bf16", "fp16"])
def test_what_is_chosen_is_taken_where_the_network_bears_it(chosen: Any, name: str):
    chosen(name)
    formats = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    assert compute_dtype("cpu") is formats[name]
    assert compute_dtype("cuda:0") is formats[name]
    assert compute_dtype("cpu", (name,)) is formats[name]
    others = tuple({"bf16", "fp16"} - {name})
    expected = torch.float32 if name == "fp32" else compute_dtype("cpu", others)
    assert expected in (torch.float32, torch.bfloat16)


def test_a_model_may_have_a_precision_of_its_own(chosen: Any, tiny_folder: Path):
    chosen("fp32")
    model = handles(tiny_folder).model
    half: Any = compute_in(model=model, dtype="bf16")
    assert half.base != model.base, "both may be loaded at once"
    assert half.ready().network.dtype is torch.bfloat16
    assert half.nbytes("cpu") == model.nbytes("cpu") / 2
    assert compute_in(model=half, dtype="default").dtype_on("cpu") is torch.float32


def test_sizes_that_sdxl_is_told_are_not_rounded():
    sizes = torch.tensor([[1023.0, 1001.0, 3.0, 0.0, 1023.0, 1001.0]])
    seen: dict[str, Any] = {}

    def network(x: torch.Tensor, timestep: torch.Tensor, **given: Any) -> tuple[torch.Tensor]:
        seen.update(given)
        return (x,)

    x = torch.zeros(1, 4, 8, 8, dtype=torch.bfloat16)
    inputs = {"text": torch.zeros(1, 2, 8), "pooled": torch.zeros(1, 8), "sizes": sizes}
    SDXL.call(network, x, torch.ones(1), inputs)
    assert torch.equal(seen["added_cond_kwargs"]["time_ids"], sizes)
    assert seen["encoder_hidden_states"].dtype is torch.bfloat16


@pytest.mark.parametrize("name", ["SDXL", "refiner", "SD2"])
def test_a_unet_answers_in_bfloat16_nearly_as_in_float32(chosen: Any, tmp_path: Path, name: str):
    path = write_tensors(tmp_path / "a.safetensors", denoiser_tensors(made(KINDS[name])))
    x = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    given = {"text": torch.randn(1, 5, 64, generator=torch.Generator().manual_seed(2))}
    label = KINDS[name].settings.get("projection_class_embeddings_input_dim")
    if label is not None:
        count = 5 if name == "refiner" else 6
        given["sizes"] = torch.full((1, count), 1023.0)
        given["pooled"] = torch.randn(1, label - 256 * count)
    found: list[torch.Tensor] = []
    for precision in ("fp32", "bf16"):
        chosen(precision)
        model = Denoiser.of(read_denoiser(path)).ready()
        found.append(model.denoised(x, torch.tensor([2.0]), given))
    assert torch.allclose(found[0], found[1], atol=0.1)
    assert not torch.equal(found[0], found[1])


def test_results_in_one_precision_are_not_those_of_another(chosen: Any):
    versions: set[str] = set()
    for name in ("auto", "fp32", "bf16", "fp16"):
        chosen(name)
        registry = Registry()
        registry.add_pack(nodes)
        versions.add(registry.nodes["KSampler"].version)
    assert len(versions) == 4


def test_a_model_in_halves_takes_half_and_leaves_a_lora_without_a_trace(
    chosen: Any, tmp_path: Path, tiny_folder: Path
):
    exact = handles(tiny_folder).model.ready()
    whole = exact.nbytes("cpu")
    chosen("bf16")
    made = handles(tiny_folder)
    model = made.model.ready()
    assert model.network.dtype is torch.bfloat16
    taken = sum(weight.nbytes for weight in model.network.module.parameters())
    assert taken == model.nbytes("cpu") == whole / 2
    assert made.vae.ready().network.dtype is torch.bfloat16
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    text = torch.randn(1, 5, 32, generator=torch.Generator().manual_seed(2))
    asked = (x, torch.tensor([2.0]), {"text": text})
    before = model.denoised(*asked)
    assert before.dtype is torch.float32
    assert torch.allclose(before, exact.denoised(*asked), atol=0.1)
    place = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    rows, columns = model.network.module.get_parameter(f"{place}.weight").shape
    pair = {"lora_A": torch.ones(2, columns), "lora_B": torch.ones(rows, 2)}
    named = {f"unet.{place}.{name}.weight": value for name, value in pair.items()}
    named |= {
        "unet.conv_in.lora_A.weight": torch.ones(2, 4, 3, 3),
        "unet.conv_in.lora_B.weight": torch.ones(32, 2, 1, 1),
    }
    lora = Lora(read_adapters(read_header(write_tensors(tmp_path / "a.safetensors", named))), 0.5)
    patched = replace(model, patches=(lora,))
    patched.bind(model.network)
    assert not torch.equal(patched.denoised(*asked), before)
    assert torch.equal(model.denoised(*asked), before)
