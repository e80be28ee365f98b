"""What a job reports of its nodes: events, in order, as effects of its state machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from msgspec.structs import replace

from engine.authoring.protocols import Blocked
from engine.run import failures
from engine.run.events import Event, NodeExpanded, NodeFailed, NodeFinished, NodeOutput
from engine.run.execution_graph import ExecutionGraph, NodeState
from engine.run.list_mapping import CallArguments
from engine.run.messages import Effect, EmitStarted
from engine.store.cache import NodeResult
from engine.store.history import Failure, Partial, Status

Shown: TypeAlias = dict[str, list[Any]]


class JobReport:
    """The events of a job, the nodes that it executed, and the failures that it survived.

    Attributes:
        effects: where the events go; the state machine takes them from there.
        executed: ids of the nodes that ran.
        failures: of nodes.
    """

    def __init__(self) -> None:
        self.effects: list[Effect] = []
        self.executed: list[str] = []
        self.failures: list[Failure] = []

    def emit(self, event: Event) -> None:
        """Emit an event."""
        self.effects.append(event)

    def blocked(self, state: NodeState, calls: Iterable[CallArguments]) -> None:
        """Some calls of a node do not happen as their inputs are blocked, perhaps with messages."""
        for arguments in calls:
            if isinstance(arguments, Blocked) and arguments.message is not None:
                self.effects.append(EmitStarted(state.node.id))
                self.emit(NodeFailed(failures.of_blocked(state, arguments, self.executed)))

    def finished(self, state: NodeState, result: NodeResult, shown: Shown) -> None:
        """A node is done; `shown` is plain data."""
        id = state.node.id
        self.executed.append(id)
        if shown:
            self.emit(NodeOutput(id, shown))
        self.emit(NodeFinished(id, cached=False, seconds=state.seconds))
        if state.recording:
            state.record_shown(result)

    def cached(self, state: NodeState, result: NodeResult) -> None:
        """A node shows again what it showed when its cached result was computed, once.

        So do the output nodes in its expansion: a cached node does not expand again.
        """
        if state.replayed:
            return
        state.replayed = True
        id, nested = state.node.id, result.nested_shown
        if nested is not None:
            self.emit(NodeExpanded(id, {id + suffix: state.display for suffix in nested}))
            for suffix, shown in nested.items():
                self._cached(id + suffix, shown)
        if result.shown is not None:
            self._cached(id, result.shown)
        if state.recording:
            state.record_shown(result)

    def _cached(self, id: str, shown: Shown) -> None:
        if shown:
            self.emit(NodeOutput(id, failures.to_plain_data(shown)))
        self.emit(NodeFinished(id, cached=True, seconds=0.0))

    def failed(self, state: NodeState, failure: Failure) -> Failure:
        """A node has failed; clients know only the node of the prompt that it came from."""
        root = state.root.node
        failure = replace(failure, node=root.id, node_type=root.spec.id, executed=[*self.executed])
        self.failures.append(failure)
        return failure

    def interrupted(self, running: Sequence[NodeState]) -> Failure:
        """The job is interrupted while these nodes run."""
        return failures.of_interrupt(running, self.executed)

    def outcome(self, graph: ExecutionGraph) -> tuple[Status, Failure | None, Partial | None]:
        """How a job ends whose targets are done, or have failed while it continued."""
        if not self.failures:
            return "success", None, None
        partial = failures.partial_result(graph, self.failures)
        if partial.successful_outputs:
            return "success", None, partial
        return "error", self.failures[0], None
