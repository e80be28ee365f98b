"""Nodes from text to conditioning, and from conditioning to conditioning."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from engine import (
    CPU,
    GPU,
    BadPath,
    Choice,
    Files,
    Mentions,
    MissingFile,
    Prompt,
    Range,
    Run,
    Slots,
    Tooltip,
    node,
)
from nodes.sockets import Clip, Conditioning, Image, Latent, Mask
from nodes.widgets import LatentLeft, LatentSide, LatentTop, Share

REFERENCE_METHODS = ("offset", "index", "uxo/uno", "index_timestep_zero")
EMBEDDINGS = Files("embeddings", suffixes=(".safetensors", ".pt", ".bin"))

Positive = Annotated[Conditioning, Tooltip("What the picture shall show.")]
Negative = Annotated[Conditioning, Tooltip("What it shall not show.")]
First = Annotated[Conditioning, Tooltip("The first text.")]
Second = Annotated[Conditioning, Tooltip("The second text.")]
Percent = Annotated[float, Range(0.0, 1.0, 0.001)]
Strength = Annotated[float, Range(0.0, 10.0, 0.01), Tooltip("Against others that overlap.")]


@node(
    "CLIPTextEncode",
    category="conditioning",
    display_name="CLIP Text Encode (Prompt)",
    on=GPU | CPU,
)
def encode_text(
    run: Run,
    *,
    text: Annotated[
        Prompt,
        Mentions(EMBEDDINGS, "(?i)embedding:"),
        Tooltip("The prompt; (word:1.3) makes a word stronger, embedding:name puts a file in."),
    ],
    clip: Annotated[Clip, Tooltip("The text encoder of the checkpoint that will draw.")],
) -> Conditioning:
    """Encode a prompt as a conditioning, which guides the denoiser."""
    return encoded_text(run, clip, text)


def encoded_text(run: Run, clip: Clip, text: str | Mapping[str, str], **more: Any) -> Conditioning:
    """A prompt, or one for each text encoder, with the embeddings that it names.

    `more` is for text encoders of a recipe, see `RecipeEncoder.encode`.
    """

    def path(name: str) -> Path | None:
        for ending in ("", *EMBEDDINGS.suffixes):
            with contextlib.suppress(MissingFile, BadPath):
                found = run.model_path(EMBEDDINGS.folder, name + ending)
                if found.is_file():
                    return found
        return None

    unknown: dict[str, None] = {}
    encoded = clip.encode(text, path, lambda name: unknown.setdefault(name), **more)
    for name in unknown:
        run.warn(
            f"embedding:{name[:100]} is left out of the prompt: models/embeddings has no such file"
        )
    return encoded


SizeInPixels = Annotated[int, Range(0, 16384), Tooltip("In pixels.")]


@node("CLIPTextEncodeSDXL", category="advanced/conditioning", on=GPU | CPU)
def encode_text_sdxl(
    run: Run,
    *,
    clip: Annotated[Clip, Tooltip("The text encoders of an SDXL checkpoint.")],
    width: Annotated[
        SizeInPixels, Tooltip("Original size: that of the training picture to imitate.")
    ] = 1024,
    height: SizeInPixels = 1024,
    crop_w: Annotated[SizeInPixels, Tooltip("Crop of that picture at the left; 0: none.")] = 0,
    crop_h: Annotated[SizeInPixels, Tooltip("Crop of that picture at the top; 0: none.")] = 0,
    target_width: Annotated[SizeInPixels, Tooltip("Of the picture that is drawn.")] = 1024,
    target_height: SizeInPixels = 1024,
    text_g: Annotated[
        Prompt, Mentions(EMBEDDINGS, "(?i)embedding:"), Tooltip("The prompt for CLIP-G.")
    ],
    text_l: Annotated[
        Prompt, Mentions(EMBEDDINGS, "(?i)embedding:"), Tooltip("The prompt for CLIP-L.")
    ],
) -> Conditioning:
    """Encode two prompts and the sizes of a picture as a conditioning for SDXL.

    Raises:
        ValueError: the CLIP is not SDXL's.
    """
    from nodes.models.text.text_encoder import TextEncoder

    encoders = clip.encoders if isinstance(clip, TextEncoder) else ()
    if {encoder.name for encoder in encoders} != {"clip_l", "clip_g"}:
        raise ValueError(
            "clip: it is not the CLIP of SDXL, which has two text encoders; take that of an SDXL "
            "checkpoint, or CLIPTextEncode for this one"
        )
    return _with(
        encoded_text(run, clip, {"clip_g": text_g, "clip_l": text_l}),
        width=width,
        height=height,
        crop_w=crop_w,
        crop_h=crop_h,
        target_width=target_width,
        target_height=target_height,
    )


@node("CLIPTextEncodeSDXLRefiner", category="advanced/conditioning", on=GPU | CPU)
def encode_text_refiner(
    run: Run,
    *,
    ascore: Annotated[
        float,
        Range(0.0, 1000.0, 0.01),
        Tooltip("Aesthetic score: about 6 for the positive prompt, 2.5 for the negative."),
    ] = 6.0,
    width: SizeInPixels = 1024,
    height: SizeInPixels = 1024,
    text: Annotated[Prompt, Mentions(EMBEDDINGS, "(?i)embedding:"), Tooltip("The prompt.")],
    clip: Annotated[Clip, Tooltip("The text encoder of the SDXL refiner.")],
) -> Conditioning:
    """Encode a prompt, an aesthetic score and a size as a conditioning for the SDXL refiner."""
    encoded = encoded_text(run, clip, text)
    return _with(encoded, aesthetic_score=ascore, width=width, height=height)


@node("CLIPSetLastLayer", category="conditioning", display_name="CLIP Set Last Layer")
def set_last_layer(
    *,
    clip: Clip,
    stop_at_clip_layer: Annotated[
        int, Range(-24, -1, 1), Tooltip("-1 is the last layer, -2 the one before it.")
    ] = -1,
) -> Clip:
    """Take the text encoding from an earlier layer of the encoder ("clip skip")."""
    return clip.at_layer(stop_at_clip_layer)


@node("ConditioningCombine", category="conditioning", display_name="Conditioning (Combine)")
def combine(*, conditioning_1: First, conditioning_2: Second) -> Conditioning:
    """Two conditionings, each evaluated alone and averaged where they overlap."""
    return [*conditioning_1, *conditioning_2]


@node("ConditioningConcat", category="conditioning", display_name="Conditioning (Concat)")
def concat(*, conditioning_to: First, conditioning_from: Second) -> Conditioning:
    """Tokens of the second after those of the first, as if both were one prompt."""
    from nodes.models.conditioning import conditionings

    return conditionings.concat(conditioning_to, conditioning_from)


@node("ConditioningAverage", category="conditioning", display_name="Conditioning (Average)")
def average(
    *,
    conditioning_to: First,
    conditioning_from: Second,
    conditioning_to_strength: Annotated[
        Share, Tooltip("How much of the first; the rest is the second.")
    ] = 1.0,
) -> Conditioning:
    """Weighted average of two conditionings."""
    from nodes.models.conditioning import conditionings

    return conditionings.average(conditioning_to, conditioning_from, conditioning_to_strength)


@node("ConditioningZeroOut", category="advanced/conditioning")
def zero_out(*, conditioning: Conditioning) -> Conditioning:
    """A conditioning of zeros: no text at all, not even an empty one."""
    from nodes.models.conditioning import conditionings

    return conditionings.zero_out(conditioning)


@node("ConditioningSetArea", category="conditioning", display_name="Conditioning (Set Area)")
def set_area(
    *,
    conditioning: Conditioning,
    width: LatentSide = 64,
    height: LatentSide = 64,
    x: LatentLeft = 0,
    y: LatentTop = 0,
    strength: Strength = 1.0,
) -> Conditioning:
    """A conditioning for a rectangle of the picture."""
    area = (height // 8, width // 8, y // 8, x // 8)
    return _with(conditioning, area=area, strength=strength, set_area_to_bounds=False)


@node(
    "ConditioningSetAreaPercentage",
    category="conditioning",
    display_name="Conditioning (Set Area with Percentage)",
)
def set_area_percentage(
    *,
    conditioning: Conditioning,
    width: Annotated[Share, Tooltip("1 is the whole width.")] = 1.0,
    height: Annotated[Share, Tooltip("1 is the whole height.")] = 1.0,
    x: Annotated[Share, Tooltip("Of the left edge: 0 is the left, 1 the right.")] = 0,
    y: Annotated[Share, Tooltip("Of the top edge: 0 is the top, 1 the bottom.")] = 0,
    strength: Strength = 1.0,
) -> Conditioning:
    """A conditioning for a rectangle of the picture, in fractions of its sides."""
    area = ("percentage", height, width, y, x)
    return _with(conditioning, area=area, strength=strength, set_area_to_bounds=False)


@node("ConditioningSetAreaPercentageVideo", category="conditioning")
def set_area_percentage_video(
    *,
    conditioning: Conditioning,
    width: Annotated[Share, Tooltip("1 is the whole width.")] = 1.0,
    height: Annotated[Share, Tooltip("1 is the whole height.")] = 1.0,
    temporal: Annotated[Share, Tooltip("1 is the whole time.")] = 1.0,
    x: Annotated[Share, Tooltip("Of the left edge: 0 is the left, 1 the right.")] = 0,
    y: Annotated[Share, Tooltip("Of the top edge: 0 is the top, 1 the bottom.")] = 0,
    z: Annotated[Share, Tooltip("Of the beginning: 0 is the beginning, 1 the end.")] = 0,
    strength: Strength = 1.0,
) -> Conditioning:
    """A conditioning for a box of a video, in fractions of its sides and duration."""
    area = ("percentage", temporal, height, width, z, y, x)
    return _with(conditioning, area=area, strength=strength, set_area_to_bounds=False)


@node("ConditioningSetAreaStrength", category="conditioning")
def set_area_strength(*, conditioning: Conditioning, strength: Strength = 1.0) -> Conditioning:
    """Weight of a conditioning against others that overlap."""
    return _with(conditioning, strength=strength)


@node("ConditioningSetMask", category="conditioning", display_name="Conditioning (Set Mask)")
def set_mask(
    *,
    conditioning: Conditioning,
    mask: Annotated[Mask, Tooltip("Where the text counts.")],
    strength: Strength = 1.0,
    set_cond_area: Annotated[
        str,
        Choice(("default", "mask bounds")),
        Tooltip("mask bounds: only the rectangle around the mask is evaluated for this text."),
    ],
) -> Conditioning:
    """A conditioning for the part of the picture that a mask covers."""
    return _with(
        conditioning,
        mask=mask.reshape(-1, *mask.shape[-2:]),
        set_area_to_bounds=set_cond_area != "default",
        mask_strength=strength,
    )


@node("ConditioningSetTimestepRange", category="advanced/conditioning")
def set_span(
    *,
    conditioning: Conditioning,
    start: Annotated[Percent, Tooltip("Of the sampling; 0 is pure noise.")] = 0.0,
    end: Annotated[Percent, Tooltip("Of the sampling; 1 is the picture.")] = 1.0,
) -> Conditioning:
    """A conditioning for a part of the sampling."""
    return _with(conditioning, start_percent=start, end_percent=end)


@node("FluxGuidance", category="advanced/conditioning/flux")
def flux_guidance(
    *,
    conditioning: Conditioning,
    guidance: Annotated[
        float, Range(0.0, 100.0, 0.1), Tooltip("How strongly the text is followed.")
    ] = 3.5,
) -> Conditioning:
    """Guidance strength for models that were distilled for it (FLUX)."""
    return _with(conditioning, guidance=guidance)


@node("FluxDisableGuidance", category="advanced/conditioning/flux")
def flux_without_guidance(*, conditioning: Conditioning) -> Conditioning:
    """No guidance value, for models that were distilled for one."""
    return _with(conditioning, guidance=None)


@node("ReferenceLatent", category="advanced/conditioning/edit_models")
def reference_latent(
    *,
    conditioning: Conditioning,
    latent: Annotated[Latent | None, Tooltip("Latents of the reference picture.")] = None,
) -> Conditioning:
    """Add a reference picture for an editing model; several may follow one another."""
    if latent is None:
        return conditioning
    return [
        (text, {**options, "reference_latents": [*options.get("reference_latents", []), samples]})
        for samples in [latent["samples"]]
        for text, options in conditioning
    ]


@node("FluxKontextMultiReferenceLatentMethod", category="advanced/conditioning/flux")
def reference_method(
    *,
    conditioning: Conditioning,
    reference_latents_method: Annotated[
        str, Choice(REFERENCE_METHODS), Tooltip("How several pictures get positions of their own.")
    ],
) -> Conditioning:
    """How the positions of reference pictures are encoded for an editing model."""
    return _with(conditioning, reference_latents_method=reference_latents_method)


@node("StableCascade_StageB_Conditioning", category="conditioning/stable_cascade")
def stage_b(
    *,
    conditioning: Conditioning,
    stage_c: Annotated[Latent, Tooltip("What the first stage made.")],
) -> Conditioning:
    """A conditioning with the latents of Stable Cascade's first stage, for its second."""
    return _with(conditioning, stable_cascade_prior=stage_c["samples"])


@node("ConditioningLoader", category="model/loaders", display_name="Load Conditioning")
def load_conditioning(
    run: Run,
    *,
    conditioning_name: Annotated[
        str, Choice(Files("embeddings")), Tooltip("A file in models/embeddings.")
    ],
) -> Conditioning:
    """Read a conditioning that was saved, from models/embeddings."""
    from nodes.models.conditioning.conditionings import read

    return read(run.model_path("embeddings", conditioning_name))


class Pair(NamedTuple):
    """The positive and the negative conditioning."""

    positive: Conditioning
    negative: Conditioning


@node("LTXVConditioning", category="advanced/conditioning/video")
def frame_rate(
    *,
    positive: Positive,
    negative: Negative,
    frame_rate: Annotated[float, Range(0.0, 1000.0, 0.01), Tooltip("Frames per second.")] = 25.0,
) -> Pair:
    """Conditionings for a video with a frame rate."""
    return Pair(_with(positive, frame_rate=frame_rate), _with(negative, frame_rate=frame_rate))


@node(
    "HiDreamO1ReferenceImages",
    category="model/conditioning/hidream",
    display_name="HiDream-O1 Reference Images",
)
def reference_images(
    *,
    positive: Positive,
    negative: Negative,
    images: Annotated[
        dict[str, Image],
        Slots(tuple(f"image_{n}" for n in range(1, 11))),
        Tooltip("The reference pictures, ten at most."),
    ],
) -> Pair:
    """Reference pictures for HiDream-O1, which works on pixels."""
    seen = [*images.values()]
    return Pair(_with(positive, reference_latents=seen), _with(negative, reference_latents=seen))


def _with(conditioning: Conditioning, **options: Any) -> Conditioning:
    return [(text, {**given, **options}) for text, given in conditioning]
