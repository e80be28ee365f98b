"""Which weights are loaded where: leased by running nodes, dropped when idle and in the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.authoring.protocols import Resident


@dataclass(eq=False)
class _LoadedBase:
    """One base on one device."""

    device: str
    nbytes: int
    key: str
    leases: int = 0
    loaded: Any = None
    is_loading: bool = False
    used: float = 0.0
    loading: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class Lease:
    """The right of one running node to its models, until it is released."""

    device: str
    handles: Sequence[Resident[Any]]
    bases: Sequence[_LoadedBase]


class Residency:
    """Loaded weights by base and device.

    A lease binds each handle to the loaded weights of its base. Handles of one base that differ
    (another LoRA, another strength) are patched in place, so they never hold leases together.

    Args:
        budgets: bytes of weights each device may hold; idle ones leave, least recently used
            first, before new ones are loaded. What is in use may exceed the budget.
    """

    def __init__(self, budgets: Mapping[str, int]) -> None:
        self._budgets = budgets
        self._bases: dict[tuple[str, str], _LoadedBase] = {}
        self._lock = threading.Lock()
        self._waiters: list[Callable[[], None]] = []

    def on_release(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever a lease is released, so that a refused task is tried again."""
        self._waiters.append(wake)

    def lease(self, handles: Sequence[Resident[Any]], device: str) -> Lease | None:
        """A lease on all the handles, or None while one of their bases is bound otherwise.

        Raises:
            ValueError: two of the handles want one base patched differently.
        """
        with self._lock:
            places = [self._base(handle, device) for handle in handles]
            wanted: dict[int, str] = {}
            for handle, place in zip(handles, places, strict=True):
                if wanted.setdefault(id(place), handle.key) != handle.key:
                    raise ValueError(
                        "the node got one model twice, patched differently; give it one of them"
                    )
                if place.leases and place.key != handle.key:
                    return None
            for handle, place in zip(handles, places, strict=True):
                place.leases += 1
                place.key = handle.key
        return Lease(device, handles, places)

    def load(self, lease: Lease) -> None:
        """Load what is missing and bind every handle; called in the lane that will run.

        Weights that could not be bound are in an unknown state, so the next lease loads them anew.

        Raises:
            Exception: whatever reading a broken model file raises.
        """
        for handle, place in zip(lease.handles, lease.bases, strict=True):
            with place.loading:
                if place.loaded is None:
                    self._make_room(place)
                    try:
                        place.loaded = handle.load(lease.device)
                    finally:
                        place.is_loading = False
                try:
                    handle.bind(place.loaded)
                except BaseException:
                    place.loaded = None
                    raise

    def release(self, lease: Lease) -> None:
        """End a lease."""
        if not lease.bases:
            return
        with self._lock:
            for place in lease.bases:
                place.leases -= 1
                place.used = time.monotonic()
        for wake in self._waiters:
            wake()

    def unload_idle(self) -> None:
        """Drop all weights that no running node holds."""
        with self._lock:
            for id, place in [*self._bases.items()]:
                if not place.leases:
                    del self._bases[id]

    def nbytes(self, device: str) -> int:
        """Bytes of loaded weights on a device."""
        with self._lock:
            return sum(place.nbytes for place in self._on(device) if not place.is_loading)

    def _base(self, handle: Resident[Any], device: str) -> _LoadedBase:
        id = (handle.base, device)
        if id not in self._bases:
            self._bases[id] = _LoadedBase(device, handle.nbytes(device), handle.key)
        return self._bases[id]

    def _on(self, device: str) -> list[_LoadedBase]:
        """What takes memory there, or will in a moment."""
        return [
            place
            for place in self._bases.values()
            if place.device == device and (place.is_loading or place.loaded is not None)
        ]

    def _make_room(self, wanted: _LoadedBase) -> None:
        """Drop idle weights until a base fits that is about to be loaded.

        It counts from now on, so that another lane that loads at the same time makes its own room.
        """
        with self._lock:
            wanted.is_loading = True
            budget = self._budgets.get(wanted.device)
            if budget is None:
                return
            there = self._on(wanted.device)
            over = sum(place.nbytes for place in there) - budget
            for place in sorted(there, key=lambda place: place.used):
                if over <= 0:
                    return
                if not place.leases:
                    over -= place.nbytes
                    self._bases = {id: at for id, at in self._bases.items() if at is not place}
