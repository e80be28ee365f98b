"""Subgraphs and old group nodes are unfolded into the nodes inside."""

from __future__ import annotations

from typing import Any

import pytest

from tests.graph.editor import (
    FIND,
    SAMPLE_INPUTS,
    SAMPLED,
    Document,
    box,
    canvas,
    keeper,
    sampler,
    subgraph,
    wire,
)
from tests.graph.test_workflow import inputs, prompt, refusal


def inner_sampler(*widgets: tuple[str, str, int]) -> Document:
    """A Sample in a subgraph: its model is the first input, `widgets` the others."""
    given: list[Any] = [("model", "MODEL", 1), *((*widget, "widget") for widget in widgets)]
    return sampler(5, None, inputs=given)


STEPPED = subgraph(
    "stepped",
    [inner_sampler(("steps", "INT", 2), ("text", "STRING", 3))],
    [
        wire(1, -10, 0, 5, 0, "MODEL"),
        wire(2, -10, 1, 5, 2, "INT"),
        wire(3, -10, 2, 5, 3, "STRING"),
        wire(4, 5, 0, -20, 0, "IMAGE"),
    ],
    [("model", "MODEL"), ("steps", "INT"), ("prompt", "STRING")],
    [("IMAGE", "IMAGE")],
)


def host(values: Any = (), given: list[Any] | None = None, **more: Any) -> Document:
    """A node that stands for a subgraph, its model coming by link 1."""
    inputs = [("model", "MODEL", 1), *(given or [])]
    return box(2, more.pop("type", "stepped"), values, inputs, ["IMAGE"], **more)


def around(node: Document, *definitions: Document, extra: Any = None) -> Document:
    """FIND before a node and a Keep after it."""
    links = [[1, 1, 0, 2, 0, "MODEL"], [2, 2, 0, 3, 0, "IMAGE"], [3, 8, 0, 2, 1, "INT"]]
    nodes = [FIND, node, keeper(3, 2), box(8, "Number", (9,))]
    return canvas(nodes, links, definitions={"subgraphs": list(definitions)}, extra=extra or {})


def test_a_subgraph_stands_in_the_prompt_with_colons_in_its_ids():
    found = prompt(around(host(), STEPPED))
    assert found.keys() == {"1", "2:5", "3", "8"}
    assert found["2:5"]["inputs"] == SAMPLE_INPUTS
    assert found["3"]["inputs"]["images"] == ["2:5", 0]


def test_a_subgraph_used_twice():
    again = host() | {"id": 4}
    document = around(host(), STEPPED)
    document["nodes"] += [again]
    assert {"2:5", "4:5"} <= prompt(document).keys()


def test_values_that_a_host_saves_are_those_of_the_widgets_it_shows():
    assert inputs(around(host((30, "a dog")), STEPPED), "2:5") == {
        **SAMPLE_INPUTS,
        "steps": 30,
        "text": "a dog",
    }
    named = host((None, "x"), widgets_values_named={"steps": 31, "prompt": "y"})
    assert inputs(around(named, STEPPED), "2:5") == {**SAMPLE_INPUTS, "steps": 31, "text": "x"}
    by_name = host({"prompt": "a bird"})
    assert inputs(around(by_name, STEPPED), "2:5") == {**SAMPLE_INPUTS, "text": "a bird"}


def test_values_of_another_number_of_widgets_are_not_guessed():
    assert inputs(around(host((30,)), STEPPED), "2:5") == SAMPLE_INPUTS


def test_a_link_into_a_subgraph_goes_before_the_value():
    linked = host((30, "a dog"), [("steps", "INT", 3, "widget")])
    assert inputs(around(linked, STEPPED), "2:5")["steps"] == ["8", 0]


def test_shown_widgets_of_inner_nodes():
    proxies = {"proxyWidgets": [["5", "cfg"], ["-1", "steps"], ["5", "control_after_generate"]]}
    assert inputs(around(host((), properties=proxies), STEPPED), "2:5") == SAMPLE_INPUTS
    set_to = host((1.5, 30, "fixed"), properties=proxies)
    found = inputs(around(set_to, STEPPED), "2:5")
    assert found == {**SAMPLE_INPUTS, "cfg": 1.5, "steps": 30}


def test_a_value_shared_by_a_widget_and_a_socket():
    shared = subgraph(
        "shared",
        [inner_sampler(("steps", "INT", 2)), box(6, "Show", (), [("value", "*", 3)])],
        [
            wire(1, -10, 0, 5, 0, "MODEL"),
            wire(2, -10, 1, 5, 2, "INT"),
            wire(3, -10, 1, 6, 0, "*"),
        ],
        [("model", "MODEL"), ("steps", "INT")],
        [],
    )
    assert inputs(around(host(type="shared"), shared), "2:6") == {"value": 12}
    assert inputs(around(host((30,), type="shared"), shared), "2:6") == {"value": 30}


NESTING = subgraph(
    "nesting",
    [
        box(
            7,
            "stepped",
            (40, "inner"),
            [("model", "MODEL", 1), ("steps", "INT", 2, "widget")],
            ["IMAGE"],
        ),
        box(9, "Reroute", (), [("", "*", 3)], ["IMAGE"]),
    ],
    [
        wire(1, -10, 0, 7, 0, "MODEL"),
        wire(2, -10, 1, 7, 1, "INT"),
        wire(3, 7, 0, 9, 0, "IMAGE"),
        wire(4, 9, 0, -20, 0, "IMAGE"),
    ],
    [("model", "MODEL"), ("count", "INT")],
    [("IMAGE", "IMAGE")],
)


def test_subgraphs_in_subgraphs():
    found = prompt(around(host(type="nesting"), STEPPED, NESTING))
    assert found.keys() == {"1", "2:7:5", "3", "8"}
    assert found["2:7:5"]["inputs"] == {**SAMPLE_INPUTS, "steps": 40, "text": "inner"}
    assert found["3"]["inputs"]["images"] == ["2:7:5", 0]


def test_the_outermost_value_counts():
    found = prompt(around(host((50,), type="nesting"), STEPPED, NESTING))
    assert found["2:7:5"]["inputs"]["steps"] == 50
    proxies = {"proxyWidgets": [["7", "prompt"]]}
    shown = host(("outer",), type="nesting", properties=proxies)
    found = prompt(around(shown, STEPPED, NESTING))
    assert found["2:7:5"]["inputs"]["text"] == "outer"


def test_an_input_that_goes_straight_to_an_output():
    through = subgraph(
        "through",
        [],
        [wire(1, -10, 0, -20, 0, "MODEL")],
        [("model", "MODEL")],
        [("MODEL", "MODEL")],
    )
    assert inputs(around(host(type="through"), through), 3)["images"] == ["1", 0]


def test_muted_and_bypassed_subgraphs():
    muted = prompt(around(host(mode=2), STEPPED))
    assert muted.keys() == {"1", "3", "8"}
    assert "images" not in muted["3"]["inputs"]
    passing = host(mode=4) | {"outputs": [{"name": "out", "type": "MODEL"}]}
    assert inputs(around(passing, STEPPED), 3)["images"] == ["1", 0]


def test_a_muted_node_inside():
    cut = STEPPED | {"nodes": [{**STEPPED["nodes"][0], "mode": 2}]}
    assert "images" not in inputs(around(host(), cut), 3)


def test_a_subgraph_that_contains_itself_is_named():
    snake = subgraph("snake", [box(4, "snake")], [], [], [])
    details = refusal(around(host(type="snake"), snake))
    assert "node 2:4 (snake): subgraph 'the snake' contains itself" in details


def test_a_subgraph_of_a_thousand_million_nodes_is_refused():
    levels = [
        subgraph(f"s{n}", [box(i, f"s{n + 1}") for i in range(8)], [], [], []) for n in range(10)
    ]
    assert "more than 250000 nodes" in refusal(around(host(type="s0"), *levels))


def test_subgraphs_without_end_are_refused():
    levels = [subgraph(f"s{n}", [box(1, f"s{n + 1}")], [], [], []) for n in range(1000)]
    assert "is inside of 50 subgraphs" in refusal(around(host(type="s0"), *levels))


@pytest.mark.parametrize("definition", [5, {"id": "x", "nodes": 5}, {"id": "x", "links": [5]}])
def test_a_subgraph_that_cannot_be_read_is_named(definition: Any):
    assert "subgraph" in refusal(around(host(), definition))


# --- old group nodes ---------------------------------------------------------------------------

GROUP: dict[str, Any] = {
    "nodes": [
        box(-1, "Tune", (0.75,), [("model", "MODEL", None)], ["MODEL"], index=0),
        sampler(-1, None, index=1),
        sampler(-1, None, index=2, title="Again"),
    ],
    "links": [
        [None, 0, 0, 0, 12, "MODEL"],
        [0, 0, 1, 0, 30, "MODEL"],
        [1, 0, 2, 1, 31, "IMAGE"],
    ],
    "external": [[1, 0, "IMAGE"]],
}


def group(values: Any, **more: Any) -> Document:
    """A use of the group: model and hint of the first ones, model of the last."""
    given = [("model", "MODEL", 1), ("hint", "IMAGE", None), ("Again model", "MODEL", 4)]
    outputs = ["IMAGE", "Again IMAGE"]
    return box(2, more.pop("type", "workflow>Twice"), values, given, outputs, **more)


def grouped(node: Document) -> Document:
    """A document with that use of the group."""
    document = around(node, extra={"groupNodes": {"Twice": GROUP}})
    document["nodes"].append({**FIND, "id": 6})
    document["links"] += [[4, 6, 0, 2, 2, "MODEL"], [5, 2, 1, 9, 0, "IMAGE"]]
    document["nodes"].append(keeper(9, 5))
    return document


@pytest.mark.parametrize("type", ["workflow>Twice", "workflow/Twice"])
def test_an_old_group_is_unfolded(type: str):
    found = prompt(grouped(group((0.1, *SAMPLED, 8, *SAMPLED[1:]), type=type)))
    assert found.keys() == {"1", "2:0", "2:1", "2:2", "3", "6", "8", "9"}
    assert found["2:0"]["inputs"] == {"model": ["1", 0], "amount": 0.1}
    assert found["2:1"]["inputs"] == {**SAMPLE_INPUTS, "model": ["2:0", 0]}
    again = {**SAMPLE_INPUTS, "seed": 8, "model": ["6", 0], "hint": ["2:1", 0]}
    assert found["2:2"]["inputs"] == again
    assert found["2:2"]["_meta"] == {"title": "Again"}
    assert found["3"]["inputs"]["images"] == ["2:1", 0]
    assert found["9"]["inputs"]["images"] == ["2:2", 0]


def test_an_old_group_that_saved_no_values_has_those_of_its_nodes():
    assert inputs(grouped(group(())), "2:0")["amount"] == 0.75


def test_an_old_group_whose_values_do_not_fit_is_named():
    details = refusal(grouped(group((1, 2, 3))))
    assert "node 2 (workflow>Twice): its 3 widget values" in details
    assert "make a subgraph of it" in details


def test_an_old_group_whose_inputs_do_not_fit_is_named():
    odd = group(())
    odd["inputs"].append({"name": "power", "type": "INT", "link": 3})
    assert "its input 'power' belongs to none of the nodes inside" in refusal(grouped(odd))


def test_a_group_that_is_not_there_stays_for_validation():
    assert prompt(around(host(type="workflow>Lost")))["2"]["class_type"] == "workflow>Lost"
