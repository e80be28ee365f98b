"""Nodes that say in which number format a denoiser runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from engine import Choice, Tooltip, node
from nodes.sockets import Model


@node("ModelComputeDtype", category="advanced/debug/model")
def compute_in(
    *,
    model: Model,
    dtype: Annotated[
        str,
        Choice(("default", "fp32", "fp16", "bf16")),
        Tooltip("default: as the service was started, or as the device does it well."),
    ],
) -> Model:
    """Have a denoiser compute in a number format of its own."""
    return replace(model, computes_in=dtype)
