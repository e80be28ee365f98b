"""What a job means: order, lists, laziness, caching, errors, interrupts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from engine.graph.errors import PromptError
from engine.run.events import (
    Event,
    JobFinished,
    JobStarted,
    NodeFinished,
    NodeOutput,
    NodePreview,
    NodeProgress,
    NodeStarted,
)
from engine.run.scheduler import QueueChanged
from engine.store.history import Job
from tests.run.conftest import Opener, n, value_shown


def shown(value: object) -> dict[str, list[str]]:
    return {"text": [str(value)]}


async def test_a_sum_is_shown_and_kept_in_the_history(local: Opener):
    bench = await local()
    prompt = {
        "1": n("Number", value=2, log=""),
        "2": n("Number", value=3, log=""),
        "3": n("Add", a=["1", 0], b=["2", 0], log=""),
        "4": n("Show", value=["3", 0], log=""),
    }
    entry = await bench.run(prompt, extra={"note": "kept"}, client_id="me")
    assert entry.outcome.status == "success"
    assert entry.outcome.shown == {"4": shown(5)}
    assert msgspec.json.encode(entry.job.extra) == b'{"note":"kept"}'
    assert entry.job.client_id == "me"


async def test_events_come_in_the_order_that_clients_rely_on(local: Opener):
    bench = await local()
    id = await bench.submit(value_shown(n("Number", value=2, log="")))
    await bench.ended(id)
    kinds = [type(event) for _, event in bench.told]
    assert kinds == [
        QueueChanged,
        QueueChanged,
        JobStarted,
        NodeStarted,
        NodeFinished,
        NodeStarted,
        NodeOutput,
        NodeFinished,
        JobFinished,
        QueueChanged,
    ]
    assert bench.told[-1][1] == QueueChanged(0)


async def test_outputs_are_picked_by_slot(local: Opener):
    bench = await local()
    prompt = {
        "1": n("Divide", a=17, b=5),
        "2": n("Show", value=["1", 0], log=""),
        "3": n("Show", value=["1", 1], log=""),
    }
    entry = await bench.run(prompt)
    assert entry.outcome.shown == {"2": shown(3), "3": shown(2)}


async def test_an_equal_node_is_computed_once_whatever_its_id(local: Opener, tmp_path: Path):
    bench, log = await local(), str(tmp_path / "log")
    await bench.run(value_shown(n("Number", value=7, log=log)))
    entry = await bench.run(
        {"a": n("Number", value=7, log=log), "b": n("Show", value=["a", 0], log=log + "2")}
    )
    assert Path(log).read_text() == "Number 7\n"
    assert entry.outcome.cached == ["a"]


async def test_a_cached_output_is_shown_again_without_running(local: Opener):
    bench = await local()
    prompt = value_shown(n("Number", value=7, log=""))
    await bench.run(prompt)
    again = await bench.submit(prompt)
    entry = await bench.ended(again)
    assert entry.outcome.cached == ["1", "2"]
    assert [type(event) for event in bench.events(again)] == [
        JobStarted,
        NodeOutput,
        NodeFinished,
        JobFinished,
    ]


async def test_a_saved_file_that_was_deleted_is_made_again(local: Opener):
    bench = await local()
    prompt = {"1": n("Save", text="hello", filename_prefix="a/b")}
    first = (await bench.run(prompt)).outcome.shown["1"]["files"]
    assert first == [{"filename": "b_00001_.txt", "subfolder": "a", "type": "output"}]
    path = bench.engine.folders.home / "output" / "a" / "b_00001_.txt"
    assert path.read_text() == "hello"
    assert (await bench.run(prompt)).outcome.shown["1"]["files"] == first
    path.unlink()
    second = (await bench.run(prompt)).outcome.shown["1"]["files"]
    assert second[0]["filename"] == "b_00002_.txt"


async def test_an_impure_node_runs_every_time(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    prompt = value_shown(n("Dice", log=str(log)))
    await bench.run(prompt)
    await bench.run(prompt)
    assert log.read_text() == "Dice\nDice\n"


async def test_a_list_runs_its_consumers_item_by_item_and_is_collected_again(local: Opener):
    bench = await local()
    prompt = {
        "1": n("Lines", text="a\nb\nc"),
        "2": n("Upper", text=["1", 0], log=""),
        "3": n("Join", texts=["2", 0], separator="-"),
        "4": n("Show", value=["3", 0], log=""),
        "5": n("Show", value=["2", 0], log=""),
    }
    entry = await bench.run(prompt)
    assert entry.outcome.shown == {"4": shown("A-B-C"), "5": {"text": ["A", "B", "C"]}}


async def test_an_empty_list_runs_nothing(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    prompt = {
        "1": n("Lines", text=""),
        "2": n("Upper", text=["1", 0], log=str(log)),
        "3": n("Join", texts=["2", 0], separator="-"),
        "4": n("Show", value=["3", 0], log=""),
    }
    entry = await bench.run(prompt)
    assert entry.outcome.shown == {"4": shown("")}
    assert not log.exists()


async def test_only_the_awaited_branch_of_a_switch_is_computed(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    prompt = {
        "1": n("Number", value=1, log=str(log)),
        "2": n("Number", value=2, log=str(log)),
        "3": n("Switch", condition=False, if_true=["1", 0], if_false=["2", 0]),
        "4": n("Show", value=["3", 0], log=""),
    }
    entry = await bench.run(prompt)
    assert entry.outcome.shown == {"4": shown(2)}
    assert log.read_text() == "Number 2\n"


async def test_a_failing_node_ends_the_job_and_is_named(local: Opener):
    bench = await local()
    prompt = {
        "1": n("Number", value=1, log=""),
        "2": n("Fail", value=["1", 0], text="the disk is made of cheese"),
        "3": n("Show", value=["2", 0], log=""),
    }
    failure = (await bench.run(prompt)).outcome.failure
    assert failure is not None
    assert (failure.node, failure.node_type) == ("2", "Fail")
    assert (failure.exception, failure.message) == ("ValueError", "the disk is made of cheese")
    assert failure.inputs == {"value": [1], "text": ["the disk is made of cheese"]}
    assert failure.executed == ["1"]


async def test_a_failure_tells_no_path_of_the_machine(local: Opener):
    bench = await local()
    file = bench.engine.folders.home / "models" / "vae" / "cut.safetensors"
    failure = (
        await bench.run(value_shown(n("Fail", value=1, text=f"{file}: is cut")))
    ).outcome.failure
    assert failure is not None
    assert failure.message == "models/vae/cut.safetensors: is cut"


async def test_branches_run_side_by_side(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    prompt = {
        "1": n("Sleep", value=1, steps=5, seconds=0.3, log=str(log)),
        "2": n("Sleep", value=2, steps=5, seconds=0.3, log=str(log)),
        "3": n("Show", value=["1", 0], log=""),
        "4": n("Show", value=["2", 0], log=""),
    }
    await bench.run(prompt)
    first = log.read_text().splitlines()[:2]
    assert sorted(first) == ["Sleep 1", "Sleep 2"], "both began before either was done"


async def test_async_nodes_hold_no_lane(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    many = 50
    prompt = {str(i): n("Nap", value=i, seconds=0.5, log=str(log)) for i in range(many)}
    prompt |= {f"s{i}": n("Show", value=[str(i), 0], log="") for i in range(many)}
    entry = await bench.run(prompt)
    assert len(entry.outcome.shown) == many
    assert log.read_text().splitlines() == ["begin"] * many + ["end"] * many


async def test_progress_is_told_step_by_step(local: Opener):
    bench = await local()
    id = await bench.submit(value_shown(n("Sleep", value=1, steps=4, seconds=0.01, log="")))
    await bench.ended(id)
    steps = [event for event in bench.events(id) if isinstance(event, NodeProgress)]
    assert [(step.value, step.total) for step in steps] == [(i, 4) for i in range(5)]
    assert not [event for event in bench.events(id) if isinstance(event, NodePreview)]


async def test_previews_come_when_asked_for(local: Opener):
    bench = await local()
    id = await bench.submit(
        value_shown(n("Sleep", value=1, steps=4, seconds=0.1, log="")),
        extra={"preview_method": "auto"},
    )
    await bench.ended(id)
    previews = [event for event in bench.events(id) if isinstance(event, NodePreview)]
    assert previews
    assert previews[0].picture == b"jpeg"


async def test_a_job_is_interrupted_between_two_steps(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    id = await bench.submit(value_shown(n("Sleep", value=1, steps=500, seconds=50, log=str(log))))
    await bench.until(id, NodeProgress)
    assert await bench.engine.interrupt(id)
    entry = await bench.ended(id)
    assert entry.outcome.status == "interrupted"
    assert entry.outcome.failure is not None
    assert entry.outcome.failure.node_type in ("Sleep", "Show")
    after = await bench.run({"1": n("Show", value=3, log="")})
    assert after.outcome.status == "success", "the lane is free again"
    assert "Slept" not in log.read_text()


async def test_interrupting_one_job_leaves_the_other(local: Opener):
    bench = await local()

    def slow(value: int) -> dict[str, object]:
        return value_shown(n("Sleep", value=value, steps=50, seconds=0.5, log=""))

    first, second = await bench.submit(slow(1)), await bench.submit(slow(2))
    await bench.until(first, NodeProgress)
    assert await bench.engine.interrupt(first)
    assert (await bench.ended(first)).outcome.status == "interrupted"
    assert (await bench.ended(second)).outcome.status == "success"
    assert not await bench.engine.interrupt("nobody")


@pytest.mark.parametrize("seconds", [2.0, 0.0])
async def test_what_is_interrupted_and_submitted_again_runs_once_at_a_time(
    local: Opener, tmp_path: Path, seconds: float
):
    bench, log = await local(), tmp_path / "log"
    prompt = value_shown(n("Sleeps", value=1, seconds=seconds, log=str(log)))
    for _ in range(3):
        id = await bench.submit(prompt)
        if seconds:
            while not log.exists():  # noqa: ASYNC110 - a lane will write it
                await asyncio.sleep(0.01)
        await bench.engine.interrupt(id)
        await bench.until(id, JobFinished)
    assert (await bench.run(prompt)).outcome.status == "success"
    assert log.read_text().splitlines() == ["sleeps", "slept"]


async def test_waiting_steps_of_equal_key_are_answered_together(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    many = 4
    prompt = {str(i): n("Batched", value=i * 100, steps=20, log=str(log)) for i in range(many)}
    prompt |= {f"s{i}": n("Show", value=[str(i), 0], log="") for i in range(many)}
    entry = await bench.run(prompt)
    assert entry.outcome.shown == {f"s{i}": shown(i * 100 + 20) for i in range(many)}
    asked = [int(line.split()[1]) for line in log.read_text().splitlines()]
    assert sum(asked) == many * 20
    assert max(asked) > 1, "two lanes, four jobs: some steps met"


async def test_a_chain_of_ten_thousand_nodes_runs(local: Opener):
    bench = await local()
    length = 10_000
    prompt = {"0": n("Number", value=0, log="")}
    for i in range(1, length):
        prompt[str(i)] = n("Add", a=[str(i - 1), 0], b=1, log="")
    prompt["end"] = n("Show", value=[str(length - 1), 0], log="")
    entry = await bench.run(prompt)
    assert entry.outcome.shown == {"end": shown(length - 1)}


async def test_a_taken_id_is_refused(local: Opener):
    bench = await local()
    prompt = {"1": n("Show", value=1, log="")}
    await bench.run(prompt, id="mine")
    with pytest.raises(PromptError, match="mine is taken"):
        await bench.submit(prompt, id="mine")
    assert bench.engine.remaining() == 0


async def test_front_and_number_decide_who_is_next(local: Opener):
    bench = await local()
    hold = value_shown(n("Nap", value=1, seconds=600.0, log=""))
    for i in range(4):
        await bench.submit({**hold, "3": n("Show", value=i, log="")}, id=f"hold{i}")
    for i in range(4):
        await bench.until(f"hold{i}", JobStarted)
    prompt = {"1": n("Show", value=1, log="")}
    await bench.submit(prompt, id="second")
    await bench.submit(prompt, id="first", front=True)
    await bench.submit(prompt, id="zeroth", number=-100.5)
    _, pending = await bench.engine.queue()
    assert [job.id for job in pending] == ["zeroth", "first", "second"]
    await bench.engine.delete_pending(["first"])
    await bench.engine.interrupt()
    await bench.ended("second")
    assert [entry.job.id for entry in await bench.engine.history(newest=1)] == ["second"]
    assert await bench.engine.history_entry("first") is None
    await bench.engine.delete_history(None)
    assert await bench.engine.history() == []


async def test_a_listener_that_raises_harms_no_job(local: Opener, caplog: pytest.LogCaptureFixture):
    bench = await local()

    def broken(_job: Job | None, _event: Event | QueueChanged) -> None:
        raise ValueError("a listener's own fault")

    bench.engine.add_listener(broken)
    heard: list[Event | QueueChanged] = []
    bench.engine.add_listener(lambda _job, event: heard.append(event))
    for value in range(6):
        entry = await bench.run({"1": n("Show", value=value, log="")})
        assert entry.outcome.status == "success"
    assert "a listener's own fault" in caplog.text
    assert heard, "the next listener gets them all the same"
    assert bench.engine.remaining() == 0
