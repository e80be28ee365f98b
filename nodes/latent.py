"""Nodes between pictures and latents."""

from __future__ import annotations

from typing import Annotated

from engine import CPU, GPU, Artifact, Range, Run, Tooltip, node
from nodes.sockets import Image, Latent, Mask, Vae

Side = Annotated[int, Range(16, 16384, 8)]


@node("EmptyLatentImage", category="latent", display_name="Empty Latent Image")
def empty_latent(
    *,
    width: Annotated[Side, Tooltip("Of the picture, in pixels.")] = 512,
    height: Annotated[Side, Tooltip("Of the picture, in pixels.")] = 512,
    batch_size: Annotated[int, Range(1, 4096), Tooltip("How many pictures.")] = 1,
) -> Latent:
    """Blank latents for a sampler to start from."""
    import torch

    return {"samples": torch.zeros(batch_size, 4, height // 8, width // 8)}


@node("VAEDecode", category="latent", display_name="VAE Decode", on=GPU | CPU)
def decode(
    *,
    samples: Annotated[Latent, Tooltip("The latents to make visible.")],
    vae: Annotated[Vae, Tooltip("The autoencoder of the checkpoint that made them.")],
) -> Image:
    """Turn latents into pictures."""
    return vae.decode(samples["samples"])


@node("VAEEncode", category="latent", display_name="VAE Encode", on=GPU | CPU)
def encode(*, pixels: Image, vae: Vae) -> Latent:
    """Turn pictures into latents; sides are cropped to multiples of 8."""
    return {"samples": vae.encode(pixels)}


@node("SetLatentNoiseMask", category="latent/inpaint", display_name="Set Latent Noise Mask")
def set_noise_mask(*, samples: Latent, mask: Mask) -> Latent:
    """Let a sampler change latents only where the mask is."""
    return {**samples, "noise_mask": mask.reshape(-1, 1, *mask.shape[-2:])}


@node("SaveLatent", category="latent", display_name="Save Latent")
def save_latent(run: Run, *, samples: Latent, filename_prefix: str = "latents/ComfyUI") -> Artifact:
    """Keep latents in a file of the output folder."""
    from nodes.models.tensor_files import latent_file

    data = latent_file(samples["samples"], {"prompt": run.prompt, **run.extra_pnginfo})
    return Artifact(latents=[run.save(filename_prefix, "latent", data)])
