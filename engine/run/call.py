"""One call of a node's function: where it runs, what it is given, what it reports."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import getattr_static
from pathlib import Path
from typing import Any, cast

from engine.authoring.errors import Interrupted
from engine.authoring.markers import CPU, GPU
from engine.authoring.protocols import File, FolderKind, Resident, Step
from engine.authoring.registry import Registry
from engine.devices.lanes import Lanes, Task
from engine.graph.prompt import GraphNode
from engine.run.ahead import Ahead
from engine.run.events import Event, NodePreview, NodeProgress, NodeStarted
from engine.store.cache import Cache
from engine.store.folders import Folders
from engine.store.history import Job
from engine.store.outputs import Outputs, expanded

PREVIEW_SECONDS = 0.2


@dataclass(frozen=True)
class Bench:
    """What all jobs of a worker share."""

    registry: Registry
    folders: Folders
    cache: Cache
    outputs: Outputs
    lanes: Lanes
    costs: dict[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True)
class NodeRun:
    """The `Run` that a node sees.

    Attributes:
        cancelled: set when nobody wants the result any more.
        turn: how often the node ran before in this job: its place in a list.
    """

    bench: Bench
    record: Job
    node: str
    device: str
    tell: Callable[[Event], object]
    cancelled: threading.Event
    turn: int

    @property
    def job(self) -> str:
        """Id of the job."""
        return self.record.id

    @property
    def prompt(self) -> Mapping[str, Any]:
        """The whole prompt in API format."""
        return self.record.prompt

    @property
    def extra_pnginfo(self) -> Mapping[str, Any]:
        """What the client wants kept in pictures beside the prompt."""
        extra = self.record.extra.get("extra_pnginfo")
        return extra if isinstance(extra, dict) else {}  # pyright: ignore[reportUnknownVariableType] - JSON

    def model_path(self, folder: str, name: str) -> Path:
        """Path of a model file."""
        return self.bench.folders.model_path(folder, name)

    def input_path(self, name: str) -> Path:
        """Path of an input file."""
        return self.bench.folders.input_path(name)

    def save(
        self,
        prefix: str,
        extension: str,
        data: bytes,
        *,
        folder: FolderKind = "output",
        batch_number: int = 0,
        width: int = 0,
        height: int = 0,
        end: str = "_",
    ) -> File:
        """Write a file under the next free number."""
        filled = expanded(prefix, batch_number=batch_number, width=width, height=height)
        return self.bench.outputs.save(filled, extension, data, folder, end=end)

    def send(self, picture: bytes) -> None:
        """Send a picture to whoever follows the job."""
        self.tell(NodePreview(self.node, picture))


class NodeCall:
    """Runs one node's function, in a lane or, if it is async, in the event loop.

    Attributes:
        seconds: its running time so far, over all calls.
    """

    def __init__(
        self,
        bench: Bench,
        job: Job,
        node: GraphNode,
        emit: Callable[[Event], None],
        cancelled: threading.Event,
        ahead: Ahead,
        previews: bool,
    ) -> None:
        self.seconds = 0.0
        self._ahead = ahead
        self._bench = bench
        self._job = job
        self._node = node
        self._emit = emit
        self._cancelled = cancelled
        self._previews = previews
        self._loop = asyncio.get_running_loop()
        self._began = time.perf_counter()
        self._announced = False
        self._last_preview = 0.0
        self._turns = itertools.count()

    async def __call__(self, arguments: dict[str, Any], *, once: bool) -> Any:
        """One call of the function with these keyword arguments; `once`: it is the only one."""
        spec = self._node.spec
        ran = self._ahead.take(self._node.id)
        if ran is not None:
            self._announce()
            self.seconds += ran.seconds
            if ran.error is not None:
                raise ran.error
            return ran.returned
        began = time.perf_counter()
        if spec.kind == "async":
            self._announce()
            try:
                return await self._function(self._node, "cpu", arguments)
            finally:
                self.seconds += time.perf_counter() - began
        task = Task(
            call=lambda device: self._in_lane(device, arguments, once=once),
            handles=residents(arguments),
            cancelled=self._cancelled,
            on_start=self._on_start,
            on_step=self._on_step,
            loop=self._loop,
            future=self._loop.create_future(),
        )
        self._bench.lanes.pick(gpu=GPU in spec.on, cpu=CPU in spec.on).submit(task)
        try:
            return await task.future
        finally:
            if spec.kind == "generator":
                self.seconds += time.perf_counter() - self._began

    def _in_lane(self, device: str, arguments: dict[str, Any], *, once: bool) -> Any:
        """Run the function; behind a plain and quick one, what follows it."""
        began = self._began = time.perf_counter()
        returned = self._function(self._node, device, arguments)
        if self._node.spec.kind == "generator":
            return returned
        seconds = time.perf_counter() - began
        self.seconds += seconds
        if once:
            self._ahead.follow(
                self._node,
                returned,
                seconds,
                lambda node, after: self._function(node, device, after),
            )
        return returned

    def _function(self, node: GraphNode, device: str, arguments: dict[str, Any]) -> Any:
        if self._cancelled.is_set():
            raise Interrupted("the job was interrupted")
        spec = node.spec
        if spec.run_parameter is None:
            return spec.function(**arguments)
        turn = next(self._turns)
        run = NodeRun(self._bench, self._job, node.id, device, self._tell, self._cancelled, turn)
        return spec.function(**{spec.run_parameter: run}, **arguments)

    def _tell(self, event: Event) -> None:
        self._loop.call_soon_threadsafe(self._emit, event)

    def _on_start(self) -> None:
        self._loop.call_soon_threadsafe(self._announce)

    def _announce(self) -> None:
        if not self._announced:
            self._announced = True
            self._emit(NodeStarted(self._node.id))

    def _on_step(self, step: Step) -> None:
        id = self._node.id
        events: list[Event] = [NodeProgress(id, int(step.index), int(step.total))]
        now = time.monotonic()
        if self._previews and step.preview and now - self._last_preview > PREVIEW_SECONDS:
            self._last_preview = now
            events.append(NodePreview(id, bytes(step.preview())))
        self._loop.call_soon_threadsafe(self._emit_all, events)

    def _emit_all(self, events: list[Event]) -> None:
        for event in events:
            self._emit(event)


def residents(arguments: Mapping[str, Any]) -> list[Resident[Any]]:
    """The model handles among a node's arguments, those in collected lists too."""
    return [
        item
        for value in arguments.values()
        for item in (cast("list[Any]", value) if isinstance(value, list) else [value])
        if is_resident(item)
    ]


def is_resident(value: Any) -> bool:
    """Whether a value is a `Resident`; isinstance would read its properties."""
    kind = cast("type[object]", type(value))
    if not (hasattr(kind, "load") and hasattr(kind, "bind")):
        return False
    facts = ("base", "key", "nbytes")
    return all(getattr_static(value, name, None) is not None for name in facts)
