"""The execution graph of a job: which nodes are ready, which are done, and their results.

Plain bookkeeping: it runs nothing, reads nothing, calls nobody back, and never recurses: a chain
may be of any length.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from engine.graph.prompt import GraphNode, Link
from engine.graph.topological_sort import TopologicalSort
from engine.run.expand import ExpandedGraph
from engine.run.list_mapping import placeholders
from engine.store.cache import NodeResult

MAX_RECORDED_DEPTH = 8
"""Of expansions in expansions, so many levels record what was shown in them."""


class NodeStatus(enum.Enum):
    """The status of a node in a job."""

    IDLE = enum.auto()
    """Nobody requested it."""
    LOOKING_UP = enum.auto()
    """Its result may be in the cache."""
    WAITING = enum.auto()
    """For its sources, or for its expansion."""
    READY = enum.auto()
    """All that it waited for is done."""
    ACQUIRING = enum.auto()
    """It waits for its key, which an equal node may hold."""
    RUNNING = enum.auto()
    """Its function, or its `check_lazy_status`, is called."""
    EXPANDING = enum.auto()
    """The graph that it returned is read."""
    SAVING = enum.auto()
    """Its result is written to the disk."""
    DONE = enum.auto()
    FAILED = enum.auto()


NOT_OPEN = frozenset({NodeStatus.IDLE, NodeStatus.DONE, NodeStatus.FAILED})


class InputRequest(Struct, frozen=True, eq=False):
    """A call of an async node waits for an input.

    Attributes:
        ticket: its number.
        call: number of the call.
        link: of the input.
    """

    ticket: int
    call: int
    link: Link


class NodeState(Struct, eq=False):
    """A node of a job and the state of its execution.

    Attributes:
        key: the cache key of its result.
        sources: the nodes that its links come from, each once.
        parent: the node whose expansion it is part of.
        display: id of the node that clients show for it.
        is_target: the job is not over before it is done.
        consumers: how many others may still use its result.
        waiting_for: the nodes that it waits for now.
        pending_sources: how many of them are not done.
        waiters: nodes that wait for it.
        result: kept while a consumer may use it.
        requested_inputs: names of the lazy inputs that its `needs` asked for.
        needs_satisfied: its `needs` asks for no more.
        pending_result: what it returned, with placeholders, while its expansion is computed.
        shows_in_expansion: a descendant is an output node.
        recording: the outermost nodes whose expansions it is part of, which record what it shows.
        nested_shown: what the output nodes in its expansion showed so far, by their ids' suffixes.
        replayed: what it showed in an earlier job was emitted.
        seconds: of its own running time.
        holds_key: no equal node runs.
        in_lane: its function runs in a lane, or waits for one.
        active_calls: how many of its calls are not over.
        awaited: the inputs that its calls wait for.
    """

    node: GraphNode
    key: str
    sources: tuple[NodeState, ...] = ()
    parent: NodeState | None = None
    display: str = ""
    status: NodeStatus = NodeStatus.IDLE
    is_target: bool = False
    consumers: int = 0
    waiting_for: Sequence[NodeState] = ()
    pending_sources: int = 0
    waiters: list[NodeState] = []
    result: NodeResult | None = None
    requested_inputs: frozenset[str] = frozenset()
    needs_satisfied: bool = False
    pending_result: NodeResult | None = None
    shows_in_expansion: bool = False
    recording: tuple[NodeState, ...] = ()
    nested_shown: dict[str, dict[str, list[Any]]] = {}
    replayed: bool = False
    seconds: float = 0.0
    holds_key: bool = False
    in_lane: bool = False
    active_calls: int = 0
    awaited: tuple[InputRequest, ...] = ()

    def __str__(self) -> str:
        return f"{self.node.id} ({self.node.spec.id})"

    @property
    def root(self) -> NodeState:
        """The node of the prompt that it came from by expansion; itself if it is in the prompt."""
        *_, outermost = self.self_and_ancestors()
        return outermost

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

    def record_shown(self, result: NodeResult) -> None:
        """Record what it shows, and what is shown in its expansion, with the nodes around it."""
        nested = result.nested_shown or {}
        own = self.node.spec.is_output or self.shows_in_expansion or nested
        for around in self.recording:
            suffix = self.node.id.removeprefix(around.node.id)
            if own and result.shown is not None:
                around.nested_shown[suffix] = result.shown
            for more, shown in nested.items():
                around.nested_shown[suffix + more] = shown
        if nested and self.parent is not None:
            self.parent.mark_shows()

    @property
    def is_recorded(self) -> bool:
        """Whether what is shown in its expansion is recorded: it is not too deep in others."""
        return len(self.recording) < MAX_RECORDED_DEPTH

    @property
    def is_suspended(self) -> bool:
        """Whether all its calls wait for inputs, so that it goes on only when the job does."""
        return bool(self.awaited) and len({each.call for each in self.awaited}) == self.active_calls

    @property
    def has_result(self) -> bool:
        """Whether its result is available."""
        return self.result is not None

    def abandon(self, ticket: int) -> None:
        """A call does not wait for the input of this request any more."""
        self.awaited = tuple(each for each in self.awaited if each.ticket != ticket)

    def requested_links(self) -> dict[str, Link]:
        """Links whose values it gets: those not lazy, and lazy ones that it requested."""
        links = self.node.strong_links()
        for name in self.requested_inputs:
            links[name] = self.node.links[name]
        return links


class ExecutionGraph:
    """The nodes of one job, their states and dependencies.

    Attributes:
        requested: nodes whose results are to be looked up; the caller pops them.
        ready: nodes whose sources are all done; the caller pops them.
        settled_requests: requests whose sources are done or have failed; the caller pops them.
        failed: nodes that have failed; the caller pops them.
        open_targets: targets that are neither done nor failed.
    """

    def __init__(self) -> None:
        self.states: dict[str, NodeState] = {}
        self.requested: deque[NodeState] = deque()
        self.ready: deque[NodeState] = deque()
        self.settled_requests: deque[InputRequest] = deque()
        self.failed: deque[NodeState] = deque()
        self.open_targets: set[str] = set()
        self._requests: dict[str, list[tuple[NodeState, InputRequest]]] = {}

    def add(
        self, nodes: Iterable[GraphNode], keys: Mapping[str, str], parent: NodeState | None = None
    ) -> list[NodeState]:
        """Add nodes, each after its sources."""
        recording: tuple[NodeState, ...] = ()
        if parent is not None:
            recording = (*parent.recording, parent) if parent.is_recorded else parent.recording
        added: list[NodeState] = []
        states = self.states
        for node in nodes:
            display = parent.display if parent else node.id
            sources = (*(states[id] for id in source_ids(node.links.values())),)
            state = NodeState(node, keys[node.id], sources, parent, display, recording=recording)
            states[node.id] = state
            for source in sources:
                source.consumers += 1
            added.append(state)
        return added

    def add_target(self, id: str) -> None:
        """Make a node a target: the job is not over before it is done."""
        state = self.states[id]
        if state.is_target:
            return
        state.is_target = True
        if state.status not in (NodeStatus.DONE, NodeStatus.FAILED):
            self.open_targets.add(id)
            self.request(state)

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
        children = self.add(expansion.nodes, keys, state)
        for child in children:
            display_id = expansion.display.get(child.node.id, child.display)
            child.display = (
                self.states[display_id].display if display_id in self.states else display_id
            )
            if child.node.spec.is_output:
                self.add_target(child.node.id)
                state.mark_shows()
        awaited = [self.states[id] for id in source_ids(placeholders(result.outputs))]
        for source in awaited:
            source.consumers += 1
        self.wait_for(state, awaited)
        return {child.node.id: child.display for child in children}

    def request(self, state: NodeState) -> None:
        """Request a node, unless its result is available or it was requested."""
        if state.has_result or state.status not in (NodeStatus.IDLE, NodeStatus.DONE):
            return
        if state.status is NodeStatus.DONE:  # its result was dropped, an expansion requests it
            for source in state.sources:
                source.consumers += 1
        state.status = NodeStatus.LOOKING_UP
        self.requested.append(state)

    def wait_for(self, state: NodeState, sources: Iterable[NodeState]) -> None:
        """Let a node wait for others, and request them; it is ready when they are done."""
        awaited = [source for source in sources if source.result is None]
        for source in awaited:
            if source.status is NodeStatus.FAILED:
                self.fail(state)
                return
        state.status = NodeStatus.WAITING
        state.waiting_for, state.pending_sources = awaited, len(awaited)
        for source in awaited:
            source.waiters.append(state)
        for source in awaited:
            self.request(source)
        if not awaited:
            self._set_ready(state)

    def wait_for_links(self, state: NodeState) -> None:
        """Let a node wait for the inputs that it gets."""
        if not state.node.spec.has_lazy_inputs:
            self.wait_for(state, state.sources)
            return
        links = state.requested_links().values()
        self.wait_for(state, [self.states[id] for id in source_ids(links)])

    def await_input(self, state: NodeState, request: InputRequest) -> None:
        """Let a call of a node wait for an input, and request it."""
        source = self.states[request.link.node]
        if source.has_result or source.status is NodeStatus.FAILED:
            self.settled_requests.append(request)
            return
        state.awaited += (request,)
        self._requests.setdefault(source.node.id, []).append((state, request))
        self.request(source)

    def _set_ready(self, state: NodeState) -> None:
        state.status = NodeStatus.READY
        state.waiting_for = ()
        self.ready.append(state)

    def complete(self, state: NodeState, result: NodeResult) -> None:
        """Set the result of a node."""
        state.status, state.result = NodeStatus.DONE, result
        for waiter in self._settle(state):
            waiter.pending_sources -= 1
            if waiter.pending_sources == 0:
                self._set_ready(waiter)
        self._drop_unused(state)

    def fail(self, state: NodeState) -> None:
        """Fail a node, and so what waits for it."""
        failing = deque([state])
        while failing:
            state = failing.popleft()
            if state.status is not NodeStatus.FAILED:
                state.status = NodeStatus.FAILED
                self.failed.append(state)
                failing += self._settle(state)

    def _settle(self, state: NodeState) -> list[NodeState]:
        """A node is done or has failed: release its sources; returns who still waits for it."""
        state.awaited = ()
        for each, request in self._requests.pop(state.node.id, ()):
            if request in each.awaited:
                each.abandon(request.ticket)
                self.settled_requests.append(request)
        self.open_targets.discard(state.node.id)
        self._release(state.sources)
        pending, state.pending_result = state.pending_result, None
        if pending is not None:
            self._release(self.states[id] for id in source_ids(placeholders(pending.outputs)))
        waiters, state.waiters = state.waiters, []
        return [waiter for waiter in waiters if waiter.status is NodeStatus.WAITING]

    def _release(self, sources: Iterable[NodeState]) -> None:
        """One consumer of each of these nodes is done."""
        for source in sources:
            source.consumers -= 1
            self._drop_unused(source)

    def _drop_unused(self, state: NodeState) -> None:
        """A result without consumers is dropped."""
        if state.consumers == 0:
            state.result = None

    def link_items(self, link: Link) -> list[Any]:
        """The items of an output, by a link to it; its node is done."""
        result = self.states[link.node].result
        assert result is not None, "a result is kept while a consumer may use it"
        return result.outputs[link.slot]

    def find_cycle(self) -> list[NodeState] | None:
        """Nodes that wait for each other, first and last the same; None if there are none.

        They wait for sources, for their expansions, for awaited inputs, or for keys.
        """
        states = self.states
        requested = [id for id, state in states.items() if state.status not in NOT_OPEN]
        holders = {states[id].key: id for id in requested if states[id].holds_key}

        def blockers(id: str) -> list[str]:
            state = states[id]
            if state.status is NodeStatus.ACQUIRING:
                return [holders[state.key]] if state.key in holders else []
            waiting_for = [source.node.id for source in state.waiting_for]
            return [*waiting_for, *(request.link.node for request in state.awaited)]

        cycles = TopologicalSort(requested, blockers).cycles
        return [states[id] for id in cycles[0]] if cycles else None


def source_ids(links: Iterable[Link]) -> list[str]:
    """Ids of the nodes that links come from, each once."""
    return list(dict.fromkeys(link.node for link in links))
