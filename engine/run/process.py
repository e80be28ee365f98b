"""A worker in a process of its own: what it does to itself, the server survives."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import msgspec

from engine.authoring.errors import WorkerLost
from engine.run.child import Settings
from engine.run.events import Ended, Event
from engine.run.frames import (
    Answer,
    AskCheck,
    AskFacts,
    AskGuests,
    CancelJob,
    Facts,
    Frame,
    Free,
    JobEvents,
    RunJob,
    encoded,
    read_frame,
)
from engine.run.questions import Questions
from engine.store.history import Job

log = logging.getLogger(__name__)

# OpenMP threads that spin while they wait take the cores from the other lanes: 20 steps of the
# built-in picture model then take several times as long on busy cores.
WORKER_ENVIRONMENT = {"OMP_WAIT_POLICY": "passive"}
FACTS_SECONDS = 2.0
RESTART_SECONDS = 0.2
LONGEST_RESTART_SECONDS = 30.0
HEALTHY_SECONDS = 10.0


class ProcessWorker:
    """Starts the worker process and starts it again whenever it dies.

    Args:
        settings: what the process is started with.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._jobs: dict[str, asyncio.Queue[Event | None]] = {}
        self._unwanted: set[str] = set()  # interrupted before they were sent
        self._facts: list[asyncio.Future[Mapping[str, Any]]] = []
        self._writer: asyncio.StreamWriter | None = None
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

    async def run(self, job: Job) -> AsyncGenerator[Event, None]:
        """Run a job; yields its events."""
        await self._connected.wait()
        events = self._jobs[job.id] = asyncio.Queue[Event | None]()
        self._send(RunJob.of(job))
        if job.id in self._unwanted:
            self._unwanted.remove(job.id)
            self._send(CancelJob(job.id))
        try:
            while True:
                event = await events.get()
                if event is None:
                    raise WorkerLost(f"the worker process died while it ran job {job.id}")
                yield event
                if isinstance(event, Ended):
                    return
        finally:
            self._jobs.pop(job.id, None)

    async def cancel(self, job: str) -> None:
        """Interrupt a job."""
        if job in self._jobs:
            self._send(CancelJob(job))
        else:
            self._unwanted.add(job)

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

    async def _supervise(self) -> None:
        """Keep a process running; one that dies right away is given more and more time."""
        clock, pause = asyncio.get_running_loop().time, RESTART_SECONDS
        while True:
            began = clock()
            reader = await self._spawn()
            try:
                await self._receive(reader)
            finally:
                await self._bury()
            log.error("the worker process died (%s); it is started again", self._exit_code())
            healthy = clock() - began > HEALTHY_SECONDS
            pause = RESTART_SECONDS if healthy else min(2 * pause, LONGEST_RESTART_SECONDS)
            await asyncio.sleep(pause)

    async def _spawn(self) -> asyncio.StreamReader:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "engine.run.child",
                str(theirs.fileno()),
                msgspec.json.encode(self._settings).decode(),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                env={**WORKER_ENVIRONMENT, **os.environ},
            )
        reader, self._writer = await asyncio.open_connection(sock=ours, limit=2**30)
        self._connected.set()
        return reader

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        while True:
            try:
                frame = await read_frame(reader)
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            except msgspec.MsgspecError:
                log.exception("the worker process sends what cannot be read")
                return
            match frame:
                case JobEvents():
                    events = self._jobs.get(frame.job)
                    if events is not None:
                        for event in frame.events:
                            events.put_nowait(event)
                case Facts():
                    self._settle_facts(frame.facts)
                case Answer():
                    self._questions.settle(frame)
                case _:
                    log.error("a worker does not send %s", type(frame).__name__)

    async def _bury(self) -> None:
        """The process is gone, or must go: nobody may wait for it any more."""
        self._connected.clear()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        if self._process is not None:
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()
        for events in self._jobs.values():
            events.put_nowait(None)
        self._settle_facts({})
        self._questions.lose()

    def _settle_facts(self, facts: Mapping[str, Any]) -> None:
        for answer in self._facts:
            if not answer.done():
                answer.set_result(facts)
        self._facts.clear()

    def _exit_code(self) -> str:
        code = self._process.returncode if self._process is not None else None
        return f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"

    def _send(self, frame: Frame) -> None:
        if self._writer is not None:
            self._writer.write(encoded(frame))
