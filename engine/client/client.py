"""A client of the service: everything it can do, for programs with an event loop."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Mapping,
)
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from engine.authoring.protocols import File, FolderKind
from engine.client.errors import JobGone, Refused, Unreachable
from engine.client.updates import FEATURE_FLAGS, Hearing, Queued, Result, Update, read_result

T = TypeVar("T")

CHUNK = 1024 * 1024
RETRY_SECONDS = 0.5


class Client:
    """One service, by its address.

    Args:
        url: such as "http://127.0.0.1:8188".
        patience: seconds that `run` waits for a service that went away in mid-run to come back.
    """

    def __init__(self, url: str, *, patience: float = 60.0) -> None:
        self.url = url.rstrip("/")
        self._patience = patience
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def run(
        self,
        prompt: Mapping[str, Any],
        *,
        id: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> AsyncGenerator[Update, None]:
        """Submit a prompt and follow it to its end; the last update is the `Result`.

        When the connection breaks in mid-run, this connects again and gets the missed messages;
        only reports of progress may be lacking. The service's history is the truth: of a job that
        ended meanwhile it has the result. When cancelled while it submits, it raises once the
        service has answered: whoever gave an id can cancel the job then.

        Args:
            prompt: in API format.
            id: of the job; None for a new one.
            extra: extra_data, such as ``{"extra_pnginfo": {"workflow": ...}}``.

        Raises:
            Refused: the prompt cannot run.
            Unreachable: nothing answers, or not again within the client's patience.
            JobGone: somebody deleted the job.
        """
        job, sid = id or str(uuid.uuid4()), uuid.uuid4().hex
        hearing = Hearing(job)
        socket: ClientConnection | None = await self._connect(sid)
        try:
            await self._say(socket, FEATURE_FLAGS)
            await _to_its_end(self.submit(prompt, id=job, client_id=sid, extra=extra))
            yield Queued(job)
            while socket is not None:
                async for update in _updates(socket, hearing):
                    yield update
                await socket.close()
                socket = None
                if not hearing.over:
                    socket = await self._patiently(lambda: self._rejoin(sid, job, hearing))
        finally:
            if socket is not None:
                await socket.close()
        result = await self._patiently(lambda: self.result(job))
        if result is None:
            raise JobGone(f"{self.url} no longer knows the job {job}; somebody deleted it")
        yield result

    async def submit(
        self,
        prompt: Mapping[str, Any],
        *,
        id: str | None = None,
        client_id: str | None = None,
        extra: Mapping[str, Any] | None = None,
        front: bool = False,
    ) -> str:
        """Queue a prompt and return the id of its job.

        Raises:
            Refused: it cannot run; `body["node_errors"]` says why, node by node.
        """
        body = {
            "prompt": prompt,
            "prompt_id": id or str(uuid.uuid4()),
            "client_id": client_id or uuid.uuid4().hex,
            "extra_data": extra or {},
            "front": front,
        }
        answer = await self._post("/prompt", body)
        return answer["prompt_id"]

    async def convert(self, workflow: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """The prompt of a workflow as the editor saves it; the service knows the widgets.

        Raises:
            Refused: it cannot be read.
        """
        return await self._post("/workflow/convert", workflow)

    async def open_file(self, data: bytes) -> tuple[dict[str, Any], list[str]]:
        """The workflow that a file holds or describes, as the editor opens it.

        Returns:
            the workflow, and what of the file could not be taken over, in sentences.

        Raises:
            Refused: there is none.
        """
        kind = {"Content-Type": "application/octet-stream"}
        async with self._request("POST", "/workflow/open", data=data, headers=kind) as answer:
            found = msgspec.json.decode(await answer.read())
        return found["workflow"], found["notes"]

    async def result(self, job: str) -> Result | None:
        """How a job ended; None while it waits or runs, or when it is unknown."""
        entries = await self._get(f"/history/{quote(job, safe='')}")
        return read_result(job, entries[job]) if job in entries else None

    async def history(self, *, newest: int | None = None) -> dict[str, dict[str, Any]]:
        """Ended jobs, oldest first, as the service lists them; or only the newest ones."""
        return await self._get("/history" if newest is None else f"/history?max_items={newest}")

    async def queue(self) -> tuple[list[str], list[str]]:
        """Ids of the running and of the waiting jobs."""
        answer = await self._get("/queue")
        return (
            [item[1] for item in answer["queue_running"]],
            [item[1] for item in answer["queue_pending"]],
        )

    async def interrupt(self, job: str | None = None) -> None:
        """Stop one running job, or all."""
        await self._post("/interrupt", {} if job is None else {"prompt_id": job})

    async def cancel(self, job: str) -> None:
        """Take a job out of the queue, or stop it if it runs."""
        await self._post("/queue", {"delete": [job]})
        await self.interrupt(job)

    async def object_info(self) -> dict[str, dict[str, Any]]:
        """Every node of the service."""
        return await self._get("/object_info")

    async def system_stats(self) -> dict[str, Any]:
        """The service's versions, memory and devices."""
        return await self._get("/system_stats")

    async def view(self, file: File) -> bytes:
        """The bytes of a file that a job made."""
        async with self._request("GET", "/view", params=_query(file)) as answer:
            return await answer.read()

    async def save(self, result: Result, folder: Path) -> list[Path]:
        """Download every file of a result; a name that is taken gets a number."""
        return [await self._download(file, folder) for file in result.files]

    async def upload(
        self,
        path: Path,
        *,
        type: FolderKind = "input",
        subfolder: str = "",
        overwrite: bool = False,
    ) -> File:
        """Put a file into one of the service's folders; its name there may get a number."""
        with await asyncio.to_thread(path.open, "rb") as content:
            form = aiohttp.FormData(quote_fields=False)
            form.add_field("image", content, filename=path.name)
            form.add_field("type", type)
            form.add_field("subfolder", subfolder)
            form.add_field("overwrite", "true" if overwrite else "false")
            async with self._request("POST", "/upload/image", data=form) as answer:
                stored = msgspec.json.decode(await answer.read())
        return File(stored["name"], stored["subfolder"], stored["type"])

    async def _connect(self, sid: str, since: int | None = None) -> ClientConnection:
        """A WebSocket of client `sid`: for messages from now on, or after a given one."""
        address = "ws" + self.url.removeprefix("http") + f"/ws?clientId={sid}"
        address += "" if since is None else f"&since={since}"
        try:
            socket = await connect(address, max_size=None, compression=None, proxy=None)
            await socket.recv()
        except (OSError, TimeoutError, WebSocketException) as error:
            raise self._unreachable(error) from error
        return socket

    async def _rejoin(self, sid: str, job: str, hearing: Hearing) -> ClientConnection:
        """A new WebSocket after one broke; it gets the missed messages."""
        socket = await self._connect(sid, hearing.last)
        try:
            running, pending = await self.queue()
            hearing.gone = job not in running and job not in pending
            await self._say(socket, FEATURE_FLAGS)
        except BaseException:
            await socket.close()
            raise
        return socket

    async def _say(self, socket: ClientConnection, message: str) -> None:
        try:
            await socket.send(message)
        except WebSocketException as error:
            raise self._unreachable(error) from error

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask again while the service is away, until patience ends."""
        began = time.monotonic()
        while True:
            try:
                return await ask()
            except Unreachable:
                if time.monotonic() - began > self._patience:
                    raise
                await asyncio.sleep(RETRY_SECONDS)

    async def _download(self, file: File, folder: Path) -> Path:
        def free_place() -> Path:
            folder.mkdir(parents=True, exist_ok=True)
            name = Path(Path(file.filename).name)
            for number in count():
                path = folder / (f"{name.stem} ({number}){name.suffix}" if number else name)
                if not path.exists():
                    return path
            raise AssertionError("counting never ends")

        path = await asyncio.to_thread(free_place)
        async with self._request("GET", "/view", params=_query(file)) as answer:
            with await asyncio.to_thread(path.open, "wb") as made:
                async for chunk in answer.content.iter_chunked(CHUNK):
                    await asyncio.to_thread(made.write, chunk)
        return path

    async def _get(self, path: str) -> dict[str, Any]:
        async with self._request("GET", path) as answer:
            return msgspec.json.decode(await answer.read())

    async def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        async with self._request("POST", path, data=msgspec.json.encode(body)) as answer:
            data = await answer.read()
            return msgspec.json.decode(data) if data else {}

    @asynccontextmanager
    async def _request(
        self, method: str, path: str, **options: Any
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
            self._session = aiohttp.ClientSession(timeout=timeout)
        try:
            async with self._session.request(method, self.url + path, **options) as answer:
                if answer.status >= 400:
                    raise _refused(answer.status, await answer.read())
                yield answer
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> Unreachable:
        return Unreachable(f"{self.url} does not answer: {error}; is the service running?")


async def _updates(socket: ClientConnection, hearing: Hearing) -> AsyncIterator[Update]:
    """The messages until the job is over or the connection breaks."""
    try:
        async for frame in socket:
            for update in hearing.read(frame):
                yield update
            if hearing.over:
                return
    except ConnectionClosed:
        return


async def _to_its_end(request: Coroutine[Any, Any, object]) -> None:
    """A request that is not broken off when its caller is cancelled."""
    sent = asyncio.create_task(request)
    try:
        await asyncio.shield(sent)
    except asyncio.CancelledError:
        with suppress(Refused, Unreachable):
            await sent
        raise


def _query(file: File) -> dict[str, str]:
    return {"filename": file.filename, "subfolder": file.subfolder, "type": file.type}


def _refused(status: int, data: bytes) -> Refused:
    try:
        body = msgspec.json.decode(data, type=dict[str, Any])
        error = body["error"]
        text = error["message"]
        if error["details"] and error["details"] != text:
            text += f" {error['details']}"
    except (msgspec.DecodeError, KeyError, TypeError):
        return Refused(status, {}, f"the service answered {status}")
    return Refused(status, body, text)
