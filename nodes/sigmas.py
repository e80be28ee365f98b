"""Levels of noise, made of others."""

from __future__ import annotations

from typing import Annotated

from engine import Choice, Range, Tooltip, node
from nodes.sockets import Sigmas
from nodes.widgets import Share

# As nodes.models.sampling.intermediate.SPACINGS, which needs torch.
SPACINGS = ("linear", "cosine", "sine")


@node("ExtendIntermediateSigmas", category="sampling/custom_sampling/sigmas")
def extend_sigmas(
    *,
    sigmas: Sigmas,
    steps: Annotated[int, Range(1, 100), Tooltip("So many in place of each one.")] = 2,
    start_at_sigma: Annotated[
        float, Range(-1.0, 20000.0, 0.01, False), Tooltip("The highest level; -1 for any.")
    ] = -1.0,
    end_at_sigma: Annotated[
        float, Range(0.0, 20000.0, 0.01, False), Tooltip("The lowest level.")
    ] = 12.0,
    spacing: Annotated[
        str,
        Choice(SPACINGS),
        Tooltip("cosine: nearer to the next level; sine: nearer to the last."),
    ],
) -> Sigmas:
    """More steps where the noise is between two levels."""
    from nodes.models.sampling.intermediate import extended

    return extended(sigmas, steps, start_at_sigma, end_at_sigma, spacing)


@node(
    "GITSScheduler", category="sampling/custom_sampling/schedulers", display_name="GITS Scheduler"
)
def gits_schedule(
    *,
    coeff: Annotated[
        float, Range(0.8, 1.5, 0.05), Tooltip("Higher has more of the levels at the end.")
    ] = 1.2,
    steps: Annotated[int, Range(2, 1000), Tooltip("How many.")] = 10,
    denoise: Annotated[Share, Tooltip("Below 1 only the last part of the levels.")] = 1.0,
) -> Sigmas:
    """Few levels that follow the bend of the way from noise to a picture (GITS).

    By the paper's rule, from Stable Diffusion's largest level to its smallest; its authors' own
    levels for a model differ by a little.
    """
    from nodes.models.sampling.trajectory import schedule

    return schedule(coeff, steps, denoise)
