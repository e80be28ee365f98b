"""The engine: the one place that puts registry, store, scheduler and worker together."""

from __future__ import annotations

import asyncio
import logging
import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from pathlib import Path
from typing import Any, TextIO, cast

import msgspec
from msgspec import Raw

from engine.authoring.errors import SoundstageError
from engine.authoring.registry import Registry
from engine.authoring.spec import Input
from engine.graph.errors import PromptError
from engine.graph.off_loop import LONG_NODES, in_thread_if, takes_long
from engine.graph.settling import normalize
from engine.graph.validate import InputConfig, validate
from engine.run.events import Event, JobFinished, now_ms
from engine.run.process import ProcessWorker
from engine.run.remote_nodes import CustomNodePacks, RemoteCustomNodes
from engine.run.repeated_prompts import MAX_PROMPTS, RepeatedPrompts
from engine.run.run_record import RunRecord
from engine.run.scheduler import Listener, QueueChanged, Scheduler
from engine.run.submission import QueueFull, Receipt, Submission
from engine.run.worker import Worker, WorkerState, WorkerStatus
from engine.run.worker_settings import WorkerSettings, WorkerTiming
from engine.store.assets import Assets
from engine.store.cache_policy import ALL_THAT_FITS, CachePolicy
from engine.store.db import Database, NotWritten
from engine.store.folders import Folders
from engine.store.gallery import Gallery
from engine.store.history import HistoryEntry, Job, JobInfo, RawJob, is_deadline
from engine.store.home_lock import lock_home
from engine.store.listing import JobPage, JobQuery
from engine.store.model_paths import ModelPaths
from engine.store.queue import DuplicateJob, Queue

log = logging.getLogger(__name__)

TEMP_SECONDS = 24 * 3600.0
MAX_WAITING_JOBS = 10_000


def plain_config(input: Input) -> Any:
    """How an input is described in errors, by default."""
    return [input.type, {}]


class Engine:
    """Everything that `serve` serves, without the network. Made by `Engine.open`.

    Attributes:
        registry: the nodes there are.
        folders: the home.
        assets: its files by name, tag and content.
        gallery: what jobs made.
        max_queue: most jobs that may wait.
        background: tasks that never end by themselves: when one does, no job can run any more.
    """

    def __init__(
        self,
        registry: Registry,
        folders: Folders,
        database: Database,
        worker: Worker,
        lock: TextIO,
        max_answers: int,
    ) -> None:
        self.registry = registry
        self.folders = folders
        self.assets = Assets(database, folders)
        self.gallery = Gallery(database, folders)
        self.describe: InputConfig = plain_config
        self.max_queue = MAX_WAITING_JOBS
        self._database = database
        self._queue = Queue.open(database, self.gallery.add)
        self._worker = worker
        self._repeated = RepeatedPrompts(registry, folders, worker.run, max_answers)
        self._scheduler = Scheduler(self._queue, worker, self._emit, self._repeated)
        self._lock = lock
        self.background: list[asyncio.Task[None]] = []
        self._listeners: tuple[Listener, ...] = ()

    @classmethod
    async def open(
        cls,
        home: Path,
        *,
        registry: Registry | None = None,
        worker: Worker | None = None,
        folder_overrides: Mapping[str, Path] | None = None,
        models: ModelPaths | None = None,
        packs: Sequence[str] = (),
        custom_nodes: CustomNodePacks | None = None,
        max_queue: int = MAX_WAITING_JOBS,
        cache_policy: CachePolicy | None = None,
        preload: bool = True,
        timing: WorkerTiming | None = None,
    ) -> Engine:
        """Open a home and continue its queue.

        Args:
            home: folder of everything; made if it is not there.
            registry: the nodes; those of the installed packs and of `packs` by default.
            worker: what runs jobs; a process of its own by default.
            folder_overrides: folders outside of the home ("output": path, ...).
            models: folders of models outside of the home.
            packs: node packs to import beside the installed ones, by module name.
            custom_nodes: node packs written for ComfyUI, for the worker process.
            max_queue: most jobs that may wait.
            cache_policy: which results of nodes are kept; all that fit by default.
            preload: whether the worker does slow imports before a job needs them.
            timing: when a worker process that makes no progress is replaced.

        Raises:
            SoundstageError: the home is in use, or cannot be written.
        """
        registry = registry or Registry.installed(packs)
        models = models or ModelPaths()
        folders = Folders(home, registry.bundled, folder_overrides or {}, models)
        async with AsyncExitStack() as opened:  # closed again if a later step fails
            lock = opened.enter_context(lock_home(home))
            folders.create()
            await asyncio.to_thread(folders.clear_temp, TEMP_SECONDS)
            database = await Database.open(home / "soundstage.db")
            opened.push_async_callback(database.close)
            paths = {name: str(path) for name, path in (folder_overrides or {}).items()}
            max_answers = 0
            if worker is None:
                max_answers = MAX_PROMPTS if cache_policy in (None, ALL_THAT_FITS) else 0
                worker = ProcessWorker(
                    WorkerSettings(
                        str(home),
                        paths,
                        list(packs),
                        models,
                        custom_nodes,
                        _level(),
                        cache_policy or CachePolicy(),
                        preload,
                        timing or WorkerTiming(),
                    )
                )
                if custom_nodes is not None:
                    registry.custom_nodes = RemoteCustomNodes(registry, worker)
            engine = cls(registry, folders, database, worker, lock, max_answers)
            engine.max_queue = max_queue
            with suppress(NotWritten):  # the gallery tries again
                await engine.gallery.catch_up()
            supervisor = await worker.start(engine._on_worker_change)
            engine.background += [supervisor] if supervisor is not None else []
            engine._scheduler.start()
            opened.pop_all()
        return engine

    def _on_worker_change(self) -> None:
        if self._worker.status.state is not WorkerState.READY:
            self._repeated.clear()
        self._scheduler.on_worker_change()

    async def close(self) -> None:
        """Stop; jobs that wait or run are there again when the home is opened next."""
        self._scheduler.close()
        await self._worker.close()
        with suppress(SoundstageError):  # the next engine catches up
            self.gallery.write_added()
        await self._database.close()
        self._lock.close()

    async def submit(self, submission: Submission) -> Receipt:
        """Check a prompt and commit it to the queue.

        Raises:
            PromptError: nothing of it can run; the text says why.
            QueueFull: enough jobs wait.
            NotWritten: the disk does not take it.
            CustomNodesUnavailable: it has custom nodes, and the worker does not describe them.
        """
        self._check_room()
        if submission.number is not None and not math.isfinite(submission.number):
            raise PromptError("invalid_number", "number must be a finite number")
        deadline = submission.extra.get("deadline_s")
        if deadline is not None and not is_deadline(deadline):
            raise PromptError(
                "invalid_deadline",
                "deadline_s must be the seconds that the job may run, over 0 and up to 1e9; leave "
                "it out for a job that may run as long as it takes",
            )
        await self._refresh_custom_nodes(submission.prompt)
        prompt = await in_thread_if(
            takes_long(submission.prompt, self.registry),
            lambda: normalize(
                submission.prompt,
                self.registry,
                submission.workflow,
                choose=submission.resolves_dynamic_prompts,
            ),
        )
        valid = await validate(
            prompt, self.registry, self.folders, self.describe, submission.targets
        )
        parts: tuple[Raw, Raw] | None = None
        if len(valid.prompt) > LONG_NODES:
            unneeded, prompt = [prompt], {}
            parts = await asyncio.to_thread(_encoded, valid.prompt, submission.extra, unneeded)
        self._check_room()  # others may have been submitted meanwhile
        job = self._job(submission, valid.prompt, valid.outputs)
        if parts is not None:
            job.encode(*parts)
        try:
            self._scheduler.submit(job)
        except DuplicateJob as error:
            raise PromptError(
                "invalid_prompt_id",
                f"prompt_id {job.id} is taken by a job that waits, runs or is in the history; "
                "leave it out, or make a new one for each prompt",
            ) from error
        return Receipt(job.id, job.number, valid.errors)

    def _check_room(self) -> None:
        if self.waiting() >= self.max_queue:
            raise QueueFull(
                f"{self.max_queue} jobs wait already; submit this one when some are done, or "
                "start the service with a larger --max-queue"
            )

    async def _refresh_custom_nodes(self, prompt: Mapping[str, Any]) -> None:
        """Choices of custom nodes may depend on files, so they are refreshed for each prompt."""
        if self.registry.custom_nodes is not None:
            entries = [cast("dict[str, Any]", e) for e in prompt.values() if isinstance(e, dict)]
            names = [entry.get("class_type") for entry in entries]
            await self.registry.refresh({name for name in names if isinstance(name, str)})

    def _job(self, submission: Submission, prompt: dict[str, Any], outputs: list[str]) -> Job:
        number = submission.number
        if number is None:
            queue = self._queue
            number = queue.front_number() if submission.front else queue.next_number()
        return Job(
            id=submission.id or str(uuid.uuid4()),
            number=number,
            prompt=prompt,
            extra=submission.extra,
            outputs=outputs,
            client_id=submission.client_id,
            created=now_ms(),
        )

    def remaining(self) -> int:
        """How many jobs wait or run."""
        return self._queue.remaining

    def waiting(self) -> int:
        """How many jobs wait."""
        return self._queue.waiting

    def running(self) -> Mapping[str, int]:
        """Ids of the jobs that run, and when each began, ms since 1970."""
        return self._scheduler.running

    def record(self, job: str) -> RunRecord | None:
        """The record of a running job so far; None for other jobs."""
        return self._scheduler.record(job)

    async def queue(self) -> tuple[list[RawJob], list[RawJob]]:
        """The running jobs, and the waiting ones, next one first."""
        running, pending = await asyncio.gather(self._queue.running(), self._queue.pending())
        return running, pending

    async def history(
        self, *, newest: int | None = None, offset: int | None = None
    ) -> list[HistoryEntry]:
        """Ended jobs, oldest first: the `newest` ones, or that many from `offset` on."""
        return await self._queue.history(newest, offset)

    async def history_entry(self, id: str) -> HistoryEntry | None:
        """An ended job; None while it waits or runs, or when unknown."""
        return await self._queue.history_entry(id)

    async def jobs(self, query: JobQuery) -> JobPage:
        """Some of the jobs there are, in whatever state."""
        return await self._queue.page(query)

    async def job(self, id: str) -> JobInfo | None:
        """A job in whatever state; None when unknown."""
        return await self._queue.info(id)

    async def cancel(self, ids: Sequence[str]) -> bool:
        """Take jobs out of the queue, or interrupt them if they run; whether there was one."""
        removed = await self.delete_pending(ids)
        interrupted = [await self.interrupt(id) for id in ids]
        return removed > 0 or any(interrupted)

    async def interrupt(self, id: str | None = None) -> bool:
        """Interrupt a running job, or all that run; whether there was one."""
        hit = [job for job in self.running() if id in (None, job)]
        for job in hit:
            self._worker.cancel(job)
        return bool(hit)

    async def delete_pending(self, ids: Sequence[str] | None) -> int:
        """Take waiting jobs out of the queue by id, or all of them; returns how many.

        Their clients get an end; in the history are those that had begun.
        """
        deleted = 0
        async with aclosing(self._queue.delete_pending(ids)) as batches:
            async for jobs in batches:
                deleted += len(jobs)
                for job in jobs:
                    self._emit(job, JobFinished("interrupted", now_ms()))
                self._emit(None, QueueChanged(self._queue.remaining))
        self._scheduler.wake()
        return deleted

    def move_to_front(self, id: str) -> bool:
        """Let a waiting job start before all others that wait; whether it waited."""
        moved = self._queue.move_to_front(id)
        if moved:
            self._emit(None, QueueChanged(self._queue.remaining))
        return moved

    async def delete_history(self, ids: Sequence[str] | None) -> None:
        """Forget ended jobs by id, or all of them; the gallery remembers the files they made."""
        await self.gallery.catch_up()
        await self._queue.delete_history(ids)

    async def free(self, *, unload_models: bool, free_memory: bool) -> None:
        """Drop idle weights; with `free_memory` also the results kept in memory."""
        if free_memory:
            self._repeated.clear()
        await self._worker.free(unload_models=unload_models, free_memory=free_memory)

    def store_facts(self) -> Mapping[str, Any]:
        """Whether the disk takes what is to be stored, and how many ended jobs wait for it."""
        return {
            "write_error": self._scheduler.write_error,
            "unwritten_jobs": self._scheduler.unwritten,
        }

    def worker_status(self) -> WorkerStatus:
        """Whether the worker runs jobs now, and why not."""
        return self._worker.status

    async def worker_facts(self) -> Mapping[str, Any]:
        """Versions, devices and memory as the worker sees them; empty while it is not up."""
        return await self._worker.facts()

    def add_listener(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every event, in the event loop; returns what removes it."""
        self._listeners += (listener,)

        def leave() -> None:
            self._listeners = tuple(other for other in self._listeners if other is not listener)

        return leave

    def _emit(self, job: Job | None, event: Event | QueueChanged) -> None:
        for listener in self._listeners:
            try:
                listener(job, event)
            except Exception:
                log.exception("a listener failed on %s", type(event).__name__)


def _encoded(
    prompt: dict[str, Any], extra: dict[str, Any], unneeded: list[dict[str, Any]]
) -> tuple[Raw, Raw]:
    """The large parts of a job as JSON; what is not needed any more is freed here, too."""
    unneeded.clear()
    return Raw(msgspec.json.encode(prompt)), Raw(msgspec.json.encode(extra))


def _level() -> str:
    """How much this process logs, so that the worker logs as much."""
    return logging.getLevelName(logging.getLogger().getEffectiveLevel())
