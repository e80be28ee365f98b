"""Long work of the model library as a node's steps."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

from engine import Step, Steps

ResultT = TypeVar("ResultT")


def steps(work: Generator[tuple[int, int], None, ResultT]) -> Steps[ResultT]:
    """Do long work part by part, so that it is shown, and can be cancelled between two parts."""
    total = 1
    try:
        while True:
            done, total = next(work)
            yield Step(done, total)
    except StopIteration as end:
        yield Step(total, total)
        return end.value


def answered(
    done: int,
    total: int,
    compute: Callable[[], ResultT],
    sound: Callable[[], bytes] | None = None,
) -> Generator[Step, Any, ResultT]:
    """Compute a part of long work as the answer to a step, so that a crash later on keeps it."""
    return (yield Step(done, total, inputs=compute, answer=_computed, sound=sound))


def _computed(parts: Sequence[Callable[[], ResultT]]) -> list[ResultT]:
    return [compute() for compute in parts]
