"""One job as its client hears it: the engine's events, turned into ComfyUI's messages in order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine.run.events import (
    Ended,
    Event,
    Lost,
    NodeFinished,
    NodePreview,
    NodeProgress,
    NodeSaid,
    NodeShown,
    NodeStarted,
    Started,
)
from engine.server import wire
from engine.store.history import Job

Message = tuple[str, dict[str, Any]]


class Story:
    """What has been told of one job so far; `progress_state` messages repeat all of it."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._nodes: dict[str, dict[str, Any]] = {}
        self._running: list[str] = []

    def tell(self, event: Event) -> Iterator[Message]:
        """The messages of an event; previews have a binary form of their own and none here."""
        id = self.job.id
        match event:
            case Started(cached, at):
                self._nodes.clear()
                self._running.clear()
                yield wire.execution_start(id, at)
                yield wire.execution_cached(id, cached, at)
            case NodeStarted(node):
                self._running.append(node)
                yield self._progress(node, 0.0, 1.0, "running")
                yield wire.executing(id, node)
            case NodeProgress(node, value, total):
                yield self._progress(node, value, total, "running")
                yield wire.progress(id, node, value, total)
            case NodeSaid(name=name, data=data):
                yield name, data
            case NodeShown(node, shown):
                yield wire.executed(id, node, shown)
            case NodeFinished(node):
                if node in self._running:
                    self._running.remove(node)
                total = self._nodes[node]["max"] if node in self._nodes else 1
                yield self._progress(node, total, total, "finished")
            case Ended(status, at, failure):
                yield wire.ending(id, status, at, failure)
            case NodePreview() | Lost():
                pass

    def recap(self) -> Iterator[Message]:
        """For a client that comes back in mid-run: where the job stands."""
        if self._nodes:
            yield wire.progress_state(self.job.id, self._nodes)
        if self._running:
            yield wire.executing(self.job.id, self._running[-1])

    def _progress(self, node: str, value: float, total: float, state: str) -> Message:
        self._nodes[node] = wire.node_progress(self.job.id, node, value, total, state)
        return wire.progress_state(self.job.id, self._nodes)
