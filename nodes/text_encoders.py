"""Nodes that encode prompts for models with several text encoders, or with one that sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from engine import CPU, GPU, Choice, Mentions, Prompt, Range, Run, Steps, Tooltip, node
from nodes.conditioning import EMBEDDINGS, encoded_text
from nodes.progress import steps
from nodes.sockets import Clip, Conditioning, Image, Vae

if TYPE_CHECKING:
    from torch import Tensor

ENCODER_AREA, LATENT_AREA = 384 * 384, 1024 * 1024
"""Pixels of a picture as a text encoder sees it, and as the VAE of an editing model encodes it."""
CELL = 8
SYSTEM_PROMPTS = {
    "superior": (
        "You are an assistant designed to generate superior images with the superior degree of "
        "image-text alignment based on textual prompts or user prompts."
    ),
    "alignment": (
        "You are an assistant designed to generate high-quality images with the highest degree of "
        "image-text alignment based on textual prompts."
    ),
}
"""What the authors of Lumina 2 put before a prompt (Lumina-Image-2.0, Apache-2.0)."""

OfClip = Annotated[Prompt, Mentions(EMBEDDINGS, "(?i)embedding:"), Tooltip("The prompt for CLIP.")]
OfT5 = Annotated[Prompt, Tooltip("The prompt for T5.")]
Several = Annotated[Clip, Tooltip("The text encoders of the model that will draw.")]


@node("CLIPTextEncodeFlux", category="advanced/conditioning/flux", on=GPU | CPU)
def encode_flux(
    run: Run,
    *,
    clip: Several,
    clip_l: OfClip,
    t5xxl: OfT5,
    guidance: Annotated[
        float, Range(0.0, 100.0, 0.1), Tooltip("How strongly the text is followed.")
    ] = 3.5,
) -> Conditioning:
    """Encode a prompt for each text encoder of FLUX.1, with the strength of its guidance."""
    encoded = encoded_text(run, clip, {"clip_l": clip_l, "t5xxl": t5xxl})
    return [(text, {**options, "guidance": guidance}) for text, options in encoded]


@node("CLIPTextEncodeSD3", category="advanced/conditioning", on=GPU | CPU)
def encode_sd3(
    run: Run,
    *,
    clip: Several,
    clip_l: OfClip,
    clip_g: OfClip,
    t5xxl: OfT5,
    empty_padding: Annotated[
        str,
        Choice(("none", "empty_prompt")),
        Tooltip("Of a text encoder without a prompt: none, zeros; empty_prompt: what it says."),
    ],
) -> Conditioning:
    """Encode a prompt for each text encoder of Stable Diffusion 3."""
    texts = {"clip_l": clip_l, "clip_g": clip_g, "t5xxl": t5xxl}
    return encoded_text(run, clip, texts, leaves_empty_out=empty_padding == "none")


@node("CLIPTextEncodeHiDream", category="advanced/conditioning", on=GPU | CPU)
def encode_hidream(
    run: Run, *, clip: Several, clip_l: OfClip, clip_g: OfClip, t5xxl: OfT5, llama: OfT5
) -> Conditioning:
    """Encode a prompt for each text encoder of HiDream."""
    texts = {"clip_l": clip_l, "clip_g": clip_g, "t5xxl": t5xxl, "llama": llama}
    return encoded_text(run, clip, texts)


@node(
    "CLIPTextEncodeLumina2",
    category="advanced/conditioning",
    display_name="CLIP Text Encode for Lumina2",
    on=GPU | CPU,
)
def encode_lumina2(
    run: Run,
    *,
    system_prompt: Annotated[
        str,
        Choice([*SYSTEM_PROMPTS]),
        Tooltip("superior: fine pictures that follow the text; alignment: that follow it closely."),
    ],
    user_prompt: Annotated[Prompt, Tooltip("The prompt.")],
    clip: Several,
) -> Conditioning:
    """Encode a prompt behind one of the system prompts of Lumina 2."""
    return encoded_text(run, clip, f"{SYSTEM_PROMPTS[system_prompt]} <Prompt Start> {user_prompt}")


@node("CLIPTextEncodePixArtAlpha", category="advanced/conditioning", on=GPU | CPU)
def encode_pixart(
    run: Run,
    *,
    width: Annotated[int, Range(0, 16384), Tooltip("Of the picture, in pixels.")] = 1024,
    height: Annotated[int, Range(0, 16384), Tooltip("Of the picture, in pixels.")] = 1024,
    text: Annotated[Prompt, Tooltip("The prompt.")],
    clip: Several,
) -> Conditioning:
    """Encode a prompt and the size of a picture for PixArt Alpha."""
    encoded = encoded_text(run, clip, text)
    size = {"width": width, "height": height}
    return [(states, {**options, **size}) for states, options in encoded]


@node("T5TokenizerOptions", category="_for_testing/conditioning")
def t5_padding(
    *,
    clip: Clip,
    min_padding: Annotated[
        int, Range(0, 10000, 1), Tooltip("Tokens of padding behind a text, at least.")
    ] = 0,
    min_length: Annotated[int, Range(0, 10000, 1), Tooltip("Tokens that there are, at least.")] = 0,
) -> Clip:
    """How far T5's texts are filled up with padding.

    Raises:
        ValueError: the CLIP has no T5.
    """
    from dataclasses import replace

    from nodes.models.text.asking import Padding
    from nodes.models.text.recipe_encoder import RecipeEncoder

    if not isinstance(clip, RecipeEncoder):
        raise ValueError("clip: it has no T5, whose padding this sets; leave the node out")
    return replace(clip, padding=Padding(min_padding, min_length))


Shown = Annotated[Image | None, Tooltip("The picture to change; the first of a batch.")]
EncodedBy = Annotated[Vae | None, Tooltip("Encodes the pictures as references of the denoiser.")]
Seeing = Annotated[Clip, Tooltip("Qwen2.5-VL with its vision tower, by CLIPLoader.")]


@node(
    "TextEncodeQwenImageEdit",
    category="advanced/conditioning",
    display_name="Text Encode Qwen Image Edit",
    on=GPU | CPU,
)
def encode_edit(
    run: Run,
    *,
    clip: Seeing,
    prompt: Annotated[Prompt, Tooltip("What shall change.")],
    vae: EncodedBy = None,
    image: Shown = None,
) -> Steps[Conditioning]:
    """Encode a prompt for Qwen-Image-Edit, with the picture that it changes."""
    if image is None:
        return encoded_text(run, clip, prompt)
    sized = _sized(image, LATENT_AREA)
    encoded = encoded_text(run, clip, prompt, pictures=[_planes(sized)])
    if vae is None:
        return encoded
    latents = yield from _latents(run, vae, [sized])
    return [(text, {**options, "reference_latents": latents}) for text, options in encoded]


@node(
    "TextEncodeQwenImageEditPlus",
    category="advanced/conditioning",
    display_name="Text Encode Qwen Image Edit Plus",
    on=GPU | CPU,
)
def encode_edit_of_several(
    run: Run,
    *,
    clip: Seeing,
    prompt: Annotated[Prompt, Tooltip("What shall change; Picture 1 is the first picture.")],
    vae: EncodedBy = None,
    image1: Shown = None,
    image2: Shown = None,
    image3: Shown = None,
) -> Steps[Conditioning]:
    """Encode a prompt for Qwen-Image-Edit 2509 and later, with up to three pictures."""
    from nodes.models.text.recipes.qwen_image import SEEN

    given = [image for image in (image1, image2, image3) if image is not None]
    marks = "".join(f"Picture {place}: {SEEN}" for place in range(1, len(given) + 1))
    seen = [_planes(_sized(image, ENCODER_AREA)) for image in given]
    encoded = encoded_text(run, clip, marks + prompt, pictures=seen, edits=True)
    if vae is None or not given:
        return encoded
    sized = [_sized(image, LATENT_AREA, CELL) for image in given]
    latents = yield from _latents(run, vae, sized)
    return [(text, {**options, "reference_latents": latents}) for text, options in encoded]


def _sized(image: Image, area: int, multiple: int = 1) -> Image:
    """The first picture of a batch, [1, H, W, 3], of about so many pixels."""
    from nodes.models.images.pictures import scaled

    height, width = image.shape[1:3]
    scale = (area / (width * height)) ** 0.5
    sides = (max(1, round(side * scale / multiple)) * multiple for side in (width, height))
    return scaled(image[:1, :, :, :3], "area", *sides, crop=False)


def _planes(image: Image) -> Tensor:
    return image.movedim(-1, 1)


def _latents(run: Run, vae: Vae, images: Sequence[Image]) -> Steps[list[Tensor]]:
    found: list[Tensor] = []
    for image in images:
        found.append((yield from steps(vae.encoding(image, run.warn))))
    return found
