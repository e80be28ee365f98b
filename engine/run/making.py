"""Which results are being made now: of equal nodes, in whichever jobs, only one runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable


class Making:
    """The keys of what the nodes of a worker's jobs make now, and who waits for them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, list[Callable[[], object]]] = {}

    def begin(self, key: str, wake: Callable[[], object]) -> bool:
        """Make the result of a key, unless somebody does; `wake` is called when that is over.

        It is called from any thread, and must not do more than to have somebody look again.
        """
        with self._lock:
            if key in self._waiting:
                self._waiting[key].append(wake)
                return False
            self._waiting[key] = []
            return True

    def end(self, keys: Iterable[str]) -> None:
        """The results are made, or will not be."""
        with self._lock:
            woken = [wake for key in keys for wake in self._waiting.pop(key, ())]
        for wake in woken:
            wake()
