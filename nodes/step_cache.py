"""Nodes that let steps of sampling reuse the answers of earlier ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from engine import Range, Tooltip, node
from nodes.sockets import Model
from nodes.widgets import Share

Threshold = Annotated[
    float,
    Range(0.0, 3.0, 0.01),
    Tooltip("How much may have changed, by estimate; higher is faster and less exact, 0 is off."),
]
From = Annotated[Share, Tooltip("Of the sampling; the steps before are whole.")]
To = Annotated[Share, Tooltip("Of the sampling; the steps after are whole.")]
Verbose = Annotated[bool, Tooltip("Write each step that is reused to the log.")]


@node("EasyCache", category="advanced/debug/model", experimental=True)
def easy_cache(
    *,
    model: Model,
    reuse_threshold: Threshold = 0.2,
    start_percent: From = 0.15,
    end_percent: To = 0.95,
    verbose: Verbose = False,
) -> Model:
    """Reuse what the network answered where it would answer nearly the same (EasyCache).

    The answers to each conditioning are reused, and guided anew.
    """
    return _cached(model, reuse_threshold, (start_percent, end_percent), verbose, guided=False)


@node("LazyCache", category="advanced/debug/model", experimental=True)
def lazy_cache(
    *,
    model: Model,
    reuse_threshold: Threshold = 0.2,
    start_percent: From = 0.15,
    end_percent: To = 0.95,
    verbose: Verbose = False,
) -> Model:
    """Reuse whole steps where they would be nearly the same, guidance included.

    As EasyCache, but for what guidance makes of the answers; for any guider and model.
    """
    return _cached(model, reuse_threshold, (start_percent, end_percent), verbose, guided=True)


def _cached(
    model: Model, threshold: float, span: tuple[float, float], verbose: bool, *, guided: bool
) -> Model:
    from nodes.models.sampling.step_cache import StepCache

    start, end = (model.space.percent_to_sigma(part) for part in span)
    cache = StepCache(threshold, start, end, guided, verbose)
    return replace(model, caches=(*model.caches, cache))
