"""Diffusers folders of published shapes with random weights, made where they are needed."""

# torch, diffusers and transformers annotate their methods only in part:
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import (
    save_file,  # pyright: ignore[reportUnknownVariableType] - its PathLike says not of what
)
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from nodes.models.text.tokenizers import PUBLISHED

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Shape:
    """Constructor arguments of the networks of one model.

    Attributes:
        name: of the folder.
        pipeline: class in model_index.json.
        unet: of UNet2DConditionModel.
        encoders: of CLIPTextConfig, by the folder of the encoder.
        widths: of the autoencoder's four levels.
        scaling: of its latents.
        side: px of a picture.
    """

    name: str
    pipeline: str
    unet: Settings
    encoders: Mapping[str, Settings]
    widths: tuple[int, ...]
    scaling: float
    side: int


CLIP_L = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12}
CLIP_G = {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32}
HEAD = 64  # channels of an attention head in the text encoders
VAE_WIDTHS = (128, 256, 512, 512)

SD15 = Shape(
    name="sd15",
    pipeline="StableDiffusionPipeline",
    unet={"sample_size": 64, "cross_attention_dim": 768},
    encoders={"text_encoder": CLIP_L},
    widths=VAE_WIDTHS,
    scaling=0.18215,
    side=512,
)
_SDXL_UNET = {
    "sample_size": 128,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "block_out_channels": (320, 640, 1280),
    "attention_head_dim": (5, 10, 20),
    "transformer_layers_per_block": (1, 2, 10),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
SDXL = Shape(
    name="sdxl",
    pipeline="StableDiffusionXLPipeline",
    unet=_SDXL_UNET,
    encoders={"text_encoder": CLIP_L, "text_encoder_2": CLIP_G},
    widths=VAE_WIDTHS,
    scaling=0.13025,
    side=1024,
)


def tiny(shape: Shape) -> Shape:
    """The same blocks with few channels and pictures of 64 px: to try a benchmark on a CPU."""
    levels = len(shape.unet.get("block_out_channels", (1, 1, 1, 1)))
    depth = shape.unet.get("transformer_layers_per_block", 1)
    unet = {
        **shape.unet,
        "sample_size": 8,
        "block_out_channels": (32, 64, 64, 64)[:levels],
        "transformer_layers_per_block": depth if depth == 1 else (1, 1, 2),
    }
    encoders = {
        folder: {**settings, "intermediate_size": 64, "num_hidden_layers": 2}
        for folder, settings in shape.encoders.items()
    }
    return Shape(
        f"tiny-{shape.name}", shape.pipeline, unet, encoders, (32,) * 4, shape.scaling, side=64
    )


def write(shape: Shape, folder: Path, device: str, dtype: torch.dtype) -> int:
    """Write a model with random weights; how many bytes of weights it has."""
    torch.manual_seed(0)
    networks: Any = (UNet2DConditionModel, AutoencoderKL)
    with torch.device(device):
        modules = {
            "unet": networks[0](**shape.unet),
            "vae": networks[1](
                block_out_channels=shape.widths,
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
                layers_per_block=2,
                latent_channels=4,
                scaling_factor=shape.scaling,
            ),
            **{name: _encoder(name, given) for name, given in shape.encoders.items()},
        }
    for name, module in modules.items():
        module.to(dtype).save_pretrained(folder / name)
    for name in shape.encoders:
        shutil.copytree(PUBLISHED, folder / name.replace("text_encoder", "tokenizer"))
    scheduler = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler))
    (folder / "model_index.json").write_text(json.dumps({"_class_name": shape.pipeline}))
    return sum(path.stat().st_size for path in folder.rglob("*.safetensors"))


def _encoder(folder: str, settings: Settings) -> Any:
    width: int = settings["hidden_size"]
    config = CLIPTextConfig(
        **settings,
        vocab_size=49408,
        num_attention_heads=width // HEAD,
        projection_dim=width,
        bos_token_id=49406,
        eos_token_id=49407,
        hidden_act="quick_gelu" if folder == "text_encoder" else "gelu",
    )
    return (CLIPTextModel if folder == "text_encoder" else CLIPTextModelWithProjection)(config)


def write_lora(shape: Shape, path: Path, seed: int, rank: int = 8) -> None:
    """Random low ranks for every projection of the denoiser's attentions, in kohya's names."""
    networks: Any = UNet2DConditionModel
    with torch.device("meta"):
        module = networks(**shape.unet)
    random = torch.Generator().manual_seed(seed)
    tensors: dict[str, Tensor] = {}
    for name, weight in module.named_parameters():
        layer = name.removesuffix(".weight")
        if ".attn" in name and weight.dim() == 2:
            flat = "lora_unet_" + layer.replace(".", "_")
            down = torch.randn(rank, weight.shape[1], generator=random) * 0.01
            up = torch.randn(weight.shape[0], rank, generator=random) * 0.01
            tensors[f"{flat}.lora_down.weight"] = down.half()
            tensors[f"{flat}.lora_up.weight"] = up.half()
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
