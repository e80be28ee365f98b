"""How many rows a network evaluates at once, by the memory that there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from nodes.models.memory import available

FIRST_ROWS = 8  # at once on a GPU, before it is known what a row needs
SHARE = 0.8  # of the free memory that rows may take
CPU_CELLS = 1 << 13
"""Cells of latents that are evaluated at once on a CPU: two pictures of 512 pixels. More fill its
cores no better (see benchmarks/rows.py), take memory, and let the first job wait for the last."""


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

    def evaluated(
        self, evaluate: Callable[[slice], Tensor], count: int, shape: torch.Size, together: int = 1
    ) -> Tensor:
        """What `evaluate` gives for all rows, some at a time; halved when memory is short.

        Which rows are evaluated together changes the last bits of what comes out.

        Args:
            evaluate: gets which rows.
            count: how many rows there are.
            shape: of the latents of one.
            together: so many, one after another, are always evaluated at once.

        Raises:
            torch.OutOfMemoryError: there is not enough memory for one row, or those of `together`.
        """
        found: list[Tensor] = []
        start = 0
        while start < count:
            whole = self.allowed(shape) // together * together
            rows = slice(start, min(start + max(whole, together), count))
            size = rows.stop - rows.start
            try:
                found.append(self._measured(evaluate, rows, shape))
            except torch.OutOfMemoryError:
                if size <= together:
                    raise
                self.most[shape] = size // 2
                continue
            start = rows.stop
        return found[0] if len(found) == 1 else torch.cat(found)

    def allowed(self, shape: torch.Size) -> int:
        """How many rows of a shape may be evaluated at once."""
        if torch.device(self.device).type == "cpu":
            rows = CPU_CELLS // shape[1:].numel()
        elif (row := self.row_bytes.get(shape)) is None:
            rows = FIRST_ROWS
        else:
            rows = int(SHARE * available(self.device) / row)
        return max(1, min(rows, self.most.get(shape, rows)))

    def _measured(
        self, evaluate: Callable[[slice], Tensor], rows: slice, shape: torch.Size
    ) -> Tensor:
        if torch.device(self.device).type == "cpu":
            return evaluate(rows)
        torch.cuda.reset_peak_memory_stats(self.device)
        before = torch.cuda.memory_allocated(self.device)
        found = evaluate(rows)
        used = torch.cuda.max_memory_allocated(self.device) - before
        self.row_bytes[shape] = max(1, used) / (rows.stop - rows.start)
        return found
