"""Skip layer guidance: networks without some of their layers, and what is made of their answers."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nodes.models.files.checkpoints import read_denoiser
from nodes.models.networks.denoiser import Denoiser
from nodes.models.networks.patched_unet import PatchedUNet
from nodes.models.networks.unet_patches import SkippedLayers
from nodes.models.sampling.evaluation import StepRequest, evaluate
from nodes.models.sampling.guiders import cfg_guider
from nodes.models.sampling.skipped_layers import skip_layer_guidance, skipped_layers
from tests.models import transformer_kinds, transformers
from tests.models.bench import n, opened
from tests.models.conftest import Loaded, write_tensors
from tests.models.test_attention_guidance import SIGMA, X, alone, found
from tests.models.test_models_in_jobs import drawn
from tests.models.test_unet_patches import asked, same, tiny_unet

HIGH = 1e9


def within(model: Denoiser, **changed: Any) -> Denoiser:
    return replace(model, guidance=replace(model.guidance, **changed))


def silent(layer: Any) -> None:
    """Let a transformer block add nothing to what comes to it."""
    for last in (layer.attn1.to_out[0], layer.attn2.to_out[0], layer.ff.net[2]):
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)


@pytest.mark.parametrize(
    ("number", "place"),
    [
        (0, "down_blocks.0.attentions.0.transformer_blocks.0"),
        (3, "down_blocks.1.attentions.0.transformer_blocks.1"),
        (6, "mid_block.attentions.0.transformer_blocks.0"),
        (7, "up_blocks.1.attentions.0.transformer_blocks.0"),
        (15, "up_blocks.2.attentions.2.transformer_blocks.0"),
    ],
)
def test_layers_are_numbered_in_the_order_of_their_evaluation(number: int, place: str):
    torch.default_generator.manual_seed(4)
    unet = tiny_unet(transformer_layers_per_block=(1, 2, 1))
    assert len(PatchedUNet(unet, ()).layers) == 16
    skipped = asked(unet, SkippedLayers(frozenset({number}), HIGH, 0))
    whole = asked(unet)
    silent(unet.get_submodule(place))
    assert same(skipped, asked(unet))
    assert not same(skipped, whole)


def std(tensor: Tensor) -> float:
    return float(tensor.std())


@pytest.mark.parametrize("scale", [2.0, 1.0])
@pytest.mark.parametrize("rescale", [0.0, 0.7])
def test_an_answer_without_layers_is_guided_away_from(tiny: Loaded, scale: float, rescale: float):
    cond, uncond = alone(tiny, "cat"), alone(tiny, "dog")
    skipped = SkippedLayers(frozenset({1}), HIGH, 0)
    without = alone(tiny, "cat", skipped)
    assert not torch.allclose(without, cond, atol=1e-3)
    model = within(tiny.model, post_cfg=(skip_layer_guidance(skipped, 1.5, rescale),))
    expected = uncond + scale * (cond - uncond) + 1.5 * (cond - without)
    expected = expected * (rescale * std(cond) / std(expected) + 1 - rescale)
    assert torch.allclose(found(tiny, model, scale), expected, atol=1e-4)


def test_layers_can_be_left_out_of_what_is_not_wanted_alone(tiny: Loaded):
    cond, uncond = alone(tiny, "cat"), alone(tiny, "dog")
    skipped = SkippedLayers(frozenset({0}), HIGH, 0)
    without = alone(tiny, "dog", skipped)
    model = within(tiny.model, uncond_patches=(skipped,))
    assert torch.allclose(found(tiny, model), without + 2 * (cond - without), atol=1e-4)
    assert not torch.allclose(without, uncond, atol=1e-3)
    assert torch.allclose(found(tiny, model, 1.0), cond, atol=1e-4)


def test_layers_are_skipped_in_a_part_of_the_sampling(tiny: Loaded):
    told: list[str] = []
    skipped = skipped_layers(tiny.model, ("0, 1 and 99", ""), 0.2, 0.5, told.append)
    assert skipped is not None
    assert skipped.layers == {0, 1}
    assert told == [
        "layers: 99 are not in this model, Stable Diffusion 1.x, which has 4, 0 to 3; "
        "they are left out"
    ]
    ends = [tiny.model.space.percent_to_sigma(part) for part in (0.2, 0.5)]
    model = within(tiny.model, post_cfg=(skip_layer_guidance(skipped, 2.0),))
    model.bind(tiny.model.network)
    text = tiny.clip.encode("cat")
    for level, differs in ((ends[0] * 1.1, 0), (ends[0] * 0.9, 1), (ends[1] * 0.9, 0)):
        answers = [
            evaluate([StepRequest(cfg_guider(each, text), X, torch.tensor(level))])[0]
            for each in (model, tiny.model)
        ]
        assert torch.allclose(answers[0], answers[1], atol=1e-5) is not bool(differs)


def test_no_layer_of_the_model_is_no_patch(tiny: Loaded):
    told: list[str] = []
    assert skipped_layers(tiny.model, ("", "none"), 0, 1, told.append) is None
    assert told == []
    assert skipped_layers(tiny.model, ("8", ""), 0, 1, told.append) is None
    assert len(told) == 1


def test_jobs_that_skip_layers_share_a_batch_with_those_that_do_not(tiny: Loaded):
    skipped = SkippedLayers(frozenset({0, 1}), HIGH, 0)
    text, none = tiny.clip.encode("cat"), tiny.clip.encode("")
    requests: list[StepRequest] = []
    for changed in ({}, {"post_cfg": (skip_layer_guidance(skipped, 2.0),)},
                    {"uncond_patches": (skipped,)}):  # fmt: skip
        model = within(tiny.model, **changed)
        model.bind(tiny.model.network)
        requests.append(StepRequest(cfg_guider(model, text, none, 2.0), X, SIGMA))
    assert len({request.key for request in requests}) == 1
    together = evaluate(requests)
    for request, each in zip(requests, together, strict=True):
        assert torch.allclose(each, evaluate([request])[0], atol=1e-5)
    assert not torch.allclose(together[0], together[1], atol=1e-3)


@pytest.mark.filterwarnings("ignore:`FluxPosEmbed`:FutureWarning")
@pytest.mark.parametrize(
    "name", ["SD3.5 medium", "FLUX.1 dev", "Chroma", "FLUX.2 dev", "AuraFlow", "HunyuanImage 2.1"]
)
def test_blocks_of_a_transformer_are_skipped_by_their_kind(name: str, tmp_path: Path):
    kind = transformer_kinds.KINDS[name]
    theirs = transformers.made(kind.network, kind.settings)
    path = write_tensors(tmp_path / "any.safetensors", theirs.state_dict())
    model = Denoiser.of(read_denoiser(path)).ready()
    given = transformer_kinds.asked(kind)

    def asked_for(*texts: str) -> Tensor:
        patch = skipped_layers(model, (texts[0], texts[1]), 0.0, 1.0, told.append)
        changed = replace(model, unet_patches=() if patch is None else (patch,))
        changed.bind(model.network)
        guider = cfg_guider(changed, [(given.text, given.options)])
        return evaluate([StepRequest(guider, given.x, torch.tensor(0.5))])[0]

    told: list[str] = []
    whole = asked_for("", "")
    first = asked_for("0", "")
    assert not torch.allclose(first, whole, atol=1e-4)
    assert told == []
    if name != "SD3.5 medium":
        single = asked_for("", "1")
        assert not torch.allclose(single, whole, atol=1e-5)
        assert not torch.allclose(single, first, atol=1e-5)
    assert torch.allclose(asked_for("", "77"), whole)
    assert len(told) == 1
    assert torch.equal(asked_for("", ""), whole), "the network is as before"


def test_sd3_without_a_block_is_sd3_of_one_block_less(tmp_path: Path):
    kind = transformer_kinds.KINDS["SD3"]
    theirs = transformers.made(kind.network, kind.settings)
    path = write_tensors(tmp_path / "any.safetensors", theirs.state_dict())
    model = Denoiser.of(read_denoiser(path)).ready()
    given = transformer_kinds.asked(kind)
    changed = replace(model, unet_patches=(SkippedLayers(frozenset({1}), HIGH, 0),))
    changed.bind(model.network)
    guider = cfg_guider(changed, [(given.text, given.options)])
    level = torch.tensor(transformer_kinds.LEVEL)
    found = evaluate([StepRequest(guider, given.x, level)])[0]
    del theirs.transformer_blocks[1]
    expected = given.x - kind.answer(theirs, given) * level
    assert torch.allclose(found, expected, atol=1e-5)


SPAN = {"start_percent": 0.0, "end_percent": 1.0}
KINDS: dict[str, dict[str, Any]] = {
    "SkipLayerGuidanceSD3": {"layers": "0, 40", "scale": 2.0},
    "SkipLayerGuidanceDiT": {
        "double_layers": "0", "single_layers": "40", "scale": 2.0, "rescaling_scale": 0.3,
    },
    "SkipLayerGuidanceDiTSimple": {"double_layers": "40", "single_layers": "0"},
}  # fmt: skip


async def test_prompts_skip_layers_and_hear_of_those_that_are_not_there(
    tiny_folder: Path, tmp_path: Path
):
    models = tmp_path / "models"
    shutil.copytree(tiny_folder, models / "checkpoints" / "tiny")
    prompts = [
        drawn("skip", skip=n(kind, model=["load", 0], **SPAN, **KINDS[kind])) for kind in KINDS
    ]
    async with opened(tmp_path / "home", models) as bench:
        entries = await bench.run(*prompts)
    assert [entry.outcome.status for entry in entries] == ["success"] * 3, entries
    for entry in entries:
        (warning,) = entry.outcome.shown["skip"]["warnings"]
        assert "40 are not in this model" in warning
