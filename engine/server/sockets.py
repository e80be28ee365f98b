"""/ws: who listens, and what each of them hears.

Only the client that submitted a job hears of it. What no later message outdates is numbered; a
client that comes back with ``?since=NUMBER`` hears again what came after that number.
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
from engine.server.bodies import BadInput, whole
from engine.server.crowd import Crowd
from engine.server.frames import BINARY, TEXT, framed
from engine.server.replay import Replays
from engine.server.socket import Socket
from engine.server.story import Message, Story
from engine.store.history import Job

HEARTBEAT_SECONDS = 30.0
LONGEST_MESSAGE = 64 * 1024
LONGEST_SID = 200


class Sockets:
    """All connections by client id, fed by the engine's events.

    Args:
        engine: whose events are told.
        features: what a client is told that asks for them.
        heartbeat: seconds of silence after which a client is asked whether it is there; one that
            does not answer within half of that is cut off.
    """

    def __init__(
        self, engine: Engine, features: dict[str, Any], heartbeat: float = HEARTBEAT_SECONDS
    ) -> None:
        self._engine = engine
        self._heartbeat = heartbeat
        self._features = framed(TEXT, wire.message("feature_flags", features))
        self._by_sid: dict[str, set[Socket]] = defaultdict(set)
        self._crowd = Crowd(self._everyone)
        self._replays = Replays()
        self._stories: dict[str, Story] = {}
        self._over: list[Job] = []
        self._deafen = engine.add_listener(self._hear)

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
        socket = Socket(request, ws)
        self._welcome(socket, sid, since)
        try:
            async for received in ws:
                if received.type is WSMsgType.TEXT:
                    self._receive(socket, sid, received.data)
        finally:
            self._leave(socket, sid)
        if isinstance(ws.exception(), TimeoutError):
            socket.abort("does not answer")  # else it would stay as long as it has not read all
        return ws

    async def close(self) -> None:
        """Stop listening and close every connection."""
        self._deafen()
        await asyncio.gather(*(socket.close() for socket in [*self._everyone()]))

    def listens(self, sid: str) -> bool:
        """Whether a client of this id is connected."""
        return sid in self._by_sid

    def tell(self, sid: str, message: Message) -> None:
        """Send a message to one client, wherever it is connected."""
        _push(self._by_sid.get(sid, ()), message)

    def _everyone(self) -> Iterable[Socket]:
        return (socket for sockets in self._by_sid.values() for socket in sockets)

    def _welcome(self, socket: Socket, sid: str, since: int | None) -> None:
        self._by_sid[sid].add(socket)
        self._crowd.welcome(socket)
        self._replays.came(sid)
        _push([socket], wire.status(self._engine.remaining(), sid))
        if since is not None:
            frames, complete = self._replays.missed(sid, since)
            for frame in frames:
                socket.push(frame)
            _push([socket], wire.replayed(since, complete))
        for story in self._stories_of(sid):
            for message in story.recap():
                self._push_of(story.job, [socket], message)

    def _stories_of(self, sid: str) -> Iterable[Story]:
        return (story for story in self._stories.values() if story.job.client_id == sid)

    def _leave(self, socket: Socket, sid: str) -> None:
        self._by_sid[sid].discard(socket)
        if not self._by_sid[sid]:
            del self._by_sid[sid]
            self._replays.left(sid)

    def _receive(self, socket: Socket, sid: str, text: str) -> None:
        """Answer feature_flags; everything else that clients say is ignored."""
        try:
            said = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return
        match said:
            case {"type": "feature_flags", "data": {**wanted}}:
                socket.wants_metadata = wanted.get("supports_preview_metadata") is True
                socket.push(self._features)
                if wanted.get("soundstage") is True and not socket.wants_more:
                    socket.wants_more = True
                    self._tell_more(socket, sid)
            case _:
                pass

    def _tell_more(self, socket: Socket, sid: str) -> None:
        """Where the client's jobs stand, with what it now wants to know besides."""
        for story in self._stories_of(sid):
            for message in story.recap():
                self._push_of(story.job, [socket], message)
            for sound in story.sounds():
                socket.push(_sound(story, sound))

    def _hear(self, job: Job | None, event: Event | QueueChanged) -> None:
        if isinstance(event, QueueChanged):
            self._crowd.changed(event.remaining, self._listeners(job))
            for over in self._over:
                self._tell_of(over, wire.executing(over.id, None))
            self._over.clear()
        elif job is not None:
            self._hear_job(job, event)

    def _hear_job(self, job: Job, event: Event) -> None:
        if isinstance(event, NodePreview):
            self._show(job, event)
            return
        if isinstance(event, NodeText):
            for socket in self._listeners(job):
                socket.push(framed(BINARY, wire.node_text(event.node, event.text)), passing=True)
            return
        story = self._stories.setdefault(job.id, Story(job))
        if isinstance(event, NodeSound):
            for socket in self._listeners(job):
                if socket.wants_more:
                    socket.push(_sound(story, event))
        for message in story.tell(event):
            self._tell_of(job, message)
        if isinstance(event, JobFinished):
            del self._stories[job.id]
            self._over.append(job)

    def _listeners(self, job: Job | None) -> Collection[Socket]:
        sid = None if job is None else job.client_id
        return () if sid is None else self._by_sid.get(sid, ())

    def _tell_of(self, job: Job, message: Message) -> None:
        """Send a message on a job, and keep it for a client that may come back."""
        type, sid = message[0], job.client_id
        if type in wire.PASSING:
            self._push_of(job, self._listeners(job), message)
            return
        number = None if sid is None else self._replays.number(sid)
        if sid is None or number is None:
            return
        frame = framed(TEXT, wire.message(*message, number))
        self._replays.keep(sid, number, frame)
        for socket in self._listeners(job):
            socket.push(frame)

    def _push_of(self, job: Job, sockets: Collection[Socket], message: Message) -> None:
        """Send a message on a job; to those who want that, with when its nodes ran."""
        wanting = [socket for socket in sockets if socket.wants_more]
        record = self._engine.record(job.id) if wanting else None
        if record is not None and message[0] == "progress_state":
            _push(wanting, wire.with_spans(message, record.spans))
            sockets = [socket for socket in sockets if not socket.wants_more]
        _push(sockets, message)

    def _show(self, job: Job, event: NodePreview) -> None:
        story = self._stories.get(job.id, Story(job))
        for socket in self._listeners(job):
            if socket.wants_metadata:
                frame = wire.preview_with_metadata(job.id, story.spot(event.node), event.picture)
            else:
                frame = wire.preview(event.picture)
            socket.push(framed(BINARY, frame), passing=wire.is_passing(event.picture))


def _sound(story: Story, event: NodeSound) -> bytes:
    spot = story.spot(event.node)
    return framed(BINARY, wire.sound(story.job.id, spot, event.number, event.sound))


def _push(sockets: Collection[Socket], message: Message) -> None:
    if not sockets:
        return
    type, data = message
    frame = framed(TEXT, wire.message(type, data))
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
