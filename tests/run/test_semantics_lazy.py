"""Lazy inputs: asked for by `needs`, or awaited by the function."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.run.conftest import Bench, Opener, Prompt
from tests.run.conftest import whole as n


async def shown(bench: Bench, prompt: Prompt) -> list[Any]:
    entry = await bench.run(prompt)
    assert entry.outcome.status == "success", entry.outcome.failure
    return entry.outcome.shown.get("show", {}).get("text", [])


def lines(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def numbers(log: Path, *values: int) -> Prompt:
    return {f"n{value}": n("Number", value=value, log=str(log)) for value in values}


SHOW = n("Show", value=["1", 0])


@pytest.mark.parametrize(("which", "given"), [("first", "1 None"), ("second", "None 2")])
async def test_only_what_a_node_asks_for_is_computed(
    local: Opener, tmp_path: Path, which: str, given: str
):
    log, sources = tmp_path / "log", tmp_path / "sources"
    prompt = {
        **numbers(sources, 1, 2),
        "1": n("Pick", which=which, first=["n1", 0], second=["n2", 0], log=str(log)),
        "show": SHOW,
    }
    assert await shown(await local(), prompt) == [given]
    assert lines(sources) == [f"Number {1 if which == 'first' else 2}"]
    assert lines(log) == ["asked with None None", f"asked with {given}", f"picked from {given}"]


async def test_a_node_that_asks_for_nothing_runs_without(local: Opener, tmp_path: Path):
    log = tmp_path / "log"
    prompt = {
        **numbers(log, 1, 2),
        "1": n("Pick", which="neither", first=["n1", 0], second=["n2", 0]),
        "show": SHOW,
    }
    assert await shown(await local(), prompt) == ["None None"]
    assert lines(log) == []


async def test_a_literal_of_a_lazy_input_is_there_from_the_start(local: Opener, tmp_path: Path):
    log = tmp_path / "log"
    prompt = {
        **numbers(tmp_path / "sources", 2),
        "1": n("Pick", which="second", first=10, second=["n2", 0], log=str(log)),
        "show": SHOW,
    }
    assert await shown(await local(), prompt) == ["10 2"]
    assert lines(log)[0] == "asked with 10 None"
    assert await shown(
        await local(tmp_path / "other"),
        {"1": n("Pick", which="first", first=1, second=2), "show": SHOW},
    ) == ["1 2"]


@pytest.mark.parametrize(("first", "given"), [(5, "5 6 None"), (0, "0 None None")])
async def test_a_node_may_ask_again_when_it_has_seen_what_came(
    local: Opener, tmp_path: Path, first: int, given: str
):
    log = tmp_path / "log"
    prompt = {
        **numbers(log, first, 6, 7),
        "1": n("Stages", first=[f"n{first}", 0], second=["n6", 0], third=["n7", 0]),
        "show": SHOW,
    }
    assert await shown(await local(), prompt) == [given]
    assert "Number 7" not in lines(log)


async def test_over_a_list_everything_is_computed_that_one_item_asks_for(
    local: Opener, tmp_path: Path
):
    log = tmp_path / "log"
    prompt = {
        **numbers(tmp_path / "sources", 1, 2),
        "which": n("Lines", text="first\nneither\nsecond"),
        "1": n("Pick", which=["which", 0], first=["n1", 0], second=["n2", 0], log=str(log)),
        "show": SHOW,
    }
    assert await shown(await local(), prompt) == ["1 2", "1 2", "1 2"]
    assert sorted(lines(tmp_path / "sources")) == ["Number 1", "Number 2"]


async def test_a_lazy_list_counts_as_a_list_when_it_was_asked_for(local: Opener):
    prompt = {
        "text": n("Lines", text="1\n2"),
        "1": n("PickText", which="first", first=["text", 0], second="no"),
        "show": SHOW,
    }
    assert await shown(await local(), prompt) == ["1 no", "2 no"]


async def test_a_failing_question_is_a_failure_of_the_node(local: Opener):
    bench = await local()
    one = n("Number", value=1)
    entry = await bench.run({"2": one, "1": n("CannotAsk", first=["2", 0]), "show": SHOW})
    assert entry.outcome.failure is not None
    assert entry.outcome.failure.node == "1"
    assert entry.outcome.failure.message == "cannot say what I need"


async def test_a_node_that_cannot_ask_gets_its_lazy_inputs(local: Opener):
    prompt = {"2": n("Number", value=4), "1": n("NeverAsks", value=["2", 0]), "show": SHOW}
    assert await shown(await local(), prompt) == ["4"]


async def test_an_input_that_is_awaited_twice_is_computed_once(local: Opener, tmp_path: Path):
    log = tmp_path / "log"
    prompt = {
        **numbers(log, 1, 2),
        "1": n("EitherAfter", condition=True, yes=["n1", 0], no=["n2", 0]),
        "show": SHOW,
    }
    assert await shown(await local(), prompt) == ["2"]
    assert lines(log) == ["Number 1"]


async def test_a_literal_may_be_awaited(local: Opener):
    prompt = {"1": n("EitherAfter", condition=False, yes=1, no=21), "show": SHOW}
    assert await shown(await local(), prompt) == ["42"]


async def test_over_a_list_each_run_awaits_its_own_item(local: Opener, tmp_path: Path):
    prompt = {
        "conditions": n("Flags", text="yes\nno\nyes"),
        "1": n("EitherAfter", condition=["conditions", 0], yes=["tens", 0], no=100),
        "tens": n("Tens", count=3),
        "show": SHOW,
    }
    assert await shown(await local(), prompt) == ["0", "200", "40"]


async def test_an_awaited_input_that_is_blocked_blocks_the_node(local: Opener):
    prompt = {
        "2": n("Block", value=1, when=True),
        "1": n("EitherAfter", condition=True, yes=["2", 0], no=1),
        "show": SHOW,
    }
    assert await shown(await local(), prompt) == []


async def test_what_an_awaited_input_needs_is_computed_with_it(local: Opener, tmp_path: Path):
    log = tmp_path / "log"
    prompt = {
        **numbers(log, 1, 2),
        "inner": n("EitherAfter", condition=True, yes=["n1", 0], no=["n2", 0]),
        "1": n("EitherAfter", condition=False, yes=["n2", 0], no=["inner", 0]),
        "show": SHOW,
    }
    assert await shown(await local(), prompt) == ["4"]
    assert lines(log) == ["Number 1"]


async def test_a_failure_of_an_awaited_input_is_told_of_that_one(local: Opener):
    prompt = {
        "2": n("Fail", value=1),
        "1": n("EitherAfter", condition=True, yes=["2", 0], no=1),
        "show": SHOW,
    }
    entry = await (await local()).run(prompt)
    assert entry.outcome.failure is not None
    assert entry.outcome.failure.node == "2"
