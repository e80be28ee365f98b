"""What server and worker process say to each other: msgpack frames over a socket pair."""

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
    def of(cls, job: Job) -> RunJob:
        """The frame for a job."""
        return cls(msgspec.json.encode(job))

    def decoded(self) -> Job:
        """The job of the frame."""
        return msgspec.json.decode(self.job, type=Job)


class CancelJob(Struct, tag=True, frozen=True):
    """To the worker: interrupt this job."""

    job: str


class Free(Struct, tag=True, frozen=True):
    """To the worker: drop idle weights, and results kept in memory."""

    unload_models: bool
    free_memory: bool


class AskFacts(Struct, tag=True, frozen=True):
    """To the worker: what are you? Answered with `Facts`."""


class Facts(Struct, tag=True, frozen=True):
    """From the worker: versions, devices, memory."""

    facts: dict[str, Any]


class AskGuests(Struct, tag=True, frozen=True):
    """To the worker: what are these nodes of your guests, or all? Answered with `Told` as JSON."""

    ask: int
    ids: list[str] | None


class AskCheck(Struct, tag=True, frozen=True):
    """To the worker: what does a guest's node say of its literals, given as JSON?"""

    ask: int
    node: str
    given: bytes


class Answer(Struct, tag=True, frozen=True):
    """From the worker: JSON, or why there is none, for the question of that number."""

    ask: int
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
    | AskFacts
    | Facts
    | AskGuests
    | AskCheck
    | Answer
    | LogLine
    | JobEvents
)


def encoded(frame: Frame) -> bytes:
    """A frame with its length before it."""
    body = msgspec.msgpack.encode(frame)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def received(stream: BinaryIO) -> Frame:
    """The next frame of a socket that blocks.

    Raises:
        EOFError: the other side is gone.
    """
    length = int.from_bytes(stream.read(LENGTH_BYTES), "big")
    body = stream.read(length)
    if not body:
        raise EOFError
    return DECODER.decode(body)


class Frames(asyncio.Protocol):
    """Hands on the frames of a connection in an event loop.

    Args:
        take: gets each; what it raises ends the connection.

    Attributes:
        lost: done when the other side is gone.
    """

    def __init__(self, take: Callable[[Frame], None]) -> None:
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._take = take
        self._unread = bytearray()

    def data_received(self, data: bytes) -> None:
        """Take what is whole."""
        self._unread += data
        while (frame := self._next()) is not None:
            self._take(frame)

    def _next(self) -> Frame | None:
        end = LENGTH_BYTES + int.from_bytes(self._unread[:LENGTH_BYTES], "big")
        if len(self._unread) < end:
            return None
        body = bytes(self._unread[LENGTH_BYTES:end])
        del self._unread[:end]
        return DECODER.decode(body)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell that it is over."""
        if exc is not None:
            log.error("the connection to the worker process breaks", exc_info=exc)
        if not self.lost.done():
            self.lost.set_result(None)


DECODER = msgspec.msgpack.Decoder(Frame)
