"""The cached results of one job: found, stored, and replayed to clients."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, cast

from engine.authoring.protocols import File
from engine.graph.prompt import GraphNode
from engine.run.context import WorkerContext
from engine.run.events import NodeExpanded, NodeFinished, NodeOutput
from engine.run.execution_graph import NodeState
from engine.run.failures import to_plain_data
from engine.run.invocation import NodeInvocation
from engine.run.outbox import EventOutbox
from engine.store.cache import MIN_SAVE_SECONDS, NodeResult

SLOW_SECONDS = 0.2
MAX_EXPANSION_DEPTH = 8
OWN_OUTPUT = ""
"""Among the outputs of an expansion: what the expanding node showed itself."""


class JobResultCache:
    """The results of one job in the worker's cache, and the keys it holds in single flight.

    A cached node does not expand again. What output nodes in its expansion showed is stored beside
    its result, and replayed when the prompt is repeated.

    Args:
        worker: what all jobs of the worker share.
        outbox: receives the events.
    """

    def __init__(self, worker: WorkerContext, outbox: EventOutbox) -> None:
        self._cache = worker.cache
        self._folders = worker.folders
        self._outputs = worker.outputs
        self._single_flight = worker.single_flight
        self._acquired: dict[str, NodeState] = {}
        self._ended = False
        self._outbox = outbox
        self._unsaved: deque[tuple[str, NodeResult]] = deque()
        self._expanded: list[tuple[NodeState, NodeResult]] = []
        self._replayed: set[str] = set()

    def begin_job(self, job: str, keys: Iterable[str]) -> None:
        """The job needs the results of these keys, unless it was interrupted meanwhile."""
        self._cache.begin_job(job, with_expansion_keys(keys))
        if self._ended:
            self._cache.end_job(job)

    def add_expansion(self, job: str, parent: str, keys: Iterable[str]) -> None:
        """A node expanded into nodes of these keys."""
        self._cache.add_expansion(job, parent, with_expansion_keys(keys))

    def end_job(self, job: str, calls: Mapping[str, NodeInvocation]) -> None:
        """The job is over; release what it acquired, but not what its nodes still compute.

        An interrupted node runs on for a while: an equal one of the next job waits until then.

        Args:
            job: its id.
            calls: of its nodes, by id.
        """
        self._ended = True
        self._cache.end_job(job)
        for state in [*self._acquired.values()]:
            call = calls.get(state.node.id)
            if call is None or not call.is_running:
                self.release(state)

    def release_if_ended(self, state: NodeState) -> None:
        """A call of the node returned; if the job had ended before, release its key."""
        if self._ended:
            self.release(state)

    def acquire(self, state: NodeState, on_release: Callable[[], object]) -> bool:
        """Acquire the key of a node; False if an equal node of any job computes it now.

        `on_release` is then called when that node is done, or has failed.
        """
        if not self._cache.is_enabled or self._acquired.get(state.key) is state:
            return True
        if not self._single_flight.acquire(state.key, on_release):
            return False
        self._acquired[state.key] = state
        return True

    def release(self, state: NodeState) -> None:
        """Release the key of a node: its result is computed, or will not be."""
        mine = self._acquired.get(state.key) is state
        if mine and self._acquired.pop(state.key, None):  # two threads may, when the job ends
            self._single_flight.release([state.key])

    def has(self, key: str, *, shows: bool) -> bool:
        """Whether a result is cached; one that shows files only while they exist."""
        if not shows:
            return self._cache.has(key)
        known = self._cache.get(key)
        if known is None:
            return False
        if all(self._folders.has(file) for file in find_files(known.shown)):
            return True
        self._cache.discard(key)
        return False

    def find(self, state: NodeState) -> NodeResult | None:
        """The cached result of a node; its events are emitted as if it was computed now."""
        if self.has(state.key, shows=state.node.spec.is_output):
            known = self._cache.get(state.key)
            if known is not None and known.shown is not None:
                self._emit(state.node.id, known.shown)
            return known
        if not self.has(expansion_key(state.key), shows=True):
            return None
        self.replay_expansion_outputs([state.node.id], {state.node.id: state})
        known = self._cache.get(expansion_key(state.key))
        return (
            NodeResult(known.outputs, (known.shown or {}).get(OWN_OUTPUT, [None])[0])
            if known
            else None
        )

    def _emit(self, id: str, shown: Mapping[str, list[Any]]) -> None:
        if shown:
            self._outbox.enqueue(NodeOutput(id, to_plain_data(shown)))
        self._outbox.enqueue(NodeFinished(id, cached=True, seconds=0.0))

    def find_expansion_outputs(
        self, nodes: Iterable[GraphNode], keys: Mapping[str, str]
    ) -> tuple[list[str], list[str]]:
        """Ids of cached nodes whose expansions have outputs: to replay, and to run again.

        Those that showed a file which is gone must run again; their results are discarded.
        """
        whole: list[str] = []
        gone: list[str] = []
        for node in nodes:
            key = expansion_key(keys[node.id])
            if self._cache.has(key):
                (whole if self.has(key, shows=True) else gone).append(node.id)
        return whole, gone

    def replay_expansion_outputs(self, ids: Iterable[str], states: Mapping[str, NodeState]) -> None:
        """Emit the outputs of the expansions of cached nodes, once for each."""
        for id in ids:
            known = self._cache.get(expansion_key(states[id].key))
            if known is None or known.shown is None or id in self._replayed:
                continue
            self._replayed.add(id)
            if (around := states[id].parent) is not None:
                around.mark_shows()
            display = {id + suffix: states[id].display for suffix in known.shown if suffix}
            self._outbox.enqueue(NodeExpanded(id, display))
            for suffix, (shown,) in known.shown.items():
                self._emit(id + suffix, shown)

    def store(self, state: NodeState, result: NodeResult) -> bool:
        """Store a result; False if it must be written by `save` first, as that takes a while."""
        self._cache.put(state.key, result)
        if not self._cache.should_save(result, state.seconds):
            return True
        if state.seconds > SLOW_SECONDS:
            return False
        if state.seconds > MIN_SAVE_SECONDS:
            self._cache.save(state.key, result)
        else:
            self._unsaved.append((state.key, result))
        return True

    async def save(self, state: NodeState, result: NodeResult) -> None:
        """Save a result to the disk cache, in a thread."""
        await asyncio.to_thread(self._cache.save, state.key, result)

    def store_expanded(self, state: NodeState, result: NodeResult) -> None:
        """Store the result of a node whose expansion is done.

        Iterations of a loop are nested expansions; of those with outputs only the outer ones are
        stored, as each has the outputs of all that are nested in it.
        """
        if not state.shows_in_expansion:
            self._put(state.key, result, state.seconds)
        elif (
            sum(1 for _ in islice(state.self_and_ancestors(), MAX_EXPANSION_DEPTH + 1))
            <= MAX_EXPANSION_DEPTH
        ):
            self._expanded.append((state, result))

    def finish(self) -> None:
        """The job succeeded: store the nodes whose expansions have outputs."""
        for state, result in self._expanded:
            shown = dict(self._collect_expansion_outputs(state))
            if result.shown is not None:
                shown[OWN_OUTPUT] = [result.shown]
            if all(shown.values()):
                self._put(
                    expansion_key(state.key), NodeResult(result.outputs, shown), state.seconds
                )

    def _collect_expansion_outputs(self, state: NodeState) -> Iterator[tuple[str, list[Any]]]:
        """Outputs of the descendants of a node, by the suffix of their ids; empty if unknown."""
        for child in state.descendants():
            suffix = child.node.id.removeprefix(state.node.id)
            known = self._cache.get(child.key) if child.node.spec.is_output else None
            if known is not None:
                yield suffix, [known.shown or {}]
                continue
            around = self._cache.get(expansion_key(child.key))
            outputs = (around.shown if around is not None else None) or {}
            if child.node.spec.is_output and OWN_OUTPUT not in outputs:
                yield suffix, []
            for more, shown in outputs.items():
                if more == OWN_OUTPUT or not child.children:
                    yield suffix + more, shown

    def _put(self, key: str, result: NodeResult, seconds: float) -> None:
        self._cache.put(key, result)
        if self._cache.should_save(result, seconds):
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


def expansion_key(key: str) -> str:
    """The cache key of a node's result together with the outputs of its expansion."""
    return f"{key}+"


def with_expansion_keys(keys: Iterable[str]) -> list[str]:
    """Keys, and the keys of the outputs of their expansions."""
    return [each for key in keys for each in (key, expansion_key(key))]


def find_files(shown: Any) -> Iterator[File]:
    """The files in what an output node showed."""
    if isinstance(shown, File):
        yield shown
    elif isinstance(shown, dict):
        for item in cast("dict[str, Any]", shown).values():
            yield from find_files(item)
    elif isinstance(shown, list):
        for item in cast("list[Any]", shown):
            yield from find_files(item)
