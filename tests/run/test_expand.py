"""Reading what a node expanded into."""

from __future__ import annotations

from engine import Artifact, Expansion, node
from engine.authoring.registry import Registry
from engine.authoring.spec import NodeSpec
from engine.graph.prompt import Graph, Link
from engine.run.expand import read_expansions
from engine.run.list_mapping import merge_results, placeholders


@node("Number", category="tests")
def number(*, value: int) -> int:
    """The value."""
    return value


@node("Look", category="tests", passes=("value",))
def look(*, value: int) -> Artifact:
    """Show a value and pass it on."""
    return Artifact(values=[value])


def spec(function: object) -> NodeSpec:
    return getattr(function, "spec")  # noqa: B009 - functions have no declared attribute


def test_an_output_is_taken_from_where_it_is_made_past_those_who_only_pass_it_on():
    registry = Registry()
    registry.add_nodes([spec(number), spec(look)])
    known = dict(Graph.of({"5": {"class_type": "Number", "inputs": {"value": 7}}}, registry).nodes)
    graph = {
        "made": {"class_type": "Number", "inputs": {"value": 8}},
        "seen": {"class_type": "Look", "inputs": {"value": ["made", 0]}},
        "seen again": {"class_type": "Look", "inputs": {"value": ["seen", 0]}},
        "given": {"class_type": "Look", "inputs": {"value": 9}},
    }
    for output, link in (("seen again", Link("5.0.0.made", 0)), ("given", None)):
        growth = read_expansions(known["5"], [Expansion(graph, [[output, 0]])], registry, known)
        made = merge_results(spec(number), [{}], growth.returned)
        assert placeholders(made.outputs) == ([link] if link else [])
        assert link is not None or made.outputs == [[9]]
