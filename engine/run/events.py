"""What a worker tells about a running job, in the order it happens.

One job's events: `Started`, then for each node `NodeStarted`, any `NodeProgress`, `NodePreview`
and `NodeSound`, `NodeShown` if it is an output node, `NodeFinished`; last `Ended`. Nodes that run
side by side interleave. Cached output nodes send `NodeShown` and `NodeFinished` only. In the
place of `Ended` there may be `Lost`.
"""

from __future__ import annotations

import threading
import time
from typing import Any, TypeAlias

from msgspec import Struct

from engine.store.history import Failure, Partial, Status


class Started(Struct, tag=True, frozen=True):
    """The job runs; `cached` are the nodes whose results are at hand. `at`: ms since 1970."""

    cached: list[str]
    at: int


class NodeStarted(Struct, tag=True, frozen=True):
    """A lane began to run the node. `at`: ms since 1970, with fractions."""

    node: str
    lane: str = ""
    at: float = 0.0

    @classmethod
    def here(cls, node: str) -> NodeStarted:
        """In the lane that this thread is, now."""
        return cls(node, threading.current_thread().name, time.time_ns() / 1e6)


class NodeLoaded(Struct, tag=True, frozen=True):
    """Before the node ran, the weights that it needs were brought in `seconds`."""

    node: str
    seconds: float


class NodeProgress(Struct, tag=True, frozen=True):
    """The node did `value` of `total` steps."""

    node: str
    value: int
    total: int


class NodePreview(Struct, tag=True, frozen=True):
    """What the node's work looks like so far, or what it sends: a JPEG or PNG file."""

    node: str
    picture: bytes


class NodeSound(Struct, tag=True, frozen=True):
    """The next piece of what the node is about to give, a WAV file; `number` counts from 0."""

    node: str
    number: int
    sound: bytes


class NodeText(Struct, tag=True, frozen=True):
    """A line of text that stands at the node while it works."""

    node: str
    text: str


class NodeShown(Struct, tag=True, frozen=True):
    """An output node shows something: ``{"images": [{"filename": ...}]}``."""

    node: str
    shown: dict[str, list[Any]]


class NodeSaid(Struct, tag=True, frozen=True):
    """A message of a node's own, to the client that submitted the job."""

    node: str
    name: str
    data: dict[str, Any]


class Expanded(Struct, tag=True, frozen=True):
    """A node is replaced by further ones; for each of them which node clients shall show for it."""

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


class Ended(Struct, tag=True, frozen=True):
    """The job is over; after a failure, `failure` says where and why. `at`: ms since 1970.

    `partial`: some nodes of a job that goes on after failures did not run.
    """

    status: Status
    at: int
    failure: Failure | None = None
    partial: Partial | None = None


class Lost(Struct, tag=True, frozen=True):
    """The worker died; no event of the job comes after this one. `why`: a sentence for the log."""

    why: str


Event: TypeAlias = (
    Started
    | NodeStarted
    | NodeLoaded
    | NodeProgress
    | NodePreview
    | NodeSound
    | NodeText
    | NodeSaid
    | NodeShown
    | Expanded
    | NodeFailed
    | NodeFinished
    | Ended
    | Lost
)


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000
