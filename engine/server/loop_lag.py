"""How long requests wait for the event loop: shown, so that what holds it up is noticed."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
LOOKS = 240  # those of the last minute
LONG_SECONDS = 1.0


class LoopLag:
    """Asks the loop to wake it up now and then, and notes how late it does."""

    def __init__(self) -> None:
        self._lags: deque[float] = deque([0.0], maxlen=LOOKS)
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to look, until `stop`."""
        loop = asyncio.get_running_loop()
        due = loop.time() + LOOK_SECONDS
        self._timer = loop.call_at(due, self._look, due)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def facts(self) -> Mapping[str, float]:
        """Milliseconds that the loop came too late: at the last look, and at most in a minute."""
        return {
            "lag_ms": round(1000 * self._lags[-1], 1),
            "longest_lag_ms": round(1000 * max(self._lags), 1),
        }

    def _look(self, due: float) -> None:
        lag = max(0.0, asyncio.get_running_loop().time() - due)
        self._lags.append(lag)
        if lag > LONG_SECONDS:
            log.warning("the event loop served nobody for %.1f s", lag)
        self.start()
