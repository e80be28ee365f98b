"""Nodes for latents with an axis of time, [B, C, T, H, W]."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from engine import Choice, Range, Tooltip, node
from nodes.sockets import Latent


@node("TrimVideoLatent", category="latent/video")
def trim(
    *, samples: Latent, trim_amount: Annotated[int, Range(0, 99999), Tooltip("Frames.")] = 0
) -> Latent:
    """A video without its first frames."""
    return {**samples, "samples": samples["samples"][:, :, trim_amount:]}


@node("LatentCutToBatch", category="model/latent/advanced")
def cut_to_batch(
    *,
    samples: Latent,
    dim: Annotated[str, Choice(("t", "x", "y")), Tooltip("In time, across or down.")],
    slice_size: Annotated[int, Range(1, 16384, 1), Tooltip("In latent pixels or frames.")] = 1,
) -> Latent:
    """Slices of latents as a batch; what is left over is dropped."""
    from nodes.models.latents.latents import sliced

    return {**samples, "samples": sliced(samples["samples"], dim, slice_size)}


@node(
    "ReplaceVideoLatentFrames",
    category="model/latent/batch",
    display_name="Replace Video Latent Frames",
)
def replace_frames(
    *,
    destination: Annotated[Latent, Tooltip("The video to change.")],
    source: Annotated[Latent | None, Tooltip("The frames to put in.")] = None,
    index: Annotated[
        int, Range(-16384, 16384, 1), Tooltip("Where; negative counts from the end.")
    ] = 0,
) -> Latent:
    """A video with some frames of another; as it is where they do not fit."""
    from nodes.models.latents.latents import with_frames

    if source is None:
        return destination
    samples = with_frames(destination["samples"], source["samples"], index)
    return {**destination, "samples": samples}


class Normalized(NamedTuple):
    """A video whose first frames have the statistics of those that follow."""

    latent: Latent


@node("NormalizeVideoLatentStart", category="model/conditioning")
def normalize_start(
    *,
    latent: Latent,
    start_frame_count: Annotated[
        int, Range(1, 16384, 1), Tooltip("How many frames of the start change.")
    ] = 4,
    reference_frame_count: Annotated[
        int, Range(1, 16384, 1), Tooltip("How many of those that follow are measured.")
    ] = 5,
) -> Normalized:
    """First frames with the mean and standard deviation of those that follow (AdaIN)."""
    from nodes.models.latents.latents import with_steady_start

    samples = with_steady_start(latent["samples"], start_frame_count, reference_frame_count)
    return Normalized({**latent, "samples": samples})
