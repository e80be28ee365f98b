"""Which results of nodes are kept at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Keeping:
    """Which results are kept, of those that fit into the budgets.

    Attributes:
        latest: only those of the jobs that began last.
        most: so many, those that were used last; 0 keeps none.
    """

    latest: bool = False
    most: int | None = None


ALL_THAT_FITS = Keeping()


class Latest:
    """The keys of the running jobs, and of what their nodes expanded into, now or before.

    Attributes:
        needed: all of them, and those of jobs that ended since the last one began.
    """

    def __init__(self) -> None:
        self._running: dict[str, set[str]] = {}
        self._grown: dict[str, set[str]] = {}
        self.needed: set[str] = set()

    def begin(self, job: str, keys: Iterable[str]) -> None:
        """A job begins."""
        self._running[job] = set(keys)
        needed: set[str] = set()
        waiting = [key for keys in self._running.values() for key in keys]
        while waiting:
            key = waiting.pop()
            if key not in needed:
                needed.add(key)
                waiting += self._grown.get(key, ())
        self._grown = {key: keys for key, keys in self._grown.items() if key in needed}
        self.needed = needed

    def grow(self, job: str, parent: str, keys: Iterable[str]) -> None:
        """A node of a running job expanded into further ones."""
        self._grown[parent] = set(keys)
        self.needed |= self._grown[parent]
        if job in self._running:
            self._running[job] |= self._grown[parent]

    def end(self, job: str) -> None:
        """A job is over; what it needed is kept until another one begins."""
        self._running.pop(job, None)
