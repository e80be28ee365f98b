"""Faults that a long run of jobs meets: each is put in, is seen to strike, and is taken away."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from benchmarks.kill_jobs import node

if TYPE_CHECKING:
    from benchmarks.soak import Soak

Fault: TypeAlias = Callable[["Soak"], AbstractAsyncContextManager[None]]
LOOK_SECONDS = 0.01


@asynccontextmanager
async def no_process_starts(soak: Soak) -> AsyncGenerator[None]:
    """The worker dies, and no other can be spawned, as on a machine that has no handles left."""
    pid = soak.service.process.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    await soak.until("/system_stats", lambda stats: stats["worker"]["state"] == "ready")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, hard))
    try:
        await kill_worker(soak)
        await soak.until("/system_stats", lambda stats: stats["worker"]["failed_starts"])
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
    yield


async def kill_worker(soak: Soak) -> None:
    """As `kill -9` does."""
    while (pid := soak.service.worker_pid) is None:  # noqa: ASYNC110 - it happens elsewhere
        await asyncio.sleep(LOOK_SECONDS)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@asynccontextmanager
async def full_disk(soak: Soak) -> AsyncGenerator[None]:
    """Neither the service nor its worker can write to a file beyond its first byte."""
    marker = soak.home / f"room {soak.number()}"
    held = {await soak.submit(prompt_held(soak, marker)) for _ in range(2)}
    await soak.until("/queue", lambda queue: held <= {item[1] for item in queue["queue_running"]})
    await soak.until("/system_stats", lambda stats: stats["worker"]["state"] == "ready")
    pids = [pid for pid in (soak.service.process.pid, soak.service.worker_pid) if pid is not None]
    limits = [resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids]
    for pid, (_, hard) in zip(pids, limits, strict=True):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
    try:
        marker.touch()
        status = await soak.call("/prompt", {"prompt": prompt_held(soak, marker)})
        assert status == 507, f"a prompt on a full disk is answered with {status}"
        await soak.until("/system_stats", lambda stats: stats["store"]["unwritten_jobs"])
    finally:
        for pid, limit in zip(pids, limits, strict=True):
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)
    await soak.until("/system_stats", lambda stats: not stats["store"]["unwritten_jobs"])
    marker.unlink()
    yield


def prompt_held(soak: Soak, marker: Path) -> dict[str, Any]:
    """A prompt that runs until a file is there."""
    return {
        "1": node("Held", value=soak.number(), until=str(marker)),
        "2": node("Show", value=["1", 0], log=""),
    }


@asynccontextmanager
async def hung_node(soak: Soak) -> AsyncGenerator[None]:
    """A node that never returns is interrupted, beside other jobs; the worker is replaced."""
    log = soak.home / f"hung {soak.number()}"
    hung = node("Hangs", value=soak.number(), how="sleep", marker="/nowhere", log=str(log))
    shown = node("Show", value=["1", 0], log="")
    id = await soak.submit({"1": hung, "2": shown}, may_fail=True)
    while not log.exists():  # noqa: ASYNC110 - it happens elsewhere
        await asyncio.sleep(LOOK_SECONDS)
    log.unlink()
    pid = soak.service.worker_pid
    yield
    await soak.call("/interrupt", {"prompt_id": id})
    while soak.service.worker_pid in (None, pid):  # noqa: ASYNC110 - it happens elsewhere
        await asyncio.sleep(LOOK_SECONDS)


@asynccontextmanager
async def slow_client(soak: Soak) -> AsyncGenerator[None]:
    """The client of all jobs opens a WebSocket and reads nothing of what comes."""
    host, port = soak.service.url.removeprefix("http://").split(":")
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await asyncio.to_thread(connection.connect, (host, int(port)))
        connection.sendall(
            f"GET /ws?clientId={soak.client} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        yield


FAULTS: Mapping[str, Fault] = {
    "no process starts": no_process_starts,
    "the disk is full": full_disk,
    "a node hangs": hung_node,
    "a client does not read": slow_client,
}
