"""Cache policy: which results of nodes are kept at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class CachePolicy:
    """Which results are kept, of those that fit into the budgets.

    Attributes:
        latest_jobs_only: keep only results of the jobs that began last.
        max_results: so many, least recently used ones leave first; 0 keeps none.
    """

    latest_jobs_only: bool = False
    max_results: int | None = None


ALL_THAT_FITS = CachePolicy()


class LatestJobsPolicy:
    """Tracks the cache keys of the running jobs, and of what their nodes expanded into.

    Attributes:
        needed: all of them, and those of jobs that ended since the last one began.
    """

    def __init__(self) -> None:
        self._running: dict[str, set[str]] = {}
        self._expanded: dict[str, set[str]] = {}
        self.needed: set[str] = set()

    def begin_job(self, job: str, keys: Iterable[str]) -> None:
        """A job begins."""
        self._running[job] = set(keys)
        needed: set[str] = set()
        waiting = [key for keys in self._running.values() for key in keys]
        while waiting:
            key = waiting.pop()
            if key not in needed:
                needed.add(key)
                waiting += self._expanded.get(key, ())
        self._expanded = {key: keys for key, keys in self._expanded.items() if key in needed}
        self.needed = needed

    def add_expansion(self, job: str, parent: str, keys: Iterable[str]) -> None:
        """A node of a running job expanded into further ones."""
        self._expanded[parent] = set(keys)
        self.needed |= self._expanded[parent]
        if job in self._running:
            self._running[job] |= self._expanded[parent]

    def end_job(self, job: str) -> None:
        """A job is over; what it needed is kept until another one begins."""
        self._running.pop(job, None)
