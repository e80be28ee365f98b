"""Nodes that change how the UNet of a denoiser is evaluated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from engine import Choice, Files, Range, Run, Tooltip, node
from nodes.sockets import Model

if TYPE_CHECKING:
    from nodes.models.networks.patched_unet import UNetPatch

HYPERNETWORKS = Files("hypernetworks", suffixes=(".pt", ".safetensors", ".bin", ".ckpt"))
METHODS = ("bicubic", "nearest-exact", "bilinear", "area", "bislerp")
Factor = Annotated[float, Range(0.0, 10.0, 0.01)]
Deep = Annotated[Factor, Tooltip("b1: scale of the deepest blocks.")]
Middle = Annotated[Factor, Tooltip("b2: scale of the blocks above them.")]
DeepSkip = Annotated[Factor, Tooltip("s1: scale of their skip connections' low frequencies.")]
MiddleSkip = Annotated[Factor, Tooltip("s2: the same for the blocks above them.")]
Part = Annotated[float, Range(0.0, 1.0, 0.001)]
Times = Annotated[Factor, Tooltip("So many times as large.")]


@node("FreeU", category="model_patches/unet")
def free_u(
    *, model: Model, b1: Deep = 1.1, b2: Middle = 1.2, s1: DeepSkip = 0.9, s2: MiddleSkip = 0.2
) -> Model:
    """FreeU: scale the deep blocks of a UNet up, and low frequencies of their skips down."""
    from nodes.models.networks.unet_patches import FreeU

    return _patched(model, FreeU(_channels(model, "FreeU"), (b1, b2), (s1, s2)))


@node("FreeU_V2", category="model_patches/unet")
def free_u_v2(
    *, model: Model, b1: Deep = 1.3, b2: Middle = 1.4, s1: DeepSkip = 0.9, s2: MiddleSkip = 0.2
) -> Model:
    """FreeU v2: the deep blocks are scaled by their mean activation at each pixel."""
    from nodes.models.networks.unet_patches import FreeU

    return _patched(model, FreeU(_channels(model, "FreeU_V2"), (b1, b2), (s1, s2), by_mean=True))


@node("HyperTile", category="model_patches/unet")
def hyper_tile(
    *,
    model: Model,
    tile_size: Annotated[int, Range(1, 2048), Tooltip("Pixels along a side of a tile.")] = 256,
    swap_size: Annotated[
        int, Range(1, 128), Tooltip("Number of tile sizes, one of which is drawn in each step.")
    ] = 2,
    max_depth: Annotated[
        int, Range(0, 10), Tooltip("How many halvings of the picture are tiled too.")
    ] = 0,
    scale_depth: Annotated[bool, Tooltip("Larger tiles for those.")] = False,
) -> Model:
    """HyperTile: self-attention within tiles, which is faster for large pictures."""
    from nodes.models.networks.unet_patches import HyperTile

    _channels(model, "HyperTile")
    return _patched(model, HyperTile(tile_size, swap_size, max_depth, scale_depth))


@node("TomePatchModel", category="model_patches/unet")
def merge_tokens(
    *,
    model: Model,
    ratio: Annotated[
        float, Range(0.0, 1.0, 0.01), Tooltip("Fraction of tokens that is merged.")
    ] = 0.3,
) -> Model:
    """ToMe: merge similar tokens before self-attention, which is faster."""
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
    start_percent: Annotated[Part, Tooltip("From this fraction of the sampling on.")] = 0.0,
    end_percent: Annotated[Part, Tooltip("Up to this fraction of the sampling.")] = 0.35,
    downscale_after_skip: Annotated[
        bool, Tooltip("Downscale after the skip connection is taken.")
    ] = True,
    downscale_method: Annotated[str, Choice(METHODS), Tooltip("Interpolation for downscaling.")],
    upscale_method: Annotated[str, Choice(METHODS), Tooltip("Interpolation for upscaling.")],
) -> Model:
    """Kohya Deep Shrink: downscale inside the UNet at first, against doubled subjects."""
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
    """PAG: guide away from the result without self-attention; one evaluation more a step."""
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
    """SAG: guide away from a picture blurred where attention is; two evaluations more a step."""
    from nodes.models.sampling.attention_guidance import self_attention as by_attention

    _channels(model, "SelfAttentionGuidance")
    passes = (*model.guidance.post_cfg, by_attention(scale, blur_sigma))
    return replace(model, guidance=replace(model.guidance, post_cfg=passes))


@node("UNetSelfAttentionMultiply", category="_for_testing/attention_experiments", experimental=True)
def scale_self_attention(
    *, model: Model, q: Times = 1.0, k: Times = 1.0, v: Times = 1.0, out: Times = 1.0
) -> Model:
    """Scale queries, keys, values and output of self-attention."""
    from nodes.models.networks.unet_patches import ScaledAttention

    _channels(model, "UNetSelfAttentionMultiply")
    return _patched(model, ScaledAttention(False, q, k, v, out))


@node(
    "UNetCrossAttentionMultiply", category="_for_testing/attention_experiments", experimental=True
)
def scale_cross_attention(
    *, model: Model, q: Times = 1.0, k: Times = 1.0, v: Times = 1.0, out: Times = 1.0
) -> Model:
    """Scale queries, keys, values and output of cross-attention."""
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
    """Apply a hypernetwork to the keys and values of attention."""
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
    channels = model.source.config.get("block_out_channels")
    if not channels:
        raise ValueError(f"{title} changes UNets, and this model is none; leave the node out")
    return int(channels[0])
