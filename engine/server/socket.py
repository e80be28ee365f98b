"""/ws: who listens, and what each of them hears.

Every message is queued for each socket, and a socket is written to only when its client has read
what came before, so that one that reads slowly delays nobody. Only the client that submitted a
job hears of it.
"""

from __future__ import annotations

import asyncio
import logging
import struct
import uuid
from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Any

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from engine.run.engine import Engine
from engine.run.events import Ended, Event, NodePreview
from engine.run.scheduler import QueueChanged
from engine.server import wire
from engine.server.bodies import BadInput
from engine.server.story import Message, Story
from engine.store.history import Job

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 30
LONGEST_MESSAGE = 64 * 1024
LONGEST_SID = 200
SLOW_AFTER = 256
GONE_AFTER = 4096
LAG_SECONDS = 0.005
FINAL, TEXT, BINARY = 0x80, 0x1, 0x2


class Socket:
    """One client's connection: frames go out in order, at the client's own pace.

    What is queued in one turn of the event loop goes out in one write: a system call for each
    message would cost more than all the rest of a small job.
    """

    def __init__(self, request: web.Request, ws: web.WebSocketResponse) -> None:
        self.wants_metadata = False
        self._request = request
        self._ws = ws
        self._outbox: deque[tuple[bytes, bool]] = deque()
        self._loop = asyncio.get_running_loop()
        self._flushing = False

    def push(self, frame: bytes, *, passing: bool = False) -> None:
        """Queue a frame as `framed` makes it.

        When the client lags, `passing` frames that still wait are dropped, since later ones say
        more; when even that does not help, it is cut off: it can connect again and read the
        history.
        """
        if passing and len(self._outbox) >= SLOW_AFTER:
            self._outbox = deque(item for item in self._outbox if not item[1])
        if len(self._outbox) >= GONE_AFTER:
            self.abort()
            return
        self._outbox.append((frame, passing))
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Write what is queued, once the client has taken what was written before."""
        transport = self._request.transport
        if transport is None or transport.is_closing() or self._ws.closed:
            return
        if transport.get_write_buffer_size():
            self._loop.call_later(LAG_SECONDS, self._flush)
            return
        transport.write(b"".join(frame for frame, _ in self._outbox))
        self._outbox.clear()
        self._flushing = False

    def abort(self) -> None:
        """Cut the connection at once."""
        log.info("a WebSocket client reads too slowly and is cut off")
        self._outbox.clear()
        if self._request.transport is not None:
            self._request.transport.abort()

    async def close(self) -> None:
        """Say goodbye."""
        self._flush()
        await self._ws.close(code=WSCloseCode.GOING_AWAY, message=b"the service stops")


class Sockets:
    """All connections by client id, fed by the engine's events."""

    def __init__(self, engine: Engine, features: dict[str, Any]) -> None:
        self._engine = engine
        self._features = framed(TEXT, wire.message("feature_flags", features))
        self._by_sid: dict[str, set[Socket]] = defaultdict(set)
        self._stories: dict[str, Story] = {}
        self._over: list[Job] = []
        self._deafen = engine.listen(self._hear)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Handle GET /ws?clientId=ID until the client goes away."""
        sid = request.query.get("clientId") or uuid.uuid4().hex
        if len(sid) > LONGEST_SID:
            raise BadInput("invalid_clientId", f"clientId has over {LONGEST_SID} characters.")
        ws = web.WebSocketResponse(
            heartbeat=HEARTBEAT_SECONDS, compress=False, max_msg_size=LONGEST_MESSAGE
        )
        await ws.prepare(request)
        socket = Socket(request, ws)
        self._welcome(socket, sid)
        try:
            async for received in ws:
                if received.type is WSMsgType.TEXT:
                    self._receive(socket, received.data)
        finally:
            self._leave(socket, sid)
        return ws

    async def close(self) -> None:
        """Stop listening and close every connection."""
        self._deafen()
        everyone = [socket for sockets in self._by_sid.values() for socket in sockets]
        await asyncio.gather(*(socket.close() for socket in everyone))

    def listens(self, sid: str) -> bool:
        """Whether a client of this id is connected."""
        return sid in self._by_sid

    def tell(self, sid: str, message: Message) -> None:
        """Send a message to one client, wherever it is connected."""
        _push(self._by_sid.get(sid, ()), message)

    def _welcome(self, socket: Socket, sid: str) -> None:
        self._by_sid[sid].add(socket)
        _push([socket], wire.status(self._engine.remaining(), sid))
        for story in self._stories.values():
            if story.job.client_id == sid:
                for message in story.recap():
                    _push([socket], message)

    def _leave(self, socket: Socket, sid: str) -> None:
        self._by_sid[sid].discard(socket)
        if not self._by_sid[sid]:
            del self._by_sid[sid]

    def _receive(self, socket: Socket, text: str) -> None:
        """Answer feature_flags; everything else that clients say is ignored."""
        try:
            said = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return
        match said:
            case {"type": "feature_flags", "data": {**wanted}}:
                socket.wants_metadata = wanted.get("supports_preview_metadata") is True
                socket.push(self._features)
            case _:
                pass

    def _hear(self, job: Job | None, event: Event | QueueChanged) -> None:
        if isinstance(event, QueueChanged):
            self._tell_queue(event.remaining)
        elif job is not None:
            self._tell_job(job, event)

    def _tell_queue(self, remaining: int) -> None:
        everyone = [socket for sockets in self._by_sid.values() for socket in sockets]
        _push(everyone, wire.status(remaining))
        for job in self._over:
            _push(self._listeners(job), wire.executing(job.id, None))
        self._over.clear()

    def _tell_job(self, job: Job, event: Event) -> None:
        listeners = self._listeners(job)
        if isinstance(event, NodePreview):
            _push_preview(listeners, job, event)
            return
        story = self._stories.setdefault(job.id, Story(job))
        for message in story.tell(event):
            _push(listeners, message)
        if isinstance(event, Ended):
            del self._stories[job.id]
            self._over.append(job)

    def _listeners(self, job: Job) -> Iterable[Socket]:
        return self._by_sid.get(job.client_id, ()) if job.client_id is not None else ()


def _push(sockets: Iterable[Socket], message: Message) -> None:
    if not sockets:
        return
    type, data = message
    frame = framed(TEXT, wire.message(type, data))
    for socket in sockets:
        socket.push(frame, passing=type in wire.PASSING)


def _push_preview(sockets: Iterable[Socket], job: Job, event: NodePreview) -> None:
    for socket in sockets:
        if socket.wants_metadata:
            frame = wire.preview_with_metadata(job.id, event.node, event.picture)
        else:
            frame = wire.preview(event.picture)
        socket.push(framed(BINARY, frame), passing=True)


def framed(opcode: int, payload: bytes) -> bytes:
    """A whole message as a server sends it: one frame, not masked (RFC 6455, section 5.2)."""
    length = len(payload)
    if length < 126:  # this limit, 126 and 127 are the RFC's
        return struct.pack(">BB", FINAL | opcode, length) + payload
    if length < 2**16:
        return struct.pack(">BBH", FINAL | opcode, 126, length) + payload
    return struct.pack(">BBQ", FINAL | opcode, 127, length) + payload
