"""What a job's state machine receives (messages) and what it asks for (effects).

An effect that asks for something is answered by one message about the same node, at once or late;
once the job is over the answer may not come. An event among the effects is to be emitted.

The garbage collector does not track messages and effects (`gc=False`): a node has about ten, and
what they refer to never refers back to them.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from engine.graph.prompt import GraphNode
from engine.run.events import Event, JobStarted
from engine.run.execution_graph import InputRequest
from engine.run.expand import ExpandedGraph
from engine.run.list_mapping import CallArguments, Items
from engine.store.cache import NodeResult
from engine.store.history import Failure, Partial, Status


class Survey(Struct, frozen=True, gc=False):
    """What the cache has of some nodes, before they are requested.

    Attributes:
        cached: ids of those whose results it has.
        replays: by id the results whose expansions showed something, to be shown again.
        gone: ids of nodes in whose expansions a file was shown that is gone; they run again.
    """

    cached: list[str]
    replays: dict[str, NodeResult]
    gone: list[str]


class JobPlanned(Struct, frozen=True, gc=False):
    """The job's nodes are known, each after its sources, with the keys of all."""

    nodes: Sequence[GraphNode]
    keys: Mapping[str, str]
    survey: Survey
    started: JobStarted


class JobCancelled(Struct, frozen=True, gc=False):
    """Somebody interrupts the job; `started`: nodes that began to run at some time."""

    started: frozenset[str]


class JobBroken(Struct, frozen=True, gc=False):
    """Something failed outside of the nodes."""

    error: Exception


class ResultRead(Struct, frozen=True, gc=False):
    """Answers `ReadResult`: None if the cache does not have it."""

    node: str
    result: NodeResult | None


class KeyTaken(Struct, frozen=True, gc=False):
    """Answers `RunNode`: the key is not acquired yet; `KeyAcquired` will come."""

    node: str


class KeyAcquired(Struct, frozen=True, gc=False):
    """Answers `AcquireKey`; with a result, which an equal node computed, the key is not held."""

    node: str
    result: NodeResult | None


class NodeReturned(Struct, frozen=True, gc=False):
    """Answers `RunNode`: its result; `shown` is plain data."""

    node: str
    result: NodeResult
    shown: dict[str, list[Any]]
    seconds: float


class GraphReturned(Struct, frozen=True, gc=False):
    """Answers `RunNode`: among what its calls returned are graphs."""

    node: GraphNode
    inputs: Mapping[str, Items]
    calls: Sequence[CallArguments]
    returned: Sequence[Any]
    warnings: Sequence[str]
    seconds: float


class InputsRequested(Struct, frozen=True, gc=False):
    """Answers `RunNode`: the names of inputs that `check_lazy_status` returned."""

    node: str
    names: frozenset[Any]
    seconds: float


class NodeRaised(Struct, frozen=True, gc=False):
    """Answers `RunNode` or `ReadExpansion`: it failed."""

    node: str
    failure: Failure


class CycleFound(Struct, frozen=True, gc=False):
    """Answers `ReadExpansion`: these of its nodes wait for each other."""

    node: str
    cycle: list[str]


class NodeInterrupted(Struct, frozen=True, gc=False):
    """Answers `RunNode`: it raised `Interrupted`."""

    node: str


class SourceLost(Struct, frozen=True, gc=False):
    """Answers `RunNode`: an input that it awaited cannot be computed."""

    node: str


class CallEnded(Struct, frozen=True, gc=False):
    """One of several concurrent calls of a node is over."""

    node: str


class InputAwaited(Struct, frozen=True, gc=False):
    """A call of a node awaits an input."""

    node: str
    request: InputRequest


class InputAbandoned(Struct, frozen=True, gc=False):
    """A call of a node does not wait for that input any more."""

    node: str
    ticket: int


class GraphRead(Struct, frozen=True, gc=False):
    """Answers `ReadExpansion`.

    Attributes:
        older: nodes of the prompt that nothing needed before, each after its sources.
        expansion: the new nodes.
        result: what the node returned, with placeholders.
        keys: of all nodes.
        survey: of the new nodes.
    """

    node: str
    older: Sequence[GraphNode]
    expansion: ExpandedGraph
    result: NodeResult
    keys: Mapping[str, str]
    survey: Survey


class ResultSaved(Struct, frozen=True, gc=False):
    """Answers `SaveResult`."""

    node: str


Message: TypeAlias = (
    JobPlanned
    | JobCancelled
    | JobBroken
    | ResultRead
    | KeyTaken
    | KeyAcquired
    | NodeReturned
    | GraphReturned
    | InputsRequested
    | NodeRaised
    | CycleFound
    | NodeInterrupted
    | SourceLost
    | CallEnded
    | InputAwaited
    | InputAbandoned
    | GraphRead
    | ResultSaved
)


class ReadResult(Struct, frozen=True, gc=False):
    """Read a result from the cache; `shows`: it counts only while the files that it shows exist."""

    node: str
    key: str
    shows: bool


class AcquireKey(Struct, frozen=True, gc=False):
    """Acquire a key, once no equal node of any job runs; then read its result."""

    node: str
    key: str
    shows: bool


class ReleaseKey(Struct, frozen=True, gc=False):
    """Release a key. Not answered."""

    key: str


class RunNode(Struct, frozen=True, gc=False):
    """Call a node's function, or its `check_lazy_status`.

    Attributes:
        key: to be acquired first, as by `AcquireKey`; None if the node holds it.
        inputs: the items that the calls were made of.
        calls: the arguments of each call.
        asks: whether `check_lazy_status` is called.
    """

    node: GraphNode
    inputs: Mapping[str, Items]
    calls: Sequence[CallArguments]
    asks: bool
    key: str | None = None

    @property
    def in_loop(self) -> bool:
        """Whether it runs in the event loop rather than in a lane."""
        if self.asks:
            return inspect.iscoroutinefunction(self.node.spec.check_lazy_status)
        return self.node.spec.kind == "async"


class ReadExpansion(Struct, frozen=True, gc=False):
    """Read the graphs that the calls of a node returned; `key`: its cache key."""

    key: str
    returned: GraphReturned


class SaveResult(Struct, frozen=True, gc=False):
    """Keep a result in the cache; answered if `awaited`, when it is where a crash leaves it."""

    node: str
    key: str
    result: NodeResult
    seconds: float
    awaited: bool


class AnswerInput(Struct, frozen=True, gc=False):
    """Answer an `InputAwaited` by the items, or None if they cannot be computed."""

    ticket: int
    items: list[Any] | None


class EmitStarted(Struct, frozen=True, gc=False):
    """Emit that a node begins, unless it was emitted. Not answered."""

    node: str


class EndJob(Struct, frozen=True, gc=False):
    """The job is over; `nodes_may_run`: some calls have not returned. Not answered."""

    status: Status
    failure: Failure | None
    partial: Partial | None
    nodes_may_run: bool


Effect: TypeAlias = (
    ReadResult
    | AcquireKey
    | ReleaseKey
    | RunNode
    | ReadExpansion
    | SaveResult
    | AnswerInput
    | EmitStarted
    | EndJob
    | Event
)
