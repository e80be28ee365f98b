"""CLIP Vision, and what takes its output: unCLIP and style models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

from engine import CPU, GPU, Choice, Files, Mark, Range, Run, Socket, Tooltip, node
from nodes.loaders import opened_checkpoint
from nodes.models.files.unfit import unfit_checkpoint
from nodes.sockets import Clip, Conditioning, Image, Model, Vae

if TYPE_CHECKING:
    from nodes.models.conditioning.style import StyleModel
    from nodes.models.conditioning.vision import Seen, VisionEncoder
else:
    VisionEncoder = Socket("CLIP_VISION", "A network that sees what is in pictures.")
    Seen = Socket("CLIP_VISION_OUTPUT", "What such a network saw.")
    StyleModel = Socket("STYLE_MODEL", "A network that makes words of what was seen.")


@node("CLIPVisionLoader", category="loaders", display_name="Load CLIP Vision")
def load_vision_encoder(
    run: Run,
    *,
    clip_name: Annotated[
        str, Choice(Files("clip_vision")), Tooltip("A file in models/clip_vision.")
    ],
) -> VisionEncoder:
    """A vision encoder: CLIP's (L, H, G) or SigLIP's."""
    from nodes.models.conditioning.vision import read_vision_encoder

    return read_vision_encoder(run.model_path("clip_vision", clip_name))


@node("CLIPVisionEncode", category="conditioning", display_name="CLIP Vision Encode", on=GPU | CPU)
def see(
    *,
    clip_vision: VisionEncoder,
    image: Image,
    crop: Annotated[
        str,
        Choice(("center", "none")),
        Tooltip("center: cut to a square; none: pressed into one."),
        Mark.LATER,
    ] = "center",
) -> Seen:
    """Encode pictures by a vision encoder."""
    return clip_vision.see(image, crop=crop == "center")


class UnclipCheckpoint(NamedTuple):
    """What an unCLIP checkpoint holds."""

    MODEL: Model
    CLIP: Clip
    VAE: Vae
    CLIP_VISION: VisionEncoder


@node("unCLIPCheckpointLoader", category="loaders")
def load_unclip_checkpoint(
    run: Run,
    *,
    ckpt_name: Annotated[
        str,
        Choice(Files("checkpoints"), judge=unfit_checkpoint),
        Tooltip("A file in models/checkpoints."),
    ],
) -> UnclipCheckpoint:
    """Take the networks out of an unCLIP checkpoint, its vision encoder too."""
    from nodes.models.conditioning.vision import vision_encoder_of

    path = run.model_path("checkpoints", ckpt_name)
    return UnclipCheckpoint(*opened_checkpoint(path), vision_encoder_of(path))


@node("unCLIPConditioning", category="conditioning")
def steer_by_seen(
    *,
    conditioning: Conditioning,
    clip_vision_output: Seen,
    strength: Annotated[
        float, Range(-10.0, 10.0, 0.01), Tooltip("How much of it; 0: nothing.")
    ] = 1.0,
    noise_augmentation: Annotated[
        float, Range(0.0, 1.0, 0.01), Tooltip("0: close to the picture; 1: far from it.")
    ] = 0.0,
) -> Conditioning:
    """Condition an unCLIP model on an encoded picture; several may follow one another."""
    if strength == 0:
        return conditioning
    seen = {
        "clip_vision_output": clip_vision_output,
        "strength": strength,
        "noise_augmentation": noise_augmentation,
    }
    return [
        (text, {**options, "unclip_conditioning": [*options.get("unclip_conditioning", ()), seen]})
        for text, options in conditioning
    ]


@node("StyleModelLoader", category="loaders", display_name="Load Style Model")
def load_style_model(
    run: Run,
    *,
    style_model_name: Annotated[
        str, Choice(Files("style_models")), Tooltip("A file in models/style_models.")
    ],
) -> StyleModel:
    """A network from vision outputs to tokens: a T2I style adapter, or FLUX Redux."""
    from nodes.models.conditioning.style import read_style_model

    return read_style_model(run.model_path("style_models", style_model_name))


@node(
    "StyleModelApply",
    category="conditioning/style_model",
    display_name="Apply Style Model",
    on=GPU | CPU,
)
def apply_style(
    *,
    conditioning: Conditioning,
    style_model: StyleModel,
    clip_vision_output: Seen,
    strength: Annotated[float, Range(0.0, 10.0, 0.001), Tooltip("How much it counts.")] = 1.0,
    strength_type: Annotated[
        str,
        Choice(("multiply", "attn_bias")),
        Tooltip(
            "multiply: its tokens are multiplied by it; attn_bias: it is a weight in attention."
        ),
    ],
) -> Conditioning:
    """Append the tokens of a picture to a conditioning.

    Raises:
        ValueError: attn_bias with a strength other than 1, which no supported model takes.
    """
    import torch

    if strength_type == "attn_bias" and strength != 1:
        raise ValueError(
            "strength_type: attn_bias with a strength other than 1 is for FLUX.1, which is not "
            "supported yet; choose multiply"
        )
    words = style_model.words(clip_vision_output) * strength
    return [
        (torch.cat([text, words.expand(len(text), -1, -1).to(text)], dim=1), options)
        for text, options in conditioning
    ]
