"""Nodes that keep models as files of the output folder, where the loaders offer them again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

from engine import CPU, GPU, Artifact, Run, Tooltip, node
from nodes.sockets import Clip, Model, Vae
from nodes.widgets import Prefix

if TYPE_CHECKING:
    from nodes.models.files.writing import Entry

CATEGORY = "advanced/model_merging"
ToKeep = Tooltip("Kept with its patches: LoRAs, merges.")


@node(
    "CheckpointSave",
    category=CATEGORY,
    display_name="Save Checkpoint",
    on=GPU | CPU,
    loads=False,
)
def save_checkpoint(
    run: Run,
    *,
    model: Annotated[Model, ToKeep],
    clip: Annotated[Clip, ToKeep],
    vae: Vae,
    filename_prefix: Prefix = "checkpoints/ComfyUI",
) -> Artifact:
    """Keep a denoiser, a text encoder and an autoencoder in one file."""
    return saved(run, filename_prefix, {"model": model, "clip": clip, "vae": vae}, prefixed=True)


@node("ModelSave", category=CATEGORY, display_name="Save Model", on=GPU | CPU, loads=False)
def save_model(
    run: Run,
    *,
    model: Annotated[Model, ToKeep],
    filename_prefix: Prefix = "diffusion_models/ComfyUI",
) -> Artifact:
    """Keep a denoiser."""
    return saved(run, filename_prefix, {"model": model}, prefixed=True)


@node("CLIPSave", category=CATEGORY, display_name="Save CLIP", on=GPU | CPU, loads=False)
def save_clip(
    run: Run, *, clip: Annotated[Clip, ToKeep], filename_prefix: Prefix = "clip/ComfyUI"
) -> Artifact:
    """Keep a text encoder."""
    return saved(run, filename_prefix, {"clip": clip}, prefixed=False)


@node("VAESave", category=CATEGORY, display_name="Save VAE", on=GPU | CPU, loads=False)
def save_vae(run: Run, *, vae: Vae, filename_prefix: Prefix = "vae/ComfyUI_vae") -> Artifact:
    """Keep an autoencoder."""
    return saved(run, filename_prefix, {"vae": vae}, prefixed=False)


def saved(run: Run, prefix: str, given: dict[str, Any], *, prefixed: bool) -> Artifact:
    """Write networks as one file, with the prompt and what else is kept beside pictures.

    Raises:
        ValueError: one of them is none that is saved; names the input.
    """
    from nodes.models.files.writing import NewFile, texts
    from nodes.models.networks.network import Handle
    from nodes.models.networks.saving import entries, facts
    from nodes.models.text.prompt_encoder import PromptEncoder
    from nodes.models.text.text_encoder import clip_alone

    found: list[Entry] = []
    for name, value in given.items():
        if isinstance(value, PromptEncoder):
            value = clip_alone(value)
        if not isinstance(value, Handle):
            raise ValueError(f"{name}: pixel_space has no weights to keep; connect another VAE")
        handle = cast("Handle[Any]", value)
        try:
            found += entries(handle, run.device, prefixed=prefixed)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    kept = texts({"prompt": run.prompt, **run.extra_pnginfo})
    kept |= facts(given["model"], prefix) if "model" in given else {}
    run.save(prefix, "safetensors", NewFile(found, kept))
    return Artifact()
