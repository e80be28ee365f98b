"""Single flight: of nodes with equal keys, in whichever jobs, only one runs at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable


class SingleFlight:
    """The keys that nodes of a worker's jobs compute now, with the callbacks of those who wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, list[Callable[[], object]]] = {}

    def acquire(self, key: str, on_release: Callable[[], object]) -> bool:
        """Acquire a key; False while it is held, then `on_release` is called when it is free.

        `on_release` is called from any thread, and must only schedule another attempt.
        """
        with self._lock:
            if key in self._waiting:
                self._waiting[key].append(on_release)
                return False
            self._waiting[key] = []
            return True

    def release(self, keys: Iterable[str]) -> None:
        """Release keys: their results are computed, or will not be."""
        with self._lock:
            woken = [wake for key in keys for wake in self._waiting.pop(key, ())]
        for wake in woken:
            wake()
