"""One worker process, from its spawn to its exit.

It imports what is installed, or is on PYTHONPATH, and nothing of the folder that it is started in
(`-P`): people start the service in a checkout of another program, which has a `nodes.py`, too.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress

import msgspec

from engine.run.frames import Frame, FrameProtocol, encode_frame
from engine.run.worker_settings import WorkerSettings

log = logging.getLogger(__name__)

# OpenMP threads that spin while they wait take the cores from the other lanes: 20 steps of the
# built-in picture model then take several times as long on busy cores.
WORKER_ENVIRONMENT = {"OMP_WAIT_POLICY": "passive"}
EXIT_SECONDS = 10.0
REST_SECONDS = 1.0


class WorkerProcess:
    """A child process with a connection to it. Made by `WorkerProcess.spawn`."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        transport: asyncio.Transport,
        frames: FrameProtocol,
    ) -> None:
        self._process = process
        self._transport = transport
        self._frames = frames
        self._gone = asyncio.ensure_future(self._wait())

    @classmethod
    async def spawn(
        cls, settings: WorkerSettings, on_frame: Callable[[Frame], None]
    ) -> WorkerProcess:
        """Start a process; `on_frame` receives its frames.

        Raises:
            OSError: the system starts no process now.
        """
        ours, theirs = socket.socketpair()
        process: asyncio.subprocess.Process | None = None
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-P", "-m", "engine.run.child"),
                    str(theirs.fileno()),
                    msgspec.json.encode(settings).decode(),
                    pass_fds=[theirs.fileno()],
                    stdin=asyncio.subprocess.DEVNULL,
                    env={**WORKER_ENVIRONMENT, **os.environ},
                )
            transport, frames = await asyncio.get_running_loop().create_connection(
                lambda: FrameProtocol(on_frame), sock=ours
            )
        except BaseException:
            ours.close()
            if process is not None:
                process.kill()
                await process.wait()
            raise
        return cls(process, transport, frames)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def send(self, frame: Frame) -> None:
        """Send a frame; dropped if the process is gone."""
        self._transport.write(encode_frame(frame))

    def kill(self) -> None:
        """End it; frames that it sent before are still received."""
        if self._process.returncode is None:
            # Popen.kill() polls first, and may take the exit status from asyncio's waiting thread.
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    async def wait(self, seconds: float) -> bool:
        """Wait until it is gone and its last frame is handled, or so long; whether it is gone."""
        await asyncio.wait({self._gone}, timeout=seconds)
        return self._gone.done()

    async def close(self) -> None:
        """Kill it if it lives, and wait until it is gone."""
        self.kill()
        if not await self.wait(EXIT_SECONDS):
            # It sits in the kernel, in a driver or on a dead disk. A new one must not wait for it.
            log.error("the worker process %d cannot be killed; it is left alone", self.pid)
            self._gone.cancel()
        self._transport.close()

    async def _wait(self) -> None:
        exited = asyncio.ensure_future(self._process.wait())
        try:
            await asyncio.wait({exited, self._frames.lost}, return_when=asyncio.FIRST_COMPLETED)
            if not exited.done():
                self.kill()  # it closed the connection, or sent what is no frame
                await exited
            # A program that a node started may hold the connection open for ever.
            await asyncio.wait({self._frames.lost}, timeout=REST_SECONDS)
        finally:
            exited.cancel()

    @property
    def exit_text(self) -> str:
        """How it ended."""
        code = self._process.returncode
        return f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"
