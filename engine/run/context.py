"""Contexts of what runs: of a worker, of a job, of one node's call (the `Run` of a node)."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from engine.authoring.protocols import File, FolderKind
from engine.authoring.registry import Registry
from engine.devices.lanes import Lanes
from engine.graph.file_names import expanded, filled, unknown
from engine.graph.prompt import GraphNode
from engine.graph.settling import names_of
from engine.run.events import Event, NodePreview
from engine.run.single_flight import SingleFlight
from engine.store.cache import Cache
from engine.store.folders import Folders
from engine.store.history import Job
from engine.store.outputs import Outputs
from engine.store.step_log import StepLogs

log = logging.getLogger(__name__)

DISK_THREADS = 4


@dataclass(frozen=True)
class WorkerContext:
    """What all jobs of a worker share: registry, cache, lanes, event loop.

    Attributes:
        loop: the event loop; everything else runs in threads.
        durations: seconds that each class of nodes took last time.
        single_flight: keys of results that are computed now.
        step_logs: answers of long nodes that run.
        disk: threads that read and write results.
    """

    registry: Registry
    folders: Folders
    cache: Cache
    outputs: Outputs
    lanes: Lanes
    loop: asyncio.AbstractEventLoop
    step_logs: StepLogs
    durations: dict[str, float] = field(default_factory=dict[str, float])
    single_flight: SingleFlight = field(default_factory=SingleFlight)
    disk: ThreadPoolExecutor = field(
        default_factory=partial(ThreadPoolExecutor, DISK_THREADS, thread_name_prefix="disk")
    )


class NodeContext(Struct, frozen=True):
    """The `Run` that a node sees.

    Attributes:
        cancelled: set when the job is cancelled or over.
        turn: the index of the call, over lists.
        nodes: all nodes of the job, including those of expansions.
        parents: for each node of an expansion, the node that made it.
        warnings: of all calls.
    """

    worker: WorkerContext
    job_record: Job
    node: str
    device: str
    emit: Callable[[Event], object]
    cancelled: threading.Event
    turn: int
    nodes: Mapping[str, GraphNode]
    parents: Mapping[str, str]
    warnings: list[str]

    @property
    def job(self) -> str:
        """Id of the job."""
        return self.job_record.id

    @property
    def prompt(self) -> Mapping[str, Any]:
        """The whole prompt in API format."""
        return self.job_record.prompt

    @property
    def extra_pnginfo(self) -> Mapping[str, Any]:
        """The client's metadata for pictures, beside the prompt."""
        extra = self.job_record.extra.get("extra_pnginfo")
        return extra if isinstance(extra, dict) else {}  # pyright: ignore[reportUnknownVariableType] - JSON

    @property
    def preview_method(self) -> str:
        """How previews are drawn, as `Run.preview_method`."""
        return str(self.job_record.extra.get("preview_method", "none"))

    def model_path(self, folder: str, name: str) -> Path:
        """Path of a model file."""
        return self.worker.folders.model_path(folder, name)

    def input_path(self, name: str) -> Path:
        """Path of an input file."""
        return self.worker.folders.input_path(name)

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
            prefix = self._fill_prefix(prefix, batch_number, width, height)
        return self.worker.outputs.save(prefix, extension, data, folder, end=end)

    def _fill_prefix(self, prefix: str, batch_number: int, width: int, height: int) -> str:
        """A prefix with its patterns filled in, see `file_names`; a linked one still has them."""
        registry, now = self.worker.registry, datetime.now().astimezone()
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
        """Send a picture to the job's client."""
        self.emit(NodePreview(self.node, picture))


class JobContext(Struct, frozen=True):
    """What the invocations of one job share.

    Attributes:
        emit: sends an event, from any thread.
        nodes, parents: see `NodeContext`.
        cancelled: set when the job is cancelled or over.
    """

    worker: WorkerContext
    job: Job
    emit: Callable[[Event], object]
    nodes: Mapping[str, GraphNode]
    parents: Mapping[str, str]
    cancelled: threading.Event = msgspec.field(default_factory=threading.Event)

    @property
    def previews(self) -> bool:
        """Whether the client asked for previews."""
        return self.job.extra.get("preview_method", "none") != "none"
