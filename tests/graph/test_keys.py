"""Content keys: equal where results are equal, different where they may differ."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import node
from engine.authoring.registry import Registry
from engine.graph.keys import CacheKeys, fingerprints
from engine.graph.prompt import Graph
from engine.graph.topological_sort import CycleError, topological_order
from tests.graph.conftest import Checker, Prompt, n


def keys_of(check: Checker, prompt: Prompt, job: str = "job") -> dict[str, str]:
    valid = check(prompt)
    graph = Graph.of(valid.prompt, check.registry)
    return made(graph, valid.outputs, job, check)


def made(graph: Graph, outputs: list[str], job: str, check: Checker) -> dict[str, str]:
    nodes, keys = graph.ordered(outputs), CacheKeys(job, check.folders)
    keys.add(nodes, asyncio.run(fingerprints(nodes)))
    return keys.made


def key(check: Checker, source: Prompt, job: str = "job", more: Prompt | None = None) -> str:
    prompt = {"1": source, "end": n("Show", value=["1", 0]), **(more or {})}
    return keys_of(check, prompt, job)["1"]


def test_ids_and_order_do_not_matter(check: Checker):
    one = keys_of(
        check,
        {"1": n("Number", value=1), "2": n("Add", a=["1", 0], b=2), "3": n("Show", value=["2", 0])},
    )
    two = keys_of(
        check,
        {"z": n("Show", value=["y", 0]), "y": n("Add", b=2, a=["x", 0]), "x": n("Number", value=1)},
    )
    assert (one["1"], one["2"], one["3"]) == (two["x"], two["y"], two["z"])


def test_what_is_coerced_to_the_same_is_the_same(check: Checker):
    assert key(check, n("Number", value=5)) == key(check, n("Number", value="5"))
    assert key(check, n("Number", value=5, unknown="x")) == key(check, n("Number", value=5.9))


@pytest.mark.parametrize(
    "change",
    [
        n("Number", value=6),
        n("Dice", sides=5),
        n("Add", a=5, b=0),
    ],
)
def test_literals_and_classes_matter(check: Checker, change: Prompt):
    assert key(check, n("Number", value=5)) != key(check, change)


def test_links_matter(check: Checker):
    sources = {"a": n("Number", value=1), "b": n("Number", value=2)}

    def added(a: Any, b: Any) -> str:
        return key(check, n("Add", a=a, b=b), more=sources)

    all_keys = {
        added(["a", 0], ["b", 0]),
        added(["b", 0], ["a", 0]),
        added(["a", 0], ["a", 0]),
        added(["a", 0], 1),
        added(1, ["a", 0]),
    }
    assert len(all_keys) == 5


def test_a_source_far_up_matters(check: Checker):
    def end(value: int) -> str:
        prompt = {str(i): n("Add", a=[str(i + 1), 0], b=0) for i in range(50)}
        prompt["50"] = n("Number", value=value)
        return keys_of(check, {**prompt, "end": n("Show", value=["0", 0])})["end"]

    assert end(1) == end(1) != end(2)


def test_a_literal_is_no_link_of_the_same_look(check: Checker):
    linked = {"1": n("Number", value=1), "2": n("Show", value=["1", 0])}
    wrapped = {"1": n("Number", value=1), "2": n("Show", value={"__value__": ["1", 0]})}
    assert keys_of(check, linked)["2"] != keys_of(check, wrapped)["2"]


def test_the_code_matters(check: Checker):
    before = key(check, n("Number", value=5))
    spec = check.registry["Number"]
    check.registry.nodes["Number"] = replace(spec, version="another")
    assert key(check, n("Number", value=5)) != before


def test_an_impure_node_has_a_key_for_each_job_and_node(check: Checker):
    dice = n("Dice", sides=6)
    assert key(check, dice, "a") == key(check, dice, "a")
    assert key(check, dice, "a") != key(check, dice, "b")
    both = {"3": n("Add", a=["1", 0], b=["2", 0]), "4": n("Show", value=["3", 0])}
    two = keys_of(check, {"1": dice, "2": dice, **both})
    assert two["1"] != two["2"]
    once = keys_of(check, {"1": dice, "2": n("Show", value=["1", 0])}, "a")
    again = keys_of(check, {"1": dice, "2": n("Show", value=["1", 0])}, "b")
    assert once["2"] != again["2"], "what takes from it is as new"


def test_a_replaced_file_matters(check: Checker, tmp_path: Path):
    file = tmp_path / "models" / "checkpoints" / "a.safetensors"
    file.write_bytes(b"first")
    prompt = n("Checkpoint", name="a.safetensors", kind="big")
    first = key(check, prompt)
    assert key(check, prompt) == first
    stat = file.stat()
    file.write_bytes(b"other")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert key(check, prompt) != first


def test_a_replaced_file_in_a_folder_model_matters(check: Checker, tmp_path: Path):
    folder = tmp_path / "models" / "checkpoints" / "whole"
    (folder / "unet").mkdir(parents=True)
    (folder / "model_index.json").touch()
    (folder / "unet" / "weights.safetensors").write_bytes(b"first")
    prompt = n("Checkpoint", name="whole", kind="big")
    first = key(check, prompt)
    (folder / "unet" / "weights.safetensors").write_bytes(b"longer")
    assert key(check, prompt) != first


def test_a_replaced_upload_matters(check: Checker, tmp_path: Path):
    file = tmp_path / "output" / "a.png"
    file.write_bytes(b"first")
    first = key(check, n("Load", file="a.png [output]"))
    file.write_bytes(b"longer")
    assert key(check, n("Load", file="a.png [output]")) != first


def with_fingerprint(check: Checker, fingerprint: Callable[..., object]) -> None:
    @node("Clock", category="test", fingerprint=fingerprint)
    def clock(*, zone: str, shift: int) -> int:
        """Depends on the outer world."""
        raise NotImplementedError

    registry = Registry()
    registry.add_nodes([clock.spec])  # pyright: ignore[reportFunctionMemberAccess] - set by @node
    check.registry.nodes.update(registry.nodes)


def test_a_fingerprint_matters(check: Checker):
    seen: list[tuple[str, int]] = []

    def fingerprint(zone: str, shift: int) -> object:
        seen.append((zone, shift))
        return len(seen)

    with_fingerprint(check, fingerprint)
    clock = n("Clock", zone="UTC", shift=1)
    assert key(check, clock) != key(check, clock)
    assert seen == [("UTC", 1), ("UTC", 1)]


def test_arrays_are_fingerprints_by_all_that_they_hold(check: Checker):
    def array(at: int) -> Any:
        made = np.zeros(5000)
        made[at] = 1
        return made

    given: list[object] = []

    def fingerprint(zone: str, shift: int) -> object:
        return given[-1]

    with_fingerprint(check, fingerprint)

    def of(value: object) -> str:
        given.append(value)
        return key(check, n("Clock", zone="x", shift=1))

    assert of(array(2500)) == of(array(2500))
    assert of(array(2500)) != of(array(2501))
    assert of([{"a": array(2500)}]) == of([{"a": array(2500)}])
    assert of([{"a": array(2500)}]) != of([{"a": array(2501)}])
    assert of(np.zeros(4)) != of(np.zeros((2, 2))) != of(np.zeros((2, 2), "f4"))


def test_a_fingerprint_that_says_nothing_of_itself_is_never_equal(check: Checker):
    known = object()

    def fingerprint(zone: str, shift: int) -> object:
        return [known]

    with_fingerprint(check, fingerprint)
    node = n("Clock", zone="x", shift=1)
    assert key(check, node, "one job") != key(check, node, "another")


def test_a_fingerprint_gets_none_for_what_is_linked(check: Checker):
    def fingerprint(zone: str, shift: int | None) -> object:
        return zone, shift is None

    with_fingerprint(check, fingerprint)
    linked = n("Clock", zone="UTC", shift=["2", 0])
    more = {"2": n("Number", value=1)}
    assert key(check, linked, more=more) == key(check, linked, more=more)
    other = n("Clock", zone="CET", shift=["2", 0])
    assert key(check, linked, more=more) != key(check, other, more=more)


def test_a_node_whose_fingerprint_fails_runs_in_each_job(check: Checker):
    def fingerprint(**_: object) -> object:
        raise OSError("no clock")

    with_fingerprint(check, fingerprint)
    clock = n("Clock", zone="UTC", shift=1)
    assert key(check, clock, "a") == key(check, clock, "a")
    assert key(check, clock, "a") != key(check, clock, "b")


def test_only_what_the_outputs_need_has_a_key(check: Checker):
    prompt = {"1": n("Number", value=1), "2": n("Show", value=3), "3": {"class_type": "Show"}}
    valid = check(prompt, targets=["2"])
    graph = Graph.of(valid.prompt, check.registry)
    assert list(made(graph, ["2"], "job", check)) == ["2"]


def test_an_order_of_a_cycle_is_refused():
    sources = {"a": ["b"], "b": ["c"], "c": ["b"], "d": list[str]()}
    with pytest.raises(CycleError, match="b -> c -> b"):
        topological_order(["a"], sources.__getitem__)
    assert topological_order(["d"], sources.__getitem__) == ["d"]


def test_sources_come_before_and_only_once():
    sources = {"end": ["l", "r"], "l": ["top"], "r": ["top", "l"], "top": list[str]()}
    assert topological_order(["end", "l"], sources.__getitem__) == ["top", "l", "r", "end"]


def test_a_file_whose_name_is_computed_is_looked_at_in_every_job(check: Checker, tmp_path: Path):
    (tmp_path / "models" / "checkpoints" / "a.safetensors").touch()
    more = {"2": n("Word", text="a.safetensors"), "3": n("Word", text="small")}
    linked = n("Checkpoint", name=["2", 0], kind="small")
    assert key(check, linked, "a", more) == key(check, linked, "a", more)
    assert key(check, linked, "a", more) != key(check, linked, "b", more)
    fixed = n("Checkpoint", name="a.safetensors", kind=["3", 0])
    assert key(check, fixed, "a", more) == key(check, fixed, "b", more)


def test_files_that_a_linked_text_may_mention_matter(check: Checker, tmp_path: Path):
    folder = tmp_path / "models" / "embeddings"

    def mentioning(text: Any, job: str = "job") -> str:
        return key(check, n("Tell", text=text), job, {"2": n("Word", text="a embedding:x")})

    def both() -> tuple[str, str, str]:
        return mentioning("a embedding:x"), mentioning("a"), mentioning(["2", 0])

    before = both()
    assert mentioning(["2", 0], "another") == before[2], "other jobs use the result"
    (folder / "y.pt").write_bytes(b"another one")
    told, plain, linked = both()
    assert told != before[0], "which file a text means is up to the node"
    assert plain == before[1], "it mentions none"
    assert linked != before[2], "it might be meant"
    (folder / "x.pt").write_bytes(b"first")
    found = both()
    assert found[0] != told
    assert found[1] == plain
    assert found[2] != linked
    (folder / "x.pt").write_bytes(b"replaced")
    assert both()[0] != found[0]
    assert both()[2] != found[2]


def test_the_id_of_a_node_matters_to_who_is_given_the_link_itself(check: Checker):
    source = n("Number", value=1)
    spec = check.registry["Show"]

    def linked(id: str, raw: bool) -> str:
        inputs = tuple(replace(input, raw=raw) for input in spec.inputs)
        check.registry.nodes["Show"] = replace(spec, inputs=inputs)
        return keys_of(check, {id: source, "end": n("Show", value=[id, 0])})["end"]

    assert linked("1", raw=False) == linked("2", raw=False)
    assert linked("1", raw=True) == linked("1", raw=True) != linked("2", raw=True)
