"""Whatever the graph: it gives what a plain reading of its meaning gives."""

from __future__ import annotations

import asyncio
import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.run.engine import Engine
from engine.run.events import Ended
from engine.run.local import LocalWorker
from engine.store.folders import Folders
from engine.store.keeping import Keeping
from tests.run.conftest import Bench, Prompt, registry
from tests.run.conftest import whole as n

BLOCKED = "blocked"
Values = list[Any]
KEEPING = [Keeping(), Keeping(latest=True), Keeping(most=3), Keeping(most=0)]
KINDS = ["Number", "Add", "Tens", "BlockOdd", "Twice", "ToZero", "EitherAfter", "Total", "Nap"]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Prompt, dict[str, Values]]:
    """A prompt, and what each of its outputs shall show."""
    prompt: Prompt = {}
    meaning: dict[str, Values] = {}
    for number in range(draw(st.integers(1, 14))):
        id = str(number)
        sources = st.sampled_from(sorted(meaning)).map(lambda id: [id, 0])
        small = st.integers(-3, 3)
        value = st.one_of(small, sources) if meaning else small
        kind = draw(st.sampled_from(KINDS))
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
        }[kind]
        drawn = {name: draw(strategy) for name, strategy in inputs.items()}
        prompt[id] = n(kind, **drawn)
        meaning[id] = meant(kind, drawn, meaning)
    shown: dict[str, Values] = {}
    for number in range(draw(st.integers(1, 4))):
        source = draw(st.sampled_from(sorted(meaning)))
        prompt[f"show{number}"] = n("Show", value=[source, 0])
        shown[f"show{number}"] = [str(v) for v in meaning[source] if v != BLOCKED]
    return prompt, shown


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
        case "ToZero":
            return taken["total"] + taken["value"] * (taken["value"] + 1) // 2
        case _:
            return taken["value"]


@pytest.mark.parametrize("keeping", KEEPING, ids=["all", "latest", "few", "none"])
async def test_any_graph_means_what_it_says(keeping: Keeping):
    with tempfile.TemporaryDirectory() as folder:
        nodes, home = registry(), Path(folder)
        worker = LocalWorker(nodes, Folders(home), keeping=keeping)
        bench = Bench(await Engine.open(home, registry=nodes, worker=worker))
        try:
            for prompt, shown in examples(60):
                for _ in range(2):
                    entry = await bench.run(prompt)
                    assert entry.outcome.status == "success", (prompt, entry.outcome.failure)
                    told = {id: found["text"] for id, found in entry.outcome.shown.items()}
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
    graphs = examples(80)
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
                told = {name: found["text"] for name, found in outcome.shown.items()}
                assert told == {name: texts for name, texts in shown.items() if texts}, prompt
            assert [type(event) for event in bench.events(id)].count(Ended) == 1
    finally:
        await bench.engine.close()
