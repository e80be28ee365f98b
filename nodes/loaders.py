"""Nodes that choose models. They read headers only: weights are loaded when a node needs them."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from engine import Choice, Files, Range, Run, Tooltip, node
from nodes.sockets import Clip, Model, Vae

Strength = Annotated[float, Range(-100.0, 100.0, 0.01)]


class Checkpoint(NamedTuple):
    """What a checkpoint holds."""

    MODEL: Model
    CLIP: Clip
    VAE: Vae


@node("CheckpointLoaderSimple", category="loaders", display_name="Load Checkpoint")
def load_checkpoint(
    run: Run,
    *,
    ckpt_name: Annotated[
        str,
        Choice(Files("checkpoints", marker="model_index.json")),
        Tooltip("A file, or a diffusers folder, in models/checkpoints."),
    ],
) -> Checkpoint:
    """Take the denoiser, the text encoder and the autoencoder out of a checkpoint."""
    from nodes.models.checkpoints import read_checkpoint
    from nodes.models.clip import Clip
    from nodes.models.unet import Model
    from nodes.models.vae import Vae

    found = read_checkpoint(run.model_path("checkpoints", ckpt_name))
    return Checkpoint(
        MODEL=Model(found.unet, found.scheduler, found.latent_scale, colors=found.colors),
        CLIP=Clip(found.text_encoder, found.tokenizer),
        VAE=Vae(found.vae),
    )


class Patched(NamedTuple):
    """A denoiser and a text encoder with a LoRA on them."""

    MODEL: Model
    CLIP: Clip


@node("LoraLoader", category="loaders", display_name="Load LoRA")
def load_lora(
    run: Run,
    *,
    model: Annotated[Model, Tooltip("The denoiser to change.")],
    clip: Annotated[Clip, Tooltip("The text encoder to change.")],
    lora_name: Annotated[str, Choice(Files("loras")), Tooltip("A file in models/loras.")],
    strength_model: Annotated[
        Strength, Tooltip("How much the denoiser changes; below 0 the other way.")
    ] = 1.0,
    strength_clip: Annotated[
        Strength, Tooltip("How much the text encoder changes; below 0 the other way.")
    ] = 1.0,
) -> Patched:
    """Change a denoiser and a text encoder by a LoRA; several can follow one another."""
    from nodes.models.lora import check_fits, read_lora, with_lora
    from nodes.models.tensor_files import read_header

    header = read_header(run.model_path("loras", lora_name))
    check_fits(read_lora(header, 1.0), model.part, clip.part)
    return Patched(
        MODEL=with_lora(model, read_lora(header, strength_model)),
        CLIP=with_lora(clip, read_lora(header, strength_clip)),
    )
