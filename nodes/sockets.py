"""The types of links between the built-in nodes.

At run time each is a `Socket`, so that declaring nodes imports no torch; the type checker sees
what really flows. Values keep the in-memory shapes that ComfyUI's node packs expect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from engine import Socket

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from nodes.models.audio.waveforms import Audio
    from nodes.models.conditioning.conditionings import Conditioning
    from nodes.models.conditioning.hooks import Hooks, Keyframe
    from nodes.models.latents.latents import Latents as Latent
    from nodes.models.networks.denoiser import Denoiser as Model
    from nodes.models.sampling.guiders import Guider
    from nodes.models.sampling.noise import NoiseSource as Noise
    from nodes.models.sampling.samplers import Sampler
    from nodes.models.speech.kokoro import VoiceModel
    from nodes.models.text.prompt_encoder import PromptEncoder as Clip
    from nodes.models.vae.autoencoder import Autoencoder as Vae
    from nodes.models.video import Video

    HookKeyframes: TypeAlias = tuple[Keyframe, ...]
    Image: TypeAlias = Tensor
    LoraModel: TypeAlias = Mapping[str, Tensor]
    Mask: TypeAlias = Tensor
    Sigmas: TypeAlias = Tensor
    TimestepsRange: TypeAlias = tuple[float, float]
else:
    Image = Socket("IMAGE", "A picture, or a batch of pictures of one size.")
    Mask = Socket("MASK", "How much of each pixel is meant: 0 is nothing, 1 is all of it.")
    Latent = Socket("LATENT", "Pictures, sounds or videos as a model works on them.")
    Conditioning = Socket("CONDITIONING", "What guides the denoiser: an encoded text as a rule.")
    Audio = Socket("AUDIO", "A sound, mono or stereo, or a batch of sounds of one length.")
    Model = Socket("MODEL", "The denoiser of a checkpoint.")
    Clip = Socket("CLIP", "The text encoder of a checkpoint.")
    LoraModel = Socket("LORA_MODEL", "The tensors of a LoRA, by the names that files give them.")
    Hooks = Socket("HOOKS", "Changes of weights that conditionings bring.")
    HookKeyframes = Socket("HOOK_KEYFRAMES", "When hooks count, and how much.")
    TimestepsRange = Socket("TIMESTEPS_RANGE", "A part of the sampling.")
    Vae = Socket("VAE", "The autoencoder between pictures and latents.")
    VoiceModel = Socket("VOICE_MODEL", "A model that speaks.")
    Guider = Socket("GUIDER", "A model, and which way it is guided.")
    Noise = Socket("NOISE", "The noise to begin with, by its seed.")
    Sampler = Socket("SAMPLER", "How each step is taken.")
    Sigmas = Socket("SIGMAS", "The levels of noise, one more than there are steps.")
    Video = Socket("VIDEO", "A video: pictures one after another, and their sound.")

__all__ = [
    "Audio",
    "Clip",
    "Conditioning",
    "Guider",
    "HookKeyframes",
    "Hooks",
    "Image",
    "Latent",
    "LoraModel",
    "Mask",
    "Model",
    "Noise",
    "Sampler",
    "Sigmas",
    "TimestepsRange",
    "Vae",
    "Video",
    "VoiceModel",
]
