"""Empty latents for many kinds of models: pictures, videos, music, shapes."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from engine import Range, Tooltip, node
from nodes.sockets import Latent
from nodes.widgets import BatchSize

FewCount = Annotated[int, Range(1, 64), Tooltip("How many.")]
Side8 = Annotated[int, Range(16, 16384, 8), Tooltip("In pixels.")]
Side16 = Annotated[int, Range(16, 16384, 16), Tooltip("In pixels.")]
Side32 = Annotated[int, Range(64, 16384, 32), Tooltip("In pixels.")]
By4 = Annotated[int, Range(1, 16384, 4), Tooltip("In frames.")]
By8 = Annotated[int, Range(1, 16384, 8), Tooltip("In frames.")]
Seconds = Annotated[float, Range(1.0, 1000.0, 0.1), Tooltip("How long, in seconds.")]


def _blank(*shape: int) -> Latent:
    import torch

    from nodes.models.memory import ask_for

    ask_for("latents", *shape)
    return {"samples": torch.zeros(shape)}


def _silent(*shape: int) -> Latent:
    return {**_blank(*shape), "type": "audio"}


@node("EmptyLatentImage", category="latent", display_name="Empty Latent Image")
def stable_diffusion(
    *, width: Side8 = 512, height: Side8 = 512, batch_size: BatchSize = 1
) -> Latent:
    """Pictures of Stable Diffusion."""
    return _blank(batch_size, 4, height // 8, width // 8)


@node("EmptySD3LatentImage", category="latent/sd3")
def sd3(*, width: Side16 = 1024, height: Side16 = 1024, batch_size: BatchSize = 1) -> Latent:
    """Pictures of SD3, FLUX and related models."""
    return _blank(batch_size, 16, height // 8, width // 8)


@node("EmptyFlux2LatentImage", category="model/latent/flux", display_name="Empty Flux 2 Latent")
def flux2(*, width: Side16 = 1024, height: Side16 = 1024, batch_size: BatchSize = 1) -> Latent:
    """Pictures of FLUX.2."""
    return _blank(batch_size, 128, height // 16, width // 16)


@node("EmptyHunyuanImageLatent", category="latent")
def hunyuan_image(
    *, width: Side32 = 2048, height: Side32 = 2048, batch_size: BatchSize = 1
) -> Latent:
    """Pictures of Hunyuan Image."""
    return _blank(batch_size, 64, height // 32, width // 32)


@node("EmptyChromaRadianceLatentImage", category="latent/chroma_radiance")
def chroma_radiance(
    *, width: Side16 = 1024, height: Side16 = 1024, batch_size: BatchSize = 1
) -> Latent:
    """Pictures of Chroma Radiance, which works on pixels."""
    return _blank(batch_size, 3, height, width)


@node(
    "EmptyQwenImageLayeredLatentImage",
    category="model/latent/qwen",
    display_name="Empty Qwen Image Layered Latent",
)
def qwen_layered(
    *,
    width: Side16 = 640,
    height: Side16 = 640,
    layers: Annotated[int, Range(0, 16384, 1), Tooltip("Beside the whole picture.")] = 3,
    batch_size: BatchSize = 1,
) -> Latent:
    """Pictures in layers of Qwen Image."""
    return _blank(batch_size, 16, layers + 1, height // 8, width // 8)


@node(
    "EmptyHiDreamO1LatentImage",
    category="model/latent/hidream",
    display_name="Empty HiDream-O1 Latent Image",
)
def hidream(
    *,
    width: Annotated[int, Range(64, 4096, 32), Tooltip("In pixels.")] = 2048,
    height: Annotated[int, Range(64, 4096, 32), Tooltip("In pixels.")] = 2048,
    batch_size: FewCount = 1,
) -> Latent:
    """Pictures of HiDream-O1, which works on pixels."""
    return _blank(batch_size, 3, height, width)


class Stages(NamedTuple):
    """Latents of both stages."""

    stage_c: Latent
    stage_b: Latent


@node("StableCascade_EmptyLatentImage", category="latent/stable_cascade")
def stable_cascade(
    *,
    width: Annotated[int, Range(256, 16384, 8), Tooltip("In pixels.")] = 1024,
    height: Annotated[int, Range(256, 16384, 8), Tooltip("In pixels.")] = 1024,
    compression: Annotated[
        int, Range(4, 128, 1), Tooltip("Pixels for each latent of the first stage.")
    ] = 42,
    batch_size: BatchSize = 1,
) -> Stages:
    """Pictures of Stable Cascade, for its first and its second stage."""
    return Stages(
        _blank(batch_size, 16, height // compression, width // compression),
        _blank(batch_size, 4, height // 4, width // 4),
    )


@node("EmptyHunyuanLatentVideo", category="latent/video")
def hunyuan_video(
    *, width: Side16 = 848, height: Side16 = 480, length: By4 = 25, batch_size: BatchSize = 1
) -> Latent:
    """Videos of Hunyuan Video and Wan."""
    return _blank(batch_size, 16, (length - 1) // 4 + 1, height // 8, width // 8)


@node(
    "EmptyHunyuanVideo15Latent",
    category="model/latent/hunyuan video",
    display_name="Empty Hunyuan Video 1.5 Latent",
)
def hunyuan_video_15(
    *, width: Side16 = 848, height: Side16 = 480, length: By4 = 25, batch_size: BatchSize = 1
) -> Latent:
    """Videos of Hunyuan Video 1.5."""
    return _blank(batch_size, 32, (length - 1) // 4 + 1, height // 16, width // 16)


@node("EmptyMochiLatentVideo", category="latent/video")
def mochi(
    *,
    width: Side16 = 848,
    height: Side16 = 480,
    length: Annotated[int, Range(7, 16384, 6), Tooltip("In frames.")] = 25,
    batch_size: BatchSize = 1,
) -> Latent:
    """Videos of Mochi."""
    return _blank(batch_size, 12, (length - 1) // 6 + 1, height // 8, width // 8)


@node("EmptyLTXVLatentVideo", category="latent/video/ltxv")
def ltxv(
    *, width: Side32 = 768, height: Side32 = 512, length: By8 = 97, batch_size: BatchSize = 1
) -> Latent:
    """Videos of LTX Video."""
    return _blank(batch_size, 128, (length - 1) // 8 + 1, height // 32, width // 32)


@node("EmptyCosmosLatentVideo", category="latent/video")
def cosmos(
    *, width: Side16 = 1280, height: Side16 = 704, length: By8 = 121, batch_size: BatchSize = 1
) -> Latent:
    """Videos of Cosmos."""
    return _blank(batch_size, 16, (length - 1) // 8 + 1, height // 8, width // 8)


@node("EmptyLatentAudio", category="latent/audio", display_name="Empty Latent Audio")
def stable_audio(*, seconds: Seconds = 47.6, batch_size: BatchSize = 1) -> Latent:
    """Sounds of Stable Audio."""
    return _silent(batch_size, 64, round(seconds * 44100 / 2048 / 2) * 2)


@node("EmptyAceStepLatentAudio", category="latent/audio")
def ace_step(*, seconds: Seconds = 120.0, batch_size: BatchSize = 1) -> Latent:
    """Music of ACE-Step."""
    return _silent(batch_size, 8, 16, int(seconds * 44100 / 512 / 8))


@node(
    "EmptyAceStep1.5LatentAudio",
    category="model/latent/ace",
    display_name="Empty Ace Step 1.5 Latent Audio",
)
def ace_step_15(
    *,
    seconds: Annotated[float, Range(1.0, 1000.0, 0.01), Tooltip("How long, in seconds.")] = 120.0,
    batch_size: BatchSize = 1,
) -> Latent:
    """Music of ACE-Step 1.5."""
    made = _silent(batch_size, 64, round(seconds * 48000 / 1920))
    return {**made, "downscale_ratio_temporal": 1764}


@node("EmptyYuE2LatentAudio", category="model/latent/yue2", display_name="Empty YuE2 Latent Audio")
def yue2(
    *,
    seconds: Annotated[float, Range(0.04, 1000.0, 0.04), Tooltip("How long, in seconds.")] = 120.0,
    batch_size: BatchSize = 1,
) -> Latent:
    """Music of YuE2."""
    made = _silent(batch_size, 64, max(1, round(seconds * 25)))
    return {**made, "downscale_ratio_temporal": 1920}


@node(
    "EmptyMiniMaxMusic3LatentAudio",
    category="model/latent/minimax music",
    display_name="Empty MiniMax Music3 Latent Audio",
)
def minimax_music(
    *,
    seconds: Annotated[float, Range(0.04, 360.0, 0.04), Tooltip("How long, in seconds.")] = 120.0,
    batch_size: BatchSize = 1,
) -> Latent:
    """Music of MiniMax Music 3."""
    tokens = min(9000, max(1, round(seconds * 25)))
    made = _silent(batch_size, 128, max(1, int(tokens * 44100 / 24000 * 960 / 512)))
    return {**made, "downscale_ratio_temporal": 512}


@node("EmptyLatentHunyuan3Dv2", category="latent/3d")
def hunyuan_3d(
    *,
    resolution: Annotated[int, Range(1, 8192), Tooltip("How many tokens.")] = 3072,
    batch_size: BatchSize = 1,
) -> Latent:
    """Shapes of Hunyuan 3D 2."""
    return {**_blank(batch_size, 64, resolution), "type": "hunyuan3dv2"}


@node(
    "EmptyTrellis2LatentStructure",
    category="model/latent/trellis",
    display_name="Empty Trellis2 Latent Structure",
)
def trellis2(*, batch_size: BatchSize = 1) -> Latent:
    """Shapes of Trellis 2."""
    return {**_blank(batch_size, 32, 16, 16, 16), "type": "trellis2"}
