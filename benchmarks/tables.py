"""Measurements as a table: what, median, spread, goal."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table


class Measures:
    """Rows of one benchmark, printed when all are there."""

    def __init__(self, title: str) -> None:
        self._table = Table("what", "median", "min", "max", "n", "goal", title=title)

    def add(self, what: str, values: Sequence[float], unit: str, goal: str = "") -> None:
        """One row of repeated measurements."""
        shown = [statistics.median(values), min(values), max(values)]
        self._table.add_row(
            what, *(f"{value:.3g} {unit}" for value in shown), str(len(values)), goal
        )

    def print(self) -> None:
        """Show the table."""
        Console().print(self._table)
