"""Translates the engine's events of one job into ComfyUI's messages, in order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from engine.run.events import (
    CustomMessage,
    Event,
    JobFinished,
    JobStarted,
    NodeExpanded,
    NodeFailed,
    NodeFinished,
    NodeOutput,
    NodeProgress,
    NodeSound,
    NodeStarted,
)
from engine.server import wire
from engine.server.wire import NodeRef
from engine.store.history import Job

Message = tuple[str, dict[str, Any]]

MANY = 256
SELDOM_SECONDS = 0.25
MOST_SOUNDS = 128


class JobEventTranslator:
    """The progress of one job so far, which every `progress_state` message repeats.

    Of a job of very many nodes they come a few times a second only: else their bytes would grow
    with the square of the nodes.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self._begin()

    def _begin(self) -> None:
        self._nodes: dict[str, dict[str, Any]] = {}
        self._running: list[str] = []
        self._display: dict[str, str] = {}
        self._parents: dict[str, str] = {}
        self._next_state = 0.0
        self._sounds: deque[NodeSound] = deque(maxlen=MOST_SOUNDS)

    def translate(self, event: Event) -> list[Message]:
        """The messages of an event; pictures and sounds have a binary form and none here."""
        id = self.job.id
        match event:
            case NodeStarted(node):
                self._running.append(node)
                state = self._progress(node, 0.0, 1.0, "running")
                return [*state, wire.executing(id, self.node_ref(node))]
            case NodeProgress(node, value, total):
                state = self._progress(node, value, total, "running")
                return [*state, wire.progress(id, node, value, total)]
            case NodeFinished(node):
                self._leave(node)
                total = self._nodes[node]["max"] if node in self._nodes else 1
                return self._progress(node, total, total, "finished")
            case NodeOutput(node, shown):
                return [wire.executed(id, self.node_ref(node), shown)]
            case CustomMessage(name=name, data=data):
                return [(name, data)]
            case _:
                return self._translate_job_event(event)

    def _translate_job_event(self, event: Event) -> list[Message]:
        id = self.job.id
        match event:
            case JobStarted(cached, at):
                self._begin()
                return [wire.execution_start(id, at), wire.execution_cached(id, cached, at)]
            case NodeExpanded(node, display):
                self._display |= display
                self._parents |= dict.fromkeys(display, node)
            case NodeFailed(failure):
                return [wire.node_failed(id, failure, time.time_ns() // 10**6)]
            case JobFinished(status, at, failure, partial):
                last = [wire.progress_state(id, self._nodes)] if len(self._nodes) > MANY else []
                return [*last, wire.ending(id, status, at, failure, partial)]
            case NodeSound():
                self._sounds.append(event)
            case _:
                pass
        return []

    def _leave(self, node: str) -> None:
        if node in self._running:
            self._running.remove(node)
        if self._sounds:
            others = (sound for sound in self._sounds if sound.node != node)
            self._sounds = deque(others, MOST_SOUNDS)

    def sounds(self) -> Iterator[NodeSound]:
        """The latest sounds of the nodes that run."""
        return (sound for sound in self._sounds if sound.node in self._running)

    def snapshot(self) -> Iterator[Message]:
        """Messages for a client that reconnects in mid-run."""
        if self._nodes:
            yield wire.progress_state(self.job.id, self._nodes)
        if self._running:
            yield wire.executing(self.job.id, self.node_ref(self._running[-1]))

    def node_ref(self, node: str) -> NodeRef:
        """A node as messages refer to it."""
        return NodeRef(node, self._display.get(node, node), self._parents.get(node))

    def _progress(self, node: str, value: float, total: float, state: str) -> list[Message]:
        progress = wire.node_progress(self.job.id, self.node_ref(node), value, total, state)
        self._nodes[node] = progress
        if len(self._nodes) > MANY:
            now = time.monotonic()
            if now < self._next_state:
                return []
            self._next_state = now + SELDOM_SECONDS
        return [wire.progress_state(self.job.id, self._nodes)]
