"""The exported folder as a thing to train on: what LoRAs and textual inversions begin with."""

# torch and diffusers annotate their methods only in part:
# pyright: reportUnknownMemberType=false

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from training.denoiser import TextToLatent


@dataclass(frozen=True)
class Shipped:
    """The model of a folder, frozen.

    Attributes:
        model: text encoder and denoiser.
        vae: the autoencoder.
    """

    model: TextToLatent
    vae: AutoencoderKL

    @torch.no_grad()
    def encode(self, pictures: Tensor) -> Tensor:
        """Latents [B, C, H / 8, W / 8] of pictures [B, 3, H, W] in -1..1."""
        return cast(Any, self.vae).encode(pictures).latent_dist.mode()


def read(folder: Path) -> Shipped:
    """The model in `folder`, in single precision; none of its weights is to be trained.

    Raises:
        OSError: the folder holds no such model.
    """
    tokenizer = cast(CLIPTokenizer, CLIPTokenizer.from_pretrained(folder / "tokenizer"))
    unet = _float(UNet2DConditionModel, folder / "unet")
    config = unet.config
    widths = cast(tuple[int, int], tuple(config["block_out_channels"]))
    model = TextToLatent(tokenizer, config["in_channels"], widths)
    model.unet.load_state_dict(unet.state_dict())
    text_encoder = _float(CLIPTextModel, folder / "text_encoder")
    model.text_encoder.load_state_dict(text_encoder.state_dict())
    vae = cast(AutoencoderKL, _float(AutoencoderKL, folder / "vae"))
    model.requires_grad_(False)
    vae.requires_grad_(False)
    cast(Any, model.unet).to(memory_format=torch.channels_last)
    return Shipped(model, vae)


def _float(kind: Any, folder: Path) -> Any:
    return kind.from_pretrained(folder, local_files_only=True, low_cpu_mem_usage=False).float()
