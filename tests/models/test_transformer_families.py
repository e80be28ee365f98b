"""Families of transformers: recognised by their headers, loaded, asked as diffusers asks them.

The files are tiny, of random weights, in original names and in those of diffusers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes.models.conditioning.inputs import InputsRequest
from nodes.models.files.checkpoints import read_checkpoint, read_denoiser
from nodes.models.files.unfit import unfit_checkpoint
from nodes.models.networks.denoiser import Denoiser
from nodes.models.networks.quantized_layers import QuantizedLinear
from nodes.models.sampling import guiders
from nodes.models.sampling.evaluation import StepRequest, evaluate
from tests.models import transformers
from tests.models.conftest import write_tensors
from tests.models.test_gguf import written
from tests.models.transformer_kinds import KINDS, LEVEL, asked

pytestmark = pytest.mark.filterwarnings("ignore:`FluxPosEmbed`:FutureWarning")
# diffusers' Chroma imports what diffusers deprecates.


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
@pytest.mark.parametrize("name", ["FLUX.1 dev", "SD3.5 medium"])
def test_names_with_a_beginning_are_recognised_as_without(name: str, prefix: str, tmp_path: Path):
    kind = KINDS[name]
    tensors = kind.original(transformers.made(kind.network, kind.settings).state_dict())
    placed = {prefix + each: tensor for each, tensor in tensors.items()}
    found = read_denoiser(write_tensors(tmp_path / "any_name.safetensors", placed))
    assert found.family.name == kind.family
    back = found.source.tensors(lambda each: found.source.weight(placed, each))
    assert all(torch.equal(back[each], tensor) for each, tensor in placed.items())


@pytest.mark.parametrize("files", [1, 2])
def test_a_diffusers_folder_of_a_transformer_is_loaded_of_one_file_or_of_several(
    files: int, tmp_path: Path
):
    kind = KINDS["FLUX.1 dev"]
    theirs = transformers.made(kind.network, kind.settings)
    tensors: dict[str, Tensor] = theirs.state_dict()
    (tmp_path / "transformer").mkdir()
    (tmp_path / "model_index.json").write_text('{"_class_name": "FluxPipeline", "transformer": []}')
    stem = "diffusion_pytorch_model"
    if files == 1:
        write_tensors(tmp_path / "transformer" / f"{stem}.safetensors", tensors)
    else:
        where: dict[str, str] = {}
        for place, name in enumerate(tensors):
            where[name] = f"{stem}-0000{place % files + 1}-of-00002.safetensors"
        for file in set(where.values()):
            own = {name: tensor for name, tensor in tensors.items() if where[name] == file}
            write_tensors(tmp_path / "transformer" / file, own)
        index = tmp_path / "transformer" / f"{stem}.safetensors.index.json"
        index.write_text(json.dumps({"weight_map": where}))
    assert unfit_checkpoint(tmp_path) is None
    found = read_checkpoint(tmp_path)
    model = Denoiser.of(found.denoiser).ready()
    given = asked(kind)
    guider = guiders.cfg_guider(model, [(given.text, given.options)])
    ours = evaluate([StepRequest(guider, given.x, torch.tensor(LEVEL))])[0]
    assert torch.allclose(ours, given.x - kind.answer(theirs, given) * LEVEL, atol=1e-5)


def test_a_folder_whose_files_are_not_all_there_is_refused_in_words(tmp_path: Path):
    (tmp_path / "transformer").mkdir()
    (tmp_path / "model_index.json").write_text('{"_class_name": "FluxPipeline", "transformer": []}')
    index = tmp_path / "transformer" / "diffusion_pytorch_model.safetensors.index.json"
    for content, words in (
        ('{"weight_map": {"x": "a.safetensors"}}', "a.safetensors"),
        ('{"weight_map": {"x": "../a.safetensors"}}', "not in its folder"),
        ('{"weight_map": 5}', "no list of files"),
        ("[]", "no list of files"),
    ):
        index.write_text(content)
        assert words in str(unfit_checkpoint(tmp_path))


@pytest.mark.parametrize("name", ["FLUX.1 dev", "FLUX.2 dev", "SD3.5 medium"])
def test_a_gguf_file_of_original_names_is_loaded_and_its_matrices_stay_in_few_bits(
    name: str, tmp_path: Path
):
    kind = KINDS[name]
    theirs = transformers.made(kind.network, kind.settings)
    tensors = kind.original(theirs.state_dict())
    stored: dict[str, Any] = {}
    for each, tensor in tensors.items():
        small = tensor.ndim == 2 and tensor.shape[1] % 32 == 0
        stored[each] = tensor.numpy(), "Q8_0" if small else "F32"
    path = written(tmp_path / "any.gguf", **stored)
    found = read_denoiser(path)
    assert found.family.name == kind.family
    model = Denoiser.of(found).ready()
    given = asked(kind)
    guider = guiders.cfg_guider(model, [(given.text, given.options)])
    ours = evaluate([StepRequest(guider, given.x, torch.tensor(LEVEL))])[0]
    expected = given.x - kind.answer(theirs, given) * LEVEL
    assert float((ours - expected).std() / expected.std()) < 0.05
    queries: Any = model.network.module.get_submodule("transformer_blocks.0.attn.to_q")
    assert isinstance(queries, QuantizedLinear)


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
