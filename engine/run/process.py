"""A worker in a process of its own, whose crash the server survives.

It imports what is installed, or is on PYTHONPATH, and nothing of the folder that it is started in
(`-P`): people start the service in a checkout of another program, which has a `nodes.py`, too.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from engine.run.events import Event, JobFinished, JobLost, now_ms
from engine.run.frames import (
    CancelJob,
    FactsRequest,
    FactsResponse,
    Frame,
    FrameProtocol,
    Free,
    JobEvents,
    LogLine,
    NodesRequest,
    Response,
    RunJob,
    ValidateRequest,
    encode_frame,
)
from engine.run.log_forwarding import republish
from engine.run.rpc import RpcClient
from engine.run.worker import EventHandler
from engine.run.worker_settings import WorkerSettings
from engine.store.history import Job

log = logging.getLogger(__name__)

# OpenMP threads that spin while they wait take the cores from the other lanes: 20 steps of the
# built-in picture model then take several times as long on busy cores.
WORKER_ENVIRONMENT = {"OMP_WAIT_POLICY": "passive"}
FACTS_SECONDS = 2.0
RESTART_SECONDS = 0.2
MAX_RESTART_SECONDS = 30.0
HEALTHY_SECONDS = 10.0


@dataclass
class _Running:
    """A job that the process runs, or will run as soon as it is up."""

    job: Job
    on_event: EventHandler
    cancelled: bool = False


class ProcessWorker:
    """Starts the worker process and starts it again whenever it dies.

    Args:
        settings: what the process is started with.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._jobs: dict[str, _Running] = {}
        self._facts: list[asyncio.Future[Mapping[str, Any]]] = []
        self._transport: asyncio.Transport | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._connected = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None
        self._rpc = RpcClient(self._send)

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Start the process in the background."""
        self._supervisor = asyncio.get_running_loop().create_task(self._supervise())

    def run(self, job: Job, on_event: EventHandler) -> None:
        """Start a job, now or when the process is up."""
        self._jobs[job.id] = _Running(job, on_event)
        self._send(RunJob.from_job(job))

    async def cancel(self, job: str) -> None:
        """Interrupt a job."""
        if job in self._jobs:
            self._jobs[job].cancelled = True
            self._send(CancelJob(job))

    async def free(self, *, unload_models: bool, free_memory: bool) -> None:
        """Drop idle weights, and the results kept in memory."""
        self._send(Free(unload_models, free_memory))

    async def facts(self) -> Mapping[str, Any]:
        """Versions, devices, memory; empty while the process is not up or busy for long."""
        if not self._connected.is_set():
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
        await self._connected.wait()
        return await self._rpc.request(lambda number: NodesRequest(number, ids))

    async def validate_literals(self, id: str, given: Mapping[str, Any]) -> Any:
        """Let a custom node validate its literals (see `NodeQuery`)."""
        await self._connected.wait()
        encoded = msgspec.json.encode(given)
        answer = await self._rpc.request(lambda number: ValidateRequest(number, id, encoded))
        return msgspec.json.decode(answer)

    async def close(self) -> None:
        """End the process."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
            await (
                self._clean_up()
            )  # it may have been cancelled between a process and its connection

    async def _supervise(self) -> None:
        """Keep a process running; one that dies soon is restarted after a growing delay."""
        clock, pause = asyncio.get_running_loop().time, RESTART_SECONDS
        while True:
            began = clock()
            frames = await self._spawn()
            try:
                await frames.lost
            finally:
                await self._clean_up()
            log.error("the worker process died (%s); it is started again", self._exit_code())
            healthy = clock() - began > HEALTHY_SECONDS
            pause = RESTART_SECONDS if healthy else min(2 * pause, MAX_RESTART_SECONDS)
            await asyncio.sleep(pause)

    async def _spawn(self) -> FrameProtocol:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-P", "-m", "engine.run.child"),
                    str(theirs.fileno()),
                    msgspec.json.encode(self._settings).decode(),
                    pass_fds=[theirs.fileno()],
                    stdin=asyncio.subprocess.DEVNULL,
                    env={**WORKER_ENVIRONMENT, **os.environ},
                )
            self._transport, frames = await asyncio.get_running_loop().create_connection(
                lambda: FrameProtocol(self._on_frame), sock=ours
            )
        except BaseException:
            ours.close()
            raise
        self._connected.set()
        for running in self._jobs.values():
            self._send(RunJob.from_job(running.job))
            if running.cancelled:
                self._send(CancelJob(running.job.id))
        return frames

    def _on_frame(self, frame: Frame) -> None:
        match frame:
            case JobEvents():
                self._dispatch(frame.job, frame.events)
            case FactsResponse():
                self._resolve_facts(frame.facts)
            case LogLine():
                republish(frame)
            case Response():
                self._rpc.on_response(frame)
            case _:
                log.error("a worker does not send %s", type(frame).__name__)

    async def _clean_up(self) -> None:
        """Kill the process if it lives; end its jobs and fail its requests."""
        self._connected.clear()
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        if self._process is not None:
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()
        lost, self._jobs = self._jobs, {}
        for id, running in lost.items():
            if running.cancelled:
                running.on_event(JobFinished("interrupted", now_ms()))
            else:
                running.on_event(JobLost(f"the worker process died while it ran job {id}"))
        self._resolve_facts({})
        self._rpc.fail_all()

    def _dispatch(self, job: str, events: list[Event]) -> None:
        for event in events:
            running = self._jobs.get(job)
            if running is None:
                return
            if isinstance(event, JobFinished):
                del self._jobs[job]
            running.on_event(event)

    def _resolve_facts(self, facts: Mapping[str, Any]) -> None:
        for answer in self._facts:
            if not answer.done():
                answer.set_result(facts)
        self._facts.clear()

    def _exit_code(self) -> str:
        code = self._process.returncode if self._process is not None else None
        return f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"

    def _send(self, frame: Frame) -> None:
        if self._transport is not None:
            self._transport.write(encode_frame(frame))
