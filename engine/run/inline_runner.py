"""Runs the quick nodes of one job one after another in one thread.

Submitting a node to a lane costs more than many nodes do.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from engine.authoring.markers import CPU
from engine.devices.lanes import Task
from engine.run.context import JobContext
from engine.run.execution_graph import NodeState
from engine.run.invocation import NodeInvocation

QUICK_SECONDS = 0.005
MAX_INLINE_SECONDS = 0.02


class InlineRunner:
    """A queue of quick nodes; at most one lane runs them, and for 20 ms at a time.

    Args:
        context: of the job.
        lock: of the job.
        run: runs one in this thread, a lane's of the given device, and advances the job.
        on_idle: called when the thread leaves the queue.

    Attributes:
        thread: id of a thread that runs the queue itself when it adds the first call.
        is_running: whether a call runs now, in whichever thread.
    """

    def __init__(
        self,
        context: JobContext,
        lock: threading.Lock,
        run: Callable[[str, NodeState, NodeInvocation], None],
        on_idle: Callable[[], None],
    ) -> None:
        self._context = context
        self._lock = lock
        self._run = run
        self._on_idle = on_idle
        self._waiting: deque[tuple[NodeState, NodeInvocation]] = deque()
        self._has_lane = False
        self.thread: int | None = None
        self.is_running = False

    def accepts(self, call: NodeInvocation) -> bool:
        """Whether a call is known to be quick and may run inline."""
        spec = call.node.spec
        costs = self._context.worker.durations
        return call.is_plain and spec.on == CPU and costs.get(spec.id, 1.0) < QUICK_SECONDS

    def add(self, state: NodeState, call: NodeInvocation) -> Callable[[], object] | None:
        """Queue a call; returns what starts the runner, if it is idle. The job's lock is held."""
        self._waiting.append((state, call))
        if self._has_lane:
            return None
        self._has_lane = True
        return self._start

    def _start(self) -> None:
        if threading.get_ident() == self.thread:
            self._serve("cpu")
        else:
            self._submit()

    def _submit(self) -> None:
        task = Task(self._serve, (), self._context.cancelled, _nothing, _nothing, _nothing)
        self._context.worker.lanes.pick(gpu=False, cpu=True).submit(task)

    def _serve(self, device: str) -> None:
        until = time.perf_counter() + MAX_INLINE_SECONDS
        while time.perf_counter() < until:
            with self._lock:
                if not self._waiting:
                    self._has_lane = False
                    break
                state, call = self._waiting.popleft()
            self.is_running = True
            self._run(device, state, call)
            self.is_running = False
        else:
            self._submit()
        self._on_idle()


def _nothing(*_: Any) -> None:
    """A task callback without effect."""
