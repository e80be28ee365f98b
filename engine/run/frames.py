"""The protocol between server and worker process: msgpack frames over a socket pair."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, BinaryIO, TypeAlias

import msgspec
from msgspec import Struct

from engine.run.events import Event
from engine.store.history import Job

log = logging.getLogger(__name__)

LENGTH_BYTES = 4


class RunJob(Struct, tag=True, frozen=True):
    """To the worker: run this job; `job` as JSON, whose numbers may be of any size."""

    job: bytes

    @classmethod
    def from_job(cls, job: Job) -> RunJob:
        """The frame for a job."""
        return cls(job.encoded)

    def to_job(self) -> Job:
        """The job of the frame."""
        return msgspec.json.decode(self.job, type=Job)


class CancelJob(Struct, tag=True, frozen=True):
    """To the worker: interrupt this job."""

    job: str


class Free(Struct, tag=True, frozen=True):
    """To the worker: drop idle weights, and results kept in memory."""

    unload_models: bool
    free_memory: bool


class Ping(Struct, tag=True, frozen=True):
    """To the worker: are your reader and your event loop alive? Answered with `Pong`."""


class Pong(Struct, tag=True, frozen=True):
    """From the worker, by its event loop."""


class Ready(Struct, tag=True, frozen=True):
    """From the worker, once: node packs are loaded, devices are found, jobs may come."""


class NodeHeld(Struct, tag=True, frozen=True):
    """From the worker: a node of an ended job did not return within the grace time."""

    job: str


class FactsRequest(Struct, tag=True, frozen=True):
    """To the worker: describe yourself. Answered with `FactsResponse`."""


class FactsResponse(Struct, tag=True, frozen=True):
    """From the worker: versions, devices, memory."""

    facts: dict[str, Any]


class NodesRequest(Struct, tag=True, frozen=True):
    """To the worker: describe some custom nodes, or all; answered with `NodeDescriptions`."""

    request_id: int
    ids: list[str] | None


class ValidateRequest(Struct, tag=True, frozen=True):
    """To the worker: let a custom node validate its literals, given as JSON."""

    request_id: int
    node: str
    literals: bytes


class Response(Struct, tag=True, frozen=True):
    """From the worker: JSON, or why there is none, for the request of that id."""

    request_id: int
    body: bytes
    error: str | None = None


class LogLine(Struct, tag=True, frozen=True):
    """From the worker: a line of its log. `at`: seconds since 1970."""

    name: str
    level: int
    text: str
    at: float


class JobEvents(Struct, tag=True, frozen=True):
    """From the worker: events of one job, in order."""

    job: str
    events: list[Event]


Frame: TypeAlias = (
    RunJob
    | CancelJob
    | Free
    | Ping
    | Pong
    | Ready
    | NodeHeld
    | FactsRequest
    | FactsResponse
    | NodesRequest
    | ValidateRequest
    | Response
    | LogLine
    | JobEvents
)


def encode_frame(frame: Frame) -> bytes:
    """A frame as bytes, prefixed with its length."""
    body = msgspec.msgpack.encode(frame)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def read_frame(stream: BinaryIO) -> Frame:
    """Read the next frame of a blocking socket.

    Raises:
        EOFError: the other side is gone.
    """
    length = int.from_bytes(stream.read(LENGTH_BYTES), "big")
    body = stream.read(length)
    if not body:
        raise EOFError
    return DECODER.decode(body)


class FrameProtocol(asyncio.Protocol):
    """Decodes the frames of a connection in an event loop.

    Args:
        on_frame: receives each; an exception from it ends the connection.

    Attributes:
        lost: done when the other side is gone.
    """

    def __init__(self, on_frame: Callable[[Frame], None]) -> None:
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._on_frame = on_frame
        self._unread = bytearray()

    def data_received(self, data: bytes) -> None:
        """Decode the complete frames."""
        self._unread += data
        while (frame := self._next()) is not None:
            self._on_frame(frame)

    def _next(self) -> Frame | None:
        end = LENGTH_BYTES + int.from_bytes(self._unread[:LENGTH_BYTES], "big")
        if len(self._unread) < end:
            return None
        body = bytes(self._unread[LENGTH_BYTES:end])
        del self._unread[:end]
        return DECODER.decode(body)

    def connection_lost(self, exc: Exception | None) -> None:
        """Resolve `lost`."""
        if exc is not None:
            log.error("the connection to the worker process broke", exc_info=exc)
        if not self.lost.done():
            self.lost.set_result(None)


DECODER = msgspec.msgpack.Decoder(Frame)
