"""Lanes: long calls side by side, batches, cancelling, and nothing that a node does ends them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from typing import Any

import pytest

from engine import Interrupted, Step
from engine.devices.lanes import Lane, Lanes
from engine.devices.residency import Residency
from tests import patience
from tests.devices.conftest import Jobs, Model, Reached, result, steps


async def test_a_call_runs_in_the_lane_on_its_device(jobs: Jobs):
    thread = await jobs.run(lambda device: (device, threading.current_thread().name))
    assert thread == ("cpu", "lane")
    assert jobs.lane.load == 0


async def test_calls_start_in_the_order_they_came(jobs: Jobs):
    order: list[int] = []
    tasks = [jobs.start(lambda _, i=i: order.append(i)) for i in range(50)]
    await asyncio.gather(*(result(task) for task in tasks))
    assert order == list(range(50))


async def held(jobs: Jobs) -> threading.Event:
    """Keep the lane busy until the event is set, so that what is submitted meets."""
    begun, free = threading.Event(), threading.Event()

    def hold(_: str) -> None:
        begun.set()
        free.wait(patience.SECONDS)

    jobs.start(hold)
    await asyncio.to_thread(begun.wait, patience.SECONDS)
    return free


async def test_long_calls_advance_in_turns(jobs: Jobs):
    notes: list[str] = []
    free = await held(jobs)
    tasks = [jobs.start(steps(4, notes, name)) for name in "ab"]
    free.set()
    assert [await result(task) for task in tasks] == [[None] * 4] * 2
    assert notes.index("b0") < notes.index("a3")
    assert notes.index("a2") < notes.index("b3")


async def test_a_short_call_does_not_wait_for_a_long_one(jobs: Jobs):
    notes: list[str] = []
    free = await held(jobs)
    long = jobs.start(steps(50, notes, "long "))
    short = jobs.start(lambda _: notes.append("short"))
    free.set()
    await result(short)
    await result(long)
    assert notes.index("short") < notes.index("long 49")


async def test_every_step_is_told_of(jobs: Jobs):
    told: list[Step] = []
    begun: list[str] = []
    await result(jobs.start(steps(3), on_step=told.append, on_start=lambda: begun.append("begun")))
    assert [(step.index, step.total) for step in told] == [(0, 3), (1, 3), (2, 3)]
    assert begun == ["begun"]


async def test_steps_of_equal_key_are_answered_by_one_call(jobs: Jobs):
    asked: list[list[str]] = []

    def answer(questions: list[str]) -> list[str]:
        asked.append(questions)
        return [question.upper() for question in questions]

    free = await held(jobs)
    same = [jobs.start(steps(3, name=name, key=("m", 1), answer=answer)) for name in "ab"]
    other = jobs.start(steps(2, name="c", key=("m", 2), answer=answer))
    alone = [jobs.start(steps(2, name=name, answer=answer)) for name in "de"]
    free.set()
    assert [await result(task) for task in same] == [["A0", "A1", "A2"], ["B0", "B1", "B2"]]
    assert await result(other) == ["C0", "C1"]
    assert [await result(task) for task in alone] == [["D0", "D1"], ["E0", "E1"]]
    assert max(len(questions) for questions in asked) == 2
    assert all({q[0] for q in qs} == {"a", "b"} for qs in asked if len(qs) > 1)


async def test_a_batch_that_fails_is_answered_one_by_one(jobs: Jobs):
    def answer(questions: list[str]) -> list[str]:
        if len(questions) > 1:
            raise MemoryError("too many")
        if questions[0] == "b1":
            raise ValueError("this one is bad")
        return [questions[0].upper()]

    free = await held(jobs)
    good, bad, fine = (jobs.start(steps(3, name=name, key=1, answer=answer)) for name in "abc")
    free.set()
    assert await result(good) == ["A0", "A1", "A2"]
    with pytest.raises(ValueError, match="this one is bad"):
        await result(bad)
    assert await result(fine) == ["C0", "C1", "C2"]
    assert jobs.lane.load == 0


async def test_a_batch_that_the_memory_is_too_small_for_is_not_tried_again(jobs: Jobs):
    sizes: list[int] = []

    def answer(questions: list[str]) -> list[str]:
        sizes.append(len(questions))
        if len(questions) > 2:
            raise MemoryError("too many")
        return [question.upper() for question in questions]

    free = await held(jobs)
    tasks = [jobs.start(steps(10, name=name, key=1, answer=answer)) for name in "abcdefghijkl"]
    free.set()
    for task, name in zip(tasks, "ABCDEFGHIJKL", strict=True):
        assert await result(task) == [f"{name}{index}" for index in range(10)]
    assert sum(size > 2 for size in sizes) == 1, "as soon as a third one joined"
    assert sum(size == 2 for size in sizes) > 40, "two at once from then on"


@pytest.mark.parametrize("answers", [[], ["one"], ["one", "two", "three"], None, 5])
async def test_a_model_that_answers_wrongly_fails_its_node_only(jobs: Jobs, answers: Any):
    free = await held(jobs)
    tasks = [jobs.start(steps(2, name=name, key=1, answer=lambda _: answers)) for name in "ab"]
    free.set()
    for task in tasks:
        if answers == ["one"]:
            assert await result(task) == ["one", "one"], "one by one they fit"
        else:
            with pytest.raises((ValueError, TypeError)):
                await result(task)
    assert await jobs.works()


@pytest.mark.parametrize("key", [["a", "list"], {"a": 1}, ("deep", [1])])
async def test_a_key_that_cannot_be_compared_fails_its_node_only(jobs: Jobs, key: object):
    with pytest.raises(TypeError, match="unhashable"):
        await jobs.run(steps(2, key=key, answer=lambda questions: questions))
    assert await jobs.works()


async def test_a_node_may_go_on_after_a_failed_answer(jobs: Jobs):
    def answer(questions: list[int]) -> list[int]:
        if questions[0] > 10:
            raise MemoryError("too big")
        return questions

    def call(_: str) -> Generator[Step, Any, str]:
        size = 40
        while True:
            try:
                return f"fits with {yield Step(0, 1, inputs=size, answer=answer)}"
            except MemoryError:
                size //= 2

    assert await jobs.run(call) == "fits with 10"


async def test_a_cancelled_call_ends_between_two_steps_and_cleans_up(jobs: Jobs):
    notes: list[str] = []
    reached = Reached()

    def call(_: str) -> Generator[Step, Any, None]:
        try:
            for index in range(10**9):
                yield Step(index, 10**9)
        finally:
            notes.append("cleaned up")

    task = jobs.start(call, Model("a"), on_step=reached)
    await reached.wait()
    task.task.cancelled.set()
    with pytest.raises(Interrupted, match="between two steps"):
        await result(task)
    assert notes == ["cleaned up"]
    assert await jobs.run(lambda _: "free", Model("a", "lora")) == "free"


async def test_a_call_cancelled_while_it_waits_never_runs(jobs: Jobs):
    notes: list[str] = []
    free = await held(jobs)
    task = jobs.start(lambda _: notes.append("ran"), Model("a"))
    task.task.cancelled.set()
    free.set()
    with pytest.raises(Interrupted, match="before it started"):
        await result(task)
    assert notes == []
    assert await jobs.run(lambda _: "free", Model("a", "lora")) == "free"


async def test_a_call_nobody_waits_for_does_no_harm(jobs: Jobs):
    free = await held(jobs)
    task = jobs.start(lambda _: "unheard")
    task.future.cancel()
    free.set()
    assert await jobs.works()


FAULTS = [
    ValueError,
    SystemExit,
    KeyboardInterrupt,
    GeneratorExit,
    asyncio.CancelledError,
    StopIteration,
    MemoryError,
    RecursionError,
]


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("where", ["call", "first step", "later", "answer", "on_step", "on_start"])
async def test_whatever_a_node_raises_its_lane_goes_on(
    jobs: Jobs, kind: type[BaseException], where: str
):
    fault = kind("as asked")

    def fail(*_: object) -> Any:
        raise fault

    def generator(_: str) -> Generator[Step, Any, None]:
        if where == "first step":
            raise fault
        yield Step(0, 2, answer=fail if where == "answer" else None)
        raise fault

    call = fail if where == "call" else generator
    task = jobs.start(
        call,
        Model("a"),
        on_step=fail if where == "on_step" else lambda step: None,
        on_start=fail if where == "on_start" else lambda: None,
    )
    with pytest.raises(Exception) as caught:  # noqa: PT011 - checked below
        await result(task)
    if isinstance(fault, Exception) and not isinstance(fault, StopIteration):
        assert caught.value is fault
    else:
        assert isinstance(caught.value, RuntimeError)
        assert kind.__name__ in str(caught.value)
    assert jobs.lane.load == 0
    assert await jobs.run(lambda _: "free", Model("a", "lora")) == "free"


async def test_a_generator_that_will_not_end_is_left(jobs: Jobs):
    def stubborn(_: str) -> Generator[Step, Any, None]:
        try:
            for index in range(10**9):
                yield Step(index, 10**9)
        except GeneratorExit:
            yield Step(0, 1)  # Python calls that an error; its next try ends it

    reached = Reached()
    task = jobs.start(stubborn, Model("a"), on_step=reached)
    await reached.wait()
    task.task.cancelled.set()
    with pytest.raises(Interrupted, match="between two steps"):
        await result(task)
    assert await jobs.run(lambda _: "free", Model("a", "lora")) == "free"


async def test_a_generator_that_fails_while_it_ends_is_ended(jobs: Jobs):
    reached = Reached()

    def failing(_: str) -> Generator[Step, Any, None]:
        try:
            for index in range(10**9):
                yield Step(index, 10**9)
        finally:
            raise KeyError("in finally")

    task = jobs.start(failing, on_step=reached)
    await reached.wait()
    task.task.cancelled.set()
    with pytest.raises(Interrupted):
        await result(task)
    assert await jobs.works()


async def test_a_generator_of_something_else_is_told_so(jobs: Jobs):
    def numbers(_: str) -> Generator[int, Any, None]:
        yield 1

    with pytest.raises(TypeError, match="a long node yields Steps, this one a int"):
        await jobs.run(numbers)


async def test_a_model_that_cannot_be_loaded_fails_its_node_only(jobs: Jobs):
    broken = Model("a", load_fault=OSError("truncated"))
    with pytest.raises(OSError, match="truncated"):
        await jobs.run(lambda _: "ran", broken)
    assert await jobs.run(lambda _: "ran", broken) == "ran"


async def test_a_handle_that_cannot_say_what_it_is_fails_its_node_only(jobs: Jobs):
    class Vague(Model):
        @property
        def key(self) -> str:
            raise OSError("the file is gone")

    with pytest.raises(OSError, match="the file is gone"):
        await jobs.run(lambda _: "ran", Vague("a"))
    with pytest.raises(ValueError, match="patched differently"):
        await jobs.run(lambda _: "ran", Model("a", "one"), Model("a", "two"))
    assert await jobs.works()


async def test_nobody_overtakes_at_a_model_that_is_patched_otherwise(jobs: Jobs):
    """A stream of jobs with one LoRA must not keep those without waiting for ever."""
    notes: list[str] = []
    free = await held(jobs)
    tasks = [
        jobs.start(steps(5, notes, "first "), Model("a", "lora")),
        jobs.start(steps(1, notes, "plain "), Model("a")),
        jobs.start(steps(1, notes, "lora again "), Model("a", "lora")),
        jobs.start(steps(1, notes, "elsewhere "), Model("b")),
    ]
    free.set()
    await asyncio.gather(*(result(task) for task in tasks))
    assert notes.index("plain 0") < notes.index("lora again 0")
    assert notes.index("elsewhere 0") < notes.index("plain 0")


async def test_lanes_share_weights_and_wake_each_other():
    residency = Residency({})
    one, two = Lane("one", "cpu", residency), Lane("two", "cpu", residency)
    lanes = Lanes([one, two])
    jobs = Jobs(one)
    tasks = [
        jobs.start(steps(3), Model("a", str(i % 3)), lane=(one, two)[i % 2]) for i in range(40)
    ]
    await asyncio.gather(*(result(task) for task in tasks))
    lanes.close()


async def test_closing_interrupts_what_runs_and_what_waits():
    lane = Lane("lane", "cpu", Residency({}))
    lane.start()
    jobs = Jobs(lane)
    reached = Reached()
    running = jobs.start(steps(10**9), Model("a"), on_step=reached)
    waiting = jobs.start(steps(1), Model("a", "lora"))
    await reached.wait()
    await asyncio.to_thread(lane.close)
    late = jobs.start(steps(1))
    for task in (running, waiting, late):
        with pytest.raises(Interrupted, match="the worker is stopping"):
            await result(task)
    lane.close()


async def test_a_gpu_node_goes_to_the_least_busy_accelerator():
    residency = Residency({})
    made = [Lane(name, name, residency) for name in ("cpu", "cuda:0", "cuda:1")]
    cpu, first, second = made
    lanes = Lanes(made)
    jobs = Jobs(first)
    free = await held(jobs)
    assert lanes.pick(gpu=True, cpu=True) is second
    assert lanes.pick(gpu=True, cpu=False) is second
    assert lanes.pick(gpu=False, cpu=True) is cpu
    free.set()
    lanes.close()
    without = Lanes([Lane("cpu", "cpu", residency)])
    assert without.pick(gpu=True, cpu=False).device == "cpu", "slow is better than never"
    without.close()
