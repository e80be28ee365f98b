"""The types of links between the built-in nodes.

At run time each is a `Socket`, so that declaring nodes imports no torch; the type checker sees
what really flows. Values keep the in-memory shapes that ComfyUI's node packs expect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from engine import Socket

if TYPE_CHECKING:
    from torch import Tensor

    from nodes.models.clip import Clip
    from nodes.models.conditionings import Conditioning
    from nodes.models.guidance import Guide as Guider
    from nodes.models.kokoro import VoiceModel
    from nodes.models.latents import Latents as Latent
    from nodes.models.noise import NoiseSource as Noise
    from nodes.models.samplers import Way as Sampler
    from nodes.models.unet import Model
    from nodes.models.vae import Vae
    from nodes.models.waves import Sound as Audio

    Image: TypeAlias = Tensor
    Mask: TypeAlias = Tensor
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
