"""The worker process: ``python -m engine.run.child FD SETTINGS``, a LocalWorker behind a socket.

It ends when the other end of the socket closes, so it never outlives its server.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from engine.authoring.registry import Registry
from engine.devices.malloc import keep_freed
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
)
from engine.run.guests import LoadedGuests, checked, load, told
from engine.run.local import LocalWorker
from engine.run.reading import Reading
from engine.run.relay import Relay
from engine.run.settings import Settings
from engine.store.folders import Folders

log = logging.getLogger(__name__)

FREED_BYTES, LARGE_BYTES = 128 * 2**20, 32 * 2**20


class Child:
    """Serves one parent until it goes away.

    The thread that reads what the parent sends begins jobs, and runs small ones whole, so that
    they never wait for a turn of the event loop; everything else is done in the loop.
    """

    def __init__(
        self, worker: LocalWorker, send: Callable[[Frame], None], guests: LoadedGuests | None
    ) -> None:
        self._worker = worker
        self._send = send
        self._guests = guests

    async def serve(self, frames: BinaryIO) -> None:
        """Do what the frames say."""
        logging.getLogger().addHandler(Relay(self._send))
        await self._worker.start()
        loop = asyncio.get_running_loop()

        def take(frame: Frame, at_leisure: bool) -> None:
            if isinstance(frame, RunJob):
                job = frame.decoded()
                self._worker.begin(job, partial(self._tell, job.id), runs_quick=at_leisure)
            else:
                asyncio.run_coroutine_threadsafe(self._do(frame), loop)

        await Reading(frames, take, self._worker.flush).serve()

    async def _do(self, frame: Frame) -> None:
        match frame:
            case CancelJob():
                await self._worker.cancel(frame.job)
            case Free():
                await self._worker.free(
                    unload_models=frame.unload_models, free_memory=frame.free_memory
                )
            case AskFacts():
                self._send(Facts(dict[str, Any](await self._worker.facts())))
            case AskGuests():
                await self._answer(frame.ask, self._told(frame.ids))
            case AskCheck():
                await self._answer(frame.ask, self._checked(frame))
            case _:
                log.error("a server does not send %s", type(frame).__name__)

    async def _answer(self, ask: int, body: Awaitable[bytes]) -> None:
        try:
            self._send(Answer(ask, await body))
        except Exception as error:
            log.warning("a guest's node fails when it is asked", exc_info=True)
            self._send(Answer(ask, b"", f"{type(error).__name__}: {error}"))

    async def _told(self, ids: list[str] | None) -> bytes:
        if self._guests is None:
            raise LookupError("this worker has no guests")
        await self._guests.renew(ids)
        return told(self._guests, ids)

    async def _checked(self, frame: AskCheck) -> bytes:
        if self._guests is None:
            raise LookupError("this worker has no guests")
        return await checked(self._guests, frame.node, msgspec.json.decode(frame.given))

    def _tell(self, job: str, events: list[Event]) -> None:
        try:
            self._send(JobEvents(job, events))
        except Exception:
            log.exception("events of job %s are lost, they hold what cannot be sent", job)
            self._send(JobEvents(job, [event for event in events if isinstance(event, Ended)]))


class Sender:
    """Sends frames from any thread; one that has to wait for the server stops its thread alone."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def __call__(self, frame: Frame) -> None:
        """Send a frame; into the void if the server is gone."""
        data = encoded(frame)
        with self._lock, suppress(ConnectionError):
            self._connection.sendall(data)


async def main(descriptor: int, settings: Settings) -> None:
    """Serve the parent at the other end of a socket."""
    connection = socket.socket(fileno=descriptor)
    registry = Registry.installed(settings.packs)
    placed = {name: Path(path) for name, path in settings.placed.items()}
    folders = Folders(Path(settings.home), registry.bundled, placed, settings.models)
    send = Sender(connection)
    guests = None if settings.guests is None else load(settings.guests, registry, folders)
    worker = LocalWorker(registry, folders, keeping=settings.keeping)
    try:
        await Child(worker, send, guests).serve(connection.makefile("rb"))
    except Exception:
        log.exception("the worker stops")
        os._exit(1)
    os._exit(0)  # at once: lanes may sit in a long native call


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server; it closes the socket
    os.dup2(2, 1)  # what packs print is log; standard output is the server's
    given = msgspec.json.decode(sys.argv[2], type=Settings)
    logging.basicConfig(level=given.log_level, format="%(asctime)s worker %(name)s: %(message)s")
    keep_freed(FREED_BYTES, LARGE_BYTES)
    asyncio.run(main(int(sys.argv[1]), given))
