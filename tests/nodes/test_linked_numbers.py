"""Numbers that come over links: a node works, or says in words why it cannot."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nodes
from engine.authoring.registry import Registry
from engine.authoring.spec import Input, NodeSpec
from engine.graph.prompt import GraphNode, Link
from engine.run import failures
from engine.run.limits import BadLinkedValue, within_limits
from engine.store.folders import Folders
from nodes.models.memory import TooLarge, ask_for
from tests.models.bench import Bench, n
from tests.nodes.test_any_values import SPECS, values

HOSTILE: tuple[Any, ...] = (
    *(0, -1, -3, 2**31, 2**63, 10**30, 300_000, math.nan, math.inf, -math.inf, 0.5),
    *("", "many", None, [], {}, True),
)
LIBRARY_WORDS = re.compile(r"numpy|torch|object at 0x|Traceback|DefaultCPUAllocator")


def all_specs() -> dict[str, NodeSpec]:
    registry = Registry()
    registry.add_pack(nodes)
    return registry.nodes


LIMITED = [
    (spec, input) for spec in all_specs().values() for input in spec.limited.values() if input.range
]
CHEAP = [(spec, input) for spec in SPECS for input in spec.limited.values()]


def linked(spec: NodeSpec, input: Input, tmp_path: Path, value: Any) -> Any:
    """What the node gets of what comes over a link."""
    node = GraphNode("1", spec, {}, {input.name: Link("0", 0)})
    return within_limits(node, {input.name: value}, Folders(tmp_path))[input.name]


def test_every_limit_of_every_node_holds_for_links(tmp_path: Path):
    assert len(LIMITED) > 300
    for spec, input in LIMITED:
        assert input.range is not None
        low, high = input.range.min, input.range.max
        for value in (low - 1 - abs(low), high + 1 + abs(high), math.nan, "many", [3]):
            given = [value] if input.collects else value
            with pytest.raises(BadLinkedValue) as caught:
                linked(spec, input, tmp_path, given)
            told = str(caught.value)
            assert told.startswith(f"{spec.id}: input {input.name!r} cannot take what comes over")
            assert f"numbers from {low} to {high}" in told
        middle = min(max(low, 1), high)
        sound = [middle] if input.collects else middle
        assert linked(spec, input, tmp_path, sound) == sound


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_hostile_number_over_a_link_works_or_is_told_in_words(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
):
    spec, input = data.draw(st.sampled_from(CHEAP))
    arguments = {input.name: data.draw(values(input)) for input in spec.inputs}
    hostile = data.draw(st.sampled_from(HOSTILE))
    arguments[input.name] = [hostile] if input.collects else hostile
    folders = Folders(tmp_path_factory.getbasetemp())
    node = GraphNode("1", spec, {}, {input.name: Link("0", 0)})
    try:
        spec.function(**within_limits(node, arguments, folders))
    except Exception as error:  # noqa: BLE001 - whatever it is, it must be told in words
        told = failures.of_node(node, {}, error, folders)
        assert told.message
        assert not LIBRARY_WORDS.search(told.message), told.message


def sized(**more: Any) -> dict[str, Any]:
    return n("EmptyImage", **{"width": 8, "height": 8, "batch_size": 1, "color": 0, **more})


@pytest.mark.parametrize(
    ("input", "value", "told"),
    [
        ("width", 0, "Value 0 smaller than min of 1; it takes numbers from 1 to 16384"),
        ("height", 300_000, "Value 300000 bigger than max of 16384"),
        ("batch_size", 0, "Value 0 smaller than min of 1"),
        ("batch_size", -3, "Value -3 smaller than min of 1"),
    ],
)
async def test_a_size_that_cannot_be_fails_the_job_and_writes_nothing(
    bench: Bench, input: str, value: int, told: str
):
    prompt = {
        "size": n("PrimitiveInt", value=value),
        "1": sized(**{input: ["size", 0]}),
        "out": n("SaveImage", images=["1", 0], filename_prefix="linked"),
    }
    (entry,) = await bench.run(prompt)
    assert (entry.outcome.status, entry.outcome.shown) == ("error", {})
    assert entry.outcome.failure is not None
    assert entry.outcome.failure.node == "1"
    assert entry.outcome.failure.message.startswith(f"EmptyImage: input {input!r} cannot take")
    assert told in entry.outcome.failure.message
    assert not [*(bench.home / "output").glob("linked*")]


@pytest.mark.parametrize(
    "node",
    [
        sized(width=16384, height=16384, batch_size=4096),
        n("EmptyLatentImage", width=16384, height=16384, batch_size=4096),
    ],
)
async def test_what_no_memory_holds_is_refused_before_it_is_made(
    bench: Bench, node: dict[str, Any]
):
    (entry,) = await bench.run({"1": node, "out": n("PreviewAny", source=["1", 0])})
    assert entry.outcome.failure is not None
    assert re.search(
        r"want [\d.,]+ [GT]iB of memory, and [\d.,]+ [GM]iB are there",
        entry.outcome.failure.message,
    )


def test_a_small_array_is_never_refused():
    ask_for("pictures", 1, 512, 512, 3)
    with pytest.raises(TooLarge, match="make it smaller, or make fewer at once"):
        ask_for("pictures", 10**12)


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (MemoryError(), ""),
        (MemoryError("Unable to allocate 1006. GiB for an array with shape (3,)"), "1006. GiB"),
        (
            RuntimeError(
                "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you "
                "tried to allocate 13194139533312 bytes. Error code 12 (Cannot allocate memory)"
            ),
            "13194139533312 bytes",
        ),
    ],
)
def test_a_library_without_memory_is_told_in_words(error: Exception, wanted: str, tmp_path: Path):
    node = GraphNode("1", SPECS[0], {}, {})
    told = failures.of_node(node, {}, error, Folders(tmp_path))
    assert told.message.startswith(f"{SPECS[0].id}: there is not enough memory")
    assert wanted in told.message
    assert not LIBRARY_WORDS.search(told.message)
    assert told.exception == "MemoryError"
