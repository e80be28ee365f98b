"""Quick nodes of one job, one after another in one lane.

Handing a node to a lane costs more than many nodes do.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from engine.authoring.markers import CPU
from engine.devices.lanes import Task
from engine.run.board import Place
from engine.run.call import Errand, NodeCall

QUICK_SECONDS = 0.005
ROW_SECONDS = 0.02


class Row:
    """The quick nodes that are ready; at most one lane runs them, and never for long at once.

    Args:
        errand: the job.
        lock: of the job.
        run: runs one in a lane of the given device, and goes on with the job.
        rest: called when the lane leaves the row.

    Attributes:
        thread: id of one that serves the row itself when it gets it going.
    """

    def __init__(
        self,
        errand: Errand,
        lock: threading.Lock,
        run: Callable[[str, Place, NodeCall], None],
        rest: Callable[[], None],
    ) -> None:
        self._errand = errand
        self._lock = lock
        self._run = run
        self._rest = rest
        self._waiting: deque[tuple[Place, NodeCall]] = deque()
        self._has_lane = False
        self.thread: int | None = None

    def takes(self, call: NodeCall) -> bool:
        """Whether a call is known to be quick, and needs no lane of its own."""
        spec = call.node.spec
        costs = self._errand.bench.costs
        return call.is_plain and spec.on == CPU and costs.get(spec.id, 1.0) < QUICK_SECONDS

    def add(self, place: Place, call: NodeCall) -> Callable[[], object] | None:
        """Let a call wait; gives what gets a lane for the row, if it has none. Under the lock."""
        self._waiting.append((place, call))
        if self._has_lane:
            return None
        self._has_lane = True
        return self._begin

    def _begin(self) -> None:
        if threading.get_ident() == self.thread:
            self._serve("cpu")
        else:
            self._submit()

    def _submit(self) -> None:
        task = Task(self._serve, (), self._errand.cancelled, _nothing, _nothing, _nothing)
        self._errand.bench.lanes.pick(gpu=False, cpu=True).submit(task)

    def _serve(self, device: str) -> None:
        until = time.perf_counter() + ROW_SECONDS
        while time.perf_counter() < until:
            with self._lock:
                if not self._waiting:
                    self._has_lane = False
                    break
                place, call = self._waiting.popleft()
            self._run(device, place, call)
        else:
            self._submit()
        self._rest()


def _nothing(*_: Any) -> None:
    """Nobody follows the row itself."""
