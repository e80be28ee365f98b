"""A LoRA of a difference of two networks: the nearest of a rank, or the whole difference."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor

from nodes.models.files.writing import Entry, entry
from nodes.models.networks.lora_names import kohya_name
from nodes.models.networks.network import Handle
from nodes.models.networks.patched_files import PatchedFile

TINY = 1e-12
DTYPE = torch.float16


@torch.no_grad()
def extracted(handle: Handle[Any], rank: int | None, *, bias: bool) -> Iterator[Entry]:
    """The tensors of a LoRA, in kohya's names, of a network whose weights are a difference.

    Args:
        handle: of two networks, as ``ModelMergeSubtract`` makes it.
        rank: of the LoRA; None: whole differences.
        bias: whether differences of biases are kept.

    Raises:
        ValueError: it is a whole network and no difference.
    """
    file = PatchedFile(handle)
    if not file.changes:
        raise ValueError(
            "this is a whole model and no difference of two; connect ModelMergeSubtract or "
            "CLIPMergeSubtract"
        )
    for name in file.changes:
        module, _, ending = name.rpartition(".")
        weight = file.patched(name)
        if (ending == "bias" and not bias) or not weight.any():
            continue
        place = kohya_name(handle.source, module)
        if ending == "bias" or rank is None or weight.dim() < 2:
            whole = f"{place}.diff{'_b' if ending == 'bias' else ''}"
            yield Entry(whole, DTYPE, tuple(weight.shape), partial(file.patched, name))
        else:
            up, down = low_rank(weight.flatten(1), rank)
            ones = [1] * (weight.dim() - 2)
            yield entry(f"{place}.lora_up.weight", up.reshape(*up.shape, *ones).to(DTYPE))
            down = down.reshape(-1, *weight.shape[1:])
            yield entry(f"{place}.lora_down.weight", down.to(DTYPE))


def low_rank(matrix: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """The product of a rank that is nearest to a matrix [rows, columns].

    By the eigenvectors of its Gram matrix, which are its singular vectors (Eckart and Young).

    Returns:
        up [rows, rank] and down [rank, columns], of equal lengths.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    wide = matrix.mT if tall else matrix
    squares, vectors = cast("tuple[Tensor, Tensor]", torch.linalg.eigh(wide @ wide.mT))  # pyright: ignore[reportUnknownMemberType] - torch leaves it untyped
    rank = min(rank, wide.shape[0])
    root = squares[-rank:].clamp_min(TINY).pow(0.25)
    up = vectors[:, -rank:]
    down = up.mT @ wide / root[:, None]
    up = up * root
    return (down.mT, up.mT) if tall else (up, down)
