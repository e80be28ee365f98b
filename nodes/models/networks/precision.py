"""Which number format networks run in."""

from __future__ import annotations

import torch

WEIGHT_DTYPES = {
    "default": None,
    "fp8_e4m3fn": torch.float8_e4m3fn,
    "fp8_e4m3fn_fast": torch.float8_e4m3fn,
    "fp8_e5m2": torch.float8_e5m2,
}
"""Formats that a denoiser's matrices can be rounded to when it is loaded; None: as in the file."""
FAST = "_fast"
"""Ends the names of those in which the GPU multiplies too, where it can."""


def compute_dtype(device: str, *, delicate: bool = False) -> torch.dtype:
    """Number format of a network on `device` ("cpu", "cuda:0").

    float32 on a CPU, where halves are slow; float16 on a GPU, or float32 there for `delicate`
    networks whose activations leave the range of halves.
    """
    return torch.float32 if delicate or torch.device(device).type == "cpu" else torch.float16
