"""Which number format networks run in."""

from __future__ import annotations

import torch


def compute_dtype(device: str, *, delicate: bool = False) -> torch.dtype:
    """Number format of a network on `device` ("cpu", "cuda:0").

    float32 on a CPU, where halves are slow; float16 on a GPU, or float32 there for `delicate`
    networks whose activations leave the range of halves.
    """
    return torch.float32 if delicate or torch.device(device).type == "cpu" else torch.float16
