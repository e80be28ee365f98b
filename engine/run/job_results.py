"""The results of one job in the worker's cache, and the keys that it holds in single flight."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from engine.authoring.protocols import File
from engine.graph.prompt import GraphNode
from engine.run.context import WorkerContext
from engine.run.messages import Survey
from engine.store.cache import NodeResult


class JobResults:
    """Reads and keeps the results of one job.

    A cached node does not expand again: its result has a record of what the output nodes in its
    expansion showed (`NodeResult.nested_shown`), which is shown again when the prompt is repeated.

    Args:
        worker: what all jobs of the worker share.
        job: id of the job.
    """

    def __init__(self, worker: WorkerContext, job: str) -> None:
        self._cache = worker.cache
        self._folders = worker.folders
        self._outputs = worker.outputs
        self._single_flight = worker.single_flight
        self._job = job
        self._ended = False
        self._unsaved: deque[tuple[str, NodeResult]] = deque()

    def begin_job(self, keys: Iterable[str]) -> None:
        """The job needs the results of these keys, unless it was interrupted meanwhile."""
        self._cache.begin_job(self._job, keys)
        if self._ended:
            self._cache.end_job(self._job)

    def add_expansion(self, parent: str, keys: Iterable[str]) -> None:
        """A node expanded into nodes of these keys."""
        self._cache.add_expansion(self._job, parent, keys)

    def end_job(self) -> None:
        """The job is over."""
        self._ended = True
        self._cache.end_job(self._job)

    def acquire(self, key: str, on_release: Callable[[], object]) -> bool:
        """Acquire a key; False if an equal node of any job holds it.

        `on_release` is then called when that node is done, or has failed.
        """
        return not self._cache.is_enabled or self._single_flight.acquire(key, on_release)

    def release(self, key: str) -> None:
        """Release a key."""
        self._single_flight.release([key])

    def must_read(self, key: str) -> bool:
        """Whether `find` would read the disk."""
        return self._cache.must_read(key)

    def find(self, key: str, shows: bool) -> NodeResult | None:
        """A cached result; one that shows files only while they exist."""
        if not self._cache.has(key):
            return None
        shows = shows or self._cache.has_nested_shown(key)
        known = self._cache.get(key)
        if known is None or not shows:
            return known
        if all(map(self._folders.has, find_files([known.shown, known.nested_shown]))):
            return known
        self._cache.discard(key)
        return None

    def reads_to_survey(self, nodes: Iterable[GraphNode], keys: Mapping[str, str]) -> bool:
        """Whether `survey` would read the disk."""
        return any(self.must_read(keys[node.id]) and self._shows(node, keys) for node in nodes)

    def survey(self, nodes: Sequence[GraphNode], keys: Mapping[str, str]) -> Survey:
        """Find out what the cache has of these nodes."""
        cached: list[str] = []
        replays: dict[str, NodeResult] = {}
        gone: list[str] = []
        for node in nodes:
            key = keys[node.id]
            if not self._cache.has(key):
                continue
            if not self._shows(node, keys):
                cached.append(node.id)
                continue
            expanded = self._cache.has_nested_shown(key)
            known = self.find(key, True)
            if known is not None:
                cached.append(node.id)
            if expanded and known is None:
                gone.append(node.id)
            elif expanded and known is not None:
                replays[node.id] = known
        return Survey(cached, replays, gone)

    def _shows(self, node: GraphNode, keys: Mapping[str, str]) -> bool:
        return node.spec.is_output or self._cache.has_nested_shown(keys[node.id])

    def keep(self, key: str, result: NodeResult) -> None:
        """Keep a result in memory."""
        self._cache.put(key, result)

    def should_save(self, result: NodeResult, seconds: float) -> bool:
        """Whether a result that took so long is to outlive a crash."""
        return self._cache.should_save(result, seconds)

    def save(self, key: str, result: NodeResult) -> None:
        """Write a result to the disk; returns once it is there, or cannot be."""
        self._cache.save(key, result)

    def save_later(self, key: str, result: NodeResult) -> None:
        """Let the next `flush` write a result to the disk."""
        self._unsaved.append((key, result))

    def flush(self) -> None:
        """Save results of quick nodes that must survive a crash; persist counters."""
        while (unsaved := self._next_unsaved()) is not None:
            self._cache.save(*unsaved)
            self._outputs.flush_counters()
        self._outputs.prepare()

    def _next_unsaved(self) -> tuple[str, NodeResult] | None:
        """The next to save; safe with several threads."""
        try:
            return self._unsaved.popleft()
        except IndexError:
            return None


def find_files(shown: Any) -> Iterator[File]:
    """The files in what output nodes showed."""
    if isinstance(shown, File):
        yield shown
    elif isinstance(shown, dict):
        for item in cast("dict[str, Any]", shown).values():
            yield from find_files(item)
    elif isinstance(shown, list):
        for item in cast("list[Any]", shown):
            yield from find_files(item)
