"""The worker process: ``python -m engine.run.child FD SETTINGS``, a LocalWorker behind a socket.

It ends when the other end of the socket closes, so it never outlives its server.
"""

from __future__ import annotations

import asyncio
import ctypes
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
from engine.devices.malloc import tune_allocator
from engine.run.events import Event, JobFinished
from engine.run.frame_reader import FrameReader
from engine.run.frames import (
    CancelJob,
    FactsRequest,
    FactsResponse,
    Frame,
    Free,
    JobEvents,
    NodeHeld,
    NodesRequest,
    Ping,
    Pong,
    Ready,
    Response,
    RunJob,
    ValidateRequest,
    encode_frame,
)
from engine.run.local import LocalWorker
from engine.run.log_forwarding import LogForwarder
from engine.run.remote_nodes import LoadedCustomNodes, encode_descriptions, encode_verdict, load
from engine.run.worker_settings import WorkerSettings
from engine.store.folders import Folders

log = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1
FREED_BYTES, LARGE_BYTES = 128 * 2**20, 32 * 2**20


class Child:
    """Serves the parent process until it goes away.

    The thread that reads the frames begins jobs, and runs small ones to the end, so that they
    never wait for the event loop; all other frames are handled in the loop.
    """

    def __init__(
        self,
        worker: LocalWorker,
        send: Callable[[Frame], None],
        custom_nodes: LoadedCustomNodes | None,
    ) -> None:
        self._worker = worker
        self._send = send
        self._custom_nodes = custom_nodes

    async def serve(self, frames: BinaryIO) -> None:
        """Handle the frames until the connection ends."""
        logging.getLogger().addHandler(LogForwarder(self._send))
        await self._worker.start()
        loop = asyncio.get_running_loop()

        def take(frame: Frame, at_leisure: bool) -> None:
            if isinstance(frame, RunJob):
                job = frame.to_job()
                self._worker.begin(job, partial(self._emit, job.id), run_inline=at_leisure)
            else:
                asyncio.run_coroutine_threadsafe(self._handle(frame), loop)

        reading = asyncio.create_task(FrameReader(frames, take, self._worker.flush).serve())
        announcing = asyncio.create_task(self._announce())
        await asyncio.wait({reading, announcing}, return_when=asyncio.FIRST_COMPLETED)
        if announcing.done():
            await announcing
        await reading

    async def _announce(self) -> None:
        """Report that jobs may come."""
        await self._worker.wait_until_ready()
        self._send(Ready())

    async def _handle(self, frame: Frame) -> None:
        match frame:
            case CancelJob():
                self._worker.cancel(frame.job)
            case Ping():
                self._send(Pong())
            case Free():
                await self._worker.free(
                    unload_models=frame.unload_models, free_memory=frame.free_memory
                )
            case FactsRequest():
                self._send(FactsResponse(dict[str, Any](await self._worker.facts())))
            case NodesRequest():
                await self._respond(frame.request_id, self._describe_nodes(frame.ids))
            case ValidateRequest():
                await self._respond(frame.request_id, self._validate(frame))
            case _:
                log.error("a server does not send %s", type(frame).__name__)

    async def _respond(self, request_id: int, body: Awaitable[bytes]) -> None:
        try:
            self._send(Response(request_id, await body))
        except Exception as error:
            log.warning("a custom node failed to answer a request", exc_info=True)
            self._send(Response(request_id, b"", f"{type(error).__name__}: {error}"))

    async def _describe_nodes(self, ids: list[str] | None) -> bytes:
        if self._custom_nodes is None:
            raise LookupError("this worker has no custom nodes")
        await self._custom_nodes.refresh(ids)
        return encode_descriptions(self._custom_nodes, ids)

    async def _validate(self, frame: ValidateRequest) -> bytes:
        if self._custom_nodes is None:
            raise LookupError("this worker has no custom nodes")
        return await encode_verdict(
            self._custom_nodes, frame.node, msgspec.json.decode(frame.literals)
        )

    def _emit(self, job: str, events: list[Event]) -> None:
        try:
            self._send(JobEvents(job, events))
        except Exception:
            log.exception("events of job %s are lost, they hold what cannot be sent", job)
            self._send(
                JobEvents(job, [event for event in events if isinstance(event, JobFinished)])
            )


class Sender:
    """Sends frames from any thread; while the server reads slowly, senders wait for each other."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def __call__(self, frame: Frame) -> None:
        """Send a frame; dropped if the server is gone."""
        data = encode_frame(frame)
        with self._lock, suppress(ConnectionError):
            self._connection.sendall(data)


async def main(descriptor: int, settings: WorkerSettings) -> None:
    """Serve the parent at the other end of a socket."""
    connection = socket.socket(fileno=descriptor)
    registry = Registry.installed(settings.packs)
    overrides = {name: Path(path) for name, path in settings.folder_overrides.items()}
    folders = Folders(Path(settings.home), registry.bundled, overrides, settings.models)
    send = Sender(connection)
    custom_nodes = (
        None if settings.custom_nodes is None else load(settings.custom_nodes, registry, folders)
    )
    worker = LocalWorker(
        registry,
        folders,
        cache_policy=settings.cache_policy,
        preload=settings.preload,
        grace_seconds=settings.timing.grace,
        on_held=lambda job: send(NodeHeld(job)),
    )
    try:
        await Child(worker, send, custom_nodes).serve(connection.makefile("rb"))
    except Exception:
        log.exception("the worker stops")
        os._exit(1)
    os._exit(0)  # at once: lanes may sit in a long native call


def die_with_parent() -> None:
    """Let the system kill this process when its parent ends, where it can.

    A native call that holds the interpreter keeps it from seeing the end of the connection.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server; it closes the socket
    os.dup2(2, 1)  # what packs print is log; standard output is the server's
    given = msgspec.json.decode(sys.argv[2], type=WorkerSettings)
    logging.basicConfig(level=given.log_level, format="%(asctime)s worker %(name)s: %(message)s")
    tune_allocator(FREED_BYTES, LARGE_BYTES)
    asyncio.run(main(int(sys.argv[1]), given))
