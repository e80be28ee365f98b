"""A node whose texts need no text encoder."""

from __future__ import annotations

from typing import Annotated

import torch

from engine import Range, node
from nodes.sockets import Conditioning


@node("RandomText", category="test")
def random_text(
    *, seed: Annotated[int, Range(0, 99)], width: Annotated[int, Range(1, 9999)]
) -> Conditioning:
    """A text of seven tokens."""
    generator = torch.Generator().manual_seed(seed)
    return [(torch.randn(1, 7, width, generator=generator), {})]
