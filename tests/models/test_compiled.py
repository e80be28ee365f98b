"""Networks that are compiled."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo import register_backend

from nodes.models.files.tensor_files import read_header
from nodes.models.networks.compiled import CompiledNetwork
from nodes.models.networks.lora import Lora, read_adapters, with_lora
from nodes.models.sampling.evaluation import StepRequest, evaluate
from nodes.models.sampling.guiders import cfg_guider
from tests.models.conftest import Loaded, handles
from tests.models.test_attention_guidance import SIGMA, X
from tests.models.test_lora import UNET_MODULE, flat, kohya, pair


def test_a_compiled_network_answers_as_it_does_with_weights_that_change():
    module = nn.Sequential(nn.Linear(3, 3), nn.GELU()).requires_grad_(False)
    compiled = CompiledNetwork(module, "eager")
    x = torch.randn(2, 3)
    assert torch.allclose(compiled(x), module(x))
    first: Any = module[0]
    first.weight.mul_(2)
    assert torch.allclose(compiled(x), module(x))


def test_what_cannot_be_compiled_is_computed_as_it_is(caplog: pytest.LogCaptureFixture):
    def fails(graph: object, inputs: object) -> Any:
        raise ValueError("there is no compiler")

    backends: Any = register_backend
    backends(fails, "fails")
    module = nn.Linear(3, 3).requires_grad_(False)
    compiled = CompiledNetwork(module, "fails")
    x = torch.randn(2, 3)
    with caplog.at_level(logging.WARNING):
        assert torch.equal(compiled(x), module(x))
        assert torch.equal(compiled(x), module(x))
    assert sum("torch.compile with fails fails" in line for line in caplog.messages) == 1


def test_a_model_is_asked_by_what_is_compiled_unless_something_is_beside_it(
    tiny: Loaded, tiny_folder: Path, tmp_path: Path
):
    model = replace(handles(tiny_folder).model, compiled="eager")
    assert model.base != tiny.model.base
    model = model.ready()
    network, calls = model.network, 0

    def counted(*args: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        return network.module(*args, **named)

    assert isinstance(network.compiled, CompiledNetwork)
    network.compiled = counted
    text = tiny.clip.encode("cat")

    def asked(of: Any) -> Tensor:
        return evaluate([StepRequest(cfg_guider(of, text), X, SIGMA)])[0]

    assert torch.allclose(asked(model), asked(tiny.model), atol=1e-5)
    assert calls == 1
    up, down = pair()
    path = kohya(tmp_path / "l.safetensors", f"lora_unet_{flat(UNET_MODULE)}", up=up, down=down)
    adapters = read_adapters(read_header(path))
    for aside, count in ((True, 1), (False, 2)):
        changed = with_lora(model, Lora(adapters, 0.5, aside))
        changed.bind(network)
        plain = with_lora(tiny.model, Lora(adapters, 0.5))
        plain.bind(tiny.model.network)
        assert torch.allclose(asked(changed), asked(plain), atol=1e-4)
        assert calls == count
