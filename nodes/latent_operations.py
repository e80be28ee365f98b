"""Nodes that make operations on latents, and apply them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from engine import Range, Socket, Tooltip, node
from nodes.sockets import Latent, Model

if TYPE_CHECKING:
    from nodes.models.latents.operations import Operation
else:
    Operation = Socket("LATENT_OPERATION", "What is done to latents.")


@node("LatentApplyOperation", category="latent/advanced/operations", experimental=True)
def apply(*, samples: Latent, operation: Operation) -> Latent:
    """Apply an operation to latents."""
    return {**samples, "samples": operation(samples["samples"])}


@node("LatentApplyOperationCFG", category="latent/advanced/operations", experimental=True)
def apply_before_cfg(*, model: Model, operation: Operation) -> Model:
    """Apply an operation in each step to cond - uncond, before CFG."""
    from nodes.models.latents.operations import before_cfg

    changes = (*model.guidance.pre_cfg, before_cfg(operation))
    return replace(model, guidance=replace(model.guidance, pre_cfg=changes))


@node("LatentOperationTonemapReinhard", category="latent/advanced/operations", experimental=True)
def tonemap(
    *,
    multiplier: Annotated[
        float, Range(0.0, 100.0, 0.01), Tooltip("Of the limit; more changes less.")
    ] = 1.0,
) -> Operation:
    """Tonemapping (Reinhard) of latents, so that a high cfg burns less."""
    from nodes.models.latents.operations import Tonemap

    return Tonemap(multiplier)


@node("LatentOperationSharpen", category="latent/advanced/operations", experimental=True)
def sharpen(
    *,
    sharpen_radius: Annotated[
        int, Range(1, 31, 1), Tooltip("Standard deviation of the kernel, in latent pixels.")
    ] = 9,
    sigma: Annotated[
        float, Range(0.1, 10.0, 0.1), Tooltip("Radius of the kernel, in latent pixels.")
    ] = 1.0,
    alpha: Annotated[float, Range(0.0, 5.0, 0.01), Tooltip("How strongly.")] = 0.1,
) -> Operation:
    """Sharpen latents."""
    from nodes.models.latents.operations import Sharpen

    return Sharpen(sharpen_radius, sigma, alpha)
