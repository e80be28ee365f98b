"""/ws: the WebSocket clients, and the messages that each of them gets.

Only the client that submitted a job gets its messages. Messages that no later one outdates are
numbered; a client that reconnects with ``?since=NUMBER`` gets those after that number again.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from engine.run.engine import Engine
from engine.run.events import Event, JobFinished, NodePreview, NodeSound, NodeText
from engine.run.scheduler import QueueChanged
from engine.server import wire
from engine.server.job_events import JobEventTranslator, Message
from engine.server.replay import ReplayBuffer
from engine.server.request_parsing import BadInput, whole
from engine.server.socket import ClientSocket
from engine.server.status_broadcaster import StatusBroadcaster
from engine.server.ws_frames import BINARY, TEXT, encode_ws_frame
from engine.store.history import Job

HEARTBEAT_SECONDS = 30.0
LONGEST_MESSAGE = 64 * 1024
LONGEST_SID = 200


class Sockets:
    """All connections by client id, fed by the engine's events.

    Args:
        engine: its events are sent.
        features: sent to a client that asks for them.
        heartbeat: seconds of silence after which a client is asked whether it is there; one that
            does not answer within half of that is cut off.
    """

    def __init__(
        self, engine: Engine, features: dict[str, Any], heartbeat: float = HEARTBEAT_SECONDS
    ) -> None:
        self._engine = engine
        self._heartbeat = heartbeat
        self._features = encode_ws_frame(TEXT, wire.message("feature_flags", features))
        self._by_sid: dict[str, set[ClientSocket]] = defaultdict(set)
        self._status = StatusBroadcaster(self._everyone, lambda: engine.worker_status().paused)
        self._replay = ReplayBuffer()
        self._translators: dict[str, JobEventTranslator] = {}
        self._over: list[Job] = []
        self._remove_listener = engine.add_listener(self._on_event)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Handle GET /ws?clientId=ID&since=NUMBER until the client goes away."""
        sid = request.query.get("clientId") or uuid.uuid4().hex
        if len(sid) > LONGEST_SID:
            raise BadInput("invalid_clientId", f"clientId has over {LONGEST_SID} characters.")
        since = _since(request)
        ws = web.WebSocketResponse(
            heartbeat=self._heartbeat, compress=False, max_msg_size=LONGEST_MESSAGE
        )
        await ws.prepare(request)
        socket = ClientSocket(request, ws)
        self._connect(socket, sid, since)
        try:
            async for received in ws:
                if received.type is WSMsgType.TEXT:
                    self._receive(socket, sid, received.data)
        finally:
            self._disconnect(socket, sid)
        if isinstance(ws.exception(), TimeoutError):
            socket.abort("does not answer")  # else it would stay as long as it has not read all
        return ws

    async def close(self) -> None:
        """Remove the listener and close every connection."""
        self._remove_listener()
        await asyncio.gather(*(socket.close() for socket in [*self._everyone()]))

    def is_connected(self, sid: str) -> bool:
        """Whether a client of this id is connected."""
        return sid in self._by_sid

    def send(self, sid: str, message: Message) -> None:
        """Send a message to one client, wherever it is connected."""
        _push(self._by_sid.get(sid, ()), message)

    def _everyone(self) -> Iterable[ClientSocket]:
        return (socket for sockets in self._by_sid.values() for socket in sockets)

    def _connect(self, socket: ClientSocket, sid: str, since: int | None) -> None:
        self._by_sid[sid].add(socket)
        self._status.add(socket)
        self._replay.connect(sid)
        paused = self._engine.worker_status().paused
        _push([socket], wire.status(self._engine.remaining(), sid, paused))
        if since is not None:
            frames, complete = self._replay.since(sid, since)
            for frame in frames:
                socket.push(frame)
            _push([socket], wire.replayed(since, complete))
        for translator in self._stories_of(sid):
            for message in translator.snapshot():
                self._push_of(translator.job, [socket], message)

    def _stories_of(self, sid: str) -> Iterable[JobEventTranslator]:
        return (
            translator
            for translator in self._translators.values()
            if translator.job.client_id == sid
        )

    def _disconnect(self, socket: ClientSocket, sid: str) -> None:
        self._by_sid[sid].discard(socket)
        if not self._by_sid[sid]:
            del self._by_sid[sid]
            self._replay.disconnect(sid)

    def _receive(self, socket: ClientSocket, sid: str, text: str) -> None:
        """Answer feature_flags; all other messages of clients are ignored."""
        try:
            said = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return
        match said:
            case {"type": "feature_flags", "data": {**wanted}}:
                socket.wants_metadata = wanted.get("supports_preview_metadata") is True
                socket.push(self._features)
                if wanted.get("soundstage") is True and not socket.is_soundstage_client:
                    socket.is_soundstage_client = True
                    self._send_snapshot(socket, sid)
            case _:
                pass

    def _send_snapshot(self, socket: ClientSocket, sid: str) -> None:
        """A snapshot of the client's jobs, with the details that only our own client gets."""
        for translator in self._stories_of(sid):
            for message in translator.snapshot():
                self._push_of(translator.job, [socket], message)
            for sound in translator.sounds():
                socket.push(_sound(translator, sound))

    def _on_event(self, job: Job | None, event: Event | QueueChanged) -> None:
        if isinstance(event, QueueChanged):
            self._status.changed(event.remaining, self._listeners(job))
            for over in self._over:
                self._send_job_message(over, wire.executing(over.id, None))
            self._over.clear()
        elif job is not None:
            self._on_job_event(job, event)

    def _on_job_event(self, job: Job, event: Event) -> None:
        if isinstance(event, NodePreview):
            self._send_preview(job, event)
            return
        if isinstance(event, NodeText):
            for socket in self._listeners(job):
                socket.push(
                    encode_ws_frame(BINARY, wire.node_text(event.node, event.text)), passing=True
                )
            return
        translator = self._translators.setdefault(job.id, JobEventTranslator(job))
        if isinstance(event, NodeSound):
            for socket in self._listeners(job):
                if socket.is_soundstage_client:
                    socket.push(_sound(translator, event))
        for message in translator.translate(event):
            self._send_job_message(job, message)
        if isinstance(event, JobFinished):
            del self._translators[job.id]
            self._over.append(job)

    def _listeners(self, job: Job | None) -> Collection[ClientSocket]:
        sid = None if job is None else job.client_id
        return () if sid is None else self._by_sid.get(sid, ())

    def _send_job_message(self, job: Job, message: Message) -> None:
        """Send a message on a job, and keep it for a client that may come back."""
        type, sid = message[0], job.client_id
        if type in wire.PASSING:
            self._push_of(job, self._listeners(job), message)
            return
        number = None if sid is None else self._replay.next_number(sid)
        if sid is None or number is None:
            return
        frame = encode_ws_frame(TEXT, wire.message(*message, number))
        self._replay.append(sid, number, frame)
        for socket in self._listeners(job):
            socket.push(frame)

    def _push_of(self, job: Job, sockets: Collection[ClientSocket], message: Message) -> None:
        """Send a message on a job; to our own clients with the spans of its nodes."""
        wanting = [socket for socket in sockets if socket.is_soundstage_client]
        record = self._engine.record(job.id) if wanting else None
        if record is not None and message[0] == "progress_state":
            _push(wanting, wire.with_spans(message, record.spans))
            sockets = [socket for socket in sockets if not socket.is_soundstage_client]
        _push(sockets, message)

    def _send_preview(self, job: Job, event: NodePreview) -> None:
        translator = self._translators.get(job.id, JobEventTranslator(job))
        for socket in self._listeners(job):
            if socket.wants_metadata:
                frame = wire.preview_with_metadata(
                    job.id, translator.node_ref(event.node), event.picture
                )
            else:
                frame = wire.preview(event.picture)
            socket.push(encode_ws_frame(BINARY, frame), passing=wire.is_passing(event.picture))


def _sound(translator: JobEventTranslator, event: NodeSound) -> bytes:
    spot = translator.node_ref(event.node)
    return encode_ws_frame(BINARY, wire.sound(translator.job.id, spot, event.number, event.sound))


def _push(sockets: Collection[ClientSocket], message: Message) -> None:
    if not sockets:
        return
    type, data = message
    frame = encode_ws_frame(TEXT, wire.message(type, data))
    for socket in sockets:
        socket.push(frame, passing=type in wire.PASSING)


def _since(request: web.Request) -> int | None:
    text = request.query.get("since")
    if text is None:
        return None
    value = whole(text)
    if value is None:
        raise BadInput("invalid_since", "since must be the seq of a message.", input_name="since")
    return value
