"""One job as its client hears it: the engine's events, turned into ComfyUI's messages in order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from engine.run.events import (
    Ended,
    Event,
    Expanded,
    Lost,
    NodeFailed,
    NodeFinished,
    NodeLoaded,
    NodePreview,
    NodeProgress,
    NodeSaid,
    NodeShown,
    NodeSound,
    NodeStarted,
    NodeText,
    Started,
)
from engine.server import wire
from engine.server.wire import Spot
from engine.store.history import Job

Message = tuple[str, dict[str, Any]]

MANY = 256
SELDOM_SECONDS = 0.25
MOST_SOUNDS = 128


class Story:
    """What has been told of one job so far; `progress_state` messages repeat all of it.

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

    def tell(self, event: Event) -> Iterator[Message]:
        """The messages of an event; pictures and sounds have a binary form and none here."""
        id = self.job.id
        match event:
            case Started(cached, at):
                self._begin()
                yield wire.execution_start(id, at)
                yield wire.execution_cached(id, cached, at)
            case Expanded(node, display):
                self._display |= display
                self._parents |= dict.fromkeys(display, node)
            case NodeFailed(failure):
                yield wire.node_failed(id, failure, time.time_ns() // 10**6)
            case Ended(status, at, failure, partial):
                if len(self._nodes) > MANY:
                    yield wire.progress_state(id, self._nodes)
                yield wire.ending(id, status, at, failure, partial)
            case NodeSound():
                self._sounds.append(event)
            case NodePreview() | NodeText() | NodeLoaded() | Lost():
                pass
            case _:
                yield from self._tell_node(event)

    def _tell_node(
        self, event: NodeStarted | NodeProgress | NodeSaid | NodeShown | NodeFinished
    ) -> Iterator[Message]:
        id = self.job.id
        match event:
            case NodeStarted(node):
                self._running.append(node)
                yield from self._progress(node, 0.0, 1.0, "running")
                yield wire.executing(id, self.spot(node))
            case NodeProgress(node, value, total):
                yield from self._progress(node, value, total, "running")
                yield wire.progress(id, node, value, total)
            case NodeSaid(name=name, data=data):
                yield name, data
            case NodeShown(node, shown):
                yield wire.executed(id, self.spot(node), shown)
            case NodeFinished(node):
                if node in self._running:
                    self._running.remove(node)
                if self._sounds:
                    others = (sound for sound in self._sounds if sound.node != node)
                    self._sounds = deque(others, MOST_SOUNDS)
                total = self._nodes[node]["max"] if node in self._nodes else 1
                yield from self._progress(node, total, total, "finished")

    def sounds(self) -> Iterator[NodeSound]:
        """What sounded lately of the nodes that run."""
        return (sound for sound in self._sounds if sound.node in self._running)

    def recap(self) -> Iterator[Message]:
        """For a client that comes back in mid-run: where the job stands."""
        if self._nodes:
            yield wire.progress_state(self.job.id, self._nodes)
        if self._running:
            yield wire.executing(self.job.id, self.spot(self._running[-1]))

    def spot(self, node: str) -> Spot:
        """A node as clients are told of it."""
        return Spot(node, self._display.get(node, node), self._parents.get(node))

    def _progress(self, node: str, value: float, total: float, state: str) -> Iterator[Message]:
        told = wire.node_progress(self.job.id, self.spot(node), value, total, state)
        self._nodes[node] = told
        if len(self._nodes) > MANY:
            now = time.monotonic()
            if now < self._next_state:
                return
            self._next_state = now + SELDOM_SECONDS
        yield wire.progress_state(self.job.id, self._nodes)
