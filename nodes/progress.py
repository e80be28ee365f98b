"""Progress of long work of the model library, as a node's steps."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

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
