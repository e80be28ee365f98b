"""Failures: the job ends, or goes on with what does not hang on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.graph.errors import PromptError
from engine.run.events import JobFinished, NodeFailed, NodeProgress, NodeStarted
from engine.store.history import Partial
from tests.run.conftest import Opener, Prompt
from tests.run.conftest import whole as n

GOES_ON = {"node_failure_policy": "continue_independent"}


def show(node: str) -> dict[str, Any]:
    return n("Show", value=[node, 0])


def two_branches() -> Prompt:
    return {
        "1": n("Number", value=1),
        "2": n("Fail", value=["1", 0]),
        "3": n("Add", a=["2", 0], b=1),
        "bad": show("3"),
        "4": n("Add", a=["1", 0], b=1),
        "good": show("4"),
    }


async def test_the_first_failure_ends_the_job(local: Opener):
    bench = await local()
    prompt = {**two_branches(), "4": n("NapTogether", value=["1", 0], log="")}
    entry = await bench.run(prompt)
    assert entry.outcome.status == "error"
    assert entry.outcome.failure is not None
    assert entry.outcome.failure.node == "2"
    assert "good" not in entry.outcome.shown


async def test_a_job_may_go_on_with_what_does_not_hang_on_a_failure(local: Opener):
    bench = await local()
    id = await bench.submit(two_branches(), extra=GOES_ON)
    entry = await bench.ended(id)
    assert entry.outcome.status == "success"
    assert entry.outcome.shown == {"good": {"text": ["2"]}}
    assert entry.outcome.partial == Partial(
        errors=1, blocked=["3", "bad"], blocked_outputs=["bad"], successful_outputs=["good"]
    )
    (failed,) = [event.failure for event in bench.events(id) if isinstance(event, NodeFailed)]
    assert (failed.node, failed.message) == ("2", "as asked")
    assert "3" not in [e.node for e in bench.events(id) if isinstance(e, NodeStarted)]


async def test_a_job_that_goes_on_fails_if_no_output_is_left(local: Opener):
    bench = await local()
    prompt = two_branches()
    del prompt["good"]
    entry = await bench.run(prompt, extra=GOES_ON)
    assert entry.outcome.status == "error"
    assert entry.outcome.failure is not None
    assert entry.outcome.failure.node == "2"


async def test_a_job_that_could_go_on_and_has_no_need_to_is_a_plain_success(local: Opener):
    entry = await (await local()).run({"good": n("Show", value=1)}, extra=GOES_ON)
    assert entry.outcome.status == "success"
    assert entry.outcome.partial is None


async def test_a_failure_behind_an_awaited_input_blocks_who_awaits_it(local: Opener):
    prompt = {
        "1": n("Fail", value=1),
        "2": n("EitherAfter", condition=True, yes=["1", 0], no=1),
        "bad": show("2"),
        "good": n("Show", value=1),
    }
    entry = await (await local()).run(prompt, extra=GOES_ON)
    assert entry.outcome.partial == Partial(1, ["2", "bad"], ["bad"], ["good"])


async def test_equal_nodes_behind_an_input_that_fails_are_all_blocked(local: Opener):
    pick = n("Pick", which="first", first=["1", 0], second=0)
    prompt = {
        "1": n("Fail", value=1),
        "2": pick,
        "3": pick,
        "bad": show("2"),
        "worse": n("Show", value=["3", 0], log="other"),
        "good": n("Show", value=1),
    }
    entry = await (await local()).run(prompt, extra=GOES_ON)
    assert entry.outcome.partial is not None
    assert sorted(entry.outcome.partial.blocked_outputs) == ["bad", "worse"]


async def test_a_failure_inside_an_expansion_blocks_what_waits_for_it(local: Opener):
    prompt = {
        "1": n("Wrong", kind="fails inside"),
        "bad": show("1"),
        "2": n("Wrong", kind="cycle through itself"),
        "worse": show("2"),
        "good": n("Show", value=1),
    }
    entry = await (await local()).run(prompt, extra=GOES_ON)
    assert entry.outcome.partial is not None
    assert entry.outcome.partial.errors == 2
    assert sorted(entry.outcome.partial.blocked_outputs) == ["bad", "worse"]
    assert entry.outcome.partial.successful_outputs == ["good"]


async def test_a_long_chain_behind_a_failure_is_blocked(local: Opener):
    length = 3000
    prompt = {"0": n("Fail", value=1), "good": n("Show", value=1)}
    prompt |= {str(i): n("Add", a=[str(i - 1), 0], b=1) for i in range(1, length)}
    prompt["bad"] = show(str(length - 1))
    entry = await (await local()).run(prompt, extra=GOES_ON)
    assert entry.outcome.partial is not None
    assert len(entry.outcome.partial.blocked) == length


async def test_outputs_that_fail_validation_are_left_out_and_the_others_run(local: Opener):
    bench = await local()
    prompt = {
        "1": n("Number", value=10**12),
        "bad": show("1"),
        "good": n("Show", value=1),
    }
    id = await bench.submit(prompt)
    entry = await bench.ended(id)
    assert entry.outcome.shown == {"good": {"text": ["1"]}}
    assert entry.job.outputs == ["good"]


async def test_only_the_targets_of_a_prompt_run(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    prompt = {
        "1": n("Number", value=1, log=str(log)),
        "one": show("1"),
        "2": n("Number", value=2, log=str(log)),
        "two": show("2"),
    }
    entry = await bench.run(prompt, targets=["two"])
    assert list(entry.outcome.shown) == ["two"]
    assert log.read_text() == "Number 2\n"
    with pytest.raises(PromptError, match="Prompt has no outputs"):
        await bench.submit(prompt, targets=["1"])


async def test_a_node_that_nothing_needs_may_lack_its_inputs(local: Opener):
    bench = await local()
    prompt = {"1": {"class_type": "Number"}, "2": n("Show", value=1)}
    assert (await bench.run(prompt)).outcome.status == "success"


async def test_an_interrupt_names_where_the_job_was(local: Opener):
    bench = await local()
    prompt = {"1": n("Sleep", value=1, steps=500, seconds=50.0), "2": show("1")}
    id = await bench.submit(prompt)
    await bench.until(id, NodeProgress)
    assert await bench.engine.interrupt(id)
    outcome = (await bench.ended(id)).outcome
    assert outcome.status == "interrupted"
    assert outcome.failure is not None
    assert (outcome.failure.node, outcome.failure.node_type) == ("1", "Sleep")


async def test_an_interrupt_ends_nodes_that_await(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    prompt = {
        "1": n("Nap", value=1, seconds=600.0, log=str(log)),
        "2": n("EitherAfter", condition=True, yes=["1", 0], no=1),
        "3": show("2"),
    }
    id = await bench.submit(prompt)
    await bench.until(id, NodeStarted, "1")
    assert await bench.engine.interrupt(id)
    assert (await bench.ended(id)).outcome.status == "interrupted"
    assert log.read_text() == "begin\n"


async def test_a_node_may_interrupt_its_job_itself(local: Opener):
    bench = await local()
    outcome = (await bench.run({"1": n("GivesUp", value=1), "2": show("1")})).outcome
    assert outcome.status == "interrupted"
    assert outcome.failure is not None
    assert outcome.failure.node == "1"


async def test_an_interrupt_is_heeded_between_the_items_of_a_list(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    prompt = {
        "1": n("Tens", count=1000),
        "2": n("Slow", value=["1", 0], log=str(log)),
        "3": show("2"),
    }
    id = await bench.submit(prompt)
    await bench.until(id, NodeStarted, "2")
    assert await bench.engine.interrupt(id)
    assert (await bench.ended(id)).outcome.status == "interrupted"
    after = await bench.run({"1": n("Slow", value=-1, log=str(log)), "3": show("1")})
    assert after.outcome.status == "success"
    assert len(log.read_text().splitlines()) < 1000


async def test_nothing_is_told_of_a_job_after_its_end(local: Opener):
    bench = await local()
    prompt = {
        "1": n("Fail", value=1),
        "2": n("Sleep", value=2, steps=20, seconds=0.3),
        "3": n("NapTogether", value=3, log=""),
        **{f"s{i}": show(str(i)) for i in (1, 2, 3)},
    }
    id = await bench.submit(prompt)
    await bench.ended(id)
    await bench.run({"1": n("Sleep", value=9, steps=2, seconds=0.4), "2": show("1")})
    kinds = [type(event) for event in bench.events(id)]
    assert kinds.index(JobFinished) == len(kinds) - 1


async def test_a_wide_graph_runs(local: Opener):
    width = 3000
    prompt = {"top": n("Number", value=1)}
    prompt |= {str(i): n("Add", a=["top", 0], b=i) for i in range(width)}
    prompt |= {f"s{i}": show(str(i)) for i in range(0, width, 100)}
    entry = await (await local()).run(prompt)
    assert entry.outcome.shown["s2900"] == {"text": ["2901"]}


async def test_a_deep_graph_of_diamonds_runs_each_node_once(local: Opener, tmp_path: Path):
    log, depth = tmp_path / "log", 60
    prompt = {"0": n("Number", value=1, log=str(log))}
    for i in range(1, depth):
        prompt[str(i)] = n("Add", a=[str(i - 1), 0], b=[str(i - 1), 0], log=str(log))
    prompt["show"] = show(str(depth - 1))
    entry = await (await local()).run(prompt)
    assert entry.outcome.shown["show"]["text"] == [str(2 ** (depth - 1))]
    assert len(log.read_text().splitlines()) == depth
