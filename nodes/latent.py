"""Nodes between pictures and latents."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from engine import CPU, GPU, Artifact, Mark, Range, Run, Steps, Tooltip, node
from nodes.progress import steps
from nodes.sockets import Conditioning, Image, Latent, Mask, Vae
from nodes.widgets import Prefix


@node("VAEDecode", category="latent", display_name="VAE Decode", on=GPU | CPU)
def decode(
    run: Run,
    *,
    samples: Annotated[Latent, Tooltip("The latents to make visible.")],
    vae: Annotated[Vae, Tooltip("The autoencoder of the checkpoint that made them.")],
) -> Steps[Image]:
    """Turn latents into pictures."""
    return (yield from steps(vae.decoding(samples["samples"], run.warn)))


@node("VAEEncode", category="latent", display_name="VAE Encode", on=GPU | CPU)
def encode(run: Run, *, pixels: Image, vae: Vae) -> Steps[Latent]:
    """Turn pictures into latents; sides are cropped to multiples of 8."""
    return {"samples": (yield from steps(vae.encoding(pixels, run.warn)))}


TileSide = Annotated[int, Range(64, 4096, 32), Tooltip("Of a tile, in pixels."), Mark.LATER]
Overlap = Annotated[int, Range(0, 4096, 32), Tooltip("Of neighbours, in pixels."), Mark.LATER]
Frames = Annotated[int, Range(8, 4096, 4), Tooltip("For videos: of a tile."), Mark.LATER]
FrameOverlap = Annotated[int, Range(4, 4096, 4), Tooltip("For videos: of tiles."), Mark.LATER]


@node("VAEDecodeTiled", category="_for_testing", display_name="VAE Decode (Tiled)", on=GPU | CPU)
def decode_tiled(
    run: Run,
    *,
    samples: Latent,
    vae: Vae,
    tile_size: TileSide = 512,
    overlap: Overlap = 64,
    temporal_size: Frames = 64,
    temporal_overlap: FrameOverlap = 8,
) -> Steps[Image]:
    """Turn latents into pictures piece by piece, where the whole would not fit into memory."""
    tiles = (tile_size, overlap)
    return (yield from steps(vae.decoding(samples["samples"], run.warn, tiles=tiles)))


@node("VAEEncodeTiled", category="_for_testing", display_name="VAE Encode (Tiled)", on=GPU | CPU)
def encode_tiled(
    run: Run,
    *,
    pixels: Image,
    vae: Vae,
    tile_size: Annotated[int, Range(64, 4096, 64), Tooltip("Of a tile, in pixels.")] = 512,
    overlap: Overlap = 64,
    temporal_size: Frames = 64,
    temporal_overlap: FrameOverlap = 8,
) -> Steps[Latent]:
    """Turn pictures into latents piece by piece, where the whole would not fit into memory."""
    tiles = (tile_size, overlap)
    return {"samples": (yield from steps(vae.encoding(pixels, run.warn, tiles=tiles)))}


@node(
    "VAEEncodeForInpaint",
    category="latent/inpaint",
    display_name="VAE Encode (for Inpainting)",
    on=GPU | CPU,
)
def encode_for_inpaint(
    run: Run,
    *,
    pixels: Image,
    vae: Vae,
    mask: Annotated[Mask, Tooltip("1 where something new is painted, from nothing.")],
    grow_mask_by: Annotated[int, Range(0, 64, 1), Tooltip("Pixels by which the mask grows.")] = 6,
) -> Steps[Latent]:
    """Latents of pictures with the masked part greyed out; a sampler changes only that part."""
    from nodes.models.latents.inpainting import blanked, fitted, grown

    pictures, masks = fitted(vae, pixels, mask)
    samples = yield from steps(vae.encoding(blanked(pictures, masks), run.warn))
    return {"samples": samples, "noise_mask": grown(masks, grow_mask_by)}


class Inpainting(NamedTuple):
    """Conditionings for an inpainting or editing model, and latents."""

    positive: Conditioning
    negative: Conditioning
    latent: Latent


@node("InpaintModelConditioning", category="conditioning/inpaint", on=GPU | CPU)
def for_inpaint_model(
    run: Run,
    *,
    positive: Annotated[Conditioning, Tooltip("The positive conditioning.")],
    negative: Annotated[Conditioning, Tooltip("The negative conditioning.")],
    vae: Vae,
    pixels: Annotated[Image, Tooltip("The picture to change.")],
    mask: Annotated[Mask, Tooltip("1 where something new is painted.")],
    noise_mask: Annotated[bool, Tooltip("Change only what the mask covers.")] = True,
) -> Steps[Inpainting]:
    """Conditionings and latents for a model that was trained to inpaint what a mask covers."""
    from nodes.models.latents.inpainting import blanked, fitted

    pictures, masks = fitted(vae, pixels, mask)
    hidden = yield from steps(vae.encoding(blanked(pictures, masks), run.warn))
    seen = {"concat_latent_image": hidden, "concat_mask": masks}
    latent: Latent = {"samples": (yield from steps(vae.encoding(pictures, run.warn)))}
    if noise_mask:
        latent["noise_mask"] = masks
    cond, uncond = (
        [(text, {**options, **seen}) for text, options in conditioning]
        for conditioning in (positive, negative)
    )
    return Inpainting(cond, uncond, latent)


@node("InstructPixToPixConditioning", category="conditioning/instructpix2pix", on=GPU | CPU)
def for_editing_model(
    run: Run,
    *,
    positive: Annotated[Conditioning, Tooltip("The instruction.")],
    negative: Annotated[Conditioning, Tooltip("The negative conditioning.")],
    vae: Vae,
    pixels: Annotated[Image, Tooltip("The picture to edit.")],
) -> Steps[Inpainting]:
    """Conditionings and empty latents for a model that edits pictures by instructions."""
    seen = yield from steps(vae.encoding(vae.cropped(pixels), run.warn))
    cond, uncond = (
        [(text, {**options, "concat_latent_image": seen}) for text, options in conditioning]
        for conditioning in (positive, negative)
    )
    return Inpainting(cond, uncond, {"samples": seen.new_zeros(seen.shape)})


@node("SetLatentNoiseMask", category="latent/inpaint", display_name="Set Latent Noise Mask")
def set_noise_mask(
    *, samples: Latent, mask: Annotated[Mask, Tooltip("Where the latents change.")]
) -> Latent:
    """Let a sampler change latents only where the mask is."""
    return {**samples, "noise_mask": mask.reshape(-1, 1, *mask.shape[-2:])}


@node("SaveLatent", category="latent", display_name="Save Latent")
def save_latent(
    run: Run, *, samples: Latent, filename_prefix: Prefix = "latents/ComfyUI"
) -> Artifact:
    """Keep latents in a file of the output folder."""
    from nodes.models.files.tensor_files import latent_file

    data = latent_file(samples["samples"], {"prompt": run.prompt, **run.extra_pnginfo})
    return Artifact(latents=[run.save(filename_prefix, "latent", data)])
