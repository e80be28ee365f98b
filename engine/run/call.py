"""The calls of a node's function: where they run, what they are given, what they report."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from inspect import getattr_static
from pathlib import Path
from typing import Any, cast

from msgspec import Struct

from engine.authoring.errors import Interrupted
from engine.authoring.markers import CPU, GPU
from engine.authoring.protocols import File, FolderKind, Resident, Step
from engine.authoring.registry import Registry
from engine.devices.lanes import Lanes, Task, as_exception
from engine.graph.file_names import expanded, filled, unknown
from engine.graph.prompt import GraphNode
from engine.graph.settling import names_of
from engine.run.events import Event, NodeLoaded, NodePreview, NodeProgress, NodeSound
from engine.run.inputs import BlockedInput
from engine.run.limits import within_limits
from engine.run.making import Making
from engine.run.turns import Items, Turn
from engine.store.cache import Cache
from engine.store.folders import Folders
from engine.store.history import Job
from engine.store.outputs import Outputs

log = logging.getLogger(__name__)

PREVIEW_SECONDS = 0.2
LOADING_SECONDS = 0.01


@dataclass(frozen=True)
class Bench:
    """What all jobs of a worker share.

    Attributes:
        loop: the event loop; everything else is in threads.
        costs: seconds that each class of nodes took last time.
        making: what is being made now.
    """

    registry: Registry
    folders: Folders
    cache: Cache
    outputs: Outputs
    lanes: Lanes
    loop: asyncio.AbstractEventLoop
    costs: dict[str, float] = field(default_factory=dict[str, float])
    making: Making = field(default_factory=Making)


class NodeRun(Struct, frozen=True):
    """The `Run` that a node sees.

    Attributes:
        cancelled: set when nobody wants the result any more.
        turn: which of the node's runs in this job it is: its place in a list.
        nodes: all nodes of the job, as expansions add to them.
        parents: for each node of an expansion, the node that made it.
        warnings: what the call's runs warned of.
    """

    bench: Bench
    record: Job
    node: str
    device: str
    tell: Callable[[Event], object]
    cancelled: threading.Event
    turn: int
    nodes: Mapping[str, GraphNode]
    parents: Mapping[str, str]
    warnings: list[str]

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
        data: bytes | Iterable[bytes],
        *,
        folder: FolderKind = "output",
        batch_number: int = 0,
        width: int = 0,
        height: int = 0,
        end: str = "_",
    ) -> File:
        """Write a file under the next free number."""
        if "%" in prefix:
            prefix = self._named(prefix, batch_number, width, height)
        return self.bench.outputs.save(prefix, extension, data, folder, end=end)

    def _named(self, prefix: str, batch_number: int, width: int, height: int) -> str:
        """A prefix filled in, see `file_names`; one that came by a link has its patterns still."""
        registry, now = self.bench.registry, datetime.now().astimezone()
        names = names_of(self.extra_pnginfo.get("workflow"), registry)
        prefix = filled(prefix, self.prompt, registry, now, names)
        prefix = expanded(prefix, batch_number=batch_number, width=width, height=height)
        for pattern in unknown(prefix):
            self.warn(
                f"{pattern} in the file name stands for nothing: no node with such a widget is "
                "called that; see %date:yyyy-MM-dd%, %Node title.widget%, %width%"
            )
        return prefix

    def warn(self, message: str) -> None:
        """Warn the user, in the node's output and in the log."""
        if message not in self.warnings:
            self.warnings.append(message)
            log.warning("job %s, node %s: %s", self.job, self.node, message)

    def send(self, picture: bytes) -> None:
        """Send a picture to whoever follows the job."""
        self.tell(NodePreview(self.node, picture))


class Errand(Struct, frozen=True):
    """What the calls of one job share.

    Attributes:
        tell: sends an event from any thread.
        cancelled: set when nobody wants results any more.
        nodes, parents: see `NodeRun`.
    """

    bench: Bench
    job: Job
    tell: Callable[[Event], object]
    cancelled: threading.Event
    nodes: Mapping[str, GraphNode]
    parents: Mapping[str, str]

    @property
    def previews(self) -> bool:
        """Whether somebody wants to see pictures as they form."""
        return self.job.extra.get("preview_method", "none") != "none"


class NodeCall:
    """A node's function, or its `needs`, run once for each turn: in a lane or in the event loop.

    Args:
        errand: the job.
        node: the node.
        function: what to call.
        inputs: the items that the turns were made of.
        turns: the arguments of each run.
        on_start: told when the first run begins, in any thread; False if it will be quick.
        done: told when the last one is over, in any thread.

    Attributes:
        returned: what each run returned, None for those that are blocked.
        warnings: what the runs warned of.
        error: why one of them failed.
        seconds: running time of all.
        left: runs that are not over.
    """

    def __init__(
        self,
        errand: Errand,
        node: GraphNode,
        function: Callable[..., Any],
        inputs: Mapping[str, Items],
        turns: Sequence[Turn],
        on_start: Callable[[bool], None],
        done: Callable[[NodeCall], None],
    ) -> None:
        self.node = node
        self.function = function
        self.inputs = inputs
        self.turns = turns
        self.returned: list[Any] = [None] * len(turns)
        self.warnings: list[str] = []
        self.error: Exception | None = None
        self.seconds = 0.0
        self.handles = [
            handle for turn in turns if isinstance(turn, dict) for handle in self._residents(turn)
        ]
        self._errand = errand
        self._on_start = on_start
        self._done = done
        self._runs = deque((n, turn) for n, turn in enumerate(turns) if isinstance(turn, dict))
        self.left = len(self._runs)
        self._admitted = 0.0
        self._began = 0.0
        self._last_preview = 0.0
        self._sounds = 0

    @property
    def in_loop(self) -> bool:
        """Whether it runs in the event loop rather than in a lane."""
        if not self.asks:
            return self.node.spec.kind == "async"
        return inspect.iscoroutinefunction(self.function)

    @property
    def asks(self) -> bool:
        """Whether it asks the node what it needs, rather than running it."""
        return self.function is not self.node.spec.function

    @property
    def is_plain(self) -> bool:
        """Whether all runs may follow each other in a lane at once: no steps, no models."""
        return not self.handles and (self.asks or self.node.spec.kind == "function")

    def submit(self) -> None:
        """Run in a lane."""
        on = self.node.spec.on
        task = Task(
            call=self._run_all if self.is_plain else self._run_one,
            handles=() if self.is_plain else self._residents(self._runs[0][1]),
            cancelled=self._errand.cancelled,
            on_start=self._on_admission,
            on_step=self._on_step,
            on_end=self._on_end,
        )
        self._errand.bench.lanes.pick(gpu=GPU in on, cpu=CPU in on).submit(task)

    def _residents(self, arguments: Mapping[str, Any]) -> list[Resident[Any]]:
        """The models it needs; of what other values bring along, if it computes with models."""
        spec = self.node.spec
        return residents(arguments, deep=GPU in spec.on) if spec.loads else []

    def _on_admission(self) -> None:
        """A lane takes the call; its models are not loaded yet."""
        self._admitted = time.perf_counter()
        self._on_start(True)

    def run_here(self, device: str) -> None:
        """Run in this thread, which is a lane's of that device; `done` is not told."""
        self._on_start(False)
        try:
            self._run_all(device)
        except BaseException as error:  # noqa: BLE001 - a node may raise anything
            self.error = as_exception(error)

    async def run_in_loop(self) -> None:
        """Run in the event loop, all turns side by side."""
        self._on_start(True)
        began = time.perf_counter()
        runs = [asyncio.ensure_future(self._run_async(*run)) for run in self._runs]
        try:
            await asyncio.gather(*runs)
        except asyncio.CancelledError:
            if self._errand.cancelled.is_set():
                raise
            self.error = RuntimeError("the node was cancelled by its own code")
        except BaseException as error:  # noqa: BLE001 - a node may raise anything
            self.error = as_exception(error)
        finally:
            for run in runs:
                run.cancel()
        self.seconds = time.perf_counter() - began
        self._done(self)

    async def await_returned(self) -> None:
        """Wait for what the runs returned to be awaited, in the event loop."""
        self.seconds = 0.0  # they are counted already
        try:
            self.returned = [
                await item if inspect.isawaitable(item) else item for item in self.returned
            ]
        except Exception as error:  # noqa: BLE001 - a node may raise anything
            self.error = error

    async def _run_async(self, number: int, arguments: dict[str, Any]) -> None:
        try:
            self.returned[number] = await self._call("cpu", number, arguments)
        except BlockedInput as blocked:
            self.returned[number] = blocked.blocked
        finally:
            self.left -= 1

    def _run_all(self, device: str) -> None:
        began = time.perf_counter()
        while self._runs:
            number, arguments = self._runs.popleft()
            self.returned[number] = self._call(device, number, arguments)
        self.seconds = time.perf_counter() - began

    def _run_one(self, device: str) -> Any:
        self._began = time.perf_counter()
        if self.handles and (loading := self._began - self._admitted) > LOADING_SECONDS:
            self._errand.tell(NodeLoaded(self.node.id, loading))
        return self._call(device, *self._runs[0])

    def _on_end(self, returned: Any, error: Exception | None) -> None:
        """A lane is done with one turn, or with all of them."""
        self.error = error
        if not self.is_plain:
            self.seconds += time.perf_counter() - self._began if self._began else 0.0
            number, _ = self._runs.popleft()
            self.returned[number] = returned
            if self._runs and error is None:
                self.submit()
                return
        self._done(self)

    def _call(self, device: str, number: int, arguments: dict[str, Any]) -> Any:
        errand, parameter = self._errand, self.node.spec.run_parameter
        if errand.cancelled.is_set():
            raise Interrupted("the job was interrupted")
        arguments = within_limits(self.node, arguments, errand.bench.folders)
        if parameter is None:
            return self.function(**arguments)
        run = NodeRun(
            errand.bench,
            errand.job,
            self.node.id,
            device,
            errand.tell,
            errand.cancelled,
            number,
            errand.nodes,
            errand.parents,
            self.warnings,
        )
        return self.function(**{parameter: run}, **arguments)

    def _on_step(self, step: Step) -> None:
        tell, id = self._errand.tell, self.node.id
        tell(NodeProgress(id, int(step.index), int(step.total)))
        now = time.monotonic()
        if self._errand.previews and step.preview and now - self._last_preview > PREVIEW_SECONDS:
            self._last_preview = now
            tell(NodePreview(id, bytes(step.preview())))
        if self._errand.previews and step.sound:
            tell(NodeSound(id, self._sounds, bytes(step.sound())))
            self._sounds += 1


def residents(arguments: Mapping[str, Any], *, deep: bool = False) -> list[Resident[Any]]:
    """The model handles among a node's arguments, those in collected lists too.

    With `deep` also those that values need besides themselves (see `Bringing`), at any depth of
    lists, tuples and dicts: a conditioning's control net.
    """
    found = [
        item
        for value in arguments.values()
        for item in (cast("list[Any]", value) if isinstance(value, list) else [value])
        if is_resident(item)
    ]
    return [*found, *_brought(arguments)] if deep else found


def _brought(value: Any) -> Iterator[Resident[Any]]:
    """What a value, or what it contains, needs besides itself."""
    if isinstance(value, Mapping):
        value = [*cast("Mapping[Any, Any]", value).values()]
    if isinstance(value, list | tuple):
        for item in cast("Sequence[Any]", value):
            yield from _brought(item)
    elif getattr_static(cast("type[object]", type(value)), "handles", None) is not None:
        yield from (handle for handle in value.handles if is_resident(handle))


def is_resident(value: Any) -> bool:
    """Whether a value is a `Resident`; isinstance would read its properties."""
    kind = cast("type[object]", type(value))
    if not (hasattr(kind, "load") and hasattr(kind, "bind")):
        return False
    facts = ("base", "key", "nbytes")
    return all(getattr_static(value, name, None) is not None for name in facts)
