"""The execution graph of a job: which nodes are ready, which are done, and their results.

It runs no node and never recurses: a chain may be of any length.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from msgspec import Struct, field

from engine.graph.prompt import GraphNode, Link
from engine.graph.topological_sort import TopologicalSort
from engine.run.expand import ExpandedGraph
from engine.run.list_mapping import placeholders
from engine.store.cache import NodeResult


class NodeStatus(enum.Enum):
    """The status of a node; IDLE: not requested."""

    IDLE = enum.auto()
    REQUESTED = enum.auto()
    DONE = enum.auto()
    FAILED = enum.auto()


class NodeState(Struct, eq=False):
    """A node of a job and the state of its execution.

    Attributes:
        key: the cache key of its result.
        parent: the node whose expansion it is part of.
        display: id of the node that clients show for it.
        is_target: the job is not over before it is done.
        consumers: how many others may still use its result.
        waiting_for: the nodes that it waits for now.
        waiters: called when it is done or has failed.
        result: kept while a consumer may use it.
        requested_inputs: names of the lazy inputs that its `needs` asked for.
        needs_satisfied: its `needs` asks for no more.
        pending_result: what it returned, with placeholders, while its expansion is computed.
        children: the nodes of its expansion.
        shows_in_expansion: a descendant is an output node.
        seconds: of its own running time.
        started: `NodeStarted` was emitted.
        awaiting_calls: how many of its calls wait for a lazy input.
    """

    node: GraphNode
    key: str
    parent: NodeState | None = None
    display: str = ""
    status: NodeStatus = NodeStatus.IDLE
    is_target: bool = False
    consumers: int = 0
    waiting_for: list[NodeState] = field(default_factory=list["NodeState"])
    pending_sources: int = 0
    waiters: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    result: NodeResult | None = None
    requested_inputs: set[str] = field(default_factory=set[str])
    needs_satisfied: bool = False
    pending_result: NodeResult | None = None
    children: list[NodeState] = field(default_factory=list["NodeState"])
    shows_in_expansion: bool = False
    seconds: float = 0.0
    started: bool = False
    awaiting_calls: int = 0

    def __str__(self) -> str:
        return f"{self.node.id} ({self.node.spec.id})"

    @property
    def root(self) -> NodeState:
        """The node of the prompt that it came from by expansion; itself if it is in the prompt."""
        *_, outermost = self.self_and_ancestors()
        return outermost

    def descendants(self) -> Iterator[NodeState]:
        """The nodes of its expansion, and of expansions in it."""
        waiting = [*self.children]
        while waiting:
            state = waiting.pop()
            waiting += state.children
            yield state

    def self_and_ancestors(self) -> Iterator[NodeState]:
        """Itself, the node whose expansion it is part of, and so on."""
        state: NodeState | None = self
        while state is not None:
            yield state
            state = state.parent

    def mark_shows(self) -> None:
        """An output node is in its expansion, and so in its ancestors'."""
        for state in self.self_and_ancestors():
            if state.shows_in_expansion:
                return
            state.shows_in_expansion = True

    @property
    def has_result(self) -> bool:
        """Whether its result is available."""
        return self.result is not None

    def requested_links(self) -> dict[str, Link]:
        """Links whose values it gets: those not lazy, and lazy ones that it requested."""
        links = self.node.strong_links()
        for name in self.requested_inputs:
            links[name] = self.node.links[name]
        return links


class ExecutionGraph:
    """The nodes of one job, their states and dependencies.

    Args:
        find: looks up a cached result, when a node is first requested.

    Attributes:
        ready: nodes whose sources are all done; the caller pops them.
        open_targets: how many targets are neither done nor failed.
    """

    def __init__(self, find: Callable[[NodeState], NodeResult | None]) -> None:
        self._find = find
        self.states: dict[str, NodeState] = {}
        self.ready: deque[NodeState] = deque()
        self._failing: deque[NodeState] = deque()
        self.open_targets = 0

    def add(
        self, nodes: Iterable[GraphNode], keys: Mapping[str, str], parent: NodeState | None = None
    ) -> list[NodeState]:
        """Add nodes, each after its sources."""
        added: list[NodeState] = []
        for node in nodes:
            state = NodeState(
                node, keys[node.id], parent, display=parent.display if parent else node.id
            )
            self.states[node.id] = state
            for source in self._sources(state):
                source.consumers += 1
            added.append(state)
        return added

    def add_target(self, state: NodeState) -> None:
        """Make a node a target: the job is not over before it is done."""
        if state.is_target:
            return
        state.is_target = True
        if state.status in (NodeStatus.IDLE, NodeStatus.REQUESTED):
            self.open_targets += 1
            self.request(state)

    def add_targets(self, *ids: str) -> None:
        """Make these nodes targets."""
        for id in ids:
            self.add_target(self.states[id])

    def expand(
        self,
        state: NodeState,
        expansion: ExpandedGraph,
        result: NodeResult,
        keys: Mapping[str, str],
    ) -> dict[str, str]:
        """Let a node wait for its expansion; returns the display id of each new node.

        Args:
            state: of the node.
            expansion: the new nodes.
            result: what the node returned, with placeholders.
            keys: of all nodes.
        """
        state.pending_result = result
        state.children = self.add(expansion.nodes, keys, state)
        for child in state.children:
            display_id = expansion.display.get(child.node.id, child.display)
            child.display = (
                self.states[display_id].display if display_id in self.states else display_id
            )
            if child.node.spec.is_output:
                self.add_target(child)
                state.mark_shows()
        awaited = [self.states[link.node] for link in dict.fromkeys(placeholders(result.outputs))]
        for source in dict.fromkeys(awaited):
            source.consumers += 1
        self.wait_for(state, awaited)
        return {child.node.id: child.display for child in state.children}

    def request(self, state: NodeState) -> None:
        """Request a node and all its sources, unless its result is available."""
        fresh = [state]
        while fresh:
            state = fresh.pop()
            if state.has_result or state.status in (NodeStatus.REQUESTED, NodeStatus.FAILED):
                continue
            if state.status is NodeStatus.DONE:
                self._reacquire(state)
            state.status = NodeStatus.REQUESTED
            known = self._find(state)
            if known is not None:
                self.complete(state, known)
            else:
                sources = [self.states[link.node] for link in state.requested_links().values()]
                fresh += reversed(self._wait_for(state, sources))

    def _reacquire(self, state: NodeState) -> None:
        """Its result was dropped, and now an expansion requests it again."""
        state.is_target = False
        for source in self._sources(state):
            source.consumers += 1

    def wait_for(self, state: NodeState, sources: Iterable[NodeState]) -> None:
        """Let a node wait for others; it is ready again when they are done."""
        for source in self._wait_for(state, sources):
            self.request(source)

    def _wait_for(self, state: NodeState, sources: Iterable[NodeState]) -> list[NodeState]:
        awaited = [source for source in dict.fromkeys(sources) if not source.has_result]
        if any(source.status is NodeStatus.FAILED for source in awaited):
            self.fail(state)
            return []
        state.waiting_for, state.pending_sources = awaited, len(awaited)
        for source in awaited:
            source.waiters.append(partial(self._on_source_done, state, source))
        if not awaited:
            self.ready.append(state)
        return awaited

    def _on_source_done(self, state: NodeState, source: NodeState) -> None:
        if state.status is not NodeStatus.REQUESTED:
            return
        if source.status is NodeStatus.FAILED:
            self.fail(state)
            return
        state.pending_sources -= 1
        if state.pending_sources == 0:
            state.waiting_for = []
            self.ready.append(state)

    def complete(self, state: NodeState, result: NodeResult) -> None:
        """Set the result of a node."""
        state.status, state.result, state.pending_result = NodeStatus.DONE, result, None
        self._notify_waiters(state)

    def fail(self, state: NodeState) -> None:
        """Fail a node, and so what waits for it."""
        self._failing.append(state)
        if len(self._failing) > 1:
            return  # it was called by a waiter; the loop below goes on with it
        while self._failing:
            failing = self._failing[0]
            if failing.status is not NodeStatus.FAILED:
                failing.status, failing.pending_result = NodeStatus.FAILED, None
                self._notify_waiters(failing)
            self._failing.popleft()

    def _notify_waiters(self, state: NodeState) -> None:
        """Call the waiters, and release the sources."""
        waiters, state.waiters = state.waiters, []
        for waiter in waiters:
            waiter()
        if state.is_target:
            self.open_targets -= 1
        for source in self._sources(state):
            self.release(source)
        if state.consumers == 0:
            state.result = None

    def release(self, state: NodeState) -> None:
        """One consumer is done; a result without consumers is dropped."""
        state.consumers -= 1
        if state.consumers == 0:
            state.result = None

    def find_cycle(self) -> tuple[list[str], NodeState]:
        """Nodes that wait for each other, first and last the same, and whose expansion did it."""
        requested = [
            state.node.id for state in self.states.values() if state.status is NodeStatus.REQUESTED
        ]
        search = TopologicalSort(
            requested, lambda id: [source.node.id for source in self.states[id].waiting_for]
        )
        ids = search.cycles[0]
        cycle = [self.states[id] for id in ids]
        return [*ids], next(state for state in cycle if state.pending_result is not None)

    def _sources(self, state: NodeState) -> list[NodeState]:
        sources = [link.node for link in state.node.links.values()]
        return [self.states[id] for id in dict.fromkeys(sources)]
