"""Nodes that do not return, or not for long."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path
from typing import TypeVar

from engine import Step, Steps, node
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


@node("Hangs", category="test")
def hangs(*, value: T, how: str, marker: str, log: str = "") -> T:
    """Never return while a file is not there: asleep, or in a call that stops all other threads."""
    note(log, "hangs")
    while Path(marker).is_absolute() and not Path(marker).exists():
        if how == "sleep":
            time.sleep(3600)
        else:
            ctypes.PyDLL(None).sleep(3600)
    return value


@node("HangsInStep", category="test")
def hangs_in_step(*, value: T, how: str, log: str = "") -> Steps[T]:
    """Never return: between two steps, in the answer to one, or when it is closed."""

    def answer(questions: list[int]) -> list[int]:
        if how == "answer":
            time.sleep(3600)
        return questions

    note(log, "hangs")
    try:
        yield Step(0, 2, key="hangs", inputs=1, answer=answer)
        if how == "code":
            time.sleep(3600)
        while how == "close":
            time.sleep(0.05)
            yield Step(1, 2)
    finally:
        if how == "close":
            time.sleep(3600)
    return value


@node("KillsService", category="test")
def kills_service(*, value: T, marker: str, log: str = "") -> T:
    """Kill the service and the worker; `marker` is a file that counts."""
    note(marker, "killed")
    if Path(marker).is_absolute():
        os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
    return value
