"""A tiny text-to-image model with random weights, and the big reference ones where they are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import load, save
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from nodes.models.files.checkpoints import read_checkpoint
from nodes.models.networks.denoiser import Denoiser
from nodes.models.text.text_encoder import TextEncoder
from nodes.models.text.tokenizers import END, PUBLISHED, START, read_clip_tokenizer
from nodes.models.vae.autoencoder import Vae

WIDTH = 32


@dataclass(frozen=True)
class Loaded:
    """The three networks of a model, ready to use."""

    model: Denoiser
    clip: TextEncoder
    vae: Vae


def handles(path: Path) -> Loaded:
    """The handles of a checkpoint, nothing loaded."""
    found = read_checkpoint(path)
    return Loaded(
        Denoiser.of(found.denoiser),
        TextEncoder.of(found.text_encoder),
        Vae(found.vae),
    )


def ready(path: Path) -> Loaded:
    """The handles of a checkpoint, all loaded."""
    found = handles(path)
    return Loaded(found.model.ready(), found.clip.ready(), found.vae.ready())


def write_tensors(
    path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None
) -> Path:
    """A safetensors file."""
    own = {name: tensor.contiguous().clone() for name, tensor in tensors.items()}
    path.write_bytes(save(own, metadata))
    return path


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file."""
    return load(path.read_bytes())


def make_tiny_folder(
    folder: Path, seed: int = 0, channels: int = 4, levels: int = 4, **vae_settings: Any
) -> Path:
    """Write a diffusers folder of under 2 MB, random weights, v-prediction, chunks of 24 tokens.

    Its latents have `channels`, and a cell for each square of 2 ** (levels - 1) pixels.
    """
    torch.default_generator.manual_seed(seed)
    tokens = make_tokenizer(folder / "tokenizer")
    networks: Any = (UNet2DConditionModel, AutoencoderKL)
    unet = networks[0](
        in_channels=channels,
        out_channels=channels,
        block_out_channels=(32, 32),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        norm_num_groups=8,
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
    )
    vae = networks[1](
        latent_channels=channels,
        block_out_channels=(8,) * levels,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        norm_num_groups=4,
        **{"scaling_factor": 1.0, **vae_settings},
    )
    text: Any = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=tokens,
            hidden_size=WIDTH,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=24,
            bos_token_id=tokens - 2,
            eos_token_id=tokens - 1,
            pad_token_id=tokens - 1,
        )
    )
    unet.save_pretrained(folder / "unet")
    vae.save_pretrained(folder / "vae")
    text.save_pretrained(folder / "text_encoder")
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(
        json.dumps({"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"})
    )
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}))
    return folder


def make_tokenizer(folder: Path) -> int:
    """Write a byte-level vocabulary with two merges; how many tokens it has."""
    folder.mkdir(parents=True)
    letters = list(read_clip_tokenizer(PUBLISHED).bpe.get_vocab())
    single = sorted(word for word in letters if len(word.removesuffix("</w>")) == 1)
    words = [*single, "ca", "cat</w>", START, END]
    (folder / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\nc a\nca t</w>\n")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"model_max_length": 24, "bos_token": START, "eos_token": END, "pad_token": END})
    )
    return len(words)


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Small networks gain nothing by more threads, which on a busy machine wait for each other."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model as a diffusers folder."""
    return make_tiny_folder(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path) -> Loaded:
    """The tiny model, loaded; tests that patch it unpatch it."""
    return ready(tiny_folder)


@pytest.fixture(scope="session")
def reference(shared: Path) -> Path:
    """Reference numbers."""
    return shared / "reference"
