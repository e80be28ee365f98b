"""How many rows a network evaluates at once, by the memory that there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from nodes.models.memory import available

FIRST_ROWS = 8  # at once on a GPU, before it is known what a row needs
SHARE = 0.8  # of the free memory that rows may take
CPU_NUMBERS = 1 << 13
"""Numbers of the latents that are evaluated at once on a CPU. More of them fill its cores no better
(measured by benchmarks/rows.py), and results wait for each other."""


@dataclass(eq=False)
class Batches:
    """What a network on a device has shown it can evaluate at once.

    Attributes:
        device: as torch names it.
        row_bytes: what a row of a shape needed beside the weights.
        most: rows of a shape that memory was enough for, where it was not enough for more.
    """

    device: str
    row_bytes: dict[torch.Size, float] = field(default_factory=dict[torch.Size, float])
    most: dict[torch.Size, int] = field(default_factory=dict[torch.Size, int])

    def evaluated(self, evaluate: Callable[..., Tensor], x: Tensor, *others: Tensor) -> Tensor:
        """``evaluate(x, *others)`` for all rows, some at a time; halved when memory is short.

        Which rows are evaluated together changes the last bits of what comes out.

        Args:
            evaluate: gets some rows of each tensor.
            x: latents, [rows, ...].
            others: what goes with them, [rows, ...].

        Raises:
            torch.OutOfMemoryError: there is not enough memory for one row.
        """
        found: list[Tensor] = []
        start = 0
        while start < len(x):
            count = min(self.allowed(x.shape[1:]), len(x) - start)
            rows = slice(start, start + count)
            try:
                found.append(self._measured(evaluate, x[rows], *(other[rows] for other in others)))
            except torch.OutOfMemoryError:
                if count == 1:
                    raise
                self.most[x.shape[1:]] = count // 2
                continue
            start += count
        return found[0] if len(found) == 1 else torch.cat(found)

    def allowed(self, shape: torch.Size) -> int:
        """How many rows of a shape may be evaluated at once."""
        if torch.device(self.device).type == "cpu":
            rows = CPU_NUMBERS // shape.numel()
        elif (row := self.row_bytes.get(shape)) is None:
            rows = FIRST_ROWS
        else:
            rows = int(SHARE * available(self.device) / row)
        return max(1, min(rows, self.most.get(shape, rows)))

    def _measured(self, evaluate: Callable[..., Tensor], *rows: Tensor) -> Tensor:
        if torch.device(self.device).type == "cpu":
            return evaluate(*rows)
        torch.cuda.reset_peak_memory_stats(self.device)
        before = torch.cuda.memory_allocated(self.device)
        found = evaluate(*rows)
        used = torch.cuda.max_memory_allocated(self.device) - before
        self.row_bytes[rows[0].shape[1:]] = max(1, used) / len(rows[0])
        return found
