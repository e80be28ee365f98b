"""Events of a running job, as its worker emits them, in order.

One job's events: `JobStarted`, then for each node `NodeStarted`, any `NodeProgress`, `NodePreview`
and `NodeSound`, `NodeOutput` if it is an output node, `NodeFinished`; last `JobFinished`, or
`JobLost`. Nodes that run side by side interleave. Cached output nodes send `NodeOutput` and
`NodeFinished` only.
"""

from __future__ import annotations

import threading
import time
from typing import Any, TypeAlias

from msgspec import Struct

from engine.store.history import Failure, Partial, Status


class JobStarted(Struct, tag=True, frozen=True):
    """The job runs; `cached` are the nodes whose results are at hand. `at`: ms since 1970."""

    cached: list[str]
    at: int


class NodeStarted(Struct, tag=True, frozen=True):
    """A lane began to run the node. `at`: ms since 1970, with fractions."""

    node: str
    lane: str = ""
    at: float = 0.0

    @classmethod
    def in_this_thread(cls, node: str) -> NodeStarted:
        """The event with the name of this thread and the time now."""
        return cls(node, threading.current_thread().name, time.time_ns() / 1e6)


class NodeLoaded(Struct, tag=True, frozen=True):
    """The weights that the node needs were loaded in `seconds` before it ran."""

    node: str
    seconds: float


class NodeProgress(Struct, tag=True, frozen=True):
    """The node did `value` of `total` steps."""

    node: str
    value: int
    total: int


class NodePreview(Struct, tag=True, frozen=True):
    """A preview of the node's work, or a picture that it sends: a JPEG or PNG file."""

    node: str
    picture: bytes


class NodeSound(Struct, tag=True, frozen=True):
    """The next piece of the sound that the node makes, a WAV file; `number` counts from 0."""

    node: str
    number: int
    sound: bytes


class NodeText(Struct, tag=True, frozen=True):
    """A line of text that stands at the node while it works."""

    node: str
    text: str


class NodeOutput(Struct, tag=True, frozen=True):
    """An output node shows something: ``{"images": [{"filename": ...}]}``."""

    node: str
    shown: dict[str, list[Any]]


class CustomMessage(Struct, tag=True, frozen=True):
    """A message of a node's own, to the client that submitted the job."""

    node: str
    name: str
    data: dict[str, Any]


class NodeExpanded(Struct, tag=True, frozen=True):
    """A node returned a graph; `display`: for each new node the node that clients show for it."""

    node: str
    display: dict[str, str]


class NodeFailed(Struct, tag=True, frozen=True):
    """A node failed, or was blocked with a message, and the job goes on without it."""

    failure: Failure


class NodeFinished(Struct, tag=True, frozen=True):
    """The node is done; `seconds` of its own running time, 0 when it came from the cache."""

    node: str
    cached: bool
    seconds: float


class JobFinished(Struct, tag=True, frozen=True):
    """The job is over; after a failure, `failure` says where and why. `at`: ms since 1970.

    `partial`: some nodes of a job that goes on after failures did not run.
    """

    status: Status
    at: int
    failure: Failure | None = None
    partial: Partial | None = None


class JobLost(Struct, tag=True, frozen=True):
    """The worker ended; this is the last event of the job.

    Attributes:
        reason: a sentence for the log.
        counts: the job may be to blame, so this was one of its attempts.
    """

    reason: str
    counts: bool = True


Event: TypeAlias = (
    JobStarted
    | NodeStarted
    | NodeLoaded
    | NodeProgress
    | NodePreview
    | NodeSound
    | NodeText
    | CustomMessage
    | NodeOutput
    | NodeExpanded
    | NodeFailed
    | NodeFinished
    | JobFinished
    | JobLost
)


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000
