"""Networks are built without storage for weights, and with everything that no file holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nodes.models.files.pieces import NetworkSource, whole
from nodes.models.files.tensor_files import Header, ModelFileError
from nodes.models.networks.building import built, filled


class Turning(nn.Module):
    """Has every kind of tensor that a network may have."""

    plain: Tensor
    table: Tensor
    frequencies: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.norm = nn.LayerNorm(3)
        self.register_buffer("table", torch.zeros(2, 3))
        self.register_buffer("frequencies", torch.arange(3.0) / 3, persistent=False)
        self.plain = torch.linspace(0, 1, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.layer(x)) + self.table[0] + self.frequencies


def source(shapes: dict[str, tuple[int, ...]]) -> NetworkSource:
    names = {name: name for name in shapes}
    return NetworkSource(Header(Path("x"), shapes, {}, ""), whole(names), "", {}, "denoiser")


def tensors() -> dict[str, Tensor]:
    return {name: torch.randn(tensor.shape) for name, tensor in Turning().state_dict().items()}


def test_weights_and_kept_buffers_come_from_the_file_and_the_rest_is_computed():
    file = tensors()
    module = built(Turning)
    assert module.layer.weight.is_meta
    found = filled(
        module, source({n: tuple(t.shape) for n, t in file.items()}), file, "cpu", torch.float32
    )
    expected = Turning()
    expected.load_state_dict(file)
    x = torch.randn(2, 4)
    assert torch.equal(found(x), expected(x))
    assert torch.equal(found.plain, expected.plain)
    assert found.layer.weight.data_ptr() != file["layer.weight"].data_ptr(), "a copy"


def test_what_is_missing_or_of_another_shape_is_named():
    file = tensors()
    shapes = {name: tuple(tensor.shape) for name, tensor in file.items()}
    lacking = {name: shape for name, shape in shapes.items() if name != "norm.bias"}
    with pytest.raises(ModelFileError, match=r"lacks 1 weights \(norm.bias"):
        filled(built(Turning), source(lacking), file, "cpu", torch.float32)
    with pytest.raises(ModelFileError, match="holds no denoiser; take one from another file"):
        filled(built(Turning), source({}), file, "cpu", torch.float32)
    wrong: dict[str, Any] = {**file, "norm.bias": torch.zeros(7)}
    with pytest.raises(ModelFileError, match=r"norm.bias has shape \(7,\), .* needs \(3,\)"):
        filled(built(Turning), source(shapes), wrong, "cpu", torch.float32)


def test_rotary_embeddings_of_transformers_have_their_values():
    """Their frequencies are in no file: built on the meta device they would be nothing."""
    from diffusers.models.transformers.transformer_wan import WanTransformer3DModel

    kind: Any = WanTransformer3DModel
    settings: dict[str, Any] = {
        "num_attention_heads": 2, "attention_head_dim": 12, "in_channels": 4, "out_channels": 4,
        "text_dim": 16, "freq_dim": 16, "ffn_dim": 32, "num_layers": 1,
    }  # fmt: skip
    plain, empty = kind(**settings), built(lambda: kind(**settings))
    file = dict(plain.state_dict())
    whole_source = source({name: tuple(tensor.shape) for name, tensor in file.items()})
    found = filled(empty, whole_source, file, "cpu", torch.float32)
    given = {
        "hidden_states": torch.randn(1, 4, 1, 4, 4),
        "timestep": torch.tensor([5]),
        "encoder_hidden_states": torch.randn(1, 3, 16),
    }
    with torch.no_grad():
        assert torch.equal(found(**given).sample, plain.eval()(**given).sample)
