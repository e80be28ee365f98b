"""What an adapter of a layer does to some of its rows.

Files hold queries, keys and values as one layer that networks hold as several.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nodes.models.networks.adapters import Adapter, changes_of

ROWS = ("up", "up_b", "diff", "diff_b", "set", "dora", "magnitude", "ia3", "factor", "w1_a", "w2_a")
"""Roles whose tensors have a row for each output."""
WHOLE = ("oft", "oft_r", "a1", "t1", "t2", "on_input")
"""Roles of kinds that mix the rows of a layer, or are not rows of it."""
KRON = ("lokr_w1", "lokr_w1_a")


def of_rows(adapter: Adapter, rows: Sequence[tuple[int, int]]) -> Adapter:
    """The adapter of the layer that some rows of another make.

    Args:
        adapter: of the whole layer.
        rows: the first and the number of those that follow one another, in their order.

    Raises:
        ValueError: a kind of adapter of which no rows can be taken.
    """
    if refused := [role for role in WHOLE if role in adapter]:
        raise ValueError(
            f"it changes a layer as a whole ({refused[0]}) that the network holds in parts; "
            "convert it to plain LoRA"
        )
    if any(role in adapter for role in KRON):
        adapter = _as_difference(adapter)
    return {
        role: _taken(tensor, rows) if role in ROWS and tensor.ndim else tensor
        for role, tensor in adapter.items()
    }


def _taken(tensor: Tensor, rows: Sequence[tuple[int, int]]) -> Tensor:
    if tensor.ndim > 1 and tensor.shape[0] == 1:
        return tensor  # of inputs, not of outputs
    return torch.cat([tensor.narrow(0, start, count) for start, count in rows])


def _as_difference(adapter: Adapter) -> Adapter:
    """A product of Kronecker as what it adds."""
    rows = columns = 1
    for number in ("1", "2"):
        whole = f"lokr_w{number}"
        first, last = (whole, whole) if whole in adapter else (f"{whole}_a", f"{whole}_b")
        rows *= adapter[first].shape[0]
        columns *= adapter[last].shape[1]
    added = torch.zeros(rows, columns)
    kept = {role: tensor for role, tensor in adapter.items() if role.startswith(("lokr", "alpha"))}
    for _, apply in changes_of(kept, 1.0):
        apply(added)
    others = {role: tensor for role, tensor in adapter.items() if role not in kept}
    return {**others, "diff": added}
