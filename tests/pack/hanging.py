"""Nodes that do not return, or not for long."""

from __future__ import annotations

import time
from typing import TypeVar

from engine import node
from tests.pack.basics import note

T = TypeVar("T")


@node("Sleeps", category="test")
def sleeps(*, value: T, seconds: float = 0.1, log: str = "") -> T:
    """Pass a value on after one long call, which lets other threads run."""
    note(log, "sleeps")
    time.sleep(seconds)
    note(log, "slept")
    return value


@node("BlocksLoop", category="test")
async def blocks_loop(*, value: T, seconds: float = 0.1, log: str = "") -> T:
    """Pass a value on after one long call in the event loop, which waits for it."""
    note(log, "blocks")
    time.sleep(seconds)  # noqa: ASYNC251 - that is its fault
    return value
