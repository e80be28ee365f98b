"""Models that nodes make of models, through the engine."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import torch

from nodes.merging import blend_sd1
from nodes.models.files.tensor_files import read_header
from tests.models.bench import Bench, Prompt, n, opened
from tests.models.conftest import read_tensors, write_tensors

PLACE = "down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"


@pytest.fixture
async def bench(tmp_path: Path, tiny_folder: Path) -> AsyncGenerator[Bench]:
    """A home with the tiny model and a LoRA for it."""
    models = tmp_path / "models"
    shutil.copytree(tiny_folder, models / "checkpoints" / "tiny")
    (models / "loras").mkdir()
    up, down = torch.randn(32, 4), torch.randn(4, 32)
    tensors = {f"lora_unet_{PLACE}.lora_up.weight": up, f"lora_unet_{PLACE}.lora_down.weight": down}
    write_tensors(models / "loras" / "style.safetensors", tensors)
    async with opened(tmp_path / "home", models) as made:
        yield made


def drawn(model: str, **nodes: Any) -> Prompt:
    """A picture of the tiny model, by a denoiser that one of some nodes gives."""
    return {
        "load": n("CheckpointLoaderSimple", ckpt_name="tiny"),
        "text": n("CLIPTextEncode", text="cat", clip=["load", 1]),
        "blank": n("EmptyLatentImage", width=64, height=64, batch_size=1),
        "draw": n(
            "KSampler", model=[model, 0], seed=1, positive=["text", 0], negative=["text", 0],
            latent_image=["blank", 0], steps=2, cfg=1.0, sampler_name="euler", scheduler="normal",
            denoise=1.0,
        ),
        "decode": n("VAEDecode", samples=["draw", 0], vae=["load", 2]),
        "save": n("SaveImage", images=["decode", 0], filename_prefix=model),
        **nodes,
    }  # fmt: skip


def styled(strength: float, model: str = "load", kind: str = "LoraLoaderModelOnly") -> Any:
    return n(kind, model=[model, 0], lora_name="style.safetensors", strength_model=strength)


async def test_a_model_and_the_same_with_a_lora_are_mixed(bench: Bench):
    style = n("ModelMergeSubtract", model1=["strong", 0], model2=["load", 0], multiplier=1.0)
    nodes = {"strong": styled(0.5), "style": style}
    nodes["mixed"] = n("ModelMergeAdd", model1=["load", 0], model2=["style", 0])
    entries = await bench.run(drawn("mixed", **nodes), drawn("strong", **nodes), drawn("load"))
    assert [entry.outcome.status for entry in entries] == ["success"] * 3, entries
    mixed, strong, plain = (bench.image(name) for name in ("mixed", "strong", "load"))
    assert abs(mixed - strong).max() <= 1.01 / 255
    assert abs(mixed - plain).max() > 10 / 255


async def test_a_node_has_a_ratio_for_each_block(bench: Bench):
    spec: Any = vars(blend_sd1)["spec"]
    ratios = [input.name for input in spec.inputs[2:]]
    assert ratios[:3] == ["time_embed.", "label_emb.", "input_blocks.0."]
    nodes: dict[str, Any] = {"strong": styled(0.5)}
    for name, place in (("other", "out."), ("same", "input_blocks.1.")):
        kept = {ratio: 0.0 if ratio == place else 1.0 for ratio in ratios}
        models = {"model1": ["load", 0], "model2": ["strong", 0]}
        nodes[name] = n("ModelMergeSD1", **models, **kept)
    await bench.run(*(drawn(name, **nodes) for name in ("load", "strong", "other", "same")))
    plain, strong, other, same = (bench.image(name) for name in ("load", "strong", "other", "same"))
    assert abs(plain - strong).max() > 10 / 255
    assert abs(plain - other).max() <= 1.01 / 255, "the LoRA is not in the last block"
    assert abs(strong - same).max() <= 1.01 / 255, "but in the first with attention"


async def test_a_lora_beside_the_weights_draws_what_a_merged_one_does(bench: Bench):
    aside = styled(0.5, kind="LoraLoaderBypassModelOnly")
    await bench.run(drawn("merged", merged=styled(0.5)), drawn("aside", aside=aside))
    assert abs(bench.image("merged") - bench.image("aside")).max() <= 1.01 / 255


async def test_nodes_that_do_not_compute_with_a_model_do_not_load_it(bench: Bench, tmp_path: Path):
    """Its weights are not complete, which shows when they are loaded."""
    path = tmp_path / "models" / "checkpoints" / "tiny" / "unet"
    path /= "diffusion_pytorch_model.safetensors"
    tensors = read_tensors(path)
    del tensors["mid_block.resnets.0.conv2.bias"]
    write_tensors(path, tensors)
    prompt = {
        "load": n("CheckpointLoaderSimple", ckpt_name="tiny"),
        "style": styled(0.5),
        "mix": n("ModelMergeSimple", model1=["load", 0], model2=["style", 0], ratio=0.5),
        "levels": n("BasicScheduler", model=["mix", 0], scheduler="normal", steps=3, denoise=1.0),
        "show": n("PreviewAny", source=["levels", 0]),
    }
    (entry,) = await bench.run(prompt)
    assert entry.outcome.status == "success", entry
    (entry,) = await bench.run(drawn("load"))
    assert "lacks 1 weights" in str(entry.outcome)


@pytest.mark.parametrize("kind", ["standard", "full_diff"])
async def test_a_difference_is_kept_as_a_lora_that_does_the_same(bench: Bench, kind: str):
    difference = n("ModelMergeSubtract", model1=["strong", 0], model2=["load", 0], multiplier=1.0)
    prompt = {
        "load": n("CheckpointLoaderSimple", ckpt_name="tiny"),
        "strong": styled(0.5),
        "difference": difference,
        "keep": n(
            "LoraSave", filename_prefix="loras/found", rank=4, lora_type=kind, bias_diff=True,
            model_diff=["difference", 0],
        ),
    }  # fmt: skip
    (entry,) = await bench.run(prompt)
    assert entry.outcome.status == "success", entry
    path = bench.home / "output" / "loras" / "found_00001_.safetensors"
    header = read_header(path)
    endings = ("lora_down.weight", "lora_up.weight") if kind == "standard" else ("diff",)
    assert sorted(header.shapes) == [f"lora_unet_{PLACE}.{ending}" for ending in endings]
    assert json.loads(header.metadata["prompt"])["keep"]["class_type"] == "LoraSave"
    found = styled(1.0)
    found["inputs"]["lora_name"] = path.name
    (one, other) = await bench.run(drawn("strong", strong=styled(0.5)), drawn("found", found=found))
    assert (one.outcome.status, other.outcome.status) == ("success", "success"), other
    assert abs(bench.image("strong") - bench.image("found")).max() <= 2.01 / 255


async def test_what_is_no_difference_is_not_kept_as_a_lora(bench: Bench):
    prompt = {
        "load": n("CheckpointLoaderSimple", ckpt_name="tiny"),
        "keep": n(
            "LoraSave", filename_prefix="x", rank=4, lora_type="standard", bias_diff=True,
            text_encoder_diff=["load", 1],
        ),
    }  # fmt: skip
    (entry,) = await bench.run(prompt)
    assert "text_encoder_diff: this is a whole model and no difference of two" in str(entry.outcome)
    del prompt["keep"]["inputs"]["text_encoder_diff"]
    (entry,) = await bench.run({"keep": prompt["keep"]})
    assert "there is no difference to keep; connect ModelMergeSubtract" in str(entry.outcome)


async def test_a_lora_of_another_model_is_refused_with_the_name_of_the_input(
    bench: Bench, tmp_path: Path
):
    tensors = {"lora_unet_elsewhere.lora_up.weight": torch.zeros(8, 2)}
    tensors["lora_unet_elsewhere.lora_down.weight"] = torch.zeros(2, 8)
    write_tensors(tmp_path / "models" / "loras" / "style.safetensors", tensors)
    (entry,) = await bench.run(drawn("strong", strong=styled(0.5)))
    assert "lora_name: " in str(entry.outcome)
    assert "none of its 1 modules (lora_unet_elsewhere, ...) is in this model" in str(entry.outcome)
