"""Models that jobs save: every bit, under the names of the original code."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import torch

from nodes.models.files.tensor_files import read_header
from tests.models.bench import Bench, n, opened
from tests.models.conftest import Loaded, make_tiny_folder, read_tensors, write_tensors

UNET_PLACE = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
TEXT_PLACE = "encoder.layers.0.mlp.fc1"
# Some weights in the tiny folder and in the file: the first, a turn of the count, an odd layer.
NAMES = {
    "unet": {
        "conv_in.weight": "model.diffusion_model.input_blocks.0.0.weight",
        "up_blocks.1.attentions.1.proj_out.bias":
            "model.diffusion_model.output_blocks.3.1.proj_out.bias",
        "mid_block.resnets.1.time_emb_proj.weight":
            "model.diffusion_model.middle_block.2.emb_layers.1.weight",
    },
    "vae": {
        "decoder.up_blocks.0.resnets.0.conv1.weight":
            "first_stage_model.decoder.up.3.block.0.conv1.weight",
        "encoder.mid_block.attentions.0.to_out.0.weight":
            "first_stage_model.encoder.mid.attn_1.proj_out.weight",
        "post_quant_conv.bias": "first_stage_model.post_quant_conv.bias",
    },
    "text_encoder": {
        "encoder.layers.1.self_attn.k_proj.bias":
            "cond_stage_model.transformer.text_model.encoder.layers.1.self_attn.k_proj.bias",
    },
}  # fmt: skip


@pytest.fixture
async def bench(tmp_path: Path, tiny_folder: Path) -> AsyncGenerator[Bench]:
    """A home with the tiny model, and a LoRA for it."""
    models = tmp_path / "models"
    shutil.copytree(tiny_folder, models / "checkpoints" / "tiny")
    (models / "loras").mkdir()
    tensors = {
        f"lora_unet_{UNET_PLACE.replace('.', '_')}.lora_up.weight": torch.randn(32, 2),
        f"lora_unet_{UNET_PLACE.replace('.', '_')}.lora_down.weight": torch.randn(2, 32),
        f"lora_te_text_model_{TEXT_PLACE.replace('.', '_')}.lora_up.weight": torch.randn(64, 2),
        f"lora_te_text_model_{TEXT_PLACE.replace('.', '_')}.lora_down.weight": torch.randn(2, 32),
    }
    write_tensors(models / "loras" / "style.safetensors", tensors)
    async with opened(tmp_path / "home", models) as made:
        yield made


LOAD = n("CheckpointLoaderSimple", ckpt_name="tiny")
STYLE = n(
    "LoraLoader", model=["load", 0], clip=["load", 1], lora_name="style.safetensors",
    strength_model=0.7, strength_clip=-0.4,
)  # fmt: skip


def kept(model: str, prefix: str) -> dict[str, Any]:
    return n(
        "CheckpointSave",
        model=[model, 0],
        clip=[model, 1],
        vae=["load", 2],
        filename_prefix=prefix,
    )


async def test_a_checkpoint_has_every_bit_under_its_original_name(bench: Bench, tiny_folder: Path):
    (entry,) = await bench.run({"load": LOAD, "keep": kept("load", "checkpoints/sub/mix")})
    assert entry.outcome.status == "success", entry
    path = bench.home / "output" / "checkpoints" / "sub" / "mix_00001_.safetensors"
    saved = read_tensors(path)
    count = 0
    for folder, names in NAMES.items():
        (source,) = (tiny_folder / folder).glob("*.safetensors")
        weights = read_tensors(source)
        count += len([name for name in weights if "position_ids" not in name])
        for ours, theirs in names.items():
            found = next(weights[name] for name in weights if name.endswith(ours))
            assert torch.equal(saved[theirs], found.view(saved[theirs].shape)), theirs
            assert saved[theirs].dtype is found.dtype
    assert len(saved) == count
    attention = "first_stage_model.encoder.mid.attn_1.q.weight"
    assert saved[attention].shape == (8, 8, 1, 1), "a convolution in the original code"
    metadata = read_header(path).metadata
    assert json.loads(metadata["prompt"])["keep"]["class_type"] == "CheckpointSave"
    assert json.loads(metadata["workflow"]) == {"nodes": []}
    assert metadata["modelspec.title"] == "mix"
    assert metadata["modelspec.prediction_type"] == "v"


async def test_no_file_is_written_over(bench: Bench):
    prompt = {"load": LOAD, "keep": n("VAESave", vae=["load", 2], filename_prefix="vae/ComfyUI")}
    await bench.run(prompt)
    path = bench.home / "output" / "vae" / "ComfyUI_00001_.safetensors"
    before = path.read_bytes()
    assert "decoder.conv_in.weight" in read_header(path).shapes
    path.touch()
    prompt["keep"]["inputs"]["filename_prefix"] = "vae/../vae/ComfyUI"
    await bench.run(prompt)
    assert path.read_bytes() == before
    assert path.with_name("ComfyUI_00002_.safetensors").exists()


async def test_patched_weights_are_kept_as_the_network_computes_with_them(
    bench: Bench, tiny: Loaded, tmp_path: Path
):
    """The file of halves: changed weights in float32, as the UNet has them on a CPU."""
    for file in (tmp_path / "models" / "checkpoints" / "tiny").rglob("*.safetensors"):
        write_tensors(file, {name: value.half() for name, value in read_tensors(file).items()})
    (entry,) = await bench.run(
        {"load": LOAD, "style": STYLE, "keep": kept("style", "mix"), "one": n(
            "CLIPSave", clip=["style", 1], filename_prefix="clip/one"), "two": n(
            "ModelSave", model=["style", 0], filename_prefix="two")}
    )  # fmt: skip
    assert entry.outcome.status == "success", entry
    saved = read_tensors(bench.home / "output" / "mix_00001_.safetensors")
    unet = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight"
    text = f"text_model.{TEXT_PLACE}.weight"
    whole = f"cond_stage_model.transformer.{text}"
    wide = {name for name, value in saved.items() if value.dtype is torch.float32}
    assert wide == {unet}
    models = tmp_path / "models"
    lora = read_tensors(models / "loras" / "style.safetensors")
    place = f"lora_unet_{UNET_PLACE.replace('.', '_')}"
    (source,) = (models / "checkpoints" / "tiny" / "unet").glob("*.safetensors")
    expected = read_tensors(source)[f"{UNET_PLACE}.weight"].float()
    expected.addmm_(lora[f"{place}.lora_up.weight"], lora[f"{place}.lora_down.weight"], alpha=0.7)
    assert torch.equal(saved[unet], expected)
    place = f"lora_te_text_model_{TEXT_PLACE.replace('.', '_')}"
    (source,) = (models / "checkpoints" / "tiny" / "text_encoder").glob("*.safetensors")
    weights = read_tensors(source)
    expected = next(weights[name] for name in weights if name.endswith(f"{TEXT_PLACE}.weight"))
    expected = expected.float()
    expected.addmm_(lora[f"{place}.lora_up.weight"], lora[f"{place}.lora_down.weight"], alpha=-0.4)
    assert torch.equal(saved[whole], expected.half()), "rounded to halves, as the encoder's are"
    one = read_tensors(bench.home / "output" / "clip" / "one_00001_.safetensors")
    assert torch.equal(one[text], saved[whole])
    two = read_tensors(bench.home / "output" / "two_00001_.safetensors")
    assert two.keys() == {name for name in saved if name.startswith("model.diffusion_model.")}
    assert torch.equal(two[unet], saved[unet])


async def test_what_has_no_weights_is_not_saved(bench: Bench):
    prompt = {
        "load": n("VAELoader", vae_name="pixel_space"),
        "keep": n("VAESave", vae=["load", 0], filename_prefix="vae/x"),
    }
    (entry,) = await bench.run(prompt)
    assert "vae: pixel_space has no weights to keep" in str(entry.outcome)


async def test_nothing_is_written_where_one_model_is_none(bench: Bench, tmp_path: Path):
    folder = make_tiny_folder(tmp_path / "models" / "checkpoints" / "wide", 3)
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    write_tensors(path, {name: torch.zeros(3) for name in read_tensors(path)})
    prompt = {
        "load": LOAD,
        "other": n("CheckpointLoaderSimple", ckpt_name="wide"),
        "mix": n("ModelMergeSimple", model1=["load", 0], model2=["other", 0], ratio=0.5),
        "keep": n("ModelSave", model=["mix", 0], filename_prefix="diffusion_models/x"),
    }
    (entry,) = await bench.run(prompt)
    assert "not a model that can be loaded here" in str(entry.outcome)
    assert not [*(bench.home / "output").rglob("*.safetensors")], "all or nothing"
