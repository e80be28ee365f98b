"""Files of weights that are written: safetensors made tensor by tensor, the original names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import load

from nodes.models.families import original_names
from nodes.models.files.writing import NAMES, Entry, NewFile

SD1: dict[str, Any] = {"cross_attention_dim": 768}
SDXL: dict[str, Any] = {
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "cross_attention_dim": 2048,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}


def names(kind: Any, **config: Any) -> list[str]:
    """Names of the weights of a network of diffusers, which is not made."""
    with torch.device("meta"):
        return [name for name, _ in kind(**config).named_parameters()]


def test_a_file_is_what_safetensors_reads_whatever_its_formats():
    made = {
        f"ä.{name}": (torch.arange(6).reshape(2, 3) % 2).to(dtype) for dtype, name in NAMES.items()
    }
    made |= {"scalar": torch.tensor(1.5), "nothing": torch.zeros(0, 4)}
    entries = [
        Entry(name, tensor.dtype, tuple(tensor.shape), lambda tensor=tensor: tensor)
        for name, tensor in made.items()
    ]
    file = NewFile(entries, {"prompt": '{"a": "ü"}'})
    data = b"".join(file)
    assert len(data) == file.nbytes
    assert b"".join(file) == data, "each iteration begins anew"
    read = load(data)
    assert read.keys() == made.keys()
    for name, tensor in made.items():
        assert read[name].dtype is tensor.dtype
        assert torch.equal(read[name].float(), tensor.float())
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert header["__metadata__"] == {"prompt": '{"a": "ü"}'}


def test_values_are_made_in_turn_and_put_into_their_format():
    weight = torch.randn(3, 4)
    entry = Entry("a", torch.float16, (3, 4, 1, 1), lambda: weight.T.contiguous().T)
    found = load(b"".join(NewFile([entry])))["a"]
    assert torch.equal(found, weight.half().view(3, 4, 1, 1))


def test_the_original_names_are_those_of_published_checkpoints(reference: Path):
    table = json.loads((reference / "weights_table.json").read_text())["files"]
    published = next(file["tensors"] for name, file in table.items() if "sd15" in name)
    unet = original_names.unet(names(UNet2DConditionModel, **SD1))
    vae = original_names.vae(
        names(
            AutoencoderKL,
            block_out_channels=(128, 256, 512, 512),
            layers_per_block=2,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
        )
    )
    found = {f"model.diffusion_model.{name}" for name in unet.values()}
    found |= {f"first_stage_model.{name}" for name in vae.values()}
    assert found == {name for name in published if not name.startswith("cond_stage_model.")}


def test_levels_without_attention_and_labels_have_original_names_too():
    found = original_names.unet(names(UNet2DConditionModel, **SDXL))
    assert len(set(found.values())) == len(found)
    for ours, theirs in {
        "down_blocks.0.downsamplers.0.conv.weight": "input_blocks.3.0.op.weight",
        "down_blocks.1.attentions.0.proj_in.weight": "input_blocks.4.1.proj_in.weight",
        "up_blocks.0.upsamplers.0.conv.weight": "output_blocks.2.2.conv.weight",
        "up_blocks.2.resnets.2.conv_shortcut.bias": "output_blocks.8.0.skip_connection.bias",
        "add_embedding.linear_2.weight": "label_emb.0.2.weight",
    }.items():
        assert found[ours] == theirs
    sd1 = original_names.unet(names(UNet2DConditionModel, **SD1))
    assert sd1["up_blocks.0.upsamplers.0.conv.weight"] == "output_blocks.2.1.conv.weight"
