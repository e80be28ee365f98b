"""Families of transformers: recognised by their headers, loaded, asked as diffusers asks them.

The files are tiny, of random weights; widths are as small as heads of 128 numbers allow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel
from torch import Tensor

from nodes.models.conditioning.inputs import InputsRequest
from nodes.models.files.checkpoints import read_denoiser
from nodes.models.networks.denoiser import Denoiser
from nodes.models.sampling import guiders
from nodes.models.sampling.evaluation import StepRequest, evaluate
from tests.models import transformers
from tests.models.conftest import write_tensors

CONTEXT, POOLED = 24, 12
LEVEL = 0.6
ROWS, COLUMNS = 5, 6
"""Of the latents; not all sides are multiples of a patch."""


@dataclass(frozen=True)
class Asked:
    """What a network is asked in a test."""

    x: Tensor
    text: Tensor
    options: dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of model.

    Attributes:
        family: its name.
        network: class of diffusers.
        settings: of a tiny one.
        original: its weights in original names.
        answer: what diffusers' network gives, called as the original code calls it.
        channels: of the latents.
        options: of the conditioning.
    """

    family: str
    network: Any
    settings: dict[str, Any]
    original: Callable[[transformers.Weights], dict[str, Tensor]]
    answer: Callable[[Any, Asked], Tensor]
    channels: int = 16
    options: dict[str, Any] = field(default_factory=dict[str, Any])


def asked(kind: Kind) -> Asked:
    torch.default_generator.manual_seed(3)
    x = torch.randn(2, kind.channels, ROWS, COLUMNS)
    return Asked(
        x, torch.randn(1, 7, CONTEXT), {"pooled_output": torch.randn(1, POOLED), **kind.options}
    )


def tokens(x: Tensor, *, first: int = 0, top: int = 0, left: int = 0) -> tuple[Tensor, Tensor]:
    """Patches of 2 x 2 as tokens, and their places; sides that are odd begin again."""
    for axis in (-2, -1):
        if x.shape[axis] % 2:
            x = torch.cat([x, x.narrow(axis, 0, 1)], dim=axis)
    found: list[Tensor] = []
    places: list[list[int]] = []
    for row in range(x.shape[-2] // 2):
        for column in range(x.shape[-1] // 2):
            patch = x[:, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            found.append(patch.flatten(1))
            places.append([first, top + row, left + column])
    return torch.stack(found, dim=1), torch.tensor(places)


def picture(tokens: Tensor, rows: int, columns: int) -> Tensor:
    """The inverse of `tokens`."""
    found = torch.zeros(len(tokens), tokens.shape[-1] // 4, rows + rows % 2, columns + columns % 2)
    for place, token in enumerate(tokens.unbind(1)):
        row, column = divmod(place, found.shape[-1] // 2)
        patch = token.reshape(len(tokens), -1, 2, 2)
        found[:, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = patch
    return found[..., :rows, :columns]


FLUX = {
    "num_layers": 1,
    "num_single_layers": 2,
    "num_attention_heads": 1,
    "joint_attention_dim": CONTEXT,
    "pooled_projection_dim": POOLED,
    "out_channels": 64,
}


def flux_answer(module: Any, asked: Asked) -> Tensor:
    options, x = asked.options, asked.x
    beside = [x]
    if "concat_latent_image" in options:
        beside += [((options["concat_latent_image"] - 0.1159) * 0.3611).expand(2, -1, -1, -1)]
    if "concat_mask" in options:
        rows = [row.chunk(COLUMNS, -1) for row in options["concat_mask"].chunk(ROWS, -2)]
        cells = torch.stack([torch.stack([c.flatten() for c in row], -1) for row in rows], -2)
        beside += [cells.expand(2, -1, -1, -1)]
    seen, places = tokens(torch.cat(beside, dim=1))
    for latents, corner in zip(
        options.get("reference_latents", ()), options.get("corners", ()), strict=True
    ):
        more, where = tokens(
            ((latents - 0.1159) * 0.3611).expand(2, -1, -1, -1),
            first=corner[0], top=corner[1], left=corner[2],
        )  # fmt: skip
        seen, places = torch.cat([seen, more], dim=1), torch.cat([places, where])
    guidance = options.get("guidance", 3.5)
    found = module(
        hidden_states=seen,
        encoder_hidden_states=asked.text.expand(2, -1, -1),
        pooled_projections=options["pooled_output"].expand(2, -1),
        timestep=torch.full((2,), LEVEL),
        guidance=torch.full((2,), guidance) if module.config.guidance_embeds else None,
        img_ids=places,
        txt_ids=torch.zeros(asked.text.shape[1], 3),
    ).sample
    return picture(found[:, : -(-ROWS // 2) * -(-COLUMNS // 2)], ROWS, COLUMNS)


def flux(options: dict[str, Any], channels: int = 64, *, guided: bool = True) -> Kind:
    settings = FLUX | {"in_channels": channels, "guidance_embeds": guided}
    return Kind(
        "FLUX.1", FluxTransformer2DModel, settings, transformers.flux, flux_answer, 16, options
    )


SEEN = {
    "concat_latent_image": torch.linspace(-1, 1, 16 * ROWS * COLUMNS).reshape(1, 16, ROWS, COLUMNS)
}
MASK = {"concat_mask": (torch.arange(64 * ROWS * COLUMNS) % 7 > 3).float().reshape(1, ROWS * 8, -1)}
REFERENCES = [torch.ones(1, 16, 4, 6), torch.full((1, 16, 6, 2), 0.5), torch.zeros(1, 16, 2, 2) - 1]
KINDS = {
    "FLUX.1 dev": flux({"guidance": 2.0}),
    "FLUX.1 schnell": flux({}, guided=False),
    "FLUX.1 Fill": flux(SEEN | MASK, 384),
    "FLUX.1 control": flux(SEEN, 128),
    "FLUX.1 Kontext": flux(
        {"reference_latents": REFERENCES, "corners": [(1, 0, 0), (1, 0, 3), (1, 3, 0)]}
    ),
    "FLUX.1 Kontext by numbers": flux(
        {
            "reference_latents": REFERENCES,
            "reference_latents_method": "index",
            "corners": [(1, 0, 0), (2, 0, 0), (3, 0, 0)],
        }
    ),
}


@pytest.mark.parametrize("names", ["original", "diffusers"])
@pytest.mark.parametrize("name", KINDS)
def test_a_file_is_recognised_and_answers_as_diffusers_network(
    name: str, names: str, tmp_path: Path
):
    kind = KINDS[name]
    theirs = transformers.made(kind.network, kind.settings)
    weights: dict[str, Tensor] = theirs.state_dict()
    tensors = kind.original(weights) if names == "original" else weights
    found = read_denoiser(write_tensors(tmp_path / "any_name.safetensors", tensors))
    assert found.family.name == kind.family
    model = Denoiser.of(found).ready()
    given = asked(kind)
    guider = guiders.cfg_guider(model, [(given.text, given.options)])
    ours = evaluate([StepRequest(guider, given.x, torch.tensor(LEVEL))])[0]
    assert torch.allclose(ours, given.x - kind.answer(theirs, given) * LEVEL, atol=1e-5)


@pytest.mark.parametrize("prefix", ["model.diffusion_model.", "diffusion_model."])
@pytest.mark.parametrize("name", ["FLUX.1 dev"])
def test_names_with_a_beginning_are_recognised_as_without(name: str, prefix: str, tmp_path: Path):
    kind = KINDS[name]
    tensors = kind.original(transformers.made(kind.network, kind.settings).state_dict())
    placed = {prefix + each: tensor for each, tensor in tensors.items()}
    found = read_denoiser(write_tensors(tmp_path / "any_name.safetensors", placed))
    assert found.family.name == kind.family
    back = found.source.tensors(lambda each: found.source.weight(placed, each))
    assert all(torch.equal(back[each], tensor) for each, tensor in placed.items())


def test_flux_without_a_scale_of_guidance_leaves_it_out(tmp_path: Path):
    kind = KINDS["FLUX.1 dev"]
    theirs = transformers.made(kind.network, kind.settings)
    path = write_tensors(tmp_path / "any_name.safetensors", kind.original(theirs.state_dict()))
    model = Denoiser.of(read_denoiser(path)).ready()
    given = asked(kind)
    request = InputsRequest(given.text, {"guidance": None}, given.x)
    assert "guidance" not in model.inputs(request)
    guider = guiders.cfg_guider(model, [(given.text, given.options | {"guidance": None})])
    without = evaluate([StepRequest(guider, given.x, torch.tensor(LEVEL))])[0]
    embedder = theirs.time_text_embed.guidance_embedder
    for parameter in embedder.parameters():
        parameter.zero_()
    assert torch.allclose(without, given.x - kind.answer(theirs, given) * LEVEL, atol=1e-5)


def test_a_conditioning_or_reference_of_another_model_is_refused_in_words(tmp_path: Path):
    kind = KINDS["FLUX.1 dev"]
    tensors = kind.original(transformers.made(kind.network, kind.settings).state_dict())
    model = Denoiser.of(read_denoiser(write_tensors(tmp_path / "a.safetensors", tensors)))
    given = asked(kind)
    with pytest.raises(ValueError, match=r"768 wide and this model, FLUX.1, takes 24"):
        model.inputs(InputsRequest(torch.zeros(1, 7, 768), {}, given.x))
    with pytest.raises(ValueError, match=r"pooled text of 12 numbers .* has one of 5"):
        model.inputs(InputsRequest(given.text, {"pooled_output": torch.ones(1, 5)}, given.x))
    options = {"reference_latents": [torch.ones(1, 4, 2, 2)]}
    with pytest.raises(ValueError, match="reference latent 1 has 4 channels"):
        model.inputs(InputsRequest(given.text, options, given.x))
