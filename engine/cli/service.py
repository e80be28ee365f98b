"""The service of a home: the one that runs already, or one for the time of a block."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from engine.authoring.errors import SoundstageError
from engine.cli.serve import ADDRESS_FILE, READY
from engine.client import Client, ClientError

PROBE_SECONDS = 3.0
STOP_SECONDS = 15.0
KEPT_LINES = 20


@asynccontextmanager
async def service(home: Path) -> AsyncGenerator[str]:
    """Address of the home's service; one that had to be started is stopped at the end.

    Raises:
        SoundstageError: it did not start; the text says why.
    """
    running = await _running(home)
    if running is not None:
        yield running
        return
    process = await asyncio.create_subprocess_exec(
        # Its one job is here at once, and may need no slow library.
        *(sys.executable, "-P", "-m", "engine.cli", "serve", "--attached", "--no-preload"),
        *("--home", str(home), "--port", "0"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for this process, which then stops that one
    )
    log: deque[str] = deque(maxlen=KEPT_LINES)
    assert process.stdout is not None, "asked for by PIPE"
    assert process.stderr is not None, "asked for by PIPE"
    reading = asyncio.create_task(_keep(process.stderr, log))
    try:
        ready = (await process.stdout.readline()).decode()
        if not ready.startswith(READY):
            await process.wait()
            await reading
            raise SoundstageError("\n".join(log) or "the service did not start")
        yield ready.removeprefix(READY).split()[0]
    finally:
        await _stop(process)
        await reading


async def _running(home: Path) -> str | None:
    try:
        url = (home / ADDRESS_FILE).read_text().strip()
    except OSError:
        return None
    with suppress(ClientError, TimeoutError):
        async with Client(url) as client:
            await asyncio.wait_for(client.system_stats(), PROBE_SECONDS)
            return url
    return None


async def _keep(stream: asyncio.StreamReader, lines: deque[str]) -> None:
    while line := await stream.readline():
        lines.append(line.decode(errors="replace").rstrip())


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
