"""The types of links between the built-in nodes.

At run time each is a `Socket`, so that declaring nodes imports no torch; the type checker sees
what really flows. Values keep the in-memory shapes that ComfyUI's node packs expect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

from engine import Socket

if TYPE_CHECKING:
    from typing import NotRequired

    from torch import Tensor

    from nodes.models.clip import Clip
    from nodes.models.guidance import Guide as Guider
    from nodes.models.kokoro import VoiceModel
    from nodes.models.noise import NoiseSource as Noise
    from nodes.models.samplers import Way as Sampler
    from nodes.models.unet import Model
    from nodes.models.vae import Vae

    class LatentValue(TypedDict):
        """Latents, float32 [B, C, H/8, W/8], not scaled; mask 1 = denoise here."""

        samples: Tensor
        noise_mask: NotRequired[Tensor]
        batch_index: NotRequired[list[int]]
        type: NotRequired[str]
        downscale_ratio_temporal: NotRequired[int]

    class AudioValue(TypedDict):
        """Sound, float32 [B, channels, T] in -1..1."""

        waveform: Tensor
        sample_rate: int

    Image: TypeAlias = Tensor
    Mask: TypeAlias = Tensor
    Latent: TypeAlias = LatentValue
    Conditioning: TypeAlias = list[tuple[Tensor, dict[str, Any]]]
    Audio: TypeAlias = AudioValue
    Sigmas: TypeAlias = Tensor
else:
    Image = Socket("IMAGE")
    Mask = Socket("MASK")
    Latent = Socket("LATENT")
    Conditioning = Socket("CONDITIONING")
    Audio = Socket("AUDIO")
    Model = Socket("MODEL")
    Clip = Socket("CLIP")
    Vae = Socket("VAE")
    VoiceModel = Socket("VOICE_MODEL")
    Guider = Socket("GUIDER")
    Noise = Socket("NOISE")
    Sampler = Socket("SAMPLER")
    Sigmas = Socket("SIGMAS")

__all__ = [
    "Audio",
    "Clip",
    "Conditioning",
    "Guider",
    "Image",
    "Latent",
    "Mask",
    "Model",
    "Noise",
    "Sampler",
    "Sigmas",
    "Vae",
    "VoiceModel",
]
