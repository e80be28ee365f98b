"""The worker that runs jobs in a process of its own, and starts it again whenever it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from engine.run.events import Event, JobFinished, JobLost, JobStarted, now_ms
from engine.run.frames import (
    CancelJob,
    FactsRequest,
    FactsResponse,
    Frame,
    Free,
    JobEvents,
    LogLine,
    NodeHeld,
    NodesRequest,
    Ping,
    Pong,
    Ready,
    Response,
    RunJob,
    ValidateRequest,
)
from engine.run.log_forwarding import republish
from engine.run.rpc import RpcClient
from engine.run.worker import EventHandler, WorkerState, WorkerStatus, ignore_change
from engine.run.worker_process import WorkerProcess
from engine.run.worker_settings import WorkerSettings
from engine.store.history import Job

log = logging.getLogger(__name__)

FACTS_SECONDS = 2.0
ANSWER_SECONDS = 1.0
MAX_RESTART_SECONDS = 30.0
HEALTHY_SECONDS = 10.0
MAX_FAILED_STARTS = 5
MAX_UNBEGUN_DEATHS = 2


@dataclass
class _Running:
    """A job that the process runs, or will run as soon as it is ready.

    Attributes:
        sent: a ready process has it.
        began: its first event has come.
        deaths: of processes that had it before it began.
    """

    job: Job
    on_event: EventHandler
    sent: bool = False
    began: bool = False
    cancelled: bool = False
    deaths: int = 0


class ProcessWorker:
    """Runs jobs in a process, and starts another one whenever it ends.

    A process that does not start is no job's fault: jobs wait until one is ready. After five such
    in a row the worker is paused: it returns its jobs, and takes new ones when a process is ready.
    A process that answers no ping is killed, and so is one with a node that does not return after
    its job has ended.

    Args:
        settings: what the process is started with.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._jobs: dict[str, _Running] = {}
        self._facts: list[asyncio.Future[Mapping[str, Any]]] = []
        self._process: WorkerProcess | None = None
        self._state = WorkerState.DEAD
        self._ready = asyncio.Event()
        self._silent_ticks = 0
        self._failed_starts = 0
        self._pause_reason: str | None = None
        self._recycle_reason: str | None = None
        self._blames_jobs = True
        self._unanswered: set[str] = set()
        self._last_error = ""
        self._supervisor: asyncio.Task[None] | None = None
        self._rpc = RpcClient(self._send)
        self._on_change: Callable[[], None] = ignore_change

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        return self._process.pid if self._process is not None else None

    @property
    def status(self) -> WorkerStatus:
        """Whether it runs jobs now, and why not."""
        return WorkerStatus(self._state, self.pid, self._failed_starts, paused=self._pause_reason)

    async def start(self, on_change: Callable[[], None] = ignore_change) -> asyncio.Task[None]:
        """Start the process in the background; `on_change` is called when `status` changes.

        Returns the task that keeps a process running, which never ends by itself.
        """
        self._on_change = on_change
        self._supervisor = asyncio.get_running_loop().create_task(self._supervise())
        return self._supervisor

    def run(self, job: Job, on_event: EventHandler) -> None:
        """Start a job, now or when a process is ready."""
        running = self._jobs[job.id] = _Running(job, on_event)
        if self._state is WorkerState.READY:
            self._send_job(running)

    def cancel(self, job: str) -> None:
        """Interrupt a job; it ends within a second, whatever its nodes do."""
        running = self._jobs.get(job)
        if running is None or running.cancelled:
            return
        running.cancelled = True
        if not running.sent or self._process is None:
            self._end_interrupted(running)
            return
        self._unanswered.add(job)
        self._send(CancelJob(job))
        later, process = asyncio.get_running_loop().call_later, self._process
        later(ANSWER_SECONDS, self._end_interrupted, running)
        later(self._settings.timing.grace, self._recycle_unanswered, process, job)

    def _end_interrupted(self, running: _Running) -> None:
        if self._jobs.get(running.job.id) is running:
            del self._jobs[running.job.id]
            running.on_event(JobFinished("interrupted", now_ms()))

    def _recycle_unanswered(self, process: WorkerProcess, job: str) -> None:
        if self._process is process and job in self._unanswered:
            grace = self._settings.timing.grace
            self._recycle(f"did not answer the interrupt of job {job} for {grace:g} s", blame=False)

    async def free(self, *, unload_models: bool, free_memory: bool) -> None:
        """Drop idle weights, and the results kept in memory."""
        self._send(Free(unload_models, free_memory))

    async def facts(self) -> Mapping[str, Any]:
        """Versions, devices, memory; empty while the process is not ready or busy for long."""
        if self._state is not WorkerState.READY:
            return {}
        answer: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._facts.append(answer)
        self._send(FactsRequest())
        try:
            return await asyncio.wait_for(answer, FACTS_SECONDS)
        except TimeoutError:
            return {}

    async def describe_nodes(self, ids: list[str] | None) -> bytes:
        """Descriptions of its custom nodes, these or all (see `NodeQuery`)."""
        await self._ready.wait()
        return await self._rpc.request(lambda number: NodesRequest(number, ids))

    async def validate_literals(self, id: str, given: Mapping[str, Any]) -> Any:
        """Let a custom node validate its literals (see `NodeQuery`)."""
        await self._ready.wait()
        encoded = msgspec.json.encode(given)
        answer = await self._rpc.request(lambda number: ValidateRequest(number, id, encoded))
        return msgspec.json.decode(answer)

    async def close(self) -> None:
        """End the process."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)

    async def _supervise(self) -> None:
        """Keep a process running; one that ends soon is replaced after a growing delay."""
        clock, least = asyncio.get_running_loop().time, self._settings.timing.restart
        pause = least
        while True:
            began = clock()
            reason = await self._run_process()
            healthy = clock() - began > HEALTHY_SECONDS
            pause = least if healthy else min(2 * pause, MAX_RESTART_SECONDS)
            log.error("the worker process %s; the next one starts in %.1f s", reason, pause)
            await asyncio.sleep(pause)

    async def _run_process(self) -> str:
        """Run one process until it ends; returns why it did."""
        self._set_state(WorkerState.STARTING)
        self._silent_ticks, self._recycle_reason, self._last_error = 0, None, ""
        self._blames_jobs = True
        self._unanswered.clear()
        process: WorkerProcess | None = None
        reason = "was stopped"
        try:
            process = self._process = await WorkerProcess.spawn(self._settings, self._on_frame)
            await self._watch(process)
            reason = self._recycle_reason or f"died ({process.exit_text})"
        except OSError as error:
            reason = f"could not be started: {error.strerror or error}"
        finally:
            self._state = WorkerState.DRAINING
            if process is not None:
                await process.close()
            self._process = None
            self._on_end(reason)
        return reason

    async def _watch(self, process: WorkerProcess) -> None:
        """Ping the process until it ends; it is killed if it does not answer for long.

        Rounds are counted, not seconds: while this process is stopped itself none pass.
        """
        timing = self._settings.timing
        while self._recycle_reason is None and not await process.wait(timing.ping):
            if self._state is WorkerState.READY:
                process.send(Ping())
                if self._silent_ticks * timing.ping >= timing.silence:
                    self._recycle(f"did not answer for {timing.silence:g} s")
            elif self._silent_ticks * timing.ping >= timing.start:
                self._recycle(f"was not ready after {timing.start:g} s")
            self._silent_ticks += 1

    def _recycle(self, reason: str, *, blame: bool = True) -> None:
        """Kill the process, so that another one takes its place.

        Args:
            reason: what follows "the worker process".
            blame: one of the jobs that run may be the cause.
        """
        if self._process is not None and self._recycle_reason is None:
            self._recycle_reason = f"{reason} and was ended"
            self._blames_jobs = blame
            self._state = WorkerState.DRAINING
            self._process.kill()

    def _on_end(self, reason: str) -> None:
        """The process has ended: end its jobs, fail its requests."""
        if self._ready.is_set():
            self._ready.clear()
        else:
            self._failed_starts += 1
            if self._failed_starts >= MAX_FAILED_STARTS:
                self._pause(reason)
        self._resolve_facts({})
        self._rpc.fail_all()
        self._set_state(WorkerState.DEAD)
        for id, running in [*self._jobs.items()]:
            event = self._last_event(running, reason)
            if event is not None:
                del self._jobs[id]
                running.on_event(event)

    def _pause(self, reason: str) -> None:
        words = f": {self._last_error}" if self._last_error else "; its log says more"
        self._pause_reason = (
            f"the worker process did not start {self._failed_starts} times in a row, the last one "
            f"{reason}{words}. Jobs wait until it starts"
        )
        log.error("the queue is paused: %s", self._pause_reason)

    def _last_event(self, running: _Running, reason: str) -> Event | None:
        """What a job's last event is now that the process has ended; None: it is sent again."""
        if running.cancelled:
            return JobFinished("interrupted", now_ms())
        text = f"the worker process {reason} while it ran job {running.job.id}"
        if running.began:
            return JobLost(text, counts=self._blames_jobs)
        running.deaths += running.sent and self._blames_jobs
        running.sent = False
        if running.deaths >= MAX_UNBEGUN_DEATHS:
            return JobLost(text)
        if self._pause_reason is not None:
            return JobLost("the worker is paused", counts=False)
        return None

    def _on_frame(self, frame: Frame) -> None:
        match frame:
            case JobEvents():
                self._dispatch(frame.job, frame.events)
            case Pong():
                self._silent_ticks = 0
            case FactsResponse():
                self._resolve_facts(frame.facts)
            case LogLine():
                if frame.level >= logging.ERROR:
                    self._last_error = frame.text.rstrip().rpartition("\n")[2]
                republish(frame)
            case Response():
                self._rpc.on_response(frame)
            case Ready():
                self._on_ready()
            case NodeHeld(job):
                grace = self._settings.timing.grace
                self._recycle(f"had a node of job {job} for {grace:g} s after its end", blame=False)
            case _:
                log.error("a worker does not send %s", type(frame).__name__)

    def _on_ready(self) -> None:
        if self._state is not WorkerState.STARTING:
            return
        if self._pause_reason is not None:
            log.warning("the worker process is ready; the queue goes on")
        self._silent_ticks = self._failed_starts = 0
        self._pause_reason = None
        self._ready.set()
        self._set_state(WorkerState.READY)
        for running in [*self._jobs.values()]:
            if not running.sent:
                self._send_job(running)

    def _set_state(self, state: WorkerState) -> None:
        self._state = state
        self._on_change()

    def _send_job(self, running: _Running) -> None:
        running.sent = True
        self._send(RunJob.from_job(running.job))

    def _dispatch(self, job: str, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, JobFinished):
                self._unanswered.discard(job)
            running = self._jobs.get(job)
            if running is None:
                continue
            if isinstance(event, JobStarted):
                running.began = True
            elif isinstance(event, JobFinished):
                del self._jobs[job]
            running.on_event(event)

    def _resolve_facts(self, facts: Mapping[str, Any]) -> None:
        for answer in self._facts:
            if not answer.done():
                answer.set_result(facts)
        self._facts.clear()

    def _send(self, frame: Frame) -> None:
        if self._process is not None:
            self._process.send(frame)
