"""Whatever the graph: it gives what a plain reading of its meaning gives."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.run.engine import Engine
from engine.run.events import JobFinished
from engine.run.local import LocalWorker
from engine.store.cache_policy import CachePolicy
from engine.store.folders import Folders
from engine.store.history import JobResult
from tests.run.conftest import Bench, Prompt, registry
from tests.run.conftest import whole as n

BLOCKED = "blocked"
Values = list[Any]
FEW = CachePolicy(max_results=3)
KEEPING = [CachePolicy(), CachePolicy(latest_jobs_only=True), FEW, CachePolicy(max_results=0)]
KINDS = ["Number", "Add", "Tens", "BlockOdd", "Twice", "ToZero", "EitherAfter", "Total", "Nap"]
SHOWING = ["ShowAndGive", "ShowsInside", "Around"]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Prompt, dict[str, Values]]:
    """A prompt in any order, and what each of its nodes shall show, itself or inside of it."""
    prompt: Prompt = {}
    meaning: dict[str, Values] = {}
    for number in range(draw(st.integers(1, 14))):
        id = str(number)
        sources = st.sampled_from(sorted(meaning)).map(lambda id: [id, 0])
        small = st.integers(-3, 3)
        value = st.one_of(small, sources) if meaning else small
        kind = draw(st.sampled_from(KINDS + SHOWING))
        inputs = {
            "Number": {"value": value},
            "Add": {"a": value, "b": value},
            "Tens": {"count": st.integers(0, 3)},
            "BlockOdd": {"count": st.integers(0, 4)},
            "Twice": {"value": value},
            "ToZero": {"value": st.integers(0, 3), "total": value},
            "EitherAfter": {"condition": st.booleans(), "yes": value, "no": value},
            "Total": {"values": value},
            "Nap": {"value": value, "seconds": st.just(0.0)},
            **{showing: {"value": value} for showing in SHOWING},
        }[kind]
        drawn = {name: draw(strategy) for name, strategy in inputs.items()}
        prompt[id] = n(kind, **drawn)
        meaning[id] = meant(kind, drawn, meaning)
    for number in range(draw(st.integers(1, 4))):
        source = draw(st.sampled_from(sorted(meaning)))
        prompt[f"show{number}"] = n("Show", value=[source, 0])
    mixed = dict(draw(st.permutations(sorted(prompt.items()))))
    return mixed, {id: what_it_shows(prompt[id], meaning) for id in needed(prompt)}


def what_it_shows(node: dict[str, Any], meaning: dict[str, Values]) -> Values:
    """The texts that a node shows, itself or inside of it."""
    if node["class_type"] not in ("Show", *SHOWING):
        return []
    value = node["inputs"]["value"]
    items = meaning[value[0]] if isinstance(value, list) else [value]
    return sorted(str(item) for item in items if item != BLOCKED)


def needed(prompt: Prompt) -> set[str]:
    """The nodes that run: outputs, and what they take from."""
    waiting = [id for id in prompt if shows(prompt, id)]
    found: set[str] = set()
    while waiting:
        id = waiting.pop()
        found.add(id)
        inputs = dict(prompt[id]["inputs"])
        if prompt[id]["class_type"] == "EitherAfter":
            del inputs["no" if inputs["condition"] else "yes"]
        waiting += [value[0] for value in inputs.values() if isinstance(value, list)]
    return found


def shows(prompt: Prompt, id: str) -> bool:
    """Whether it is an output node."""
    return prompt[id]["class_type"] in ("Show", "ShowAndGive")


def of_outputs(prompt: Prompt, shown: dict[str, Values]) -> dict[str, Values]:
    """What output nodes of the prompt show, without what is shown inside of others."""
    return {id: texts for id, texts in shown.items() if shows(prompt, id)}


def shown_by_node(outcome: JobResult, needed: Collection[str]) -> dict[str, Values]:
    """The texts of a job by the node of the prompt that shows them.

    One that is not needed, as a lazy input is not, may be told of if it ran in an earlier job.
    """
    texts: dict[str, Values] = {}
    for id, found in outcome.shown.items():
        texts.setdefault(outcome.display.get(id, id), []).extend(found["text"])
    return {id: sorted(found) for id, found in texts.items() if id in needed}


def meant(kind: str, inputs: dict[str, Any], meaning: dict[str, Values]) -> Values:
    """The items that a node gives, read off the rules one by one."""
    lists = {
        name: meaning[value[0]] if isinstance(value, list) else [value]
        for name, value in inputs.items()
    }
    if kind == "EitherAfter":
        awaited = lists["yes" if inputs["condition"] else "no"][:1]
        return [2 * awaited[0]] if awaited and awaited[0] != BLOCKED else [BLOCKED]
    if kind == "Total":
        return [BLOCKED] if BLOCKED in lists["values"] else [sum(lists["values"])]
    if kind == "Tens":
        return [10 * i for i in range(inputs["count"])]
    if kind == "BlockOdd":
        return [BLOCKED if i % 2 else i for i in range(inputs["count"])]
    lengths = [len(items) for items in lists.values()]
    given: Values = []
    for turn in range(0 if 0 in lengths else max(lengths)):
        taken = {name: items[min(turn, len(items) - 1)] for name, items in lists.items()}
        given.append(BLOCKED if BLOCKED in taken.values() else computed(kind, taken))
    return given


def computed(kind: str, taken: dict[str, Any]) -> Any:
    """One run of a node."""
    match kind:
        case "Add":
            return taken["a"] + taken["b"]
        case "Twice":
            return 2 * taken["value"]
        case "ShowAndGive":
            return taken["value"] + 1
        case "ToZero":
            return taken["total"] + taken["value"] * (taken["value"] + 1) // 2
        case _:
            return taken["value"]


@pytest.mark.parametrize("keeping", KEEPING, ids=["all", "latest", "few", "none"])
async def test_any_graph_means_what_it_says(keeping: CachePolicy):
    with tempfile.TemporaryDirectory() as folder:
        nodes, home = registry(), Path(folder)
        worker = LocalWorker(nodes, Folders(home), cache_policy=keeping)
        bench = Bench(await Engine.open(home, registry=nodes, worker=worker))
        try:
            for prompt, shown in examples(50):
                for _ in range(2):
                    entry = await bench.run(prompt)
                    assert entry.outcome.status == "success", (prompt, entry.outcome.failure)
                    told = shown_by_node(entry.outcome, shown)
                    if keeping is FEW:  # what was shown inside of a node may be forgotten
                        told, shown = of_outputs(prompt, told), of_outputs(prompt, shown)
                    assert told == {id: texts for id, texts in shown.items() if texts}, prompt
        finally:
            await bench.engine.close()


def examples(count: int) -> list[tuple[Prompt, dict[str, Values]]]:
    """Some graphs, others each time."""
    found: list[tuple[Prompt, dict[str, Values]]] = []

    @settings(max_examples=count, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(graphs())
    def gather(graph: tuple[Prompt, dict[str, Values]]) -> None:
        found.append(graph)

    gather()
    return found


async def test_jobs_that_are_interrupted_at_any_time_end_and_harm_no_other(tmp_path: Path):
    nodes = registry()
    worker = LocalWorker(nodes, Folders(tmp_path))
    bench = Bench(await Engine.open(tmp_path, registry=nodes, worker=worker))
    graphs = examples(60)
    chance = random.Random(len(graphs))
    try:
        submitted = [await bench.submit(prompt) for prompt, _ in graphs]
        while bench.engine.remaining():
            await asyncio.sleep(chance.choice([0, 0.001, 0.003, 0.01]))
            await bench.engine.interrupt()
        for id, (prompt, shown) in zip(submitted, graphs, strict=True):
            outcome = (await bench.ended(id)).outcome
            assert outcome.status in ("success", "interrupted"), (prompt, outcome.failure)
            if outcome.status == "success":
                told = of_outputs(prompt, shown_by_node(outcome, shown))
                shown = of_outputs(prompt, shown)
                assert told == {name: texts for name, texts in shown.items() if texts}, prompt
            assert [type(event) for event in bench.events(id)].count(JobFinished) == 1
    finally:
        await bench.engine.close()
