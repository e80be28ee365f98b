"""Why can this model file not be loaded? Said before a prompt waits, and when it is loaded.

Nothing here needs torch: the server asks too.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from nodes.models.families.detection import (
    Shapes,
    denoiser_family,
    encoder_family,
    looks,
    lora_family,
    vae_family,
)
from nodes.models.families.registry import FAMILIES, detected
from nodes.models.families.text_encoder_files import language_layouts
from nodes.models.files.folders import TRANSFORMER, transformer_folder
from nodes.models.files.tensor_files import ModelFileError, read_header

LOADED = tuple(family.name for family in FAMILIES)
CLIPS = ("CLIP-L", "CLIP-G", "CLIP-H")
SUPPORTED = ", ".join(LOADED)
"""The families that can be loaded, for messages."""

VAES = (
    "Stable Diffusion",
    "Stable Diffusion 3 or FLUX.1",
    "FLUX.2",
    "Wan or Qwen-Image",
    "HunyuanVideo",
)
"""Whose autoencoders can be loaded, as `detection` calls them."""


def unfit_checkpoint(path: Path) -> str | None:
    """Why a file or folder of models/checkpoints, or a denoiser alone, cannot be loaded."""
    return _folder(path) if path.is_dir() else _cached(path, "model")


def _folder(path: Path) -> str | None:
    """Why a diffusers folder cannot be loaded; what is wrong inside of it shows later."""
    try:
        index: Any = json.loads((path / "model_index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if isinstance(index, dict) and {TRANSFORMER, "prior"} & index.keys():
        if "prior" not in index and (path / TRANSFORMER).is_dir():
            return _transformer(path)
        kind = str(cast(dict[str, Any], index).get("_class_name"))[:100]
        return f"{path}: a folder of a {kind}, which is not supported; folders of {SUPPORTED} are"
    return None


def _transformer(path: Path) -> str | None:
    try:
        transformer_folder(path)
    except ModelFileError as error:
        return str(error)
    return None


def unfit_encoder(path: Path) -> str | None:
    """Why a file of models/text_encoders cannot be loaded."""
    return _cached(path, "encoder")


def unfit_vae(path: Path) -> str | None:
    """Why a file of models/vae cannot be loaded."""
    return _cached(path, "vae")


def unfit_lora(path: Path) -> str | None:
    """Why a file of models/loras fits none of the models that can be loaded."""
    return _cached(path, "lora")


def _cached(path: Path, role: str) -> str | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return _unfit(path, role, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=1024)
def _unfit(path: Path, role: str, size: int, changed: int) -> str | None:
    """Why a file of that size and time of change cannot be loaded in its role."""
    try:
        shapes = read_header(path).shapes
    except ModelFileError as error:
        return str(error)
    return REASONS[role](path, shapes)


def model_complaint(path: Path, shapes: Shapes) -> str | None:
    """Why a denoiser, or a checkpoint, cannot be loaded; None where it can."""
    if detected(shapes) is not None:
        return None
    found = denoiser_family(shapes)
    if found is not None and found.startswith(LOADED):
        return (
            f"{path}: it looks like {looks(shapes)}, but its denoiser is not complete, or is "
            "built in a way that is not known; get the file again"
        )
    return (
        f"{path}: not a model that can be loaded here; it looks like {looks(shapes)}. "
        f"Supported are files and diffusers folders of {SUPPORTED}"
    )


def encoder_complaint(path: Path, shapes: Shapes) -> str | None:
    """Why a text encoder cannot be loaded; None where it can."""
    if encoder_family(shapes) in CLIPS or language_layouts(shapes):
        return None
    return (
        f"{path}: not a text encoder that can be loaded here; it looks like {looks(shapes)}. "
        "Supported are CLIP-L, CLIP-G, CLIP-H, T5, UMT5, ByT5, Qwen2.5-VL, Qwen3, Qwen3-VL, "
        "Gemma 2 and 3, Llama 3 and Mistral 3, in the names of their authors or as GGUF"
    )


def vae_complaint(path: Path, shapes: Shapes) -> str | None:
    """Why an autoencoder cannot be loaded; None where it can."""
    if (family := vae_family(shapes)) in VAES:
        return None
    found = looks(shapes) if family is None else f"the autoencoder of {family}"
    return (
        f"{path}: not an autoencoder that can be loaded here; it looks like {found}. "
        f"Supported are those of {', '.join(VAES)}"
    )


def lora_complaint(path: Path, shapes: Shapes) -> str | None:
    """Why a LoRA fits none of the models that can be loaded; None where it may."""
    family = lora_family(shapes)
    # Some rows name what several families have in common.
    if family is None or any(name.startswith(family) for name in LOADED):
        return None
    return f"{path}: a LoRA for {family}, which is not supported; choose one for {SUPPORTED}"


REASONS = {
    "model": model_complaint,
    "encoder": encoder_complaint,
    "vae": vae_complaint,
    "lora": lora_complaint,
}
