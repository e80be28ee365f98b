"""Updates of a client's job, decoded from the service's messages."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct, field

from engine.authoring.protocols import WARNINGS, File
from engine.run.events import (
    JobStarted,
    NodeFinished,
    NodeOutput,
    NodePreview,
    NodeProgress,
    NodeStarted,
)
from engine.store.history import Failure, Status

FEATURE_FLAGS = '{"type":"feature_flags","data":{"supports_preview_metadata":true}}'
PREVIEW_IMAGE = 1
PREVIEW_IMAGE_WITH_METADATA = 4


class Queued(Struct, frozen=True):
    """The service took the job and will not lose it."""

    id: str


class Result(Struct, frozen=True):
    """How a job ended.

    Attributes:
        status: "success", "error" or "interrupted".
        shown: by output node, in the prompt's order: ``{"images": [{"filename": ...}]}``.
        failure: where and why it ended otherwise.
    """

    id: str
    status: Status
    shown: dict[str, dict[str, list[Any]]] = field(default_factory=dict[str, dict[str, list[Any]]])
    failure: Failure | None = None

    @property
    def files(self) -> list[File]:
        """Every file it made, node by node."""
        items = [item for shown in self.shown.values() for list in shown.values() for item in list]
        return [file for item in items if (file := _as_file(item)) is not None]

    @property
    def warnings(self) -> list[tuple[str, str]]:
        """Id of the node and sentence of every warning."""
        listed = ((node, shown.get(WARNINGS, [])) for node, shown in self.shown.items())
        return [(node, str(warning)) for node, warnings in listed for warning in warnings]


def _as_file(item: Any) -> File | None:
    match item:
        case {"filename": str() as name, "type": "output" | "temp" | "input" as kind}:
            return File(name, str(item.get("subfolder", "")), kind)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - JSON
        case _:
            return None


Update: TypeAlias = (
    Queued
    | JobStarted
    | NodeStarted
    | NodeProgress
    | NodePreview
    | NodeOutput
    | NodeFinished
    | Result
)


class Hearing:
    """Reads the messages about one job.

    Attributes:
        over: the end was announced; the history has the result.
        gone: the job waits and runs no more, so that what is on its way is the rest: the answer to
            `FEATURE_FLAGS` comes after it.
        last: number of the newest message that has one; a new connection asks for those after it.
    """

    def __init__(self, id: str) -> None:
        self.over = False
        self.gone = False
        self.last = 0
        self._id = id
        self._node = ""
        self._began: dict[str, float] = {}
        self._cached: frozenset[str] = frozenset()
        self._finished: set[str] = set()

    def read(self, frame: str | bytes) -> Iterator[Update]:
        """The updates that one frame brings; none if it is about something else."""
        if isinstance(frame, bytes):
            yield from self._preview(frame)
            return
        message = msgspec.json.decode(frame, type=dict[str, Any])
        self.last = message.get("seq", self.last)
        match message:
            case {"type": str() as type, "data": {"prompt_id": self._id, **data}}:
                yield from self._message(type, data)
            case {"type": "feature_flags"}:
                self.over = self.gone
            case _:
                pass

    def _message(self, type: str, data: dict[str, Any]) -> Iterator[Update]:
        match type:
            case "execution_cached":
                self._cached = frozenset(data["nodes"])
                self._finished.clear()
                self._began.clear()
                yield JobStarted(data["nodes"], data["timestamp"])
            case "executing" if data["node"] is None:
                self.over = True
            case "executing" if data["node"] not in self._began:  # else a reminder
                self._node = data["node"]
                self._began[self._node] = time.monotonic()
                yield NodeStarted(self._node)
            case "progress":
                yield NodeProgress(data["node"], data["value"], data["max"])
            case "executed":
                yield NodeOutput(data["node"], data["output"])
            case "progress_state":
                states = data["nodes"].items()
                ended = [node for node, state in states if state["state"] == "finished"]
                yield from self._newly_finished(ended)
            case "execution_success":
                yield from self._newly_finished([*self._began])
            case _:
                pass

    def _newly_finished(self, nodes: Iterable[str]) -> Iterator[Update]:
        for node in nodes:
            if node not in self._finished:
                self._finished.add(node)
                began = self._began.get(node)
                seconds = time.monotonic() - began if began is not None else 0.0
                yield NodeFinished(node, node in self._cached, seconds)

    def _preview(self, frame: bytes) -> Iterator[Update]:
        kind, length = struct.unpack_from(">II", frame)
        if kind == PREVIEW_IMAGE:
            yield NodePreview(self._node, frame[8:])
        elif kind == PREVIEW_IMAGE_WITH_METADATA:
            metadata = msgspec.json.decode(frame[8 : 8 + length])
            if metadata["prompt_id"] == self._id:
                yield NodePreview(metadata["node_id"], frame[8 + length :])


def read_result(id: str, entry: dict[str, Any]) -> Result:
    """The result in an entry of /history."""
    type, data = entry["status"]["messages"][-1]
    status: Status = "success" if type == "execution_success" else "error"
    if type == "execution_interrupted":
        status = "interrupted"
    failure = None
    if data.get("node_id") is not None:
        failure = Failure(
            node=data["node_id"],
            node_type=data["node_type"],
            message=data.get("exception_message", "It was interrupted."),
            exception=data.get("exception_type", "Interrupted"),
            inputs=data.get("current_inputs", {}),
            executed=data["executed"],
        )
    prompt, outputs = entry["prompt"][2], entry["outputs"]
    shown = {node: outputs[node] for node in prompt if node in outputs}
    return Result(id, status, shown, failure)
