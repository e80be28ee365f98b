"""Which number format networks run in: what the user chose, or else what the device does well.

Importing this imports no torch, as keys of results depend on it too.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

VARIABLE = "SOUNDSTAGE_PRECISION"
"""Of the environment: one of `FORMATS`; anything else is "auto"."""
FORMATS = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
"""Number formats by what people call them, and by what torch calls them."""
HALVES = ("bf16", "fp16")
WEIGHT_DTYPES = {
    "default": None,
    "fp8_e4m3fn": "float8_e4m3fn",
    "fp8_e4m3fn_fast": "float8_e4m3fn",
    "fp8_e5m2": "float8_e5m2",
}
"""Formats that a denoiser's matrices can be rounded to when it is loaded; None: as in the file."""
FAST = "_fast"
"""Ends the names of those in which the GPU multiplies too, where it can."""
CPU_FACTS = Path("/proc/cpuinfo")


def compute_dtype(device: str, safe: Sequence[str] = HALVES) -> torch.dtype:
    """Number format of a network on a device ("cpu", "cuda:0").

    The one that the user chose. With "auto": bfloat16 on GPUs that have it and on CPUs with units
    for it (AMX), else float16 on GPUs and float32 on CPUs, where halves are slow. Where that is
    not safe for the network, one that is and that the device does well, or else float32.

    Args:
        device: as torch names it.
        safe: the halves whose range and steps the network bears, the better one first.
    """
    import torch

    found: torch.dtype = getattr(torch, FORMATS[_format(device, safe)])
    return found


def _format(device: str, safe: Sequence[str]) -> str:
    chosen, done_well = os.environ.get(VARIABLE, ""), _done_well(device)
    if chosen not in FORMATS:
        chosen = done_well[0] if done_well else "fp32"
    if chosen == "fp32" or chosen in safe:
        return chosen
    return next((half for half in safe if half in done_well), "fp32")


def _done_well(device: str) -> tuple[str, ...]:
    """The halves that a device computes in fast, the better one first."""
    if device == "cpu":
        return ("bf16",) if cpu_has_bf16() else ()
    import torch

    if torch.cuda.is_available() and (
        torch.version.hip is not None or torch.cuda.get_device_capability(device) >= (8, 0)
    ):
        return HALVES
    return ("fp16",)


@cache
def cpu_has_bf16(facts: Path = CPU_FACTS) -> bool:
    """Whether the CPU multiplies matrices of bfloat16 by itself; others are slower in it."""
    try:
        lines = facts.read_text(errors="replace").splitlines()
    except OSError:
        return False
    return any("amx_bf16" in line.split() for line in lines if line.startswith("flags"))


def setting() -> str:
    """What results depend on besides their models and inputs, for their keys."""
    chosen = os.environ.get(VARIABLE, "")
    if chosen in FORMATS:
        return chosen
    return f"auto, {'bf16' if cpu_has_bf16() else 'fp32'} on the CPU"


def what_ran() -> str:
    """The number format of denoisers on the first device of this machine, for what pictures say."""
    import torch

    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    return f"{_format(device, HALVES)} on {device.partition(':')[0]}"
