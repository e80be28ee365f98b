"""A cable to a service that can be cut: bytes go to and fro until then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class Cable:
    """Connections to one service, as they pass through here."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._open: set[asyncio.StreamWriter] = set()
        self._plugged = asyncio.Event()
        self._plugged.set()
        self._server: asyncio.Server | None = None

    async def lay(self) -> str:
        """Begin; the address of the end that is here."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        """Break every connection in the middle of whatever it says; new ones have to wait."""
        self._plugged.clear()
        for writer in self._open:
            writer.transport.abort()

    def mend(self) -> None:
        """Let new connections through."""
        self._plugged.set()

    def take_away(self) -> None:
        """Break every connection; nobody is here for new ones."""
        self.mend()
        self.cut()
        if self._server is not None:
            self._server.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from here to the service and back."""
        await self._plugged.wait()
        host, port = self._target.hostname, self._target.port
        there_reader, there_writer = await asyncio.open_connection(host, port)
        both = {writer, there_writer}
        self._open |= both
        await asyncio.gather(self._pass(reader, there_writer), self._pass(there_reader, writer))
        self._open -= both

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def cable(url: str) -> AsyncGenerator[tuple[Cable, str]]:
    """A cable to a service, and the address of its end here."""
    made = Cable(url)
    address = await made.lay()
    try:
        yield made, address
    finally:
        made.take_away()
