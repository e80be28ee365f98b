"""Nodes that choose models. They read headers only: weights are loaded when a node needs them."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NamedTuple

from engine import Choice, Files, FileSet, Mark, MissingFile, Run, Tooltip, node
from nodes.models.files.unfit import unfit_checkpoint, unfit_encoder, unfit_vae
from nodes.models.latents.formats import TINY
from nodes.models.text.recipes.registry import RECIPES, recipes_of
from nodes.sockets import Clip, Model, Vae

CONFIGS = (
    "anything_v3.yaml",
    "v1-inference.yaml",
    "v1-inference_clip_skip_2.yaml",
    "v1-inference_clip_skip_2_fp16.yaml",
    "v1-inference_fp16.yaml",
    "v1-inpainting-inference.yaml",
    "v2-inference-v.yaml",
    "v2-inference-v_fp32.yaml",
    "v2-inference.yaml",
    "v2-inference_fp32.yaml",
    "v2-inpainting-inference.yaml",
)
CLIP_TYPES = (
    "stable_diffusion", "stable_cascade", "sd3", "stable_audio", "mochi", "ltxv", "pixart",
    "cosmos", "lumina2", "wan", "hidream", "chroma", "ace", "omnigen2", "qwen_image",
    "hunyuan_image", "flux2", "ovis", "longcat_image", "cogvideox", "lens", "pixeldit",
    "ideogram4", "boogu", "krea2", "joyimage", "mage", "minimax",
)  # fmt: skip


DUAL_TYPES = (
    "sdxl", "sd3", "flux", "hunyuan_video", "hidream", "hunyuan_image", "hunyuan_video_15",
    "kandinsky5", "kandinsky5_image", "ltxv", "newbie", "ace",
)  # fmt: skip


def unfit_type(type: str) -> str | None:
    """Why text encoders cannot be of this type."""
    if type in (CLIP_TYPES[0], DUAL_TYPES[0]) or recipes_of(type):
        return None
    known = sorted({type for recipe in RECIPES for type in recipe.types} | {CLIP_TYPES[0]})
    return f"text encoders for {type} are not supported; these are: {', '.join(known)}"


EncoderFile = Annotated[
    str,
    Choice(Files("text_encoders"), judge=unfit_encoder),
    Tooltip("A file in models/text_encoders."),
]
EncoderDevice = Annotated[
    str, Choice(("default", "cpu")), Tooltip("The lane decides where it runs."), Mark.ADVANCED
]


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
        Choice(Files("checkpoints", marker="model_index.json"), judge=unfit_checkpoint),
        Tooltip("A file, or a diffusers folder, in models/checkpoints."),
    ],
) -> Checkpoint:
    """Take the denoiser, the text encoder and the autoencoder out of a checkpoint."""
    return opened_checkpoint(run.model_path("checkpoints", ckpt_name))


def opened_checkpoint(path: Path) -> Checkpoint:
    """The networks of a checkpoint, of which only the header is read."""
    from nodes.models.files.checkpoints import read_checkpoint
    from nodes.models.networks.denoiser import Denoiser
    from nodes.models.text.encoder_files import encoder_of
    from nodes.models.vae.handles import vae_of

    found = read_checkpoint(path)
    return Checkpoint(Denoiser.of(found.denoiser), encoder_of(found), vae_of(found.vae))


@node("DiffusersLoader", category="advanced/loaders/deprecated", deprecated=True)
def load_diffusers(
    run: Run,
    *,
    model_path: Annotated[
        str,
        Choice(Files("diffusers", marker="model_index.json"), judge=unfit_checkpoint),
        Tooltip("A diffusers folder in models/diffusers."),
    ],
) -> Checkpoint:
    """Take the parts out of a diffusers folder; Load Checkpoint does the same."""
    return opened_checkpoint(run.model_path("diffusers", model_path))


@node(
    "CheckpointLoader",
    category="advanced/loaders",
    display_name="Load Checkpoint (with Config)",
    deprecated=True,
)
def load_checkpoint_by_config(
    run: Run,
    *,
    config_name: Annotated[str, Choice(CONFIGS), Tooltip("Ignored: the file says what it is.")],
    ckpt_name: Annotated[
        str,
        Choice(Files("checkpoints"), judge=unfit_checkpoint),
        Tooltip("A file in models/checkpoints."),
    ],
) -> Checkpoint:
    """Take the parts out of a checkpoint; Load Checkpoint does the same."""
    return load_checkpoint(run, ckpt_name=ckpt_name)


@node("UNETLoader", category="advanced/loaders", display_name="Load Diffusion Model")
def load_denoiser(
    run: Run,
    *,
    unet_name: Annotated[
        str,
        Choice(Files("diffusion_models"), judge=unfit_checkpoint),
        Tooltip("A file in models/diffusion_models."),
    ],
    weight_dtype: Annotated[
        str,
        Choice(("default", "fp8_e4m3fn", "fp8_e4m3fn_fast", "fp8_e5m2")),
        Tooltip(
            "default: as the file has them. fp8: rounded to eight bits, which takes a half of the "
            "memory of fp16; fast: GPUs that can also multiply in it."
        ),
        Mark.LATER,
    ] = "default",
) -> Model:
    """Take a denoiser out of a file of its own."""
    from nodes.models.files.checkpoints import read_denoiser
    from nodes.models.networks.denoiser import Denoiser

    found = read_denoiser(run.model_path("diffusion_models", unet_name))
    return replace(Denoiser.of(found), weight_dtype=weight_dtype)


@node("CLIPLoader", category="advanced/loaders", display_name="Load CLIP")
def load_clip(
    run: Run,
    *,
    clip_name: EncoderFile,
    type: Annotated[
        str,
        Choice(CLIP_TYPES, judge=unfit_type),
        Tooltip("Of the model it is for; Z-Image's is lumina2, FLUX.2's of both kinds flux2."),
    ],
    device: EncoderDevice | None = None,
) -> Clip:
    """Take a text encoder out of a file of its own.

    Raises:
        ValueError: for a kind of model that is not supported.
    """
    return _text_encoders(run, type, clip_name)


@node("DualCLIPLoader", category="advanced/loaders")
def load_two_clips(
    run: Run,
    *,
    clip_name1: EncoderFile,
    clip_name2: EncoderFile,
    type: Annotated[
        str,
        Choice(DUAL_TYPES, judge=unfit_type),
        Tooltip("Of the model they are for."),
    ],
    device: EncoderDevice | None = None,
) -> Clip:
    """Take the two text encoders of a model out of files of their own, in either order.

    Raises:
        ValueError: for a kind of model that is not supported.
    """
    return _text_encoders(run, type, clip_name1, clip_name2)


@node("TripleCLIPLoader", category="advanced/loaders")
def load_three_clips(
    run: Run, *, clip_name1: EncoderFile, clip_name2: EncoderFile, clip_name3: EncoderFile
) -> Clip:
    """Take the text encoders of Stable Diffusion 3 out of three files, in any order."""
    return _text_encoders(run, "sd3", clip_name1, clip_name2, clip_name3)


@node("QuadrupleCLIPLoader", category="advanced/loaders")
def load_four_clips(
    run: Run,
    *,
    clip_name1: EncoderFile,
    clip_name2: EncoderFile,
    clip_name3: EncoderFile,
    clip_name4: EncoderFile,
) -> Clip:
    """Take the four text encoders of HiDream out of files of their own, in any order."""
    return _text_encoders(run, "hidream", clip_name1, clip_name2, clip_name3, clip_name4)


def _text_encoders(run: Run, type: str, *names: str) -> Clip:
    from nodes.models.text.encoder_files import read_prompt_encoder

    if (why := unfit_type(type)) is not None:
        raise ValueError(f"type: {why}")
    return read_prompt_encoder([run.model_path("text_encoders", name) for name in names], type)


PIXEL_SPACE = "pixel_space"
VAES = Files(
    "vae",
    sets=(
        *(FileSet(name, "vae_approx", (f"{name}_encoder", f"{name}_decoder")) for name in TINY),
        FileSet(PIXEL_SPACE),
    ),
)


@node("VAELoader", category="loaders", display_name="Load VAE")
def load_vae(
    run: Run,
    *,
    vae_name: Annotated[
        str,
        Choice(VAES, judge=unfit_vae),
        Tooltip(
            "A file in models/vae; a tiny autoencoder, both files of which are in "
            "models/vae_approx; or pixel_space, for denoisers that draw pixels."
        ),
    ],
) -> Vae:
    """Take an autoencoder out of a file of its own."""
    from nodes.models.files.checkpoints import read_tiny_vae, read_vae
    from nodes.models.vae.autoencoder import PixelSpace, TinyVae
    from nodes.models.vae.handles import vae_of

    if vae_name == PIXEL_SPACE:
        return PixelSpace()
    if vae_name not in TINY:
        return vae_of(read_vae(run.model_path("vae", vae_name)))
    scale, shift = TINY[vae_name]
    files = (tiny_file(run, f"{vae_name}_{side}") for side in ("encoder", "decoder"))
    return TinyVae(read_tiny_vae(*files), scale=scale, shift=shift)


def tiny_file(run: Run, stem: str) -> Path:
    """A file of models/vae_approx by its name without ending.

    Raises:
        MissingFile: no such file.
    """
    for ending in (".safetensors", ".sft", ".pth", ".pt", ".ckpt"):
        with contextlib.suppress(MissingFile):
            return run.model_path("vae_approx", stem + ending)
    return run.model_path("vae_approx", f"{stem}.bin")
