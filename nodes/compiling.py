"""Compiled networks."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from engine import Choice, Run, Tooltip, node
from nodes.sockets import Model


@node("TorchCompileModel", category="_for_testing", experimental=True)
def compile_model(
    run: Run,
    *,
    model: Model,
    backend: Annotated[
        str,
        Choice(("inductor", "cudagraphs")),
        Tooltip("inductor writes code; cudagraphs replays."),
    ],
) -> Model:
    """Let torch compile a denoiser: the first step of each size takes long, the others less.

    Steps with patches of the network, or with LoRAs beside its weights, are computed as without.
    """
    from nodes.models.networks.compiled import why_not

    if (reason := why_not(backend)) is not None:
        run.warn(f"the model is not compiled: {reason}")
        return model
    return replace(model, compiled=backend)
