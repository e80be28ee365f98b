"""Lanes give a long call that begins anew the answers that were logged before."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from engine import Step
from engine.devices.lanes import AnswerLog, Lane
from engine.devices.residency import Residency
from engine.store.step_log import StepLogs
from tests.devices.conftest import Jobs, Reached, result, steps


class Model:
    """Answers by numbers that grow, so that an answer given twice is another one."""

    def __init__(self, first: int = 0) -> None:
        self.asked: list[str] = []
        self.next = first

    def __call__(self, questions: list[str]) -> Sequence[str]:
        self.asked += questions
        self.next += len(questions)
        return [f"{question}={self.next}" for question in questions]


def on_device(logs: StepLogs, key: str) -> Callable[[str], AnswerLog | None]:
    """Opens a log for a call on a device."""
    return lambda device: logs.open(f"{key} {device}")


async def stopped_at(folder: Path, count: int, total: int) -> list[str]:
    """Answer `count` steps of a call, then stop the lane; the answers."""
    model, reached = Model(), Reached()
    lane, logs = Lane("lane", "cpu", Residency({})), StepLogs(folder, {})
    lane.start()

    def call(_: str) -> Generator[Step, Any, None]:
        for index in range(count):
            yield Step(index, total, inputs=str(index), answer=model)
        while True:
            yield Step(count, total)

    jobs = Jobs(lane)
    task = jobs.start(
        call,
        open_log=on_device(logs, "a"),
        on_step=lambda step: reached(step) if step.index == count else None,
    )
    await reached.wait()
    lane.close()
    with pytest.raises(Exception, match="stopping"):
        await result(task)
    logs.close()
    return [f"{index}={index + 1}" for index in range(count)]


@pytest.mark.parametrize("count", [0, 1, 4, 9])
async def test_what_was_answered_is_not_asked_again(jobs: Jobs, tmp_path: Path, count: int):
    known = await stopped_at(tmp_path, count, 9)
    model, logs = Model(first=100), StepLogs(tmp_path, {})
    call = steps(9, answer=model)
    found = await jobs.run(call, open_log=on_device(logs, "a"))
    assert found[:count] == known
    assert model.asked == [str(index) for index in range(count, 9)]
    logs.close()
    assert [*tmp_path.iterdir()] == [], "a call that is done leaves no log"


async def test_a_call_on_another_device_begins_at_the_beginning(jobs: Jobs, tmp_path: Path):
    await stopped_at(tmp_path, 4, 9)
    model, logs = Model(), StepLogs(tmp_path, {})
    await jobs.run(steps(9, answer=model), open_log=on_device(logs, "a not"))
    assert len(model.asked) == 9
    logs.close()


async def test_calls_that_share_answers_have_each_its_log(jobs: Jobs, tmp_path: Path):
    model, logs = Model(), StepLogs(tmp_path, {})
    tasks = [
        jobs.start(steps(5, name=name, key=1, answer=model), open_log=on_device(logs, name))
        for name in "ab"
    ]
    for task, name in zip(tasks, "ab", strict=True):
        found = await result(task)
        assert [answer.split("=")[0] for answer in found] == [
            f"{name}{index}" for index in range(5)
        ]
    logs.close()


async def test_nothing_is_logged_after_a_step_without_an_answer(jobs: Jobs, tmp_path: Path):
    """The answer after it would otherwise be taken for its own."""
    logs, reached = StepLogs(tmp_path, {}), Reached()

    def answer(sizes: list[int]) -> list[int]:
        if sizes[0] > 10:
            raise MemoryError("too big")
        return sizes

    def call(_: str) -> Generator[Step, Any, list[int]]:
        found = [(yield Step(0, 3, inputs=1, answer=answer))]
        for size in (40, 2):
            try:
                found.append((yield Step(1, 3, inputs=size, answer=answer)))
            except MemoryError:
                found.append(-1)
        reached(Step(0, 0))
        while True:
            yield Step(2, 3)

    task = jobs.start(call, open_log=on_device(logs, "a"))
    await reached.wait()
    jobs.lane.close()
    with pytest.raises(Exception, match="stopping"):
        await result(task)
    logs.close()
    left = StepLogs(tmp_path, {}).open("a cpu")
    assert left is not None
    assert left.replay(0, 3) == (1,)
    assert left.replay(1, 3) is None


async def test_a_failed_or_cancelled_call_leaves_no_log(jobs: Jobs, tmp_path: Path):
    logs = StepLogs(tmp_path, {}, interval=0.001)

    def fails(_: str) -> Generator[Step, Any, None]:
        yield Step(0, 2, answer=lambda asked: asked)
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        await jobs.run(fails, open_log=on_device(logs, "a"))
    reached = Reached()
    endless = steps(10**9, answer=lambda asked: asked)
    task = jobs.start(endless, open_log=on_device(logs, "b"), on_step=reached)
    await reached.wait()
    task.task.cancelled.set()
    with pytest.raises(Exception, match="cancelled"):
        await result(task)
    logs.close()
    assert [*tmp_path.iterdir()] == []
