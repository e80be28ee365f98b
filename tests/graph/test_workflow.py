"""A workflow of the editor becomes the prompt that the editor would send."""

from __future__ import annotations

from typing import Any

import pytest

from engine.graph.errors import PromptError
from engine.graph.workflow import is_workflow, to_prompt
from tests.graph.editor import (
    FIND,
    SAMPLE_INPUTS,
    SAMPLED,
    Document,
    box,
    canvas,
    keeper,
    registry,
    sampler,
)

ALONE = {name: value for name, value in SAMPLE_INPUTS.items() if name != "model"}


def prompt(document: Document) -> dict[str, Any]:
    return to_prompt(document, registry())


def inputs(document: Document, id: str | int) -> dict[str, Any]:
    return prompt(document)[str(id)]["inputs"]


def refusal(document: Document) -> str:
    with pytest.raises(PromptError) as caught:
        prompt(document)
    assert caught.value.type == "invalid_workflow"
    return caught.value.details


def one(node: Document) -> dict[str, Any]:
    """The inputs of a node that stands alone."""
    return inputs(canvas([node], []), node["id"])


def test_nodes_links_and_titles():
    document = canvas(
        [FIND, sampler(2, 1, title="The sampler"), keeper(3, 2)],
        [[1, 1, 0, 2, 0, "MODEL"], [2, 2, 0, 3, 0, "IMAGE"]],
    )
    assert prompt(document) == {
        "1": {
            "inputs": {"name": "a.safetensors"},
            "class_type": "Find",
            "_meta": {"title": "Find"},
        },
        "2": {
            "inputs": SAMPLE_INPUTS,
            "class_type": "Sample",
            "_meta": {"title": "The sampler"},
        },
        "3": {
            "inputs": {"images": ["2", 0], "prefix": "out"},
            "class_type": "Keep",
            "_meta": {"title": "Keep"},
        },
    }


def test_links_may_be_objects_and_ids_words():
    link: Document = {"id": "l", "origin_id": "a", "origin_slot": 0, "target_id": "b"}
    document = canvas(
        [{**FIND, "id": "a"}, box("b", "Tune", (0.5,), [("model", "MODEL", "l")])],
        [link | {"target_slot": 0, "type": "MODEL"}, None],
    )
    assert inputs(document, "b") == {"model": ["a", 0], "amount": 0.5}


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (canvas([], []), True),
        ({"nodes": [], "last_node_id": 3}, True),
        ({"1": {"class_type": "Find", "inputs": {}}}, False),
        ({"nodes": {"class_type": "Find", "inputs": {}}}, False),
        ([], False),
        (None, False),
    ],
)
def test_the_formats_are_told_apart(document: Any, told: bool):
    assert is_workflow(document) is told


# --- widgets -----------------------------------------------------------------------------------


@pytest.mark.parametrize("control", ["fixed", "increment", "decrement", "randomize"])
def test_what_happens_to_a_seed_after_the_run_is_no_input(control: str):
    values = (7, control, *SAMPLED[2:])
    assert one(box(2, "Sample", values)) == ALONE


def test_a_seed_without_its_companion():
    assert one(box(2, "Sample", (7, 12, 3.5, "heun", "a cat", 0.25))) == ALONE


def test_a_text_may_read_like_a_companion():
    found = one(box(2, "Sample", (7, "fixed", 12, 3.5, "heun", "fixed", 0.25)))
    assert (found["text"], found["strength"]) == ("fixed", 0.25)


@pytest.mark.parametrize("button", ["image", "", None, {"name": "upload"}])
def test_the_button_of_an_upload_is_no_input(button: Any):
    assert one(box(1, "Open", ("a.png", button, "alpha"))) == {"image": "a.png", "channel": "alpha"}
    assert one(box(1, "Open", ("a.png", "alpha", button))) == {"image": "a.png", "channel": "alpha"}


def test_a_linked_widget_holds_its_place():
    links = [[1, 5, 0, 2, 1, "INT"]]
    given = [("model", "MODEL", None), ("steps", "INT", 1, "widget")]
    document = canvas([box(5, "Number", (9,)), sampler(2, None, inputs=given)], links)
    found = inputs(document, 2)
    assert (found["steps"], found["cfg"], found["text"]) == (["5", 0], 3.5, "a cat")


def test_widgets_that_a_node_got_later_have_their_defaults():
    assert one(box(1, "Open", ("a.png",))) == {"image": "a.png", "channel": "red"}
    assert one(box(2, "Sample", (7, "fixed"))) == {
        "seed": 7,
        "steps": 20,
        "cfg": 8.0,
        "method": "euler",
        "text": "",
        "strength": 1.0,
    }


def test_values_by_name():
    by_name = {"image": "b.png", "channel": "alpha", "preview": {"hidden": True}}
    expected = {"image": "b.png", "channel": "alpha"}
    assert one(box(1, "Open", by_name)) == expected
    named = {"image": "b.png", "upload": "image", "channel": "alpha"}
    assert one(box(1, "Open", widgets_values_named=named)) == expected


def test_values_in_order_count_where_they_are_by_name_too():
    named = {"image": "a.png", "upload": "image", "channel": "alpha"}
    found = one(box(1, "Open", ("b.png", None, None), widgets_values_named=named))
    assert found == {"image": "b.png", "channel": "alpha"}


def test_required_widgets_come_before_optional_ones():
    found = one(box(1, "Everything", (1, 0.5, 2, "s", True, "two", 3)))
    assert found == {"i": 1, "f": 0.5, "free": 2, "s": "s", "b": True, "c": "two", "maybe": 3}


def test_a_list_is_a_value_not_a_link():
    assert one(box(1, "Keep", (["1", 0],)))["prefix"] == {"__value__": ["1", 0]}


# --- nodes that do not run -----------------------------------------------------------------------


def test_muted_nodes_and_the_links_from_them_are_left_out():
    muted = sampler(2, 1, mode=2)
    document = canvas(
        [FIND, muted, keeper(3, 2)], [[1, 1, 0, 2, 0, "MODEL"], [2, 2, 0, 3, 0, "IMAGE"]]
    )
    assert prompt(document).keys() == {"1", "3"}
    assert inputs(document, 3) == {"prefix": "out"}


def test_a_widget_linked_to_a_muted_node_is_left_out_too():
    given = [("model", "MODEL", None), ("steps", "INT", 1, "widget")]
    document = canvas(
        [box(5, "Number", (9,), mode=2), sampler(2, None, inputs=given)],
        [[1, 5, 0, 2, 1, "INT"]],
    )
    assert "steps" not in inputs(document, 2)


def tuned(type: str, first: str, second: str) -> dict[str, Any]:
    """A Tune that takes from a bypassed node with two linked inputs."""
    given = [("a", first, 1), ("b", second, 2)]
    passing = box(3, type, (), given, outputs=["LATENT", "MODEL"], mode=4)
    document = canvas(
        [
            {**FIND, "id": 1},
            {**FIND, "id": 2},
            passing,
            box(4, "Tune", (), [("model", "MODEL", 3)]),
        ],
        [[1, 1, 0, 3, 0, first], [2, 2, 0, 3, 1, second], [3, 3, 1, 4, 0, "MODEL"]],
    )
    return inputs(document, 4)


def test_a_bypassed_node_passes_its_input_of_the_same_type():
    assert tuned("Anything", "MODEL", "IMAGE")["model"] == ["1", 0]
    assert tuned("Anything", "IMAGE", "MODEL")["model"] == ["2", 0]
    assert tuned("Anything", "MODEL", "MODEL")["model"] == ["2", 0], "the same place first"
    assert tuned("Anything", "CLIP,MODEL", "IMAGE")["model"] == ["1", 0]
    assert "model" not in tuned("Anything", "IMAGE", "IMAGE")


def test_a_bypassed_socket_of_any_type_has_the_type_of_its_link():
    given = [("a", "*", 1), ("b", "*", 2)]
    passing = box(3, "Anything", (), given, outputs=["MODEL"], mode=4)
    document = canvas(
        [FIND, {**FIND, "id": 2}, passing, box(4, "Tune", (), [("model", "MODEL", 3)])],
        [[1, 1, 0, 3, 0, "IMAGE"], [2, 2, 0, 3, 1, "MODEL"], [3, 3, 0, 4, 0, "MODEL"]],
    )
    assert inputs(document, 4)["model"] == ["2", 0]


def test_notes_are_no_nodes():
    assert prompt(canvas([box(1, "Note", ("x",)), box(2, "MarkdownNote", ("y",))], [])) == {}


def test_reroutes_are_followed_however_many():
    count = 3000
    reroutes = [box(i, "Reroute", (), [("", "*", i - 1)], ["MODEL"]) for i in range(2, count)]
    links = [[i, i, 0, i + 1, 0, "MODEL"] for i in range(1, count)]
    last = box(count, "Tune", (), [("model", "MODEL", count - 1)])
    found = prompt(canvas([FIND, *reroutes, last], links))
    assert found.keys() == {"1", str(count)}
    assert found[str(count)]["inputs"]["model"] == ["1", 0]


def test_reroutes_in_a_circle_are_named():
    circle = [box(i, "Reroute", (), [("", "*", i)], ["MODEL"]) for i in (1, 2)]
    document = canvas(
        [*circle, box(3, "Tune", (), [("model", "MODEL", 3)])],
        [[1, 2, 0, 1, 0, "*"], [2, 1, 0, 2, 0, "*"], [3, 2, 0, 3, 0, "MODEL"]],
    )
    assert "(Reroute): its links lead in a circle; remove one" in refusal(document)


def test_a_primitive_gives_its_value_through_reroutes_too():
    given = [("model", "MODEL", None), ("seed", "INT", 1, "widget"), ("steps", "INT", 2, "widget")]
    document = canvas(
        [
            box(8, "PrimitiveNode", (31, "fixed"), outputs=["INT"]),
            box(9, "Reroute", (), [("", "*", 3)], ["INT"]),
            sampler(2, None, inputs=given),
        ],
        [[1, 8, 0, 2, 1, "INT"], [2, 9, 0, 2, 2, "INT"], [3, 8, 0, 9, 0, "INT"]],
    )
    found = prompt(document)
    assert found.keys() == {"2"}
    assert (found["2"]["inputs"]["seed"], found["2"]["inputs"]["steps"]) == (31, 31)


def test_a_primitive_without_a_value_leaves_the_widget_as_it_is():
    given = [("seed", "INT", 1, "widget")]
    document = canvas(
        [box(8, "PrimitiveNode", None), sampler(2, None, inputs=given)], [[1, 8, 0, 2, 1, "INT"]]
    )
    assert inputs(document, 2)["seed"] == 7


# --- what is not known, what is not right ------------------------------------------------------


def test_an_unknown_node_stays_with_its_links_and_named_values():
    named = {"power": 3, "control_after_generate": "fixed", "$$preview": "x"}
    odd = box(2, "Odd", (3,), [("model", "MODEL", 1)], ["IMAGE"], widgets_values_named=named)
    document = canvas(
        [FIND, odd, keeper(3, 2)], [[1, 1, 0, 2, 0, "MODEL"], [2, 2, 0, 3, 0, "IMAGE"]]
    )
    assert prompt(document)["2"] == {
        "inputs": {"power": 3, "model": ["1", 0]},
        "class_type": "Odd",
        "_meta": {"title": "Odd"},
    }
    assert inputs(document, 3)["images"] == ["2", 0]


@pytest.mark.parametrize("links", [[], [[2, 77, 0, 3, 0, "IMAGE"]]])
def test_a_link_to_nothing_is_none(links: list[Any]):
    assert inputs(canvas([keeper(3, 2)], links), 3) == {"prefix": "out"}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"nodes": 5, "links": []}, ["no list of nodes"]),
        (canvas([], {}), ["'links' of the workflow is no list"]),  # pyright: ignore[reportArgumentType] - the fault
        (canvas([5], []), ["node number 0 of the workflow is no object"]),  # pyright: ignore[reportArgumentType] - the fault
        (canvas([{"type": "Find"}], []), ["node number 0", "(Find) has no id"]),
        (canvas([{"id": 4}], []), ["node 4 (no type)", "`type`"]),
        (canvas([{"id": 4, "type": "Find", "mode": "x"}], []), ["node 4 (Find)", "$.mode"]),
        (canvas([{"id": 4, "type": "Find", "inputs": [5]}], []), ["node 4 (Find)", "inputs"]),
        (canvas([{"id": 4.5, "type": "Find"}], []), ["node 4.5 (Find)", "$.id"]),
        (canvas([], [[1, 2]]), ["link number 0", "[1, 2]", "remove it"]),
        (canvas([], [[1, 1, "0", 2, 0, "X"]]), ["link number 0"]),
        (canvas([], [{"id": 1}]), ["link number 0"]),
        (
            canvas([box(7, "Find", (), [("x", "X", None)] * 501)], []),
            ["node 7 (Find)", "more than 500 sockets"],
        ),
    ],
)
def test_what_cannot_be_read_is_named(document: Document, words: list[str]):
    details = refusal(document)
    for word in words:
        assert word in details
