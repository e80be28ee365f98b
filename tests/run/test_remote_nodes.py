"""Guests' nodes as the engine sees them."""

from __future__ import annotations

from engine.run.remote_nodes import InputDescription, NodeDescription, spec_of

NODE = NodeDescription(
    id="Switch",
    kind="async",
    inputs=[InputDescription("value", "INT", ["INT", {"lazy": True}], lazy=True)],
    outputs=[("INT", "INT", False)],
    category="test",
    description="",
    display_name="Switch",
    version="1",
    origin="pack",
    object_info={},
)


def test_a_lazy_input_is_lazy_only_for_a_node_that_can_ask_for_it():
    def function(**_: object) -> tuple[int]:
        raise NotImplementedError

    def needs(**_: object) -> list[str]:
        raise NotImplementedError

    assert not spec_of(NODE, function).by_name["value"].lazy
    assert spec_of(NODE, function, check_lazy_status=needs).by_name["value"].lazy
