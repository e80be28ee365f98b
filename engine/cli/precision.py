"""The flags that say in which number format models run."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from engine.cli import values

AUTO = "auto"
PRECISIONS = (AUTO, "fp32", "bf16", "fp16")
VARIABLE = "SOUNDSTAGE_PRECISION"
"""Of the environment: the precision where no flag says it; the worker is told by it."""
FORCED = {
    "fp32": ("--force-fp32", "--fp32-unet"),
    "bf16": ("--bf16-unet",),
    "fp16": ("--force-fp16", "--fp16-unet"),
}
"""ComfyUI's flags for the same."""


def add_precision(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Add the flags."""
    parser.add_argument(
        "--precision",
        type=values.one_of(PRECISIONS),
        default=environment.get(VARIABLE) or AUTO,
        metavar="|".join(PRECISIONS),
        help="number format of models: 'auto' takes halves where the device is fast in them, "
        f"'fp32' is the most exact (default: ${VARIABLE}, else auto)",
    )
    for precision, flags in FORCED.items():
        parser.add_argument(
            *flags,
            dest="precision",
            action="store_const",
            const=precision,
            default=argparse.SUPPRESS,
            help=argparse.SUPPRESS,
        )
