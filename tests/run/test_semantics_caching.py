"""What is computed again and what is not, in each way to keep results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.run.events import JobStarted, NodeStarted
from engine.run.job_results import JobResults
from engine.run.local import LocalWorker
from engine.store.cache_policy import CachePolicy
from engine.store.history import HistoryEntry
from tests.run.conftest import Bench, Opener, Prompt
from tests.run.conftest import whole as n

MODES = {
    "all that fits": CachePolicy(),
    "latest": CachePolicy(latest_jobs_only=True),
    "most": CachePolicy(max_results=100),
    "few": CachePolicy(max_results=1),
    "none": CachePolicy(max_results=0),
}
IN_EACH_MODE = pytest.mark.parametrize("keeping", MODES.values(), ids=list(MODES))
WHERE_KEPT = pytest.mark.parametrize(
    "keeping",
    [MODES["all that fits"], MODES["latest"], MODES["most"]],
    ids=["all that fits", "latest", "most"],
)


def lines(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def show(node: str, log: str = "") -> dict[str, Any]:
    return n("Show", value=[node, 0], log=log)


def diamond(value: int, log: Path) -> Prompt:
    """One node that two take from, and one that takes from both."""
    return {
        "top": n("Number", value=value, log=str(log)),
        "left": n("Add", a=["top", 0], b=1, log=str(log)),
        "right": n("Add", a=["top", 0], b=2, log=str(log)),
        "sum": n("Add", a=["left", 0], b=["right", 0], log=str(log)),
        "show": show("sum"),
    }


async def good(bench: Bench, prompt: Prompt) -> HistoryEntry:
    entry = await bench.run(prompt)
    assert entry.outcome.status == "success", entry.outcome.failure
    return entry


@IN_EACH_MODE
async def test_a_node_that_two_take_from_runs_once_in_a_job(
    local: Opener, tmp_path: Path, keeping: CachePolicy
):
    bench, log = await local(keeping=keeping), tmp_path / "log"
    entry = await good(bench, diamond(5, log))
    assert entry.outcome.shown["show"]["text"] == ["13"]
    assert lines(log)[0] == "Number 5"
    assert sorted(lines(log)[1:]) == ["Add 5 1", "Add 5 2", "Add 6 7"]


@IN_EACH_MODE
async def test_lists_laziness_and_expansion_mean_the_same(
    local: Opener, tmp_path: Path, keeping: CachePolicy
):
    bench, log = await local(keeping=keeping), tmp_path / "log"
    prompt = {
        "list": n("Tens", count=3),
        "twice": n("Twice", value=["list", 0]),
        "deep": n("ToZero", value=["list", 0]),
        "one": n("Number", value=1, log=str(log)),
        "two": n("Number", value=2, log=str(log)),
        "pick": n("Pick", which="first", first=["one", 0], second=["two", 0]),
        "either": n("EitherAfter", condition=True, yes=["one", 0], no=["two", 0]),
        "all": n("CountAll", one=["twice", 0], other=["deep", 0]),
        "inside": n("ShowsInside", value=["one", 0]),
        "1": show("pick"),
        "2": show("either"),
        "3": show("all"),
        "4": show("inside"),
    }
    for _ in range(2):
        entry = await good(bench, prompt)
        assert {id: shown["text"] for id, shown in entry.outcome.shown.items()} == {
            "1": ["1 None"],
            "2": ["2"],
            "3": ["[0, 20, 40] [0, 55, 210]"],
            "4": ["1"],
            "inside.0.0.shown": ["1"],
        }
    assert "Number 2" not in lines(log)


@WHERE_KEPT
async def test_an_equal_prompt_computes_nothing(
    local: Opener, tmp_path: Path, keeping: CachePolicy
):
    bench, log = await local(keeping=keeping), tmp_path / "log"
    await good(bench, diamond(5, log))
    id = await bench.submit(diamond(5, log))
    entry = await bench.ended(id)
    assert sorted(entry.outcome.cached) == ["left", "right", "show", "sum", "top"]
    assert entry.outcome.shown["show"]["text"] == ["13"]
    assert not [event for event in bench.events(id) if isinstance(event, NodeStarted)]
    assert len(lines(log)) == 4


@pytest.mark.parametrize("first", ["show", "1"])
async def test_what_follows_a_cached_output_node_is_computed_and_the_job_ends(
    local: Opener, first: str
):
    bench, shows = await local(), {"1": n("ShowAndGive", value=1)}
    await good(bench, shows)
    prompt = {**shows, "show": show("1")}
    entry = await good(bench, {first: prompt[first], **prompt})
    assert entry.outcome.cached == ["1"]
    assert entry.outcome.shown == {"1": {"text": ["1"]}, "show": {"text": ["2"]}}


@WHERE_KEPT
async def test_only_what_hangs_on_a_change_is_computed_again(
    local: Opener, tmp_path: Path, keeping: CachePolicy
):
    bench, log = await local(keeping=keeping), tmp_path / "log"
    prompt = diamond(5, log)
    await good(bench, prompt)
    prompt["left"]["inputs"]["b"] = 10
    entry = await good(bench, prompt)
    assert sorted(entry.outcome.cached) == ["right", "top"]
    assert lines(log)[4:] == ["Add 5 10", "Add 15 7"]


@WHERE_KEPT
async def test_equal_nodes_of_a_prompt_run_once(
    local: Opener, tmp_path: Path, keeping: CachePolicy
):
    bench, log = await local(keeping=keeping), tmp_path / "log"
    prompt = {
        "1": n("Sleep", value=1, steps=2, seconds=0.05, log=str(log)),
        "2": n("Sleep", value=1, steps=2, seconds=0.05, log=str(log)),
        "3": n("Add", a=["1", 0], b=1, log=str(log)),
        "4": n("Add", a=["2", 0], b=1, log=str(log)),
        "5": n("Save", text="same"),
        "6": n("Save", text="same"),
        "7": show("3"),
        "8": n("CountAll", one=["3", 0], other=["4", 0]),
        "9": show("8"),
    }
    shown = (await good(bench, prompt)).outcome.shown
    assert shown["7"]["text"] == ["2"]
    assert shown["9"]["text"] == ["[2] [2]"]
    assert shown["5"] == shown["6"], "both show the one file"
    assert lines(log) == ["Sleep 1", "Slept 1", "Add 1 1"]


async def test_equal_nodes_all_fail_if_one_does(local: Opener):
    bench = await local()
    prompt = {
        "1": n("NapTogether", value=7, log="", fail_at=7),
        "2": n("NapTogether", value=7, log="", fail_at=7),
        "3": show("1"),
        "4": show("2"),
        "5": n("Show", value=1),
    }
    extra = {"node_failure_policy": "continue_independent"}
    partial = (await bench.run(prompt, extra=extra)).outcome.partial
    assert partial is not None
    assert (partial.errors, partial.successful_outputs) == (2, ["5"])
    assert sorted(partial.blocked_outputs) == ["3", "4"]


async def test_equal_nodes_of_jobs_side_by_side_run_once(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    prompt = {
        "1": n("Sleep", value=1, steps=5, seconds=0.1, log=str(log)),
        "2": n("Twice", value=["1", 0], log=str(log)),
        "3": n("Save", text="same"),
        "4": show("2"),
    }
    jobs = [await bench.submit(prompt) for _ in range(4)]
    shown = [(await bench.ended(id)).outcome.shown for id in jobs]
    assert shown == [shown[0]] * 4
    assert shown[0]["4"]["text"] == ["2"]
    done = [line for line in lines(log) if line != "Twice 1"]
    assert done == ["Sleep 1", "Slept 1", "Add 1 0", "Add 1 1"]


async def test_a_job_makes_what_it_waited_for_when_the_other_job_is_interrupted(
    local: Opener, tmp_path: Path
):
    bench, log = await local(), tmp_path / "log"
    prompt = {
        "1": n("Sleep", value=1, steps=50, seconds=1.0, log=str(log)),
        "2": show("1"),
    }
    first = await bench.submit(prompt)
    await bench.until(first, NodeStarted, "1")
    second = await bench.submit(prompt)
    await bench.until(second, JobStarted)
    assert await bench.engine.interrupt(first)
    assert (await bench.ended(first)).outcome.status == "interrupted"
    assert (await bench.ended(second)).outcome.status == "success"
    assert lines(log) == ["Sleep 1", "Sleep 1", "Slept 1"]


async def test_kept_without_keeping_is_nothing(local: Opener, tmp_path: Path):
    bench, log = await local(keeping=MODES["none"]), tmp_path / "log"
    for _ in range(2):
        entry = await good(bench, diamond(5, log))
        assert entry.outcome.cached == []
    assert len(lines(log)) == 8


async def test_a_worker_process_keeps_what_it_is_told_to(process: Opener, tmp_path: Path):
    bench, log = await process(keeping=MODES["none"]), tmp_path / "log"
    for _ in range(2):
        entry = await good(bench, diamond(5, log))
        assert entry.outcome.cached == []
    assert len(lines(log)) == 8


async def test_only_the_latest_prompt_is_remembered(local: Opener, tmp_path: Path):
    bench, log = await local(keeping=MODES["latest"]), tmp_path / "log"
    await good(bench, diamond(5, log))
    await good(bench, diamond(6, log))
    entry = await good(bench, diamond(5, log))
    assert entry.outcome.cached == []


async def test_the_results_used_last_are_remembered(local: Opener, tmp_path: Path):
    bench, log = await local(keeping=CachePolicy(max_results=2)), tmp_path / "log"
    for value in (1, 2, 3):
        await good(bench, {"n": n("Number", value=value, log=str(log)), "show": show("n")})
    await good(bench, {"n": n("Number", value=3, log=str(log)), "show": show("n")})
    await good(bench, {"n": n("Number", value=1, log=str(log)), "show": show("n")})
    assert lines(log) == ["Number 1", "Number 2", "Number 3", "Number 1"]


async def test_a_node_of_its_own_is_not_shared_with_an_equal_one(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    prompt = {
        "1": n("Own", log=str(log)),
        "2": n("Own", log=str(log)),
        "3": show("1"),
        "4": show("2"),
    }
    for _ in range(2):
        entry = await good(bench, prompt)
        assert entry.outcome.shown == {"3": {"text": ["1"]}, "4": {"text": ["2"]}}
    assert sorted(lines(log)) == ["Own 1", "Own 2"]


async def test_a_fingerprint_is_asked_once_for_each_job_and_decides(local: Opener, tmp_path: Path):
    bench, log, file = await local(), tmp_path / "log", tmp_path / "file"
    prompt = {
        "1": n("Reads", file=str(file), log=str(log)),
        "2": show("1"),
        "3": show("1", str(tmp_path / "x")),
    }
    for text, expected in (
        ("one", ["fingerprint", "read"]),
        ("one", ["fingerprint"]),
        ("two", ["fingerprint", "read"]),
    ):
        file.write_text(text)
        log.write_text("")
        entry = await good(bench, prompt)
        assert entry.outcome.shown["2"]["text"] == [text]
        assert lines(log) == expected


async def test_a_fingerprint_of_nan_runs_in_each_job(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    prompt = {
        "1": n("Always", log=str(log)),
        "2": show("1"),
        "3": show("1", str(tmp_path / "other")),
    }
    for _ in range(3):
        await good(bench, prompt)
    assert lines(log) == ["ran"] * 3


async def test_a_client_may_bring_the_fingerprint(local: Opener, tmp_path: Path):
    bench, log, file = await local(), tmp_path / "log", tmp_path / "file"
    file.write_text("one")

    def prompt(changed: Any) -> Prompt:
        reads = n("Reads", file=str(file), log=str(log))
        return {"1": {**reads, "is_changed": changed}, "2": show("1")}

    for changed in ("a", "a", "b", None, None):
        await good(bench, prompt(changed))
    assert lines(log) == ["read"] * 3, "nobody asks for it, equal ones are equal"


async def test_results_of_a_job_that_failed_are_there_for_the_next_one(
    local: Opener, tmp_path: Path
):
    bench, log = await local(), tmp_path / "log"
    number = {"1": n("Number", value=1, log=str(log))}
    failing = {**number, "2": n("Fail", value=["1", 0]), "3": show("2")}
    assert (await bench.run(failing)).outcome.status == "error"
    await good(bench, {**number, "3": show("1")})
    assert lines(log) == ["Number 1"]


async def test_results_that_nobody_needs_any_more_are_let_go_of(local: Opener):
    bench = await local(keeping=MODES["none"])
    length = 50
    prompt = {"0": n("Counted")}
    prompt |= {str(i): n("Follows", value=[str(i - 1), 0]) for i in range(1, length)}
    prompt["show"] = n("Show", value=[str(length - 1), 0])
    entry = await good(bench, prompt)
    (most,) = entry.outcome.shown["show"]["text"]
    assert int(most) <= 4, "of fifty in a row only a few are alive at once"


async def test_a_job_that_was_interrupted_while_it_began_needs_no_results(local: Opener):
    bench = await local(keeping=MODES["latest"])
    worker = bench.engine._worker  # pyright: ignore[reportPrivateUsage] - where results are kept
    assert isinstance(worker, LocalWorker)
    await bench.run({"1": n("Show", value=1, log="")})
    runtime = worker._runtime  # pyright: ignore[reportPrivateUsage]
    assert runtime is not None
    results = JobResults(runtime.context, "interrupted")
    results.end_job()
    results.begin_job(["a key"])
    await bench.run({"1": n("Show", value=2, log="")})
    latest = runtime.context.cache._latest_jobs  # pyright: ignore[reportPrivateUsage]
    assert latest is not None
    assert "a key" not in latest.needed
