"""The latest messages of each client, to be sent again after a broken connection."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

MOST_FRAMES = 1000
MOST_ALTOGETHER = 100_000
MOST_BYTES = 64 * 2**20
MOST_AWAY = 1000
AWAY_SECONDS = 600.0


class ClientStream:
    """The numbered frames to one client; numbers only grow, also over restarts of the service.

    Attributes:
        last: the newest number.
        lost: every frame after this number is still here.
    """

    def __init__(self) -> None:
        self.last = self.lost = time.time_ns() // 1000
        self.frames: deque[tuple[int, bytes]] = deque()

    def drop(self) -> int:
        """Forget the oldest frame; returns its bytes."""
        self.lost, frame = self.frames.popleft()
        return len(frame)


class ReplayBuffer:
    """The streams of all clients, within limits; of disconnected ones for ten minutes.

    Args:
        clock: seconds, from whatever time on.
        most_bytes: of all frames.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, most_bytes: int = MOST_BYTES
    ) -> None:
        self._clock = clock
        self._most_bytes = most_bytes
        self._lines: dict[str, ClientStream] = {}
        self._away: dict[str, float] = {}  # since when, longest first
        self._order: deque[tuple[ClientStream, int]] = deque()
        self._bytes = 0

    def connect(self, sid: str) -> None:
        """A client is here: from now on its messages are kept."""
        self._away.pop(sid, None)
        self._lines.setdefault(sid, ClientStream())

    def disconnect(self, sid: str) -> None:
        """Its last connection is gone; it has some minutes to come back."""
        self._away[sid] = now = self._clock()
        for gone, since in [*self._away.items()]:
            if len(self._away) <= MOST_AWAY and now - since <= AWAY_SECONDS:
                break
            del self._away[gone]
            line = self._lines.pop(gone)
            while line.frames:
                self._bytes -= line.drop()

    def next_number(self, sid: str) -> int | None:
        """The number of the client's next message; None where nobody will ask for it again."""
        line = self._lines.get(sid)
        if line is None:
            return None
        line.last += 1
        return line.last

    def append(self, sid: str, number: int, frame: bytes) -> None:
        """Keep a frame of that number; the oldest of all make room."""
        line = self._lines[sid]
        line.frames.append((number, frame))
        self._order.append((line, number))
        self._bytes += len(frame)
        if len(line.frames) > MOST_FRAMES:
            self._bytes -= line.drop()
        while self._bytes > self._most_bytes or len(self._order) > MOST_ALTOGETHER:
            oldest, number = self._order.popleft()
            if oldest.frames and oldest.frames[0][0] == number:
                self._bytes -= oldest.drop()

    def since(self, sid: str, since: int) -> tuple[list[bytes], bool]:
        """The client's frames after a number, and whether these are all there were."""
        line = self._lines[sid]
        frames = [frame for number, frame in line.frames if number > since]
        return frames, line.lost <= since <= line.last
