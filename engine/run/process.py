"""A worker in a process of its own: what it does to itself, the server survives.

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

from engine.run.events import Ended, Event, Lost, now_ms
from engine.run.frames import (
    Answer,
    AskCheck,
    AskFacts,
    AskGuests,
    CancelJob,
    Facts,
    Frame,
    Frames,
    Free,
    JobEvents,
    LogLine,
    RunJob,
    encoded,
)
from engine.run.questions import Questions
from engine.run.relay import pass_on
from engine.run.settings import Settings
from engine.run.worker import Hear
from engine.store.history import Job

log = logging.getLogger(__name__)

# OpenMP threads that spin while they wait take the cores from the other lanes: 20 steps of the
# built-in picture model then take several times as long on busy cores.
WORKER_ENVIRONMENT = {"OMP_WAIT_POLICY": "passive"}
FACTS_SECONDS = 2.0
RESTART_SECONDS = 0.2
LONGEST_RESTART_SECONDS = 30.0
HEALTHY_SECONDS = 10.0


@dataclass
class _Running:
    """A job that the process runs, or shall run as soon as it is up."""

    job: Job
    hear: Hear
    unwanted: bool = False


class ProcessWorker:
    """Starts the worker process and starts it again whenever it dies.

    Args:
        settings: what the process is started with.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._jobs: dict[str, _Running] = {}
        self._facts: list[asyncio.Future[Mapping[str, Any]]] = []
        self._transport: asyncio.Transport | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._connected = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None
        self._questions = Questions(self._send)

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Start the process in the background."""
        self._supervisor = asyncio.get_running_loop().create_task(self._supervise())

    def run(self, job: Job, hear: Hear) -> None:
        """Start a job, now or when the process is up."""
        self._jobs[job.id] = _Running(job, hear)
        self._send(RunJob.of(job))

    async def cancel(self, job: str) -> None:
        """Interrupt a job."""
        if job in self._jobs:
            self._jobs[job].unwanted = True
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
        self._send(AskFacts())
        try:
            return await asyncio.wait_for(answer, FACTS_SECONDS)
        except TimeoutError:
            return {}

    async def ask_nodes(self, ids: list[str] | None) -> bytes:
        """What the nodes of its guests are now, these or all (see `guests.Asking`)."""
        await self._connected.wait()
        return await self._questions.ask(lambda number: AskGuests(number, ids))

    async def ask_check(self, id: str, given: Mapping[str, Any]) -> Any:
        """What a guest's node says of its literals (see `guests.Asking`)."""
        await self._connected.wait()
        encoded = msgspec.json.encode(given)
        answer = await self._questions.ask(lambda number: AskCheck(number, id, encoded))
        return msgspec.json.decode(answer)

    async def close(self) -> None:
        """End the process."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
            await self._bury()  # it may have been cancelled between a process and its connection

    async def _supervise(self) -> None:
        """Keep a process running; one that dies right away is given more and more time."""
        clock, pause = asyncio.get_running_loop().time, RESTART_SECONDS
        while True:
            began = clock()
            frames = await self._spawn()
            try:
                await frames.lost
            finally:
                await self._bury()
            log.error("the worker process died (%s); it is started again", self._exit_code())
            healthy = clock() - began > HEALTHY_SECONDS
            pause = RESTART_SECONDS if healthy else min(2 * pause, LONGEST_RESTART_SECONDS)
            await asyncio.sleep(pause)

    async def _spawn(self) -> Frames:
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
                lambda: Frames(self._take), sock=ours
            )
        except BaseException:
            ours.close()
            raise
        self._connected.set()
        for running in self._jobs.values():
            self._send(RunJob.of(running.job))
            if running.unwanted:
                self._send(CancelJob(running.job.id))
        return frames

    def _take(self, frame: Frame) -> None:
        match frame:
            case JobEvents():
                self._pass_on(frame.job, frame.events)
            case Facts():
                self._settle_facts(frame.facts)
            case LogLine():
                pass_on(frame)
            case Answer():
                self._questions.settle(frame)
            case _:
                log.error("a worker does not send %s", type(frame).__name__)

    async def _bury(self) -> None:
        """The process is gone, or must go: nobody may wait for it any more."""
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
            if running.unwanted:
                running.hear(Ended("interrupted", now_ms()))
            else:
                running.hear(Lost(f"the worker process died while it ran job {id}"))
        self._settle_facts({})
        self._questions.lose()

    def _pass_on(self, job: str, events: list[Event]) -> None:
        for event in events:
            running = self._jobs.get(job)
            if running is None:
                return
            if isinstance(event, Ended):
                del self._jobs[job]
            running.hear(event)

    def _settle_facts(self, facts: Mapping[str, Any]) -> None:
        for answer in self._facts:
            if not answer.done():
                answer.set_result(facts)
        self._facts.clear()

    def _exit_code(self) -> str:
        code = self._process.returncode if self._process is not None else None
        return f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"

    def _send(self, frame: Frame) -> None:
        if self._transport is not None:
            self._transport.write(encoded(frame))
