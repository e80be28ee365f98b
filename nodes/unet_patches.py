"""Nodes that change how the UNet of a denoiser is evaluated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from engine import Choice, Files, Range, Run, Tooltip, node
from nodes.sockets import Model

if TYPE_CHECKING:
    from nodes.models.networks.unet_walk import UNetPatch

HYPERNETWORKS = Files("hypernetworks", suffixes=(".pt", ".safetensors", ".bin", ".ckpt"))
METHODS = ("bicubic", "nearest-exact", "bilinear", "area", "bislerp")
Factor = Annotated[float, Range(0.0, 10.0, 0.01)]
Deep = Annotated[Factor, Tooltip("What the deepest blocks count.")]
Middle = Annotated[Factor, Tooltip("What the blocks above them count.")]
DeepSkip = Annotated[Factor, Tooltip("What comes past the deepest blocks counts.")]
MiddleSkip = Annotated[Factor, Tooltip("What comes past the blocks above them counts.")]
Part = Annotated[float, Range(0.0, 1.0, 0.001)]
Times = Annotated[Factor, Tooltip("So many times as large.")]


@node("FreeU", category="model_patches/unet")
def free_u(
    *, model: Model, b1: Deep = 1.1, b2: Middle = 1.2, s1: DeepSkip = 0.9, s2: MiddleSkip = 0.2
) -> Model:
    """Let the deep blocks of a UNet count more, and the coarse of what comes past them less."""
    from nodes.models.networks.unet_patches import FreeU

    return _patched(model, FreeU(_channels(model, "FreeU"), (b1, b2), (s1, s2)))


@node("FreeU_V2", category="model_patches/unet")
def free_u_v2(
    *, model: Model, b1: Deep = 1.3, b2: Middle = 1.4, s1: DeepSkip = 0.9, s2: MiddleSkip = 0.2
) -> Model:
    """FreeU whose deep blocks count the more, the more they say at a place."""
    from nodes.models.networks.unet_patches import FreeU

    return _patched(model, FreeU(_channels(model, "FreeU_V2"), (b1, b2), (s1, s2), by_mean=True))


@node("HyperTile", category="model_patches/unet")
def hyper_tile(
    *,
    model: Model,
    tile_size: Annotated[int, Range(1, 2048), Tooltip("Pixels along a side of a tile.")] = 256,
    swap_size: Annotated[
        int, Range(1, 128), Tooltip("Of so many sizes one is taken, another in each step.")
    ] = 2,
    max_depth: Annotated[
        int, Range(0, 10), Tooltip("How many halvings of the picture are tiled too.")
    ] = 0,
    scale_depth: Annotated[bool, Tooltip("Larger tiles for those.")] = False,
) -> Model:
    """Let large pictures attend to themselves within tiles, which is faster."""
    from nodes.models.networks.unet_patches import HyperTile

    _channels(model, "HyperTile")
    return _patched(model, HyperTile(tile_size, swap_size, max_depth, scale_depth))


@node("TomePatchModel", category="model_patches/unet")
def merge_tokens(
    *,
    model: Model,
    ratio: Annotated[float, Range(0.0, 1.0, 0.01), Tooltip("The share that is merged.")] = 0.3,
) -> Model:
    """Let like places of a picture share one attention, which is faster."""
    from nodes.models.networks.unet_patches import TokenMerging

    _channels(model, "TomePatchModel")
    return _patched(model, TokenMerging(ratio))


@node(
    "PatchModelAddDownscale",
    category="model_patches/unet",
    display_name="Patch Model Add Downscale (Kohya Deep Shrink)",
)
def downscale(
    *,
    model: Model,
    block_number: Annotated[int, Range(1, 32, 1), Tooltip("Smaller from this block on.")] = 3,
    downscale_factor: Annotated[
        float, Range(0.1, 9.0, 0.001), Tooltip("So many times smaller along each side.")
    ] = 2.0,
    start_percent: Annotated[Part, Tooltip("From here on.")] = 0.0,
    end_percent: Annotated[Part, Tooltip("Up to here.")] = 0.35,
    downscale_after_skip: Annotated[bool, Tooltip("What comes past the block stays large.")] = True,
    downscale_method: Annotated[str, Choice(METHODS), Tooltip("How it gets smaller.")],
    upscale_method: Annotated[str, Choice(METHODS), Tooltip("How it gets large again.")],
) -> Model:
    """Draw large pictures small at first, so that they hold one subject and not many."""
    from nodes.models.networks.unet_patches import Downscale

    _channels(model, "PatchModelAddDownscale")
    patch = Downscale(
        block_number,
        downscale_factor,
        model.space.percent_to_sigma(start_percent),
        model.space.percent_to_sigma(end_percent),
        downscale_after_skip,
        downscale_method,
        upscale_method,
    )
    return _patched(model, patch)


@node("PerturbedAttentionGuidance", category="model_patches/unet")
def perturbed_attention(
    *,
    model: Model,
    scale: Annotated[float, Range(0.0, 100.0, 0.01), Tooltip("How strongly.")] = 3.0,
) -> Model:
    """Guide away from what the UNet draws without attention to the whole; one pass more a step."""
    from nodes.models.sampling.attention_guidance import perturbed_attention as by_attention

    _channels(model, "PerturbedAttentionGuidance")
    if scale == 0:
        return model
    passes = (*model.guidance.post_cfg, by_attention(scale))
    return replace(model, guidance=replace(model.guidance, post_cfg=passes))


@node(
    "SelfAttentionGuidance",
    category="_for_testing",
    display_name="Self-Attention Guidance",
    experimental=True,
)
def self_attention(
    *,
    model: Model,
    scale: Annotated[float, Range(-2.0, 5.0, 0.01), Tooltip("How strongly.")] = 0.5,
    blur_sigma: Annotated[
        float, Range(0.0, 10.0, 0.1), Tooltip("How far it is blurred, in cells of latents.")
    ] = 2.0,
) -> Model:
    """Guide away from what the UNet makes of a picture blurred where it looks; two passes more."""
    from nodes.models.sampling.attention_guidance import self_attention as by_attention

    _channels(model, "SelfAttentionGuidance")
    passes = (*model.guidance.post_cfg, by_attention(scale, blur_sigma))
    return replace(model, guidance=replace(model.guidance, post_cfg=passes))


@node("UNetSelfAttentionMultiply", category="_for_testing/attention_experiments", experimental=True)
def scale_self_attention(
    *, model: Model, q: Times = 1.0, k: Times = 1.0, v: Times = 1.0, out: Times = 1.0
) -> Model:
    """Let the attention of a picture to itself count more or less."""
    from nodes.models.networks.unet_patches import ScaledAttention

    _channels(model, "UNetSelfAttentionMultiply")
    return _patched(model, ScaledAttention(False, q, k, v, out))


@node(
    "UNetCrossAttentionMultiply", category="_for_testing/attention_experiments", experimental=True
)
def scale_cross_attention(
    *, model: Model, q: Times = 1.0, k: Times = 1.0, v: Times = 1.0, out: Times = 1.0
) -> Model:
    """Let the attention of a picture to the text count more or less."""
    from nodes.models.networks.unet_patches import ScaledAttention

    _channels(model, "UNetCrossAttentionMultiply")
    return _patched(model, ScaledAttention(True, q, k, v, out))


@node("HypernetworkLoader", category="loaders", display_name="Load Hypernetwork")
def load_hypernetwork(
    run: Run,
    *,
    model: Model,
    hypernetwork_name: Annotated[
        str, Choice(HYPERNETWORKS), Tooltip("A file in models/hypernetworks.")
    ],
    strength: Annotated[float, Range(-10.0, 10.0, 0.01), Tooltip("How strongly it acts.")] = 1.0,
) -> Model:
    """Let a hypernetwork change what the UNet attends to."""
    from nodes.models.networks.hypernetworks import read_hypernetwork

    _channels(model, "HypernetworkLoader")
    if strength == 0:
        return model
    path = run.model_path("hypernetworks", hypernetwork_name)
    return _patched(model, read_hypernetwork(path, strength))


def _patched(model: Model, patch: UNetPatch) -> Model:
    return replace(model, unet_patches=(*model.unet_patches, patch))


def _channels(model: Model, title: str) -> int:
    """Channels of the first level of a UNet.

    Raises:
        ValueError: the denoiser is no UNet.
    """
    channels = model.part.config.get("block_out_channels")
    if not channels:
        raise ValueError(f"{title} changes UNets, and this model is none; leave the node out")
    return int(channels[0])
