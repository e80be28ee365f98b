"""V1 nodes that only compute: arguments, results, state, caching, hidden inputs, checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.authoring.protocols import File
from engine.graph.errors import PromptError
from engine.run.events import CustomMessage, NodeFinished, NodeOutput, NodeProgress, NodeStarted
from tests.run.conftest import Bench, Opener, n


def shown_by(source: dict[str, Any], **more: dict[str, Any]) -> dict[str, Any]:
    """A prompt that shows the first output of one node, "1"."""
    return {"1": source, "out": n("V1Show", value=["1", 0]), **more}


async def shown(bench: Bench, prompt: dict[str, Any], **more: Any) -> list[Any]:
    """What the node "out" shows."""
    entry = await bench.run(prompt, **more)
    assert entry.outcome.status == "success", entry.outcome
    return entry.outcome.shown["out"]["text"]


async def refused(bench: Bench, prompt: dict[str, Any]) -> PromptError:
    with pytest.raises(PromptError) as caught:
        await bench.submit(prompt)
    return caught.value


async def test_a_sum_of_two_numbers_is_shown(local: Opener):
    bench = await local()
    prompt = {
        "a": n("V1Number", value=2),
        "1": n("V1Add", a=["a", 0], b=3),
        "out": n("V1Show", value=["1", 0]),
    }
    assert await shown(bench, prompt) == ["5"]


async def test_v1_nodes_and_our_own_pass_values_to_each_other(local: Opener):
    bench = await local()
    prompt = {
        "1": n("PrimitiveInt", value=40),
        "2": n("V1Add", a=["1", 0], b=2),
        "out": n("PreviewAny", source=["2", 0]),
    }
    assert await shown(bench, prompt) == ["42"]


async def test_an_equal_node_is_computed_once_whatever_its_id(local: Opener, tmp_path: Path):
    bench, log = await local(), str(tmp_path / "log")
    await bench.run(shown_by(n("V1Number", value=7, log=log)))
    await bench.run({"x": n("V1Number", value=7, log=log), "y": n("V1Show", value=["x", 0])})
    assert Path(log).read_text() == "Number 7\n"


async def test_an_optional_input_that_is_left_out_takes_pythons_default(local: Opener):
    bench = await local()
    assert await shown(bench, shown_by(n("V1Number", value=1))) == ["1"]


async def test_an_output_node_may_show_nothing(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    entry = await bench.run({"1": n("V1Silent", value=3, log=str(log))})
    assert entry.outcome.status == "success"
    assert log.read_text() == "Silent 3\n"


async def test_instances_keep_their_state_between_jobs_for_each_node_id(local: Opener):
    bench = await local()
    assert await shown(bench, shown_by(n("V1Tally"))) == ["1"]
    assert await shown(bench, shown_by(n("V1Tally"))) == ["2"]
    other = {"b": n("V1Tally"), "out": n("V1Show", value=["b", 0])}
    assert await shown(bench, other) == ["1"]
    assert await shown(bench, shown_by(n("V1Tally"))) == ["3"]


async def test_a_node_runs_again_when_what_is_changed_says_so(local: Opener, tmp_path: Path):
    bench, file = await local(), tmp_path / "file"
    prompt = shown_by(n("V1Content", path=str(file)))
    file.write_text("one")
    assert await shown(bench, prompt) == ["one"]
    assert (await bench.run(prompt)).outcome.cached == ["1", "out"]
    file.write_text("two")
    assert await shown(bench, prompt) == ["two"]


async def test_a_node_that_is_not_idempotent_shares_no_result(local: Opener, tmp_path: Path):
    bench, log = await local(), str(tmp_path / "log")
    prompt = {
        "a": n("V1Own", value=1, log=log),
        "b": n("V1Own", value=1, log=log),
        "c": n("V1Add", a=["a", 0], b=["b", 0]),
        "out": n("V1Show", value=["c", 0]),
    }
    assert await shown(bench, prompt) == ["2"]
    assert Path(log).read_text() == "Own 1\nOwn 1\n"


async def test_functions_of_a_pack_never_run_two_at_a_time(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    slow = {str(i): n("V1Slow", value=i, log=str(log)) for i in range(4)}
    shows = {f"out{i}": n("V1Show", value=[str(i), 0]) for i in range(4)}
    ids = [await bench.submit({**slow, **shows}), await bench.submit(shown_by(slow["3"]))]
    for id in ids:
        await bench.ended(id)
    lines = log.read_text().splitlines()
    assert lines == ["begin", "end"] * (len(lines) // 2)


async def test_hidden_inputs_are_filled_in(local: Opener):
    bench = await local()
    prompt = shown_by(n("V1Hidden"))
    (text,) = await shown(bench, prompt, extra={"extra_pnginfo": {"workflow": 5}})
    assert json.loads(text) == ["1", ["1", "out"], {"workflow": 5}, "V1Hidden", None]


async def test_a_failure_names_the_node_and_what_it_raised(local: Opener):
    bench = await local()
    entry = await bench.run(shown_by(n("V1Fail", value=1, text="gone wrong")))
    failure = entry.outcome.failure
    assert entry.outcome.status == "error"
    assert failure is not None
    assert (failure.node, failure.node_type) == ("1", "V1Fail")
    assert (failure.message, failure.exception) == ("gone wrong", "ValueError")


@pytest.mark.parametrize(
    ("whole", "told"),
    [
        (False, "returned 1 values, and its RETURN_TYPES ('INT', 'INT') has 2"),
        (True, "returned a int; a V1 node returns a tuple"),
    ],
)
async def test_a_result_that_does_not_fit_is_told_clearly(local: Opener, whole: bool, told: str):
    bench = await local()
    entry = await bench.run(shown_by(n("V1Short", whole=whole)))
    assert entry.outcome.failure is not None
    assert told in entry.outcome.failure.message


async def test_a_widget_of_a_packs_own_may_hold_any_value(local: Opener):
    bench = await local()
    color = {"r": 1, "stops": [[1, 2], "x"]}
    assert await shown(bench, shown_by(n("V1Color", color=color))) == [json.dumps(color)]


async def test_comma_types_meet_where_they_have_one_in_common(local: Opener):
    bench = await local()
    number, text = n("V1Number", value=4), n("V1Greeting", name="x")
    prompt = {
        "n": number,
        "1": n("V1NumberOrFloat", number=["n", 0]),
        "out": n("V1Show", value=["1", 0]),
    }
    assert await shown(bench, prompt) == ["4"]
    error = await refused(bench, {**prompt, "n": text})
    assert error.node_errors["1"].errors[0].type == "return_type_mismatch"


async def test_limits_hold_as_for_our_own_nodes(local: Opener):
    bench = await local()
    error = await refused(bench, shown_by(n("V1Number", value=1001)))
    assert error.node_errors["1"].errors[0].type == "value_bigger_than_max"


@pytest.mark.parametrize(
    ("value", "type", "details"),
    [
        (11, "custom_validation_failed", "value - 11 is odd"),
        (13, "exception_during_validation", "no luck"),
    ],
)
async def test_a_nodes_own_check_is_told(local: Opener, value: int, type: str, details: str):
    bench = await local()
    error = await refused(bench, shown_by(n("V1Even", value=value, other=0)))
    (told,) = error.node_errors["1"].errors
    assert (told.type, told.details) == (type, details)


async def test_limits_of_an_input_that_the_node_checks_are_its_own_affair(local: Opener):
    bench = await local()
    assert await shown(bench, shown_by(n("V1Even", value=200, other=3))) == ["200"]
    error = await refused(bench, shown_by(n("V1Even", value=200, other=4)))
    assert error.node_errors["1"].errors[0].type == "value_bigger_than_max"


async def test_a_check_of_everything_judges_types_and_choices(local: Opener):
    bench = await local()
    prompt = {
        "s": n("V1Greeting", name="x"),
        "1": n("V1Anything", value=["s", 0], mode="c"),
        "out": n("V1Show", value=["1", 0]),
    }
    assert await shown(bench, prompt) == ["Hello x c"]
    assert await refused(bench, {**prompt, "1": n("V1Anything", value=["s", 0], mode="bad")})
    picture = n("EmptyImage", width=8, height=8, batch_size=1, color=0)
    error = await refused(bench, {**prompt, "s": picture})
    assert "no IMAGE" in error.node_errors["1"].errors[0].details


async def test_files_are_found_listed_anew_and_saved(local: Opener):
    bench = await local()
    home = bench.engine.folders.home
    picked = n("V1Pick", file="late.txt", lora="l.safetensors", size=2.5)
    assert (await refused(bench, shown_by(picked))).node_errors["1"]
    (home / "input" / "late.txt").write_text("x")
    (home / "models" / "loras" / "l.safetensors").write_text("x")
    (text,) = await shown(bench, shown_by(picked))
    assert json.loads(text) == ["late.txt", "l.safetensors", 2.5]
    three = n("V1Pick", file="late.txt", lora="l.safetensors", size="3")
    told = (await refused(bench, shown_by(three))).node_errors["1"].errors[0]
    assert told.details == "size: '3' not in [1, 2.5, 'three', True]"


async def test_saved_files_get_the_next_number_and_are_shown(local: Opener):
    bench = await local()
    saves = [
        (await bench.run({"1": n("V1Save", text=text, filename_prefix="notes/a")})).outcome.shown
        for text in ("one", "two", "one")
    ]
    names = [saved["1"]["files"][0]["filename"] for saved in saves]
    assert names == ["a_00001_.txt", "a_00002_.txt", "a_00001_.txt"]
    folder = bench.engine.folders.root("output") / "notes"
    assert (folder / "a_00002_.txt").read_text() == "two"
    (folder / "a_00001_.txt").unlink()
    again = await bench.run({"1": n("V1Save", text="one", filename_prefix="notes/a")})
    file = again.outcome.shown["1"]["files"][0]
    assert bench.engine.folders.has(File(**file)), "a file that is gone is made anew"


async def test_a_prefix_that_leads_out_of_the_folder_is_refused(local: Opener):
    bench = await local()
    entry = await bench.run({"1": n("V1Save", text="x", filename_prefix="../../x")})
    assert entry.outcome.failure is not None
    assert "leads out of its folder" in entry.outcome.failure.message


@pytest.mark.parametrize("new", [False, True])
async def test_progress_is_told(local: Opener, new: bool):
    bench = await local()
    id = await bench.submit(shown_by(n("V1Work", steps=3, pause=0.03, new=new)))
    await bench.ended(id)
    told = [event for event in bench.events(id) if isinstance(event, NodeProgress)]
    assert told[-1] == NodeProgress("1", 3, 3)


async def test_an_interrupt_reaches_a_node_that_reports(local: Opener):
    bench = await local()
    id = await bench.submit(shown_by(n("V1Work", steps=10_000, pause=0.01, new=False)))
    await bench.until(id, NodeProgress)
    await bench.engine.interrupt(id)
    entry = await bench.ended(id)
    assert entry.outcome.status == "interrupted"


async def test_a_message_goes_to_the_client_of_the_job(local: Opener):
    bench = await local()
    id = await bench.submit(shown_by(n("V1Tell", text="hi")), client_id="me")
    entry = await bench.ended(id)
    assert CustomMessage("1", "workbench.said", {"text": "hi", "many": [1, 2]}) in bench.events(id)
    assert entry.outcome.shown["out"]["text"] == ["me"]


async def test_events_are_those_of_our_own_nodes(local: Opener):
    bench = await local()
    id = await bench.submit(shown_by(n("V1Number", value=8)))
    await bench.ended(id)
    kinds = [type(event).__name__ for event in bench.events(id)]
    kinds = [kind for kind in kinds if kind != "QueueChanged"]
    first, second = [NodeStarted, NodeFinished], [NodeStarted, NodeOutput, NodeFinished]
    assert kinds == ["JobStarted", *(kind.__name__ for kind in first + second), "JobFinished"]


async def test_packs_find_what_they_know_of_the_program(local: Opener):
    bench = await local()
    (text,) = await shown(bench, shown_by(n("V1Surroundings", sampler="euler")))
    assert json.loads(text) == [16384, True, True, False]
