"""Invokes a node's function: in which thread, with which arguments, what it reports."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import getattr_static
from typing import Any, cast

from engine.authoring.errors import Interrupted
from engine.authoring.markers import CPU, GPU
from engine.authoring.protocols import Resident, Step
from engine.devices.lanes import AnswerLog, Task, as_exception
from engine.graph.prompt import GraphNode
from engine.run.context import JobContext, NodeContext
from engine.run.events import NodeLoaded, NodePreview, NodeProgress, NodeSound
from engine.run.inputs import BlockedInput
from engine.run.limits import within_limits
from engine.run.list_mapping import CallArguments, Items

log = logging.getLogger(__name__)

PREVIEW_SECONDS = 0.2
LOADING_SECONDS = 0.01


class NodeInvocation:
    """A node's function, or its `needs`, called over lists, in a lane or in the event loop.

    Args:
        context: of the job.
        node: the node.
        key: its cache key.
        function: what to call.
        inputs: the items that the calls were made of.
        calls: the arguments of each call.
        on_start: called when the first call begins, in any thread, with itself and False if it will
            be quick.
        on_call_end: called when one of several calls in the event loop is over, but not the last.
        on_done: called when the last one is over, in any thread.

    Attributes:
        returned: what each call returned, None for those that are blocked.
        warnings: of all calls.
        error: why one of them failed.
        seconds: running time of all.
    """

    def __init__(
        self,
        context: JobContext,
        node: GraphNode,
        key: str,
        function: Callable[..., Any],
        inputs: Mapping[str, Items],
        calls: Sequence[CallArguments],
        on_start: Callable[[NodeInvocation, bool], None],
        on_call_end: Callable[[NodeInvocation], None],
        on_done: Callable[[NodeInvocation], None],
    ) -> None:
        self.node = node
        self._key = key
        self.function = function
        self.inputs = inputs
        self.calls = calls
        self.returned: list[Any] = [None] * len(calls)
        self.warnings: list[str] = []
        self.error: Exception | None = None
        self.seconds = 0.0
        self.handles = [
            handle
            for arguments in calls
            if isinstance(arguments, dict)
            for handle in self._residents(arguments)
        ]
        self._context = context
        self._on_start = on_start
        self._on_call_end = on_call_end
        self._on_done = on_done
        self._remaining_calls = deque(
            (n, arguments) for n, arguments in enumerate(calls) if isinstance(arguments, dict)
        )
        self._unfinished = len(self._remaining_calls)
        self._admitted = 0.0
        self._began = 0.0
        self._last_preview = 0.0
        self._sounds = 0

    @property
    def is_needs_call(self) -> bool:
        """Whether it calls the node's `needs` rather than its function."""
        return self.function is not self.node.spec.function

    @property
    def is_plain(self) -> bool:
        """Whether a lane may make all calls in one task: no steps, no models."""
        return not self.handles and (self.is_needs_call or self.node.spec.kind == "function")

    def submit(self) -> None:
        """Run in a lane."""
        on = self.node.spec.on
        task = Task(
            call=self._run_all if self.is_plain else self._run_one,
            handles=() if self.is_plain else self._residents(self._remaining_calls[0][1]),
            cancelled=self._context.cancelled,
            on_start=self._on_admission,
            on_step=self._on_step,
            on_end=self._on_end,
            open_log=self._open_log,
        )
        self._context.worker.lanes.pick(gpu=GPU in on, cpu=CPU in on).submit(task)

    def _open_log(self, device: str) -> AnswerLog | None:
        """The log of the answers to the steps of the call that begins."""
        number, _ = self._remaining_calls[0]
        return self._context.worker.step_logs.open(f"{self._key} {number} {device}")

    def _residents(self, arguments: Mapping[str, Any]) -> list[Resident[Any]]:
        """The models it needs; of what other values bring along, if it computes with models."""
        spec = self.node.spec
        return residents(arguments, deep=GPU in spec.on) if spec.loads else []

    def _on_admission(self) -> None:
        """A lane admitted the task; its models are not loaded yet."""
        self._admitted = time.perf_counter()
        self._on_start(self, True)

    def run_inline(self, device: str) -> None:
        """Run in this thread, a lane's of that device; `on_done` is not called."""
        self._on_start(self, False)
        try:
            self._run_all(device)
        except BaseException as error:  # noqa: BLE001 - a node may raise anything
            self.error = as_exception(error)

    async def run_in_loop(self) -> None:
        """Run in the event loop, all calls concurrently."""
        self._on_start(self, True)
        began = time.perf_counter()
        runs = [asyncio.ensure_future(self._run_async(*run)) for run in self._remaining_calls]
        try:
            await asyncio.gather(*runs)
        except asyncio.CancelledError:
            if self._context.cancelled.is_set():
                raise
            self.error = RuntimeError("the node was cancelled by its own code")
        except BaseException as error:  # noqa: BLE001 - a node may raise anything
            self.error = as_exception(error)
        finally:
            for run in runs:
                run.cancel()
        self.seconds = time.perf_counter() - began
        self._on_done(self)

    async def await_returned(self) -> None:
        """Await the awaitables that the calls returned, in the event loop."""
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
            self._unfinished -= 1
            if self._unfinished and self.node.spec.has_lazy_inputs:
                self._on_call_end(self)

    def _run_all(self, device: str) -> None:
        began = time.perf_counter()
        while self._remaining_calls:
            number, arguments = self._remaining_calls.popleft()
            self.returned[number] = self._call(device, number, arguments)
        self.seconds = time.perf_counter() - began

    def _run_one(self, device: str) -> Any:
        self._began = time.perf_counter()
        if self.handles and (loading := self._began - self._admitted) > LOADING_SECONDS:
            self._context.emit(NodeLoaded(self.node.id, loading))
        return self._call(device, *self._remaining_calls[0])

    def _on_end(self, returned: Any, error: Exception | None) -> None:
        """A lane is done with one call, or with all of them."""
        self.error = error
        if not self.is_plain:
            self.seconds += time.perf_counter() - self._began if self._began else 0.0
            number, _ = self._remaining_calls.popleft()
            self.returned[number] = returned
            if self._remaining_calls and error is None:
                self.submit()
                return
        self._on_done(self)

    def _call(self, device: str, number: int, arguments: dict[str, Any]) -> Any:
        context, parameter = self._context, self.node.spec.run_parameter
        if context.cancelled.is_set():
            raise Interrupted("the job was interrupted")
        arguments = within_limits(self.node, arguments, context.worker.folders)
        if parameter is None:
            return self.function(**arguments)
        run = NodeContext(
            context.worker,
            context.job,
            self.node.id,
            device,
            context.emit,
            context.cancelled,
            number,
            context.nodes,
            context.parents,
            self.warnings,
        )
        return self.function(**{parameter: run}, **arguments)

    def _on_step(self, step: Step) -> None:
        emit, id = self._context.emit, self.node.id
        emit(NodeProgress(id, int(step.index), int(step.total)))
        now = time.monotonic()
        if self._context.previews and step.preview and now - self._last_preview > PREVIEW_SECONDS:
            self._last_preview = now
            emit(NodePreview(id, bytes(step.preview())))
        if self._context.previews and step.sound:
            emit(NodeSound(id, self._sounds, bytes(step.sound())))
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
