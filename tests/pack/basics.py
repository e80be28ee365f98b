"""Nodes whose runs can be counted: each writes a line into the file it is told."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

from engine import (
    CPU,
    GPU,
    All,
    Artifact,
    Each,
    Lazy,
    Range,
    Run,
    Step,
    Steps,
    Text,
    node,
)

T = TypeVar("T")


def note(log: str, text: str) -> None:
    """Append a line, so that a test sees what ran, in whichever process.

    Only to an absolute path: a random one shall leave no file in the checkout.
    """
    if Path(log).is_absolute():
        with Path(log).open("a") as file:
            file.write(text + "\n")


@node("Number", category="test")
def number(*, value: Annotated[int, Range(-(10**9), 10**9)] = 0, log: str = "") -> int:
    """The number."""
    note(log, f"Number {value}")
    return value


@node("Add", category="test")
def add(*, a: int, b: int, log: str = "") -> int:
    """a + b."""
    note(log, f"Add {a} {b}")
    return a + b


class Divided(NamedTuple):
    """Quotient and rest."""

    quotient: int
    rest: int


@node("Divide", category="test")
def divide(*, a: int, b: int) -> Divided:
    """a / b in whole numbers."""
    return Divided(*divmod(a, b))


@node("Warn", category="test")
def warn(run: Run, *, value: T, message: str) -> T:
    """Pass a value on with a warning."""
    run.warn(message)
    return value


@node("Show", category="test")
def show(*, value: T, log: str = "") -> Artifact:  # pyright: ignore[reportInvalidTypeVarUse] - a TypeVar is how any type is spelled
    """Show a value."""
    note(log, f"Show {value}")
    return Artifact(text=[str(value)])


@node("Sleep", category="test", on=CPU | GPU)
def sleep(*, value: T, steps: int = 10, seconds: float = 0.1, log: str = "") -> Steps[T]:
    """Pass a value on after some steps."""
    note(log, f"Sleep {value}")
    for index in range(steps):
        yield Step(index, steps, preview=lambda: b"jpeg")
        time.sleep(seconds / steps)
    yield Step(steps, steps)
    note(log, f"Slept {value}")
    return value


@node("Batched", category="test")
def batched(*, value: int, steps: int = 5, log: str = "") -> Steps[int]:
    """Ask for value + 1 in each step, together with whoever else asks."""

    def answer(questions: list[int]) -> list[int]:
        note(log, f"asked {len(questions)}")
        time.sleep(0.01)
        return [question + 1 for question in questions]

    for index in range(steps):
        value = yield Step(index, steps, key="plus one", inputs=value, answer=answer)
    return value


@node("Fail", category="test")
def fail(*, value: T, text: str = "as asked") -> T:
    """Raise."""
    raise ValueError(text)


@node("Die", category="test")
def die(*, value: T, marker: str, times: int = 1, log: str = "") -> T:
    """Kill the process it runs in, the first `times` times; `marker` is a file that counts."""
    path = Path(marker)
    deaths = len(path.read_text()) if path.exists() else 0
    note(log, f"Die {deaths}")
    if deaths < times:
        path.write_text("x" * (deaths + 1))
        os.kill(os.getpid(), signal.SIGKILL)
    return value


@node("Lines", category="test")
def lines(*, text: Annotated[str, Text(multiline=True)]) -> Each[str]:
    """Each line by itself."""
    return text.splitlines()


@node("Upper", category="test")
def upper(*, text: str, log: str = "") -> str:
    """In capitals."""
    note(log, f"Upper {text}")
    return text.upper()


@node("Held", category="test")
def held(*, value: int, until: str = "") -> int:
    """The value, once the file of an absolute path is there."""
    while Path(until).is_absolute() and not Path(until).exists():
        time.sleep(0.01)
    return value


@node("Join", category="test")
def join(*, texts: All[str], separator: str = ",") -> str:
    """All of a list in one string."""
    return separator.join(texts)


@node("Switch", category="test")
async def switch(*, condition: bool, if_true: Lazy[T], if_false: Lazy[T]) -> T:
    """One of two inputs; the other is never computed."""
    return await (if_true if condition else if_false)


@node("Nap", category="test")
async def nap(*, value: T, seconds: float = 0.1, log: str = "") -> T:
    """Pass a value on later, holding no lane."""
    note(log, "begin")
    await asyncio.sleep(seconds)
    note(log, "end")
    return value


@node("Dice", category="test", pure=False)
def dice(*, log: str = "") -> int:
    """Something else each time."""
    note(log, "Dice")
    return time.time_ns()


@node("Save", category="test")
def save(run: Run, *, text: str, filename_prefix: str = "text") -> Artifact:
    """Write a text file into the output folder."""
    return Artifact(files=[run.save(filename_prefix, "txt", text.encode())])


@node("Choose", category="test")
def choose(*, anything: str | None = None, value: int) -> int:
    """A required and an optional input."""
    return value if anything is None else len(anything)


@node("OddFail", category="test")
def odd_fail(*, value: T) -> T:
    """Raise an error whose text is no Unicode, as one that quotes a file name may be."""
    raise ValueError("half a character: \ud800")


@node("OddSteps", category="test")
def odd_steps(*, value: T, half: bool = False) -> Steps[T]:
    """Tell of half a step, or of more than a message can count."""
    index: Any = 0.5 if half else 10**30
    yield Step(index, index)
    return value


@node("OddShow", category="test")
def odd_show(*, kind: str) -> Artifact:
    """Show what JSON cannot say."""
    odd: dict[str, object] = {
        "huge number": 10**30,
        "no text": "\ud800",
        "object": object(),
        "huge key": {10**30: 1},
    }
    return Artifact(value=[odd[kind]])
