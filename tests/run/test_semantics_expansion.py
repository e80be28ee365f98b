"""Expansion: a node that is replaced by a graph of further nodes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from engine.run.events import JobStarted, NodeExpanded, NodeFinished, NodeOutput, NodeStarted
from engine.store.history import Failure
from tests.run.conftest import Bench, Opener, Prompt
from tests.run.conftest import whole as n

SHOW = n("Show", value=["1", 0])


async def shown(bench: Bench, prompt: Prompt) -> list[Any]:
    entry = await bench.run(prompt)
    assert entry.outcome.status == "success", entry.outcome.failure
    return entry.outcome.shown["show"]["text"]


async def failure(bench: Bench, prompt: Prompt) -> Failure:
    entry = await bench.run(prompt)
    assert entry.outcome.status == "error"
    assert entry.outcome.failure is not None
    return entry.outcome.failure


def lines(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


async def test_a_node_gives_what_the_nodes_give_that_it_expands_into(local: Opener):
    assert await shown(await local(), {"1": n("Twice", value=21), "show": SHOW}) == ["42"]


async def test_new_nodes_are_named_after_their_parent_and_shown_as_it(local: Opener):
    bench = await local()
    id = await bench.submit({"1": n("Twice", value=21), "show": SHOW})
    await bench.ended(id)
    events = bench.events(id)
    (expanded,) = [event for event in events if isinstance(event, NodeExpanded)]
    assert expanded == NodeExpanded("1", {"1.0.0.a": "1", "1.0.0.b": "1"})
    started = [event.node for event in events if isinstance(event, NodeStarted)]
    assert started == ["1", "1.0.0.a", "1.0.0.b", "show"]
    finished = [event.node for event in events if isinstance(event, NodeFinished)]
    assert finished == ["1.0.0.a", "1.0.0.b", "1", "show"], "the parent ends with its graph"


async def test_an_expansion_may_expand_again_to_any_depth(local: Opener):
    bench = await local()
    prompt = {"1": n("ToZero", value=600), "show": SHOW}
    assert await shown(bench, prompt) == [str(600 * 601 // 2)]


async def test_each_item_of_a_list_expands_by_itself(local: Opener):
    prompt = {
        "list": n("Tens", count=3),
        "1": n("Twice", value=["list", 0]),
        "show": SHOW,
    }
    assert await shown(await local(), prompt) == ["0", "20", "40"]


async def test_values_and_links_may_be_mixed_and_lists_stay_lists(local: Opener):
    prompt = {
        "1": n("Mixed", value=1),
        "2": n("CountAll", one=["1", 0], other=["1", 1]),
        "show": n("Show", value=["2", 0]),
    }
    assert await shown(await local(), prompt) == ["[1] ['a1', 'b1']"]


async def test_a_repeated_expansion_is_cached_as_one_node(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    prompt = {"1": n("Twice", value=3, log=str(log)), "show": SHOW}
    await shown(bench, prompt)
    entry = await bench.run({**prompt, "5": n("Show", value=["1", 0], log="other")})
    assert entry.outcome.cached == ["1", "show"]
    assert lines(log) == ["Twice 3", "Add 3 0", "Add 3 3"]


async def test_nodes_of_an_expansion_are_shared_with_equal_ones_anywhere(
    local: Opener, tmp_path: Path
):
    bench, log = await local(), tmp_path / "log"
    prompt = {
        "1": n("Twice", value=3, log=str(log)),
        "2": n("Add", a=3, b=0, log=str(log)),
        "show": SHOW,
        "also": n("Show", value=["2", 0]),
    }
    await bench.run({"2": prompt["2"], "also": prompt["also"]})
    await shown(bench, prompt)
    assert lines(log) == ["Add 3 0", "Twice 3", "Add 3 3"]
    renamed = {"9": prompt["1"], "show": n("Show", value=["9", 0], log="")}
    await bench.run(renamed)
    assert len(lines(log)) == 3, "ids do not matter"


async def test_output_nodes_in_an_expansion_run_and_what_nobody_needs_does_not(
    local: Opener, tmp_path: Path
):
    bench, log = await local(), tmp_path / "log"
    prompt = {"1": n("ShowsInside", value=5, log=str(log)), "show": SHOW}
    id = await bench.submit(prompt)
    entry = await bench.ended(id)
    assert entry.outcome.shown == {"1.0.0.shown": {"text": ["5"]}, "show": {"text": ["5"]}}
    assert entry.outcome.display == {"1.0.0.shown": "1"}
    assert lines(log) == ["ShowsInside 5", "Show 5"]


async def test_what_an_expansion_showed_is_shown_again_when_it_is_repeated(
    local: Opener, tmp_path: Path
):
    bench, log = await local(), tmp_path / "log"
    prompt = {"1": n("ShowsInside", value=5, log=str(log)), "show": SHOW}
    first = await bench.run(prompt)
    id = await bench.submit(prompt)
    entry = await bench.ended(id)
    assert entry.outcome.shown == first.outcome.shown
    assert entry.outcome.display == {"1.0.0.shown": "1"}
    assert entry.outcome.cached == ["1", "show"]
    again = [event.node for event in bench.events(id) if isinstance(event, NodeOutput)]
    assert sorted(again) == ["1.0.0.shown", "show"]
    assert lines(log) == ["ShowsInside 5", "Show 5"], "nothing is run again"


async def test_what_was_shown_deeper_inside_is_shown_again_too(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    await bench.run({"1": n("ShowsInside", value=5, log=str(log)), "show": SHOW})
    for _ in range(3):
        entry = await bench.run({"1": n("Around", value=5, log=str(log)), "show": SHOW})
        assert entry.outcome.shown["1.0.0.in.0.0.shown"] == {"text": ["5"]}
        assert entry.outcome.display == {"1.0.0.in.0.0.shown": "1"}
    assert lines(log) == ["ShowsInside 5", "Show 5"], "nothing is run again"


async def test_a_file_that_an_expansion_saved_is_saved_again_when_it_was_deleted(local: Opener):
    bench = await local()
    prompt = {"1": n("SavesInside", text="hello"), "show": SHOW}
    first = (await bench.run(prompt)).outcome.shown["1.0.0.saved"]["files"]
    assert (await bench.run(prompt)).outcome.shown["1.0.0.saved"]["files"] == first
    (bench.engine.folders.home / "output" / first[0]["filename"]).unlink()
    entry = await bench.run(prompt)
    (second,) = entry.outcome.shown["1.0.0.saved"]["files"]
    assert (bench.engine.folders.home / "output" / second["filename"]).read_text() == "hello"


async def test_objects_in_an_expansion_count_as_what_made_them(local: Opener, tmp_path: Path):
    bench, log, own = await local(), tmp_path / "log", tmp_path / "own"

    def prompt(text: str) -> Prompt:
        return {"1": n("Hands", text=text, log=str(log), own_log=str(own)), "show": SHOW}

    assert await shown(bench, prompt("a")) == ["a"]
    assert await shown(bench, prompt("b")) == ["b"]
    assert await shown(bench, prompt("a")) == ["a"]
    assert lines(log) == ["Unwrap a", "Unwrap b"]
    assert lines(own) == ["Hands", "Hands"]


async def test_a_node_that_expands_may_show_something_itself(local: Opener):
    entry = await (await local()).run({"1": n("ShowsItself", value=3), "show": SHOW})
    assert entry.outcome.shown == {"1": {"text": ["expands"]}, "show": {"text": ["6"]}}


async def test_an_output_node_may_expand(local: Opener):
    entry = await (await local()).run({"1": n("ShowsByOthers", value=3)})
    assert entry.outcome.status == "success"
    assert entry.outcome.shown["1.0.0.shown"] == {"text": ["3"]}


async def test_an_expansion_may_take_from_nodes_of_the_prompt(local: Opener, tmp_path: Path):
    log = tmp_path / "log"
    prompt = {
        "2": n("Upper", text="deep", log=str(log)),
        "1": n("Through", value=["2", 0], log=str(log)),
        "show": SHOW,
    }
    assert await shown(await local(), prompt) == ["DEEP"]
    assert lines(log) == ["Upper deep", "Upper DEEP"]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("no such class", "needs a node 'Nothing', which is not there"),
        ("no such node", "links to node 'nowhere', which is neither in the expansion nor in"),
        ("no such slot", "links to output 5 of node '1.0.0.a' (Add), which has 1"),
        ("no inputs", "is not written as in a prompt"),
        ("too few outputs", "has 1 outputs but returned 0"),
    ],
)
async def test_a_graph_that_cannot_run_is_a_failure_of_its_parent(
    local: Opener, kind: str, text: str
):
    failed = await failure(await local(), {"1": n("Wrong", kind=kind), "show": SHOW})
    assert (failed.node, failed.node_type) == ("1", "Wrong")
    assert text in failed.message


async def test_a_failure_inside_is_told_of_the_node_that_clients_know(local: Opener):
    failed = await failure(await local(), {"1": n("Wrong", kind="fails inside"), "show": SHOW})
    assert (failed.node, failed.node_type) == ("1", "Wrong")
    assert (failed.exception, failed.message) == ("ValueError", "inside")


@pytest.mark.parametrize("kind", ["cycle", "cycle through itself"])
async def test_a_cycle_is_blamed_on_the_node_that_made_it(local: Opener, kind: str):
    bench = await local()
    failed = await failure(bench, {"1": n("Wrong", kind=kind), "show": SHOW})
    assert failed.node == "1"
    assert failed.exception == "graph.DependencyCycleError"
    assert "Dependency cycle detected" in failed.message
    assert "1.0.0.a" in failed.message
    after = await bench.run({"show": n("Show", value=1)})
    assert after.outcome.status == "success"


@pytest.mark.parametrize("kind", ["AwaitsItself", "AwaitsItselfTwice"])
async def test_a_cycle_through_an_awaited_input_is_noticed(local: Opener, kind: str):
    nap = n("Nap", value=1, seconds=0.2)  # meanwhile nobody can tell that it is one
    prompt = {"1": n(kind), "show": SHOW, "nap": nap, "also": n("Show", value=["nap", 0])}
    failed = await failure(await local(), prompt)
    assert (failed.node, failed.exception) == ("1", "graph.DependencyCycleError")


async def test_a_cycle_is_noticed_while_equal_nodes_wait_for_it(local: Opener):
    """Each of two jobs has two: one of the four runs, and the others wait for its key."""
    prompt = {
        "1": n("AwaitsItself"),
        "2": n("AwaitsItself"),
        "show": SHOW,
        "also": n("Show", value=["2", 0], log="also"),
    }
    opened = await local()
    for failed in await asyncio.gather(*[failure(opened, prompt) for _ in range(2)]):
        assert failed.node in ("1", "2")
        assert failed.exception == "graph.DependencyCycleError"


async def test_an_id_that_is_taken_is_refused(local: Opener):
    prompt = {
        "1": n("Wrong", kind="taken id"),
        "1.x": n("Number", value=1),
        "show": n("Show", value=["1.x", 0]),
        "other": SHOW,
    }
    failed = await failure(await local(), prompt)
    assert "the job has a node '1.x' already" in failed.message


async def test_a_job_that_dies_inside_an_expansion_goes_on_from_what_was_done(
    process: Opener, tmp_path: Path
):
    bench, log = await process(), tmp_path / "log"
    prompt = {
        "1": n("DiesInside", marker=str(tmp_path / "marker"), log=str(log)),
        "show": SHOW,
    }
    id = await bench.submit(prompt)
    entry = await bench.ended(id)
    assert entry.outcome.status == "success"
    assert lines(log) == ["Sleep 1", "Slept 1", "Die 0", "Die 1"]
    assert len([event for event in bench.events(id) if isinstance(event, JobStarted)]) == 2
