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
from engine.run.invocation import NodeInvocation

QUICK_SECONDS = 0.005
MAX_INLINE_SECONDS = 0.02


class InlineRunner:
    """A queue of quick nodes; at most one thread runs them, and for 20 ms at a time.

    Args:
        context: of the job.
        run: runs one in this thread, a lane's of the given device, and reports what it returned.
        on_idle: called when the thread leaves the queue.

    Attributes:
        is_running: whether a call runs now, in whichever thread.
    """

    def __init__(
        self,
        context: JobContext,
        run: Callable[[str, NodeInvocation], None],
        on_idle: Callable[[], None],
    ) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._run = run
        self._on_idle = on_idle
        self._waiting: deque[NodeInvocation] = deque()
        self._has_thread = False
        self.is_running = False

    def accepts(self, call: NodeInvocation) -> bool:
        """Whether a call is known to be quick and may run inline."""
        spec = call.node.spec
        costs = self._context.worker.durations
        return call.is_plain and spec.on == CPU and costs.get(spec.id, 1.0) < QUICK_SECONDS

    def add(self, call: NodeInvocation) -> None:
        """Queue a call; the thread that runs the queue, or the next `start`, runs it."""
        self._waiting.append(call)

    def reserve(self) -> None:
        """Let this thread run what is added from now on, when it calls `serve`."""
        self._has_thread = True

    def start(self) -> None:
        """Let a lane run the queue, if there is something in it and no thread does."""
        with self._lock:
            if self._has_thread or not self._waiting:
                return
            self._has_thread = True
        self._submit()

    def _submit(self) -> None:
        task = Task(self.serve, (), self._context.cancelled, _nothing, _nothing, _nothing)
        self._context.worker.lanes.pick(gpu=False, cpu=True).submit(task)

    def serve(self, device: str) -> None:
        """Run the queue in this thread, which `start` or `reserve` chose."""
        until = time.perf_counter() + MAX_INLINE_SECONDS
        while time.perf_counter() < until:
            with self._lock:
                if not self._waiting:
                    self._has_thread = False
                    break
                call = self._waiting.popleft()
            self.is_running = True
            self._run(device, call)
            self.is_running = False
        else:
            self._submit()
        self._on_idle()


def _nothing(*_: Any) -> None:
    """A task callback without effect."""
