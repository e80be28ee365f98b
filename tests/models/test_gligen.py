"""GLIGEN models, against diffusers' UNet with such layers, on tiny random weights."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor

from nodes.models.conditioning.conditionings import Conditioning
from nodes.models.conditioning.gligen import Box, Grounding, with_box
from nodes.models.families import original_names
from nodes.models.families.gligen_layout import gligen_layout
from nodes.models.files.checkpoints import read_denoiser
from nodes.models.files.tensor_files import ModelFileError
from nodes.models.networks.denoiser import Denoiser
from nodes.models.networks.gligen import Gligen, read_gligen
from nodes.models.sampling.evaluation import StepRequest, evaluate
from nodes.models.sampling.guiders import cfg_guider
from tests.models.bench import Prompt, n, opened
from tests.models.conftest import WIDTH, Loaded, write_tensors

NETWORK: Any = UNet2DConditionModel
SETTINGS: dict[str, Any] = {
    "block_out_channels": (64, 128),
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "layers_per_block": 1,
    "use_linear_projection": True,
    "attention_head_dim": (1, 2),
    "cross_attention_dim": WIDTH,
    "attention_type": "gated",
}
SIGMA = torch.tensor(2.0)


@pytest.fixture(scope="module")
def theirs() -> Any:
    module = NETWORK(**SETTINGS).eval().requires_grad_(False)
    dice = torch.Generator().manual_seed(6)
    for weight in module.parameters():
        weight.data = torch.randn(weight.shape, generator=dice) * 0.1
    for name, weight in module.named_parameters():
        if ".alpha_" in name:
            weight.data.fill_(0.8)
    return module


def parts(theirs: Any, *, original: bool) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The weights of a UNet, and of a GLIGEN model for it, as files have them."""
    weights: dict[str, Tensor] = theirs.state_dict()
    names = original_names.unet(weights.keys()) if original else {name: name for name in weights}
    added = {name for name in weights if ".fuser." in name or name.startswith("position_net.")}
    gligen = {names[name]: weights[name] for name in added}
    return {names[name]: weights[name] for name in weights.keys() - added}, gligen


@pytest.fixture(scope="module")
def model(theirs: Any, tmp_path_factory: pytest.TempPathFactory) -> Denoiser:
    path = tmp_path_factory.mktemp("unet") / "u.safetensors"
    return Denoiser.of(read_denoiser(write_tensors(path, parts(theirs, original=True)[0]))).ready()


def gligen(theirs: Any, folder: Path, *, original: bool = True) -> Gligen:
    tensors = parts(theirs, original=original)[1]
    return read_gligen(write_tensors(folder / "g.safetensors", tensors)).ready()


def boxed(grounding: Grounding, text: Tensor, *boxes: Box) -> Conditioning:
    made: Conditioning = [(text, {})]
    for box in boxes:
        made = with_box(made, grounding, box)
    return made


def by_diffusers(
    theirs: Any, x: Tensor, text: Tensor, boxes: list[Box], timestep: Tensor
) -> Tensor:
    rows, columns = x.shape[-2:]
    places, texts, there = torch.zeros(1, 30, 4), torch.zeros(1, 30, WIDTH), torch.zeros(1, 30)
    for number, (vector, left, top, width, height) in enumerate(boxes):
        right, bottom = left + width, top + height
        corners = [left / columns, top / rows, right / columns, bottom / rows]
        places[0, number], texts[0, number] = torch.tensor(corners), vector[0]
        there[0, number] = 1
    told = {"boxes": places, "positive_embeddings": texts, "masks": there}
    many = {name: tensor.expand(len(x), *tensor.shape[1:]) for name, tensor in told.items()}
    given = text.expand(len(x), -1, -1)
    return theirs(x, timestep, given, cross_attention_kwargs={"gligen": many}).sample


@pytest.mark.parametrize("original", [True, False])
@pytest.mark.parametrize("count", [1, 3])
def test_boxes_are_attended_to_as_in_diffusers(
    theirs: Any, model: Denoiser, tmp_path: Path, original: bool, count: int
):
    grounding = Grounding(gligen(theirs, tmp_path, original=original))
    x, text = torch.randn(2, 4, 8, 12), torch.randn(1, 7, WIDTH)
    boxes = [Box(torch.randn(1, WIDTH), n, 2 * n, 3 + n, 2) for n in range(count)]
    guider = cfg_guider(model, boxed(grounding, text, *boxes))
    ours = evaluate([StepRequest(guider, x, SIGMA)])[0]
    timestep = model.space.timestep(SIGMA.reshape(1))
    noise = by_diffusers(theirs, x / (SIGMA**2 + 1).sqrt(), text, boxes, timestep)
    assert torch.allclose(ours, x - noise * SIGMA, atol=1e-4)
    plain = evaluate([StepRequest(cfg_guider(model, [(text, {})]), x, SIGMA)])[0]
    assert not torch.allclose(ours, plain, atol=1e-2)


def test_a_negative_text_without_boxes_and_other_jobs_are_answered_as_alone(
    theirs: Any, model: Denoiser, tmp_path: Path
):
    grounding = Grounding(gligen(theirs, tmp_path))
    x, text = torch.randn(1, 4, 8, 8), torch.randn(1, 7, WIDTH)
    box = Box(torch.randn(1, WIDTH), 0, 0, 4, 4)
    with_boxes, without = boxed(grounding, text, box), [(text, dict[str, Any]())]
    guiders = [cfg_guider(model, positive, without, 3.0) for positive in (with_boxes, without)]
    assert [handle for guider in guiders for handle in guider.handles] == [grounding.net]
    requests = [StepRequest(guider, x, SIGMA) for guider in guiders]
    together = evaluate(requests)
    one = evaluate([StepRequest(cfg_guider(model, with_boxes), x, SIGMA)])[0]
    none = evaluate([StepRequest(cfg_guider(model, without), x, SIGMA)])[0]
    assert torch.allclose(together[0], none + 3 * (one - none), atol=1e-4)
    assert torch.allclose(together[1], none, atol=1e-4)


def test_the_published_files_for_text_boxes_are_known_by_shapes_alone():
    with torch.device("meta"):
        module = NETWORK(cross_attention_dim=768, attention_type="gated")
    tensors = parts(module, original=True)[1]
    layout = gligen_layout({name: tuple(tensor.shape) for name, tensor in tensors.items()})
    assert layout is not None
    assert layout.widths == (320,) * 2 + (640,) * 2 + (1280,) * 6 + (640,) * 3 + (320,) * 3
    assert layout.heads == (8,) * 16
    assert (layout.text, layout.context, layout.frequencies) == (768, 768, 8)


def test_a_gligen_model_of_another_kind_of_unet_is_refused_in_words(
    theirs: Any, model: Denoiser, tiny: Loaded, tmp_path: Path
):
    grounding = Grounding(gligen(theirs, tmp_path))
    wide = Box(torch.zeros(1, 5), 0, 0, 1, 1)
    with pytest.raises(ValueError, match="takes texts 32 wide, and this CLIP gives 5"):
        boxed(grounding, torch.zeros(1, 7, WIDTH), wide)
    box = Box(torch.zeros(1, WIDTH), 0, 0, 1, 1)
    with pytest.raises(ValueError, match="30 boxes at most"):
        boxed(grounding, torch.zeros(1, 7, WIDTH), *[box] * 31)
    guider = cfg_guider(tiny.model, boxed(grounding, torch.zeros(1, 7, WIDTH), box))
    with pytest.raises(ValueError, match=r"g\.safetensors is for another kind of UNet"):
        evaluate([StepRequest(guider, torch.zeros(1, 4, 8, 8), SIGMA)])


@pytest.mark.parametrize(
    "name", ["position_net.linears_text.0.weight", "x", "position_net.null_positive_feature"]
)
def test_what_is_no_gligen_model_is_refused(tmp_path: Path, name: str):
    path = write_tensors(tmp_path / "x.safetensors", {name: torch.zeros(3, 3)})
    with pytest.raises(ModelFileError, match="not a GLIGEN model that can be loaded here"):
        read_gligen(path)


async def test_prompts_place_several_texts(tiny_folder: Path, tmp_path: Path):
    models = tmp_path / "models"
    shutil.copytree(tiny_folder, models / "checkpoints" / "tiny")
    (models / "gligen").mkdir()
    fitting = NETWORK.from_config(
        {**NETWORK.load_config(tiny_folder / "unet"), "attention_type": "gated"}
    )
    write_tensors(models / "gligen" / "g.safetensors", parts(fitting, original=False)[1])

    def prompt(boxes: int) -> Prompt:
        made = {
            "1": n("CheckpointLoaderSimple", ckpt_name="tiny"),
            "2": n("GLIGENLoader", gligen_name="g.safetensors"),
            "3": n("CLIPTextEncode", clip=["1", 1], text="a cat"),
            "4": n("EmptyLatentImage", width=64, height=64, batch_size=1),
        }
        last = "3"
        for number in range(boxes):
            made[f"box{number}"] = n(
                "GLIGENTextBoxApply", conditioning_to=[last, 0], clip=["1", 1], text="dog",
                gligen_textbox_model=["2", 0], width=32, height=32, x=8 * number, y=0,
            )  # fmt: skip
            last = f"box{number}"
        made["5"] = n("KSampler", model=["1", 0], seed=1, steps=1, cfg=2.0, sampler_name="euler",
                      scheduler="normal", positive=[last, 0], negative=["3", 0],
                      latent_image=["4", 0], denoise=1.0)  # fmt: skip
        return {**made, "6": n("SaveLatent", samples=["5", 0], filename_prefix="x")}

    async with opened(tmp_path / "home", models) as bench:
        entries = await bench.run(prompt(1), prompt(2))
    assert [entry.outcome.status for entry in entries] == ["success"] * 2, entries
