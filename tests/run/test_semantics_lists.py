"""Lists: one run for each item, whole lists for inputs that collect, blocked items left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.run.events import NodeFailed, NodeOutput
from tests.run.conftest import Bench, Opener, Prompt
from tests.run.conftest import whole as n

LINES = n("Lines", text="a\nb\nc")


async def shown(bench: Bench, prompt: Prompt, node: str = "show") -> list[Any]:
    """What the node "show" shows in the end."""
    entry = await bench.run(prompt)
    assert entry.outcome.status == "success", entry.outcome.failure
    return entry.outcome.shown.get(node, {}).get("text", [])


def show(node: str, slot: int = 0) -> dict[str, Any]:
    return n("Show", value=[node, slot], log="")


async def test_a_node_runs_as_often_as_its_longest_list_has_items(local: Opener):
    prompt = {
        "1": n("Lines", text="a\nb\nc"),
        "2": n("Lines", text="x\ny"),
        "3": n("Concat", one=["1", 0], two=["2", 0]),
        "show": show("3"),
    }
    assert await shown(await local(), prompt) == ["ax", "by", "cy"], "the last one is repeated"


async def test_a_node_without_inputs_runs_once(local: Opener):
    assert await shown(await local(), {"1": n("Constant"), "show": show("1")}) == ["always this"]


async def test_inputs_that_collect_get_whole_lists_in_one_run(local: Opener):
    prompt = {
        "1": LINES,
        "2": n("CountAll", one=["1", 0], other="alone"),
        "show": show("2"),
    }
    assert await shown(await local(), prompt) == ["['a', 'b', 'c'] ['alone']"]


async def test_an_output_list_grows_with_each_run(local: Opener):
    prompt = {
        "1": n("Lines", text="1 2\n3 4"),
        "2": n("Words", text=["1", 0]),
        "3": n("CountAll", one=["2", 0], other=0),
        "show": show("3"),
    }
    assert await shown(await local(), prompt) == ["['1', '2', '3', '4'] [0]"]


async def test_what_repeated_runs_show_is_put_together(local: Opener):
    assert await shown(await local(), {"1": LINES, "show": show("1")}) == ["a", "b", "c"]


async def test_a_blocked_item_is_left_out_and_the_others_run(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    prompt = {
        "1": n("BlockOdd", count=5),
        "2": n("Number", value=["1", 0], log=str(log)),
        "3": n("Add", a=["2", 0], b=100, log=""),
        "show": show("3"),
    }
    assert await shown(bench, prompt) == ["100", "102", "104"]
    assert log.read_text().splitlines() == ["Number 0", "Number 2", "Number 4"]


async def test_a_blocked_item_blocks_a_node_that_collects(local: Opener):
    prompt = {
        "1": n("BlockOdd", count=5),
        "2": n("CountAll", one=["1", 0], other=1),
        "show": show("2"),
    }
    assert await shown(await local(), prompt) == []


async def test_a_blocked_output_silences_all_that_follows_and_the_job_succeeds(local: Opener):
    bench = await local()
    prompt = {
        "1": n("Block", value=1, when=True),
        "2": n("Add", a=["1", 0], b=1, log=""),
        "show": show("2"),
        "4": n("Show", value="beside", log=""),
    }
    id = await bench.submit(prompt)
    entry = await bench.ended(id)
    assert entry.outcome.status == "success"
    assert entry.outcome.shown == {"4": {"text": ["beside"]}}
    events = bench.events(id)
    assert not [event for event in events if isinstance(event, NodeFailed)]
    assert [event.node for event in events if isinstance(event, NodeOutput)] == ["4"]


async def test_a_message_of_a_blocked_output_is_told_once_by_who_would_run(local: Opener):
    bench = await local()
    prompt = {
        "1": n("Block", value=1, when=True, message="not today"),
        "2": n("Add", a=["1", 0], b=1, log=""),
        "3": n("Add", a=["2", 0], b=1, log=""),
        "show": show("3"),
        "4": n("Show", value="beside", log=""),
    }
    id = await bench.submit(prompt)
    entry = await bench.ended(id)
    assert entry.outcome.status == "success"
    assert entry.outcome.shown == {"4": {"text": ["beside"]}}
    (failed,) = [event.failure for event in bench.events(id) if isinstance(event, NodeFailed)]
    assert (failed.node, failed.node_type) == ("2", "Add")
    assert (failed.exception, failed.message) == ("ExecutionBlocked", "not today")


async def test_one_of_several_outputs_may_be_blocked(local: Opener):
    prompt = {
        "1": n("BlockSecond", value=7),
        "good": show("1", 0),
        "bad": show("1", 1),
    }
    bench = await local()
    assert await shown(bench, prompt, "good") == ["7"]
    assert await shown(bench, prompt, "bad") == []


async def test_an_output_node_may_give_outputs(local: Opener):
    prompt = {"1": n("ShowAndGive", value=1), "show": show("1")}
    bench = await local()
    assert await shown(bench, prompt) == ["2"]
    assert await shown(bench, {**prompt, "2": n("Show", value=9, log="")}, "1") == ["1"]


async def test_an_optional_input_that_is_not_given_has_its_default(local: Opener):
    bench = await local()
    assert await shown(bench, {"1": n("Choose", value=5), "show": show("1")}) == ["5"]
    given = {"1": n("Choose", value=5, anything="abc"), "show": show("1")}
    assert await shown(bench, given) == ["3"]


async def test_undeclared_inputs_reach_a_node_that_takes_them_only_if_linked(local: Opener):
    prompt = {
        "1": n("Number", value=1, log=""),
        "2": n("Gather", first=0, second=["1", 0], third=5, fourth=["1", 0]),
        "show": show("2"),
    }
    assert await shown(await local(), prompt) == ["first=0, fourth=1, second=1"]


async def test_an_undeclared_link_decides_about_the_result_too(local: Opener):
    bench = await local()

    def prompt(value: int) -> Prompt:
        one = n("Number", value=value, log="")
        return {"1": one, "2": n("Gather", more=["1", 0]), "show": show("2")}

    assert await shown(bench, prompt(1)) == ["first=0, more=1"]
    assert await shown(bench, prompt(2)) == ["first=0, more=2"]


async def test_a_raw_input_is_the_link_itself_and_its_node_does_not_run(
    local: Opener, tmp_path: Path
):
    log = tmp_path / "log"
    prompt = {
        "1": n("Number", value=1, log=str(log)),
        "2": n("LinkOf", value=["1", 0]),
        "show": show("2"),
    }
    assert await shown(await local(), prompt) == ["['1', 0]"]
    assert not log.exists()


async def test_wrong_returns_are_failures_of_the_node(local: Opener):
    bench = await local()
    for kind, text in (
        ("too many", "has 2 outputs but returned 3"),
        ("no tuple", "returned a int; it must return a tuple of 2 outputs"),
    ):
        failure = (await bench.run({"1": n("Misreturns", kind=kind), "show": show("1")})).outcome
        assert failure.failure is not None
        assert failure.failure.node == "1"
        assert text in failure.failure.message


async def test_async_items_of_one_node_run_side_by_side(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    prompt = {
        "1": n("BlockOdd", count=5),
        "2": n("NapTogether", value=["1", 0], log=str(log)),
        "show": show("2"),
    }
    assert await shown(bench, prompt) == ["0", "2", "4"]
    lines = log.read_text().splitlines()
    assert lines[:3] == ["begin 0", "begin 2", "begin 4"]
    assert sorted(lines[3:]) == ["end 0", "end 2", "end 4"]


async def test_async_nodes_go_on_while_a_plain_one_works(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    prompt = {
        "1": n("NapTogether", value=1, log=str(log)),
        "2": n("NapTogether", value=2, log=str(log)),
        "3": n("Sleep", value=1, steps=5, seconds=0.4, log=str(log)),
        "4": show("1"),
        "5": show("2"),
        "6": show("3"),
    }
    entry = await bench.run(prompt)
    assert len(entry.outcome.shown) == 3
    lines = log.read_text().splitlines()
    assert sorted(lines[:3]) == ["Sleep 1", "begin 1", "begin 2"]
    assert lines[-1] == "Slept 1"


async def test_one_failing_item_fails_an_async_node(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    prompt = {
        "1": n("BlockOdd", count=5),
        "2": n("NapTogether", value=["1", 0], log=str(log), fail_at=2),
        "show": show("2"),
    }
    failure = (await bench.run(prompt)).outcome.failure
    assert failure is not None
    assert (failure.node, failure.message) == ("2", "not 2")
